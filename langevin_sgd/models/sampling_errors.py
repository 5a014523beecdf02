"""How far covariances are off because they were taken from so many gradients."""
from __future__ import annotations

from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array

FEW = 50                        # gradients, that say as much about their fourth moment as is known without them


def covariances(g: Array, complete: bool) -> tuple[Array, Array]:
    """Return the covariances (k, d, d) of gradients (k, n, d), and the variances of their entries; zero for those of all the data."""
    n = g.shape[1]
    away = g - g.mean(axis=1, keepdims=True)
    c = np.einsum("kni,knj->kij", away, away) / (n if complete else n - 1)
    if complete:
        return c, np.zeros_like(c)
    sizes = np.diagonal(c, axis1=1, axis2=2)
    fourth = np.einsum("kni,knj->kij", away**2, away**2) / n
    return c, unbiased_variance(sizes[:, :, None] * sizes[:, None, :], c**2, fourth, n)


def unbiased_variance(product: Array, square: Array, fourth: Array, n: int) -> Array:
    """Return estimates of the variance κ_iijj / n + (C_ii C_jj + C_ij²) / (n − 1) of a covariance of n values, right in the mean.

    From the measured C_ii C_jj, C_ij² and the mean of a_i² a_j², with a the distances from the mean.  κ_iijj comes from Fisher's
    k-statistics (M. G. Kendall & A. Stuart, The Advanced Theory of Statistics 1, ch. 12 and 13).  Fewer than four values do not tell it:
    they are taken for normal.
    """
    free = n - 1
    if n < 4:
        return np.asarray((product + square) / (free + 2))
    excess = n * ((n + 1) * n * fourth - free**3 / n * (product + 2 * square)) / (free * (n - 2) * (n - 3))
    product, square = product - excess / n, square - excess / n
    both = product + (free * square - product) * (free - 2) / ((free + 2) * (free - 1))
    return np.asarray(excess / n + both / free)


def steadied(variances: Array, fitted: Array, n: int) -> Array:
    """Return standard errors of covariances from n gradients each, for points (k, d, d).

    The fourth moment of a few gradients is small whenever their second is, so that an error from it alone would be smallest where C came
    out too small.  That of normal gradients with the fitted C, (C_ii C_jj + C_ij²) / (n − 1), times a ratio common to all points, does not
    have this fault, but tells nothing about laws that differ in shape between points: the more gradients, the less it counts.
    """
    sizes = np.diagonal(fitted, axis1=1, axis2=2)
    normal = (sizes[:, :, None] * sizes[:, None, :] + fitted**2) / (n - 1)
    total: Any = normal.sum(axis=0)
    ratio = _mixed(1.0, variances.sum(axis=0) / np.where(total > 0, total, 1.0), n * len(variances))
    return np.sqrt(np.maximum(_mixed(ratio * normal, variances, n), 0.0))


def _mixed(shared: Any, own: Array, n: int) -> Array:
    """What n gradients say themselves, and what is known without them."""
    return np.asarray((FEW * shared + n * own) / (FEW + n))
