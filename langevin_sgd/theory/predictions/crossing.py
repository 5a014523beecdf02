"""What an equation looks like between a minimum and the saddle next to it: the numbers that the closed forms ask for.

Only the drift as it was given is used, with the α for which it is the drift: −f is then the slope of L, whether or not the equation
has a landscape, and D is differentiated only where the size of the next order, or σ_H, asks for it.  The integrals share no code with
the exact methods, so that agreement of the two is evidence.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, state
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.roots import roots_between
from langevin_sgd.models.sde import SDE

# Lengths are in units of the distance between minimum and saddle, which is called `width` below.
NEAR = 1e-3                     # how far a given point may be from the critical point
STEP = 1e-5                     # of the differences that tell a smooth extremum from a corner
SECANTS_AGREE = 0.05            # largest spread of L'/δx at an extremum that counts as quadratic
KINK = 0.05                     # largest jump of the slope of D, in units of D / width, that counts as smooth
REACH = 0.02                    # of the interpolation that gives derivatives; here in units of the half-width of the parabola, if less
PANELS = 32                     # of the integrals along the way
NODES = (10, 16)                # of each panel, for the error and for the value
QUADRATURE = 1e-8               # largest error of an integral, relative to it

Point = ArrayLike | CriticalPoint
Curve = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class Extremum:
    """A minimum or saddle in one dimension: the second to fourth derivative of L there, and D with its first and second.

    `not_quadratic` and `not_smooth` say why L, and why D, have no such derivatives; they are empty where there is nothing to say.
    """

    x: float
    curvature: float
    third: float
    fourth: float
    diffusion: float
    diffusion_first: float
    diffusion_second: float
    not_quadratic: str
    not_smooth: str


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The way from a minimum to a saddle in one dimension, with L', L − L_m, Φ − Φ_m and D at its points, and D half way between them."""

    minimum: Extremum
    saddle: Extremum
    alpha: float
    strength: float
    way: Array
    slopes: Array
    losses: Array
    potentials: Array
    diffusions: Array
    diffusions_between: Array

    @property
    def barrier(self) -> float:
        """L_s − L_m."""
        return float(self.losses[-1])

    @property
    def climb(self) -> float:
        """Φ_s − Φ_m."""
        return float(self.potentials[-1])

    @property
    def width(self) -> float:
        """The distance between minimum and saddle."""
        return abs(self.saddle.x - self.minimum.x)

    @property
    def not_quadratic(self) -> str:
        """Why L has no parabola at the minimum or the saddle, or nothing."""
        return "; ".join(filter(None, (self.minimum.not_quadratic, self.saddle.not_quadratic)))

    @property
    def not_smooth(self) -> str:
        """Why D is not smooth at the minimum or the saddle, or nothing."""
        return "; ".join(filter(None, (self.minimum.not_smooth, self.saddle.not_smooth)))


def crossing(sde: SDE, minimum: Point, saddle: Point) -> Crossing:
    """Return what a one-dimensional equation looks like between a minimum and the saddle next to it.

    Raises
    ------
    ValueError
        If a point is no critical point of its kind (the message names the nearest), if another one lies in between, or if D vanishes
        on the way.
    ArithmeticError
        If an integral on the way misses its tolerance; the message carries the best value and its error.
    """
    start, top = coordinates("minimum", minimum, 1)[0], coordinates("saddle", saddle, 1)[0]
    width = abs(top - start)
    if width == 0:
        raise ValueError(f"`minimum` and `saddle` are both {start:g}, but must be two points.")
    low, high = min(start, top) - width, max(start, top) + width

    def slope(x: Array) -> Array:
        return -sde.evaluate(sde.drift_field, np.asarray(x, float)[..., None])[..., 0]

    kinks = sde.kinks(low, high)
    critical = [(x, kind) for x in roots_between(slope, low, high, kinks) if (kind := _kind(slope, x, width))]
    start, top = (_nearest(name, x, critical, kind, width) for name, x, kind in
                  (("minimum", start, "minimum"), ("saddle", top, "saddle")))
    between = [f"{kind} at {x:g}" for x, kind in critical if min(start, top) < x < max(start, top)]
    if between:
        raise ValueError(f"between `minimum` {start:g} and `saddle` {top:g} lies a {between[0]}; give the saddle next to the minimum.")
    way = _way(start, top, kinks)
    losses, diffusions = _integrals(slope, way), _positive(sde, way)
    half_way = _positive(sde, (way[1:] + way[:-1]) / 2)
    potentials = _integrals(lambda x: slope(x) / sde.diffusion(x), way)
    ends = {name: _extremum(sde, slope, name, x, width, losses[-1], kinks) for name, x in (("minimum", start), ("saddle", top))}
    return Crossing(**ends, alpha=sde.effective_alpha, strength=sde.values["strength"], way=way, slopes=slope(way), losses=losses,
                    potentials=potentials, diffusions=diffusions, diffusions_between=half_way)


def coordinates(name: str, point: Point, dim: int) -> Array:
    """Return a point, given as numbers or as a critical point of a landscape, as an array (d,)."""
    return state(name, point.x if isinstance(point, CriticalPoint) else point, dim)


