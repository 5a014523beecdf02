"""Kernels are compiled once for all models and processes.

A kernel that Numba's cache misses costs every process seconds, and the cache a file for each: it happens without a word.
"""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases import each

LOAD = """
import numpy as np
from langevin_sgd.core.kernels import horizon_kernel, passage_kernel
from langevin_sgd.core.linear_kernel import linear_kernel
from langevin_sgd.core.minibatch import lane_kernel, path_kernel
from langevin_sgd.core.scores import scores_kernel
from langevin_sgd.core.splitting_kernel import splitting_kernel
from langevin_sgd.core.streams import uniforms
from tests.cases import each
uniforms(np.uint64(1), np.uint64(1), np.arange(3, dtype=np.uint64), 0, 2)
kernels = [uniforms, {kernel}]
print(*(sum(k.stats.cache_hits.values()) for k in kernels), *(len(k.signatures) for k in kernels))
"""
KERNELS = ["scores_kernel(1)", "horizon_kernel(1)", "passage_kernel(2)", "splitting_kernel(1)", "linear_kernel()", "path_kernel()",
           "lane_kernel()"]


@pytest.mark.parametrize("kernel", each(len(KERNELS), KERNELS))
def test_a_second_process_loads_it_and_writes_nothing(kernel: str, tmp_path: Path) -> None:
    def run() -> str:
        return subprocess.run([sys.executable, "-c", LOAD.format(kernel=kernel)], env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
                              capture_output=True, text=True, check=True).stdout.strip()

    assert run() == "0 0 1 1"
    files = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()}
    assert len(files) >= 4
    assert run() == "1 1 1 1"
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()} == files
