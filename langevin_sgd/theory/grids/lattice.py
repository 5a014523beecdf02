"""Jumps for a full matrix D: along those vectors of the lattice of cells for which all rates are positive.

Central differences of mixed derivatives have negative rates.  Instead D, in units of cells, is written as Σ ρ_e e eᵀ with ρ_e ≥ 0 and
vectors e of integers (E. Selling, J. reine angew. Math. 77, 143 (1874); J.-M. Mirebeau, Numer. Math. 126, 515 (2014)), and the flux
c p − D ∇p is fitted exponentially along each of them, with the diffusion ρ_e and the drift ρ_e (e · D⁻¹ c).
"""
from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.grids.elimination import compiled
from langevin_sgd.theory.grids.fitted import SIGNS, Direction, along, bernoulli
from langevin_sgd.theory.grids.grid import Grid, Whole

Offset = tuple[int, ...]
LEAST = 1e-12           # a weight, beside the trace of D, that counts as one
FARTHEST = 12           # of an offset, in cells


def lattice_directions(sde: SDE, grid: Grid) -> list[Direction]:
    """Return the jumps along all vectors that D needs somewhere in the box."""
    if not grid.is_uniform:
        raise ValueError("`grid` has cells of different size, but the covariance of this noise is a full matrix, which needs cells of one "
                         "size; give Grid(bounds, cells).")
    if sde.covariance.divergence is None and not sde.covariance.is_constant:
        raise ValueError("the noise of `sde` is a full matrix given by functions without `divergence`; give "
                         "noise.from_functions(factor, divergence), the sums of derivatives of C.")
    size = np.array([e[1] - e[0] for e in grid.edges])
    diffusion = functools.partial(_diffusion, sde, size)
    points = grid.points
    # The decomposition at a centre tells where to look; on the way along one vector D may need yet another.
    known: set[Offset] = set()
    new = _needed(diffusion(points))
    while new:
        known |= new
        new = {other for e in new for other in _needed(diffusion(points + 0.5 * size * e))} - known
    farthest = max(max(map(abs, e)) for e in known)
    if farthest > FARTHEST:
        raise ValueError(f"D is so far from a multiple of the unit matrix, in units of cells, that jumps over {farthest} cells are needed; "
                         "give `grid` cells that are longer where D is larger, or turn the axes.")
    return [_direction(sde, grid, size, diffusion, e) for e in sorted(known)]


def _diffusion(sde: SDE, size: Array, x: Array) -> Array:
    """D in units of cells, (n, d, d)."""
    d = np.asarray(sde.diffusion(x))
    least = np.linalg.eigvalsh(d)[..., 0]
    if not (least > 0).all():
        place = x[np.flatnonzero(~(least > 0))[0]]
        raise ValueError(f"D has the eigenvalue {least[~(least > 0)][0]:g} at {np.round(place, 6).tolist()}, but must be positive definite "
                         "in the box of `grid` and half a jump around it; give a smaller box, or add a constant to the noise.")
    return d / (size[:, None] * size)


def _direction(sde: SDE, grid: Grid, size: Array, diffusion: Callable[[Array], Array], offset: Offset) -> Direction:
    index = np.stack(np.unravel_index(np.arange(len(grid.points)), grid.shape), axis=-1)
    neighbours, steps = [], []
    for sign in SIGNS:
        there = index + sign * np.array(offset)
        inside = ((there >= 0) & (there < grid.shape)).all(axis=1)
        flat = np.ravel_multi_index(tuple(np.where(inside[:, None], there, 0).T), grid.shape)
        neighbours.append(np.where(inside, flat, -1))
        steps.append(np.broadcast_to(sign * size * np.array(offset), index.shape))
    one = np.ones(len(index))

    def force(x: Array) -> Array:
        drift = sde.evaluate(sde.flux_drift_field, x)
        return np.asarray(np.linalg.solve(sde.diffusion(x), drift[..., None])[..., 0])

    def conductance(x: Array, step: Array, fraction: Array) -> Array:
        way = step * fraction[:, None]
        return weight(diffusion(x + way / 2), offset) / fraction * bernoulli(-along(way, x, force))
    return Direction((steps[0], steps[1]), (neighbours[0], neighbours[1]), (one, one), one, conductance)


