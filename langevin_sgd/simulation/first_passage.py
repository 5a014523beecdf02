"""When paths leave a region: `first_passage`."""
from __future__ import annotations

import functools
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.core.kernels import passage_kernel
from langevin_sgd.core.streams import uniforms
from langevin_sgd.models.arguments import Array, one_of, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import Assembly, assemble, check_ingredients, path_steps
from langevin_sgd.simulation.ensemble import (
    NOT_STARTED,
    Control,
    check_covariance,
    initial_states,
    run_chunks,
    shown,
    warn_of_divergence,
    warn_of_stop,
)
from langevin_sgd.simulation.exact_linear import ExactLinear, stepped_by_euler
from langevin_sgd.simulation.exits import labels_of, lowest_face, place_exits, uniforms_needed
from langevin_sgd.simulation.parts import WITNESSED_STEPS, run_parts
from langevin_sgd.simulation.passage_times import FirstPassage
from langevin_sgd.simulation.quasi_stationary import QuasiStationary
from langevin_sgd.simulation.schemes import EulerMaruyama, Scheme

FIRST_UNIFORM = 1           # uniform number 0 of a path is the one that its bridge is compared with
BLOCK = 8192                # exits that are placed together: their arrays stay in the cache, and their memory is used again


def first_passage(sde: SDE, x0: ArrayLike | QuasiStationary, domain: Region, dt: float = 1e-3, n_paths: int | None = None,
                  t_max: float | None = None, max_steps: float = 10**11, max_seconds: float | None = None, monitoring: str = "continuous",
                  scheme: Scheme | None = None, first_path: int = 0, rng: Any = None, threads: int | None = None,
                  executor: Executor | None = None, progress: bool | None = None) -> FirstPassage:
    """Simulate until every path has left a region.

    Parameters
    ----------
    sde, x0, dt, n_paths, scheme, first_path, rng, threads, executor, progress
        As for `simulate`.
    domain
        The region; exits are labelled with the part of its boundary that was crossed.
    t_max
        Paths still inside at this time (rounded down to whole steps) are censored there.  None: no limit.
    max_steps, max_seconds
        Budgets for all paths together, path-steps and wall time: what is unfinished then is censored at the time that it reached.
    monitoring
        "continuous": also counts exits between steps, by the law of the Brownian bridge, and places every exit within its step: without the
        bias of order sqrt(dt).  "discrete": looks at the steps only and reports the end of the step, which is the truth when the step *is*
        an iteration of SGD.

    Returns
    -------
    FirstPassage
        Times, exit points and labels; on Ctrl-C or an exhausted budget, all that was computed, the rest marked as stopped.

    Raises
    ------
    ValueError
        For a start outside the region, a region without a boundary that can be reached, and arguments that are not what they should be.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.25)
    >>> ends = ls.first_passage(sde, -1.0, ls.Interval(high=0.0), dt=0.01, n_paths=4000, rng=1)     # exact mean: 5.743
    >>> ends.mean()
    5.606 [5.444, 5.768] (95 %, 4000 of 4000 exited, Itô, dt = 0.01)
    """
    check_ingredients(sde, scheme, executor, domain)
    one_of("monitoring", monitoring, ("continuous", "discrete"))
    if isinstance(scheme, ExactLinear) and monitoring == "continuous":
        raise ValueError("ExactLinear is exact at its steps, but between them the path is no Brownian bridge; use scheme=EulerMaruyama() "
                         'with a small dt, or monitoring="discrete", which looks at the steps only.')
    h, limit = positive("dt", dt), None if t_max is None else positive("t_max", t_max)
    run = Run(sde, domain, h, path_steps(limit, h), scheme or EulerMaruyama(), monitoring == "continuous", Key.draw(rng),
              whole("max_steps", max_steps), None if max_seconds is None else positive("max_seconds", max_seconds))
    first, start = whole("first_path", first_path, 0), ""
    if isinstance(x0, QuasiStationary):
        start = repr(x0)
        x0 = x0.drawn(sde, h, whole("n_paths", 1000 if n_paths is None else n_paths), first, run.key, monitoring=monitoring,
                      scheme=run.scheme, threads=threads)
        n_paths = None
    states, count = initial_states(x0, sde.dim, n_paths)
    made = run.assembly()
    _check_boundary(made, domain)
    _check_start(made, states)
    if executor is not None:
        task = functools.partial(run, threads=threads or 1, progress=False)
        parts, reason = run_parts(executor, task, run.nothing, functools.partial(run.witness, states[:1]), states, count, first)
        columns = Columns.joined(parts, reason)
    else:
        columns = run(states, count, first, made=made, threads=threads, progress=progress)
    warn_of_divergence(int((columns.status == Status.DIVERGED).sum()), count, run.dt)
    warn_of_stop(columns.stopped, int((columns.status == Status.STOPPED).sum()), count)
    point = columns.point[:, 0] if sde.dim == 1 else columns.point
    return FirstPassage(columns.time, point, columns.label, tuple(labels_of(made)), columns.status, run.key, first, sde, run.scheme, domain,
                        run.dt, monitoring, columns.stopped, start)


@dataclass(frozen=True)
class Columns:
    """What a part of an ensemble gives: one entry for each path."""

    time: Array
    point: Array
    label: NDArray[np.int64]
    status: NDArray[np.uint8]
    stopped: str

    @classmethod
    def joined(cls, parts: list[Columns], reason: str) -> Columns:
        """Return the parts one after the other."""
        time, point, label, status = (np.concatenate([getattr(p, name) for p in parts]) for name in ("time", "point", "label", "status"))
        return cls(time, point, label, status, next((p.stopped for p in parts if p.stopped), reason))

    def with_starts_on_boundary(self, made: Assembly, x0: Array) -> Columns:
        """Let paths that start exactly on the boundary have left at time 0, where they started."""
        face, level = lowest_face(made, x0)
        here = np.broadcast_to(level == 0.0, self.time.shape)
        if here.any():
            self.time[here], self.status[here] = 0.0, Status.EXITED
            self.point[here], self.label[here] = np.broadcast_to(x0, self.point.shape)[here], np.broadcast_to(face, self.time.shape)[here]
        return self


