"""Problems of training on which noise is known to matter: more weights than samples, or bad minima, and planted weights to be found."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models import losses
from langevin_sgd.models.arguments import Array, not_negative, positive, whole
from langevin_sgd.models.key import generator
from langevin_sgd.models.sampled import SampledLoss

FRESH = 1000                    # samples from which the excess risk is taken


@dataclass(frozen=True)
class Problem:
    """What is trained on, and what it should have learnt.

    Attributes
    ----------
    loss
        On the training data.
    fresh
        The same loss on fresh data without label noise, zero for the planted weights: the excess risk.
    start
        Weights from which training starts (d,).
    """

    loss: SampledLoss
    fresh: SampledLoss
    start: Array


def sparse_regression(rng: Any, *, features: int = 60, samples: int = 30, active: int = 4, scale: float = 0.2,
                      label_noise: float = 0.1) -> Problem:
    """Return sparse regression by a diagonal linear network, x·(u∘u − v∘v), with fewer samples than features.

    Parameters
    ----------
    rng
        As for `langevin_sgd.losses.generate`.
    features, samples, active
        d inputs, N samples, and how many planted weights are 1; the others are 0.
    scale
        Of the weights at the start: the larger, the less gradient descent finds the sparse solution.
    label_noise
        Its variance.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.generalisation.sparse_regression(1).loss
    SampledLoss(diagonal linear network, mean of ½(…)²; 30 samples, 120 weights)
    """
    rng, d = generator(rng), whole("features", features)
    planted = (np.arange(d) < whole("active", active)).astype(float)
    x, y = losses.generate(whole("samples", samples), planted, label_noise=label_noise, rng=rng)
    fresh, targets = losses.generate(FRESH, planted, rng=rng)
    return Problem(losses.diagonal_network(x, y), losses.diagonal_network(fresh, targets), np.full(2 * d, positive("scale", scale)))


def matrix_sensing(rng: Any, *, size: int = 8, samples: int = 24, scale: float = 0.3, label_noise: float = 0.05) -> Problem:
    """Return matrix sensing of a matrix of rank one by U Uᵀ with as many columns as rows.

    Parameters
    ----------
    rng
        As for `langevin_sgd.losses.generate`.
    size, samples
        Rows n, and the number N of measurements; n (n + 1) / 2 would tell the matrix.
    scale
        Of the entries of U at the start.
    label_noise
        Its variance.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.generalisation.matrix_sensing(1).loss
    SampledLoss(matrix sensing of 8 x 8, rank 8, mean of ½(…)²; 24 samples, 64 weights)
    """
    rng, n = generator(rng), whole("size", size)
    planted = rng.normal(size=n)
    planted /= np.linalg.norm(planted)

    def measured(count: int, variance: float) -> SampledLoss:
        a = rng.normal(size=(count, n, n))
        targets = np.einsum("kij,i,j->k", a, planted, planted) + math.sqrt(variance) * rng.normal(size=count)
        return losses.matrix_sensing(a, targets, n)
    training = measured(whole("samples", samples), not_negative("label_noise", label_noise))
    return Problem(training, measured(FRESH, 0.0), positive("scale", scale) * rng.normal(size=n * n))


def phase_retrieval(rng: Any, *, weights: int = 10, samples: int = 30, label_noise: float = 0.25) -> Problem:
    """Return phase retrieval, (x·w)², from few samples, where there are minima far from the planted weights.

    Parameters
    ----------
    rng
        As for `langevin_sgd.losses.generate`.
    weights, samples
        d and N.
    label_noise
        Its variance.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.generalisation.phase_retrieval(1).loss
    SampledLoss(phase retrieval, mean of ½(…)²; 30 samples, 10 weights)
    """
    rng, d = generator(rng), whole("weights", weights)
    planted = rng.normal(size=d)
    planted /= np.linalg.norm(planted)
    x, y = losses.generate(whole("samples", samples), planted, label_noise=label_noise, labels="square", rng=rng)
    fresh, targets = losses.generate(FRESH, planted, labels="square", rng=rng)
    return Problem(losses.phase_retrieval(x, y), losses.phase_retrieval(fresh, targets), rng.normal(size=d) / math.sqrt(d))
