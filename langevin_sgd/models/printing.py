"""sympy expressions as Python text, in two dialects: scalar code for Numba, vector code for NumPy.  Imports sympy."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

LARGEST_PRODUCT = 8     # powers of symbols that are written as products
NUMPY_NAMES = {"asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan", "erf": "erf"}


def code(expression: Any, *, spelled: Mapping[str, str], vector: bool) -> str:
    """Return the text of an expression; `spelled` says how the symbols are written."""
    return _Code(spelled, vector=vector).doprint(expression)


def _product(base: str, exponent: int) -> str:
    """The text of a power as a product of halves, which a compiler computes once."""
    if exponent == 1:
        return base
    half = _product(base, exponent // 2)
    return f"({half}*{half}{f'*{base}' if exponent % 2 else ''})"


class _Code(StrPrinter):
    def __init__(self, spelled: Mapping[str, str], *, vector: bool) -> None:
        super().__init__({"order": None})
        self.spelled, self.vector = spelled, vector

    def _print_Symbol(self, e: Any) -> str:
        return self.spelled.get(e.name, e.name)

    def _print_Integer(self, e: Any) -> str:
        return str(int(e)) if abs(int(e)) < 2**31 else repr(float(e))

    def _print_Rational(self, e: Any) -> str:
        return f"({float(e)!r})" if e < 0 else repr(float(e))

    def _print_Float(self, e: Any) -> str:
        return f"({float(e)!r})"

    def _print_NumberSymbol(self, e: Any) -> str:
        return repr(float(e))

    _print_Pi = _print_Exp1 = _print_NumberSymbol

    def _print_Pow(self, e: Any, rational: bool = False) -> str:     # noqa: ARG002, the signature is sympy's
        if e.is_number:
            return repr(float(e))
        base, exponent = self.parenthesize(e.base, PRECEDENCE["Pow"] + 1), e.exp
        if exponent.is_Rational and exponent < 0:
            return f"(1.0/{self.parenthesize(e.base**-exponent, PRECEDENCE['Pow'])})"
        if exponent.is_Integer and exponent < 2**31:
            if e.base.is_Symbol and exponent <= LARGEST_PRODUCT:        # compiles in a tenth of the time, and NumPy needs no pow
                return _product(base, int(exponent))
            return f"{base}**{int(exponent)}"
        if exponent.is_Rational and exponent.q == 2:                # half-integer powers need a root only
            root = f"{'np' if self.vector else 'math'}.sqrt({self._print(e.base)})"
            return root if exponent.p == 1 else f"({self.parenthesize(e.base**(exponent.p // 2), PRECEDENCE['Mul'])}*{root})"
        power = "np.power" if self.vector else "math.pow"
        return f"{power}({self._print(e.base)}, {self._print(exponent)})"

    def _print_Mul(self, e: Any) -> str:
        # One quotient of two products: no integer quotients such as 1/3, and one division instead of several.
        coefficient, factors = e.as_coeff_mul()
        below = [f for f in factors if f.is_Pow and f.exp.is_Rational and f.exp < 0 and not f.is_number]
        above = [f for f in factors if f not in below]
        product = [self.parenthesize(f, PRECEDENCE["Mul"]) for f in above]
        if abs(coefficient) != 1 or not product:
            product.insert(0, self._print(abs(coefficient)))
        sign, text = "-" if coefficient < 0 else "", "*".join(product)
        if below:
            text += "/(" + "*".join(self.parenthesize(1/f, PRECEDENCE["Mul"]) for f in below) + ")"
        return sign + text

    def _print_Select(self, e: Any) -> str:
        u, a, b = map(self._print, e.args)
        return f"np.where({u} > 0, {a}, {b})" if self.vector else f"(({a}) if ({u}) > 0 else ({b}))"

    def _print_Function(self, e: Any) -> str:
        if e.is_number:
            return repr(float(e))
        name, argument = e.func.__name__, self._print(e.args[0])
        return f"{NUMPY_NAMES.get(name, 'np.' + name)}({argument})" if self.vector else f"math.{name}({argument})"

    def _print_cot(self, e: Any) -> str:                            # what sympy makes of tan(x + pi/2)
        return f"(1.0/{'np' if self.vector else 'math'}.tan({self._print(e.args[0])}))"

    def _print_Abs(self, e: Any) -> str:
        return f"abs({self._print(e.args[0])})"
