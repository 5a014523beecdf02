"""Threads, the stop word, budgets, Ctrl-C and progress: everything returns what it has."""
from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.core.kernels import SLOT
from langevin_sgd.simulation.ensemble import Control, initial_states, run_chunks

NEVER = ls.langevin(ls.landscapes.double_well(), temperature=0.005)          # leaves after 1e22
SADDLE = ls.Interval(high=0.0)


def until_stopped(first, last, control, slot):
    """A chunk that would run for ever."""
    while control[0] == 0:
        control[slot] += 1
        time.sleep(1e-4)


# ---------------------------------------------------------------------------------------------------------------- chunks

@pytest.mark.parametrize(("n_paths", "threads", "chunks"), [(1, 1, None), (1000, 2, None), (1000, 3, 37), (5, 8, 5), (65, None, None)])
def test_every_path_is_run_once(n_paths, threads, chunks):
    seen, lock = np.zeros(n_paths, int), threading.Lock()

    def chunk(first, last, control, slot):
        with lock:
            seen[first:last] += 1
            control[slot] += last - first
    control = run_chunks(chunk, n_paths, threads=threads, chunks=chunks, done=lambda c: 0.0)
    assert (seen == 1).all()
    assert control.steps == n_paths
    assert control.reason == ""


def test_counters_of_threads_do_not_share_a_cache_line():
    assert SLOT * 8 >= 128
    control = Control(3)
    for k in range(3):
        control.words[SLOT * (k + 1)], control.words[SLOT * (k + 1) + 1] = 10**k, 5
    assert control.steps == 111 + 15


def test_an_error_in_a_chunk_is_raised():
    def chunk(first, last, control, slot):
        raise ZeroDivisionError("in a chunk")
    with pytest.raises(ZeroDivisionError, match="in a chunk"):
        run_chunks(chunk, 10, threads=2, done=lambda c: 0.0)


def test_an_error_in_the_main_thread_stops_the_kernels():
    """Else leaving the pool would wait for paths that may never end."""
    def broken(control):
        raise RuntimeError("no progress")
    with pytest.raises(RuntimeError, match="no progress"):
        run_chunks(until_stopped, 10, threads=2, done=broken, progress=True)


def test_ctrl_c_while_the_main_thread_is_busy_stops_the_kernels():
    """The signal may come at any instruction, not only while waiting."""
    calls = []

    def interrupted(control):
        calls.append(control.steps)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return 0.0
    control = run_chunks(until_stopped, 10, threads=2, done=interrupted, progress=True)
    assert control.reason == "Ctrl-C"


def test_progress_is_shown_where_it_is_asked_for(capsys):
    ls.simulate(NEVER, 0.0, (0, 1), 0.1, 10, rng=1, progress=False)
    assert capsys.readouterr().err == ""
    with pytest.warns(RuntimeWarning, match="max_seconds"):
        ends = ls.first_passage(NEVER, -1.0, SADDLE, 0.01, 64, rng=1, progress=True, max_seconds=0.3)
    text = capsys.readouterr().err
    assert "paths that have left" in text
    assert "path-steps" in text
    assert ends.stopped.startswith("max_seconds")


# --------------------------------------------------------------------------------------------------------------- budgets

def test_max_steps_stops_and_returns_what_was_done():
    with pytest.warns(RuntimeWarning, match=r"stopped by max_steps = 1e\+06: 100 of 100 paths are unfinished"):
        ends = ls.first_passage(NEVER, -1.0, SADDLE, 0.01, 100, max_steps=1e6, rng=1)
    assert ends.stopped == "max_steps = 1e+06"
    assert (ends.status == ls.Status.STOPPED).all()
    assert ends.censored.all()
    assert ends.time.sum() / 0.01 >= 1e6
    assert (ends.exit_point < 0).all()


def test_max_seconds_stops_and_returns_what_was_done():
    with pytest.warns(RuntimeWarning, match=r"stopped by max_seconds = 0\.2"):
        ends = ls.first_passage(NEVER, -1.0, SADDLE, 0.01, 3, max_seconds=0.2, rng=1)
    assert (ends.time > 0).all()
    with pytest.warns(RuntimeWarning, match="0 of 3 paths exited"):
        bound = ends.mean()
    assert bound.low > ends.time.sum() / 4
    assert bound.high == np.inf


