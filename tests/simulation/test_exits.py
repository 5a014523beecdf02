"""Where in its last step a path left: the law of the bridge, labels, and points on the boundary."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import langevin_sgd as ls
from langevin_sgd.core.streams import uniforms
from langevin_sgd.simulation.assembly import assemble
from langevin_sgd.simulation.exits import N_UNIFORMS, labels_of, lowest_face, place_exits
from tests.cases import each

KEY = (np.uint64(21), np.uint64(4))
BROWNIAN = ls.SDE("0", ls.noise.Constant(1.0))
IN_THE_PLANE = ls.SDE(["0", "0"], ls.noise.Constant(1.0))


def placed(sde, region, before, after, dt, n=1, *, bridge=True):
    """Place n exits within one step between two states."""
    made = assemble(sde, ls.EulerMaruyama(), region, bridge=bridge)
    x, y = (np.broadcast_to(np.atleast_1d(np.asarray(v, float)), (n, sde.dim)).copy() for v in (before, after))
    return place_exits(made, x, y, np.zeros(n), dt, uniforms(*KEY, np.arange(n, dtype=np.uint64), 1, N_UNIFORMS + sde.dim), bridge=bridge)


# ------------------------------------------------------------------------------------------------------ time of the hit

@pytest.mark.law
@pytest.mark.parametrize(("d0", "d1"), [(0.3, -0.2), (0.3, 0.2), (0.05, -1.0), (1.0, -0.02), (0.02, 0.01), (0.5, 1e-9)])
def test_the_time_of_the_hit_has_the_inverse_gaussian_law(d0, d1):
    """y = s / (1 - s) has mean d0 / |d1| and shape d0² / v: 100 000 hits in a step of 0.25 with C = 2, Kolmogorov and Smirnov's p
    above 1e-5, so that all six fail by chance once in 17 000 runs."""
    dt, n = 0.25, 100_000
    s = placed(ls.SDE("0", ls.noise.Constant(2.0)), ls.Interval(high=0.0), -d0, -d1, dt, n).fraction
    y, shape = s / (1 - s), d0**2 / (2.0 * dt)
    law = stats.invgauss(d0 / abs(d1) / shape, scale=shape)
    assert stats.kstest(y, law.cdf).pvalue > 1e-5
    wrong = stats.invgauss(d0 / abs(d1) / (shape / 2), scale=shape / 2)                             # the control: twice the variance
    assert stats.kstest(y, wrong.cdf).pvalue < 1e-5


@pytest.mark.law
def test_a_hit_that_is_given_no_end_has_the_law_of_levy():
    """d1 = 0: y has no mean, and is d0² / v over a squared normal; 100 000 hits, p above 1e-5."""
    s = placed(BROWNIAN, ls.Interval(high=0.0), -0.4, 0.0, 1.0, 100_000).fraction
    assert stats.kstest(s / (1 - s), stats.levy(scale=0.16).cdf).pvalue > 1e-5


def test_the_hit_lies_inside_the_step():
    rng = np.random.default_rng(1)
    sizes, signs, steps = 10.0 ** rng.uniform(-8, 2, (60, 2)), rng.choice([-1, 1], 60), 10.0 ** rng.uniform(-6, 1, 60)
    for (d0, d1), dt in zip(sizes * np.stack([np.ones(60), signs], axis=1), steps, strict=True):
        s = placed(BROWNIAN, ls.Interval(high=0.0), -d0, -d1, dt, 200).fraction
        assert ((s >= 0) & (s <= 1)).all()


def test_the_noise_is_that_of_the_time_of_the_step():
    """C = exp(-t), for steps that begin at different times: the same hits as with the constant that it is then."""
    times = np.array([0.0, 0.7, 2.0])
    changing = ls.SDE("0", ls.noise.Expression("exp(-t)"))
    draws = uniforms(*KEY, np.arange(3, dtype=np.uint64), 1, N_UNIFORMS + 1)
    made = assemble(changing, ls.EulerMaruyama(), ls.Interval(high=0.0), bridge=True)
    x, y = np.full((3, 1), -0.3), np.full((3, 1), -0.1)
    got = place_exits(made, x, y, times, 0.1, draws, bridge=True).fraction
    for k, t in enumerate(times):
        then = assemble(ls.SDE("0", ls.noise.Constant(math.exp(-t))), ls.EulerMaruyama(), ls.Interval(high=0.0), bridge=True)
        want = place_exits(then, x[:1], y[:1], np.zeros(1), 0.1, draws[k:k + 1], bridge=True).fraction[0]
        assert got[k] == pytest.approx(want, rel=1e-12)


def test_looking_at_the_steps_only_reports_the_end_of_the_step():
    exits = placed(BROWNIAN, ls.Interval(high=0.0), -0.1, 0.3, 0.1, 5, bridge=False)
    assert (exits.fraction == 1.0).all()
    assert (exits.point == 0.3).all()


# ------------------------------------------------------------------------------------------------------------- labels

@pytest.mark.law
def test_two_near_walls_are_labelled_in_proportion():
    """Inside at both ends of the step, so that either may have been crossed: the label is drawn with the odds of the two bridges.
    200 000 exits, 5 standard errors (once in 1.7 million)."""
    n, dt, before, after = 200_000, 0.5, 0.2, 0.4
    label = placed(BROWNIAN, ls.Interval(0.0, 1.0), before, after, dt, n).label
    low, high = (math.exp(-2 * a * b / dt) for a, b in ((before, after), (1 - before, 1 - after)))
    share = high / (low + high)
    assert label.mean() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n))


def test_a_wall_that_was_seen_crossed_takes_the_label():
    assert (placed(BROWNIAN, ls.Interval(0.0, 1.0), 0.05, 1.1, 0.5, 100).label == 1).all()
    assert (placed(BROWNIAN, ls.Interval(0.0, 1.0), 0.95, -0.1, 0.5, 100).label == 0).all()


def test_of_two_walls_seen_crossed_the_one_hit_first_takes_the_label():
    """Into the corner of a box, from next to its upper side: without noise it is the upper side that comes first."""
    exits = placed(ls.SDE(["1", "1"], ls.noise.Constant(1e-12)), ls.Box([0.0, 0.0], [1.0, 1.0]), [0.5, 0.9], [1.5, 1.9], 1.0, 50)
    labels = labels_of(assemble(IN_THE_PLANE, ls.EulerMaruyama(), ls.Box([0.0, 0.0], [1.0, 1.0])))
    assert {labels[k] for k in exits.label} == {"y high"}
    np.testing.assert_allclose(exits.point, [[0.6, 1.0]] * 50, atol=1e-4)


# --------------------------------------------------------------------------------------------------------- exit points

REGIONS = {
    "disk": (ls.Ball([0.2, 0.0], 1.0), [0.3, 0.1]),
    "half-plane": (ls.HalfSpace([1.0, 2.0], 0.7), [0.0, 0.0]),
    "box": (ls.Box([-0.5, -1.0], [0.5, 0.8]), [0.1, 0.2]),
    "ellipse": (ls.Where("1 - x**2 - 3*y**2"), [0.2, 0.1]),
    "sublevel": (ls.Sublevel(ls.Landscape("x**4 + y**2 + x*y/2"), 0.6), [0.1, 0.1]),
    "two disks": (ls.Ball([-0.5, 0.0], 0.8, label="left") | ls.Ball([0.5, 0.0], 0.8, label="right"), [0.0, 0.1]),
    "ring": (ls.Ball([0.0, 0.0], 1.2) & ~ls.Ball([0.0, 0.0], 0.4, label="core"), [0.7, 0.2]),
    "outside of a disk in a box": (ls.Box([-1.0, -1.0], [1.0, 1.0]) & ~ls.Ball([0.0, 0.0], 0.3), [0.6, 0.0]),
    "complement of a box": (~ls.Box([-1.0, -1.0], [0.0, 0.0]) & ls.Ball([0.0, 0.0], 1.5), [0.4, 0.4]),
}


@pytest.mark.parametrize("name", each(3, REGIONS))
def test_exit_points_lie_on_the_boundary(name):
    region, start = REGIONS[name]
    sde = ls.SDE(["0.2*y", "-0.3*x"], ls.noise.Anisotropic([[1.0, 0.4], [0.4, 0.6]]))
    ends = ls.first_passage(sde, start, region, 0.01, 400, rng=3)
    assert ends.exited.all()
    assert np.abs(region.level(ends.exit_point)).max() < 1e-9
    assert len(np.unique(ends.exit_point, axis=0)) == 400
    corners = region.level(ends.exit_point + 1e-6 * np.random.default_rng(1).normal(size=(200, 400, 2)))
    assert ((corners > 0).any(axis=0) & (corners < 0).any(axis=0)).all()               # inside and outside are next to every one


def test_labels_say_which_part_of_the_boundary_was_crossed():
    region, start = REGIONS["ring"]
    ends = ls.first_passage(IN_THE_PLANE, start, region, 0.01, 400, rng=3)
    radius = np.hypot(*ends.exit_point.T)
    np.testing.assert_allclose(radius, np.where(ends.exit_label == "core", 0.4, 1.2), atol=1e-9)
    assert set(ends.exit_label) == {"ball", "core"}
    both, start = REGIONS["two disks"]
    ends = ls.first_passage(IN_THE_PLANE, start, both, 0.01, 400, rng=3)
    assert (ends.exit_label == np.where(ends.exit_point[:, 0] < 0, "left", "right")).all()


def test_in_one_dimension_exit_points_are_the_ends_themselves():
    ends = ls.first_passage(BROWNIAN, 0.3, ls.Interval(-0.7, 1.1), 0.05, 300, rng=1)
    assert set(ends.exit_point) == {-0.7, 1.1}
    assert (ends.exit_label == np.where(ends.exit_point < 0, "low", "high")).all()


def test_a_level_need_not_be_a_distance():
    """The same boundary from a level ten times as steep: the same steps of exit.  From a curved one: to first order in dt path by path, so
    that few of 2000 paths leave at another time."""
    times = [ls.first_passage(BROWNIAN, 0.0, ls.Where(level), 1e-3, 2000, rng=1, t_max=20.0).time
             for level in ("1 - x", "10 - 10*x", "exp(1 - x) - 1")]
    assert np.array_equal(np.ceil(times[0] * 1e3), np.ceil(times[1] * 1e3))
    assert np.mean(np.abs(times[0] - times[2]) > 0.05) < 0.02


# ------------------------------------------------------------------------------------------------- starts on the boundary

def test_a_start_on_the_boundary_has_left_at_time_0():
    ends = ls.first_passage(BROWNIAN, [-1.0, 0.0, 1.0], ls.Interval(-1.0, 1.0), 0.01, rng=1)
    assert ends.time[[0, 2]].tolist() == [0.0, 0.0]
    assert ends.time[1] > 0
    assert ends.exit_label[[0, 2]].tolist() == ["low", "high"]
    assert ends.exit_point[[0, 2]].tolist() == [-1.0, 1.0]
    everywhere = ls.first_passage(BROWNIAN, 1.0, ls.Interval(-1.0, 1.0), 0.01, 7, rng=1, monitoring="discrete")
    assert everywhere.exited.all()
    assert everywhere.mean().value == 0.0


def test_the_lowest_face_decides_the_level_of_the_region():
    made = assemble(IN_THE_PLANE, ls.EulerMaruyama(), ls.Ball([0.0, 0.0], 2.0) & ls.HalfSpace([1.0, 0.0], 0.5))
    face, level = lowest_face(made, np.array([[0.4, 0.0], [-1.9, 0.0]]))
    assert [labels_of(made)[k] for k in face] == ["half-space", "ball"]
    np.testing.assert_allclose(level, [0.1, (4 - 1.9**2) / 4])
