"""The path of least action by relaxation: the second opinion on Ritz's method, with which it shares nothing but the Hamiltonian.

The geometric minimum action method of M. Heymann & E. Vanden-Eijnden, Comm. Pure Appl. Math. 61, 1052 (2008): a chain of points moves down
the action, and is laid out again at equal distances after every step.  With the momentum θ where H = 0 and H_θ = λ φ',

    φ_τ = λ² φ'' + λ λ' φ' − λ H_θx φ' + H_θθ H_x ,

the stiff first term taken at the end of the step.  The action of the chain, by the midpoint rule, is wrong like 1 / points²: chains of
rising length are extrapolated.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.weak_noise.hamiltonian import Hamiltonian

SEGMENTS = (40, 80, 160, 320)
STEPS = 2000                    # of relaxation, for one chain
CALM = 1e-10                    # the chain rests if the action changes less in BLOCK steps, relative
BLOCK = 25
PACE = 2.0                      # the first step of τ, over the square of the shortest time scale of the drift
WORSE = 1e-6                    # rise of the action in a block, relative, that is still rounding and discreteness


@dataclass(frozen=True)
class RelaxedPath:
    """The longest chain (n, d), the extrapolated action, and how much the last extrapolation changed it."""

    path: Array
    action: float
    error: float


def relaxed(noise: Hamiltonian, guess: Array) -> RelaxedPath:
    """Relax a path (n, d) between its ends."""
    path, actions = guess, []
    for segments in SEGMENTS:
        path = _at_rest(noise, _laid_out(path, segments))
        actions.append(chain_action(noise, path))
    return RelaxedPath(path, *extrapolated(actions))


def straight(noise: Hamiltonian, start: Array, end: Array) -> RelaxedPath:
    """The same for the straight path: in one dimension there is no other."""
    chains = [np.linspace(start, end, segments + 1) for segments in SEGMENTS]
    return RelaxedPath(chains[-1], *extrapolated([chain_action(noise, chain) for chain in chains]))


def extrapolated(values: list[float]) -> tuple[float, float]:
    """Richardson's table for errors in even powers of the step, which is halved from value to value: the best, and its last change."""
    table = [np.array(values)]
    for order in range(1, len(values)):
        before = table[-1]
        table.append(before[1:] + np.diff(before) / (4**order - 1))
    return float(table[2][-1]), float(abs(np.diff(table[2])[-1]))


def chain_action(noise: Hamiltonian, path: Array) -> float:
    """The geometric action of straight segments, by the midpoint rule; NaN where there is no momentum."""
    step, middle = np.diff(path, axis=0), (path[1:] + path[:-1]) / 2
    return float((noise.momentum(middle, step) * step).sum())


def _at_rest(noise: Hamiltonian, path: Array) -> Array:
    """Take steps until the action does not change; a block of steps that made it worse is taken again with shorter ones."""
    pace = PACE / max(np.abs(np.linalg.eigvals(noise.jacobian(path))).max(), 1e-300)**2
    action = chain_action(noise, path)
    for _ in range(STEPS // BLOCK):
        tried = _block(noise, path, pace)
        after = np.inf if tried is None else chain_action(noise, tried)
        if tried is None or not after <= action * (1 + WORSE):
            pace /= 2
            continue
        change, path, action = abs(after - action), tried, after
        if change <= CALM * action:
            break
    return path


def _block(noise: Hamiltonian, path: Array, pace: float) -> Array | None:
    """A few steps, each with the points laid out again; None if they lead nowhere."""
    for _ in range(BLOCK):
        with np.errstate(all="ignore"):
            moved = _step(noise, path, pace)
        if not np.isfinite(moved).all():
            return None
        path = _laid_out(moved, len(path) - 1)
    return path


def _step(noise: Hamiltonian, path: Array, pace: float) -> Array:
    """One step of relaxation, implicit in the second derivative."""
    from scipy.linalg import solve_banded
    h = 1.0 / (len(path) - 1)
    tangent = np.gradient(path, h, axis=0)
    pull, mixed, force = noise.relaxation(path, tangent)
    inner, rising = pull[1:-1, None], ((pull[2:] - pull[:-2]) / (2 * h))[:, None]
    explicit = inner * rising * tangent[1:-1] - inner * mixed[1:-1] + force[1:-1]
    stiff = np.concatenate([[0.0], pace * pull[1:-1]**2 / h**2, [0.0]])
    bands = np.zeros((3, len(path)))
    bands[0, 1:], bands[1], bands[2, :-1] = -stiff[:-1], 1 + 2 * stiff, -stiff[1:]
    right = path.copy()
    right[1:-1] += pace * explicit
    return solve_banded((1, 1), bands, right, check_finite=False)


def _laid_out(path: Array, segments: int) -> Array:
    """The path through the same points, at equal distances."""
    from scipy.interpolate import CubicSpline
    distance = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    return CubicSpline(distance, path)(np.linspace(0, distance[-1], segments + 1))