def test_what_has_left_before_the_budget_is_kept():
    """Fast and slow paths in one run: the fast ones are exits, the slow ones censored at the time that they reached."""
    starts = np.where(np.arange(200) % 2, -1.0, -1e-3)
    with pytest.warns(RuntimeWarning, match="stopped by max_steps"):
        ends = ls.first_passage(NEVER, starts, SADDLE, 1e-4, max_steps=3e6, rng=1)
    assert (ends.status[1::2] == ls.Status.STOPPED).all()
    assert ends.exited[::2].mean() > 0.5
    assert (ends.time[ends.exited] > 0).all()
    assert ends.time[ends.exited].max() < ends.time[1::2].max()


def test_budgets_count_what_was_run_not_what_was_planned():
    ends = ls.first_passage(ls.SDE("1", ls.noise.Constant(0.0)), 0.0, ls.Interval(high=1.0), 0.01, 500, max_steps=60_000, rng=1)
    assert ends.stopped == ""
    assert ends.exited.all()


# ----------------------------------------------------------------------------------------------------------------- Ctrl-C

INTERRUPT = """
import os, signal, threading, time, warnings
import langevin_sgd as ls

warnings.simplefilter("ignore")
sde, domain = ls.langevin(ls.landscapes.double_well(), temperature=0.005), ls.Interval(high=0.0)
ls.first_passage(sde, -1.0, domain, 0.01, 1, t_max=1.0, rng=1)
ls.simulate(sde, -1.0, (0, 1), 0.01, 1, rng=1)
sent = [0.0]

def signal_soon():
    time.sleep(0.3)
    sent[0] = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

for paths in (1, 500):
    threading.Thread(target=signal_soon).start()
    ends = ls.first_passage(sde, -1.0, domain, 0.01, paths, rng=1)
    print(time.perf_counter() - sent[0], ends.stopped, int((ends.status == ls.Status.STOPPED).sum()), float(ends.time.max()) > 0)
threading.Thread(target=signal_soon).start()
runs = ls.simulate(sde, -1.0, (0, 1e10), 0.01, 1, t_eval=[1.0, 1e10], rng=1)
done = runs.x[0, 0] == ls.simulate(sde, -1.0, (0, 1), 0.01, 1, t_eval=[1.0], rng=1).x[0, 0]
print(time.perf_counter() - sent[0], runs.stopped, int(done), bool(runs.x[0, 1] != runs.x[0, 1]))
"""


def test_ctrl_c_returns_what_there_is_also_inside_one_long_path():
    """A path of 1e12 steps, 500 of them, and a fixed horizon, which would take hours: all return at once, with what was computed."""
    done = subprocess.run([sys.executable, "-c", INTERRUPT], capture_output=True, text=True, check=True, timeout=120)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[1:] for line in lines] == [["Ctrl-C", "1", "True"], ["Ctrl-C", "500", "True"], ["Ctrl-C", "1", "True"]]
    assert max(float(line[0]) for line in lines) < 20


# --------------------------------------------------------------------------------------------------------- initial states

def test_one_state_or_a_state_for_each_path():
    for x0, dim, n_paths, shape, count in [(0.5, 1, None, (1, 1), 1000), ([0.5, 0.6], 1, None, (2, 1), 2),
                                           ([[0.5], [0.6]], 1, None, (2, 1), 2), ([0.5, 0.6], 2, 7, (1, 2), 7),
                                           ([[0.5, 0.6]] * 3, 2, None, (3, 2), 3), ([0.5], 1, 1, (1, 1), 1)]:
        states, n = initial_states(x0, dim, n_paths)
        assert (states.shape, n) == (shape, count)
    with pytest.raises(ValueError, match="`n_paths` is 5, but `x0` has a state for each of 2 paths"):
        initial_states([0.5, 0.6], 1, 5)


# ----------------------------------------------------------------------------------------------------------------- memory

MEMORY = """
import resource
import langevin_sgd as ls
sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
for steps in (10**3, 10**6):
    ls.simulate(sde, -1.0, (0, steps * 0.01), 0.01, 200, t_eval=[0.0, steps * 0.01], rng=1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory as Linux reports it")
@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_steps():
    """200 paths of 1e3 steps, then of 1e6: storing them would take 1.6 GB."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 5
