"""Tail exponent and stability of SGD with a random curvature: oracles, closed forms, another quadrature, and simulation-free limits."""
import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import langevin_sgd as ls
from langevin_sgd.theory import kesten_tail_exponent, linear_stability
from tests import oracles

KESTEN = [e for e in oracles.ORACLES if e["quantity"] == "kesten_tail_exponent"]
each = settings(max_examples=30, deadline=None)


def law(parameters):
    if parameters["h"] == "normal":
        return stats.norm(parameters["mean"], math.sqrt(parameters["var"]))
    return stats.gamma(parameters["b"] / 2, scale=2 / parameters["b"])


@pytest.mark.parametrize("entry", KESTEN, ids=oracles.ids(KESTEN))
def test_oracle(entry):
    eta = entry["parameters"]["eta"]
    found = kesten_tail_exponent(learning_rate=eta, curvature=law(entry["parameters"]))
    assert found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))
    assert found.applies
    kappa = law(entry["parameters"]).mean() / (eta * law(entry["parameters"]).var())
    assert 1 + 2 * kappa != pytest.approx(entry["value"], rel=1e-3)                                      # the equation's exponent misses it


def test_the_root_is_one_by_another_quadrature():
    exponent = kesten_tail_exponent(learning_rate=0.3, curvature=stats.gamma(2, scale=0.5)).value
    def weighted(h):
        return 4 * h * mpmath.exp(-2 * h) * abs(1 - mpmath.mpf(3) / 10 * h) ** exponent

    moment = mpmath.quad(weighted, [0, mpmath.mpf(10) / 3, 10, 20, 40, 100, mpmath.inf])
    assert float(moment) == pytest.approx(1, abs=1e-8)


def lognormal_factor(eta, m, s):
    """h = (1 − Y) / η with Y lognormal: E Y^A = exp(A m + A² s² / 2), so A = −2 m / s²."""
    y = stats.lognorm(s, scale=math.exp(m))
    return SimpleNamespace(logpdf=lambda h: y.logpdf(1 - eta * h) + math.log(eta), support=lambda: (-math.inf, 1 / eta),
                           mean=lambda: (1 - y.mean()) / eta, var=lambda: y.var() / eta**2)


@each
@given(st.floats(0.05, 1.0), st.floats(-0.8, -0.05), st.floats(0.1, 0.8))
def test_a_lognormal_factor_has_a_closed_form(eta, m, s):
    curvature = lognormal_factor(eta, m, s)
    assert kesten_tail_exponent(learning_rate=eta, curvature=curvature).value == pytest.approx(-2 * m / s**2, rel=1e-7)
    assert linear_stability(learning_rate=eta, curvature=curvature).lyapunov_exponent == pytest.approx(m, rel=1e-8)


@each
@given(st.floats(0.51, 0.98), st.floats(0.1, 0.95))
def test_two_values_have_a_closed_form(shrink, share):
    """Factors r and 1/r (or 0): with n values, k of them 1/r, the root solves a quadratic in r^A."""
    k = max(1, round(9 * (1 - share) / 2))
    h = np.array([1 - shrink] * (10 - k) + [1 - 1 / shrink] * k)
    z = k / (10 - k)                                                       # (10 − k) z + k / z = 10 has the roots 1 and k / (10 − k)
    assert kesten_tail_exponent(learning_rate=1.0, curvature=h).value == pytest.approx(math.log(z) / math.log(shrink), rel=1e-9)


def test_it_becomes_that_of_the_equation_as_the_learning_rate_vanishes():
    gaps = [kesten_tail_exponent(learning_rate=eta, curvature=stats.norm(1.0, math.sqrt(2))).value / (1 + 1 / eta) - 1
            for eta in (0.05, 0.005, 0.0005)]
    assert gaps[0] > 10 * gaps[2] > 0
    assert gaps[2] < 1e-3


def test_a_bounded_curvature_has_no_power_tail():
    for curvature in ([0.0, 2.0], stats.uniform(0.0, 4.0)):
        found = kesten_tail_exponent(learning_rate=0.1, curvature=curvature)
        assert (found.value, found.applies) == (math.inf, True)
        assert found.because.startswith("no power tail: |1 − η h| never exceeds 1")
    assert kesten_tail_exponent(learning_rate=0.6, curvature=[0.0, 2.0, 3.5]).value < 10


