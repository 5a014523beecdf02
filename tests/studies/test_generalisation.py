"""Five ways to train: what is compared, its means and intervals, and that the noise of batches matters where it is known to."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import langevin_sgd as ls
from langevin_sgd.studies import generalisation


def tiny(rng: np.random.Generator) -> ls.generalisation.Problem:
    x = rng.normal(size=(12, 2))
    return ls.generalisation.Problem(ls.losses.linear_regression(x, x @ [1.0, -1.0] + rng.normal(size=12)),
                                     ls.losses.linear_regression(x, x @ [1.0, -1.0]), np.zeros(2))


@pytest.fixture(scope="module")
def seen() -> ls.generalisation.BatchComparison:
    return ls.generalisation.compare(tiny, learning_rate=0.05, small_batch=1, large_batch=6, n_steps=200, n_seeds=4, n_runs=3, rng=1,
                                     progress=False)


def test_curves_are_those_of_the_runs(seen: ls.generalisation.BatchComparison) -> None:
    """The runs with small batches on the third data set, again: the mean loss over runs, on the data and on the fresh ones."""
    problem = tiny(np.random.default_rng(np.random.SeedSequence(seen.key.value, spawn_key=(2, 0))))
    runs = ls.run_sgd(problem.loss, problem.start, learning_rate=0.05, batch_size=1, n_steps=200, t_eval=seen.t, n_paths=3,
                      rng=seen.key.spawn(2, 1).spawn(0))
    k = seen.names.index("small batch")
    assert seen.training[k, 2] == pytest.approx(problem.loss(runs.w).mean(axis=0), rel=1e-12)
    assert seen.excess[k, 2] == pytest.approx(problem.fresh(runs.w).mean(axis=0), rel=1e-12)
    assert seen.t[0] == 0 and seen.t[-1] == pytest.approx(10.0)
    assert (seen.excess[:, :, 0] == seen.excess[0, :, 0]).all()         # all start from the same weights, on the same data


def test_bands_are_geometric_means_with_students_interval(seen: ls.generalisation.BatchComparison) -> None:
    logs = np.log(seen.excess[1])
    middle, low, high = seen.band("large batch")
    assert middle == pytest.approx(np.exp(logs.mean(axis=0)))
    expected = stats.t.interval(0.95, 3, logs.mean(axis=0)[1:], stats.sem(logs, axis=0)[1:])
    assert (low[1:], high[1:]) == (pytest.approx(np.exp(expected[0])), pytest.approx(np.exp(expected[1])))
    ratio = np.log(seen.excess[0, :, -1] / seen.excess[1, :, -1])
    found = seen.ratio("small batch")
    assert found.value == pytest.approx(math.exp(ratio.mean()))
    assert math.log(found.high / found.low) == pytest.approx(2 * stats.t.ppf(0.975, 3) * stats.sem(ratio))


def test_what_diverged_is_counted_and_left_out(seen: ls.generalisation.BatchComparison) -> None:
    wild = ls.generalisation.compare(tiny, learning_rate=5.0, small_batch=1, large_batch=6, n_steps=2000, n_seeds=3, rng=2, progress=False)
    assert wild.n_diverged[0].sum() == 6 and np.isnan(wild.training[0]).all() and math.isnan(wild.ratio("small batch").value)
    assert "diverged" in str(wild) and seen.n_diverged.sum() == 0


def test_it_prints_and_is_labelled(seen: ls.generalisation.BatchComparison) -> None:
    text = str(seen)
    assert "small batch" in text and "large, quadratic noise" in text and "Geometric means over 4 data sets" in text
    data = seen.to_xarray()
    assert data.excess.dims == ("way", "seed", "time") and data.sizes["way"] == 5
    seen.plot().canvas.draw()


def test_ctrl_c_keeps_the_data_sets_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = generalisation._Trainer.trained, []

    def interrupted(self, problem, key):
        calls.append(key)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return whole(self, problem, key)
    monkeypatch.setattr(generalisation._Trainer, "trained", interrupted)
    found = ls.generalisation.compare(tiny, learning_rate=0.05, large_batch=6, n_steps=20, n_seeds=10, rng=1, progress=False)
    assert found.n_seeds == 3 and found.stopped == "Ctrl-C" and "fewer data sets" in str(found)


def test_the_level_of_isotropic_noise_is_an_average_over_time() -> None:
    """Saved times crowd near the start, where the variance is several times that of the end: the level is nevertheless that of an average
    over every iteration, of (f − y) x for each sample by hand.
    """
    rate, steps, rng = 0.02, 2000, np.random.default_rng(4)
    x = rng.normal(size=(12, 2)) * [2.0, 0.5]
    y = x @ [3.0, -3.0] + 0.3 * rng.normal(size=12)
    loss, saved = ls.losses.linear_regression(x, y), np.unique(np.round(np.geomspace(1, steps, 24)).astype(int))

    def runs(iterations: np.ndarray) -> ls.SGDRuns:
        return ls.run_sgd(loss, [0.0, 0.0], learning_rate=rate, batch_size=1, n_steps=steps, t_eval=rate * iterations, n_paths=10, rng=5,
                          progress=False)
    every = runs(np.arange(steps + 1)).w
    gradients = (every @ x.T - y)[..., None] * x                      # (run, iteration, sample, component)
    variance = gradients.var(axis=2).mean(axis=(0, 2))
    assert variance[0] > 5 * variance[-1]
    level = generalisation._mean_variance(loss, runs(np.concatenate([[0], saved])))
    assert level == pytest.approx(variance.mean(), rel=0.05)


def test_a_level_is_left_where_all_diverge() -> None:
    loss = ls.losses.linear_regression([[1.0], [2.0]], [1.0, 0.0])
    with pytest.warns(RuntimeWarning, match="diverged"):
        runs = ls.run_sgd(loss, 1.0, learning_rate=50.0, batch_size=1, n_steps=2000, n_paths=3, rng=1, progress=False)
    assert generalisation._mean_variance(loss, runs) == pytest.approx(np.var([0.0, 4.0]))


@pytest.mark.law
def test_the_noise_of_small_batches_finds_sparser_solutions() -> None:
    """Diagonal linear networks on 6 data sets, 2 runs each: SGD with single samples has less excess risk than with large batches, and so
    have large batches with the noise of the batch injected, by 5 standard errors of the mean log ratio. Isotropic noise of the same
    variance, averaged over components and time, does not do what small batches do.
    """
    found = ls.generalisation.compare(ls.generalisation.sparse_regression, learning_rate=0.03, large_batch=15, n_steps=6000, n_seeds=6,
                                      rng=1, progress=False)

    def z(name: str, to: str = "large batch") -> float:
        ratio = np.log(found.excess[found.names.index(name), :, -1] / found.excess[found.names.index(to), :, -1])
        return float(ratio.mean() / stats.sem(ratio))
    assert z("small batch") < -5 and z("large, noise of the batch") < -5
    assert z("large, isotropic noise", "small batch") > 5


@pytest.mark.parametrize("make", [ls.generalisation.sparse_regression, ls.generalisation.matrix_sensing, ls.generalisation.phase_retrieval])
def test_fresh_data_tell_the_planted_weights(make) -> None:
    """The excess risk vanishes at planted weights, and the training loss does not: labels there are noisy."""
    problem = make(np.random.default_rng(3))
    d = problem.loss.dim
    if make is ls.generalisation.sparse_regression:
        planted = (np.arange(d) < 4).astype(float)
    else:
        rng = np.random.default_rng(3)
        unit = rng.normal(size=10 if d == 10 else 8)
        planted = np.concatenate([unit / np.linalg.norm(unit), np.zeros(d - len(unit))])
        if d > 10:
            planted = np.outer(unit / np.linalg.norm(unit), np.eye(8)[0]).ravel()
    assert problem.fresh(planted) == pytest.approx(0.0, abs=1e-20)
    assert problem.loss(planted) > 1e-3
    assert problem.start.shape == (d,) and problem.fresh.n_samples == 1000


@pytest.mark.parametrize(("arguments", "words"), [
    ({"large_batch": 1}, "`large_batch` is 1"),
    ({"large_batch": 5, "small_batch": 5}, "large batches must be larger"),
    ({"large_batch": 5, "n_seeds": 2}, "`n_seeds` is 2"),
    ({"large_batch": 5, "learning_rate": 0.0}, "`learning_rate` is 0"),
    ({"large_batch": 5, "average": 1.0}, "`average` is 1"),
])
def test_what_does_not_fit_is_refused_in_a_sentence(arguments, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ls.generalisation.compare(tiny, **{"learning_rate": 0.1, "n_steps": 5, "n_seeds": 3, **arguments})


def test_a_problem_must_be_one() -> None:
    with pytest.raises(ValueError, match="must return a Problem"):
        ls.generalisation.compare(lambda rng: 3, learning_rate=0.1, large_batch=5, n_steps=5, n_seeds=3)


@pytest.mark.parametrize("make", [ls.generalisation.sparse_regression, ls.generalisation.matrix_sensing, ls.generalisation.phase_retrieval])
def test_an_int_or_a_key_draws_fresh_data_that_are_not_those_of_the_training(make) -> None:
    for rng in (3, ls.Key(3)):
        problem = make(rng)
        assert not np.isin(problem.loss.data, problem.fresh.data).all(axis=1).any()
    assert np.array_equal(make(3).loss.data, make(np.random.default_rng(3)).loss.data)
