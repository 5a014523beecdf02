"""The exponent of a power law through a few directions: how much of the scatter is chance, and how much is no power law."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, fraction

LEAST_DIRECTIONS = 3
NARROW = 2.0            # range of flatness, as a ratio, below which an exponent says little


@dataclass(frozen=True)
class PowerLaw:
    """A fit of variance = amplitude · flatness^−ψ.

    Attributes
    ----------
    exponent
        ψ, with its interval.
    log_amplitude
        The logarithm of the variance at flatness 1.
    scatter
        How far ln variance scatters about the line beyond chance, as a standard deviation: 0 where it need not.
    weights
        Linear in ln variance: ψ = weights · ln variance (directions,).
    error
        The standard error of ψ.
    chance
        The part of it that is chance: how far the ψ of exact variances, with the same weights, may be from this one.
    """

    exponent: Estimate
    log_amplitude: float
    scatter: float
    weights: Array
    error: float
    chance: float

    def variance(self, flatness: Array) -> Array:
        """Return the variance on the line."""
        return np.asarray(np.exp(self.log_amplitude - self.exponent.value * np.log(flatness)))


def power_law(flatness: Array, variance: Array, covariance: Array | None, freedom: float, confidence: float,
              doubts: tuple[str, ...] = ()) -> PowerLaw:
    """Fit ψ by weighted least squares on logarithms.

    Parameters
    ----------
    flatness, variance
        Positive, of the same directions.
    covariance
        Of ln variance by chance (directions, directions); None where the variances are exact.
    freedom
        Degrees of freedom of that covariance.
    confidence
        Of the interval.
    doubts
        About the directions, to be said with the exponent.

    Notes
    -----
    Points that scatter more than chance allows get a common variance added, such that χ² is what it should be (Paule & Mandel, 1982):
    a direction that happens to be measured very well does not decide alone, and the interval is that of Student's t with d − 2
    degrees of freedom.
    """
    from scipy.special import stdtrit
    x, y = np.log(flatness), np.log(variance)
    chance = np.zeros((len(x), len(x))) if covariance is None else covariance
    added = _added_variance(x, y, np.diag(chance))
    weights = _weights(np.diag(chance) + added, x)
    psi = float(weights @ y)
    by_chance = float(weights @ chance @ weights)
    error = math.sqrt(by_chance + added * float(weights @ weights))
    quantile = float(stdtrit(len(x) - 2 if added > 0 else freedom, (1 + fraction("confidence", confidence)) / 2))
    precise = 1 / np.maximum(np.diag(chance) + added, 1e-300)
    log_amplitude = float(np.average(y + psi * x, weights=precise / precise.max()))
    spanned = float(np.exp(np.ptp(x)))
    narrow = [f"flatness spans only a factor {spanned:.3g}"] if spanned < NARROW else []
    exponent = Estimate(value=psi, low=psi - quantile * error, high=psi + quantile * error, confidence=confidence,
                        method=f"least squares over {len(x)} directions", quantity="flatness exponent ψ",
                        verdict="; ".join([*narrow, *doubts]))
    return PowerLaw(exponent, log_amplitude, math.sqrt(added), weights, error, math.sqrt(by_chance))


def _weights(variances: Array, x: Array) -> Array:
    """The weights with which minus the slope is a sum over y; equal variances if all are zero."""
    precise = 1 / variances if (variances > 0).all() else np.ones_like(x)
    precise = precise / precise.max()
    centred = x - np.average(x, weights=precise)
    return np.asarray(-precise * centred / float(precise @ centred**2))


def _added_variance(x: Array, y: Array, chance: Array) -> float:
    """The variance to be added to that of chance, such that χ² is its degrees of freedom; zero if it is below."""
    from scipy.optimize import brentq
    freedom = len(x) - 2

    def excess(added: float) -> float:
        variances = chance + added
        w = _weights(variances, x)
        left = y + (w @ y) * x
        precise = 1 / variances
        return float(precise @ (left - np.average(left, weights=precise)) ** 2) - freedom

    psi = -np.polyfit(x, y, 1)[0]
    left = y + psi * x
    most = float(np.sum((left - left.mean()) ** 2)) / freedom
    rounding = 1e-28 * (1 + float(np.abs(y).max())) ** 2
    if most <= rounding:
        return 0.0                                          # an exact line: what is left is rounding
    if not (chance > 0).all():
        return most
    if excess(0.0) <= 0:
        return 0.0
    high = most
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, rtol=1e-10))
