"""Zeros of functions of one variable, and critical points in several."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array

GRID = 4001                     # points of the scan for sign changes
STARTS = 512                    # starting points of Newton's method


def roots_between(function: Callable[[Any], Any], low: float, high: float, kinks: Sequence[float] = ()) -> list[float]:
    """Return the zeros and sign changes of a function in [low, high], refined to rounding.

    Sign changes are sought on a uniform grid and around the kinks; a zero without a sign change is found only if it is a grid
    point.  A jump through zero counts as a zero.
    """
    from scipy.optimize import brentq
    x = np.linspace(low, high, GRID)
    near = [k + s * 1e-9 * max(1.0, abs(k)) for k in kinks for s in (-1.0, 1.0)]
    x = np.unique(np.concatenate([x, [k for k in near if low < k < high]]))
    f = np.asarray(function(x), float)
    finite = np.isfinite(f)
    x, f = x[finite], f[finite]
    roots = [float(r) for r in x[f == 0.0]]
    if len(roots) > GRID // 2:
        return []                                           # the function vanishes identically
    changes = np.flatnonzero(np.sign(f[:-1]) * np.sign(f[1:]) < 0)
    # A zero where the function is flat is closed in on slowly, but always: hence the large number of iterations.
    roots += [float(brentq(lambda u: float(function(u)), x[k], x[k + 1], xtol=1e-15, rtol=1e-15, maxiter=10_000)) for k in changes]
    snapped = (min(kinks, key=lambda k: abs(k - r), default=r) for r in roots)
    roots = [k if abs(k - r) < 3e-9 * max(1.0, abs(k)) else r for k, r in zip(snapped, roots, strict=True)]
    return sorted(set(roots))


def stationary_points(gradient: Callable[[Array], Array], hessian: Callable[[Array], Array], box: Array) -> list[Array]:
    """Return the points in a box (d, 2) where the gradient vanishes, by Newton's method from many starting points."""
    from scipy.optimize import root
    from scipy.stats import qmc
    low, width = box[:, 0], box[:, 1] - box[:, 0]
    starts = low + width * qmc.Sobol(len(box), scramble=False).random(STARTS)
    slopes = np.linalg.norm(gradient(starts), axis=-1)
    usable = np.isfinite(slopes)
    scale = float(np.median(slopes[usable])) or 1.0
    found: list[Array] = []
    for start in starts[usable][np.argsort(slopes[usable])]:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            x = root(gradient, start, jac=hessian, method="hybr", options={"xtol": 1e-13}).x
        inside = ((x >= low - 1e-9 * width) & (x <= low + width * (1 + 1e-9))).all()
        converged = inside and np.linalg.norm(gradient(x)) < 1e-9 * scale
        if converged and all(np.abs(x - y).max() > 1e-6 * width.max() for y in found):
            found.append(np.where(np.abs(x) < 1e-12 * width, 0.0, x))
    return found
