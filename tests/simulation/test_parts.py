"""An ensemble run as parts: a dead worker takes its own part with it, and no other."""
from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

import langevin_sgd as ls

SDE, DOMAIN, H, KEY = ls.SDE("-x", ls.noise.Constant(1.0)), ls.Interval(-1.0, 1.0), 0.02, ls.Key(99)


class Workers:
    """An executor in whose place the test decides which part dies, and when."""

    def __init__(self, n, dies=(), *, at_submission=False, error=None):
        self._max_workers, self.dies, self.at_submission, self.submitted = n, dies, at_submission, 0
        self.error = error or BrokenProcessPool("A process in the process pool was terminated abruptly")

    def submit(self, function, *arguments):
        part, future = self.submitted, Future()
        self.submitted += 1
        if part in self.dies and self.at_submission:
            raise self.error
        if part in self.dies:
            future.set_exception(self.error)
        else:
            future.set_result(function(*arguments))
        return future


def exits(executor=None, **options):
    return ls.first_passage(SDE, 0.0, DOMAIN, H, 101, rng=KEY, executor=executor, **options)


WHOLE = {"time", "exit_point", "label_index", "status"}


@pytest.mark.parametrize("n", [1, 3, 4, 500])
def test_parts_together_are_the_whole(n):
    here, parts = exits(), exits(Workers(n))
    for name in WHOLE:
        assert np.array_equal(getattr(here, name), getattr(parts, name))
    starts = np.linspace(-0.5, 0.5, 101)
    runs = [ls.simulate(SDE, starts, (0, 1), 0.1, rng=KEY, executor=e, first_path=7).x for e in (None, Workers(n), ThreadPoolExecutor(2))]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("at_submission", [False, True])
def test_a_dead_worker_loses_its_own_part_only_and_says_how_to_run_it_again(at_submission):
    """Four parts of 101 paths; the second, paths 25 to 49, dies."""
    here = exits()
    with pytest.warns(RuntimeWarning) as told:
        parts = exits(Workers(4, {1}, at_submission=at_submission))
    said = [str(w.message) for w in told]
    assert any("paths 25 to 49 are missing: BrokenProcessPool" in s for s in said)
    assert any("run them again with first_path=25, n_paths=25 and the same key" in s for s in said)
    assert any("stopped by BrokenProcessPool in a worker: 25 of 101 paths are unfinished" in s for s in said)
    lost = slice(25, 50)
    assert (parts.status[lost] == ls.Status.STOPPED).all()
    assert (parts.time[lost] == 0.0).all()
    assert np.isnan(parts.exit_point[lost]).all()
    for name in WHOLE:
        assert np.array_equal(np.delete(getattr(parts, name), lost), np.delete(getattr(here, name), lost))
    again = ls.first_passage(SDE, 0.0, DOMAIN, H, 25, rng=parts.key, first_path=25)
    assert np.array_equal(again.time, here.time[lost])


def test_paths_that_were_never_run_are_in_no_mean():
    with pytest.warns(RuntimeWarning):
        parts = exits(Workers(4, {1}))
    assert parts.mean().value == pytest.approx(np.delete(exits().time, slice(25, 50)).mean())
    assert parts.mean().method == "sample mean"
    assert parts.rate().value == pytest.approx(76 / np.delete(exits().time, slice(25, 50)).sum())


def test_a_dead_worker_of_a_fixed_horizon():
    here = ls.simulate(SDE, 0.0, (0, 1), 0.1, 101, rng=KEY)
    with pytest.warns(RuntimeWarning):
        parts = ls.simulate(SDE, 0.0, (0, 1), 0.1, 101, rng=KEY, executor=Workers(4, {0, 3}))
    assert np.array_equal(parts.x[25:75], here.x[25:75])
    assert np.isnan(parts.x[:25]).all()
    assert (parts.status[75:] == ls.Status.STOPPED).all()
    assert (parts.reached[75:] == 0.0).all()
    assert parts.stopped == "BrokenProcessPool in a worker"


def test_all_workers_dead_is_a_result_as_well():
    with pytest.warns(RuntimeWarning):
        parts = exits(Workers(2, {0, 1}))
    with pytest.warns(RuntimeWarning, match="0 of 101 paths exited"):
        assert parts.mean().value == np.inf


def test_misuse_is_raised_and_not_taken_for_a_dead_worker():
    with pytest.raises(ValueError, match="too large"):
        exits(Workers(2, {1}, error=ValueError("too large")))


class OtherMachines(Workers):
    """Workers that round differently: the bits of their short path are others."""

    def submit(self, function, *arguments):
        future = super().submit(function, *arguments)
        if self.submitted == 2:
            part, _ = future.result()
            future = Future()
            future.set_result((part, b"other bits"))
        return future


def test_a_worker_that_rounds_differently_is_named_and_its_paths_are_kept():
    here = exits()
    with pytest.warns(RuntimeWarning, match="paths 25 to 49 come from a worker .* differ in the last bits"):
        parts = exits(OtherMachines(4))
    assert np.array_equal(parts.time, here.time)
    with pytest.warns(RuntimeWarning, match="paths 25 to 49 come from"):
        ls.simulate(SDE, 0.0, (0, 1), 0.1, 101, rng=KEY, executor=OtherMachines(4))
