"""The piece of a one-dimensional domain in which a start lies, and what its two ends are."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.region import Face, Region, boundary
from langevin_sgd.models.roots import roots_between
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.coefficients import diffusion, drift
from langevin_sgd.theory.line.vanishing import first_singularity

FARTHEST = 1e150                # panels towards an infinite end go this far at most,
NEAREST = 1e-150                # towards a singular end at 0 this near,
NEAREST_RELATIVE = 2.0**-26     # and elsewhere this near, relative to where it is: floats x are too coarse to go further
WINDOWS = (0.1, 10.0, 1e3, 1e5, 1e8, 1e12)      # where zeros of a level are sought, in units of the size of the start
GUESSES = (0.0, 1.0, -1.0, 0.1, -0.1, 10.0, -10.0, 100.0, -100.0)
KINK_WINDOW = 64.0              # where kinks are sought on the way to an infinite end, in the same units


class Fate(Enum):
    """What becomes of paths at an end."""

    LEAVE = "they leave"
    RETURN = "they come back"
    LOST = "they are never seen again"


@dataclass(frozen=True)
class Verdict:
    """A fate, a sentence on it where it is not what was asked for, and whether paths come back, but after an infinite mean time."""

    fate: Fate
    sentence: str = ""
    is_slow: bool = False


@dataclass(frozen=True)
class End:
    """One end of the piece of the domain in which the start lies.

    Attributes
    ----------
    at
        Where it is; may be infinite.
    start
        Where the path starts.
    sign
        +1 for the upper end, −1 for the lower one.
    label
        What exits through this end are called; "" where no path ends.
    reflects
        Whether it was declared to give paths back.
    cause
        Why the domain ends there, where it is not the region that ends: "the noise vanishes", "the drift diverges".
    is_open
        Whether it is infinite, or drift over noise is singular there: panels approach such an end and never reach it.
    kinks
        Where pieces of drift or noise meet on the way.
    size
        The scale on which a far end is approached.
    verdict
        What becomes of paths there; None until a first look was taken (see `fates.first_look`).
    """

    at: float
    start: float
    sign: int
    label: str = ""
    reflects: bool = False
    cause: str = ""
    is_open: bool = True
    kinks: tuple[float, ...] = ()
    size: float = 1.0
    verdict: Verdict | None = None

    @property
    def fate(self) -> Fate:
        """What becomes of paths there."""
        assert self.verdict is not None, "This is a bug: no look was taken at an open end."
        return self.verdict.fate

    @property
    def is_slow(self) -> bool:
        """Tell whether paths come back from there, but after an infinite mean time."""
        return self.verdict is not None and self.verdict.fate is Fate.RETURN and self.verdict.is_slow

    @property
    def side(self) -> str:
        """The side of the start on which this end lies."""
        return "high" if self.sign > 0 else "low"

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if math.isfinite(self.at):
            return f"x = {self.at:.10g}"
        return "infinity" if self.sign > 0 else "minus infinity"

    def approach(self, beyond: float, count: int) -> Array:
        """Return the next `count` points of a sequence that doubles the distance to the start, or halves that to a finite end.

        Fewer where the next one would be out of the reach of floats.
        """
        if math.isinf(self.at):
            passed = abs(beyond - self.start) / self.size
            first = -2 if passed == 0 else math.floor(math.log2(passed) + 1e-9) + 1
            return self._octaves(first, count, FARTHEST)
        first = math.floor(1e-9 - math.log2((self.at - beyond) / (self.at - self.start))) + 1
        distance = abs(self.start - self.at) * 2.0 ** -np.arange(first, min(first + count, 999), dtype=float)
        return self.at - self.sign * distance[distance > max(NEAREST, NEAREST_RELATIVE * abs(self.at))]


    def before(self, limit: float) -> Array:
        """Return all points of the sequence that doubles the distance to the start, as far as a limit."""
        return self._octaves(-2, 999, abs(limit - self.start))

    def _octaves(self, first: int, count: int, limit: float) -> Array:
        with np.errstate(over="ignore"):
            distance = self.size * 2.0 ** np.arange(first, min(first + count, 999))
        return self.start + self.sign * distance[distance < limit]


def ends_around(sde: SDE, region: Region, x0: float, *, exits: bool = True) -> tuple[End, End]:
    """Return the lower and the upper end of the piece of a region in which x0 lies; without exits, these ends give paths back.

    Raises
    ------
    ValueError
        If D is not positive at x0, or vanishes between x0 and an exit.
    """
    d = float(diffusion(sde, np.array(x0)))
    if not d > 0:
        raise ValueError(f"D = ε C / 2 is {d:g} at `x0` = {x0:g}, but must be positive there: nothing moves without noise.")
    ends = [_boundary_end(sde, region, x0, sign) for sign in (-1, 1)]
    if not exits:
        ends = [replace(end, label="", reflects=math.isfinite(end.at)) for end in ends]
    size = min([abs(end.at - x0) for end in ends if end.at != x0] + [max(1.0, abs(x0))])
    low, high = (_with_noise(sde, replace(end, size=size)) for end in ends)
    return low, high


def exits_at(sde: SDE, region: Region, x0: float) -> tuple[str, ...]:
    """Return the names of the exit on which x0 lies exactly: its label, and its side; none if x0 is inside.

    Raises
    ------
    ValueError
        If x0 is outside.
    """
    least, label = _least_height(sde, region, x0)
    if least < 0:
        raise ValueError(f"`x0` is {x0:g}, which lies outside the domain {region!r}; start inside it.")
    if least > 0:
        return ()
    nearby = 1e-9 * max(1.0, abs(x0))
    return label, *(side for side, step in (("low", nearby), ("high", -nearby)) if _least_height(sde, region, x0 + step)[0] > 0)


def exit_names(sde: SDE, region: Region) -> list[str]:
    """Return all names that an exit of a region may be called by."""
    return list(dict.fromkeys([*(face.label for wall in boundary(region, sde.variables) for face in wall), "low", "high"]))


def point_inside(sde: SDE, region: Region) -> float:
    """Return a point of a region where D is positive: between its known ends, or the first of a few numbers around 0."""
    faces = [face for wall in boundary(region, sde.variables) for face in wall]
    known = sorted({face.at for face in faces if face.at is not None} | {mirror.at for mirror in region.reflections})
    between = [(a + b) / 2 for a, b in itertools.pairwise(known)]
    around = [known[0] - 1, known[-1] + 1] if known else []
    for x in (*between, *around, *GUESSES):
        if _least_height(sde, region, x)[0] > 0 and diffusion(sde, np.array(x)) > 0:
            return x
    raise ValueError(f"no point with D = ε C / 2 > 0 was found inside the domain {region!r}; name its ends as an Interval.")


def _least_height(sde: SDE, region: Region, x: float) -> tuple[float, str]:
    """The level of a region at a point, and the label of the part of the boundary that decides it."""
    walls = [max((_height(face, sde, x), face.label) for face in wall) for wall in boundary(region, sde.variables)]
    mirrors = [(-math.inf, "") for mirror in region.reflections if mirror.sign * (x - mirror.at) < 0]
    return min([*walls, *mirrors], default=(math.inf, ""))


# ------------------------------------------------------------------------------------------------- the region's own ends

def _boundary_end(sde: SDE, region: Region, x0: float, sign: int) -> End:
    """The end on one side as the region has it."""
    at, label = _first_exit(sde, region, x0, sign)
    mirrors = [r.at for r in region.reflections if r.sign == -sign]
    nearest = min(mirrors, key=lambda mirror: sign * mirror, default=None)
    if nearest is not None and sign * nearest <= sign * at:
        return End(nearest, x0, sign, reflects=True)
    return End(at, x0, sign, label)


def _first_exit(sde: SDE, region: Region, x0: float, sign: int) -> tuple[float, str]:
    """The nearest point in one direction beyond which the region ends, and its label; ±infinity and "" if there is none."""
    walls = boundary(region, sde.variables)
    faces = [face for wall in walls for face in wall]
    sought = [face for face in faces if face.at is None]
    size = max(1.0, abs(x0))
    for window in ((*WINDOWS, math.inf) if sought else (math.inf,)):
        limit = x0 + sign * window * size
        known = [(face.at, face.label) for face in faces if face.at is not None and 0 < sign * (face.at - x0) < window * size]
        if math.isfinite(limit):
            known += [(root, face.label) for face in sought for root in _roots(face, sde, x0, limit) if root != x0]
        known.sort(key=lambda crossing: sign * crossing[0])
        for (at, label), (following, _) in itertools.pairwise([*known, (limit, "")]):
            probe = (at + following) / 2 if math.isfinite(following) else at + sign * max(1.0, abs(at))
            if any(all(_height(face, sde, probe) <= 0 for face in wall) for wall in walls):
                return at, label
    return sign * math.inf, ""


def _height(face: Face, sde: SDE, x: float) -> float:
    return float(_level(face, sde)(np.array(x)))


def _level(face: Face, sde: SDE) -> Callable[[Array], Array]:
    """The level of a face as a function of x alone."""
    values = {**sde.values, **face.values}
    level = face.level.vector(tuple(values))
    return lambda x: level(np.asarray(x, dtype=float)[..., None], 0.0, tuple(values.values()))


def _roots(face: Face, sde: SDE, x0: float, limit: float) -> list[float]:
    return roots_between(_level(face, sde), min(x0, limit), max(x0, limit))


# -------------------------------------------------------------------------------------------- what the noise makes of them

def _with_noise(sde: SDE, end: End) -> End:
    """The end with kinks on the way, cut short where D vanishes or f diverges, and not open if nothing is singular there."""
    if end.at == end.start:
        return replace(end, is_open=False, verdict=Verdict(Fate.RETURN))
    limit = end.at if math.isfinite(end.at) else end.start + end.sign * KINK_WINDOW * end.size
    end = replace(end, kinks=tuple(sde.kinks(min(end.start, limit), max(end.start, limit))))
    singular = first_singularity(sde, end.start, end.at, end.size, end.kinks)
    if singular is not None and abs(singular.at - end.at) > 1e-8 * end.size:
        if end.label:
            raise ValueError(f"{singular.cause} at x = {singular.at:.10g}, between `x0` = {end.start:g} and the exit {end.label!r} at "
                             f"{end.at:g}, but D = ε C / 2 must be positive and the drift finite there; end the domain before that point, "
                             "or add a floor to the noise.")
        return replace(end, at=singular.at, cause=singular.cause, reflects=False)
    if math.isinf(end.at) or _is_singular(sde, end):
        return end
    return replace(end, is_open=False, verdict=Verdict(Fate.RETURN if end.reflects else Fate.LEAVE))


def _is_singular(sde: SDE, end: End) -> bool:
    """Tell whether drift over D has no finite value at a finite end."""
    x = np.array([end.at, end.at + 1e-3 * (end.start - end.at)])
    f, d = drift(sde, x), diffusion(sde, x)
    return not (np.isfinite(f[0]) and d[0] > 1e-12 * d[1])
