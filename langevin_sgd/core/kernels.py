"""The kernels: who runs when.  Two for each dimension, independent of model, scheme and boundary, and cached on disk.

`horizon_kernel` runs all paths to the same times and records them; `passage_kernel` runs paths until they leave, and a lane whose path has
ended takes the next one, so that passage times of very different lengths keep all lanes busy.  Both release the GIL, look at a stop word,
and publish the steps done.
"""
from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, float64, int64, njit, types, uint64

from langevin_sgd.core.lanes import CALLED_FROM_PYTHON, LANE, LANES, address_of, stack_floats, stack_ints, stack_words, wide_vectors
from langevin_sgd.core.steps import MATRIX, STEP, VECTOR, layout
from langevin_sgd.core.streams import lane_normals, start_lane, uniform

ROUNDS = 4              # pairs of steps between looks at which lanes have ended: a lane idles four steps on average
TILE = 128              # numbers of each path that are recorded together: a quarter of a page of the output
POLL = 16               # rounds between looks at the stop word: some ten microseconds
SLOT = 16               # places between two counters, so that threads do not write to the same cache line
INTS, BYTES, CUBE = types.Array(int64, 1, "C"), types.Array(types.uint8, 1, "C"), types.Array(float64, 3, "C")

# How a path ended, in the order of `langevin_sgd.Status`.
COMPLETED, EXITED, DIVERGED, STOPPED = 0, 1, 2, 3

# Numba's cache watches this file only; a change in the files that are inlined here must change the cache's key as well.
INLINED = [Path(__file__).with_name(f"{name}.py") for name in ("lanes", "elementary", "streams", "steps")]
SOURCES = hashlib.sha256(b"".join(file.read_bytes() for file in INLINED)).hexdigest()


@njit(**LANE)
def correlate(G: Any, B: Any, S: Any, d: int, first: int, to: int) -> None:
    """Rows `to` ... of S become B times the rows `first` ... of G; four columns at a time, to spare memory traffic."""
    wide_vectors()
    for k in range(d):
        for i in range(LANES):
            S[to + k, i] = 0.0
        for m in range(0, d - 3, 4):
            a, b, c, e = B[k, m], B[k, m + 1], B[k, m + 2], B[k, m + 3]
            for i in range(LANES):
                S[to + k, i] += (a * G[first + m, i] + b * G[first + m + 1, i]) + (c * G[first + m + 2, i] + e * G[first + m + 3, i])
        for m in range(d - d % 4, d):
            a = B[k, m]
            for i in range(LANES):
                S[to + k, i] += a * G[first + m, i]


@njit(**LANE)
def draw(R: Any, W: Any, G: Any, S: Any, B: Any, d: int, to: int, dense: bool) -> None:
    """Normals for the next two steps of every lane, multiplied by B if the noise is dense."""
    if dense:
        for j in range(d):
            lane_normals(R, W, G, j, d + j)
        correlate(G, B, S, d, 0, to)
        correlate(G, B, S, d, d, to + d)
    else:
        for j in range(d):
            lane_normals(R, W, S, to + j, to + d + j)


@njit(**LANE)
def finite(S: Any, row: int, d: int, i: int) -> bool:
    """Whether the d rows from `row` on are finite in lane i."""
    total = 0.0
    for j in range(row, row + d):
        total += S[j, i] - S[j, i]
    return total == 0.0


@njit(**LANE)
def all_finite(S: Any, row: int, d: int) -> bool:
    """Whether the d rows from `row` on are finite in all lanes."""
    wide_vectors()
    wrong = np.int64(0)                     # bits and not a sum, which would have to be added up one after the other
    for j in range(row, row + d):
        for i in range(LANES):
            wrong |= np.int64(S[j, i] - S[j, i] != 0.0)
    return wrong == 0


