"""Rare events by adaptive multilevel splitting: `splitting`."""
from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, one_of, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import Assembly, check_ingredients
from langevin_sgd.simulation.ensemble import check_covariance, initial_states, shown
from langevin_sgd.simulation.exits import lowest_face
from langevin_sgd.simulation.schemes import EulerMaruyama, Scheme
from langevin_sgd.simulation.splitting_loops import Loops, Walk
from langevin_sgd.simulation.splitting_result import Splitting
from langevin_sgd.simulation.splitting_runs import Race
from langevin_sgd.simulation.splitting_scores import score_of


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
        Budgets of the runs, path-steps and wall time, looked at before some are begun: what has been begun is finished, because runs that
        take long are not like the others.

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
    likely too low than too high.  It holds what chance does, not the error of the step, which is of order dt: halve dt to see it.

    With `around`, walkers reach its surface by direct simulation: choose it where they come every few relaxation times.  Hill's relation
    is in `splitting_loops`.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.025)           # exact: 51050.7
    >>> well, top = ls.Interval(high=-0.9), ls.Interval(low=0.0)
    >>> rare = ls.splitting(sde, -1.0, well, top, dt=0.01, around=ls.Interval(high=-0.75), rng=1)
    >>> rare.mean_time
    54541 [...] (95 %, splitting, 32 runs of 256, Itô, dt = 0.01)
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
    walk = _walk(race, states, around)
    loops = walk(states[race.chosen(len(states))], race.n_runs * replicas, whole("n_loops", n_loops)) if walk else None
    finished = race.from_walkers(loops.states, loops.failed, loops.stopped) if loops else race.from_states(states)
    result = Splitting(
        finished.log_runs, finished.reactive, *_times(loops, race.n_runs), finished.levels, finished.killed, finished.iterations,
        finished.status, finished.arrivals, replicas, k, race.key, sde, race.scheme, source, target, around, race.score, score is None,
        race.dt, monitoring, loops.moved if loops else math.nan, finished.stopped)
    _warn(result)
    return result


def _walk(race: Race, x0: Array, around: Region | None) -> Walk | None:
    """How walkers find the entrance states; None where paths are launched directly."""
    made = race.assembly()
    check_covariance(race.sde.covariance, race.sde.values, x0)
    if (lowest_face(made, x0)[1] > 0).all():
        if around is not None:
            raise ValueError(f"`around` is given, but `x0`, {shown(x0[0])}, lies outside `source`: paths are launched there; leave "
                             "`around` out, or start inside `source`.")
        return None
    if not (_level_of_source(race, made, x0) <= 0).all():
        raise ValueError("`x0` has states inside `target`, or some inside `source` and some outside; start between the two, or inside "
                         "`source` with all of them.")
    if race.sde.depends_on_time:
        raise ValueError("the equation depends on the time t, so that no loop about `source` is like another; start outside of it.")
    if around is None:
        raise ValueError(f"`x0`, {shown(x0[0])}, lies inside `source`: paths are then launched from a surface around it; give "
                         "`around`, a region that holds `source` with some distance, or an `x0` outside.")
    return Walk(race, around)


def _level_of_source(race: Race, made: Assembly, x: Array) -> Array:
    """The level of the outside of the source at states (n, d)."""
    walls = made.walls[:race.walls_of_source]
    return np.asarray(np.min([np.max([made.evaluate(face.level, x) for face in wall], axis=0) for wall in walls], axis=0))


def _times(loops: Loops | None, n_runs: int) -> tuple[Array, Array]:
    """The mean times from the start to the surface and of a loop, of the walkers of each run."""
    if loops is None:
        return np.full(n_runs, np.nan), np.full(n_runs, np.nan)
    settled = [row[np.isfinite(row)] for row in loops.settled.reshape(n_runs, -1)]
    return loops.first.reshape(n_runs, -1).mean(axis=1), np.array([row.mean() if len(row) else math.nan for row in settled])


def _warn(result: Splitting) -> None:
    """Say at once what is missing; the rest is in `.warnings`."""
    diverged = int((result.status == Status.DIVERGED).sum())
    if diverged:
        warnings.warn(f"{diverged} of {result.n_runs} runs had paths that diverged and are left out: the step dt = {result.dt:g} is too "
                      "large for the drift where they were; reduce `dt`.", RuntimeWarning, stacklevel=3)
    if result.stopped:
        warnings.warn(f"stopped by {result.stopped}: {int(result.complete.sum())} of {result.n_runs} runs are finished.", RuntimeWarning,
                      stacklevel=3)
