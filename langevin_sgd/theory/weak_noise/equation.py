"""What the theory of weak noise needs of an equation: f and C as they are written, with their derivatives, at many states at once.

The action is that of the limit ε → 0 with f and C fixed (`theory`, 8.5).  The conventions differ by drifts of order ε, which is why
it is the same in all of them, and why the drift is taken as it was given, before any rewriting.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import Structure
from langevin_sgd.models.fields import Field, SymbolicField
from langevin_sgd.models.sde import SDE

STEP = 1e-3                     # of differences, for functions that cannot be derived exactly, over the scale of the states


class WeakNoise:
    """f, C and their derivatives at states (n, d): the `Hamiltonian` H = ⟨f, θ⟩ + ⟨θ, C θ⟩ / 2 of an equation."""

    name = "an attractor"

    def __init__(self, sde: SDE, scale: float = 1.0) -> None:
        self.sde, self.dim = sde, sde.dim
        self._names, self._values = tuple(sde.values), tuple(sde.values.values())
        self._step = STEP * scale
        self.drift = self._evaluator(sde.drift_field)
        self.jacobian = self._derivative(sde.drift_field)
        self._slope = self._derivative(sde.covariance.field)

    def covariance(self, x: Array) -> Array:
        """Return C, (n, d, d)."""
        return self.sde.covariance.at(x, 0.0, self.sde.values)

    def covariance_slopes(self, x: Array) -> Array:
        """Return ∂_k C_ij as (n, i, j, k)."""
        c = self.sde.covariance
        if c.is_constant:
            return np.zeros((len(x),) + (self.dim,) * 3)
        if c.structure is Structure.FACTOR:
            return self._differences(self.covariance)(x)
        slopes = self._slope(x)
        if c.structure is Structure.COMPONENTWISE:
            return slopes[:, :, None, :] * np.eye(self.dim)[:, :, None]
        if c.structure is Structure.MODULATED:
            return slopes[:, None, None, :] * np.asarray(c.matrix)[:, :, None]
        return slopes

    def kinks(self, low: float, high: float) -> list[float]:
        """Return where the formulas of f or C have kinks, in one dimension."""
        return self.sde.kinks(low, high)

    def lagrangian(self, x: Array, v: Array) -> Array:
        """Return |v| |f| − ⟨v, f⟩ in the metric C⁻¹, (n,).

        Written so that it does not cancel where v and f are nearly parallel: |v| |f| − ⟨v, f⟩ = | |f| v − |v| f |² / (2 |v| |f|).
        """
        factor = np.linalg.cholesky(self.covariance(x))
        whitened = np.linalg.solve(factor, np.stack([v, self.drift(x)], axis=-1))
        (v, f), (speed, force) = np.moveaxis(whitened, -1, 0), np.moveaxis(np.linalg.norm(whitened, axis=-2), -1, 0)
        product = speed * force
        apart = ((force[:, None] * v - speed[:, None] * f)**2).sum(-1)
        return np.divide(apart, 2 * product, out=np.zeros_like(product), where=product > 0)

    def lagrangian_and_slopes(self, x: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return |v| |f| − ⟨v, f⟩ in the metric C⁻¹ (n,), and its derivatives with respect to v and to x (n, d)."""
        f, jacobian, slopes = self.drift(x), self.jacobian(x), self.covariance_slopes(x)
        y, g = np.moveaxis(np.linalg.solve(self.covariance(x), np.stack([v, f], axis=-1)), -1, 0)       # C⁻¹ v and C⁻¹ f
        with np.errstate(invalid="ignore"):
            speed, force = (np.maximum(np.sqrt((a * b).sum(-1)), 1e-150) for a, b in ((v, y), (f, g)))
        ratio = (force / speed)[:, None]
        by_v = ratio * y - g
        by_f = g / ratio - y

        def bent(a: Array, b: Array) -> Array:
            return np.einsum("ni,nijk,nj->nk", a, slopes, b)

        by_x = np.einsum("nij,ni->nj", jacobian, by_f) - ratio / 2 * bent(y, y) - bent(g, g) / (2 * ratio) + bent(y, g)
        return speed * force - (v * g).sum(-1), by_v, by_x

    def momentum(self, x: Array, v: Array) -> Array:
        """Return θ = C⁻¹ (λ v − f), (n, d), with λ = |f| / |v| in the metric C⁻¹."""
        return self._momentum(x, v)[0]

    def relaxation(self, x: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return λ (n,), and H_θx v and C H_x (n, d), for H = ⟨f, θ⟩ + ⟨θ, C θ⟩ / 2."""
        theta, pull = self._momentum(x, v)
        jacobian, slopes = self.jacobian(x), self.covariance_slopes(x)
        mixed = np.einsum("nij,nj->ni", jacobian, v) + np.einsum("nilj,nl,nj->ni", slopes, theta, v)
        by_x = np.einsum("nij,ni->nj", jacobian, theta) + np.einsum("ni,nilj,nl->nj", theta, slopes, theta) / 2
        return pull, mixed, np.einsum("nij,nj->ni", self.covariance(x), by_x)

    def softened(self, x: Array) -> dict[float, WeakNoise]:         # noqa: ARG002
        """Return none: where C has an inverse, noise goes everywhere."""
        return {}

    def _momentum(self, x: Array, v: Array) -> tuple[Array, Array]:
        f, metric = self.drift(x), np.linalg.inv(self.covariance(x))
        force, speed = (np.sqrt(np.einsum("ni,nij,nj->n", a, metric, a)) for a in (f, v))
        pull = force / speed
        return np.einsum("nij,nj->ni", metric, pull[:, None] * v - f), pull

    def _evaluator(self, field: Field) -> Callable[[Array], Array]:
        f = field.vector(self._names)
        return lambda x: f(x, 0.0, self._values)

    def _derivative(self, field: Field) -> Callable[[Array], Array]:
        return self._evaluator(field.gradient()) if isinstance(field, SymbolicField) else self._differences(self._evaluator(field))

    def _differences(self, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """Derivatives of a function by central differences of fourth order; one more axis, the last."""
        h = self._step

        def derivative(x: Array) -> Array:
            def along(axis: Array) -> Any:
                near, far = (function(x + k * h * axis) - function(x - k * h * axis) for k in (1, 2))
                return (8 * near - far) / (12 * h)
            return np.stack([along(axis) for axis in np.eye(self.dim)], axis=-1)
        return derivative
