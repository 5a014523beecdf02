"""Fit the polynomials of langevin_sgd/core/elementary.py anew, and print them with their largest errors.

The coefficients stand there as literals, so that results have the same bits on every machine; this shows where they come from.
"""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf, erfcx

from langevin_sgd.core import elementary

Fit = tuple[str, int, Callable[[np.ndarray], np.ndarray], float, float]

FITS: list[Fit] = [
    ("LOG", 13, lambda f: -2 * np.log1p(f) / f, math.sqrt(0.5) - 1, math.sqrt(2) - 1),
    ("SIN", 6, lambda w: np.sin(np.pi * np.sqrt(w)) / np.sqrt(w), 0.0, 0.25),
    ("COS", 7, lambda w: np.cos(np.pi * np.sqrt(w)), 0.0, 0.25),
    ("EXP2", 9, np.exp2, -0.5, 0.5),
    ("EXP2_SHORT", 7, np.exp2, -0.5, 0.5),
    ("ATAN", 14, lambda w: np.arctan(np.sqrt(w)) / np.sqrt(w), 0.0, 1.0),
    ("ERF", 10, lambda w: erf(np.sqrt(w)) / np.sqrt(w), 0.0, 1.0),
    ("ERFCX", 12, lambda u: erfcx(2 * (1 + u) / (1 - u)), -1 / 3, 9 / 17),
]


def fit(function: Callable[[np.ndarray], np.ndarray], low: float, high: float, n: int) -> tuple[tuple[float, ...], float]:
    """Return n coefficients of the polynomial through Chebyshev nodes (near the best possible), and its largest absolute error."""
    series = np.polynomial.Chebyshev.interpolate(function, n - 1, domain=[low, high])
    coefficients = series.convert(kind=np.polynomial.Polynomial).coef
    x = np.linspace(low, high, 20_001)[1:]
    x = x[x != 0.0]                                             # not the 0/0
    return tuple(map(float, coefficients)), float(np.abs(np.polynomial.polynomial.polyval(x, coefficients) - function(x)).max())


if __name__ == "__main__":
    for name, n, function, low, high in FITS:
        new, error = fit(function, low, high, n)
        moved = np.abs(np.subtract(getattr(elementary, name, new), new)).max()
        print(f"{name} = {new}\n    # largest error {error:.1e}; the literals differ by {moved:.1e}")
