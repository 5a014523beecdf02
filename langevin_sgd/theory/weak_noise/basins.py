"""Where the drift alone leads: fixed points, the attractor that a state falls to, and the saddles between two attractors."""
from __future__ import annotations

import warnings

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.roots import stationary_points
from langevin_sgd.theory.weak_noise.hamiltonian import Hamiltonian

NEWTON_STEPS = 30
STALLED = 1e-9                  # the last of Newton's steps that is rounding, over the distance within which the zero must lie
OFF = 1e-4                      # how far beside a saddle its unstable directions are entered, over the distance of interest
PATIENCE = 200.0                # times the slowest time scale of the start, after which a path that has not settled is given up
ARRIVED = 1e-3                  # how near a fixed point Newton's method takes over, over the distance of interest


def fixed_point(noise: Hamiltonian, x: Array, reach: float) -> Array | None:
    """Return the zero of the drift within reach of x, by Newton's method; None without one."""
    found = x
    for _ in range(NEWTON_STEPS):
        try:
            step = np.linalg.solve(noise.jacobian(found[None])[0], noise.drift(found[None])[0])
        except np.linalg.LinAlgError:
            return None if noise.drift(found[None]).any() else found
        found = found - step
        if not np.linalg.norm(found - x) <= reach:
            return None
        if np.linalg.norm(step) <= 1e-13 * (reach + np.linalg.norm(found)):
            break
    else:
        if not np.linalg.norm(step) <= STALLED * reach:         # the rounding of the drift keeps steps from getting smaller
            return None
    return np.where(np.abs(found) < 1e-14 * reach, 0.0, found)


def growth(noise: Hamiltonian, x: Array) -> Array:
    """Return the real parts of the eigenvalues of the drift's Jacobian, the largest first."""
    return np.sort(np.linalg.eigvals(noise.jacobian(x[None])[0]).real)[::-1]


def fall(noise: Hamiltonian, x: Array, scale: float, slowest: float) -> Array:
    """Return the path (n, d) that the drift takes from x, to the fixed point where it settles or to where it was given up.

    `scale` is the distance of interest, `slowest` the slowest rate of relaxation at the attractor of interest.
    """
    from scipy.integrate import solve_ivp

    def settled(_: float, x: Array) -> float:
        return float(np.linalg.norm(noise.drift(x[None])[0])) - 1e-6 * scale * slowest

    def lost(_: float, x: Array) -> float:
        return float(np.linalg.norm(x - start)) - 1e3 * scale

    start = x
    settled.terminal = lost.terminal = True         # type: ignore[attr-defined]
    settled.direction = -1                          # type: ignore[attr-defined]
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        run = solve_ivp(lambda _, x: noise.drift(x[None])[0], (0.0, PATIENCE / slowest), x, method="LSODA", rtol=1e-9, atol=1e-12 * scale,
                        events=(settled, lost), jac=lambda _, x: noise.jacobian(x[None])[0])
    return run.y.T


def attractor_of(noise: Hamiltonian, x: Array, scale: float, slowest: float) -> Array | None:
    """Return the fixed point where the drift leads from x; None if it settles nowhere."""
    return fixed_point(noise, fall(noise, x, scale, slowest)[-1], ARRIVED * scale)


def branches(noise: Hamiltonian, saddle: Array, scale: float, slowest: float) -> list[Array]:
    """Return the paths (n, d) that leave a saddle along its unstable directions, both ways."""
    values, vectors = np.linalg.eig(noise.jacobian(saddle[None])[0])
    unstable = [vectors[:, k].real / np.linalg.norm(vectors[:, k].real) for k in np.flatnonzero(values.real > 0)]
    beside = [saddle + side * OFF * scale * v for v in unstable for side in (1, -1)]
    return [np.concatenate([saddle[None], fall(noise, x, scale, slowest)]) for x in beside]


def gates(noise: Hamiltonian, start: Array, end: Array, slowest: float) -> list[tuple[Array, Array]]:
    """Return the saddles with one unstable direction between two attractors, each with the way (n, d) that the drift takes on to `end`."""
    scale = float(np.linalg.norm(end - start))
    low, high = np.minimum(start, end) - scale, np.maximum(start, end) + scale
    found = []
    for x in stationary_points(noise.drift, noise.jacobian, np.stack([low, high], axis=1)):
        if (growth(noise, x) > 0).sum() != 1:
            continue
        ways = branches(noise, x, scale, slowest)
        homes = [np.linalg.norm(way[-1] - start) <= ARRIVED * scale for way in ways]
        onward = [way for way in ways if np.linalg.norm(way[-1] - end) <= ARRIVED * scale]
        if any(homes) and onward:
            found.append((x, np.concatenate([onward[0], end[None]])))
    return found
