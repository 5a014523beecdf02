"""A field is a function of state, time and parameters with two faces.

The *scalar* face, ``f(x, t, p)`` with a float x (a tuple of floats when d > 1), is compiled into the steps of the kernels.  The
*vector* face, ``f(x, t, p)`` with an array x (..., d), serves everything that is computed with NumPy.  `SymbolicField` writes both
from sympy expressions, `FunctionField` wraps a function of the user's, `SumField` adds fields of either kind.

Parameters are named here and numbered in the compiled code: ``field.scalar(names)`` reads parameter ``names[k]`` as ``p[k]``.
"""
from __future__ import annotations

import dis
import functools
import inspect
import itertools
import linecache
import math
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.expressions import TIME, derivative, free_names, kink_functions, symbol

if TYPE_CHECKING:
    from sympy import Expr

Names = tuple[str, ...]
ScalarFunction = Callable[[Any, float, Any], Any]
VectorFunction = Callable[[Array, float, Sequence[float]], Array]


class Field(Protocol):
    """What every field offers; `shape` is () for a number, (d,) for a vector, (d, d) for a matrix."""

    @property
    def dim(self) -> int:
        """Number of components of the state."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""

    @property
    def parameters(self) -> Names:
        """Names of the parameters that the field reads."""

    def scalar(self, names: Names) -> ScalarFunction:
        """Return f(x, t, p) for one state, to be compiled by Numba."""

    def vector(self, names: Names) -> VectorFunction:
        """Return f(x, t, p) for an array of states (..., d), with values (..., *shape)."""

    def depends_on_time(self) -> bool:
        """Tell whether the value changes with t."""


@dataclass(frozen=True)
class SymbolicField:
    """A field given by sympy expressions, `shape` flattened row by row."""

    expressions: tuple[Expr, ...]
    variables: Names
    shape: tuple[int, ...] = ()

    @property
    def dim(self) -> int:
        """Number of components of the state."""
        return len(self.variables)

    @property
    def parameters(self) -> Names:
        """Names of all symbols that are neither components of the state nor the time."""
        return tuple(sorted(free_names(self.expressions) - {*self.variables, TIME}))

    def scalar(self, names: Names) -> ScalarFunction:
        """Return f(x, t, p) for one state, to be compiled by Numba."""
        return _function(_source(self, names, vector=False), vector=False)

    def vector(self, names: Names) -> VectorFunction:
        """Return f(x, t, p) for an array of states (..., d)."""
        return _function(_source(self, names, vector=True), vector=True)

    def depends_on_time(self) -> bool:
        """Tell whether t is among the symbols."""
        return TIME in free_names(self.expressions)

    def depends_on(self, names: Sequence[str]) -> bool:
        """Tell whether any of the named symbols occurs."""
        return bool(free_names(self.expressions) & set(names))

    def partial(self, k: int) -> SymbolicField:
        """Return the derivative with respect to component k of the state."""
        return SymbolicField(tuple(derivative(e, self.variables[k]) for e in self.expressions), self.variables, self.shape)

    def gradient(self) -> SymbolicField:
        """Return all first derivatives: one more axis, of length d."""
        columns = [derivative(e, v) for e in self.expressions for v in self.variables]
        return SymbolicField(tuple(columns), self.variables, (*self.shape, self.dim))

    def kink_functions(self) -> tuple[SymbolicField, ...]:
        """Return the functions whose zeros are where the pieces of the field meet."""
        return tuple(SymbolicField((e,), self.variables) for e in kink_functions(self.expressions))

    def __neg__(self) -> SymbolicField:
        return SymbolicField(tuple(-e for e in self.expressions), self.variables, self.shape)


@dataclass(frozen=True)
class FunctionField:
    """A field given by a numba-compilable function ``f(x)``, ``f(x, p)`` or ``f(x, t, p)``.

    x is a float in one dimension and a tuple of floats in more; p is a tuple with the values of `parameters`, in this order.
    """

    function: Callable[..., Any]
    dim: int
    shape: tuple[int, ...] = ()
    parameters: Names = ()

    def scalar(self, names: Names) -> ScalarFunction:
        """Return f(x, t, p) for one state, to be compiled by Numba."""
        return _adapted(self.function, self._positions(names))

    def vector(self, names: Names) -> VectorFunction:
        """Return f(x, t, p) for an array of states (..., d), as a compiled loop."""
        return _compiled_loop(self.function, self._positions(names), self.dim, self.shape)

    def _positions(self, names: Names) -> tuple[int, ...]:
        return tuple(names.index(name) for name in self.parameters)

    def depends_on_time(self) -> bool:
        """Tell whether the value changes with t at some sample of states: what a function does is seen only by calling it."""
        x = np.linspace(-1.3, 1.7, 5 * self.dim).reshape(5, self.dim)
        f, p = self.vector(self.parameters), (1.0,) * len(self.parameters)
        now = f(x, 0.0, p)
        return _argument_count(self.function) == 3 and any(
            not np.array_equal(now, f(x, t, p), equal_nan=True) for t in (0.37, 1.9, 10.3))


@dataclass(frozen=True)
class SumField:
    """A sum of fields of one shape, each with a factor: a number times a product of parameters."""

    terms: tuple[tuple[Field, float, Names], ...]

    @property
    def dim(self) -> int:
        """Number of components of the state."""
        return self.terms[0][0].dim

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.terms[0][0].shape

    @property
    def parameters(self) -> Names:
        """Names of the parameters of all terms and factors."""
        return tuple(sorted({name for field, _, factors in self.terms for name in (*field.parameters, *factors)}))

    def scalar(self, names: Names) -> ScalarFunction:
        """Return f(x, t, p) for one state, to be compiled by Numba."""
        return _sum_function(self, names)

    def vector(self, names: Names) -> VectorFunction:
        """Return f(x, t, p) for an array of states (..., d)."""
        parts = [(field.vector(names), c, [names.index(n) for n in ps]) for field, c, ps in self.terms]

        def total(x: Array, t: float, p: Sequence[float]) -> Array:
            return np.sum([c * math.prod(p[k] for k in ks) * f(x, t, p) for f, c, ks in parts], axis=0)
        return total

    def depends_on_time(self) -> bool:
        """Tell whether any term changes with t."""
        return any(field.depends_on_time() for field, _, _ in self.terms)


def add(terms: Sequence[tuple[Field, float, Names]]) -> Field:
    """Return the sum of fields: symbolic if all terms are."""
    terms = tuple(term for term in terms if term[1] != 0.0)
    fields = [field for field, _, _ in terms if isinstance(field, SymbolicField)]
    if len(terms) == 1 and terms[0][1:] == (1.0, ()):
        return terms[0][0]
    if len(fields) < len(terms):
        return SumField(terms)
    factors = [_exact(c) * math.prod(symbol(n) for n in ps) for _, c, ps in terms]
    sums = [sum(f * field.expressions[k] for f, field in zip(factors, fields, strict=True))
            for k in range(len(fields[0].expressions))]
    return SymbolicField(tuple(sums), fields[0].variables, fields[0].shape)


def renamed(field: Field, names: Mapping[str, str]) -> Field:
    """Return a field whose symbolic parts have other names for parameters."""
    if isinstance(field, SymbolicField):
        exchange = {symbol(old): symbol(new) for old, new in names.items()}
        return SymbolicField(tuple(e.xreplace(exchange) for e in field.expressions), field.variables, field.shape)
    if isinstance(field, SumField):
        return SumField(tuple((renamed(f, names), c, tuple(names.get(n, n) for n in ps)) for f, c, ps in field.terms))
    return field


def _exact(number: float) -> Expr:
    import sympy
    return sympy.Rational(number)


# ------------------------------------------------------------------------------------- writing code from expressions

@functools.lru_cache(maxsize=4096)
def _source(field: SymbolicField, names: Names, *, vector: bool) -> str:
    """The text of f(x, t, p), with common parts computed once."""
    import sympy

    from langevin_sgd.models.printing import code
    d, scalars = field.dim, field.shape == () or field.dim == 1
    position = {name: k for k, name in enumerate(names)}
    missing = [name for name in field.parameters if name not in position]
    if missing:
        raise ValueError(f"the parameter `{missing[0]}` has no value; give it by keyword, {missing[0]}=...")
    common, results = sympy.cse(field.expressions, symbols=(sympy.Symbol(f"_{k}") for k in range(10**6)))
    spelled = {v: f"x_{k}" for k, v in enumerate(field.variables)} | {TIME: "t"} | {n: f"p[{k}]" for n, k in position.items()}
    write = functools.partial(code, spelled=spelled, vector=vector)
    state = [f"x_{k} = x[..., {k}]" if vector else f"x_{k} = x" if d == 1 else f"x_{k} = x[{k}]" for k in range(d)]
    lines = state + [f"{s.name} = {write(e)}" for s, e in common]
    if vector:
        lines.append(f"out = np.empty(x.shape[:-1] + {(len(results),)!r})")
        lines += [f"out[..., {k}] = {write(e)}" for k, e in enumerate(results)]
        lines.append(f"return out.reshape(x.shape[:-1] + {field.shape!r})")
    else:
        values = [f"float({write(e)})" for e in results]
        nested = len(field.shape) == 2 and not scalars
        rows = ["(" + ", ".join(values[i * d:(i + 1) * d]) + ",)" for i in range(d)] if nested else values
        lines.append(f"return {values[0]}" if scalars else "return (" + ", ".join(rows) + ",)")
    return "def field(x, t, p):\n    " + "\n    ".join(lines)


@functools.lru_cache(maxsize=256)
def _sum_function(total: SumField, names: Names) -> ScalarFunction:
    scope: dict[str, Any] = {f"term{k}": field.scalar(names) for k, (field, _, _) in enumerate(total.terms)}
    factors = ["*".join([repr(c), *(f"p[{names.index(n)}]" for n in ps)]) for _, c, ps in total.terms]
    lines = [f"    v{k} = term{k}(x, t, p)" for k in range(len(total.terms))]
    scalars = total.shape == () or total.dim == 1
    parts = [" + ".join(f"{c}*v{k}{'' if scalars else f'[{j}]'}" for k, c in enumerate(factors)) for j in range(math.prod(total.shape))]
    lines.append(f"    return {parts[0] if scalars else '(' + ', '.join(parts) + ')'}")
    exec("def total(x, t, p):\n" + "\n".join(lines), scope)
    return scope["total"]


@functools.lru_cache(maxsize=4096)
def _function(source: str, *, vector: bool) -> Callable[..., Any]:
    """Make the function of a text that this module wrote; the same text is the same function, so nothing compiles twice."""
    scope: dict[str, Any] = {"math": math, "np": np}
    if "erf(" in source and vector:
        from scipy.special import erf
        scope["erf"] = erf
    exec(source, scope)
    function = scope["field"]
    return _quiet(function) if vector else function


def _quiet(function: VectorFunction) -> VectorFunction:
    """Let the branch of a `where` that is not taken overflow or divide by zero without a word, as it does in compiled code."""
    @functools.wraps(function)
    def quiet(x: Array, t: float, p: Sequence[float]) -> Array:
        with np.errstate(all="ignore"):
            return function(x, t, p)
    return quiet


# ------------------------------------------------------------------------------------------- the user's own functions

def _argument_count(function: Callable[..., Any]) -> int:
    """1, 2 or 3, for f(x), f(x, p), f(x, t, p)."""
    plain = getattr(function, "py_func", function)
    try:
        if not isinstance(plain, types.FunctionType):
            raise TypeError
        count = len([a for a in inspect.signature(plain).parameters.values()
                     if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD) and a.default is a.empty])
    except (TypeError, ValueError):
        raise ValueError(f"{function!r} must be a Python function f(x), f(x, p) or f(x, t, p): write one with def.") from None
    if count not in (1, 2, 3):
        raise ValueError(f"`{_name(function)}` takes {count} arguments, but must be f(x), f(x, p) or f(x, t, p): the state, "
                         "the time and the tuple of parameters.")
    return count


@functools.lru_cache(maxsize=1024)
def _adapted(function: Callable[..., Any], positions: tuple[int, ...]) -> ScalarFunction:
    """f(x, t, p) over all parameters, made from a function that takes fewer arguments and its own parameters only."""
    own = "(" + "".join(f"p[{k}], " for k in positions) + ")"
    call = {1: "x", 2: f"x, {own}", 3: f"x, t, {own}"}[_argument_count(function)]
    scope = {"function": function}
    exec(f"def adapted(x, t, p):\n    return function({call})", scope)
    return scope["adapted"]


@functools.lru_cache(maxsize=256)
def _compiled_loop(function: Callable[..., Any], positions: tuple[int, ...], dim: int, shape: tuple[int, ...]) -> VectorFunction:
    """The vector face of a user's function; what Numba can't compile is told with the user's own line."""
    import numba
    _argument_count(function)
    compiled = functools.partial(numba.njit, error_model="numpy")
    jitted = function if hasattr(function, "py_func") else compiled(function)
    size, state = math.prod(shape), "x[i, 0]" if dim == 1 else "(" + ", ".join(f"x[i, {k}]" for k in range(dim)) + ")"
    scope = {"one": compiled(_adapted(jitted, positions))}
    exec("\n    ".join(["def loop(x, t, p, out):", "for i in range(len(x)):", f"    v = one({state}, t, p)"]
                       + [f"    out[i, {j}] = v{_index(j, shape, dim)}" for j in range(size)]), scope)
    loop = compiled(scope["loop"])

    def vector(x: Array, t: float, p: Sequence[float]) -> Array:
        flat = np.ascontiguousarray(x, dtype=float).reshape(-1, dim)
        out = np.empty((len(flat), size))
        try:
            loop(flat, float(t), tuple(map(float, p)), out)
        except (numba.core.errors.NumbaError, numba.core.errors.UnsupportedBytecodeError) as error:
            kind = "a float" if shape == () or dim == 1 else f"a tuple of shape {shape}"
            given = "the state as a float" if dim == 1 else f"the state as a tuple of {dim} floats"
            raise ValueError(retold(error, function, given, kind)) from None
        return out.reshape(x.shape[:-1] + shape)
    return vector


