"""Expressions as code: the same numbers in both dialects, with the operations that compiled loops want."""
import math

import numpy as np
import pytest

from langevin_sgd.models.expressions import parse
from langevin_sgd.models.printing import code

X = 1.7


def scalar_code(text):
    return code(parse(text), spelled={"x": "u", "a": "p[0]"}, vector=False)


def vector_code(text):
    return code(parse(text), spelled={"x": "u", "a": "p[0]"}, vector=True)


@pytest.mark.parametrize("text",
                         ["x", "x/3", "-x/3", "2*x/3 + 1/7", "-x**2 - 1", "x**-1", "3*x**-2/7", "x**0.5", "x**1.5", "x**-0.5", "x**-2.5",
                          "x**(1/3)", "x**a",
                                  "x**-a", "(x - 3)**2*(x - 5)", "-(x - 3)*(x - 5)", "(-x)**3", "1/(x*(x + a))", "-1/x", "0.5**x",
                                  "log(0.5)*x", "x**2*log(0.5)",
                                  "x - log(2)", "exp(-x) - exp(-2)", "2**0.5*x", "x/2**0.5", "pi*x - exp(1)", "4294967296*x",
                                  "123456789012345678901234567890*x",
                                  "(x + 1/3)**2", "(a - x)/(a + x)", "where(x > 1, -x, x)**2", "-where(x > 2, x, -1)",
                                  "where(x > 1, 1, 2)/where(x > 2, 3, 4)",
                                  "tan(x + pi/2)", "abs(x - 2) - 1", "(x**2)**-1.5", "x**100", "x**12345678901234567890",
                                  "-0.25*(x - 1)*(-3)"])
def test_both_dialects_give_the_value_of_the_text(text):
    names = {name: getattr(math, name) for name in ("exp", "log", "tan", "sqrt", "pi")}
    expected = eval(text,
                    {**names, "abs": abs, "where": lambda c, a, b: a if c else b, "x": X, "a": 0.7}) if "**1234" not in text else math.inf
    scope = {"u": X, "p": (0.7,), "math": math, "np": np}
    with np.errstate(over="ignore"):
        assert eval(vector_code(text), scope) == pytest.approx(expected, rel=1e-14)
    if math.isfinite(expected):
        assert eval(scalar_code(text), scope) == pytest.approx(expected, rel=1e-14)


def test_decimals_come_out_as_the_floats_that_went_in():
    for number in np.random.default_rng(3).normal(size=50) * 10.0**np.arange(-25, 25):
        assert eval(scalar_code(f"{float(number)!r}*x"), {"u": 1.0}) == number
    assert scalar_code("1788704758263569e-15") == "1.788704758263569"


def test_powers_become_products_roots_and_one_quotient():
    assert scalar_code("x**2") == "(u*u)"
    assert eval(scalar_code("x**7"), {"u": 3.0}) == 3.0**7
    assert scalar_code("(1 + x)**2").endswith("**2")
    assert scalar_code("x**1.5") == "(u*math.sqrt(u))"
    assert scalar_code("x**-2") == "(1.0/((u*u)))"
    assert vector_code("x**0.5") == "np.sqrt(u)"
    assert scalar_code("a*x/(1 + x)/(2 + x)").count("/") == 1
    assert "pow" not in scalar_code("x**2.5 + x**-3.5 + x**7")
    assert scalar_code("x**0.3") == "math.pow(u, 0.3)"


def test_no_quotient_of_integers_is_left_to_the_reader():
    assert scalar_code("x/3") == repr(1 / 3) + "*u"
    assert "/" not in scalar_code("2*x/3 - 1/7")


def test_a_choice_is_an_expression_without_branches():
    assert vector_code("where(x > 0, 1, x)") == "np.where(u > 0, 1, u)"
    assert scalar_code("where(x > 0, 1, x)") == "((1) if (u) > 0 else (u))"


def test_functions_have_the_names_of_their_dialect():
    assert scalar_code("asin(x) + atan(x) + erf(x)") == "math.asin(u) + math.atan(u) + math.erf(u)"
    assert vector_code("asin(x) + acos(x) + atan(x) + erf(x)") == "np.arccos(u) + np.arcsin(u) + np.arctan(u) + erf(u)"
