"""The exponent with which real SGD escapes: minibatch noise is not Gaussian, and no diffusion equation has the right one."""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array, finite, numbers, whole
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.theory.closed_forms.regime import judged

CRAMER = ("Cramér root", "derived (`theory`, 5.3); cf. Azizian et al., arXiv:2406.09241")
QUADRATURE = 1e-6               # largest error of W, relative to it
LARGEST_FORCE = 1e12            # p beyond which there is no root

Cumulant = Callable[[float, float], float]


def cramer_exponent(*, minimum: float, saddle: float, gradients: Callable[[float], ArrayLike] | SampledLoss | None = None,
                    cumulant: Cumulant | None = None, batch_size: int = 1) -> Prediction:
    """Predict W in the number of iterations exp(W / η) that real SGD needs to climb from a minimum to a saddle, in one dimension.

    W = ∫ p*(x) dx, where p* > 0 solves E exp(−p g_B(x)) = 1 for the gradient g_B of a batch.

    Parameters
    ----------
    minimum, saddle
        The ends of the way; the mean gradient must point back all along.
    gradients
        A function of x that returns the gradient of every sample there (n,), or a loss over data with one weight; batches are drawn with
        replacement.
    cumulant
        Instead of it, a function of x and p that returns ln E exp(−p g(x)) for one sample; where that is infinite it may return
        inf or NaN.
    batch_size
        B.

    Returns
    -------
    Prediction
        W, at a fixed batch size as η → 0; infinite where no batch ever points ahead, so that escape is impossible.

    Raises
    ------
    ValueError
        If not exactly one of `gradients` and `cumulant` is given, and for numbers that are not finite.
    ArithmeticError
        If the integral misses 1e-6 of W; the message carries the best value and its error.

    Notes
    -----
    Source: derived (`theory`, 5.3).  It is the exponent only: the prefactor is not known.  For Gaussian gradients p* = 2 B L' / C, the
    exponent of the Itô equation; light tails make W larger than that, and heavy ones smaller.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> import numpy as np
    >>> def laplace(x, p):                    # x plus Laplace noise of unit variance
    ...     return -p * x - np.log1p(-p * p / 2) if p * p < 2 else np.inf
    >>> ls.theory.cramer_exponent(minimum=0.0, saddle=1.0, cumulant=laplace)
    0.7386 (Cramér root): applies, as the learning rate vanishes; the exponent only, not the prefactor
    """
    start, top, batch = finite("minimum", minimum), finite("saddle", saddle), whole("batch_size", batch_size)
    if start == top:
        raise ValueError(f"`minimum` and `saddle` are both {start:g}, but must be two points.")
    if (gradients is None) == (cumulant is None):
        raise ValueError("exactly one of `gradients` and `cumulant` must be given.")
    ahead = math.copysign(1.0, top - start)
    width, facts = abs(top - start), ["as the learning rate vanishes; the exponent only, not the prefactor"]
    if gradients is not None:
        of_samples = _of_loss(gradients) if isinstance(gradients, SampledLoss) else gradients

        def along(x: float) -> Array:
            return ahead * numbers("gradients", of_samples(x)).ravel()

        w = _integral(lambda s: _root_of_samples(along(start + ahead * s)), width)
        if math.isfinite(w):
            gaussian = _integral(lambda s: _gaussian_root(along(start + ahead * s)), width)
            facts.append(f"the equation has W = {batch * gaussian:.4g}")
    elif cumulant is not None:
        of_law = cumulant
        w = _integral(lambda s: _root(lambda p: of_law(start + ahead * s, ahead * p)), width)
    if math.isinf(w):
        return judged(*CRAMER, math.inf, against=[], error=None,
                      facts=["somewhere on the way no batch points ahead: escape is impossible in steps shorter than that place"])
    if w <= 0:
        return judged(*CRAMER, math.nan, facts=[], error=None, against=["the mean gradient nowhere points back: there is nothing to climb"])
    return judged(*CRAMER, math.log(batch * w), facts=facts, against=[], error=None)


def _of_loss(loss: SampledLoss) -> Callable[[float], ArrayLike]:
    if loss.dim != 1:
        raise ValueError(f"`gradients` is a loss with {loss.dim} weights, but this is the exponent along a line; with more "
                         "than one it is the action of ls.minimum_action_path(loss, start, end, batch_size=...).")
    return loss.sample_gradients


def _root_of_samples(g: Array) -> float:
    """The positive root of ln mean exp(−p g), 0 where the mean gradient points ahead."""
    if g.mean() <= 0:
        return 0.0
    if g.min() >= 0:
        return math.inf
    lowest = float(g.min())

    def cumulant(p: float) -> float:
        return -p * lowest + math.log(float(np.exp(-p * (g - lowest)).mean()))
    return _root(cumulant, 2 * float(g.mean()) / float(g.var()))


def _gaussian_root(g: Array) -> float:
    return max(0.0, 2 * float(g.mean()) / float(g.var()))


def _root(cumulant: Callable[[float], float], guess: float = 1.0) -> float:
    """The positive root of a convex function that is 0 at 0; 0 if it rises from there, infinite if it never comes back."""
    from scipy.optimize import brentq

    def value(p: float) -> float:
        found = cumulant(p)
        return min(found, 1e3) if found == found else 1e3

    above = guess
    while value(above) < 0:
        above *= 2
        if above > LARGEST_FORCE:
            return math.inf
    below = above / 2
    while value(below) >= 0:
        below /= 2
        if below < 1e-12 * guess:
            return 0.0
    return float(brentq(value, below, above, xtol=1e-13 * above, rtol=1e-13))


def _integral(curve: Callable[[float], float], width: float) -> float:
    """The integral from 0 to width, where the curve vanishes at the ends; infinite as soon as the curve is."""
    from scipy.integrate import quad
    if any(math.isinf(curve(width * k / 16)) for k in range(1, 16)):
        return math.inf
    value, error = quad(curve, 0.0, width, limit=400, epsabs=0.0, epsrel=1e-8, full_output=1)[:2]
    if not error <= QUADRATURE * abs(value) and not math.isinf(value) and value != 0:
        raise ArithmeticError(f"W is {value:.9g} with an error of {error:.2g}, more than {QUADRATURE:g} of it.")
    return float(value)