def _index(j: int, shape: tuple[int, ...], dim: int) -> str:
    """How entry j of the returned value is reached: a float in one dimension, tuples (of tuples) in more."""
    if shape == () or dim == 1:
        return ""
    return f"[{j}]" if len(shape) == 1 else f"[{j // shape[1]}][{j % shape[1]}]"


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def retold(error: Exception, function: Callable[..., Any], given: str, kind: str) -> str:
    """Return Numba's error in one sentence, with the line of the user's function that caused it, what that is given and must return."""
    source = getattr(function, "py_func", function).__code__
    # Numba writes the path of the file relative to the working directory, where that is shorter.
    told = re.findall(r'File "[^"]*' + re.escape(os.path.basename(source.co_filename)) + r'", line (\d+)', str(error))
    line = int(told[-1]) if told else source.co_firstlineno
    sentences = (s.strip() for s in str(error).splitlines())
    reason = next((s for s in sentences if s and not s.startswith("Failed in")), "it does not say why")
    if _returns_nothing(source):
        reason = "the function returns nothing, it has no `return`"
    return (f"Numba cannot compile your function `{_name(function)}` (line {line}: "
            f"{linecache.getline(source.co_filename, line).strip()!r}): {reason[:200]}. The function gets {given} and "
            f"must return {kind}.")


def _returns_nothing(code: types.CodeType) -> bool:
    """Whether a function ends with None on all its ways, of which Numba speaks as of a conversion somewhere in its own code."""
    steps = itertools.pairwise(dis.get_instructions(code))
    ends = [before if step.opname == "RETURN_VALUE" else step for before, step in steps if step.opname in ("RETURN_VALUE", "RETURN_CONST")]
    return all(end.opname in ("LOAD_CONST", "RETURN_CONST") and end.argval is None for end in ends)
