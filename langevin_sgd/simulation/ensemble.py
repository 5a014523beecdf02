"""Running a kernel over an ensemble: threads, the stop word, budgets and progress."""
from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.core.kernels import SLOT
from langevin_sgd.core.lanes import LANES
from langevin_sgd.models.arguments import Array, coordinates, numbers, whole
from langevin_sgd.models.covariance import Covariance
from langevin_sgd.models.landscape import CriticalPoint

NOT_STARTED = 255           # in a status array, while the kernels run
LOOK = 0.02                 # seconds between looks at budgets
PATIENCE = 2.0              # seconds before progress is shown by itself

Chunk = Callable[[int, int, NDArray[np.int64], int], None]      # first, last, control, slot


@dataclass
class Control:
    """What the main thread and the kernels tell one another: word 0 stops, and each chunk has a slot to count its steps in."""

    n_chunks: int
    words: NDArray[np.int64] = field(init=False)
    reason: str = ""

    def __post_init__(self) -> None:
        self.words = np.zeros(SLOT * (self.n_chunks + 1), np.int64)

    def stop(self, reason: str) -> None:
        """Let all kernels return within milliseconds."""
        self.reason, self.words[0] = self.reason or reason, 1

    @property
    def steps(self) -> int:
        """Path-steps done so far, by finished and running paths."""
        return int(self.words[SLOT::SLOT].sum() + self.words[SLOT + 1::SLOT].sum())


def run_chunks(chunk: Chunk, n_paths: int, *, threads: int | None, chunks: int | None = None, max_steps: int | None = None,
               max_seconds: float | None = None, done: Callable[[Control], float], progress: bool | None = None,
               title: str = "paths") -> Control:
    """Run a kernel over ranges of paths on worker threads, and return when all are done or were stopped.

    Bits do not depend on threads and chunks: a chunk writes to its own rows only.  The main thread waits, and so sees Ctrl-C.

    Parameters
    ----------
    chunk
        Called with the range of paths, the control words and its slot.
    max_steps, max_seconds
        Budgets for all paths together.
    done
        The share that is done, for the progress bar.
    progress
        True, False, or None: shown on a terminal when the work takes long.
    """
    workers = available_cores() if threads is None else whole("threads", threads)
    n_chunks = chunks or max(1, min(workers, -(-n_paths // LANES)))
    control, start = Control(n_chunks), time.monotonic()
    edges = [k * n_paths // n_chunks for k in range(n_chunks + 1)]

    def look() -> None:
        seconds = time.monotonic() - start
        if max_steps is not None and control.steps >= max_steps:
            control.stop(f"max_steps = {max_steps:g}")
        if max_seconds is not None and seconds >= max_seconds:
            control.stop(f"max_seconds = {max_seconds:g}")
        bar.update(seconds, done, control)

    with ThreadPoolExecutor(min(workers, n_chunks)) as pool, _Bar(progress, title) as bar:
        try:
            futures = [pool.submit(chunk, edges[k], edges[k + 1], control.words, SLOT * (k + 1)) for k in range(n_chunks)]
            while _unfinished(futures, control, look):
                pass
        except BaseException:
            control.stop("an error")            # or leaving the pool would wait for paths that may never end
            raise
    for future in futures:
        future.result()
    return control


def _unfinished(futures: list[Future[None]], control: Control, look: Callable[[], None]) -> bool:
    """Wait a little, and look at the budgets; Ctrl-C becomes the stop word, so that nothing already computed is lost."""
    try:
        unfinished = bool(wait(futures, timeout=LOOK).not_done)
        if unfinished:
            look()
        return unfinished
    except KeyboardInterrupt:
        if control.words[0]:
            raise
        control.stop("Ctrl-C")
        return True


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def initial_states(x0: ArrayLike | CriticalPoint, dim: int, n_paths: int | None, name: str = "x0") -> tuple[Array, int]:
    """Return the states that paths start from, (1, d) or (n, d), and the number of paths: 1000 from one state if none is given."""
    array = given = numbers(name, coordinates(x0))
    if dim == 1 and array.ndim < 2:
        array = array[..., None]
    if array.ndim == 0 or array.ndim > 2 or array.shape[-1] != dim:
        expected = "a number, or one number per path" if dim == 1 else f"{dim} numbers, or an array (path, {dim})"
        raise ValueError(f"`{name}` has shape {given.shape}, but must be {expected}.")
    if array.ndim == 1:
        return np.ascontiguousarray(array[None]), whole("n_paths", 1000 if n_paths is None else n_paths)
    if n_paths is not None and n_paths != len(array):
        raise ValueError(f"`n_paths` is {n_paths}, but `{name}` has a state for each of {len(array)} paths; leave out `n_paths`.")
    if not len(array):
        raise ValueError(f"`{name}` is empty, but needs at least one state.")
    return np.ascontiguousarray(array), len(array)


def check_covariance(covariance: Covariance, values: Mapping[str, float], x0: Array, t: float = 0.0) -> None:
    """Refuse starts (path, d) where C is no covariance."""
    x0 = x0[:1] if covariance.is_constant else x0           # a matrix for each of many paths may not fit into memory
    c, d = covariance.at(x0, t, values), x0.shape[1]
    finite = np.asarray(np.isfinite(c).all(axis=(1, 2)))
    least = np.linalg.eigvalsh(np.where(finite[:, None, None], c, np.eye(d)))[:, 0] if d > 1 else c[:, 0, 0]
    wrong = ~finite | ~(least >= -1e-12 * np.abs(c).max(axis=(1, 2)))
    if wrong.any():
        k = int(np.argmax(wrong))
        what = f"C has the eigenvalue {least[k]:g} there" if finite[k] else f"it holds {c[k][~np.isfinite(c[k])][0]} there"
        raise ValueError(f"the noise is no covariance at the start {shown(x0[k])}: {what}.")


def shown(x: Array) -> str:
    """Return a state as text."""
    return np.array2string(x[0] if len(x) == 1 else x, precision=6)


def warn_of_divergence(n_diverged: int, n_paths: int, dt: float) -> None:
    """Warn that paths blew up."""
    if n_diverged:
        warnings.warn(f"{n_diverged} of {n_paths} paths diverged and are left out of every average: the step dt = {dt:g} is too large for "
                      "the drift where they were; reduce `dt`, or start closer to the minimum.", RuntimeWarning, stacklevel=3)


def warn_of_stop(reason: str, unfinished: int, n_paths: int) -> None:
    """Warn that a run was cut short."""
    if reason:
        warnings.warn(f"stopped by {reason}: {unfinished} of {n_paths} paths are unfinished and marked as such.", RuntimeWarning,
                      stacklevel=3)


class _Bar:
    """A progress bar that appears when the work takes long, on a terminal, in the main thread."""

    def __init__(self, wanted: bool | None, title: str) -> None:
        visible = sys.stderr.isatty() and threading.current_thread() is threading.main_thread()
        self.patience = 0.0 if wanted else PATIENCE if wanted is None and visible else float("inf")
        self.bar: Any = None
        self.title, self.next = title, 0.0

    def __enter__(self) -> _Bar:
        return self

    def update(self, seconds: float, done: Callable[[Control], float], control: Control) -> None:
        if seconds < max(self.patience, self.next):
            return
        if self.bar is None:
            from tqdm import tqdm
            self.bar = tqdm(total=1.0, desc=self.title, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}", leave=False)
        self.next = seconds + 0.1
        self.bar.n = min(1.0, done(control))
        self.bar.set_postfix_str(f"{control.steps:.3g} path-steps")

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()
