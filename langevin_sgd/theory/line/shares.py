"""Which panels matter: a passage problem in terms of whole panels, bounded from above.

Enough to tell what matters from what does not, also where a panel is far too wide for the exponentials in it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.line.ends import Fate
from langevin_sgd.theory.line.panels import Panels

Sides = tuple[Panels, Panels]
Shares = Callable[[Sides], list[Array]]     # for each side, about the logarithm of the share (K,) of the answer that hangs on a panel


def shares_of_time(sides: Sides, order: int = 1) -> list[Array]:
    """Return about the logarithm of the share (K,) of the moments up to `order` of the passage time that hangs on each panel."""
    low, high = (_Wholes.of(panels) for panels in sides)
    log_time = float(np.logaddexp(low.way[0] + high.total, high.way[0] + low.total))
    return [low.shares(high, log_time, order), high.shares(low, log_time, order)]


def shares_of_probability(sides: Sides) -> list[Array]:
    """Return the same for the probabilities of the ends."""
    return [whole.scale - whole.way[0] if whole.fate is not Fate.RETURN else np.full(len(whole.scale), -np.inf)
            for whole in (_Wholes.of(panels) for panels in sides)]


def shares_of_both(sides: Sides, order: int = 1) -> list[Array]:
    """Return the same for the passage time of the paths that leave through one of two ends."""
    return [np.maximum(a, b) for a, b in zip(shares_of_time(sides, order), shares_of_probability(sides), strict=True)]


def shares_of_mass(sides: Sides, log_weight: Callable[[Array], Array] | None = None) -> list[Array]:
    """Return the same for the integral of m, times a weight if one is given."""
    speeds = [panels.bounds(panels.highest_speed) + (log_weight(panels.nodes).max(axis=1) if log_weight else 0.0) for panels in sides]
    total = np.logaddexp.reduce(np.concatenate(speeds))
    return [speed - total if total > -np.inf else speed for speed in speeds]


@dataclass(frozen=True, eq=False)
class _Wholes:
    """One side in terms of whole panels, in logarithms.

    Attributes
    ----------
    fate
        What becomes of paths at its end.
    scale, way
        ∫ s over each panel (K,), and from each edge (K + 1,) to the end, taken as 1 where nothing leaves.
    speed, mass
        ∫ m and ∫ w m over each panel, (K,); where paths get lost, only those count that do not.
    onward, back
        ∫ s ∫ m and ∫ w m ∫ s within each panel, (K,), the inner integrals from the edge nearer to the start.
    """

    fate: Fate
    scale: Array
    way: Array
    speed: Array
    mass: Array
    onward: Array
    back: Array

    @classmethod
    def of(cls, panels: Panels) -> _Wholes:
        """Return the bounds on these panels."""
        fate, scale, speed = panels.end.fate, panels.bounds(panels.highest_scale), panels.bounds(panels.highest_speed)
        onward = panels.nested_bounds(panels.highest_speed, panels.highest_scale)
        back = panels.nested_bounds(panels.highest_scale, panels.highest_speed)
        if fate is Fate.RETURN:
            return cls(fate, scale, np.zeros(len(scale) + 1), speed, speed, onward, back)
        way = np.append(_sums(scale[::-1])[::-1], -np.inf)
        kept = way[:-1] - way[0] if fate is Fate.LOST else 0.0
        return cls(fate, scale, way, speed + kept, np.logaddexp(speed + way[1:], onward) + kept, onward + kept, back + way[:-1] + kept)

    @property
    def total(self) -> float:
        """∫ w m over all panels."""
        return float(np.logaddexp.reduce(self.mass, initial=-np.inf))

    def shares(self, other: _Wholes, log_time: float, order: int) -> Array:
        """Return the shares of the panels of this side in the moments, given the other; exp(log_time) is Q times the mean time."""
        present = self.mass + other.way[0] - log_time
        parts = [present]
        if self.fate is not Fate.RETURN:
            behind = np.append(-np.inf, _sums(self.speed)[:-1]) + other.way[0]
            parts.append(np.logaddexp(self.scale + np.logaddexp(other.total, behind), self.onward + other.way[0]) - log_time)
        if order > 1:
            # A rare excursion that lasts long counts with the power of the moment: how long, in mean times, it takes to get back across
            # a panel, and from there to the start.
            beyond = np.append(_sums(self.mass[::-1])[::-1][1:], -np.inf)[:len(present)]
            across = np.logaddexp(self.scale + beyond, self.back) - log_time
            home = np.maximum(_sums(across), 0.0)
            excursions = present + (order - 2) * home
            parts += [excursions + home, across + np.maximum.accumulate(excursions[::-1])[::-1]]
        return np.minimum(np.max(parts, axis=0), 0.0)


def _sums(logs: Array) -> Array:
    return np.logaddexp.accumulate(logs) if logs.size else logs
