"""The learning rates up to which minibatch SGD is stable at a critical point: in the mean, in mean square, and almost surely."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.theory.sgd.linearised import Batches, LinearisedSGD
from langevin_sgd.theory.sgd.lyapunov import RandomProduct
from langevin_sgd.theory.sgd.sample_curvatures import FLAT
from langevin_sgd.theory.sgd.stability import ATTRACTED, EXCLUDED, LEFT, METASTABLE, REGIONS

ROOT = 1e-12                    # relative error of a learning rate at which a computed exponent is zero
NARROW = 0.01                   # relative width within which a simulated one is bracketed
LOWEST = -100.0                 # of an exponent in the search: it may be −∞
NEARBY = 1e-3                   # relative distance of learning rates between which its slope is taken
PER_DECADE = {True: 24, False: 8}       # learning rates at which a computed and a simulated exponent are looked at
BELOW = 0.99                    # of the limit in mean square, for the other may be the same
BEFORE, BEYOND = 1e-2, 10.0     # where to begin, over where the steepest sample is unstable, and to end, over where the median one is


@dataclass(frozen=True, eq=False)
class StabilityLimits:
    """The learning rates up to which SGD is stable at a critical point; made by `stability_limits`.

    Attributes
    ----------
    in_mean, in_mean_square
        η below which the mean, and second moments, settle; 0 if they never do.
    almost_surely
        η at which the Lyapunov exponent first rises to 0; 0 where it is positive for small η, as at maxima and saddles.
    almost_surely_error
        How far it may be off.
    intervals
        All (low, high) found in which the exponent is negative: at maxima they begin above 0, and there can be more than one.  Next to the
        learning rates 1/h of discrete data there are more, too narrow to be found.
    interval_errors
        How far each of these two ends may be off: so much inside them, the sign is told.
    """

    in_mean: float
    in_mean_square: float
    almost_surely: float
    almost_surely_error: float
    intervals: tuple[tuple[float, float], ...]
    interval_errors: tuple[tuple[float, float], ...]

    def region(self, learning_rate: float) -> str:
        """Return the region of a learning rate, as `MinibatchStability.region`: within the error of a limit, not "attracted only"."""
        if learning_rate < self.in_mean_square:
            return REGIONS[METASTABLE]
        if any(low + before < learning_rate < high - after
               for (low, high), (before, after) in zip(self.intervals, self.interval_errors, strict=True)):
            return REGIONS[ATTRACTED]
        return REGIONS[LEFT if learning_rate < self.in_mean else EXCLUDED]

    def __str__(self) -> str:
        error = f" ± {self.almost_surely_error:.1g}" if self.almost_surely_error else ""
        more = "" if len(self.intervals) <= 1 and (self.almost_surely or not self.intervals) else \
            f" (negative exponents in {', '.join(f'{low:.4g} to {high:.4g}' for low, high in self.intervals)})"
        return (f"StabilityLimits(stable in the mean below η = {self.in_mean:.4g}, in mean square below {self.in_mean_square:.4g}, almost "
                f"surely below {self.almost_surely:.4g}{error}{more})")

    __repr__ = __str__


def stability_limits(loss: SampledLoss, at: ArrayLike | CriticalPoint, *, batch_size: int, sampling: str = "iid", momentum: float = 0.0,
                     weight_decay: float = 0.0, rng: Any = None) -> StabilityLimits:
    """Return the learning rates up to which minibatch SGD is stable at a critical point.

    Parameters
    ----------
    loss, at, batch_size, sampling, momentum, weight_decay, rng
        As for `minibatch_stability`.

    Raises
    ------
    ValueError
        As `minibatch_stability`.

    Notes
    -----
    In the mean 2 (1 + μ) / λ_max.  In mean square, without momentum, 1/η is the largest eigenvalue of S ↦ H S H + φ Cov(h S h) relative to
    S ↦ H S + S H, and with it the root of the spectral radius, looked for from the limit of the mean down.  Almost surely, roots of the
    exponent, bracketed on a grid; where it is simulated, between learning rates at which its sign is told.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([1.0, 2.0, -0.5], [1.3, 1.0, 0.2])
    >>> ls.theory.stability_limits(loss, loss.minimum(0.0), batch_size=1)
    StabilityLimits(stable in the mean below η = 1.143, in mean square below 0.6154, almost surely below 1.344)
    >>> ls.theory.stability_limits(loss, loss.minimum(0.0), batch_size=8)
    StabilityLimits(stable in the mean below η = 1.143, in mean square below 1.032, almost surely below 1.283)
    """
    return limits_of(LinearisedSGD.of(loss, at, Batches(batch_size, sampling, momentum, weight_decay), rng))


def limits_of(near: LinearisedSGD) -> StabilityLimits:
    """Return the learning rates up to which SGD is stable near a critical point."""
    h = near.samples.curvatures
    in_mean = 2 * (1 + near.batches.momentum) / float(h[-1]) if h[0] > FLAT * h[-1] else 0.0
    in_mean_square = near.second_moments.largest_rate() if in_mean else 0.0
    found = _attracting(near, in_mean, in_mean_square)
    first = found[0][1] if found and found[0][0][0] == 0 else (0.0, 0.0)
    return StabilityLimits(in_mean, in_mean_square, *first, tuple((low, high) for (low, _), (high, _) in found),
                           tuple((before, after) for (_, before), (_, after) in found))


def _attracting(near: LinearisedSGD, in_mean: float, in_mean_square: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Where the exponent is negative: the two ends, each with its error."""
    sizes, product = near.samples.sizes, near.product
    low = BELOW * in_mean_square or BEFORE / float(sizes.max())
    high = BEYOND * max(in_mean, 1 / float(np.median(sizes[sizes > 0])))
    factor = 10 ** (1 / PER_DECADE[product.is_exact])
    found: list[tuple[tuple[float, float], tuple[float, float]]] = []
    began, rate, negative = (0.0, 0.0), low, in_mean_square > 0 or _sign(product, low) < 0
    before = rate
    while rate < high or negative:
        rate *= factor
        sign = _sign(product, rate)
        if sign == 0:
            continue
        if (sign < 0) == negative:
            before = rate
            continue
        end = (_root if product.is_exact else _bracketed)(product, before, rate)
        if negative:
            found.append((began, end))
        began, before, negative = end, rate, not negative
    return found


