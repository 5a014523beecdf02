"""Walks on lattices, whose probabilities are exact, run by the library's own rules of splitting; and the same with one rule broken.

The broken copy is made from the text of the rules, so that it follows them wherever they go.
"""
from __future__ import annotations

import inspect
import math

import numpy as np
from numba import njit

from langevin_sgd.core import splitting_rules
from langevin_sgd.core.splitting_rules import HEIGHT, STATE, WHEN, resample
from langevin_sgd.core.streams import next_word, stream, uniform

RIGHT, EXACTLY_K, AT_THE_LEVEL, OWN_LEVEL, SAME_NOISE = range(5)
WRONG = {EXACTLY_K: "kill exactly k under ties", AT_THE_LEVEL: "branch at the first score at the level or above",
         OWN_LEVEL: "each branches at its own level", SAME_NOISE: "go on with the noise of the path that was copied"}
BREAKS = [("draws: Any, killed: Any, parents: Any)", "draws: Any, killed: Any, parents: Any, wrong: int)"),
          ("if top[r] <= level:", "if top[r] <= level and (wrong != 1 or dead < k):"),
          ("count[parent], level)", "count[parent], np.nextafter(level, -math.inf) if wrong == 2 else top[r] if wrong == 3 else level)")]


def breakable():
    """The rules with one more argument, which says what is wrong."""
    text = inspect.getsource(splitting_rules.resample.py_func)
    for old, new in BREAKS:
        assert text.count(old) == 1, f"the rules no longer read {old!r}"
        text = text.replace(old, new)
    scope = dict(vars(splitting_rules))
    exec(text, scope)
    return scope["resample"]


rules = breakable()


@njit(error_model="numpy")
def step(x, y, u, q, plane):
    """One step: up with probability q, else down; in the plane of either coordinate, with walls at 0."""
    if not plane:
        return (x + 1, y) if u < q else (x - 1, y)
    if u < 0.5:
        return (x + 1, y) if 2 * u < q else (max(x - 1, 0), y)
    return (x, y + 1) if 2 * u - 1 < q else (x, max(y - 1, 0))


@njit(error_model="numpy")
def run_path(ladder, count, top, r, low, high, path, q, plane, end, slope):
    """Run a replica from its only rung until it is at 0 or at the end (in the plane: until the sum of both is)."""
    x, y, state = int(ladder[r, 0, STATE]), int(ladder[r, 0, STATE + 1]), stream(low, high, path)
    n = ladder[r, 0, WHEN]
    while True:
        state, word = next_word(state)
        x, y = step(x, y, np.float64(word >> np.uint64(11)) * 2.0**-53, q, plane)
        n += 1
        if x + y <= 0:
            return
        height = math.inf if x + y >= end else x + slope * y
        if height > top[r]:
            m = count[r]
            ladder[r, m, HEIGHT], ladder[r, m, WHEN], ladder[r, m, STATE], ladder[r, m, STATE + 1] = height, n, x, y
            count[r], top[r] = m + 1, height
        if height == math.inf:
            return


@njit(error_model="numpy")
def one_run(n, k, low, high, q, plane, end, slope, wrong):
    """The estimate of one run from (1, 0)."""
    ladder, count, top = np.zeros((n, 8 * end, STATE + 2)), np.ones(n, np.int64), np.ones(n)
    draws, killed, parents, path = np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.arange(n)
    for r in range(n):
        ladder[r, 0, HEIGHT], ladder[r, 0, STATE] = 1.0, 1.0
        run_path(ladder, count, top, r, low, high, path[r], q, plane, end, slope)
    weight, generation = 1.0, 0
    while True:
        generation += 1
        for r in range(n):
            draws[r] = uniform(low, high, generation * n + r, 1)
        if wrong == 0:
            _, dead = resample(top, count, ladder, k, draws, killed, parents)
        else:
            _, dead = rules(top, count, ladder, k, draws, killed, parents, wrong)
        if dead == n:
            return 0.0
        if dead == 0:
            return weight * (top == math.inf).mean()
        weight *= 1 - dead / n
        for r, parent in zip(killed[:dead], parents[:dead]):            # noqa: B905, Numba's zip has no `strict`
            path[r] = path[parent] if wrong == 4 else generation * n + r
            if top[r] < math.inf:
                run_path(ladder, count, top, r, low, high, path[r], q, plane, end, slope)


@njit(error_model="numpy")
def all_runs(runs, n, k, key, q, plane, end, slope, wrong):
    """The estimates of independent runs."""
    out = np.empty(runs)
    for j in range(runs):
        out[j] = one_run(n, k, np.uint64(key), np.uint64(j), q, plane, end, slope, wrong)
    return out


def on_the_line(runs, n, k, *, key=1, wrong=RIGHT, q=0.35, end=12):
    """Runs of the walk on the integers from 1: to `end` before 0."""
    return all_runs(runs, n, k, key, q, False, end, 0.0, wrong)


def in_the_plane(runs, n, k, *, key=1, wrong=RIGHT, slope=0.0, q=0.35, end=10):
    """Runs of the walk on the quadrant from (1, 0): to x + y = end before (0, 0); scored by x + slope y."""
    return all_runs(runs, n, k, key, q, True, end, slope, wrong)


def exact_on_the_line(q=0.35, end=12):
    """The probability to reach `end` before 0 from 1 (`numerics`, b)."""
    r = (1 - q) / q
    return (r - 1) / (r**end - 1)


def exact_in_the_plane(q=0.35, end=10):
    """The same on the quadrant, by solving the linear equations for all of its states."""
    states = [(x, y) for x in range(end) for y in range(end - x) if x + y > 0]
    index = {s: k for k, s in enumerate(states)}
    matrix, right = np.eye(len(states)), np.zeros(len(states))
    for (x, y), k in index.items():
        for to, share in (((x + 1, y), q / 2), ((max(x - 1, 0), y), (1 - q) / 2), ((x, y + 1), q / 2), ((x, max(y - 1, 0)), (1 - q) / 2)):
            if sum(to) >= end:
                right[k] += share
            elif sum(to) > 0:
                matrix[k, index[to]] -= share
    return np.linalg.solve(matrix, right)[index[1, 0]]
