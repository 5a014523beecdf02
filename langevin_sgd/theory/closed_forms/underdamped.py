"""Escape of a particle with mass, x' = v, v' = −V' − γ v + √(2 γ T) ξ: Kramers' rate, and that of Mel'nikov and Meshkov.

SGD with momentum is such a particle (heavy ball, time √η per iteration): γ = (1 − μ) / √η and T = ε C / (2 (1 − μ)).
"""
from __future__ import annotations

import math

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import one_of, positive
from langevin_sgd.theory.closed_forms.kramers import TYPICAL_NEXT_ORDER, negative
from langevin_sgd.theory.closed_forms.regime import doubts, judged, left_out, percent, relative

KRAMERS = ("Kramers with friction", "H. A. Kramers, Physica 7, 284 (1940)")
MELNIKOV_MESHKOV = ("Mel'nikov–Meshkov", "V. I. Mel'nikov & S. V. Meshkov, J. Chem. Phys. 85, 1018 (1986)")
AT_LOW_FRICTION = 3             # how much more the next order is where energy limits the rate: quartic double well, T = 0.05 and 0.035


def underdamped_kramers_time(*, barrier: float, curvature_minimum: float, curvature_saddle: float, friction: float, temperature: float,
                             action: float, wells: int = 2) -> Prediction:
    """Predict the mean escape time of a particle with friction, where the well is in thermal equilibrium.

    The rate is (√(γ²/4 + ω_b²) − γ/2) / ω_b · ω_a / (2π) · exp(−barrier / T), with ω_a² = V'' at the minimum and ω_b² = −V'' at the top.

    Parameters
    ----------
    barrier
        V(top) − V(minimum), positive.
    curvature_minimum, curvature_saddle
        V'' there, for unit mass: the first positive, the second negative.
    friction, temperature
        γ and T, positive.
    action
        S = ∮ v dx over the full period at the energy of the barrier, both legs (4/3 for the quartic double well).  Together with γ / T
        it tells how much energy a particle loses per period; the number does not depend on it.
    wells
        1 for a well that particles leave for good, 2 for a symmetric double well.

    Returns
    -------
    Prediction
        The time per escape, 1 / rate, in units of the time of the equation.  In a symmetric double well λ₁ = 2 / time.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign.

    Notes
    -----
    Source: `theory`, 8.3.  At small γ it is far too short: γ S / T must be large (for T = 0.05, γ = 0.02 it is 7 times too short).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.underdamped_kramers_time(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, friction=3.0, temperature=0.05,
    ...                                    action=4 / 3)
    2178 (Kramers with friction): applies, barrier / T = 5, γ S / T = 80; what is left out is about 7.5 %
    """
    p = _Particle(barrier, curvature_minimum, curvature_saddle, friction, temperature, action, wells)
    slow = relative(-p.log_depopulation)
    error = p.error + slow
    against = doubts(p.height, "barrier / T", p.error)
    if error > 0.25 and not against:
        against = [f"γ S / T = {p.loss:.3g} is too small for thermal equilibrium in the well: the time is {percent(slow)} longer"]
    return judged(*KRAMERS, -p.log_kramers_rate, facts=p.facts(error), against=against, error=error)


def melnikov_meshkov_time(*, barrier: float, curvature_minimum: float, curvature_saddle: float, friction: float, temperature: float,
                          action: float, wells: int = 2) -> Prediction:
    """Predict the mean escape time of a particle at any friction: Kramers' rate times a depopulation factor.

    The factor is A(G) for a single well and A(G)² / A(2G) for a symmetric double well, with G = γ S / T and
    ln A(G) = ∫ ln(1 − exp(−G (s² + 1/4))) / (s² + 1/4) ds / (2π).

    Parameters
    ----------
    barrier, curvature_minimum, curvature_saddle, friction, temperature, action, wells
        As in `underdamped_kramers_time`.

    Returns
    -------
    Prediction
        The time per escape, 1 / rate, in units of the time of the equation.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign.

    Notes
    -----
    Source: `theory`, 8.3.  The leading order in T / barrier; for the quartic double well at T = 0.05 the exact rate is 0.80, 0.88,
    0.95, 0.92 of this one at γ = 0.02, 0.1, 1, 10.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.melnikov_meshkov_time(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, friction=0.1, temperature=0.05,
    ...                                 action=4 / 3)
    1179 (Mel'nikov–Meshkov): applies, barrier / T = 5, γ S / T = 2.67; what is left out is about ...
    """
    p = _Particle(barrier, curvature_minimum, curvature_saddle, friction, temperature, action, wells)
    error = p.error * (1 + AT_LOW_FRICTION * -math.expm1(p.log_depopulation))
    return judged(*MELNIKOV_MESHKOV, -p.log_kramers_rate - p.log_depopulation, facts=p.facts(error),
                  against=doubts(p.height, "barrier / T", error), error=error)


class _Particle:
    """The numbers of an escape with friction, checked."""

    def __init__(self, barrier: float, curvature_minimum: float, curvature_saddle: float, friction: float, temperature: float,
                 action: float, wells: int) -> None:
        gamma, t = positive("friction", friction), positive("temperature", temperature)
        omega_a = math.sqrt(positive("curvature_minimum", curvature_minimum))
        omega_b = math.sqrt(-negative("curvature_saddle", curvature_saddle))
        self.height = positive("barrier", barrier) / t
        self.loss = gamma * positive("action", action) / t
        self.error = TYPICAL_NEXT_ORDER / self.height
        # √(γ²/4 + ω²) − γ/2, without its cancellation at large γ
        reaching = omega_b / (math.hypot(gamma / 2, omega_b) + gamma / 2)
        self.log_kramers_rate = math.log(reaching * omega_a / (2 * math.pi)) - self.height
        self.log_depopulation = _log_depopulation(self.loss)
        if one_of("wells", wells, (1, 2)) == 2:
            self.log_depopulation = 2 * self.log_depopulation - _log_depopulation(2 * self.loss)

    def facts(self, error: float) -> list[str]:
        return [f"barrier / T = {self.height:.3g}, γ S / T = {self.loss:.3g}", left_out(error)]


def _log_depopulation(loss: float) -> float:
    """ln A(G); with s = tan(θ) / 2 the integral is over a finite range."""
    from scipy.integrate import quad

    def integrand(angle: float) -> float:
        decay = loss / (4 * math.cos(angle) ** 2)
        return math.log(-math.expm1(-decay)) if decay > 0 else -math.inf

    return float(2 / math.pi * quad(integrand, 0.0, math.pi / 2 * (1 - 1e-15), epsabs=1e-13, epsrel=1e-12, limit=200)[0])
