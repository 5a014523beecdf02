"""The Hessians of all samples at a critical point: what decides whether SGD stays there.

Directions along which no sample curves are left out: nothing moves along them.  What is left is kept as matrices, or, for many weights, as
rows x of Hessians c I ± x xᵀ, which regressions have, and every loss of a squared residual where the residuals vanish.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, state
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss

LARGEST_DENSE = 60              # directions: E h S h is then a matrix of 60⁴ numbers
LARGEST = 500                   # weights at all
MOST_NUMBERS = 40_000_000       # of Hessians kept as matrices
CHUNK = 4_000_000               # numbers of Hessians that are looked at together
FLAT = 1e-9                     # curvature that is none, relative to the largest
SAME = 1e-9                     # of a Hessian, by which it may differ from c I ± x xᵀ, or from a diagonal matrix
NEAR = 1e-3                     # how far a given point may be from the critical point, relative to 1 + its size
SETTLED = 1e-9                  # length of the last step of Newton's method, likewise
LEVEL = 1e-6                    # slope that is none, relative to that size and the largest curvature
NEWTON = 50


@dataclass(frozen=True, eq=False)
class SampleCurvatures:
    """Hessians of the samples at a critical point, along the directions in which some sample curves.

    Attributes
    ----------
    at
        The critical point (d,), of the loss and weight decay together.
    mean
        H (k, k), diagonal and rising, for the axes are those of H.
    matrices
        The Hessians of all samples (N, k, k); none (0, k, k) if they are kept as rows.
    rows, signs, constant
        x (N, k), s (N,) and c of the Hessians c I + s x xᵀ; none (0, k) if they are kept as matrices.
    n_flat
        Directions along which no sample curves, and which are left out.
    has_noise
        Whether the gradients of the samples differ at the point.
    """

    at: Array
    mean: Array
    matrices: Array
    rows: Array
    signs: Array
    constant: float
    n_flat: int
    has_noise: bool

    @property
    def n_samples(self) -> int:
        """N."""
        return max(len(self.matrices), len(self.rows))

    @property
    def n_directions(self) -> int:
        """k, the directions in which some sample curves."""
        return len(self.mean)

    @property
    def curvatures(self) -> Array:
        """The eigenvalues of H (k,), rising."""
        return np.diag(self.mean)

    @property
    def sizes(self) -> Array:
        """The lengths of the Hessians (N,), as vectors of entries."""
        if len(self.matrices):
            return np.asarray(np.sqrt((self.matrices**2).sum(axis=(1, 2))))
        squares = (self.rows**2).sum(axis=1)
        return np.asarray(np.sqrt(self.n_directions * self.constant**2 + 2 * self.constant * self.signs * squares + squares**2))

    @property
    def all_alike(self) -> bool:
        """Whether all samples have the same Hessian."""
        if len(self.matrices):
            return bool(np.abs(self.matrices - self.mean).max() <= SAME * self.sizes.max())
        return self.n_samples == 1

    def commuting(self) -> Array | None:
        """Return the eigenvalues (N, k) of the Hessians if they have their axes in common; None if they have not."""
        weights = np.random.default_rng(0).normal(size=self.n_samples)          # any combination that tells all axes apart
        if not len(self.matrices):
            along = self.rows @ np.linalg.eigh((weights[:, None] * self.rows).T @ self.rows)[1]
            most, length = np.abs(along).max(axis=1), np.linalg.norm(along, axis=1)
            apart = length**2 - most**2 > (SAME * length.max())**2
            return None if apart.any() else self.signs[:, None] * along**2 + self.constant
        axes = np.linalg.eigh(np.tensordot(weights, self.matrices, 1))[1]
        turned = axes.T @ self.matrices @ axes
        values = np.diagonal(turned, axis1=1, axis2=2).copy()
        off = turned - values[:, :, None] * np.eye(self.n_directions)
        return values if np.abs(off).max() <= SAME * np.abs(values).max() else None


def sample_curvatures(loss: SampledLoss, at: ArrayLike | CriticalPoint, weight_decay: float = 0.0) -> SampleCurvatures:
    """Return the Hessians of all samples, weight decay added, at the critical point near `at`.

    Raises
    ------
    ValueError
        If there is no critical point at `at`, or more weights or numbers than are looked at.
    """
    if loss.dim > LARGEST:
        raise ValueError(f"the loss has {loss.dim} weights, but linear stability is found for up to {LARGEST}.")
    point = _refined(loss, state("at", at.x if isinstance(at, CriticalPoint) else at, loss.dim), weight_decay)
    w = point if loss.dim > 1 else float(point[0])
    pull = loss.sample_gradients(w).reshape(loss.n_samples, -1)
    scale = float(np.abs(np.atleast_2d(loss.hessian(w))).max()) * (1 + np.linalg.norm(point))
    noise = bool(np.sqrt(pull.var(axis=0).sum()) > FLAT * scale)
    found = _as_rows(loss, w, weight_decay) if loss.dim > 2 else None
    if found is None:
        h = np.concatenate(list(_hessians(loss, w, weight_decay)))
        axes, flat = _axes(h.mean(axis=0), h.reshape(-1, loss.dim), FLAT)
        kept = axes.T @ h @ axes
        none = np.empty((0, axes.shape[1]))
        return SampleCurvatures(point, np.diag(np.diag(kept.mean(axis=0))), kept, none, np.empty(0), 0.0, flat, noise)
    rows, signs, constant = found
    mean = (signs[:, None] * rows).T @ rows / len(rows) + constant * np.eye(loss.dim)
    axes, flat = _axes(mean, np.eye(loss.dim) if constant else rows, math.sqrt(FLAT))
    turned = np.diag(np.diag(axes.T @ mean @ axes))
    return SampleCurvatures(point, turned, np.empty((0, *turned.shape)), rows @ axes, signs, constant, flat, noise)


def _refined(loss: SampledLoss, start: Array, decay: float) -> Array:
    """The zero of ∇L + γ w near a point, by Newton's method along the directions in which the loss curves."""
    w, step = start, np.zeros(loss.dim)
    for _ in range(NEWTON):
        here = w if loss.dim > 1 else float(w[0])
        values, axes = np.linalg.eigh(np.atleast_2d(loss.hessian(here)) + decay * np.eye(loss.dim))
        slope = axes.T @ (np.atleast_1d(loss.gradient(here)) + decay * w)
        curved = np.abs(values) > FLAT * np.abs(values).max(initial=0.0)
        step = axes[:, curved] @ (slope[curved] / values[curved])
        w = w - step
        if not np.linalg.norm(step) > 1e-3 * SETTLED * (1 + np.linalg.norm(w)):
            break
    size = 1 + np.linalg.norm(w)
    settled = np.linalg.norm(step) <= SETTLED * size and np.linalg.norm(slope) <= LEVEL * size * np.abs(values).max()
    if not settled or (decay == 0 and not np.linalg.norm(w - start) <= NEAR * size):
        raise ValueError(f"`at` is {np.array2string(start, precision=6)}, but the loss{' with weight decay' if decay else ''} has no "
                         "critical point there; take one of `loss.minima()`, or what `loss.minimum(start)` finds.")
    return w


