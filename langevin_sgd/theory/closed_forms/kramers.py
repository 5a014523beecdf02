"""Escape over a barrier at low noise: Kramers' time, and Laplace's method where the noise depends on the state.

Both are leading orders: each of the two integrals, over the well and over the saddle, is taken as Gaussian.  What they leave out is
estimated from two sources: the next order of Laplace's method, and the parts of the two Gaussians that lie beyond the point where a
parabola about the minimum meets one about the saddle, L and L' continuous.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import finite, positive
from langevin_sgd.theory.closed_forms.regime import alpha_of, doubts, judged, label, left_out, ratio

KRAMERS = ("Kramers", "H. A. Kramers, Physica 7, 284 (1940)")
LAPLACE = ("Laplace", "Laplace's method; the general interpretation is derived")
NEXT_ORDER = ("Kramers, next order", "Laplace's method, second term")
SECOND_ORDER = 4                # the term after the next, over the square of the next: the quartic double well
TYPICAL_NEXT_ORDER = 3 / 8      # times noise over barrier: the quartic double well; a cubic barrier has 5/18, a cosine 1/2


@dataclass(frozen=True)
class Expansion:
    """The second to fourth derivatives of L at a minimum or saddle, and D with its first two derivatives there."""

    curvature: float
    third: float
    fourth: float
    diffusion: float
    first: float = 0.0
    second: float = 0.0

    def next_order(self, power: float) -> float:
        """Return the relative size of the next order of ∫ D^power exp(−Φ) dx at a minimum, of exp(+Φ) at a saddle; Φ' = L'/D."""
        slope, bend = self.first / self.diffusion, self.second / self.diffusion
        g1, g2 = power * slope, power * bend + power * (power - 1) * slope * slope         # derivatives of D^power, over it
        phi3 = self.third / self.curvature - 2 * slope                                     # derivatives of Φ, over Φ''
        phi4 = self.fourth / self.curvature - 3 * slope * self.third / self.curvature + 3 * (2 * slope * slope - bend)
        return self.diffusion / abs(self.curvature) * (g2 / 2 - g1 * phi3 / 2 + 5 * phi3 * phi3 / 24 - phi4 / 8)


def kramers_time(*, barrier: float, curvature_minimum: float, curvature_saddle: float, diffusion: float,
                 third_minimum: float | None = None, fourth_minimum: float | None = None,
                 third_saddle: float | None = None, fourth_saddle: float | None = None) -> Prediction:
    """Predict Kramers' mean escape time for constant noise in one dimension, 2π / √(H_m |H_s|) · exp(barrier / D).

    Parameters
    ----------
    barrier
        L(saddle) − L(minimum), positive.
    curvature_minimum, curvature_saddle
        L'' there: H_m positive, H_s negative.
    diffusion
        D = ε C / 2, positive.
    third_minimum, fourth_minimum, third_saddle, fourth_saddle
        Third and fourth derivatives of L; all four or none.  They do not change the prediction but `expected_error`.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.  To reach the saddle takes
        half of it.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, and if only some of the derivatives are given.

    Notes
    -----
    Source: H. A. Kramers, Physica 7, 284 (1940); next order: `theory`, 8.2.  It applies for barrier / D of at least 4 if what is left
    out is at most 25 %.  For the quartic double well, exact / Kramers is 1.107, 1.043, 1.020, 1.010 at barrier / D = 5, 10, 20, 40.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.kramers_time(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, diffusion=0.05)
    659.4 (Kramers): applies, barrier / D = 5; what is left out is about 11 %
    """
    height, d = positive("barrier", barrier), positive("diffusion", diffusion)
    h_m, h_s = positive("curvature_minimum", curvature_minimum), negative("curvature_saddle", curvature_saddle)
    given = all_or_none(third_minimum=third_minimum, fourth_minimum=fourth_minimum, third_saddle=third_saddle,
                         fourth_saddle=fourth_saddle)
    if given:
        third_m, fourth_m, third_s, fourth_s = given
        next_order = size_of_next_order(Expansion(h_m, third_m, fourth_m, d).next_order(0.0),
                                        Expansion(h_s, third_s, fourth_s, d).next_order(0.0))
    else:
        next_order = TYPICAL_NEXT_ORDER * d / height
    below = height / d / (1 + h_m / -h_s)
    error = next_order + _beyond_the_join(below, height / d - below)
    return judged(*KRAMERS, _log_attempt(h_m, h_s) + height / d,
                  facts=[f"barrier / D = {height / d:.3g}", left_out(error)],
                  against=doubts(height / d, "barrier / D", error), error=error)


def kramers_time_next_order(*, barrier: float, curvature_minimum: float, curvature_saddle: float, diffusion: float,
                            third_minimum: float, fourth_minimum: float, third_saddle: float, fourth_saddle: float) -> Prediction:
    """Predict Kramers' mean escape time with its next order in the noise, 2π / √(H_m |H_s|) · exp(barrier / D) · (1 + c D).

    Parameters
    ----------
    barrier, curvature_minimum, curvature_saddle, diffusion, third_minimum, fourth_minimum, third_saddle, fourth_saddle
        As in `kramers_time`.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations; NaN where 1 + c D is not positive.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign.

    Notes
    -----
    Source: `theory`, 8.2.  Minimum and saddle each contribute 5 V₃² / (24 V₂³) − V₄ / (8 V₂²) to c, with the sign of V changed at the
    saddle.  For the quartic double well c = 1.5, and exact / this is 1.029, 1.006, 1.0012 at barrier / D = 5, 10, 20.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.kramers_time_next_order(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, diffusion=0.05, third_minimum=-6.0,
    ...                                   fourth_minimum=6.0, third_saddle=0.0, fourth_saddle=6.0)
    708.8 (Kramers, next order): applies, barrier / D = 5; 1 + c D = 1.075; what is left out is about ...
    """
    plain = kramers_time(barrier=barrier, curvature_minimum=curvature_minimum, curvature_saddle=curvature_saddle, diffusion=diffusion)
    third_m, fourth_m, third_s, fourth_s = all_or_none(third_minimum=third_minimum, fourth_minimum=fourth_minimum,
                                                       third_saddle=third_saddle, fourth_saddle=fourth_saddle)
    at_minimum = Expansion(curvature_minimum, third_m, fourth_m, diffusion).next_order(0.0)
    at_saddle = Expansion(curvature_saddle, third_s, fourth_s, diffusion).next_order(0.0)
    height, factor = barrier / diffusion, 1 + at_minimum + at_saddle
    below = height / (1 + curvature_minimum / -curvature_saddle)
    error = SECOND_ORDER * (abs(at_minimum) + abs(at_saddle)) ** 2 + _beyond_the_join(below, height - below)
    if factor <= 0:
        return judged(*NEXT_ORDER, math.nan, facts=[], against=[f"1 + c D = {factor:.3g} must be positive"], error=None)
    return judged(*NEXT_ORDER, plain.log_value + math.log(factor),
                  facts=[f"barrier / D = {height:.3g}", f"1 + c D = {factor:.4g}", left_out(error)],
                  against=doubts(height, "barrier / D", error), error=error)


def laplace_time(*, drift_potential_difference: float, curvature_minimum: float, curvature_saddle: float, diffusion_minimum: float,
                 diffusion_saddle: float, interpretation: str | float = "ito", barrier: float | None = None,
                 third_minimum: float | None = None, fourth_minimum: float | None = None,
                 third_saddle: float | None = None, fourth_saddle: float | None = None,
                 diffusion_first_minimum: float | None = None, diffusion_second_minimum: float | None = None,
                 diffusion_first_saddle: float | None = None, diffusion_second_saddle: float | None = None) -> Prediction:
    """Predict the mean escape time for any noise in one dimension, 2π / √(H_m |H_s|) · exp(Φ_s − Φ_m) · (D_s / D_m)^(1/2 − α).

    Parameters
    ----------
    drift_potential_difference
        Φ_s − Φ_m = ∫ L' / D dx from the minimum to the saddle, positive; barrier / D for constant noise.
    curvature_minimum, curvature_saddle
        L'' there: H_m positive, H_s negative.
    diffusion_minimum, diffusion_saddle
        D = ε C / 2 there, positive.
    interpretation
        "ito", "stratonovich" or "klimontovich", or α itself.
    barrier
        L(saddle) − L(minimum); if None, that of two parabolas with the noise D_m and D_s.  Like the derivatives, it does not change
        the prediction but `expected_error`.
    third_minimum, fourth_minimum, third_saddle, fourth_saddle
        Third and fourth derivatives of L.
    diffusion_first_minimum, diffusion_second_minimum, diffusion_first_saddle, diffusion_second_saddle
        First and second derivatives of D; all eight derivatives or none.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, an unknown interpretation, and if only some derivatives are given.

    Notes
    -----
    Source: the classical Laplace method (`theory`, 4.4).  D must be smooth at both points; in between it may jump.  It applies for
    Φ_s − Φ_m of at least 4 if what is left out is at most 25 %.  Where the noise grows so fast that κ = H / (ε σ_H) is of order one,
    the Gaussian well is wrong, and where it is a function of the loss `power_law_time` is better.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.laplace_time(drift_potential_difference=8.0, curvature_minimum=1.0, curvature_saddle=-1.0, diffusion_minimum=0.05,
    ...                        diffusion_saddle=0.2, interpretation="klimontovich")
    9365 (Laplace): applies, Φ_s − Φ_m = 8; D_s / D_m = 4, Klimontovich; what is left out is about 15 %
    """
    climb = positive("drift_potential_difference", drift_potential_difference)
    h_m, h_s = positive("curvature_minimum", curvature_minimum), negative("curvature_saddle", curvature_saddle)
    d_m, d_s = positive("diffusion_minimum", diffusion_minimum), positive("diffusion_saddle", diffusion_saddle)
    alpha = alpha_of(interpretation)
    given = all_or_none(
        third_minimum=third_minimum, fourth_minimum=fourth_minimum, diffusion_first_minimum=diffusion_first_minimum,
        diffusion_second_minimum=diffusion_second_minimum, third_saddle=third_saddle, fourth_saddle=fourth_saddle,
        diffusion_first_saddle=diffusion_first_saddle, diffusion_second_saddle=diffusion_second_saddle)
    growth = math.log(d_s) - math.log(d_m)
    if given:
        third_m, fourth_m, first_m, second_m, third_s, fourth_s, first_s, second_s = given
        next_order = size_of_next_order(Expansion(h_m, third_m, fourth_m, d_m, first_m, second_m).next_order(alpha - 1),
                                        Expansion(h_s, third_s, fourth_s, d_s, first_s, second_s).next_order(-alpha))
    else:
        next_order = TYPICAL_NEXT_ORDER * (1 + abs(growth)) / climb
    join = 1 / (1 + h_m / -h_s)                             # where the two parabolas meet, as a fraction of the barrier
    height = climb / (join / d_m + (1 - join) / d_s) if barrier is None else positive("barrier", barrier)
    error = next_order + _beyond_the_join(height * join / d_m, height * (1 - join) / d_s)
    return judged(*LAPLACE, _log_attempt(h_m, h_s) + climb + (0.5 - alpha) * growth,
                  facts=[f"Φ_s − Φ_m = {climb:.3g}", f"D_s / D_m = {ratio(growth)}, {label(alpha)}",
                         left_out(error)],
                  against=doubts(climb, "Φ_s − Φ_m", error), error=error)


def size_of_next_order(at_minimum: float, at_saddle: float) -> float:
    """Return the size of the next order; should its two parts cancel, that of the order after it."""
    both = abs(at_minimum) + abs(at_saddle)
    return abs(at_minimum + at_saddle) + both * both


def negative(name: str, value: float) -> float:
    """Return the curvature at a saddle, which must be negative."""
    number = finite(name, value)
    if number >= 0:
        raise ValueError(f"`{name}` is {number:g}, but must be negative: the loss falls on both sides of a saddle.")
    return number


def all_or_none(**derivatives: float | None) -> list[float]:
    """Return the derivatives in this order, or an empty list if none was given."""
    missing = [name for name, value in derivatives.items() if value is None]
    if missing and len(missing) < len(derivatives):
        raise ValueError(f"`{missing[0]}` is missing: the next order needs all of {', '.join(derivatives)}, or none of them.")
    return [] if missing else [finite(name, value) for name, value in derivatives.items()]


def _log_attempt(curvature_minimum: float, curvature_saddle: float) -> float:
    """ln(2π / √(H_m |H_s|))."""
    return math.log(2 * math.pi) - (math.log(curvature_minimum) + math.log(-curvature_saddle)) / 2


def _beyond_the_join(below: float, above: float) -> float:
    """The parts of the two Gaussians beyond their join, where Φ is so far above the minimum and so far below the saddle."""
    return (math.erfc(math.sqrt(below)) + math.erfc(math.sqrt(above))) / 2
