"""The parser: what it reads means what Python says it means, and what it does not read is refused with a sentence."""
import math

import numpy as np
import pytest
from hypothesis import given
from scipy.special import erf
from sympy import Rational

import langevin_sgd as ls
from langevin_sgd.models.expressions import FUNCTIONS, LONGEST, derivative, free_names, parse, variable_names
from langevin_sgd.models.fields import SymbolicField
from tests.models.formulas import POINTS, A, checked, slopes, steady, texts

X = np.linspace(-1.9, 2.1, 41) + 1e-3


def read(text, x=X):
    """Return the values of a text in one dimension."""
    return SymbolicField((parse(text),), ("x",)).vector(())(np.asarray(x)[..., None], 0.0, ())


# ---------------------------------------------------------------------------------------------------------------- meaning

@checked(200)
@given(texts())
def test_every_text_means_what_python_says(text):
    expected = [steady(text, point) for point in POINTS]
    try:
        field = SymbolicField((parse(text),), ("x", "y"))
    except ValueError:
        # Refused only if it is real nowhere; Python does not look at the second half of a condition that is decided.
        assert expected == [None] * len(POINTS) or "where" in text
        return
    values, scalar = field.vector(("a",))(POINTS, 0.0, (A,)), field.scalar(("a",))
    for point, value, true in zip(POINTS, values, expected, strict=True):
        if true is None:
            continue
        assert value == pytest.approx(true, rel=1e-9, abs=1e-9)
        try:
            one = scalar(tuple(map(float, point)), 0.0, (A,))
        except (ValueError, ZeroDivisionError, OverflowError):      # of a branch that is not taken; compiled code goes on with NaN
            continue
        assert one == pytest.approx(true, rel=1e-9, abs=1e-9)


MEANINGS = [
    ("exp(x)", np.exp), ("log(x + 3)", lambda x: np.log(x + 3)), ("sqrt(x + 3)", lambda x: np.sqrt(x + 3)), ("sin(x)", np.sin),
    ("cos(x)", np.cos), ("tan(x)", np.tan), ("asin(x/3)", lambda x: np.arcsin(x / 3)), ("acos(x/3)", lambda x: np.arccos(x / 3)),
    ("atan(x)", np.arctan), ("sinh(x)", np.sinh), ("cosh(x)", np.cosh), ("tanh(x)", np.tanh), ("erf(x)", erf), ("abs(x)", np.abs),
    ("sign(x)", np.sign), ("min(x, 0.5, -x)", lambda x: np.minimum(np.minimum(x, 0.5), -x)),
    ("max(x, 0.5, -x)", lambda x: np.maximum(np.maximum(x, 0.5), -x)), ("where(x < 1, x, x**2)", lambda x: np.where(x < 1, x, x**2)),
    ("-x**2", lambda x: -(x**2)), ("2**-x**2", lambda x: 2.0**(-(x**2))), ("2*x/3*x - 1 - 1", lambda x: 2 * x / 3 * x - 2),
    ("(x + 3)**-1.5", lambda x: (x + 3)**-1.5), ("(x + 3)**(1/3)", lambda x: np.cbrt(x + 3)), ("(x + 3)**x", lambda x: (x + 3)**x),
    ("sqrt(x**2)", np.abs), ("(x**2)**1.5", lambda x: np.abs(x)**3), ("tan(x + pi/2)", lambda x: -1 / np.tan(x)),
    ("1.5e-1*x + 2E+1 - .5 + 1_0", lambda x: 0.15 * x + 29.5), ("0x10 + x", lambda x: 16 + x), ("  x\t+ 1 ", lambda x: x + 1),
    ("(x +\n 1)", lambda x: x + 1), ("x + 0*t", lambda x: x), ("pi*x", lambda x: np.pi * x), ("7", lambda x: np.full_like(x, 7)),
]


@pytest.mark.parametrize(("text", "function"), MEANINGS)
def test_everything_known_is_what_numpy_computes(text, function):
    assert np.allclose(read(text), function(X), rtol=1e-14, atol=1e-14)


def test_every_known_function_is_tried_above():
    tried = " ".join(text for text, _ in MEANINGS)
    assert [name for name in FUNCTIONS if f"{name}(" not in tried] == []


