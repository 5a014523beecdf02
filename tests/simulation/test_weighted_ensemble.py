"""`weighted_ensemble`: resampling that keeps weight, the flux of the chain, and what is told."""
from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.core import weighted_walkers

WELL = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
TARGET = ls.Interval(low=0.0)
SMALL = {"dt": 0.05, "interval": 0.1, "t_max": 4.0, "n_walkers": 60, "n_bins": 12, "n_runs": 6, "rng": 3}


def resample_in_bins(bins, weight, draws):
    chosen, new = np.empty(len(bins), np.int64), np.empty(len(bins))
    weighted_walkers.resample_in_bins(bins, np.asarray(weight, float), draws, chosen, new)
    return chosen, new


def bins_of(scores, n_bins):
    bins = np.empty(len(scores), np.int64)
    weighted_walkers.bins_of(scores, n_bins, bins)
    return bins


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(1e-12, 1.0)), min_size=6, max_size=40), st.integers(0, 2**32 - 1))
def test_resampling_keeps_the_weight_of_every_bin_and_the_number_of_walkers(walkers, seed):
    bins, weight = np.array([b for b, _ in walkers]), np.array([w for _, w in walkers])
    chosen, new = resample_in_bins(bins, weight, np.random.default_rng(seed).random(6))
    assert len(chosen) == len(new) == len(bins)
    for b in range(6):
        assert new[bins[chosen] == b].sum() == pytest.approx(weight[bins == b].sum(), rel=1e-9)
        assert len(np.unique(new[bins[chosen] == b])) <= 1


def test_everyone_keeps_its_weight_on_average():
    """20 000 resamplings; 5 standard errors, of at most half a copy each."""
    rng = np.random.default_rng(4)
    bins, weight, total = np.repeat([0, 1, 2], [5, 9, 1]), rng.random(15)**4, np.zeros(15)
    for _ in range(20_000):
        chosen, new = resample_in_bins(bins, weight, rng.random(3))
        np.add.at(total, chosen, new)
    copy = np.array([weight[bins == b].sum() / 5 for b in bins])        # 15 walkers in 3 bins
    assert (np.abs(total / 20_000 - weight) < 5 * 0.5 * copy / math.sqrt(20_000) + 1e-12).all()


def test_a_walker_of_no_weight_is_not_copied_beside_others():
    chosen, _ = resample_in_bins(np.zeros(8, int), np.array([0, 1, 1, 0, 1, 1, 0, 0.0]), np.array([0.999999]))
    assert set(chosen) <= {1, 2, 4, 5}
    chosen, new = resample_in_bins(np.array([0, 0, 1, 1]), np.array([0.0, 0.0, 0.5, 0.5]), np.array([0.5, 0.5]))
    assert sorted(chosen) == [0, 1, 2, 3]
    assert sorted(new) == [0, 0, 0.5, 0.5]


def test_bins_divide_the_range_evenly():
    assert bins_of(np.array([0.0, 1.0, 2.0, 3.9, 4.0, np.nan, -np.inf]), 4).tolist() == [0, 1, 2, 3, 3, 0, 0]
    assert bins_of(np.full(3, 7.0), 4).tolist() == [0, 0, 0]


@pytest.mark.law
def test_the_flux_is_that_of_the_chain():
    """406.0 at dt = 0.05, in 32 runs to 2 %: within 4 standard errors; the equation has 361.9."""
    found = ls.weighted_ensemble(WELL, -1.0, TARGET, dt=0.05, interval=0.1, t_max=40.0, monitoring="discrete", n_walkers=150, n_bins=25,
                                 n_runs=32, rng=5)
    exact = ls.Chain(WELL, 0.05).mean_passage_time(-1.0, ls.Interval(high=0.0)).value
    error = (math.log(found.mean_time.high) - math.log(found.mean_time.low)) / (2 * 2.04)
    assert error < 0.04
    assert abs(found.mean_time.log_value - math.log(exact)) < 4 * error
    for factor in (0.8, 1.25):                                          # the control
        assert abs(found.mean_time.log_value - math.log(factor * exact)) > 4 * error
    assert not found.warnings


