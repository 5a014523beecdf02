"""What is left of the step of an Euler chain in the limit of small steps: by how much a path that is seen at its steps is late.

Two limits, not to be mixed.  A chain that approximates a given equation, dt → 0 at fixed D, crosses a threshold as the continuous
process crosses one farther out by `BARRIER_SHIFT` standard deviations of a step.  For SGD, D falls with dt = learning rate, and at a
threshold on a slope the ratio to the continuous process stays away from 1: `threshold_ratio`.
"""
from __future__ import annotations

import math

import numpy as np

from langevin_sgd.models.arguments import finite, not_negative, positive

BARRIER_SHIFT = 0.5825971579390106      # −ζ(1/2) / sqrt(2π); `theory`, 5.5: Chernoff; Siegmund 1979; Broadie, Glasserman & Kou 1997
SMALL = 0.005                           # x below which ν(x) = exp(−BARRIER_SHIFT x), which leaves out 0.0035 x³, is right to 1e-9


def siegmund_nu(x: float) -> float:
    """Return Siegmund's ν(x) = 2 x⁻² exp(−2 Σ Φ(−x √n / 2) / n), Φ the normal distribution function.

    Parameters
    ----------
    x
        Twice the drift of a random walk per step towards a threshold, in standard deviations of a step; not negative.

    Returns
    -------
    float
        E exp(−x × overshoot): 1 for x = 0, decreasing.

    Notes
    -----
    Source: D. Siegmund, Sequential Analysis (1985); `theory`, 5.4.  ν(x) = exp(−0.5826 x) to second order for small x.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> round(ls.theory.siegmund_nu(2.0), 8)
    0.32043464
    """
    from scipy.special import ndtr
    walk = not_negative("x", x)
    if walk < SMALL:
        return math.exp(-BARRIER_SHIFT * walk)
    n = np.arange(1.0, math.ceil((18 / walk)**2) + 2)
    return float(2 / walk**2 * np.exp(-2 * (ndtr(-walk * np.sqrt(n) / 2) / n).sum()))


def threshold_ratio(*, slope: float, variance: float) -> float:
    """Return the limit for small learning rates of the mean time of SGD to a threshold on a slope, over that of its equation.

    Parameters
    ----------
    slope
        L'(b) at the threshold b; 0 at a saddle.
    variance
        Of the batch gradient there, C(b) / batch size.

    Returns
    -------
    float
        τ_SGD / τ_SDE → exp(−slope² / (2 variance)) / ν(2 |slope| / sqrt(variance)), at fixed batch size.

    Notes
    -----
    Source: `theory`, 5.4; verified for linear forces and constant noise, Gaussian.  Not 1 however small the learning rate: the equation
    does not describe how SGD steps across such a threshold.  Where the slope is 0, as at a smooth saddle, it does.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> round(ls.theory.threshold_ratio(slope=1.0, variance=1.0), 5)
    1.89284
    """
    steepness = abs(finite("slope", slope)) / math.sqrt(positive("variance", variance))
    return math.exp(-steepness**2 / 2) / siegmund_nu(2 * steepness)