@pytest.mark.parametrize(("condition", "function"), [
    ("x < 1", lambda x: x < 1), ("x <= 1", lambda x: x <= 1), ("x > 1", lambda x: x > 1), ("x >= 1", lambda x: x >= 1),
    ("x == 1", lambda x: x == 1), ("x != 1", lambda x: x != 1), ("0 < x < 1", lambda x: 0 < x < 1),
    ("-1 <= x < 1 <= 2 - x", lambda x: -1 <= x < 1 <= 2 - x),
    ("x < -1 or x > 1", lambda x: x < -1 or x > 1), ("x > -1 and x < 1 and x != 0", lambda x: x > -1 and x < 1 and x != 0),
    ("not x < 1", lambda x: not x < 1), ("not (x < 0 or x > 1) and x != 1", lambda x: not (x < 0 or x > 1) and x != 1),
    ("x < 0 or x > 0 and x < 1", lambda x: x < 0 or (x > 0 and x < 1)),
    ("(x < 0 or x > 0) and x < 1", lambda x: (x < 0 or x > 0) and x < 1),
])
def test_conditions_are_pythons_at_their_edges_too(condition, function):
    x = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
    assert read(f"where({condition}, 1, 0)", x).tolist() == [float(function(v)) for v in x]
    assert read(f"where({condition}, where(x > 0, 3, 2), -1)", x).tolist() == [(3.0 if v > 0 else 2.0) if function(v) else -1.0 for v in x]


@pytest.mark.parametrize(("given_", "exact"), [
    ("0.1", Rational(1, 10)), ("1788704758263569e-15", Rational(1788704758263569, 10**15)), ("1_000.25", Rational(100025, 100)),
    ("1/3", Rational(1, 3)), (0.1, Rational(1, 10)), (np.float64(0.1), Rational(1, 10)), (np.int64(3), Rational(3)), (2, Rational(2)),
    ("-0.0", Rational(0)),
])
def test_decimal_numbers_are_exact(given_, exact):
    assert parse(given_) == exact


def test_names_may_be_greek():
    assert ls.Landscape("η_2*θ**2/2", variables=["θ"], η_2=3.0)(2.0) == 6.0
    assert ls.Landscape("µ*x**2", μ=2.0)(1.0) == 2.0                    # micro sign in the text, Greek letter as the name


# --------------------------------------------------------------------------------------------------------------- refusals

@pytest.mark.parametrize(("text", "words"), [
    ("x.real", "'x.real' is an attribute access"), ("().__class__", "is an attribute access"), ("__import__('os')", "calls '__import__'"),
    ("eval('1')", "calls 'eval', and the known functions are exp, log"), ("np.exp(x)", "is neither arithmetic nor a known function"),
    ("exp(x)(x)", "is neither arithmetic"), ("exp(x=1)", "'exp(x=1)' calls 'exp'"), ("min(*x)", "min takes 2 arguments"),
    ("x[0]", "'x[0]' is neither arithmetic"), ("'x'", "is neither arithmetic"), ("b'x'", "is neither arithmetic"),
    ("f'{x}'", "is neither arithmetic"),
    ("lambda: 1", "'lambda: 1' is neither"), ("[x for x in (1,)]", "is neither"), ("(x := 1)", "'x := 1' is neither"),
    ("(x, x)", "is neither"),
    ("[x]", "is neither"), ("{x}", "is neither"), ("x if x > 0 else 1", "is neither"), ("await x", "is neither"), ("yield", "not valid"),
    ("import os", "not valid Python arithmetic: invalid syntax"), ("x = 1", "not valid"), ("x; x", "not valid"), ("", "not valid"),
    ("x +", "not valid"),
    ("2x", "not valid"), ("x\0", "not valid"), ("\ud800", "not valid"), ("1j*x", "'1j' is neither"), ("True", "'True' is neither"),
    ("None", "is neither"),
    ("...", "is neither"), ("x^2", "uses ^, and a power is written **"), ("x//2", "an operator other than + - * / **"),
    ("x % 2", "an operator other"),
    ("x @ x", "an operator other"), ("~x", "'~x' is neither"), ("x < 1", "is a condition, which belongs in the first place of where"),
    ("x and 1", "is a condition"), ("where(x, 1, 2)", "'x' is not a condition"), ("where(x in x, 1, 2)", "is not one of the comparisons"),
    ("where(x > 0, 1)", "where takes 3 arguments, not 2"), ("exp(x, 1)", "exp takes 1 argument, not 2"),
    ("exp", "'exp' is a function; write exp(...)"),
    ("max(x)", "max takes 2 arguments, not 1"), ("1/0", "divides by zero"), ("x/(2 - 2)", "divides by zero or is infinite for every state"),
    ("log(0)*x", "'log(0)' divides by zero"), ("sqrt(-1)", "'sqrt(-1)' is not real"), ("sqrt(-1)**2 + x", "is not real"),
    ("sqrt(-x**2)", "is not real"),
    ("log(-2)*x", "is not real"), ("asin(2)*x", "'asin(2)' is not real"), ("(-8)**(1/3)", "is not real"), ("(-x**2)**(1/3)", "is not real"),
    ("(-2)**x", "a power of a number that is not positive"), ("2**(1/0)", "'1/0' divides by zero"),
])
def test_what_is_not_arithmetic_over_known_functions_is_refused(text, words):
    with pytest.raises(ValueError) as told:
        parse(text)
    assert words in str(told.value)


