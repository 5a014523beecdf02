"""Passage times of minibatch SGD itself on a loss over data with one weight: the chain of real batches, without simulation.

T(x) = 1 + E T(x − η g_B(x)), the mean over all batches.  The steps from the middles of cells are put on the lattice of these middles, each
shared between its two neighbours, and batches are sums of independent samples, so that their law is a convolution.  What is left is a chain
between cells with transitions that are all positive, solved without a subtraction (`theory`, 5.2b).
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.region import Interval
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.theory.chains.elimination import passage_sums
from langevin_sgd.theory.line.convergence import QuadratureError

TOLERANCE = 4e-3                # relative error that is small enough
FIRST_CELLS, MOST_CELLS = 400, 2600
FINER = (1.0, 1.13, 1.26, 1.42, 1.6)    # cells of lattices that are compared: T is no smooth function, and each has an error of its own
SAFE, LEAST = 3.0, 1e-3         # standard errors of the extrapolation that are reported as its error, and the least relative one
WIDER = 1.4                     # windows towards an infinite end
NO_CHANGE = 2e-4                # relative change that a wider window may bring
ROUNDS = 12


@dataclass(frozen=True)
class BatchStep:
    """x ← x − η g_B(x), batches drawn with replacement."""

    loss: SampledLoss
    learning_rate: float
    batch_size: int

    def law(self, x: float, width: float) -> tuple[Array, int]:
        """Return the probabilities of steps from x in numbers of cells, and the first of these numbers."""
        cells = -self.learning_rate / self.batch_size * self.loss.sample_gradients(x) / width
        below = np.floor(cells).astype(np.int64)
        beyond, first = cells - below, int(below.min())
        one = np.bincount(below - first, 1 - beyond, int(below.max()) - first + 2) + np.bincount(below - first + 1, beyond)[
            :int(below.max()) - first + 2]
        return _convolved(one / len(cells), self.batch_size), first * self.batch_size


def _convolved(law: Array, times: int) -> Array:
    """The law of a sum of so many independent numbers of one law: by direct convolution, which keeps small probabilities right."""
    from scipy.signal import convolve
    result, power = np.ones(1), law
    while times:
        if times % 2:
            result = convolve(result, power, method="direct")
        times //= 2
        if times:
            power = convolve(power, power, method="direct")
    return np.asarray(result)


def passage(step: BatchStep, start: float, domain: Interval, wanted: int, quantity: str) -> Estimate:
    """Return a sum over visits until the chain is outside: 0, the steps (in t); 1 and 2, the probabilities of the high and the low end.

    Raises
    ------
    QuadratureError
        If the error is above 0.4 %; the error carries the best value.
    """
    low, high = _window(step, start, domain, wanted)
    cells, best, counts, values = FIRST_CELLS, None, np.zeros(0), np.zeros(0)
    while cells * FINER[-1] <= MOST_CELLS:
        new = np.array([round(f * cells) for f in FINER])
        counts = np.append(counts, new)
        values = np.append(values, [_sums(step, start, low, high, domain, n)[wanted] for n in new])
        value, error = _extrapolated(counts, values)
        scale = step.learning_rate if wanted == 0 else 1.0
        best = Estimate(value=scale * value, low=scale * (value - error), high=scale * (value + error), confidence=1.0,
                        method="lattice of real batches", quantity=quantity, dt=step.learning_rate)
        if math.isfinite(value) and error <= TOLERANCE * abs(value):
            return best
        cells = round(1.8 * cells)
    assert best is not None, "This is a bug: no lattice was tried."
    raise QuadratureError(f"the {quantity} of SGD is {best.value:.6g}, but uncertain by {best.high - best.value:.2g} on lattices of up "
                          f"to {MOST_CELLS} cells: the steps are too small for the domain, or the time is infinite.  The value is in "
                          "`.estimate`.", best)


def _extrapolated(counts: Array, values: Array) -> tuple[float, float]:
    """The limit of small cells and its error: sharing steps between cells adds to their variance what falls with the square of the width.

    A few lattices may lie on a line by luck, so that no error is taken to be less than a thousandth.
    """
    design = np.column_stack([np.ones(len(counts)), (counts[0] / counts)**2])
    scale = float(np.abs(values).max())                     # a long time squared would overflow
    if not 0 < scale < math.inf:
        return scale, math.inf if scale else 0.0
    fit = np.linalg.lstsq(design, values / scale, rcond=None)[0]
    left = values / scale - design @ fit
    variance = float(left @ left) / (len(counts) - 2) * float(np.linalg.inv(design.T @ design)[0, 0])
    return scale * float(fit[0]), scale * max(SAFE * math.sqrt(variance), LEAST * abs(float(fit[0])))


def _window(step: BatchStep, start: float, domain: Interval, wanted: int) -> tuple[float, float]:
    """The domain, its infinite ends cut where a wider window makes no difference."""
    ends = [domain.low, domain.high]
    if all(map(math.isfinite, ends)):
        return domain.low, domain.high
    reach = abs(next(end for end in ends if math.isfinite(end)) - start) or 1.0
    width = reach / (FIRST_CELLS // 2)
    before = math.nan
    for _ in range(ROUNDS):
        low, high = (end if math.isfinite(end) else start + sign * reach for end, sign in zip(ends, (-1, 1), strict=True))
        now = _sums(step, start, low, high, domain, max(2, round((high - low) / width)))[wanted]
        if abs(now - before) <= NO_CHANGE * abs(now):
            return low, high
        before, reach = now, WIDER * reach
        if (high - low) / width > MOST_CELLS / 2:
            break
    raise QuadratureError(f"no window of SGD could be chosen: up to {reach:.3g} from the start the answer still changes; give `domain` a "
                          "finite end on the infinite side.", Estimate(value=now, low=0.0, high=math.inf, confidence=1.0, method="lattice"))


def _sums(step: BatchStep, start: float, low: float, high: float, domain: Interval, cells: int) -> Array:
    """The mean number of steps from a start, and the probabilities of the high end and of the low one, (3,), on a lattice of cells."""
    width = (high - low) / cells
    moves, kill, sources = np.zeros((cells, cells)), np.zeros(cells), np.ones((cells, 3))
    exits = math.isfinite(domain.low), math.isfinite(domain.high)
    for k in range(cells):
        law, first = step.law(low + (k + 0.5) * width, width)
        moves[k], below, above = _landed(law, k + first, cells, exits)
        kill[k], sources[k, 1], sources[k, 2] = below + above, above, below
    sums = passage_sums(moves, kill, sources)
    law, first = step.law(start, width)
    place = (start - low) / width - 0.5
    beyond = place - math.floor(place)
    total = np.array([1.0, 0.0, 0.0])
    for share, shift in ((1 - beyond, math.floor(place)), (beyond, math.floor(place) + 1)):
        landed, below, above = _landed(law, shift + first, cells, exits)
        total += share * (landed @ sums + np.array([0.0, above, below]))
    return total


def _landed(law: Array, first: int, cells: int, exits: tuple[bool, bool]) -> tuple[Array, Any, Any]:
    """Where a step of this law ends, the cell of whose first entry is `first`: among the cells, below them, above them.

    At a cut that is no exit, what goes beyond is put into the last cell.
    """
    at = np.clip(first + np.arange(len(law)), -1, cells)
    row: Array = np.asarray(np.bincount(at + 1, law, cells + 2), dtype=float)
    inside, below, above = row[1:-1], row[0], row[-1]
    if not exits[0]:
        inside[0] += below
        below = 0.0
    if not exits[1]:
        inside[-1] += above
        above = 0.0
    return inside, below, above