def _hessians(loss: SampledLoss, w: ArrayLike, decay: float) -> Iterator[Array]:
    """The Hessians of all samples with weight decay, in chunks (n, d, d)."""
    d, some = loss.dim, max(1, CHUNK // loss.dim**2)
    for first in range(0, loss.n_samples, some):
        part = replace(loss, data=loss.data[first:first + some])          # not `take`: the factor stays that of all samples
        yield part.sample_hessians(w).reshape(-1, d, d) + decay * np.eye(d)


def _axes(mean: Array, rows: Array, none: float) -> tuple[Array, int]:
    """The axes of H (d, k) in the space that rows span, of which directions with a relative length up to `none` are left out."""
    _, lengths, directions = np.linalg.svd(np.linalg.qr(rows, mode="r"), full_matrices=False)
    moved = directions[lengths > none * lengths.max(initial=0.0)].T
    if not moved.shape[1]:
        raise ValueError("`at` is a point at which no sample of the loss curves: nothing pulls SGD back, and nothing drives it away.")
    return moved @ np.linalg.eigh(moved.T @ mean @ moved)[1], len(mean) - moved.shape[1]


def _as_rows(loss: SampledLoss, w: ArrayLike, decay: float) -> tuple[Array, Array, float] | None:
    """Rows, signs and the constant of Hessians c I ± x xᵀ; None if they are others, of which no more are looked at than fit."""
    rows, signs, constant, first = np.empty((loss.n_samples, loss.dim)), np.empty(loss.n_samples), 0.0, 0
    for h in _hessians(loss, w, decay):
        if first == 0:
            constant = float(np.median(np.linalg.eigvalsh(h[0])))               # all eigenvalues but one
            constant = 0.0 if abs(constant) <= SAME * np.abs(h[0]).max() else constant
        left = h - constant * np.eye(loss.dim)
        k, each = np.abs(np.diagonal(left, axis1=1, axis2=2)).argmax(axis=1), np.arange(len(h))
        sign = np.where(left[each, k, k] < 0, -1.0, 1.0)
        size = np.sqrt(np.abs(left[each, k, k]))[:, None]
        row = np.divide(left[each, :, k], size, out=np.zeros((len(h), loss.dim)), where=size > 0)
        if np.abs(left - (sign[:, None] * row)[:, :, None] * row[:, None, :]).max() > SAME * np.abs(h).max():
            if loss.dim <= LARGEST_DENSE and loss.n_samples * loss.dim**2 <= MOST_NUMBERS:
                return None
            raise ValueError(f"the loss has {loss.dim} weights and {loss.n_samples} samples whose Hessians are not c I ± x xᵀ; others are "
                             f"looked at for up to {LARGEST_DENSE} weights and {MOST_NUMBERS:,} numbers N d².  Take fewer samples with "
                             "`loss.take`.")
        rows[first:first + len(h)], signs[first:first + len(h)] = row, sign
        first += len(h)
    return rows, signs, constant
