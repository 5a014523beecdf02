"""Minibatch SGD on samples that differ in where their minimum lies: quadratic losses whose noise is known, for either sampling.

The loss of sample n is (w − s_n)ᵀ H (w − s_n) / 2: its gradient at the common minimum is −H s_n, so that C = H Cov(s) H is the same
everywhere, and the iterates' variance has a closed form, `theory.variance_line`.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array

SAVED_EVERY = 4         # epochs, of each of which all iterates are kept


def samples_with_noise(constant: Array, count: int, rng: np.random.Generator) -> Array:
    """Return gradients of `count` samples at the minimum (count, d), of mean zero and with exactly the covariance diag(constant)."""
    g = rng.normal(size=(count, len(constant)))
    g -= g.mean(axis=0)
    root = np.linalg.cholesky(g.T @ g / count)
    return np.asarray(np.linalg.solve(root, g.T).T * np.sqrt(constant))


def iterates(curvature: Array, gradients: Array, learning_rate: float, batch_size: int, sampling: str, replicas: int, burn_in: int,
             epochs: int, rng: np.random.Generator) -> Array:
    """Return the iterates of every fourth epoch after `burn_in` ones.

    Parameters
    ----------
    curvature
        The eigenvalues of the Hessian (d,), on whose axes the gradients are given.
    gradients
        Of the samples, at the minimum (N, d).
    sampling
        "iid" or "reshuffle".

    Returns
    -------
    array (replicas, time, d)
        Whole epochs, one after the other.
    """
    count, dim = gradients.shape
    batches, kept = count // batch_size, []
    draw: Draw = _reshuffled if sampling == "reshuffle" else _independent
    w = np.zeros((replicas, dim))
    for epoch in range(burn_in + epochs):
        noise = _batch_means(gradients, draw(replicas, count, rng), batches, batch_size)
        seen = np.empty((replicas, batches, dim))
        for k in range(batches):
            w = w - learning_rate * (w * curvature + noise[:, k])
            seen[:, k] = w
        if epoch >= burn_in and (epoch - burn_in) % SAVED_EVERY == 0:
            kept.append(seen)
    return np.concatenate(kept, axis=1)


Order = NDArray[np.int64]
Draw = Callable[[int, int, np.random.Generator], Order]


def _independent(replicas: int, count: int, rng: np.random.Generator) -> Order:
    return rng.integers(count, size=(replicas, count))


def _reshuffled(replicas: int, count: int, rng: np.random.Generator) -> Order:
    return rng.permuted(np.tile(np.arange(count), (replicas, 1)), axis=1)


def _batch_means(gradients: Array, order: Order, batches: int, batch_size: int) -> Array:
    """The mean gradient at the minimum of each batch (replicas, batches, d)."""
    means = np.zeros((len(order), batches, gradients.shape[1]))
    for j in range(batch_size):
        means += gradients[order[:, j::batch_size][:, :batches]]
    return means / batch_size
