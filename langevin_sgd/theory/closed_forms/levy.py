"""Exit of an equation that is driven by Lévy noise: one large jump does it, and the height of the barrier does not matter."""
from __future__ import annotations

import math

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import positive
from langevin_sgd.theory.closed_forms.regime import doubts, judged, left_out

LEVY = ("Lévy exit", "P. Imkeller & I. Pavlyukevich, Stoch. Proc. Appl. 116, 611 (2006)")


def levy_exit_time(*, stability: float, scale: float, below: float, above: float, curvature: float) -> Prediction:
    """Predict the mean exit time of dx = −U' dt + e dL from an interval about the minimum, 1 / (e^A c (b₁^−A + b₂^−A)).

    Parameters
    ----------
    stability
        A, between 0 and 2: the characteristic function of L after time t is exp(−t |k|^A).
    scale
        e, positive.
    below, above
        b₁ and b₂, the distances from the minimum to the two ends; infinite where there is no end.
    curvature
        U'' at the minimum.  It does not change the prediction but `expected_error`.

    Returns
    -------
    Prediction
        The mean time; c = Γ(A) sin(π A / 2) / π.

    Raises
    ------
    ValueError
        For a number that is not finite or out of range.

    Notes
    -----
    Source: `theory`, 7.7; the leading order as e → 0.  What is left out is the spread that small jumps make, relative to the nearer
    end; it grows as A → 2.  Trap: exp(−t |k|²) has the variance 2t, not t.  The tail index of minibatch gradients is easily
    underestimated: light tails that are not Gaussian look heavy to its estimators.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.levy_exit_time(stability=1.2, scale=0.05, below=1.0, above=1.0, curvature=1.0)
    65.5 (Lévy exit): applies, time × U'' = 65.5; what is left out is about 11 %
    """
    a, e, h = positive("stability", stability), positive("scale", scale), positive("curvature", curvature)
    if a >= 2:
        raise ValueError(f"`stability` is {a:g}, but must be below 2; 2 is Gaussian noise, for which `kramers_time` is the form.")
    ends = [b if b == math.inf else positive(name, b) for name, b in (("below", below), ("above", above))]
    if min(ends) == math.inf:
        raise ValueError("`below` and `above` are both infinite, but at least one end is needed.")
    jumps = e**a * math.gamma(a) * math.sin(math.pi * a / 2) / math.pi
    rate = jumps * sum(b**-a for b in ends)
    spread = math.sqrt(jumps * a * min(ends) ** -a / ((2 - a) * h))             # of jumps up to the nearer end, over the way to it
    relaxations = h / rate
    return judged(*LEVY, -math.log(rate), facts=[f"time × U'' = {relaxations:.3g}", left_out(spread)],
                  against=doubts(relaxations, "time × U''", spread), error=spread)
