"""The recursion of second moments against every batch counted one by one, and against the closed forms that are its limits."""
from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.sgd.minibatch_moments import batch_factor

X, Y = np.array([[1.0, 0.2], [-0.5, 1.1], [0.3, -0.8], [1.4, 0.6]]), np.array([0.3, -1.0, 0.7, 1.9])


def counted(size: int, sampling: str, eta: float, mu: float, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance in the long run, by iterating E z and E zzᵀ over all batches."""
    batches = list(itertools.product(range(4), repeat=size) if sampling == "iid" else itertools.permutations(range(4), size))
    maps = []
    for batch in map(list, batches):
        h = X[batch].T @ X[batch] / size + decay * np.eye(2)
        c = -X[batch].T @ Y[batch] / size
        pull = np.hstack([h, mu * np.eye(2), c[:, None]])
        maps.append(np.vstack([np.hstack([np.eye(2), np.zeros((2, 3))]) - eta * pull, pull, [[0, 0, 0, 0, 1]]]))
    z, s = np.array([0, 0, 0, 0, 1.0]), np.diag([0, 0, 0, 0, 1.0])
    average = np.mean(maps, axis=0)
    for _ in range(4000):
        z, s = average @ z, np.mean([a @ s @ a.T for a in maps], axis=0)
    return z[:2], s[:2, :2] - np.outer(z[:2], z[:2])


@pytest.mark.parametrize(("size", "sampling", "mu", "decay"), [
    (1, "iid", 0.0, 0.0), (2, "iid", 0.0, 0.3), (2, "without", 0.0, 0.0), (3, "without", 0.6, 0.1), (2, "iid", 0.5, 0.0)])
def test_every_batch_counted(size: int, sampling: str, mu: float, decay: float) -> None:
    mean, covariance = counted(size, sampling, 0.2, mu, decay)
    found = ls.theory.minibatch_moments(ls.losses.linear_regression(X, Y), learning_rate=0.2, batch_size=size, sampling=sampling,
                                        momentum=mu, weight_decay=decay)
    assert found.applies
    assert found.mean == pytest.approx(mean, rel=1e-9, abs=1e-11)
    assert found.covariance == pytest.approx(covariance, rel=1e-9, abs=1e-12)


def test_one_weight_is_the_variance_in_closed_form() -> None:
    loss = ls.losses.linear_regression(X[:, 0], Y)
    noise = ls.theory.regression_noise(inputs=X[:, 0], targets=Y)
    for size, sampling in ((1, "iid"), (3, "iid"), (3, "without")):
        found = ls.theory.minibatch_moments(loss, learning_rate=0.3, batch_size=size, sampling=sampling)
        strength = 0.3 * batch_factor(4, size, sampling)
        closed = ls.theory.sgd_variance(curvature=noise.curvature, constant=noise.constant, quadratic=noise.quadratic, learning_rate=0.3,
                                        strength=strength)
        assert found.covariance[0, 0] == pytest.approx(closed.value, rel=1e-10)
        assert found.mean[0] == pytest.approx(noise.minimum, rel=1e-10)


def test_additive_noise_is_theory_7_2() -> None:
    """Samples x = ±1, y = ±a make every Hessian the same: the covariance is that of Liu, Ziyin & Ueda to rounding."""
    x = np.array([1.0, 1.0, -1.0])
    loss = ls.losses.linear_regression(x, [0.5, -1.0, 2.0])
    for mu, decay in ((0.0, 0.0), (0.9, 0.0), (0.5, 0.2)):
        found = ls.theory.minibatch_moments(loss, learning_rate=0.1, batch_size=2, momentum=mu, weight_decay=decay)
        closed = ls.theory.sgd_covariance(curvature=1.0, constant=loss.covariance(0.0), learning_rate=0.1, batch_size=2, momentum=mu,
                                          weight_decay=decay)
        assert found.covariance == pytest.approx(closed.covariance, rel=1e-10)


def test_much_normal_data_come_to_theory_7_3() -> None:
    """20 000 samples, ten repetitions: within five standard errors of the formula for fresh normal samples; wrong by half with B for 2B."""
    a, noise = np.array([1.0, 0.5]), 0.5
    found = []
    for seed in range(10):
        x, y = ls.losses.generate(20_000, [1.0, -1.0], spectrum=a, label_noise=noise, rng=seed)
        moments = ls.theory.minibatch_moments(ls.losses.linear_regression(x, y), learning_rate=0.3, batch_size=2)
        found.append(np.diag(moments.covariance))
    expected, wrong = (ls.theory.regression_covariance(inputs=a, label_noise=noise, learning_rate=0.3, batch_size=b).covariance.diagonal()
                       for b in (2, 4))
    error = np.std(found, axis=0, ddof=1) / math.sqrt(10)
    assert np.all(np.abs(np.mean(found, axis=0) - expected) < 5 * error)
    assert np.all(np.abs(np.mean(found, axis=0) - wrong) > 5 * error)


def test_what_does_not_settle_is_said() -> None:
    found = ls.theory.minibatch_moments(ls.losses.linear_regression(X, Y), learning_rate=1.5, batch_size=1)
    assert not found.applies
    assert "second moments grow" in found.because
    assert np.isnan(found.covariance).all()


@pytest.mark.parametrize(("change", "says"), [
    ({"sampling": "reshuffle"}, "not independent"), ({"sampling": "any"}, "`sampling`"),
    ({"batch_size": 5, "sampling": "without"}, "drawn twice"),
    ({"momentum": 1.0}, "`momentum`"), ({"learning_rate": 0.0}, "`learning_rate`")])
def test_what_is_wrong_is_named(change: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ls.theory.minibatch_moments(ls.losses.linear_regression(X, Y), **{"learning_rate": 0.1, "batch_size": 1, **change})
    with pytest.raises(ValueError, match="not quadratic"):
        ls.theory.minibatch_moments(ls.losses.phase_retrieval(X, Y), learning_rate=0.1, batch_size=1)


def parabola(w, sample, gradient):
    x, y = w[0] - sample[0], w[1] - sample[1]
    gradient[0], gradient[1] = sample[2] + sample[4] * x + sample[5] * y, sample[3] + sample[5] * x + sample[6] * y
    return sample[2] * x + sample[3] * y + sample[4] * x * x / 2 + sample[5] * x * y + sample[6] * y * y / 2


@pytest.mark.parametrize(("moments", "more"), [(ls.theory.minibatch_moments, {"sampling": "without"}), (ls.theory.reshuffled_moments, {})])
def test_samples_to_second_order_at_a_point(moments, more):
    """Of logistic regression, they are the samples of another loss, written down here; and it does not matter about which point."""
    x = np.random.default_rng(1).normal(size=(30, 2))
    logistic = ls.losses.logistic_regression(x, np.sign(x[:, 0] + 0.5 * np.random.default_rng(2).normal(size=30)), penalty=0.05)
    best = logistic.minimum([0.0, 0.0]).x
    g, h = logistic.sample_gradients(best), logistic.sample_hessians(best)
    rows = np.column_stack([np.tile(best, (30, 1)), g, h[:, 0, 0], h[:, 0, 1], h[:, 1, 1]])
    same = dataclasses.replace(ls.SampledLoss.from_function(parabola, rows, 2), is_quadratic=True)
    settings = {"learning_rate": 0.5, "batch_size": 3, "momentum": 0.3, "weight_decay": 0.01, **more}
    found, known = moments(logistic, at=best, **settings), moments(same, **settings)
    assert found.covariance == pytest.approx(known.covariance, rel=1e-6) and found.mean == pytest.approx(known.mean, rel=1e-6)
    assert "second order at the minimum" in found.because and "at the minimum" not in known.because
    elsewhere = moments(same, at=[3.0, -2.0], **settings)
    assert elsewhere.covariance == pytest.approx(known.covariance, rel=1e-6) and elsewhere.mean == pytest.approx(known.mean, rel=1e-6)
    with pytest.raises(ValueError, match="or give `at`, a minimum"):
        moments(logistic, **settings)
