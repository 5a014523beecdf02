"""A path that blew up is told apart from one that left, is never averaged in, and never runs for ever."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls

C = ls.noise.Constant
DIVERGED = pytest.warns(RuntimeWarning, match=r"\d+ of \d+ paths diverged .* dt = .* reduce `dt`")


def test_a_step_thrown_across_the_boundary_is_no_exit():
    """From -20 the cubic force throws a path to +60 in one step of 0.01: no flow goes there."""
    with DIVERGED:
        ends = ls.first_passage(ls.SDE("x - x**3", C(1.0)), -20.0, ls.Interval(high=0.0), 0.01, 50, rng=1)
    assert ends.diverged.all()
    assert not ends.exited.any()
    assert (ends.label_index == -1).all()


def test_a_smaller_step_does_what_the_warning_advises():
    ends = ls.first_passage(ls.SDE("x - x**3", C(1.0)), -20.0, ls.Interval(high=0.0), 1e-4, 50, rng=1)
    assert ends.exited.all()
    assert ends.time.min() > 0.1


@pytest.mark.parametrize("drift", ["-1 - 0.001*sqrt(x)", "-1 - 0.001*log(x)"])
def test_a_drift_that_is_no_number_ends_a_path_as_diverged(drift):
    """The path goes below 0 on its way to -1, where the drift is NaN."""
    with DIVERGED:
        ends = ls.first_passage(ls.SDE(drift, C(0.01)), 1.0, ls.Interval(low=-1.0), 0.01, 70, rng=1)
    assert ends.diverged.all()
    assert (ends.time < 5).all()


def test_a_noise_that_is_no_number_ends_a_path_as_diverged():
    with DIVERGED:
        ends = ls.first_passage(ls.SDE("-1", ls.noise.Expression("0.01*x")), 1.0, ls.Interval(low=-1.0), 0.01, 70, rng=1)
    assert ends.diverged.all()


def test_a_level_that_is_no_number_is_no_exit():
    """sqrt(x) - 0.1 is not a number for x < 0: where a path jumps there, nothing says where it left, and its time is not made up."""
    with DIVERGED:
        ends = ls.first_passage(ls.SDE("0", C(1.0)), 0.5, ls.Where("sqrt(x) - 0.1"), 0.05, 300, t_max=5.0, rng=1)
    assert ends.diverged.any()
    assert ends.exited.any()
    assert np.isfinite(ends.time).all()
    assert np.isfinite(ends.exit_point[ends.exited]).all()
    assert math.isfinite(ends.mean().value)


def test_a_runaway_to_infinity_ends():
    """dX = X dt in the half-line: what does not leave soon grows by e each unit of time, and ends as diverged when it overflows."""
    with DIVERGED:
        ends = ls.first_passage(ls.SDE("x", C(1.0)), 1.0, ls.Interval(low=0.0), 0.01, 200, rng=1)
    assert ends.exited.any()
    assert ends.diverged.any()
    assert not ends.censored.any()
    assert ends.time[ends.diverged].min() > 650                            # 709 units of time to 1e308
    assert ends.time[ends.exited].max() < 20


def test_an_explosion_in_finite_time_ends():
    with DIVERGED:
        ends = ls.first_passage(ls.SDE("x**3", C(1.0)), 0.0, ls.Interval(low=-50.0), 0.01, 100, rng=1)
    assert ends.diverged.any()
    assert ends.time.max() < 100


@pytest.mark.parametrize("monitoring", ["continuous", "discrete"])
def test_a_ballistic_exit_is_an_exit(monitoring):
    """Tiny noise and long steps: the path leaves by drift alone, far beyond three standard deviations."""
    for drift, dt in (("1", 0.5), ("2*x + 1", 0.1), ("exp(x)", 0.05)):
        ends = ls.first_passage(ls.SDE(drift, C(1e-12)), 0.0, ls.Interval(-1.0, 1.0), dt, 70, rng=1, monitoring=monitoring)
        assert ends.exited.all()
        assert (ends.exit_label == "high").all()


def test_a_path_without_noise_leaves_when_the_drift_takes_it_out():
    """Where the level has no variance the hit lies on the chord."""
    ends = ls.first_passage(ls.SDE("2", C(0.0)), 0.25, ls.Interval(high=1.0), 0.1, 3, rng=1)
    np.testing.assert_allclose(ends.time, 0.375, rtol=1e-12)
    ends = ls.first_passage(ls.SDE(["1", "0"], C(0.0)), [0.0, 0.6], ls.Ball([0.0, 0.0], 1.0), 0.01, 3, rng=1)
    np.testing.assert_allclose(ends.time, 0.8, atol=1e-4)                   # the level is curved along the step: an error of h²
    np.testing.assert_allclose(ends.exit_point, [[0.8, 0.6]] * 3, atol=1e-4)


@pytest.mark.parametrize("learning_rate", [2.1, 2.5, 2.9])
def test_sgd_that_is_unstable_leaves_its_region_and_has_not_diverged(learning_rate):
    """η H > 2 on a parabola: each iteration overshoots further, and that is the truth about SGD, not a fault of the step."""
    sde = ls.sgd(ls.Landscape("x**2/2"), C(1.0), learning_rate)
    ends = ls.first_passage(sde, 0.1, ls.Interval(-5.0, 7.0), learning_rate, 500, rng=1, monitoring="discrete")
    assert ends.exited.all()


def test_diverged_paths_are_in_no_average():
    """Half of the paths start where they blow up at once: mean, rate, survival and shape are those of the others."""
    starts = np.where(np.arange(400) % 2, -20.0, -1.0)
    with DIVERGED:
        both = ls.first_passage(ls.SDE("x - x**3", C(1.0)), starts, ls.Interval(high=0.0), 0.01, rng=1)
    assert both.diverged.tolist() == (starts == -20.0).tolist()
    times = both.time[::2]
    assert both.mean().value == times.mean()
    assert both.rate().value == pytest.approx(200 / times.sum())
    assert np.array_equal(both.survival().time, np.sort(times))
    assert both.mean().n_diverged == 200
    assert "200 diverged and left out" in str(both.mean())
    assert "200 diverged" in repr(both)


def test_a_fixed_horizon_says_which_paths_blew_up_and_when():
    starts = [-20.0, -1.0, -20.0]
    with DIVERGED:
        runs = ls.simulate(ls.SDE("x - x**3", C(1.0)), starts, (0.0, 5.0), 0.01, t_eval=[0.0, 1.0, 5.0], rng=1)
    assert runs.status.tolist() == [ls.Status.DIVERGED, ls.Status.COMPLETED, ls.Status.DIVERGED]
    assert runs.n_diverged == 2
    assert runs.x[:, 0].tolist() == starts
    assert np.isnan(runs.x[[0, 2], 1:]).all()
    assert np.isfinite(runs.x[1]).all()
    assert (runs.reached[[0, 2]] <= 1.0).all()
    assert runs.reached[1] == 5.0
    assert "2 diverged" in repr(runs)


def test_all_paths_diverged_is_no_mean():
    with DIVERGED:
        ends = ls.first_passage(ls.SDE("x - x**3", C(1.0)), -20.0, ls.Interval(high=0.0), 0.01, 5, rng=1)
    with pytest.warns(RuntimeWarning, match="0 of 5 paths exited"):
        assert ends.mean().high == math.inf
    assert math.isnan(ends.rate().value)
    assert len(ends.survival().time) == 0
    assert ends.exponentiality().plausible is None
