"""Answers on a grid: a value for each cell, and at any state an `Estimate` that says how far the grid is from converged."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, state
from langevin_sgd.models.interpretation import Interpretation
from langevin_sgd.theory.grids.grid import Grid

REFINEMENTS = (1, 2, 4)         # every edge, every second, every fourth
POINTS = 4                      # of the interpolation, along each axis
BLOCKS = 5              # along each axis, among which one inside the domain is looked for
EXPECTED = (2.0, 8.0)           # an error of second order falls to a quarter when cells are halved: beyond these it does not yet
METHOD = "Fokker–Planck on a grid"


@dataclass(frozen=True, eq=False, repr=False)
class GridFunction:
    """An answer for every cell of a grid; made by `FokkerPlanck`.

    Attributes
    ----------
    quantity
        What it is.
    grid
        The cells.
    values
        The answer at their centres, an array of the shape of the grid; NaN outside the domain.  These are not extrapolated.
    interpretation
        Of the equation.
    """

    quantity: str
    grid: Grid
    values: Array
    interpretation: Interpretation
    _solve: Callable[[int], Array]
    _level: Callable[[Array], Array] | None = None
    _outside: Callable[[Array], float] | None = None
    _is_probability: bool = False
    _digits: Callable[[], float] | None = None

    @property
    def digits(self) -> float:
        """How many decimal digits of `values` are certain as solution of the equations on this grid; the grid has an error of its own.

        They are measured, by refining the solution in twice the precision, in the cell where they are fewest.  Up to a mean time of
        about 1e14 they are 14; then one fewer for every ten times longer, and none from about 1e28 on, where the elimination still has
        them (`theory.elimination`), but nothing is left to measure them with.

        Raises
        ------
        ValueError
            For answers other than a mean passage time or a committor.
        """
        if self._digits is None:
            raise ValueError(f"`digits` of a {self.quantity} are not measured; those of the mean passage time and of the committor are.")
        return self._digits()

    def at(self, x: ArrayLike) -> Estimate:
        """Return the answer at one state, extrapolated to cells of no size from the grid and from two coarser ones.

        Raises
        ------
        ValueError
            If x is outside the grid or, for a time, the domain.

        Notes
        -----
        The error begins with the square of the size of cells: the logarithm (of the odds, for a probability) is extrapolated after
        Richardson, over the grid, every second edge and every fourth.  The interval is what the extrapolations over two of them differ
        by: wide for a smooth problem, but boundaries that cut through cells leave terms that fall less regularly than powers.  Where
        the answers do not yet converge like that, `verdict` says so and the interval is what the last refinement changed.
        """
        point = state("x", x, self.grid.dim)
        if ((point < self.grid.bounds[:, 0]) | (point > self.grid.bounds[:, 1])).any():
            raise ValueError(f"`x` is {point.tolist()}, but the grid covers {self.grid.bounds.tolist()}.")
        if self._outside is not None and self._level is not None and not self._level(point) > 0:
            value = self._outside(point)
            return _estimate(value, 0.0, math.log(value) if value else -math.inf, self.quantity, self.interpretation)
        seen = [interpolated(self.grid.coarser(step), self._solve(step), point) for step in REFINEMENTS]
        return extrapolated_estimate(seen, self.quantity, self.interpretation, self._is_probability)

    def __repr__(self) -> str:
        return f"GridFunction({self.quantity} on {self.grid!r}, {self.interpretation.label})"


def extrapolated_estimate(seen: Sequence[float], quantity: str, interpretation: Interpretation, is_probability: bool = False) -> Estimate:
    """Return the answer for cells of no size, from those on three grids, the finest first."""
    value, spread = seen[0], max(seen) - min(seen)
    if not all(0 < v < (1 if is_probability else math.inf) for v in seen):      # a probability that is 0 or 1 to rounding
        return _estimate(value, spread, math.log(value) if value > 0 else -math.inf, quantity, interpretation,
                         "" if spread <= 1e-9 * value else "the coarser grids do not resolve it; use more cells")
    if is_probability:
        odds, error, verdict = extrapolated([math.log(v) - math.log1p(-v) for v in seen])
        log_value = -float(np.logaddexp(0.0, -odds))
        value = math.exp(log_value)
        return _estimate(value, value * (1 - value) * math.expm1(min(error, 700.0)), log_value, quantity, interpretation, verdict)
    log_value, error, verdict = extrapolated([math.log(v) for v in seen])
    value = math.exp(log_value) if log_value < 709.78 else math.inf
    return _estimate(value, value * math.expm1(min(error, 700.0)), log_value, quantity, interpretation, verdict)


def extrapolated(seen: Sequence[float]) -> tuple[float, float, str]:
    """Return a number for cells of no size, its error and a verdict, from three grids, the finest first."""
    fine, middle, coarse = seen
    first, second = (4 * fine - middle) / 3, (4 * middle - coarse) / 3
    best = first + (first - second) / 15
    ratio = (middle - coarse) / (fine - middle) if fine != middle else math.inf
    if EXPECTED[0] <= ratio <= EXPECTED[1] or abs(fine - middle) < 1e-9:
        return best, abs(first - second), ""
    return best, max(abs(first - second), abs(fine - middle)), (
        f"halving the cells changed its logarithm by {abs(fine - middle):.1e}, after {abs(middle - coarse):.1e} before: not yet the "
        "quarter of a resolved answer")


def interpolated(grid: Grid, values: Array, x: Array) -> float:
    """Return the value at a state by cubics through the nearest block of cells inside the domain, or fewer where there is no such block."""
    for count in range(POINTS, 0, -1):
        middles = [np.convolve(c, np.full(count, 1 / count), "valid") for c in grid.centres]
        nearest = [np.argsort(np.abs(m - at), kind="stable")[:BLOCKS].tolist() for m, at in zip(middles, x, strict=True)]
        blocks = sorted(itertools.product(*nearest), key=lambda block: sum(n.index(s) for n, s in zip(nearest, block, strict=True)))
        for block in blocks:
            part = values[tuple(slice(s, s + count) for s in block)]
            if np.isfinite(part).all():
                for c, at, s in zip(grid.centres, x, block, strict=True):
                    part = np.tensordot(_lagrange(c[s:s + count], at), part, axes=(0, 0))
                return float(part)
    raise ValueError(f"no cell of {grid!r} next to {x.tolist()} is inside the domain; give `grid` more cells.")


def _lagrange(nodes: Array, x: float) -> Array:
    """The weights of the values at nodes in the polynomial through them, at x."""
    distance = nodes[:, None] - nodes + np.eye(len(nodes))
    to_x = np.where(np.eye(len(nodes), dtype=bool), 1.0, x - nodes)
    return np.asarray(np.prod(to_x / distance, axis=1))


def _estimate(value: float, error: float, log_value: float, quantity: str, interpretation: Interpretation, verdict: str = "") -> Estimate:
    return Estimate(value=value, low=max(value - error, 0.0), high=value + error, confidence=1.0, method=METHOD, quantity=quantity,
                    interpretation=interpretation, log_value=log_value, verdict=verdict)
