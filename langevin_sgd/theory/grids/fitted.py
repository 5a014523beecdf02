"""Rates along the axes of a grid, for D without mixed terms, fitted exponentially (Scharfetter & Gummel 1969).

In one direction the flux J = D^α [(f/D) q − q'] with q = D^(1−α) p is solved exactly between two centres for constant coefficients, so
i → j has the rate

    D_face^α D_i^(1−α) / (distance × width) × B(−z),    z = ∫ f/D from i to j,    B(z) = z / (e^z − 1)

which is positive at any barrier, never differentiates D, and balances in detail with D^(α−1) exp(−Φ) (`theory`, 1.3).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.grids.grid import Grid, Whole

SIGNS = (1, -1)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)      # the integral of ∇φ is then a difference of φ to rounding, and no cycle turns


@dataclass(frozen=True, eq=False)
class Direction:
    """The jumps along one vector, both ways.

    Attributes
    ----------
    steps
        For both signs the vectors (cells, d) from each centre to the next; beyond a wall, to its mirror image.
    neighbours
        For both signs the index (cells,) of the next cell, −1 beyond a wall.
    distances
        For both signs the length (cells,) of the step in the unit in which `widths` (cells,) are measured.
    widths
        Of the cells.
    conductance
        Of (x, step, fraction): the rate from x towards x + fraction × step, times the width.
    """

    steps: tuple[Array, Array]
    neighbours: tuple[Whole, Whole]
    distances: tuple[Array, Array]
    widths: Array
    conductance: Callable[[Array, Array, Array], Array]


def axis_directions(sde: SDE, grid: Grid) -> list[Direction]:
    """Return the jumps to the neighbours along each axis, for D without mixed terms."""
    index = np.arange(int(np.prod(grid.shape))).reshape(grid.shape)
    shape, found = index.shape, []
    for k, (edges, centres) in enumerate(zip(grid.edges, grid.centres, strict=True)):
        gaps, width = np.diff(centres), np.diff(edges)
        ahead, behind = np.append(gaps, width[-1]), np.insert(gaps, 0, width[0])
        distances = [_along(axis, k, shape) for axis in (ahead, behind)]
        steps = tuple(sign * d[:, None] * np.eye(grid.dim)[k] for sign, d in zip(SIGNS, distances, strict=True))
        neighbours = []
        for sign in SIGNS:
            moved = np.roll(index, -sign, axis=k)
            np.moveaxis(moved, k, 0)[-1 if sign > 0 else 0] = -1
            neighbours.append(moved.ravel())
        found.append(Direction((steps[0], steps[1]), (neighbours[0], neighbours[1]), (distances[0], distances[1]),
                               _along(width, k, shape), _fitted(sde, k)))
    return found


def bernoulli(z: Array) -> Array:
    """Return z / (e^z − 1), to rounding for any z."""
    from scipy.special import exprel
    return np.asarray(1 / exprel(z))


def along(step: Array, x: Array, integrand: Callable[[Array], Array]) -> Array:
    """Return the integral of a function of states, a vector (..., d), along steps (n, d) from x (n, d)."""
    total = np.zeros(len(x))
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        total += 0.5 * weight * np.sum(integrand(x + 0.5 * (1 + node) * step) * step, axis=1)
    return total


def _fitted(sde: SDE, k: int) -> Callable[[Array, Array, Array], Array]:
    alpha = sde.effective_alpha

    def diffusion(x: Array) -> Array:
        return 0.5 * sde.values["strength"] * sde.covariance.at(x, 0.0, sde.values)[..., k, k]

    def force(x: Array) -> Array:
        only = np.zeros_like(x)
        only[..., k] = sde.evaluate(sde.drift_field, x)[..., k] / _positive(diffusion(x), x, sde.variables[k])
        return only

    def conductance(x: Array, step: Array, fraction: Array) -> Array:
        way = step * fraction[:, None]
        d = diffusion(x + way / 2)**alpha * _positive(diffusion(x), x, sde.variables[k])**(1 - alpha)
        return d / np.abs(way[:, k]) * bernoulli(-along(way, x, force))
    return conductance


def _positive(d: Array, x: Array, name: str) -> Array:
    wrong = ~(d > 0) | ~np.isfinite(d)
    if wrong.any():
        place = np.atleast_2d(x)[np.flatnonzero(wrong)[0]]
        raise ValueError(f"D along {name} is {d[wrong][0]:g} at {np.round(place, 6).tolist()}, but must be positive everywhere in the "
                         "box of `grid`; give a smaller box, or add a constant to the noise.")
    return d


def _along(values: Array, k: int, shape: Sequence[int]) -> Array:
    """Values along one axis as an array over all cells."""
    return np.broadcast_to(values.reshape([-1 if m == k else 1 for m in range(len(shape))]), shape).ravel()
