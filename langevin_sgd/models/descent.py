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
SAME = 1e-5             # distance below which two minima are one
MOST = 64


def descended(loss: SampledLoss, start: Array) -> CriticalPoint:
    """Return the minimum that descent from a start comes to."""
    w = start if loss.is_quadratic else _descent(loss, start)
    w = _newton(loss, w)
    left = np.linalg.norm(_step(loss, w))
    if not left <= SETTLED * (1 + np.linalg.norm(w)):
        raise ArithmeticError(f"descent from {np.array2string(start, precision=4)} found no minimum: at w = "
                              f"{np.array2string(w, precision=6)} the next step is still {left:.3g} long; start nearer to one.")
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
        after = w - _step(loss, w)
        now = float(np.abs(loss.gradient(_given(loss, after))).max())
        if not now < size:
            return w
        w, size = after, now
    return w


def _step(loss: SampledLoss, w: Array) -> Array:
    """The step of Newton's method along the directions in which the loss curves; along flat ones there is none."""
    gradient = np.atleast_1d(loss.gradient(_given(loss, w)))
    eigenvalues, axes = np.linalg.eigh(np.atleast_2d(loss.hessian(_given(loss, w))))
    curved = np.abs(eigenvalues) > FLAT * np.abs(eigenvalues).max()
    return np.asarray(axes[:, curved] @ ((axes[:, curved].T @ gradient) / np.abs(eigenvalues[curved])))


def _given(loss: SampledLoss, w: Array) -> Array | float:
    return float(w[0]) if loss.dim == 1 else w
