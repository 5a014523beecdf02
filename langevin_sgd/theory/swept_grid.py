"""One sweep over the nodes of a grid, the centres of its cells: U and ∇U there and at any state between, and how far they are to be trusted."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.curved_update import Plane
from langevin_sgd.theory.grid import Grid, Whole
from langevin_sgd.theory.near_attractor import NearAttractor, near_attractor
from langevin_sgd.theory.upwind_sweep import ACCEPTED, ELSEWHERE, HOME, ROUGH, UNKNOWN, Field, at_states, homes, sweep
from langevin_sgd.theory.weak_noise import WeakNoise

SERIES_ERROR = 0.1              # of the series, in units of cells⁻³: less than that of the sweep, which is of third order
ROUGHEST = 0.1                  # relative error of the series, beyond which drift or noise are not smooth
FEWEST_NODES = 4                # within the series


@dataclass(frozen=True, eq=False)
class SweptGrid:
    """U on a grid.

    Attributes
    ----------
    grid
        Cells of one shape.
    near
        The series from which the sweep started.
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
    near: NearAttractor
    field: Field
    home: Array
    gate: float
    wall: float

    @property
    def cell(self) -> Array:
        """The sides of a cell (2,)."""
        return np.diff(self.grid.bounds, axis=1)[:, 0] / self.grid.shape

    @property
    def values(self) -> Array:
        """U (n₁, n₂); NaN above the lowest on the wall and outside of the basin."""
        return np.where(self.home & (self.field.u <= self.wall), self.field.u, np.nan)

    @property
    def gradient(self) -> Array:
        """∇U (n₁, n₂, 2); NaN where U is, and where it was not found with U."""
        known = np.isfinite(self.values) & (self.field.status == ACCEPTED)
        return np.where(known[..., None], self.field.p / self.cell, np.nan)

    def at(self, x: Array) -> tuple[Array, Array]:
        """Return U (n,) and ∇U (n, 2) at states (n, 2), by paths that arrive like those of nodes in the basin; NaN without such a node."""
        value, slope, holds = self.near.at(x)
        states = (x - self.grid.bounds[:, 0]) / self.cell - 0.5
        swept, slopes = at_states(self.field, states, self.home)
        return np.where(holds, value, swept), np.where(holds[:, None], slope, slopes / self.cell)


def swept(noise: WeakNoise, attractor: Array, grid: Grid) -> SweptGrid:
    """Return U from an attractor on a grid.

    Raises
    ------
    ValueError
        If drift or noise are not finite or C is singular at a node, or if they are not smooth at the attractor on the scale of a cell.
    """
    cell = np.diff(grid.bounds, axis=1)[:, 0] / grid.shape
    plane = _plane(noise, grid, cell)
    near = near_attractor(noise, attractor, grid.bounds, SERIES_ERROR / min(grid.shape)**3)
    u, p, holds = near.at(grid.points)
    if holds.sum() < FEWEST_NODES or not near.residual < ROUGHEST:
        raise ValueError(f"only {holds.sum()} cells of {grid!r} are so near the attractor {attractor.tolist()} that drift and noise are smooth; give "
                         "`grid` more cells, or smaller bounds.")
    inside = holds.reshape(grid.shape)
    field = Field(plane, np.where(holds, u, np.inf).reshape(grid.shape), np.where(holds[:, None], p * cell, 0.0).reshape(*grid.shape, 2),
                  np.where(inside, ACCEPTED, UNKNOWN))
    label = homes(plane, np.where(inside, HOME, 0), sweep(field))
    return SweptGrid(grid, near, field, label == HOME, *_limits(field.u, label))


def _limits(u: Array, label: Whole) -> tuple[float, float]:
    """The lowest U behind the edge of the basin, and on the wall.

    Behind a saddle, where paths go on along one line without cost, U is less accurate than in the basin, but never below that on the edge.
    """
    home, elsewhere = np.pad(label == HOME, 1), label == ELSEWHERE
    beside = home[2:, 1:-1] | home[:-2, 1:-1] | home[1:-1, 2:] | home[1:-1, :-2]
    gate = float(np.min(u, where=elsewhere & beside, initial=np.inf))
    known = np.where(elsewhere, np.maximum(u, gate), np.where(label == HOME, u, np.inf))
    return gate, float(min(known[0].min(), known[-1].min(), known[:, 0].min(), known[:, -1].min()))


def _plane(noise: WeakNoise, grid: Grid, cell: Array) -> Plane:
    """Drift and metric at the nodes and half-way between, lengths in cells."""
    axes = [np.linspace(c[0], c[-1], 2 * len(c) - 1) for c in grid.centres]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        f, c = noise.drift(x), noise.covariance(x)
    _check(x, np.isfinite(f).all(axis=-1) & np.isfinite(c).all(axis=(1, 2)), "drift or noise are not finite there")
    eigenvalues = np.linalg.eigvalsh(c)
    _check(x, eigenvalues[:, 0] > 1e-12 * eigenvalues[:, 1].max(), "C is singular there, and the action needs its inverse")
    metric = np.linalg.inv(c) * np.multiply.outer(cell, cell)
    table = np.stack([f[:, 0] / cell[0], f[:, 1] / cell[1], metric[:, 0, 0], metric[:, 0, 1], metric[:, 1, 1]], axis=-1)
    return Plane(table.reshape(len(axes[0]), len(axes[1]), 5), not noise.sde.covariance.is_constant)


def _check(x: Array, good: Array, why: str) -> None:
    if not good.all():
        raise ValueError(f"`grid` holds the state {x[np.argmin(good)].tolist()}, but {why}; choose other bounds.")
