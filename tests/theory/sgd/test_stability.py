"""Linear stability of minibatch SGD against every batch counted, against other laws of a batch, products in NumPy, and closed forms."""
from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.sgd.batch_law import FINER, BatchLaw, _counted, _lattice, batch_law
from langevin_sgd.theory.sgd.linearised import Batches, LinearisedSGD
from langevin_sgd.theory.sgd.lyapunov import Exponent, RandomProduct
from langevin_sgd.theory.sgd.sample_curvatures import sample_curvatures
from tests import oracles
from tests.models.sampled_losses import CASES

RNG = np.random.default_rng(5)
HEAVY = RNG.standard_t(3, size=40)
WAYS = [(1, "iid", 0.0, 0.0), (2, "iid", 0.0, 0.3), (2, "without", 0.0, 0.0), (3, "without", 0.6, 0.1), (2, "iid", 0.9, 0.0)]


def parabola(w, sample, gradient):
    gradient[0] = sample[0] * w[0] + sample[1]
    return (0.5 * sample[0] * w[0] + sample[1]) * w[0]


PARABOLA = ls.SampledLoss.from_function(parabola, np.ones((1, 2)), dim=1)


def parabolas(curvatures: np.ndarray, slopes: np.ndarray | None = None) -> ls.SampledLoss:
    """One weight, samples h w² / 2 + r w."""
    return replace(PARABOLA, data=np.column_stack([curvatures, np.zeros(len(curvatures)) if slopes is None else slopes]))


def steps(hessians: np.ndarray, eta: float, size: int, sampling: str, mu: float) -> list[np.ndarray]:
    """The matrix of a step of (w, m), or of w, for every batch."""
    n, d = len(hessians), hessians.shape[1]
    batches = itertools.product(range(n), repeat=size) if sampling == "iid" else itertools.combinations(range(n), size)
    made = []
    for batch in map(list, batches):
        pull = np.hstack([hessians[batch].mean(axis=0), mu * np.eye(d)])
        both = np.vstack([np.hstack([np.eye(d), np.zeros((d, d))]) - eta * pull, pull])
        made.append(both if mu else both[:d, :d])
    return made


def counted(matrices: list[np.ndarray]) -> tuple[float, float]:
    """The spectral radii of the mean step, and of the mean of A ⊗ A."""
    means = np.mean(matrices, axis=0), np.mean([np.kron(a, a) for a in matrices], axis=0)
    return tuple(float(np.abs(np.linalg.eigvalsh(m) if np.allclose(m, m.T) else np.linalg.eigvals(m)).max()) for m in means)


# ------------------------------------------------------------------------------------------------- mean and mean square

@pytest.mark.parametrize(("size", "sampling", "mu", "decay"), WAYS)
@pytest.mark.parametrize("name", ["linear", "diagonal chain", "mirrored"])
def test_every_batch_counted(name: str, size: int, sampling: str, mu: float, decay: float) -> None:
    """Hessians of rank one, others, and one weight."""
    loss, ways = CASES[name].loss.take(np.arange(5)), {"batch_size": size, "sampling": sampling, "momentum": mu, "weight_decay": decay}
    at = loss.minimum(np.full(loss.dim, 0.1) if loss.dim > 1 else 0.0)
    found = ls.theory.minibatch_stability(loss, at, learning_rate=0.2, rng=1, **ways)
    here = found.at if loss.dim > 1 else float(found.at[0])
    assert np.abs(np.atleast_1d(loss.gradient(here)) + decay * found.at).max() < 1e-8
    h = loss.sample_hessians(here).reshape(5, loss.dim, loss.dim) + decay * np.eye(loss.dim)
    in_mean, in_square = counted(steps(h, 0.2, size, sampling, mu))
    assert found.moments.mean_radius == pytest.approx(in_mean, rel=1e-9)
    assert found.moments.mean_square_radius == pytest.approx(in_square, rel=1e-9)
    assert found.n_flat == 0
    again = counted(steps(h, 0.2, 3 - size % 2, sampling, mu))[1]
    assert found.moments.mean_square_radius != pytest.approx(again, rel=1e-6)


