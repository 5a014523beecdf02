"""The search for the path of least action: which end it may have, whether it goes over a saddle, and its action by two methods."""
from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.roots import roots_between
from langevin_sgd.theory.weak_noise.basins import ARRIVED, attractor_of, branches, fixed_point, gates, growth
from langevin_sgd.theory.weak_noise.hamiltonian import Hamiltonian
from langevin_sgd.theory.weak_noise.relaxed_path import RelaxedPath, relaxed, straight
from langevin_sgd.theory.weak_noise.ritz_path import RitzPath, first_path, refined

POINTS = 201                    # of the path that is returned
COARSE = 41                     # of the path from which the relaxation starts
SNAP = 1e-6                     # an end this near a fixed point, over the distance, is that point
NEAR = 1e-3                     # a start this near an attractor is that attractor
AGREE = 1e-3                    # relative difference of the two methods beyond which there is no answer
NODES = 12                      # of Gauss's rule between two points of the path, in one dimension


@dataclass(frozen=True, eq=False)
class LeastPath:
    """States along the path (points, d), the action up to each, all of it by two methods, and fixed points on the way (k, d)."""

    path: Array
    work: Array
    action: float
    chain_action: float
    crossings: Array

    def __post_init__(self) -> None:
        if not abs(self.action - self.chain_action) <= AGREE * max(abs(self.action), abs(self.chain_action)) + 1e-12:
            raise ArithmeticError(f"the path from {shown(self.path[0])} to {shown(self.path[-1])} did not converge: its action is "
                                  f"{self.action:.8g} by Ritz's method, and {self.chain_action:.8g} by relaxation.")


def least_path(noise: Hamiltonian, a: Array, z: Array) -> LeastPath:
    """Return the path of least action from an attractor to another state."""
    distance = float(np.linalg.norm(z - a))
    if distance == 0:
        return LeastPath(a[None], np.zeros(1), 0.0, 0.0, np.empty((0, noise.dim)))
    try:
        return _on_a_line(noise, a, z) if noise.dim == 1 else _in_space(noise, a, z, distance)
    except np.linalg.LinAlgError:
        raise ValueError(f"C is singular on the way from {shown(a)} to {shown(z)}: the action needs its inverse; choose an end that is "
                         "reached through states where the noise acts in all directions.") from None


def settled(noise: Hamiltonian, a: Array, z: Array) -> tuple[Array, Array]:
    """Return the attractor at the state `start`, and the end, moved onto a fixed point that it is meant to be."""
    distance = float(np.linalg.norm(z - a)) or max(1.0, float(np.linalg.norm(a)))
    at_start, at_end = attractor_at(noise, a, NEAR * distance), fixed_point(noise, z, SNAP * distance)
    return at_start, z if at_end is None else at_end


def attractor_at(noise: Hamiltonian, a: Array, reach: float) -> Array:
    """Return the stable fixed point within reach of the state `start`, or refuse it."""
    found = fixed_point(noise, a, reach)
    if found is None:
        raise ValueError(f"`start` is {shown(a)}, but must be {noise.name}: the drift there is {shown(noise.drift(a[None])[0])}, and no "
                         f"zero of it is within {reach:.2g}.")
    if not (rates := growth(noise, found))[0] < 0:
        raise ValueError(f"`start` is {shown(a)}, but must be {noise.name}: the drift vanishes there, and its Jacobian has an eigenvalue "
                         f"with the real part {rates[0]:.3g}, which must be negative.")
    return found


def shown(x: Array) -> str:
    """Return a state as text, in a few digits."""
    values = [f"{v + 0.0:.6g}" for v in np.ravel(x)]
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"


def _in_space(noise: Hamiltonian, a: Array, z: Array, distance: float) -> LeastPath:
    slowest = -float(growth(noise, a)[0])
    if np.linalg.norm(noise.drift(z[None])) <= 1e-9 * slowest * distance:
        unstable = (growth(noise, z) > 0).sum()
        if not unstable:
            return _over_a_gate(noise, a, z, slowest)
        leads = any(np.linalg.norm(way[-1] - a) <= ARRIVED * distance for way in branches(noise, z, distance, slowest))
        _check_edge(leads, z, a, "none of its unstable directions leads back to `start`")
        return _uphill(noise, a, z, at_rest=True).result(noise)
    home = attractor_of(noise, z, distance, slowest)
    if home is not None and np.linalg.norm(home - a) > ARRIVED * distance:
        rates, ways = growth(noise, home), branches(noise, home, distance, slowest)
        leads = rates[0] > 0 and any(np.linalg.norm(way[-1] - a) <= ARRIVED * distance for way in ways)
        _check_edge(leads, z, a, f"it falls to {shown(home)}; give that as `end`, or as `start`")
    else:
        _check_edge(home is not None, z, a, "the drift leads from there to no fixed point")
    return _uphill(noise, a, z, at_rest=False).result(noise)


