"""The path of least action: the way that weak noise takes out of an attractor, and the exponent of the time that this needs."""
from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, state
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.least_path import least_path, settled, shown
from langevin_sgd.theory.weak_noise.sgd_action import SGDActionPath, sgd_action_path


@dataclass(frozen=True, eq=False, repr=False)
class ActionPath:
    """The path of least action from an attractor; made by `minimum_action_path`.

    Attributes
    ----------
    sde
        The equation.
    path
        States along the path, (points, component); (points,) in one dimension.
    work
        The action spent up to each of them, (points,): level where the drift does the work.
    action
        U = min ½ ∫ (ẋ − f)ᵀ C⁻¹ (ẋ − f) dt, by Ritz's method (a quadrature in one dimension).
    chain_action
        The same by relaxation of a chain of points, an independent method (in one dimension the chain is straight).
    error
        Their difference.
    crossings
        Fixed points strictly within the path where it leaves a basin, (k, component); (k,) in one dimension.
    """

    sde: SDE
    path: Array
    work: Array
    action: float
    chain_action: float
    crossings: Array

    @property
    def model(self) -> SDE:
        """The equation, by the name that pictures know it by."""
        return self.sde

    @property
    def error(self) -> float:
        """The difference of the two methods."""
        return abs(self.action - self.chain_action)

    @property
    def strength(self) -> float:
        """ε of the equation."""
        return self.sde.values["strength"]

    @property
    def exponent(self) -> float:
        """U / ε: the mean time to get there grows like exp(U / ε) for weak noise."""
        return self.action / self.strength

    def __repr__(self) -> str:
        ends = f"from {shown(self.path[0])} to {shown(self.path[-1])}"
        over = f" over {' and '.join(map(shown, self.crossings))}" if len(self.crossings) else ""
        return (f"ActionPath({ends}{over}: action {self.action:.10g}, by a chain of points {self.chain_action:.10g}; "
                f"time ~ exp(action / ε), ε = {self.strength:g}: exponent {self.exponent:.6g}; "
                f"{self.sde.interpretation.label}, the same in every convention)")


@overload
def minimum_action_path(sde: SDE, start: ArrayLike | CriticalPoint, end: ArrayLike | CriticalPoint) -> ActionPath: ...
@overload
def minimum_action_path(sde: SampledLoss, start: ArrayLike | CriticalPoint, end: ArrayLike | CriticalPoint, *,
                        batch_size: int) -> SGDActionPath: ...
def minimum_action_path(sde: SDE | SampledLoss, start: ArrayLike | CriticalPoint, end: ArrayLike | CriticalPoint, *,
                        batch_size: int | None = None) -> ActionPath | SGDActionPath:
    """Return the path on which weak noise most probably takes the state from an attractor to another state, and its action.

    Parameters
    ----------
    sde
        The equation; it must not depend on time.  The drift need not be a gradient, and C may depend on the state.  Or a loss over data:
        then it is the path of minibatch SGD itself, not of a diffusion, as the learning rate vanishes.
    start
        A stable fixed point of the drift (a minimum of the loss), a number, an array (d,), or a `CriticalPoint`, as the end is.
    end
        A state that falls back to `start`, a saddle on the edge of its basin, or another attractor behind such a saddle (then the path goes
        over the lowest, and on from there without work); any state in one dimension.
    batch_size
        B, for a loss and only there.

    Returns
    -------
    ActionPath or SGDActionPath
        The path, its action by two methods, and the work along it.  For a loss the action is infinite where escape is impossible, and the
        result says why; and it has the action of the diffusion with the same covariance beside it.

    Raises
    ------
    ValueError
        If `start` is no attractor, if `end` is none of what is listed above, or if C is singular on the path.
    ArithmeticError
        If the two methods disagree, where the message has both actions; or if it is not known whether escape is possible.

    Notes
    -----
    U = min ½ ∫ (ẋ − f)ᵀ C⁻¹ (ẋ − f) dt over paths and durations, for dX = f dt + sqrt(ε C) dW, so that the mean time to get there grows
    like exp(U / ε) as ε → 0 (`theory`, 8.5).  For a gradient drift with C = I, U is *twice* the height of the barrier; authors who write
    sqrt(2 ε) dW have half of this U.  Itô, Stratonovich and Klimontovich differ by drifts of order ε, so U does not depend on the
    convention, the prefactor does; f is taken as it was given, before `in_interpretation`.

    The action is minimised in its geometric form, ∫ ℓ(φ, φ') with ℓ(x, v) = max {θ·v : H(x, θ) ≤ 0}, by Ritz's method, and again by
    relaxation of a chain of points.  Both start from the best of a few simple paths: where several paths are locally the least, a lower one
    may be missed.  For an equation H = f·θ + θ·C θ / 2.

    For SGD, w ← w − η g_B(w) without momentum, with batches of B drawn with replacement, H = B ln mean_i exp(−θ·g_i / B), and W = min ∫ ℓ:
    the number of iterations grows like exp(W / η) as η → 0 (`theory`, 5.3).  W is B times that of batches of one, on the same path, and so
    is B U of the equation: their ratio does not depend on B, and no batch size makes the exponent of a diffusion right.  Drawn without
    replacement, batches have another H, and W is larger; reshuffled epochs have no such H at all.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.minimum_action_path(ls.systems.maier_stein(beta=10.0), [-1.0, 0.0], [0.0, 0.0])
    ActionPath(from [-1, 0] to [0, 0]: action 0.34004140..., by a chain of points 0.34004140...; ...ε = 0.1: exponent 3.40041; ...)

    Real SGD, on the loss of `theory`, 4.6, up to its saddle:

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=0.3)
    >>> found = ls.minimum_action_path(loss, 0.0, 0.819071, batch_size=1)
    >>> found
    SGDActionPath(from 0 to 0.819071: action 0.1947845..., ...; batches of 1; the Itô equation with the same covariance has 0.168646)
    >>> found.exponent_at(learning_rate=0.05)
    3.8956...
    """
    if isinstance(sde, SampledLoss):
        return sgd_action_path(sde, start, end, batch_size)
    check_equation(sde, batch_size)
    noise, a, z = checked(sde, start, end)
    found, line = least_path(noise, a, z), sde.dim == 1
    return ActionPath(sde, found.path[:, 0] if line else found.path, found.work, found.action, found.chain_action,
                      found.crossings[:, 0] if line else found.crossings)


def checked(sde: SDE, start: ArrayLike | CriticalPoint, end: ArrayLike | CriticalPoint) -> tuple[WeakNoise, Array, Array]:
    """Return f and C of the equation, the attractor, and the end, moved onto a fixed point that it is meant to be."""
    check_equation(sde)
    a, z = state("start", start, sde.dim), state("end", end, sde.dim)
    noise = WeakNoise(sde, float(np.linalg.norm(z - a)) or max(1.0, float(np.linalg.norm(a))))
    return noise, *settled(noise, a, z)


def check_equation(sde: SDE, batch_size: int | None = None) -> None:
    """Refuse what is no equation, one that changes with time, and batches that it knows nothing of."""
    if not isinstance(sde, SDE):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, made by ls.sgd, ls.langevin or ls.SDE, or a loss over data.")
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t: a path of least action knows one drift and one noise, so freeze them at a time.")
    if batch_size is not None:
        raise ValueError(f"`batch_size` is {batch_size!r}, but goes with a loss over data: an equation has its batches in ε.")
