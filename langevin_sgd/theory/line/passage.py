"""First passage out of a one-dimensional domain: moments of the time and probabilities of the ends, by quadrature in log space.

Let w_a(x) = ∫ s from x to the end a, taken as 1 towards an end through which nothing leaves, and m the speed density.  With a and b
the two ends and x between them, the solution of L u = −g that vanishes where paths leave is

    u(x) = [w_a(x) ∫_b^x w_b m g + w_b(x) ∫_x^a w_a m g] / Q ,     Q = w_a(x) + w_b(x), or 1 if nothing leaves through one of the ends

(`theory`, 8.1, with the outer integral done first).  Every term is positive and every w an integral of its own from its end, so
nothing is subtracted, and τ = exp(5000) is as accurate as τ = 1.  g = n T_{n−1} gives the moments; g = q T_{n−1} with the probability q
of an end, divided by q, those of the paths that leave through it.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.line.ends import Fate
from langevin_sgd.theory.line.shares import Sides
from langevin_sgd.theory.line.tails import remainder

LOW, HIGH = 0, 1


@dataclass(frozen=True, eq=False)
class Function:
    """The logarithm of a positive function of the state: at the start, and at the nodes of the lower and the upper side."""

    at_start: float
    at_nodes: tuple[Array, Array]

    def times(self, other: Function) -> Function:
        """Return the product with another function."""
        (low, high), (other_low, other_high) = self.at_nodes, other.at_nodes
        return Function(self.at_start + other.at_start, (low + other_low, high + other_high))

    def scaled(self, log_factor: float) -> Function:
        """Return the product with a number."""
        low, high = self.at_nodes
        return Function(self.at_start + log_factor, (low + log_factor, high + log_factor))


@dataclass(frozen=True, eq=False)
class Passage:
    """The passage problem on the panels of the two sides of a start.

    Attributes
    ----------
    sides
        The panels of the lower and the upper side.
    settled
        Which of two estimates of the tails beyond the panels is taken (see `tails.remainder`).
    """

    sides: Sides
    settled: bool = True

    @property
    def fates(self) -> tuple[Fate, Fate]:
        """What becomes of paths at the two ends."""
        return self.sides[LOW].end.fate, self.sides[HIGH].end.fate

    @functools.cached_property
    def one(self) -> Function:
        """The number 1."""
        return Function(0.0, (np.zeros_like(self.sides[LOW].slope), np.zeros_like(self.sides[HIGH].slope)))

    @functools.cached_property
    def ways(self) -> tuple[Function, Function]:
        """The functions w towards the two ends."""
        return self._way(LOW), self._way(HIGH)

    def _way(self, end: int) -> Function:
        if self.fates[end] is Fate.RETURN:
            return self.one
        near, far = self.sides[end], self.sides[1 - end]
        here, edges = near.inward(near.log_scale, remainder(near, near.log_scale, settled=self.settled))
        there, _ = far.outward(far.log_scale, before=float(edges[0]))
        return Function(float(edges[0]), (here, there) if end == LOW else (there, here))

    @property
    def log_q(self) -> float:
        """The logarithm of Q."""
        if Fate.RETURN in self.fates:
            return 0.0
        return float(np.logaddexp(self.ways[LOW].at_start, self.ways[HIGH].at_start))

    def probability(self, leaving: Sequence[int]) -> Function:
        """Return the probability q of leaving through one of these ends, where paths do leave."""
        if len(leaving) == 1 and self.fates[1 - leaving[0]] is not Fate.RETURN:
            return self.ways[1 - leaving[0]].scaled(-self.log_q)
        return self.one

    def solve(self, g: Function) -> Function:
        """Return u with L u = −g that vanishes where paths leave."""
        # Q divides the larger of the two ways, so that huge logarithms cancel before small ones are added to them.
        large = LOW if self.ways[LOW].at_start > self.ways[HIGH].at_start else HIGH
        ways = [way.scaled(-self.log_q) if end == large else way for end, way in enumerate(self.ways)]
        outer = [self._to_end(end, ways[end].times(g)) for end in (LOW, HIGH)]
        whole = [float(edges[0]) for _, edges in outer]
        inner = [self._from_start(end, ways[1 - end].times(g), whole[1 - end]) for end in (LOW, HIGH)]
        low, high = (np.logaddexp(ways[end].at_nodes[end] + inner[end], ways[1 - end].at_nodes[end] + outer[end][0])
                     for end in (LOW, HIGH))
        at_start = np.logaddexp(ways[LOW].at_start + whole[HIGH], ways[HIGH].at_start + whole[LOW])
        return Function(float(at_start), (low, high))

    def log_integral(self, f: Function) -> float:
        """Return ln ∫ m f over the domain."""
        return float(np.logaddexp(*(self._to_end(end, f)[1][0] for end in (LOW, HIGH))))

    def _to_end(self, end: int, f: Function) -> tuple[Array, Array]:
        """ln ∫ m f from nodes and edges of a side to its end."""
        panels = self.sides[end]
        log_f = panels.log_speed + f.at_nodes[end]
        return panels.inward(log_f, remainder(panels, log_f, settled=self.settled))

    def _from_start(self, end: int, f: Function, before: float) -> Array:
        """ln (∫ m f from the start to the nodes of a side + exp(before))."""
        panels = self.sides[end]
        return panels.outward(panels.log_speed + f.at_nodes[end], before)[0]

    def log_moments(self, order: int, given: Function) -> list[float]:
        """Return the logarithms of the raw moments 1 to `order` of the time, for paths that leave as `given` has the probability of."""
        u, logs = given, list[float]()
        for n in range(1, order + 1):
            if math.isfinite(u.at_start):           # what is infinite stays infinite
                u = self.solve(u).scaled(math.log(n))
            logs.append(u.at_start - given.at_start)
        return logs
