"""Escape along an axis that a drift never leaves, though it is no gradient: Bouchet and Reygner's form, with V found near the axis.

On the axis the quasi-potential is that of the component alone, V' = −f_x.  Across it, V = V(x) + w(x) y² / 2, and the equation of Hamilton
and Jacobi at the order of y² is −f_x w' / 2 + w² + g w − f_x f_xx / 2 = 0, with g = ∂f_y/∂y and f_xx = ∂²f_x/∂y² on the axis; for the
system of Maier and Stein it is that of `theory`, 8.4.  Where w falls to 0 the likeliest path leaves the axis.
"""
from __future__ import annotations

import dataclasses
import math

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.closed_forms.eyring_kramers import BOUCHET_REYGNER, bouchet_reygner_time
from langevin_sgd.theory.closed_forms.regime import judged
from langevin_sgd.theory.predictions.crossing import Crossing, crossing

INVARIANT = 1e-9                # drift across the axis, over that along it, that is none
STEP = 1e-3                     # of the differences across the axis, over the distance of minimum and saddle
START = 1e-8                    # how far from the minimum the path starts, over that distance
SETTLED = 1e-6                  # how near w must come to its value at the saddle, relative to it
RELAXATIONS = 60                # time that is given to the end of the path, in relaxation times at the saddle


def predictions_along_axis(sde: SDE, start: Array, top: Array, axis: int) -> dict[str, Prediction]:
    """Return Bouchet and Reygner's form in the plane; nothing if noise is not constant and isotropic, or the drift leaves the axis."""
    probes = start + np.linspace(0, 1, 9)[:, None] * (top - start)
    drift, noise = sde.evaluate(sde.drift_field, probes), sde.diffusion(np.concatenate([probes, probes + (top - start)[::-1]]))
    d, across = float(noise[0, 0, 0]), 1 - axis
    if sde.dim != 2 or d <= 0 or np.abs(noise - d * np.eye(2)).max() > INVARIANT * d:
        return {}
    line = sde.on_line(axis, axis, start, d)
    if line is None or np.abs(drift[:, across]).max() > INVARIANT * np.abs(drift).max():
        return {}
    c = crossing(line, start[axis], top[axis])
    if c.not_quadratic:
        return {"bouchet_reygner": judged(*BOUCHET_REYGNER, math.nan, facts=[], against=[c.not_quadratic], error=None)}
    return {"bouchet_reygner": _bouchet_reygner(_Strip(sde, start, axis, c), c, d)}


def _bouchet_reygner(strip: _Strip, c: Crossing, diffusion: float) -> Prediction:
    g_m, g_s = strip.pull(c.minimum.x), strip.pull(c.saddle.x)
    if g_m >= 0 or g_s >= 0:
        return judged(*BOUCHET_REYGNER, math.nan, facts=[], error=None, against=["the drift does not pull back to the axis at both ends"])
    log_prefactor, firmness = strip.along_path()
    if not firmness > 0:
        return judged(*BOUCHET_REYGNER, math.nan, facts=[], error=None, against=[
            "the quasi-potential is not curved upwards across the axis all along: the likeliest path leaves it"])
    p = bouchet_reygner_time(barrier=c.barrier, curvature_minimum=[c.minimum.curvature, -g_m],
                             curvature_saddle=[c.saddle.curvature, -g_s], jacobian_saddle=np.diag([-c.saddle.curvature, g_s]),
                             diffusion=diffusion, log_prefactor=log_prefactor, firmness=firmness)
    return dataclasses.replace(p, because=f"{p.because}; along the axis, if no path far from it costs less (ls.quasipotential)")


class _Strip:
    """The drift on an axis and near it."""

    def __init__(self, sde: SDE, start: Array, axis: int, c: Crossing) -> None:
        self.sde, self.axis, self.c = sde, axis, c
        self.origin, self.across = start, c.width * STEP * np.eye(2)[1 - axis]

    def near(self, x: float) -> Array:
        """The drift (3, 2) below, on, and above the axis."""
        at = self.origin.copy()
        at[self.axis] = x
        return self.sde.evaluate(self.sde.drift_field, at + np.array([[-1.0], [0.0], [1.0]]) * self.across)

    def pull(self, x: float) -> float:
        """g = ∂f_y/∂y on the axis."""
        low, _, high = self.near(x)[:, 1 - self.axis]
        return float(high - low) / (2 * self.across.sum())

    def along_path(self) -> tuple[float, float]:
        """∫ F dt with F = w + g along the likeliest path, dx/dt = −f_x, and the least of w / |g| on it; 0 where w does not settle."""
        from scipy.integrate import solve_ivp
        m, s = self.c.minimum, self.c.saddle
        final = -self.pull(s.x)

        def rates(_: float, y: Array) -> list[float]:
            x, w = y[0], y[1]
            low, on, high = self.near(x)[:, self.axis]
            bend, g = (low - 2 * on + high) / self.across.sum()**2, self.pull(x)
            return [-on, on * bend - 2 * w * (g + w), w + g]

        def leaves(_: float, y: Array) -> float:
            return float(y[1])
        leaves.terminal = True                                      # type: ignore[attr-defined]

        began = m.x + START * (s.x - m.x)
        time = -math.log(START) / m.curvature + RELAXATIONS / min(-s.curvature, final)
        path = solve_ivp(rates, (0.0, time), [began, -self.pull(m.x), 0.0], method="LSODA", rtol=1e-10, atol=1e-12, events=leaves)
        settled = path.status == 0 and abs(path.y[1, -1] - final) <= SETTLED * final
        return float(path.y[2, -1]), min(w / -self.pull(x) for x, w in zip(*path.y[:2], strict=True)) if settled else 0.0