@pytest.mark.parametrize("text", [
    "1e400", "1" + "0" * 400, "1" * 5000, "1e-400*x", "1e-999999999*x", "1e999999999*x", "9**9**9", "x**9**9**9", "2**-9**9",
    "10**300*10**300*x",
    "10**300*x*10**300", "(3*x)**387420489", "exp(1000)*x", "exp(exp(exp(exp(9))))", "exp(-1000)**-1", "pi**1000", "(x**1e300)**1e300",
    "x/1e-300/1e-300",
])
def test_numbers_that_no_float_holds_are_refused_before_they_are_computed(text):
    """Computed, some of these would take longer than anyone waits."""
    with pytest.raises(ValueError, match=r"range of floats|not finite|not valid Python arithmetic: Exceeds the limit|below the range"):
        parse(text)


@pytest.mark.parametrize(("text", "value"),
                         [("(1 + 1e-12)**1e12", math.e), ("1.0000001**1000000", 1.0000001**1000000), ("0e999999999 + 1", 1.0),
                                             ("(1.0000001*x)**1000000", 1.0000001**1000000),
                                             ("(-1.0000001*x)**1000001", -1.0000001**1000001)])
def test_powers_whose_digits_are_too_many_are_rounded(text, value):
    assert read(text, [1.0])[0] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("text", "words"), [
    ("-" * 15_000 + "x", "is nested too deeply"), ("+".join(["x"] * 9000), "is nested too deeply"),
    ("(" * 9000 + "x" + ")" * 9000, "too many nested parentheses"),
    ("x" * (LONGEST + 1), f"has {LONGEST + 1} characters, but at most {LONGEST} are read; give a numba-compilable function"),
])
def test_monstrous_texts_are_refused_in_a_short_sentence(text, words):
    with pytest.raises(ValueError) as told:
        parse(text)
    assert words in str(told.value)
    assert len(str(told.value)) < 300


@pytest.mark.parametrize("given_", [None, True, 1j, ["x**2"], b"x", {"x": 1}, ls])
def test_what_is_no_text_is_refused(given_):
    parse(1)                                                        # True == 1: an answer from memory must not be taken for it
    with pytest.raises(ValueError, match="an expression must be a text or a number, but"):
        parse(given_)


@pytest.mark.parametrize("text",
                         ["open({!r}, 'w')", "__import__('pathlib').Path({!r}).touch()", "(lambda: open({!r}, 'w'))()",
                          "[open({!r}, 'w') for i in (1,)]",
                                  "exp(open({!r}, 'w'))", "where(open({!r}, 'w'), 1, 2)", "f'{{open({!r}, chr(119))}}'",
                                  "(y := open({!r}, 'w'))"])
@pytest.mark.parametrize("use",
                         [ls.Landscape, lambda t: ls.SDE(t, ls.noise.Constant(1.0)), ls.noise.Expression, ls.Where,
                          lambda t: ls.noise.Expression([[t]])])
def test_a_text_is_never_evaluated(text, use, tmp_path):
    trap = tmp_path / "trap"
    with pytest.raises(ValueError):
        use(text.format(str(trap)))
    assert not trap.exists()


# ------------------------------------------------------------------------------------------------------------------ names