def derivatives(curve: Curve, x: float, reach: float, order: int) -> list[float]:
    """Return value and derivatives of a smooth curve up to `order`, from its interpolation on x ± reach."""
    polynomial = Chebyshev.interpolate(curve, 8, domain=[x - reach, x + reach])
    return [float(polynomial.deriv(k)(x) if k else polynomial(x)) for k in range(order + 1)]


def _kind(slope: Curve, x: float, width: float) -> str:
    """What a zero of L' is: a minimum, a saddle, or nothing at an inflection or on a plateau."""
    before, after = slope(np.array([x - 1e-6 * width, x + 1e-6 * width]))
    return "minimum" if before < 0 < after else "saddle" if before > 0 > after else ""


def _nearest(name: str, x: float, critical: list[tuple[float, str]], kind: str, width: float) -> float:
    """The critical point of this kind that was meant by x."""
    of_kind = [c for c, k in critical if k == kind]
    nearest = min(of_kind, key=lambda c: abs(c - x), default=None)
    if nearest is None or abs(nearest - x) > NEAR * width:
        known = f"there is no {kind} within {width:g} of it"
        if nearest is not None:
            known = f"the nearest {kind} is at {nearest if abs(nearest) > 1e-9 * width else 0.0:.9g}"
        raise ValueError(f"`{name}` is {x:.9g}, but the drift has no {kind} there; {known}.")
    return nearest


def _extremum(sde: SDE, slope: Curve, name: str, x: float, width: float, barrier: float, kinks: list[float]) -> Extremum:
    steps = STEP * width * np.array([-2.0, -1.0, 1.0, 2.0])
    secants = slope(x + steps) / steps
    half_width = np.sqrt(2 * barrier / np.abs(secants).max())
    reach = min([REACH * min(width, half_width), *(abs(k - x) for k in kinks if abs(k - x) > 1e-6 * width)])
    _, curvature, third, fourth = derivatives(slope, x, reach, 3)
    d, first, second = derivatives(sde.diffusion, x, reach, 2)
    if sde.landscape is not None:
        curvature = float(sde.landscape.hessian(x))                     # the same, exactly
    return Extremum(x=x, curvature=curvature, third=third, fourth=fourth, diffusion=d, diffusion_first=first, diffusion_second=second,
                    not_quadratic=_not_quadratic(secants, name, steps[-1]),
                    not_smooth=_not_smooth(sde.diffusion(x + np.array([*steps[:2], 0.0, *steps[2:]])), name))


def _not_quadratic(secants: Array, name: str, distance: float) -> str:
    """Tell a corner, a jump of the curvature or a flat extremum from a parabola: there, L'/δx is the same for every δx."""
    if np.ptp(secants) <= SECANTS_AGREE * np.abs(secants).max():
        return ""
    return (f"at the {name} L is not quadratic (a corner, a jump of its curvature, or a flat extremum): within {distance:.2g} of it, "
            f"L'/δx is {secants.min():.3g} to {secants.max():.3g}")


def _not_smooth(diffusions: Array, name: str) -> str:
    """Tell a jump or kink of D: to double the distance doubles the first difference of a smooth curve, and quadruples the second."""
    far_left, left, here, right, far_right = diffusions
    odd = 2 * (right - left) - (far_right - far_left)                                    # the jump
    even = 4 * (left - 2 * here + right) - (far_left - 2 * here + far_right)            # twice the jump of the slope, times the step
    return f"at the {name} D has a jump or a kink" if max(abs(odd), abs(even)) > 2 * KINK * STEP * here else ""


def _way(start: float, top: float, kinks: list[float]) -> Array:
    """Points from the minimum to the saddle, the kinks among them."""
    edges = np.unique([*np.linspace(start, top, PANELS + 1), *(k for k in kinks if min(start, top) < k < max(start, top))])
    return edges if start < top else edges[::-1]


def _positive(sde: SDE, way: Array) -> Array:
    d = np.asarray(sde.diffusion(way))
    if not (d > 0).all():
        raise ValueError(f"D is {d[~(d > 0)][0]:g} at {way[~(d > 0)][0]:.9g}, between `minimum` and `saddle`, but must be positive there: "
                         "where the noise vanishes no closed form holds.")
    return d


def _integrals(curve: Curve, way: Array) -> Array:
    """The integral of a curve from the first point of the way to each point of it; its error is that of a rule with fewer points."""
    coarse, fine = (_panel_integrals(curve, way, points) for points in NODES)
    error, total = float(np.abs(fine - coarse).sum()), float(fine.sum())
    if not error <= QUADRATURE * abs(total):
        raise ArithmeticError(f"the integral from `minimum` to `saddle` is {total:.9g} with an error of {error:.2g}, more than "
                              f"{QUADRATURE:g} of it; drift or noise vary too fast on the way.")
    return np.concatenate([[0.0], np.cumsum(fine)])


def _panel_integrals(curve: Curve, way: Array, points: int) -> Array:
    """The integral of a curve over each panel of the way, by the rule of Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    half = np.diff(way)[:, None] / 2
    return (curve(way[:-1, None] + half * (1 + nodes)) * weights * half).sum(axis=1)