def test_it_and_splitting_agree_where_neither_sees_the_other():
    """A mean time of 5e4, each to 7 %."""
    cold = WELL.replace(temperature=0.025)
    found = ls.weighted_ensemble(cold, -1.0, TARGET, dt=0.02, interval=0.1, t_max=40.0, n_walkers=200, n_bins=25, rng=6).mean_time
    rare = ls.splitting(cold, -1.0, ls.Interval(high=-0.9), TARGET, dt=0.02, around=ls.Interval(high=-0.8), rng=6).mean_time
    errors = [(math.log(e.high) - math.log(e.low)) / (2 * 2.1) for e in (found, rare)]
    assert abs(found.log_value - rare.log_value) < 4 * math.hypot(*errors)
    assert max(errors) < 0.12


def test_runs_depend_neither_on_threads_nor_on_the_runs_beside_them():
    one, two = (ls.weighted_ensemble(WELL, -1.0, TARGET, threads=t, **SMALL) for t in (1, 3))
    fewer = ls.weighted_ensemble(WELL, -1.0, TARGET, **{**SMALL, "n_runs": 2})
    np.testing.assert_array_equal(one.flux, two.flux)
    np.testing.assert_array_equal(one.flux[:2], fewer.flux)
    assert len(np.unique(one.flux.sum(axis=1))) > 2


def test_what_is_not_steady_is_told():
    found = ls.weighted_ensemble(WELL, -1.0, TARGET, **SMALL)
    rising = dataclasses.replace(found, flux=np.linspace(0, 1, 40) + 0.01 * np.random.default_rng(1).random((6, 40)))
    assert rising.drift_of_flux > 10
    assert any("perhaps not yet steady; raise `t_max`" in w for w in rising.warnings)
    noisy = dataclasses.replace(found, flux=np.outer([1.0, 0, 0, 0, 0, 0], np.arange(40) >= 20))
    assert noisy.drift_of_flux == pytest.approx(1.0)                    # one run alone decides, and there is no telling by its spread
    assert any("was 0 of it" in w for w in noisy.warnings)
    dry = dataclasses.replace(found, flux=np.zeros((6, 40)))
    assert any("nothing arrived" in w for w in dry.warnings)
    assert (dry.mean_time.value, dry.mean_time.low, dry.mean_time.high) == (math.inf, 0.0, math.inf)
    assert "6 runs of 60 walkers in 12 bins, 40 intervals of 0.1" in repr(found)
    assert any("only 3 runs" in w for w in dataclasses.replace(found, flux=found.flux[:3], unused=found.unused[:3],
                                                               diverged=found.diverged[:3]).warnings)


def test_walkers_that_blow_up_take_their_run_with_them():
    with pytest.warns(RuntimeWarning, match="6 of 6 runs had walkers that diverged and are left out"):
        found = ls.weighted_ensemble(ls.SDE("x - x**3", ls.noise.Constant(1.0)), -20.0, TARGET, **SMALL)
    assert found.mean_time.value == math.inf
    assert found.mean_time.n_diverged == 6


REFUSED = [
    ({"x0": 0.5}, "`x0`, 0.5, is inside `target`"),
    ({"n_bins": 61}, "`n_walkers` is 60, but must be at least `n_bins`, 61"),
    ({"interval": 0.0}, "`interval` is 0"),
    ({"t_max": -1.0}, "`t_max` is -1"),
    ({"score": "log(x)"}, "`score`, 'log.x.', is no number at the start"),
    ({"sde": ls.SDE("cos(t) - x", ls.noise.Constant(1.0))}, "depends on the time t"),
    ({"monitoring": "never"}, "`monitoring` is 'never'"),
    ({"target": 3.0}, "must be a region"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=range(len(REFUSED)))
def test_arguments_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ls.weighted_ensemble(**{"sde": WELL, "x0": -1.0, "target": TARGET, **SMALL, **changes})
