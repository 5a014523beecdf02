"""Where in its last step a path left: time, point and label of every exit, from the states before and after it.

The kernel says only in which step a path left.  What is drawn here comes from uniform numbers of the path's own, so that the result does
not depend on how the ensemble was run.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.region import Face
from langevin_sgd.simulation.assembly import Assembly

FAR = 3.0               # a step by drift beyond this many times the distance to the boundary and three standard deviations is no exit, ...
UNSTABLE = 2.0          # ... if the drift changed over it by more than Euler's scheme can follow: h |Δb| > 2 |Δx|
NEWTON = 4              # corrections that bring the exit point onto a curved boundary, ...
FURTHER = 16            # ... and those that seek the nearest point of it where they do not
CLOSE = 1e-9            # how near to zero the level of an exit point is, in terms of its size within the step
REACH = 8.0             # an exit point lies within so many lengths of the step
BISECTIONS = 60

LABEL, ROOT_NORMAL, WHICH_ROOT, TANGENTIAL = 0, 1, 2, 3      # columns of the uniform numbers
N_UNIFORMS = 3                                              # and one more for each component


@dataclass(frozen=True)
class Exits:
    """Exits of some paths.

    Attributes
    ----------
    fraction
        The place of the exit within the step, in (0, 1]: 1 for discrete monitoring.
    point
        The exit points (path, d), on the boundary for continuous monitoring.
    label
        The index of each exit's face in `labels`.
    diverged
        Whether the path blew up instead.
    """

    fraction: Array
    point: Array
    label: NDArray[np.int64]
    diverged: NDArray[np.bool_]


def uniforms_needed(made: Assembly, *, bridge: bool) -> int:
    """Return how many uniform numbers the exit of a path takes: the first so many of its columns."""
    if not bridge:
        return N_UNIFORMS if len(made.walls) > 1 else 0
    return N_UNIFORMS + (0 if all(map(_is_point, made.walls)) else made.sde.dim)


def labels_of(made: Assembly) -> list[str]:
    """Return the labels of all faces, in the order in which `Exits.label` counts them."""
    return [face.label for wall in made.walls for face in wall]


def place_exits(made: Assembly, before: Array, after: Array, t: Array, dt: float, uniforms: Array, *, bridge: bool) -> Exits:
    """Find time, point and label of exits within the step from `before` to `after` (path, d), which begins at the times t.

    Notes
    -----
    With the levels d0 > 0 and d1 of a wall before and after, and the variance v of the level over the step, the wall was crossed with
    probability exp(-2 d0 d1 / v), and for certain if d1 <= 0; the hit lies at the fraction y / (1 + y) of the step, y from the inverse
    Gaussian law with mean d0 / |d1| and shape d0² / v (`theory`, 8.6).
    """
    variance = made.sde.values["strength"] * _covariance(made, before, t) * dt
    crossings = [_Crossing.of(made, wall, before, after, variance) for wall in made.walls]
    diverged = _diverged(made, crossings, before, after, t, dt)
    fractions = [c.fraction(uniforms) if bridge else c.chord() for c in crossings]
    chosen = _choose(crossings, fractions, uniforms)
    point, fraction = after.copy(), np.ones(len(before))
    faces, offset = np.zeros(len(before), np.int64), 0
    for k, (wall, crossing) in enumerate(zip(made.walls, crossings, strict=True)):
        mine = np.flatnonzero((chosen == k) & ~diverged)
        if bridge:
            fraction[mine] = fractions[k][mine]
            point[mine] = _point_on_wall(made, wall, crossing, mine, before, after, fraction, variance, uniforms)
        faces[mine] = offset + _highest(made, wall, point[mine])[0] if len(wall) > 1 else offset
        offset += len(wall)
    if bridge and any(face.at is None for wall in made.walls for face in wall):
        _bring_back(made, before, after, point, faces, np.stack([c.size for c in crossings]).min(axis=0), ~diverged)
    return Exits(fraction, point, faces, diverged)


def lowest_face(made: Assembly, x: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the level of the region at states (path, d), and the index of the face that decides it."""
    faces, levels, offset = [], [], 0
    for wall in made.walls:
        face, level = _highest(made, wall, x)
        faces.append(offset + face)
        levels.append(level)
        offset += len(wall)
    lowest, here = np.argmin(levels, axis=0), np.arange(len(x))
    return np.stack(faces)[lowest, here], np.stack(levels)[lowest, here]


