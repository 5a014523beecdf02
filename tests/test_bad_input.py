"""What bad input and faults get: one clear sentence each, which names what came and how to mend it.  A test for each kind."""
from __future__ import annotations

import math

import numpy as np
import pytest
import xarray

import langevin_sgd as ls

OU = ls.systems.ornstein_uhlenbeck()
WELL = ls.landscapes.double_well()
PLANE = ls.Landscape("x**2 + y**2")
HEAVY = ls.sgd(ls.Landscape("x**2/2"), ls.noise.Quadratic(0.5, quadratic=30.0), 0.1)
DOMAIN = ls.Interval(high=1.0)
DATA = ls.losses.linear_regression([1.0, 2.0, 3.0], [1.0, 2.5, 2.0])


def cannot_be_compiled(x, t, p):
    return x**undefined_name                                    # noqa: F821


def returns_nothing(w, sample, gradient):
    gradient[0] = w[0] - sample[0]


BAD = {
    "a number that is none": (lambda: ls.simulate(OU, math.nan, (0, 1), 0.1), "`x0` holds nan, but it must be finite"),
    "an infinite number": (lambda: ls.langevin(WELL, math.inf), "`temperature` .*inf"),
    "a wrong sign": (lambda: ls.simulate(OU, 0.0, (0, 1), -0.1), "`dt` is -0.1, but must be positive"),
    "a wrong shape": (lambda: ls.simulate(OU, [[0.0, 1.0]], (0, 1), 0.1), r"`x0` has shape \(1, 2\), but must be a number"),
    "an unknown parameter": (lambda: OU.replace(friction=1.0), "no parameter called `friction`: it has rate"),
    "a parameter without a value": (lambda: ls.Landscape("h*x**2"), "`h`"),
    "a time off the grid": (lambda: ls.simulate(OU, 0.0, (0, 1), 0.1, t_eval=[0.25]), "0.25, which is not a whole number of steps"),
    "a covariance that is none": (lambda: ls.noise.Anisotropic([[1, 2], [2, 1]]), "`covariance` must be .* has the eigenvalue -1"),
    "a quadratic noise that is negative": (lambda: ls.noise.Quadratic(1.0, linear=3.0, quadratic=1.0),
                                           r"quadratic \* constant = 1 must be at least linear² = 9; C = -8 at its lowest point"),
    "noise that vanishes on the way": (lambda: ls.exact.mean_passage_time(ls.SDE("-x", ls.noise.Expression("x**2")), -1.0, DOMAIN),
                                       r"the noise vanishes at x = 0, between `x0` = -1 and the exit 'high' at 1"),
    "no noise at the start": (lambda: ls.exact.mean_passage_time(ls.SDE("-x", ls.noise.Expression("x**2")), 0.0, DOMAIN),
                              "`x0` = 0, but must be positive there"),
    "a start outside": (lambda: ls.first_passage(OU, 2.0, DOMAIN, 0.1), "`x0`, 2.*is outside `domain`.*start inside"),
    "a start outside, exactly": (lambda: ls.exact.mean_passage_time(OU, 2.0, DOMAIN), "`x0` is 2, which lies outside the domain"),
    "an attribute in an expression": (lambda: ls.Landscape("x.__class__"), "'x.__class__' is an attribute access"),
    "a call in an expression": (lambda: ls.Landscape("__import__('os')"), "calls '__import__', and the known functions are exp, log"),
    "a function that can't be compiled": (lambda: ls.simulate(ls.SDE(cannot_be_compiled, ls.noise.Constant(1.0)), 0.0, (0, 1), 0.1),
                                          r"Numba cannot compile your function `cannot_be_compiled` \(line .*undefined_name"),
    "Milstein on noise s(x) I": (lambda: ls.simulate(ls.SDE(["-x", "-y"], ls.noise.LossProportional(PLANE, 1.0, 0.1)), [0.0, 0.0], (0, 1),
                                                     0.1, scheme=ls.Milstein()), r"depends on y, .*use scheme=EulerMaruyama\(\)"),
    "Milstein on matrix noise": (lambda: ls.simulate(ls.SDE(["-x", "-y"], ls.noise.Quadratic(np.eye(2), quadratic=np.eye(2))), [0.0, 0.0],
                                                     (0, 1), 0.1, scheme=ls.Milstein()), r"use scheme=EulerMaruyama\(\)"),
    "a moment that does not exist": (lambda: ls.exact.stationary_density(HEAVY).variance, "does not exist: its tail index is 1.66667"),
    "a law that does not exist": (lambda: ls.exact.stationary_density(ls.langevin(ls.Landscape("x"), 0.1)),
                                  "there is no stationary law: some paths drift to minus infinity"),
    "a domain without an exit": (lambda: ls.first_passage(OU, 0.0, ls.Interval(), 0.1), "no boundary that a path could leave through"),
    "jumps in other conventions": (lambda: ls.simulate(ls.SDE("-x", ls.noise.Expression("where(x < 1, 1, 2)"), 1.0, "stratonovich"), 0.0,
                                                       (0, 1), 0.1), "the noise jumps near x = .*simulate it in 'ito', or use ls.exact"),
    "data without weights": (lambda: ls.losses.generate(10, []), r"`weights` has shape \(0,\) and .* must be \(d,\) with d ≥ 1"),
    "sensing without weights": (lambda: ls.losses.matrix_sensing(np.zeros((2, 0, 0)), [1.0, 2.0], 1),
                                r"`matrices` has shape \(2, 0, 0\) and .*, not empty"),
    "a landscape for an equation": (lambda: ls.exact.mean_passage_time(WELL, 0.0, DOMAIN),
                                    r"`sde` is Landscape.*must be an equation, .*ls\.sgd\(loss, noise, learning_rate\)"),
    "data for an equation": (lambda: ls.exact.stationary_density(DATA), r"`sde` is SampledLoss.*must be an equation"),
    "data for an equation, on a grid": (lambda: ls.FokkerPlanck(DATA, ls.Grid((-1, 1), 20)), r"`sde` is SampledLoss.*must be an equation"),
    "data for a quasi-potential in the plane": (lambda: ls.quasipotential_field(DATA, [0.0, 0.0], ls.Grid([(-1, 1), (-1, 1)], 20)),
                                                r"`sde` is SampledLoss.*ls\.minimum_action_path\(loss, start, end, batch_size="),
    "arrays of different shapes": (lambda: ls.noise.measure([np.ones((100, 2)), np.ones((50, 2))], at=[[0.0, 0.0], [1.0, 1.0]]),
                                   r"is \[ndarray of shape \(100, 2\), ndarray of shape \(50, 2\)\], but must be numbers"),
    "long rows of different lengths": (lambda: ls.losses.linear_regression([[1.0, 2.0], [3.0]] * 500, np.ones(1000)),
                                       r"^`inputs` is \[\[1.0, 2.0\], \[3.0\].{,80}, but must be numbers"),
    "an array for a file": (lambda: ls.losses.load(xarray.DataArray(np.arange(1000.0))),
                            r"`source` is DataArray of shape \(1000,\), but must be the path"),
    "an array for a number": (lambda: ls.langevin(WELL, np.ones(1000)),
                              r"`temperature` is ndarray of shape \(1000,\), but must be a number"),
    "data for a landscape": (lambda: ls.langevin(DATA, 0.1), r"`loss` is SampledLoss.*must be a Landscape: give its `\.landscape`\.$"),
    "data for a landscape, in a region": (lambda: ls.Sublevel(DATA, 1.0), r"`landscape` is SampledLoss.*`\.landscape`\.$"),
    "a word for a noise": (lambda: ls.sgd(WELL, "quadratic", 0.1), r"`noise` is 'quadratic', .*, such as ls\.noise\.Constant\(1\.0\)\.$"),
    "a loss that returns nothing": (lambda: ls.SampledLoss.from_function(returns_nothing, [1.0, 2.0], dim=1),
                                    r"`returns_nothing` .*: the function returns nothing, it has no `return`\. The function gets"),
    "labels that are none": (lambda: ls.losses.logistic_regression([1.0, 2.0, 3.0], [1, 2, 3]),
                             r"`targets` holds \[1\.0, 2\.0, 3\.0\], but"),
    "an unknown convention": (lambda: OU.replace(interpretation="itoh"), "'itoh'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_sentence(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message) as refused:
        call()
    assert "\n" not in str(refused.value)


def test_exactly_on_the_boundary_takes_no_time():
    assert ls.first_passage(OU, 1.0, DOMAIN, 0.1, n_paths=3, rng=1).time.tolist() == [0.0] * 3
    assert ls.exact.mean_passage_time(OU, 1.0, DOMAIN).value == 0.0


def test_paths_that_blow_up_are_counted_warned_of_and_left_out():
    with pytest.warns(RuntimeWarning, match=r"1000 of 1000 paths diverged .* dt = 0\.1 is too large .* reduce `dt`"):
        runs = ls.simulate(ls.SDE("-x**3", ls.noise.Constant(1.0)), 100.0, (0, 10), 0.1, rng=1)
    assert (runs.status == ls.Status.DIVERGED).all() and np.isfinite(runs.reached).all()


def test_paths_that_did_not_leave_are_in_the_mean():
    """500 paths up to t = 5, where the exact mean is 260: exposure over events, and its interval holds the truth."""
    sde = ls.langevin(WELL, 0.05)
    mean = ls.first_passage(sde, -1.0, ls.Interval(high=0.0), 0.01, t_max=5.0, n_paths=500, rng=2).mean()
    exact = ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.0)).value
    assert mean.method == "exponential" and math.isfinite(mean.value)
    assert mean.low < 2 * exact and exact / 2 < mean.high


def test_no_exit_at_all_is_a_bound():
    with pytest.warns(RuntimeWarning, match="0 of 50 paths exited"):
        mean = ls.first_passage(ls.langevin(WELL, 0.01), -1.0, ls.Interval(high=0.0), 0.01, t_max=1.0, n_paths=50, rng=2).mean()
    assert (mean.high, mean.value) == (math.inf, math.inf) and mean.low > 10


def test_a_formula_outside_its_regime_says_why_and_still_gives_its_number():
    sde = ls.sgd(WELL, ls.noise.Quadratic(1.0, quadratic=4.0), 0.1)
    kramers = ls.predict(sde, -1.0, 0.0)["kramers"]
    assert not kramers.applies and "the noise is not constant" in kramers.because and kramers.value > 0


def test_a_quadrature_that_misses_carries_its_best_value():
    with pytest.raises(ls.exact.QuadratureError, match=r"The value is in `\.estimate`") as missed:
        ls.exact.escape_rate(ls.SDE("-1", ls.noise.Constant(1.0), 2.0), ls.Interval(low=0.0))
    assert missed.value.estimate.low < missed.value.estimate.value < missed.value.estimate.high
