"""The decomposition of a linear recursion: SGD on a quadratic loss at a finite learning rate, with no small-step approximation.

x ← x + dt F x + sqrt(2 D dt) z is what SGD does on a quadratic loss: F = −H, dt the learning rate η, and 2 D dt = η² C / B.  Its stationary
covariance satisfies Σ = (1 + dt F) Σ (1 + dt F)ᵀ + 2 D dt, that is

    F Σ + Σ Fᵀ = −2 D',    D' = D + dt F Σ Fᵀ / 2

so that F = −(D' + Q') U holds with U = Σ⁻¹, D' + Q' = −F Σ.  Both parts can be seen in the iterates: in the stationary state
E[Δx Δxᵀ] = 2 D' dt, half the mean square of a step per unit of time, and Q' dt = E[(x + Δx/2) Δxᵀ], the area swept by a step.

With W = 1 + dt F / 2 the equation for Σ is G Σ + Σ Gᵀ = −2 W⁻¹ D W⁻ᵀ, G = W⁻¹ F: that of a differential equation with another drift (the
midpoint rule), whose circulation Q_G gives Q' = W Q_G Wᵀ.  So a recursion is solved like an equation, and as accurately for small steps.
"""
from __future__ import annotations

import dataclasses

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.decompositions.linear import LinearDecomposition, checked, linear_parts


def recursion_parts(f: Array, d: Array, center: Array, dt: float, because: str) -> LinearDecomposition:
    """Return the decomposition of x ← x + dt F (x − center) + sqrt(2 D dt) z."""
    steps = np.linalg.eigvals(np.eye(len(f)) + dt * f)
    fastest = steps[np.abs(steps).argmax()]
    if not abs(fastest) < 1:
        raise ValueError(f"the recursion with steps of `dt` = {dt:g} is unstable: 1 + dt F has the eigenvalue {fastest:.6g}, which must be "
                         "below 1 in size; give a smaller `dt`, or leave it out for the equation itself.")
    half = np.eye(len(f)) + dt * f / 2
    inverse = np.linalg.inv(half)
    midpoint = linear_parts(inverse @ f, inverse @ d @ inverse.T, center, because)
    step = f @ midpoint.covariance @ f.T
    q = half @ midpoint.Q @ half.T
    return checked(dataclasses.replace(midpoint, F=f, D=d + dt * (step + step.T) / 4, Q=(q - q.T) / 2, noise=d, dt=dt))
