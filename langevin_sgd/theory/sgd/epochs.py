"""Epochs of reshuffled SGD: how weights and momentum respond to the noise of an epoch, and the covariance that additive noise makes."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, below_one, not_negative, positive, whole
from langevin_sgd.theory.closed_forms.matrices import noise_covariance, positive_definite
from langevin_sgd.theory.sgd.discrete_variance import IterateCovariance
from langevin_sgd.theory.sgd.minibatch_moments import batch_factor


def reshuffled_covariance(*, curvature: ArrayLike, constant: ArrayLike, learning_rate: float, batch_size: int, dataset_size: int,
                          momentum: float = 0.0, weight_decay: float = 0.0) -> IterateCovariance:
    """Return the stationary covariance of SGD with reshuffled epochs on a quadratic loss under additive noise.

    The iteration is m ← μ m + (K + γ) w + ξ, w ← w − η m; each epoch goes once through all samples in a new order, in floor(N / B) batches.

    Parameters
    ----------
    curvature, constant
        The Hessian K and the covariance C of the gradient of one sample, as for `sgd_covariance`.
    learning_rate, batch_size, dataset_size
        η, B and N.
    momentum, weight_decay
        μ and γ.

    Returns
    -------
    IterateCovariance
        Averaged over the position in the epoch; `applies` is False where the iteration is unstable.

    Raises
    ------
    ValueError
        For numbers that are not finite or out of range, matrices of the wrong kind, and shapes that do not fit.

    Notes
    -----
    Source: derived (`theory`, 6.4).  In one dimension, without momentum and with a whole number of batches, it is `reshuffled_variance`.
    Noise that changes with the weights adds to it, and reshuffling does not cancel that part: `reshuffled_moments`.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> h = [0.1, 1.0]
    >>> ls.theory.reshuffled_covariance(curvature=h, constant=h, learning_rate=0.1, batch_size=1, dataset_size=50).covariance.diagonal()
    array([0.00760701, 0.03714441])
    """
    k = positive_definite("curvature", curvature)
    dim = len(k)
    c = noise_covariance("constant", constant, dim)
    eta, mu, decay = positive("learning_rate", learning_rate), below_one("momentum", momentum), not_negative("weight_decay", weight_decay)
    n, size = whole("dataset_size", dataset_size), whole("batch_size", batch_size)
    decayed = k + decay * np.eye(dim)
    curvatures, axes = np.linalg.eigh(decayed)
    fastest, bound = eta * float(curvatures[-1]), 2 * (1 + mu)
    if fastest >= bound:
        return IterateCovariance(np.full((dim, dim), math.nan), decayed, False, f"unstable: learning_rate × curvature = {fastest:.4g} "
                                 f"must be below 2 (1 + momentum) = {bound:.4g}")
    spread = _over_an_epoch(curvatures, axes.T @ c @ axes, eta, mu, batch_pairs(n, size), n // size)
    shift = ", about the minimum of the decayed loss" if decay else ""
    return IterateCovariance(axes @ spread @ axes.T, decayed, True, f"stable: learning_rate × curvature = {fastest:.3g}, {n // size} "
                             f"batches in an epoch{shift}")


def batch_pairs(n_samples: int, batch_size: int) -> tuple[float, float]:
    """Return Cov(g_k, g_l) / C of the batches of an epoch: (N − B) / (B (N − 1)) for the same batch, −1 / (N − 1) for two.

    Examples
    --------
    >>> from langevin_sgd.theory.sgd.epochs import batch_pairs
    >>> batch_pairs(11, 5)
    (0.12, -0.1)
    """
    return batch_factor(n_samples, batch_size, "without"), -1 / (n_samples - 1) if n_samples > 1 else 0.0


@dataclass(frozen=True, eq=False)
class Epoch:
    """How weights and momentum respond, along each axis of the Hessian, to what happens in one epoch of M steps.

    Attributes
    ----------
    to_noise
        (d, M + 2, M): of w before each step, then of w and m after the last, to the noise of each step.
    to_start
        (d, M, 2): of w before each step, to w and m at the start.
    over
        (d, 2, 2): of w and m after the last step, to those at the start.
    """

    to_noise: Array
    to_start: Array
    over: Array

    @classmethod
    def of(cls, curvature: Array, eta: float, mu: float, batches: int) -> Epoch:
        """Return the responses of heavy-ball SGD along axes of these curvatures (d,)."""
        powers, kicks = _responses(curvature, eta, mu, batches)
        since = np.arange(batches)[:, None] - 1 - np.arange(batches)
        before = np.where(since >= 0, kicks[:, 0][:, np.maximum(since, 0)], 0.0)
        return cls(np.concatenate([before, kicks[:, :, ::-1]], axis=1), powers[:batches, :, 0].transpose(1, 0, 2), powers[batches])

    @property
    def batches(self) -> int:
        """M."""
        return self.to_noise.shape[2]

    def spread(self, noise: Array) -> Array:
        """Return E w_k w_l (d, d, M, M) of the weights before each step in the stationary state, from that of the noise."""
        m = self.batches
        full = self.to_noise[:, None] @ noise @ np.swapaxes(self.to_noise, 1, 2)[None]
        start = _stationary(self.over[:, None], self.over[None], full[..., m:, m:])
        return np.asarray(full[..., :m, :m] + self.to_start[:, None] @ start @ np.swapaxes(self.to_start, 1, 2)[None])

    def mean(self, push: Array) -> Array:
        """Return the mean of the weights (d,) over the epoch, from the mean of the noise (d, M)."""
        m = self.batches
        moved = np.einsum("akl,al->ak", self.to_noise, push)
        start = np.linalg.solve(np.eye(2) - self.over, moved[:, m:, None])
        return np.asarray((moved[:, :m] + (self.to_start @ start)[..., 0]).mean(axis=1))


def _over_an_epoch(curvature: Array, constant: Array, eta: float, mu: float, pairs: tuple[float, float], batches: int) -> Array:
    """The covariance (d, d) on the axes of the Hessian, averaged over the position in the epoch, in M d² operations."""
    (same, apart), d = pairs, len(curvature)
    powers, kicks = _responses(curvature, eta, mu, batches)
    ends = kicks.reshape(2 * d, batches)                                            # of w and m along each axis, after the last step
    totals = ends.sum(axis=1)
    kicked = (same - apart) * ends @ ends.T + apart * np.outer(totals, totals)
    start = _stationary(powers[batches][:, None], powers[batches][None], kicked.reshape(d, 2, d, 2).swapaxes(1, 2))
    left = np.arange(batches)[::-1]                                                 # positions that come after so many steps
    summed = np.pad(np.cumsum(kicks[:, 0], axis=1), ((0, 0), (1, 0)))[:, :batches]
    within = (same - apart) * (left * kicks[:, 0]) @ kicks[:, 0].T + apart * summed @ summed.T
    begun = powers[:batches, :, 0].reshape(batches, 2 * d)
    return np.asarray(constant * (within + np.einsum("abpq,apbq->ab", start, (begun.T @ begun).reshape(d, 2, d, 2))) / batches)


def _responses(curvature: Array, eta: float, mu: float, batches: int) -> tuple[Array, Array]:
    """Of w and m along each axis: k steps of both (M + 1, d, 2, 2), and what the noise of a step has become after so many more (d, 2, M).
    """
    powers = np.empty((batches + 1, len(curvature), 2, 2))
    powers[0] = np.eye(2)
    step = np.empty(powers.shape[1:])
    step[:, 0, 0], step[:, 0, 1], step[:, 1, 0], step[:, 1, 1] = 1 - eta * curvature, -eta * mu, curvature, mu
    for k in range(batches):
        powers[k + 1] = step @ powers[k]
    return powers, (powers[:batches] @ np.array([-eta, 1.0])).transpose(1, 2, 0)


def _stationary(left: Array, right: Array, kicked: Array) -> Array:
    """The solutions S (..., 2, 2) of S = left S rightᵀ + kicked."""
    both = np.einsum("...pq,...rs->...prqs", left, right)
    shape = kicked.shape[:-2]
    known = np.ascontiguousarray(kicked).reshape(*shape, 4, 1)
    return np.asarray(np.linalg.solve(np.eye(4) - both.reshape(*shape, 4, 4), known).reshape(kicked.shape))
