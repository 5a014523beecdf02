"""Every sampled loss of the library on small data, with the loss of its samples written again in NumPy."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import langevin_sgd as ls

RNG = np.random.default_rng(11)
N, D = 13, 3
X, Y = RNG.normal(size=(N, D)), RNG.normal(size=N)
SIGNS = np.where(Y > 0, 1.0, -1.0)
ROWS, COLUMNS = RNG.integers(0, 3, N), RNG.integers(0, 2, N)
ROWS[0], COLUMNS[0] = 2, 1
A = RNG.normal(size=(N, 2, 2))
PAIRS = RNG.normal(size=(2, N, 2))
SHIFTS = 0.1 * RNG.normal(size=(N, 2))


@dataclass(frozen=True)
class Case:
    """A loss, and the losses (N,) of its samples at weights, by other code."""

    loss: ls.SampledLoss
    samples: Callable[[np.ndarray], np.ndarray]


def _factorised(w: np.ndarray) -> np.ndarray:
    u, v = w[:6].reshape(3, 2), w[6:].reshape(2, 2)
    return ((u @ v.T)[ROWS, COLUMNS] - Y)**2 / 2


def _sensed(w: np.ndarray) -> np.ndarray:
    u = w.reshape(2, 1)
    return (np.einsum("nij,ij->n", A, u @ u.T) - Y)**2 / 2


def _toy(w: np.ndarray) -> np.ndarray:
    u = w - SHIFTS
    return 15 * (np.abs(u - 1)**2.5 * np.abs(u + 1)**3).sum(axis=1)


def _turned_over(w: np.ndarray) -> np.ndarray:
    x = X[:, 0]
    h, r = 2 * x**2, 2 * x * (x @ Y / (x @ x) * x - Y)
    m = np.sqrt(0.4 / h.mean())
    near = h * w[0]**2 / 2 + r * w[0]
    beyond = h * m**2 - h * (w[0] - 2 * m)**2 / 2 - r * (w[0] - 2 * m)
    return near if w[0] < m else beyond


CASES = {
    "linear": Case(ls.losses.linear_regression(X, Y), lambda w: (X @ w - Y)**2 / 2),
    "ridge": Case(ls.losses.ridge_regression(X, Y, 0.3), lambda w: (X @ w - Y)**2 / 2 + 0.15 * w @ w),
    "logistic": Case(ls.losses.logistic_regression(X, SIGNS, 0.2), lambda w: np.log1p(np.exp(-SIGNS * (X @ w))) + 0.1 * w @ w),
    "phase": Case(ls.losses.phase_retrieval(X, Y**2), lambda w: ((X @ w)**2 - Y**2)**2 / 2),
    "factorisation": Case(ls.losses.matrix_factorisation(ROWS, COLUMNS, Y, rank=2), _factorised),
    "sensing": Case(ls.losses.matrix_sensing(A, Y, rank=1), _sensed),
    "scalar chain": Case(ls.losses.deep_linear_chain(X[:, 0], Y, depth=3), lambda w: (X[:, 0] * w.prod() - Y)**2 / 2),
    "diagonal chain": Case(ls.losses.deep_linear_chain(PAIRS[0], PAIRS[1], depth=2),
                           lambda w: ((PAIRS[0] * w[:2] * w[2:] - PAIRS[1])**2).sum(axis=1) / 2),
    "diagonal network": Case(ls.losses.diagonal_network(X, Y), lambda w: (X @ (w[:D]**2 - w[D:]**2) - Y)**2 / 2),
    "mirrored": Case(ls.losses.mirrored_parabola(X[:, 0], Y, barrier=0.4), _turned_over),
    "toy": Case(ls.losses.smoothed_toy(shifts=SHIFTS), _toy),
}


def weights(case: Case, scale: float = 0.7, seed: int = 0) -> np.ndarray:
    """Return weights (d,) at random."""
    return scale * np.random.default_rng(seed).normal(size=case.loss.dim)


def given(case: Case, w: np.ndarray) -> np.ndarray | float:
    """Return weights as the surface takes them: a float in one dimension."""
    return float(w[0]) if case.loss.dim == 1 else w