def test_it_does_not_apply_where_the_iterates_do_not_settle():
    found = kesten_tail_exponent(learning_rate=3.0, curvature=stats.norm(1.0, 1.0))
    assert math.isnan(found.value)
    assert not found.applies
    assert "must be negative, else the iterates have no stationary law" in found.because


def test_it_does_not_apply_where_the_tail_of_the_curvature_decides():
    found = kesten_tail_exponent(learning_rate=0.01, curvature=stats.pareto(3.0))
    assert not found.applies
    assert found.because.endswith("the tail of h itself decides")
    assert found.value == pytest.approx(3, rel=0.2)


# ------------------------------------------------------------------------------------------------------------ stability

def test_lyapunov_exponent_of_two_points():
    entry = oracles.BY_ID["lyapunov-two-point"]
    p = entry["parameters"]
    found = linear_stability(learning_rate=p["eta"], curvature=p["h"])
    assert found.lyapunov_exponent == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11))
    assert (found.in_mean, found.in_mean_square, found.almost_surely) == (False, False, True)
    assert not linear_stability(learning_rate=0.1, curvature=p["h"]).almost_surely                    # (1 − .1)(1 + .12) > 1


@pytest.mark.parametrize("entry", oracles.select("lyapunov_exponent"), ids=lambda e: e["id"])
def test_lyapunov_exponent_of_the_equation(entry):
    found = linear_stability(learning_rate=entry["sde"]["eps"], curvature=[1.0, -1.2])                  # mean −0.1, variance 1.21
    name = entry["sde"]["interpretation"]
    assert found.of_equation(name) == pytest.approx(entry["value"], rel=1e-12)
    for other in {"ito", "stratonovich", "klimontovich"} - {name}:
        assert found.of_equation(other) != pytest.approx(entry["value"], rel=0.1)


def test_both_exponents_agree_as_the_learning_rate_vanishes():
    for eta in (1e-3, 1e-4):
        found = linear_stability(learning_rate=eta, curvature=stats.norm(1.0, 3.0))
        # The next order is that of gradient descent itself, −η E h² / 2 for the mean.
        assert found.lyapunov_exponent / eta == pytest.approx(found.of_equation() - eta / 2, abs=60 * eta**1.5)


def test_stability_in_mean_square_is_the_bound_on_the_variance():
    at = 2 / (1 + 2)                                                       # η = 2 E h / (E h² ) with h normal (1, 2)
    for eta, expected in ((0.99 * at, True), (1.01 * at, False)):
        found = linear_stability(learning_rate=eta, curvature=stats.norm(1.0, math.sqrt(2)))
        assert found.in_mean_square is expected
        if expected:
            assert 2 < kesten_tail_exponent(learning_rate=eta, curvature=stats.norm(1.0, math.sqrt(2))).value < 2.1


@pytest.mark.parametrize(("bad", "message"), [
    ({"learning_rate": 0.0}, "`learning_rate` is 0, but must be positive"),
    ({"curvature": [1.0, math.nan]}, "`curvature` holds nan at index (1,)"),
    ({"curvature": []}, "`curvature` is empty"),
    ({"curvature": stats.poisson(1.0)}, "`curvature` is a law without a density"),
    ({"curvature": stats.cauchy()}, "`curvature` is a law with mean nan"),
])
def test_a_bad_argument_is_named(bad, message):
    for function in (kesten_tail_exponent, linear_stability):
        with pytest.raises(ValueError) as error:
            function(**{"learning_rate": 0.1, "curvature": [0.5, 1.0], **bad})
        assert message in str(error.value)


def test_a_loss_is_told_that_the_curvatures_of_its_samples_are_wanted() -> None:
    with pytest.raises(ValueError, match="curvatures of its samples"):
        kesten_tail_exponent(learning_rate=0.1, curvature=ls.losses.linear_regression([1.0, 2.0], [1.0, 1.0]))
