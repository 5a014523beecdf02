"""The generator of an equation on a grid: a Markov jump process from cell to cell (`theory`, 1.3 and 1.4).

Rates are exponentially fitted (Scharfetter & Gummel 1969): in one direction the flux J = D^α [(f/D) q − q'] with q = D^(1−α) p is solved
exactly between two centres for constant coefficients, so i → j has the rate

    D_face^α D_i^(1−α) / (distance × width) × B(−z),    z = ∫ f/D from i to j,    B(z) = z / (e^z − 1)

which is positive at any barrier, never differentiates D, and balances in detail with D^(α−1) exp(−Φ).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.grid import Grid, Whole

Level = Callable[[Array], Array]        # of states (..., d): positive where the process lives
SIGNS = (1, -1)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)
HALVINGS = 55
INSIDE_FACE = 1 - 1e-9                  # of the way to a wall: rounding must not put the end of the box outside a region that ends there


@dataclass(frozen=True, eq=False)
class Direction:
    """The jumps along one vector, both ways.

    Attributes
    ----------
    steps
        For both signs the vectors (cells, d) from each centre to the next; beyond a wall, to its mirror image.
    neighbours
        For both signs the index (cells,) of the next cell, −1 beyond a wall.
    distances
        For both signs the length (cells,) of the step in the unit in which `widths` (cells,) are measured.
    widths
        Of the cells.
    conductance
        Of (x, step, fraction): the rate from x towards x + fraction × step, times the width.
    """

    steps: tuple[Array, Array]
    neighbours: tuple[Whole, Whole]
    distances: tuple[Array, Array]
    widths: Array
    conductance: Callable[[Array, Array, Array], Array]

    def __post_init__(self) -> None:
        for neighbour in self.neighbours:
            assert neighbour.shape == self.widths.shape, "This is a bug: directions are given for every cell."


@dataclass(frozen=True, eq=False)
class Jumps:
    """A Markov jump process on those cells that are inside a domain.

    Attributes
    ----------
    cells
        Their indices (n,) in the grid, in the order in which they are numbered here.
    source, target, rate
        The jumps.
    kill
        The rates (targets, n) of leaving the domain.
    """

    cells: Whole
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
        self.directions = axis_directions(sde, grid)
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
        return Jumps(cells, i[positive], j[positive], q[positive], kill[:, cells])

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


def axis_directions(sde: SDE, grid: Grid) -> list[Direction]:
    """Return the jumps to the neighbours along each axis, for D without mixed terms."""
    index = np.arange(int(np.prod(grid.shape))).reshape(grid.shape)
    shape, found = index.shape, []
    for k, (edges, centres) in enumerate(zip(grid.edges, grid.centres, strict=True)):
        gaps, width = np.diff(centres), np.diff(edges)
        ahead, behind = np.append(gaps, width[-1]), np.insert(gaps, 0, width[0])
        distances = [_along(axis, k, shape) for axis in (ahead, behind)]
        steps = tuple(sign * d[:, None] * np.eye(grid.dim)[k] for sign, d in zip(SIGNS, distances, strict=True))
        neighbours = []
        for sign in SIGNS:
            moved = np.roll(index, -sign, axis=k)
            np.moveaxis(moved, k, 0)[-1 if sign > 0 else 0] = -1
            neighbours.append(moved.ravel())
        found.append(Direction((steps[0], steps[1]), (neighbours[0], neighbours[1]), (distances[0], distances[1]),
                               _along(width, k, shape), _fitted(sde, k)))
    return found


def bernoulli(z: Array) -> Array:
    """Return z / (e^z − 1), to rounding for any z."""
    from scipy.special import exprel
    return np.asarray(1 / exprel(z))


def along(step: Array, x: Array, integrand: Callable[[Array], Array]) -> Array:
    """Return the integral of a function of states, a vector (..., d), along steps (n, d) from x (n, d)."""
    total = np.zeros(len(x))
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        total += 0.5 * weight * np.sum(integrand(x + 0.5 * (1 + node) * step) * step, axis=1)
    return total


def _fitted(sde: SDE, k: int) -> Callable[[Array, Array, Array], Array]:
    alpha = sde.effective_alpha

    def diffusion(x: Array) -> Array:
        return 0.5 * sde.values["strength"] * sde.covariance.at(x, 0.0, sde.values)[..., k, k]

    def force(x: Array) -> Array:
        only = np.zeros_like(x)
        only[..., k] = sde.evaluate(sde.drift_field, x)[..., k] / _positive(diffusion(x), x, sde.variables[k])
        return only

    def conductance(x: Array, step: Array, fraction: Array) -> Array:
        way = step * fraction[:, None]
        d = diffusion(x + way / 2)**alpha * _positive(diffusion(x), x, sde.variables[k])**(1 - alpha)
        return d / np.abs(way[:, k]) * bernoulli(-along(way, x, force))
    return conductance


def _positive(d: Array, x: Array, name: str) -> Array:
    wrong = ~(d > 0) | ~np.isfinite(d)
    if wrong.any():
        place = np.atleast_2d(x)[np.flatnonzero(wrong)[0]]
        raise ValueError(f"D along {name} is {d[wrong][0]:g} at {np.round(place, 6).tolist()}, but must be positive everywhere in the "
                         "box of `grid`; give a smaller box, or add a constant to the noise.")
    return d


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


def _along(values: Array, k: int, shape: Sequence[int]) -> Array:
    """Values along one axis as an array over all cells."""
    return np.broadcast_to(values.reshape([-1 if m == k else 1 for m in range(len(shape))]), shape).ravel()
