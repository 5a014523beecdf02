"""Independent runs of splitting: what the kernel is given, and what it leaves."""
from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.core.kernels import SLOT
from langevin_sgd.core.lanes import LANES
from langevin_sgd.core.splitting_kernel import FINISHED, MOST_RUNGS, TOO_MANY_RUNGS, UNFINISHED, splitting_kernel
from langevin_sgd.core.streams import uniforms
from langevin_sgd.models.arguments import Array, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region, boundary
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import Assembly, assemble
from langevin_sgd.simulation.ensemble import Control, available_cores, run_chunks, shown
from langevin_sgd.simulation.exits import place_exits, uniforms_needed
from langevin_sgd.simulation.schemes import Scheme
from langevin_sgd.simulation.splitting_scores import Score

RUNS = 0                        # where the keys of runs are spawned, beside those of loops
FULL = 2 * LANES                # so many paths at a time keep the lanes busy
DEEP = 64                       # iterations are recorded down to probabilities of e^-64
START, EXIT = 2, 3              # the uniform numbers of a path that choose its start, and that place its exit from 3 on


@dataclass(frozen=True)
class Sheets:
    """What the kernel writes of each run, in the order in which it takes them; see `splitting_kernel`."""

    log_weight: Array
    arrived: NDArray[np.uint8]
    before: Array
    after: Array
    reached: NDArray[np.int64]
    paths: NDArray[np.int64]
    levels: Array
    killed: NDArray[np.int64]
    iterations: NDArray[np.int64]
    status: NDArray[np.uint8]

    @classmethod
    def blank(cls, n_runs: int, n: int, d: int, room: int) -> Sheets:
        """Return sheets for runs of n replicas in d dimensions, with room for so many iterations."""
        each, iterations = (n_runs, n), (n_runs, room)
        return cls(np.full(n_runs, np.nan), np.zeros(each, np.uint8), np.zeros((*each, d)), np.zeros((*each, d)), np.zeros(each, np.int64),
                   np.zeros(each, np.int64), np.zeros(iterations), np.zeros(iterations, np.int64), np.zeros(n_runs, np.int64),
                   np.full(n_runs, UNFINISHED, np.uint8))


@dataclass(frozen=True)
class Finished:
    """What all runs have given; the fields are those of `Splitting`."""

    log_runs: Array
    reactive: Array
    levels: Array
    killed: NDArray[np.int64]
    iterations: NDArray[np.int64]
    status: NDArray[np.uint8]
    arrivals: Array
    stopped: str


