"""The path of least action of minibatch SGD, next to that of the diffusion with the same covariance."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, positive, state, whole
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.theory.weak_noise.batches import BatchNoise
from langevin_sgd.theory.weak_noise.enclosure import enclosure
from langevin_sgd.theory.weak_noise.least_path import (
    Disagreement,
    LeastPath,
    SingularNoise,
    Way,
    least_path,
    settled,
    shown,
    ways_between,
)
from langevin_sgd.theory.weak_noise.relaxed_path import chain_action
from langevin_sgd.theory.weak_noise.ritz_path import NoPath, Stray

MODEST = 48                     # degree of the equation's path, with which few digits will do
LARGEST = 50_000                # numbers of data: a search looks at all samples some ten thousand times


@dataclass(frozen=True, eq=False)
class GaussianPath:
    """What the Itô equation with the same covariance has in the place of W.

    Attributes
    ----------
    action
        B U: its mean time would grow like exp(B U / η).
    path
        Its own path of least action, (points, component); (points,) in one dimension.
    is_least
        Whether it was found.  Else there is no path, and U is at most this, which the path of SGD costs, or one of those that cost less and
        less the farther they stray.
    """

    action: float
    path: Array
    is_least: bool


@dataclass(frozen=True, eq=False, repr=False)
class SGDActionPath:
    """The path of least action of minibatch SGD, out of a minimum of the loss; made by `minimum_action_path`.

    Attributes
    ----------
    loss
        The loss over data.
    batch_size
        B.
    start, end
        The minimum and the end, (component,).
    path
        States along the path, (points, component), in one dimension (points,); none if escape is impossible.
    work
        The action spent up to each of them, (points,).
    action
        W, by Ritz's method (a quadrature in one dimension); infinite if escape is impossible.
    chain_action
        The same by relaxation of a chain of points, an independent method.
    crossings
        Saddles strictly within the path, (k, component); (k,) in one dimension.
    because
        Why escape is impossible; empty if it is not.
    gaussian
        What the Itô equation with the same covariance has instead; None if it has no path either, or if none was found.
    gaussian_because
        Which of the two, and why; empty if there is one.
    """

    loss: SampledLoss
    batch_size: int
    start: Array
    end: Array
    path: Array
    work: Array
    action: float
    chain_action: float
    crossings: Array
    because: str
    gaussian: GaussianPath | None
    gaussian_because: str = ""

    @property
    def model(self) -> SampledLoss:
        """The loss, by the name that pictures know it by."""
        return self.loss

    @property
    def is_possible(self) -> bool:
        """Whether SGD with a small learning rate can get there at all."""
        return math.isfinite(self.action)

    @property
    def error(self) -> float:
        """The difference of the two methods; 0 if escape is impossible."""
        return abs(self.action - self.chain_action) if self.is_possible else 0.0

    def exponent_at(self, learning_rate: float) -> float:
        """Return W / η: the mean number of iterations to get there grows like exp(W / η) for small learning rates."""
        return self.action / positive("learning_rate", learning_rate)

    def __repr__(self) -> str:
        ends = f"from {shown(self.start)} to {shown(self.end)}"
        over = f" over {' and '.join(map(shown, self.crossings))}" if len(self.crossings) else ""
        action = (f"action {self.action:.10g}, by a chain of points {self.chain_action:.10g}; iterations ~ exp(action / η)"
                  if self.is_possible else f"action inf, {self.because}")
        gaussian = self.gaussian_because
        if self.gaussian is not None:
            gaussian = f"{'' if self.gaussian.is_least else 'at most '}{self.gaussian.action:.6g}"
        return (f"SGDActionPath({ends}{over}: {action}; batches of {self.batch_size}; the Itô equation with the same covariance has "
                f"{gaussian})")


def sgd_action_path(loss: SampledLoss, start: ArrayLike | CriticalPoint, end: ArrayLike | CriticalPoint, batch_size: int | None, *,
                    compared: bool = True) -> SGDActionPath:
    """Return the path of least action of SGD, see `minimum_action_path`; with that of the diffusion unless it is not to be compared."""
    size, noise = _batches(batch_size), BatchNoise(_small_enough(loss))
    a, z = settled(noise, state("start", start, loss.dim), state("end", end, loss.dim))
    ways, line = ways_between(noise, a, z), loss.dim == 1
    found, because = _least(noise, a, z, ways)

    def given(x: Array) -> Array:
        return x[:, 0] if line else x

    gaussian, missing = _gaussian(BatchNoise(loss, gaussian=True), a, z, ways, found) if compared else (None, "not been looked at")
    if gaussian is not None:
        gaussian = GaussianPath(size * gaussian.action, given(gaussian.path), gaussian.is_least)
    if found is None:
        nothing = np.empty((0, loss.dim))
        return SGDActionPath(loss, size, a, z, given(nothing), np.empty(0), math.inf, math.inf, given(nothing), because, gaussian,
                             missing)
    return SGDActionPath(loss, size, a, z, given(found.path), size * found.work, size * found.action, size * found.chain_action,
                         given(found.crossings), "", gaussian, missing)


def _small_enough(loss: SampledLoss) -> SampledLoss:
    """Refuse a loss over more data than a search can look at."""
    if loss.n_samples * loss.dim > LARGEST:
        raise ValueError(f"`sde` is a loss over {loss.n_samples} samples with {loss.dim} weights, {loss.n_samples * loss.dim} numbers for "
                         f"each state of a path, but a search affords {LARGEST}; take fewer samples with `.take`.")
    return loss


def _batches(batch_size: int | None) -> int:
    if batch_size is None:
        raise ValueError("`batch_size` must be given with a loss over data: SGD's noise is that of its batches.")
    return whole("batch_size", batch_size)


def _least(noise: BatchNoise, a: Array, z: Array, ways: Sequence[Way]) -> tuple[LeastPath | None, str]:
    """The path, or why there is none."""
    try:
        return least_path(noise, a, z, ways), ""
    except (NoPath, SingularNoise) as failure:
        if (because := enclosure(noise, a, z)) is not None:
            return None, because
        if isinstance(failure, SingularNoise):
            raise
        raise ArithmeticError(f"from {shown(a)} to {shown(z)}, {failure}; nor was a closed surface between them found on which no sample's "
                              "gradient pushes outwards, so that it is not known whether escape is possible.") from None


def _gaussian(noise: BatchNoise, a: Array, z: Array, ways: Sequence[Way], found: LeastPath | None) -> tuple[GaussianPath | None, str]:
    """The path of the equation, or how much U is at most; if there is neither, why."""
    bounds = [] if found is None else [chain_action(noise, found.path)]
    try:
        own = least_path(noise, a, z, ways, MODEST)
        return GaussianPath(own.action, own.path, True), ""
    except (ArithmeticError, SingularNoise) as error:
        failure = error
    if noise.dim == 1 and isinstance(failure, Disagreement):        # the quadrature halves where C nearly vanishes, even steps miss it
        return GaussianPath(failure.found.action, failure.found.path, True), ""
    if isinstance(failure, Stray):
        bounds.append(failure.action)
    return (GaussianPath(min(bounds), np.empty((0, noise.dim)), False), "") if bounds else (None, _missing(noise, failure))


def _missing(noise: BatchNoise, failure: Exception) -> str:
    """Whether there is no path, as on a line that C is singular on, or none was found."""
    if noise.dim == 1 and isinstance(failure, (SingularNoise, NoPath)):
        return "no path either"
    reason = "C is singular on the way" if isinstance(failure, SingularNoise) else str(failure).rstrip(".")
    return f"no path that was found: {reason}"
