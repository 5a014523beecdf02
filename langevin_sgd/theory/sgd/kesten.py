"""SGD near a point where the loss is quadratic for every batch: w ← (1 − η h) w − η r, with a random curvature h.

The factor |1 − η h| decides whether iterates stay near the point at all (`linear_stability`), and how heavy the tails of their law are
(`kesten_tail_exponent`).  The diffusion equation with the same mean and variance of h has other answers to both.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array, numbers, positive
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.theory.closed_forms.regime import alpha_of, judged

KESTEN = ("Kesten", "H. Kesten, Acta Math. 131, 207 (1973)")
NODES = 24                      # of Gauss and Legendre, in each panel
HALF_OCTAVES = (-120, 200)      # panel edges lie at centre ± σ 2^(−k/2): from 2^60 σ out, down to 2^−100 σ
MASS = 1e-8                     # how far the density of h may be from unit mass
LARGEST_EXPONENT = 1e9


@runtime_checkable
class Distribution(Protocol):
    """A continuous law as SciPy freezes it: scipy.stats.norm(1.0, 0.5)."""

    def logpdf(self, x: Any) -> Any:
        """Return the logarithm of the density."""

    def support(self) -> Any:
        """Return the two ends of the support."""

    def mean(self) -> Any:
        """Return the mean."""

    def var(self) -> Any:
        """Return the variance."""


def kesten_tail_exponent(*, learning_rate: float, curvature: ArrayLike | Distribution) -> Prediction:
    """Predict the tail exponent A of SGD on quadratic losses, P(|w| > r) ~ r^−A, as the positive root of E |1 − η h|^A = 1.

    Parameters
    ----------
    learning_rate
        η.
    curvature
        The law of the curvature h of a batch: numbers (n,) that are equally likely, or a continuous law as SciPy freezes it, such as
        ``scipy.stats.gamma(2, scale=0.5)`` for the mean of four squared normal inputs.

    Returns
    -------
    Prediction
        A; infinite if |1 − η h| never exceeds 1, for then there is no power tail, and NaN if the iterates don't settle.

    Raises
    ------
    ValueError
        For numbers that are not finite or a law that is not continuous.

    Notes
    -----
    Source: Kesten (`theory`, 5.1).  The additive part r must not vanish together with what h does, and ln |1 − η h| must not live on a
    lattice.  The equation has A = 1 + 2κ (Itô), which is right only as η → 0, and misses that a bounded curvature has no tail.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> from scipy import stats
    >>> ls.theory.kesten_tail_exponent(learning_rate=0.2, curvature=stats.norm(1.0, 2**0.5))
    6.312 (Kesten): applies, E ln |1 − η h| = -0.306; the equation has 1 + 2κ = 6
    >>> ls.theory.kesten_tail_exponent(learning_rate=0.1, curvature=[0.0, 2.0]).value
    inf
    """
    eta = positive("learning_rate", learning_rate)
    factor = _factor(eta, curvature)
    facts = [f"E ln |1 − η h| = {factor.mean_log:.3g}"]
    if factor.largest <= 1:
        return judged(*KESTEN, math.inf, facts=["no power tail: |1 − η h| never exceeds 1", *facts], against=[], error=None)
    if not factor.mean_log < 0:
        return judged(*KESTEN, math.nan, facts=[], error=None, against=[
            f"E ln |1 − η h| = {factor.mean_log:.3g} must be negative, else the iterates have no stationary law"])
    exponent = _root(factor)
    against = []
    if not math.isfinite(factor.log_moment(exponent * (1 + 1e-6))):
        against = ["E |1 − η h|^A is infinite beyond this A before it reaches 1: the tail of h itself decides"]
    kappa = factor.mean / (eta * factor.variance)
    facts.append(f"the equation has 1 + 2κ = {1 + 2 * kappa:.4g}")
    return judged(*KESTEN, math.log(exponent), facts=facts, against=against, error=None)


def linear_stability(*, learning_rate: float, curvature: ArrayLike | Distribution) -> LinearStability:
    """Tell whether SGD stays near a critical point: in the mean, in mean square, and almost surely.

    Parameters
    ----------
    learning_rate, curvature
        As in `kesten_tail_exponent`.

    Returns
    -------
    LinearStability
        The three answers, with the Lyapunov exponent of SGD and of the equation.

    See Also
    --------
    minibatch_stability : the same for a loss over data, with any number of weights.

    Raises
    ------
    ValueError
        For numbers that are not finite or a law that is not continuous.

    Notes
    -----
    Source: Ziyin et al., arXiv:2107.11774 and arXiv:2303.13093 (`theory`, 5.1 and 7.6).  Outside the first two there is no metastable
    state, and no formula of escape applies.  SGD can be attracted to a maximum: the third holds there, the first two don't.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> at_a_maximum = ls.theory.linear_stability(learning_rate=0.8, curvature=[1.0, -1.2])
    >>> at_a_maximum.in_mean, at_a_maximum.in_mean_square, at_a_maximum.almost_surely
    (False, False, True)
    >>> f"{at_a_maximum.lyapunov_exponent:.6f}"
    '-0.468247'
    """
    eta = positive("learning_rate", learning_rate)
    factor = _factor(eta, curvature)
    return LinearStability(eta, factor.mean, factor.variance, factor.mean_log)


@dataclass(frozen=True)
class LinearStability:
    """Whether SGD stays near a critical point; made by `linear_stability`.

    Attributes
    ----------
    learning_rate
        η.
    mean, variance
        Of the curvature h of a batch.
    lyapunov_exponent
        E ln |1 − η h| per iteration: |w| shrinks if it is negative.
    """

    learning_rate: float
    mean: float
    variance: float
    lyapunov_exponent: float

    @property
    def in_mean(self) -> bool:
        """|1 − η E h| < 1."""
        return abs(1 - self.learning_rate * self.mean) < 1

    @property
    def in_mean_square(self) -> bool:
        """(1 − η E h)² + η² Var h < 1: the variance stays bounded."""
        return (1 - self.learning_rate * self.mean) ** 2 + self.learning_rate**2 * self.variance < 1

    @property
    def almost_surely(self) -> bool:
        """E ln |1 − η h| < 0: almost every path stays."""
        return self.lyapunov_exponent < 0

    def of_equation(self, interpretation: str | float = "ito") -> float:
        """Return the Lyapunov exponent of dw = −E h w dt + √(η Var h) w dW, per unit of t: −E h + (α − 1/2) η Var h."""
        return -self.mean + (alpha_of(interpretation) - 0.5) * self.learning_rate * self.variance


@dataclass(frozen=True, eq=False)
class _Factor:
    """The law of |1 − η h|: logarithms of sizes and of weights, with the largest size, and mean and variance of h."""

    log_size: Array
    log_weight: Array
    largest: float
    mean: float
    variance: float

    @property
    def mean_log(self) -> float:
        return float(np.exp(self.log_weight) @ self.log_size)

    def log_moment(self, power: float) -> float:
        """ln E |1 − η h|^power; infinite if the largest sizes that were looked at still count."""
        logs = self.log_weight + power * self.log_size
        top = float(logs.max())
        shares = np.exp(logs - top)
        beyond = math.isinf(self.largest) and shares[self.log_size > self.log_size.max() - 1].sum() > 1e-12 * shares.sum()
        return math.inf if beyond else top + math.log(shares.sum())


def _factor(eta: float, curvature: ArrayLike | Distribution) -> _Factor:
    if isinstance(curvature, Distribution):
        return _of_density(eta, curvature)
    if hasattr(curvature, "support"):
        raise ValueError("`curvature` is a law without a density; give its values, equally likely, as numbers.")
    if isinstance(curvature, SampledLoss):
        raise ValueError(f"`curvature` is the loss {curvature!r}, but must be the curvatures of its samples: loss.sample_hessians(at) at "
                         "a minimum.")
    h = numbers("curvature", curvature).ravel()
    if h.size == 0:
        raise ValueError("`curvature` is empty, but must be at least one number, or a law such as scipy.stats.norm(1.0, 0.5).")
    sizes = np.abs(1 - eta * h)
    with np.errstate(divide="ignore"):
        logs = np.log(sizes)
    return _Factor(logs, np.full(h.size, -math.log(h.size)), float(sizes.max()), float(h.mean()), float(h.var()))


def _of_density(eta: float, law: Distribution) -> _Factor:
    """The law of the factor on panels that grow from the mean, from where the factor vanishes, and from the ends of the support."""
    low, high = (float(end) for end in law.support())
    mean, variance = float(law.mean()), float(law.var())
    if not (math.isfinite(mean) and 0 < variance < math.inf):
        raise ValueError(f"`curvature` is a law with mean {mean:g} and variance {variance:g}, but both must be finite.")
    centres = [c for c in (mean, 1 / eta, low, high) if math.isfinite(c) and low <= c <= high]
    offsets = math.sqrt(variance) * 2.0 ** (-np.arange(*HALF_OCTAVES) / 2)
    edges = np.unique([c + sign * r for c in centres for sign in (-1, 0, 1) for r in offsets])
    edges = edges[(edges >= low) & (edges <= high)]
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(edges)[:, None] / 2
    h = (edges[:-1, None] + half * (1 + nodes)).ravel()
    with np.errstate(divide="ignore", under="ignore"):
        log_weight = np.log(weights * half).ravel() + law.logpdf(h)
        log_size = np.log(np.abs(1 - eta * h))
    kept = np.isfinite(log_size) & np.isfinite(log_weight)
    mass = float(np.exp(log_weight[kept]).sum())
    if abs(mass - 1) > MASS:
        raise ValueError(f"`curvature` is a law whose density integrates to {mass:.9g}, not 1; a smooth density between the ends of its "
                         "support is expected.")
    return _Factor(log_size[kept], log_weight[kept], max(abs(1 - eta * low), abs(1 - eta * high)), mean, variance)


def _root(factor: _Factor) -> float:
    """The positive root of the convex function ln E |1 − η h|^A, which falls from 0 at A = 0."""
    exponent = tail_exponent(factor.log_moment, 1e-6, LARGEST_EXPONENT)
    if math.isinf(exponent):
        raise ArithmeticError(f"E |1 − η h|^A is still below 1 at A = {LARGEST_EXPONENT:.3g}; |1 − η h| exceeds 1 too seldom to tell A.")
    return exponent


def tail_exponent(log_moment: Callable[[float], float], smallest: float, largest: float) -> float:
    """Return the root A > smallest of a convex ln E |ξ|^A that falls from 0 at A = 0; infinite if it is below 0 up to the largest."""
    from scipy.optimize import brentq

    def bounded(exponent: float) -> float:
        return min(log_moment(exponent), 1e3)

    below = above = smallest
    while bounded(above) <= 0:
        below, above = above, 2 * above
        if above > largest:
            return math.inf
    return float(brentq(bounded, below, above, xtol=1e-12 * above, rtol=1e-13)) if above > smallest else smallest
