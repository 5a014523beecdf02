"""The kernels of minibatch SGD: who draws which samples when.  They know no loss and no region, and are cached on disk.

`lane_kernel` runs many paths of few weights side by side, a path in each lane; `path_kernel` one path of many weights after the other.  A
step draws the samples of a batch, calls the compiled gradient of the batch by address, and does

    m ← μ m + (g / B + n + γ w),    w ← w − η_k m

where the noise n, if it is injected, is made of normals and of the state w − r + o: r is fixed, or follows the weights as
r ← β r + (1 − β) w, and o is where the noise has its centre.  Every path draws from its own stream (key, path), so its bits depend on
nothing else.  Indices are floor(u N) with u a multiple of 2^-52.
"""
from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, int64, njit, types, uint64

from langevin_sgd.core.batches import BATCH
from langevin_sgd.core.kernels import BYTES, COMPLETED, CUBE, DIVERGED, EXITED, INTS, STOPPED
from langevin_sgd.core.lanes import (
    CALLED_FROM_PYTHON,
    LANE,
    LANES,
    LINE,
    address_of,
    aligned_floats,
    float_of,
    stack_floats,
    stack_ints,
    stack_words,
    wide_vectors,
)
from langevin_sgd.core.levels import LEVEL
from langevin_sgd.core.steps import MATRIX, VECTOR
from langevin_sgd.core.streams import lane_normals, lane_words, next_word, normal_pair, start_lane, stream

LARGEST_IN_LANES = 4            # weights of a path in a lane
POLL = 256                      # steps between looks at the stop word
NEVER = 2**62
U = np.uint64

aligned = njit(aligned_floats)

# What the arrays of whole numbers and of floats of a run hold, in this order.
N_STEPS, N_SAMPLES, BATCH_SIZE, SAMPLING, DIM, BOUNDED, AVERAGED, AVERAGE_FROM, AVERAGE_EVERY, NORMALS, N_SETTINGS = range(11)
MOMENTUM, WEIGHT_DECAY, KEPT, REFERENCE = range(4)     # β, 1 if the reference is fixed; and from REFERENCE on r (d), then o (d)
IID, WITHOUT, RESHUFFLE = range(3)

INLINED = [Path(__file__).with_name(f"{name}.py") for name in ("lanes", "elementary", "streams", "kernels", "dots")]
SOURCES = hashlib.sha256(b"".join(file.read_bytes() for file in INLINED)).hexdigest()
SIGNATURE = types.void(
    MATRIX, int64, int64, int64, uint64, uint64, INTS, VECTOR, VECTOR, BATCH, MATRIX, VECTOR, VECTOR, LEVEL, VECTOR, INTS, CUBE, MATRIX,
    MATRIX, CUBE, INTS, BYTES, INTS, INTS, int64)


@njit(**LANE)
def index_of(word: Any, count: float) -> Any:
    """A whole number below `count` from 64 random bits."""
    return np.int64(np.int32((float_of((word >> U(12)) | U(0x3FF0 << 48)) - 1.0) * count))


@njit(**LANE)
def drawn(state: Any, index: Any, at: int, size: int, order: Any, place: int, n: int, sampling: int) -> Any:
    """Put the samples of a batch into `index` from place `at` on; the new state of the stream, and the new place in the epoch."""
    if sampling != IID and (sampling == WITHOUT or place + size > n):
        place = 0
    for b in range(at, at + size):
        state, word = next_word(state)
        if sampling == IID:
            index[b] = index_of(word, np.float64(n))
        else:
            other = place + index_of(word, np.float64(n - place))
            taken = order[other]
            order[other] = order[place]
            order[place] = taken
            index[b] = taken
            place += 1
    return state, place


