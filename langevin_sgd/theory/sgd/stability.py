"""Linear stability of minibatch SGD at a critical point of a loss over data: in the mean, in mean square, and almost surely.

Near the point a step on a batch is w ← w − η (h (w − w*) + r), with h the mean Hessian of the batch: a random matrix.  Sharp minima are
lost in two ways: η excludes them (the mean step grows), or SGD leaves them (the mean step shrinks, but the noise in h makes the variance
grow).  Only where the variance settles is there a metastable state, with a time to escape from it.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, positive
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.theory.sgd.kesten import LARGEST_EXPONENT, tail_exponent
from langevin_sgd.theory.sgd.linearised import Batches, LinearisedSGD
from langevin_sgd.theory.sgd.lyapunov import Exponent
from langevin_sgd.theory.sgd.sample_curvatures import FLAT
from langevin_sgd.theory.sgd.second_moments import mean_radius

REGIONS = ("excluded", "left", "attracted only", "metastable")
EXCLUDED, LEFT, ATTRACTED, METASTABLE = range(4)
SMALLEST_EXPONENT = 1e-6        # of a power tail


@dataclass(frozen=True)
class MomentStability:
    """Stability of the first two moments of SGD at a critical point.

    Attributes
    ----------
    learning_rate, momentum
        η and μ.
    least, largest
        The smallest and the largest eigenvalue of the Hessian.
    mean_radius, mean_square_radius
        The factors by which the mean and the second moments grow in a step, in the long run.
    """

    learning_rate: float
    momentum: float
    least: float
    largest: float
    mean_radius: float
    mean_square_radius: float

    @property
    def in_mean(self) -> bool:
        """Whether the mean settles: 0 < η λ < 2 (1 + μ) for all eigenvalues λ."""
        return self.least > FLAT * abs(self.largest) and self.mean_radius < 1

    @property
    def in_mean_square(self) -> bool:
        """Whether second moments settle, and then so does the mean, and almost every path."""
        return self.in_mean and self.mean_square_radius < 1

    @property
    def lost_because(self) -> str:
        """Why there is no metastable state, or ""."""
        if self.least < -FLAT * abs(self.largest):
            return f"it is no minimum, for the Hessian has the eigenvalue {self.least:.4g}"
        if self.least <= FLAT * abs(self.largest):
            return "in the mean nothing pulls back along a direction in which the batches do move: an eigenvalue of the Hessian is 0"
        if not self.in_mean:
            return f"unstable in the mean, η λ_max = {self.learning_rate * self.largest:.4g} must be below {2 * (1 + self.momentum):.4g}"
        if not self.in_mean_square:
            growth = self.mean_square_radius
            return f"stable in the mean, η λ_max = {self.learning_rate * self.largest:.4g}, but the variance grows by " \
                   f"{f'{growth:.4g}' if growth > 1.001 else f'1 + {growth - 1:.1g}'} in each step"
        return ""


def no_metastable_state(stability: MinibatchStability | MomentStability) -> str:
    """Return in a sentence why SGD has no metastable state here, so that no formula of escape applies; "" if it has one.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([1.0, 3.0], [1.0, 3.0])
    >>> ls.theory.no_metastable_state(ls.theory.minibatch_stability(loss, 1.0, learning_rate=0.3, batch_size=1))
    'SGD with this learning rate has no metastable state here: stable in the mean, η λ_max = 1.5, but the variance grows by 1.69 in each
    step'
    """
    moments = stability.moments if isinstance(stability, MinibatchStability) else stability
    return f"SGD with this learning rate has no metastable state here: {moments.lost_because}" if moments.lost_because else ""


@dataclass(frozen=True, eq=False)
class MinibatchStability:
    """Whether minibatch SGD stays near a critical point; made by `minibatch_stability`.

    Attributes
    ----------
    at
        The critical point (d,), of the loss and weight decay together.
    batches
        B, how batches are drawn, momentum and weight decay.
    moments
        The stability of mean and mean square, with the numbers behind them.
    exponent
        The Lyapunov exponent per step, its standard error, and how it was found.
    tail_exponent
        A in P(|w| > r) ~ r^−A, for one direction without momentum; infinite where there is no power tail, else NaN.
    n_flat
        Directions along which no sample curves: nothing moves there, and they are left out.
    has_noise
        Whether the gradients of samples differ at the point; if they don't, paths that come near come to rest.
    key
        Of the products that were simulated.
    """

    at: Array
    batches: Batches
    moments: MomentStability
    exponent: Exponent
    tail_exponent: float
    n_flat: int
    has_noise: bool
    key: Key

    @property
    def in_mean(self) -> bool:
        """Whether the mean settles."""
        return self.moments.in_mean

    @property
    def in_mean_square(self) -> bool:
        """Whether second moments settle."""
        return self.moments.in_mean_square

    @property
    def almost_surely(self) -> bool | None:
        """Whether almost every path comes nearer; None where the error of the exponent does not tell."""
        if self.in_mean_square or self.exponent.sign:
            return self.in_mean_square or self.exponent.sign < 0
        return None if self.exponent.error else False

    @property
    def metastable(self) -> bool:
        """Whether SGD stays for long: stable in the mean and in mean square."""
        return self.in_mean_square

    @property
    def region(self) -> str:
        """One of "excluded" (by η), "left" (by SGD, for its noise), "attracted only" (almost surely, not in mean square), "metastable".

        Where it is not told whether almost every path is attracted, it is not said to be.
        """
        return REGIONS[METASTABLE if self.metastable else ATTRACTED if self.almost_surely else LEFT if self.in_mean else EXCLUDED]

    @property
    def verdict(self) -> str:
        """The same in a sentence."""
        if self.metastable:
            return "metastable: what leaves it is a rare event, and formulas of escape may apply"
        if self.almost_surely:
            tails = f": heavy tails, P(|w| > r) ~ r^−{self.tail_exponent:.3g}" if self.has_noise and self.tail_exponent < math.inf else ""
            return f"almost every path is attracted, but there is no metastable state: {self.moments.lost_because}{tails}"
        if self.almost_surely is None:
            return f"there is no metastable state: {self.moments.lost_because}; whether almost every path is attracted is not told, for " \
                   "the Lyapunov exponent is not told apart from 0"
        return f"{'SGD leaves it' if self.in_mean else 'excluded'}: {self.moments.lost_because}"

    def __str__(self) -> str:
        m, e = self.moments, self.exponent
        flat = f"; without {self.n_flat} direction{'s' * (self.n_flat > 1)} along which no sample curves" if self.n_flat else ""
        error = f" ± {e.error:.1g}" if e.error else ""
        told = ", which is not told apart from 0" if self.almost_surely is None else ""
        words = {True: "stable", False: "unstable", None: "not told"}
        curved = " to ".join(dict.fromkeys(f"{m.learning_rate * value:.4g}" for value in (m.least, m.largest)))
        rows = [("in the mean", self.in_mean, f"spectral radius {m.mean_radius:.4g}, η λ = {curved}"),
                ("in mean square", self.in_mean_square, f"spectral radius {m.mean_square_radius:.4g}"),
                ("almost surely", self.almost_surely, f"Lyapunov exponent {e.value:.4g}{error}{told} ({e.method})")]
        return "\n".join([self.verdict, f"at {np.array2string(self.at, precision=4, threshold=6)}, learning rate {m.learning_rate:g}, "
                          f"{self.batches}{flat}",
                          *(f"- {name}: {words[holds]}, {numbers}" for name, holds, numbers in rows)])

    __repr__ = __str__


def minibatch_stability(loss: SampledLoss, at: ArrayLike | CriticalPoint, *, learning_rate: float, batch_size: int, sampling: str = "iid",
                        momentum: float = 0.0, weight_decay: float = 0.0, rng: Any = None) -> MinibatchStability:
    """Tell whether minibatch SGD stays near a critical point of a loss over data: in the mean, in mean square, and almost surely.

    Parameters
    ----------
    loss
        The loss.
    at
        A critical point, minimum or not, as numbers or `CriticalPoint`; it is refined.  Weight decay moves it.
    learning_rate, batch_size, momentum, weight_decay
        η, B, μ in [0, 1), γ, of m ← μ m + (g_B + γ w), w ← w − η m.
    sampling
        "iid" or "without", within each batch; reshuffled epochs are not independent steps, and are refused.
    rng
        For products that are simulated; see `exponent.method`.

    Returns
    -------
    MinibatchStability
        The three answers with the numbers behind them, and a verdict.

    Raises
    ------
    ValueError
        If there is no critical point at `at`; for more than 60 weights (or 4e7 numbers N d²), unless every Hessian is c I ± x xᵀ, as in
        regression or where residuals vanish, and for more than 500; for numbers out of range, and reshuffled epochs.

    Notes
    -----
    Source: `theory`, 5.1 and 7.6; derived for more weights.  Mean: spectral radius of I − η H.  Mean square: that of the map
    S ↦ (I − η H) S (I − η H) + η² φ (E h S h − H S H), φ = 1/B, or (N − B) / (B (N − 1)) without replacement.  Almost surely: the top
    Lyapunov exponent of the product of random I − η h, as E ln |1 − η h| over all batches, or over lattices of their law, where the
    Hessians have their axes in common; else simulated.  With momentum, the same for the matrices that take (w, m) to (w, m).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([1.0, 2.0, -0.5], [1.3, 1.0, 0.2])
    >>> best = loss.minimum(0.0)
    >>> ls.theory.minibatch_stability(loss, best, learning_rate=0.2, batch_size=1).region
    'metastable'
    >>> print(ls.theory.minibatch_stability(loss, best, learning_rate=0.7, batch_size=1))
    almost every path is attracted, but there is no metastable state: stable in the mean, η λ_max = 1.225, but the variance grows by 1.337
    in each step: heavy tails, P(|w| > r) ~ r^−1.12
    at [0.6095], learning rate 0.7, batch size 1 iid
    - in the mean: stable, spectral radius 0.225, η λ = 1.225
    - in mean square: unstable, spectral radius 1.337
    - almost surely: stable, Lyapunov exponent -0.2695 (all batches)
    """
    eta, batches = positive("learning_rate", learning_rate), Batches(batch_size, sampling, momentum, weight_decay)
    near = LinearisedSGD.of(loss, at, batches, rng)
    h = near.samples.curvatures
    moments = MomentStability(eta, batches.momentum, float(h[0]), float(h[-1]), mean_radius(h, eta, batches.momentum),
                              near.second_moments.radius(eta))
    exponent = near.product.exponent(eta)
    return MinibatchStability(near.samples.at, batches, moments, exponent, _tail(near, moments, exponent), near.samples.n_flat,
                              near.samples.has_noise, near.key)


def _tail(near: LinearisedSGD, moments: MomentStability, exponent: Exponent) -> float:
    """Kesten's exponent.  Where it is large rare batches decide, which lattices do not know."""
    if near.samples.n_directions > 1 or exponent.sign >= 0 or near.product.laws is None:
        return math.nan
    law, eta = near.product.laws[0], moments.learning_rate
    if not law.is_exact and moments.in_mean_square:
        return math.nan
    if float(np.abs(1 - eta * law.lattices[0].values).max()) <= 1:
        return math.inf
    return tail_exponent(lambda power: law.log_moment(eta, power), SMALLEST_EXPONENT, LARGEST_EXPONENT)
