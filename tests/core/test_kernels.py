"""Kernels: compiled once for all models and processes, and what they count."""
from __future__ import annotations

import numpy as np

from langevin_sgd.core.kernels import EXITED, SLOT
from langevin_sgd.core.steps import Wall
from tests.core.kernel_runs import horizon, nothing, passage, plain

HIGH = Wall((lambda x, t, p: p[1] - x,), (lambda x, t, p: -1.0,))

def ahead(x, t, p):
    return 1.0


def test_steps_of_a_fixed_horizon_are_counted_exactly():
    for save in ([1], [7], [128], [300], [5, 128, 129, 1000]):
        runs = horizon(plain(lambda x, t, p: -x), np.zeros((70, 1)), 0.1, save)
        assert runs.control[SLOT] + runs.control[SLOT + 1] == 70 * save[-1]


def test_steps_to_the_exit_are_counted_exactly():
    """Budgets are counted in path-steps: what finished and what still runs must not be counted twice."""
    starts = np.linspace(-200.0, 0.0, 300)[:, None]
    ends = passage(plain(ahead, nothing, n_parameters=2, walls=(HIGH,)), starts, 0.01, 10**9, p=(1.0, 1.0))
    assert (ends.status == EXITED).all()
    assert ends.control[SLOT] + ends.control[SLOT + 1] == ends.reached.sum()


def test_lanes_are_refilled_in_whatever_order_paths_end():
    """Paths of very different lengths: each ends where it would have ended alone."""
    starts = np.random.default_rng(1).permutation(np.concatenate([np.linspace(-50, 0.9, 200), np.full(200, 0.95)]))[:, None]
    model = plain(ahead, lambda x, t, p: 0.01, n_parameters=2, walls=(HIGH,), bridge=True)
    together = passage(model, starts, 0.01, 10**9, p=(1.0, 1.0))
    np.testing.assert_allclose(together.reached * 0.01, 1.0 - starts[:, 0], atol=1.0, rtol=0.05)
    assert (together.after > 0.9).all()
