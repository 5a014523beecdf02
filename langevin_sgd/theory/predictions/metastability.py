"""Whether the SGD that an equation describes stays near a minimum at all: its steps are finite, and the equation does not know it."""
from __future__ import annotations

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.sgd.second_moments import largest_eigenvalue, mean_radius
from langevin_sgd.theory.sgd.stability import MomentStability, no_metastable_state

FLAT = 1e-6                     # curvature that may be none at a minimum that is not refined, relative to the largest
STEP = 1e-3                     # of second differences of the noise, over the distance of minimum and saddle
SMOOTH = 0.1                    # by how much those of twice the step may differ, relative to them, where D is smooth


def lost_in_steps(sde: SDE, minimum: Array, width: float) -> str:
    """Return why SGD with the learning rate η of an equation has no metastable state at a minimum (d,), or "".

    A step has the mean (I − η H) x and the covariance 2 η D.  So second moments settle if S ↦ (I − η H) S (I − η H) + η Σ_jk S_jk ∂_j ∂_k D
    has a spectral radius below 1; in one dimension (1 − η h)² + η ε σ_H < 1.  Where D has a kink at the minimum, only the mean is asked.
    """
    rate = sde.strength.learning_rate
    if rate is None or sde.landscape is None:
        return ""
    h = np.atleast_2d(sde.landscape.hessian(minimum if sde.dim > 1 else float(minimum[0])))
    curvatures = np.linalg.eigvalsh(h) if np.isfinite(h).all() else np.zeros(sde.dim)
    if not curvatures[0] > FLAT * curvatures[-1]:                   # a corner, or flat: not for linear stability to tell
        return ""
    bends, keep = _bends(sde, minimum, STEP * width), np.eye(sde.dim) - rate * h
    radius = largest_eigenvalue(lambda s: keep @ s @ keep + rate * np.einsum("jkab,jk->ab", bends, s), sde.dim, symmetric=False)
    least, largest = float(curvatures[0]), float(curvatures[-1])
    return no_metastable_state(MomentStability(rate, 0.0, least, largest, mean_radius(curvatures, rate), radius))


def _bends(sde: SDE, at: Array, step: float) -> Array:
    """∂_j ∂_k D (d, d, d, d) at a point; zero where D is not smooth."""
    d = sde.dim
    if sde.covariance.is_constant:
        return np.zeros((d, d, d, d))
    pairs = [(j, k) for j in range(d) for k in range(j, d)]
    directions = np.array([(np.eye(d)[j] + np.eye(d)[k]) / (2 if j == k else 1) for j, k in pairs])
    near, far = (_second_differences(sde, at, h * directions) / h**2 for h in (step, 2 * step))
    bends = np.zeros((d, d, d, d))
    if np.abs(near - far).max() > SMOOTH * np.abs(near).max():
        return bends
    along = dict(zip(pairs, near, strict=True))
    for (j, k), value in along.items():
        bends[j, k] = bends[k, j] = value if j == k else (value - along[j, j] - along[k, k]) / 2
    return bends


def _second_differences(sde: SDE, at: Array, steps: Array) -> Array:
    """D(x + s) − 2 D(x) + D(x − s) for steps s (n, d): (n, d, d)."""
    points = np.concatenate([at + steps, at - steps, at[None]])
    d = np.asarray(sde.diffusion(points if sde.dim > 1 else points[:, 0])).reshape(len(points), sde.dim, sde.dim)
    return d[:len(steps)] + d[len(steps):-1] - 2 * d[-1]