@functools.cache
def horizon_kernel(d: int) -> Any:
    """Compile, or load from the cache, the kernel that records paths at given steps.

    ``run(x0, first, last, path0, dt, t_start, save, low, high, p, B, step, out, status, reached, control, slot)``: paths first ... last - 1
    of the arrays, path q on stream path0 + q; `save` holds the steps to record, in order; `out` is (path, len(save), d); `reached` the
    steps done, and of a path that diverged a step by which it had.

    Everything that the inner function takes from here is a plain number or text: with a function among them, Numba's cache never hits.
    """
    rows, X, Y, Z = (layout(d)[k] for k in ("rows", "X", "Y", "Z"))
    version = SOURCES
    size, words, raw, times = rows * LANES, 4 * LANES, 2 * d * LANES, max(8, TILE // d)
    tile = times * d * LANES

    @njit(types.void(MATRIX, int64, int64, int64, float64, float64, INTS, uint64, uint64, VECTOR, MATRIX, STEP, CUBE, BYTES, INTS, INTS,
                     int64), nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x0: Any, first: Any, last: Any, path0: Any, dt: Any, t_start: Any, save: Any, low: Any, high: Any, p: Any, B: Any, step: Any,
            out: Any, status: Any, reached: Any, control: Any, slot: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        wide_vectors()
        pointer, p_at, B_at, out_at = stack_floats(size), address_of(p), address_of(B), address_of(out)
        S, G = carray(pointer, (rows, LANES)), carray(stack_floats(raw), (2 * d, LANES))
        R, W = carray(stack_words(words), (4, LANES)), carray(stack_words(words), (4, LANES))
        T = carray(stack_floats(tile), (times * d, LANES))      # what is to be recorded, until it fills cache lines of the output
        dense, end = B.size > 0, save[len(save) - 1]
        for q0 in range(first, last, LANES):
            used = min(LANES, last - q0)
            for i in range(LANES):                      # idle lanes repeat the last path
                q = q0 + min(i, used - 1)
                for j in range(d):
                    S[X + j, i] = x0[q if len(x0) > 1 else 0, j]
                start_lane(R, i, low, high, path0 + q)
            done = 0
            for k in range(len(save)):
                while done < save[k] and control[0] == 0:
                    draw(R, W, G, S, B, d, Z, dense)
                    step(pointer, dt, t_start, np.float64(done), np.float64(end), p_at, B_at)
                    done = min(done + 2, end)
                    if done % 128 == 0:
                        control[slot] += 128 * used
                        for i in range(used):
                            if status[q0 + i] != DIVERGED and not finite(S, X, d, i):
                                status[q0 + i], reached[q0 + i] = DIVERGED, done
                column, row = k % times, Y if done > save[k] else X     # a step of two may have gone one beyond
                for j in range(d):
                    for i in range(LANES):
                        T[column * d + j, i] = S[row + j, i]
                if done < save[k] or not all_finite(S, row, d):
                    for i in range(used):               # rare and scalar
                        if not finite(S, row, d, i):
                            if status[q0 + i] != DIVERGED:
                                status[q0 + i], reached[q0 + i] = DIVERGED, save[k]
                            for j in range(d):
                                T[column * d + j, i] = math.nan
                        elif done < save[k]:
                            for j in range(d):
                                T[column * d + j, i] = math.nan
                if column == times - 1 or k == len(save) - 1:
                    for i in range(used):
                        place = ((q0 + i) * len(save) + k - column) * d
                        for m in range((column + 1) * d):
                            out_at[place + m] = T[m, i]
            for i in range(used):
                if status[q0 + i] != DIVERGED:
                    status[q0 + i], reached[q0 + i] = COMPLETED if done == end else STOPPED, done
            control[slot] += (done % 128) * used
    return run


@functools.cache
def passage_kernel(d: int) -> Any:
    """Compile, or load from the cache, the kernel of first passage.

    ``run(x0, first, last, path0, dt, t_start, n_steps, low, high, p, B, step, before, after, status, reached, control, slot)``: paths as in
    `horizon_kernel`; `after` (path, d) is the state at the end, of a path that left the first one outside, `before` the one a step earlier;
    `reached` is the step of the exit, or the steps done.
    """
    rows, X, Y, N, END, A, V, Z = (layout(d)[k] for k in ("rows", "X", "Y", "N", "END", "A", "V", "Z"))
    size, words, raw, version = rows * LANES, 4 * LANES, 2 * d * LANES, SOURCES

    @njit(types.void(MATRIX, int64, int64, int64, float64, float64, int64, uint64, uint64, VECTOR, MATRIX, STEP, MATRIX, MATRIX,
                     BYTES, INTS, INTS, int64), nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x0: Any, first: Any, last: Any, path0: Any, dt: Any, t_start: Any, n_steps: Any, low: Any, high: Any, p: Any, B: Any, step: Any,
            before: Any, after: Any, status: Any, reached: Any, control: Any, slot: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        if first >= last:
            return
        wide_vectors()
        pointer, p_at, B_at = stack_floats(size), address_of(p), address_of(B)
        S, G = carray(pointer, (rows, LANES)), carray(stack_floats(raw), (2 * d, LANES))
        Q, E = carray(stack_ints(LANES), (LANES,)), carray(stack_ints(LANES), (LANES,))
        R, W = carray(stack_words(words), (4, LANES)), carray(stack_words(words), (4, LANES))
        for i in range(LANES):
            Q[i], E[i] = -1, 1                          # the path in lane i, -1 for none; whether it has ended
            S[N, i], S[END, i], S[A, i], S[V, i] = 0.0, 1.0, 1.0, 0.0
            for j in range(d):
                S[X + j, i], S[Y + j, i] = x0[0, j], x0[0, j]
            start_lane(R, i, low, high, path0)
        todo, running, dense, horizon, rounds = first, 0, B.size > 0, np.float64(n_steps), 0
        while True:
            stopped = control[0] != 0
            for i in range(LANES):                      # rare and scalar: write out what has ended, start the next paths
                if E[i] == 0 and not stopped:
                    continue
                q = Q[i]
                ok = finite(S, X, d, i)
                if q >= 0 and (S[END, i] != 0.0 or S[N, i] >= horizon or not ok or stopped):
                    if S[END, i] != 0.0:
                        status[q], reached[q] = EXITED, np.int64(S[END, i])
                    else:
                        reached[q] = np.int64(min(S[N, i], horizon))
                        status[q] = DIVERGED if not ok else COMPLETED if S[N, i] >= horizon else STOPPED
                    for j in range(d):
                        before[q, j], after[q, j] = S[Y + j, i], S[X + j, i]
                    Q[i] = -1
                    S[END, i] = 1.0                     # an idle lane is frozen
                    running -= 1
                    control[slot] += reached[q]
                if Q[i] < 0 and todo < last and not stopped:
                    for j in range(d):
                        S[X + j, i] = x0[todo if len(x0) > 1 else 0, j]
                        S[Y + j, i] = S[X + j, i]
                    S[N, i], S[END, i], S[A, i], S[V, i] = 0.0, 0.0, 1.0, uniform(low, high, path0 + todo, 0)
                    start_lane(R, i, low, high, path0 + todo)
                    Q[i] = todo
                    todo += 1
                    running += 1
            control[slot + 1] = running_steps(S, Q, N)  # now without those that have just been counted in `slot`
            if running == 0:
                return
            ended = np.int64(0)
            while ended == 0:
                for _ in range(ROUNDS):
                    draw(R, W, G, S, B, d, Z, dense)
                    step(pointer, dt, t_start, 0.0, horizon, p_at, B_at)
                for i in range(LANES):
                    E[i] = np.int64((Q[i] >= 0) & ((S[END, i] != 0.0) | (S[N, i] >= horizon) | (not finite(S, X, d, i))))
                    ended |= E[i]
                rounds += 1
                if rounds % POLL == 0:
                    control[slot + 1] = running_steps(S, Q, N)
                    ended |= control[0]
    return run


@njit(**LANE)
def running_steps(S: Any, Q: Any, N: int) -> Any:
    """The steps done by the paths that are in the lanes now."""
    total: Any = np.int64(0)
    for i in range(LANES):
        total += np.int64(S[N, i]) if Q[i] >= 0 else 0
    return total
