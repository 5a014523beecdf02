"""The decomposition of linear equations and of SGD's recursion: reference numbers, random systems, simulated covariances.

The parts of 200 random stable systems of up to 50 components against SciPy's Lyapunov solver; covariances of simulated ensembles of up
to 16 components, and of 100-dimensional SGD, also by plain matrix products.  Controls: Q with the other sign, and the equation in place of
the recursion.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, relative

import langevin_sgd as ls
from tests.decompositions import random_system, z_of_covariance
from tests.oracles import ORACLES, tolerance

SYSTEMS = 200
RATE, BATCH, DIM, PATHS = 0.4, 8, 100, 6000


def checks() -> Iterator[Check]:
    """Reference numbers, random systems, simulations."""
    for entry in ORACLES:
        if entry["id"].startswith(("ao-linear", "ao-sgd")):
            parts = ls.decompose(F=entry["parameters"]["F"], D=entry["parameters"]["D"])
            known = {"Q[0,1]": parts.Q[0, 1], "trace(D^-1 Q U Q^T)": parts.entropy_production}
            for i, j in ((0, 0), (0, 1), (1, 1)):
                known |= {f"U[{i},{j}]": parts.U[i, j], f"inv(U)[{i},{j}]": parts.covariance[i, j]}
            yield relative(entry["id"], known[entry["quantity"]], entry["value"], tolerance(entry, 1e-12))
    yield from _random_systems()
    yield from _simulated()
    yield from _hundred_dimensions()


def _random_systems() -> Iterator[Check]:
    from scipy.linalg import solve_continuous_lyapunov
    worst, off, turned = 0.0, 0.0, np.inf
    for seed in range(SYSTEMS):
        f, d = random_system(2 + seed % 49, seed)
        parts, sigma = ls.decompose(F=f, D=d), solve_continuous_lyapunov(f, -2 * d)
        worst, off = max(worst, parts.residual), max(off, float(np.abs(parts.covariance / sigma - 1).max() / parts.condition))
        turned = min(turned, float(np.abs(f + (d - parts.Q) @ parts.U).max() / np.abs(f).max()))
    yield Check(name=f"{SYSTEMS} random systems: largest residual", value=worst, reference=0.0, error=1e-12, bound=1.0)
    yield Check(name="the same: Σ against SciPy's solver, over the conditioning", value=off, reference=0.0, error=1e-10, bound=1.0)
    yield Check(name="the same: smallest violation with −Q", value=turned, reference=0.0, error=1e-12, bound=1.0, control=True)


def _simulated() -> Iterator[Check]:
    for n in (2, 3, 8, 16):
        f, d = random_system(n, n)
        f /= -np.linalg.eigvals(f).real.max()
        dt = 0.3 * float((-2 * np.linalg.eigvals(f).real / np.abs(np.linalg.eigvals(f)) ** 2).min())
        parts, steps = ls.decompose(F=f, D=d, dt=dt), round(12 / dt)
        x = ls.simulate(ls.linear(f, d), np.zeros(n), (0, steps * dt), dt, 40_000, [steps * dt], rng=n).x[:, 0]
        yield _largest(f"{n} components, simulated: largest z of a covariance", x, parts.covariance)
        yield _largest(f"{n} components, against the equation instead of the recursion", x, ls.decompose(F=f, D=d).covariance, control=True)


def _hundred_dimensions() -> Iterator[Check]:
    """SGD on a quadratic loss with 100 weights and noise that shares no axis with the Hessian: by the library, and by matrix products."""
    rng = np.random.default_rng(5)
    axes = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    root = rng.normal(size=(DIM, DIM))
    curvatures, c = np.logspace(-1, 0.5, DIM), root @ root.T / DIM + 0.05 * np.eye(DIM)
    h = axes @ np.diag(curvatures) @ axes.T
    parts = ls.decompose(F=-h, D=RATE * c / BATCH / 2, dt=RATE)
    end = round(6 / (RATE * curvatures[0])) * RATE
    runs = ls.simulate(ls.linear(-h, RATE * c / BATCH / 2), np.zeros(DIM), (0, end), RATE, PATHS, [end], rng=6, progress=False)
    yield _largest(f"SGD with {DIM} weights, simulated: largest z of {DIM * (DIM + 1) // 2} covariances", runs.x[:, -1], parts.covariance)
    x, noise = np.zeros((PATHS, DIM)), RATE * np.linalg.cholesky(c / BATCH)
    for _ in range(round(6 / (RATE * curvatures[0]))):
        x = x - RATE * x @ h + rng.normal(size=x.shape) @ noise.T
    yield _largest("the same by plain matrix products", x, parts.covariance)
    yield Check(name="the same: residual of its decomposition", value=parts.residual, reference=0.0, error=1e-12, bound=1.0)
    yield _largest("the same against the equation", x, ls.decompose(F=-h, D=RATE * c / BATCH / 2).covariance, control=True)


def _largest(name: str, x: np.ndarray, sigma: np.ndarray, **more: bool) -> Check:
    return Check(name=name, value=float(np.abs(z_of_covariance(x, sigma)).max()), reference=0.0, error=1.0, bound=5.0, **more)


if __name__ == "__main__":
    main(Path(__file__).stem + ": potential and circulation of linear equations, and of SGD's recursion", checks)
