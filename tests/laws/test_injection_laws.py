"""Noise-injected large batches do what small ones do, as far as second moments tell: 5 standard errors, a false alarm in 2 million each.

The reference is the exact recursion of second moments of the *small* batch, which knows nothing of the injection.
"""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls

pytestmark = pytest.mark.law

RNG = np.random.default_rng(2)
X = RNG.normal(size=(60, 2)) * [1.0, 0.6]
LOSS = ls.losses.linear_regression(X, X @ [1.0, -1.0] + 0.7 * RNG.normal(size=60))
BEST = LOSS.minimum([0.0, 0.0]).x
RATE, SMALL, LARGE = 0.2, 2, 20


def deviations(inject: ls.Injection | None, sampling: str = "iid", **more) -> np.ndarray:
    """Variances and covariance of 600 runs of 4000 iterations against those of the small batch, in standard errors."""
    runs = ls.run_sgd(LOSS, BEST, learning_rate=RATE, batch_size=LARGE, n_steps=4000, sampling=sampling, inject=inject, average_from=200.0,
                      t_eval=[RATE], n_paths=600, rng=31, progress=False, **more)
    exact = ls.theory.minibatch_moments(LOSS, learning_rate=RATE, batch_size=SMALL, sampling=sampling, **more).covariance
    return ((runs.covariance - exact) / runs.covariance_error)[np.triu_indices(2)]


@pytest.mark.parametrize("noise", [ls.noise.from_hessians(LOSS), ls.noise.measure(LOSS), None],
                         ids=["Hessians", "measured", "of the batch"])
def test_the_full_covariance_makes_the_variance_that_of_the_small_batch(noise) -> None:
    assert np.abs(deviations(ls.Injection(noise, batch_size=SMALL))).max() < 5


def test_without_replacement_and_with_momentum() -> None:
    for noise in (ls.noise.from_hessians(LOSS), None):
        assert np.abs(deviations(ls.Injection(noise, batch_size=SMALL), "without", momentum=0.5)).max() < 5


@pytest.mark.parametrize("inject", [
    None,
    ls.Injection(ls.noise.Constant(float(np.trace(LOSS.covariance(BEST))) / 2), batch_size=SMALL),
    ls.Injection(ls.noise.Anisotropic(LOSS.covariance(BEST)), batch_size=SMALL),
    ls.Injection(ls.noise.from_hessians(LOSS), batch_size=1),
    ls.Injection(ls.noise.from_hessians(LOSS), batch_size=SMALL, average=0.9),
], ids=["nothing", "isotropic", "constant", "half the batch", "about a moving average"])
def test_anything_else_does_not(inject) -> None:
    """Controls: constant noise misses what grows with the distance, and a moving average follows the weights, so that it misses most of it.
    """
    assert np.abs(deviations(inject)).max() > 8
