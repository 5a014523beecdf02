"""The noise of minibatches as a Hamiltonian: by the gradient of every sample, not by their covariance alone.

SGD w ← w − η g_B(w), with batches of B drawn with replacement, has H(w, θ) = B ln mean_i exp(−θ·g_i(w) / B) (`theory`, 5.3).  With θ = B q
that is B h(w, q), h that of batches of one: paths do not depend on B, and actions are proportional to it.  So everything here is for B = 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from langevin_sgd.core.batches import compile_curvature, compile_sample
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sampled import SampledLoss

SOFTNESS = (1e-1, 1e-2, 1e-3, 1e-4)     # of C, added as Gaussian noise


class BatchNoise:
    """The `Hamiltonian` h(w, q) = ln mean_i exp(−q·g_i(w)) of a loss over data; or that of Gaussian noise with the same covariance.

    Attributes
    ----------
    loss
        The loss.
    gaussian
        Whether it is h = −q·∇L + q·C q / 2 instead.
    added
        The covariance of Gaussian noise that comes on top, (d, d).
    """

    name = "a minimum of the loss"

    def __init__(self, loss: SampledLoss, *, gaussian: bool = False, added: Array | None = None) -> None:
        from langevin_sgd.core.tilting import curvature_by_differences
        self.loss, self.dim, self.gaussian = loss, loss.dim, gaussian
        self.added = np.zeros((loss.dim, loss.dim)) if added is None else np.ascontiguousarray(added)
        sizes = loss.dim, loss.data.shape[1], len(loss.p)
        self._sample = compile_sample(loss.adding_function, *sizes)
        self._curvature = (compile_curvature(loss.curvature, *sizes) if loss.curvature else
                           curvature_by_differences(loss.adding_function, *sizes))

    def drift(self, x: Array) -> Array:
        """Return −∇L, (..., d)."""
        from langevin_sgd.core.evaluation import averages
        flat = np.ascontiguousarray(x, dtype=float).reshape(-1, self.dim)
        values, gradients = np.empty(len(flat)), np.empty(flat.shape)
        averages(self._sample, flat, self.loss.data, self.loss.p, values, gradients)
        return -gradients.reshape(x.shape)

    def jacobian(self, x: Array) -> Array:
        """Return minus the Hessian of L, (..., d, d)."""
        from langevin_sgd.core.evaluation import hessians
        sums = np.empty((x.size // self.dim, 1, self.dim, self.dim))
        for w, total in zip(x.reshape(-1, self.dim), sums, strict=True):
            hessians(self._curvature, np.ascontiguousarray(w), self.loss.data, self.loss.p, total)
        return -sums.reshape(*x.shape, self.dim) / self.loss.n_samples

    def covariance(self, x: Array) -> Array:
        """Return the covariance of the gradients of all samples, with what is added, (..., d, d)."""
        c = [np.cov(self.gradients(w).T, bias=True) for w in x.reshape(-1, self.dim)]
        return np.reshape(c, (*x.shape, self.dim)) + self.added

    def gradients(self, w: Array) -> Array:
        """Return the gradient of every sample at one state, (N, d)."""
        from langevin_sgd.core.evaluation import by_sample
        values, gradients = np.empty(self.loss.n_samples), np.empty((self.loss.n_samples, self.dim))
        by_sample(self._sample, np.ascontiguousarray(w), self.loss.data, self.loss.p, values, gradients)
        return gradients

    def kinks(self, low: float, high: float) -> list[float]:            # noqa: ARG002, they are not known
        """Return none."""
        return []

    def lagrangian(self, x: Array, v: Array) -> Array:
        """Return max {q·v : h ≤ 0}, (n,); infinite where no combination of samples points ahead."""
        q, _, found, *_ = self._tilted(x, v, "MOMENTUM")
        return np.where(found, np.maximum((q * v).sum(-1), 0.0), np.inf)

    def lagrangian_and_slopes(self, x: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return it, and its derivatives q with respect to v and −(∂h/∂x) / λ with respect to x, (n, d)."""
        q, pull, found, by_x, _, _ = self._tilted(x, v, "SLOPES")
        slope = np.divide(-by_x, pull[:, None], out=np.zeros_like(by_x), where=(found & (pull > 0))[:, None])
        return np.where(found, (q * v).sum(-1), np.inf), q, slope

    def momentum(self, x: Array, v: Array) -> Array:
        """Return q with h = 0 and ∂h/∂q = λ v, (n, d); NaN where there is none."""
        q, _, found, *_ = self._tilted(x, v, "MOMENTUM")
        return np.where(found[:, None], q, np.nan)

    def relaxation(self, x: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return λ (n,), and (∂²h/∂q∂x) v and (∂²h/∂q²) ∂h/∂x (n, d), all at q; NaN where there is none."""
        _, pull, found, by_x, mixed, spread = self._tilted(x, v, "MOTION")
        return np.where(found, pull, np.nan), mixed, np.einsum("nij,nj->ni", spread, by_x)

    def softened(self, x: Array) -> dict[float, BatchNoise]:
        """Return the same with less and less Gaussian noise added, in parts of the mean covariance at some states (n, d)."""
        if self.gaussian:
            return {}
        c = self.covariance(x).mean(axis=0)
        return {part: BatchNoise(self.loss, added=part * c) for part in SOFTNESS}

    def _tilted(self, x: Array, v: Array, wanted: str) -> tuple[Any, ...]:
        """q (n, d), λ (n,), whether they were found; and ∂h/∂x, (∂²h/∂q∂x) v, ∂²h/∂q², where they are wanted."""
        from langevin_sgd.core import tilting
        n, d = x.shape
        q, pull, status = np.empty((n, d)), np.empty(n), np.empty(n, np.int64)
        by_x, mixed, spread = np.zeros((n, d)), np.zeros((n, d)), np.zeros((n, d, d))
        tilting.tilts(self._sample, self._curvature, np.ascontiguousarray(x), np.ascontiguousarray(v), self.loss.data, self.loss.p,
                      self.added, self.gaussian, getattr(tilting, wanted), q, pull, status, by_x, mixed, spread)
        return q, pull, status == tilting.FOUND, by_x, mixed, spread