@pytest.mark.parametrize(("dim", "mu"), [(25, 0.0), (13, 0.7)])
def test_many_weights(dim: int, mu: float) -> None:
    """325 and 351 moments, by Lanczos' and by Arnoldi's method, against all eigenvalues of the mean of A ⊗ A."""
    x = np.random.default_rng(1).normal(size=(40, dim))
    near = LinearisedSGD.of(ls.losses.linear_regression(x, x[:, 0]), np.eye(dim)[0], Batches(1, "iid", mu), 1)
    matrices = steps(x[:, :, None] * x[:, None, :], 0.03, 1, "iid", mu)
    assert near.second_moments.radius(0.03) == pytest.approx(counted(matrices)[1], rel=1e-9)


@pytest.mark.parametrize(("size", "sampling", "mu", "decay"), WAYS)
def test_the_limit_in_mean_square_is_where_stationary_moments_end(size: int, sampling: str, mu: float, decay: float) -> None:
    for dim in (1, 3):
        x = np.random.default_rng(dim).normal(size=(12, dim))
        loss = ls.losses.linear_regression(x if dim > 1 else x[:, 0], np.random.default_rng(9).normal(size=12))
        at = loss.minimum(np.zeros(dim) if dim > 1 else 0.0)
        ways = {"batch_size": size, "sampling": sampling, "momentum": mu, "weight_decay": decay}
        near = LinearisedSGD.of(loss, at, Batches(size, sampling, mu, decay), 1)
        limit = near.second_moments.largest_rate()
        for factor, holds in ((1 - 1e-6, True), (1 + 1e-6, False)):
            assert ls.theory.minibatch_moments(loss, learning_rate=factor * limit, **ways).applies is holds
        wrong = LinearisedSGD.of(loss, at, Batches(2 * size, sampling, mu, decay), 1).second_moments.largest_rate()
        assert wrong > 1.05 * limit


def test_much_normal_data_come_to_theory_7_3() -> None:
    """Equal curvatures, 20 000 samples: η < 2 B / (B + d + 1); with d for d + 1 it would be 14 % more."""
    x, y = ls.losses.generate(20_000, np.ones(5), label_noise=0.5, rng=3)
    loss = ls.losses.linear_regression(x, y)
    limit = LinearisedSGD.of(loss, loss.minimum(np.zeros(5)), Batches(2), 1).second_moments.largest_rate()
    assert limit == pytest.approx(2 * 2 / (2 + 5 + 1), rel=0.02)


def test_momentum_in_the_mean_is_the_companion_matrix() -> None:
    h = np.array([0.3, 2.0, 9.0])
    loss = ls.losses.linear_regression(np.sqrt(3 * h) * np.eye(3), np.zeros(3))
    for eta, mu in ((0.1, 0.5), (0.4, 0.5), (0.3, 0.9), (0.43, 0.9)):
        found = ls.theory.minibatch_stability(loss, np.zeros(3), learning_rate=eta, batch_size=2, momentum=mu, rng=1)
        companions = [np.array([[1 + mu - eta * a, -mu], [1.0, 0.0]]) for a in h]
        assert found.moments.mean_radius == pytest.approx(max(np.abs(np.linalg.eigvals(c)).max() for c in companions), rel=1e-9)
        assert found.in_mean == (eta < 2 * (1 + mu) / 9)


# ------------------------------------------------------------------------------------------------------------ almost surely

def test_two_points_of_theory_7_6() -> None:
    """A maximum that attracts; (1 − η)(1 + 1.2 η) is 1 at 1/6 and −1 at (0.2 + √9.64) / 2.4."""
    loss, entry = parabolas(np.array([1.0, -1.2])), oracles.BY_ID["lyapunov-two-point"]
    found = ls.theory.minibatch_stability(loss, 0.0, learning_rate=0.8, batch_size=1)
    assert found.exponent.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11))
    assert (found.in_mean, found.in_mean_square, found.almost_surely, found.region) == (False, False, True, "attracted only")
    assert "it is no minimum, for the Hessian has the eigenvalue -0.1" in found.verdict
    limits = ls.theory.stability_limits(loss, 0.0, batch_size=1)
    assert (limits.in_mean, limits.in_mean_square, limits.almost_surely) == (0.0, 0.0, 0.0)
    assert limits.intervals == (pytest.approx((1 / 6, (0.2 + math.sqrt(9.64)) / 2.4), rel=1e-9),)
    in_the_equation = ls.theory.linear_stability(learning_rate=0.8, curvature=[1.0, -1.2]).of_equation("stratonovich")
    assert in_the_equation > 0 > found.exponent.value


