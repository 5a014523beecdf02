"""The library's own elementary functions against the C library's."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import special

from langevin_sgd.core import elementary

same_examples = settings(derandomize=True, deadline=None, max_examples=60)

# name, the C library's function, and where it is compared
FUNCTIONS = [("exp", np.exp, -30, 5), ("exp", np.exp, -700, 0), ("log", np.log, 1e-300, 1e3), ("log", np.log, 0.5, 2),
             ("sin", np.sin, -1e4, 1e4), ("cos", np.cos, -1e4, 1e4), ("sin", np.sin, -3.9e8, 3.9e8), ("sinh", np.sinh, -5, 5),
             ("cosh", np.cosh, -5, 5),
             ("tanh", np.tanh, -30, 30), ("atan", np.arctan, -100, 100), ("asin", np.arcsin, -1, 1), ("acos", np.arccos, -1, 1),
             ("erf", special.erf, -8, 8), ("tan", np.tan, -1.4, 1.4)]


def lifted(function):
    """Return a lane function as one of arrays; by itself it can't be called from Python."""
    @njit
    def loop(x):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = function(x[i])
        return out
    return loop


@njit
def power(x, y):
    return elementary.power(x, y)


LIFTED = {name: lifted(getattr(elementary, name)) for name in {row[0] for row in FUNCTIONS} | {"exp2_below_zero", "minus2log"}}


def value(name, *x):
    return LIFTED[name](np.array(x, float))


@pytest.mark.parametrize(("name", "exact", "low", "high"), FUNCTIONS, ids=[f"{n} on {a:g}..{b:g}" for n, _, a, b in FUNCTIONS])
def test_errors_are_below_1e_10_of_the_value_or_of_1(name, exact, low, high):
    x = np.concatenate([np.linspace(low, high, 200_001), np.random.default_rng(1).uniform(low, high, 100_000)])
    got, want = LIFTED[name](x), exact(x)
    assert (np.abs(got - want) <= 1e-10 * np.maximum(1.0, np.abs(want))).all()


@pytest.mark.parametrize("name", ["exp", "sinh", "cosh"])
def test_large_values_keep_their_digits(name):
    x = np.linspace(5.0, 700.0, 100_001)
    np.testing.assert_allclose(LIFTED[name](x), getattr(np, name)(x), rtol=1e-10)


def test_exp_keeps_its_digits_where_it_is_small():
    x = np.linspace(-700.0, 0.0, 100_001)
    np.testing.assert_allclose(LIFTED["exp"](x), np.exp(x), rtol=1e-10)


def test_tan_errs_like_a_tiny_error_of_its_argument():
    """Near its poles no relative error could be kept: there the derivative 1 + tan² magnifies what the argument has lost."""
    x = np.concatenate([math.pi / 2 - np.logspace(-9, 0, 10_001), np.linspace(-10, 10, 100_001)])
    np.testing.assert_array_less(np.abs(value("tan", *x) - np.tan(x)), 1e-10 * (1 + np.tan(x) ** 2))


def test_powers_err_like_a_tiny_error_of_the_logarithm():
    """A power is exp(y log x), so that y magnifies what the logarithm has lost."""
    rng = np.random.default_rng(2)
    for x, y in zip(rng.uniform(0, 50, 3000), rng.uniform(-30, 30, 3000), strict=True):
        assert power(x, y) == pytest.approx(x**y, rel=1e-11 * (1 + abs(y) * max(1.0, abs(math.log(x)))))


SPECIAL = [("exp", -math.inf, 0.0), ("exp", math.inf, math.inf), ("exp", 710.0, math.inf), ("exp", -800.0, 0.0), ("exp", 0.0, 1.0),
           ("log", 0.0, -math.inf), ("log", math.inf, math.inf), ("log", -1.0, math.nan), ("log", -math.inf, math.nan),
           ("sin", math.inf, math.nan), ("cos", math.inf, math.nan), ("sin", 5e8, math.nan), ("cos", -5e8, math.nan),
           ("tan", -5e8, math.nan), ("tanh", math.inf, 1.0), ("tanh", -math.inf, -1.0), ("tanh", 400.0, 1.0), ("tanh", -400.0, -1.0),
           ("sinh", -math.inf, -math.inf), ("cosh", -math.inf, math.inf), ("atan", math.inf, math.pi / 2),
           ("atan", -math.inf, -math.pi / 2), ("asin", 1.0, math.pi / 2), ("asin", -1.0, -math.pi / 2), ("asin", 1.0001, math.nan),
           ("acos", -1.0001, math.nan),
           ("acos", 1.0, 0.0), ("erf", math.inf, 1.0), ("erf", -math.inf, -1.0), ("erf", 0.0, 0.0)]


