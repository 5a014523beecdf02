"""The user's functions inside steps: the same numbers, whatever way they call an elementary function."""
from __future__ import annotations

import math
from math import exp
from math import tanh as hyperbolic

import numba
import numpy as np
import pytest
from numpy import sin as sine

from langevin_sgd.core.user_functions import lane_version
from tests.core.kernel_runs import horizon, nothing, plain

STATES = np.linspace(0.1, 2.5, 75)[:, None]
WIDTH = 0.7


def helper(x):
    return math.cos(x) + WIDTH


@numba.njit
def jitted_helper(x):
    return math.log(x) * jitted_below(x)


@numba.njit
def jitted_below(x):
    return math.cos(x) - WIDTH


def by_module(x, t, p):
    return math.exp(-x) + np.tanh(x)


def by_imported_name(x, t, p):
    return exp(-x) + hyperbolic(x) * sine(x)


def by_helper(x, t, p):
    return helper(x) + jitted_helper(x)


def with_default(x, t, p, factor=3.0):
    return factor * math.sin(x)


def with_inner_function(x, t, p):
    def inner(y):
        return math.atan(y)
    return inner(x) + inner(2 * x)


def with_branches_and_loops(x, t, p):
    total = 0.0
    for k in range(3):
        total += math.exp(-k * x) if x > 1.0 else math.sqrt(x) ** k
    return min(total, 2.5)


def closure(scale, function):
    def drift(x, t, p):
        return scale * function(x)
    return drift


def all_names(x, t, p):
    return np.arcsin(0.3 * x) + np.arccos(0.3 * x) * np.arctan(x) + np.power(x, 1.5) + math.sinh(x) - np.cosh(x) + math.erf(x)


def from_the_c_library(x, t, p):
    return math.expm1(x) + math.lgamma(x) + np.cbrt(x)


FUNCTIONS = [by_module, by_imported_name, by_helper, with_default, with_inner_function, with_branches_and_loops, closure(0.5, math.exp),
             closure(1.5, helper), closure(2.5, jitted_helper), all_names, from_the_c_library, numba.njit(by_module)]
NAMES = ["module", "imported", "helper", "default", "inner", "branches", "closure over math", "closure over a function",
         "closure over jitted", "all names", "C library", "already jitted"]


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_a_function_means_the_same_inside_a_step(function):
    """One step of length 1 without noise is x + f(x)."""
    got = horizon(plain(function, noise=nothing), STATES, 1.0, [1]).x[:, 0, 0] - STATES[:, 0]
    plain_python = getattr(function, "py_func", function)
    np.testing.assert_allclose(got, [plain_python(x, 0.0, (1.0,)) for x in STATES[:, 0]], rtol=1e-9, atol=1e-9)


def test_time_and_parameters_reach_the_function():
    def drift(x, t, p):
        return p[1] * math.sin(t) + p[2]
    got = horizon(plain(drift, noise=nothing, n_parameters=3), [[0.0]], 0.5, [1, 2, 3, 4], p=(1.0, 2.0, 0.25), t_start=1.0).x[0, :, 0]
    want = np.cumsum([0.5 * (2.0 * math.sin(t) + 0.25) for t in (1.0, 1.5, 2.0, 2.5)])
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_the_users_own_function_is_left_alone():
    copy = lane_version(by_module, {})
    assert copy is not by_module
    assert copy.__globals__["math"] is not math
    assert by_module.__globals__["math"] is math
    assert by_module(1.0, 0.0, ()) == math.exp(-1.0) + np.tanh(1.0)


def test_only_elementary_functions_are_exchanged():
    scope = lane_version(from_the_c_library, {}).__globals__
    assert scope["math"].expm1 is math.expm1
    assert scope["math"].exp is not math.exp
    assert scope["np"].cbrt is np.cbrt
