"""Excess loss, the odds of two basins, and the PAC-Bayes bound: against integrals and exact laws, and where they stop."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, linalg

import langevin_sgd as ls
from langevin_sgd.theory import basin_odds, excess_loss, pac_bayes_bound, power_law_stationary_d, sgd_covariance

each = settings(max_examples=40, deadline=None)


def spd(rng, dim):
    half = rng.normal(size=(dim, dim))
    return half @ half.T + 0.1 * np.eye(dim)


@each
@given(st.integers(0, 2**31), st.floats(0.01, 3.0))
def test_excess_loss_is_that_of_the_covariance(seed, time):
    rng = np.random.default_rng(seed)
    h, c = spd(rng, 3), spd(rng, 3)
    covariance = integrate.quad_vec(lambda s: linalg.expm(-h * s) @ (0.2 * c) @ linalg.expm(-h * s), 0, time)[0]
    found = excess_loss(curvature=h, constant=c, strength=0.2, time=time)
    assert found.value == pytest.approx(np.trace(h @ covariance) / 2, rel=1e-7)
    assert excess_loss(curvature=h, constant=c, strength=0.4, time=time).value == pytest.approx(2 * found.value, rel=1e-12)


def test_excess_loss_early_and_late():
    h, c = spd(np.random.default_rng(0), 3), spd(np.random.default_rng(1), 3)
    early = [excess_loss(curvature=h, constant=c, strength=0.1, time=t).value / (0.05 * t * np.trace(h @ c)) for t in (1e-2, 1e-3)]
    assert 1 - early[1] == pytest.approx((1 - early[0]) / 10, rel=0.2)
    late = excess_loss(curvature=h, constant=c, strength=0.1)
    assert late.value == pytest.approx(0.1 * np.trace(c) / 4, rel=1e-12)
    sgd = sgd_covariance(curvature=h, constant=c, learning_rate=1e-6).excess_loss / 1e-6 * 0.1
    assert sgd == pytest.approx(late.value, rel=1e-4)
    assert excess_loss(curvature=h, constant=c, strength=0.1, time=0.0).value == 0


def test_the_indicator_of_aligned_noise():
    assert "= 1.96" in excess_loss(curvature=[10.0, 0.1], constant=[10.0, 0.1], strength=0.1).because
    assert "= 1" in excess_loss(curvature=[10.0, 0.1], constant=3.0, strength=0.1).because


# ---------------------------------------------------------------------------------------------------------- two basins

def sharp_flat_odds(temperature):
    loss = ls.landscapes.sharp_flat()
    left, top, right = sorted(loss.critical_points((-2.0, 2.0)), key=lambda p: float(np.ravel(p.x)[0]))
    law = ls.exact.stationary_density(ls.langevin(loss, temperature))
    at = float(np.ravel(top.x)[0])
    numbers = {"loss_difference": left.value - right.value, "curvature_a": np.ravel(left.hessian), "curvature_b": np.ravel(right.hessian),
               "strength": 2 * temperature, "constant": 1.0, "barrier": top.value - max(left.value, right.value)}
    return basin_odds(**numbers), law.probability(high=at) / law.probability(low=at), numbers


def test_odds_of_a_sharp_and_a_flat_minimum_approach_those_of_the_exact_law():
    gaps = []
    for temperature in (0.02, 0.005):
        found, true, numbers = sharp_flat_odds(temperature)
        gaps.append(abs(found.value / true - 1))
        assert found.applies
        assert gaps[-1] < 3 * found.expected_error
        swapped = basin_odds(**numbers | {"curvature_a": numbers["curvature_b"], "curvature_b": numbers["curvature_a"]})
        assert abs(swapped.value / true - 1) > 0.5
    assert gaps[1] < gaps[0] / 3
    assert not sharp_flat_odds(0.2)[0].applies


def test_odds_in_space():
    found = basin_odds(loss_difference=0.1, curvature_a=[1.0, 2.0], curvature_b=[4.0, 8.0], strength=0.1, constant=2.0, barrier=2.0)
    assert found.value == pytest.approx(4 * math.exp(-1), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------ PAC-Bayes

def test_the_bound_of_a_power_law_posterior():
    law = power_law_stationary_d(curvature=2.0, strength=0.1, constant=0.5, quadratic=5.0, interpretation="klimontovich")
    found = pac_bayes_bound(empirical_risk=0.1, kl_divergence=law.kl_divergence(), samples=500)
    assert found.value == pytest.approx(0.1 + math.sqrt((1.48680789 + math.log(20) + math.log(500) + 2) / 999), rel=1e-8)
    assert found.applies


def test_a_vacuous_bound_does_not_apply():
    found = pac_bayes_bound(empirical_risk=0.1, kl_divergence=1e5, samples=1000)
    assert not found.applies
    assert found.because.startswith("vacuous: the bound is 7.1")


ODDS = {"loss_difference": 0.0, "curvature_a": 1.0, "curvature_b": 4.0, "strength": 0.1, "constant": 1.0, "barrier": 0.5}


@pytest.mark.parametrize(("function", "good", "bad", "message"), [
    (excess_loss, {"curvature": [1.0, 2.0], "constant": 1.0, "strength": 0.1}, {"time": -1.0}, "`time` is -1"),
    (excess_loss, {"curvature": [1.0, 2.0], "constant": 1.0, "strength": 0.1}, {"constant": [1.0]}, "`constant` has shape (1, 1)"),
    (basin_odds, ODDS, {"curvature_b": [1.0, 1.0]}, "`curvature_b` is for 2 components, but 1 were expected"),
    (basin_odds, ODDS, {"barrier": 0.0}, "`barrier` is 0"),
    (pac_bayes_bound, {"empirical_risk": 0.1, "kl_divergence": 1.0, "samples": 10}, {"empirical_risk": 1.5}, "`empirical_risk` is 1.5"),
    (pac_bayes_bound, {"empirical_risk": 0.1, "kl_divergence": 1.0, "samples": 10}, {"confidence": 95.0}, "`confidence` is 95"),
])
def test_a_bad_argument_is_named(function, good, bad, message):
    function(**good)
    with pytest.raises(ValueError) as error:
        function(**{**good, **bad})
    assert message in str(error.value)
