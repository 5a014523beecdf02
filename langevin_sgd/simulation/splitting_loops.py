"""Where paths enter, and how long a loop takes: walkers go from the source to a surface around it and back, by direct simulation.

The mean time from a start x0 inside the source to the target is, with p the probability to reach the target from the surface before
returning, averaged over the states in which a path that has not yet reached the target hits the surface (Hill's relation):

    τ = E[x0 → surface] + (1/p − 1) (E[surface → source, not by way of the target] + E[source → surface]) + E[surface → target, not back]

Source: F. Cérou, A. Guyader, T. Lelièvre & D. Pommier, J. Chem. Phys. 134, 054108 (2011).  Detailed balance is not needed.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.region import Region, boundary
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import Assembly
from langevin_sgd.simulation.exits import lowest_face
from langevin_sgd.simulation.first_passage import Columns, Run
from langevin_sgd.simulation.splitting_runs import Race

ENDLESS = 2**62
LOOPS, OUT, BACK = 1, 0, 1       # where the keys of loops are spawned, beside those of runs; and of the two ways of a loop


@dataclass(frozen=True)
class Loops:
    """What walkers did, each of them one entry.

    Attributes
    ----------
    states
        Where each last hit the surface (walker, d).
    first
        The time from its start to the surface.
    durations
        The times of its loops (walker, loop); NaN for a loop that ended at the target.
    failed
        Whether it diverged or was stopped.
    stopped
        Why walkers were stopped, or "".
    """

    states: Array
    first: Array
    durations: Array
    failed: NDArray[np.bool_]
    stopped: str

    @property
    def settled(self) -> Array:
        """The times of all loops but the first of each walker, which still remembers the start."""
        return self.durations[:, min(1, self.durations.shape[1] - 1):]

    @property
    def moved(self) -> float:
        """By how many standard errors the last loops differ from the second ones in duration; NaN if there are fewer than three."""
        early, late = (d[np.isfinite(d)] for d in (self.settled[:, 0], self.settled[:, -1]))
        if self.durations.shape[1] < 3 or min(len(early), len(late)) < 2:
            return math.nan
        return float((late.mean() - early.mean()) / math.sqrt(early.var() / len(early) + late.var() / len(late) + 1e-300))


@dataclass(frozen=True)
class Walk:
    """How walkers loop between the source and the surface of a region around it."""

    race: Race
    around: Region

    def __call__(self, x0: Array, n_walkers: int, n_loops: int) -> Loops:
        """Run walkers from x0 (walker, d), and return what they did after so many loops."""
        race = self.race
        out, back = self._run(self.around), self._run(~race.source & ~race.target)
        inside, between = out.assembly(), back.assembly()
        faces_of_source = sum(map(len, boundary(~race.source, race.sde.variables)))
        columns = self._stretch(out, inside, x0, n_walkers, 0, OUT)
        first, durations = columns.time, np.full((n_walkers, n_loops), np.nan)
        failed = columns.status != Status.EXITED
        for loop in range(n_loops):
            if columns.stopped:
                break
            hits = self._checked(columns.point, x0, between, failed, "left `around`", "source or target")
            home = self._stretch(back, between, hits, n_walkers, loop + 1, BACK)
            if home.stopped:
                columns = home
                break
            failed |= home.status != Status.EXITED
            arrived = home.label >= faces_of_source
            start = np.where(arrived[:, None], x0, home.point)              # the few that arrived begin anew
            start = self._checked(start, x0, inside, failed, "returned to `source`", "the outside of `around`")
            columns = self._stretch(out, inside, start, n_walkers, loop + 1, OUT)
            failed |= columns.status != Status.EXITED
            durations[:, loop] = np.where(arrived, np.nan, home.time + columns.time)
        if columns.stopped:
            return Loops(columns.point, first, durations, np.ones(n_walkers, bool), columns.stopped)
        hits = self._checked(columns.point, x0, between, failed, "left `around`", "source or target")
        return Loops(hits, first, durations, failed, "")

    def _run(self, domain: Region) -> Run:
        race = self.race
        return Run(race.sde, domain, race.dt, ENDLESS, race.scheme, race.bridge, race.key, ENDLESS, None)

    def _stretch(self, run: Run, made: Assembly, x0: Array, n_walkers: int, loop: int, kind: int) -> Columns:
        """One way of all walkers, on streams of its own."""
        own = replace(run, key=self.race.key.spawn(LOOPS, loop, kind))
        return own(np.ascontiguousarray(x0), n_walkers, 0, made=made, threads=self.race.threads, progress=self.race.progress)

    @staticmethod
    def _checked(x: Array, x0: Array, made: Assembly, failed: NDArray[np.bool_], what: str, where: str) -> Array:
        """States from which the next stretch can begin; those of walkers that failed become x0."""
        wrong = ~(lowest_face(made, np.where(failed[:, None], x0, x))[1] > 0.0) & ~failed
        if wrong.any():
            raise ValueError(f"`around` is no surface between `source` and `target`: a path that {what} at "
                             f"{np.array2string(x[int(np.argmax(wrong))], precision=6)} was in {where}. Choose it so that it holds "
                             "`source` with some distance, and nothing of `target`.")
        return np.where(failed[:, None], x0, x)
