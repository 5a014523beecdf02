"""Minibatch SGD near a critical point of a loss over data: the Hessians there, and how batches of them are drawn."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import finite, not_negative, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss, sampled
from langevin_sgd.theory.sgd.lyapunov import RandomProduct
from langevin_sgd.theory.sgd.minibatch_moments import batch_factor
from langevin_sgd.theory.sgd.sample_curvatures import SampleCurvatures, sample_curvatures
from langevin_sgd.theory.sgd.second_moments import SecondMoments


@dataclass(frozen=True)
class Batches:
    """How batches are drawn and steps are made: B, "iid" or "without", momentum μ and weight decay γ; checked."""

    size: int
    sampling: str = "iid"
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole("batch_size", self.size))
        object.__setattr__(self, "momentum", finite("momentum", self.momentum))
        object.__setattr__(self, "weight_decay", not_negative("weight_decay", self.weight_decay))
        if not 0 <= self.momentum < 1:
            raise ValueError(f"`momentum` is {self.momentum:g}, but must be at least 0 and below 1.")

    def __str__(self) -> str:
        more = "".join(f", {name} {value:g}" for name, value in (("momentum", self.momentum), ("weight decay", self.weight_decay)) if value)
        return f"batch size {self.size} {self.sampling}{more}"


@dataclass(frozen=True, eq=False)
class LinearisedSGD:
    """SGD near a critical point, at any learning rate.

    Attributes
    ----------
    samples
        The Hessians of all samples there, weight decay added.
    batches
        How batches are drawn and steps are made.
    key
        For products that are simulated.
    """

    samples: SampleCurvatures
    batches: Batches
    key: Key

    @classmethod
    def of(cls, loss: SampledLoss, at: ArrayLike | CriticalPoint, batches: Batches, rng: Any) -> LinearisedSGD:
        """Look at a loss at the critical point near `at`."""
        batch_factor(sampled(loss).n_samples, batches.size, batches.sampling)           # refuses what it does not know
        return cls(sample_curvatures(loss, at, batches.weight_decay), batches, Key.draw(rng))

    @cached_property
    def second_moments(self) -> SecondMoments:
        """The recursion of second moments."""
        share = batch_factor(self.samples.n_samples, self.batches.size, self.batches.sampling)
        return SecondMoments(self.samples, share, self.batches.momentum)

    @cached_property
    def product(self) -> RandomProduct:
        """The product of random steps."""
        return RandomProduct(self.samples, self.batches.size, self.batches.sampling, self.batches.momentum, self.key)
