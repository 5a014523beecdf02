"""What a noise model is to the rest of the library: the covariance C(x, t), in one of four structures.

The structure decides how a step draws noise, and how drifts are converted between interpretations: where C = s(x) M, or C is
diagonal, the added drift is α ∇·D for every α; for a full matrix the Stratonovich drift depends on the factor, which is then the
symmetric square root.
"""
from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.expressions import derivative, symbol
from langevin_sgd.models.fields import Field, FunctionField, Names, SymbolicField

if TYPE_CHECKING:
    from sympy import Expr


class Structure(Enum):
    """How C depends on the state."""

    COMPONENTWISE = "a variance for each component: C = diag(c_1(x), ..., c_d(x))"
    MODULATED = "one number times a constant matrix: C = s(x) M"
    FULL = "a matrix of functions: C(x)"
    FACTOR = "a matrix of functions that is a factor: C = G(x) G(x)ᵀ"


@dataclass(frozen=True)
class Covariance:
    """The covariance C(x, t) of the noise, for a state of `dim` components.

    Parameters
    ----------
    structure
        What `field` means: the variances (d,), the modulation (), the matrix C (d, d), or its factor G (d, d).
    field
        See above.
    matrix
        The constant positive semi-definite matrix M of `Structure.MODULATED`.
    divergence
        The field Σ_j ∂_j C_ij, or None where it is not known: then only Itô can be offered.
    values
        Values of the parameters that the fields read, by name.
    """

    structure: Structure
    field: Field
    matrix: Array | None = None
    divergence: Field | None = None
    values: Mapping[str, float] = dataclass_field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Number of components of the state."""
        return self.field.dim

    @property
    def eigenvectors_are_constant(self) -> bool:
        """Tell whether α = 1 and the divergence form are the same process."""
        return self.structure in (Structure.COMPONENTWISE, Structure.MODULATED) or self.is_constant

    @property
    def is_constant(self) -> bool:
        """Tell whether C is seen not to depend on the state."""
        return isinstance(self.field, SymbolicField) and not self.field.depends_on(self.field.variables)

    def at(self, x: Array, t: float, values: Mapping[str, float]) -> Array:
        """Return C at states x (..., d), with shape (..., d, d)."""
        names = tuple(values)
        v = self.field.vector(names)(x, t, tuple(values.values()))
        match self.structure:
            case Structure.COMPONENTWISE:
                return v[..., None] * np.eye(self.dim)
            case Structure.MODULATED:
                return v[..., None, None] * np.asarray(self.matrix)
            case Structure.FULL:
                return v
        return v @ np.swapaxes(v, -1, -2)

    def added_drift(self) -> Field | None:
        """Return the Stratonovich correction over ε/2, that is Σ_jk G_jk ∂_j G_ik with G Gᵀ = C; None where it is not known."""
        if self.eigenvectors_are_constant or self.divergence is None:
            return None
        if self.structure is Structure.FULL and self.dim == 2 and isinstance(self.field, SymbolicField):
            return _root_correction(self.field)
        return None

    def milstein_slope(self) -> Field | None:
        """Return the derivative of each component's variance with respect to that component, if it depends on no other.

        None means that Milstein's scheme would need the areas between Wiener processes.
        """
        if self.structure is not Structure.COMPONENTWISE or self.divergence is None:
            return None
        if self.dim > 1:
            if not isinstance(self.field, SymbolicField):
                return None
            for k, variance in enumerate(self.field.expressions):
                others = [v for j, v in enumerate(self.field.variables) if j != k]
                if SymbolicField((variance,), self.field.variables).depends_on(others):
                    return None
        return self.divergence


def from_variances(variances: tuple[Expr, ...], variables: Names, values: Mapping[str, float]) -> Covariance:
    """Return diag(c_1, ..., c_d) from expressions."""
    c = SymbolicField(variances, variables, (len(variances),))
    slopes = tuple(derivative(variance, name) for variance, name in zip(variances, variables, strict=True))
    return Covariance(Structure.COMPONENTWISE, c, None, SymbolicField(slopes, variables, c.shape), values)


def from_modulation(modulation: Expr, matrix: Array, variables: Names, values: Mapping[str, float]) -> Covariance:
    """Return s(x) M from an expression and a constant matrix; where M is diagonal, this is a variance for each component."""
    import sympy
    d = len(variables)
    if not np.any(matrix - np.diag(np.diag(matrix))):
        scales = [symbol(f"noise.matrix[{i}]") for i in range(d)]
        values = {**values, **{m.name: float(matrix[i, i]) for i, m in enumerate(scales)}}
        return from_variances(tuple(m * modulation for m in scales), variables, values)
    s = SymbolicField((modulation,), variables)
    if not s.depends_on(variables):         # and d² names would stand for nothing
        return Covariance(Structure.MODULATED, s, matrix, SymbolicField((sympy.Integer(0),) * d, variables, (d,)), values)
    entries = [[symbol(f"noise.matrix[{min(i, j)},{max(i, j)}]") for j in range(d)] for i in range(d)]
    values = {**values, **{entries[i][j].name: float(matrix[i, j]) for i in range(d) for j in range(i, d)}}
    gradient = s.gradient().expressions
    divergence = tuple(sum(m * slope for m, slope in zip(row, gradient, strict=True)) for row in entries)
    return Covariance(Structure.MODULATED, s, matrix, SymbolicField(divergence, variables, (d,)), values)


def from_matrix(entries: tuple[Expr, ...], variables: Names, values: Mapping[str, float]) -> Covariance:
    """Return the matrix C(x) from its d² expressions; a matrix that is diagonal becomes componentwise."""
    d = len(variables)
    if all(entries[i * d + j] == 0 for i in range(d) for j in range(d) if i != j):
        return from_variances(tuple(entries[i * d + i] for i in range(d)), variables, values)
    c = SymbolicField(entries, variables, (d, d))
    partials = [c.partial(j).expressions for j in range(d)]
    divergence = tuple(sum(partials[j][i * d + j] for j in range(d)) for i in range(d))
    return Covariance(Structure.FULL, c, None, SymbolicField(divergence, variables, (d,)), values)


def from_factor(factor: FunctionField, divergence: FunctionField | None, values: Mapping[str, float]) -> Covariance:
    """Return G(x) G(x)ᵀ from a function; in one dimension, the variance g(x)²."""
    if factor.dim == 1:
        return Covariance(Structure.COMPONENTWISE, Squared(replace(factor, shape=(1,))), None, divergence, values)
    return Covariance(Structure.FACTOR, factor, None, divergence, values)


def symmetric_root(matrix: Array) -> Array:
    """Return B with B Bᵀ = M for a symmetric M, also a singular one: the symmetric root, diagonal where M is."""
    if not np.any(matrix - np.diag(np.diag(matrix))):
        return np.diag(np.sqrt(np.maximum(np.diag(matrix), 0.0)))
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return np.ascontiguousarray((vectors * np.sqrt(np.maximum(eigenvalues, 0.0))) @ vectors.T)


@dataclass(frozen=True)
class Squared:
    """The square of a one-dimensional field."""

    root: Field
    dim: int = 1
    shape: tuple[int, ...] = (1,)

    @property
    def parameters(self) -> Names:
        """Names of the parameters of the root."""
        return self.root.parameters

    def scalar(self, names: Names) -> Any:
        """Return f(x, t, p) for one state, to be compiled by Numba."""
        return _squared(self.root.scalar(names))

    def vector(self, names: Names) -> Any:
        """Return f(x, t, p) for an array of states (..., 1)."""
        root = self.root.vector(names)
        return lambda x, t, p: root(x, t, p)**2

    def depends_on_time(self) -> bool:
        """Tell whether the root changes with t."""
        return self.root.depends_on_time()


@functools.lru_cache(maxsize=256)
def _squared(root: Any) -> Any:
    scope: dict[str, Any] = {"root": root}
    exec("def squared(x, t, p):\n    g = root(x, t, p)\n    return g * g", scope)
    return scope["squared"]


def _root_correction(c: SymbolicField) -> SymbolicField:
    """Σ_jk G_jk ∂_j G_ik for the symmetric root of a 2 x 2 matrix, G = (C + √det C) / √(tr C + 2 √det C)."""
    import sympy
    c11, c12, _, c22 = c.expressions
    root = sympy.sqrt(c11 * c22 - c12**2)
    scale = sympy.sqrt(c11 + c22 + 2 * root)
    g = SymbolicField(((c11 + root) / scale, c12 / scale, c12 / scale, (c22 + root) / scale), c.variables, (2, 2))
    slopes = [g.partial(j).expressions for j in range(2)]
    terms = tuple(sum(g.expressions[2 * j + k] * slopes[j][2 * i + k] for j in range(2) for k in range(2)) for i in range(2))
    return SymbolicField(terms, c.variables, (2,))