@functools.cache
def path_kernel() -> Any:
    """Compile, or load from the cache, the kernel that runs one path after the other, of any number of weights.

    ``run(x0, first, last, path0, low, high, settings, numbers, rates, batch, data, p, noise_p, level, level_p, save, out, means, after,
    covariances, n_averaged, status, reached, control, slot)``: paths first ... last - 1 of the arrays, path q on stream path0 + q; `rates`
    has one learning rate, or one for each step; `out` (path, len(save), d) gets the weights after `save` steps; `after` (path, d) the last
    weights.  If asked for, `means` (path, d) and `covariances` (path, d, d) get those of the weights after the averaged steps, NaN where
    there are none.
    """
    version = SOURCES

    @njit(SIGNATURE, nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x0: Any, first: Any, last: Any, path0: Any, low: Any, high: Any, settings: Any, numbers: Any, rates: Any, batch: Any, data: Any,
            p: Any, noise_p: Any, level: Any, level_p: Any, save: Any, out: Any, means: Any, after: Any, covariances: Any, n_averaged: Any,
            status: Any, reached: Any, control: Any, slot: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        wide_vectors()
        n_steps, n, size, d = settings[N_STEPS], settings[N_SAMPLES], settings[BATCH_SIZE], settings[DIM]
        sampling, bounded, averaged = settings[SAMPLING], settings[BOUNDED] != 0, settings[AVERAGED] != 0
        mu, decay, share = numbers[MOMENTUM], numbers[WEIGHT_DECAY], 1.0 / size
        normals, kept = settings[NORMALS], numbers[KEPT]
        room = (d + LINE - 1) // LINE * LINE
        own = aligned(8 * room)
        w, m, g, v = own[:d], own[room:room + d], own[2 * room:2 * room + d], own[3 * room:3 * room + d]
        s, reference, z = own[4 * room:4 * room + d], own[5 * room:5 * room + d], aligned(normals + 1)
        origin, total = own[6 * room:6 * room + d], own[7 * room:7 * room + d]
        index, order = np.empty(2 * size, np.int64), np.empty(n if sampling != IID else 0, np.int32)
        inside = carray(stack_floats(1), (1,))
        w_at, g_at, s_at, z_at, data_at, index_at = (
            address_of(w), address_of(g), address_of(s), address_of(z), address_of(data), address_of(index))
        p_at, noise_p_at, level_p_at, inside_at = address_of(p), address_of(noise_p), address_of(level_p), address_of(inside)
        for q in range(first, last):
            state = stream(low, high, path0 + q)
            for j in range(d):
                w[j], m[j] = x0[q if len(x0) > 1 else 0, j], 0.0
                reference[j] = numbers[REFERENCE + j] if kept == 1.0 else w[j]
                total[j] = 0.0
            for k in range(len(order)):
                order[k] = k
            done, place, saved, due, end, counted = 0, 0, 0, settings[AVERAGE_FROM] + 1, COMPLETED, 0
            while saved < len(save) and save[saved] == 0:
                for j in range(d):
                    out[q, saved, j] = w[j]
                saved += 1
            state, place = drawn(state, index, size, size, order, place, n, sampling)
            while done < n_steps:
                # The samples of the next step are drawn now: `batch` fetches their rows, so that they are near when they are needed.
                for b in range(size):
                    index[b] = index[size + b]
                state, place = drawn(state, index, size, size, order, place, n, sampling)
                for k in range(0, normals, 2):
                    state, z[k], z[k + 1] = normal_pair(state)
                for j in range(d if normals else 0):
                    s[j] = w[j] - reference[j] + numbers[REFERENCE + d + j]
                batch(w_at, data_at, index_at, size, p_at, g_at, z_at, s_at, noise_p_at)
                rate = rates[done if len(rates) > 1 else 0]
                broken = np.int64(0)
                if mu == 0.0:
                    for j in range(d):
                        w[j] -= rate * (share * g[j] + decay * w[j])
                        broken |= np.int64(w[j] - w[j] != 0.0)
                else:
                    for j in range(d):
                        m[j] = mu * m[j] + (share * g[j] + decay * w[j])
                        w[j] -= rate * m[j]
                        broken |= np.int64(w[j] - w[j] != 0.0)
                if normals and kept < 1.0:
                    for j in range(d):
                        reference[j] = kept * reference[j] + (1.0 - kept) * w[j]
                done += 1
                if broken != 0:
                    end = DIVERGED
                    break
                if bounded:
                    level(w_at, level_p_at, inside_at)
                    if not inside[0] > 0.0:
                        end = EXITED
                        break
                while saved < len(save) and done == save[saved]:
                    for j in range(d):
                        out[q, saved, j] = w[j]
                    saved += 1
                if averaged and done == due:
                    counted += 1
                    due += settings[AVERAGE_EVERY]
                    for j in range(d):              # about the first of them, so that a far start costs no digits
                        origin[j] = w[j] if counted == 1 else origin[j]
                        v[j] = w[j] - origin[j]
                    for j in range(d):
                        total[j] += v[j]
                        for k in range(d):
                            covariances[q, j, k] += v[j] * v[k]
                if done % POLL == 0:
                    control[slot + 1] = done
                    if control[0] != 0:
                        end = STOPPED
                        break
            for k in range(saved, len(save)):
                for j in range(d):
                    out[q, k, j] = math.nan
            for j in range(d):
                after[q, j] = w[j]
            for j in range(d if averaged else 0):
                means[q, j] = origin[j] + total[j] / counted
                for k in range(d):
                    covariances[q, j, k] = covariances[q, j, k] / counted - total[j] / counted * (total[k] / counted)
            status[q], reached[q], n_averaged[q] = end, done, counted
            control[slot + 1] = 0
            control[slot] += done
            if control[0] != 0:
                return
    return run


@functools.cache
def lane_kernel() -> Any:
    """Compile, or load from the cache, the kernel that runs paths of few weights in lanes; arguments as in `path_kernel`.

    A lane whose path has ended takes the next one.
    """
    version, rows = SOURCES, LARGEST_IN_LANES
    size_of_state, words, products = rows * LANES, 4 * LANES, rows * rows * LANES

    @njit(SIGNATURE, nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x0: Any, first: Any, last: Any, path0: Any, low: Any, high: Any, settings: Any, numbers: Any, rates: Any, batch: Any, data: Any,
            p: Any, noise_p: Any, level: Any, level_p: Any, save: Any, out: Any, means: Any, after: Any, covariances: Any, n_averaged: Any,
            status: Any, reached: Any, control: Any, slot: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        if first >= last:
            return
        wide_vectors()
        n_steps, n, size, d = settings[N_STEPS], settings[N_SAMPLES], settings[BATCH_SIZE], settings[DIM]
        sampling, bounded, averaged = settings[SAMPLING], settings[BOUNDED] != 0, settings[AVERAGED] != 0
        mu, decay, share = numbers[MOMENTUM], numbers[WEIGHT_DECAY], 1.0 / size
        w_at, g_at = stack_floats(size_of_state), stack_floats(size_of_state)
        w, g, m = carray(w_at, (rows, LANES)), carray(g_at, (rows, LANES)), carray(stack_floats(size_of_state), (rows, LANES))
        origin, total = carray(stack_floats(size_of_state), (rows, LANES)), carray(stack_floats(size_of_state), (rows, LANES))
        square = carray(stack_floats(products), (rows * rows, LANES))
        s_at = stack_floats(size_of_state)
        s, reference = carray(s_at, (rows, LANES)), carray(stack_floats(size_of_state), (rows, LANES))
        normals, kept = settings[NORMALS], numbers[KEPT]
        z = np.empty((normals + 1, LANES))
        R, W = carray(stack_words(words), (4, LANES)), carray(stack_words(words), (4, LANES))
        rate, inside_at = carray(stack_floats(LANES), (LANES,)), stack_floats(LANES)
        inside = carray(inside_at, (LANES,))
        # of the path in each lane: which, steps done, step of the next event, saved times, next average, averages, place in the epoch
        Q, done, event, saved = (carray(stack_ints(LANES), (LANES,)), carray(stack_ints(LANES), (LANES,)),
                                 carray(stack_ints(LANES), (LANES,)), carray(stack_ints(LANES), (LANES,)))
        due, counted, place, E = (carray(stack_ints(LANES), (LANES,)), carray(stack_ints(LANES), (LANES,)),
                                  carray(stack_ints(LANES), (LANES,)), carray(stack_ints(LANES), (LANES,)))
        indices = np.empty(size * LANES, np.int64)
        order = np.empty((LANES if sampling != IID else 0, n), np.int32)
        index_at, data_at, p_at, level_p_at = address_of(indices), address_of(data), address_of(p), address_of(level_p)
        z_at, noise_p_at = address_of(z), address_of(noise_p)
        constant, every, count = len(rates) == 1, settings[AVERAGE_EVERY], np.float64(n)
        for i in range(LANES):
            Q[i], event[i], E[i], done[i], due[i], place[i], inside[i], rate[i] = -1, NEVER, 1, 0, NEVER, 0, 1.0, rates[0]
            start_lane(R, i, low, high, path0)
            for j in range(rows):
                w[j, i], m[j, i], g[j, i], origin[j, i], total[j, i] = 0.0, 0.0, 0.0, 0.0, 0.0
                s[j, i], reference[j, i] = 0.0, 0.0
            for j in range(d):
                w[j, i] = x0[0, j]
                reference[j, i] = numbers[REFERENCE + j] if kept == 1.0 else w[j, i]
            for k in range(len(order) and n):
                order[i, k] = k
        todo, running, steps = first, 0, 0
        while True:
            stopped = control[0] != 0
            for i in range(LANES):                      # rare and scalar: save, write out what has ended, start the next paths
                if E[i] == 0 and not stopped:
                    continue
                q = Q[i]
                if q >= 0:
                    broken = False
                    for j in range(d):
                        broken = broken or w[j, i] - w[j, i] != 0.0
                    left = bounded and not inside[i] > 0.0
                    if not broken and not left:
                        while saved[i] < len(save) and save[saved[i]] == done[i]:
                            for j in range(d):
                                out[q, saved[i], j] = w[j, i]
                            saved[i] += 1
                    if broken or left or stopped or done[i] >= n_steps:
                        status[q] = DIVERGED if broken else EXITED if left else COMPLETED if done[i] >= n_steps else STOPPED
                        reached[q], n_averaged[q] = done[i], counted[i]
                        for j in range(d):
                            after[q, j] = w[j, i]
                            for k in range(saved[i], len(save)):
                                out[q, k, j] = math.nan
                            if averaged:
                                means[q, j] = origin[j, i] + total[j, i] / counted[i]
                                for k in range(d):
                                    covariances[q, j, k] = (square[j * rows + k, i] / counted[i]
                                                            - total[j, i] / counted[i] * (total[k, i] / counted[i]))
                        Q[i], event[i] = -1, NEVER
                        running -= 1
                        control[slot] += done[i]
                    else:
                        event[i] = min(n_steps, save[saved[i]]) if saved[i] < len(save) else n_steps
                if Q[i] < 0 and todo < last and not stopped:
                    q = todo
                    for j in range(d):
                        w[j, i], m[j, i], total[j, i] = x0[q if len(x0) > 1 else 0, j], 0.0, 0.0
                        if kept < 1.0:
                            reference[j, i] = w[j, i]
                        for k in range(d):
                            square[j * rows + k, i] = 0.0
                    for k in range(len(order) and n):
                        order[i, k] = k
                    start_lane(R, i, low, high, path0 + q)
                    Q[i], done[i], saved[i], counted[i], place[i] = q, 0, 0, 0, 0
                    due[i] = settings[AVERAGE_FROM] + 1 if averaged else NEVER
                    while saved[i] < len(save) and save[saved[i]] == 0:
                        for j in range(d):
                            out[q, saved[i], j] = w[j, i]
                        saved[i] += 1
                    event[i] = min(n_steps, save[saved[i]]) if saved[i] < len(save) else n_steps
                    todo += 1
                    running += 1
            if running == 0:
                return
            ended = np.int64(0)
            while ended == 0:
                for b in range(size):
                    lane_words(R, W, 0)
                    if sampling == IID:
                        for i in range(LANES):
                            indices[b * LANES + i] = index_of(W[0, i], count)
                    else:
                        for i in range(LANES):
                            if b == 0 and (sampling == WITHOUT or place[i] + size > n):
                                place[i] = 0
                            other = place[i] + index_of(W[0, i], np.float64(n - place[i]))
                            taken = order[i, other]
                            order[i, other] = order[i, place[i]]
                            order[i, place[i]] = taken
                            indices[b * LANES + i] = taken
                            place[i] += 1
                for k in range(0, normals, 2):
                    lane_normals(R, W, z, k, k + 1)
                for j in range(d if normals else 0):
                    for i in range(LANES):
                        s[j, i] = w[j, i] - reference[j, i] + numbers[REFERENCE + d + j]
                batch(w_at, data_at, index_at, size, p_at, g_at, z_at, s_at, noise_p_at)
                if not constant:
                    for i in range(LANES):
                        rate[i] = rates[min(done[i], len(rates) - 1)]
                for j in range(d):
                    for i in range(LANES):
                        m[j, i] = mu * m[j, i] + (share * g[j, i] + decay * w[j, i])
                        w[j, i] -= rate[i] * m[j, i]
                if normals and kept < 1.0:
                    for j in range(d):
                        for i in range(LANES):
                            reference[j, i] = kept * reference[j, i] + (1.0 - kept) * w[j, i]
                if bounded:
                    level(w_at, level_p_at, inside_at)
                for i in range(LANES):
                    done[i] += 1
                    E[i] = np.int64((done[i] >= event[i]) | ((Q[i] >= 0) & (not inside[i] > 0.0)))
                for j in range(d):
                    for i in range(LANES):
                        E[i] |= np.int64((Q[i] >= 0) & (w[j, i] - w[j, i] != 0.0))
                for i in range(LANES):
                    ended |= E[i]
                if averaged:
                    add_averages(w, origin, total, square, Q, done, due, counted, inside, d, rows, every)
                steps += 1
                if steps % POLL == 0:
                    control[slot + 1] = running_steps(Q, done)
                    ended |= control[0]
            control[slot + 1] = running_steps(Q, done)
    return run


@njit(**LANE)
def add_averages(w: Any, origin: Any, total: Any, square: Any, Q: Any, done: Any, due: Any, counted: Any, inside: Any, d: int, rows: int,
                 every: int) -> None:
    """Add the weights of the lanes that are due to their sums, but not of a path that has just left."""
    for i in range(LANES):
        if done[i] == due[i] and Q[i] >= 0 and inside[i] > 0.0:
            counted[i] += 1
            due[i] += every
            for j in range(d):                  # about the first of them, so that a far start costs no digits
                origin[j, i] = w[j, i] if counted[i] == 1 else origin[j, i]
            for j in range(d):
                total[j, i] += w[j, i] - origin[j, i]
                for k in range(d):
                    square[j * rows + k, i] += (w[j, i] - origin[j, i]) * (w[k, i] - origin[k, i])


@njit(**LANE)
def running_steps(Q: Any, done: Any) -> Any:
    """The steps done by the paths that are in the lanes now."""
    total: Any = np.int64(0)
    for i in range(LANES):
        total += done[i] if Q[i] >= 0 else 0
    return total
