"""Minibatch SGD against its own gradients without anything around them, and against the loop that a NumPy user would write."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from limit import compiled_sgd
from numba import njit
from race import Contestant

import langevin_sgd as ls
from langevin_sgd.core.batches import compile_batch
from langevin_sgd.core.dots import moved
from langevin_sgd.core.lanes import LANES, address_of, aligned_floats

REGRESSION = {"samples": 10_000, "weights": 100, "batch": 10, "steps": 5_000, "runs": 8}


@njit
def alone(batch: Any, w: Any, data: Any, indices: Any, size: int, p: Any, g: Any) -> None:
    """Gradients of batches whose samples are drawn already, one after the other; the last batch is only fetched."""
    for k in range(0, len(indices) - size, size):
        at = address_of(p)                  # also for the noise that is not injected, and not read
        batch(address_of(w), address_of(data), moved(address_of(indices), k), size, at, address_of(g), at, at, at)


def regression() -> dict[str, Contestant]:
    """Linear regression with a hundred weights: SGD, hand-written C, its gradients alone, and NumPy; nanoseconds per iteration of a run."""
    n, d, size, steps, runs = (REGRESSION[k] for k in ("samples", "weights", "batch", "steps", "runs"))
    x, y = ls.losses.generate(n, np.ones(d), label_noise=1.0, rng=1)
    loss = ls.losses.linear_regression(x, y)
    batch = compile_batch(loss.adding_function, d, d + 1, len(loss.p), lanes=False, stride=loss.rows.shape[1])
    indices, w, g = np.random.default_rng(2).integers(0, n, (steps + 1) * size), aligned_floats(d), aligned_floats(d)
    near = np.arange((steps + 1) * size) % size
    found = {"SGD": Contestant(lambda: ls.run_sgd(loss, w, learning_rate=0.005, batch_size=size, n_steps=steps, n_paths=runs,
                                                 t_eval=[0.005 * steps], rng=3, threads=1, progress=False), steps * runs),
             "gradients": Contestant(lambda: alone(batch, w, loss.rows, indices, size, loss.p, g), steps),
             "gradients, near": Contestant(lambda: alone(batch, w, loss.rows, near, size, loss.p, g), steps),
             "NumPy": Contestant(numpy_ensemble(x, y, size, 64, 100), 64 * 100),
             "NumPy, a thousand runs": Contestant(numpy_ensemble(x, y, size, 1000, 10), 10_000),
             "NumPy, one run": Contestant(numpy_ensemble(x, y, size, 1, 2000), 2000)}
    by_hand = compiled_sgd(loss.rows, size, steps, 0.005)
    return found | ({"C": Contestant(by_hand, steps)} if by_hand else {})


def one_weight() -> dict[str, Contestant]:
    """Ten thousand runs of a loss with one weight, and their gradients alone."""
    rng = np.random.default_rng(7)
    loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=2.0)
    batch = compile_batch(loss.adding_function, 1, 2, len(loss.p), lanes=True)
    steps, few = 1000, 16           # few enough indices to stay in the cache
    indices, w, g = rng.integers(0, 500, few * LANES), rng.normal(size=LANES), np.zeros(LANES)

    def gradients() -> None:
        lanes(batch, w, loss.data, indices, loss.p, g, 1000)

    return {"runs": Contestant(lambda: ls.run_sgd(loss, 0.0, learning_rate=0.02, batch_size=1, n_steps=steps, n_paths=10_000,
                                                  t_eval=[0.02 * steps], rng=3, threads=1, progress=False), steps * 10_000),
            "their gradients": Contestant(gradients, 1000 * few * LANES)}


@njit
def lanes(batch: Any, w: Any, data: Any, indices: Any, p: Any, g: Any, times: int) -> None:
    """Gradients of one sample for each of a block of lanes, so many times."""
    for _ in range(times):
        for k in range(0, len(indices), LANES):
            at = address_of(p)
            batch(address_of(w), address_of(data), moved(address_of(indices), k), 1, at, address_of(g), at, at, at)


def numpy_ensemble(x: np.ndarray, y: np.ndarray, size: int, runs: int, steps: int) -> Callable[[], None]:
    """Return a loop over steps, vectorised over an ensemble of runs."""
    def run() -> None:
        rng, w = np.random.Generator(np.random.SFC64(1)), np.zeros((runs, x.shape[1]))
        for _ in range(steps):
            chosen = rng.integers(0, len(x), (runs, size))
            rows = x[chosen]
            residuals = (rows @ w[:, :, None])[:, :, 0] - y[chosen]
            w -= 0.005 / size * (residuals[:, None, :] @ rows)[:, 0]
    return run
