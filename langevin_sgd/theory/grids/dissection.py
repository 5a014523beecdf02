"""The order in which the states of a jump process in space are taken out, so that little is linked to much: nested dissection.

A slab of cells, as thick as the longest jump, parts the others into two sets between which there are no jumps.  The sets are taken out
first, each in the same way, the slab last (A. George, SIAM J. Numer. Anal. 10, 345 (1973)).  With N cells, elimination then costs about
N^1.5 in the plane and N² in space, where a band costs N² and N^(7/3), and N log N and N^(4/3) numbers are kept.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from langevin_sgd.theory.grids.grid import Whole

LEAF = 64               # so many states are no longer parted


@dataclass(frozen=True, eq=False)
class Front:
    """States that are taken out together, and those that they are linked to by then.

    Attributes
    ----------
    start, stop
        The states, by their place in the order.
    rest
        Places (f,), ascending, of the later states with which they, or what was taken out before, share jumps.
    children
        The fronts that hand on to this one what they leave.
    """

    start: int
    stop: int
    rest: Whole
    children: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many states are taken out."""
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Dissection:
    """An order of all states, and the fronts in which they are taken out.

    Attributes
    ----------
    order
        The states (n,), first those that are taken out first.
    place
        Of every state (n,) in that order.
    fronts
        In the same order; a front comes after its children.
    """

    order: Whole
    place: Whole
    fronts: tuple[Front, ...]

    @property
    def front_of(self) -> Whole:
        """The index of the front (n,) for every place in the order."""
        return np.repeat(np.arange(len(self.fronts)), [front.size for front in self.fronts])

    @property
    def operations(self) -> float:
        """How many multiplications the elimination takes."""
        return float(sum((k := front.size)**3 + k * k * (f := len(front.rest)) + k * f * f for front in self.fronts))

    @property
    def bytes(self) -> float:
        """The largest memory that the elimination holds at a time: what is kept of fronts, and what waits to be handed on."""
        kept = waiting = most = 0.0
        for front in self.fronts:
            k, f = front.size, len(front.rest)
            most = max(most, kept + waiting + (k + f)**2 + 2.0 * k * k + 2.0 * f * f)
            kept += k * k + 2.0 * k * f
            waiting += f * f - sum(len(self.fronts[child].rest)**2 for child in front.children)
        return 8 * most


def dissect(cells: Whole, source: Whole, target: Whole, leaf: int = LEAF) -> Dissection:
    """Return the order for states at cells (n, d), given by their numbers along the axes, with these jumps; `leaf` are not parted."""
    reach = np.abs(cells[source] - cells[target]).max(axis=0, initial=1)
    owned: list[Whole] = []
    children: list[tuple[int, ...]] = []

    def part(states: Whole) -> int:
        halves = _parted(cells, states, reach) if len(states) > leaf else None
        mine, below = (states, ()) if halves is None else (halves[1], (part(halves[0]), part(halves[2])))
        owned.append(mine)
        children.append(below)
        return len(owned) - 1
    part(np.arange(len(cells)))
    order = np.concatenate(owned)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    stops = np.cumsum([len(states) for states in owned])
    return Dissection(order, place, _fronts(stops, children, place[source], place[target]))


def _parted(cells: Whole, states: Whole, reach: Whole) -> tuple[Whole, Whole, Whole] | None:
    """Before, in and after the smallest slab through the middle along one of the axes; None if no slab leaves both sides something."""
    best = None
    for along, thickness in zip(cells[states].T, reach, strict=True):
        first = int(np.median(along)) - (thickness - 1) // 2
        before, after = along < first, along >= first + thickness
        slab = ~(before | after)
        if before.any() and after.any() and (best is None or slab.sum() < best[1].sum()):
            best = before, slab, after
    return None if best is None else (states[best[0]], states[best[1]], states[best[2]])


def _fronts(stops: Whole, children: Sequence[tuple[int, ...]], source: Whole, target: Whole) -> tuple[Front, ...]:
    """The fronts, from the places of states in the order: each is linked to what its jumps and its children's reach beyond it."""
    low, high = np.minimum(source, target), np.maximum(source, target)
    of = np.searchsorted(stops, low, side="right")
    beyond = high >= stops[of]
    of, high = of[beyond], high[beyond]
    by_front = np.argsort(of, kind="stable")
    cuts = np.searchsorted(of[by_front], np.arange(len(stops) + 1))
    fronts: list[Front] = []
    for k, stop in enumerate(stops):
        linked = np.concatenate([high[by_front[cuts[k]:cuts[k + 1]]], *(fronts[child].rest for child in children[k])])
        fronts.append(Front(int(stops[k - 1]) if k else 0, int(stop), np.unique(linked[linked >= stop]), children[k]))
    return tuple(fronts)
