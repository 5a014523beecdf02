"""The kernel of splitting: several independent runs share the lanes, so that these are full although each run moves few paths at a time.

A run proceeds by the rules of `splitting_rules`, whenever all of its paths have ended; a lane whose path has ended takes the next one, of
whichever run.  Every path draws from a stream of its own, numbered by generation and replica within the key of its run, so that the bits
of a run depend neither on the runs beside it nor on the order in which paths end.
"""
from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import carray, float64, int64, njit, types, uint64

from langevin_sgd.core.kernels import BYTES, CUBE, DIVERGED, INLINED, INTS, draw, finite
from langevin_sgd.core.lanes import CALLED_FROM_PYTHON, LANES, address_of, stack_floats, stack_ints, stack_words, wide_vectors
from langevin_sgd.core.scores import SCORE, score_layout
from langevin_sgd.core.splitting_rules import HEIGHT, STATE, WHEN, resample
from langevin_sgd.core.steps import MATRIX, STEP, VECTOR, layout
from langevin_sgd.core.streams import start_lane, uniform

FINISHED, UNFINISHED, TOO_MANY_RUNGS = 0, 255, 4        # how a run ended, beside DIVERGED
RUNGS = 64              # room for so many on each ladder, which doubles when one is full, ...
MOST_RUNGS = 2**14      # ... up to here: a score that climbs in so many small steps fills the memory
POLL = 64               # calls of the step between looks at the stop word
BRIDGE, CHOICE = 0, 1   # the uniform numbers of a path: against its bridge, and whom it copies
LAST = 2.0**62          # the step that no path reaches

WORDS, INT_MATRIX = types.Array(uint64, 2, "C"), types.Array(int64, 2, "C")
FILES = [*INLINED, *(Path(__file__).with_name(f"{name}.py") for name in ("kernels", "scores", "splitting_rules"))]
SOURCES = hashlib.sha256(b"".join(file.read_bytes() for file in FILES)).hexdigest()


class Board(NamedTuple):
    """Where all runs stand: each replica's score, rungs and stream, and of each run how many paths are under way, and its weight."""

    n: Any              # replicas of a run
    top: Any            # (replica,), of all runs
    count: Any
    path: Any
    todo: Any           # the replicas that wait for a lane, todo[:waiting[0]]
    waiting: Any
    pending: Any        # (run,)
    generation: Any
    weight: Any
    draws: Any          # room for a run's replicas
    killed: Any
    parents: Any


class Outcome(NamedTuple):
    """What runs leave: see `splitting_kernel`; the first run of these arrays is run 0 of the board."""

    log_weight: Any
    arrived: Any
    before: Any
    after: Any
    reached: Any
    paths: Any
    levels: Any
    killed: Any
    iterations: Any
    status: Any


@njit(**CALLED_FROM_PYTHON)
def set_up(board: Board, ladder: Any, x0: Any, scores: Any, first: int) -> None:
    """All replicas of all runs at their starts, and waiting."""
    total = len(board.top)
    for q in range(total):
        start = first * board.n + q if len(x0) > 1 else 0
        board.top[q], board.path[q], board.count[q], board.todo[total - 1 - q] = scores[start], q % board.n, 1, q
        ladder[q, 0, HEIGHT], ladder[q, 0, WHEN] = scores[start], 0.0
        for j in range(x0.shape[1]):
            ladder[q, 0, STATE + j] = x0[start, j]
    board.waiting[0] = total
    board.pending[:] = board.n


@njit(**CALLED_FROM_PYTHON)
def doubled(ladder: Any, count: Any) -> Any:
    """Return the ladders with room for twice as many rungs; memory that no rung has reached stays untouched."""
    wider = np.empty((ladder.shape[0], 2 * ladder.shape[1], ladder.shape[2]))
    for q in range(ladder.shape[0]):
        for m in range(count[q]):
            for c in range(ladder.shape[2]):
                wider[q, m, c] = ladder[q, m, c]
    return wider


