"""Kernels: compiled once for all models and processes, and what they count."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from langevin_sgd.core.kernels import EXITED, SLOT
from langevin_sgd.core.steps import Wall
from tests.core.kernel_runs import horizon, nothing, passage, plain

HIGH = Wall((lambda x, t, p: p[1] - x,), (lambda x, t, p: -1.0,))

LOAD_SPLITTING = """
from langevin_sgd.core.splitting_kernel import splitting_kernel
print(sum(splitting_kernel(1).stats.cache_hits.values()))
"""

LOAD = """
from langevin_sgd.core.kernels import horizon_kernel, passage_kernel
from langevin_sgd.core.streams import uniforms
import numpy as np
kernels = [horizon_kernel(1), passage_kernel(2)]
uniforms(np.uint64(1), np.uint64(1), np.arange(3, dtype=np.uint64), 0, 2)
print(*(sum(k.stats.cache_hits.values()) for k in [*kernels, uniforms]))
"""


def ahead(x, t, p):
    return 1.0


def test_a_second_process_loads_every_kernel_and_writes_nothing(tmp_path: Path):
    """A kernel that Numba's cache misses costs every process seconds, and the folder a file for each: it happens without a word."""
    def run() -> list[int]:
        done = subprocess.run([sys.executable, "-c", LOAD], env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True,
                              text=True, check=True)
        return [int(hits) for hits in done.stdout.split()]

    assert run() == [0, 0, 0]
    files = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()}
    assert len(files) >= 3
    assert run() == [1, 1, 1]
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()} == files


def test_the_kernel_of_splitting_comes_from_the_cache():
    """From that of the package, where other tests or the first of these two processes put it: it takes seconds to compile."""
    seen = [subprocess.run([sys.executable, "-c", LOAD_SPLITTING], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                           capture_output=True, text=True, check=True).stdout.strip() for _ in range(2)]
    assert seen[1] == "1"


def test_steps_of_a_fixed_horizon_are_counted_exactly():
    for save in ([1], [7], [128], [300], [5, 128, 129, 1000]):
        runs = horizon(plain(lambda x, t, p: -x), np.zeros((70, 1)), 0.1, save)
        assert runs.control[SLOT] + runs.control[SLOT + 1] == 70 * save[-1]


def test_steps_to_the_exit_are_counted_exactly():
    """Budgets are counted in path-steps: what finished and what still runs must not be counted twice."""
    starts = np.linspace(-200.0, 0.0, 300)[:, None]
    ends = passage(plain(ahead, nothing, n_parameters=2, walls=(HIGH,)), starts, 0.01, 10**9, p=(1.0, 1.0))
    assert (ends.status == EXITED).all()
    assert ends.control[SLOT] + ends.control[SLOT + 1] == ends.reached.sum()


def test_lanes_are_refilled_in_whatever_order_paths_end():
    """Paths of very different lengths: each ends where it would have ended alone."""
    starts = np.random.default_rng(1).permutation(np.concatenate([np.linspace(-50, 0.9, 200), np.full(200, 0.95)]))[:, None]
    model = plain(ahead, lambda x, t, p: 0.01, n_parameters=2, walls=(HIGH,), bridge=True)
    together = passage(model, starts, 0.01, 10**9, p=(1.0, 1.0))
    np.testing.assert_allclose(together.reached * 0.01, 1.0 - starts[:, 0], atol=1.0, rtol=0.05)
    assert (together.after > 0.9).all()
