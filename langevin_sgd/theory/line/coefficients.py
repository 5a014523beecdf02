"""The coefficients of a one-dimensional equation at points: its drift as it was written, and D."""
from __future__ import annotations

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE, check_is_equation


def check_exact(sde: SDE) -> None:
    """Refuse an equation that the exact methods cannot treat."""
    check_is_equation(sde)
    if sde.dim != 1:
        raise ValueError(f"`sde` has {sde.dim} components, but the exact methods are one-dimensional; where component k is an equation "
                         "by itself, sde.component(k) is that equation.")
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t, but the exact methods need drift and noise that do not; simulate it, or fix t.")


def drift(sde: SDE, x: Array) -> Array:
    """Return f as it was written, for the α `sde.effective_alpha`; far out it may overflow without a word."""
    with np.errstate(all="ignore"):
        return sde.evaluate(sde.drift_field, x[..., None]).reshape(x.shape)


def diffusion(sde: SDE, x: Array) -> Array:
    """Return D = ε C / 2."""
    with np.errstate(all="ignore"):
        return np.asarray(sde.diffusion(x))
