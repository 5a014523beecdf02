"""The schemes in a few lines of NumPy, on the library's own normals: what compiled steps must agree with.

Coefficients are written by hand in each test, so nothing of models and steps is used here.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.streams import U, normal_pair, stream, uniforms
from langevin_sgd.models.key import Key

Coefficient = Callable[[np.ndarray, float], Any]


@njit
def _normals(low, high, first, n_paths, n_steps, d):
    out = np.empty((n_paths, n_steps + 1, d))
    for q in range(n_paths):
        state = stream(U(low), U(high), U(first + q))
        for k in range(0, n_steps, 2):
            for j in range(d):                          # a pair is two steps of one component
                state, out[q, k, j], out[q, k + 1, j] = normal_pair(state)
    return out


def normals(key: Key, n_paths: int, n_steps: int, d: int, first_path: int = 0) -> np.ndarray:
    """Return the normals (path, step, component) that the paths use, drawn one by one."""
    return _normals(*map(np.uint64, key.words), first_path, n_paths, n_steps, d)[:, :n_steps]


def euler(x0: np.ndarray, drift: Coefficient, factor: Coefficient, z: np.ndarray, h: float, t0: float = 0.0) -> np.ndarray:
    """Return states (path, step, component) by x + b h + G z √h; `factor` returns G (path, d, d)."""
    x = [np.broadcast_to(np.asarray(x0, float), z[:, 0].shape)]
    for k in range(z.shape[1]):
        t = t0 + k * h
        g = np.broadcast_to(factor(x[-1], t), (len(z), z.shape[2], z.shape[2]))
        x.append(x[-1] + drift(x[-1], t) * h + np.sqrt(h) * np.einsum("qij,qj->qi", g, z[:, k]))
    return np.stack(x, axis=1)


def milstein(x0: np.ndarray, drift: Coefficient, variance: Coefficient, slope: Coefficient, z: np.ndarray, h: float) -> np.ndarray:
    """Return states by x + b h + g dW + ½ g g' (dW² − h), component by component: `slope` is g', not (g²)'."""
    x = [np.broadcast_to(np.asarray(x0, float), z[:, 0].shape)]
    for k in range(z.shape[1]):
        g, dw = np.sqrt(variance(x[-1], 0.0)), np.sqrt(h) * z[:, k]
        x.append(x[-1] + drift(x[-1], 0.0) * h + g * dw + 0.5 * g * slope(x[-1], 0.0) * (dw**2 - h))
    return np.stack(x, axis=1)


def exit_steps(x: np.ndarray, levels: list[Coefficient], variances: list[Coefficient] | None, key: Key, h: float) -> np.ndarray:
    """Return the step in which each path leaves (-1 if it does not): seen outside, or (with `variances`) crossed by the bridge.

    `levels` are positive inside, `variances` those of each level per unit time.  The path has left when the probability that it stayed
    inside all along falls below the path's own uniform number.
    """
    u = uniforms(*map(np.uint64, key.words), np.arange(len(x), dtype=np.uint64), 0, 1)[:, 0]
    steps, stayed = np.full(len(x), -1), np.ones(len(x))
    for k in range(x.shape[1] - 1):
        before, after = ([level(state, k * h) for level in levels] for state in (x[:, k], x[:, k + 1]))
        gone = np.any([a <= 0 for a in after], axis=0)
        if variances is not None:
            crossed = np.zeros(len(x))
            for b, a, v in zip(before, after, variances, strict=True):
                crossed += np.exp(-2 * b * a / (v(x[:, k], k * h) * h))
            stayed = stayed * (1 - crossed)
            gone = gone | (stayed < u)
        steps[(steps < 0) & gone] = k + 1
    return steps


def lower_root(c: np.ndarray) -> np.ndarray:
    """Return the lower triangular G with G Gᵀ = C, column by column, also for a singular C: what is zero but for rounding is zero."""
    d, g = c.shape[-1], np.zeros_like(c)
    for j in range(d):
        square = c[..., j, j] - (g[..., j, :j] ** 2).sum(-1)
        g[..., j, j] = np.sqrt(np.where(square > 1e-12 * c[..., j, j], square, 0.0))
        pivot = np.where(g[..., j, j] > 0, g[..., j, j], np.inf)
        for k in range(j + 1, d):
            g[..., k, j] = (c[..., k, j] - (g[..., k, :j] * g[..., j, :j]).sum(-1)) / pivot
    return g


def symmetric_root(c: np.ndarray) -> np.ndarray:
    """Return the symmetric G with G² = C."""
    w, v = np.linalg.eigh(c)
    return (v * np.sqrt(np.maximum(w, 0.0))) @ v.T
