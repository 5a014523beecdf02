"""A sampled loss at weights, in full precision: averages over all samples, and what each sample contributes."""
from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, njit, types

from langevin_sgd.core.batches import CURVATURE, SAMPLE
from langevin_sgd.core.dots import moved
from langevin_sgd.core.lanes import address_of
from langevin_sgd.core.steps import MATRIX, VECTOR

CUBE = types.Array(float64, 3, "C")


@njit(types.void(SAMPLE, MATRIX, MATRIX, VECTOR, VECTOR, MATRIX), cache=True, nogil=True)
def averages(sample: Any, w: Any, data: Any, p: Any, values: Any, gradients: Any) -> None:
    """The mean loss (n,) and its gradient (n, d) at weights (n, d)."""
    own = np.empty(w.shape[1])
    for i in range(len(w)):
        total, gradients[i] = 0.0, 0.0
        at = moved(address_of(w), i * w.shape[1])
        for k in range(len(data)):
            own[:] = 0.0
            total += sample(at, moved(address_of(data), k * data.shape[1]), address_of(p), address_of(own))
            gradients[i] += own
        values[i] = total / len(data)
        gradients[i] /= len(data)


@njit(types.void(SAMPLE, VECTOR, MATRIX, VECTOR, VECTOR, MATRIX), cache=True, nogil=True)
def by_sample(sample: Any, w: Any, data: Any, p: Any, values: Any, gradients: Any) -> None:
    """The loss (N,) and the gradient (N, d) of every sample at weights (d,)."""
    gradients[:] = 0.0
    for k in range(len(data)):
        values[k] = sample(address_of(w), moved(address_of(data), k * data.shape[1]), address_of(p),
                           moved(address_of(gradients), k * len(w)))


@njit(types.void(CURVATURE, VECTOR, MATRIX, VECTOR, MATRIX), cache=True, nogil=True)
def diagonals(curvature: Any, w: Any, data: Any, p: Any, out: Any) -> None:
    """The diagonal of the Hessian (N, d) of every sample at weights (d,)."""
    d, unit, column = len(w), np.zeros(len(w)), np.empty(len(w))
    for k in range(len(data)):
        for j in range(d):
            unit[j], column[:] = 1.0, 0.0
            curvature(address_of(w), moved(address_of(data), k * data.shape[1]), address_of(p), address_of(unit), address_of(column))
            unit[j], out[k, j] = 0.0, column[j]


@njit(types.void(CURVATURE, VECTOR, MATRIX, VECTOR, CUBE), cache=True, nogil=True)
def hessians(curvature: Any, w: Any, data: Any, p: Any, out: Any) -> None:
    """The Hessian (N, d, d) of every sample at weights (d,), row by row; for one entry of `out`, their sum."""
    d, unit = len(w), np.zeros(len(w))
    out[:] = 0.0
    for k in range(len(data)):
        to = k if len(out) > 1 else 0
        for j in range(d):
            unit[j] = 1.0
            curvature(address_of(w), moved(address_of(data), k * data.shape[1]), address_of(p), address_of(unit),
                      moved(address_of(out), (to * d + j) * d))
            unit[j] = 0.0
