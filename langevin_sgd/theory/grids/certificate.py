"""How many digits of a solution are certain: it is refined in twice the precision, and what that changes is its error.

At a mean time τ, the rounding of each t_i makes a residual of τ × rates × 1e-16, which drowns the source as soon as τ is long: neither a
residual in floats, nor a correction of which the two signs are solved apart, can say anything.  So both are computed with numbers of
twice the precision; where τ × rates reaches 1e31 they say nothing either.  The elimination itself stays as it is: if it is off by a
relative ε, each refinement leaves ε of the error, and the second shows that the first was right.
"""
from __future__ import annotations

import math

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.dissection import dissect
from langevin_sgd.theory.grids.doubled import ROUNDING, add, add_matrix_product, residual
from langevin_sgd.theory.grids.eliminated import Eliminated
from langevin_sgd.theory.grids.fronts import Fronts, eliminate_fronts

CONVERGES = 0.1         # what the second refinement may change, beside the first


def certain_digits(run: Eliminated, values: Array, source: Array) -> float:
    """Return how many decimal digits of t, Σ_j q_ij (t_i − t_j) + kill_i t_i = source_i, are certain in the worst of all states.

    A process that was eliminated along a band is eliminated once more, by fronts: in another order, by other code.  The digits are 0 if
    refinements do not converge.
    """
    jumps = run.jumps
    fronts = run.taken if isinstance(run.taken, Fronts) else eliminate_fronts(
        dissect(jumps.along, jumps.source, jumps.target), jumps.source, jumps.target, jumps.rate, run.kill)
    high, low, changes = values, np.zeros(len(values)), []
    for _ in range(2):
        left = residual(high, low, source, run.kill, jumps.source, jumps.target, jumps.rate)
        change = _solved(fronts, *left)
        changes.append(_largest(change[0] / values))
        high, low = add(high, low, *change)
    noise = _largest(fronts.solve(_sizes(run, values)) * ROUNDING / values)
    if not changes[1] <= max(CONVERGES * changes[0], noise):
        return 0.0
    return max(0.0, -math.log10(max(changes[0] + changes[1] + noise, np.finfo(float).eps)))


def _sizes(run: Eliminated, values: Array) -> Array:
    """The sum of the sizes of what adds up to the residual, for each state."""
    jumps = run.jumps
    both = jumps.rate * (values[jumps.source] + values[jumps.target])
    return np.asarray(run.kill * values + np.bincount(jumps.source, both, len(values)))


def _largest(relative: Array) -> float:
    return float(np.abs(relative).max()) if np.isfinite(relative).all() else math.inf


def _solved(fronts: Fronts, high: Array, low: Array) -> tuple[Array, Array]:
    """The solution for a source of either sign in twice the precision, with mean times and rates as they were eliminated."""
    order, place = fronts.dissection.order, fronts.dissection.place
    r, s = high[order], low[order]
    t, u = np.zeros_like(r), np.zeros_like(s)
    steps = list(zip(fronts.dissection.fronts, fronts.parts, strict=True))
    for front, part in steps:
        add_matrix_product(r, s, part.back, r[front.start:front.stop], s[front.start:front.stop], front.rest)
    for front, part in reversed(steps):
        own = np.arange(front.start, front.stop)
        add_matrix_product(r, s, part.onward, t[front.rest], u[front.rest], own)
        add_matrix_product(t, u, part.inside, r[own], s[own], own)
    return t[place], u[place]