def batches_of(h: np.ndarray, size: int, sampling: str) -> np.ndarray:
    every = itertools.product(h, repeat=size) if sampling == "iid" else itertools.combinations(h, size)
    return np.array(list(every)).mean(axis=1)


@pytest.mark.parametrize(("n", "size", "sampling"), [(7, 1, "iid"), (7, 4, "iid"), (2, 12, "iid"), (7, 3, "without"), (7, 5, "without"),
                                                     (7, 7, "without")])
def test_all_batches_of_one_weight(n: int, size: int, sampling: str) -> None:
    h = HEAVY[:n]**2
    drawn = batches_of(h, size, sampling)
    for eta in (0.3, 1.1, 2.5):
        found = ls.theory.minibatch_stability(parabolas(h), 0.0, learning_rate=eta, batch_size=size, sampling=sampling)
        assert found.exponent.error == 0
        assert found.exponent.value == pytest.approx(np.log(np.abs(1 - eta * drawn)).mean(), rel=1e-9)
        if n > 2 and size < 5:
            twice = batches_of(h, 2, sampling) if size == 1 else h
            assert found.exponent.value != pytest.approx(np.log(np.abs(1 - eta * twice)).mean(), rel=1e-3)


def by_characteristic_function(h: np.ndarray, size: int, eta: float, last: float) -> float:
    """E ln |X| = −γ − ∫ (Re φ(t) − [t < 1]) / t dt over t > 0, φ the characteristic function of X = 1 − η h_B."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    total = 0.0
    for low, high, panels in ((0.0, 1.0, 20), (1.0, last, round(2 * last))):
        edges = np.linspace(low, high, panels + 1)
        half = np.diff(edges)[:, None] / 2
        t = (edges[:-1, None] + half * (1 + nodes)).ravel()
        phi = np.exp(1j * t) * np.exp(-1j * np.multiply.outer(t, eta * h / size)).mean(axis=1)**size
        total += float(((half * weights).ravel() * (phi.real - (high == 1.0)) / t).sum())
    return -np.euler_gamma - total


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("eta", [0.5, 1.3])
def test_large_batches_by_the_characteristic_function(size: int, eta: float) -> None:
    """N = 150 squares of normal numbers: |φ| is below 1e-8 where the integral is cut."""
    h = np.random.default_rng(2).normal(size=150)**2
    law = batch_law(h, size, "iid")
    assert law is not None and not law.is_exact
    value, error = law.mean_log(eta)
    assert value == pytest.approx(by_characteristic_function(h, size, eta, last=120.0 if size == 8 else 60.0), abs=error + 3e-6)
    assert error < 1e-5
    twice = batch_law(h, 2 * size, "iid")
    assert twice is not None and abs(twice.mean_log(eta)[0] - value) > 1e-3


@pytest.mark.parametrize(("n", "size"), [(25, 4), (300, 2), (15, 6)])
def test_a_lattice_tells_its_error(n: int, size: int) -> None:
    """Where all batches can be counted, and even there lattices see only cells."""
    for h in (np.random.default_rng(3).normal(size=n)**2, np.random.default_rng(3).standard_t(2, size=n)**2):
        every = BatchLaw((_counted(h, np.full(n, 1 / n), size),), 1)
        count = math.comb(n + size - 1, size)
        lattices = BatchLaw(tuple(_lattice(h, size, round(finer * 2**16 / size)) for finer in FINER), count)
        for eta in np.array([0.3, 1.5, 2.5]) / h.mean():
            value, error = lattices.mean_log(eta)
            assert abs(value - every.mean_log(eta)[0]) < error < 0.02


def simulated(hessians: np.ndarray, eta: float, size: int, sampling: str, mu: float, runs: int = 300, n: int = 1500,
              ) -> tuple[float, float]:
    """The growth of vectors under products of random steps in NumPy, and its standard error."""
    rng, d = np.random.default_rng(8), hessians.shape[1]
    v, m = rng.normal(size=(runs, d)), np.zeros((runs, d))
    logs = np.zeros(runs)
    for k in range(n):
        if sampling == "iid":
            drawn = rng.integers(len(hessians), size=(runs, size))
        else:
            drawn = np.argsort(rng.random((runs, len(hessians))), axis=1)[:, :size]
        m = mu * m + np.einsum("qbij,qj->qi", hessians[drawn], v) / size
        v = v - eta * m
        length = np.sqrt((v**2).sum(axis=1) + (mu > 0) * (eta * m**2 * eta).sum(axis=1))
        v, m = v / length[:, None], m / length[:, None]
        logs += np.log(length) * (k >= n // 5)
    each = logs / (n - n // 5)
    return float(each.mean()), float(each.std(ddof=1) / math.sqrt(runs))


@pytest.mark.parametrize(("size", "sampling", "mu"), [(1, "iid", 0.0), (3, "without", 0.0), (2, "iid", 0.6)])
@pytest.mark.law
def test_products_in_numpy(size: int, sampling: str, mu: float) -> None:
    """300 runs of 1500 steps against the library's: within 5 standard errors of both (false alarms 6e-7); not with twice the batch."""
    x = np.random.default_rng(4).normal(size=(8, 3)) * [1.5, 1.0, 0.4]
    loss, h = ls.losses.linear_regression(x, x @ [1.0, 2.0, 3.0]), x[:, :, None] * x[:, None, :]
    ways = {"learning_rate": 0.5, "sampling": sampling, "momentum": mu, "rng": 2}
    found = ls.theory.minibatch_stability(loss, [1.0, 2.0, 3.0], batch_size=size, **ways).exponent
    value, error = simulated(h, 0.5, size, sampling, mu)
    assert abs(found.value - value) < 5 * math.hypot(found.error, error)
    other = ls.theory.minibatch_stability(loss, [1.0, 2.0, 3.0], batch_size=2 * size, **ways).exponent
    assert abs(other.value - value) > 5 * math.hypot(other.error, error)


