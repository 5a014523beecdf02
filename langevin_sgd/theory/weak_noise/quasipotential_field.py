"""The quasi-potential of an attractor in the plane as a field: its value everywhere at once, and the lowest on the edge of a region."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, points, state
from langevin_sgd.models.region import Region
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE, check_is_equation
from langevin_sgd.theory.grids.grid import Grid
from langevin_sgd.theory.weak_noise.action import check_equation
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.least_path import NEAR, attractor_at
from langevin_sgd.theory.weak_noise.quasipotential import as_estimate
from langevin_sgd.theory.weak_noise.swept_grid import SweptGrid, cell_of, swept

METHOD = "ordered upwind sweep"
SLACK = 1e-3                    # of the U where a path leaves the basin, which is that of a node
ZOOMED = 64                     # cells along each axis of a smaller box, from which the sweep comes
AROUND = 2                      # cells, of which the largest error counts


@dataclass(frozen=True, eq=False, repr=False)
class QuasipotentialField:
    """The quasi-potential of an attractor on a grid; made by `quasipotential_field`.

    Attributes
    ----------
    sde
        The equation.
    attractor
        The fixed point where U = 0, (2,).
    grid
        The cells; the sweep's nodes are their centres.
    values
        U at the centres, (n₁, n₂).  NaN where it is not known: outside of the basin of the attractor, and above `wall_level`.
    gradient
        ∇U there, (n₁, n₂, 2): paths of least action follow f + C ∇U.  Also NaN at single nodes where paths from two sides meet.
    error
        What halving the number of cells along each axis changes, (n₁, n₂): several times the error where the field is smooth, and about
        the error at saddles.
    wall_level
        The lowest U on the outermost centres.  A state with more might be reached at less cost by a path that leaves the grid.
    """

    sde: SDE
    attractor: Array
    grid: Grid
    values: Array
    gradient: Array
    error: Array
    _fine: SweptGrid
    _coarse: SweptGrid

    @property
    def quantity(self) -> str:
        """What the values are."""
        return "quasi-potential"

    @property
    def wall_level(self) -> float:
        """The lowest U on the outermost centres."""
        return self._fine.wall

    def at(self, x: ArrayLike) -> Estimate:
        """Return U at one state, by the path of least action that arrives there from the nodes around.

        Raises
        ------
        ValueError
            If x is outside of the grid or of the basin, or if U there is above `wall_level`.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> field = ls.quasipotential_field(ls.systems.maier_stein(beta=10.0), [-1.0, 0.0], ls.Grid([(-1.6, 0.4), (-0.8, 0.8)], (100, 80)))
        >>> field.at([-0.5, 0.2])
        0.20820... ± ... (ordered upwind sweep, Itô; the time to get there grows like exp(U / ε), U / ε = 2.08)
        """
        point = state("x", x, 2)
        low, high = self.grid.bounds.T
        if ((point < low) | (point > high)).any():
            raise ValueError(f"`x` is {point.tolist()}, but the grid covers {self.grid.bounds.tolist()}.")
        value, error = self._values_at(point[None])
        if not np.isfinite(value[0]):
            raise ValueError(f"`x` is {point.tolist()}, from where the drift does not lead to the attractor {self.attractor.tolist()}, or "
                             f"which the sweep did not reach: values are known in its basin, up to U = {self.wall_level:.4g}.")
        if value[0] - error[0] > self.wall_level:
            raise ValueError(f"`x` is {point.tolist()}, where U would be {value[0]:.4g}, but on the wall of the grid it is as low as "
                             f"{self.wall_level:.4g}: paths that leave the grid may cost less; give `grid` wider bounds.")
        return as_estimate(self.sde, float(value[0]), float(error[0]), METHOD)

    def values_at(self, x: ArrayLike) -> Array:
        """Return U (...) at many states (..., 2); NaN where it is not known.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> field = ls.quasipotential_field(ls.systems.rotating_quadratic(rotation=2.0), [0.0, 0.0], ls.Grid([(-1, 1), (-1, 1)], 64))
        >>> field.values_at([[0.0, 0.0], [0.3, 0.4], [2.0, 0.0]]).round(9)
        array([0.  , 0.25,  nan])
        """
        states = points("x", x, 2)
        flat, (low, high) = states.reshape(-1, 2), self.grid.bounds.T
        value, error = self._values_at(np.clip(flat, low, high))
        known = ((low <= flat) & (flat <= high)).all(axis=-1) & (value - error <= self.wall_level)
        return np.where(known, value, np.nan).reshape(states.shape[:-1])

    def lowest_on_boundary(self, region: Region) -> tuple[Array, Estimate]:
        """Return where U is lowest on the boundary of a region around the attractor, and its value there.

        Weak noise leaves the region there, after a mean time that grows like exp(U / ε).

        Parameters
        ----------
        region
            A region with the attractor inside.

        Raises
        ------
        ValueError
            If the attractor is not inside, if no boundary is within reach, or if leaving the basin costs less.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> field = ls.quasipotential_field(ls.systems.rotating_quadratic(rotation=2.0), [0.0, 0.0], ls.Grid([(-1, 1), (-1, 1)], 64))
        >>> point, u = field.lowest_on_boundary(ls.HalfSpace([3.0, 4.0], 2.0))
        >>> print(point.round(6), u)
        [0.24 0.32] 0.16 ± ... (ordered upwind sweep, Itô; ...)
        """
        crossed = self._crossings(region)
        values = self.values_at(crossed)
        if not np.isfinite(values).any():
            raise ValueError(f"the boundary of `region` is {region!r}, but nowhere in the basin on the grid is it reached below "
                             f"U = {self.wall_level:.4g}, the lowest on the wall; give `grid` wider bounds, or a smaller region.")
        point = self._lowest_near(region, crossed[np.nanargmin(values)])
        value, error = self._values_at(point[None])
        if value[0] > (1 + SLACK) * self._fine.gate + error[0]:
            raise ValueError(f"`region` is {region!r}, and U on its boundary in the basin is {value[0]:.4g} at least, but a path leaves "
                             f"the basin for {self._fine.gate:.4g} and may go on without cost; give a region within the basin.")
        return point, as_estimate(self.sde, float(value[0]), float(error[0]), METHOD)

    def _values_at(self, x: Array) -> tuple[Array, Array]:
        """U and its error (n,) at states (n, 2)."""
        fine, coarse = self._fine.at(x)[0], self._coarse.at(x)[0]
        around = self.error[tuple(self._cells(x).T)]
        return np.where(np.isfinite(coarse), fine, np.nan), np.fmax(np.abs(fine - coarse), around)

    def _cells(self, x: Array) -> Array:
        """The indices (n, 2) of the cells around states."""
        return np.clip(((x - self.grid.bounds[:, 0]) / cell_of(self.grid)).astype(int), 0, np.array(self.grid.shape) - 1)

    def _crossings(self, region: Region) -> Array:
        """Where lines between neighbouring nodes cross the boundary (n, 2), to second order."""
        if not isinstance(region, Region):
            raise ValueError(f"`region` is {region!r}, but must be a region, such as ls.Ball([0.0, 0.0], 1.0).")
        if not self._level(region, self.attractor) > 0:
            raise ValueError(f"`region` is {region!r}, but must have the attractor {self.attractor.tolist()} inside.")
        x = self.grid.points.reshape(*self.grid.shape, 2)
        level = self._level(region, x)
        found = []
        for ends in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
            (a, b), (y, z) = (level[end] for end in ends), (x[end] for end in ends)
            cut = (a > 0) != (b > 0)
            found.append(y[cut] + (a[cut] / (a[cut] - b[cut]))[:, None] * (z[cut] - y[cut]))
        return np.concatenate(found)

    def _level(self, region: Region, x: Array) -> Array:
        return np.asarray(region.level(x, self.sde.variables, **self.sde.values), dtype=float)

    def _lowest_near(self, region: Region, start: Array) -> Array:
        """The lowest point of the boundary within two cells of a state."""
        from scipy.optimize import minimize
        cell = cell_of(self.grid)
        scale = float(np.nanmax(self.values))

        def height(s: Array) -> tuple[float, Array]:
            value, slope = (part[0] for part in self._fine.at((start + s * cell)[None]))
            return (value / scale, slope * cell / scale) if np.isfinite(value) else (1e3, np.zeros(2))
        found = minimize(height, np.zeros(2), jac=True, method="SLSQP", bounds=[(-2, 2), (-2, 2)], options={"ftol": 1e-12},
                         constraints={"type": "eq", "fun": lambda s: float(self._level(region, start + s * cell))})
        return start + found.x * cell

    def __repr__(self) -> str:
        known = np.isfinite(self.values)
        return (f"QuasipotentialField(of the attractor {self.attractor.tolist()} on {self.grid!r}: U up to {np.nanmax(self.values):.4g} in "
                f"{100 * known.mean():.0f} % of the cells, halving their number changes it by up to {np.nanmax(self.error):.1e}; "
                f"{self.sde.interpretation.label}, the same in every convention)")


def quasipotential_field(sde: SDE, start: ArrayLike, grid: Grid) -> QuasipotentialField:
    """Return the quasi-potential U of an attractor in the plane, at all states of a grid: U = min ½ ∫ (ẋ − f)ᵀ C⁻¹ (ẋ − f) dt.

    Parameters
    ----------
    sde
        An equation of two components that does not depend on time, with any noise that acts in all directions.
    start
        A stable fixed point of the drift, an array (2,).  Limit cycles are not supported.
    grid
        Cells of one shape, the attractor inside.  U is known up to its lowest value on the wall: choose the bounds so that the states of
        interest are lower.

    Returns
    -------
    QuasipotentialField
        U and ∇U on the grid, `.at(x)` at any state, `.lowest_on_boundary(region)`, with errors.

    Raises
    ------
    ValueError
        If `start` is no attractor, if it is not inside the grid, if C is singular there, or if the cells are too large to resolve the
        attractor.

    Notes
    -----
    The factor is that of `quasipotential`, where the regime is described: exp(U / ε) is how mean times grow.  U solves the
    Hamilton–Jacobi equation ⟨∇U, C ∇U⟩ / 2 + ⟨f, ∇U⟩ = 0; it starts with a power series around the attractor and goes on by a sweep over
    the grid in the order of rising U, along curved paths.  The error falls like the third power of the size of a cell; less steeply
    at saddles, and somewhere between where the drift turns ten times as fast as it relaxes.  The field is computed a second time with every
    second edge, and the change is given as the error.

    No path is assumed: where several are locally the least, the field has the least of all.  The value at a single state to more digits,
    and the path: `quasipotential`, `minimum_action_path`.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> grid = ls.Grid([(-1.6, 0.4), (-0.8, 0.8)], (100, 80))
    >>> field = ls.quasipotential_field(ls.systems.maier_stein(beta=5.0), [-1.0, 0.0], grid)
    >>> field
    QuasipotentialField(of the attractor [-1.0, 0.0] on Grid(100 × 80 cells in [-1.6, 0.4] × [-0.8, 0.8]): U up to 0.48... in ...)
    """
    _check_has_field(sde)
    a = state("start", start, sde.dim)
    _check_grid(sde, grid)
    size = float(np.ptp(grid.bounds, axis=1).min())
    noise = WeakNoise(sde, size)
    attractor = attractor_at(noise, a, NEAR * size)
    low, high = grid.bounds.T
    if not ((low < attractor) & (attractor < high)).all():
        raise ValueError(f"`start` is {attractor.tolist()}, but must be inside the grid, which covers {grid.bounds.tolist()}.")
    fine, coarse = swept(noise, attractor, grid, ZOOMED), swept(noise, attractor, grid.coarser(2), ZOOMED // 2)
    values = fine.values
    known = np.isfinite(values)
    change = np.full(grid.shape, np.nan)
    change[known] = np.abs(coarse.at(grid.points[known.ravel()])[0] - values[known])
    known &= np.isfinite(change)
    error = np.where(known, np.maximum(_largest_around(change), fine.residual * values), np.nan)
    return QuasipotentialField(sde, attractor, grid, np.where(known, values, np.nan), np.where(known[..., None], fine.gradient, np.nan),
                               error, fine, coarse)


def _check_has_field(sde: SDE) -> None:
    """Refuse what is no equation, a loss over data among it, and one that changes with time."""
    if isinstance(sde, SampledLoss):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, such as ls.sgd(loss, loss.noise, learning_rate); for SGD itself "
                         "ls.minimum_action_path(loss, start, end, batch_size=...) has the path to one state, and its action.")
    check_is_equation(sde)
    check_equation(sde)


def _check_grid(sde: SDE, grid: Grid) -> None:
    if not isinstance(grid, Grid):
        raise ValueError(f"`grid` is {grid!r}, but must be a grid, such as ls.Grid([(-2, 2), (-1, 1)], (80, 40)).")
    if sde.dim != 2 or grid.dim != 2:
        raise ValueError(f"`grid` has {grid.dim} axes and the equation {sde.dim} components, but the field is for two: `quasipotential` "
                         "has U at single states in any dimension.")
    if not grid.is_uniform:
        raise ValueError("`grid` has cells of different size, but the sweep needs cells of one shape: ls.Grid(bounds, cells).")


def _largest_around(values: Array) -> Array:
    """The largest of the values of the cells within AROUND of each: a difference is small by chance where it changes sign."""
    padded = np.pad(values, AROUND, constant_values=np.nan)
    (n, m), offsets = values.shape, range(2 * AROUND + 1)
    return np.asarray(np.fmax.reduce([padded[i:i + n, j:j + m] for i in offsets for j in offsets]))
