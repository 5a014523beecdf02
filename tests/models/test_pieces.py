"""Kinks: where they are, what the pieces are, and that derivatives are those of a piece."""

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models.expressions import derivative, kink_functions, parse
from langevin_sgd.models.fields import SymbolicField
from langevin_sgd.models.pieces import Select, absolute, greatest, sign, smallest, smooth_pieces
from tests.models.formulas import checked

X = np.array([-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 2.0])
x = sympy.Symbol("x", real=True)


def values(expression):
    return SymbolicField((expression,), ("x",)).vector(())(X[:, None], 0.0, ()).tolist()


def test_select_takes_the_first_where_its_condition_is_positive_and_the_second_elsewhere():
    assert values(Select(x, sympy.Integer(1), sympy.Integer(2))) == [2, 2, 2, 2, 1, 1, 1]
    assert values(Select(sympy.log(x), sympy.Integer(1), sympy.Integer(2))) == [2, 2, 2, 2, 2, 2, 1]           # NaN is not positive


def test_a_choice_that_does_not_depend_on_the_state_is_made_at_once():
    a, b = x**2, x**3
    assert Select(sympy.Integer(1), a, b) == Select(sympy.sqrt(2) - 1, a, b) == a
    assert Select(sympy.Integer(0), a, b) == Select(sympy.Integer(-1), a, b) == Select(1 - sympy.sqrt(2), a, b) == b
    assert Select(x, a, a) == a
    zero = sympy.sin(1)**2 + sympy.cos(1)**2 - 1                        # zero, but not seen to be
    assert Select(zero, a, b) in (a, b)
    assert ls.Landscape("exp(where(sin(1)**2 + cos(1)**2 > 2, 1, 2))*x")(1.0) == pytest.approx(np.exp(2), rel=1e-15)


def test_kinked_functions_are_exact_at_the_kink():
    assert values(absolute(x)) == np.abs(X).tolist()
    assert values(sign(x)) == np.sign(X).tolist()
    assert values(sign(-x)) == np.sign(-X).tolist()


@checked(60)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=9), st.lists(st.floats(-2, 2), min_size=9, max_size=9))
def test_smallest_and_greatest_are_those_of_all_values(offsets, slopes):
    lines = [sympy.Float(o) + sympy.Float(s) * x for o, s in zip(offsets, slopes, strict=False)]
    table = np.array([[float(line.subs(x, v)) for v in X] for line in lines])
    assert np.allclose(values(smallest(*lines)), table.min(axis=0), rtol=1e-14, atol=1e-14)
    assert np.allclose(values(greatest(*lines)), table.max(axis=0), rtol=1e-14, atol=1e-14)


def test_the_least_of_many_values_does_not_grow_exponentially():
    """Nested choices written out, 24 values would take 2^24 pieces, and longer than anyone waits."""
    loss = ls.Landscape(f"min({', '.join(f'(x - {k})**2' for k in range(24))})")
    assert loss(7.25) == loss(19.75) == 0.0625


@pytest.mark.parametrize(("text", "slopes"), [
    ("abs(x)", [-1, -1, -1, -1, 1, 1, 1]), ("sqrt(x**2)", [-1, -1, -1, -1, 1, 1, 1]), ("(x**2)**1.5", [-12, -3, -0.1875, 0, 0.1875, 3, 12]),
    ("sign(x)", [0] * 7), ("x*sign(x)", [-1, -1, -1, 0, 1, 1, 1]), ("min(x, 0.25*x)", [1, 1, 1, 0.25, 0.25, 0.25, 0.25]),
    ("max(x, 0.25*x)", [0.25, 0.25, 0.25, 0.25, 1, 1, 1]), ("where(x < 1, x, 5)", [1, 1, 1, 1, 1, 0, 0]),
    ("abs(abs(x) - 1)", [-1, 1, 1, 1, -1, -1, 1]),
    ("exp(-abs(x))*where(x > 0, 2, 1)", [*np.exp(X[:4]), *(-2 * np.exp(-X[4:]))]),
])
def test_the_derivative_at_a_kink_is_that_of_a_piece(text, slopes):
    expression = parse(text)
    assert np.allclose(values(derivative(expression, "x")), slopes, rtol=1e-14, atol=1e-14)
    left, right = (np.array([ls.Landscape(text).gradient(v + s) for v in X]) for s in (-1e-9, 1e-9))
    assert all(min(abs(s - a), abs(s - b)) < 1e-7 for s, a, b in zip(slopes, left, right, strict=True) if "sign" not in text)


def test_no_trace_of_sympys_own_kinks_is_left():
    mixed = sympy.Abs(x) + sympy.sign(x) + sympy.Min(x, 1) + sympy.Max(x, -1) + sympy.Heaviside(x) + sympy.DiracDelta(x)
    clean = smooth_pieces(mixed)
    assert not clean.has(sympy.Abs, sympy.sign, sympy.Min, sympy.Max, sympy.Heaviside, sympy.DiracDelta)
    expected = np.abs(X) + np.sign(X) + np.minimum(X, 1) + np.maximum(X, -1) + (X > 0)
    assert values(clean) == expected.tolist()
    assert smooth_pieces(x**2) == x**2


@pytest.mark.parametrize(("text", "kinks"), [
    ("x**2", []), ("abs(x - 0.3)", [0.3]), ("abs(x) + max(x, 1)", [0.0, 1.0]), ("where(x**2 < 2, x, 1)", [-2**0.5, 2**0.5]),
    ("sqrt((x + 1)**2)", [-1.0]),
    ("where(0 < x < 1, 1, 2)", [0.0, 1.0]), ("where(x < -1 or not x < 2, 1, 2)", [-1.0, 2.0]), ("min(x, x**3)", [-1.0, 0.0, 1.0]),
    ("abs(abs(x) - 1)", [-1.0, 0.0, 1.0]), ("where(h*x > 1, 1, 2)", [0.5]),
])
def test_kinks_are_found(text, kinks):
    loss = ls.Landscape(text, **({"h": 2.0} if "h*x" in text else {}))
    assert loss.kinks(-3.0, 3.0) == pytest.approx(kinks, abs=1e-12)


def test_kink_functions_are_listed_once_each():
    assert kink_functions([parse("abs(x) + abs(x)**2"), parse("where(x > 0, 1, 2) + where(x - 1 > 0, 3, 4)")]) == sorted([x, x - 1],
                                                                                                                         key=str)