@pytest.mark.parametrize(("size", "sampling"), [(1, "iid"), (3, "iid"), (3, "without")])
@pytest.mark.law
def test_common_axes_need_no_simulation(size: int, sampling: str) -> None:
    """One-hot inputs, turned: exact along each axis; the product is within 5 standard errors (false alarms 6e-7), not with B + 3."""
    turn = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]
    x = (HEAVY[:9, None] * np.eye(3)[np.arange(9) % 3]) @ turn
    loss = ls.losses.linear_regression(x, np.zeros(9))
    samples = sample_curvatures(loss, np.zeros(3))
    values = np.sort(samples.commuting(), axis=None)
    assert values[-9:] == pytest.approx(np.sort(HEAVY[:9]**2), rel=1e-9)
    product = RandomProduct(samples, size, sampling, 0.0, ls.Key.draw(3))
    for eta in (0.2, 1.5):
        exact, random = product.exponent(eta), product._simulated(eta, "value")
        drawn = [batches_of(np.where(np.arange(9) % 3 == k, HEAVY[:9]**2, 0.0), size, sampling) for k in range(3)]
        assert exact.value == pytest.approx(max(np.log(np.abs(1 - eta * h)).mean() for h in drawn), rel=1e-9)
        assert abs(exact.value - random.value) < 5 * random.error
    other = RandomProduct(samples, size + 3, sampling, 0.0, ls.Key.draw(3)).exponent(eta)
    assert abs(other.value - random.value) > 5 * random.error


def test_rows_and_matrices_are_one_product() -> None:
    """Hessians of rank one are kept as rows where there are three weights; a fourth sample of another kind makes them matrices."""
    x = np.random.default_rng(4).normal(size=(6, 3))
    rows = sample_curvatures(ls.losses.linear_regression(x, np.zeros(6)), np.zeros(3), weight_decay=0.2)
    assert rows.rows.shape == (6, 3) and rows.constant == pytest.approx(0.2, rel=1e-9)
    full = rows.signs[:, None, None] * rows.rows[:, :, None] * rows.rows[:, None, :] + 0.2 * np.eye(3)
    dense = type(rows)(rows.at, rows.mean, full, np.empty((0, 3)), np.empty(0), 0.0, 0, False)
    assert dense.sizes == pytest.approx(rows.sizes, rel=1e-9)
    for sampling in ("iid", "without"):
        one, other = (RandomProduct(s, 2, sampling, 0.3, ls.Key.draw(1)).exponent(0.7) for s in (rows, dense))
        assert one.value == pytest.approx(other.value, rel=1e-9)


