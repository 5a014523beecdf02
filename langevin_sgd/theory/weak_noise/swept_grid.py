"""One sweep over a grid, with the centres of cells as nodes: U and ∇U there and at any state, and how far they are to be trusted."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.grid import Grid, Whole
from langevin_sgd.theory.weak_noise.curved_update import Plane
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.near_attractor import NearAttractor, near_attractor
from langevin_sgd.theory.weak_noise.upwind_sweep import ACCEPTED, ELSEWHERE, HOME, UNKNOWN, Field, at_states, homes, sweep

Bits = NDArray[np.bool_]
SERIES_ERROR = 0.1              # of the series, in units of cells⁻³: less than that of the sweep, which is of third order
ROUGHEST = 0.1                  # relative error of the series, beyond which drift or noise are not smooth
NARROW = 5.0                    # cells, the least radius of the series to start from
FEWEST = 4                      # cells to start from
ZOOMS = 8                       # smaller boxes, one in the other


@dataclass(frozen=True, eq=False)
class SweptGrid:
    """U on a grid.

    Attributes
    ----------
    grid
        Cells of one shape.
    origin
        From which the sweep started: the series around the attractor, or a sweep over smaller cells.
    field
        U, ∇U and the status of all nodes, lengths in cells.
    home
        Whether the drift leads from a node to the attractor, (n₁, n₂).
    gate
        U where a path leaves the basin at least cost, infinite if none does: that of the first node behind the edge.
    wall
        The lowest U on the outermost nodes: what is above could be reached at less cost outside of the grid.
    """

    grid: Grid
    origin: NearAttractor | SweptGrid
    field: Field
    home: Bits
    gate: float
    wall: float

    @property
    def residual(self) -> float:
        """The relative error of the series from which all started."""
        return self.origin.residual

    @property
    def values(self) -> Array:
        """U (n₁, n₂); NaN above the lowest on the wall and outside of the basin."""
        return np.where(self.home & (self.field.u <= self.wall), self.field.u, np.nan)

    @property
    def gradient(self) -> Array:
        """∇U (n₁, n₂, 2); NaN where U is, and where it was not found with U."""
        known = np.isfinite(self.values) & (self.field.status == ACCEPTED)
        return np.where(known[..., None], self.field.p / cell_of(self.grid), np.nan)

    def at(self, x: Array) -> tuple[Array, Array]:
        """Return U (n,) and ∇U (n, 2) at states (n, 2), by paths that arrive like those of nodes in the basin; NaN without such a node."""
        value, slope, holds = self.origin.known(x)
        cell = cell_of(self.grid)
        found, slopes = at_states(self.field, np.ascontiguousarray((x - self.grid.bounds[:, 0]) / cell - 0.5), self.home)
        return np.where(holds, value, found), np.where(holds[:, None], slope, slopes / cell)

    def known(self, x: Array) -> tuple[Array, Array, Bits]:
        """Return U (n,), ∇U (n, 2), and whether they are known (n,), at states (n, 2): within the grid, up to the wall."""
        value, slope = np.full(len(x), np.nan), np.full((len(x), 2), np.nan)
        inside = ((self.grid.bounds[:, 0] <= x) & (x <= self.grid.bounds[:, 1])).all(axis=1)
        value[inside], slope[inside] = self.at(x[inside])
        return value, slope, np.less_equal(value, self.wall)


def swept(noise: WeakNoise, attractor: Array, grid: Grid, zoomed: int, zooms: int = ZOOMS) -> SweptGrid:
    """Return U from an attractor on a grid.

    Where the series around the attractor holds for a few cells only, a sweep over `zoomed` cells of half the size along each axis goes
    before, and perhaps another before that.

    Raises
    ------
    ValueError
        If drift or noise are not finite or C is singular at a node, or if they are not smooth at the attractor on the scale of a cell.
    """
    plane, cell = _plane(noise, grid), cell_of(grid)
    near = near_attractor(noise, attractor, grid.bounds, SERIES_ERROR / min(grid.shape)**3)
    if not near.residual < ROUGHEST:
        raise ValueError(f"drift or noise are not smooth at the attractor {attractor.tolist()}, where the field begins: `quasipotential` "
                         "may still have U at single states.")
    narrow = not near.fills and np.linalg.svd(near.root / cell[:, None])[1][1] < NARROW
    origin = swept(noise, attractor, _zoomed(grid, attractor, zoomed), zoomed, zooms - 1) if narrow and zooms else near
    u, p, holds = origin.known(grid.points)
    if holds.sum() < FEWEST:
        raise ValueError(f"{holds.sum()} cells of {grid!r} are so near the attractor {attractor.tolist()} that U is known to begin with; "
                         "give `grid` more cells.")
    inside = holds.reshape(grid.shape)
    start = (np.where(holds, u, np.inf).reshape(grid.shape), np.where(holds[:, None], p * cell, 0.0).reshape(*grid.shape, 2),
             np.where(inside, ACCEPTED, UNKNOWN))
    field = Field(plane, *map(np.ascontiguousarray, start))         # one layout, so that the sweep is compiled once
    label = homes(plane, np.where(inside, HOME, 0), sweep(field))
    return SweptGrid(grid, origin, field, label == HOME, *_limits(field.u, label))


def cell_of(grid: Grid) -> Array:
    """Return the sides of a cell (2,)."""
    return np.asarray(np.ptp(grid.bounds, axis=1) / grid.shape)


def _zoomed(grid: Grid, attractor: Array, cells: int) -> Grid:
    """Cells of half the size around an attractor; smaller ones where it is near the end of a grid."""
    reach = cells / 4 * cell_of(grid)
    low, high = np.maximum(attractor - reach, grid.bounds[:, 0]), np.minimum(attractor + reach, grid.bounds[:, 1])
    return Grid(np.stack([low, high], axis=1), cells)


def _limits(u: Array, label: Whole) -> tuple[float, float]:
    """The lowest U behind the edge of the basin, and on the wall.

    Behind a saddle, where paths go on along one line without cost, U is less accurate than in the basin, but never below that on the edge.
    """
    home, elsewhere = np.pad(label == HOME, 1), label == ELSEWHERE
    beside = home[2:, 1:-1] | home[:-2, 1:-1] | home[1:-1, 2:] | home[1:-1, :-2]
    gate = float(np.min(u, where=elsewhere & beside, initial=np.inf))
    known = np.where(elsewhere, np.maximum(u, gate), np.where(label == HOME, u, np.inf))
    return gate, float(min(known[0].min(), known[-1].min(), known[:, 0].min(), known[:, -1].min()))


def _plane(noise: WeakNoise, grid: Grid) -> Plane:
    """Drift and metric at the nodes and half-way between, lengths in cells."""
    cell = cell_of(grid)
    axes = [np.linspace(c[0], c[-1], 2 * len(c) - 1) for c in grid.centres]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        f, c = noise.drift(x), noise.covariance(x)
    _check(x, np.isfinite(np.concatenate([f, c.reshape(-1, 4)], axis=1)).all(axis=1), "drift or noise are not finite there")
    eigenvalues = np.linalg.eigvalsh(c)
    _check(x, eigenvalues[:, 0] > 1e-12 * eigenvalues[:, 1].max(), "C is singular there, and the action needs its inverse")
    metric = np.linalg.inv(c) * np.multiply.outer(cell, cell)
    table = np.stack([f[:, 0] / cell[0], f[:, 1] / cell[1], metric[:, 0, 0], metric[:, 0, 1], metric[:, 1, 1]], axis=-1)
    return Plane(table.reshape(len(axes[0]), len(axes[1]), 5), not noise.sde.covariance.is_constant)


def _check(x: Array, good: Bits, why: str) -> None:
    if not good.all():
        raise ValueError(f"`grid` holds the state {x[np.argmin(good)].tolist()}, but {why}; choose other bounds.")