@njit(**CALLED_FROM_PYTHON)
def proceed(board: Board, ladder: Any, g: int, k: int, low: Any, high: Any, out: Outcome) -> None:
    """One iteration of run g, all of whose paths have ended: finish it, or send the copies on their way."""
    n, a = board.n, g * board.n
    b = a + n
    board.generation[g] += 1
    for r in range(n):
        board.draws[r] = uniform(low, high, board.generation[g] * n + r, CHOICE)
    level, dead = resample(board.top[a:b], board.count[a:b], ladder[a:b], k, board.draws, board.killed, board.parents)
    if dead == 0 or dead == n:
        out.status[g], out.log_weight[g] = FINISHED, board.weight[g] if dead == 0 else -math.inf
        for r in range(n):
            out.arrived[g, r] = board.top[a + r] == math.inf
    if dead > 0:
        m = out.iterations[g]
        if m < out.levels.shape[1]:
            out.levels[g, m], out.killed[g, m] = level, dead
        out.iterations[g] = m + 1
    if 0 < dead < n:
        board.weight[g] += math.log1p(-dead / n)
        for j in range(dead):
            send(board, g, board.killed[j], board.parents[j], out)


@njit(**CALLED_FROM_PYTHON)
def send(board: Board, g: int, r: int, parent: int, out: Outcome) -> None:
    """Let a copy wait for a lane, with a stream of its own; one that is at the target by what it copied has arrived as its parent did."""
    q = g * board.n + r
    board.path[q] = board.generation[g] * board.n + r
    if board.top[q] < math.inf:
        board.todo[board.waiting[0]] = q
        board.waiting[0] += 1
        board.pending[g] += 1
        return
    for j in range(out.before.shape[2]):
        out.before[g, r, j], out.after[g, r, j] = out.before[g, parent, j], out.after[g, parent, j]
    out.reached[g, r], out.paths[g, r] = out.reached[g, parent], out.paths[g, parent]


