"""The result of `splitting`: independent runs, what they say together, and how far that can be trusted."""
from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status, attributes
from langevin_sgd.simulation.run_intervals import log_interval
from langevin_sgd.simulation.schemes import Scheme
from langevin_sgd.simulation.splitting_scores import Score
from langevin_sgd.simulation.trajectories import run_attributes

if TYPE_CHECKING:
    import xarray

FEW_RUNS = 16
DOMINATES = 0.25        # a run that carries more than this share of the sum of at least `FEW_RUNS` says that the others missed something
LIKELY = 0.05           # above this probability, direct simulation is as cheap, and the entrance law is not quasi-stationary
SETTLED = 4.0           # standard errors that the durations of early and late loops may be apart
APART = 3.0             # standard errors beyond which two estimates disagree

P, REACTIVE, FIRST, LOOP = range(4)         # columns of the table of runs


@dataclass(frozen=True, eq=False)
class Splitting:
    """How probable it is to reach the target before returning to the source, by independent runs of adaptive multilevel splitting.

    Attributes
    ----------
    log_runs
        The logarithm of each run's estimate (run,): −inf for a run that died out, NaN for one that was not finished.
    reactive_times
        The mean duration of each run's paths to the target (run,); NaN where there is none.
    first_times, loop_times
        The mean times from the start to the surface, and of a loop, of the walkers that gave a run its entrance states (run,); NaN where
        paths were launched directly.
    levels, n_killed
        The level of each iteration, and the number of replicas killed at it (run, iteration), up to `iterations` (run,).
    status
        How each run ended (run,), see `Status`.
    arrivals
        Where the replicas of each run that ended in the target were then (arrival, d), all runs one after the other.
    n_replicas, n_kill
        Replicas of a run, and how many of them are killed at a time, at least.
    key
        The key of all runs; run j with so many replicas has the same bits whatever `n_runs`.
    sde, scheme, source, target, around, score, dt, monitoring
        What was run.
    loops_moved
        By how many standard errors the durations of early and late loops are apart; NaN without loops.
    stopped
        Why runs are missing, or "".
    """

    log_runs: Array
    reactive_times: Array
    first_times: Array
    loop_times: Array
    levels: Array
    n_killed: NDArray[np.int64]
    iterations: NDArray[np.int64]
    status: NDArray[np.uint8]
    arrivals: Array
    n_replicas: int
    n_kill: int
    key: Key
    sde: SDE
    scheme: Scheme
    source: Region
    target: Region
    around: Region | None
    score: Score
    score_is_default: bool
    dt: float
    monitoring: str
    loops_moved: float = math.nan
    stopped: str = ""

    @property
    def n_runs(self) -> int:
        """Number of runs that were asked for."""
        return len(self.log_runs)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether each run was finished: only these are averaged."""
        return self.status == Status.COMPLETED

    @property
    def runs(self) -> Array:
        """The estimate of each run (run,); 0 for a run that died out, NaN for one that was not finished."""
        return np.exp(self.log_runs)

    @property
    def n_extinct(self) -> int:
        """Number of runs that died out."""
        return int((self.log_runs[self.complete] == -math.inf).sum())

    @property
    def largest_share(self) -> float:
        """The share of the largest run in the sum of all."""
        known = self.log_runs[self.complete]
        if not len(known) or known.max() == -math.inf:
            return math.nan
        return float(1 / np.exp(known - known.max()).sum())

    @functools.cached_property
    def probability(self) -> Estimate:
        """The probability to reach the target before returning to the source, averaged over the starts or entrance states."""
        return self.probability_with(0.95)

    @functools.cached_property
    def mean_time(self) -> Estimate:
        """The mean time from the start to the target, by Hill's relation; its interval holds the errors of probability and loops."""
        return self.mean_time_with(0.95)

    def probability_with(self, confidence: float) -> Estimate:
        """Return the probability with an interval of another confidence."""
        return self._estimate("probability to reach the target first", log_of_probability, confidence, 1.0)

    def mean_time_with(self, confidence: float) -> Estimate:
        """Return the mean time with an interval of another confidence."""
        if self.around is None:
            raise ValueError("paths were launched outside `source`, so that there are no loops to be timed; for a mean time give an `x0` "
                             "inside `source`, and `around`, a region around it.")
        return self._estimate("mean passage time", log_of_mean_time, confidence, math.inf)

    def weights(self, run: int) -> tuple[Array, Array]:
        """Return the levels of a run, and the estimated probability to get above each: what `plots.draw_splitting` draws."""
        m = min(int(self.iterations[run]), self.levels.shape[1])
        return self.levels[run, :m], np.cumprod(1 - self.n_killed[run, :m] / self.n_replicas)

    def compared_with(self, other: Splitting) -> tuple[float, str]:
        """Return by how many standard errors two estimates of one probability are apart on the log scale, and a verdict in words.

        Two scores that are both poor in the same way can agree; two that disagree cannot both be sampled well enough.
        """
        (a, a_error), (b, b_error) = (splitting._log_and_error() for splitting in (self, other))
        z = (a - b) / math.hypot(a_error, b_error) if math.isfinite(a) and math.isfinite(b) else math.nan
        if abs(z) <= APART:
            return z, f"the scores {self.score} and {other.score} agree, {abs(z):.1f} standard errors apart"
        return z, (f"the scores {self.score} and {other.score} disagree, by {abs(z):.1f} standard errors: at least one of them misses "
                   "paths, more likely the one with the smaller estimate; raise `n_replicas`, or find a better score")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against the number, a sentence each."""
        return tuple(filter(None, (self._about_runs(), self._about_largest(), self._about_extinction(), self._about_score(),
                                   self._about_entrance(), self._about_loops())))

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset with the dimension run, and all that describes the runs in its attributes."""
        import xarray
        data = {"log_probability": ("run", self.log_runs), "reactive_time": ("run", self.reactive_times),
                "first_time": ("run", self.first_times), "loop_time": ("run", self.loop_times), "iterations": ("run", self.iterations),
                "status": ("run", self.status, attributes())}
        about = run_attributes(self.sde, self.scheme, self.dt, self.key, self.stopped)
        regions = {name: repr(getattr(self, name)) for name in ("source", "target", "around", "score")}
        return xarray.Dataset(data, {"run": np.arange(self.n_runs)}, {
            **about, **regions, "monitoring": self.monitoring, "n_replicas": self.n_replicas, "n_kill": self.n_kill,
            "warnings": "; ".join(self.warnings)})

    # ------------------------------------------------------------------------------------------------------------- inside

    @property
    def _table(self) -> Array:
        """One row for each finished run, its probability in units of the largest."""
        done = self.complete
        p = np.exp(self.log_runs[done] - self._scale)
        reactive = p * np.where(p > 0, np.nan_to_num(self.reactive_times[done]), 0.0)
        return np.stack([p, reactive, self.first_times[done], self.loop_times[done], np.full(len(p), self._scale)], axis=1)

    @property
    def _scale(self) -> float:
        return float(np.max(self.log_runs[self.complete], initial=-math.inf, where=np.isfinite(self.log_runs[self.complete])))

    def _log_and_error(self) -> tuple[float, float]:
        from scipy.special import stdtrit
        value, low, high = self._interval(log_of_probability, 0.95)
        return value, (high - low) / (2 * float(stdtrit(max(int(self.complete.sum()) - 1, 1), 0.975)))

    def _interval(self, log_of: Any, confidence: float) -> tuple[float, float, float]:
        if not math.isfinite(self._scale):                              # no run has reached the target
            return -math.inf if self.complete.any() else math.nan, -math.inf, math.inf
        return log_interval(self._table, log_of, confidence)

    def _estimate(self, quantity: str, log_of: Any, confidence: float, most: float) -> Estimate:
        value, low, high = self._interval(log_of, confidence)
        if not math.isfinite(self._scale) and most == math.inf:
            value = -value                                              # the time is infinite where the probability is zero
        return Estimate(value=_exp(value), low=_exp(low), high=min(_exp(high), most), confidence=confidence, method=self._method,
                        quantity=quantity, log_value=value, dt=self.dt, interpretation=self.sde.interpretation,
                        n_diverged=int((self.status == Status.DIVERGED).sum()), verdict="; ".join(self.warnings))

    @property
    def _method(self) -> str:
        return f"splitting, {int(self.complete.sum())} runs of {self.n_replicas}"

    def _about_runs(self) -> str:
        n = int(self.complete.sum())
        if self.stopped:
            return f"stopped by {self.stopped}: {n} of {self.n_runs} runs are finished, and only these are averaged"
        return f"only {n} runs are finished, and the interval rests on their spread; use 32 or more" if n < FEW_RUNS else ""

    def _about_largest(self) -> str:
        n, share = int(self.complete.sum()), self.largest_share
        if n < FEW_RUNS or not share > DOMINATES:
            return ""
        return (f"the largest of {n} runs carries {100 * share:.0f} % of the sum: rare large runs decide, and the probability is more "
                "likely too low; find a better score, or raise `n_replicas`")

    def _about_extinction(self) -> str:
        if not self.n_extinct:
            return ""
        return f"{self.n_extinct} of {int(self.complete.sum())} runs died out and count as zero; raise `n_replicas`"

    def _about_score(self) -> str:
        if not self.score_is_default or self.sde.dim == 1:
            return ""
        return ("the score is nearness to the target, which in more than one dimension may be a poor one; compare with another, such as a "
                "committor on a grid")

    def _about_entrance(self) -> str:
        if self.around is None or not math.isfinite(self._scale) or math.exp(self._interval(log_of_probability, 0.95)[0]) < LIKELY:
            return ""
        return "paths reach the target after few loops, before these have settled; ls.first_passage measures this directly"

    def _about_loops(self) -> str:
        if not abs(self.loops_moved) > SETTLED:
            return ""
        return (f"late loops last longer or shorter than early ones, by {abs(self.loops_moved):.1f} standard errors: entrance states still "
                "remember the start; raise `n_loops`")

    def __repr__(self) -> str:
        cut = f", stopped by {self.stopped}" if self.stopped else ""
        share = f", the largest carries {100 * self.largest_share:.0f} %" if self.largest_share == self.largest_share else ""
        told = "".join(f"\n  note: {text}" for text in self.warnings)
        return (f"Splitting({int(self.complete.sum())} of {self.n_runs} runs, each of {self.n_replicas} replicas, of which at least "
                f"{self.n_kill} are killed at a time{share}; score {self.score}, dt = {self.dt:g}, {self.monitoring}, "
                f"{self.sde.interpretation.label}, {self.scheme}{cut}, {self.key}){told}")


def log_of_probability(table: Array) -> float:
    """The logarithm of the mean of runs."""
    mean = table[:, P].mean()
    return float(np.log(mean) + table[0, -1]) if mean > 0 else -math.inf


def log_of_mean_time(table: Array) -> float:
    """The logarithm of the mean time from those of the parts, by Hill's relation."""
    p, reactive, first = (float(table[:, k].mean()) for k in (P, REACTIVE, FIRST))
    if not p > 0:
        return math.inf
    timed = table[np.isfinite(table[:, LOOP]), LOOP]
    loop = float(timed.mean()) if len(timed) else 0.0                   # no loop came back: the target is reached at once
    loops = math.exp(-table[0, -1] - math.log(p)) - 1 if -table[0, -1] - math.log(p) < 700 else math.inf
    if math.isinf(loops):
        return math.log(loop) - float(table[0, -1]) - math.log(p)
    return math.log(first + loops * loop + reactive / p)


def _exp(x: float) -> float:
    return math.inf if x > 709.78 else math.exp(x)
