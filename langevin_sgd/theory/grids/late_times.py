"""What remains of a jump process that ends: the rate and the law of those that have stayed long, and how many are left after a time.

Everything is made of the subtraction-free solve, so that a rate of 1e-22 has all its digits.
"""
from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.eliminated import Eliminated

CLOSED = 1e-9               # relative width of the bracket of a rate
MOST_ITERATIONS = 2000
VANISHED = 1e-290           # what has left a part of the domain, beside what is left in another
FEWEST_STEPS, STEPS_PER_LIFE = 24, 32       # in time; twice and four times as many are taken for the extrapolation


def escape_rate(run: Eliminated) -> float:
    """Return the smallest eigenvalue, by inverse iteration, bracketed by the ratios of its steps (Collatz 1942, Wielandt 1950).

    Raises
    ------
    ValueError
        If the bracket does not close: the domain has parts between which paths hardly change.
    """
    for low, high in brackets(run):
        if high - low <= CLOSED * high:
            return math.sqrt(low * high)
    raise ValueError(f"`domain` has no single rate of escape: paths hardly change between parts of it that are left at rates from "
                     f"{low:.3g} to {high:.3g}; ask for one of the parts.")


def brackets(run: Eliminated) -> Iterator[tuple[float, float]]:
    """Give bounds of the smallest eigenvalue, each pair inside the one before, as far as rounding lets them close."""
    before: Array = np.ones(len(run.kill))
    for _ in range(MOST_ITERATIONS):
        after = run.solve(before)
        ratio = before / after
        yield float(ratio.min()), float(ratio.max())
        before = after / after.max()
        if before.min() < VANISHED:
            return


def quasi_stationary_law(run: Eliminated) -> Array:
    """Return the probabilities of the states of a process that has not ended for long."""
    law: Array = np.full(len(run.kill), 1 / len(run.kill))
    for _ in range(MOST_ITERATIONS):
        after = run.solve_transposed(law)
        after /= after.sum()
        if np.abs(after - law).sum() <= CLOSED:
            return after
        law = after
    raise ValueError("`domain` has no single quasi-stationary law: paths hardly change between parts of it; ask for one of the parts.")


def survival(run: Eliminated, time: float, longest: float) -> Array:
    """Return the probabilities not to have ended at a time, from all starts, where `longest` is the longest mean time to end.

    Implicit steps keep all of them positive; −ln of the probability is extrapolated to steps of no size over n, 2 n and 4 n of them.
    """
    n = FEWEST_STEPS + STEPS_PER_LIFE * math.ceil(time / longest)
    first, second, third = (_implicit(run, time, n * more) for more in (1, 2, 4))
    return np.exp(-(8 * third - 6 * second + first) / 3)


def _implicit(run: Eliminated, time: float, steps: int) -> Array:
    """−ln of the probability to be left after implicit steps, each of which is a passage problem with an extra kill of 1 / step."""
    rate = steps / time
    step = run.plan.eliminate(run.kill + rate)
    left: Array = np.ones(len(run.kill))
    log = 0.0
    for _ in range(steps):
        left = step.solve(rate * left)
        top = left.max()
        left, log = left / top, log + math.log(top)
    with np.errstate(divide="ignore"):
        return np.asarray(-log - np.log(left))
