"""Real minibatch SGD on either side of each limit of stability, on regressions that fit every sample."""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls
from tests.laws.standard_errors import z_of_mean

X = np.random.default_rng(12).standard_t(4, size=50)
LINE = ls.losses.linear_regression(X, np.zeros(50))
PLANE = ls.losses.linear_regression(np.random.default_rng(12).normal(size=(50, 2)) * [1.5, 1.0], np.zeros(50))
START, PATHS = 1e-100, 20_000


def last_sizes(loss: ls.SampledLoss, eta: float, size: int, n: int, **more: object) -> np.ndarray:
    """ln |w| / |w_0| after n steps from a small start, (path,)."""
    w0 = START if loss.dim == 1 else [START, START]
    runs = ls.run_sgd(loss, w0, learning_rate=eta, batch_size=size, n_steps=n, n_paths=PATHS, rng=5, t_eval=[eta * n], progress=False,
                      **more)
    return np.log(np.linalg.norm(runs.last / START, axis=1))


@pytest.mark.law
@pytest.mark.parametrize(("size", "sampling"), [(1, "iid"), (4, "iid"), (3, "without")])
def test_one_weight_grows_by_its_exponent_and_its_square_by_the_radius(size: int, sampling: str) -> None:
    """20 000 runs: ln |w| after 40 steps is 40 λ in the mean, and E w² after 2 steps the square of the radius, both within
    5 standard errors (false alarms 6e-7); with twice the batch neither, nor is λ that of the Itô equation."""
    limits = ls.theory.stability_limits(LINE, 0.0, batch_size=size, sampling=sampling, rng=1)
    for eta in (0.7 * limits.in_mean_square, 0.5 * (limits.in_mean_square + limits.almost_surely), 1.3 * limits.almost_surely):
        right, wrong = (ls.theory.minibatch_stability(LINE, 0.0, learning_rate=eta, batch_size=b, sampling=sampling, rng=1)
                        for b in (size, 2 * size))
        logs = last_sizes(LINE, eta, size, 40, sampling=sampling)
        error = logs.std(ddof=1) / np.sqrt(PATHS)
        assert abs(logs.mean() - 40 * right.exponent.value) < 5 * np.hypot(error, 40 * right.exponent.error)
        assert abs(logs.mean() - 40 * wrong.exponent.value) > 5 * error
        squares = np.exp(2 * last_sizes(LINE, eta, size, 2, sampling=sampling))
        assert abs(z_of_mean(squares, right.moments.mean_square_radius**2)) < 5
        assert abs(z_of_mean(squares, wrong.moments.mean_square_radius**2)) > 5
        equation = ls.theory.linear_stability(learning_rate=eta, curvature=X**2)
        assert abs(logs.mean() - 40 * eta * equation.of_equation()) > 5 * error


@pytest.mark.law
@pytest.mark.parametrize("mu", [0.0, 0.6])
def test_two_weights_grow_by_their_exponent(mu: float) -> None:
    """20 000 runs from step 20 to step 60: 40 λ within 5 standard errors of both (false alarms 6e-7), not with twice the batch."""
    for eta in (0.15, 0.9):
        right, wrong = (ls.theory.minibatch_stability(PLANE, [0.0, 0.0], learning_rate=eta, batch_size=b, momentum=mu, rng=2).exponent
                        for b in (2, 4))
        grown = last_sizes(PLANE, eta, 2, 60, momentum=mu) - last_sizes(PLANE, eta, 2, 20, momentum=mu)
        error = grown.std(ddof=1) / np.sqrt(PATHS)
        assert abs(grown.mean() - 40 * right.value) < 5 * np.hypot(error, 40 * right.error)
        assert abs(grown.mean() - 40 * wrong.value) > 5 * np.hypot(error, 40 * wrong.error)


@pytest.mark.law
def test_the_regions_as_runs_see_them() -> None:
    """Metastable: E w² falls.  Attracted only: it rises, while nearly all runs come nearer.  Excluded: they go away.  20 000 runs; shares
    that are 7 standard errors and more from one half, squares that are 5 from 1 (false alarms 3e-7)."""
    limits = ls.theory.stability_limits(LINE, 0.0, batch_size=1)
    for eta, region in ((0.6 * limits.in_mean_square, "metastable"), (2 * limits.in_mean_square, "attracted only"),
                        (1.5 * limits.almost_surely, "excluded")):
        assert ls.theory.minibatch_stability(LINE, 0.0, learning_rate=eta, batch_size=1).region == region
        squares = np.exp(2 * last_sizes(LINE, eta, 1, 2))
        assert (z_of_mean(squares, 1.0) < -5) == (region == "metastable") and abs(z_of_mean(squares, 1.0)) > 5
        nearer = (last_sizes(LINE, eta, 1, 400) < 0).mean()
        assert (nearer > 0.5 + 7 / np.sqrt(PATHS)) == (region != "excluded") and abs(nearer - 0.5) > 7 / np.sqrt(PATHS)
