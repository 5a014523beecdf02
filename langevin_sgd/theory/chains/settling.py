"""Numbers of a chain that do not change any more: with more nodes, and in a wider window."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.region import Interval
from langevin_sgd.theory.chains.transition import Edge, Grid, Step, TooManyNodes, Window, panel_edges
from langevin_sgd.theory.line.convergence import QuadratureError
from langevin_sgd.theory.line.ends import Fate
from langevin_sgd.theory.line.fates import looks_around, why_infinite
from langevin_sgd.theory.line.refinement import refined, relevant
from langevin_sgd.theory.line.rule import gauss_legendre
from langevin_sgd.theory.line.shares import Shares

TOLERANCE = 1e-9
ROUNDING = 1e-13                # of sums over nodes
ORDER, FINER_ORDER = 12, 16     # nodes in a panel
PANEL_WIDTH = 4.0               # in standard deviations of a step
WIDER = 1.3                     # reach of the wider window
ROUNDS = 8

Number = Callable[[Grid], tuple[float, float]]      # a number, and the scale on which its error counts


@dataclass(frozen=True)
class Surroundings:
    """Windows around a start: finite ends stay where they are, infinite ones are cut where the equation has nothing left, or farther.

    Attributes
    ----------
    center
        The start.
    low, high
        The ends, or first cuts.
    at_low, at_high
        What they do.
    """

    center: float
    low: float
    high: float
    at_low: Edge
    at_high: Edge

    @classmethod
    def of(cls, step: Step, domain: Interval, center: float, edges: tuple[Edge, Edge], log_shares: Shares) -> Surroundings:
        """Return the surroundings of a start in a domain; `edges` say what its finite ends do.

        Raises
        ------
        ValueError
            If paths of the equation get lost at an infinite end, or what they do there is infinite.
        """
        ends = [domain.low, domain.high]
        if all(map(math.isfinite, ends)):
            return cls(center, domain.low, domain.high, *edges)
        looks = looks_around(step.sde, domain, center, exits=edges[0] is Edge.EXIT or edges[1] is Edge.EXIT)
        for look, end in zip(looks, ends, strict=True):
            if look.end.at != end:
                raise ValueError(f"{look.end.cause} at x = {look.end.at:.6g}, but a step of a chain leads beyond any such point; "
                                 "give `domain` an end before it, or add a floor to the noise.")
        if any(look.end.fate is Fate.LOST or look.end.is_slow for look in looks):
            raise ValueError(f"no window of the chain can be chosen, since for the equation itself the answer is {why_infinite(looks)}; "
                             "give `domain` a finite end on that side, which may be reflecting.")
        sides = refined(relevant(looks, log_shares, gauss_legendre(16)), log_shares).sides
        cuts = [end if math.isfinite(end) else float(side.edges[-1]) for side, end in zip(sides, ends, strict=True)]
        kinds = [edge if math.isfinite(end) else Edge.CUT for edge, end in zip(edges, ends, strict=True)]
        return cls(center, cuts[0], cuts[1], kinds[0], kinds[1])

    def window(self, reach: float) -> Window:
        """Return the window with all cuts this many times as far from the start as the first ones."""
        cuts = [self.center + reach * (end - self.center) if kind is Edge.CUT else end
                for end, kind in ((self.low, self.at_low), (self.high, self.at_high))]
        return Window(cuts[0], cuts[1], self.at_low, self.at_high)


def settled(step: Step, around: Surroundings, number: Number, quantity: str) -> tuple[Estimate, Grid]:
    """Return a number that neither more nodes nor a wider window change, and the grid of its best value.

    Raises
    ------
    QuadratureError
        If it changes by more than 1e-9 of its scale; the error carries the best value.
    """
    best, reach, farther, width, trouble = None, 1.0, 2.0, PANEL_WIDTH, ""
    for _ in range(ROUNDS):
        near, far = (around.window(r) for r in (reach, WIDER * reach))
        try:
            coarse, fine, wide = (_grid(step, window, around.center, width, order)
                                  for window, order in ((near, ORDER), (near, FINER_ORDER), (far, FINER_ORDER)))
        except TooManyNodes:
            trouble = f"steps of dt = {step.dt:g} are too small for the domain or for how far the chain gets in it"
            break
        rough, better, (value, scale) = number(coarse)[0], number(fine)[0], number(wide)
        if not math.isfinite(value):
            trouble = "the number is beyond floats"
            break
        by_nodes, by_reach = (abs(a - b) / scale if scale else 0.0 for a, b in ((rough, better), (value, better)))
        best = _estimate(step, value, scale * (max(by_nodes, by_reach) + ROUNDING), quantity), wide
        if max(by_nodes, by_reach) <= TOLERANCE:
            return best
        if by_nodes > max(TOLERANCE, by_reach):         # what is cut off moves with the last node, and so shows in both
            width *= 0.7
        if by_reach > TOLERANCE:
            reach, farther = reach * farther, farther**2
    if best is None:
        raise QuadratureError(f"the {quantity} of the chain could not be computed: {trouble}.  Take a larger dt and extrapolate, or use "
                              "ls.exact for the equation itself.", _estimate(step, math.inf, 0.0, quantity))
    raise QuadratureError(f"the {quantity} of the chain reached {best[0].value:.12g}, but still changes by "
                          f"{(best[0].high - best[0].low) / 2:.1e} with the nodes or the window, where {TOLERANCE:g} of it is allowed; it "
                          "may be infinite.  The value is in `.estimate`.", best[0])


@functools.lru_cache(maxsize=8)
def _grid(step: Step, window: Window, center: float, width: float, order: int) -> Grid:
    """A grid, kept: several numbers of one chain are computed on it."""
    return Grid.on(step, window, panel_edges(step, window, center, width), order)


def _estimate(step: Step, value: float, error: float, quantity: str) -> Estimate:
    return Estimate(value=value, low=value - error, high=value + error, confidence=1.0, method="Nyström", quantity=quantity,
                    interpretation=step.sde.interpretation, dt=step.dt)


def known(step: Step, value: float, quantity: str) -> Estimate:
    """Return an estimate of what needs no computation."""
    return _estimate(step, value, 0.0, quantity)
