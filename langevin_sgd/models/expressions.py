"""Texts become sympy expressions: by this parser's own whitelist over Python's syntax tree, never by evaluation.

Decimal literals become exact rationals, so that derivatives are exact.  Everything with a kink (abs, sign, min, max, where) becomes a
`Select`, whose derivative is that of each piece, and whose conditions tell where the kinks are.
"""
from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sympy import Expr

SMOOTH = ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "erf")
KINKED = ("abs", "sign", "min", "max", "where")
FUNCTIONS = SMOOTH + KINKED
CONSTANTS = ("pi",)
TIME = "t"
LONGEST = 20_000                # characters: texts are written by people
EXACT = 20_000                  # bits: longer powers of numbers are rounded
OUT_OF_RANGE = "is a number outside the range of floats"


def symbol(name: str) -> Expr:
    """Return the real symbol of this name."""
    import sympy
    return sympy.Symbol(name, real=True)


def parse(text: str | float) -> Expr:
    """Return the sympy expression of a text or number.

    Parameters
    ----------
    text
        Arithmetic (``+ - * / **``), the functions in `FUNCTIONS`, ``pi``, numbers, and names, which become real symbols.

    Raises
    ------
    ValueError
        For anything else: attribute access, other calls, indexing, strings, assignments.  The text is never evaluated.

    Examples
    --------
    >>> parse("(x**2 - 1)**2 / 4")
    (x**2 - 1)**2/4
    """
    if isinstance(text, Real) and not isinstance(text, bool):
        number = int(text) if isinstance(text, Integral) else float(text)
        return _constant(number, repr(number))
    if not isinstance(text, str):
        raise ValueError(f"an expression must be a text or a number, but {text!r} came.")
    return _parsed(text)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Expr:
    if len(text) > LONGEST:
        raise ValueError(f"the expression has {len(text)} characters, but at most {LONGEST} are read; "
                         "give a numba-compilable function instead.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        expression = _Reader(text).value(tree.body)
    except (SyntaxError, UnicodeError) as error:
        why = error.msg if isinstance(error, SyntaxError) else error
        raise ValueError(f"the expression {_shown(text)} is not valid Python arithmetic: {why}.") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"the expression {_shown(text)} is nested too deeply to be read.") from None
    return _must_be_real(expression, text)


def free_names(expressions: Iterable[Expr]) -> set[str]:
    """Return the names of all symbols in the expressions."""
    return {s.name for e in expressions for s in e.free_symbols}


def variable_names(texts: Sequence[str | float], given: Sequence[str] | None, parameters: Iterable[str],
                   dim: int | None = None) -> tuple[str, ...]:
    """Return the names of the state's components: those given, or x; x, y; x, y, z; x1 ... xn as the texts use them.

    A name that was given by keyword is a parameter, whatever it is.
    """
    if given is not None:
        names = tuple(str(name) for name in given)
        bad = [n for n in names if not n.isidentifier() or n == TIME or n in FUNCTIONS + CONSTANTS]
        if bad or len(set(names)) < len(names) or not names:
            raise ValueError(f"`variables` is {given!r}, but must be different names, none of them a known function, "
                             "`pi` or the time `t`.")
        return names
    used = free_names(parse(text) for text in texts) - set(parameters)
    numbered = sorted(int(n[1:]) for n in used if re.fullmatch(r"x[1-9][0-9]*", n))
    if numbered and not used & {"x", "y", "z"}:
        return tuple(f"x{k + 1}" for k in range(max(numbered[-1], dim or 0)))
    if dim is not None and dim > 3:
        return tuple(f"x{k + 1}" for k in range(dim))
    least = 3 if "z" in used else 2 if "y" in used else 1
    return ("x", "y", "z")[:max(least, dim or 0)]


def derivative(expression: Expr, name: str) -> Expr:
    """Return the derivative with respect to one symbol; at a kink, that of the piece that holds there."""
    from langevin_sgd.models.pieces import smooth_pieces
    return smooth_pieces(expression.diff(symbol(name)))


