"""Equations whose decomposition is known, and random ones: what the tests and validation/claims share."""
from __future__ import annotations

import functools
from typing import Any

import numpy as np

import langevin_sgd as ls

F, D = np.array([[-1.0, 2.0], [-0.5, -2.0]]), np.array([[1.0, 0.3], [0.3, 0.5]])


def random_system(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A stable F of n components, no two scales alike, and a D that commutes with nothing."""
    rng = np.random.default_rng(seed)
    f = rng.normal(size=(n, n))
    f -= (np.linalg.eigvals(f).real.max() + rng.uniform(0.05, 1.0)) * np.eye(n)
    root = rng.normal(size=(n, n))
    return f, root @ root.T / n + 0.01 * np.eye(n)


def z_of_covariance(x: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """How many standard errors the second moments of a centred Gaussian sample lie from Σ; their variance is Σ_ii Σ_jj + Σ_ij²."""
    spread = np.sqrt((np.outer(np.diag(sigma), np.diag(sigma)) + sigma**2) / len(x))
    return np.asarray((x.T @ x / len(x) - sigma) / spread)


# -------------------------------------------------------------------------------- parts that depend on the state

T = 0.1                                         # e of `theory` 6.1, whose D, Q and φ are D / e, Q / e and φ e of the library
PHI = "((x**2 + y**2 - 1)**2/4 + 0.3*x)/T"
NOISE = [["T*(1 + x**2/2)", "T*x*y/4"], ["T*x*y/4", "T*(1 + y**2/3)"]]
TURN = "T*(1 + x*y/2)"
BOX = [(-2.3, 2.3), (-2.3, 2.3)]


def example(turn: str = TURN) -> Any:
    """The nonlinear A-type process of `theory`, 6.1."""
    return ls.compose(PHI, NOISE, turn, T=T)


def as_written(interpretation: str) -> ls.SDE:
    """−(D + Q) ∇φ and C = 2 D / e written out by hand, read in one of the library's own conventions: not A-type."""
    px, py = "(x*(x**2 + y**2 - 1) + 0.3)", "(y*(x**2 + y**2 - 1))"
    drift = [f"-((1 + x**2/2)*{px} + (x*y/4 + 1 + x*y/2)*{py})", f"-((x*y/4 - 1 - x*y/2)*{px} + (1 + y**2/3)*{py})"]
    return ls.SDE(drift, ls.noise.Expression([["1 + x**2/2", "x*y/4"], ["x*y/4", "1 + y**2/3"]]), 2 * T, interpretation)


def well_inside(x: np.ndarray, phi: Any, depth: float) -> np.ndarray:
    values = phi(x)
    return np.asarray(values < values.min() + depth)


@functools.cache
def in_space() -> tuple[Any, Any]:
    """φ of fourth order in x, D that depends on the state, and a circulation with ∇·Q ≠ 0."""
    known = ls.compose("x**4/4 + x**2/4 + y**2/2 + z**2/2", ["1 + x**2/4", "1", "0.5"],
                       [["0", "0.5 + x*z/4", "0.2"], ["-0.5 - x*z/4", "0", "0"], ["-0.2", "0", "0"]])
    return known, ls.decompose(known.sde(), grid=ls.Grid([(-2.8, 2.8), (-4.2, 4.2), (-4.2, 4.2)], 24))
