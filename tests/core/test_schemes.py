"""One-step maps are their formulas."""
from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langevin_sgd.core import schemes

number, positive = st.floats(-10, 10), st.floats(0.01, 10)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(number, number, positive, number)
def test_euler_and_maruyama(x, b, h, noise):
    assert schemes.euler_maruyama.py_func(x, b, h, noise) == pytest.approx(x + b * h + noise, rel=1e-12, abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(number, number, positive, positive, number, number)
def test_milstein_in_the_form_of_the_textbooks(x, b, h, g, g_slope, dw):
    """x + b h + g dW + ½ g g' (dW² − h): given the variance g² and its slope 2 g g'."""
    want = x + b * h + g * dw + 0.5 * g * g_slope * (dw**2 - h)
    assert schemes.milstein.py_func(x, b, h, g**2, 2 * g * g_slope, dw) == pytest.approx(want, rel=1e-12, abs=1e-9)


def test_milstein_without_slope_is_euler():
    noise = math.sqrt(2.0) * 0.3
    assert schemes.milstein.py_func(1.0, -1.0, 0.1, 2.0, 0.0, 0.3) == pytest.approx(schemes.euler_maruyama.py_func(1.0, -1.0, 0.1, noise))
