"""The decomposition of a nonlinear equation in two and three dimensions: φ = −ln p from the generator on a grid, Q from its flows."""
from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, points
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.decompositions.fields import Decomposition
from langevin_sgd.theory.decompositions.flows import face_flows, stream_function, vector_potential
from langevin_sgd.theory.grids.fokker_planck import FokkerPlanck
from langevin_sgd.theory.grids.grid import Grid
from langevin_sgd.theory.grids.grid_function import REFINEMENTS

SEEN = 1e-6             # of the largest density: states with less are not asked for moments and residuals
PAIRS = ((0, 1, 0), (0, 2, 1), (1, 2, 2))       # Q_ij, and the place of it among the components that are kept


@dataclass(frozen=True, eq=False, repr=False)
class FieldOnGrid:
    """A smooth function known at the centres of cells: between them by cubic splines, beyond the box NaN.

    Attributes
    ----------
    quantity
        What it is.
    grid
        The cells.
    values
        An array (*shape of the grid, ...).
    error
        How far the values may be off by the size of cells, in the same shape.
    """

    quantity: str
    grid: Grid
    values: Array
    error: Array

    @functools.cached_property
    def _spline(self) -> Any:
        return spline(self.grid.centres, self.values)

    def __call__(self, x: ArrayLike) -> Array:
        """Return the values at states x (..., d)."""
        return self._evaluated(points("x", x, self.grid.dim), None)

    def gradient(self, x: ArrayLike) -> Array:
        """Return the first derivatives at states x (..., d): one more axis."""
        at = points("x", x, self.grid.dim)
        return np.stack([self._evaluated(at, tuple(row)) for row in np.eye(self.grid.dim, dtype=int).tolist()], axis=-1)

    def _evaluated(self, x: Array, nu: tuple[int, ...] | None) -> Array:
        outside = ((x < self.grid.bounds[:, 0]) | (x > self.grid.bounds[:, 1])).any(axis=-1)
        values = np.array(self._spline(x, nu=nu))
        values[outside] = np.nan
        return values

    def __repr__(self) -> str:
        return f"FieldOnGrid({self.quantity} on {self.grid!r})"


def spline(axes: Sequence[Array], values: Array) -> Any:
    """Return the cubic spline through values on a product of axes (of a lower degree along an axis with less than four)."""
    from scipy.interpolate import NdBSpline, make_interp_spline
    lines, c = [], values
    for k, axis in enumerate(axes):
        lines.append(make_interp_spline(axis, np.moveaxis(c, k, 0), k=min(3, len(axis) - 1)))
        c = np.moveaxis(lines[-1].c, 0, k)
    return NdBSpline(tuple(line.t for line in lines), np.ascontiguousarray(c), tuple(line.k for line in lines))


@dataclass(frozen=True, eq=False, repr=False)
class GridDecomposition(Decomposition):
    """The parts of an equation on a grid; made by `decompose` with a grid.

    Attributes
    ----------
    grid
        The cells.
    phi
        φ as a `FieldOnGrid`.
    circulation
        The components of Q that are not given by its antisymmetry, as a `FieldOnGrid`: Q₁₂ in the plane, (Q₁₂, Q₁₃, Q₂₃) in space.
    """

    grid: Grid
    phi: FieldOnGrid
    circulation: FieldOnGrid


