"""The law of the curvature of a batch in one direction: the mean of B curvatures out of N.

Where it has few values they are all counted.  Else sums of independent samples are put on lattices, each value shared between its two
neighbours, and transformed; what sharing adds falls with the square of the width, and lattices of several widths tell the limit.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array

COUNTED = 200_000               # values that are counted one by one
CELLS = 2**16                   # of the coarsest lattice of a sum, or more, so that a sample's range has so many:
LEAST_CELLS = 64
MOST_CELLS = 2**23
FINER = (1.0, 1.13, 1.26, 1.42, 1.6)
MANY = 10**18                   # values, beyond which their number does not matter
NONE = 1e-16                    # probability that is left out: it is rounding of the transform
SAME = 1e-13                    # relative difference of sums that are one
SAFE = 5.0                      # times the largest deviation of a lattice from the extrapolation: its error


@dataclass(frozen=True, eq=False)
class Values:
    """Values of the curvature with their probabilities; `width` is that of the cells that they stand for, or 0."""

    values: Array
    shares: Array
    width: float = 0.0

    def mean_log(self, rate: float) -> float:
        """E ln |1 − η h|; of a cell, the mean over it."""
        x = 1 - rate * self.values
        if not self.width:
            with np.errstate(divide="ignore"):
                return float(self.shares @ np.log(np.abs(x)))
        half = rate * self.width / 2
        return float(self.shares @ (_integral(x + half) - _integral(x - half))) / (2 * half)

    def log_moment(self, rate: float, power: float) -> float:
        """ln E |1 − η h|^power."""
        with np.errstate(divide="ignore"):
            logs = power * np.log(np.abs(1 - rate * self.values)) + np.log(self.shares)
        top = float(logs.max())
        return top + math.log(float(np.exp(logs - top).sum()))


@dataclass(frozen=True, eq=False)
class BatchLaw:
    """The curvature of a batch in one direction: all its values, or several lattices of them, the coarsest first; and how many they are."""

    lattices: tuple[Values, ...]
    count: float

    @property
    def is_exact(self) -> bool:
        """Whether all values are counted."""
        return len(self.lattices) == 1

    def mean_log(self, rate: float) -> tuple[float, float]:
        """Return E ln |1 − η h| and its error.

        Within a cell of 1/η it matters where values lie, which the lattices do not know: few may be off by as much as there is, many
        average out.
        """
        value, error = self._limit(lambda lattice: lattice.mean_log(rate))
        finest = self.lattices[-1]
        near = float(finest.shares[np.abs(1 / rate - finest.values) < finest.width].sum())
        return value, error + SAFE * near / math.sqrt(1 + self.count * near)

    def log_moment(self, rate: float, power: float) -> float:
        """Return ln E |1 − η h|^power."""
        return self._limit(lambda lattice: lattice.log_moment(rate, power))[0]

    def _limit(self, of: Callable[[Values], float]) -> tuple[float, float]:
        """The limit of narrow cells, and its error."""
        found = np.array([of(lattice) for lattice in self.lattices])
        if self.is_exact:
            return float(found[0]), 0.0
        widths = np.array([lattice.width for lattice in self.lattices])
        design = np.column_stack([np.ones(len(found)), (widths / widths[0])**2])
        fit = np.linalg.lstsq(design, found, rcond=None)[0]
        return float(fit[0]), SAFE * float(np.abs(found - design @ fit).max())


def batch_law(curvatures: Array, batch_size: int, sampling: str) -> BatchLaw | None:
    """Return the law of the mean of B out of N curvatures (N,); None where it can be sampled only.

    Examples
    --------
    >>> import numpy as np
    >>> from langevin_sgd.theory.sgd.batch_law import batch_law
    >>> batch_law(np.array([0.0, 2.0]), 2, "iid").lattices[0]
    Values(values=array([0., 1., 2.]), shares=array([0.25, 0.5 , 0.25]), width=0.0)
    """
    values, counts = np.unique(curvatures, return_counts=True)
    n = len(curvatures)
    if len(values) == 1 or batch_size == 1:
        return BatchLaw((Values(values, counts / n),), len(values))
    if sampling == "without" and batch_size == n:
        return BatchLaw((Values(np.array([curvatures.mean()]), np.ones(1)),), 1)
    if sampling == "without":
        return _counted_without(curvatures, batch_size) if math.comb(n, min(batch_size, n - batch_size)) <= COUNTED else None
    count = math.comb(len(values) + batch_size - 1, batch_size)
    if count <= COUNTED:
        return BatchLaw((_counted(values, counts / n, batch_size),), count)
    cells = max(LEAST_CELLS, CELLS // batch_size)
    if cells * batch_size > MOST_CELLS:
        return None
    return BatchLaw(tuple(_lattice(curvatures, batch_size, round(finer * cells)) for finer in FINER), float(min(count, MANY)))


def _counted(values: Array, shares: Array, batch_size: int) -> Values:
    """All sums of B independent values."""
    sums, weights = values, shares
    for _ in range(batch_size - 1):
        sums, weights = _merged((sums[:, None] + values).ravel(), (weights[:, None] * shares).ravel())
    return Values(sums / batch_size, weights)


def _counted_without(curvatures: Array, batch_size: int) -> BatchLaw:
    """All batches of B different samples."""
    n, few = len(curvatures), min(batch_size, len(curvatures) - batch_size)
    chosen = np.fromiter(itertools.chain.from_iterable(itertools.combinations(range(n), few)), np.int64).reshape(-1, few)
    sums = curvatures[chosen].sum(axis=1)
    if few < batch_size:                                # what is left out was counted
        sums = curvatures.sum() - sums
    return BatchLaw((Values(*_merged(sums / batch_size, np.full(len(sums), 1 / len(sums)))),), len(sums))


def _merged(sums: Array, weights: Array) -> tuple[Array, Array]:
    """Sums that differ by rounding only become one."""
    order = np.argsort(sums)
    sums, weights = sums[order], weights[order]
    new = np.flatnonzero(np.diff(sums, prepend=-math.inf) > SAME * np.abs(sums).max())
    return sums[new], np.add.reduceat(weights, new)


def _lattice(curvatures: Array, batch_size: int, cells: int) -> Values:
    """The law of the mean, from sums on a lattice on which the range of a sample has so many cells."""
    from scipy.fft import irfft, next_fast_len, rfft
    low = float(curvatures.min())
    width = float(np.ptp(curvatures)) / cells
    places = (curvatures - low) / width
    below = np.minimum(places.astype(np.int64), cells - 1)
    beyond = places - below
    one = (np.bincount(below, 1 - beyond, cells + 1) + np.bincount(below + 1, beyond, cells + 1)) / len(curvatures)
    size = next_fast_len(cells * batch_size + 1, real=True)
    law = irfft(rfft(one, size)**batch_size, size)[:cells * batch_size + 1]
    seen = np.flatnonzero(law > NONE)
    return Values(low + width * seen / batch_size, law[seen] / law[seen].sum(), width / batch_size)


def _integral(x: Array) -> Array:
    """∫ ln |x| dx."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(x == 0, 0.0, x * np.log(np.abs(x)) - x))