def _sign(product: RandomProduct, rate: float) -> int:
    """−1 where the exponent is negative, else 1; 0 where it is simulated, and its sign is not told."""
    exponent = product.exponent(rate, "sign")
    return exponent.sign if not product.is_exact else -1 if exponent.value < 0 else 1


def _root(product: RandomProduct, low: float, high: float) -> tuple[float, float]:
    """A learning rate at which a computed exponent is zero, and how far it may be off."""
    from scipy.optimize import brentq

    def value(rate: float) -> float:
        return max(product.exponent(rate).value, LOWEST)

    root = float(brentq(value, low, high, rtol=ROOT, xtol=ROOT * low))
    error = product.exponent(root).error
    slope = (value(root * (1 + NEARBY)) - value(root * (1 - NEARBY))) / (2 * NEARBY * root)
    return root, error / abs(slope) if error else 0.0


def _bracketed(product: RandomProduct, low: float, high: float) -> tuple[float, float]:
    """The middle between two learning rates, as near as can be, at which the sign of a simulated exponent is told; half their distance."""
    below = product.exponent(low, "sign").sign
    while high > low * (1 + NARROW):
        middle = math.sqrt(low * high)
        sign = product.exponent(middle, "sign").sign
        if sign == 0:
            low, high = _nearest_told(product, low, middle), _nearest_told(product, high, middle)
            break
        low, high = (middle, high) if sign == below else (low, middle)
    return (low + high) / 2, (high - low) / 2


def _nearest_told(product: RandomProduct, told: float, untold: float) -> float:
    """A learning rate at which the sign of a simulated exponent is told, about as near as can be to one at which it is not."""
    while abs(math.log(told / untold)) > NARROW:
        middle = math.sqrt(told * untold)
        told, untold = (middle, untold) if product.exponent(middle, "sign").sign else (told, middle)
    return told