def _check_edge(leads: bool, z: Array, a: Array, why: str) -> None:
    if not leads:
        raise ValueError(f"`end` is {shown(z)}, but must fall back to `start` {shown(a)}, be a saddle on the edge of its basin, or an "
                         f"attractor behind such a saddle: {why}.")


@dataclass(frozen=True)
class _Uphill:
    """A path within one basin, by the two methods."""

    ritz: RitzPath
    chain: RelaxedPath

    def result(self, noise: Hamiltonian, onward: Array | None = None, crossings: Array | None = None) -> LeastPath:
        path, work = self.ritz.sampled(POINTS, noise)
        if onward is not None:
            path, work = np.concatenate([path, onward[1:]]), np.concatenate([work, np.full(len(onward) - 1, self.ritz.action)])
        _check_covariance(noise, path)
        passed = np.empty((0, noise.dim)) if crossings is None else crossings
        return LeastPath(path, work, self.ritz.action, self.chain.action, passed)


def _uphill(noise: Hamiltonian, a: Array, z: Array, *, at_rest: bool) -> _Uphill:
    _check_covariance(noise, np.linspace(a, z, COARSE))
    coarse = first_path(noise, a, z, at_rest=(True, at_rest))
    return _Uphill(refined(noise, coarse), relaxed(noise, coarse.sampled(COARSE, noise)[0]))


def _over_a_gate(noise: Hamiltonian, a: Array, z: Array, slowest: float) -> LeastPath:
    """From attractor to attractor: over the saddle of least action between them."""
    found = gates(noise, a, z, slowest)
    if not found:
        raise ValueError(f"no saddle was found between the attractors {shown(a)} and {shown(z)}; go from attractor to neighbouring "
                         "attractor, or give the saddle on the edge of the basin as `end`.")
    ways = [(_uphill(noise, a, saddle, at_rest=True), saddle, onward) for saddle, onward in found]
    best, saddle, onward = min(ways, key=lambda way: way[0].ritz.action)
    return best.result(noise, onward, saddle[None])


def _on_a_line(noise: Hamiltonian, a: Array, z: Array) -> LeastPath:
    """In one dimension the path is straight; what it costs is where the drift points back."""
    low, high, forward = min(a[0], z[0]), max(a[0], z[0]), math.copysign(1.0, z[0] - a[0])
    kinks = noise.kinks(low, high)
    near = 1e-9 * (high - low)
    zeros = roots_between(lambda x: noise.drift(np.asarray(x)[..., None])[..., 0], low, high, kinks)
    zeros = [0.0 if abs(x) < 1e-6 * near else x for x in zeros if low + near < x < high - near]
    edges = np.unique(np.array([low, high, *zeros, *(k for k in kinks if low < k < high)]))[::int(forward)]
    pieces = list(itertools.pairwise(edges))
    counts = [max(2, math.ceil(POINTS * abs(q - p) / (high - low))) for p, q in pieces]
    x = np.concatenate([*(np.linspace(p, q, n)[:-1] for (p, q), n in zip(pieces, counts, strict=True)), edges[-1:]])[:, None]
    _check_covariance(noise, x)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(x, axis=0) / 2
    points = x[:-1] + half * (1 + nodes)
    density = noise.lagrangian(points.reshape(-1, 1), np.full((points.size, 1), forward)).reshape(points.shape)
    work = np.concatenate([[0.0], np.cumsum(np.abs(half[:, 0]) * (density @ weights))])
    chain = sum(straight(noise, np.array([p]), np.array([q])).action for p, q in pieces)
    tops = [x for x in zeros if noise.jacobian(np.array([[x]]))[0, 0, 0] > 0]
    return LeastPath(x, work, float(work[-1]), chain, np.array(tops[::int(forward)]).reshape(-1, 1))


def _check_covariance(noise: Hamiltonian, path: Array) -> None:
    eigenvalues = np.linalg.eigvalsh(noise.covariance(path))
    bad = np.flatnonzero(~(eigenvalues[:, 0] > 1e-12 * eigenvalues.max()))
    if len(bad):
        raise ValueError(f"C is singular at {shown(path[bad[0]])} on the path (its least eigenvalue is {eigenvalues[bad[0], 0]:.2g}): the "
                         "action needs its inverse; choose an end that is reached through states where the noise acts in all directions.")
