"""What is left of the step of SGD at a fixed threshold as steps get small: two limits, not to be mixed.

A chain that approximates a given equation sees the threshold farther out, by `BARRIER_SHIFT` standard deviations of a step.  For SGD, D
falls with the learning rate, and on a slope the diffusion equation stays wrong at any learning rate: `threshold_ratio`.
"""
from __future__ import annotations

import math

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import not_negative, positive
from langevin_sgd.theory.closed_forms.regime import doubts, judged, left_out

THRESHOLD = ("fixed threshold", "derived (`theory`, 5.4); ν of D. Siegmund, Sequential Analysis (1985)")
# −ζ(1/2) / √(2π): by so many standard deviations of a step, a chain that approximates a given equation (dt → 0 at fixed D) crosses a
# threshold as the continuous process crosses one farther out (`theory`, 5.5: Chernoff; Siegmund 1979; Broadie, Glasserman & Kou 1997).
BARRIER_SHIFT = 0.5825971579390106
SMALL = 0.005                   # x below which ν(x) = exp(−BARRIER_SHIFT x), which leaves out 0.0035 x³, is right to 1e-9
FAR = 9.0                       # Φ(−9) is 1e-19


def siegmund_nu(x: float) -> float:
    """Return Siegmund's function ν(x) = 2 x⁻² exp(−2 Σ_{n≥1} Φ(−x √n / 2) / n), Φ the normal distribution function.

    Parameters
    ----------
    x
        Not negative; twice the drift of a random walk over the standard deviation of its steps.

    Returns
    -------
    float
        Between 0 and 1: the correction of a crossing probability for the overshoot, exp(−0.5826 x) for small x.

    Raises
    ------
    ValueError
        For a number that is not finite or negative.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> f"{ls.theory.siegmund_nu(2.0):.8f}"
    '0.32043464'
    """
    from scipy.special import ndtr
    step = not_negative("x", x)
    if step < SMALL:
        return math.exp(-BARRIER_SHIFT * step)
    n = np.arange(1, math.ceil((2 * FAR / step) ** 2) + 2)
    return float(2 / step**2 * math.exp(-2 * (ndtr(-step * np.sqrt(n) / 2) / n).sum()))


def threshold_ratio(*, slope: float, variance: float, curvature: float, learning_rate: float) -> Prediction:
    """Predict the mean exit time of SGD through a fixed threshold over that of its diffusion equation, as the learning rate vanishes.

    exp(−g² / (2 c)) / ν(2 g / √c): at a fixed batch size the step and the noise shrink together, so the ratio does not become 1.

    Parameters
    ----------
    slope
        g = L' at the threshold, not negative; at a saddle it is 0, and the ratio 1.
    variance
        c, the variance of the gradient of a batch there: C / B.
    curvature
        L'' at the minimum, positive.  Like the learning rate, it does not change the prediction but `expected_error`, and whether it
        applies.
    learning_rate
        η.

    Returns
    -------
    Prediction
        The ratio of the times.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign.

    Notes
    -----
    Source: derived (`theory`, 5.4) for a linear force and constant Gaussian noise.  Neither a shifted boundary nor a bridge gives it: these
    are for simulating the equation.  It is too large by about η L'' max(1/2, 0.58 √c / g), and does not apply where the barrier of a
    linear force, g² / (2 L''), is less than four times the noise strength η c / 2.  At a saddle, neither is known from g.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.threshold_ratio(slope=1.0, variance=1.0, curvature=1.0, learning_rate=0.05)
    1.893 (fixed threshold): applies, g / √c = 1; what is left out is about 2.9 %
    """
    g, c = not_negative("slope", slope), positive("variance", variance)
    h, eta = positive("curvature", curvature), positive("learning_rate", learning_rate)
    error = _left_out(g / math.sqrt(c), eta * h)
    barrier = g * g / (h * eta * c) if g else math.inf             # at a saddle, g does not tell it
    against = doubts(barrier, "barrier of a linear force, g² / (2 L''), over noise", error)
    return judged(*THRESHOLD, -g * g / (2 * c) - math.log(siegmund_nu(2 * g / math.sqrt(c))),
                  facts=[f"g / √c = {g / math.sqrt(c):.3g}", left_out(error)], against=against, error=error)


def _left_out(slope: float, step: float) -> float:
    """The next order in η L''.  The equation's threshold lies s = BARRIER_SHIFT η √c farther out, at b + s; what is in proportion to b s is
    in the limit, and the prefactor of its time, 1 / (b + s) for 1 / b, is not: s / b, with g = b L''.  Against the exact chain for a linear
    force, barriers of 4 to 40 times the noise: the actual error is 0.88 to 1.23 of this for g / √c from 0.1 to 1, and less of it beyond."""
    return step * max(0.5, BARRIER_SHIFT / slope) if slope else step / 2
