"""What times of exit say when some are cut short."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from langevin_sgd.simulation.censoring import DOUBT, exponentiality, kaplan_meier, mean_interval, rate_interval

ALL = np.ones


# --------------------------------------------------------------------------------------------------------------- rates

@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 10**6), st.floats(1e-6, 1e12), st.floats(0.5, 0.999))
def test_the_interval_of_a_rate_is_that_of_a_poisson_count(events, exposure, confidence):
    low, high = rate_interval(events, exposure, confidence)
    a = 1 - confidence
    assert low == pytest.approx(stats.chi2.ppf(a / 2, 2 * events) / (2 * exposure), rel=1e-8)
    assert high == pytest.approx(stats.chi2.ppf(1 - a / 2, 2 * events + 2) / (2 * exposure), rel=1e-8)
    assert low < events / exposure < high


def test_without_events_there_is_a_one_sided_bound():
    low, high = rate_interval(0, 250.0, 0.95)
    assert low == 0.0
    assert high == pytest.approx(-math.log(0.05) / 250)
    assert math.exp(-high * 250) == pytest.approx(0.05)            # a larger rate would have shown itself in 95 %
    assert rate_interval(0, 0.0, 0.95) == (0.0, math.inf)


def test_the_interval_of_a_mean_is_students():
    times = np.random.default_rng(1).gamma(2.0, 3.0, 17)
    want = stats.t.interval(0.9, 16, times.mean(), stats.sem(times))
    np.testing.assert_allclose(mean_interval(times, 0.9), want, rtol=1e-10)


@pytest.mark.law
@pytest.mark.parametrize(("limit", "events_wanted"), [(math.inf, 20), (0.7, 20), (0.05, 200)])
def test_the_interval_of_a_rate_covers(limit, events_wanted):
    """4000 ensembles of exponential times, some cut at a limit: the 95 % interval holds the rate in 95 to 99.2 %, conservative because
    the number of paths and not the exposure is fixed (and three standard errors of 0.35 % below: once in 700 runs of a new key)."""
    n = round(events_wanted / (1 - math.exp(-limit)))
    times = np.random.default_rng(5).exponential(1.0, (4000, n))
    cut, exited = np.minimum(times, limit), times <= limit
    intervals = np.array([rate_interval(int(k), float(t), 0.95) for k, t in zip(exited.sum(1), cut.sum(1), strict=True)])
    assert 0.94 < np.mean((intervals[:, 0] <= 1) & (intervals[:, 1] >= 1)) < 0.992
    dropped = np.array([rate_interval(int(k), float(t), 0.95) for k, t in zip(exited.sum(1), (cut * exited).sum(1), strict=True)])
    if limit < math.inf:                                # the control: exposure of the paths that left only
        assert np.mean((dropped[:, 0] <= 1) & (dropped[:, 1] >= 1)) < 0.5


# ------------------------------------------------------------------------------------------------------------- survival

def test_kaplan_and_meier_by_hand():
    """Exits at 1, 2, 2, 5, cut at 1.5, 3, 6: 6/7, then of five left two go, then of two one."""
    times, exited = np.array([2.0, 1.0, 3.0, 2.0, 1.5, 5.0, 6.0]), np.array([True, True, False, True, False, True, False])
    curve = kaplan_meier(times, exited, 0.95)
    assert curve.time.tolist() == [1.0, 2.0, 5.0]
    np.testing.assert_allclose(curve.probability, [6 / 7, 6 / 7 * 3 / 5, 6 / 7 * 3 / 5 / 2])
    assert curve.censored.tolist() == [1.5, 3.0, 6.0]
    assert [curve(t) for t in (0.0, 0.99, 1.0, 1.9, 4.9, 100.0)] == pytest.approx([1, 1, 6 / 7, 6 / 7, 18 / 35, 9 / 35])
    # Greenwood's variance on the log-log scale, at t = 2
    s, z = 18 / 35, stats.norm.ppf(0.975)
    width = z * math.sqrt(1 / (7 * 6) + 2 / (5 * 3)) / -math.log(s)
    assert (curve.low[1], curve.high[1]) == pytest.approx((s ** math.exp(width), s ** math.exp(-width)))


def test_without_censoring_it_is_the_share_that_is_left():
    times = np.random.default_rng(1).exponential(1.0, 200)
    curve = kaplan_meier(times, ALL(200, bool), 0.95)
    np.testing.assert_allclose(curve.probability, 1 - np.arange(1, 201) / 200, atol=1e-12)
    assert np.array_equal(curve.time, np.sort(times))
    assert ((curve.low <= curve.probability) & (curve.probability <= curve.high)).all()
    assert (np.diff(curve.high) <= 0).all()


def test_without_an_exit_nothing_is_said_and_nothing_warned_of():
    curve = kaplan_meier(np.full(5, 2.0), np.zeros(5, bool), 0.95)
    assert len(curve.time) == 0
    assert curve(1.0) == 1.0


@pytest.mark.law
def test_the_band_of_survival_covers():
    """1000 ensembles of 60 exponential times cut at random: the pointwise 95 % band holds the truth at the median in 92.5 to 97.5 %
    (3.6 standard errors of 0.7 %: once in 3000)."""
    rng, held = np.random.default_rng(3), []
    for _ in range(1000):
        times, limits = rng.exponential(1.0, 60), rng.uniform(0.3, 3.0, 60)
        curve = kaplan_meier(np.minimum(times, limits), times <= limits, 0.95)
        k = np.searchsorted(curve.time, math.log(2), side="right") - 1
        held.append(curve.low[k] <= 0.5 <= curve.high[k])
    assert 0.925 < np.mean(held) < 0.975


# -------------------------------------------------------------------------------------------------------- exponentiality

@pytest.mark.law
@pytest.mark.parametrize("limit", [math.inf, 0.8], ids=["all left", "cut short"])
def test_p_values_are_uniform_where_there_is_one_rate(limit):
    """600 ensembles of 100 exponential times: Kolmogorov and Smirnov's p of the p-values above 1e-3."""
    times = np.random.default_rng(7).exponential(2.0, (600, 100))
    p = [exponentiality(np.minimum(t, 2 * limit), t <= 2 * limit).p_value for t in times]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.law
