"""The stationary law of a one-dimensional equation: p ∝ D^(α−1) exp(−Φ)."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, whole
from langevin_sgd.models.region import Interval, Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.coefficients import check_exact, diffusion
from langevin_sgd.theory.line.convergence import converged
from langevin_sgd.theory.line.ends import Fate, point_inside
from langevin_sgd.theory.line.fates import looks_around, remarks
from langevin_sgd.theory.line.panels import Panels
from langevin_sgd.theory.line.refinement import reaching
from langevin_sgd.theory.line.shares import Sides, shares_of_mass
from langevin_sgd.theory.line.tails import remainder, tail_index

Weight = Callable[[Array], Array]       # the logarithm of a weight at points


def stationary_density(sde: SDE, domain: Region | None = None) -> StationaryDensity:
    """Return the stationary probability density of a one-dimensional equation.

    Parameters
    ----------
    sde
        A one-dimensional equation, not depending on time.
    domain
        None for the whole line (or the part of it where D is positive); a region, whose ends then give paths back.  Of several
        pieces, the one between its known ends or around 0 counts.

    Raises
    ------
    ValueError
        If there is no stationary law: the density cannot be normalised (the message has the exponent of its tail), or paths get lost.
    QuadratureError
        If the relative error of a number is above 1e-10.

    Notes
    -----
    Source: `theory`, 1.3 and 3.1.  p ∝ D^(α−1) exp(−Φ) with Φ = −∫ f/D for the drift f as it was written: no derivative of D is taken.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.sgd(ls.Landscape("x**2/2"), ls.noise.Quadratic(0.5, quadratic=2.0), learning_rate=0.1)
    >>> p = ls.exact.stationary_density(sde)
    >>> f"{p.variance:.10f}", f"{p.tail_index:.6f}", f"{p(0.0):.10f}"
    ('0.0277777778', '11.000000', '2.5868993925')
    """
    check_exact(sde)
    region = Interval() if domain is None else domain
    if not isinstance(region, Region):
        raise ValueError(f"`domain` is {domain!r}, but must be a region, such as ls.Interval(-1.0, 1.0), or None for the whole line.")
    looks = looks_around(sde, region, point_inside(sde, region), exits=False)
    for end in (look.end for look in looks):
        if end.fate is Fate.LOST:
            raise ValueError(f"there is no stationary law: {remarks(looks)}.")
        if end.is_slow:
            raise ValueError(f"there is no stationary law: the integral of D^(α−1) exp(−Φ) diverges towards {end.place}"
                             f"{_index_in_words(looks)}.")
    answer = converged(looks, shares_of_mass, lambda sides, settled: [_log_integral(sides, settled)])
    answer.estimate(0, "normalisation of the stationary density")
    return StationaryDensity(sde, looks, answer.sides, answer.logs[0])


@dataclass(frozen=True, eq=False)
class StationaryDensity:
    """A stationary probability density p(x), callable; made by `stationary_density`.

    Attributes
    ----------
    sde
        The equation.
    """

    sde: SDE
    _looks: Sides
    _sides: Sides
    _log_mass: float

    @property
    def support(self) -> tuple[float, float]:
        """The ends of the interval on which the law lives."""
        low, high = self._looks
        return low.end.at, high.end.at

    @functools.cached_property
    def tail_index(self) -> float:
        """A, if P(|x| > r) falls like r^−A on the heavier side; infinite if it falls faster than any power.  Moments below A exist."""
        return _tail_index(self._looks)

    def __call__(self, x: ArrayLike) -> Any:
        """Return p at points; the shape of x."""
        values = np.exp(self.log_density(x))
        return values if np.ndim(values) else float(values)

    def log_density(self, x: ArrayLike) -> Any:
        """Return ln p at points; the shape of x.  −inf outside the domain."""
        points = numbers("x", x, infinite=True)
        flat, logs = points.ravel(), np.full(points.size, -np.inf)
        for panels in self._sides:
            end, outward = panels.end, panels.end.sign * flat
            here = (outward >= end.sign * end.start) & ((outward < end.sign * end.at) | ((flat == end.at) & (not end.is_open)))
            if here.any():
                logs[here] = self._log_density_on(panels, flat[here])
        return logs.reshape(points.shape) if points.ndim else float(logs[0])

    def _log_density_on(self, panels: Panels, x: Array) -> Array:
        farthest = float(x[np.argmax(panels.end.sign * x)])
        with np.errstate(divide="ignore"):
            log_diffusion = np.log(diffusion(self.sde, x))
        return -reaching(panels, farthest).potential_at(x) - (1 - self.sde.effective_alpha) * log_diffusion - self._log_mass

    def probability(self, low: float = -math.inf, high: float = math.inf) -> float:
        """Return the probability of the states between two numbers: how often SGD is in this minimum.

        Small probabilities are as accurate as large ones.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> p = ls.exact.stationary_density(ls.langevin(ls.landscapes.sharp_flat(), temperature=0.02))
        >>> f"{p.probability(low=-0.229083):.6f}"
        '0.686347'
        """
        a, b = (float(numbers(name, value, infinite=True)) for name, value in (("low", low), ("high", high)))
        if not a < b:
            raise ValueError(f"`low` is {a:g} and `high` {b:g}, but low must be below high.")
        if b <= self.support[0] or a >= self.support[1]:
            return 0.0
        return self._mean_of(lambda x: np.where((x > a) & (x < b), 0.0, -np.inf), (a, b), f"probability between {a:g} and {b:g}")

    def moment(self, k: int) -> float:
        """Return E x^k.

        Raises
        ------
        ValueError
            If it does not exist: the message has the tail index.
        """
        order = whole("k", k)
        self._check_exists(order, f"moment {order}")
        return self._one_sided_moment(order, 1) + (-1)**order * self._one_sided_moment(order, -1)

    def _one_sided_moment(self, order: int, sign: int) -> float:
        """E |x|^k over the states of one sign."""
        def log_weight(x: Array) -> Array:
            return np.where(sign * x > 0, order * np.log(np.abs(x)), -np.inf)
        return self._mean_of(log_weight, (0.0,), f"moment {order} of the stationary density")

    @functools.cached_property
    def mean(self) -> float:
        """E x."""
        return self.moment(1)

    @functools.cached_property
    def variance(self) -> float:
        """E (x − E x)²."""
        self._check_exists(2, "variance")
        mean = self.mean
        return self._mean_of(lambda x: 2 * np.log(np.abs(x - mean)), (mean,), "variance of the stationary density")

    @functools.cached_property
    def mode(self) -> float:
        """Where p is largest; an end of the support if p grows without bound there."""
        from scipy.optimize import minimize_scalar
        low, high = self._sides
        x = np.concatenate([low.nodes.ravel()[::-1], high.nodes.ravel()])
        k = int(np.argmax(np.concatenate([low.log_speed.ravel()[::-1], high.log_speed.ravel()])))
        for panels, outermost in ((low, 0), (high, len(x) - 1)):
            if k == outermost and panels.end.is_open:
                return panels.end.at
        edges = sorted({*low.edges.tolist(), *high.edges.tolist()})
        around = [x[k - 1] if k > 0 else edges[0], x[k + 1] if k < len(x) - 1 else edges[-1]]
        smooth = minimize_scalar(lambda u: -self.log_density(u), bounds=around, method="bounded", options={"xatol": 1e-12})
        # The largest value may also be at an edge: an end of the domain, or next to a jump of D.
        cornered = [np.nextafter(e, e + side) for e in edges if around[0] <= e <= around[1] for side in (0, -1, 1)]
        return float(max([smooth.x, *cornered], key=self.log_density))

    @functools.cached_property
    def log_normalisation(self) -> float:
        """The logarithm of the integral of p scaled to 1 at its mode: −ln p(mode)."""
        unbounded = any(look.end.is_open and look.end.at == self.mode for look in self._looks)
        return -math.inf if unbounded else -self.log_density(self.mode)

    @property
    def normalisation(self) -> float:
        """The integral of p scaled to 1 at its mode, as a width of the law; 0 where p is unbounded."""
        return math.exp(self.log_normalisation)

    def _check_exists(self, order: int, name: str) -> None:
        if order >= self.tail_index:
            raise ValueError(f"the {name} of this stationary density does not exist: its tail index is {self.tail_index:.6g}, and only "
                             "moments below that exist.")

    def _mean_of(self, log_weight: Weight, kinks: Sequence[float], quantity: str) -> float:
        """The mean of a positive function, given its logarithm, on panels refined for it."""
        low, high = (look.cut_at(kinks) for look in self._looks)

        def log_shares(sides: Sides) -> list[Array]:
            return [np.maximum(a, b) for a, b in zip(shares_of_mass(sides), shares_of_mass(sides, log_weight), strict=True)]

        def logs(sides: Sides, settled: bool) -> list[float]:
            return [_log_integral(sides, settled, log_weight) - _log_integral(sides, settled)]

        with np.errstate(divide="ignore"):          # the logarithm of a weight that is zero
            return converged((low, high), log_shares, logs).estimate(0, quantity).value

    def __repr__(self) -> str:
        return f"StationaryDensity({self.sde!r}, on {self.support})"


def _log_integral(sides: Sides, settled: bool, log_weight: Weight | None = None) -> float:
    """ln ∫ m, times a weight if one is given, over the panels and what lies beyond them."""
    total = -math.inf
    for panels in sides:
        log_f = panels.log_speed + (log_weight(panels.nodes) if log_weight else 0.0)
        total = np.logaddexp(total, panels.inward(log_f, remainder(panels, log_f, settled=settled))[1][0])
    return float(total)


def _tail_index(looks: Sides) -> float:
    return min([tail_index(look) for look in looks if math.isinf(look.end.at)], default=math.inf)


def _index_in_words(looks: Sides) -> str:
    index = _tail_index(looks)
    return f": the tail index is {index:.4g}, but must be positive" if math.isfinite(index) else ""
