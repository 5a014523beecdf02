"""How the variance of SGD's iterates grows with the flatness of the direction: σ² ∝ F^−ψ, F the width of the loss, in closed form.

A quadratic loss of curvature h has a width F ∝ h^(−1/2), so that σ² ∝ h^p is ψ = 2p.  For noise C ∝ H^m the equation has
σ² = ε C / (2H) ∝ h^(m − 1): ψ = 2(m − 1), and variance grows with sharpness wherever m > 1.  Two things add 2 to ψ whatever the noise:
reshuffling, and a window that is short beside the relaxation; both leave σ² ∝ C, and a window of one epoch does what reshuffling does.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, one_of, positive, whole
from langevin_sgd.theory.sgd.discrete_variance import left_by_reshuffling

SAMPLINGS = ("iid", "without", "reshuffle")
SOURCE = "derived (`theory`, 6.4); the exponent after Feng & Tu, PNAS 118, e2015617118 (2021)"
CLOSE = 0.1             # from the exponent of the limit, within which the limit is said to hold
POWER_LAW = 0.1         # of ln C about its power law, root mean square: beyond, there is no m to speak of


@dataclass(frozen=True, eq=False)
class VarianceLine:
    """The variance of SGD's iterates along the axes of the Hessian; made by `variance_line`.

    Attributes
    ----------
    curvature
        h (d,).
    variance
        σ² (d,), exact for a quadratic loss with the noise that was given; NaN where the iteration is unstable.
    exponent
        ψ, the slope of −ln σ² over ln F with F ∝ h^(−1/2): 2 d ln σ² / d ln h, by least squares over the d directions.
    noise_power
        m in C ∝ H^m, by least squares over the d directions.
    limit
        What ψ tends to: 2(m − 1) for small learning rates; 2m for reshuffling or for a window, when they are short.
    applies
        Whether ψ is within 0.1 of this limit, and C is a power of H.
    because
        Why, or why not.
    source
        Where the formulas come from.
    """

    curvature: Array
    variance: Array
    exponent: float
    noise_power: float
    limit: float
    applies: bool
    because: str
    source: str = SOURCE

    def __repr__(self) -> str:
        verdict = "applies" if self.applies else "does not apply"
        return f"VarianceLine(ψ = {self.exponent:.4g}; the limit {self.limit:.4g} {verdict}, {self.because})"


def variance_line(*, curvature: ArrayLike, constant: ArrayLike, learning_rate: float, batch_size: int = 1, dataset_size: int | None = None,
                  sampling: str = "iid", floor: float | None = None, window: int | None = None) -> VarianceLine:
    """Predict the variance of SGD's iterates along each axis of the Hessian, and the exponent ψ of variance ∝ flatness^−ψ.

    Parameters
    ----------
    curvature
        The eigenvalues h of the Hessian (d,), at least two, not all equal.
    constant
        C, the variance of the gradient of one sample along each axis (d,), or one number for all.
    learning_rate, batch_size
        η and B.
    dataset_size
        N; needed for "without" and "reshuffle".
    sampling
        "iid": each batch is drawn with replacement.  "without": without replacement within a batch.  "reshuffle": each epoch goes once
        through all samples, in a new order.
    floor
        None if C is constant.  Else the noise is in proportion to the loss, C · (1 + (L − L_min) / floor), as `LossProportional` is.
    window
        None, or the number of iterations about whose own mean the variance is taken (the sum of squares over window − 1).

    Returns
    -------
    VarianceLine

    Raises
    ------
    ValueError
        For numbers that are not finite or have the wrong sign, shapes that do not fit, an unknown sampling, N that is missing or not a
        multiple of B, and for what has no closed form: reshuffling with a window or with noise that grows with the loss.

    Notes
    -----
    Source: derived (`theory`, 6.4).  iid: η C / B / (h (2 − η h)); "without" has (N − B) / (B (N − 1)) for 1/B.  Reshuffled:
    `reshuffled_variance`.  A window of n iterations leaves of the variance the share 2 Σ_{k<n} (n − k)(1 − r^k) / (n (n − 1)),
    r = 1 − η h: the very share that reshuffling leaves in epochs of n batches.  So an exponent measured in a window of an epoch cannot
    tell the two apart, and where η h n is small, C ∝ H has ψ = 2 either way.

    Examples
    --------
    >>> import numpy as np
    >>> import langevin_sgd as ls
    >>> h = np.logspace(-3, -1, 8)
    >>> ls.theory.variance_line(curvature=h, constant=h**2, learning_rate=0.1)
    VarianceLine(ψ = 2.002; the limit 2 applies, C ∝ H^2, η h up to 0.01)
    >>> ls.theory.variance_line(curvature=h, constant=h, learning_rate=0.1, batch_size=10, dataset_size=500, sampling="reshuffle")
    VarianceLine(ψ = 1.959; the limit 2 applies, C ∝ H^1, η h up to 0.01, η h M up to 0.5, M = 50 batches)
    """
    h, c = _axes(curvature, constant)
    rate, batch = positive("learning_rate", learning_rate), whole("batch_size", batch_size)
    epsilon = rate * _batch_factor(batch, dataset_size, one_of("sampling", sampling, SAMPLINGS))
    batches = _batches(batch, dataset_size) if sampling == "reshuffle" else None
    if batches is not None and (window is not None or floor is not None):
        named = "window" if window is not None else "floor"
        raise ValueError(f"`{named}` came with sampling='reshuffle', for which there is no closed form; simulate it, or leave `{named}` "
                         "out.")
    power, scatter = _slope(np.log(h), np.log(c))
    facts = [f"C ∝ H^{power:.3g}", f"η h up to {rate * h.max():.3g}"]
    seen = batches if window is None else whole("window", window, least=2)
    limit = 2 * (power - 1)
    variance, against = _variance(h, c, rate, epsilon, None if floor is None else positive("floor", floor))
    if seen is not None:
        called = "M" if batches is not None else "n"
        variance = variance * [left_by_reshuffling(rate * k, seen) for k in h]
        facts.append(f"η h {called} up to {rate * h.max() * seen:.3g}, {called} = {seen} {'batches' if batches else 'iterations'}")
        short = left_by_reshuffling(rate * float(np.exp(np.log(h).mean())), seen) < 0.5
        limit += 2 * short
    exponent = 2 * _slope(np.log(h), np.log(variance))[0] if not against else math.nan
    if scatter > POWER_LAW:
        against.append(f"C is no power of H: ln C scatters by {scatter:.2g} about H^{power:.3g}")
    if abs(exponent - limit) > CLOSE:
        against.append(f"ψ is {exponent:.3g} with {', '.join(facts[1:])}")
    return VarianceLine(h, variance, exponent, power, limit, not against, "; ".join(against) or ", ".join(facts))


def _axes(curvature: ArrayLike, constant: ArrayLike) -> tuple[Array, Array]:
    h, c = numbers("curvature", curvature), numbers("constant", constant)
    if h.ndim != 1 or len(h) < 2 or (h <= 0).any() or np.ptp(h) == 0:
        raise ValueError(f"`curvature` is {np.array2string(h, threshold=6)}, but must be at least two positive eigenvalues that are not "
                         "all equal: an exponent is a slope over them.")
    if c.shape not in ((), h.shape) or (c <= 0).any():
        raise ValueError(f"`constant` is {np.array2string(c, threshold=6)}, but must be positive: one number, or {len(h)}, one for each "
                         "axis of the Hessian.")
    return h, np.broadcast_to(c, h.shape).copy()


def _batch_factor(batch: int, dataset_size: int | None, sampling: str) -> float:
    """The variance of the gradient of a batch, over that of one sample."""
    if sampling == "iid":
        return 1 / batch
    if dataset_size is None:
        raise ValueError(f"`dataset_size` is missing: sampling={sampling!r} needs the number of samples.")
    n = whole("dataset_size", dataset_size, least=2)
    if batch >= n:
        raise ValueError(f"`batch_size` is {batch}, but must be below `dataset_size` = {n}: else there is no noise.")
    return (n - batch) / (batch * (n - 1))


def _batches(batch: int, dataset_size: int | None) -> int:
    n = whole("dataset_size", dataset_size, least=2)
    if n % batch:
        raise ValueError(f"`dataset_size` is {n}, but must be a multiple of `batch_size` = {batch} for epochs of equal batches.")
    return n // batch


def _variance(h: Array, c: Array, rate: float, epsilon: float, floor: float | None) -> tuple[Array, list[str]]:
    """The variance under independent batches, and what speaks against there being one."""
    if rate * h.max() >= 2:
        return np.full_like(h, math.nan), [f"unstable: η h = {rate * h.max():.4g} must be below 2"]
    spread = epsilon * c / (h * (2 - rate * h))
    # E (L − L_min) = Σ h σ² / 2 feeds the noise, which feeds it: a geometric series, exact for co-diagonal C and H.
    fed = 0.0 if floor is None else float(h @ spread) / (2 * floor)
    if fed >= 1:
        return np.full_like(h, math.nan), [f"the noise feeds itself {fed:.4g} times over, which must be below 1"]
    return spread / (1 - fed), []


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """The slope of y over x by least squares, and the root mean square of what is left."""
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    return slope, float(np.sqrt(np.mean((y - slope * x) ** 2)))
