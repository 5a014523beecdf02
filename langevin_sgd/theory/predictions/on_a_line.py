"""The closed forms of escape in one dimension, each filled in from what the equation looks like on its way to the saddle.

The rule for what is listed: a form has a meaning where the equation has what its number is made of.

- Kramers' time (with the noise at the minimum) and Laplace's have one everywhere, Kramers' next order where the noise is constant.
- The power laws are about noise that grows from the minimum on.
- A form for one kind of noise (`log_loss`, `xie`, `mirrored`) has one where the noise is of that kind at both ends, minimum and saddle.

Whether a form that is listed also applies is another question: there the noise on the whole way counts.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.closed_forms.kramers import KRAMERS, LAPLACE, NEXT_ORDER, kramers_time, kramers_time_next_order, laplace_time
from langevin_sgd.theory.closed_forms.minibatch_noise import LOG_LOSS, MIRRORED, XIE, log_loss_time, mirrored_time, xie_time
from langevin_sgd.theory.closed_forms.power_law import POWER_LAW, PUBLISHED, power_law_time, power_law_time_published
from langevin_sgd.theory.closed_forms.regime import CONSTANT, GROWS, OF_ITS_KIND, doubted, judged, percent, ratio, relative
from langevin_sgd.theory.predictions.crossing import Crossing, Extremum


@dataclass(frozen=True)
class Form:
    """A closed form: its name and source, the equations that it has a meaning for, and how it is filled in."""

    called: tuple[str, str]
    has_a_meaning: Callable[[Crossing], bool]
    filled_in: Callable[[Crossing], Prediction]


def predictions_on_a_line(c: Crossing) -> dict[str, Prediction]:
    """Return the closed forms that have a meaning in one dimension; where L has no parabola, without a number."""
    listed = {name: form for name, form in FORMS.items() if form.has_a_meaning(c)}
    if c.not_quadratic:
        return {name: judged(*form.called, math.nan, facts=[], against=[c.not_quadratic], error=None) for name, form in listed.items()}
    return {name: form.filled_in(c) for name, form in listed.items()}


# ------------------------------------------------------------------------------------------------------- kinds of noise

def _anything(_: Crossing) -> bool:
    return True


def _is_constant(c: Crossing) -> bool:
    """Neither D nor what it changes in the time may count: the latter alone may vanish because two changes cancel."""
    d = c.minimum.diffusion
    return _departure(c.diffusions, np.full_like(c.diffusions, d)) <= OF_ITS_KIND and abs(_log_shift(c, c.barrier / d, d)) <= CONSTANT


def _grows_from(extremum: Extremum, width: float) -> bool:
    return not extremum.not_smooth and extremum.diffusion_second * width**2 > GROWS * extremum.diffusion


def _grows(c: Crossing) -> bool:
    return _grows_from(c.minimum, c.width)


def _is_twice_the_loss(c: Crossing) -> bool:
    """C = 2 h (L + a constant), h the curvature at the minimum: C'' = 2 h² at the minimum, and C rises by 2 h ΔL."""
    h = c.minimum.curvature
    return (_grows(c) and _near(c.minimum.diffusion_second, c.strength * h * h)
            and _near(c.saddle.diffusion - c.minimum.diffusion, c.strength * h * c.barrier))


def _is_the_curvature(c: Crossing) -> bool:
    """C = |L''|, up to a factor; where it is the same at both ends, it tells nothing apart."""
    return (_near(c.saddle.diffusion * c.minimum.curvature, -c.saddle.curvature * c.minimum.diffusion)
            and not _near(c.saddle.diffusion, c.minimum.diffusion))


def _is_mirrored(c: Crossing) -> bool:
    return _grows(c) and _grows_from(c.saddle, c.width) and _near(c.saddle.diffusion, c.minimum.diffusion)


def _near(found: float, expected: float) -> bool:
    return abs(found - expected) <= OF_ITS_KIND * abs(expected)


# --------------------------------------------------------------------------------------------------------- constant noise

def _kramers(c: Crossing) -> Prediction:
    d = c.minimum.diffusion
    p = kramers_time(barrier=c.barrier, diffusion=d, **_curvatures(c), **_beyond_parabolas(c))
    shift = _log_shift(c, c.barrier / d, d)
    against = [f"the noise is not constant: D changes by a factor {c.diffusions.max() / c.diffusions.min():.3g} on the way, and the time "
               f"by a factor of about {ratio(shift)}"]
    return doubted(p, [] if _is_constant(c) else against, relative(shift))


def _kramers_next_order(c: Crossing) -> Prediction:
    d = c.minimum.diffusion
    p = kramers_time_next_order(barrier=c.barrier, diffusion=d, **_curvatures(c), **_beyond_parabolas(c))
    return doubted(p, [], relative(_log_shift(c, c.barrier / d, d)))


# ------------------------------------------------------------------------------------------------------------ any noise

def _laplace(c: Crossing) -> Prediction:
    derivatives = _beyond_parabolas(c) | {
        "diffusion_first_minimum": c.minimum.diffusion_first, "diffusion_second_minimum": c.minimum.diffusion_second,
        "diffusion_first_saddle": c.saddle.diffusion_first, "diffusion_second_saddle": c.saddle.diffusion_second}
    p = laplace_time(drift_potential_difference=c.climb, diffusion_minimum=c.minimum.diffusion, diffusion_saddle=c.saddle.diffusion,
                     interpretation=c.alpha, barrier=c.barrier, **_curvatures(c), **({} if c.not_smooth else derivatives))
    return doubted(p, [c.not_smooth] if c.not_smooth else [], 0.0)


# ------------------------------------------------------------------------------------------- noise that follows the loss

def _power_law(c: Crossing) -> Prediction:
    return doubted(power_law_time(**_noise_near_minimum(c), **_curvatures(c), **_beyond_parabolas(c)), *_noise_against_loss(c))


def _power_law_published(c: Crossing) -> Prediction:
    p = power_law_time_published(**_noise_near_minimum(c), **_curvatures(c), **_beyond_parabolas(c))
    return doubted(p, *_noise_against_loss(c))


def _log_loss(c: Crossing) -> Prediction:
    low = c.minimum.diffusion / (c.strength * c.minimum.curvature)                   # C = 2 L h, whatever constant L is counted from
    p = log_loss_time(loss_minimum=low, loss_saddle=low + c.barrier, strength=c.strength, interpretation=c.alpha,
                      curvature_minimum=c.minimum.curvature, curvature_saddle=c.saddle.curvature)
    numbers: dict[str, Any] = _noise_near_minimum(c) | _curvatures(c) | {"interpretation": "ito"}
    blind, aware = (power_law_time(**numbers, **more).expected_error or 0.0 for more in ({}, _beyond_parabolas(c)))
    against, shift = _noise_against_loss(c)
    return doubted(p, against, aware - blind + shift)


def _noise_against_loss(c: Crossing) -> tuple[list[str], float]:
    """How far the noise on the way is from C_m (1 + u (L − L_m) / ΔL), and what that changes in the time."""
    kappa = c.minimum.curvature / c.minimum.diffusion_second
    expected = c.minimum.diffusion + c.losses / kappa
    power = kappa * math.log(expected[-1] / expected[0])
    departure = _departure(c.diffusions, expected)
    against = [f"the noise is not a function of the loss: it departs from C_m (1 + u (L − L_m) / ΔL) by {percent(departure)}; the exponent "
               f"∫ L'/D is {c.climb:.4g}, not κ ln(1 + u) = {power:.4g}"]
    return against if departure > OF_ITS_KIND else [], relative(_log_shift(c, power, expected[-1]))


# ----------------------------------------------------------------------------------- noise that follows slope or curvature

def _mirrored(c: Crossing) -> Prediction:
    near = _noise_near_minimum(c)
    sigma_h, h, h_s = near["quadratic"], c.minimum.curvature, -c.saddle.curvature
    p = mirrored_time(curvature=h, curvature_saddle=-h_s, **near)
    climb = h / (c.strength * sigma_h) * (1 + h / h_s) * math.log1p(2 * sigma_h * c.barrier / (h * near["constant"] * (1 + h / h_s)))
    departure = _departure(c.diffusions, c.minimum.diffusion + c.strength * sigma_h / 2 * (c.slopes / h)**2)
    against = [f"the noise is not σ_g + σ_H (L' / H)²: it departs from it by {percent(departure)}"] if departure > OF_ITS_KIND else []
    return doubted(p, against + _not_two_parabolas(c), relative(_log_shift(c, climb, c.saddle.diffusion)))


def _xie(c: Crossing) -> Prediction:
    h, h_s = c.minimum.curvature, -c.saddle.curvature
    curvatures = np.diff(c.slopes) / np.diff(c.way)                                  # the mean of L'' between two points
    departure = _departure(c.diffusions_between, c.minimum.diffusion / h * np.abs(curvatures))
    against = [f"the noise is not proportional to |L''|: it departs from it by {percent(departure)}"] if departure > OF_ITS_KIND else []
    p = xie_time(barrier=c.barrier, strength=2 * c.minimum.diffusion / h, interpretation=c.alpha, **_curvatures(c))
    joined = h_s / (h + h_s)
    climb = c.barrier / c.minimum.diffusion * (joined + (1 - joined) * h / h_s)
    return doubted(p, against + _not_two_parabolas(c), relative(_log_shift(c, climb, c.saddle.diffusion)))


def _not_two_parabolas(c: Crossing) -> list[str]:
    """How far L on the way is from one parabola about the minimum and one about the saddle, relative to the barrier."""
    below = c.minimum.curvature * (c.way - c.minimum.x)**2 / 2
    above = c.barrier + c.saddle.curvature * (c.way - c.saddle.x)**2 / 2
    join = c.minimum.x + (c.saddle.x - c.minimum.x) / (1 - c.minimum.curvature / c.saddle.curvature)
    nearer = np.abs(c.way - c.minimum.x) <= abs(join - c.minimum.x) * (1 + 1e-9)
    departure = float(np.abs(c.losses - np.where(nearer, below, above)).max() / c.barrier)
    return [f"L is not two parabolas joined smoothly: it departs from them by {percent(departure)} of the barrier"] \
        if departure > OF_ITS_KIND else []


# ---------------------------------------------------------------------------------------------------- what they are made of

def _departure(found: Array, expected: Array) -> float:
    with np.errstate(divide="ignore"):
        return float(np.abs(found / expected - 1).max())


def _log_shift(c: Crossing, climb: float, diffusion_saddle: float) -> float:
    """ln of the factor in the time between the noise that there is and one with this climb of Φ, and D at the saddle."""
    return c.climb - climb + (0.5 - c.alpha) * math.log(c.saddle.diffusion / diffusion_saddle)


def _noise_near_minimum(c: Crossing) -> dict[str, Any]:
    """What the power laws ask for, from the covariance C = 2 D / ε at the minimum."""
    return {"barrier": c.barrier, "strength": c.strength, "constant": 2 * c.minimum.diffusion / c.strength,
            "quadratic": c.minimum.diffusion_second / c.strength, "interpretation": c.alpha}


def _curvatures(c: Crossing) -> dict[str, float]:
    return {"curvature_minimum": c.minimum.curvature, "curvature_saddle": c.saddle.curvature}


def _beyond_parabolas(c: Crossing) -> dict[str, float]:
    return {"third_minimum": c.minimum.third, "fourth_minimum": c.minimum.fourth, "third_saddle": c.saddle.third,
            "fourth_saddle": c.saddle.fourth}


FORMS = {
    "kramers": Form(KRAMERS, _anything, _kramers),
    "kramers_next_order": Form(NEXT_ORDER, _is_constant, _kramers_next_order),
    "laplace": Form(LAPLACE, _anything, _laplace),
    "power_law": Form(POWER_LAW, _grows, _power_law),
    "power_law_published": Form(PUBLISHED, _grows, _power_law_published),
    "log_loss": Form(LOG_LOSS, _is_twice_the_loss, _log_loss),
    "mirrored": Form(MIRRORED, _is_mirrored, _mirrored),
    "xie": Form(XIE, _is_the_curvature, _xie),
}