def test_a_rate_that_rises_or_falls_is_seen():
    """1000 times each, cut at their mean: a hazard that rises from zero, one that falls, and a delay; none is taken for one rate."""
    rng = np.random.default_rng(2)
    for times, word in ((rng.weibull(1.4, 1000), "rises"), (rng.weibull(0.7, 1000), "falls"), (0.2 + rng.exponential(1.0, 1000), "rises")):
        verdict = exponentiality(np.minimum(times, 1.0), times <= 1.0)
        assert verdict.plausible is False
        assert verdict.p_value < DOUBT
        assert f"it {word} from" in str(verdict)
        assert (verdict.late_hazard > verdict.early_hazard) == (word == "rises")


def test_the_hazards_are_events_over_exposure():
    """Four exits at 1, 2, 3, 4 with one path cut at 10: an exposure of 20; the first half is spent at t = 2.333, with two exits in it."""
    verdict = exponentiality(np.array([1.0, 2.0, 3.0, 4.0, 10.0]), np.array([True] * 4 + [False]))
    assert (verdict.early_hazard, verdict.late_hazard) == pytest.approx((2 / 10, 2 / 10))
    assert verdict.n_events == 4
    assert verdict.plausible is None
    assert "too few exits (4)" in verdict.verdict
    assert math.isnan(verdict.variation)


def test_the_variation_of_a_complete_sample():
    times = np.random.default_rng(1).exponential(1.0, 500)
    assert exponentiality(times, ALL(500, bool)).variation == pytest.approx(times.std(ddof=1) / times.mean())


@pytest.mark.parametrize("times", [np.zeros(20), np.array([0.0]), np.zeros(0), np.full(30, 2.0), np.repeat([1.0, 2.0, 4.0], 10)],
                         ids=["all zero", "one zero", "none", "all equal", "ties"])
def test_ties_and_zeros_are_no_errors(times):
    verdict = exponentiality(times, ALL(len(times), bool))
    assert isinstance(str(verdict), str)
    assert verdict.n_events <= len(times)
    assert verdict.plausible in (None, True, False)
