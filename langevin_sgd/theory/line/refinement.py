"""Panels where they matter: cut until what they leave unresolved, times their share of the answer, is negligible."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.line.panels import Mask, Panels
from langevin_sgd.theory.line.rule import Rule
from langevin_sgd.theory.line.shares import Shares, Sides
from langevin_sgd.theory.line.tails import unsettled

NEGLIGIBLE = 1e-13              # unresolved part × share of the answer
IRRELEVANT = 1e-18              # share of the answer
MOST_PASSES, MOST_PANELS = 400, 20_000
MORE_OCTAVES = 6                # at a time, on the way to where a density is asked for


@dataclass(frozen=True, eq=False)
class Refined:
    """Panels on both sides of a start, and whether they resolve all that matters."""

    sides: Sides
    is_complete: bool


def relevant(looks: Sides, log_shares: Shares, rule: Rule) -> Sides:
    """Return the panels of a first look that matter, with the rule that they are to be computed with."""
    low, high = (panels.trimmed(_last_relevant(shares) + 2) if panels.end.is_open else panels
                 for panels, shares in zip(looks, log_shares(looks), strict=True))
    return low.with_rule(rule), high.with_rule(rule)


def refined(sides: Sides, log_shares: Shares, *, trust_tails: bool = True) -> Refined:
    """Return the panels, cut and extended until they resolve all that matters, or until there are too many of them.

    Parameters
    ----------
    sides
        The panels on both sides of the start.
    log_shares
        Returns for each side about the logarithm of the share (K,) of the answer in which a panel plays a part.
    trust_tails
        Whether panels towards an open end may stop where the tail has become a power; else they go on as long as anything is there.
    """
    for _ in range(MOST_PASSES):
        (low, is_low_done), (high, is_high_done) = (
            _improved(side, shares, trust_tails) for side, shares in zip(sides, log_shares(sides), strict=True))
        if low is sides[0] and high is sides[1]:
            return Refined(sides, is_low_done and is_high_done)
        if len(low.half) + len(high.half) > MOST_PANELS:
            break
        sides = low, high
    return Refined(sides, False)


def potential_resolved(panels: Panels, tolerance: float = NEGLIGIBLE) -> Panels:
    """Return the panels, cut until they resolve Φ, though not its exponential, or until there are too many of them."""
    for _ in range(MOST_PASSES):
        chosen = (panels.unresolved_potential > np.maximum(tolerance, panels.rounding)) & panels.divisible
        if not chosen.any() or len(chosen) > MOST_PANELS:
            break
        panels = panels.cut(chosen)
    return panels


def reaching(panels: Panels, x: float) -> Panels:
    """Return panels that resolve Φ and reach as far as x, or as floats allow."""
    while panels.end.sign * (x - panels.edges[-1]) > 0 and panels.end.is_open and not panels.exhausted:
        panels = panels.extended(MORE_OCTAVES)
    return potential_resolved(panels)


def _improved(panels: Panels, log_share: Array, trust_tails: bool) -> tuple[Panels, bool]:
    """One pass over the panels of one side: themselves if nothing can be improved, and whether nothing needs to be."""
    if not log_share.size:
        return panels, True
    # One panel beyond the last that matters is kept and resolved: else a potential that only seems to rise would hide what lies behind.
    kept = _last_relevant(log_share) + 2
    if panels.end.is_open and kept < len(log_share):
        panels, log_share = panels.trimmed(kept), log_share[:kept]
    chosen = _unresolved(panels, log_share, kept)
    if (chosen & panels.divisible).any():
        return panels.cut(chosen & panels.divisible), False
    if panels.end.is_open and not panels.exhausted and _tail_matters(panels, log_share, trust_tails):
        return panels.extended(_next_octaves(panels)), False
    return panels, not chosen.any()


def _unresolved(panels: Panels, log_share: Array, kept: int) -> Mask:
    """Tell which panels (K,) are to be cut: for s and m where they matter, for Φ wherever it must be known."""
    # Rounding is an error that no cut mends; but that of a panel which resolves nothing says little about its parts.
    tolerance = np.maximum(panels.rounding, NEGLIGIBLE)
    matters = np.exp(log_share) * panels.unresolved > np.where(panels.unresolved < 1, tolerance, NEGLIGIBLE)
    potential = panels.unresolved_potential > tolerance
    return matters | (potential & (np.arange(len(log_share)) < kept))


def _last_relevant(log_share: Array) -> int:
    """The index of the last panel that matters."""
    return int(np.flatnonzero(log_share > np.log(IRRELEVANT)).max(initial=0))


def _tail_matters(panels: Panels, log_share: Array, trust_tails: bool) -> bool:
    """Tell whether what is not known of the tail beyond the last panel plays a part in the answer."""
    share = float(np.exp(log_share[-1]))
    return share > IRRELEVANT and not (trust_tails and share * unsettled(panels) <= NEGLIGIBLE)


def _next_octaves(panels: Panels) -> int:
    """As many as there are panels while an octave needs one only, else two: a potential that oscillates is followed step by step."""
    with np.errstate(divide="ignore"):
        last, before = np.log2(panels.distance_at_edges[[-1, -2]])
    return len(panels.half) if abs(last - before) > 0.99 else 2
