"""Rare events by a weighted ensemble in its steady state: a mean time by neither the rules nor the kernel of splitting."""
from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.core.streams import uniforms
from langevin_sgd.core.weighted_walkers import resample_runs
from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, one_of, positive, state, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import check_ingredients, path_steps
from langevin_sgd.simulation.ensemble import shown
from langevin_sgd.simulation.exits import lowest_face
from langevin_sgd.simulation.first_passage import Run
from langevin_sgd.simulation.run_intervals import log_interval
from langevin_sgd.simulation.schemes import EulerMaruyama, Scheme
from langevin_sgd.simulation.splitting_scores import Score, score_of

UNLIMITED = 2**62
STEADY = 3.0            # standard errors that the fluxes of the second quarter and of the second half may be apart
RISING = 0.5            # ... and the least ratio of the two
FEW_RUNS = 5


@dataclass(frozen=True, eq=False)
class WeightedEnsemble:
    """The probability that arrives at the target per unit of time, in independent runs that give it back to the start.

    Attributes
    ----------
    flux
        The weight that arrived in each interval, per unit of time (run, interval).
    unused
        That weight times what was left of the interval, per unit of time (run, interval): for so long those that arrived stood still.
    interval
        The time between two resamplings.
    n_walkers, n_bins
        Walkers of a run, and bins between which they are shared out.
    diverged
        Whether a run had a walker that diverged (run,); such runs are left out.
    stopped
        Why the runs were cut short, or "".
    key, sde, x0, target, score, dt, monitoring
        What was run.
    """

    flux: Array
    unused: Array
    interval: float
    n_walkers: int
    n_bins: int
    diverged: NDArray[np.bool_]
    stopped: str
    key: Key
    sde: SDE
    x0: Array
    target: Region
    score: Score
    dt: float
    monitoring: str

    @functools.cached_property
    def mean_time(self) -> Estimate:
        """The mean time from the start to the target: one over the flux of the second half, less the time that arrivals stood still."""
        table = self._table
        value, low, high = log_interval(table, _log_time, 0.95) if len(table) and table[:, 0].any() else (math.inf, -math.inf, math.inf)
        return Estimate(value=_exp(value), low=_exp(low), high=_exp(high), confidence=0.95, log_value=value, dt=self.dt,
                        method=f"weighted ensemble, {len(table)} runs of {self.n_walkers}", interpretation=self.sde.interpretation,
                        n_diverged=int(self.diverged.sum()), verdict="; ".join(self.warnings))

    @property
    def earlier_share(self) -> float:
        """The flux of the second quarter over that of the second half, which is averaged: near 1 if there was time to spare."""
        earlier, late = (part.mean() for part in self._quarter_and_half)
        return float(earlier / late) if late > 0 else math.nan

    @property
    def drift_of_flux(self) -> float:
        """By how many standard errors, over runs, the flux of the second half is above that of the quarter before."""
        earlier, late = self._quarter_and_half
        spread = (late - earlier).std(ddof=1) / math.sqrt(len(late)) if len(late) > 1 else 0.0
        return float((late - earlier).mean() / spread) if spread > 0 else 0.0

    @property
    def _quarter_and_half(self) -> tuple[Array, Array]:
        """The mean fluxes of the second quarter and the second half, (run,)."""
        n, kept = self.flux.shape[1], self.flux[~self.diverged]
        if n < 4 or not len(kept):
            return np.zeros(1), np.zeros(1)
        return kept[:, n // 4:n // 2].mean(axis=1), kept[:, n // 2:].mean(axis=1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against the number, a sentence each."""
        found = []
        kept = int((~self.diverged).sum())
        if self.stopped:
            found.append(f"stopped by {self.stopped} after {self.flux.shape[1]} intervals")
        if kept < FEW_RUNS:
            found.append(f"only {kept} runs, and the interval rests on their spread; use {FEW_RUNS} or more")
        if abs(self.drift_of_flux) > STEADY or self.earlier_share < RISING:
            found.append(f"the flux of the quarter before the half that is averaged was {self.earlier_share:.2g} of it, "
                         f"{abs(self.drift_of_flux):.1f} standard errors away: perhaps not yet steady; raise `t_max`")
        if not self._table[:, 0].any():
            found.append("nothing arrived in the second half; raise `t_max`, `n_bins` or `n_walkers`")
        return tuple(found)

    @property
    def _table(self) -> Array:
        """Flux and unused time of the second half, one row for each run."""
        half = self.flux.shape[1] // 2
        kept = ~self.diverged
        if not self.flux.shape[1]:
            return np.zeros((int(kept.sum()), 2))
        return np.stack([self.flux[kept, half:].mean(axis=1), self.unused[kept, half:].mean(axis=1)], axis=1)

    def __repr__(self) -> str:
        told = "".join(f"\n  note: {text}" for text in self.warnings)
        return (f"WeightedEnsemble({len(self.flux)} runs of {self.n_walkers} walkers in {self.n_bins} bins, {self.flux.shape[1]} intervals "
                f"of {self.interval:g}; score {self.score}, dt = {self.dt:g}, {self.monitoring}, {self.sde.interpretation.label}, "
                f"{self.key}){told}")


def weighted_ensemble(sde: SDE, x0: ArrayLike, target: Region, score: Any = None, dt: float = 1e-3, *, interval: float, t_max: float,
                      monitoring: str = "continuous", n_walkers: int = 300, n_bins: int = 30, n_runs: int = 16,
                      scheme: Scheme | None = None, rng: Any = None, threads: int | None = None) -> WeightedEnsemble:
    """Estimate the mean time to a target from the flux of a weighted ensemble whose arrivals are given back to the start.

    Parameters
    ----------
    sde, dt, monitoring, scheme, rng, threads
        As for `splitting`; the equation must not depend on time.
    x0
        The start, one state: arrivals begin anew there, so that one over the steady flux is the mean time from it.
    target
        The region to be reached.
    score
        As for `splitting`; here its values count, because bins divide their range evenly.
    interval
        The time between two resamplings: so long that walkers move by about a bin.
    t_max
        The time that each run covers.  The second half of it is averaged: the first must be long enough for the flux to become steady,
        several times what a path to the target takes once it is under way.
    n_walkers, n_bins
        Walkers of each run, shared out equally among the bins that hold any.
    n_runs
        Independent runs, whose spread gives the interval.

    Returns
    -------
    WeightedEnsemble
        ``.mean_time`` is an estimate, ``.warnings`` says what speaks against it.

    Notes
    -----
    Walkers of one bin are resampled systematically, each copy with the same weight, so that mean weights are kept and the flux is exact
    for the chain at any choice of bins (`core.weighted_walkers`).  It fails in another way than splitting does: by not yet being steady,
    on the side of times that are too long.  B. W. Zhang, D. Jasnow & D. M. Zuckerman, J. Chem. Phys. 132, 054107 (2010).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.05)            # exact: 361.9
    >>> found = ls.weighted_ensemble(sde, -1.0, ls.Interval(low=0.0), dt=0.01, interval=0.1, t_max=30.0, rng=1)
    >>> found.mean_time
    3... [...] (95 %, weighted ensemble, 16 runs of 300, Itô, dt = 0.01)
    """
    check_ingredients(sde, scheme, None, target)
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t, but a steady flux needs drift and noise that do not.")
    h, tau = positive("dt", dt), positive("interval", interval)
    count, bins = whole("n_walkers", n_walkers, 2), whole("n_bins", n_bins, 2)
    one_of("monitoring", monitoring, ("continuous", "discrete"))
    if count < bins:
        raise ValueError(f"`n_walkers` is {count}, but must be at least `n_bins`, {bins}: every bin needs one.")
    steps, rounds = path_steps(tau, h), path_steps(positive("t_max", t_max), tau)
    start, key = state("x0", x0, sde.dim), Key.draw(rng)
    run = Run(sde, ~target, h, steps, scheme or EulerMaruyama(), monitoring == "continuous", key, UNLIMITED, None)
    level = lowest_face(run.assembly(), start[None])[1]
    if not level[0] > 0:
        raise ValueError(f"`x0`, {shown(start)}, is inside `target`; start outside.")
    scored = score_of(score, sde, target)
    if np.isnan(scored.at(start[None]))[0]:
        raise ValueError(f"`score`, {scored}, is no number at the start {shown(start)}.")
    herd = _Herd(run, scored, start, count, bins, whole("n_runs", n_runs), threads)
    flux, unused, diverged, stopped = herd.flow(rounds)
    if diverged.any():
        warnings.warn(f"{int(diverged.sum())} of {herd.n_runs} runs had walkers that diverged and are left out: the step dt = {h:g} is too "
                      "large for the drift where they were; reduce `dt`.", RuntimeWarning, stacklevel=2)
    return WeightedEnsemble(flux, unused, steps * h, count, bins, diverged, stopped, key, sde, start, target, scored, h, monitoring)


@dataclass(frozen=True)
class _Herd:
    """Independent runs of weighted walkers."""

    run: Run
    score: Score
    start: Array
    n: int
    n_bins: int
    n_runs: int
    threads: int | None

    def flow(self, rounds: int) -> tuple[Array, Array, NDArray[np.bool_], str]:
        """Run for so many intervals: the flux, its unused time, which runs diverged, and why they were stopped."""
        total, made, length = self.n_runs * self.n, self.run.assembly(), self.run.n_steps * self.run.dt
        x, weight = np.tile(self.start, (total, 1)), np.full((self.n_runs, self.n), 1 / self.n)
        flux, unused = np.zeros((2, self.n_runs, rounds))
        diverged = np.zeros(self.n_runs, bool)
        try:
            for k in range(rounds):
                own = replace(self.run, key=self.run.key.spawn(k))      # walker w of run j is path j n + w, whatever the number of runs
                columns = own(x, total, 0, made=made, threads=self.threads, progress=False)
                if columns.stopped:
                    return flux[:, :k], unused[:, :k], diverged, columns.stopped
                status = columns.status.reshape(self.n_runs, self.n)
                arriving = np.where(status == Status.EXITED, weight, 0.0)
                diverged |= (status == Status.DIVERGED).any(axis=1)
                flux[:, k] = arriving.sum(axis=1) / length
                unused[:, k] = (arriving * (length - columns.time.reshape(self.n_runs, self.n))).sum(axis=1) / length
                # Arrivals begin anew, and so do the walkers that diverged, whose runs are lost.
                x = np.where((columns.status != Status.COMPLETED)[:, None], self.start, columns.point)
                x, weight = self._resampled(x, weight, own.key)
        except KeyboardInterrupt:                                       # between two stretches
            return flux[:, :k], unused[:, :k], diverged, "Ctrl-C"
        return flux, unused, diverged, ""

    def _resampled(self, x: Array, weight: Array, key: Key) -> tuple[Array, Array]:
        scores, new, chosen = self.score.at(x).reshape(weight.shape), np.empty_like(weight), np.empty(weight.shape, np.int64)
        draws = uniforms(*map(np.uint64, key.spawn(0).words), np.arange(self.n_runs, dtype=np.uint64), 0, self.n_bins)
        resample_runs(scores, weight, draws, chosen, new)
        return x[(chosen + self.n * np.arange(self.n_runs)[:, None]).ravel()], new


def _log_time(table: Array) -> float:
    """ln (1 / flux − the mean time for which what arrived stood still)."""
    flux, unused = (float(table[:, k].mean()) for k in (0, 1))
    return math.log(max(1 - unused, 1e-300) / flux) if flux > 0 else math.inf


def _exp(x: float) -> float:
    return math.inf if x > 709.78 else math.exp(x)
