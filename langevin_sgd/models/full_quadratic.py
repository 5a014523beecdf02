"""Noise whose covariance matrix is quadratic in all components: what minibatches of quadratic samples have in more than one dimension."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models import covariance as structures
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import Covariance
from langevin_sgd.models.expressions import symbol
from langevin_sgd.models.fields import Names

PROBES, SEED = 64, 1            # states at which a fitted matrix is checked to be a covariance


@dataclass(frozen=True, eq=False)
class FullQuadratic:
    """C_ij = constant_ij + 2 linear_ijk δ_k + quadratic_ijkl δ_k δ_l, summed over k and l, with δ = w − center: for up to 4 weights."""

    constant: Array
    linear: Array
    quadratic: Array
    center: Array

    @property
    def values(self) -> Mapping[str, float]:
        """This noise has no named parameters."""
        return {}

    def covariance(self, variables: Names) -> Covariance:
        """Return C for a state with these components."""
        d = len(self.center)
        if len(variables) != d:
            raise ValueError(f"the measured noise has {d} components, but the equation has {len(variables)}.")
        values: dict[str, float] = {}

        def named(name: str, value: float) -> Any:
            values[name] = float(value)
            return symbol(name)

        delta = [symbol(v) - named(f"noise.center[{k}]", self.center[k]) for k, v in enumerate(variables)]
        entries: list[list[Any]] = [[None] * d for _ in range(d)]
        for i in range(d):
            for j in range(i + 1):
                entry = named(f"noise.constant[{i},{j}]", self.constant[i, j])
                for k in range(d):
                    entry += 2 * named(f"noise.linear[{i},{j},{k}]", self.linear[i, j, k]) * delta[k]
                    for m in range(k + 1):
                        twice = 1 if k == m else 2
                        entry += named(f"noise.quadratic[{i},{j},{k},{m}]", twice * self.quadratic[i, j, k, m]) * delta[k] * delta[m]
                entries[i][j] = entries[j][i] = entry
        return structures.from_matrix(tuple(e for row in entries for e in row), variables, values)

    def lowest(self, radius: float) -> float:
        """Return the smallest eigenvalue of C at states within a radius, zero if it is negative by rounding only."""
        d = len(self.center)
        delta = np.random.default_rng(SEED).normal(size=(PROBES, d))
        delta *= radius / np.linalg.norm(delta, axis=1, keepdims=True) * np.linspace(0, 1, PROBES)[:, None]
        c = self.constant + 2 * np.einsum("ijk,nk->nij", self.linear, delta) + np.einsum("ijkl,nk,nl->nij", self.quadratic, delta, delta)
        eigenvalues = np.linalg.eigvalsh(c)
        least = float(eigenvalues[:, 0].min())
        return least if least < -1e-9 * float(eigenvalues.max()) else 0.0

    def replace(self, **values: float) -> FullQuadratic:
        """Return the same noise: it has no named parameters."""
        if values:
            raise ValueError(f"measured noise has no parameter called {next(iter(values))!r}.")
        return self
