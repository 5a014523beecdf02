"""The top Lyapunov exponent of SGD near a critical point: the rate at which almost every path comes nearer, or goes away.

Where all Hessians have their axes in common, it is the largest E ln |1 − η h| along one of them.  Else vectors are multiplied by random
steps, and the growth of their logarithm is averaged over independent runs.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from langevin_sgd.models.key import Key
from langevin_sgd.theory.sgd.batch_law import BatchLaw, batch_law
from langevin_sgd.theory.sgd.sample_curvatures import SampleCurvatures
from langevin_sgd.theory.sgd.second_moments import mean_radius

RUNS = 32
FIRST_STEPS = 64
PRECISE = 0.01                  # standard error, relative to the exponent, that is small enough
TOLD = 5.0                      # standard errors from zero that tell the sign
WORK = {"value": 600_000_000, "sign": 150_000_000}      # multiplications that are spent on either; to draw a sample, and to end a step,
DRAW, STEP = 8, 24                                      # take as long as so many


@dataclass(frozen=True)
class Exponent:
    """A Lyapunov exponent per step, its standard error (0 where exact), and how it was found."""

    value: float
    error: float
    method: str

    @property
    def sign(self) -> int:
        """−1 or 1, or 0 where the error does not tell."""
        return int(np.sign(self.value)) if abs(self.value) > TOLD * self.error else 0


@dataclass(frozen=True, eq=False)
class RandomProduct:
    """The product of random steps near a critical point.

    Attributes
    ----------
    samples
        The Hessians.
    batch_size, sampling, momentum
        B, "iid" or "without", μ.
    key
        For products that are simulated.
    """

    samples: SampleCurvatures
    batch_size: int
    sampling: str
    momentum: float
    key: Key

    @cached_property
    def laws(self) -> tuple[BatchLaw, ...] | None:
        """The law of the curvature of a batch along each common axis; None where there are none, or a law can be sampled only."""
        values = self.samples.commuting() if self.momentum == 0 else None
        if values is None:
            return None
        found = [batch_law(column, self.batch_size, self.sampling) for column in values.T]
        return tuple(law for law in found if law is not None) if None not in found else None

    @property
    def is_random(self) -> bool:
        """Whether batches differ."""
        whole = self.sampling == "without" and self.batch_size == self.samples.n_samples
        return not (whole or self.samples.all_alike)

    @property
    def is_exact(self) -> bool:
        """Whether nothing has to be simulated."""
        return not self.is_random or self.laws is not None

    def exponent(self, rate: float, wanted: str = "value") -> Exponent:
        """Return the exponent at a learning rate; with wanted="sign" only as well as its sign needs."""
        if not self.is_random:
            radius = mean_radius(self.samples.curvatures, rate, self.momentum)
            return Exponent(math.log(radius) if radius > 0 else -math.inf, 0.0, "one step for all batches")
        if self.laws is None:
            return self._simulated(rate, wanted)
        value, error = max(law.mean_log(rate) for law in self.laws)
        counted = all(law.is_exact for law in self.laws)
        return Exponent(value, error, "all batches" if counted else "lattice of batches")

    def _simulated(self, rate: float, wanted: str) -> Exponent:
        """The mean growth of 32 runs: each round takes as many steps as all before, of which the directions have then been forgotten."""
        from langevin_sgd.core.random_products import start_products, stretch
        s, k = self.samples, self.samples.n_directions
        vectors, pulls = np.random.default_rng(self.key.value).normal(size=(RUNS, k)), np.zeros((RUNS, k))
        states, grown = np.empty((RUNS, 4), np.uint64), np.empty(RUNS)
        start_products(*map(np.uint64, self.key.words), states)
        without = self.sampling == "without"
        order = np.tile(np.arange(s.n_samples), (RUNS, 1)) if without else np.empty((RUNS, 0), np.int64)
        cost = RUNS * (self.batch_size * (DRAW + k * (k if len(s.matrices) else 2)) + STEP)
        steps, spent = FIRST_STEPS, 0
        while True:
            stretch(s.matrices, s.rows, s.signs, s.constant, rate, self.momentum, self.batch_size, without, steps, vectors, pulls, states,
                    order, grown)
            if np.isneginf(grown).any():
                return Exponent(-math.inf, 0.0, "a step takes paths to the point itself")
            value, error = float(grown.mean()) / steps, float(grown.std(ddof=1)) / math.sqrt(RUNS) / steps
            spent += cost * steps
            enough = abs(value) > TOLD * error if wanted == "sign" else error <= PRECISE * abs(value)
            if spent > FIRST_STEPS * cost and (enough or 3 * spent > WORK[wanted]):
                return Exponent(value, error, f"{RUNS} products of {steps} random steps")
            steps = spent // cost
