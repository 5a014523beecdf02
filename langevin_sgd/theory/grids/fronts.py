"""Elimination without subtraction by blocks, for processes too large for a band: what is taken out of the process are fronts of states.

A front K is linked to the rest F by rates q.  With the mean times G = (diag(s) − q_KK)⁻¹ that paths spend in K before they leave it,
s = kill + what leaves, what remains once K is taken out has the rates and kills

    q_FF + q_FK G q_KF,      kill_F + q_FK G kill_K

so that again only products and sums of positive numbers occur, now of whole matrices (A. S. Alfa, J. Xue & Q. Ye, Math. Comp. 71, 217
(2002), on G).  A front's returns to itself, on the diagonal, are never read.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.dissection import Dissection, Front
from langevin_sgd.theory.grids.elimination import compiled
from langevin_sgd.theory.grids.grid import Whole

SMALL = 32              # states that are taken out one by one
LARGE = 1e200           # of an entry of a law: the law is then made smaller


class NothingLeavesError(ArithmeticError):
    """From some states of a process that should end, nothing leaves."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is kept of a front: G (k, k), the rates q_KF (k, f), and q_FK G (f, k), the mean times in K per time in F."""

    inside: Array
    onward: Array
    back: Array


@dataclass(frozen=True, eq=False)
class Fronts:
    """A process that ends, after elimination front by front."""

    dissection: Dissection
    parts: tuple[Part, ...]

    ends = True           # the process ends from everywhere, else there would have been an error

    @property
    def bytes(self) -> float:
        """The memory of what is kept."""
        return float(sum(part.inside.nbytes + part.onward.nbytes + part.back.nbytes for part in self.parts))

    def solve(self, source: Array) -> Array:
        """Return t with Σ_j q_ij (t_i − t_j) + kill_i t_i = source_i ≥ 0."""
        r, t = source[self.dissection.order], np.empty(len(source))
        with np.errstate(over="ignore", invalid="ignore"):          # the caller tells what is not finite
            for front, part in self._up():
                r[front.rest] += part.back @ r[front.start:front.stop]
            for front, part in self._down():
                t[front.start:front.stop] = part.inside @ (r[front.start:front.stop] + part.onward @ t[front.rest])
        return np.asarray(t[self.dissection.place])

    def solve_transposed(self, source: Array) -> Array:
        """Return the mean times p spent in each state, p_i (kill_i + Σ_j q_ij) − Σ_j p_j q_ji = source_i ≥ 0.

        Where some are so large that they would overflow, all are smaller by one factor.
        """
        s, p = source[self.dissection.order], np.zeros(len(source))
        with np.errstate(over="ignore", invalid="ignore"):
            for front, part in self._up():
                s[front.rest] += s[front.start:front.stop] @ part.inside @ part.onward
            for front, part in self._down():
                here = s[front.start:front.stop] @ part.inside + p[front.rest] @ part.back
                p[front.start:front.stop] = here
                if here.max(initial=0.0) > LARGE:
                    p, s = p / LARGE, s / LARGE
        return np.asarray(p[self.dissection.place])

    def _up(self) -> Iterator[tuple[Front, Part]]:
        return zip(self.dissection.fronts, self.parts, strict=True)

    def _down(self) -> Iterator[tuple[Front, Part]]:
        return zip(reversed(self.dissection.fronts), reversed(self.parts), strict=True)


def eliminate_fronts(dissection: Dissection, source: Whole, target: Whole, rate: Array, kill: Array) -> Fronts:
    """Return the process after elimination.

    Raises
    ------
    NothingLeavesError
        If there are states from which the process does not end.
    """
    at, killed = dissection.front_of, kill[dissection.order].astype(float)
    i, j = dissection.place[source], dissection.place[target]
    by_front = np.argsort(at[np.minimum(i, j)], kind="stable")
    i, j, q = i[by_front], j[by_front], rate[by_front]
    cuts = np.searchsorted(at[np.minimum(i, j)], np.arange(len(dissection.fronts) + 1))
    waiting: dict[int, Array] = {}
    parts = []
    for number, front in enumerate(dissection.fronts):
        rates = _assembled(dissection, front, waiting)
        mine = slice(cuts[number], cuts[number + 1])
        np.add.at(rates, (_local(front, i[mine]), _local(front, j[mine])), q[mine])
        k = front.size
        onward, towards = rates[:k, k:].copy(), rates[k:, :k]
        with np.errstate(over="ignore", invalid="ignore"):          # answers tell what is not finite
            inside = mean_times(rates[:k, :k], killed[front.start:front.stop] + onward.sum(axis=1))
            back = towards @ inside
            if len(front.rest):
                waiting[number] = rates[k:, k:] + back @ onward
                killed[front.rest] += back @ killed[front.start:front.stop]
        parts.append(Part(inside, onward, back))
    return Fronts(dissection, tuple(parts))


def _assembled(dissection: Dissection, front: Front, waiting: dict[int, Array]) -> Array:
    """The rates among the states of a front and its rest that come from what was taken out before."""
    m = front.size + len(front.rest)
    rates = np.zeros((m, m))
    for child in front.children:
        if child in waiting:
            at = _local(front, dissection.fronts[child].rest)
            rates[np.ix_(at, at)] += waiting.pop(child)
    return rates


def _local(front: Front, places: Whole) -> Whole:
    """The row of a state in the matrix of a front."""
    return np.where(places < front.stop, places - front.start, front.size + np.searchsorted(front.rest, places))


def mean_times(rates: Array, kill: Array) -> Array:
    """Return the mean times (n, n) in each state, for each start, before a process ends.

    The diagonal of `rates` is not read.  By halves: the first is taken out of the process, then put back in.

    Raises
    ------
    NothingLeavesError
        If it does not end from everywhere.
    """
    n = len(rates)
    if n <= SMALL:
        times, ends = _mean_times(rates.copy(), kill.copy())
        if not ends:
            raise NothingLeavesError
        return np.asarray(times)
    h = n // 2
    onward = rates[:h, h:]
    first = mean_times(rates[:h, :h], kill[:h] + onward.sum(axis=1))
    back, ahead = rates[h:, :h] @ first, first @ onward
    second = mean_times(rates[h:, h:] + back @ onward, kill[h:] + back @ kill[:h])
    times = np.empty((n, n))
    times[h:, h:] = second
    times[h:, :h] = second @ back
    times[:h, h:] = ahead @ second
    times[:h, :h] = first + ahead @ times[h:, :h]
    return times


@compiled
def _mean_times(rates: Array, kill: Array) -> tuple[Array, bool]:
    n = len(rates)
    times = np.eye(n)
    for k in range(n - 1, -1, -1):
        total = kill[k]
        for j in range(k):
            total += rates[k, j]
        if total == 0.0:
            return times, False
        for i in range(k):
            share = rates[i, k] / total
            if share > 0.0:
                for j in range(k):
                    rates[i, j] += share * rates[k, j]
                kill[i] += share * kill[k]
                for j in range(k, n):
                    times[i, j] += share * times[k, j]
        for j in range(k):
            rates[k, j] /= total
        for j in range(k, n):
            times[k, j] /= total
    for k in range(n):
        for i in range(k):
            for j in range(n):
                times[k, j] += rates[k, i] * times[i, j]
    return times, True
