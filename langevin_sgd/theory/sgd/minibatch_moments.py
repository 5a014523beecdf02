"""Mean and covariance of minibatch SGD where every sample's loss is quadratic: the exact recursion of second moments on finite data."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array, finite, not_negative, one_of, positive, whole
from langevin_sgd.models.sampled import SampledLoss, sampled

LARGEST = 14                    # weights: the recursion acts on (1 + 2 d)² products


def minibatch_moments(loss: SampledLoss, *, learning_rate: float, batch_size: int, sampling: str = "iid", momentum: float = 0.0,
                      weight_decay: float = 0.0) -> StationaryMoments:
    """Return the stationary mean and covariance of SGD on a loss whose samples are quadratic, at any learning rate.

    The iteration is m ← μ m + (g_B + γ w), w ← w − η m, with batches of finite data.

    Parameters
    ----------
    loss
        Linear or ridge regression, with up to 14 weights.
    learning_rate, batch_size, momentum, weight_decay
        η, B, μ in [0, 1), γ.
    sampling
        "iid" or "without", within each batch; reshuffled epochs are not independent steps: `reshuffled_moments`.

    Returns
    -------
    StationaryMoments
        Exact to rounding; `applies` is False where the second moments grow.

    Raises
    ------
    ValueError
        For a loss that is not quadratic, numbers out of range, and reshuffled epochs.

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
    check_quadratic(loss)
    eta, size = positive("learning_rate", learning_rate), whole("batch_size", batch_size)
    mu, decay = finite("momentum", momentum), not_negative("weight_decay", weight_decay)
    if not 0 <= mu < 1:
        raise ValueError(f"`momentum` is {mu:g}, but must be at least 0 and below 1.")
    share = batch_factor(loss.n_samples, size, sampling)
    steps = _steps(loss, eta, mu, decay)
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
    return StationaryMoments(center, (covariance + covariance.T) / 2, True, f"second moments settle by {radius:.4g} in each step")


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


def check_quadratic(loss: Any) -> None:
    """Refuse a loss whose samples are not quadratic, or that has too many weights."""
    if not sampled(loss).is_quadratic:
        raise ValueError(f"`loss` is {loss!r}, whose samples are not quadratic, so that no finite set of moments is closed; simulate it "
                         "with ls.run_sgd.")
    if loss.dim > LARGEST:
        raise ValueError(f"the loss has {loss.dim} weights, but the recursion of second moments is solved for up to {LARGEST}.")


def _steps(loss: SampledLoss, eta: float, mu: float, decay: float) -> Array:
    """The matrices (N, n, n) of the step z ← A z for each sample alone, z = (1, w, m) (without m where there is no momentum)."""
    d, count = loss.dim, loss.n_samples
    origin: Any = np.zeros(d) if d > 1 else 0.0
    slope = loss.sample_gradients(origin).reshape(count, d)
    curvature = loss.sample_hessians(origin).reshape(count, d, d) + decay * np.eye(d)
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