def test_without_chance_the_exponent_is_that_of_one_step() -> None:
    x = np.random.default_rng(4).normal(size=(6, 2))
    loss = ls.losses.linear_regression(x, np.zeros(6))
    for mu in (0.0, 0.5):
        found = ls.theory.minibatch_stability(loss, np.zeros(2), learning_rate=0.3, batch_size=6, sampling="without", momentum=mu)
        assert found.exponent.value == pytest.approx(math.log(found.moments.mean_radius), rel=1e-12)
        assert found.moments.mean_square_radius == pytest.approx(found.moments.mean_radius**2, rel=1e-9)


# ------------------------------------------------------------------------------------------------------------- limits and tails

def test_at_the_limits_exponent_and_tail_are_what_they_must_be() -> None:
    h = HEAVY**2
    for size in (1, 2, 16):
        loss = parabolas(h, np.linspace(-1, 1, 40))
        limits = ls.theory.stability_limits(loss, loss.minimum(0.0), batch_size=size)
        at = {name: ls.theory.minibatch_stability(loss, loss.minimum(0.0), learning_rate=getattr(limits, name), batch_size=size)
              for name in ("in_mean", "in_mean_square", "almost_surely")}
        assert at["in_mean"].moments.mean_radius == pytest.approx(1, rel=1e-12)
        assert at["in_mean_square"].moments.mean_square_radius == pytest.approx(1, rel=1e-12)
        assert at["in_mean_square"].moments.mean_square_radius == pytest.approx(
            (1 - limits.in_mean_square * h.mean())**2 + limits.in_mean_square**2 * h.var() / size, rel=1e-12)
        assert at["almost_surely"].exponent.value == pytest.approx(0, abs=max(1e-9, 2 * at["almost_surely"].exponent.error))
        above = ls.theory.minibatch_stability(loss, loss.minimum(0.0), learning_rate=1.001 * limits.in_mean_square, batch_size=size)
        assert above.region == "attracted only" and 1.9 < above.tail_exponent < 2


@pytest.mark.parametrize(("size", "sampling"), [(1, "iid"), (2, "iid"), (2, "without")])
def test_tail_exponents(size: int, sampling: str) -> None:
    """Kesten's equation for every batch, solved again; the equation with the same covariance says otherwise."""
    from scipy.optimize import brentq
    h = HEAVY**2
    drawn = batches_of(h, size, sampling)
    found = ls.theory.minibatch_stability(parabolas(h, 1 - h), 1 - 1 / h.mean(), learning_rate=0.2, batch_size=size, sampling=sampling)
    root = brentq(lambda a: np.log((np.abs(1 - 0.2 * drawn)**a).mean()), 0.05, 50)
    assert found.has_noise and found.tail_exponent == pytest.approx(root, rel=1e-8)
    assert abs(1 + 2 * h.mean() / (0.2 * drawn.var()) - root) > 0.02 * root
    if size == 1:
        assert f"heavy tails, P(|w| > r) ~ r^−{root:.3g}" in found.verdict


def test_no_power_tail_where_steps_never_grow_and_none_is_told_where_paths_come_to_rest() -> None:
    assert ls.theory.minibatch_stability(parabolas(np.array([0.5, 2.0])), 0.0, learning_rate=0.9, batch_size=3).tail_exponent == math.inf
    resting = ls.theory.minibatch_stability(parabolas(HEAVY**2), 0.0, learning_rate=0.2, batch_size=1)
    assert not resting.has_noise and resting.region == "attracted only" and "heavy tails" not in resting.verdict


def test_rare_large_curvatures_make_sgd_leave() -> None:
    """h = 10 with probability 1/10, else 0: stable in the mean for η < 2, else for η < 0.2 with B = 1, where ln |1 − 10 η| is 0."""
    loss = parabolas(np.array([10.0] + 9 * [0.0]))
    for eta, region in ((0.15, "metastable"), (0.5, "left"), (2.5, "excluded")):
        assert ls.theory.minibatch_stability(loss, 0.0, learning_rate=eta, batch_size=1).region == region
    assert ls.theory.minibatch_stability(loss, 0.0, learning_rate=0.5, batch_size=10, sampling="without").region == "metastable"
    limits = ls.theory.stability_limits(loss, 0.0, batch_size=1)
    assert (limits.in_mean, limits.in_mean_square, limits.almost_surely) == pytest.approx((2.0, 0.2, 0.2), rel=1e-9)
    assert limits.region(0.5) == "left" and limits.region(0.1) == "metastable" and limits.region(3.0) == "excluded"


