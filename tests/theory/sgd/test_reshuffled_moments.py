"""SGD with reshuffled epochs: every order of a few samples written out, closed forms where Hessians are equal, and real runs."""
from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import pytest

import langevin_sgd as ls


def regression(n: int, d: int, scatter: float, seed: int = 1) -> ls.SampledLoss:
    """Linear regression whose inputs are of about one size in one dimension (so that `scatter` is that of the curvatures)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) if d > 1 else 1 + scatter * rng.normal(size=(n, 1))
    return ls.losses.linear_regression(x, x.sum(axis=1) + 0.5 * rng.normal(size=n))


def batches_of(samples: tuple[int, ...], size: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All epochs of batches of `size`, the order within a batch aside."""
    if len(samples) < size:
        yield ()
        return
    for first in itertools.combinations(samples, size):
        left = tuple(s for s in samples if s not in first)
        yield from ((first, *rest) for rest in batches_of(left, size))


def every_order(loss: ls.SampledLoss, eta: float, size: int, mu: float = 0.0, decay: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The exact stationary mean and covariance: z = (1, w, m), the mean of z zᵀ over all epochs, solved for."""
    d, origin = loss.dim, np.zeros(loss.dim) if loss.dim > 1 else 0.0
    slope, hessian = loss.sample_gradients(origin).reshape(-1, d), loss.sample_hessians(origin).reshape(-1, d, d)
    steps = []
    for c, h in zip(slope, hessian, strict=True):
        pull = np.column_stack([c, h + decay * np.eye(d), mu * np.eye(d)])
        steps.append(np.block([[np.eye(1), np.zeros((1, 2 * d))], [-eta * pull], [pull]]))
        steps[-1][1:d + 1, 1:d + 1] += np.eye(d)
    n, total = 2 * d + 1, 0
    m = loss.n_samples // size
    over = np.zeros((m + 1, n * n, n * n))
    for epoch in batches_of(tuple(range(loss.n_samples)), size):
        z = np.eye(n)
        over[0] += np.eye(n * n)
        for k, batch in enumerate(epoch):
            z = np.mean([steps[i] for i in batch], axis=0) @ z
            over[k + 1] += np.kron(z, z)
        total += 1
    over /= total
    start = np.append(1.0, np.linalg.solve(np.eye(n * n - 1) - over[m, 1:, 1:], over[m, 1:, 0]))
    moments = (over[1:].mean(axis=0) @ start).reshape(n, n)
    mean = moments[0, 1:d + 1]
    return mean, moments[1:d + 1, 1:d + 1] - np.outer(mean, mean)


def at_the_minimum(loss: ls.SampledLoss, **settings: float) -> np.ndarray:
    """The covariance that the noise at the minimum alone would make."""
    best = loss.minimum(np.zeros(loss.dim) if loss.dim > 1 else 0.0).x
    return ls.theory.reshuffled_covariance(curvature=loss.hessian(best), constant=loss.covariance(best), dataset_size=loss.n_samples,
                                           **settings).covariance


@pytest.mark.parametrize(("h", "eta", "n", "size"), [(0.01, 0.1, 50, 1), (1.0, 0.1, 50, 1), (15.0, 0.1, 12, 3), (2.0, 0.3, 20, 10)])
def test_equal_hessians_leave_the_closed_form(h, eta, n, size):
    y = np.random.default_rng(0).normal(size=n)
    loss = ls.losses.linear_regression(np.full(n, np.sqrt(h)), y / np.sqrt(h))
    found = ls.theory.reshuffled_moments(loss, learning_rate=eta, batch_size=size)
    c = y.var() * (n - size) / (size * (n - 1))
    closed = ls.theory.reshuffled_variance(curvature=h, batch_variance=c, learning_rate=eta, batches=n // size).value
    assert found.applies and found.covariance == pytest.approx(closed, rel=1e-10)
    assert found.mean == pytest.approx(y.mean() / h, abs=1e-12)
    alone = ls.theory.reshuffled_covariance(curvature=h, constant=y.var(), learning_rate=eta, batch_size=size, dataset_size=n)
    assert alone.applies and alone.covariance == pytest.approx(closed, rel=1e-10)


@pytest.mark.parametrize(("n", "size", "mu", "decay"), [(5, 1, 0.0, 0.0), (6, 2, 0.0, 0.3), (7, 2, 0.6, 0.0), (4, 4, 0.0, 0.0)])
def test_every_order_of_equal_hessians(n, size, mu, decay):
    """Exact, whatever momentum, decay, and samples that an epoch leaves over; in two dimensions with noise along both diagonals."""
    rng = np.random.default_rng(n)
    shifts = rng.normal(size=(n, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    loss = dataclasses.replace(ls.SampledLoss.from_function(bowl, shifts, 2), is_quadratic=True)
    settings = {"learning_rate": 0.2, "batch_size": size, "momentum": mu, "weight_decay": decay}
    found = ls.theory.reshuffled_moments(loss, **settings)
    mean, covariance = every_order(loss, 0.2, size, mu, decay)
    assert found.mean == pytest.approx(mean, rel=1e-8) and found.covariance == pytest.approx(covariance, rel=1e-7, abs=1e-12)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    alone = ls.theory.reshuffled_covariance(curvature=turn @ np.diag([0.5, 2.0]) @ turn.T, constant=turn @ loss.covariance(mean) @ turn.T,
                                            dataset_size=n, **settings)
    assert turn.T @ alone.covariance @ turn == pytest.approx(covariance, rel=1e-7, abs=1e-12)


def bowl(w, shift, gradient):
    gradient[0] = 0.5 * (w[0] - shift[0])
    gradient[1] = 2.0 * (w[1] - shift[1])
    return 0.25 * (w[0] - shift[0])**2 + (w[1] - shift[1])**2


@pytest.mark.parametrize(("n", "size", "mu"), [(6, 1, 0.0), (6, 2, 0.5)])
def test_the_error_is_of_second_order_in_the_differences_of_hessians(n, size, mu):
    """Halving the scatter of the curvatures quarters what is wrong, and halves what the noise at the minimum alone gets wrong."""
    wrong, alone = [], []
    for scatter in (0.02, 0.01):
        loss = regression(n, 1, scatter, seed=3)
        mean, covariance = every_order(loss, 0.3, size, mu)
        found = ls.theory.reshuffled_moments(loss, learning_rate=0.3, batch_size=size, momentum=mu)
        additive = at_the_minimum(loss, learning_rate=0.3, batch_size=size, momentum=mu)
        wrong.append([float(found.covariance[0, 0] / covariance[0, 0] - 1), float(found.mean[0] - mean[0])])
        alone.append([float(additive[0, 0] / covariance[0, 0] - 1), float(loss.minimum(0.0).x - mean[0])])
    assert np.divide(*wrong) == pytest.approx([4, 4], rel=0.2)
    assert np.divide(*alone) == pytest.approx([2, 2], rel=0.2)
    assert np.all(np.abs(wrong[1]) < 0.2 * np.abs(alone[1]))


@pytest.mark.parametrize(("size", "mu"), [(1, 0.0), (2, 0.4)])
def test_every_order_of_a_few_samples(size, mu):
    """Six samples in two dimensions, whose curvatures differ as much as they do: within 3 %, where the noise at the minimum is 10 % off."""
    loss = regression(6, 2, 1.0, seed=4)
    found = ls.theory.reshuffled_moments(loss, learning_rate=0.1, batch_size=size, momentum=mu)
    covariance = every_order(loss, 0.1, size, mu)[1]
    additive = at_the_minimum(loss, learning_rate=0.1, batch_size=size, momentum=mu)
    assert np.diag(found.covariance) == pytest.approx(np.diag(covariance), rel=0.03)
    assert np.abs(np.diag(additive) / np.diag(covariance) - 1).max() > 0.1


@pytest.mark.law
@pytest.mark.parametrize(("eta", "size", "mu"), [(0.3, 5, 0.0), (0.1, 4, 0.8)])
def test_real_runs(eta, size, mu):
    """100 runs of 600 epochs after the transient, within 5 standard errors of about 0.3 % (false alarm 6e-7 for each of 5 numbers).

    Control: the noise at the minimum alone, and the mean at the minimum, are further off than 5.
    """
    rng = np.random.default_rng(5)
    x = rng.normal(size=(100, 2)) * [0.3, 1.0]
    loss = ls.losses.linear_regression(x, x.sum(axis=1) + 0.5 * rng.normal(size=100))
    found = ls.theory.reshuffled_moments(loss, learning_rate=eta, batch_size=size, momentum=mu)
    m = 100 // size
    burnt = m * int(1 + 8 * (1 - mu) / (eta * 0.09 * m))
    runs = ls.run_sgd(loss, found.mean, learning_rate=eta, batch_size=size, momentum=mu, n_steps=burnt + 600 * m, sampling="reshuffle",
                      average_from=burnt * eta, n_paths=100, t_eval=[eta], rng=6)
    z = (runs.covariance - found.covariance) / runs.covariance_error
    mean_error = runs.path_mean.std(axis=0, ddof=1) / 10
    assert np.abs(z).max() < 5 and np.abs((runs.mean - found.mean) / mean_error).max() < 5
    alone = at_the_minimum(loss, learning_rate=eta, batch_size=size, momentum=mu)
    assert np.abs(np.diag(runs.covariance - alone) / np.diag(runs.covariance_error)).max() > 5
    assert np.abs((runs.mean - loss.minimum([0.0, 0.0]).x) / mean_error).max() > 5


def test_it_does_not_apply_where_there_is_no_stationary_state():
    loss = ls.losses.linear_regression([3.0, 1.0, 0.5], [1.0, 0.0, 2.0])
    fast = ls.theory.reshuffled_moments(loss, learning_rate=0.7, batch_size=1)
    assert not fast.applies and "the mean does not settle" in fast.because and np.isnan(fast.covariance).all()
    wild = ls.theory.reshuffled_moments(ls.losses.linear_regression([2.0, 0.1, 0.1, 0.1], [1.0, 0.0, 2.0, 1.0]), learning_rate=0.9,
                                        batch_size=1)
    assert not wild.applies and "feeds itself" in wild.because


@pytest.mark.parametrize(("loss", "settings", "message"), [
    (ls.losses.logistic_regression([1.0, -1.0], [1, 0]), {}, "whose samples are not quadratic"),
    (regression(5, 1, 0.1), {"batch_size": 6}, "`batch_size` is 6, but there are 5 samples"),
    (regression(5, 1, 0.1), {"momentum": 1.0}, "`momentum` is 1"),
    (regression(2001, 1, 0.1), {}, "an epoch of 2001 batches of a loss with 1 weights is too long"),
])
def test_what_can_not_be_is_refused(loss, settings, message):
    with pytest.raises(ValueError, match=message):
        ls.theory.reshuffled_moments(loss, **{"learning_rate": 0.1, "batch_size": 1, **settings})


@pytest.mark.parametrize(("given", "message"), [
    ({"curvature": [1.0, -1.0]}, "`curvature`"), ({"constant": [[1.0, 0.0], [0.0, -1.0]]}, "`constant` must be positive semi-definite"),
    ({"batch_size": 9}, "`batch_size` is 9, but there are 8 samples"), ({"momentum": -0.1}, "`momentum` is -0.1")])
def test_a_bad_argument_of_additive_noise_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        ls.theory.reshuffled_covariance(**{"curvature": [1.0, 2.0], "constant": 1.0, "learning_rate": 0.1, "batch_size": 2,
                                           "dataset_size": 8, **given})


def test_additive_noise_says_where_it_is_unstable():
    fast = ls.theory.reshuffled_covariance(curvature=[1.0, 2.0], constant=1.0, learning_rate=1.0, batch_size=1, dataset_size=9)
    assert not fast.applies and np.isnan(fast.covariance).all() and "unstable" in fast.because
