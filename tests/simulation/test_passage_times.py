"""The result of `first_passage`: what it says, in numbers, words and files."""
from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import langevin_sgd as ls

BROWNIAN = ls.SDE("0", ls.noise.Constant(1.0))


def well(temperature):
    return ls.langevin(ls.landscapes.double_well(), temperature)


@pytest.fixture(scope="module")
def all_left():
    return ls.first_passage(BROWNIAN, 0.2, ls.Interval(-1.0, 1.0), 0.01, 500, rng=5)


@pytest.fixture(scope="module")
def cut():
    return ls.first_passage(well(0.1), -1.0, ls.Interval(high=0.0), 0.01, 300, t_max=10.0, rng=5)


def test_without_censoring_the_mean_is_that_of_the_sample(all_left):
    mean = all_left.mean()
    assert mean.value == all_left.time.mean()
    assert mean.method == "sample mean"
    assert (mean.n_events, mean.n_paths, mean.confidence, mean.dt) == (500, 500, 0.95, 0.01)
    wide = all_left.mean(confidence=0.99)
    assert wide.low < mean.low < mean.value < mean.high < wide.high
    assert str(mean) == f"{mean.value:.4g} [{mean.low:.4g}, {mean.high:.4g}] (95 %, 500 of 500 exited, Itô, dt = 0.01)"


def test_with_censoring_the_mean_is_exposure_over_exits_and_carries_a_verdict(cut):
    mean, k = cut.mean(), int(cut.exited.sum())
    assert 0 < k < 300
    assert cut.censored.sum() == 300 - k
    assert (cut.time[cut.censored] == 10.0).all()
    assert mean.value == pytest.approx(cut.time.sum() / k)
    assert mean.method == "exponential"
    assert mean.verdict == cut.exponentiality().verdict
    assert mean.verdict in str(mean)
    rate = cut.rate()
    assert (rate.value, rate.low, rate.high) == pytest.approx((1 / mean.value, 1 / mean.high, 1 / mean.low))
    assert rate.quantity == "rate of exit"


def test_a_mean_cut_short_is_not_the_mean_of_those_that_left(cut):
    assert cut.mean().low > cut.time[cut.exited].mean()


def test_without_an_exit_the_mean_is_a_lower_bound_and_a_warning():
    ends = ls.first_passage(well(0.005), -1.0, ls.Interval(high=0.0), 0.01, 50, t_max=4.0, rng=1)
    with pytest.warns(RuntimeWarning, match="0 of 50 paths exited within 4: the mean is a bound; let paths run longer"):
        mean = ends.mean()
    assert mean.value == mean.high == math.inf
    assert mean.low == pytest.approx(200 / -math.log(0.05))
    assert mean.method == "lower bound"
    assert str(mean).startswith(f"above {mean.low:.4g} (95 %, 0 of 50 exited")


def test_few_exits_are_warned_of():
    ends = ls.first_passage(well(0.1), -1.0, ls.Interval(high=0.0), 0.01, 100, t_max=1.5, rng=3)
    assert 0 < ends.exited.sum() < 5
    with pytest.warns(RuntimeWarning, match="the mean is very uncertain; let paths run longer"):
        mean = ends.mean()
    assert mean.high / mean.low > 5


def test_the_clock_of_sgd_is_a_division(all_left):
    mean = all_left.mean()
    assert mean.in_iterations(0.05).value == pytest.approx(20 * mean.value)
    assert "iterations" in str(mean.in_iterations(0.05))


def test_the_point_start_of_a_well_is_seen_not_to_have_one_rate():
    """At temperature 0.25 a path needs a while to climb: the hazard rises, and the verdict says so."""
    ends = ls.first_passage(well(0.25), -1.0, ls.Interval(high=0.0), 0.01, 4000, t_max=3.0, rng=1)
    assert ends.exponentiality().plausible is False
    assert "rises" in ends.mean().verdict


