"""A mean passage time on a grid that nobody had to choose: the box grows until its walls do not matter, and the cells shrink."""
from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, positive, state, whole
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.grids.fokker_planck import FokkerPlanck
from langevin_sgd.theory.grids.grid import COARSER, FEWEST, Grid
from langevin_sgd.theory.grids.grid_function import interpolated

FIRST_CELLS = {1: 64, 2: 32, 3: 16}     # along each axis of the first box, by dimension
MOST_CELLS = {1: 1024, 2: 96, 3: 24}    # along an axis during the search: beyond them it goes on with cells of twice the width
PADDING = 3.0               # the first box reaches so many widths of the noise beyond the points that it has to hold
SHARE = 0.25                # of the length of the box, by which a side moves out
MOVES = 60                  # of sides, before the search is given up
WIDER = 0.3                 # the last look is at a box wider by this share on every side
ROUGH = 0.01                # the walls may change the logarithm of the time by this much where only a grid is wanted
CLOSER = 4.0                # the walls may change the time by this part of what is asked for
REFINED = {1: (2, 4, 8, 16), 2: (1.5, 2, 3, 4, 6), 3: (1, 1.5, 2)}      # cells of the answer, over those of the search
BUDGET = 4e9                # cells × (cells of all axes but the longest)² of one elimination: some ten seconds

Side = tuple[int, bool]     # an axis, and whether its upper end


def mean_passage_time_on_grid(sde: SDE, x0: ArrayLike, domain: Region, *, through: Sequence[ArrayLike] = (),
                              relative_error: float = 1e-3) -> Estimate:
    """Return the mean time until a path leaves a domain, from `FokkerPlanck` on a grid that is found here.

    Parameters
    ----------
    sde, domain
        As for the mean passage time of `FokkerPlanck`.
    x0
        The start.
    through
        Points that the box holds from the beginning, such as the saddle and the next minimum.  A way out that lies far off, and is not
        named here, may be missed.
    relative_error
        What the cells are refined for, as long as an elimination takes seconds.

    Returns
    -------
    Estimate
        Its interval holds the error of the cells and of the walls of the box; its verdict says where that is more than was asked for.

    Raises
    ------
    ValueError
        Where `FokkerPlanck` does not serve (D not positive, more than three components, ...), and if no box was found that paths leave.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> from langevin_sgd.theory.grids.automatic_grid import mean_passage_time_on_grid
    >>> sde = ls.systems.maier_stein(beta=2.0, strength=0.2)
    >>> mean_passage_time_on_grid(sde, [-1.0, 0.0], ls.HalfSpace([1.0, 0.0], 0.0))
    18.70... ± 0.0... (Fokker–Planck on a grid, Itô)
    """
    tolerance, start = positive("relative_error", relative_error), state("x0", x0, sde.dim)
    box, walls = _box(sde, start, domain, through, tolerance / CLOSER)
    return _answer(sde, start, domain, box, tolerance, walls)


def grid_for_passage(sde: SDE, x0: ArrayLike, domain: Region, *, through: Sequence[ArrayLike] = (), cells: int = 64) -> Grid:
    """Return a grid for the way out of a domain: a box whose walls change the mean time by little, with so many cells along an axis.

    Parameters and errors are those of `mean_passage_time_on_grid`.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> from langevin_sgd.theory.grids.automatic_grid import grid_for_passage
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
    >>> grid = grid_for_passage(sde, -1.0, ls.Interval(high=0.0), cells=128)
    >>> bool(grid.bounds[0, 0] < -1.5), bool(grid.bounds[0, 1] >= 0.0)
    (True, True)
    """
    box, _ = _box(sde, state("x0", x0, sde.dim), domain, through, ROUGH)
    return box.grid(whole("cells", cells, FEWEST) / max(box.counts))


def _box(sde: SDE, start: Array, domain: Region, through: Sequence[ArrayLike], tolerance: float) -> tuple[_Box, float]:
    """A box whose walls do not matter, and what they change."""
    if sde.dim not in FIRST_CELLS:
        raise ValueError(f"`sde` has {sde.dim} components, but a grid serves one to three.")
    search = _Search(sde, start, domain, tolerance)
    box = search.run(_Box.around(sde, np.stack([start, *(state("through", x, sde.dim) for x in through)])))
    return box, search.change


@dataclass(frozen=True, eq=False)
class _Box:
    """A box of equal cells.  Its sides move out by whole cells, so that two boxes have the same cells where both are."""

    low: Array
    width: Array
    counts: tuple[int, ...]

    @classmethod
    def around(cls, sde: SDE, points: Array) -> _Box:
        """Return the box that holds some points, and what the noise makes of them."""
        spread = np.max([_spread(sde, x) for x in points], axis=0)
        low, high = points.min(axis=0) - PADDING * spread, points.max(axis=0) + PADDING * spread
        counts = (FIRST_CELLS[sde.dim],) * sde.dim
        return cls(low, (high - low) / counts, counts)

    def grid(self, finer: float = 1.0) -> Grid:
        """Return the grid of this box, with more cells along each axis by a factor."""
        cells = [max(FEWEST, COARSER * round(n * finer / COARSER)) for n in self.counts]
        return Grid(np.stack([self.low, self.low + self.width * self.counts], axis=1), cells)

    def moved(self, side: Side, share: float = SHARE) -> _Box:
        """Return the box with one side moved out by a share of its length."""
        axis, up = side
        more = COARSER * max(1, round(self.counts[axis] * share / COARSER))
        low = self.low.copy()
        low[axis] -= 0.0 if up else more * self.width[axis]
        return _Box(low, self.width, (*self.counts[:axis], self.counts[axis] + more, *self.counts[axis + 1:]))

    def wider(self) -> _Box:
        """Return a box that is wider on every side."""
        box = self
        for side in _sides(len(self.counts)):
            box = box.moved(side, WIDER)
        return box

    def with_fewer_cells(self) -> _Box:
        """Return the same box, with cells of twice the width along the axes that have too many."""
        most = MOST_CELLS[len(self.counts)]
        counts = tuple(COARSER * math.ceil(n / 2 / COARSER) if n > most else n for n in self.counts)
        return _Box(self.low, self.width * self.counts / counts, counts)


