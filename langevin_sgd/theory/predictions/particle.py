"""Escape of a particle with mass, where an equation is one: x' = v, v' = −V'(x) − γ v + √(2 γ T) ξ; V, γ, T and the action are found."""
from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.closed_forms.regime import judged
from langevin_sgd.theory.closed_forms.underdamped import KRAMERS, MELNIKOV_MESHKOV, melnikov_meshkov_time, underdamped_kramers_time
from langevin_sgd.theory.predictions.crossing import Crossing, crossing

SAME = 1e-9                     # relative difference that is none
FARTHEST = (1.5, 5.0, 30.0)     # how far back the particle is followed, over the distance of minimum and saddle
POINTS = 2001                   # of the integral along the swing


@dataclass(frozen=True)
class Particle:
    """A particle: the equation of its position without inertia, dx = −V' dt + sqrt(2 T) dW, and its friction and temperature."""

    position: SDE
    friction: float
    temperature: float


def as_particle(sde: SDE, at: Array, width: float) -> Particle | None:
    """Return the particle that an equation for (position, velocity) is about; None if it is about none."""
    if sde.dim != 2 or sde.landscape is not None:
        return None
    x, v = (grid.ravel() for grid in np.meshgrid(at[0] + width * np.linspace(-1, 2, 7), np.sqrt(width) * np.array([-2.0, -0.5, 0.0, 1.0])))
    points = np.stack([x, v], axis=-1)
    drift, noise = sde.evaluate(sde.drift_field, points), sde.diffusion(points)
    kick = float(noise[0, 1, 1])
    if kick <= 0 or np.abs(noise - np.diag([0.0, kick])).max() > SAME * kick or np.abs(drift[:, 0] - v).max() > SAME * np.abs(v).max():
        return None
    resting = sde.evaluate(sde.drift_field, np.stack([x, np.zeros_like(x)], axis=-1))[:, 1]
    friction = float((resting - drift[:, 1]) @ v / (v @ v))
    if friction <= 0 or np.abs(drift[:, 1] - resting + friction * v).max() > SAME * np.abs(drift[:, 1]).max():
        return None
    position = sde.on_line(1, 0, [at[0], 0.0], kick / friction)
    return None if position is None else Particle(position, friction, kick / friction)


def predictions_of_particle(particle: Particle, start: Array, top: Array) -> dict[str, Prediction]:
    """Return the closed forms for a particle at rest at a minimum of V that arrives beyond a saddle for the first time."""
    for name, point in (("minimum", start), ("saddle", top)):
        if point[1] != 0:
            raise ValueError(f"`{name}` has the velocity {point[1]:g}, but a particle at a critical point is at rest: give [position, 0].")
    c = crossing(particle.position, start[0], top[0])
    forms = {"underdamped_kramers": (KRAMERS, underdamped_kramers_time), "melnikov_meshkov": (MELNIKOV_MESHKOV, melnikov_meshkov_time)}
    action = math.nan if c.not_quadratic else _action(particle.position, c)
    reason = c.not_quadratic or ("" if action > 0 else "on the far side of the minimum V does not rise to the height of the saddle")
    if reason:
        return {key: judged(*called, math.nan, facts=[], against=[reason], error=None) for key, (called, _) in forms.items()}
    # The clock stops at the first passage, so that no particle comes back: to the form it is a single well.
    numbers = {"barrier": c.barrier, "curvature_minimum": c.minimum.curvature, "curvature_saddle": c.saddle.curvature,
               "friction": particle.friction, "temperature": particle.temperature, "action": action}
    found = {key: form(**numbers, wells=1) for key, (_, form) in forms.items()}
    return {key: dataclasses.replace(p, because=f"{p.because}; for the first passage, after which it may come back")
            for key, p in found.items()}


def _action(position: SDE, c: Crossing) -> float:
    """∮ v dx at the energy of the saddle, both legs; NaN if nothing turns the particle back."""
    from scipy.integrate import cumulative_simpson, simpson

    def slope(x: Array) -> Array:
        return -position.evaluate(position.drift_field, x[:, None])[:, 0]

    def turning_point() -> float:
        """Where V is as high as at the saddle, on the far side of the minimum; NaN if nowhere near."""
        share = np.linspace(0.0, 1.0, 20 * POINTS)
        for reach in FARTHEST:
            away = reach * (c.minimum.x - c.saddle.x)
            missing = cumulative_simpson(slope(c.minimum.x + away * share) * away, x=share, initial=0.0) - c.barrier
            above = np.flatnonzero(missing > 0)
            if above.size:
                k = above[0]
                return float(c.minimum.x + away * (share[k] - share[1] * missing[k] / (missing[k] - missing[k - 1])))
        return math.nan

    back = turning_point()
    if math.isnan(back):
        return math.nan
    angle = np.linspace(0.0, math.pi, POINTS)
    x = back + (c.saddle.x - back) * (1 - np.cos(angle)) / 2                        # dense at both ends, where v vanishes
    dx = (c.saddle.x - back) * np.sin(angle) / 2
    height = cumulative_simpson(slope(x) * dx, x=angle, initial=0.0)
    v = np.sqrt(np.maximum(2 * (height[-1] - height), 0.0))
    return 2 * abs(float(simpson(v * dx, x=angle)))
