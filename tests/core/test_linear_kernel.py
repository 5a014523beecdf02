"""The kernel of linear equations: the numbers of every path, what it counts, and that it is compiled once."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit

from langevin_sgd.core.blocks import blocks_of, padded
from langevin_sgd.core.kernels import COMPLETED, DIVERGED, SLOT, STOPPED
from langevin_sgd.core.linear_kernel import linear_kernel, memory
from langevin_sgd.core.streams import normal_pair, stream

KEY = (7, 11)


@dataclass(frozen=True)
class Runs:
    x: np.ndarray
    status: np.ndarray
    reached: np.ndarray
    control: np.ndarray


def linear(M, N, x0, save, n, offset=0.0, first_path=0, stop=False) -> Runs:
    """Run n paths from the states x0 (d,) or (n, d) and record them after the given steps."""
    d, width = len(M), padded(len(M))
    both, a = np.zeros((width, 2 * width)), np.zeros(width)
    both[:d, :d], both[:d, width:width + d], a[:d] = M, N, offset
    out, status, reached = np.empty((n, len(save), d)), np.full(n, 255, np.uint8), np.zeros(n, np.int64)
    control = np.zeros(2 * SLOT, np.int64)
    control[0] = stop
    linear_kernel()(np.atleast_2d(np.asarray(x0, float)), 0, n, first_path, np.array(save, np.int64), *map(np.uint64, KEY),
                    *blocks_of(both), a, memory(d), out, status, reached, control, SLOT)
    return Runs(out, status, reached, control)


@njit
def normals(low, high, path, d, pairs):
    """The normals that a path sees (step, component): each pair of steps takes a pair of numbers for every component in turn."""
    state, z = stream(low, high, path), np.empty((2 * pairs, d))
    for k in range(pairs):
        for j in range(d):
            state, z[2 * k, j], z[2 * k + 1, j] = normal_pair(state)
    return z


def by_hand(M, N, x0, steps, path, offset=0.0) -> np.ndarray:
    """All states (step, d) of a path, with NumPy."""
    z, x = normals(*map(np.uint64, KEY), np.uint64(path), len(M), steps), [np.asarray(x0, float)]
    for k in range(steps):
        x.append(offset + M @ x[-1] + N @ z[k])
    return np.array(x)


def some_map(d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed + d)
    return 0.9 * np.eye(d) + rng.normal(size=(d, d)) / (20 * d), rng.normal(size=(d, d)) / d, rng.normal(size=d)


@pytest.mark.parametrize("d", [1, 2, 4, 7, 33])
def test_every_state_is_that_of_the_formula(d):
    M, N, offset = some_map(d)
    x0 = np.random.default_rng(1).normal(size=(70, d))
    runs = linear(M, N, x0, list(range(10)), 70, offset, first_path=5)
    for q in (0, 1, 63, 64, 69):
        np.testing.assert_allclose(runs.x[q], by_hand(M, N, x0[q], 9, q + 5, offset), rtol=1e-12, atol=1e-13)
    assert (runs.status == COMPLETED).all()
    assert (runs.reached == 9).all()


def test_a_transposed_matrix_is_another_one():
    """The negative control of the test above."""
    M, N, offset = some_map(7)
    assert np.abs(linear(M, N, np.ones(7), [9], 1, offset).x[0, 0] - by_hand(M.T, N, np.ones(7), 9, 0, offset)[-1]).max() > 1e-3


@pytest.mark.parametrize("save", [[1], [7], [128], [300], [5, 128, 129, 1000]])
def test_steps_are_counted_exactly(save):
    runs = linear([[0.9]], [[1.0]], [0.0], save, 70)
    assert runs.control[SLOT] == 70 * save[-1]


def test_a_path_that_overflows_has_diverged_and_the_others_have_not():
    M = np.diag([2.0, 0.5])
    x0 = np.zeros((70, 2))
    x0[3, 0] = 1.0
    runs = linear(M, np.diag([0.0, 1.0]), x0, [0, 1000, 1023, 1025, 2001], 70)
    assert (runs.status == np.where(np.arange(70) == 3, DIVERGED, COMPLETED)).all()
    assert runs.reached[3] == 1024
    assert np.isfinite(runs.x[3, :3]).all()
    assert runs.x[3, 2, 0] == 2.0**1023
    assert np.isnan(runs.x[3, 3:]).all()
    assert np.isfinite(np.delete(runs.x, 3, axis=0)).all()          # also the path that has the same lane next


def test_divergence_just_after_the_last_step_is_none():
    """Steps come in pairs: the second one of the last pair is not done."""
    runs = linear([[2.0]], [[0.0]], [1.0], [1023], 1)
    assert runs.status[0] == COMPLETED
    assert runs.x[0, 0, 0] == 2.0**1023


def test_a_stop_before_the_start_leaves_what_was_there():
    M, N, _ = some_map(3)
    runs = linear(M, N, np.ones(3), [0, 10], 70, stop=True)
    assert (runs.status == STOPPED).all()
    assert (runs.reached == 0).all()
    assert (runs.x[:, 0] == 1.0).all()
    assert np.isnan(runs.x[:, 1]).all()


def test_another_number_of_components_compiles_nothing():
    for d in (1, 20, 150):
        linear(*some_map(d)[:2], np.zeros(d), [3], 1)
    assert len(linear_kernel().signatures) == 1