@pytest.mark.parametrize(("texts_", "given_", "parameters", "dim", "names"), [
    (["x**2"], None, (), None, "x"), (["y"], None, (), None, "x y"), (["x + z"], None, (), None, "x y z"),
    (["h*x"], None, ("h",), None, "x"),
    (["y*x"], None, ("y",), None, "x"), (["x1 + x3"], None, (), None, "x1 x2 x3"), (["x2"], None, (), 4, "x1 x2 x3 x4"),
    (["x*x1"], None, ("x1",), None, "x"),
    (["1"], None, (), None, "x"), (["1"], None, (), 3, "x y z"), (["-x1", "-x2", "0", "-x4"], None, (), 4, "x1 x2 x3 x4"),
    ([], None, (), 5, "x1 x2 x3 x4 x5"),
    (["q*p"], ["q", "p"], (), None, "q p"), (["x + t"], None, (), None, "x"),
    (["x10"], None, (), None, " ".join(f"x{k}" for k in range(1, 11))),
])
def test_components_are_named_as_the_texts_use_them(texts_, given_, parameters, dim, names):
    assert variable_names(texts_, given_, parameters, dim) == tuple(names.split())


@pytest.mark.parametrize("names", [["q", "q"], ["t"], ["pi"], ["exp"], ["a b"], [], ["2"]])
def test_variables_must_be_different_free_names(names):
    with pytest.raises(ValueError,
                       match=r"`variables` is .*, but must be different names, none of them a known function, `pi` or the time `t`\."):
        ls.Landscape("x**2", variables=names)


@pytest.mark.parametrize("name",
                         ["y", "z", "beta", "gamma", "zeta", "N", "E", "I", "S", "Q", "O", "x1", "_0", "p", "out", "np", "math", "x_0"])
def test_any_name_given_by_keyword_is_a_parameter(name):
    loss = ls.Landscape(f"{name}*sin(x) + {name}**2*sin(x)**2", **{name: 0.5})
    assert loss.dim == 1
    assert loss(0.3) == pytest.approx(0.5 * math.sin(0.3) + 0.25 * math.sin(0.3)**2, rel=1e-15)
    assert loss.replace(**{name: 2.0})(0.3) == pytest.approx(2 * math.sin(0.3) + 4 * math.sin(0.3)**2, rel=1e-15)


def test_free_names_are_those_of_all_texts():
    assert free_names([parse("a*x + t"), parse("where(b > 0, 1, y)")]) == {"a", "x", "t", "b", "y"}


# ------------------------------------------------------------------------------------------------------------ derivatives

@checked(100)
@given(texts(depth=3, singular=False))
def test_gradient_and_hessian_are_those_of_40_digit_differences(text):
    try:
        value = SymbolicField((parse(text),), ("x", "y"))
    except ValueError:
        return
    gradient = value.gradient()
    for point in POINTS[:2]:
        for order, field in ((1, gradient), (2, gradient.gradient())):
            true = slopes(text, point, order)
            if true is not None and steady(text, point) is not None:
                assert np.allclose(field.vector(("a",))(point, 0.0, (A,)).reshape(true.shape), true, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("text", "slope"), [
    ("exp(-x**2)*sin(3*x)", lambda x: np.exp(-x**2) * (3 * np.cos(3 * x) - 2 * x * np.sin(3 * x))),
    ("tanh(x)", lambda x: 1 / np.cosh(x)**2),
    ("erf(x/2)", lambda x: np.exp(-x**2 / 4) / np.sqrt(np.pi)), ("log(1 + x**2)", lambda x: 2 * x / (1 + x**2)),
    ("atan(x)", lambda x: 1 / (1 + x**2)),
    ("tan(x)", lambda x: 1 / np.cos(x)**2), ("asin(x/3)", lambda x: 1 / np.sqrt(9 - x**2)),
    ("(3 + x)**0.5", lambda x: 0.5 / np.sqrt(3 + x)),
    ("2**x", lambda x: np.log(2) * 2**x), ("(3 + x)**x", lambda x: (3 + x)**x * (np.log(3 + x) + x / (3 + x))), ("cosh(x)", np.sinh),
])
def test_derivatives_are_the_textbooks(text, slope):
    field = SymbolicField((derivative(parse(text), "x"),), ("x",))
    assert np.allclose(field.vector(())(X[:, None], 0.0, ()), slope(X), rtol=1e-13, atol=1e-13)
