"""`splitting`: arguments, bits, budgets, what is told, and what is not averaged."""
from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.core.steps import compile_step
from langevin_sgd.simulation.run_intervals import log_interval

WELL = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
PLANE = ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2"), temperature=0.05)
SOURCE, TARGET, AROUND = ls.Interval(high=-0.9), ls.Interval(low=0.0), ls.Interval(high=-0.75)
SMALL = {"dt": 0.02, "n_replicas": 40, "n_runs": 20, "rng": 7}


@pytest.fixture(scope="module")
def launched():
    return ls.splitting(WELL, -0.7, SOURCE, TARGET, **SMALL)


@pytest.fixture(scope="module")
def looped():
    return ls.splitting(WELL, -1.0, SOURCE, TARGET, around=AROUND, **SMALL)


REFUSED = [
    ({"x0": 0.5}, "`x0` has states inside `target`"),
    ({"x0": [-0.7, -1.0]}, "some inside `source` and some outside"),
    ({"x0": -1.0}, "lies inside `source`: paths are then launched from a surface around it; give `around`"),
    ({"around": AROUND}, "`around` is given, but `x0`, -0.7, lies outside `source`"),
    ({"x0": -1.0, "around": SOURCE}, "`around` is no surface between `source` and `target`"),
    ({"x0": -1.0, "around": ls.Interval(high=0.1)}, "a path that left `around` at .* was in source or target"),
    ({"x0": -1.0, "around": ls.Interval(-1.5, -0.95)}, "was in source or target"),
    ({"source": (-2, -1)}, "must be a region"),
    ({"target": ls.Interval()}, "the complement of .* is empty"),
    ({"n_replicas": 1}, "`n_replicas` is 1, but must be at least 2"),
    ({"n_kill": 40}, "`n_kill` is 40, but must be less than `n_replicas`, 40"),
    ({"n_kill": 0}, "`n_kill` is 0"),
    ({"n_runs": 0}, "`n_runs` is 0"),
    ({"n_loops": 0, "x0": -1.0, "around": AROUND}, "`n_loops` is 0"),
    ({"dt": 0.0}, "`dt` is 0"),
    ({"monitoring": "never"}, "`monitoring` is 'never'"),
    ({"max_seconds": 0.0}, "`max_seconds` is 0"),
    ({"max_steps": 0}, "`max_steps` is 0"),
    ({"score": "log(x)"}, "`score`, 'log.x.', is no number at the start -0.7"),
    ({"scheme": "euler"}, "`scheme` is 'euler'"),
    ({"x0": math.nan}, "`x0` holds nan"),
    ({"rng": 1.5}, r"`rng` is 1\.5"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=range(len(REFUSED)))
def test_arguments_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ls.splitting(WELL, **{"x0": -0.7, "source": SOURCE, "target": TARGET, **SMALL, **changes})


# -------------------------------------------------------------------------------------------------------------------- bits

def bits(rare) -> bytes:
    return b"".join(np.ascontiguousarray(getattr(rare, name)).tobytes()
                    for name in ("log_runs", "reactive_times", "first_times", "loop_times", "levels", "n_killed", "iterations", "arrivals"))


@pytest.mark.parametrize("k", [1, 4])
def test_runs_depend_neither_on_threads_nor_on_the_runs_beside_them(k):
    """Other threads put other runs together into the lanes."""
    options = {**SMALL, "n_kill": k, "around": AROUND}
    one, two, many = (ls.splitting(WELL, -1.0, SOURCE, TARGET, threads=t, **options) for t in (1, 2, 7))
    assert bits(one) == bits(two) == bits(many)
    assert len(np.unique(one.log_runs)) > 15
    fewer = ls.splitting(WELL, -1.0, SOURCE, TARGET, **{**options, "n_runs": 5})
    np.testing.assert_array_equal(fewer.log_runs, one.log_runs[:5])
    np.testing.assert_array_equal(fewer.loop_times, one.loop_times[:5])


def test_a_recorded_key_replays_and_another_does_not(launched):
    again = ls.splitting(WELL, -0.7, SOURCE, TARGET, **{**SMALL, "rng": launched.key})
    assert bits(again) == bits(launched)
    other = ls.splitting(WELL, -0.7, SOURCE, TARGET, **{**SMALL, "rng": 8})
    assert not np.isin(other.reactive_times, launched.reactive_times).any()


def test_new_numbers_compile_nothing(launched):
    before = compile_step.cache_info().misses
    ls.splitting(WELL.replace(temperature=0.06), -0.65, ls.Interval(high=-0.8), ls.Interval(low=-0.1), **SMALL)
    assert compile_step.cache_info().misses == before


# ----------------------------------------------------------------------------------------------------- what is kept and told

def test_what_a_run_leaves(launched):
    assert launched.complete.all()
    assert launched.arrivals.shape[1] == 1
    assert (launched.arrivals == 0.0).all()                     # on the boundary of the target, by the bridge
    np.testing.assert_allclose(launched.probability.value, launched.runs.mean())
    levels, weights = launched.weights(3)
    assert len(levels) == launched.iterations[3]
    assert (np.diff(levels) > 0).all()
    assert -0.7 <= levels[0] < levels[-1] < 0.0
    assert weights[-1] * 0.9 <= launched.runs[3] <= weights[-1]
    assert (launched.n_killed[3, :len(levels)] >= 4).all()
    assert (launched.reactive_times > 0.1).all()
    with pytest.raises(ValueError, match="there are no loops to be timed; for a mean time give an `x0` inside `source`"):
        _ = launched.mean_time


def test_discrete_monitoring_arrives_beyond_the_boundary():
    rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, monitoring="discrete", **SMALL)
    assert (rare.arrivals > 0).all()


