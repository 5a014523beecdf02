"""Measured noise: exact where samples are quadratic, its deviation shown where they are not, with errors where gradients are a sample."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.models.measured_noise import MeasuredNoise
from langevin_sgd.models.sampling_errors import covariances
from langevin_sgd.models.weighted_fits import least_squares
from tests.models.sampled_losses import CASES, X, Y

RNG = np.random.default_rng(3)
LINEAR = CASES["linear"].loss
ONE = ls.losses.linear_regression(X[:, 0], Y)


def test_one_weight_gives_the_numbers_of_the_data() -> None:
    exact = ls.theory.regression_noise(inputs=X[:, 0], targets=Y)
    for found in (ls.noise.measure(ONE), ls.noise.from_hessians(ONE), ls.noise.measure(ONE, at=[-3.0, 0.2, 0.9, 5.0])):
        assert found.center == pytest.approx(exact.minimum)
        assert (found.constant, found.linear, found.quadratic) == pytest.approx((exact.constant, exact.linear, exact.quadratic), rel=1e-10)
        assert found.unexplained < 1e-20
        assert found.unexplained_by_chance == 0


def test_a_quadratic_is_exact_for_quadratic_samples_in_space() -> None:
    """C(w) far from the points where it was measured, to 1e-10; control: the other two forms are off by a tenth and more."""
    loss = ls.losses.linear_regression(X[:, :2], Y)
    away = loss.minimum([0.0, 0.0]).x + np.array([3.0, -7.0])
    for found in (ls.noise.measure(loss), ls.noise.from_hessians(loss)):
        assert found.form == "full"
        assert found.at(away) == pytest.approx(loss.covariance(away), rel=1e-10)
        assert found.largest_deviation < 1e-12
    for form in ("componentwise", "matrix"):
        other = ls.noise.measure(loss, form=form)
        assert other.unexplained > 0.1
        assert np.abs(other.at(away) / loss.covariance(away) - 1).max() > 0.1


def test_the_noise_goes_into_an_equation() -> None:
    loss = ls.losses.linear_regression(X[:, :2], Y)
    sde = ls.sgd(loss, ls.noise.measure(loss), learning_rate=0.1, batch_size=4)
    w = np.array([[0.3, 0.1], [1.0, -2.0]])
    assert sde.drift(w) == pytest.approx(-loss.gradient(w))
    assert sde.diffusion(w) == pytest.approx(np.stack([loss.covariance(v) for v in w]) * 0.1 / 4 / 2, rel=1e-9)
    one = ls.sgd(ONE.landscape, ls.noise.measure(ONE), learning_rate=0.05)
    exact = ls.theory.regression_noise(inputs=X[:, 0], targets=Y)
    assert one.diffusion(2.0) == pytest.approx(ls.sgd(ONE.landscape, exact.noise, learning_rate=0.05).diffusion(2.0))


@pytest.mark.parametrize("name", ["logistic", "phase", "diagonal network"])
def test_what_is_not_quadratic_is_seen(name: str) -> None:
    loss = CASES[name].loss
    found = ls.noise.measure(loss, center=np.full(loss.dim, 0.4), radius=0.4, form="componentwise")
    assert found.unexplained > 0.01
    assert found.largest_deviation > 0.01


def test_what_a_quadratic_leaves_is_of_third_order() -> None:
    """Half the radius, an eighth of what is left; where samples are quadratic nothing is."""
    for loss, center in ((ls.losses.phase_retrieval(X[:, 0], Y**2), 1.0), (ls.losses.logistic_regression(X[:, 0], np.sign(Y)), -0.5)):
        found = [ls.noise.measure(loss, center=center, radius=r) for r in (0.02, 0.01)]
        errors = [np.abs(m.residuals).max() for m in found]
        assert not any(m.adjusted for m in found)
        assert errors[0] / errors[1] == pytest.approx(8, rel=0.1)
        assert errors[1] > 1e-9


def test_the_best_quadratic_that_is_nowhere_negative_is_better_than_any_other() -> None:
    """Where the free fit is negative somewhere: no C = (a + b δ)² + c δ² of a fine grid leaves less at the points."""
    loss = ls.losses.logistic_regression(X[:, 0], np.sign(Y))
    found = ls.noise.measure(loss, center=0.3, radius=0.4)
    assert not found.adjusted
    assert found.linear**2 < found.constant * found.quadratic
    tilted = ls.noise.measure(loss, center=0.3, radius=0.1)
    assert "negative somewhere" in tilted.adjusted
    delta, c = tilted.samples.points[:, 0] - 0.3, tilted.samples.covariances[:, 0, 0]
    g, gh, h = np.meshgrid(*(v * np.linspace(0.95, 1.05, 41) for v in (tilted.constant, tilted.linear, tilted.quadratic)))
    allowed = gh**2 <= g * h
    left = ((g[..., None] + 2 * gh[..., None] * delta + h[..., None] * delta**2 - c)**2).sum(axis=-1)
    assert (tilted.residuals**2).sum() <= left[allowed].min() * (1 + 1e-6)


def test_hessians_miss_a_term_of_the_same_order_unless_gradients_are_small() -> None:
    """With p = a w²/2 + b w + c w³/6 for each sample, C'' / 2 = Var a + Cov(b, c): the expansion has the first only, a fit has both."""
    def cubic(w, s, gradient):
        gradient[0] = s[1] + s[0] * w[0] + s[2] * w[0]**2 / 2
        return s[1] * w[0] + s[0] * w[0]**2 / 2 + s[2] * w[0]**3 / 6
    a, b = RNG.normal(size=(2, 50))
    loss = ls.SampledLoss.from_function(cubic, np.column_stack([a + 3, b - b.mean(), b - b.mean()]), dim=1)
    near = ls.noise.measure(loss, center=0.0, radius=1e-3)
    assert near.quadratic == pytest.approx(a.var() + b.var(), rel=1e-4)
    assert ls.noise.from_hessians(loss, 0.0).quadratic == pytest.approx(a.var(), rel=1e-8)


def test_groups_of_samples_tell_the_same_up_to_chance() -> None:
    """Microbatches of 4 out of 4000 samples: 1000 groups, relative errors of √(2 / 1000) and more, since h is not normal; 5 of them.

    Control: the variance of the groups as it is, a quarter.
    """
    x = np.random.default_rng(4).normal(size=4000)
    loss = ls.losses.linear_regression(x, 0.5 * np.random.default_rng(5).normal(size=4000))
    single, grouped = ls.noise.from_hessians(loss), ls.noise.from_hessians(loss, microbatch=4, rng=1)
    assert grouped.quadratic == pytest.approx(single.quadratic, rel=0.4)
    assert grouped.constant == pytest.approx(single.constant, rel=0.4)
    several = [ls.noise.from_hessians(loss, microbatch=4, rng=k).quadratic for k in range(40)]
    assert abs(np.mean(several) - single.quadratic) < 5 * np.std(several, ddof=1) / np.sqrt(40)
    assert np.mean(several) / 4 < 0.5 * single.quadratic
    with pytest.raises(ValueError, match="at least two groups"):
        ls.noise.from_hessians(loss, microbatch=2001)


def test_two_points_give_a_quadratic_without_a_linear_part() -> None:
    """Symmetric data have none, so that two points tell all; where they have, it goes into σ_H."""
    x, r = np.repeat([0.5, 1.0, 2.0], 2), np.tile([1.0, -1.0], 3)
    loss = ls.losses.linear_regression(x, r)
    assert ls.noise.from_hessians(loss, 0.0).linear == pytest.approx(0.0, abs=1e-14)
    two, whole = ls.noise.from_two_points(loss, 0.3, -1.1, 0.0), ls.noise.from_hessians(loss, 0.0)
    assert (two.constant, two.quadratic) == pytest.approx((whole.constant, whole.quadratic), rel=1e-12)
    assert ls.noise.from_two_points(ONE, 0.3, -1.1).quadratic != pytest.approx(ls.noise.from_hessians(ONE).quadratic, rel=0.01)
    with pytest.raises(ValueError, match="equally far"):
        ls.noise.from_two_points(loss, 1.0, -1.0, 0.0)


def test_two_points_that_no_quadratic_joins_are_fitted_as_well_as_can_be() -> None:
    """A noise that falls, and one that grows faster than δ²: the mean of both, and the best multiple of δ², by a fine grid."""
    def falling(w, s, gradient):
        gradient[0] = w[0] + s[0] * np.exp(-w[0]**2)
        return w[0]**2 / 2 + s[0] * np.sqrt(np.pi) / 2 * math.erf(w[0])
    fallen = ls.noise.from_two_points(ls.SampledLoss.from_function(falling, [-1.0, 1.0], dim=1), 1.0, 0.5, 0.0)
    steep = ls.noise.from_two_points(ls.losses.linear_regression([1.0, 2.0, 0.5, 3.0], [0.7, -1.0, 4.0, 9.0]), -30.0, 29.5)
    assert fallen.quadratic == 0
    assert fallen.constant == pytest.approx((np.exp(-2) + np.exp(-0.5)) / 2)
    assert steep.constant == 0
    squares = (steep.samples.points[:, 0] - steep.center)**2
    g, h = np.meshgrid(np.linspace(0, 100, 101), steep.quadratic * np.linspace(0.99, 1.01, 201))
    left = sum((g + h * s - c)**2 for s, c in zip(squares, steep.samples.covariances[:, 0, 0], strict=True))
    assert (steep.residuals**2).sum() <= left.min() * (1 + 1e-9)
    assert all("fitted again" in m.adjusted for m in (fallen, steep))


def test_samples_that_are_all_fitted_have_noise_that_grows_from_nothing() -> None:
    """Σ_g is rounding and says nothing of a distance: the noise is measured at a distance of one all the same, and exact."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    loss = ls.losses.linear_regression(x, x @ [1.7, 0.3])
    found, hessians = ls.noise.measure(loss), ls.noise.from_hessians(loss)
    assert found.quadratic == pytest.approx(hessians.quadratic, rel=1e-9)
    assert max(found.unexplained, hessians.unexplained) < 1e-20
    many = np.random.default_rng(1).normal(size=(20, 80))
    away = ls.noise.from_hessians(ls.losses.linear_regression(many, many @ np.ones(80)), np.ones(80)).samples
    assert 0.5 < np.linalg.norm(away.points[1] - away.center) < 2


