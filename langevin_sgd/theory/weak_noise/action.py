"""The path of least action: the way that weak noise takes out of an attractor, and the exponent of the time that this needs."""
from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, state
from langevin_sgd.models.roots import roots_between
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.weak_noise.basins import ARRIVED, attractor_of, branches, fixed_point, gates, growth
from langevin_sgd.theory.weak_noise.equation import WeakNoise, lagrangian
from langevin_sgd.theory.weak_noise.relaxed_path import RelaxedPath, relaxed, straight
from langevin_sgd.theory.weak_noise.ritz_path import RitzPath, first_path, refined

POINTS = 201                    # of the path that is returned
COARSE = 41                     # of the path from which the relaxation starts
SNAP = 1e-6                     # an end this near a fixed point, over the distance, is that point
NEAR = 1e-3                     # a start this near an attractor is that attractor
AGREE = 1e-3                    # relative difference of the two methods beyond which there is no answer
NODES = 12                      # of Gauss's rule between two points of the path, in one dimension


@dataclass(frozen=True, eq=False, repr=False)
class ActionPath:
    """The path of least action from an attractor; made by `minimum_action_path`.

    Attributes
    ----------
    sde
        The equation.
    path
        States along the path, (points, component); (points,) in one dimension.
    work
        The action spent up to each of them, (points,): level where the drift does the work.
    action
        U = min ½ ∫ (ẋ − f)ᵀ C⁻¹ (ẋ − f) dt, by Ritz's method (a quadrature in one dimension).
    chain_action
        The same by relaxation of a chain of points, an independent method (in one dimension the chain is straight).
    error
        Their difference.
    crossings
        Fixed points strictly within the path where it leaves a basin, (k, component); (k,) in one dimension.
    """

    sde: SDE
    path: Array
    work: Array
    action: float
    chain_action: float
    crossings: Array

    @property
    def error(self) -> float:
        """The difference of the two methods."""
        return abs(self.action - self.chain_action)

    @property
    def strength(self) -> float:
        """ε of the equation."""
        return self.sde.values["strength"]

    @property
    def exponent(self) -> float:
        """U / ε: the mean time to get there grows like exp(U / ε) for weak noise."""
        return self.action / self.strength

    def __repr__(self) -> str:
        ends = f"from {_text(self.path[0])} to {_text(self.path[-1])}"
        over = f" over {' and '.join(map(_text, self.crossings))}" if len(self.crossings) else ""
        return (f"ActionPath({ends}{over}: action {self.action:.10g}, by a chain of points {self.chain_action:.10g}; "
                f"time ~ exp(action / ε), ε = {self.strength:g}: exponent {self.exponent:.6g}; "
                f"{self.sde.interpretation.label}, the same in every convention)")


def minimum_action_path(sde: SDE, start: ArrayLike, end: ArrayLike) -> ActionPath:
    """Return the path on which weak noise most probably takes the state from an attractor to another state, and its action.

    Parameters
    ----------
    sde
        The equation; it must not depend on time.  The drift need not be a gradient, and C may depend on the state.
    start
        A stable fixed point of the drift, a number or an array (d,).
    end
        A state that falls back to `start`, a saddle on the edge of its basin, or another attractor behind such a saddle (then the path goes
        over the lowest, and on from there without work); any state in one dimension.

    Returns
    -------
    ActionPath
        The path, its action U by two methods, and the work along it.

    Raises
    ------
    ValueError
        If `start` is no attractor, if `end` is none of what is listed above, or if C is singular on the path.
    ArithmeticError
        If the two methods disagree; the message has both actions.

    Notes
    -----
    U = min ½ ∫ (ẋ − f)ᵀ C⁻¹ (ẋ − f) dt over paths and durations, for dX = f dt + sqrt(ε C) dW, so that the mean time to get there grows
    like exp(U / ε) as ε → 0 (`theory`, 8.5).  For a gradient drift with C = I, U is *twice* the height of the barrier; authors who write
    sqrt(2 ε) dW have half of this U.  Itô, Stratonovich and Klimontovich differ by drifts of order ε, so U does not depend on the
    convention, the prefactor does; f is taken as it was given, before `in_interpretation`.

    The action is minimised in its geometric form, ∫ |φ'| |f| − ⟨φ', f⟩ in the metric C⁻¹, by Ritz's method, and again by relaxation of a
    chain of points.  Both start from the best of a few simple paths: where several paths are locally the least, a lower one may be missed.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.minimum_action_path(ls.systems.maier_stein(beta=10.0), [-1.0, 0.0], [0.0, 0.0])
    ActionPath(from [-1, 0] to [0, 0]: action 0.34004140..., by a chain of points 0.34004140...; ...ε = 0.1: exponent 3.40041; ...)
    """
    noise, a, z = checked(sde, start, end)
    distance = float(np.linalg.norm(z - a))
    if distance == 0:
        return _result(sde, a[None], np.zeros(1), 0.0, 0.0, np.empty((0, sde.dim)))
    try:
        return _on_a_line(noise, a, z) if sde.dim == 1 else _in_space(noise, a, z, distance)
    except np.linalg.LinAlgError:
        raise ValueError(f"C is singular on the way from {_text(a)} to {_text(z)}: the action needs its inverse; choose an end that is "
                         "reached through states where the noise acts in all directions.") from None


def checked(sde: SDE, start: ArrayLike, end: ArrayLike) -> tuple[WeakNoise, Array, Array]:
    """Return f and C of the equation, the attractor, and the end, moved onto a fixed point that it is meant to be."""
    check_equation(sde)
    a, z = state("start", start, sde.dim), state("end", end, sde.dim)
    distance = float(np.linalg.norm(z - a)) or max(1.0, float(np.linalg.norm(a)))
    noise = WeakNoise(sde, distance)
    settled = attractor_at(noise, a, NEAR * distance)
    at_end = fixed_point(noise, z, SNAP * distance)
    return noise, settled, z if at_end is None else at_end