def test_entrance_states_that_are_given_are_averaged_over():
    """From -0.88 and -0.2: the mean of both probabilities, 0.0006 and 0.4, to 1 %."""
    both = ls.splitting(WELL, [-0.88, -0.2], SOURCE, TARGET, **{**SMALL, "n_replicas": 1000})
    exact = [ls.exact.splitting_probability(WELL, x, ls.Interval(-0.9, 0.0)).value for x in (-0.88, -0.2)]
    assert both.probability.value == pytest.approx(np.mean(exact), rel=0.04)


def test_the_mean_time_is_hills(looped):
    p, first, loop = looped.runs.mean(), looped.first_times.mean(), looped.loop_times.mean()
    reactive = (looped.runs * looped.reactive_times).sum() / looped.runs.sum()
    assert looped.mean_time.value == pytest.approx(first + (1 / p - 1) * loop + reactive)
    assert looped.mean_time.log_value == pytest.approx(math.log(looped.mean_time.value))
    assert "splitting, 20 runs of 40, Itô, dt = 0.02" in str(looped.mean_time)
    wide, narrow = looped.mean_time_with(0.99), looped.mean_time_with(0.5)
    assert wide.low < looped.mean_time.low < narrow.low < narrow.high < looped.mean_time.high < wide.high


def test_a_result_prints_itself(looped):
    text = repr(looped)
    for part in ("20 of 20 runs, each of 40 replicas", "at least 4 are killed at a time", "score nearness to the target", "continuous",
                 "Itô", "dt = 0.02", "EulerMaruyama()", repr(looped.key)):
        assert part in text


def test_a_dataset_has_everything_that_describes_the_runs(looped):
    data = looped.to_xarray()
    np.testing.assert_array_equal(data.log_probability, looped.log_runs)
    assert data.attrs["key"] == f"{looped.key.value:#034x}"
    assert data.attrs["source"] == repr(SOURCE)
    assert data.sizes == {"run": 20}


def with_runs(rare, p):
    with np.errstate(divide="ignore"):
        return dataclasses.replace(rare, log_runs=np.log(np.asarray(p, float)), status=np.zeros(len(p), np.uint8),
                                   reactive_times=np.ones(len(p)), first_times=np.ones(len(p)), loop_times=np.full(len(p), 2.0))


def test_a_run_that_dominates_is_told(looped):
    rare = with_runs(looped, [1e-6] * 31 + [2e-5])
    assert rare.largest_share == pytest.approx(20 / 51)
    assert any("the largest of 32 runs carries 39 % of the sum" in w for w in rare.warnings)
    assert "carries 39 %" in str(rare.probability)
    assert not any("carries" in w for w in with_runs(looped, np.linspace(1, 2, 32) * 1e-6).warnings)