def test_noise_that_starts_very_small_is_not_measured_at_rounding() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    found = ls.noise.measure(ls.losses.linear_regression(x, x @ [1.7, 0.3] + 1e-8 * np.random.default_rng(1).normal(size=50)))
    assert np.abs(found.samples.points - found.center).max() >= 1e-6
    assert found.unexplained < 1e-12


def test_of_noise_that_is_constant_nothing_is_unexplained() -> None:
    """h = x² = 1 for every sample, so that C varies by rounding alone; control: with one other x it varies."""
    rng = np.random.default_rng(0)
    x, y = rng.choice([-1.0, 1.0], 50), rng.normal(size=50)
    loss = ls.losses.linear_regression(x, y)
    for found in (ls.noise.measure(loss), ls.noise.from_hessians(loss)):
        assert (found.unexplained, found.unexplained_by_chance, found.adjusted) == (0, 0, "")
        assert found.constant == pytest.approx(loss.covariance(0.7))
        assert (found.linear, found.quadratic) == pytest.approx((0, 0), abs=1e-12)
    x[0] = 2.0
    phase = ls.losses.phase_retrieval(x, y**2)
    assert ls.noise.measure(phase, center=0.5, radius=0.2).unexplained > 1e-6


@pytest.mark.parametrize("dim", [7, 12])
def test_a_matrix_is_measured_at_points_in_all_directions(dim: int) -> None:
    """More weights than pairs of axes are chosen for otherwise: C = Σ_g (1 + δᵀ A δ) with all entries, given there, comes back."""
    rng = np.random.default_rng(dim)
    inputs = rng.normal(size=(40, dim))
    found = ls.noise.measure(ls.losses.linear_regression(inputs, rng.normal(size=40)), center=np.zeros(dim), radius=1.0, form="matrix")
    assert len(found.samples.points) >= 1 + dim * (dim + 1) // 2
    root, form = rng.normal(size=(2, dim, dim))
    form, away = form @ form.T, found.samples.points - found.samples.center
    c = (1 + np.einsum("ki,ij,kj->k", away, form, away))[:, None, None] * (root @ root.T)
    fitted = replace(found.samples, covariances=c).fitted("matrix")
    assert fitted.constant == pytest.approx(root @ root.T, rel=1e-8)
    assert fitted.quadratic == pytest.approx(form @ root @ root.T, rel=1e-8)


