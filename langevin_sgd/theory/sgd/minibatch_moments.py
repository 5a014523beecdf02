"""Mean and covariance of minibatch SGD where every sample's loss is quadratic: the exact recursion of second moments on finite data."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, below_one, not_negative, one_of, positive, state, whole
from langevin_sgd.models.sampled import SampledLoss, sampled

LARGEST = 14                    # weights: the recursion acts on (1 + 2 d)² products


def minibatch_moments(loss: SampledLoss, *, learning_rate: float, batch_size: int, sampling: str = "iid", momentum: float = 0.0,
                      weight_decay: float = 0.0, at: ArrayLike | None = None) -> StationaryMoments:
    """Return the stationary mean and covariance of SGD on a loss whose samples are quadratic, at any learning rate.

    The iteration is m ← μ m + (g_B + γ w), w ← w − η m, with batches of finite data.

    Parameters
    ----------
    loss
        Linear or ridge regression, with up to 14 weights; or another loss, and `at`.
    learning_rate, batch_size, momentum, weight_decay
        η, B, μ in [0, 1), γ.
    sampling
        "iid" or "without", within each batch; reshuffled epochs are not independent steps: `reshuffled_moments`.
    at
        A minimum of a loss whose samples are not quadratic: they are taken as what they are there to second order.

    Returns
    -------
    StationaryMoments
        Exact to rounding where samples are quadratic; `applies` is False where the second moments grow.

    Raises
    ------
    ValueError
        For a loss that is not quadratic, without `at`; numbers out of range; and reshuffled epochs.

    Notes
    -----
    Source: derived.  In z = (1, w, m) a step is z ← A_B z, with A_B the mean over the batch of one matrix for each sample, so that
    E zzᵀ ← Ā E zzᵀ Āᵀ + φ Cov(A E zzᵀ A) with φ = 1/B, or (N − B) / (B (N − 1)) without replacement.  Nothing is assumed of the noise;
    `sgd_covariance` is what is left where it is additive, `regression_covariance` where N is infinite and inputs are normal.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> x, y = ls.losses.generate(200, weights=[1.0], label_noise=0.5, rng=1)
    >>> ls.theory.minibatch_moments(ls.losses.linear_regression(x, y), learning_rate=0.05, batch_size=5).covariance
    array([[0.00178...]])
    """
    samples = Expansion.of(loss, at)
    eta, size = positive("learning_rate", learning_rate), whole("batch_size", batch_size)
    mu, decay = below_one("momentum", momentum), not_negative("weight_decay", weight_decay)
    share = batch_factor(loss.n_samples, size, sampling)
    steps = _steps(samples, eta, mu, decay)
    mean = steps.mean(axis=0)
    n = mean.shape[0]
    products = np.einsum("kij,klm->iljm", steps, steps, optimize=True).reshape(n * n, n * n) / len(steps)
    both = np.kron(mean, mean)
    recursion = both + share * (products - both)
    inner = recursion[1:, 1:]                                           # the product 1 · 1 stays 1
    radius = float(np.abs(np.linalg.eigvals(inner)).max())
    d = loss.dim
    if not radius < 1:
        return StationaryMoments(np.full(d, math.nan), np.full((d, d), math.nan), False,
                                 f"second moments grow by {radius:.4g} in each step: lower the learning rate or raise the batch size")
    moments = np.append(1.0, np.linalg.solve(np.eye(n * n - 1) - inner, recursion[1:, 0])).reshape(n, n)
    center = moments[0, 1:d + 1]
    covariance = moments[1:d + 1, 1:d + 1] - np.outer(center, center)
    return StationaryMoments(samples.origin + center, (covariance + covariance.T) / 2, True,
                             f"{samples.said}second moments settle by {radius:.4g} in each step")


def batch_factor(n_samples: int, batch_size: int, sampling: str) -> float:
    """Return Cov(g_B) / C: 1 / B, or (N − B) / (B (N − 1)) for batches drawn without replacement.

    Examples
    --------
    >>> from langevin_sgd.theory.sgd.minibatch_moments import batch_factor
    >>> batch_factor(11, 5, "iid"), batch_factor(11, 5, "without")
    (0.2, 0.12)
    """
    n, size = whole("n_samples", n_samples), whole("batch_size", batch_size)
    if sampling == "reshuffle":
        raise ValueError("`sampling` is 'reshuffle', but the batches of an epoch are not independent of one another; see "
                         "ls.theory.reshuffled_moments.")
    if one_of("sampling", sampling, ("iid", "without")) == "iid":
        return 1 / size
    if size > n:
        raise ValueError(f"`batch_size` is {size}, but there are {n} samples, none of which is drawn twice.")
    return (n - size) / (size * (n - 1)) if n > 1 else 0.0


@dataclass(frozen=True, eq=False)
class StationaryMoments:
    """Mean and covariance of the iterates of SGD in the long run.

    Attributes
    ----------
    mean
        Array (d,).
    covariance
        Matrix (d, d); NaN where there is none.
    applies
        Whether second moments settle.
    because
        Why, or why not.
    """

    mean: Array
    covariance: Array
    applies: bool
    because: str


@dataclass(frozen=True, eq=False)
class Expansion:
    """The samples to second order about a point: exact where they are quadratic.

    Attributes
    ----------
    origin
        The point (d,).
    slopes, hessians
        Gradients (N, d) and Hessians (N, d, d) of the samples there.
    said
        What is to be said of it; "" if it is exact.
    """

    origin: Array
    slopes: Array
    hessians: Array
    said: str

    @classmethod
    def of(cls, loss: Any, at: ArrayLike | None) -> Expansion:
        """Return the samples of a loss about a point; about 0, if they are quadratic."""
        if not sampled(loss).is_quadratic and at is None:
            raise ValueError(f"`loss` is {loss!r}, whose samples are not quadratic, so that no finite set of moments is closed; simulate "
                             "it with ls.run_sgd, or give `at`, a minimum, for what they are to second order there.")
        if loss.dim > LARGEST:
            raise ValueError(f"the loss has {loss.dim} weights, but the recursion of second moments is solved for up to {LARGEST}.")
        d, n = loss.dim, loss.n_samples
        origin = np.zeros(d) if at is None else state("at", at, d)
        place: Any = origin if d > 1 else float(origin[0])
        said = "" if loss.is_quadratic else "with the samples as they are to second order at the minimum, "
        return cls(origin, loss.sample_gradients(place).reshape(n, d), loss.sample_hessians(place).reshape(n, d, d), said)

    def decayed(self, weight_decay: float) -> tuple[Array, Array]:
        """Return slopes and Hessians with γ |w|² / 2 added to every sample."""
        return self.slopes + weight_decay * self.origin, self.hessians + weight_decay * np.eye(len(self.origin))


def _steps(samples: Expansion, eta: float, mu: float, decay: float) -> Array:
    """The matrices (N, n, n) of the step z ← A z for each sample alone, z = (1, w − origin, m) (without m where there is no momentum)."""
    count, d = samples.slopes.shape
    slope, curvature = samples.decayed(decay)
    n = 1 + d if mu == 0 else 1 + 2 * d
    pull = np.zeros((count, d, n))                                      # m after the step
    pull[:, :, 0], pull[:, :, 1:d + 1] = slope, curvature
    if mu:
        pull[:, :, d + 1:] = mu * np.eye(d)
    steps = np.zeros((count, n, n))
    steps[:, 0, 0] = 1.0
    steps[:, 1:d + 1] = -eta * pull
    steps[:, 1:d + 1, 1:d + 1] += np.eye(d)
    if mu:
        steps[:, d + 1:] = pull
    return steps