def check_equation(sde: SDE) -> None:
    """Refuse what is no equation, or one that changes with time."""
    if not isinstance(sde, SDE):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, made by ls.sgd, ls.langevin or ls.SDE.")
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t: a path of least action knows one drift and one noise, so freeze them at a time.")


def attractor_at(noise: WeakNoise, a: Array, reach: float) -> Array:
    """Return the stable fixed point within reach of the state `start`, or refuse it."""
    settled = fixed_point(noise, a, reach)
    if settled is None:
        raise ValueError(f"`start` is {_text(a)}, but must be an attractor: the drift there is {_text(noise.drift(a[None])[0])}, and no "
                         f"zero of it is within {reach:.2g}.")
    if not (rates := growth(noise, settled))[0] < 0:
        raise ValueError(f"`start` is {_text(a)}, but must be an attractor: the drift vanishes there, and its Jacobian has an eigenvalue "
                         f"with the real part {rates[0]:.3g}, which must be negative.")
    return settled


def _in_space(noise: WeakNoise, a: Array, z: Array, distance: float) -> ActionPath:
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
        _check_edge(leads, z, a, f"it falls to {_text(home)}; give that as `end`, or as `start`")
    else:
        _check_edge(home is not None, z, a, "the drift leads from there to no fixed point")
    return _uphill(noise, a, z, at_rest=False).result(noise)


def _check_edge(leads: bool, z: Array, a: Array, why: str) -> None:
    if not leads:
        raise ValueError(f"`end` is {_text(z)}, but must fall back to `start` {_text(a)}, be a saddle on the edge of its basin, or an "
                         f"attractor behind such a saddle: {why}.")


@dataclass(frozen=True)
class _Uphill:
    """A path within one basin, by the two methods."""

    ritz: RitzPath
    chain: RelaxedPath

    def result(self, noise: WeakNoise, onward: Array | None = None, crossings: Array | None = None) -> ActionPath:
        path, work = self.ritz.sampled(POINTS, noise)
        if onward is not None:
            path, work = np.concatenate([path, onward[1:]]), np.concatenate([work, np.full(len(onward) - 1, self.ritz.action)])
        _check_covariance(noise, path)
        passed = np.empty((0, noise.dim)) if crossings is None else crossings
        return _result(noise.sde, path, work, self.ritz.action, self.chain.action, passed)


def _uphill(noise: WeakNoise, a: Array, z: Array, *, at_rest: bool) -> _Uphill:
    _check_covariance(noise, np.linspace(a, z, COARSE))
    coarse = first_path(noise, a, z, at_rest=(True, at_rest))
    return _Uphill(refined(noise, coarse), relaxed(noise, coarse.sampled(COARSE, noise)[0]))


def _over_a_gate(noise: WeakNoise, a: Array, z: Array, slowest: float) -> ActionPath:
    """From attractor to attractor: over the saddle of least action between them."""
    found = gates(noise, a, z, slowest)
    if not found:
        raise ValueError(f"no saddle was found between the attractors {_text(a)} and {_text(z)}; go from attractor to neighbouring "
                         "attractor, or give the saddle on the edge of the basin as `end`.")
    ways = [(_uphill(noise, a, saddle, at_rest=True), saddle, onward) for saddle, onward in found]
    best, saddle, onward = min(ways, key=lambda way: way[0].ritz.action)
    return best.result(noise, onward, saddle[None])


def _on_a_line(noise: WeakNoise, a: Array, z: Array) -> ActionPath:
    """In one dimension the path is straight, and its action 2 ∫ |f| / C over where the drift points back."""
    low, high, forward = min(a[0], z[0]), max(a[0], z[0]), math.copysign(1.0, z[0] - a[0])
    kinks = noise.sde.kinks(low, high)
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
    density = lagrangian(noise, points.reshape(-1, 1), np.full((points.size, 1), forward)).reshape(points.shape)
    work = np.concatenate([[0.0], np.cumsum(np.abs(half[:, 0]) * (density @ weights))])
    chain = sum(straight(noise, np.array([p]), np.array([q])).action for p, q in pieces)
    tops = [x for x in zeros if noise.jacobian(np.array([[x]]))[0, 0, 0] > 0]
    return _result(noise.sde, x, work, float(work[-1]), chain, np.array(tops[::int(forward)]).reshape(-1, 1))


def _result(sde: SDE, path: Array, work: Array, action: float, chain_action: float, crossings: Array) -> ActionPath:
    if not abs(action - chain_action) <= AGREE * max(abs(action), abs(chain_action)) + 1e-12:
        raise ArithmeticError(f"the path from {_text(path[0])} to {_text(path[-1])} did not converge: its action is {action:.8g} by Ritz's "
                              f"method, and {chain_action:.8g} by relaxation.")
    one = sde.dim == 1
    return ActionPath(sde, path[:, 0] if one else path, work, action, chain_action, crossings[:, 0] if one else crossings)


def _check_covariance(noise: WeakNoise, path: Array) -> None:
    eigenvalues = np.linalg.eigvalsh(noise.covariance(path))
    bad = np.flatnonzero(~(eigenvalues[:, 0] > 1e-12 * eigenvalues.max()))
    if len(bad):
        raise ValueError(f"C is singular at {_text(path[bad[0]])} on the path (its least eigenvalue is {eigenvalues[bad[0], 0]:.2g}): the "
                         "action needs its inverse; choose an end that is reached through states where the noise acts in all directions.")


def _text(x: Array) -> str:
    """A state, in a few digits."""
    values = [f"{v + 0.0:.6g}" for v in np.ravel(x)]
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"
