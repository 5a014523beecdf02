"""How fast an equation changes about a point: what a time step has to resolve."""
from __future__ import annotations

from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE

ACCURACY = 0.01         # the default step, over the sum of the rates at minimum and saddle: the bias is about half of this
UNDAMPED = 1e-3         # damping over frequency of a mode that is not resolved any better


def steepness(sde: SDE, x: Array) -> float:
    """Return the largest rate at which drift and D change about a point (d,): of b and f, whichever is larger, and of the growth of D.

    A mode λ that oscillates counts by |λ|² / |Re λ|: a step dt feeds it as if its damping were less by |λ|² dt / 2.
    """
    step = _difference(x)
    both = np.concatenate([modes(sde, field, x) for field in (sde.ito_drift_field, sde.drift_field)])
    fed = np.abs(both)**2 / np.maximum(np.abs(both.real), UNDAMPED * np.abs(both) + 1e-300)
    shifts = step * np.eye(sde.dim)
    low, middle, high = (np.reshape(sde.diffusion(points if sde.dim > 1 else points[..., 0]), (-1, sde.dim, sde.dim))
                         for points in (x - shifts, x[None], x + shifts))
    growth = float(np.abs(low - 2 * middle + high).max()) / step**2
    return max(float(fed.max()) + growth, 1e-3)


def modes(sde: SDE, field: Any, x: Array) -> Array:
    """Return the eigenvalues of the derivative of a drift, b or f, at a point (d,).

    The Itô drift b alone may vanish where f and what the convention adds cancel, and paths then run away from the point by noise that
    grows.
    """
    return np.asarray(np.linalg.eigvals(jacobian(sde, field, x)))


def jacobian(sde: SDE, field: Any, x: Array) -> Array:
    """Return the derivative of a drift at a point (d,): row i, column j is ∂_j of component i.

    By central differences, so that a corner counts by its slope on either side.
    """
    shifts = _difference(x) * np.eye(sde.dim)
    below, above = sde.evaluate(field, np.stack([x - shifts, x + shifts]))
    return np.asarray((above - below).T / (2 * _difference(x)))


def time_step(*rates: float) -> float:
    """Return a time step whose bias is about half a per cent where these are the rates at minimum and saddle."""
    return float(f"{ACCURACY / sum(rates):.1e}")


def _difference(x: Array) -> float:
    return 1e-4 * max(1.0, float(np.abs(x).max()))