def test_labels_and_what_was_run_are_printed(all_left, cut):
    text = repr(all_left)
    low, high = (int((all_left.exit_label == name).sum()) for name in ("low", "high"))
    assert f"500 of 500 exited, low: {low}, high: {high}; dt = 0.01, continuous, Itô, EulerMaruyama(), Key(0x" in text
    assert f"{int(cut.exited.sum())} of 300 exited, {int(cut.censored.sum())} censored" in repr(cut)


def test_a_dataset_says_what_its_numbers_mean(cut):
    data = cut.to_xarray()
    assert data.sizes == {"path": 300}
    assert data.status.attrs == {"flag_values": [0, 1, 2, 3], "flag_meanings": "completed exited diverged stopped"}
    assert data.exit_label.attrs["flag_meanings"].split()[int(data.exit_label[0]) + 1] in ("none", "high")
    for name in ("equation", "interpretation", "strength", "scheme", "dt", "key", "domain", "monitoring", "langevin_sgd", "numba"):
        assert name in data.attrs
    assert data.attrs["interpretation"] == "ito"
    assert ls.Key(int(data.attrs["key"], 16)) == cut.key
    np.testing.assert_array_equal(data.time, cut.time)


def test_a_dataset_in_the_plane_names_the_components():
    plane = ls.SDE(["0", "0"], ls.noise.Constant(1.0))
    ends = ls.first_passage(plane, [0.1, 0.2], ls.Ball([0.0, 0.0], 1.0), 0.01, 20, rng=1, first_path=30)
    data = ends.to_xarray()
    assert dict(data.sizes) == {"path": 20, "component": 2}
    assert data.component.values.tolist() == ["x", "y"]
    assert data.path.values.tolist() == list(range(30, 50))
    assert data.exit_point.sel(component="y").shape == (20,)


def test_a_result_survives_pickling(cut):
    copy = pickle.loads(pickle.dumps(cut))
    assert str(copy.mean()) == str(cut.mean())
    assert repr(copy) == repr(cut)
    assert np.array_equal(copy.time, cut.time)
    again = ls.first_passage(copy.sde, -1.0, copy.domain, copy.dt, 300, t_max=10.0, rng=copy.key)
    assert np.array_equal(again.time, cut.time)


def test_runs_of_one_problem_can_be_pooled(all_left):
    first, more = (ls.first_passage(BROWNIAN, 0.2, ls.Interval(-1.0, 1.0), 0.01, n, first_path=q, rng=5) for n, q in ((200, 0), (300, 200)))
    together = ls.FirstPassage.pooled(first, more)
    assert np.array_equal(together.time, all_left.time) and np.array_equal(together.exit_label, all_left.exit_label)
    assert str(together.mean()) == str(all_left.mean())
    assert together.to_xarray().path.values.tolist() == list(range(500))
    other = ls.first_passage(BROWNIAN, 0.2, ls.Interval(-1.0, 1.0), 0.01, 100, rng=6)
    assert ls.FirstPassage.pooled(together, other).n_paths == 600


def test_a_path_is_not_pooled_twice_nor_with_another_problem(all_left, cut):
    with pytest.raises(ValueError, match="in common, from path 0 on"):
        ls.FirstPassage.pooled(all_left, all_left)
    half = ls.first_passage(BROWNIAN, 0.2, ls.Interval(-1.0, 1.0), 0.01, 250, rng=6)
    with pytest.raises(ValueError, match="in common"):
        ls.FirstPassage.pooled(ls.FirstPassage.pooled(all_left, half), half)
    with pytest.raises(ValueError, match=r"`parts\[1\]` has sde"):
        ls.FirstPassage.pooled(all_left, cut)
    nearly = ls.first_passage(ls.SDE("0", ls.noise.Constant(1.0 + 1e-9)), 0.2, ls.Interval(-1.0, 1.0), 0.01, 10, rng=7)
    with pytest.raises(ValueError, match=r"`parts\[1\]` has sde"):
        ls.FirstPassage.pooled(all_left, nearly)
    with pytest.raises(ValueError, match="`parts` is empty"):
        ls.FirstPassage.pooled()