def kink_functions(expressions: Iterable[Expr]) -> list[Expr]:
    """Return the expressions whose zeros are where pieces meet."""
    from langevin_sgd.models.pieces import Select
    return sorted({select.args[0] for e in expressions for select in e.atoms(Select)}, key=str)


# ---------------------------------------------------------------------------------------------------- reading the tree

class _Reader:
    """One walk over a syntax tree; whatever is not named here is refused."""

    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=value) if isinstance(value, (int, float)) and not isinstance(value, bool):
                return _constant(value, ast.get_source_segment(self.text.strip(), node) or repr(value))
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand)
            case ast.BinOp(op=operator, left=left, right=right):
                return self.in_range(node, self.arithmetic(node, operator, self.value(left), self.value(right)))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return self.in_range(node, self.call(name, arguments))
            case ast.Compare() | ast.BoolOp():
                raise self.refuse(node, "is a condition, which belongs in the first place of where(condition, a, b)")
            case ast.Call(func=ast.Name(id=name)):
                raise self.refuse(node, f"calls {name!r}, and the known functions are {', '.join(FUNCTIONS)}")
            case ast.Attribute():
                raise self.refuse(node, "is an attribute access, and an expression has none")
        raise self.refuse(node, "is neither arithmetic nor a known function")

    def name(self, name: str) -> Expr:
        import sympy
        if name in FUNCTIONS:
            raise ValueError(f"in the expression {_shown(self.text)}, {name!r} is a function; write {name}(...).")
        return sympy.pi if name == "pi" else symbol(name)

    def arithmetic(self, node: ast.expr, operator: ast.operator, a: Expr, b: Expr) -> Expr:
        match operator:
            case ast.Add():
                return a + b
            case ast.Sub():
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                return a / b
            case ast.Pow():
                return self.power(node, a, b)
            case ast.BitXor():
                raise self.refuse(node, "uses ^, and a power is written **")
        raise self.refuse(node, "uses an operator other than + - * / **")

    def power(self, node: ast.expr, a: Expr, b: Expr) -> Expr:
        """Return a**b.  Exact arithmetic on numbers such as 9**9**9 would never end: look at the size of the result first."""
        import sympy
        if not b.is_number:
            if a.is_number and not a.is_positive:
                raise self.refuse(node, "is a power of a number that is not positive, and real for a few exponents only")
            return a**b
        constant, rest = a.as_independent(*a.free_symbols, as_Add=False) if a.free_symbols else (a, sympy.Integer(1))
        if constant in (0, 1, -1):
            return a**b
        exponent, size = abs(float(b)), abs(float(constant))
        if size == 0 or exponent * abs(math.log10(size)) > 400:
            raise self.refuse(node, OUT_OF_RANGE)
        if exponent * (max(constant.p.bit_length(), constant.q.bit_length()) if constant.is_Rational else 64) < EXACT:
            return a**b
        rounded = sympy.Rational(float(sympy.Pow(abs(constant), b, evaluate=False)))    # 1.0000001**1000000 fits, its digits don't
        return rounded * (sympy.sign(constant) * rest)**b

    def call(self, name: str, nodes: Sequence[ast.expr]) -> Expr:
        import sympy

        from langevin_sgd.models import pieces
        expected = {"where": 3}.get(name, 2 if name in ("min", "max") else 1)
        if len(nodes) != expected and not (name in ("min", "max") and len(nodes) > 2):
            raise ValueError(f"in the expression {_shown(self.text)}, {name} takes {expected} "
                             f"argument{'s' * (expected > 1)}, not {len(nodes)}.")
        if name == "where":
            return self.choice(nodes[0], self.value(nodes[1]), self.value(nodes[2]))
        kinked = {"abs": pieces.absolute, "sign": pieces.sign, "min": pieces.smallest, "max": pieces.greatest}
        return (kinked.get(name) or getattr(sympy, name))(*map(self.value, nodes))

    def choice(self, condition: ast.expr, a: Expr, b: Expr) -> Expr:
        """Return a where the condition holds and b elsewhere; and, or, not become choices within choices."""
        match condition:
            case ast.BoolOp(op=ast.And(), values=values):
                return functools.reduce(lambda inner, c: self.choice(c, inner, b), reversed(values), a)
            case ast.BoolOp(op=ast.Or(), values=values):
                return functools.reduce(lambda inner, c: self.choice(c, a, inner), reversed(values), b)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.choice(operand, b, a)
            case ast.Compare(left=left, ops=operators, comparators=rights):
                sides, chosen = [self.value(side) for side in (left, *rights)], a
                for k in reversed(range(len(operators))):
                    chosen = self.comparison(condition, operators[k], sides[k], sides[k + 1], chosen, b)
                return chosen
        raise self.refuse(condition, "is not a condition (a comparison, or several with and, or, not)")

    def comparison(self, node: ast.expr, operator: ast.cmpop, left: Expr, right: Expr, a: Expr, b: Expr) -> Expr:
        from langevin_sgd.models.pieces import Select
        u = left - right
        match operator:
            case ast.Gt():
                return Select(u, a, b)
            case ast.LtE():
                return Select(u, b, a)
            case ast.Lt():
                return Select(-u, a, b)
            case ast.GtE():
                return Select(-u, b, a)
            case ast.Eq():
                return Select(u, b, Select(-u, b, a))
            case ast.NotEq():
                return Select(u, a, Select(-u, a, b))
        raise self.refuse(node, "is not one of the comparisons < <= > >= == !=")

    def in_range(self, node: ast.expr, constant: Expr) -> Expr:
        """Refuse a constant that is not real or fits no float, before anything larger is made of it."""
        if constant.is_number and (why := _unfit(constant)):
            raise self.refuse(node, why)
        return constant

    def refuse(self, node: ast.AST, why: str) -> ValueError:
        part = ast.get_source_segment(self.text.strip(), node) or self.text
        return ValueError(f"in the expression {_shown(self.text)}, {_shown(part)} {why}.")


