"""Sampled losses: values, gradients and Hessians against NumPy and differences, minima, landscapes, and the user's own functions."""
from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models import averaged, user_losses
from tests.cases import each
from tests.models.sampled_losses import CASES, SIGNS, Case, X, Y, given, weights

EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@EACH
def test_samples_are_those_of_the_formula(case: Case) -> None:
    for seed in range(4):
        w = weights(case, seed=seed)
        assert case.loss.sample_losses(given(case, w)) == pytest.approx(case.samples(w), rel=1e-12, abs=1e-13)
        assert case.loss(given(case, w)) == pytest.approx(case.samples(w).mean(), rel=1e-12)


@EACH
def test_gradients_are_those_of_the_losses(case: Case) -> None:
    w, h = weights(case, seed=5), 1e-5
    slopes = np.stack([(case.samples(w + h * e) - case.samples(w - h * e)) / (2 * h) for e in np.eye(case.loss.dim)], axis=1)
    found = case.loss.sample_gradients(given(case, w)).reshape(len(slopes), -1)
    assert found == pytest.approx(slopes, rel=1e-7, abs=1e-7)
    assert np.ravel(case.loss.gradient(given(case, w))) == pytest.approx(found.mean(axis=0), rel=1e-12, abs=1e-13)


@EACH
def test_hessians_are_those_of_the_gradients(case: Case) -> None:
    w, h = weights(case, seed=6), 1e-5
    def at(v: np.ndarray) -> np.ndarray:
        return case.loss.sample_gradients(given(case, v)).reshape(case.loss.n_samples, -1)
    slopes = np.stack([(at(w + h * e) - at(w - h * e)) / (2 * h) for e in np.eye(case.loss.dim)], axis=2)
    found = case.loss.sample_hessians(given(case, w)).reshape(slopes.shape)
    assert found == pytest.approx(slopes, rel=1e-6, abs=1e-6)
    assert np.reshape(case.loss.hessian(given(case, w)), slopes.shape[1:]) == pytest.approx(found.mean(axis=0), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("name", ["phase", "logistic", "diagonal network"])
def test_hessians_without_a_curvature_are_made_of_differences(name: str) -> None:
    case = CASES[name]
    w = given(case, weights(case, seed=7))
    bare = dataclasses.replace(case.loss, curvature=None)
    assert np.asarray(bare.hessian(w)) == pytest.approx(np.asarray(case.loss.hessian(w)), rel=1e-6, abs=1e-7)


def well(w, sample, p, gradient):
    down = math.exp(-w[0]**2 / (2 * p[0]**2))
    gradient[0] = w[0] / p[0]**2 * down
    return 1 - down


def test_differences_are_as_short_as_the_loss_is_narrow() -> None:
    """A well of the width s, h = 1 / s² at its bottom, and ¾ h exp(−1/8) at s / 2."""
    wide = ls.SampledLoss.from_function(well, [0.0], dim=1, s=1.0)
    for s in (1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 1.0, 100.0):
        loss = dataclasses.replace(wide, p=np.array([s]))
        assert loss.hessian(0.0) == pytest.approx(s**-2, rel=1e-6)
        assert loss.hessian(s / 2) == pytest.approx(0.75 * math.exp(-1 / 8) / s**2, rel=1e-6)
    in_equations = averaged._compiled(dataclasses.replace(wide, p=np.array([1e-3])))["hessian"]
    assert in_equations(0.0) == pytest.approx(1e6, rel=1e-6)


def test_differences_beside_a_kink_are_shortened_and_over_it_refused() -> None:
    loss = ls.SampledLoss.from_function(kinked, [0.0, 1.0], dim=1)
    for w in (1e-3, -1e-5, 1.0 + 1e-7):
        assert loss.sample_hessians(w) == pytest.approx([1.0, 1.0], rel=1e-6)
    with pytest.raises(ArithmeticError, match="weight 0 those of sample 1 do not agree"):
        loss.hessian(1.0)


def test_the_covariance_of_a_regression_is_the_contraction_of_its_fourth_moments() -> None:
    """C = E[(g − ∇L)(g − ∇L)ᵀ] with g_i = x_i x_iᵀ δ + r_i x_i, written with moments of the data alone, to 1e-10."""
    loss = CASES["linear"].loss
    w = np.array([0.3, -0.2, 0.9])
    best = loss.minimum(np.zeros(3)).x
    assert best == pytest.approx(np.linalg.lstsq(X, Y, rcond=None)[0], rel=1e-10)
    delta, r = w - best, X @ best - Y
    fourth = np.einsum("ni,nj,nk,nl->ijkl", X, X, X, X) / len(X)
    third = np.einsum("n,ni,nj,nk->ijk", r, X, X, X) / len(X)
    second = np.einsum("n,ni,nj->ij", r**2, X, X) / len(X)
    h = X.T @ X / len(X)
    expected = (np.einsum("ijkl,k,l->ij", fourth, delta, delta) + 2 * np.einsum("ijk,k->ij", third, delta) + second
                - np.outer(h @ delta, h @ delta))
    assert loss.covariance(w) == pytest.approx(expected, rel=1e-10, abs=1e-12)


@examples(st.integers(0, 2**32 - 1), st.floats(0.1, 10.0))
def test_conventions_scale_losses_and_noise(seed: int, scale: float) -> None:
    """Half of the loss: half of H, a quarter of C; the sum over N samples: N and N²."""
    rng = np.random.default_rng(seed)
    x, y, w = scale * rng.normal(size=(7, 2)), rng.normal(size=7), rng.normal(size=2)
    half, whole, total = (ls.losses.linear_regression(x, y, **convention) for convention in
                          ({}, {"half": False}, {"half": False, "total": "sum"}))
    assert whole.hessian(w) == pytest.approx(2 * half.hessian(w))
    assert whole.covariance(w) == pytest.approx(4 * half.covariance(w))
    assert total.covariance(w) == pytest.approx(49 * whole.covariance(w))
    assert total(w) == pytest.approx(7 * whole(w))


def test_minima_are_found_and_told_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    loss = ls.losses.phase_retrieval(x, (x @ [1.0, -0.5])**2)
    found = loss.minima()
    lowest = [p for p in found if p.value < 1e-12]
    assert len(lowest) == 2
    assert sorted(p.x[0] for p in lowest) == pytest.approx([-1.0, 1.0], abs=1e-9)
    assert all(np.linalg.eigvalsh(p.hessian)[0] > 0 for p in found)
    assert loss.minimum(np.zeros(2)).index == 2             # descent from a maximum does not move, and says what it is at


def test_a_loss_that_falls_for_ever_has_no_minimum() -> None:
    separable = ls.losses.logistic_regression([1.0, 2.0, -1.0], [1, 1, 0])
    with pytest.raises(ArithmeticError, match="found no minimum"):
        separable.minimum(0.5)


def test_a_slope_along_which_nothing_curves_is_no_minimum_and_a_valley_is_one() -> None:
    """h w_1² / 2 + s w_2: it falls for ever, also where h = 0, unless the slopes s cancel or are none."""
    loss = ls.SampledLoss.from_function(inclined, [[1.0, 1.0], [1.0, 2.0]], dim=2)
    line = dataclasses.replace(loss, data=np.array([[0.0, 1.0], [0.0, 2.0]]), is_quadratic=True)        # else descended for seconds
    for falling in (loss, line):
        with pytest.raises(ArithmeticError, match="does not curve"):
            falling.minimum([0.3, 0.2])
    for slope in (0.3, 0.0):
        level = dataclasses.replace(loss, data=np.array([[1.0, -slope], [1.0, slope]]))
        assert level.minimum([0.3, 0.2]).x == pytest.approx([0.0, 0.2], abs=1e-9)
    powers = np.linspace(0, 1, 30)[:, None]**np.arange(12)              # eigenvalues over 14 decades
    assert ls.losses.linear_regression(powers, np.cos(9 * powers[:, 1])).minimum(np.zeros(12)).value < 1e-3


@pytest.mark.parametrize("name", each(2, ["linear", "logistic", "mirrored"]))
def test_the_landscape_is_the_same_function(name: str) -> None:
    case = CASES[name]
    land = case.loss.landscape
    for seed in range(3):
        w = given(case, weights(case, seed=seed))
        assert land(w) == pytest.approx(case.loss(w), rel=1e-10, abs=1e-12)
        assert np.asarray(land.gradient(w)) == pytest.approx(np.asarray(case.loss.gradient(w)), rel=1e-9, abs=1e-11)
        assert np.asarray(land.hessian(w)) == pytest.approx(np.asarray(case.loss.hessian(w)), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("name", ["linear", "mirrored", "sensing",
                                  *(pytest.param(name, marks=pytest.mark.slow) for name in ("logistic", "diagonal chain"))])
def test_the_noise_is_the_covariance_itself_and_its_divergence(name: str) -> None:
    """Against NumPy's covariance of the samples' gradients; its divergence against differences."""
    loss = CASES[name].loss
    c = loss.noise.covariance(loss.variables)
    for seed in range(2):
        w = weights(CASES[name], seed=seed)
        assert c.at(w, 0.0, c.values) == pytest.approx(covariance_at(loss, w), rel=1e-9, abs=1e-12)
        h, slopes = 1e-5, np.zeros(loss.dim)
        for j, step in enumerate(h * np.eye(loss.dim)):
            slopes += (covariance_at(loss, w + step) - covariance_at(loss, w - step))[:, j] / (2 * h)
        assert c.divergence.vector(tuple(c.values))(w, 0.0, tuple(c.values.values())) == pytest.approx(slopes, rel=1e-6, abs=1e-7)


def covariance_at(loss: ls.SampledLoss, w: np.ndarray) -> np.ndarray:
    g = loss.sample_gradients(w if loss.dim > 1 else float(w[0])).reshape(loss.n_samples, loss.dim)
    return np.cov(g.T, bias=True).reshape(loss.dim, loss.dim)


def test_steps_of_its_equation_see_that_noise() -> None:
    """One long step from one state, 100 000 paths: variances to 5 standard errors; with half of C they are 80 off."""
    loss, w = CASES["sensing"].loss, np.array([0.6, -0.9])
    runs = ls.simulate(ls.sgd(loss, loss.noise, learning_rate=0.1), w, (0, 1.0), 1.0, n_paths=100_000, t_eval=[1.0], rng=3)
    found, expected = np.cov(runs.x[:, 0].T, bias=True), 0.1 * loss.covariance(w)
    errors = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / 1e5)
    assert np.abs((found - expected) / errors).max() < 5
    assert np.abs((found - expected / 2) / errors).max() > 80


@pytest.mark.parametrize("name", ["logistic", "factorisation", "toy"])
def test_diagonals_of_hessians_are_those_of_hessians(name: str) -> None:
    loss, w = CASES[name].loss, weights(CASES[name])
    whole = np.diagonal(loss.sample_hessians(w), axis1=1, axis2=2)
    assert loss.sample_hessian_diagonals(w) == pytest.approx(whole, rel=1e-12, abs=1e-12)
    without = dataclasses.replace(loss, curvature=None)
    assert without.sample_hessian_diagonals(w) == pytest.approx(whole, rel=1e-5, abs=1e-6)


def test_samples_can_be_taken() -> None:
    part = CASES["linear"].loss.take([2, 2, 5])
    w = np.ones(3)
    assert part(w) == pytest.approx(np.mean((X[[2, 2, 5]] @ w - Y[[2, 2, 5]])**2 / 2))
    with pytest.raises(ValueError, match="whole numbers from 0 to 12"):
        CASES["linear"].loss.take([13])


@pytest.mark.parametrize("total", ["sum", "mean"])
def test_what_is_taken_of_a_sum_is_the_sum_of_what_is_taken(total: str) -> None:
    chosen, w = [2, 5, 5], np.array([0.4, -0.3, 0.8])
    labels, penalty = (SIGNS > 0) * 1.0, 0.3
    whole, expected = (ls.losses.linear_regression(x, y, total=total) for x, y in ((X, Y), (X[chosen], Y[chosen])))
    assert whole.take(chosen)(w) == pytest.approx(expected(w), rel=1e-14)
    assert whole.take(chosen).take([1, 0])(w) == pytest.approx(whole.take([5, 2])(w), rel=1e-14)
    whole, expected = (ls.losses.logistic_regression(x, y, penalty, total=total) for x, y in ((X, labels), (X[chosen], labels[chosen])))
    assert whole.take(chosen).hessian(w) == pytest.approx(expected.hessian(w), rel=1e-14)


def test_labels_of_zero_and_one_are_signs() -> None:
    assert np.array_equal(ls.losses.logistic_regression(X, (SIGNS > 0) * 1.0).data, ls.losses.logistic_regression(X, SIGNS).data)


def test_a_loss_pickles() -> None:
    loss = pickle.loads(pickle.dumps(CASES["logistic"].loss))
    assert loss(np.ones(3)) == CASES["logistic"].loss(np.ones(3))


# --------------------------------------------------------------------------------------------------------- the user's own

def written(w, sample, gradient):
    gradient[0] = (w[0] - sample[0])**3
    return (w[0] - sample[0])**4 / 4


def added(w, sample, gradient):
    gradient[0] += (w[0] - sample[0])**3
    return (w[0] - sample[0])**4 / 4


def kinked(w, sample, gradient):
    r = w[0] - sample[0]
    gradient[0] = r + np.sign(r)
    return r * r / 2 + abs(r)


def inclined(w, sample, gradient):
    gradient[0] = sample[0] * w[0]
    gradient[1] = sample[1]
    return sample[0] * w[0]**2 / 2 + sample[1] * w[1]


def scaled(w, sample, p, gradient):
    total = 0.0
    for j in range(len(w)):
        gradient[j] = p[0] * (w[j] - sample[j])
        total += p[0] * (w[j] - sample[j])**2 / 2
    return total


def test_a_function_may_write_its_gradient_or_add_it() -> None:
    x = np.array([-1.0, 0.5, 2.0])
    one, other = (ls.SampledLoss.from_function(f, x, dim=1) for f in (written, added))
    for loss in (one, other):
        assert loss.gradient(0.3) == pytest.approx(np.mean((0.3 - x)**3))
        assert loss.hessian(0.3) == pytest.approx(3 * np.mean((0.3 - x)**2), rel=1e-9)


def test_a_function_may_have_parameters() -> None:
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    assert ls.SampledLoss.from_function(scaled, x, dim=2, scale=4.0).gradient([0.0, 0.0]) == pytest.approx([-8.0, -2.0])
    with pytest.raises(ValueError, match="no parameters are given"):
        ls.SampledLoss.from_function(scaled, x, dim=2)
    with pytest.raises(ValueError, match="let it take"):
        ls.SampledLoss.from_function(added, x, dim=2, scale=1.0)


def test_a_function_that_reaches_beyond_its_arrays_is_refused() -> None:
    def two(w, sample, gradient):
        gradient[0] = w[0] + sample[0]
        gradient[1] = w[1]
        return (w[0] + sample[0])**2 / 2 + w[1]**2 / 2
    with pytest.raises(ValueError, match="reaches beyond its arrays"):
        ls.SampledLoss.from_function(two, [1.0, 2.0], dim=1)


ROWS_OF_TWO = [[0.0, 1.0], [1.0, 2.0], [0.0, 3.0], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize("patience", [1e9, -1.0])
def test_every_sample_is_tried_for_its_reach_in_python_and_compiled(patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample 4 of seven wants a third weight, or writes into its data, which none but it does."""
    def picked(w, sample, gradient):
        k = int(sample[0])
        gradient[k] = w[k] - sample[1]
        return 0.5 * (w[k] - sample[1])**2

    def shifted(w, sample, gradient):
        sample[1] -= 1.0 if sample[0] == 2.0 else 0.0
        gradient[0] = w[0] - sample[1]
        return 0.5 * (w[0] - sample[1])**2

    def moved(w, sample, gradient):
        w[0] -= sample[1]
        gradient[0] = w[0]
        return 0.5 * w[0]**2

    monkeypatch.setattr(user_losses, "PATIENCE", patience)
    for loss, says in ((picked, "beyond its arrays for sample 4"), (shifted, "changes sample for sample 4"), (moved, "changes w for")):
        with pytest.raises(ValueError, match=says):
            user_losses.check_reach(ls.SampledLoss("", ROWS_OF_TWO, 2, [1.0], loss, arguments=3))
    user_losses.check_reach(ls.SampledLoss("", ROWS_OF_TWO, 3, [1.0], picked, arguments=3))


def test_the_toy_without_its_averaging_is_flat_at_its_minima() -> None:
    """`theory`, 10: the saddle of each axis at 1/11, 15.345295 above minima without curvature; averaged, the barriers of its docstring."""
    toy = ls.losses.smoothed_toy(shifts=[[0.0, 0.0]])
    assert toy([1 / 11, 1.0]) == pytest.approx(15.345295, abs=1e-6)
    assert toy.gradient([1 / 11, 1.0]) == pytest.approx([0.0, 0.0], abs=1e-12)
    for corner in ([1.0, -1.0], [-1.0, 1.0]):
        assert toy(corner) == 0
        assert toy.hessian(corner) == pytest.approx(np.zeros((2, 2)))
    smooth = ls.losses.smoothed_toy(100_000, dim=1, rng=1)
    low, high, top = (smooth(w) for w in (-0.983, 0.979, 0.089))
    assert (top - low, top - high) == pytest.approx((14.80, 14.48), abs=0.06)


def test_a_wrong_gradient_is_refused() -> None:
    def halved(w, sample, gradient):
        gradient[0] = 0.5 * (w[0] - sample[0])
        return 0.5 * (w[0] - sample[0])**2
    with pytest.raises(ValueError, match="not that of its loss"):
        ls.SampledLoss.from_function(halved, [1.0, 2.0], dim=1)


def huber(w, sample, p, gradient):
    """Of the size p[0], with one kink more at its middle, and with p[1] = p[2] = 1 if it is right."""
    r = w[0] - sample[0]
    far = abs(r) > 2.0
    slope = (2.0 if r > 0 else -2.0 * p[2]) if far else r
    gradient[0] = p[0] * p[1] * (slope + (1.0 if r > 0 else 0.0))
    return p[0] * ((2 * (abs(r) - 1) if far else r * r / 2) + max(r, 0.0))


def test_small_gradients_and_few_wrong_ones_are_refused_but_kinks_are_not() -> None:
    """A factor 2 at the size 1e-7; a sign in the branch of 3 % of the samples.  Controls: the right ones, with kinks about w in ten."""
    x = np.random.default_rng(0).normal(size=1000)
    x[:10] = np.random.default_rng(1).normal() + 1e-4 * np.linspace(-1, 1, 10)          # where the first w lies
    loss = ls.SampledLoss.from_function(huber, x, dim=1, size=1.0, factor=1.0, sign=1.0)
    user_losses.check_gradient(dataclasses.replace(loss, p=np.array([1e-7, 1.0, 1.0])))
    for wrong in ([1e-7, 2.0, 1.0], [1.0, 1.0, -1.0]):
        with pytest.raises(ValueError, match="not that of its loss"):
            user_losses.check_gradient(dataclasses.replace(loss, p=np.array(wrong)))


def test_a_function_that_numba_cannot_compile_is_retold() -> None:
    def opened(w, sample, gradient):
        with open("file") as file:
            gradient[0] = len(file.read())
        return 0.0
    with pytest.raises(ValueError, match=r"Numba cannot compile your function `opened`"):
        ls.SampledLoss.from_function(opened, [1.0], dim=1)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: ls.losses.linear_regression([1.0, 2.0], [1.0]), "`targets` has shape"),
    (lambda: ls.losses.linear_regression([1.0, np.nan], [1.0, 1.0]), "`inputs` holds nan"),
    (lambda: ls.losses.linear_regression([0.0], [1.0]), "all zero"),
    (lambda: ls.losses.linear_regression([1.0], [1.0], half=1), "`half`"),
    (lambda: ls.losses.linear_regression([1.0], [1.0], total="average"), "`total`"),
    (lambda: ls.losses.ridge_regression([1.0], [1.0], penalty=-1.0), "`penalty`"),
    (lambda: ls.losses.logistic_regression([1.0, 2.0], [1.0, 3.0]), "labels must be"),
    (lambda: ls.losses.matrix_factorisation([0.5], [0], [1.0], rank=1), "`rows` must be whole"),
    (lambda: ls.losses.matrix_sensing([[1.0]], [1.0], rank=1), "`matrices` has shape"),
    (lambda: ls.losses.deep_linear_chain([1.0], [1.0, 2.0], depth=2), "`targets`"),
    (lambda: ls.losses.mirrored_parabola([[1.0, 2.0]], [1.0], barrier=1.0), "one weight"),
    (lambda: ls.losses.mirrored_parabola([1.0], [1.0], barrier=-1.0), "`barrier`"),
    (lambda: CASES["linear"].loss.sample_gradients([1.0]), "but one state of this model is 3 numbers"),
    (lambda: CASES["linear"].loss([1.0, 2.0]), "need shape"),
])
def test_what_is_wrong_is_named(call, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()


def test_a_landscape_by_differences_has_the_curvature_of_the_loss() -> None:
    """Without a curvature of its own: those of the landscape and of the divergence of the noise are differences of slopes."""
    def bowl(w, sample, gradient):
        gradient[0] = sample[0] * (w[0] - sample[1])
        return 0.5 * sample[0] * (w[0] - sample[1]) ** 2

    samples = np.array([[1.0, 0.1], [2.0, 0.2], [4.0, -0.5]])
    loss = ls.SampledLoss.from_function(bowl, samples, dim=1)
    assert loss.landscape.hessian(0.1) == pytest.approx(samples[:, 0].mean(), rel=1e-9)
    slope = 2 * np.cov(samples[:, 0] * (0.1 - samples[:, 1]), samples[:, 0], bias=True)[0, 1]          # C' = 2 Cov(g, h)
    sde = ls.sgd(loss, loss.noise, learning_rate=0.2, interpretation="klimontovich")
    assert sde.ito_drift(0.1) - sde.drift(0.1) == pytest.approx(0.1 * slope, rel=1e-6)                # ε C' / 2
