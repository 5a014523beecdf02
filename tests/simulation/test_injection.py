"""Injected noise against the same iteration in NumPy on the same random words; what is refused, and that no bit depends on the schedule."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit

import langevin_sgd as ls
from langevin_sgd.core.batches import compile_batch
from langevin_sgd.core.streams import next_word, normal_pair, stream
from tests.cases import each

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(40, 20)), RNG.normal(size=40)
SIZE, STEPS, RATE, STRENGTH = 6, 12, 0.05, 0.7
LOSSES = {d: ls.losses.linear_regression(X[:, :d], Y) for d in (1, 2, 6, 20)}
Covariance = Callable[[np.ndarray], np.ndarray]


@njit
def words_and_normals(low, high, path, steps, size, normals, ahead):
    """Indices (steps, size) on (0, 1), and normals, in the order in which kernels draw them: a batch ahead for many weights."""
    u, z, state = np.empty((steps + 1, size)), np.empty((steps, normals + 1)), stream(low, high, path)
    if ahead:
        for b in range(size):
            state, word = next_word(state)
            u[0, b] = (word >> np.uint64(12)) * 2.0**-52
    for k in range(steps):
        for b in range(size):
            state, word = next_word(state)
            u[k + (1 if ahead else 0), b] = (word >> np.uint64(12)) * 2.0**-52
        for j in range(0, normals, 2):
            state, z[k, j], z[k, j + 1] = normal_pair(state)
    return u[:steps], z[:, :normals]


def replayed(runs: ls.SGDRuns, path: int, start: np.ndarray, normals: int,
             noise: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray], kept: float = 1.0) -> np.ndarray:
    """The weights after every step; `noise` is a function of w, the moving average, the normals, and the gradients of the batch."""
    d = len(start)
    low, high = map(np.uint64, runs.key.words)
    u, z = words_and_normals(low, high, np.uint64(path), STEPS, SIZE, normals, d > 4)
    w, average, found = start, start, [start]
    for k in range(STEPS):
        rows = np.floor(u[k] * len(Y)).astype(int)
        each = X[rows, :d] * (X[rows, :d] @ w - Y[rows])[:, None]
        w = w - RATE * (each.mean(axis=0) + noise(w, average, z[k], each))
        average = kept * average + (1 - kept) * w
        found.append(w)
    return np.array(found)


def by_root(covariance: Covariance, root: Callable[[np.ndarray], np.ndarray]):
    return lambda w, average, z, each: np.sqrt(STRENGTH) * root(covariance(w)) @ z


def symmetric(c: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(c)
    return (vectors * np.sqrt(values)) @ vectors.T


def quadratic(d: int) -> tuple[ls.noise.Quadratic, Covariance]:
    g, h, center = np.linspace(0.5, 2.0, d), np.linspace(1.0, 3.0, d), np.linspace(-0.3, 0.3, d)
    gh = 0.4 * np.sqrt(g * h)
    return ls.noise.Quadratic(g, gh, h, center), lambda w: np.diag(g + 2 * gh * (w - center) + h * (w - center)**2)


def modulated(d: int) -> tuple[ls.noise.Quadratic, Covariance]:
    root = np.tril(np.random.default_rng(d).normal(size=(d, d))) + 2 * np.eye(d)
    g, center = root @ root.T, np.linspace(-0.2, 0.4, d)
    form = 0.3 * np.eye(d)
    return ls.noise.Quadratic(g, quadratic=form @ g, center=center), lambda w: g * (1 + (w - center) @ form @ (w - center))


def run(d: int, inject: ls.Injection, **more) -> tuple[ls.SGDRuns, np.ndarray]:
    start = 0.3 * np.arange(1, d + 1) / d
    runs = ls.run_sgd(LOSSES[d], start if d > 1 else start[0], learning_rate=RATE, batch_size=SIZE, n_steps=STEPS, inject=inject,
                      **{"n_paths": 70, "rng": 8, **more})
    return runs, start


@pytest.mark.parametrize(("make", "d"), each(2, [*((quadratic, d) for d in (1, 2, 6, 20)), *((modulated, d) for d in (2, 6, 20))]))
def test_every_step_is_that_of_the_formula(make, d: int) -> None:
    noise, c = make(d)
    runs, start = run(d, ls.Injection(noise, strength=STRENGTH))
    for path in (0, 69):
        assert runs.w[path] == pytest.approx(replayed(runs, path, start, d, by_root(c, symmetric)), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("d", each(2, [2, 6, 20]))
def test_a_constant_matrix_and_one_number(d: int) -> None:
    root = np.random.default_rng(d).normal(size=(d, d))
    for noise, c in ((ls.noise.Anisotropic(root @ root.T), root @ root.T), (ls.noise.Constant(0.8), 0.8 * np.eye(d))):
        runs, start = run(d, ls.Injection(noise, strength=STRENGTH))
        expected = replayed(runs, 3, start, d, by_root(lambda w, c=c: c, symmetric))
        assert runs.w[3] == pytest.approx(expected, rel=1e-7, abs=1e-8)


def test_the_full_covariance_of_two_weights() -> None:
    loss = LOSSES[2]
    runs, start = run(2, ls.Injection(ls.noise.from_hessians(loss), strength=STRENGTH))
    expected = replayed(runs, 5, start, 2, by_root(loss.covariance, np.linalg.cholesky))
    assert runs.w[5] == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("d", [1, 2, 6, 20])
def test_about_a_moving_average_the_noise_is_that_at_the_distance_from_it(d: int) -> None:
    noise, c = quadratic(d)
    runs, start = run(d, ls.Injection(noise, strength=STRENGTH, average=0.9))

    def added(w, average, z, each):
        return np.sqrt(STRENGTH * np.diag(c(np.linspace(-0.3, 0.3, d) + w - average))) * z
    assert runs.w[7] == pytest.approx(replayed(runs, 7, start, d, added, kept=0.9), rel=1e-8, abs=1e-9)


def test_the_point_that_an_average_stands_for_may_be_given() -> None:
    """The same C as a quadratic, which has a centre, and as an expression, which has none; about 0 it is another one."""
    def end(noise: ls.noise.Noise, center: float | None) -> np.ndarray:
        return run(1, ls.Injection(noise, strength=STRENGTH, average=0.9, center=center))[0].w[:, -1, 0]

    expression = ls.noise.Expression("1 + (x - c)**2", c=0.5)
    with_center = end(ls.noise.Quadratic(1.0, quadratic=1.0, center=0.5), None)
    assert end(expression, 0.5) == pytest.approx(with_center, rel=1e-12)
    assert np.abs(end(expression, 0.0) - with_center).max() > 1e-3


@pytest.mark.parametrize("d", [1, 2, 6, 20])
def test_the_covariance_of_the_batch_itself(d: int) -> None:
    """Σ s (z_b − z̄) g_b has the covariance λ of the batch, divided by B − 1."""
    def added(w, average, z, each):
        weights = np.sqrt(STRENGTH / (SIZE - 1)) * (z - z.mean())
        assert np.allclose(np.cov(each.T, ddof=1), (each - each.mean(axis=0)).T @ (each - each.mean(axis=0)) / (SIZE - 1))
        return weights @ each
    runs, start = run(d, ls.Injection(strength=STRENGTH))
    assert runs.w[2] == pytest.approx(replayed(runs, 2, start, SIZE, added), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("inject", [ls.Injection(strength=1.0), ls.Injection(ls.noise.Constant(1.0), strength=1.0, average=0.5)],
                         ids=["of the batch", "about an average"])
def test_bits_depend_on_key_and_path_alone(d: int, inject: ls.Injection) -> None:
    whole, _ = run(d, inject, n_paths=150)
    for other, rows in ((run(d, inject, n_paths=150, threads=2)[0], slice(None)), (run(d, inject, n_paths=30, first_path=90)[0],
                                                                                   slice(90, 120))):
        assert np.array_equal(whole.w[rows], other.w)
    assert len({w.tobytes() for w in whole.w[:, -1]}) == 150


def test_nothing_injected_is_what_it_was() -> None:
    none, start = run(2, ls.Injection(ls.noise.Constant(1.0), strength=0.0))
    plain = ls.run_sgd(LOSSES[2], start, learning_rate=RATE, batch_size=SIZE, n_steps=STEPS, n_paths=70, rng=8)
    assert np.array_equal(none.w[:, :2], plain.w[:, :2])                # the first batch comes before the first normals
    assert not np.array_equal(none.w[:, -1], plain.w[:, -1])
    assert "Injection" in repr(none) and "Injection" in none.to_xarray().attrs["inject"]


def test_other_numbers_compile_nothing() -> None:
    run(2, ls.Injection(quadratic(2)[0], strength=1.0))
    before = compile_batch.cache_info().misses
    g, h = np.array([3.0, 1.0]), np.array([0.2, 0.1])
    for noise in (ls.noise.Quadratic(g, quadratic=h), ls.noise.Quadratic(h, quadratic=g, center=[1.0, 2.0])):
        run(2, ls.Injection(noise, strength=0.3, average=0.5))
    assert compile_batch.cache_info().misses == before


def test_the_strength_is_what_is_missing_to_the_small_batch() -> None:
    added = ls.Injection(ls.noise.Constant(1.0), batch_size=2)
    assert added.strength_beside(10, 40) == pytest.approx(0.5 - 0.1)
    assert added.strength_beside(10, 40, replacement=False) == pytest.approx(38 / 78 - 30 / 390)
    assert added.strength_beside(40, 40, replacement=False) == pytest.approx(38 / 78)
    assert ls.Injection(batch_size=10).strength_beside(10, 40) == 0


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.Injection(ls.noise.Constant(1.0)), "exactly one of `batch_size`"),
    (lambda: ls.Injection("noise", strength=1.0), "`noise` is 'noise'"),
    (lambda: ls.Injection(ls.noise.Constant(1.0), strength=-1.0), "`strength` is -1"),
    (lambda: ls.Injection(ls.noise.Constant(1.0), strength=1.0, average=1.0), "`average` is 1"),
    (lambda: ls.Injection(strength=1.0, average=0.5), "taken about no point"),
    (lambda: run(2, ls.noise.Constant(1.0)), "must be an ls.Injection"),
    (lambda: run(2, ls.Injection(ls.noise.Constant(1.0), batch_size=7)), "imitates batches of 7"),
    (lambda: ls.run_sgd(LOSSES[2], [0.0, 0.0], learning_rate=0.1, batch_size=1, n_steps=2, inject=ls.Injection(strength=1.0)),
     "`batch_size` is 1"),
    (lambda: run(20, ls.Injection(ls.noise.Expression("1 + x1**2"), strength=1.0)), "with 20 weights takes Constant"),
    (lambda: run(6, ls.Injection(ls.noise.Expression([[f"{i == j:d} + x1**2" for i in range(6)] for j in range(6)]), strength=1.0)),
     "up to 4 weights"),
    (lambda: run(20, ls.Injection(ls.noise.Anisotropic(np.eye(3)), strength=1.0)), "3 components, but the loss has 20"),
    (lambda: run(2, ls.Injection(quadratic(6)[0], strength=1.0)), "a centre of shape \\(6,\\), but the loss has 2"),
    (lambda: run(1, ls.Injection(ls.noise.Expression("1 + y**2"), strength=1.0)), "parameter `y` without a value"),
    (lambda: run(1, ls.Injection(ls.noise.Expression("1 + t"), strength=1.0)), "depends on t"),
    (lambda: run(1, ls.Injection(ls.noise.Expression("-x"), strength=1.0)), "no covariance at the start"),
    (lambda: run(1, ls.Injection(ls.noise.Expression("1 + x**2"), strength=1.0, average=0.9)), "give `center`"),
    (lambda: run(2, ls.Injection(ls.noise.Constant(1.0), strength=1.0, average=0.9, center=[0.0] * 3)), "`center` of `inject`"),
    (lambda: ls.Injection(ls.noise.Constant(1.0), strength=1.0, center=0.0), "without `average`"),
    (lambda: ls.Injection(LOSSES[1], batch_size=2), "is the loss"),
])
def test_what_does_not_fit_is_refused_in_a_sentence(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
