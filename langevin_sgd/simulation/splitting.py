"""Rare events by adaptive multilevel splitting: `splitting`."""
from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.core.kernels import SLOT
from langevin_sgd.core.lanes import LANES
from langevin_sgd.core.splitting_kernel import FINISHED, TOO_MANY_RUNGS, UNFINISHED, splitting_kernel
from langevin_sgd.core.streams import uniforms
from langevin_sgd.models.arguments import Array, one_of, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region, boundary
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import Assembly, assemble, check_ingredients
from langevin_sgd.simulation.ensemble import Control, available_cores, check_covariance, initial_states, run_chunks, shown
from langevin_sgd.simulation.exits import lowest_face, place_exits, uniforms_needed
from langevin_sgd.simulation.schemes import EulerMaruyama, Scheme
from langevin_sgd.simulation.splitting_loops import Loops, Walk
from langevin_sgd.simulation.splitting_result import Splitting
from langevin_sgd.simulation.splitting_scores import Score, score_of

RUNS, LOOPS = 0, 1              # where the keys of runs and of loops are spawned
FULL = 2 * LANES                # so many paths at a time keep the lanes busy
DEEP = 64                       # iterations are recorded down to probabilities of e^-64
START, EXIT = 2, 3              # the uniform numbers of a path that choose its start, and that place its exit from 3 on


