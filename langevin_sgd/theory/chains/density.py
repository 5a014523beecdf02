"""The stationary law of the Euler chain in one dimension."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, whole
from langevin_sgd.models.region import Interval
from langevin_sgd.theory.chains.elimination import stationary_law
from langevin_sgd.theory.chains.settling import Surroundings, settled
from langevin_sgd.theory.chains.tail import Factor, kesten_exponent
from langevin_sgd.theory.chains.transition import Edge, Grid, Step
from langevin_sgd.theory.line.ends import point_inside
from langevin_sgd.theory.line.fates import looks_around
from langevin_sgd.theory.line.shares import shares_of_mass
from langevin_sgd.theory.line.tails import tail_index


def chain_density(step: Step, domain: Interval | None) -> ChainDensity:
    """Return the stationary density of a chain; see `Chain.stationary_density`."""
    region = Interval() if domain is None else domain
    if not isinstance(region, Interval):
        raise ValueError(f"`domain` is {domain!r}, but a chain jumps, and needs an Interval, such as ls.Interval(-1.0, 1.0), or None for "
                         "the whole line.")
    center = point_inside(step.sde, region)
    index = _tail_index(step, region, center)
    around = Surroundings.of(step, region, center, (Edge.MIRROR, Edge.MIRROR), shares_of_mass)

    def collision(grid: Grid) -> tuple[float, float]:       # ∫ p², which depends on all of the law that is not small
        law = _law(grid)
        value = float(law @ (law / grid.weights))
        return value, value

    grid = settled(step, around, collision, "stationary density")[1]
    return ChainDensity(step, region, index, around, grid)


@dataclass(frozen=True, eq=False)
class ChainDensity:
    """A stationary probability density p(x) of a chain, callable; made by `Chain.stationary_density`.

    Attributes
    ----------
    domain
        Where it lives.
    tail_index
        A, if P(|x| > r) falls like r^−A; infinite if it falls faster than any power.  Moments below A exist.
    """

    step: Step
    domain: Interval
    tail_index: float
    _around: Surroundings
    _grid: Grid

    def __call__(self, x: ArrayLike) -> Any:
        """Return p at points; the shape of x.  The error is below 1e-9 where p is not small."""
        points = numbers("x", x, infinite=True)
        flat = points.ravel()
        inside = (flat >= self.domain.low) & (flat <= self.domain.high) & np.isfinite(flat)
        p = np.zeros(flat.size)
        p[inside] = _law(self._grid) @ self._grid.window.density(*self._grid.laws, flat[inside])
        return p.reshape(points.shape) if points.ndim else float(p[0])

    def log_density(self, x: ArrayLike) -> Any:
        """Return ln p at points; the shape of x.  −inf outside the domain, and where p underflows."""
        with np.errstate(divide="ignore"):
            logs = np.log(self(x))
        return logs if np.ndim(logs) else float(logs)

    def probability(self, low: float = -math.inf, high: float = math.inf) -> float:
        """Return the probability of the states between two numbers: the share of steps at which the chain is there.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> p = ls.Chain(ls.systems.ornstein_uhlenbeck(), dt=0.5).stationary_density()
        >>> f"{p.probability(low=0.0):.10f}"
        '0.5000000000'
        """
        a, b = (float(numbers(name, value, infinite=True)) for name, value in (("low", low), ("high", high)))
        if not a < b:
            raise ValueError(f"`low` is {a:g} and `high` {b:g}, but low must be below high.")
        a, b = max(a, self.domain.low), min(b, self.domain.high)

        def number(grid: Grid) -> tuple[float, float]:
            value = float(_law(grid) @ grid.window.probability(*grid.laws, a, b)) if a < b else 0.0
            return value, value

        return settled(self.step, self._around, number, f"probability between {a:g} and {b:g}")[0].value

    def moment(self, k: int) -> float:
        """Return E x^k.

        Raises
        ------
        ValueError
            If it does not exist: the message has the tail index.
        """
        order = whole("k", k)
        self._check_exists(order, f"moment {order}")
        return self._mean_of(lambda x: x**order, f"moment {order}")

    @functools.cached_property
    def mean(self) -> float:
        """E x."""
        return self.moment(1)

    @functools.cached_property
    def variance(self) -> float:
        """E (x − E x)²."""
        self._check_exists(2, "variance")
        mean = self.mean
        return self._mean_of(lambda x: (x - mean)**2, "variance")

    def _check_exists(self, order: int, name: str) -> None:
        if order >= self.tail_index:
            raise ValueError(f"the {name} of this stationary law does not exist: its tail index is {self.tail_index:.6g}, and only moments "
                             "below that exist.")

    def _mean_of(self, weight: Callable[[Array], Array], quantity: str) -> float:
        def number(grid: Grid) -> tuple[float, float]:
            law, values = _law(grid), weight(grid.nodes)
            return float(law @ values), float(law @ np.abs(values))

        return settled(self.step, self._around, number, f"{quantity} of the stationary law")[0].value

    def __repr__(self) -> str:
        return f"ChainDensity({self.step.sde!r}, dt = {self.step.dt:g}, on ({self.domain.low:g}, {self.domain.high:g}))"


@functools.lru_cache(maxsize=8)
def _law(grid: Grid) -> Array:
    """The stationary probabilities near the nodes of a grid."""
    return stationary_law(grid.moves(*grid.laws))


def _tail_index(step: Step, region: Interval, center: float) -> float:
    factors = [None if math.isfinite(end) else Factor.at(step, center, sign) for end, sign in ((region.low, -1), (region.high, 1))]
    infinite = [f for f in factors if f is not None]
    if not infinite:
        return math.inf
    if any(f.is_diffusive for f in infinite):       # small steps: the tail of the equation
        looks = looks_around(step.sde, region, center, exits=False)
        return min(tail_index(look) for look in looks if math.isinf(look.end.at))
    return kesten_exponent(*factors)
