"""The closed forms in more than one dimension, filled in from an equation: the power law, and Eyring–Kramers where the noise is constant.

They have a meaning where the noise is one number times its value at the minimum, C(x) = s(x) C_m.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.landscape import Landscape
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.closed_forms.eyring_kramers import eyring_kramers_time
from langevin_sgd.theory.closed_forms.minibatch_noise import log_loss_time
from langevin_sgd.theory.closed_forms.power_law import power_law_time, power_law_time_published_d
from langevin_sgd.theory.closed_forms.regime import CONSTANT, GROWS, LARGEST_ERROR, OF_ITS_KIND, doubted, percent, relative
from langevin_sgd.theory.predictions.crossing import NEAR, REACH, derivatives

ONE_SHAPE = 1e-6                # how far C(x) may be from a multiple of C_m, and C_m from one of the identity
ASIDE = 0.1                     # the noise is also looked at this far beside the way, over the distance of minimum and saddle
POINTS = 33                     # along the way
NEWTON_STEPS = 30


def predictions_in_space(sde: SDE, minimum: Array, saddle: Array) -> dict[str, Prediction]:
    """Return the predictions for two critical points of the landscape; see `predict`."""
    assert sde.landscape is not None, "This is a bug: an equation without a landscape."
    width = float(np.linalg.norm(saddle - minimum))
    start, top = (_refined(sde.landscape, name, x, index, width) for name, x, index in (("minimum", minimum, 0), ("saddle", saddle, 1)))
    noise = _noise(sde, start, top, _way(start, top, width), width)
    if noise is None:
        return {}
    h_m, h_s = sde.landscape.hessian(start), sde.landscape.hessian(top)
    if not noise.growth * width**2 > GROWS:
        return {"eyring_kramers": _eyring_kramers(noise, sde.landscape(top) - sde.landscape(start), h_m, h_s, sde.values["strength"])}
    escape, strength = np.linalg.eigh(h_s)[1][:, 0], sde.values["strength"]
    losses, barrier = sde.landscape(noise.way) - sde.landscape(start), sde.landscape(top) - sde.landscape(start)
    kappa = float(np.trace(np.linalg.solve(noise.at_minimum, h_m))) / (strength * noise.growth)
    numbers = {"barrier": barrier, "curvature_minimum": h_m, "curvature_saddle": h_s,
               "strength": strength, "constant": float(escape @ noise.at_minimum @ escape), "quadratic": h_m / (strength * kappa),
               "interpretation": sde.effective_alpha}
    third_m, fourth_m, third_s, fourth_s = (d for x in (start, top) for d in _beyond_parabola(sde.landscape, x, escape, width))
    derived = power_law_time(**numbers, third_minimum=third_m, fourth_minimum=fourth_m, third_saddle=third_s, fourth_saddle=fourth_s)
    slope = 2 / (kappa * strength * numbers["constant"])
    against, error = _noise_against_loss(noise, losses, barrier, kappa, slope)
    found = {"power_law": doubted(derived, against, error),
             "power_law_published": doubted(power_law_time_published_d(**numbers), against, error)}
    low = float(np.trace(noise.at_minimum) / (2 * np.trace(h_m)))                   # C = 2 L H, whatever constant L is counted from
    if not _is_twice_the_loss(noise, h_m, barrier, low):
        return found
    departing = _departing(noise, losses, barrier, 1 / (strength * float(escape @ h_m @ escape)), 1 / low)
    return found | {"log_loss": _log_loss(low, barrier, h_m, h_s, strength, sde.effective_alpha, departing)}


def _eyring_kramers(noise: _Noise, barrier: float, h_m: Array, h_s: Array, strength: float) -> Prediction:
    """The form for constant isotropic noise, with the noise of the minimum along the escape direction."""
    escape = np.linalg.eigh(h_s)[1][:, 0]
    d = strength / 2 * float(escape @ noise.at_minimum @ escape)
    prediction = eyring_kramers_time(barrier=barrier, curvature_minimum=h_m, curvature_saddle=h_s, diffusion=d)
    against, departure = _not_isotropic(noise), float(np.abs(noise.on_way - 1).max())
    if departure * barrier / d > CONSTANT:
        against.append(f"the noise is not constant: near the way it changes by {percent(departure)}")
    return doubted(prediction, against, relative(departure * barrier / d))


def _is_twice_the_loss(noise: _Noise, h_m: Array, barrier: float, low: float) -> bool:
    """C = 2 (L − L_m + low) H_m at both ends."""
    return bool(np.abs(noise.at_minimum - 2 * low * h_m).max() <= OF_ITS_KIND * np.abs(noise.at_minimum).max()
                and abs(noise.growth * 2 * low / np.trace(h_m) - 1) <= OF_ITS_KIND
                and abs(noise.at_saddle / (1 + barrier / low) - 1) <= OF_ITS_KIND)


def _log_loss(low: float, barrier: float, h_m: Array, h_s: Array, strength: float, alpha: float,
              departing: tuple[list[str], float]) -> Prediction:
    """The form with the curvatures across the way counted as outliers, or left out, whichever is nearer the truth.

    Each one about equal to that along the way costs a factor (L_s / L_m)^(1/2), each small one none; in between it costs a part, and what
    is put in wrongly was found on parabolas in the plane (`theory`, 7.1): (L_s / L_m)^g with g above 1/2 − 0.6 |1 − r| for r about 1, and
    below r / 2 for small r, where r is the ratio of the curvatures.
    """
    curvatures, directions = np.linalg.eigh(h_s)
    escape, across = directions[:, 0], directions[:, 1:]
    h = float(escape @ h_m @ escape)
    ratios = np.linalg.eigvalsh(across.T @ h_m @ across) / h
    outliers = ratios > 0.5
    misjudged = float(np.where(outliers, 0.6 * np.abs(1 - ratios), ratios / 2).sum()) * float(np.log1p(barrier / low))
    turned = float(np.abs(across.T @ h_m @ escape).max(initial=0.0)) / h
    widened = abs(float(np.log(curvatures[1:]).sum() - np.linalg.slogdet(across.T @ h_m @ across)[1])) / 2
    prediction = log_loss_time(loss_minimum=low, loss_saddle=low + barrier, curvature_minimum=h, curvature_saddle=float(curvatures[0]),
                               strength=strength, outliers=1 + int(outliers.sum()), interpretation=alpha)
    against, error = departing
    if turned > OF_ITS_KIND:
        against = [*against, "the way out over the saddle is not an axis of the Hessian at the minimum"]
    if relative(misjudged) > LARGEST_ERROR:
        against = [*against, "curvatures across the way are neither about equal to that along it nor much smaller: "
                   f"{', '.join(f'{r:.3g}' for r in ratios)} of it"]
    return doubted(prediction, against, error + relative(misjudged) + relative(widened))


@dataclass(frozen=True)
class _Noise:
    """The noise C(x) = s(x) C_m: C_m, half the Laplacian of s at the minimum, s on the way and at the saddle."""

    at_minimum: Array
    growth: float
    at_saddle: float
    way: Array
    on_way: Array


def _noise(sde: SDE, start: Array, top: Array, way: Array, width: float) -> _Noise | None:
    """Look at the noise; None if it changes its shape on the way."""
    def covariance(x: Array) -> Array:
        return 2 * np.asarray(sde.diffusion(x)) / sde.values["strength"]

    at_minimum = covariance(start)
    if np.linalg.eigvalsh(at_minimum)[0] <= 0:
        raise ValueError(f"D is singular at `minimum` {start.tolist()}, but must be positive definite there: where the noise vanishes no "
                         "closed form holds.")

    def modulation(x: Array) -> Array:
        return np.trace(np.linalg.solve(at_minimum, covariance(x)), axis1=-2, axis2=-1) / len(start)

    on_way = modulation(way)
    if np.abs(covariance(way) - on_way[:, None, None] * at_minimum).max() > ONE_SHAPE * np.abs(at_minimum).max():
        return None

    def bend(axis: Array) -> float:
        return derivatives(lambda t: modulation(start + np.multiply.outer(t, axis)), 0.0, REACH * width, 2)[2]

    return _Noise(at_minimum, sum(map(bend, np.eye(len(start)))) / 2, float(modulation(top)), way, on_way)


def _noise_against_loss(noise: _Noise, losses: Array, barrier: float, kappa: float, slope: float) -> tuple[list[str], float]:
    """How far the noise on the way is from s = 1 + slope · (L − L_m), and the most that this can change in the time."""
    if uneven := _not_isotropic(noise):
        return uneven, 0.0
    return _departing(noise, losses, barrier, kappa, slope)


def _departing(noise: _Noise, losses: Array, barrier: float, kappa: float, slope: float) -> tuple[list[str], float]:
    departure = float(np.abs(noise.on_way / (1 + slope * losses) - 1).max())
    against = [f"the noise is not a function of the loss: near the way it departs from C_m (1 + u (L − L_m) / ΔL) by {percent(departure)}"]
    return against if departure > OF_ITS_KIND else [], relative(departure * kappa * float(np.log1p(slope * barrier)))


def _not_isotropic(noise: _Noise) -> list[str]:
    variances = np.linalg.eigvalsh(noise.at_minimum)
    if variances[-1] <= variances[0] * (1 + ONE_SHAPE):
        return []
    return [f"the noise is not isotropic (its variances are {variances[0]:.3g} to {variances[-1]:.3g} at the minimum)"]


def _beyond_parabola(loss: Landscape, x: Array, direction: Array, width: float) -> list[float]:
    """Third and fourth derivatives of the loss at x in a direction."""
    def slope(t: Array) -> Array:
        return loss.gradient(x + np.multiply.outer(t, direction)) @ direction

    return derivatives(slope, 0.0, REACH * width, 3)[2:]


def _way(start: Array, top: Array, width: float) -> Array:
    """Points (n, d) on the straight way from minimum to saddle, and beside it along every axis."""
    line = start + np.multiply.outer(np.linspace(0, 1, POINTS), top - start)
    sides = ASIDE * width * np.concatenate([np.zeros((1, len(start))), np.eye(len(start)), -np.eye(len(start))])
    return (line[:, None] + sides).reshape(-1, len(start))


def _refined(loss: Landscape, name: str, x: Array, index: int, width: float) -> Array:
    """The critical point of this index near x, by Newton's method."""
    found = x
    for _ in range(NEWTON_STEPS):
        try:
            step = np.linalg.solve(loss.hessian(found), loss.gradient(found))
        except np.linalg.LinAlgError:
            break
        if not np.linalg.norm(found - step - x) <= NEAR * width:
            break
        found = found - step
        if np.linalg.norm(step) <= 1e-12 * width and (np.linalg.eigvalsh(loss.hessian(found)) < 0).sum() == index:
            return found
    nearest = min(loss.critical_points([(v - width, v + width) for v in x]), default=None,
                  key=lambda p: (p.index != index, np.linalg.norm(p.x - x)))
    known = f"the nearest known is the {nearest}" if nearest is not None else f"there is no critical point within {width:g} of it"
    raise ValueError(f"`{name}` is {x.tolist()}, but the landscape has no {('minimum', 'saddle')[index]} there; {known}.")
