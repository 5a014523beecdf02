"""One-step maps, written so that they can be compared with their formulas.  For one component; callable from ``@njit`` code."""
from __future__ import annotations

import math

from numba import njit

from langevin_sgd.core.lanes import LANE


@njit(**LANE)
def euler_maruyama(x: float, drift: float, dt: float, noise: float) -> float:
    """x + b dt + g dW, with the noise g dW: strong order 1/2 (1 for additive noise), weak order 1."""
    return x + drift * dt + noise


@njit(**LANE)
def milstein(x: float, drift: float, dt: float, variance: float, slope: float, dw: float) -> float:
    """x + b dt + g dW + ½ g g' (dW² - dt), with g² = variance and 2 g g' = slope: strong order 1, no derivative of a root."""
    return x + drift * dt + (math.sqrt(variance) * dw + 0.25 * slope * (dw * dw - dt))
