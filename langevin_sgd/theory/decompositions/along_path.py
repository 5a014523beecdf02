"""The decomposition along a path of least action, for weak noise: where the path goes tells what circulates.

As ε → 0 the potential is φ = U / ε with ½ ∇Uᵀ C ∇U + f·∇U = 0, and noise takes the state along ẋ = f + C ∇U (`theory`, 6.3 and 8.5).  With
D = ε C / 2 and f = −(D + Q) ∇φ that is

    −D ∇φ = (f − ẋ) / 2 ,     −Q ∇φ = (f + ẋ) / 2

so that the path goes up against the gradient part, and along with the circulating one.  In the plane the second gives Q₁₂ itself.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.weak_noise.action import ActionPath

FLAT = 1e-6             # of the largest slope: below, the direction of ∇φ is not known


@dataclass(frozen=True, eq=False, repr=False)
class PathDecomposition:
    """The parts of an equation along a path, to leading order in ε; made by `decompose`.

    Attributes
    ----------
    sde
        The equation.
    states
        Along the path, (points, d).
    potential
        φ = U / ε, zero at the attractor, (points,).
    slope
        ∇φ, (points, d).
    gradient_drift, circulating_drift
        −D ∇φ and −Q ∇φ, (points, d); they add up to f.
    q
        Q₁₂ in two dimensions, (points,), NaN where φ is level; None in others, where the path does not tell all of Q.
    """

    sde: SDE
    states: Array
    potential: Array
    slope: Array
    gradient_drift: Array
    circulating_drift: Array
    q: Array | None

    def __repr__(self) -> str:
        return (f"PathDecomposition({len(self.states)} states from {self.states[0].tolist()} to {self.states[-1].tolist()}, φ up to "
                f"{self.potential.max():.6g}; to leading order in ε = {self.sde.values['strength']:g}, f as it is written, "
                f"{self.sde.interpretation.label})")


def parts_along(path: ActionPath) -> PathDecomposition:
    """Return the decomposition along the result of `minimum_action_path`."""
    if not isinstance(path, ActionPath):
        raise ValueError(f"`along` is {path!r}, but must be a path of least action, made with ls.minimum_action_path.")
    sde, strength = path.sde, path.sde.values["strength"]
    x = path.path.reshape(len(path.path), -1)
    f, c = sde.evaluate(sde.drift_field, x), sde.covariance.at(x, 0.0, sde.values)
    velocity = _velocity(x, f, c)
    slope = np.linalg.solve(c, (velocity - f)[..., None])[..., 0] / strength
    turning = (f + velocity) / 2
    q = _turned(slope, turning) if sde.dim == 2 else None
    return PathDecomposition(sde, x, path.work / strength, slope, (f - velocity) / 2, turning, q)


def _velocity(x: Array, f: Array, c: Array) -> Array:
    """ẋ along the path, whose size in the metric of C⁻¹ is that of f."""
    from scipy.interpolate import CubicSpline
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(x, axis=0), axis=1))])
    tangent = CubicSpline(length, x)(length, 1)
    sizes = [np.sqrt(np.einsum("ni,ni->n", v, np.linalg.solve(c, v[..., None])[..., 0])) for v in (f, tangent)]
    return np.asarray(tangent * (sizes[0] / sizes[1])[:, None])


def _turned(slope: Array, turning: Array) -> Array:
    """Q₁₂ from −Q ∇φ = Q₁₂ (−∂₂φ, ∂₁φ)."""
    square = (slope**2).sum(axis=1)
    known = square > FLAT**2 * square.max()
    along = turning[:, 1] * slope[:, 0] - turning[:, 0] * slope[:, 1]
    return np.where(known, along / np.where(known, square, 1.0), np.nan)
