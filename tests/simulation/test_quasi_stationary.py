"""Starts from the quasi-stationary law: exits have one rate, the exact one, and the draws depend on key and path alone."""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls

WELL = ls.Interval(high=0.0)
SDE = ls.langevin(ls.landscapes.double_well(), 0.1)
LAW = ls.QuasiStationary(WELL, burn_in=5.0, start=-1.0)


def test_from_the_law_exits_have_the_exact_rate_and_from_a_point_they_do_not():
    """20 000 paths each; four standard errors, 6e-5.  The control: from the point -1 the mean is 30.82, and there is no one rate."""
    exact = 1 / ls.exact.escape_rate(SDE, WELL).value
    drawn, fixed = (ls.first_passage(SDE, x0, WELL, 0.01, 20_000, rng=1) for x0 in (LAW, -1.0))
    error = drawn.time.std() / np.sqrt(drawn.n_paths)
    assert abs(drawn.mean().value - exact) < 4 * error
    assert drawn.exponentiality().plausible and fixed.exponentiality().plausible is False
    assert abs(fixed.mean().value - exact) > 4 * error


def test_its_law_is_the_exact_one():
    """Of the mean of 4000 states, five standard errors: 6e-7; the stationary law of the whole line is far from it."""
    x = ls.simulate(SDE, LAW, (0, 0.01), 0.01, 4000, t_eval=[0.0], rng=2).x[:, 0]
    density = ls.FokkerPlanck(SDE, ls.Grid((-3, 0), 400)).quasi_stationary_density(WELL)
    centres = density.grid.centres[0]
    weights = density.values / density.values.sum()
    mean, variance = weights @ centres, weights @ centres**2 - (weights @ centres) ** 2
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / len(x))
    assert abs(x.mean() - 0.0) > 50 * np.sqrt(variance / len(x))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_key_gives_the_same_draws_also_for_a_part_alone(threads):
    whole = ls.first_passage(SDE, LAW, WELL, 0.01, 300, rng=7)
    part = ls.first_passage(SDE, LAW, WELL, 0.01, 100, first_path=150, rng=whole.key, threads=threads)
    assert np.array_equal(part.time, whole.time[150:250])
    assert whole.start == repr(LAW) and whole.to_xarray().attrs["start"] == repr(LAW)


def test_in_space_the_middle_of_a_ball_will_do():
    ball = ls.Ball([0.0, 0.0], 1.0)
    sde = ls.systems.rotating_quadratic(strength=0.3)
    ends = ls.first_passage(sde, ls.QuasiStationary(ball, burn_in=2.0), ball, 0.005, 4000, rng=1)
    rate = ls.FokkerPlanck(sde, ls.Grid([(-1, 1), (-1, 1)], 64)).escape_rate(ball).value
    assert abs(ends.mean().value * rate - 1) < 4 / np.sqrt(4000) + 0.005        # and the bias of the curved boundary, of order dt
    assert ls.QuasiStationary(ls.Interval(-1.0, 3.0), 1.0).state() == 1.0
    assert ls.QuasiStationary(ls.Box([0.0, 0.0], [2.0, 4.0]), 1.0).state().tolist() == [1.0, 2.0]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`start` is not given, and Interval"):
        ls.first_passage(SDE, ls.QuasiStationary(WELL, 5.0), WELL, 0.01)
    with pytest.raises(ValueError, match="`burn_in`"):
        ls.QuasiStationary(WELL, -1.0)
    with pytest.raises(ValueError, match="`domain`"):
        ls.QuasiStationary("well", 1.0)
    with pytest.raises(ValueError, match="must be much shorter than the time to leave"):
        ls.first_passage(SDE, ls.QuasiStationary(WELL, 1000.0, -1.0), WELL, 0.01, 50, rng=1)
    with pytest.raises(ValueError, match="outside `domain`"):
        ls.first_passage(SDE, ls.QuasiStationary(ls.Interval(high=1.0), 1.0, -1.0), ls.Interval(high=-1.05), 0.01, 200, rng=1)
