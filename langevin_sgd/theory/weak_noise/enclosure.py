"""Where escape is impossible: a closed surface around the minimum on which no sample's gradient pushes outwards.

With n its outward normal, n·g_i ≥ 0 for every sample i there.  Then h(α n) ≤ 0 for all α > 0: a step across costs an infinite action, and
SGD with a small enough learning rate never leaves.  Ellipsoids and levels of the loss are tried, each in many sizes.  That no sample pushes
outwards is seen in many directions and sought to be refuted between them; it is not proved.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.roots import roots_between
from langevin_sgd.theory.weak_noise.batches import BatchNoise
from langevin_sgd.theory.weak_noise.least_path import shown

SIZES, SMALLEST = 24, 1e-3      # of surfaces, and the smallest over the distance of the end
ON_A_LINE = 1001                # states from start to end, in one dimension
IN_THE_PLANE, IN_SPACE = 720, 2000      # directions in which a surface is looked at
ALONG = 97                      # states along a direction, between which a level is found
WORST, TRIES = 6, 100           # directions around which the refutation is sought, and states that are tried there
ROUNDING = 1e-12                # of n·g_i, over the longest gradient
STEEPEST = 0.05                 # least n·u of a level's normal n in the direction u from the minimum


class Surface(Protocol):
    """A closed surface that each ray from the minimum crosses once."""

    @property
    def name(self) -> str:
        """What it is, in words."""

    def crossed(self, u: Array) -> tuple[Array, Array] | None:
        """Return where the ray in a direction u (d,) crosses it, and the outward normal there; None if it does not, or not cleanly."""


@dataclass(frozen=True)
class Ellipsoid:
    """δᵀ M δ = level, δ = w − centre."""

    centre: Array
    matrix: Array
    level: float

    @property
    def name(self) -> str:
        """What it is."""
        if np.array_equal(self.matrix, np.eye(len(self.centre))):
            return f"on the sphere of radius {np.sqrt(self.level):.4g} around it"
        return f"on the ellipsoid δᵀ H δ = {self.level:.4g} around it"

    def crossed(self, u: Array) -> tuple[Array, Array] | None:
        """Return the state and the normal."""
        slope = self.matrix @ u
        return self.centre + np.sqrt(self.level / (u @ slope)) * u, slope / np.linalg.norm(slope)


@dataclass(frozen=True)
class Level:
    """L = level, where rays from the centre first reach it."""

    noise: BatchNoise
    centre: Array
    level: float
    reach: float

    @property
    def name(self) -> str:
        """What it is."""
        return f"where L = {self.level:.6g} around it"

    def crossed(self, u: Array) -> tuple[Array, Array] | None:
        """Return the state and the normal; None if the level is not reached, or nearly along the ray."""
        from scipy.optimize import brentq

        def above(r: float) -> float:
            return float(self.noise.loss(self.centre + r * u)) - self.level

        r = np.linspace(0, self.reach, ALONG)
        beyond = np.flatnonzero(self.noise.loss(self.centre + r[:, None] * u) > self.level)
        if not len(beyond) or beyond[0] == 0:
            return None
        x = self.centre + brentq(above, r[beyond[0] - 1], r[beyond[0]], xtol=1e-14 * self.reach) * u
        normal = -self.noise.drift(x[None])[0]
        normal = normal / np.linalg.norm(normal)
        return (x, normal) if normal @ u > STEEPEST else None


def enclosure(noise: BatchNoise, a: Array, z: Array) -> str | None:
    """Return, as a sentence, why SGD cannot come from a minimum to another state; None if no reason was found."""
    found = _on_a_line(noise, a, z) if noise.dim == 1 else _in_space(noise, a, z)
    if found is None and np.abs(noise.gradients(a)).max() <= ROUNDING * np.abs(noise.gradients(z)).max():
        return f"every sample's gradient vanishes at {shown(a)}: no batch takes SGD away from there"
    return found


def _on_a_line(noise: BatchNoise, a: Array, z: Array) -> str | None:
    x, outward = np.linspace(a, z, ON_A_LINE)[1:-1], np.sign(z - a)
    margins = np.array([_margin(noise, w, outward) for w in x])
    best = int(np.argmax(np.minimum(margins[1:], margins[:-1])))
    if min(margins[best:best + 2]) >= -ROUNDING:
        return f"at {shown(x[best])} no sample's gradient pushes outwards: escape is impossible in small steps"
    largest = max(np.abs(noise.gradients(w)).max() for w in x)
    low, high = sorted((float(a[0]), float(z[0])))
    for zero in roots_between(lambda w: noise.drift(np.asarray(w)[..., None])[..., 0], low, high):
        if zero != a[0] and np.abs(noise.gradients(np.array([zero]))).max() <= ROUNDING * largest:
            return f"at {zero:.6g} every sample's gradient vanishes, and SGD never comes across: escape is impossible in small steps"
    return None


def _in_space(noise: BatchNoise, a: Array, z: Array) -> str | None:
    directions = _directions(noise.dim)
    for sizes in _families(noise, a, z):
        before = False                                      # whether the surface before, a little larger, is such a one
        for surface in sizes:
            margins = _margins(noise, surface, directions)
            if before and margins is not None and not _is_refuted(noise, surface, directions[np.argsort(margins)[:WORST]]):
                return (f"{surface.name} no sample's gradient pushes outwards, as seen in {len(directions)} directions and, where they are "
                        "nearest to it, between: escape is impossible in small steps")
            before = margins is not None
    return None


def _families(noise: BatchNoise, a: Array, z: Array) -> Iterator[Iterator[Surface]]:
    """Surfaces between the minimum and the end: of each kind from the largest to the smallest."""
    shares = np.geomspace(1, SMALLEST, SIZES + 1)[1:]**2
    distance = float(np.linalg.norm(z - a))
    for matrix in (np.eye(noise.dim), -noise.jacobian(a[None])[0]):
        size = float((z - a) @ matrix @ (z - a))
        yield (Ellipsoid(a, matrix, share * size) for share in shares)
    low, high = float(noise.loss(a)), float(noise.loss(np.linspace(a, z, ALONG)).max())
    yield (Level(noise, a, low + share * (high - low), 2 * distance) for share in shares)


def _directions(dim: int) -> Array:
    if dim == 2:
        angle = 2 * np.pi * np.arange(IN_THE_PLANE) / IN_THE_PLANE
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    u = np.random.default_rng(0).normal(size=(IN_SPACE, dim))
    return np.asarray(u / np.linalg.norm(u, axis=1, keepdims=True))


def _margins(noise: BatchNoise, surface: Surface, directions: Array) -> Array | None:
    """The least n·g_i / |g| in each direction; None as soon as a sample pushes outwards."""
    margins = np.empty(len(directions))
    for k in np.random.default_rng(0).permutation(len(directions)):
        crossed = surface.crossed(directions[k])
        margins[k] = -np.inf if crossed is None else _margin(noise, *crossed)
        if not margins[k] >= -ROUNDING:
            return None
    return margins


def _margin(noise: BatchNoise, x: Array, normal: Array) -> float:
    """The least n·g_i over the samples, over the longest gradient."""
    g = noise.gradients(x)
    return float((g @ normal).min()) / max(float(np.linalg.norm(g, axis=1).max()), 1e-300)


def _is_refuted(noise: BatchNoise, surface: Surface, worst: Array) -> bool:
    """Whether a sample that pushes outwards is found near some directions."""
    from scipy.optimize import minimize

    def margin(u: Array) -> float:
        crossed = surface.crossed(u / np.linalg.norm(u))
        return -1.0 if crossed is None else _margin(noise, *crossed)

    spread = (IN_THE_PLANE if noise.dim == 2 else IN_SPACE)**(-1 / (noise.dim - 1))
    for u in worst:
        simplex = u + spread * 2 * np.pi * np.concatenate([np.zeros((1, noise.dim)), np.eye(noise.dim)])
        if minimize(margin, u, method="Nelder-Mead", options={"initial_simplex": simplex, "maxfev": TRIES}).fun < -ROUNDING:
            return True
    return False