@dataclass(frozen=True)
class Run:
    """All that a part of an ensemble needs to run, here or in another process."""

    sde: SDE
    domain: Region
    dt: float
    n_steps: int
    scheme: Scheme
    bridge: bool
    key: Key
    max_steps: int
    max_seconds: float | None

    def assembly(self) -> Assembly:
        """Compile the step, or find it compiled."""
        if isinstance(self.scheme, ExactLinear):
            return assemble(stepped_by_euler(self.sde, self.dt), EulerMaruyama(), self.domain, known=self.sde.values)
        return assemble(self.sde, self.scheme, self.domain, bridge=self.bridge)

    def __call__(self, x0: Array, n_paths: int, first_path: int, *, made: Assembly | None = None, threads: int | None = None,
                 progress: bool | None = None, chunks: int | None = None) -> Columns:
        """Run the paths first_path ... first_path + n_paths - 1."""
        made, kernel, (low, high) = made or self.assembly(), passage_kernel(self.sde.dim), self.key.words
        before, after = np.empty((n_paths, self.sde.dim)), np.empty((n_paths, self.sde.dim))
        after[:] = before[:] = x0
        status, steps = np.full(n_paths, NOT_STARTED, np.uint8), np.zeros(n_paths, np.int64)

        def chunk(first: int, last: int, control: NDArray[np.int64], slot: int) -> None:
            kernel(x0, first, last, first_path, self.dt, 0.0, self.n_steps, low, high, made.p, made.matrix, made.step, before, after,
                   status, steps, control, slot)

        def done(_: Control) -> float:
            return float((status != NOT_STARTED).mean())

        control = run_chunks(chunk, n_paths, threads=threads, chunks=chunks, max_steps=self.max_steps, max_seconds=self.max_seconds,
                             done=done, progress=progress, title="paths that have left")
        status[status == NOT_STARTED] = Status.STOPPED
        columns = self._columns(made, before, after, status, steps, first_path, control.reason)
        return columns.with_starts_on_boundary(made, x0)

    def _columns(self, made: Assembly, before: Array, after: Array, status: NDArray[np.uint8], steps: NDArray[np.int64], first_path: int,
                 reason: str) -> Columns:
        time, label = steps * self.dt, np.full(len(steps), -1, np.int64)
        for start in range(0, len(steps), BLOCK):
            part = slice(start, start + BLOCK)
            self._place(made, before[part], after[part], time[part], label[part], status[part], steps[part], first_path + start)
        return Columns(time, after, label, status, reason)

    def _place(self, made: Assembly, before: Array, after: Array, time: Array, label: NDArray[np.int64], status: NDArray[np.uint8],
               steps: NDArray[np.int64], first_path: int) -> None:
        """Put the exits of some paths in their places: time, point (in `after`) and label, or the word that a path diverged."""
        paths = np.flatnonzero(status == Status.EXITED)
        left = slice(None) if len(paths) == len(status) else paths      # spares copies where all have left
        t = (steps[left] - 1) * self.dt
        draws = uniforms(*map(np.uint64, self.key.words), (first_path + paths).astype(np.uint64), FIRST_UNIFORM,
                         uniforms_needed(made, bridge=self.bridge))
        exits = place_exits(made, before[left], after[left], t, self.dt, draws, bridge=self.bridge)
        time[left], label[left] = t + exits.fraction * self.dt, exits.label
        after[left] = exits.point
        blown = paths[exits.diverged]
        status[blown], label[blown], time[blown] = Status.DIVERGED, -1, steps[blown] * self.dt

    def witness(self, x0: Array) -> bytes:
        """Return the bits of a short path."""
        columns = replace(self, n_steps=WITNESSED_STEPS)(x0, 1, 0, threads=1, progress=False)
        return columns.time.tobytes() + columns.point.tobytes()

    def nothing(self, n_paths: int) -> Columns:
        """Return the columns of paths that were never run."""
        return Columns(np.zeros(n_paths), np.full((n_paths, self.sde.dim), np.nan), np.full(n_paths, -1, np.int64),
                       np.full(n_paths, Status.STOPPED, np.uint8), "")


def _check_start(made: Assembly, x0: Array) -> None:
    """Refuse starts outside the region."""
    face, level = lowest_face(made, x0)
    beyond = np.any([end.sign * (x0[:, 0] - end.at) < 0 for end in made.folds], axis=0) if made.folds else np.zeros(len(x0), bool)
    outside = ~(level >= 0.0) | beyond
    if outside.any():
        k = int(np.argmax(outside))
        which = f" of path {k}" if len(x0) > 1 else ""
        how = "it lies beyond the reflecting end" if beyond[k] else f"its level at {labels_of(made)[face[k]]!r} is {level[k]:.3g}"
        raise ValueError(f"`x0`{which}, {shown(x0[k])}, is outside `domain`: {how}; start inside.")
    check_covariance(made.sde.covariance, made.sde.values, x0)


def _check_boundary(made: Assembly, domain: Region) -> None:
    """Refuse a region that no path can leave."""
    if not made.walls:
        raise ValueError(f"`domain` is {domain!r}, which has no boundary that a path could leave through; simulate a fixed time with "
                         "ls.simulate instead.")