def weight(d: Array, offset: Offset) -> Array:
    """Return ρ_e (n,) of one vector in the decomposition of matrices (n, d, d)."""
    offsets, weights = selling(d)
    return np.asarray((weights * (offsets == np.array(offset)).all(axis=-1)).sum(axis=1))


def _needed(d: Array) -> set[Offset]:
    offsets, weights = selling(d)
    scale = np.trace(d, axis1=-2, axis2=-1)
    found, far = offsets[weights > LEAST * scale[:, None]], int(np.abs(offsets).max())
    # As one number each: to sort rows is slow.
    digits = (2 * far + 1) ** np.arange(d.shape[-1])
    _, first = np.unique((found + far) @ digits, return_index=True)
    return {tuple(int(k) for k in e) for e in found[first]}


def selling(d: Array) -> tuple[Whole, Array]:
    """Return vectors (n, m, d) and weights ρ ≥ 0 (n, m) with D = Σ ρ e eᵀ for matrices (n, d, d); m is 3 in the plane, 6 in space."""
    pairs = d.shape[-1] * (d.shape[-1] + 1) // 2
    offsets, weights = np.zeros((len(d), pairs, d.shape[-1]), dtype=np.int64), np.zeros((len(d), pairs))
    _selling(np.ascontiguousarray(d), offsets, weights)
    return offsets, weights


@compiled
def _selling(d: Array, offsets: Whole, weights: Array) -> None:
    dim = d.shape[-1]
    base, e = np.empty((dim + 1, dim)), np.empty(dim)
    for n in range(len(d)):
        scale = 0.0
        for k in range(dim):
            scale += d[n, k, k]
        base[:] = 0.0                               # vectors with the sum zero, any d of which span the lattice
        for k in range(dim):
            base[k, k] = 1.0
            base[dim, k] = -1.0
        while _turned(d[n], base, scale):           # until no two of them form an acute angle in the metric of D
            pass
        m = 0
        for i in range(dim + 1):
            for j in range(i + 1, dim + 1):
                _across(base, i, j, e)
                sign = 0.0
                for k in range(dim):
                    if sign == 0.0 and e[k] != 0.0:
                        sign = np.sign(e[k])
                for k in range(dim):
                    offsets[n, m, k] = int(sign * e[k])
                weights[n, m] = max(0.0, -_product(d[n], base, i, j))
                m += 1


@compiled
def _turned(d: Array, base: Array, scale: float) -> bool:
    """Turn one pair of vectors that form an acute angle, if there is one."""
    dim = len(d)
    for i in range(dim + 1):
        for j in range(i + 1, dim + 1):
            largest = 0.0, 0.0
            for k in range(dim):
                largest = max(largest[0], abs(base[i, k])), max(largest[1], abs(base[j, k]))
            if _product(d, base, i, j) > 1e-13 * scale * (1 + largest[0] * largest[1]):
                for k in range(dim):
                    if dim == 2:
                        base[3 - i - j, k] = base[i, k] - base[j, k]
                    else:
                        for other in range(4):
                            if other not in (i, j):
                                base[other, k] += base[i, k]
                for k in range(dim):
                    base[i, k] *= -1.0
                return True
    return False


@compiled
def _product(d: Array, base: Array, i: int, j: int) -> float:
    total = 0.0
    for k in range(len(d)):
        for m in range(len(d)):
            total += base[i, k] * d[k, m] * base[j, m]
    return total


@compiled
def _across(base: Array, i: int, j: int, e: Array) -> None:
    """A vector at right angles to the others than i and j."""
    if len(e) == 2:
        k = 3 - i - j
        e[0], e[1] = -base[k, 1], base[k, 0]
        return
    k = 0
    while k in (i, j):
        k += 1
    a, b = base[k], base[6 - i - j - k]
    e[0], e[1], e[2] = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
