"""The generator of an equation on a grid: a Markov jump process from cell to cell, that ends where a region does.

A boundary cuts through cells: the step towards it is shortened to where the level of the region vanishes, so that the error is of second
order wherever it runs.  As a mask of cells it would be of first order.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import Structure
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.grids.fitted import SIGNS, Direction, axis_directions
from langevin_sgd.theory.grids.grid import Grid, Whole
from langevin_sgd.theory.grids.lattice import lattice_directions

Level = Callable[[Array], Array]        # of states (..., d): positive where the process lives
HALVINGS = 55
INSIDE_FACE = 1 - 1e-9                  # of the way to a wall: rounding must not put the end of the box outside a region that ends there


@dataclass(frozen=True, eq=False)
class Jumps:
    """A Markov jump process on those cells that are inside a domain.

    Attributes
    ----------
    cells
        Their indices (n,) in the grid, in the order in which they are numbered here.
    along
        Their numbers (n, d) along the axes.
    source, target, rate
        The jumps.
    kill
        The rates (targets, n) of leaving the domain.
    """

    cells: Whole
    along: Whole
    source: Whole
    target: Whole
    rate: Array
    kill: Array

    @property
    def bandwidth(self) -> int:
        """How far apart two neighbours are in the numbering."""
        return int(np.abs(self.source - self.target).max(initial=0))

    def band(self) -> Array:
        """Return the rates as an array (n, 2 bandwidth + 1); entry (i, j − i + bandwidth) is the rate i → j."""
        w = self.bandwidth
        band = np.zeros((len(self.cells), 2 * w + 1))
        np.add.at(band, (self.source, self.target - self.source + w), self.rate)
        return band

    def ending_at(self, state: int) -> Jumps:
        """Return the process on the other states, that ends when it would jump to this one."""
        others = np.delete(np.arange(len(self.cells)), state)
        number = np.insert(np.arange(len(others)), state, -1)
        there, stay = self.target == state, (self.source != state) & (self.target != state)
        kill = np.bincount(self.source[there], self.rate[there], len(self.cells))[others]
        return Jumps(self.cells[others], self.along[others], number[self.source[stay]], number[self.target[stay]], self.rate[stay],
                     np.concatenate([self.kill[:, others], kill[None]]))

    def matrix(self) -> Array:
        """Return the generator as a sparse matrix: rates, and minus the sum of all that leaves on the diagonal."""
        from scipy.sparse import coo_array
        n = len(self.cells)
        out = np.bincount(self.source, self.rate, n) + self.kill.sum(axis=0)
        i = np.arange(n)
        entries = np.concatenate([self.rate, -out])
        return coo_array((entries, (np.concatenate([self.source, i]), np.concatenate([self.target, i]))), shape=(n, n)).tocsr()


class Generator:
    """The jump process of an equation on a grid.

    Parameters
    ----------
    sde
        The equation.
    grid
        The cells.
    """

    def __init__(self, sde: SDE, grid: Grid) -> None:
        self.sde, self.grid, self.points = sde, grid, grid.points
        is_diagonal = sde.covariance.structure is Structure.COMPONENTWISE
        self.directions = axis_directions(sde, grid) if is_diagonal else lattice_directions(sde, grid)
        self._free = [[_rates(self.points, direction, k) for k in range(2)] for direction in self.directions]

    def jumps(self, free: Sequence[Level] = ()) -> Jumps:
        """Return the process on the cells where all levels are positive; each level that is not ends it, at its zero."""
        heights = np.array([level(self.points) for level in free]).reshape(len(free), len(self.points))
        inside = np.asarray((heights > 0).all(axis=0))
        order = self.grid.natural_order()
        cells = order[inside[order]]
        number = np.full(len(self.points), -1)
        number[cells] = np.arange(len(cells))
        source, target, rate = [], [], []
        kill = np.zeros((len(free), len(self.points)))
        for direction, rates in zip(self.directions, self._free, strict=True):
            cuts = [_cut(self.grid, self.points, direction, k, free, heights, inside) for k in range(2)]
            stretch = _stretch(direction, cuts)
            for k, cut in enumerate(cuts):
                neighbour = direction.neighbours[k]
                kept = np.flatnonzero(inside & (neighbour >= 0) & inside[neighbour])
                source.append(number[kept])
                target.append(number[neighbour[kept]])
                rate.append(rates[k][kept] * stretch[kept])
                flow = direction.conductance(self.points[cut.cells], direction.steps[k][cut.cells], cut.fraction)
                kill[cut.target, cut.cells] += flow / direction.widths[cut.cells] * stretch[cut.cells]
        i, j, q = np.concatenate(source), np.concatenate(target), np.concatenate(rate)
        positive = q > 0
        along = np.stack(np.unravel_index(cells, self.grid.shape), axis=-1)
        return Jumps(cells, along, i[positive], j[positive], q[positive], kill[:, cells])

    def current(self, density: Array) -> Array:
        """Return the current (cells, d) of a probability density (cells,): the mean of what flows through opposite faces."""
        total = np.zeros_like(self.points)
        for direction, rates in zip(self.directions, self._free, strict=True):
            for k, sign in enumerate(SIGNS):
                known = np.flatnonzero(direction.neighbours[k] >= 0)
                other = direction.neighbours[k][known]
                back = density[other] * self.grid.volumes[other] / self.grid.volumes[known]
                flow = density[known] * rates[k][known] - back * rates[1 - k][other]
                total[known] += 0.5 * sign * flow[:, None] * (direction.steps[0][known] - direction.steps[1][known]) / 2
        return total


@dataclass(frozen=True, eq=False)
class _Cut:
    """Cells that have the boundary between themselves and the next centre: where on the way, and whose boundary it is."""

    cells: Whole
    fraction: Array
    target: Whole


def _rates(points: Array, direction: Direction, k: int) -> Array:
    known = direction.neighbours[k] >= 0
    rate = np.zeros(len(points))
    with np.errstate(all="ignore"):         # what is not finite is told below
        rate[known] = direction.conductance(points[known], direction.steps[k][known], np.ones(known.sum())) / direction.widths[known]
    if not np.isfinite(rate).all():
        place = points[np.flatnonzero(~np.isfinite(rate))[0]].tolist()
        raise ValueError(f"drift or noise of `sde` is not finite next to {place}; give a smaller box to `grid`.")
    return rate


def _cut(grid: Grid, points: Array, direction: Direction, k: int, free: Sequence[Level], heights: Array, inside: NDArray[np.bool_]
         ) -> _Cut:
    """Find the boundary on the way from each cell inside to the next centre, or to the wall of the box."""
    neighbour, step = direction.neighbours[k], direction.steps[k]
    candidates = np.flatnonzero(inside & ((neighbour < 0) | ~inside[neighbour]))
    x, way = points[candidates], step[candidates]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(way > 0, grid.bounds[:, 1] - x, np.where(way < 0, grid.bounds[:, 0] - x, np.inf)) / np.where(way, way, 1.0)
    end = np.where(neighbour[candidates] < 0, np.minimum(room.min(axis=1), 1.0) * INSIDE_FACE, 1.0)
    fraction = np.full((len(free), len(candidates)), np.inf)
    for m, level in enumerate(free):
        beyond = level(x + end[:, None] * way)
        crossed = np.flatnonzero(beyond <= 1e-6 * np.where(np.isfinite(heights[m, candidates]), heights[m, candidates], 0.0))
        fraction[m, crossed] = _zero(level, x[crossed], way[crossed], end[crossed])
    if not len(free):
        return _Cut(np.empty(0, dtype=int), np.empty(0), np.empty(0, dtype=int))
    first = fraction.min(axis=0)
    found = np.isfinite(first)
    return _Cut(candidates[found], first[found], fraction.argmin(axis=0)[found])


def _zero(level: Level, x: Array, way: Array, end: Array) -> Array:
    """The fraction of the way after which a level is no longer positive, by halving."""
    low, high = np.zeros(len(x)), end.copy()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        positive = level(x + middle[:, None] * way) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return high


def _stretch(direction: Direction, cuts: Sequence[_Cut]) -> Array:
    """By how much rates grow in cells next to a boundary: their width is the mean of the two distances (Shortley & Weller 1938)."""
    distance = np.array(direction.distances)
    cut_cells = np.concatenate([cut.cells for cut in cuts])
    for d, cut in zip(distance, cuts, strict=True):
        d[cut.cells] *= cut.fraction
    stretch = np.ones(len(direction.widths))
    stretch[cut_cells] = (direction.widths / distance.mean(axis=0))[cut_cells]
    return stretch
