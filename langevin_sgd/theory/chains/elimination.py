"""Markov chains solved by additions, products and quotients of positive numbers only: no digit is lost, however rare an exit is.

After Grassmann, Taksar and Heyman, Operations Research 33, 1107 (1985): states are censored out of the chain one after the other, and
what leaves a state is a sum, never one minus the probability to stay.
"""
from __future__ import annotations

import numpy as np

from langevin_sgd.models.arguments import Array

HUGE = 1e200
LEAST = 1e-300          # smaller probabilities are none: they would be slow, and end rows that are long enough


def passage_sums(moves: Array, kill: Array, sources: Array) -> Array:
    """Return the expected sums of sources over the visits of a chain until it is killed: T = sources + moves T.

    Parameters
    ----------
    moves
        Probabilities (n, n) from a state (row) to another.  The diagonal is not used: a row and what is killed sum to 1.
    kill
        Probabilities (n,) to be killed in a step.
    sources
        Array (n, k): k problems at once.  1: the number of steps; the probability of one kind of kill: that it is this one.

    Notes
    -----
    Source: `numerics` of subtraction-free elimination.  Entrywise accurate to rounding for sums up to 1e300.

    Examples
    --------
    >>> import numpy as np
    >>> from langevin_sgd.theory.chains.elimination import passage_sums
    >>> moves = np.array([[0.0, 1.0], [1.0 - 1e-17, 0.0]])
    >>> passage_sums(moves, np.array([0.0, 1e-17]), np.ones((2, 1))).ravel()
    array([2.e+17, 2.e+17])
    """
    q, leaving, r = moves.copy(), kill.copy(), sources.copy()
    sums = np.empty_like(r)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):        # where nothing leaves, sums are infinite or NaN
        out = _censored(q, leaving, r)
        for k in range(len(q)):
            sums[k] = (r[k] + q[k, :k] @ sums[:k]) / out[k]
    return sums


def stationary_law(moves: Array) -> Array:
    """Return the stationary probabilities (n,) of a chain whose rows sum to 1; those of rare states are as accurate as the others.

    Only what is rarer than the others by 1e300 or so is lost.
    """
    q = moves.copy()
    _censored(q, np.zeros(len(q)), np.empty((len(q), 0)))
    law = np.ones(len(q))
    for k in range(1, len(q)):
        law[k] = law[:k] @ q[:k, k]
        if law[k] > HUGE:
            law[:k + 1] /= law[k]
    return law / law.sum()


def _censored(q: Array, kill: Array, sources: Array) -> Array:
    """Censor all states in place, the last first, and return what leaves each.

    Row k then holds, left of the diagonal, where the chain goes from k among the states before it; column k, above the diagonal, the
    visits to k from each of these states.
    """
    q[q < LEAST] = 0.0
    out = np.empty(len(q))
    for k in range(len(q) - 1, -1, -1):
        out[k] = kill[k] + q[k, :k].sum()
        rows, columns = q[:k, k].nonzero()[0], q[k, :k].nonzero()[0]
        if not len(rows):
            continue
        first = slice(rows[0], k)                           # transitions are short: what they touch is a block beside the diagonal
        q[first, k] /= out[k]
        visits = q[first, k]
        if len(columns):
            block = slice(columns[0], k)
            q[first, block] += visits[:, None] * q[k, block]
        kill[first] += visits * kill[k]
        sources[first] += visits[:, None] * sources[k]
    return out
