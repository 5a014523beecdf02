"""One call for the mean time to leave a region, from 1 to 1e12 and beyond: the method is found, and said."""
from __future__ import annotations

import dataclasses
import math
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, one_of, positive, state
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.simulation.assembly import check_ingredients
from langevin_sgd.simulation.first_passage import first_passage
from langevin_sgd.simulation.passage_times import FirstPassage
from langevin_sgd.simulation.splitting import splitting
from langevin_sgd.studies.rare_event import RareEvent
from langevin_sgd.studies.time_scale import steepness, time_step
from langevin_sgd.theory import exact
from langevin_sgd.theory.exact import QuadratureError
from langevin_sgd.theory.grids.automatic_grid import mean_passage_time_on_grid

METHODS = ("auto", "quadrature", "generator", "simulation", "splitting")
PILOT = 256                 # paths of the first look
PILOT_STEPS = 2e8           # path-steps of the first look: some tenths of a second
CHEAP = 2e10                # path-steps that a direct simulation may take before splitting is the better way: some ten seconds
ENOUGH = 30                 # exits of the first look from which the mean is known well enough to plan by
CONFIDENCE, DEVIATIONS = 0.95, 1.96
MOST_PATHS = 10**7
MAX_STEPS = 1e11            # path-steps, unless said otherwise
REPLICAS, RUNS, MOST_RUNS = 256, 32, 1024
MARGIN = 1.2                # more runs or paths than seem to be needed: the need itself is an estimate
SETTLING = 2000             # paths from a start outside the well, to see where they go first


def mean_passage_time(sde: SDE, x0: ArrayLike, domain: Region, method: str = "auto", relative_error: float = 0.02, rng: Any = None, *,
                      dt: float | None = None, saddle: ArrayLike | None = None, score: Any = None, max_steps: float | None = None,
                      max_seconds: float | None = None, threads: int | None = None, progress: bool | None = None) -> Estimate:
    """Return the mean time until a path leaves a domain, by the method that serves best, however rare the event.

    Parameters
    ----------
    sde, x0, domain
        The equation, the start (one state) and the region that is left.
    method
        "auto", or one of "quadrature" (one dimension), "generator" (up to three), "simulation" (where events are cheap) and "splitting"
        (where they are rare).
    relative_error
        Half the interval over the value, at which the work may stop.
    rng, threads, progress
        As for `simulate`.
    dt
        The time step of simulation and splitting; if None, one whose bias is about half a per cent.  Twice the step is run beside it, and
        what that changes is the `systematic_error`.
    saddle
        A point on the way out, if one is known: it gives splitting its score where a grid cannot.
    score
        As for `splitting`, if you know better; or what `minimum_action_path` gives, for the distance along it.
    max_steps, max_seconds
        Budgets of simulation and splitting, path-steps (1e11 if None) and wall time.  Splitting looks at them between independent runs: an
        unfinished run is discarded, never averaged.

    Returns
    -------
    Estimate
        ``.method`` and ``.because`` say which method was taken and why, ``.systematic_error`` what the time step may have changed,
        ``.verdict`` where less was reached than was asked for.  On Ctrl-C or an exhausted budget, what was reached: at worst a bound.

    Raises
    ------
    ValueError
        If a method was asked for that does not serve here; the message says why.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde, domain = ls.langevin(ls.landscapes.double_well(), temperature=0.01), ls.Interval(high=0.0)
    >>> tau = ls.mean_passage_time(sde, -1.0, domain)
    >>> tau, tau.because
    (162478771569 ± ... (quadrature, Itô), 'one dimension: quadrature is exact')
    >>> ls.mean_passage_time(sde, -1.0, domain, "splitting", relative_error=0.1, rng=1)
    1.625e+11 [1.481e+11, 1.783e+11] (95 %, splitting, 32 runs of 256, Itô, dt = 0.0025, ± 7e+09 from dt; score: the committor ...)
    """
    check_ingredients(sde, None, None, domain)
    one_of("method", method, METHODS)
    start = state("x0", x0, sde.dim)
    step = positive("dt", dt) if dt is not None else time_step(2 * steepness(sde, start))
    task = _Task(sde, start, domain, positive("relative_error", relative_error), Key.draw(rng), step,
                 None if saddle is None else state("saddle", saddle, sde.dim), score,
                 MAX_STEPS if max_steps is None else positive("max_steps", max_steps),
                 math.inf if max_seconds is None else positive("max_seconds", max_seconds), threads, progress)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*paths exited within|stopped by")       # said in the verdict
        try:
            return task.best() if method == "auto" else dataclasses.replace(getattr(task, method)(), because="asked for")
        except KeyboardInterrupt:           # between two simulations; within one, the simulation returns what it has
            if task.known is None:
                raise
            return dataclasses.replace(task.told(task.known, "Ctrl-C"), because="what was known when it was interrupted")