def test_runs_that_died_out_count_as_zero(looped):
    rare = with_runs(looped, [0.0] * 4 + [1e-6] * 28)
    assert rare.probability.value == pytest.approx(28 / 32 * 1e-6)
    assert rare.n_extinct == 4
    assert any("4 of 32 runs died out and count as zero" in w for w in rare.warnings)


def test_where_all_runs_died_out_nothing_is_known(looped):
    rare = with_runs(looped, [0.0] * 20)
    assert (rare.probability.value, rare.probability.low, rare.probability.high) == (0.0, 0.0, 1.0)
    assert (rare.mean_time.value, rare.mean_time.low, rare.mean_time.high) == (math.inf, 0.0, math.inf)
    one = with_runs(looped, [0.0] * 19 + [1e-7])
    assert (one.probability.low, one.probability.high) == (0.0, 1.0)


def test_few_runs_are_told(looped):
    assert any("only 5 runs are finished" in w for w in with_runs(looped, [1e-3] * 5).warnings)


def test_probabilities_beyond_what_a_float_holds(looped):
    rare = dataclasses.replace(with_runs(looped, np.ones(20)), log_runs=np.linspace(-900.1, -899.9, 20))
    assert rare.probability.log_value == pytest.approx(-900, abs=0.01)
    assert rare.mean_time.log_value == pytest.approx(900 + math.log(2), abs=0.01)


def test_scores_that_disagree_are_told(looped):
    a = with_runs(looped, np.linspace(0.9, 1.1, 20) * 1e-6)
    z, verdict = a.compared_with(with_runs(looped, np.linspace(0.9, 1.1, 20) * 2e-6))
    assert z < -10
    assert "disagree, by" in verdict
    z, verdict = a.compared_with(with_runs(looped, np.linspace(0.88, 1.12, 20) * 1.01e-6))
    assert abs(z) < 3
    assert "agree" in verdict


def test_loops_that_have_not_settled_are_told(looped):
    assert abs(looped.loops_moved) < 4
    assert any("late loops last longer or shorter" in w for w in dataclasses.replace(looped, loops_moved=-5.2).warnings)


def test_a_likely_event_is_better_measured_directly():
    rare = ls.splitting(WELL.replace(temperature=1.0), -1.0, SOURCE, TARGET, around=AROUND, **SMALL)
    assert any("ls.first_passage measures this directly" in w for w in rare.warnings)


def test_the_default_score_is_doubted_in_the_plane():
    a, b = ls.Ball([-1.0, 0.0], 0.3), ls.Ball([1.0, 0.0], 0.3)
    rare = ls.splitting(PLANE, [-0.6, 0.0], a, b, **{**SMALL, "n_runs": 2})
    assert any("the score is nearness to the target" in w for w in rare.warnings)
    named = ls.splitting(PLANE, [-0.6, 0.0], a, b, "x", **{**SMALL, "n_runs": 2})
    assert not any("nearness" in w for w in named.warnings)


def test_loops_need_an_equation_without_a_clock():
    with pytest.raises(ValueError, match="depends on the time t, so that no loop about `source` is like another; start outside of it"):
        ls.splitting(ls.SDE("x - x**3 + sin(t)", ls.noise.Constant(0.1)), -1.0, SOURCE, TARGET, around=AROUND, **SMALL)


# ------------------------------------------------------------------------------------------------------- budgets and faults

def test_a_budget_begins_no_more_runs_and_drops_none_that_it_has_begun(launched):
    with pytest.warns(RuntimeWarning, match=r"stopped by max_steps = 1: \d+ of 20 runs are finished"):
        rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, max_steps=1, threads=1, **{**SMALL, "n_kill": 39})
    done = int(rare.complete.sum())
    assert 0 < done < 20
    assert rare.complete[:done].all()
    assert np.isnan(rare.runs[done:]).all()
    assert any(f"stopped by max_steps = 1: {done} of 20 runs are finished" in w for w in rare.warnings)
    assert rare.probability.value == pytest.approx(rare.runs[:done].mean())


