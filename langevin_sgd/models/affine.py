"""Fields that are linear in the state, f(x) = F x + a: seen in expressions, or kept as a matrix where expressions would be too many."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.expressions import symbol
from langevin_sgd.models.fields import Field, Names, ScalarFunction, SymbolicField, VectorFunction

if TYPE_CHECKING:
    from sympy import Expr


@dataclass(frozen=True, eq=False)
class AffineField:
    """The field F x + a as its numbers: for so many components that expressions with d² symbols would take longer than the simulation."""

    matrix: Array
    offset: Array

    @property
    def dim(self) -> int:
        """Number of components of the state."""
        return len(self.offset)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value: a vector."""
        return (self.dim,)

    @property
    def parameters(self) -> Names:
        """It reads no parameter that has a name."""
        return ()

    def scalar(self, names: Names) -> ScalarFunction:                   # noqa: ARG002
        """Refuse: for what is compiled the matrix has to be written out."""
        raise ValueError(f"a matrix of {self.dim} components is not written out as a function to be compiled; "
                         "give the drift as a function or as expressions.")

    def vector(self, names: Names) -> VectorFunction:                   # noqa: ARG002
        """Return f(x, t, p) for an array of states (..., d)."""
        def values(x: Array, t: float, p: Sequence[float]) -> Array:    # noqa: ARG001
            return x @ self.matrix.T + self.offset
        return values

    def depends_on_time(self) -> bool:
        """Its numbers are constant."""
        return False


def affine_parts(field: Field, values: Mapping[str, float]) -> tuple[Array, Array] | None:
    """Return F and a of a field that is seen to be F x + a with constant numbers; None for any other, and for functions.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.SDE(["k*(y - 2)", "-x/k"], ls.noise.Constant(1.0), k=0.5)
    >>> affine_parts(sde.drift_field, sde.values)
    (array([[ 0. ,  0.5],
           [-2. ,  0. ]]), array([-1.,  0.]))
    """
    if isinstance(field, AffineField):
        return field.matrix, field.offset
    if not isinstance(field, SymbolicField) or field.depends_on_time():
        return None
    rows = [_coefficients(expression, field.variables) for expression in field.expressions]
    found = [row for row in rows if row is not None]
    if len(found) < len(rows):
        return None
    places = [(i, j) for i, row in enumerate(found) for j in row]
    numbers = _numbers([row[j] for row in found for j in row], field.variables, values)
    table = np.zeros((len(rows), field.dim + 1))
    for (i, j), number in zip(places, numbers, strict=True):
        table[i, j] = number
    return np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()


def _coefficients(expression: Expr, variables: Names) -> dict[int, Expr] | None:
    """The coefficient of each component, and under its number d the constant; None where the expression is not linear."""
    import sympy
    components = [symbol(name) for name in variables]
    position = {component: j for j, component in enumerate(components)} | {sympy.Integer(1): len(variables)}
    for form in (expression, sympy.expand(expression)):
        terms = [term.as_independent(*components, as_Add=False) for term in sympy.Add.make_args(form) if term != 0]
        if all(rest in position for _, rest in terms):
            sums: dict[int, Any] = {}
            for coefficient, rest in terms:
                sums[position[rest]] = sums.get(position[rest], 0) + coefficient
            return sums
    return None


def _numbers(coefficients: Sequence[Expr], variables: Names, values: Mapping[str, float]) -> list[float]:
    """The values of expressions without the state."""
    plain = {symbol(name): value for name, value in values.items()}
    harder = [c for c in coefficients if c not in plain]
    names = tuple(values)
    evaluated = SymbolicField(tuple(harder), variables, (len(harder),)).vector(names) if harder else None
    rest = iter(evaluated(np.zeros(len(variables)), 0.0, tuple(values.values()))) if evaluated else iter(())
    return [plain[c] if c in plain else float(next(rest)) for c in coefficients]
