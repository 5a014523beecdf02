"""What counts as an escape: where a path starts, which saddle it crosses, and where it has arrived."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array, one_of, state
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.region import HalfSpace, Interval, Region
from langevin_sgd.models.roots import roots_between
from langevin_sgd.models.sde import SDE
from langevin_sgd.studies.time_scale import modes, steepness, time_step

REACH = 6.0             # how far beyond the saddle the next minimum is sought, in distances from start to saddle
RELAXATIONS = 200.0     # how long the drift is followed downhill, in the slowest relaxation time at start and saddle


@dataclass(frozen=True, eq=False)
class Passage:
    """One escape of one equation.

    Attributes
    ----------
    sde
        The equation.
    start, saddle, end
        Points (d,): the minimum, the saddle, and the next minimum (or, where the loss falls for ever, where it is back at its height at
        the start).
    counts
        "crossing": the time to the end.  "reaching": the time to the saddle, half as long.
    """

    sde: SDE
    start: Array
    saddle: Array
    end: Array
    counts: str

    @classmethod
    def of(cls, sde: SDE, start: Any, saddle: Any, end: Any = None, counts: str = "crossing") -> Passage:
        """Return the passage between points, or critical points, of an equation; `end` is found if None."""
        one_of("counts", counts, ("crossing", "reaching"))
        m, s = (state(name, _position(x), sde.dim) for name, x in (("start", start), ("saddle", saddle)))
        if np.array_equal(m, s):
            raise ValueError("`start` and `saddle` are the same point; give the minimum to leave and the saddle to leave it over.")
        e = state("end", _position(end), sde.dim) if end is not None else _next_minimum(sde, m, s)
        if not (e - s) @ (e - m if sde.dim > 1 else s - m) > 0:
            raise ValueError(f"`end` is {e.tolist()}, but must lie beyond the saddle {s.tolist()} as seen from the start {m.tolist()}.")
        return cls(sde, m, s, e, counts)

    @property
    def target(self) -> Array:
        """Where the clock stops."""
        return self.end if self.counts == "crossing" else self.saddle

    @property
    def axis(self) -> int | None:
        """The one component in which start, saddle and end differ, if that is so."""
        moving = np.flatnonzero((self.saddle != self.start) | (self.end != self.start))
        return int(moving[0]) if len(moving) == 1 else None

    def domain(self) -> Region:
        """Return the region that the escape leaves: up to the target, or the plane through it across the way."""
        if self.sde.dim == 1:
            return _interval(float(self.start[0]), float(self.target[0]))
        way = self.target - self.start
        normal = way / np.linalg.norm(way)
        return HalfSpace(normal, float(normal @ self.target), label="end" if self.counts == "crossing" else "saddle")

    def along_axis(self) -> Passage | None:
        """Return the same passage in one dimension, if the component that moves is an equation by itself."""
        if self.sde.dim == 1:
            return self
        k = self.axis
        part = self.sde.component(k) if k is not None else None
        if part is None or k is None:
            return None
        return Passage(part, self.start[[k]], self.saddle[[k]], self.end[[k]], self.counts)

    def time_step(self) -> float:
        """Return a time step whose bias is half a per cent: what a step changes is of the order of dt times the curvatures."""
        return time_step(*(steepness(self.sde, x) for x in (self.start, self.saddle)))

    def __str__(self) -> str:
        points = [np.array2string(x if len(x) > 1 else x[0], precision=4) for x in (self.start, self.saddle, self.end)]
        return (f"{points[0]} over {points[1]} to {points[2]}" if self.counts == "crossing" else f"{points[0]} to the saddle {points[1]}")


def _position(x: Any) -> Any:
    return x.x if isinstance(x, CriticalPoint) else x


def _interval(start: float, target: float) -> Interval:
    return Interval(high=target) if target > start else Interval(low=target)


def _next_minimum(sde: SDE, start: Array, saddle: Array) -> Array:
    """The minimum beyond the saddle; where there is none, the place where the loss is back at its height at the start."""
    if sde.dim > 1:
        return _downhill(sde, start, saddle)
    m, s = float(start[0]), float(saddle[0])
    way = math.copysign(1.0, s - m)
    first, last = s + way * 1e-6 * abs(s - m), s + way * REACH * abs(s - m)
    low, high = min(first, last), max(first, last)

    def outward(x: Any) -> Array:
        return way * sde.evaluate(sde.drift_field, np.asarray(x, float)[..., None])[..., 0]

    def attracts(x: float) -> bool:
        """Whether the drift leads to a zero; from the saddle itself, if it was given in a few digits, it leads away."""
        beside = 1e-6 * abs(s - m)
        return float(outward(x - way * beside)) > 0 > float(outward(x + way * beside))

    zeros = [x for x in roots_between(outward, low, high, sde.kinks(low, high)) if attracts(x)]
    if zeros:
        return np.array([min(zeros, key=lambda x: abs(x - s))])
    if sde.landscape is not None:
        loss = sde.landscape
        level = roots_between(lambda x: loss(x) - loss(m), low, high)
        if level:
            return np.array([min(level, key=lambda x: abs(x - s))])
    raise ValueError(f"no minimum was found beyond the saddle {s:g}; give `end`, where an escape has arrived.")


def _downhill(sde: SDE, start: Array, saddle: Array) -> Array:
    """Where the drift leads from just beyond the saddle."""
    from scipy.integrate import solve_ivp

    def flow(_: float, x: Array) -> Array:
        return sde.evaluate(sde.drift_field, x[None])[0]

    beyond = saddle + 1e-3 * (saddle - start)
    slowest = max(1e-3, min(np.abs(modes(sde, sde.drift_field, x).real).min() for x in (start, saddle)))
    path = solve_ivp(flow, (0.0, RELAXATIONS / slowest), beyond, method="LSODA", rtol=1e-10, atol=1e-12)
    end = path.y[:, -1]
    if not np.isfinite(end).all() or np.linalg.norm(flow(0.0, end)) > 1e-6 * np.linalg.norm(saddle - start):
        raise ValueError(f"no minimum was found downhill of the saddle {saddle.tolist()}; give `end`, where an escape has arrived.")
    return np.where(np.abs(end) < 1e-9 * np.linalg.norm(saddle - start), 0.0, end)
