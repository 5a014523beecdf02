"""How the second moments of SGD grow near a critical point, for any number of weights: the map S ↦ E (I − η h) S (I − η h).

The map takes positive matrices to positive ones, so that its spectral radius is an eigenvalue, the largest; without momentum it is
symmetric, and stability in mean square is lost at one learning rate, the inverse of a largest eigenvalue as well.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.sgd.sample_curvatures import SampleCurvatures

LARGEST_DENSE = 300             # entries of a symmetric matrix, up to which all eigenvalues are computed
ROOT = 1e-12                    # relative error of a learning rate
HALVINGS = 60                   # of the learning rate that the mean allows, in the search for one that the mean square allows

Map = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """The recursion of second moments for batches whose Hessians have the covariance φ Cov(h).

    Attributes
    ----------
    samples
        The Hessians.
    share
        φ: 1/B, or (N − B) / (B (N − 1)) without replacement.
    momentum
        μ.
    """

    samples: SampleCurvatures
    share: float
    momentum: float = 0.0

    def radius(self, rate: float) -> float:
        """Return the factor by which second moments grow in a step at the learning rate η, in the long run."""
        k = self.samples.n_directions
        if self.momentum == 0:
            keep = np.eye(k) - rate * self.samples.mean
            return largest_eigenvalue(lambda s: keep @ s @ keep + rate**2 * self._noise(s), k)
        mean, gain = self._step(rate), np.vstack([-rate * np.eye(k), np.eye(k)])
        return largest_eigenvalue(lambda s: mean @ s @ mean.T + gain @ self._noise(s[:k, :k]) @ gain.T, 2 * k, symmetric=False)

    def largest_rate(self) -> float:
        """Return the η below which second moments settle; 0 if they never do."""
        h = self.samples.curvatures
        if h[0] <= 0:
            return 0.0
        if self.momentum == 0:
            # r(η) = 1 where max ⟨S, M S⟩ η = ⟨S, H S + S H⟩, with M S = H S H + φ Cov(h S h): r is convex in η and r(0) = 1.
            scale = np.sqrt(h[:, None] + h)
            return 1 / largest_eigenvalue(lambda s: (h[:, None] * s / scale * h + self._noise(s / scale)) / scale, len(h))
        from scipy.optimize import brentq
        high = 2 * (1 + self.momentum) / float(h[-1])
        for _ in range(HALVINGS):
            if self.radius(high / 2) < 1:
                return float(brentq(lambda rate: self.radius(rate) - 1, high / 2, high, rtol=ROOT))
            high /= 2
        return 0.0

    def _step(self, rate: float) -> Array:
        """The matrix of a mean step of (w, m)."""
        k = self.samples.n_directions
        pull = np.hstack([self.samples.mean, self.momentum * np.eye(k)])
        return np.vstack([np.hstack([np.eye(k), np.zeros((k, k))]) - rate * pull, pull])

    def _noise(self, s: Array) -> Array:
        """φ (E h S h − H S H)."""
        return self.share * (self._squares(s) - self.samples.mean @ s @ self.samples.mean)

    @cached_property
    def _products(self) -> Array:
        """E h_ij h_ml as a matrix that takes S_jm to E h S h."""
        h, k = self.samples.matrices, self.samples.n_directions
        flat = h.reshape(len(h), k * k)
        products: Array = (flat.T @ flat / len(h)).reshape(k, k, k, k).transpose(0, 3, 1, 2)
        return products.reshape(k * k, k * k)

    def _squares(self, s: Array) -> Array:
        """E h S h."""
        samples = self.samples
        if len(samples.matrices):
            return (self._products @ s.ravel()).reshape(s.shape)
        x, c = samples.rows, samples.constant
        outer = (x * np.einsum("ni,ni->n", x @ s, x)[:, None]).T @ x / len(x)
        bare = samples.mean - c * np.eye(len(s))
        return outer + c * (c * s + bare @ s + s @ bare)


def mean_radius(curvatures: Array, rate: float, momentum: float = 0.0) -> float:
    """Return the spectral radius of a mean step along axes of these curvatures.

    Examples
    --------
    >>> import numpy as np
    >>> from langevin_sgd.theory.sgd.second_moments import mean_radius
    >>> mean_radius(np.array([1.0, 10.0]), 0.1), mean_radius(np.array([1.0, 10.0]), 0.25)
    (0.9, 1.5)
    """
    if momentum == 0:
        return float(np.abs(1 - rate * curvatures).max(initial=0.0))
    half = (1 + momentum - rate * curvatures) / 2                               # z² − 2 half z + μ = 0: a pair of modulus √μ, or real
    return max(math.sqrt(momentum), float((np.abs(half) + np.sqrt(np.maximum(half**2 - momentum, 0.0))).max(initial=0.0)))


def largest_eigenvalue(apply: Map, n: int, *, symmetric: bool = True) -> float:
    """Return the largest eigenvalue of a linear map of symmetric matrices (n, n) that takes positive ones to positive ones.

    Parameters
    ----------
    symmetric
        Whether the map itself is symmetric, ⟨R, T S⟩ = ⟨T R, S⟩.
    """
    if n == 0:
        return 0.0
    upper = np.triu_indices(n)
    scale = np.where(upper[0] == upper[1], 1.0, math.sqrt(0.5))                 # so that lengths are those of the matrices

    def on_entries(entries: Array) -> Array:
        s = np.zeros((n, n))
        s[upper] = np.ravel(entries) * scale
        s = s + s.T - np.diag(np.diag(s))
        return np.asarray(apply(s)[upper] / scale)

    size = len(scale)
    if size <= LARGEST_DENSE:
        matrix = np.column_stack([on_entries(unit) for unit in np.eye(size)])
        return float((np.linalg.eigvalsh(matrix)[-1:] if symmetric else np.linalg.eigvals(matrix).real).max())
    from scipy.sparse.linalg import LinearOperator, eigs, eigsh
    operator = LinearOperator((size, size), matvec=on_entries, dtype=float)
    start = np.eye(n)[upper] / scale
    if symmetric:
        return float(eigsh(operator, 1, which="LA", v0=start, return_eigenvectors=False)[0])
    return float(eigs(operator, 1, which="LR", v0=start, return_eigenvectors=False)[0].real)
