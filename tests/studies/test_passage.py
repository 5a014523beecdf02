"""What counts as an escape: start, saddle and end."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

import langevin_sgd as ls
from langevin_sgd.studies.passage import Passage


def test_the_next_minimum_is_found_in_one_dimension() -> None:
    sde = ls.langevin(ls.landscapes.sharp_flat(), 0.05)
    there = Passage.of(sde, -1.0, -0.229083002941)
    back = Passage.of(sde, 1.0, -0.229083002941)
    assert there.end == pytest.approx([1.0], abs=1e-12)
    assert back.end == pytest.approx([-1.0], abs=1e-12)
    assert there.domain() == ls.Interval(high=float(there.end[0]))
    assert back.domain() == ls.Interval(low=float(back.end[0]))


def test_where_the_loss_falls_for_ever_an_escape_ends_at_the_height_of_the_start() -> None:
    loss = ls.landscapes.piecewise_quadratic(1.0, 1.0, 1.0)
    passage = Passage.of(ls.langevin(loss, 0.1), 0.0, 2.0)
    assert passage.end == pytest.approx([2.0 + np.sqrt(2.0)], abs=1e-9)
    assert loss(passage.end[0]) == pytest.approx(0.0, abs=1e-9)


def test_the_next_minimum_is_found_downhill_in_the_plane() -> None:
    loss = ls.landscapes.three_hole()
    points = loss.critical_points([(-2, 2), (-1.5, 2.5)])
    saddle = min((p for p in points if p.index == 1), key=lambda p: np.hypot(p.x[0] + 0.617272, p.x[1] - 1.102735))
    left = min((p for p in points if p.index == 0), key=lambda p: p.x[0])
    passage = Passage.of(ls.langevin(loss, 1.0), left, saddle)
    assert passage.end == pytest.approx([0.0, 1.537082], abs=1e-4)
    region = passage.domain()
    assert region.contains(left.x)
    assert not region.contains(passage.end + 0.01 * (passage.end - left.x))


def test_reaching_ends_at_the_saddle() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), 0.1)
    assert Passage.of(sde, -1.0, 0.0, counts="reaching").domain() == ls.Interval(high=0.0)


def test_a_separable_passage_is_one_dimensional() -> None:
    loss = ls.Landscape("(x**2 - 1)**2/4 + y**2")
    aligned = Passage.of(ls.sgd(loss, ls.noise.Anisotropic([[1, 0], [0, 3]]), 0.1), [-1, 0], [0, 0], [1, 0])
    line = aligned.along_axis()
    assert line is not None
    assert (line.sde.dim, line.start, line.end) == (1, [-1.0], [1.0])
    turned = Passage.of(ls.sgd(loss, ls.noise.Anisotropic([[2, 1], [1, 2]]), 0.1), [-1, 0], [0, 0], [1, 0])
    assert turned.along_axis() is None


def test_the_time_step_follows_the_curvatures() -> None:
    step = Passage.of(ls.langevin(ls.landscapes.double_well(), 0.1), -1.0, 0.0).time_step()
    assert step == pytest.approx(0.01 / (2 + 1), rel=0.05)
    sharper = ls.Landscape("4*(x**2 - 1)**2")
    assert Passage.of(ls.langevin(sharper, 0.1), -1.0, 0.0).time_step() == pytest.approx(step / 16, rel=0.05)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"saddle": -1.0}, "same point"),
    ({"counts": "leaving"}, "`counts` is 'leaving'"),
    ({"start": [1.0, 2.0]}, "`start` has shape"),
    ({"start": float("nan")}, "`start` holds nan"),
])
def test_bad_points_are_refused(arguments: dict, message: str) -> None:
    sde = ls.langevin(ls.landscapes.double_well(), 0.1)
    with pytest.raises(ValueError, match=message):
        Passage.of(sde, **{"start": -1.0, "saddle": 0.0, **arguments})


def test_a_saddle_with_nothing_beyond_asks_for_an_end() -> None:
    with pytest.raises(ValueError, match="give `end`"):
        Passage.of(ls.SDE("where(x < 3, -x, 1)", ls.noise.Constant(1.0)), 0.0, 3.0)


def test_the_step_follows_noise_that_grows_where_the_drift_vanishes() -> None:
    """Klimontovich, D = 0.05 + 2.5 x²: the Itô drift -5x + 5x is nothing, but paths that run away multiply at the rate 5."""
    sde = ls.sgd(ls.Landscape("5*x**2/2"), ls.noise.Quadratic(1.0, quadratic=50.0), 0.1, interpretation="klimontovich")
    assert sde.ito_drift(0.3) == pytest.approx(0.0, abs=1e-12)
    assert Passage.of(sde, 0.0, 0.4, 0.8).time_step() < 0.01 / 5
    quiet = ls.sgd(ls.Landscape("5*x**2/2"), ls.noise.Constant(1.0), 0.1)
    assert Passage.of(quiet, 0.0, 0.4, 0.8).time_step() == pytest.approx(0.01 / 10, rel=0.01)


@pytest.mark.parametrize("friction", [0.02, 0.3, 3.0])
def test_the_time_step_does_not_heat_a_particle_that_hardly_loses_energy(friction) -> None:
    """The covariance of Euler's scheme about the minimum, over that of the equation: within 1 %; at 0.005 a third off for γ = 0.02."""
    sde = ls.SDE(["v", "x - x**3 - g*v"], ls.noise.Anisotropic([[0, 0], [0, 1.0]]), 2 * friction, variables=["x", "v"], g=friction)
    a, kick = np.array([[0.0, 1.0], [-2.0, -friction]]), np.diag([0.0, 2 * friction])

    def off(dt):
        step = np.eye(2) + a * dt
        return np.abs(np.diag(solve_discrete_lyapunov(step, kick * dt)) / [0.5, 1.0] - 1).max()
    assert off(Passage.of(sde, [-1, 0], [0, 0]).time_step()) < 0.01
    assert friction > 0.02 or off(0.005) > 0.3
