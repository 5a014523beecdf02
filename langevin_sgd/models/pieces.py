"""`Select`, the one symbolic function from which everything with a kink is made.  Importing this module imports sympy."""
from __future__ import annotations

from typing import Any

import sympy


class Select(sympy.Function):
    """``Select(u, a, b)`` is a where u > 0, and b elsewhere (also where u is NaN).

    In place of sympy's `Piecewise`, whose conditions sympy rewrites at will: here the derivative is that of each piece, nothing else
    happens, and the zeros of u are where pieces meet.
    """

    nargs = 3

    @classmethod
    def eval(cls, u: Any, a: Any, b: Any) -> Any:
        """Drop a choice that does not depend on the state."""
        if a == b:
            return a
        if u.is_number and (value := u.evalf()).is_real:
            return a if value > 0 else b
        return None

    def _eval_derivative(self, s: Any) -> Any:
        u, a, b = self.args
        return Select(u, a.diff(s), b.diff(s))

    def _eval_is_real(self) -> bool | None:
        return self.args[1].is_real and self.args[2].is_real


def absolute(u: Any) -> Any:
    """|u|; its derivative at 0 is taken as -1, that of the left piece."""
    return Select(u, u, -u)


def sign(u: Any) -> Any:
    """-1, 0 or 1."""
    return Select(u, sympy.Integer(1), Select(-u, -sympy.Integer(1), sympy.Integer(0)))


def smallest(*values: Any) -> Any:
    """The least of several values, found by halves: one after the other, the expression would double with each."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    a, b = smallest(*values[:half]), smallest(*values[half:])
    return Select(b - a, a, b)


def greatest(*values: Any) -> Any:
    """The greatest of several values, found by halves."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    a, b = greatest(*values[:half]), greatest(*values[half:])
    return Select(a - b, a, b)


def smooth_pieces(expression: Any) -> Any:
    """Replace what sympy makes of kinks by itself (sqrt(x**2) is Abs(x), its derivative sign(x), ...) by pieces."""
    if not expression.has(sympy.Abs, sympy.sign, sympy.DiracDelta, sympy.Heaviside, sympy.Min, sympy.Max):
        return expression
    expression = expression.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    expression = expression.replace(sympy.Heaviside, lambda u, *_: Select(u, sympy.Integer(1), sympy.Integer(0)))
    for kinked, pieces in ((sympy.Abs, absolute), (sympy.sign, sign), (sympy.Min, smallest), (sympy.Max, greatest)):
        expression = expression.replace(kinked, pieces)
    return expression