@pytest.mark.parametrize(("name", "x", "want"), SPECIAL)
def test_ends_and_what_lies_outside(name, x, want):
    np.testing.assert_allclose(value(name, x)[0], want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(LIFTED) - {"exp2_below_zero", "minus2log"}))
def test_nan_stays_nan(name):
    """A path that blew up must stay visible."""
    assert math.isnan(value(name, math.nan)[0])


POWERS = [(0.0, 0.0, 1.0), (0.0, 2.0, 0.0), (0.0, -1.0, math.inf), (-2.0, 3.0, -8.0), (-2.0, 2.0, 4.0), (-2.0, -3.0, -0.125),
          (-2.0, 0.5, math.nan), (-3.0, 0.0, 1.0), (math.inf, 2.0, math.inf), (math.inf, -1.0, 0.0), (-math.inf, 3.0, -math.inf),
          (1.5, math.nan, math.nan),
          (math.nan, 2.0, math.nan)]


@pytest.mark.parametrize(("x", "y", "want"), POWERS)
def test_powers_of_special_numbers(x, y, want):
    np.testing.assert_allclose(power(x, y), want, rtol=1e-12)


def test_exp_is_zero_rather_than_denormal():
    """One denormal number costs the processor a hundred cycles; what is below 2^-1022.5 is 0 instead."""
    y = value("exp", *np.linspace(-760.0, -700.0, 60_001))
    assert ((y == 0.0) | (y >= 0.7 * np.finfo(float).tiny)).all()
    assert (y == 0.0).any()


def test_powers_of_two_below_zero_serve_probabilities():
    y = np.concatenate([np.linspace(-1100.0, 0.0, 100_001), [-math.inf]])
    np.testing.assert_allclose(value("exp2_below_zero", *y), np.exp2(y), rtol=1e-8, atol=1e-300)


def test_the_logarithm_of_uniform_numbers_is_accurate_next_to_1():
    """Normals near zero come from u near 1, where -2 log u is tiny and must keep its relative accuracy."""
    u = 1 - np.logspace(-15.9, -0.5, 10_001)
    np.testing.assert_allclose(value("minus2log", *u), -2 * np.log(u), rtol=1e-10)


@same_examples
@given(st.floats(-300, 300))
def test_identities_of_the_exponential_family(a):
    e, back, s, c, t = (value(name, x)[0] for name, x in (("exp", a), ("exp", -a), ("sinh", a), ("cosh", a), ("tanh", a)))
    assert e * back == pytest.approx(1.0, rel=1e-10)
    assert value("log", e)[0] == pytest.approx(a, rel=1e-10, abs=1e-10)
    assert s + c == pytest.approx(e, rel=1e-10, abs=1e-10 * c)
    assert t == pytest.approx(s / c, rel=1e-10, abs=1e-10)


@same_examples
@given(st.floats(-1e6, 1e6))
def test_identities_of_the_circular_functions(a):
    s, c = value("sin", a)[0], value("cos", a)[0]
    assert s * s + c * c == pytest.approx(1.0, abs=1e-10)
    assert value("sin", -a)[0] == -s
    assert value("cos", -a)[0] == c


@same_examples
@given(st.floats(-1, 1))
def test_inverse_functions_lead_back(a):
    assert value("sin", value("asin", a)[0])[0] == pytest.approx(a, abs=1e-10)
    assert value("cos", value("acos", a)[0])[0] == pytest.approx(a, abs=1e-10)
    assert value("atan", value("tan", a)[0])[0] == pytest.approx(a, abs=1e-10)


@same_examples
@given(st.floats(0.01, 100), st.integers(-12, 12))
def test_integer_powers_are_products_for_both_signs(x, n):
    assert power(x, float(n)) == pytest.approx(x**n, rel=1e-10)
    assert power(-x, float(n)) == pytest.approx((-x) ** n, rel=1e-10)


@same_examples
@given(st.floats(0, 6))
def test_odd_functions_are_odd(a):
    for name in ("erf", "tanh", "atan", "sinh"):
        assert value(name, -a)[0] == pytest.approx(-value(name, a)[0], abs=1e-15)       # a fused multiply-add rounds one side only