@pytest.mark.law
def test_limits_of_a_simulated_product() -> None:
    """Within its error the sign of the exponent in NumPy changes: 300 runs of 1500 steps, at 5 standard errors on either side."""
    x = np.random.default_rng(4).normal(size=(30, 2)) * [1.5, 1.0]
    loss, h = ls.losses.linear_regression(x, x @ [1.0, 2.0]), x[:, :, None] * x[:, None, :]
    limits = ls.theory.stability_limits(loss, [1.0, 2.0], batch_size=2, rng=1)
    assert 0 < limits.almost_surely_error < 0.05 * limits.almost_surely
    for side in (-1, 1):
        eta = limits.almost_surely + side * (limits.almost_surely_error + 0.05 * limits.almost_surely)
        value, error = simulated(h, eta, 2, "iid", 0.0)
        assert side * value > 5 * error


def test_a_sign_that_is_not_told_is_not_said() -> None:
    """Exponents 2 standard errors from 0, and, as a control, 6; with η λ = 1.2 and 3.  A limit keeps its error for its regions."""
    loss = parabolas(np.array([10.0] + 9 * [0.0]))
    for eta, lost in ((1.2, "left"), (3.0, "excluded")):
        found = ls.theory.minibatch_stability(loss, 0.0, learning_rate=eta, batch_size=1)
        for value, holds, region in ((-6e-4, True, "attracted only"), (-2e-4, None, lost), (2e-4, None, lost), (6e-4, False, lost)):
            near = replace(found, exponent=Exponent(value, 1e-4, "products"))
            assert (near.almost_surely, near.region) == (holds, region)
            assert ("almost surely: not told" in str(near)) == ("not told apart from 0" in near.verdict) == (holds is None)
    x = np.random.default_rng(0).normal(size=(5, 2))
    limits = ls.theory.stability_limits(ls.losses.linear_regression(x, np.zeros(5)), [0.0, 0.0], batch_size=2, rng=1)
    error = limits.almost_surely_error
    assert limits.interval_errors == ((0.0, error),) and 0.001 < error / limits.almost_surely < 0.02
    assert [limits.region(limits.almost_surely + k * error) for k in (-1.1, -0.9, 0.9)] == ["attracted only", "left", "left"]


def test_an_exponent_that_is_exactly_0_is_told() -> None:
    """h is 10 or 0: at η = 0.2, ln |1 − 10 η| = 0, and no path comes nearer."""
    found = ls.theory.minibatch_stability(parabolas(np.array([10.0] + 9 * [0.0])), 0.0, learning_rate=0.2, batch_size=1)
    assert found.almost_surely is False and "not told" not in str(found)


def test_directions_without_curvature_are_left_out() -> None:
    """A chain w_1 w_2 = 1 without noise: along the valley nothing moves, across it h = x² (w_1² + w_2²)."""
    x = HEAVY[:10]
    loss = ls.losses.deep_linear_chain(x, x, depth=2)
    for w, steep in (([1.0, 1.0], 2.0), ([2.0, 0.5], 4.25)):
        found = ls.theory.minibatch_stability(loss, w, learning_rate=0.1, batch_size=1)
        assert found.n_flat == 1 and not found.has_noise
        assert found.moments.largest == pytest.approx(steep * (x**2).mean(), rel=1e-12)
        alone = ls.theory.minibatch_stability(parabolas(steep * x**2), 0.0, learning_rate=0.1, batch_size=1)
        assert found.exponent.value == pytest.approx(alone.exponent.value, rel=1e-9)
        assert found.moments.mean_square_radius == pytest.approx(alone.moments.mean_square_radius, rel=1e-9)
    noisy = ls.losses.deep_linear_chain(x, x + 0.3 * np.sign(HEAVY[10:20]), depth=2)
    found = ls.theory.minibatch_stability(noisy, noisy.minimum([1.0, 1.0]), learning_rate=0.1, batch_size=1, rng=1)
    assert "an eigenvalue of the Hessian is 0" in found.verdict and not found.in_mean


