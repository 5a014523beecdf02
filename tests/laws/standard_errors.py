"""What the law tests share: standard errors, and slopes with the error that they have by chance."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


def z_of_mean(sample: np.ndarray, expected: float) -> float:
    """Return how many standard errors the mean of a sample lies from what was expected."""
    return float((sample.mean() - expected) / (sample.std(ddof=1) / math.sqrt(sample.size)))


def z_of_share(seen: np.ndarray, expected: float) -> float:
    """Return the same for the share of True."""
    return float((seen.mean() - expected) / math.sqrt(expected * (1 - expected) / seen.size))


def z_of_variance(sample: np.ndarray, expected: float, mean: float | None = None) -> float:
    """Return the same for the variance, about a known mean or that of the sample."""
    return z_of_mean((sample - (sample.mean() if mean is None else mean)) ** 2, expected)


@dataclass(frozen=True)
class Slope:
    """The order of convergence: the slope of log error over log dt, and its standard error."""

    value: float
    error: float

    def is_about(self, order: float, band: float = 0.08) -> bool:
        """Tell whether the order is this one: within 4 standard errors and `band` for the next order in dt."""
        return abs(self.value - order) <= 4 * self.error + band


def slope(dts: list[float], errors: list[float], standard_errors: list[float]) -> Slope:
    """Fit a slope by weighted least squares; errors within 5 of their standard errors are noise, and are refused."""
    error, noise = np.array(errors), np.array(standard_errors)
    assert (error > 5 * noise).all(), f"the errors {error} are not above the noise {noise}: more paths, or larger steps"
    x, y, w = np.log(dts), np.log(error), (error / noise) ** 2
    center = (w * x).sum() / w.sum()
    spread = (w * (x - center) ** 2).sum()
    return Slope(float((w * (x - center) * y).sum() / spread), float(1 / math.sqrt(spread)))