def _constant(value: float, text: str) -> Expr:
    import sympy
    if isinstance(value, int):
        if abs(value) > 10**300:
            raise ValueError(f"the number {text[:20]}... in an expression is outside the range of floats.")
        return sympy.Integer(value)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} in an expression is not finite.")
    if value == 0:
        if re.search("[1-9]", re.split("[eE]", text)[0]):
            raise ValueError(f"the number {text[:20]} in an expression is below the range of floats.")
        return sympy.Integer(0)
    try:
        return sympy.Rational(text.replace("_", ""))
    except (TypeError, ValueError):
        return sympy.Rational(repr(value))


def _must_be_real(expression: Expr, text: str) -> Expr:
    import sympy

    from langevin_sgd.models.pieces import smooth_pieces
    constants = sorted((e for e in expression.atoms(sympy.Atom, sympy.Pow, sympy.Function) if e.is_number), key=str)
    for why in filter(None, map(_unfit, constants)):
        raise ValueError(f"the expression {_shown(text)} {why}.")
    return smooth_pieces(expression)


def _unfit(constant: Expr) -> str:
    """Say why a constant can't stand in an expression; "" if it can."""
    import sympy

    from langevin_sgd.models.pieces import Select
    if constant.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        return "divides by zero or is infinite for every state"
    if constant.has(Select):
        return ""
    try:
        number = float(constant)
    except TypeError:
        return "is not real: it takes a root, a logarithm or an inverse function of a number for which it is not real"
    except OverflowError:
        return OUT_OF_RANGE
    return OUT_OF_RANGE if math.isinf(number) or (number == 0 and constant.is_Rational and constant != 0) else ""


def _shown(text: str) -> str:
    """The text in quotes, or its beginning if it is long."""
    return repr(text) if len(text) <= 200 else f"{text[:60]!r}..."
