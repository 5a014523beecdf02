"""A jump process with its states taken out: by a band where that is quick, else by fronts, and not at all beyond the memory given."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.dissection import Dissection, dissect
from langevin_sgd.theory.grids.elimination import Band, eliminate, stationary
from langevin_sgd.theory.grids.fronts import Fronts, NothingLeavesError, eliminate_fronts
from langevin_sgd.theory.grids.generator import Jumps

QUICK = 2e9             # multiplications along a band, about half a second; on a line a band is always best
GIGABYTE = 1e9


@dataclass(frozen=True, eq=False)
class Plan:
    """How a jump process will be eliminated: along a band, or in the order of a dissection."""

    jumps: Jumps
    dissection: Dissection | None

    @property
    def bytes(self) -> float:
        """The most memory that it holds."""
        if self.dissection is not None:
            return self.dissection.bytes
        return 8.0 * len(self.jumps.cells) * (2 * self.jumps.bandwidth + 1)

    def eliminate(self, kill: Array) -> Eliminated:
        """Return the process, which ends at these rates, after elimination."""
        if self.dissection is None:
            band = self.jumps.band()
            return Eliminated(self, kill, Band(band, eliminate(band, kill)))
        try:
            return Eliminated(self, kill, eliminate_fronts(self.dissection, self.jumps.source, self.jumps.target, self.jumps.rate, kill))
        except NothingLeavesError:
            return Eliminated(self, kill, None)


@dataclass(frozen=True, eq=False)
class Eliminated:
    """A jump process that ends, and what is left of it after elimination.

    Attributes
    ----------
    plan
        The process, and how it was eliminated.
    kill
        The rates (n,) at which it ends.
    taken
        What is left; None if there are states from which it does not end.
    """

    plan: Plan
    kill: Array
    taken: Band | Fronts | None

    @property
    def jumps(self) -> Jumps:
        """The process."""
        return self.plan.jumps

    @property
    def ends(self) -> bool:
        """Whether the process ends from everywhere."""
        return self.taken is not None and self.taken.ends

    @property
    def bytes(self) -> float:
        """The memory of what is kept."""
        return 0.0 if self.taken is None else self.taken.bytes

    def solve(self, source: Array) -> Array:
        """Return t with Σ_j q_ij (t_i − t_j) + kill_i t_i = source_i ≥ 0, to rounding at any t."""
        assert self.taken is not None, "This is a bug: a process that doesn't end was asked when it will."
        return self.taken.solve(source)

    def solve_transposed(self, source: Array) -> Array:
        """Return the mean times p spent in each state: p_i (kill_i + Σ_j q_ij) − Σ_j p_j q_ji = source_i ≥ 0."""
        assert self.taken is not None, "This is a bug: a process that doesn't end was asked where it stays."
        return self.taken.solve_transposed(source)


def planned(jumps: Jumps, memory: float) -> Plan:
    """Return how a process is eliminated with the least work.

    Raises
    ------
    ValueError
        If that would hold more bytes than `memory`.
    """
    is_banded = len(jumps.cells) * jumps.bandwidth**2 <= QUICK or jumps.along.shape[1] == 1
    plan = Plan(jumps, None if is_banded else dissect(jumps.along, jumps.source, jumps.target))
    if plan.bytes > memory:
        raise ValueError(f"`grid` has {len(jumps.cells)} cells in the domain, which take {plan.bytes / GIGABYTE:.3g} GB, more than the "
                         f"`memory` of {memory / GIGABYTE:.3g} GB; give it fewer cells or a smaller box, or give FokkerPlanck more memory.")
    return plan


def stationary_law(plan: Plan, memory: float) -> Array:
    """Return the stationary probabilities of a process that does not end.

    Raises
    ------
    ValueError
        If some states cannot reach others, if probabilities are further apart than floats reach, or as `planned`.
    """
    law = _law_by_band(plan) if plan.dissection is None else _law_by_fronts(plan.jumps, memory)
    if law is None:
        raise ValueError("some cells cannot reach others, so that there is no single stationary law.")
    if not (law[-1] > 0 and np.isfinite(law).all()):
        raise ValueError("the density falls by more than 300 orders of magnitude between cells of the box; give a smaller `grid`.")
    return np.asarray(law / law.sum())


def _law_by_band(plan: Plan) -> Array | None:
    band = plan.jumps.band()
    pivot = eliminate(band, np.zeros(len(band)))
    return np.asarray(stationary(band)) if (pivot[1:] > 0).all() else None


def _law_by_fronts(jumps: Jumps, memory: float) -> Array | None:
    """The times spent elsewhere between two visits to one state; then the time there, by what comes back to it."""
    rest = jumps.ending_at(0)
    back, leaving = rest.kill[-1], jumps.source == 0
    run = planned(rest, memory).eliminate(back)
    if not run.ends:
        return None
    starts = np.bincount(jumps.target[leaving], jumps.rate[leaving], len(jumps.cells))[1:]
    elsewhere = run.solve_transposed(starts.astype(float))
    return np.concatenate([[elsewhere @ back / starts.sum()], elsewhere])
