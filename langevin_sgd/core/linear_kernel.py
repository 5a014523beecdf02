"""The kernel of linear equations with constant noise, x' = offset + M x + N z: any number of components, one compilation for all.

Where `kernels` calls a compiled step with tuples of components, this multiplies a matrix [M N] with arrays of states and normals.  All else
is as there: who runs when, and which numbers of its stream a path sees.
"""
from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, int64, njit, types, uint64

from langevin_sgd.core.blocks import padded, times_lanes
from langevin_sgd.core.kernels import BYTES, COMPLETED, CUBE, DIVERGED, INTS, SOURCES, STOPPED, all_finite, finite
from langevin_sgd.core.lanes import CALLED_FROM_PYTHON, LANE, LANES, address_of, aligned_floats, stack_words, wide_vectors
from langevin_sgd.core.steps import MATRIX, VECTOR
from langevin_sgd.core.streams import lane_normals, start_lane

CHECKED = 128           # steps between looks at which paths have diverged
MINE = [Path(__file__).with_name(f"{name}.py") for name in ("kernels", "blocks")]
VERSION = hashlib.sha256(b"".join([SOURCES.encode(), *(file.read_bytes() for file in MINE)])).hexdigest()


def memory(d: int) -> np.ndarray:
    """Return what a run needs for d components: states, normals, the states a step later, and their normals, each padded to blocks."""
    rows = 4 * padded(d)
    return aligned_floats(rows * LANES).reshape(rows, LANES)


@njit(**LANE)
def record(S: Any, row: int, d: int, done: Any, wanted: Any, q0: Any, used: Any, k: int, out: Any, status: Any, reached: Any) -> None:
    """Write the states of the lanes to time k of the output; NaN for a path that has diverged, or was stopped before."""
    right = done >= wanted and all_finite(S, row, d)
    for i in range(used):
        whole = right or finite(S, row, d, i)
        if not whole and status[q0 + i] != DIVERGED:
            status[q0 + i], reached[q0 + i] = DIVERGED, min(done, wanted)
        for j in range(d):
            out[q0 + i, k, j] = S[row + j, i] if whole and done >= wanted else math.nan


@functools.cache
def linear_kernel() -> Any:
    """Compile, or load from the cache, the kernel that records paths at given steps.

    ``run(x0, first, last, path0, save, low, high, entries, columns, starts, offset, S, out, status, reached, control, slot)``: as in
    `kernels.horizon_kernel`; `entries`, `columns`, `starts` are the `Blocks` of [M N], both padded to whole blocks, `offset` is padded
    likewise, and S is `memory` of this call's own.
    """
    version, size = VERSION, 4 * LANES

    @njit(types.void(MATRIX, int64, int64, int64, INTS, uint64, uint64, MATRIX, INTS, INTS, VECTOR, MATRIX, CUBE, BYTES, INTS, INTS, int64),
          nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x0: Any, first: Any, last: Any, path0: Any, save: Any, low: Any, high: Any, entries: Any, columns: Any, starts: Any,
            offset: Any, S: Any, out: Any, status: Any, reached: Any, control: Any, slot: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        wide_vectors()
        R, W = carray(stack_words(size), (4, LANES)), carray(stack_words(size), (4, LANES))
        pointer, entries_at, columns_at, offset_at = address_of(S), address_of(entries), address_of(columns), address_of(offset)
        d, n, end = x0.shape[1], len(offset), save[len(save) - 1]
        even, odd = 0, 2 * n                            # rows of the states after even and odd numbers of steps; the normals follow each
        for q0 in range(first, last, LANES):
            used = min(LANES, last - q0)
            for i in range(LANES):                      # idle lanes repeat the last path
                q = q0 + min(i, used - 1)
                for j in range(d):
                    S[even + j, i] = x0[q if len(x0) > 1 else 0, j]
                for j in range(d, n):                   # a path that diverged has left NaN there, which times zero is NaN
                    S[even + j, i] = 0.0
                start_lane(R, i, low, high, path0 + q)
            done = 0
            for k in range(len(save)):
                while done < save[k] and control[0] == 0:
                    for j in range(d):
                        lane_normals(R, W, S, even + n + j, odd + n + j)
                    times_lanes(pointer, even, odd, entries_at, columns_at, starts, offset_at)
                    if done + 1 < end:
                        times_lanes(pointer, odd, even, entries_at, columns_at, starts, offset_at)
                    done = min(done + 2, end)
                    if done % CHECKED == 0:
                        control[slot] += CHECKED * used
                        for i in range(used):
                            if status[q0 + i] != DIVERGED and not finite(S, even, d, i):
                                status[q0 + i], reached[q0 + i] = DIVERGED, done
                record(S, odd if done >= save[k] and save[k] % 2 == 1 else even, d, done, save[k], q0, used, k, out, status, reached)
            for i in range(used):
                if status[q0 + i] != DIVERGED:
                    status[q0 + i], reached[q0 + i] = COMPLETED if done == end else STOPPED, done
            control[slot] += (done % CHECKED) * used
    return run
