"""The A-type convention: an equation built from what its stationary law exp(−φ), its noise D and its circulation Q should be.

The Itô drift is b = −(D + Q) ∇φ + ∇·(D + Q), with (∇·Q)_i = Σ_j ∂_j Q_ij (`theory`, 1.4 and 6.1), so that the flux of exp(−φ) is
J = ∇·(Q exp(−φ)), which has no divergence because Q is antisymmetric.  In one dimension that is the Klimontovich convention; in more it
is no α: leaving out ∇·Q gives another process.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models import covariance as structures
from langevin_sgd.models.covariance import Covariance
from langevin_sgd.models.fields import Names, SymbolicField
from langevin_sgd.models.noise_families import Anisotropic
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.strength import Strength

if TYPE_CHECKING:
    from sympy import Expr


def a_type_drift(potential: SymbolicField, d: SymbolicField, q: SymbolicField) -> SymbolicField:
    """Return F = −(D + Q) ∇φ."""
    slope, n = potential.gradient().expressions, potential.dim
    rows = (sum((d.expressions[i * n + j] + q.expressions[i * n + j]) * slope[j] for j in range(n)) for i in range(n))
    return SymbolicField(tuple(-row for row in rows), potential.variables, (n,))


def divergence(matrix: SymbolicField) -> SymbolicField:
    """Return Σ_j ∂_j M_ij of a matrix of functions."""
    n = matrix.dim
    partials = [matrix.partial(j).expressions for j in range(n)]
    return SymbolicField(tuple(sum(partials[j][i * n + j] for j in range(n)) for i in range(n)), matrix.variables, (n,))


def a_type(potential: SymbolicField, d: SymbolicField, q: SymbolicField, values: Mapping[str, float], text: str) -> SDE:
    """Return the A-type process with these parts, as an Itô equation with ε = 1 and C = 2 D."""
    parts = (a_type_drift(potential, d, q), divergence(d), divergence(q))
    b = tuple(sum(terms) for terms in zip(*(part.expressions for part in parts), strict=True))
    drift = SymbolicField(b, potential.variables, (potential.dim,))
    sde = SDE.__new__(SDE)
    own = {name: values[name] for name in drift.parameters}
    sde._set(drift, text, _noise(d, values), Strength(strength=1.0), "ito", own, variables=potential.variables)
    return sde


def _noise(d: SymbolicField, values: Mapping[str, float]) -> Any:
    if all(entry.is_number for entry in d.expressions):
        return Anisotropic(2 * np.array([float(entry) for entry in d.expressions]).reshape(d.shape))
    return _Doubled(d, {name: values[name] for name in d.parameters})


@dataclass(frozen=True, eq=False)
class _Doubled:
    """The noise C = 2 D."""

    d: SymbolicField
    values: Mapping[str, float]

    def covariance(self, variables: Names) -> Covariance:
        doubled: tuple[Expr, ...] = tuple(2 * entry for entry in self.d.expressions)
        return structures.from_matrix(doubled, variables, self.values)

    def replace(self, **values: float) -> _Doubled:
        return _Doubled(self.d, {**self.values, **values})

    def __repr__(self) -> str:
        n = self.d.dim
        return f"2 D, D = {[[str(e) for e in self.d.expressions[i * n:(i + 1) * n]] for i in range(n)]}"
