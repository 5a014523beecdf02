"""`first_passage`: arguments that are refused, time limits, and numbers that compile nothing."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.core.steps import compile_step

C = ls.noise.Constant
BROWNIAN = ls.SDE("0", C(1.0))
PLANE = ls.SDE(["-x", "-y"], C(1.0))
UNIT = ls.Interval(-1.0, 1.0)
DISK = ls.Ball([0.0, 0.0], 1.0)

REFUSED = [
    (BROWNIAN, 2.0, UNIT, {}, r"`x0`, 2\., is outside `domain`: its level at 'high' is -1; start inside"),
    (BROWNIAN, [0.0, -3.0], UNIT, {}, r"`x0` of path 1, -3\., is outside `domain`: its level at 'low' is -2"),
    (PLANE, [1.0, 1.0], DISK, {}, r"`x0`, \[1\. 1\.\], is outside `domain`: its level at 'ball'"),
    (BROWNIAN, -2.0, ls.Interval(-1.0, 1.0, reflect="low"), {}, "beyond the reflecting end"),
    (BROWNIAN, math.nan, UNIT, {}, "`x0` holds nan"),
    (BROWNIAN, [0.0, 0.1], UNIT, {"n_paths": 7}, "`n_paths` is 7, but `x0` has a state for each of 2 paths"),
    (PLANE, 0.0, DISK, {}, r"`x0` has shape \(\)"),
    (BROWNIAN, 0.0, ls.Interval(), {}, "no boundary that a path could leave through"),
    (BROWNIAN, 0.0, ls.Interval(low=-1.0, reflect="low"), {}, "no boundary that a path could leave through"),
    (BROWNIAN, 0.0, DISK, {}, "the region Ball has 2 components, but the state has 1"),
    (PLANE, [0.0, 0.0], UNIT, {}, "an Interval is one-dimensional, but the state has 2 components"),
    (BROWNIAN, 0.0, (-1.0, 1.0), {}, r"`domain` is \(-1\.0, 1\.0\), but must be a region"),
    ("0", 0.0, UNIT, {}, "`sde` is '0', but must be an equation"),
    (BROWNIAN, 0.0, ls.Where("c - x"), {}, r"the region has the parameter `c` without a value; give it by keyword, c=\.\.\."),
    (ls.SDE("-c*x", C(1.0), c=1.0), 0.0, ls.Where("c - x", c=2.0), {},
     "the parameter `c` has the value 1 in the equation and 2 in the region"),
    (BROWNIAN, 0.0, UNIT, {"monitoring": "x"}, "`monitoring` is 'x', but must be one of 'continuous', 'discrete'"),
    (BROWNIAN, 0.0, UNIT, {"dt": 0.0}, "`dt` is 0, but must be positive"),
    (BROWNIAN, 0.0, UNIT, {"dt": -1e-3}, "`dt` is -0.001"),
    (BROWNIAN, 0.0, UNIT, {"t_max": 0.0}, "`t_max` is 0"),
    (BROWNIAN, 0.0, UNIT, {"t_max": math.inf}, "`t_max` is inf"),
    (BROWNIAN, 0.0, UNIT, {"max_steps": 0}, "`max_steps` is 0"),
    (BROWNIAN, 0.0, UNIT, {"max_seconds": -1.0}, "`max_seconds` is -1"),
    (BROWNIAN, 0.0, UNIT, {"first_path": 1.5}, r"`first_path` is 1\.5"),
    (BROWNIAN, 0.0, UNIT, {"n_paths": -3}, "`n_paths` is -3"),
    (BROWNIAN, 0.0, UNIT, {"threads": 0}, "`threads` is 0"),
    (BROWNIAN, 0.0, UNIT, {"scheme": "euler"}, "`scheme` is 'euler', but must be a scheme"),
    (BROWNIAN, 0.0, UNIT, {"executor": "two"}, "`executor` is 'two', but must be an executor"),
    (BROWNIAN, 0.0, UNIT, {"rng": 1.5}, r"`rng` is 1\.5"),
    (ls.SDE("0", ls.noise.Expression("x")), -0.5, UNIT, {}, r"no covariance at the start -0\.5: C has the eigenvalue -0\.5 there"),
    (ls.SDE(["0", "0"], ls.noise.Expression(["1 + y**2", "1"])), [0.0, 0.0], DISK, {"scheme": ls.Milstein()},
     r"use scheme=EulerMaruyama\(\)"),
]


@pytest.mark.parametrize(("sde", "x0", "domain", "changes", "message"), REFUSED, ids=range(len(REFUSED)))
def test_arguments_that_make_no_sense_are_refused(sde, x0, domain, changes, message):
    with pytest.raises(ValueError, match=message):
        ls.first_passage(sde, x0, domain, **{"dt": 0.01, "t_max": 1.0, **changes})


def test_a_confidence_is_a_share():
    ends = ls.first_passage(BROWNIAN, 0.0, UNIT, 0.01, 20, rng=1)
    for method in (ends.mean, ends.rate, ends.survival):
        with pytest.raises(ValueError, match=r"`confidence` is 95, but must lie between 0 and 1; 95 % is written 0\.95"):
            method(95)


def not_for_numba(x, t, p):
    names = {"a": 1.0}
    return -x * names[str(x)] if False else eval("x")


def test_a_function_that_numba_cannot_compile_is_told_with_its_line():
    with pytest.raises(ValueError, match=r"Numba cannot compile your function `not_for_numba` \(line \d+: .* return a float\.") as error:
        ls.SDE(not_for_numba, C(1.0))
    assert "\n" not in str(error.value)


def test_a_time_limit_is_rounded_down_to_whole_steps():
    cold = ls.langevin(ls.landscapes.double_well(), temperature=0.005)
    ends = ls.first_passage(cold, -1.0, ls.Interval(high=0.0), 0.3, 10, t_max=1.0, rng=1)
    assert (ends.status == ls.Status.COMPLETED).all()
    np.testing.assert_allclose(ends.time, 0.9)
    assert ends.censored.all()
    assert set(ends.exit_label) == {""}
    assert (ends.exit_point < -0.5).all()                                  # where they were last


def test_discrete_monitoring_reports_whole_steps_and_states_outside():
    ends = ls.first_passage(BROWNIAN, 0.0, UNIT, 0.04, 200, rng=1, monitoring="discrete")
    np.testing.assert_allclose(ends.time / 0.04, np.round(ends.time / 0.04), atol=1e-9)
    assert (np.abs(ends.exit_point) > 1).all()
    later = ls.first_passage(BROWNIAN, 0.0, UNIT, 0.04, 200, rng=1)
    assert (later.time <= ends.time).all()                                 # the same paths, seen between the steps as well


def test_new_numbers_compile_nothing():
    """A changed parameter, learning rate, number of noise or region, key, time step or limit: the step is the one compiled before."""
    sde = ls.sgd(ls.Landscape("h*x**2/2 + x**4", h=1.0), ls.noise.Quadratic(1.0, quadratic=2.0), learning_rate=1.0)

    def run(sde, domain, **options):
        return ls.first_passage(sde, 0.0, domain, **{"dt": 0.01, "n_paths": 10, "rng": 1, "t_max": 50.0, **options})
    first = run(sde, ls.Interval(-1.0, 1.0))
    before = compile_step.cache_info().misses
    others = [run(sde.replace(learning_rate=0.5, h=3.0), ls.Interval(-1.0, 1.0)), run(sde.replace(batch_size=2), ls.Interval(-1.0, 1.0)),
              run(sde.replace(noise=ls.noise.Quadratic(0.5, linear=0.1, quadratic=1.0, center=0.2)), ls.Interval(-1.0, 1.0)),
              run(sde, ls.Interval(-0.7, 1.3)), run(sde, ls.Interval(-1.0, 1.0), dt=0.02), run(sde, ls.Interval(-1.0, 1.0), rng=2),
              run(sde, ls.Interval(-1.0, 1.0), t_max=5.0, first_path=100)]
    assert compile_step.cache_info().misses == before
    assert all(not np.array_equal(first.time, other.time) for other in others)
    ball = ls.SDE(["-x", "-y"], ls.noise.Anisotropic([[1.0, 0.2], [0.2, 0.5]]))
    ls.first_passage(ball, [0.0, 0.0], ls.Ball([0.0, 0.1], 1.0), 0.01, 10, rng=1)
    before = compile_step.cache_info().misses
    other = ball.replace(noise=ls.noise.Anisotropic([[0.7, -0.1], [-0.1, 0.9]]))
    ls.first_passage(other, [0.0, 0.0], ls.Ball([0.2, 0.0], 0.8), 0.01, 10, rng=1)
    assert compile_step.cache_info().misses == before


def test_new_numbers_of_a_simulation_compile_nothing():
    sde = ls.langevin(ls.landscapes.double_well(0.5), temperature=0.1)
    ls.simulate(sde, 0.0, (0, 1), 0.01, 3)
    before = compile_step.cache_info().misses
    ls.simulate(sde.replace(temperature=0.2, barrier=2.0), [0.5, 0.6], (1, 3), 0.1, t_eval=[1.5], rng=4)
    assert compile_step.cache_info().misses == before


def test_another_model_does_compile():
    """The negative control of the two tests above."""
    before = compile_step.cache_info().misses
    ls.simulate(ls.SDE("-x**3 - 0.123*x", C(1.0)), 0.0, (0, 0.1), 0.1, 1)
    ls.simulate(ls.SDE("-x**3 - 0.124*x", C(1.0)), 0.0, (0, 0.1), 0.1, 1)
    assert compile_step.cache_info().misses == before + 2
