"""Drift and diffusion from trajectories alone, against the equation or the iteration that made them, with its bias where it is not removed.
"""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls

RNG = np.random.default_rng(4)
PHI = np.exp(-0.4)                  # of an Ornstein–Uhlenbeck process seen every 0.4


def ornstein_uhlenbeck(n_paths: int = 4000, steps: int = 60) -> np.ndarray:
    """dX = −X dt + √2 dW, sampled exactly every 0.4, from its stationary law."""
    rng = np.random.default_rng(7)
    x = np.empty((n_paths, steps + 1))
    x[:, 0] = rng.normal(size=n_paths)
    for k in range(steps):
        x[:, k + 1] = PHI * x[:, k] + np.sqrt(1 - PHI**2) * rng.normal(size=n_paths)
    return x


def test_the_bias_of_finite_times_is_known_and_mostly_removed() -> None:
    """240 000 increments over 0.4: plain moments have the slope −(1 − e^−0.4) / 0.4 and D = (1 − e^−0.8) / 0.8 exactly, within five
    standard errors; looking twice as far leaves an error of second order, predicted to the same accuracy, and five times smaller."""
    x = ornstein_uhlenbeck()
    plain, corrected = (ls.noise.from_trajectories(x, 0.4, process=process) for process in ("chain", "diffusion"))
    slope, d = (1 - PHI) / 0.4, (1 - PHI**2) / 0.8
    slope_far, d_far = (1 - PHI**2) / 0.8, (1 - PHI**4) / 1.6
    for found, expected_slope, expected_d in ((plain, slope, d), (corrected, 2 * slope - slope_far, 2 * d - d_far)):
        assert np.all(np.abs(found.drift + expected_slope * found.x) < 5 * found.drift_error)
        assert np.all(np.abs(found.diffusion - expected_d) < 5 * found.diffusion_error)
    assert abs(plain.fit_drift()[1] + 1) > 0.15
    assert abs(corrected.fit_drift()[1] + 1) < 0.06
    assert np.abs(plain.diffusion / 1 - 1).min() > 0.2
    assert np.abs(np.average(corrected.diffusion, weights=corrected.diffusion_error**-2) - 1) < 0.15


def test_steps_of_sgd_give_gradient_and_noise_back() -> None:
    """4000 runs of 100 steps of a regression: drift −H δ and C within five standard errors in every bin; control: twice the noise."""
    x, y = ls.losses.generate(50, [0.5], label_noise=0.4, rng=1)
    loss = ls.losses.linear_regression(x, y)
    best = loss.minimum(0.0)
    starts = best.x + 3 * RNG.normal(size=4000)
    runs = ls.run_sgd(loss, starts, learning_rate=0.1, batch_size=2, n_steps=100, t_eval=0.1 * np.arange(101), rng=2)
    found = ls.noise.from_trajectories(runs)
    assert np.all(np.abs(found.drift + best.hessian * (found.x - best.x)) < 5 * found.drift_error)
    exact = ls.theory.regression_noise(inputs=x[:, 0], targets=y)
    away, square = found.x - best.x, found.square - 2 * best.x * found.x + best.x**2
    c = exact.constant + 2 * exact.linear * away + exact.quadratic * square
    assert np.all(np.abs(found.diffusion - 0.05 * c / 2) < 5 * found.diffusion_error)
    assert np.abs((found.diffusion - 0.05 * c) / found.diffusion_error).max() > 20
    noise = found.noise(0.05, center=best.x)
    assert (noise.constant, noise.quadratic) == pytest.approx((exact.constant, exact.quadratic), rel=0.05)
    sde = ls.sgd(loss, noise, learning_rate=0.1, batch_size=2)
    assert sde.diffusion(best.x) == pytest.approx(0.05 * exact.constant / 2, rel=0.05)


def test_paths_that_have_ended_are_left_out() -> None:
    x = ornstein_uhlenbeck(500)
    x[::2, 30:] = np.nan
    found = ls.noise.from_trajectories(x, 0.4, bins=[-1.0, 0.0, 1.0])
    assert found.count.sum() == ((x[:, :-1] >= -1) & (x[:, :-1] < 1) & np.isfinite(x[:, 1:])).sum()


