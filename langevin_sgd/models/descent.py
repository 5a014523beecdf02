"""Minima of sampled losses: descent, then Newton's method to rounding."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.landscape import CriticalPoint

if TYPE_CHECKING:
    from langevin_sgd.models.sampled import SampledLoss

NEWTON = 60
FLAT = 1e-9             # eigenvalues of the Hessian below this part of the largest count as zero
SETTLED = 1e-7          # length of the Newton step that is none, relative to the weights: a loss that falls for ever asks for ever more
ROUNDING = 1e-11        # slope along directions without curvature that is none, relative to the slopes of the samples and the curvature
SAME = 1e-5             # distance below which two minima are one
MOST = 64


def descended(loss: SampledLoss, start: Array) -> CriticalPoint:
    """Return the minimum that descent from a start comes to."""
    w = start if loss.is_quadratic else _descent(loss, start)
    w = _newton(loss, w)
    step, slope = _step_and_slope(loss, w)
    left, falls = np.linalg.norm(step), np.linalg.norm(slope)
    none = f"descent from {np.array2string(start, precision=4)} found no minimum: at w = {np.array2string(w, precision=6)} the "
    if not left <= SETTLED * (1 + np.linalg.norm(w)):
        raise ArithmeticError(f"{none}next step is still {left:.3g} long; start nearer to one.")
    if not falls <= _no_slope(loss, start, w):
        raise ArithmeticError(f"{none}slope is still {falls:.3g} along directions in which the loss does not curve: it falls for ever, or "
                              "has a kink there.  Start nearer to a minimum, or add a penalty to the loss.")
    hessian = np.atleast_2d(loss.hessian(_given(loss, w)))
    eigenvalues = np.linalg.eigvalsh(hessian)
    index = int((eigenvalues < -FLAT * np.abs(eigenvalues).max()).sum())
    return CriticalPoint(_given(loss, w), float(loss(_given(loss, w))), float(hessian[0, 0]) if loss.dim == 1 else hessian, index)


def different(loss: SampledLoss, starts: Array) -> list[CriticalPoint]:
    """Return the minima from several starts, each once, the lowest first."""
    found: list[CriticalPoint] = []
    for start in starts:
        try:
            point = descended(loss, start)
        except ArithmeticError:
            continue
        if point.index == 0 and not any(np.linalg.norm(np.subtract(point.x, other.x)) < SAME * (1 + np.linalg.norm(other.x)) for other in
                                        found):
            found.append(point)
        if len(found) == MOST:
            break
    return sorted(found, key=lambda point: point.value)


def _descent(loss: SampledLoss, start: Array) -> Array:
    from scipy.optimize import minimize
    found = minimize(lambda w: float(loss(_given(loss, w))), start, jac=lambda w: np.atleast_1d(loss.gradient(_given(loss, w))),
                     method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 20_000, "ftol": 0.0, "gtol": 1e-9})
    return np.asarray(found.x)


def _newton(loss: SampledLoss, w: Array) -> Array:
    """Newton's method, until the gradient does not get smaller any more."""
    size = np.inf
    for _ in range(NEWTON):
        after = w - _step_and_slope(loss, w)[0]
        now = float(np.abs(loss.gradient(_given(loss, after))).max())
        if not now < size:
            return w
        w, size = after, now
    return w


def _step_and_slope(loss: SampledLoss, w: Array) -> tuple[Array, Array]:
    """The step of Newton's method along the directions in which the loss curves, and the slopes along the flat ones."""
    gradient = np.atleast_1d(loss.gradient(_given(loss, w)))
    eigenvalues, axes = np.linalg.eigh(np.atleast_2d(loss.hessian(_given(loss, w))))
    curved = np.abs(eigenvalues) > FLAT * np.abs(eigenvalues).max()
    slopes = axes.T @ gradient
    return np.asarray(axes[:, curved] @ (slopes[curved] / np.abs(eigenvalues[curved]))), slopes[~curved]


def _no_slope(loss: SampledLoss, start: Array, w: Array) -> float:
    """The slope at w that is rounding.

    Measured at the start, since where a loss falls for ever w has no size, and at a minimum that fits the data the samples have no slopes.
    A parabola L ≥ 0 with the curvature λ is no steeper than √(2 λ L), and the λ that count as flat leave it as much.
    """
    slopes = np.abs(loss.sample_gradients(_given(loss, start))).mean()
    curvature = np.abs(loss.hessian(_given(loss, w))).max()
    left = np.sqrt(2 * FLAT * curvature * abs(loss(_given(loss, w)))) if loss.is_quadratic else 0.0
    return float(ROUNDING * (slopes + curvature * (1 + np.abs(start).max())) + left)


def _given(loss: SampledLoss, w: Array) -> Array | float:
    return float(w[0]) if loss.dim == 1 else w
