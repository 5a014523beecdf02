"""The search for the path of least action: which end it may have, whether it goes over a saddle, and its action by two methods."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.roots import roots_between
from langevin_sgd.theory.weak_noise.basins import ARRIVED, attractor_of, branches, fixed_point, gates, growth
from langevin_sgd.theory.weak_noise.hamiltonian import Hamiltonian
from langevin_sgd.theory.weak_noise.relaxed_path import relaxed, straight
from langevin_sgd.theory.weak_noise.ritz_path import LAST, NoPath, RitzPath, Stray, best_of, first_path, refined

POINTS = 201                    # of the path that is returned
COARSE = 41                     # of the path from which the relaxation starts
SNAP = 1e-6                     # an end this near a fixed point, over the distance, is that point
NEAR = 1e-3                     # a start this near an attractor is that attractor
REST = 1e-9                     # of the drift, over that at the distance within which a zero must lie: it is one
FLAT = 1e-12                    # of the rates of an attractor, over the fastest: no return at all
AGREE = 1e-3                    # relative difference of the two methods beyond which there is no answer
NODES = 12                      # of Gauss's rule between two points of the path, in one dimension
ROUGH = 1e-12                   # of the action, from which a difference between halves and whole is no rounding
HALVINGS = 20                   # after which what is still rough is a jump


class SingularNoise(ValueError):
    """C has no inverse somewhere on the way."""


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
            raise Disagreement(self)


class Disagreement(ArithmeticError):
    """The two methods have different actions; what was found is in `found`."""

    def __init__(self, found: LeastPath) -> None:
        super().__init__(f"the path from {shown(found.path[0])} to {shown(found.path[-1])} did not converge: its action is "
                         f"{found.action:.8g} by Ritz's method, and {found.chain_action:.8g} by relaxation.")
        self.found = found


@dataclass(frozen=True)
class Way:
    """A way out of a basin: its end, whether the drift vanishes there, and the path that it takes on from there (n, d) if it goes on."""

    end: Array
    at_rest: bool
    onward: Array | None = None


def least_path(noise: Hamiltonian, a: Array, z: Array, ways: Sequence[Way] | None = None, last: int = LAST) -> LeastPath:
    """Return the path of least action from an attractor to another state, on one of the `ways`; by polynomials up to the `last` degree."""
    if np.array_equal(a, z):
        return LeastPath(a[None], np.zeros(1), 0.0, 0.0, np.empty((0, noise.dim)))
    try:
        return _on_a_line(noise, a, z) if noise.dim == 1 else _in_space(noise, a, ways or ways_between(noise, a, z), last)
    except np.linalg.LinAlgError:
        raise SingularNoise(f"C is singular on the way from {shown(a)} to {shown(z)}: the action needs its inverse; choose an end that "
                            "is reached through states where the noise acts in all directions.") from None


def ways_between(noise: Hamiltonian, a: Array, z: Array) -> list[Way]:
    """Return the ways from an attractor to another state, as the drift decides; none are needed in one dimension, or to go nowhere."""
    distance = float(np.linalg.norm(z - a))
    if noise.dim == 1 or distance == 0:
        return []
    slowest = -float(growth(noise, a)[0])
    if np.linalg.norm(noise.drift(z[None])) <= 1e-9 * slowest * distance:
        if not (growth(noise, z) > 0).any():
            return _gates(noise, a, z, slowest)
        leads = any(np.linalg.norm(way[-1] - a) <= ARRIVED * distance for way in branches(noise, z, distance, slowest))
        _check_edge(leads, z, a, "none of its unstable directions leads back to `start`")
        return [Way(z, at_rest=True)]
    home = attractor_of(noise, z, distance, slowest)
    if home is not None and np.linalg.norm(home - a) > ARRIVED * distance:
        rates, downhill = growth(noise, home), branches(noise, home, distance, slowest)
        leads = rates[0] > 0 and any(np.linalg.norm(way[-1] - a) <= ARRIVED * distance for way in downhill)
        _check_edge(leads, z, a, f"it falls to {shown(home)}; give that as `end`, or as `start`")
    else:
        _check_edge(home is not None, z, a, "the drift leads from there to no fixed point")
    return [Way(z, at_rest=False)]


def settled(noise: Hamiltonian, a: Array, z: Array) -> tuple[Array, Array]:
    """Return the attractor at the state `start`, and the end, moved onto a fixed point that it is meant to be."""
    distance = float(np.linalg.norm(z - a)) or max(1.0, float(np.linalg.norm(a)))
    at_start, at_end = attractor_at(noise, a, NEAR * distance), fixed_point(noise, z, SNAP * distance)
    return at_start, z if at_end is None else at_end


def attractor_at(noise: Hamiltonian, a: Array, reach: float) -> Array:
    """Return the stable fixed point within reach of the state `start`, or refuse it."""
    found = fixed_point(noise, a, reach)
    if found is None and np.linalg.norm(noise.drift(a[None])) <= REST * reach * np.abs(noise.jacobian(a[None])).max():
        found = a                                           # and not the only zero around, so that the Jacobian is singular
    if found is None:
        raise ValueError(f"`start` is {shown(a)}, but must be {noise.name}: the drift there is {shown(noise.drift(a[None])[0])}, and no "
                         f"zero of it is within {reach:.2g}.")
    if not (rates := growth(noise, found))[0] < -FLAT * np.abs(rates).max():
        raise ValueError(f"`start` is {shown(a)}, but must be {noise.name}: the drift vanishes there, and its Jacobian has an eigenvalue "
                         f"with the real part {rates[0]:.3g}, which must be negative.")
    return found


def shown(x: Array) -> str:
    """Return a state as text, in a few digits."""
    values = [f"{v + 0.0:.6g}" for v in np.ravel(x)]
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"


def _gates(noise: Hamiltonian, a: Array, z: Array, slowest: float) -> list[Way]:
    """From attractor to attractor: over each of the saddles between them."""
    found = gates(noise, a, z, slowest)
    if not found:
        raise ValueError(f"no saddle was found between the attractors {shown(a)} and {shown(z)}; go from attractor to neighbouring "
                         "attractor, or give the saddle on the edge of the basin as `end`.")
    return [Way(saddle, True, onward) for saddle, onward in found]


def _check_edge(leads: bool, z: Array, a: Array, why: str) -> None:
    if not leads:
        raise ValueError(f"`end` is {shown(z)}, but must fall back to `start` {shown(a)}, be a saddle on the edge of its basin, or an "
                         f"attractor behind such a saddle: {why}.")


def _in_space(noise: Hamiltonian, a: Array, ways: Sequence[Way], last: int) -> LeastPath:
    """By the best of the ways; one on which no path is found is passed over, as long as there is another."""
    found: list[tuple[RitzPath, RitzPath, Way]] = []
    strays, failure = list[Stray](), NoPath("there is no way")
    for way in ways:
        _check_covariance(noise, np.linspace(a, way.end, COARSE))
        try:
            coarse = first_path(noise, a, way.end, at_rest=(True, way.at_rest))
            found.append((refined(noise, coarse, last), coarse, way))
        except NoPath as error:
            failure = error
        except Stray as stray:
            strays.append(stray)
    if not found and not strays:
        raise failure
    ritz = best_of([refined_path for refined_path, _, _ in found], strays)
    coarse, way = next((coarse, way) for refined_path, coarse, way in found if refined_path is ritz)
    chain = relaxed(noise, coarse.sampled(COARSE, noise)[0])
    path, work = ritz.sampled(POINTS, noise)
    onward = way.end[None] if way.onward is None else way.onward
    path, work = np.concatenate([path, onward[1:]]), np.concatenate([work, np.full(len(onward) - 1, ritz.action)])
    _check_covariance(noise, path)
    return LeastPath(path, work, ritz.action, chain.action, way.end[None][:len(onward) > 1])


def _on_a_line(noise: Hamiltonian, a: Array, z: Array) -> LeastPath:
    """In one dimension the path is straight; what it costs is where the drift points back."""
    low, high, forward = min(a[0], z[0]), max(a[0], z[0]), math.copysign(1.0, z[0] - a[0])
    kinks = noise.kinks(low, high)
    near = 1e-9 * (high - low)
    zeros = roots_between(lambda x: noise.drift(np.asarray(x)[..., None])[..., 0], low, high, kinks)
    zeros = [0.0 if abs(x) < 1e-6 * near else x for x in zeros if low + near < x < high - near]
    edges = np.unique(np.array([low, high, *zeros, *(k for k in kinks if low < k < high)]))[::int(forward)]
    x = np.concatenate([np.linspace(p, q, max(2, math.ceil(POINTS * abs(q - p) / (high - low))))[:-1] for p, q in itertools.pairwise(edges)]
                       + [edges[-1:]])
    _check_covariance(noise, x[:, None])
    pieces, jumps = _integrals(lambda at: noise.lagrangian(at.reshape(-1, 1), np.full((at.size, 1), forward)).reshape(at.shape), x)
    if not np.isfinite(pieces).all():
        raise NoPath("no path of finite action was found")
    edges = np.unique(np.concatenate([edges, jumps]))[::int(forward)]
    chain = sum(straight(noise, np.array([p]), np.array([q])).action for p, q in itertools.pairwise(edges))
    tops = [x for x in zeros if noise.jacobian(np.array([[x]]))[0, 0, 0] > 0]
    work = np.concatenate([[0.0], np.cumsum(pieces)])
    return LeastPath(x[:, None], work, float(work[-1]), chain, np.array(tops[::int(forward)]).reshape(-1, 1))


def _integrals(density: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """The integrals of a density between neighbouring points, by Gauss's rule, in halves where these say something else; and its jumps."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)

    def between(p: Array, q: Array) -> Array:
        half = (q - p) / 2
        return np.abs(half) * (density(p[:, None] + half[:, None] * (1 + nodes)) @ weights)

    p, q, owner = x[:-1], x[1:], np.arange(len(x) - 1)
    whole = total = between(p, q)
    jumps = np.empty(0)
    if not np.isfinite(total).all():
        return total, jumps
    for halvings in range(2 * HALVINGS):
        middle = (p + q) / 2
        left, right = between(p, middle), between(middle, q)
        off = left + right - whole
        rough = np.abs(off) > ROUGH * np.abs(total).sum()
        if not rough.any():
            break
        total = total + np.bincount(owner[rough], off[rough], len(total))
        p, q, whole = (np.concatenate([a[rough], b[rough]]) for a, b in ((p, middle), (middle, q), (left, right)))
        owner = np.concatenate([owner[rough], owner[rough]])
        if halvings == HALVINGS:
            jumps = np.unique(p)
    return total, jumps


def _check_covariance(noise: Hamiltonian, path: Array) -> None:
    eigenvalues = np.linalg.eigvalsh(noise.covariance(path))
    bad = np.flatnonzero(~(eigenvalues[:, 0] > 1e-12 * eigenvalues.max()))
    if len(bad):
        raise SingularNoise(f"C is singular at {shown(path[bad[0]])} on the path (its least eigenvalue is {eigenvalues[bad[0], 0]:.2g}): "
                            "the action needs its inverse; choose an end that is reached through states where the noise acts in all "
                            "directions.")
