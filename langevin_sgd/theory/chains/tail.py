"""The tail of the Euler chain far out, where it multiplies: X' = ξ X with ξ = μ + g Z (Kesten, Acta Math. 131, 207 (1973))."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.chains.transition import Step
from langevin_sgd.theory.sgd.kesten import tail_exponent

FAR, FARTHER = 1e6, 1e8         # where the factors are read off, in units of the size of a step and of the state
SAME = 1e-3                     # relative change of g between the two that is none
NONE = 1e-4                     # g below this, and falling, is none
SMALLEST, LARGEST = 1e-4, 1e5   # exponents that are sought


@dataclass(frozen=True)
class Factor:
    """ξ = μ + g Z, the factor by which a step from far out multiplies the state."""

    mean: float
    spread: float

    @classmethod
    def at(cls, step: Step, center: float, sign: int) -> Factor:
        """Return the factor towards ±infinity, from a state in the middle.

        Raises
        ------
        ValueError
            If steps from far out lead farther out: there is no stationary law.
        """
        size = max(1.0, abs(center), float(step(np.array([center]))[1][0]))
        x = sign * size * np.array([FAR, FARTHER])
        mean, spread = step(x)
        mu, g = mean / x, spread / np.abs(x)
        fades = g[1] < 0.5 * g[0]
        if abs(mu[1]) > 1 + 1e-9 or not (fades or abs(g[1] - g[0]) <= SAME * g[0]):
            raise ValueError(f"the chain has no stationary law at dt = {step.dt:g}: from x = {x[0]:g} a step leads to {mean[0]:.3g} ± "
                             f"{spread[0]:.3g} on average, so that paths far out do not come back.  Give `domain` finite ends, which fold "
                             "the step back.")
        return cls(float(mu[1]), 0.0 if fades else float(g[1]))

    @property
    def is_diffusive(self) -> bool:
        """Tell whether single steps are small compared with the state: then the tail is that of the equation."""
        return self.spread < NONE and abs(self.mean - 1) < NONE

    def moment(self, exponent: float, sign: int) -> float:
        """Return E |ξ|^A over the values of one sign."""
        if not self.spread:
            return abs(self.mean)**exponent if sign * self.mean > 0 else 0.0
        from scipy.integrate import quad
        mu, g = sign * self.mean, self.spread
        peak = (mu + math.sqrt(mu * mu + 4 * exponent * g * g)) / 2

        def integrand(u: float) -> float:
            return math.exp(exponent * math.log(u) - 0.5 * ((u - mu) / g)**2) if u > 0 else 0.0

        parts = sorted({0.0, max(peak - 9 * g, 0.0), peak, peak + 9 * g, peak + 40 * g})
        total = sum(quad(integrand, a, b, epsabs=0.0, epsrel=1e-11, limit=200)[0] for a, b in itertools.pairwise(parts))
        return float(total) / (math.sqrt(2 * math.pi) * g)


def kesten_exponent(low: Factor | None, high: Factor | None) -> float:
    """Return A, where P(|X| > r) falls like r^−A; infinite if faster than any power.

    Parameters
    ----------
    low, high
        The factors towards both ends; None for an end that is finite and folds paths back.

    Raises
    ------
    ValueError
        If paths far out do not come back.

    Examples
    --------
    >>> from langevin_sgd.theory.chains.tail import Factor, kesten_exponent
    >>> both = Factor(0.9, 0.1 * 2**0.5)
    >>> f"{kesten_exponent(both, both):.4f}"
    '11.3913'
    """
    growth = _growth(low, high)
    if growth(SMALLEST) >= 0:
        raise ValueError("the chain has no stationary law: its noise grows so fast that paths far out do not come back on average "
                         "(E ln|1 + b' dt + g Z| is not negative).  Give `domain` finite ends, which fold the step back.")
    if all(f is None or not f.spread for f in (low, high)):
        return math.inf
    return tail_exponent(growth, SMALLEST, LARGEST)


def _growth(low: Factor | None, high: Factor | None) -> Callable[[float], float]:
    """ln of the largest eigenvalue of E |ξ|^A, from either side to either side."""
    def growth(exponent: float) -> float:
        if low is None or high is None:
            one = low or high
            assert one is not None, "This is a bug: a finite domain has no tail."
            largest = one.moment(exponent, 1) + one.moment(exponent, -1)
        else:
            matrix: Array = np.array([[f.moment(exponent, sign) for sign in order] for f, order in ((low, (1, -1)), (high, (-1, 1)))])
            largest = float(np.abs(np.linalg.eigvals(matrix)).max())
        return math.log(largest) if largest > 0 else -math.inf

    return growth