@dataclass(eq=False)
class _Search:
    """The search for a box of which no side matters: moved out, it does not change the logarithm of the time."""

    sde: SDE
    start: Array
    domain: Region
    tolerance: float
    change: float = 0.0         # of the logarithm, by the last look at a wider box
    refusal: str = ""           # the last reason for which there was no time

    def run(self, box: _Box) -> _Box:
        """Return the box; the generator must be possible on the first."""
        FokkerPlanck(self.sde, box.grid())
        for _ in range(4):
            box, log_time = self.grown(box, self.log_time(box))
            wider = box.wider()
            seen = self.log_time(wider)
            self.change = 0.0 if seen is None else abs(seen - log_time)
            if self.change <= self.tolerance:
                break
            box = wider
        return box

    def grown(self, box: _Box, log_time: float | None) -> tuple[_Box, float]:
        """Move sides out in turn, until none of them matters any more."""
        quiet = 0
        for side in itertools.islice(itertools.cycle(_sides(self.sde.dim)), MOVES):
            fewer = box.with_fewer_cells()
            if fewer.counts != box.counts:
                box, log_time = fewer, self.log_time(fewer)
            moved = box.moved(side)
            seen = self.log_time(moved)
            if log_time is None or (seen is not None and abs(seen - log_time) > self.tolerance):
                box, log_time, quiet = moved, seen, 0           # without a time, paths do not leave the box yet
            else:
                quiet += 1
            if log_time is not None and quiet == 2 * self.sde.dim:
                return box, log_time
        if log_time is None:
            raise ValueError(f"no box was found that paths from {self.start.tolist()} leave {self.domain!r} in ({self.refusal}); use "
                             "ls.FokkerPlanck with a grid of your own.")
        return box, log_time

    def log_time(self, box: _Box) -> float | None:
        """The logarithm of the mean time in a box, not extrapolated; None where paths cannot leave, or there is no generator."""
        grid = box.grid()
        try:
            times = FokkerPlanck(self.sde, grid).mean_passage_time(self.domain)
        except ValueError as error:
            self.refusal = str(error)
            return None
        return math.log(interpolated(grid, times.values, self.start))


def _answer(sde: SDE, start: Array, domain: Region, box: _Box, tolerance: float, walls: float) -> Estimate:
    """The time in the box, on cells as small as they need to be or can be.

    Boundaries that cut through cells leave errors that differ from grid to grid, so that two grids at least have a say.
    """
    previous, best, error = None, None, math.inf
    for finer in REFINED[sde.dim]:
        grid = box.grid(finer)
        if best is not None and _cost(grid) > BUDGET:
            break
        found = FokkerPlanck(sde, grid).mean_passage_time(domain).at(start)
        apart = abs(found.log_value - previous.log_value) if previous else 0.0
        if best is None or (previous and found.relative_error + apart < error):
            best, error = found, found.relative_error + apart if previous else math.inf
        if error + walls <= tolerance:
            return _with_error(best, error + walls, best.verdict)
        previous = found
    assert best is not None
    if error == math.inf:
        return _with_error(best, best.relative_error + walls, _joined(best.verdict, "from one grid only, since more cells would take long"))
    return _with_error(best, error + walls, _joined(
        best.verdict, f"the relative error is about {error + walls:.1g}, where {tolerance:g} was asked for"))


def _with_error(found: Estimate, error: float, verdict: str) -> Estimate:
    half = found.value * math.expm1(min(error, 700.0))
    return dataclasses.replace(found, low=max(found.value - half, 0.0), high=found.value + half, verdict=verdict)


def _joined(*sentences: str) -> str:
    return "; ".join(s for s in sentences if s)


def _cost(grid: Grid) -> float:
    """The multiplications of an elimination."""
    cells = float(np.prod(grid.shape))
    return cells * (cells / max(grid.shape)) ** 2


def _sides(dim: int) -> Iterator[Side]:
    """All sides of a box."""
    return itertools.product(range(dim), (False, True))


def _spread(sde: SDE, x: Array) -> Array:
    """The width of the noise about a point (d,): the square root of D over the rate at which the drift changes there."""
    step = 1e-4 * max(1.0, float(np.abs(x).max()))
    shifts = step * np.eye(sde.dim)
    below, above = sde.evaluate(sde.ito_drift_field, np.stack([x - shifts, x + shifts]))
    rate = float(np.abs(np.linalg.eigvals((above - below) / (2 * step))).max())
    variance = np.diagonal(np.reshape(sde.diffusion(x if sde.dim > 1 else float(x[0])), (sde.dim, sde.dim)))
    return np.where(variance > 0, np.sqrt(variance / rate), 1.0) if rate > 0 else np.ones(sde.dim)
