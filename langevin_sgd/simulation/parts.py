"""An ensemble run as parts on an executor: other processes, or the workers of a cluster.  The bits are those of one run."""
from __future__ import annotations

import functools
import itertools
import os
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from langevin_sgd.models.arguments import Array

Part = TypeVar("Part")
Result = TypeVar("Result")


WITNESSED_STEPS = 64        # of one path, whose bits tell whether a worker computes as this process does


def run_parts(executor: Executor, run: Callable[[Array, int, int], Part], missing: Callable[[int], Part], witness: Callable[[], bytes],
              x0: Array, n_paths: int, first_path: int) -> tuple[list[Part], str]:
    """Run ranges of paths on an executor; a part whose worker died is returned as missing, and the reason said.

    Parameters
    ----------
    run
        Picklable; called with the initial states of a part, the number of its paths and the index of the first.
    missing
        Makes the result of a part of so many paths that were never run.
    witness
        Picklable; returns the bits of one short path.  Workers compile for themselves: where one of another kind gets other bits, a
        warning says which paths it ran.
    """
    n_parts = max(1, min(n_paths, getattr(executor, "_max_workers", None) or os.cpu_count() or 1))
    edges = [k * n_paths // n_parts for k in range(n_parts + 1)]
    ranges = list(itertools.pairwise(edges))
    task = functools.partial(_witnessed, run, witness)
    futures = [_submitted(executor, task, x0 if len(x0) == 1 else x0[a:b], b - a, first_path + a) for a, b in ranges]
    parts, reason, here = [], "", witness()
    for (a, b), future in zip(ranges, futures, strict=True):
        try:
            part, there = future.result()
            parts.append(part)
            if there != here:
                warnings.warn(f"paths {first_path + a} to {first_path + b - 1} come from a worker with another processor or other "
                              "versions, which rounds differently: their law is the same; run again here, they differ in the last bits.",
                              RuntimeWarning, stacklevel=3)
        except ValueError:
            raise
        except (Exception, KeyboardInterrupt) as error:         # a dead worker must not take the other parts with it
            reason = reason or f"{type(error).__name__} in a worker"
            warnings.warn(f"paths {first_path + a} to {first_path + b - 1} are missing: {type(error).__name__}: {error}; run them again "
                          f"with first_path={first_path + a}, n_paths={b - a} and the same key.", RuntimeWarning, stacklevel=3)
            parts.append(missing(b - a))
    return parts, reason


def _witnessed(run: Callable[[Array, int, int], Part], witness: Callable[[], bytes], *arguments: Any) -> tuple[Part, bytes]:
    return run(*arguments), witness()


def _submitted(executor: Executor, task: Callable[..., Result], *arguments: Any) -> Future[Result]:
    """The future of a part; a pool that broke meanwhile gives one that failed, so that the parts before it are kept."""
    try:
        return executor.submit(task, *arguments)
    except Exception as error:
        future: Future[Result] = Future()
        future.set_exception(error)
        return future
