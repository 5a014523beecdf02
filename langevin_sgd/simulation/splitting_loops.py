"""Where paths enter, and how long a loop takes: walkers go from the source to a surface around it and back, by direct simulation.

The mean time from a start x0 inside the source to the target is, with p the probability to reach the target from the surface before
returning, averaged over the states in which a path that has not yet reached the target hits the surface (Hill's relation):

    τ = E[x0 → surface] + (1/p − 1) (E[surface → source, not by way of the target] + E[source → surface]) + E[surface → target, not back]

Source: F. Cérou, A. Guyader, T. Lelièvre & D. Pommier, J. Chem. Phys. 134, 054108 (2011).  Detailed balance is not needed.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.assembly import Assembly
from langevin_sgd.simulation.exits import lowest_face
from langevin_sgd.simulation.first_passage import Columns, Run
from langevin_sgd.simulation.schemes import Scheme

ENDLESS = 2**62
OUT, BACK = 0, 1


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


@dataclass(frozen=True)
class Walk:
    """How walkers loop between the source and the surface."""

    sde: SDE
    source: Region
    target: Region
    around: Region
    dt: float
    scheme: Scheme
    bridge: bool
    key: Key
    threads: int | None
    progress: bool | None

    def __call__(self, x0: Array, n_walkers: int, n_loops: int, faces_of_source: int) -> Loops:
        """Run walkers from x0 (1, d) or (walker, d), and return what they did after so many loops."""
        out, back = self._run(self.around), self._run(~self.source & ~self.target)
        inside, between = out.assembly(), back.assembly()
        columns = self._stretch(out, inside, x0, n_walkers, 0, OUT)
        first, durations = columns.time, np.full((n_walkers, n_loops), np.nan)
        failed, stopped = columns.status != Status.EXITED, columns.stopped
        for loop in range(n_loops):
            hits = self._checked(columns.point, between, failed, "left `around`", "source or target")
            home = self._stretch(back, between, hits, n_walkers, loop + 1, BACK)
            failed |= home.status != Status.EXITED
            arrived = home.label >= faces_of_source
            start = np.where(arrived[:, None], x0, home.point)              # the few that arrived begin anew
            columns = self._stretch(out, inside, self._checked(start, inside, failed, "returned to `source`", "the outside of `around`"),
                                    n_walkers, loop + 1, OUT)
            failed |= columns.status != Status.EXITED
            stopped = stopped or home.stopped or columns.stopped
            durations[:, loop] = np.where(arrived, np.nan, home.time + columns.time)
        hits = self._checked(columns.point, between, failed, "left `around`", "source or target")
        return Loops(hits, first, durations, failed, stopped)

    def _run(self, domain: Region) -> Run:
        return Run(self.sde, domain, self.dt, ENDLESS, self.scheme, self.bridge, self.key, ENDLESS, None)

    def _stretch(self, run: Run, made: Assembly, x0: Array, n_walkers: int, loop: int, kind: int) -> Columns:
        """One way of all walkers, on streams of its own."""
        own = Run(run.sde, run.domain, run.dt, run.n_steps, run.scheme, run.bridge, self.key.spawn(loop, kind), ENDLESS, None)
        return own(np.ascontiguousarray(x0), n_walkers, 0, made=made, threads=self.threads, progress=self.progress)

    @staticmethod
    def _checked(x: Array, made: Assembly, failed: NDArray[np.bool_], what: str, where: str) -> Array:
        """States that lie where the next stretch can begin."""
        wrong = ~(lowest_face(made, x)[1] > 0.0) & ~failed
        if wrong.any():
            raise ValueError(f"`around` is no surface between `source` and `target`: a path that {what} at "
                             f"{np.array2string(x[int(np.argmax(wrong))], precision=6)} was in {where}. Choose it so that it holds "
                             "`source` with some distance, and nothing of `target`.")
        return x