def splitting(sde: SDE, x0: ArrayLike, source: Region, target: Region, score: Any = None, dt: float = 1e-3,
              monitoring: str = "continuous", n_replicas: int = 256, n_runs: int = 32, *, around: Region | None = None,
              n_kill: int | None = None, n_loops: int = 4, scheme: Scheme | None = None, max_steps: float | None = None,
              max_seconds: float | None = None, rng: Any = None, threads: int | None = None, progress: bool | None = None) -> Splitting:
    """Estimate how probable it is to reach a target before returning to a source, and how long it takes on average, however rare.

    Parameters
    ----------
    sde
        The equation, of any kind: neither a potential nor detailed balance is needed.
    x0
        Where paths start: one state, or an array of states (state, d), which are averaged over.  Between the regions: paths are launched
        there.  Inside `source`: they are launched where walkers that loop about the source hit the surface of `around`, and the mean time
        from x0 to the target follows.
    source, target
        Two regions without a common state: a path has returned when it is inside the one, and arrived when it is inside the other.
    score
        How far a state has come: a text such as "x", a `Landscape`, a numba-compilable function of the state, a pair (axes, values) of
        arrays, or an object with `.grid.centres` and `.values`, such as the committor of `FokkerPlanck`.  Only the order of its values
        matters, and a poor score makes the estimate noisy, never biased; the best is the committor.  None: nearness to the target, in terms
        of its level; in one dimension, with the target on one side, that is as good as the committor.
    dt, scheme, rng, threads, progress
        As for `simulate`.
    monitoring
        "continuous": regions are also entered between steps, by the law of the Brownian bridge.  "discrete": they are seen at the steps
        only, which is the truth when the step *is* an iteration of SGD.
    n_replicas, n_kill
        Replicas of each run, and how many are killed at a time (a tenth of them if None): more are faster, and a little noisier.  The
        relative standard deviation of a run is about sqrt(−ln p / n_replicas) with a good score.
    n_runs
        Independent runs, of which the average is taken and whose spread gives the interval.
    around
        A region that holds the source, with some distance, and nothing of the target: its surface is where loops turn.
    n_loops
        Loops of each walker before its entrance state is taken.
    max_steps, max_seconds
        Budgets, path-steps and wall time, looked at before runs are begun: what has been begun is finished.

    Returns
    -------
    Splitting
        ``.probability`` and ``.mean_time`` are estimates, ``.warnings`` says what speaks against them.  On Ctrl-C, the runs that are
        finished.

    Raises
    ------
    ValueError
        For a start in the target, regions that overlap there, a surface that does not separate the regions, a score that cannot be
        used, and arguments that are not what they should be.

    Notes
    -----
    C.-E. Bréhier et al., Ann. Appl. Probab. 26, 3559 (2016): the probability is unbiased at a given dt, for any score, any number of
    replicas and any k.  The interval is Student's on the log scale, over runs; where it is wide, or a run dominates, the estimate is more
    likely too low than too high.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.025)           # exact: 51050.7
    >>> well, top = ls.Interval(high=-0.9), ls.Interval(low=0.0)
    >>> rare = ls.splitting(sde, -1.0, well, top, dt=0.01, around=ls.Interval(high=-0.75), rng=1)
    >>> rare.mean_time
    5.2...e+04 [...] (95 %, splitting, 32 runs of 256, Itô, dt = 0.01)
    """
    check_ingredients(sde, scheme, None, source, target, *([around] if around is not None else []))
    one_of("monitoring", monitoring, ("continuous", "discrete"))
    replicas = whole("n_replicas", n_replicas, 2)
    k = max(1, replicas // 10) if n_kill is None else whole("n_kill", n_kill)
    if k >= replicas:
        raise ValueError(f"`n_kill` is {k}, but must be less than `n_replicas`, {replicas}.")
    race = Race(sde, source, target, score_of(score, sde, target), positive("dt", dt), scheme or EulerMaruyama(),
                monitoring == "continuous", replicas, k, whole("n_runs", n_runs), Key.draw(rng), threads, progress,
                None if max_steps is None else whole("max_steps", max_steps),
                None if max_seconds is None else positive("max_seconds", max_seconds))
    states, _ = initial_states(x0, sde.dim, None if np.ndim(x0) > (sde.dim > 1) else 1)
    loops = race.entrance(states, around, whole("n_loops", n_loops))
    finished = race(states, loops)
    result = Splitting(
        finished.log_runs, finished.reactive, *race.times_of(loops), finished.levels, finished.killed, finished.iterations,
        finished.status, finished.arrivals, replicas, k, race.key, sde, race.scheme, source, target, around if loops else None, race.score,
        score is None, race.dt, monitoring, race.moved(loops), finished.stopped)
    _warn(result)
    return result


@dataclass(frozen=True)
class Finished:
    """What the kernel has left of all runs."""

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
    """Independent runs of splitting between two regions."""

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
        domain = ~self.source & ~self.target
        made = assemble(self.sde, self.scheme, domain, bridge=self.bridge, first_of_target=self.walls_of_source)
        if not 0 < self.walls_of_source < len(made.walls):
            raise ValueError("`source` and `target` must both have a boundary that a path can cross.")
        return made

    # ------------------------------------------------------------------------------------------------------------ entrance

    def entrance(self, x0: Array, around: Region | None, n_loops: int) -> Loops | None:
        """Return what walkers from inside the source did, or None where paths are launched directly."""
        made = self.assembly()
        check_covariance(self.sde, x0, 0.0)
        level = lowest_face(made, x0)[1]
        if (level > 0).all():
            if around is not None:
                raise ValueError(f"`around` is given, but `x0`, {shown(x0[0])}, lies outside `source`: paths are launched there; leave "
                                 "`around` out, or start inside `source`.")
            return None
        back = np.min([np.max([made.evaluate(f.level, x0) for f in w], axis=0) for w in made.walls[:self.walls_of_source]], axis=0)
        if not (back <= 0).all():
            raise ValueError("`x0` has states inside `target`, or some inside `source` and some outside; start between the two, or inside "
                             "`source` with all of them.")
        if around is None:
            raise ValueError(f"`x0`, {shown(x0[0])}, lies inside `source`: paths are then launched from a surface around it; give `around`, "
                             "a region that holds `source` with some distance, or an `x0` outside.")
        walk = Walk(self.sde, self.source, self.target, around, self.dt, self.scheme, self.bridge, self.key.spawn(LOOPS), self.threads,
                    self.progress)
        faces = sum(map(len, made.walls[:self.walls_of_source]))
        return walk(x0[self._chosen(len(x0))], self.n_runs * self.n, n_loops, faces)

    def _chosen(self, n_states: int) -> NDArray[np.int64]:
        """Which of the given states each replica of each run starts from."""
        if n_states == 1:
            return np.zeros(self.n_runs * self.n, np.int64)
        paths = np.arange(self.n, dtype=np.uint64)
        draws = [uniforms(*map(np.uint64, self.key.spawn(RUNS, j).words), paths, START, 1)[:, 0] for j in range(self.n_runs)]
        return (np.concatenate(draws) * n_states).astype(np.int64)

    def times_of(self, loops: Loops | None) -> tuple[Array, Array]:
        """The mean times to the surface and of a loop, for the walkers of each run."""
        if loops is None:
            return np.full(self.n_runs, np.nan), np.full(self.n_runs, np.nan)
        settled = loops.settled.reshape(self.n_runs, -1)
        return loops.first.reshape(self.n_runs, self.n).mean(axis=1), np.array([_mean(row) for row in settled])

    def moved(self, loops: Loops | None) -> float:
        """By how many standard errors the last loops differ from the second ones in duration; NaN if there are fewer than three."""
        if loops is None or loops.durations.shape[1] < 3:
            return math.nan
        early, late = (d[np.isfinite(d)] for d in (loops.durations[:, 1], loops.durations[:, -1]))
        if min(len(early), len(late)) < 2:
            return math.nan
        return float((late.mean() - early.mean()) / math.sqrt(early.var() / len(early) + late.var() / len(late) + 1e-300))

    # ---------------------------------------------------------------------------------------------------------------- runs

    def __call__(self, x0: Array, loops: Loops | None) -> Finished:
        """Run all."""
        made, kernel, n, d = self.assembly(), splitting_kernel(self.sde.dim), self.n, self.sde.dim
        starts, lost = self._starts(x0, loops)
        scores = self._scores(starts)
        keys = np.array([self.key.spawn(RUNS, j).words for j in range(self.n_runs)], np.uint64)
        room, (before, after) = DEEP * n // self.k + DEEP, np.zeros((2, self.n_runs, n, d))
        levels, killed = np.zeros((self.n_runs, room)), np.zeros((self.n_runs, room), np.int64)
        log_runs, arrived = np.full(self.n_runs, np.nan), np.zeros((self.n_runs, n), np.uint8)
        (reached, paths), iterations = np.zeros((2, self.n_runs, n), np.int64), np.zeros(self.n_runs, np.int64)
        status, begun = np.full(self.n_runs, UNFINISHED, np.uint8), time.monotonic()
        over: list[str] = []

        def group(first: int, last: int, control: NDArray[np.int64], slot: int) -> None:
            if (reason := self._exhausted(int(control[SLOT::SLOT].sum()), time.monotonic() - begun)) or lost[first:last].all():
                over.extend([reason] if reason else [])
                return
            kernel(starts, scores, first, last, n, self.k, self.dt, keys, made.p, made.matrix, made.step, self.score.p, self.score.table,
                   self.score.compiled, log_runs, arrived, before, after, reached, paths, levels, killed, iterations, status, control, slot)

        def done(_: Control) -> float:
            return float((status != UNFINISHED).mean())

        stopped = loops.stopped if loops else ""
        if not stopped:
            control = run_chunks(group, self.n_runs, threads=self.threads, chunks=self._groups, done=done, progress=self.progress,
                                 title="runs that are finished")
            stopped = control.reason or (over[0] if over else "")
        if (status == TOO_MANY_RUNGS).any():
            raise ValueError(f"`score`, {self.score}, climbs in too many small steps to be kept: more than 30000 on one path; round it, for "
                             "example to a thousandth of its range, or take a larger `dt`.")
        exits = _Arrivals.of(self, made, keys, arrived, before, after, reached, paths)
        status[exits.diverged | (lost & (status != UNFINISHED))] = Status.DIVERGED
        log_runs = np.where(status == FINISHED, log_runs + _log(arrived.mean(axis=1)), np.nan)
        final = np.where(status == FINISHED, Status.COMPLETED, np.where(status == UNFINISHED, Status.STOPPED, Status.DIVERGED))
        return Finished(log_runs, exits.mean_times, levels, killed, iterations, final.astype(np.uint8), exits.points, stopped)

    def _starts(self, x0: Array, loops: Loops | None) -> tuple[Array, NDArray[np.bool_]]:
        """The starts of all replicas of all runs (or the one of all), and the runs that a walker's failure has lost."""
        if loops is None:
            return np.ascontiguousarray(x0[self._chosen(len(x0))] if len(x0) > 1 else x0), np.zeros(self.n_runs, bool)
        usable = np.flatnonzero(~loops.failed)
        starts = np.where(loops.failed[:, None], loops.states[usable[:1]] if len(usable) else x0[:1], loops.states)
        return np.ascontiguousarray(starts), loops.failed.reshape(self.n_runs, self.n).any(axis=1)

    def _scores(self, starts: Array) -> Array:
        scores = self.score.at(starts)
        if np.isnan(scores).any():
            raise ValueError(f"`score`, {self.score}, is no number at the start {shown(starts[int(np.argmax(np.isnan(scores)))])}; it must "
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
    def of(cls, race: Race, made: Assembly, keys: NDArray[np.uint64], arrived: NDArray[np.uint8], before: Array, after: Array,
           reached: NDArray[np.int64], paths: NDArray[np.int64]) -> _Arrivals:
        ahead = replace(made, walls=made.walls[race.walls_of_source:])
        times, points, diverged = np.full(len(keys), np.nan), [np.empty((0, race.sde.dim))], np.zeros(len(keys), bool)
        for j in np.flatnonzero(arrived.any(axis=1)):
            here = np.flatnonzero(arrived[j])
            t = (reached[j, here] - 1) * race.dt
            draws = uniforms(*keys[j], paths[j, here].astype(np.uint64), EXIT, uniforms_needed(ahead, bridge=race.bridge))
            exits = place_exits(ahead, before[j, here], after[j, here], t, race.dt, draws, bridge=race.bridge)
            times[j], diverged[j] = (t + exits.fraction * race.dt).mean(), exits.diverged.any()
            points.append(exits.point)
        return cls(times, np.concatenate(points), diverged)


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _log(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x))


def _warn(result: Splitting) -> None:
    """Say at once what is missing; the rest is in `.warnings`."""
    diverged = int((result.status == Status.DIVERGED).sum())
    if diverged:
        warnings.warn(f"{diverged} of {result.n_runs} runs had paths that diverged and are left out: the step dt = {result.dt:g} is too "
                      "large for the drift where they were; reduce `dt`.", RuntimeWarning, stacklevel=3)
    if result.stopped:
        warnings.warn(f"stopped by {result.stopped}: {int(result.complete.sum())} of {result.n_runs} runs are finished.", RuntimeWarning,
                      stacklevel=3)