def test_paths_that_blow_up_are_no_arrivals():
    """From -20 Euler's step of the cubic force throws a path far beyond the target."""
    with pytest.warns(RuntimeWarning, match=r"runs had paths that diverged and are left out: .* reduce `dt`"):
        rare = ls.splitting(ls.SDE("x - x**3", ls.noise.Constant(1.0)), -20.0, ls.Interval(high=-30.0), TARGET, **{**SMALL, "dt": 0.01})
    assert not rare.complete.any()
    assert math.isnan(rare.probability.value)


@pytest.mark.slow
def test_a_score_that_climbs_in_endless_small_steps_is_refused():
    """Almost without noise, 40 000 steps of 1e-4: every one is a new record."""
    sde = ls.SDE("1", ls.noise.Constant(1e-12))
    with pytest.raises(ValueError, match="`score`, nearness to the target, climbs in too many small steps to be kept, more than 16384"):
        ls.splitting(sde, 0.0, ls.Interval(high=-1.0), ls.Interval(low=4.0), **{**SMALL, "dt": 1e-4, "n_replicas": 4, "n_runs": 2})
    rare = ls.splitting(sde, 0.0, ls.Interval(high=-1.0), ls.Interval(low=4.0), lambda x: math.floor(100 * x),
                        **{**SMALL, "dt": 1e-4, "n_replicas": 4, "n_runs": 2})
    assert (rare.runs == 1.0).all()
    np.testing.assert_allclose(rare.reactive_times, 4.0, atol=1e-3)


def test_a_drift_that_is_no_number_is_no_return():
    with pytest.warns(RuntimeWarning, match="diverged"):
        sde = ls.SDE("-1 - 0.001*sqrt(x)", ls.noise.Constant(0.01))
        rare = ls.splitting(sde, 0.5, ls.Interval(high=-1.0), ls.Interval(low=1.0), **SMALL)
    assert (rare.status == ls.Status.DIVERGED).all()


INTERRUPT = """
import os, signal, threading, time, warnings
import langevin_sgd as ls

warnings.simplefilter("ignore")
sde = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
regions = ls.Interval(high=-0.9), ls.Interval(low=0.0)

def run(sde, n_runs, x0=-0.7, **options):
    return ls.splitting(sde, x0, *regions, dt=0.001, n_replicas=1000, n_runs=n_runs, rng=1, **options)

def signal_soon():
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)

run(sde, 2)
run(sde, 2, -1.0, around=ls.Interval(high=-0.85), n_loops=1)
threading.Thread(target=signal_soon).start()
rare = run(sde, 2000)
print(rare.stopped, int(rare.complete.sum()) < 2000, bool(0.005 < rare.probability.value < 0.02) or int(rare.complete.sum()) < 2)
threading.Thread(target=signal_soon).start()
rare = run(sde.replace(temperature=0.002), 2, -1.0, around=ls.Interval(high=-0.3))         # walkers that hardly ever get so far
print(rare.stopped, int(rare.complete.sum()) == 0, rare.probability.high == 1.0)
"""


def test_ctrl_c_returns_the_runs_that_are_finished():
    done = subprocess.run([sys.executable, "-c", INTERRUPT], capture_output=True, text=True, check=True, timeout=120)
    assert [line.split() for line in done.stdout.splitlines()] == [["Ctrl-C", "True", "True"], ["Ctrl-C", "True", "True"]]


# --------------------------------------------------------------------------------------------------------------- intervals

def test_an_interval_of_one_run_or_of_none_says_nothing():
    def log_mean(t):
        return math.log(t.mean()) if t.mean() > 0 else -math.inf
    assert log_interval(np.array([[2.0]]), log_mean, 0.95)[1:] == (-math.inf, math.inf)
    assert log_interval(np.array([[2.0], [0.0]]), log_mean, 0.95)[1:] == (-math.inf, math.inf)
    value, low, high = log_interval(np.full((9, 1), 3.0), log_mean, 0.95)
    assert low == pytest.approx(value) == pytest.approx(high)


def test_the_interval_of_many_small_spreads_is_students():
    from scipy import stats
    x = 1 + 1e-4 * np.random.default_rng(1).normal(size=(12, 1))
    value, low, high = log_interval(x, lambda t: math.log(t.mean()), 0.9)
    expected = stats.t.interval(0.9, 11, x.mean(), stats.sem(x[:, 0]))
    np.testing.assert_allclose(np.exp([low, high]), expected, rtol=1e-7)
    assert value == pytest.approx(math.log(x.mean()))