def test_more_weights_than_samples() -> None:
    """100 weights, 12 samples: 88 directions left out, and in the others the limits of the kernel matrix."""
    x = np.random.default_rng(1).normal(size=(12, 100))
    limits = ls.theory.stability_limits(ls.losses.linear_regression(x, x[:, 0]), np.eye(100)[0], batch_size=12, sampling="without")
    assert limits.in_mean == pytest.approx(2 / np.linalg.eigvalsh(x @ x.T / 12)[-1], rel=1e-9)
    assert limits.in_mean_square == pytest.approx(limits.in_mean, rel=1e-6)
    found = ls.theory.minibatch_stability(ls.losses.linear_regression(x, x[:, 0]), np.eye(100)[0], learning_rate=0.01, batch_size=1, rng=1)
    assert found.n_flat == 88


def test_hessians_in_chunks_are_those_of_the_whole_also_of_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    x = HEAVY.reshape(20, 2)
    loss = ls.losses.linear_regression(x, x @ [1.0, -0.5], total="sum")
    whole = sample_curvatures(loss, [1.0, -0.5])
    monkeypatch.setattr("langevin_sgd.theory.sgd.sample_curvatures.CHUNK", 4 * 7)
    assert sample_curvatures(loss, [1.0, -0.5]).matrices == pytest.approx(whole.matrices, rel=1e-12)


# ---------------------------------------------------------------------------------------------------------------- in words

def test_verdicts_tell_excluded_from_left() -> None:
    loss = parabolas(np.array([10.0] + 9 * [0.0]))
    excluded, left, kept = (ls.theory.minibatch_stability(loss, 0.0, learning_rate=eta, batch_size=1) for eta in (2.5, 0.5, 0.1))
    assert excluded.verdict == "excluded: unstable in the mean, η λ_max = 2.5 must be below 2"
    assert left.verdict == "SGD leaves it: stable in the mean, η λ_max = 0.5, but the variance grows by 2.5 in each step"
    assert kept.verdict.startswith("metastable") and ls.theory.no_metastable_state(kept) == ""
    assert ls.theory.no_metastable_state(left.moments) == ls.theory.no_metastable_state(left) != ""
    assert "- almost surely: unstable, Lyapunov exponent 0.1386 (all batches)" in str(left)


@pytest.mark.parametrize(("bad", "message"), [
    ({"loss": parabolas(np.zeros(3))}, "`at` is a point at which no sample of the loss curves"),
    ({"at": 5.0}, r"`at` is \[5.\], but the loss has no critical point there; take one of `loss.minima\(\)`"),
    ({"learning_rate": -0.1}, "`learning_rate` is -0.1, but must be positive"),
    ({"batch_size": 0}, "`batch_size` is 0, but must be at least 1"),
    ({"batch_size": 50, "sampling": "without"}, "`batch_size` is 50, but there are 40 samples"),
    ({"sampling": "reshuffle"}, "`sampling` is 'reshuffle', but the batches of an epoch are not independent"),
    ({"momentum": 1.0}, "`momentum` is 1, but must be at least 0 and below 1"),
    ({"weight_decay": -1.0}, "`weight_decay` is -1, but must not be negative"),
    ({"loss": ls.landscapes.double_well()}, "must be a loss over data"),
])
def test_bad_input_is_named(bad: dict, message: str) -> None:
    given = {"loss": parabolas(HEAVY**2), "at": 0.0, "learning_rate": 0.1, "batch_size": 1} | bad
    with pytest.raises(ValueError, match=message):
        ls.theory.minibatch_stability(given.pop("loss"), given.pop("at"), **given)


def test_too_much_is_refused() -> None:
    x = np.random.default_rng(1).normal(size=(3, 70))
    chain = ls.losses.diagonal_network(x, np.ones(3))
    with pytest.raises(ValueError, match=r"whose Hessians are not c I ± x xᵀ; others are looked at for up to 60 weights"):
        ls.theory.minibatch_stability(chain, np.zeros(140), learning_rate=0.1, batch_size=1)
    with pytest.raises(ValueError, match="has 501 weights, but linear stability is found for up to 500"):
        ls.theory.minibatch_stability(ls.losses.linear_regression(np.ones((2, 501)), np.ones(2)), np.zeros(501), learning_rate=0.1,
                                      batch_size=1)