@dataclass(frozen=True)
class _Crossing:
    """One wall during the last step of each path: its level before and after, its gradient, and the variance of the level."""

    d0: Array
    d1: Array
    gradient: Array
    variance: Array

    @classmethod
    def of(cls, made: Assembly, wall: tuple[Face, ...], before: Array, after: Array, variance: Array) -> _Crossing:
        face, d0 = _highest(made, wall, before)
        gradient = _gradient(made, wall, face, before)
        return cls(d0, _highest(made, wall, after)[1], gradient, _dot(gradient, _times(variance, gradient)))

    @property
    def size(self) -> Array:
        """How large the level is within the step."""
        return self.d0 + np.sqrt(self.variance)

    def probability(self) -> Array:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            p = np.exp(-2 * self.d0 * np.maximum(self.d1, 0) / self.variance)
        return np.where(self.d1 <= 0, 1.0, np.nan_to_num(p))

    def chord(self) -> Array:
        """The fraction at which the straight line crosses; beyond 1 for a wall that it does not."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.d1 < self.d0, self.d0 / (self.d0 - self.d1), np.inf)

    def fraction(self, uniforms: Array) -> Array:
        """The fraction of the step at which the bridge hits the wall, given that it does: y / (1 + y), y inverse Gaussian."""
        from scipy.special import ndtri
        square = ndtri(np.clip(uniforms[:, ROOT_NORMAL], 1e-16, 1 - 1e-16))**2
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slow, noise = np.abs(self.d1) / self.d0, square * self.variance / self.d0**2
            # The smaller root of Michael, Schucany & Haas (1976), in a form that holds for an infinite mean as well.
            y = 1 / (slow + noise / 2 + np.sqrt(slow * noise + noise**2 / 4))
            other = uniforms[:, WHICH_ROOT] * (1 + y * slow) > 1
            y = np.where(other, 1 / (slow**2 * y), y)
            s = np.where(np.isinf(y), 1.0, y / (1 + y))
        return np.where(self.variance > 0, s, np.minimum(self.chord(), 1.0))


def _choose(crossings: list[_Crossing], fractions: list[Array], uniforms: Array) -> NDArray[np.int64]:
    """The wall of each exit: of those seen crossed the one hit first, else one drawn in proportion to the probabilities."""
    if len(crossings) == 1:
        return np.zeros(len(uniforms), np.int64)
    overt = np.stack([c.d1 <= 0 for c in crossings])
    first = np.where(overt, np.stack(fractions), np.inf).argmin(axis=0)
    total = np.cumsum([c.probability() for c in crossings], axis=0)
    drawn = np.minimum((total <= uniforms[:, LABEL] * total[-1]).sum(axis=0), len(crossings) - 1)
    return np.where(overt.any(axis=0), first, drawn)


def _diverged(made: Assembly, crossings: list[_Crossing], before: Array, after: Array, t: Array, h: float) -> NDArray[np.bool_]:
    """Paths that did not leave but blew up: the state is not finite, or the step is one that Euler's scheme cannot follow.

    The latter takes two things: by drift alone the path went far beyond what the distance to the boundary and the noise allow, and on
    the way the drift changed by more than its stability permits.
    """
    diverged: NDArray[np.bool_] = ~np.asarray(np.isfinite(after).all(axis=1))
    for c in crossings:
        diverged |= np.isnan(c.d1)              # a level that is no number does not say where the path is
    drift = _drift(made, before, t)
    far = np.zeros(len(before), bool)
    with np.errstate(invalid="ignore", over="ignore"):
        for c in crossings:
            far |= (c.d1 <= 0) & (np.abs(_dot(c.gradient, drift)) * h > FAR * (c.d0 + 3 * np.sqrt(c.variance)))
    suspects = np.flatnonzero(far & ~diverged)
    if len(suspects):
        x, y = before[suspects], after[suspects]
        change = _drift(made, y, t[suspects]) - drift[suspects]
        with np.errstate(invalid="ignore", over="ignore"):
            diverged[suspects] = h * np.linalg.norm(change, axis=1) > UNSTABLE * np.linalg.norm(y - x, axis=1)
    return diverged


def _point_on_wall(made: Assembly, wall: tuple[Face, ...], crossing: _Crossing, mine: NDArray[np.int64], before: Array, after: Array,
                   fraction: Array, variance: Array, uniforms: Array) -> Array:
    """The point of the bridge at its hit, for the paths `mine`.

    Along D ∇l, the direction in which the level's noise acts, the bridge is where the wall is; what is left of it is independent of the
    level, normal about the chord with the covariance s (1 - s) 2 D h, and decides where on the wall.
    """
    x, y, v, gradient = before[mine], after[mine], variance[mine], crossing.gradient[mine]
    if _is_point(wall):
        return np.full_like(x, wall[0].at)
    from scipy.special import ndtri
    d = x.shape[1]
    s = fraction[mine, None]
    z = ndtri(np.clip(uniforms[mine, TANGENTIAL:TANGENTIAL + d], 1e-16, 1 - 1e-16))
    w, vectors = np.linalg.eigh(v)
    start = x + s * (y - x) + _times(vectors, np.sqrt(np.maximum(w, 0)) * z) * np.sqrt(s * (1 - s))
    along = _times(v, gradient)
    along = np.where(np.abs(along).max(axis=1, keepdims=True) > 0, along, gradient)
    point, level = _brought_to_wall(made, wall, start, along, NEWTON)
    reach = REACH * np.sqrt(_dot(y - x, y - x) + np.maximum(w, 0).sum(axis=1))
    missed = ~((np.abs(level) <= CLOSE * crossing.size[mine]) & (_dot(point - start, point - start) <= reach**2))
    if missed.any():        # where two faces meet, or the wall bends within a step, that line may pass it by: take the nearest point
        point[missed] = _brought_to_wall(made, wall, start[missed], None, FURTHER)[0]
    return point


def _is_point(wall: tuple[Face, ...]) -> bool:
    """Tell whether a wall is a single known point of the line."""
    return len(wall) == 1 and wall[0].at is not None


def _brought_to_wall(made: Assembly, wall: tuple[Face, ...], point: Array, along: Array | None, times: int) -> tuple[Array, Array]:
    """The zero of the level along a direction (None: along its gradient) by Newton's method, and the level that is left."""
    for _ in range(times):
        face, level = _highest(made, wall, point)
        slope = _gradient(made, wall, face, point)
        line = slope if along is None else along
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = (level / _dot(slope, line))[:, None] * line
        point = point - np.where(np.isfinite(step), step, 0.0)
    return point, _highest(made, wall, point)[1]