@pytest.mark.parametrize(("complete", "divisor"), [(np.True_, 16), (True, 16), (np.False_, 15), (None, 15)])
def test_all_the_data_have_no_errors(complete: object, divisor: int) -> None:
    g = np.random.default_rng(0).normal(size=(9, 16))
    found = ls.noise.measure(g, at=np.linspace(-1, 1, 9), complete=complete).samples
    assert found.covariances[:, 0, 0] == pytest.approx(g.var(axis=1) * 16 / divisor)
    assert found.errors.any() == (divisor == 15)


def test_many_weights_are_measured_without_their_whole_hessians() -> None:
    x, y = ls.losses.generate(300, np.ones(80), label_noise=0.5, rng=1)
    loss = ls.losses.linear_regression(x, y)
    found, best = ls.noise.from_hessians(loss), loss.minimum(np.zeros(80)).x
    assert found.constant == pytest.approx(loss.sample_gradients(best).var(axis=0), rel=1e-9)
    assert found.quadratic == pytest.approx((x**2).var(axis=0), rel=1e-9)
    assert found.samples.points.shape == (65, 80) and found.unexplained > 0.2


def gradients(n: int, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gradients of fresh samples with h ~ N(1, 2) and r ~ N(0, 1/2): C = 1/2 + 2 w²."""
    h, r = 1 + np.sqrt(2) * rng.normal(size=(len(at), n)), np.sqrt(0.5) * rng.normal(size=(len(at), n))
    return h * at[:, None] + r


def test_arrays_from_elsewhere_are_fitted_with_errors() -> None:
    """20 repetitions of 2000 gradients at 9 points: mean fit within five standard errors of the truth, unexplained as by chance.

    Control: batches of two taken for single samples are off by half.
    """
    at = np.linspace(-1, 1, 9)
    fits, ratios = [], []
    for seed in range(20):
        g = gradients(2000, at, np.random.default_rng(seed))
        found = ls.noise.measure(g, at, center=0.0)
        fits.append((found.constant, found.linear, found.quadratic))
        ratios.append(found.unexplained / found.unexplained_by_chance)
    error = np.std(fits, axis=0, ddof=1) / np.sqrt(20)
    assert np.all(np.abs(np.mean(fits, axis=0) - [0.5, 0.0, 2.0]) < 5 * error)
    assert 0.2 < np.mean(ratios) < 1.5
    batches = gradients(2000, at, np.random.default_rng(99)).reshape(9, 1000, 2).mean(axis=2)
    assert ls.noise.measure(batches, at, center=0.0, batch_size=2).quadratic == pytest.approx(2.0, rel=0.2)
    assert ls.noise.measure(batches, at, center=0.0).quadratic == pytest.approx(1.0, rel=0.2)


def measured_often(n: int, points: int, repetitions: int) -> list[tuple[MeasuredNoise, np.ndarray]]:
    """Fits to n gradients at each point, and how far the measured C are from the truth in their standard errors."""
    at = np.linspace(-1, 1, points)
    found = [ls.noise.measure(gradients(n, at + 0.3, np.random.default_rng(seed)), at, center=0.0) for seed in range(repetitions)]
    return [(m, (m.samples.covariances[:, 0, 0] - 0.5 - 2 * (at + 0.3)**2) / m.samples.errors[:, 0, 0]) for m in found]


def test_few_gradients_give_neither_smaller_noise_nor_smaller_errors() -> None:
    """300 repetitions of 8 gradients at 25 points: the mean fit within five standard errors of C = 0.68 + 2 · 0.6 δ + 2 δ², and two
    stated errors hold the truth in 95 % of 7500 cases to within 2 %, where five standard errors are 1.3 %.

    Control: weights from the measured variances themselves, as they were, give far too little.
    """
    found = measured_often(8, 25, 300)
    fits = np.array([(m.constant, m.linear, m.quadratic) for m, _ in found])
    error = fits.std(axis=0, ddof=1) / np.sqrt(300)
    assert np.all(np.abs(fits.mean(axis=0) - [0.68, 0.6, 2.0]) < 5 * error)
    assert np.mean([np.abs(z) < 2 for _, z in found]) == pytest.approx(0.95, abs=0.02)
    at, wrong = found[0][0].samples.points[:, 0], []
    for m, _ in found:
        c = m.samples.covariances[:, 0, 0]
        wrong.append(least_squares(np.column_stack([np.ones(25), 2 * at, at**2]), c, 1 / c)[0])
    assert np.mean(wrong) < 0.68 - 20 * error[0]


def test_few_gradients_give_no_smaller_matrix() -> None:
    """100 repetitions of 8 gradients at 60 points, with C = S (1 + x²): within five standard errors, where own weights gave a third."""
    rng, s = np.random.default_rng(5), np.array([[1.0, 0.5], [0.5, 2.0]])
    root, parts = np.linalg.cholesky(s), []
    for _ in range(100):
        at = rng.normal(size=(60, 2))
        found = ls.noise.measure(rng.normal(size=(60, 8, 2)) @ root.T * np.sqrt(1 + at[:, 0]**2)[:, None, None], at,
                                 center=[0.0, 0.0], form="full")
        parts.append(np.concatenate([found.constant, found.quadratic[..., 0, 0]]))
    error = np.std(parts, axis=0, ddof=1) / 10
    assert np.all(np.abs(np.mean(parts, axis=0) - np.concatenate([s, s])) < 5 * error)


def test_the_variance_of_a_covariance_is_right_in_the_mean() -> None:
    """8 values of g = (e, e + f) with e and f exponential, 40 000 times: within five standard errors; control: without k-statistics."""
    e, f = np.random.default_rng(6).exponential(size=(2, 40_000, 8))
    g = np.stack([e, e + f], axis=2)
    c, variances = covariances(g, complete=False)
    error = np.hypot(variances.std(axis=0), (c**2).std(axis=0)) / 200
    assert np.all(np.abs(variances.mean(axis=0) - c.var(axis=0)) < 5 * error)
    away = g - g.mean(axis=1, keepdims=True)
    plain = (away[..., 0]**2).var(axis=1, ddof=1) / 8
    assert plain.mean() < c[:, 0, 0].var() - 5 * error[0, 0]


@pytest.mark.parametrize("n", [2, 3])
def test_two_or_three_gradients_are_taken_for_normal(n: int) -> None:
    """40 000 variances of n normal values: 2 / (n − 1), within five standard errors."""
    _, variances = covariances(np.random.default_rng(7).normal(size=(40_000, n, 1)), complete=False)
    assert abs(variances.mean() - 2 / (n - 1)) < 5 * variances.std() / 200


def test_the_centre_is_where_the_mean_gradient_vanishes() -> None:
    at = np.linspace(0.5, 2.0, 7)
    found = ls.noise.measure(np.stack([ONE.sample_gradients(w) for w in at]), at, complete=True)
    assert found.center == pytest.approx(ONE.minimum(0.0).x)
    assert found.constant == pytest.approx(ls.noise.measure(ONE).constant, rel=1e-9)


def test_batches_have_the_covariance_that_is_said() -> None:
    """All 78 pairs and all 169 draws of two of 13 samples, counted: C (N − B) / (B (N − 1)) and C / B."""
    found, w = ls.noise.measure(ONE, at=[0.0, 0.5, 1.0]), 0.5
    g = ONE.sample_gradients(w)
    pairs = [(g[i] + g[j]) / 2 for i in range(13) for j in range(i)]
    draws = [(a + b) / 2 for a in g for b in g]
    assert found.of_batch(2, dataset_size=13, replacement=False)[1, 0, 0] == pytest.approx(np.var(pairs))
    assert found.of_batch(2)[1, 0, 0] == pytest.approx(np.var(draws))


def test_a_fit_that_is_no_covariance_says_so() -> None:
    at = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    g = np.random.default_rng(0).normal(size=(5, 400)) * np.sqrt(2 - at**2)[:, None]
    found = ls.noise.measure(g, at, center=0.0)
    assert "negative somewhere" in found.adjusted
    assert found.adjusted in repr(found)
    assert found.quadratic < 0.01
    assert (found.at(np.linspace(-9, 9, 99)) >= 0).all()


@pytest.mark.parametrize(("call", "says"), [
    (lambda: ls.noise.measure(np.zeros((3, 5))), "`at` is missing"),
    (lambda: ls.noise.measure(np.zeros((3, 5)), [1.0, 2.0]), "`gradients` has shape"),
    (lambda: ls.noise.measure(np.zeros((3, 1)), [1.0, 2.0, 3.0]), "at least two"),
    (lambda: ls.noise.measure(ONE, at=[1.0, 2.0]), "at least as many"),
    (lambda: ls.noise.measure(ONE, at=[1.0, 1.0, 1.0]), "does not determine"), (lambda: ls.noise.measure(ONE, form="cubic"), "`form`"),
    (lambda: ls.noise.measure(ONE, batch_size=2), "has all its samples"),
    (lambda: ls.noise.measure(ONE, at=[0.0, 1.0, 2.0], radius=1.0), "`radius`"),
    (lambda: ls.noise.measure(CASES["diagonal network"].loss, center=np.ones(6), form="full"), "for up to 4"),
    (lambda: ls.noise.from_hessians(3), "must be a loss over data"),
    (lambda: ls.noise.measure(np.ones((3, 5)), [0.0, 1.0, 2.0], complete=1), "`complete` is 1"),
    (lambda: ls.noise.measure(ONE, at=[0.0, 1.0, 1e200, 2.0]), r"`at` holds \[1.e\+200\] at index 2"),
    (lambda: ls.noise.measure(np.ones((4, 5)), [0.0, 1.0, 1e200, 2.0], center=0.0), r"`at` holds \[1.e\+200\] at index 2"),
    (lambda: ls.noise.measure(ONE, at=[0.0, 1.0, np.inf]), "`at` holds inf"),
    (lambda: ls.noise.measure(ls.losses.linear_regression(np.eye(65), np.ones(65)), center=np.ones(65), radius=1.0, form="matrix"),
     "`form` is 'matrix', but 65 weights"),
    (lambda: ls.noise.measure(ls.losses.linear_regression(X[:, :2], Y), at=[[t, t] for t in range(9)], form="matrix"),
     "does not determine"),
])
def test_what_is_wrong_is_named(call, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
