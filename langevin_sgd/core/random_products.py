"""Products of random steps of SGD near a critical point: by how much they stretch a vector.

A step draws a batch of samples with Hessians h and does m ← μ m + h v, v ← v − η m, with h the mean over the batch.  After each, (v, η m)
is divided by its length, and the logarithm of that length added up.  The Hessian of a sample is a matrix, or c I ± x xᵀ with a row x.
"""
from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.lanes import CALLED_FROM_PYTHON
from langevin_sgd.core.streams import next_word, stream

U = np.uint64
VERSION = hashlib.sha256(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in ("lanes", "streams"))).hexdigest()


@njit(cache=True, nogil=True, **CALLED_FROM_PYTHON)
def start_products(low: Any, high: Any, states: Any) -> None:
    """Put the streams (key, 0), (key, 1), ... into `states` (run, 4)."""
    VERSION                                             # noqa: B018, only to be part of the cache's key
    for q in range(len(states)):
        states[q, 0], states[q, 1], states[q, 2], states[q, 3] = stream(low, high, q)


@njit(cache=True, nogil=True, **CALLED_FROM_PYTHON)
def stretch(matrices: Any, rows: Any, signs: Any, constant: float, rate: float, momentum: float, size: int, without: bool, steps: int,
            vectors: Any, pulls: Any, states: Any, order: Any, grown: Any) -> None:
    """Take steps with every run, and write the logarithm of its growth into `grown` (run,); −inf where a step takes it to zero.

    Parameters
    ----------
    matrices
        The Hessians of all samples (N, d, d), or none (0, d, d), and then they are c I + s x xᵀ:
    rows, signs, constant
        x (N, d), s (N,) and c.
    rate, momentum, size
        η, μ, B.
    without
        Whether the samples of a batch are all different.
    vectors, pulls, states
        v (run, d), m (run, d) and the state of the stream (run, 4) of each run, which are advanced.
    order
        The samples in any order for each run (run, N), which is changed; (run, 0) if they are drawn with replacement.
    """
    VERSION                                             # noqa: B018, only to be part of the cache's key
    dense, n, d, g = len(matrices) > 0, max(len(matrices), len(rows)), vectors.shape[1], np.empty(vectors.shape[1])
    for q in range(len(vectors)):
        v, m, total = vectors[q], pulls[q], 0.0
        state = (states[q, 0], states[q, 1], states[q, 2], states[q, 3])
        for _ in range(steps):
            for i in range(d):
                g[i] = constant * v[i]
            for b in range(size):
                state, word = next_word(state)
                place = b if without else 0
                k = place + np.int64(np.float64(word >> U(11)) * 2.0**-53 * (n - place))
                if without:
                    taken = order[q, k]
                    order[q, k] = order[q, b]
                    order[q, b] = taken
                    k = taken
                if dense:
                    for i in range(d):
                        product = 0.0
                        for j in range(d):
                            product += matrices[k, i, j] * v[j]
                        g[i] += product / size
                else:
                    product = 0.0
                    for j in range(d):
                        product += rows[k, j] * v[j]
                    for i in range(d):
                        g[i] += signs[k] * product * rows[k, i] / size
            square = 0.0
            for i in range(d):
                m[i] = momentum * m[i] + g[i]
                v[i] -= rate * m[i]
                square += v[i]**2 + ((rate * m[i])**2 if momentum > 0 else 0.0)
            length = math.sqrt(square)
            if not length > 0:
                total = -math.inf
                break
            total += math.log(length)
            for i in range(d):
                v[i], m[i] = v[i] / length, m[i] / length
        states[q, 0], states[q, 1], states[q, 2], states[q, 3] = state
        grown[q] = total
