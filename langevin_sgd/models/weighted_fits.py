"""Least squares for variances that were measured: each is as uncertain as it is large, so that its weight must not come from itself."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from langevin_sgd.models.arguments import Array

ROUNDS = 8                      # after so many fits, each weighted by the one before, nothing changes any more
LEAST = 0.01                    # of the mean: a fit that comes near to zero somewhere, or below, would give endless weight there
UNDETERMINED = ("`at` does not determine a quadratic: its points lie on a line, a curve or too few of them; spread them about the "
                "centre in all directions.")


def least_squares(design: Array, values: Array, weight: Array) -> Array:
    """Return the coefficients of the linear fit, or refuse points that do not determine them."""
    scale = _column_sizes(design)
    fit = np.linalg.lstsq(design / scale * weight[:, None], values * weight, rcond=None)
    if fit[2] < design.shape[1]:
        raise ValueError(UNDETERMINED)
    return np.asarray(fit[0] / scale)


def solution(design: Array) -> Array:
    """Return the matrix that takes values to the coefficients of their plain fit, for designs that are solved many times."""
    scale = _column_sizes(design)
    q, r = np.linalg.qr(design / scale)
    if np.abs(np.diag(r)).min() <= np.finfo(float).eps * len(design) * np.linalg.norm(r):
        raise ValueError(UNDETERMINED)
    return np.linalg.solve(r, q.T) / scale[:, None]


def _column_sizes(design: Array) -> Array:
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    return scale


def reweighted(fit: Callable[[Array, Array, Array], Array], design: Array, values: Array, weight: Array) -> Array:
    """Return the fit of variances whose errors are in proportion to the true variances, over `weight`.

    Weights from the measured variances themselves would prefer those that came out too small, and the fit would lie below the data it
    fits; from the fitted ones they do not.
    """
    coefficients = fit(design, values, weight)
    for _ in range(ROUNDS):
        coefficients = fit(design, values, weight / above_zero(design @ coefficients, values))
    return coefficients


def above_zero(fitted: Array, values: Array) -> Array:
    """Return fitted variances as errors that can be divided by."""
    return np.maximum(fitted, LEAST * float(np.abs(values).mean()) or 1.0)


def nowhere_negative(design: Array, values: Array, weight: Array) -> Array:
    """Return the best g + 2 gh δ + h δ² that is nowhere negative, where the best of all is negative somewhere.

    What is allowed is a convex cone, so that the best lies on its boundary: a square, a (1 + t δ)² or a δ².  For a given t, the best a
    leaves |y|² − q(t)² / r(t), with q a quadratic and r a quartic, and the best t is a root of 2 q' r − q r'.
    """
    reach = float(np.abs(design[:, 1]).max()) / 2 or 1.0
    units = np.array([1.0, reach, reach**2])
    columns = design / units * weight[:, None]
    products, y = columns.T @ columns, columns.T @ (values * weight)
    r = np.polynomial.Polynomial([products[0, 0], 2 * products[0, 1], 2 * products[0, 2] + products[1, 1], 2 * products[1, 2],
                                  products[2, 2]])
    q = np.polynomial.Polynomial(y)
    best, most = np.zeros(3), 0.0
    for square in [(0.0, 0.0, 1.0), *((1.0, t, t * t) for t in (2 * q.deriv() * r - q * r.deriv()).roots().real)]:
        along, size = float(y @ square), float(square @ products @ square)
        if along > 0 and along**2 / size > most:
            best, most = along / size * np.array(square), along**2 / size
    return np.asarray(best / units)