def _bring_back(made: Assembly, before: Array, after: Array, point: Array, faces: NDArray[np.int64], size: Array,
                left: NDArray[np.bool_]) -> None:
    """Exit points beyond another wall, near a corner, or off their own: the path leaves where the straight line to them does."""
    here = np.flatnonzero(left)
    off = ~(np.abs(lowest_face(made, point[here])[1]) <= CLOSE * size[here])
    here = here[off]
    for ends in (point, after):
        outside = lowest_face(made, ends[here])[1] < 0
        k, here = here[outside], here[~outside]
        inner, outer = before[k], ends[k].copy()
        for _ in range(BISECTIONS if len(k) else 0):
            middle = (inner + outer) / 2
            inside = (lowest_face(made, middle)[1] > 0)[:, None]
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        point[k] = outer
        faces[k] = lowest_face(made, outer)[0]


def _dot(a: Array, b: Array) -> Array:
    """Σ_i a_i b_i for each path, added up in one order whatever the number of paths: the bits must not depend on it."""
    return (a * b).sum(axis=-1)


def _times(matrix: Array, vector: Array) -> Array:
    """Σ_j M_ij v_j for each path, likewise."""
    return (matrix * vector[:, None, :]).sum(axis=-1)


def _highest(made: Assembly, wall: tuple[Face, ...], x: Array) -> tuple[NDArray[np.int64], Array]:
    """The highest face of a wall at each state, and its level: the level of the wall."""
    if len(wall) == 1:
        return np.zeros(len(x), np.int64), made.evaluate(wall[0].level, x)
    levels = np.stack([made.evaluate(face.level, x) for face in wall])
    face = np.where(np.isnan(levels), -np.inf, levels).argmax(axis=0)
    return face, levels[face, np.arange(len(x))]


def _gradient(made: Assembly, wall: tuple[Face, ...], face: NDArray[np.int64], x: Array) -> Array:
    """The gradient of the given face of a wall at each state."""
    if len(wall) == 1:
        return made.evaluate(wall[0].gradient, x)
    return np.stack([made.evaluate(f.gradient, x) for f in wall])[face, np.arange(len(x))]


def _covariance(made: Assembly, x: Array, t: Array) -> Array:
    """C at states (path, d) with times of their own."""
    c = made.sde.covariance
    return _each_time(lambda state, when: c.at(state, when, made.values), x, t, timed=c.field.depends_on_time())


def _drift(made: Assembly, x: Array, t: Array) -> Array:
    """The Itô drift at states (path, d) with times of their own."""
    b = made.sde.ito_drift_field
    return _each_time(lambda state, when: made.evaluate(b, state, when), x, t, timed=b.depends_on_time())


def _each_time(function: Callable[[Array, float], Array], x: Array, t: Array, *, timed: bool) -> Array:
    if not timed:
        return function(x, 0.0)
    return np.concatenate([function(state[None], float(when)) for state, when in zip(x, t, strict=True)])