def in_errors(process: str, lag: int) -> np.ndarray:
    """Drift and diffusion minus the truth, in their stated errors: 40 times 100 paths of 200 steps of 0.1, in 6 bins."""
    phi, edges, found = np.exp(-0.1), np.linspace(-1.5, 1.5, 7), []

    def expected(k: int) -> np.ndarray:
        return np.array([-(1 - phi**k) / (0.1 * k), (1 - phi**(2 * k)) / (0.2 * k)])

    slope, d = expected(lag) if process == "chain" else 2 * expected(lag) - expected(2 * lag)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(201, 100))
        for k in range(200):
            x[k + 1] = phi * x[k] + np.sqrt(1 - phi**2) * x[k + 1]
        made = ls.noise.from_trajectories(x.T, 0.1, lag=lag, process=process, bins=edges)
        found.append([(made.drift - slope * made.x) / made.drift_error, (made.diffusion - d) / made.diffusion_error])
    return np.array(found)


@pytest.mark.parametrize(("process", "lag"), [("chain", 10), ("diffusion", 1)])
def test_increments_that_overlap_are_not_counted_as_independent(process: str, lag: int) -> None:
    """240 estimates each: their spread in stated errors is 1 within 0.23, five standard errors.

    As if independent, the errors of the chain are 1.7 times too small, and those of the diffusion a third too large.
    """
    assert in_errors(process, lag).std(axis=(0, 2)) == pytest.approx([1.0, 1.0], abs=0.23)


def test_few_increments_give_no_smaller_noise() -> None:
    """200 times 20 Brownian paths, about 100 increments in a bin: the fit has the mean of the bins, within five standard errors.

    Weights from each bin's own error gave 4 % less, 13 standard errors.
    """
    fits, means = [], []
    for seed in range(200):
        found = ls.noise.from_trajectories(np.cumsum(np.random.default_rng(seed).normal(size=(20, 84)), axis=1), 1.0)
        noise = found.noise(2.0)
        c = noise.constant + 2 * noise.linear * found.x + noise.quadratic * found.square
        fits.append(np.average(c, weights=found.count))
        means.append(np.average(found.diffusion, weights=found.count))
    assert abs(np.mean(fits) - np.mean(means)) < 5 * np.std(fits) / np.sqrt(200)


def test_iterations_that_were_not_saved_are_missed() -> None:
    """1000 steps are saved every 10 if nothing is said; with each, the drift is −H η δ / η."""
    loss = ls.losses.linear_regression([1.0, -2.0, 0.5], [0.7, -1.0, 1.2])

    def run(rate: float | list[float], **how: object) -> object:
        return ls.run_sgd(loss, np.linspace(-1, 1, 50), learning_rate=rate, batch_size=1, n_steps=1000, rng=1, **how)

    with pytest.raises(ValueError, match=r"every 10th iteration.*t_eval=0\.05 \* np\.arange"):
        ls.noise.from_trajectories(run(0.05))
    with pytest.raises(ValueError, match="learning rate changes"):
        ls.noise.from_trajectories(run([0.05] * 500 + [0.1] * 500, t_eval=0.05 * np.arange(501)))
    assert ls.noise.from_trajectories(run(0.05), process="diffusion").interval == pytest.approx(0.5)
    found = ls.noise.from_trajectories(run(0.05, t_eval=0.05 * np.arange(1001)))
    assert found.fit_drift()[1] == pytest.approx(-loss.minimum(0.0).hessian, rel=0.05)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: ls.noise.from_trajectories(np.zeros((3, 9))), "`dt` is missing"),
    (lambda: ls.noise.from_trajectories(np.ones((3, 9)), 0.1), "`bins`"),
    (lambda: ls.noise.from_trajectories(RNG.normal(size=(3, 2)), 0.1, process="diffusion"), "need more"),
    (lambda: ls.noise.from_trajectories(RNG.normal(size=(3, 9)), 0.1), "no bin holds"),
    (lambda: ls.noise.from_trajectories(RNG.normal(size=(3, 9)), 0.1, process="walk"), "`process`"),
    (lambda: ls.noise.from_trajectories(RNG.normal(size=(3, 9, 2)), 0.1), "for one component"),
    (lambda: ls.noise.from_trajectories("paths", 0.1), "`x` is 'paths'"),
    (lambda: ls.noise.from_trajectories(None, 0.1), r"`x` has shape \(\)"),
    (lambda: ls.noise.from_trajectories([[1.0, 2.0], [3.0]], 0.1), "numbers in one shape"),
    (lambda: ls.noise.from_trajectories(np.full((3, 9), np.nan), 0.1), "holds no state"),
    (lambda: ls.noise.from_trajectories(np.zeros((0, 5)), 0.1), "holds no state"),
    (lambda: ls.noise.from_trajectories([[1.0, np.inf, 2.0]], 0.1), "`x` holds inf"),
])
def test_what_is_wrong_is_named(call, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
