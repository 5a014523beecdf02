"""What becomes of paths at an open end of the domain, after Feller: they leave, come back, or are never seen again.

With S = ∫ s the scale and m the speed density: an end is approached with positive probability if S is finite there, and then reached
in finite time if ∫ (S(end) − S) m is finite.  Which integrals are finite is seen from a first look at all distances, octave by octave.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.ends import End, Fate, Verdict, ends_around
from langevin_sgd.theory.line.panels import Panels
from langevin_sgd.theory.line.refinement import MOST_PANELS, potential_resolved
from langevin_sgd.theory.line.rule import gauss_legendre
from langevin_sgd.theory.line.shares import Sides
from langevin_sgd.theory.line.tails import LEAST_DECAY, SMALL, remainder

LOOK_ORDER, FOLLOW_ORDER = 16, 24       # nodes in a panel: where nothing oscillates, and where something does
ALL_OCTAVES = 999               # more than there are within the reach of floats
FIRST_OCTAVES = 2               # to follow an oscillating potential
FEWEST_TURNS = 4                # of Φ or D in the last octave
TREND, CALM = 4.0, 1e-3         # change of Φ over the last octave: in units of what it oscillates by; what it may oscillate by without


def looks_around(sde: SDE, region: Region, x0: float, *, exits: bool = True) -> Sides:
    """Return the first looks towards both ends of the piece of a region in which x0 lies (see `ends_around`)."""
    low, high = (first_look(sde, end) for end in ends_around(sde, region, x0, exits=exits))
    return low, high


def first_look(sde: SDE, end: End) -> Panels:
    """Return the first panels towards an end, which take in all octaves of distance, and in their end the verdict on it.

    Nothing of the size of an octave is overlooked.  Where drift or noise oscillate on the way, single octaves say nothing: there, the
    potential is followed until its trend is clear.

    Raises
    ------
    ValueError
        If no trend becomes clear, or if the drift carries paths across a singular point.
    """
    look = Panels.towards(sde, end, gauss_legendre(LOOK_ORDER), ALL_OCTAVES)
    if not end.is_open:
        return look
    if _turns(look, len(look.slope) // 2):
        look = _followed(sde, end)
    return replace(look, end=replace(end, verdict=_verdict(look)))


def remarks(sides: Sequence[Panels]) -> str:
    """Return what is to be said of the ends."""
    return "; ".join(panels.end.verdict.sentence for panels in sides if panels.end.verdict and panels.end.verdict.sentence)


def why_infinite(sides: Sequence[Panels]) -> str:
    """Return why a moment of the passage time does not exist."""
    fates = [panels.end.fate for panels in sides]
    if Fate.LOST in fates:
        return f"infinite: {remarks(sides)}"
    if Fate.LEAVE not in fates:
        return "; ".join(filter(None, ["infinite: no path ever leaves the domain", remarks(sides)]))
    slow = [panels.end.place for panels in sides if panels.end.is_slow]
    if slow:
        return f"infinite: paths come back from {slow[0]}, but the mean time until then is infinite (the speed measure is not integrable)"
    return "infinite: paths come back from far out too slowly for this moment to exist"


# ------------------------------------------------------------------------------------------------------------- verdicts

def _verdict(look: Panels) -> Verdict:
    """The verdict on an open end."""
    end, is_slow = look.end, not _decay(look, look.bounds(look.highest_speed)) > LEAST_DECAY
    if end.reflects:
        return Verdict(Fate.RETURN, is_slow=is_slow)
    if not _decay(look, look.bounds(look.highest_scale)) > LEAST_DECAY:
        return Verdict(Fate.RETURN, f"no path reaches the exit {end.label!r} at {end.place}" if end.label else "", is_slow)
    is_reached = remainder(look, _log_time_to_end(look)) < np.inf
    if math.isinf(end.at):
        return Verdict(Fate.LOST, f"some paths reach {end.place} in finite time" if is_reached else f"some paths drift to {end.place}")
    if not is_reached:
        what = f"the exit {end.label!r} at {end.place}" if end.label else f"{end.place}, where {end.cause},"
        return Verdict(Fate.LOST, f"some paths approach {what} and never reach it")
    return Verdict(Fate.LEAVE) if end.label else _at_singular_point(look, is_slow)


def _at_singular_point(look: Panels, is_slow: bool) -> Verdict:
    """The verdict on a singular point that is no exit and that paths reach."""
    end = look.end
    push = end.sign * look.sde.ito_drift(end.at)
    least = 1e-9 * abs(look.sde.ito_drift((end.at + end.start) / 2))
    if push > least:
        raise ValueError(f"{end.cause} at {end.place}, and the drift carries paths across; end the domain there, or add a floor to the "
                         "noise.")
    if push < -least and not is_slow:
        return Verdict(Fate.RETURN, f"paths are reflected at {end.place}, where {end.cause} and the drift points back")
    return Verdict(Fate.LOST, f"some paths reach {end.place}, where {end.cause}, and stay there")


def _log_time_to_end(look: Panels) -> Array:
    """ln (m ∫ s beyond) up to a factor, where ∫ s beyond is finite: it is s r over its decay."""
    log_r = np.log(look.distance)
    decay = np.abs(1 + np.gradient(look.log_scale.ravel(), log_r.ravel())).reshape(log_r.shape)
    return log_r - look.log_diffusion - np.log(decay)


def _decay(look: Panels, wholes: Array) -> float:
    """The decay of the integral over an octave, per e-fold of distance towards the end; given integrals over panels."""
    octave = _octaves_back(look)
    logs = [np.logaddexp.reduce(wholes[octave == k], initial=-np.inf) for k in range(3)]
    now, before = ((logs[k + 1] - logs[k]) / math.log(2) for k in range(2))
    # What is still to change halves from octave to octave, if there is a power law at all.
    return float(2 * now - before if abs(now - before) < SMALL else now)


def _octaves_back(look: Panels) -> Array:
    """How many whole octaves of distance lie between each panel (K,) and the last edge."""
    middle = (look.distance_at_edges[1:] + look.distance_at_edges[:-1]) / 2
    return np.floor(np.abs(np.log2(middle / look.distance_at_edges[-1])))


# ---------------------------------------------------------------------------------------------------------- oscillation

def _followed(sde: SDE, end: End) -> Panels:
    """Panels that resolve the potential towards an end, as far as it takes for its trend to be clear."""
    panels = Panels.towards(sde, end, gauss_legendre(FOLLOW_ORDER), FIRST_OCTAVES)
    while True:
        panels = potential_resolved(panels, CALM)
        if panels.exhausted or _has_clear_trend(panels):
            return panels
        if len(panels.half) > MOST_PANELS:
            raise ValueError(f"drift or noise oscillate on the way to {end.place}, and no trend is clear that would tell what becomes of "
                             "paths there; give the domain an end on that side, which may be reflecting.")
        panels = panels.extended(1)


def _has_clear_trend(panels: Panels) -> bool:
    """Tell whether Φ has turned, and either rises or falls by more than it oscillates, or has become calm."""
    first = int(np.argmax(_octaves_back(panels) == 0))
    x, potential = np.abs(panels.nodes[first:] - panels.end.start).ravel(), panels.potential[first:].ravel()
    chord = potential[0] + (potential[-1] - potential[0]) * (x - x[0]) / (x[-1] - x[0])
    oscillation = float(np.abs(potential - chord).max())
    return _turns(panels, first) >= FEWEST_TURNS and (oscillation <= CALM or abs(potential[-1] - potential[0]) >= TREND * oscillation)


def _turns(panels: Panels, first: int) -> int:
    """How often Φ or D turn in the panels from number `first`, more than by rounding."""
    changes = panels.half[first:, None] * panels.slope[first:], np.diff(panels.log_diffusion[first:].ravel())
    signs = [np.sign(change[np.abs(change) > 1e-12]) for change in changes]
    return max(int((sign[1:] != sign[:-1]).sum()) for sign in signs)
