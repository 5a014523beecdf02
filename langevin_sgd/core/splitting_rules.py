"""Adaptive multilevel splitting: who is killed, whom each of them copies, and up to where.

The rules know replicas only by their *ladders*: the points at which the score rose above all that it had been before, lowest first.  The
first point of a path with a score above a level is always one of them, so that nothing else of a path needs to be kept.  A path that has
arrived at the target has a last rung of infinite height.

Source: C.-E. Bréhier, M. Gazeau, L. Goudenège, T. Lelièvre & M. Rousset, Ann. Appl. Probab. 26, 3559 (2016).  The estimate is unbiased for
any score, any number of replicas and any k, for the chain at a given step; each departure from these rules costs tens of per cent.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.lanes import CALLED_FROM_PYTHON

HEIGHT, WHEN, STATE = 0, 1, 2           # the columns of a rung: score, step, and from here on the state


@njit(**CALLED_FROM_PYTHON)
def first_above(heights: Any, count: int, level: float) -> int:
    """The first rung above a level, of a ladder that has one."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if heights[middle] > level:
            high = middle
        else:
            low = middle + 1
    return low


@njit(**CALLED_FROM_PYTHON)
def smallest(values: Any, k: int) -> float:
    """The k-th smallest of some numbers, by Hoare's selection: `np.partition` takes seconds to compile."""
    v, low, high = values.copy(), 0, len(values) - 1
    while low < high:
        pivot, i, j = v[(low + high) // 2], low, high
        while i <= j:
            while v[i] < pivot:
                i += 1
            while pivot < v[j]:
                j -= 1
            if i <= j:
                v[i], v[j] = v[j], v[i]
                i, j = i + 1, j - 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    return v[k - 1]


@njit(**CALLED_FROM_PYTHON)
def resample(top: Any, count: Any, ladder: Any, k: int, draws: Any, killed: Any, parents: Any) -> tuple[float, int]:
    """Kill the lowest replicas, and let each copy a survivor up to and including its first point above the level.

    Parameters
    ----------
    top
        The greatest score of each replica (N,), infinite for one that has arrived at the target; overwritten for those killed.
    count, ladder
        The number of rungs of each replica (N,), and the rungs (N, rungs, columns); likewise.
    k
        At least so many are killed.
    draws
        A uniform number on [0, 1) for each replica (N,), which chooses whom it copies.
    killed, parents
        Filled with the replicas that were killed, and with those that they copied.

    Returns
    -------
    tuple
        The level and the number killed: 0 if the k-th smallest score is at the target, which ends the run; N if no replica is above
        the level, which is an extinction (the estimate is zero, and is kept in the average).
    """
    n = len(top)
    level = smallest(top, k)
    if level == math.inf:
        return level, 0
    survivors, dead, alive = np.empty(n, np.int64), 0, 0
    for r in range(n):
        if top[r] <= level:                 # ties included
            killed[dead] = r
            dead += 1
        else:
            survivors[alive] = r
            alive += 1
    if alive == 0:
        return level, n
    for j in range(dead):
        r, parent = killed[j], survivors[int(draws[killed[j]] * alive)]
        rung = first_above(ladder[parent, :, HEIGHT], count[parent], level)
        for c in range(ladder.shape[2]):
            ladder[r, 0, c] = ladder[parent, rung, c]
        count[r], parents[j] = 1, parent
        top[r] = ladder[r, 0, HEIGHT]
    return level, dead
