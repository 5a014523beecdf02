"""Every closed form of escape that has a meaning for an equation, filled in from the equation itself, with its assumptions looked at."""
from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.crossing import Crossing, Point, coordinates, crossing
from langevin_sgd.theory.kramers import KRAMERS, LAPLACE, kramers_time, laplace_time
from langevin_sgd.theory.power_law import POWER_LAW, PUBLISHED, power_law_time, power_law_time_published
from langevin_sgd.theory.regime import FUNCTION_OF_LOSS, GROWS, doubted, judged, percent, ratio, relative
from langevin_sgd.theory.saddle_in_space import predictions_in_space

CONSTANT = 0.01                 # noise counts as constant if taking it so changes the time by no more


def predict(sde: SDE, minimum: Point, saddle: Point) -> dict[str, Prediction]:
    """Predict the mean time from a minimum to well beyond the saddle next to it, by every closed form that has a meaning here.

    Parameters
    ----------
    sde
        The equation, with or without a landscape; it must not depend on time.
    minimum, saddle
        Two critical points, as numbers, arrays or `CriticalPoint`; they are refined.

    Returns
    -------
    dict
        Predictions by name: "kramers" (with D at the minimum), "laplace", and, where the noise grows from the minimum on, "power_law"
        and "power_law_published".  A formula whose assumptions fail is there all the same, with ``applies=False`` and the reason; at
        a corner of L its number is NaN.

        In more than one dimension: if the two points differ along one axis whose component is an equation by itself, the predictions
        for that component; else "power_law" and "power_law_published" if there is a landscape and the noise is a scalar function of
        the state times its value at the minimum, and grows from there, and "eyring_kramers" if it does not grow; else nothing.

    Raises
    ------
    ValueError
        If `sde` is no equation or depends on time, if a point is no critical point of its kind (the message names the nearest), if another
        critical point lies between them, or if D vanishes on the way.
    ArithmeticError
        If drift or noise vary too fast for the integral of L' / D; the message carries the best value and its error.

    Notes
    -----
    The equation is used as it was given: f with the α for which f = −L' (`SDE.effective_alpha`), so rewriting it in another
    interpretation changes no prediction.  Whether the noise is a function of the loss is looked at on the way itself:
    C = C_m (1 + 2 (L − L_m) / (κ ε C_m)) must hold within 1 % at all points of it.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.02)
    >>> ls.predict(sde, -1.0, 0.0)["kramers"]
    1.192e+06 (Kramers): applies, barrier / D = 12.5; what is left out is about 3.3 %
    """
    if not isinstance(sde, SDE):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, made by ls.sgd, ls.langevin or ls.SDE.")
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t: a closed form knows one landscape and one noise, so freeze them at a time.")
    if sde.dim == 1:
        return _on_a_line(crossing(sde, minimum, saddle))
    start, top = coordinates("minimum", minimum, sde.dim), coordinates("saddle", saddle, sde.dim)
    axes = np.flatnonzero(np.abs(top - start) > 1e-9 * np.abs(top - start).max())
    part = sde.component(int(axes[0])) if len(axes) == 1 else None
    if part is None:
        return predictions_in_space(sde, start, top)
    of_axis = f"in component {part.variables[0]}, which is an equation by itself"
    return {name: dataclasses.replace(p, because=f"{of_axis}: {p.because}")
            for name, p in _on_a_line(crossing(part, start[axes[0]], top[axes[0]])).items()}


def _on_a_line(c: Crossing) -> dict[str, Prediction]:
    """The closed forms in one dimension."""
    forms = {"kramers": (KRAMERS, _kramers), "laplace": (LAPLACE, _laplace)}
    if c.minimum.diffusion_second * c.width**2 > GROWS * c.minimum.diffusion and not c.minimum.not_smooth:
        forms |= {"power_law": (POWER_LAW, _power_law), "power_law_published": (PUBLISHED, _power_law_published)}
    if c.not_quadratic:
        return {key: judged(*called, math.nan, facts=[], against=[c.not_quadratic], error=None) for key, (called, _) in forms.items()}
    return {key: form(c) for key, (_, form) in forms.items()}


def _kramers(c: Crossing) -> Prediction:
    d = c.minimum.diffusion
    p = kramers_time(barrier=c.barrier, diffusion=d, **_curvatures(c), **_beyond_parabolas(c))
    shift = c.climb - c.barrier / d + (0.5 - c.alpha) * math.log(c.saddle.diffusion / d)
    against = [f"the noise is not constant: D changes by a factor {c.diffusions.max() / c.diffusions.min():.3g} on the way, and the time "
               f"by a factor of about {ratio(shift)}"]
    return doubted(p, against if abs(shift) > CONSTANT else [], relative(shift))


def _laplace(c: Crossing) -> Prediction:
    derivatives = _beyond_parabolas(c) | {
        "diffusion_first_minimum": c.minimum.diffusion_first, "diffusion_second_minimum": c.minimum.diffusion_second,
        "diffusion_first_saddle": c.saddle.diffusion_first, "diffusion_second_saddle": c.saddle.diffusion_second}
    p = laplace_time(drift_potential_difference=c.climb, diffusion_minimum=c.minimum.diffusion, diffusion_saddle=c.saddle.diffusion,
                     interpretation=c.alpha, barrier=c.barrier, **_curvatures(c), **({} if c.not_smooth else derivatives))
    return doubted(p, [c.not_smooth] if c.not_smooth else [], 0.0)


def _power_law(c: Crossing) -> Prediction:
    return doubted(power_law_time(**_noise_near_minimum(c), **_curvatures(c), **_beyond_parabolas(c)), *_noise_against_loss(c))


def _power_law_published(c: Crossing) -> Prediction:
    p = power_law_time_published(**_noise_near_minimum(c), **_curvatures(c), **_beyond_parabolas(c))
    return doubted(p, *_noise_against_loss(c))


def _noise_against_loss(c: Crossing) -> tuple[list[str], float]:
    """How far the noise on the way is from C_m (1 + u (L − L_m) / ΔL), and what that changes in the time."""
    at_minimum = c.minimum
    kappa = at_minimum.curvature / at_minimum.diffusion_second
    expected = at_minimum.diffusion + c.losses / kappa
    departure = float(np.abs(c.diffusions / expected - 1).max())
    power = kappa * math.log(expected[-1] / expected[0])
    shift = c.climb - power + (0.5 - c.alpha) * math.log(c.saddle.diffusion / expected[-1])
    against = [f"the noise is not a function of the loss: it departs from C_m (1 + u (L − L_m) / ΔL) by {percent(departure)}; the exponent "
               f"∫ L'/D is {c.climb:.4g}, not κ ln(1 + u) = {power:.4g}"]
    return against if departure > FUNCTION_OF_LOSS else [], relative(shift)


def _noise_near_minimum(c: Crossing) -> dict[str, Any]:
    """What the power laws ask for, from the covariance C = 2 D / ε at the minimum."""
    return {"barrier": c.barrier, "strength": c.strength, "constant": 2 * c.minimum.diffusion / c.strength,
            "quadratic": c.minimum.diffusion_second / c.strength, "interpretation": c.alpha}


def _curvatures(c: Crossing) -> dict[str, float]:
    return {"curvature_minimum": c.minimum.curvature, "curvature_saddle": c.saddle.curvature}


def _beyond_parabolas(c: Crossing) -> dict[str, float]:
    return {"third_minimum": c.minimum.third, "fourth_minimum": c.minimum.fourth, "third_saddle": c.saddle.third,
            "fourth_saddle": c.saddle.fourth}