@dataclass
class _Task:
    """One question, and the methods that may answer it."""

    sde: SDE
    start: Array
    domain: Region
    relative_error: float
    key: Key
    dt: float
    saddle: Array | None
    score: Any
    max_steps: float
    max_seconds: float
    threads: int | None
    progress: bool | None
    begun: float = field(default_factory=time.monotonic)
    steps: float = 0.0          # path-steps taken so far
    known: Estimate | None = None       # what would be returned if this were all

    # -------------------------------------------------------------------------------------------------------------- choice

    def best(self) -> Estimate:
        """Answer by the first method that serves: exact ones first, then what can be seen directly, then splitting."""
        said = []
        exactly = {1: ("quadrature", "one dimension: quadrature is exact")}.get(
            self.sde.dim, ("generator", f"{self.sde.dim} dimensions: the generator on a grid fits, at any barrier"))
        if self.sde.dim <= 3 and not self.sde.depends_on_time:
            name, because = exactly
            try:
                found: Estimate = getattr(self, name)()
            except ValueError as error:
                said.append(f"the {name} does not serve ({error})")
            else:
                if not found.relative_error > self.relative_error:
                    return dataclasses.replace(found, because=because)
                said.append(f"the {name} reaches {found.relative_error:.1g} only")
        pilot = self._run(self.dt, PILOT, 0, self.key.spawn(0), PILOT_STEPS)
        self.known = mean = pilot.mean()
        exits = int(pilot.exited.sum())
        if pilot.stopped == "Ctrl-C" or self._exhausted:
            return dataclasses.replace(self.told(mean, pilot.stopped), because="; ".join([*said, "a first look by simulation"]))
        if exits < ENOUGH or self._paths_needed(pilot) * mean.value / self.dt > CHEAP:
            seen = f"{exits} of {PILOT} paths left in {self.steps:.1g} steps"
            try:
                found = self.splitting()
                if not math.isfinite(found.log_value):          # no run has reached the target: what was seen directly is a bound
                    found = dataclasses.replace(found, low=max(found.low, mean.low))
                return dataclasses.replace(found, because="; ".join([*said, f"events are rare: {seen}"]))
            except ValueError as error:
                said.append(f"splitting does not serve ({error})")
        return dataclasses.replace(self.simulation(pilot), because="; ".join([*said, "events are cheap enough to be seen"]))

    # ------------------------------------------------------------------------------------------------------------- methods

    def quadrature(self) -> Estimate:
        """The one-dimensional integral."""
        if self.sde.dim != 1:
            raise ValueError(f"`method` is 'quadrature', which is for one dimension, but the equation has {self.sde.dim} components; take "
                             "'generator' in two and three, else 'simulation' or 'splitting'.")
        try:
            return exact.mean_passage_time(self.sde, float(self.start[0]), self.domain)
        except QuadratureError as error:
            return error.estimate

    def generator(self) -> Estimate:
        """The Fokker–Planck equation on a grid."""
        return mean_passage_time_on_grid(self.sde, self.start, self.domain, through=() if self.saddle is None else (self.saddle,),
                                         relative_error=min(self.relative_error, 0.05))

    def simulation(self, pilot: FirstPassage | None = None) -> Estimate:
        """Paths until they leave, at two time steps."""
        fine = pilot if pilot is not None and not pilot.stopped else self._run(self.dt, PILOT, 0, self.key.spawn(0))
        while not fine.stopped and self._paths_needed(fine) > fine.n_paths and fine.n_paths < MOST_PATHS:
            more = self._run(self.dt, min(self._paths_needed(fine), 16 * fine.n_paths, MOST_PATHS) - fine.n_paths, fine.n_paths, fine.key)
            fine = FirstPassage.pooled(fine, more)
            self.known = fine.mean(CONFIDENCE)
        self.known = mean = fine.mean(CONFIDENCE)
        if not math.isfinite(mean.value) or fine.stopped or self._exhausted:
            return self.told(mean, fine.stopped)
        coarse = self._run(2 * self.dt, fine.n_paths, 0, self.key.spawn(1)).mean(CONFIDENCE)
        bias = abs(coarse.value - mean.value) if math.isfinite(coarse.value) else 0.0
        return self.told(dataclasses.replace(mean, systematic_error=bias), fine.stopped)

    def splitting(self) -> Estimate:
        """Adaptive multilevel splitting out of the well below the start, at two time steps."""
        if self.sde.depends_on_time:
            raise ValueError("the equation depends on the time t, so that an escape has no one mean time to be split for")
        event = RareEvent.of(self.sde, self.start, self.domain, self.saddle, self.score)
        fine, stopped = self._split(event, self.dt, RUNS, self.key.spawn(2))
        self.known = fine
        short = fine.relative_error / self.relative_error if math.isfinite(fine.relative_error) else 1.0
        if not stopped and short > 1:
            runs = min(MOST_RUNS, math.ceil(MARGIN * RUNS * short**2))
            fine, stopped = self._split(event, self.dt, runs, self.key.spawn(3))
        bias = 0.0
        if not stopped and not self._exhausted:
            coarse, cut = self._split(event, 2 * self.dt, RUNS, self.key.spawn(4))
            bias = abs(coarse.value - fine.value) if not cut and math.isfinite(coarse.value) else 0.0
        told = self.told(dataclasses.replace(fine, systematic_error=bias), stopped)
        return dataclasses.replace(told, verdict=_joined(told.verdict, f"score: {event.score_is}"))

    # --------------------------------------------------------------------------------------------------------------- parts

    def _run(self, dt: float, n_paths: int, first_path: int, key: Key, max_steps: float = math.inf) -> FirstPassage:
        """First passage within what is left of the budgets."""
        ends = first_passage(self.sde, self._x0, self.domain, dt, n_paths, rng=key, first_path=first_path, threads=self.threads,
                             max_steps=max(1, int(min(max_steps, self.max_steps - self.steps, 10.0**18))),
                             max_seconds=self._seconds_left, progress=self.progress)
        self.steps += float(ends.time.sum() / dt)
        return ends

    def _split(self, event: RareEvent, dt: float, runs: int, key: Key) -> tuple[Estimate, str]:
        """Splitting within what is left of the budgets: the mean time from the start, and why runs are missing."""
        inside = bool(event.source.contains(self._x0, self.sde.variables))
        launch: Any = self._x0 if inside else (event.well.centre if self.sde.dim > 1 else float(event.well.centre[0]))
        rare = splitting(self.sde, launch, event.source, event.target, event.score, dt, n_replicas=REPLICAS, n_runs=runs,
                         around=event.around, rng=key, max_seconds=self._seconds_left, threads=self.threads, progress=self.progress,
                         max_steps=max(1, int(min(self.max_steps - self.steps, 10.0**18))))
        found = rare.mean_time
        return (found if inside else self._from_start(event, found, dt, key.spawn(0))), rare.stopped

    def _from_start(self, event: RareEvent, from_well: Estimate, dt: float, key: Key) -> Estimate:
        """The mean time from a start outside the well's source: the way into it, and the share of paths that get there, times its own."""
        ends = first_passage(self.sde, self._x0, self.domain & ~event.source, dt, SETTLING, rng=key, threads=self.threads, progress=False)
        level = np.asarray(self.domain.level(ends.exit_point, self.sde.variables, **self.sde.values))
        into = level > 1e-9                             # who left through the source, and not through the boundary of the domain
        share, way = float(into.mean()), float(ends.time.mean())
        spread = DEVIATIONS * math.sqrt(max(share * (1 - share), 1 / SETTLING) / SETTLING)
        return dataclasses.replace(from_well, value=way + share * from_well.value, low=way + max(share - spread, 0.0) * from_well.low,
                                   high=way + min(share + spread, 1.0) * from_well.high, log_value=math.nan)

    def _paths_needed(self, ends: FirstPassage) -> int:
        """Paths until the interval of the mean is what was asked for."""
        times = ends.time[ends.exited]
        spread = float(times.std() / times.mean()) if len(times) > 1 and times.mean() > 0 else 1.0
        return min(MOST_PATHS, math.ceil(MARGIN * (DEVIATIONS * spread / self.relative_error) ** 2))

    def told(self, found: Estimate, stopped: str) -> Estimate:
        """The estimate, with the word where it falls short."""
        short = not found.relative_error <= self.relative_error
        budget = next((f"{name} = {getattr(self, name):g}" for name in ("max_seconds", "max_steps") if stopped.startswith(name)), stopped)
        why = f"stopped by {budget}" if stopped else "more paths or runs would be needed than this call makes"
        reached = f", {found.relative_error:.1g} was reached" if math.isfinite(found.relative_error) else ""
        text = f"a relative error of {self.relative_error:g} was asked for{reached}: {why}" if short else ""
        lost = f"{found.n_diverged} paths diverged, and who is left is no fair sample: reduce `dt`" if found.n_diverged else ""
        return dataclasses.replace(found, verdict=_joined(lost, found.verdict, text))

    @property
    def _x0(self) -> Any:
        return self.start if self.sde.dim > 1 else float(self.start[0])

    @property
    def _seconds_left(self) -> float | None:
        return None if math.isinf(self.max_seconds) else max(1e-3, self.max_seconds - (time.monotonic() - self.begun))

    @property
    def _exhausted(self) -> bool:
        return self.steps >= self.max_steps or time.monotonic() - self.begun >= self.max_seconds


def _joined(*sentences: str) -> str:
    return "; ".join(s for s in sentences if s)