@dataclass(frozen=True)
class Race:
    """Independent runs of n replicas between two regions, of which at least k are killed at a time."""

    sde: SDE
    source: Region
    target: Region
    score: Score
    dt: float
    scheme: Scheme
    bridge: bool
    n: int
    k: int
    n_runs: int
    key: Key
    threads: int | None
    progress: bool | None
    max_steps: int | None
    max_seconds: float | None

    @property
    def walls_of_source(self) -> int:
        """How many walls of the domain between the regions belong to the source."""
        return len(boundary(~self.source, self.sde.variables))

    def assembly(self) -> Assembly:
        """Compile the step, or find it compiled."""
        made = assemble(self.sde, self.scheme, ~self.source & ~self.target, bridge=self.bridge, first_of_target=self.walls_of_source)
        if not 0 < self.walls_of_source < len(made.walls):
            raise ValueError("`source` and `target` must both have a boundary that a path can cross.")
        return made

    def chosen(self, n_states: int) -> NDArray[np.int64]:
        """Return which of the given states each replica of each run starts from."""
        if n_states == 1:
            return np.zeros(self.n_runs * self.n, np.int64)
        paths = np.arange(self.n, dtype=np.uint64)
        draws = [uniforms(*keys, paths, START, 1)[:, 0] for keys in self._keys]
        return (np.concatenate(draws) * n_states).astype(np.int64)

    def from_states(self, x0: Array) -> Finished:
        """Run from one state, or from each of several with the same probability."""
        return self._run(x0[self.chosen(len(x0))] if len(x0) > 1 else x0, np.zeros(self.n_runs, bool))

    def from_walkers(self, states: Array, failed: NDArray[np.bool_], stopped: str) -> Finished:
        """Run each replica from where a walker of its own has got to; one that failed takes its run with it."""
        lost = np.asarray(failed.reshape(self.n_runs, self.n).any(axis=1))
        if stopped or lost.all():
            blank = Sheets.blank(self.n_runs, self.n, self.sde.dim, 1)
            blank.status[:] = Status.STOPPED if stopped else Status.DIVERGED
            nothing = np.full(self.n_runs, np.nan)
            return Finished(nothing, nothing, blank.levels, blank.killed, blank.iterations, blank.status, np.empty((0, self.sde.dim)),
                            stopped)
        return self._run(np.where(failed[:, None], states[np.argmin(failed)], states), lost)

    # -------------------------------------------------------------------------------------------------------------- inside

    @property
    def _keys(self) -> NDArray[np.uint64]:
        return np.array([self.key.spawn(RUNS, j).words for j in range(self.n_runs)], np.uint64)

    def _run(self, x0: Array, lost: NDArray[np.bool_]) -> Finished:
        made, keys, sheets = self.assembly(), self._keys, Sheets.blank(self.n_runs, self.n, self.sde.dim, DEEP * self.n // self.k + DEEP)
        stopped = self._fill(sheets, made, keys, np.ascontiguousarray(x0))
        if (sheets.status == TOO_MANY_RUNGS).any():
            raise ValueError(f"`score`, {self.score}, climbs in too many small steps to be kept, more than {MOST_RUNGS} on one path; round "
                             "it, for example to a thousandth of its range, or take a larger `dt`.")
        exits = _Arrivals.of(self, made, keys, sheets)
        status = np.where(sheets.status == UNFINISHED, Status.STOPPED, sheets.status).astype(np.uint8)
        status[exits.diverged | lost] = Status.DIVERGED
        with np.errstate(divide="ignore"):
            log_runs = np.where(status == FINISHED, sheets.log_weight + np.log(sheets.arrived.mean(axis=1)), np.nan)
        return Finished(log_runs, exits.mean_times, sheets.levels, sheets.killed, sheets.iterations, status, exits.points, stopped)

    def _fill(self, sheets: Sheets, made: Assembly, keys: NDArray[np.uint64], x0: Array) -> str:
        """Run the kernel over groups of runs; returns why runs are missing, or ""."""
        kernel, score, scores, begun = splitting_kernel(self.sde.dim), self.score.compiled, self._scores(x0), time.monotonic()
        over: list[str] = []

        def group(first: int, last: int, control: NDArray[np.int64], slot: int) -> None:
            if reason := self._exhausted(int(control[SLOT::SLOT].sum()), time.monotonic() - begun):
                over.append(reason)
                return
            kernel(x0, scores, first, last, self.n, self.k, self.dt, keys, made.p, made.matrix, made.step, self.score.p, self.score.table,
                   score, *vars(sheets).values(), control, slot)

        def done(_: Control) -> float:
            return float((sheets.status != UNFINISHED).mean())

        control = run_chunks(group, self.n_runs, threads=self.threads, chunks=self._groups, done=done, progress=self.progress,
                             title="runs that are finished")
        return control.reason or (over[0] if over else "")

    def _scores(self, x0: Array) -> Array:
        scores = self.score.at(x0)
        if np.isnan(scores).any():
            raise ValueError(f"`score`, {self.score}, is no number at the start {shown(x0[int(np.argmax(np.isnan(scores)))])}; it must "
                             "have a value wherever paths go.")
        return scores

    @property
    def _groups(self) -> int:
        """Groups of runs that share lanes: so many that lanes are full and no worker idles."""
        workers = available_cores() if self.threads is None else whole("threads", self.threads)
        together = -(-FULL // self.k)
        return min(self.n_runs, workers * max(1, round(self.n_runs / (workers * together))))

    def _exhausted(self, steps: int, seconds: float) -> str:
        if self.max_steps is not None and steps >= self.max_steps:
            return f"max_steps = {self.max_steps:g}"
        return f"max_seconds = {self.max_seconds:g}" if self.max_seconds is not None and seconds >= self.max_seconds else ""


@dataclass(frozen=True)
class _Arrivals:
    """The arrivals of each run, placed within their last steps."""

    mean_times: Array
    points: Array
    diverged: NDArray[np.bool_]

    @classmethod
    def of(cls, race: Race, made: Assembly, keys: NDArray[np.uint64], sheets: Sheets) -> _Arrivals:
        ahead = replace(made, walls=made.walls[race.walls_of_source:])
        run, replica = np.nonzero(sheets.arrived)
        count, paths = np.bincount(run, minlength=len(keys)), sheets.paths[run, replica].astype(np.uint64)
        edges = np.concatenate([[0], np.cumsum(count)])
        needed = uniforms_needed(ahead, bridge=race.bridge)
        draws = [uniforms(*keys[j], paths[edges[j]:edges[j + 1]], EXIT, needed) for j in range(len(keys))]
        t = (sheets.reached[run, replica] - 1) * race.dt
        exits = place_exits(ahead, sheets.before[run, replica], sheets.after[run, replica], t, race.dt, np.concatenate(draws),
                            bridge=race.bridge)
        times, diverged = t + exits.fraction * race.dt, np.zeros(len(keys), bool)
        diverged[run[exits.diverged]] = True
        means = [times[edges[j]:edges[j + 1]].mean() if count[j] else np.nan for j in range(len(keys))]
        return cls(np.array(means), exits.point, diverged)
