"""Real SGD against exact laws: second moments on finite data, reshuffled epochs, and escape from the mirrored parabola.

Every comparison is at five standard errors (false alarm 6e-7 each), over independent runs with a pinned key, and each has a control that
must fail by as much.
"""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls
from tests.oracles import BY_ID

pytestmark = pytest.mark.law

RNG = np.random.default_rng(2)
X = RNG.normal(size=(40, 2)) * [1.0, 0.6]
LOSS = ls.losses.linear_regression(X, X @ [1.0, -1.0] + 0.7 * RNG.normal(size=40))
BEST = LOSS.minimum([0.0, 0.0]).x


def z(runs: ls.SGDRuns, covariance: np.ndarray) -> np.ndarray:
    """How many standard errors each entry of the measured covariance is off."""
    return (runs.covariance - covariance) / runs.covariance_error


@pytest.mark.parametrize(("size", "sampling", "mu", "decay"), [
    (1, "iid", 0.0, 0.0), (10, "without", 0.0, 0.0), (4, "iid", 0.8, 0.0), (10, "without", 0.5, 0.3)])
def test_the_covariance_is_that_of_the_recursion(size: int, sampling: str, mu: float, decay: float) -> None:
    """400 runs of 4000 steps after 500 steps: relative errors of a per cent.  Control: the other way of drawing batches, or half of them.
    """
    settings = {"learning_rate": 0.15, "batch_size": size, "momentum": mu, "weight_decay": decay}
    runs = ls.run_sgd(LOSS, BEST, n_steps=4500, sampling=sampling, average_from=75.0, n_paths=400, t_eval=[0.15], rng=31, **settings)
    exact = ls.theory.minibatch_moments(LOSS, sampling=sampling, **settings)
    assert np.abs(z(runs, exact.covariance)).max() < 5
    mean_error = runs.path_mean.std(axis=0, ddof=1) / 20
    assert np.all(np.abs(runs.mean - exact.mean) < 5 * mean_error)
    other = {"batch_size": 2 * size} if sampling == "iid" else {}
    wrong = ls.theory.minibatch_moments(LOSS, sampling="iid", **{**settings, **other})
    assert np.abs(z(runs, wrong.covariance)).max() > 5
    plain = ls.theory.minibatch_moments(LOSS, sampling=sampling, **{**settings, "momentum": 0.0})
    assert mu == 0 or np.abs(z(runs, plain.covariance)).max() > 5


@pytest.mark.parametrize("h", [0.01, 0.1, 1.0])
def test_reshuffled_epochs_have_the_variance_of_theory_6_4(h: float) -> None:
    """50 samples of equal curvature, one in a batch: 300 runs of 400 epochs after the transient.  Control: independent draws."""
    z_k = np.random.default_rng(8).normal(size=50)
    z_k = (z_k - z_k.mean()) / z_k.std()
    loss = ls.losses.linear_regression(np.full(50, np.sqrt(h)), z_k / np.sqrt(h))
    epochs = int(400 + 2 / h)
    settings = {"learning_rate": 0.1, "batch_size": 1, "n_steps": 50 * epochs, "average_from": 0.1 * 50 * int(1 + 2 / h), "n_paths": 300,
                "t_eval": [0.1], "rng": 5}
    runs = ls.run_sgd(loss, 0.0, sampling="reshuffle", **settings)
    expected = BY_ID[f"reshuffle-var-h{h}"]["value"]
    assert ls.theory.reshuffled_variance(curvature=h, batch_variance=1.0, learning_rate=0.1, batches=50).value == pytest.approx(expected)
    assert abs(runs.covariance - expected) < 5 * runs.covariance_error
    independent = ls.run_sgd(loss, 0.0, sampling="iid", **settings)
    assert abs(independent.covariance - expected) > 5 * independent.covariance_error


@pytest.mark.parametrize(("barrier", "table", "chain", "equation"), [(0.3, 135.0, 131.8, 93.44), (0.5, 1632.0, 1660.0, 600.5)])
def test_escape_from_the_mirrored_parabola(barrier: float, table: float, chain: float, equation: float) -> None:
    """`theory`, 4.6 and 5.2b, at η = 0.05 and B = 1: 20 000 and 4000 runs, against the exact chain, and the table's ± 5 %.

    Control: the time of the Itô equation with the same covariance.
    """
    rng = np.random.default_rng(7)
    loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=barrier)
    m = np.sqrt(barrier / loss.hessian(0.0))
    runs = ls.run_sgd(loss, 0.0, learning_rate=0.05, batch_size=1, n_steps=10**6, domain=ls.Interval(high=2.6 * m), t_eval=[0.05],
                      n_paths=20_000 if barrier < 0.4 else 4000, rng=17)
    tau = runs.exits.mean()
    error = (tau.high - tau.low) / 3.92
    assert runs.exits.exited.all()
    assert abs(tau.value - chain) < 5 * error
    assert abs(tau.value - table) < 4 * np.hypot(error, 0.05 * table)
    assert abs(tau.value - equation) > 5 * error