def on_a_grid(sde: SDE, grid: Grid) -> GridDecomposition:
    """Return the decomposition of an equation in two or three dimensions."""
    if grid.dim == 1:
        raise ValueError("`grid` is not needed in one dimension: ls.decompose(sde) takes the exact law.")
    gen = FokkerPlanck(sde, grid)
    found = [_parts(gen if step == 1 else FokkerPlanck(sde, grid.coarser(step)), grid) for step in REFINEMENTS]
    (log_p, log_p_error), (q, q_error) = (_extrapolated([f[k] for f in found]) for k in range(2))
    log_p = log_p - np.log(np.exp(log_p.ravel()) @ grid.volumes)
    phi = FieldOnGrid("potential φ", grid, -log_p, log_p_error)
    circulation = FieldOnGrid("circulation Q₁₂" if grid.dim == 2 else "circulation Q₁₂, Q₁₃, Q₂₃", grid, q, q_error)
    gauge = "Q₁₂ p zero on the walls" if grid.dim == 2 else "of all Q the least in the mean square"
    because = (f"{gauge}; {' × '.join(map(str, grid.shape))} cells, φ to {_typical(log_p_error, log_p):.1g} where p is above {SEEN:g} of "
               "its maximum")
    if (on_walls := _share_on_walls(log_p)) > SEEN:
        because += f"; p is {on_walls:.1g} of its maximum at the walls, which give paths back: take a larger box, unless they are meant"
    return GridDecomposition(sde.in_interpretation("ito"), phi, phi.gradient, functools.partial(_matrices, circulation),
                             _LawOnAGrid(grid, -phi.values), because, grid, phi, circulation)


def _parts(gen: FokkerPlanck, fine: Grid) -> tuple[Array, Array]:
    """ln p and the components of Q on one grid, at the centres of the finest."""
    grid, density = gen.grid, gen.stationary_density().values
    log_p = spline(grid.centres, np.log(density))
    flows = face_flows(grid, gen.generator.jumps(), density)
    at = fine.points.reshape(*fine.shape, fine.dim)
    if grid.dim == 2:
        q = stream_function(flows) * np.exp(-log_p(_mesh(grid.edges)))
        return log_p(at), spline(grid.edges, q)(at)
    inner = [e[1:-1] for e in grid.edges]
    places = [[grid.centres[k] if a == k else inner[a] for a in range(3)] for k in range(3)]
    a = vector_potential(grid, flows, [log_p(_mesh(axes)) for axes in places])
    a_x, a_y, a_z = (spline(axes, values)(at) for axes, values in zip(places, a, strict=True))
    return log_p(at), np.stack([a_z, -a_y, a_x], axis=-1)


def _mesh(axes: Sequence[Array]) -> Array:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _extrapolated(seen: Sequence[Array]) -> tuple[Array, Array]:
    """Values for cells of no size, and how far they are from those that the two coarser grids give."""
    fine, middle, coarse = seen
    best = (4 * fine - middle) / 3
    return best, np.abs(best - (4 * middle - coarse) / 3)


def _typical(error: Array, log_p: Array) -> float:
    """The error where the density is not too small, in the mean."""
    seen = log_p > log_p.max() + np.log(SEEN)
    return float(np.sqrt((error[seen] ** 2).mean()))


def _share_on_walls(log_p: Array) -> float:
    """The largest density in a cell at a wall, over the largest of all."""
    walls = [np.take(log_p, side, axis=k).max() for k in range(log_p.ndim) for side in (0, -1)]
    return float(np.exp(max(walls) - log_p.max()))


def _matrices(circulation: FieldOnGrid, x: Array) -> Array:
    """Q at states (..., d)."""
    d = circulation.grid.dim
    values, q = circulation(x).reshape(*x.shape[:-1], -1), np.zeros((*x.shape, d))
    for i, j, k in PAIRS[:values.shape[-1]]:
        q[..., i, j], q[..., j, i] = values[..., k], -values[..., k]
    return q


@dataclass(frozen=True, eq=False)
class _LawOnAGrid:
    """The law exp(−φ) on the cells."""

    grid: Grid
    log_density: Array

    @property
    def _seen(self) -> Array:
        return (self.log_density > self.log_density.max() + np.log(SEEN)).ravel()

    @property
    def states(self) -> Array:
        return self.grid.points[self._seen]

    @property
    def weights(self) -> Array:
        p = (np.exp(self.log_density.ravel()) * self.grid.volumes)[self._seen]
        return np.asarray(p / p.sum())

    @property
    def mean(self) -> Array:
        return np.asarray(self._all @ self.grid.points)

    @property
    def covariance(self) -> Array:
        delta = self.grid.points - self.mean
        return np.asarray(delta.T @ (delta * self._all[:, None]))

    @property
    def _all(self) -> Array:
        p = np.exp(self.log_density.ravel()) * self.grid.volumes
        return np.asarray(p / p.sum())