@functools.cache
def splitting_kernel(d: int) -> Any:
    """Compile, or load from the cache, the kernel of splitting.

    ``run(x0, scores, first, last, n, k, dt, keys, p, B, step, q, table, score, log_weight, arrived, before, after, reached, paths, levels,
    killed, iterations, status, control, slot)``: runs first ... last - 1, all at once, each of n replicas of which at least k are killed at
    a time; replica r of run j starts at x0[j n + r] (or at the only one), which has the score scores[...].  A run leaves the logarithm of
    its weight, and of each replica whether it is at the target, the states before and after that step, the step, and the path that did it;
    `levels` and `killed` (run, ...) record as many iterations as they have room for.
    """
    X, Y, N, END, A, V, Z, SIDE = (layout(d)[name] for name in ("X", "Y", "N", "END", "A", "V", "Z", "SIDE"))
    TOP, BEFORE, AFTER, EVENT, rows = (score_layout(d)[name] for name in ("TOP", "BEFORE", "AFTER", "EVENT", "rows"))
    size, words, raw, version = rows * LANES, 4 * LANES, 2 * d * LANES, SOURCES

    @njit(types.void(MATRIX, VECTOR, int64, int64, int64, int64, float64, WORDS, VECTOR, MATRIX, STEP, VECTOR, VECTOR, SCORE, VECTOR,
                     types.Array(types.uint8, 2, "C"), CUBE, CUBE, INT_MATRIX, INT_MATRIX, MATRIX, INT_MATRIX, INTS, BYTES, INTS, int64),
          nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x0: Any, scores: Any, first: Any, last: Any, n: Any, k: Any, dt: Any, keys: Any, p: Any, B: Any, step: Any, q_score: Any,
            table: Any, score: Any, log_weight: Any, arrived: Any, before: Any, after: Any, reached: Any, paths: Any, levels: Any,
            killed: Any, iterations: Any, status: Any, control: Any, slot: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        wide_vectors()
        pointer, p_at, B_at, q_at, table_at = stack_floats(size), address_of(p), address_of(B), address_of(q_score), address_of(table)
        S, G = carray(pointer, (rows, LANES)), carray(stack_floats(raw), (2 * d, LANES))
        Q = carray(stack_ints(LANES), (LANES,))
        R, W = carray(stack_words(words), (4, LANES)), carray(stack_words(words), (4, LANES))
        total = (last - first) * n
        board = Board(n, np.empty(total), np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64),
                      np.zeros(1, np.int64), np.empty(last - first, np.int64), np.zeros(last - first, np.int64), np.zeros(last - first),
                      np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64))
        out = Outcome(log_weight[first:last], arrived[first:last], before[first:last], after[first:last], reached[first:last],
                      paths[first:last], levels[first:last], killed[first:last], iterations[first:last], status[first:last])
        ladder = np.empty((total, RUNGS, STATE + d))
        set_up(board, ladder, x0, scores, first)
        top, count, path, todo, waiting, pending = board.top, board.count, board.path, board.todo, board.waiting, board.pending
        for i in range(LANES):
            Q[i] = -1                                   # the replica in lane i, -1 for none
            S[N, i], S[END, i], S[A, i], S[V, i], S[SIDE, i], S[TOP, i] = 0.0, 1.0, 1.0, 0.0, 0.0, 0.0
            for j in range(d):
                S[X + j, i] = S[Y + j, i] = x0[0, j]
            start_lane(R, i, keys[first, 0], keys[first, 1], 0)
        running, calls = 0, 0
        while True:
            if waiting[0] > 0 and running < LANES:
                for i in range(LANES):
                    if Q[i] < 0 and waiting[0] > 0:
                        waiting[0] -= 1
                        running += 1
                        q = todo[waiting[0]]
                        Q[i] = q
                        for j in range(d):
                            S[X + j, i] = S[Y + j, i] = ladder[q, 0, STATE + j]
                        low, high = keys[first + q // n, 0], keys[first + q // n, 1]
                        S[N, i], S[END, i], S[A, i], S[V, i] = ladder[q, 0, WHEN], 0.0, 1.0, uniform(low, high, path[q], BRIDGE)
                        S[SIDE, i], S[TOP, i] = 0.0, top[q]
                        start_lane(R, i, low, high, path[q])
            if running == 0:
                return
            draw(R, W, G, S, B, d, Z, B.size > 0)
            step(pointer, dt, 0.0, 0.0, LAST, p_at, B_at)
            score(pointer, q_at, table_at)
            calls += 1
            if calls % POLL == 0 and control[0] != 0:
                return
            for i in range(LANES):
                if S[EVENT, i] == 0.0 or Q[i] < 0:
                    continue
                q, ended = Q[i], S[END, i] != 0.0
                when = S[END, i] if ended else S[N, i]
                height = S[BEFORE, i]
                for part in range(2):                   # the state before the last step, and the state after it
                    row = X if part else Y
                    if part:
                        height = S[AFTER, i] if not ended else math.inf if S[SIDE, i] > 0.0 else -math.inf
                    if height > top[q]:
                        m = count[q]
                        if m == ladder.shape[1]:
                            ladder = doubled(ladder, count)
                        ladder[q, m, HEIGHT], ladder[q, m, WHEN] = height, when - 1.0 + part
                        for j in range(d):
                            ladder[q, m, STATE + j] = S[row + j, i]
                        top[q], count[q] = height, m + 1
                S[TOP, i] = top[q]
                g, r = q // n, q % n
                if ended and not (finite(S, X, d, i) and S[SIDE, i] == S[SIDE, i]):
                    status[first + g] = DIVERGED
                elif count[q] >= MOST_RUNGS:
                    status[first + g] = TOO_MANY_RUNGS
                elif not ended:
                    continue
                elif S[SIDE, i] > 0.0:
                    for j in range(d):
                        before[first + g, r, j], after[first + g, r, j] = S[Y + j, i], S[X + j, i]
                    reached[first + g, r], paths[first + g, r] = np.int64(when), path[q]
                control[slot] += np.int64(when - ladder[q, 0, WHEN])
                Q[i] = -1
                S[END, i] = 1.0                         # an idle lane is frozen
                running -= 1
                pending[g] -= 1
                while pending[g] == 0 and status[first + g] == UNFINISHED:      # again if all copies are at the target at once
                    proceed(board, ladder, g, k, keys[first + g, 0], keys[first + g, 1], out)
    return run
