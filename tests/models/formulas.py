"""Random formulas as texts, and what arithmetic of 40 digits makes of them: the reference for everything that is parsed.

The texts are put together without more brackets than a person would write, so that Python itself says what they mean.
"""
from __future__ import annotations

import mpmath
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

SMOOTH = ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "erf")
POINTS = np.random.default_rng(20_061_371).uniform(-2, 2, (6, 2))
A = 0.7                                     # the value of the parameter a


def checked(examples: int) -> settings:
    """The settings of property tests here: the same examples in every run."""
    return settings(derandomize=True, deadline=None, max_examples=examples)


EDGY = dict.fromkeys(SMOOTH, "{}")
INNER = EDGY | {"log": "2 + ({})**2", "sqrt": "1 + ({})**2", "asin": "0.9*sin({})", "acos": "tanh({})/2"}
POWERS = ["({})**2", "({})**3", "x**1.5", "y**-1", "a**-2", "x**-0.5", "a**{}", "(1 + ({})**2)**(1/3)", "2.0**sin({})",
          "(2 + sin({}))**-1.5"]


@st.composite
def texts(draw, depth: int = 4, singular: bool = True) -> str:
    """Draw a formula of x, y and the parameter a; unless `singular`, no root, logarithm or arc is taken where its slope is infinite."""
    def pick(choices):
        return draw(st.sampled_from(choices))

    def compared(n):
        return f"{formula(n)} {pick(['<', '<=', '>', '>='])} {formula(n)}" if pick("ab") == "a" else (
            f"{formula(n)} < {formula(n)} <= {formula(n)}")

    def condition(n):
        form = pick(["{}", "{} and {}", "{} or {}", "not {}", "not ({} or {}) and {}", "{} and {} or {}", "({} or {}) and {}"])
        return form.format(*(compared(n) for _ in range(form.count("{}"))))

    def formula(n):
        if n == 0 or (n < depth and pick(range(4)) == 0):
            return pick(["x", "y", "a", "x", "y", "x", "y", "2", "0.5", "1.25", "3e-1", "pi"])
        match pick(["sum", "sum", "product", "sign", "brackets", "power", "function", "function", "kink", "choice"]):
            case "sum":
                return f"{formula(n - 1)} {pick('+-')} {formula(n - 1)}"
            case "product":
                return f"{formula(n - 1)}{pick(['*', ' / '])}{formula(n - 1)}"
            case "sign":
                return f"{pick('+-')}{formula(n - 1)}"
            case "brackets":
                return f"({formula(n - 1)})"
            case "power":
                return pick(POWERS + ["({})**0.5", "({})**-1", "({})**2.5"] * singular).format(formula(n - 1))
            case "function":
                name = pick(SMOOTH)
                return f"{name}({(EDGY if singular else INNER)[name].format(formula(n - 1))})"
            case "kink":
                return pick(["abs({})", "sign({})", "min({}, {})", "max({}, {})",
                             "min({}, {}, {})"]).format(*(formula(n - 1) for _ in "123"))
        return f"where({condition(n - 2 if n > 1 else 0)}, {formula(n - 1)}, {formula(n - 1)})"
    return formula(depth)


def _real(function):
    def real(*values):
        if any(isinstance(v, mpmath.mpc) for v in values):
            raise ValueError
        result = function(*values)
        if isinstance(result, mpmath.mpc) or not mpmath.isfinite(result):
            raise ValueError
        return result
    return real


SCOPE = {name: _real(getattr(mpmath, name)) for name in (*SMOOTH, "sign")} | {
    "abs": _real(abs), "min": min, "max": max, "where": lambda condition, a, b: a if condition else b, "pi": mpmath.pi, "__builtins__": {}}


def value(text: str, x: float, y: float = 0.0, a: float = A, t: float = 0.0) -> mpmath.mpf | None:
    """Return the value of a text of ours with 40 digits; None where it is not real, or huge."""
    with mpmath.workdps(40):
        names = {n: mpmath.mpf(v) for n, v in {"x": x, "y": y, "a": a, "t": t}.items()}
        try:
            result = eval(text, dict(SCOPE), names)
        except (ValueError, TypeError, ZeroDivisionError, OverflowError):
            return None
        return mpmath.mpf(result) if isinstance(result, (int, float, mpmath.mpf)) and abs(result) < 1e6 else None


def steady(text: str, point: np.ndarray) -> float | None:
    """Return the value where rounding the state does not change it much: not at a jump, nor beside a pole."""
    here = value(text, *point)
    near = [value(text, *(point * (1 + s))) for s in (1e-12, -1e-12)]
    if here is None or None in near or any(abs(v - here) > 1e-9 * (1 + abs(here)) for v in near):
        return None
    return float(here)


def slopes(text: str, point: np.ndarray, order: int = 1) -> np.ndarray | None:
    """Return the derivatives of first or second order by differences of 40 digits; None at a kink, or where they are huge."""
    with mpmath.workdps(40):
        h, d = mpmath.mpf(10)**-10, len(point)
        shifts = np.eye(d, dtype=int)

        def f(shift):
            result = value(text, *(mpmath.mpf(float(p)) + int(s) * h for p, s in zip(point, shift, strict=True)))
            if result is None:
                raise ZeroDivisionError
            return result
        try:
            one_sided = [[(f(s * e) - f(0 * e)) / (s * h) for s in (1, -1)] for e in shifts]
            if any(abs(right - left) > 1e-4 * (1 + abs(right)) for right, left in one_sided):
                return None
            if order == 1:
                result = [(f(e) - f(-e)) / (2 * h) for e in shifts]
            else:
                result = [[(f(e + g) - f(e - g) - f(g - e) + f(-e - g)) / (4 * h * h) for g in shifts] for e in shifts]
        except ZeroDivisionError:
            return None
        numbers = np.array(result, dtype=float)
    return numbers if np.abs(numbers).max() < 1e6 else None
