"""Every closed form of escape that has a meaning for an equation, filled in from the equation itself, with its assumptions looked at."""
from __future__ import annotations

import dataclasses

import numpy as np

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.predictions.circulating import predictions_along_axis
from langevin_sgd.theory.predictions.crossing import Point, coordinates, crossing
from langevin_sgd.theory.predictions.metastability import lost_in_steps
from langevin_sgd.theory.predictions.on_a_line import predictions_on_a_line
from langevin_sgd.theory.predictions.particle import as_particle, predictions_of_particle
from langevin_sgd.theory.predictions.saddle_in_space import predictions_in_space


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
        Predictions by name, of every form that has a meaning here: that is, for which the equation has what its number is made of.  A form
        whose assumptions fail is there all the same, with ``applies=False`` and the reason; at a corner of L its number is NaN.

        - In one dimension "kramers" (with D at the minimum) and "laplace"; "kramers_next_order" where the noise is constant;
          "power_law" and "power_law_published" where it grows from the minimum on; and where it is of one kind at both ends, "log_loss"
          (C = 2 L H), "mirrored" (C = σ_g + σ_H (L' / H)²) and "xie" (C in proportion to |L''|).
        - In more dimensions, if the two points differ along one axis whose component is an equation by itself, the same for it.
        - Else, with a landscape and noise that is a scalar function of the state times its value at the minimum: "eyring_kramers" where it
          does not grow from there, and where it does, "power_law", "power_law_published" and "log_loss".
        - In the plane without a landscape: "bouchet_reygner" along an axis that the drift never leaves, under constant isotropic noise;
          "underdamped_kramers" and "melnikov_meshkov" for a particle with mass, x' = v, v' = −V'(x) − γ v + noise, at rest at both
          points, for its first passage (after which it may come back).

        An equation of another kind has none.

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

    An equation made by `sgd` knows its learning rate η, and is there for SGD: where SGD with this η has no metastable state at the minimum,
    because η h ≥ 2 or because its variance grows (`theory`, 5.1), no form applies.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.02)
    >>> ls.predict(sde, -1.0, 0.0)["kramers"]
    1.192e+06 (Kramers): applies, barrier / D = 12.5; what is left out is about 3.3 %
    >>> sharp = ls.sgd(ls.landscapes.double_well(), ls.noise.Constant(1.0), learning_rate=1.1, batch_size=30)
    >>> ls.predict(sharp, -1.0, 0.0)["kramers"]
    3.714e+06 (Kramers): does not apply, SGD with this learning rate has no metastable state here: unstable in the mean, η λ_max = 2.2 must
    be below 2
    """
    found = _forms(sde, minimum, saddle)
    start, top = (coordinates(name, x, sde.dim) for name, x in (("minimum", minimum), ("saddle", saddle)))
    if not (lost := lost_in_steps(sde, start, float(np.linalg.norm(top - start)))):
        return found
    return {name: dataclasses.replace(p, applies=False, because=lost if p.applies else f"{lost}; {p.because}") for name, p in found.items()}


def _forms(sde: SDE, minimum: Point, saddle: Point) -> dict[str, Prediction]:
    """The closed forms, for an equation that is nothing but itself."""
    if not isinstance(sde, SDE):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, made by ls.sgd, ls.langevin or ls.SDE.")
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t: a closed form knows one landscape and one noise, so freeze them at a time.")
    if sde.dim == 1:
        return predictions_on_a_line(crossing(sde, minimum, saddle))
    start, top = coordinates("minimum", minimum, sde.dim), coordinates("saddle", saddle, sde.dim)
    if np.array_equal(start, top):
        raise ValueError(f"`minimum` and `saddle` are both {start.tolist()}, but must be two points.")
    axes = np.flatnonzero(np.abs(top - start) > 1e-9 * np.abs(top - start).max())
    part = sde.component(int(axes[0])) if len(axes) == 1 else None
    if part is not None:
        of_axis = f"in component {part.variables[0]}, which is an equation by itself"
        return {name: dataclasses.replace(p, because=f"{of_axis}: {p.because}")
                for name, p in predictions_on_a_line(crossing(part, start[axes[0]], top[axes[0]])).items()}
    if sde.landscape is not None:
        return predictions_in_space(sde, start, top)
    if (particle := as_particle(sde, start, float(np.linalg.norm(top - start)))) is not None:
        return predictions_of_particle(particle, start, top)
    return predictions_along_axis(sde, start, top, int(axes[0])) if len(axes) == 1 else {}
