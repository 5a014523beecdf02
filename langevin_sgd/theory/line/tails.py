"""What lies between the last panel and an open end: integrands go on there like powers of the distance.

Towards an infinite end the distance r is taken from the start, towards a singular finite one to that end.  An integrand
f ~ r^σ (1 + u), with a correction u that falls like the power θ of the distance, has beyond r the integral
f r / λ · (1 − θ u / (λ + θ)) to first order in u, with λ = |1 + σ|, if σ lies on the right side of −1; it diverges otherwise.  Where f
falls faster than any power, σ is the power between two points, and what lies beyond is next to nothing.
"""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.line.panels import Panels

LEAST_DECAY = 1e-6              # of the integral per e-fold of distance; what decays slower counts as divergent
STEEP = 20.0                    # e-folds of f: a power is taken between two points an octave, or this much, apart
SETTLED_POWER = 1e-9            # change from octave to octave, below which it is rounding
POWERS = (0.5, 1.0, 2.0)        # that a correction may go like
SMALL = 0.05                    # correction to a power law; where it is larger, there is no such law
SETTLED, STILL_GROWING = 0.75, 0.2      # no power law if A still grows by this part over the last quarter of all octaves


def remainder(panels: Panels, log_f: Array, *, settled: bool = True) -> float:
    """Return ln ∫ f from the last edge to the end: −inf for a regular end, +inf if the integral diverges.

    With settled = False, the law is read off one octave before the last: the difference is the error.
    """
    if not panels.end.is_open or log_f[-1, -1] == -np.inf:
        return -np.inf
    values, edge = log_f.ravel(), math.log(panels.distance_at_edges[-1])
    log_r = _log_distance(panels) - edge
    points = _points(log_r, values)
    last, theta = _by_power(panels, log_r, values, points[:2]), _power_of_correction(log_r, values, points)
    if last == np.inf:
        # Where panels stop because nothing matters any more, the integrand may still rise: towards something that does not matter.
        return float(values[-1] + edge) if panels.is_cut_short else math.inf
    if settled:
        return edge + _by_law(panels, log_r, values, points[:3], theta, 0.0, last)
    before = min(_by_power(panels, log_r, values, points[1:3]), last + math.log(2))
    return edge + _by_law(panels, log_r, values, points[1:], theta, 1.0, before)


def unsettled(panels: Panels) -> float:
    """Return how much the powers of s and m still change from one octave to the next, at most 1."""
    log_r, changes = _log_distance(panels), [0.0]
    for values in (panels.log_scale.ravel(), panels.log_speed.ravel()):
        points = _points(log_r, values)
        changes.append(abs(_power(log_r, values, points[:2]) - _power(log_r, values, points[1:3])) if len(points) > 2 else 1.0)
    return min(max(changes), 1.0)


def tail_index(panels: Panels) -> float:
    """Return A, if ∫ m beyond r falls like r^−A towards an infinite end; infinite if it falls faster than any power."""
    log_r, values = _log_distance(panels), panels.log_speed.ravel()
    inner = int(np.searchsorted(log_r, log_r[0] + (log_r[-1] - log_r[0]) * SETTLED))
    now, before = (_decay(panels, _power(log_r, values, (k, _apart(log_r, values, k)))) for k in (len(values) - 1, inner))
    return math.inf if now - before > STILL_GROWING * abs(before) else now


def _log_distance(panels: Panels) -> Array:
    return np.log(panels.distance).ravel()


def _decay(panels: Panels, power: float) -> float:
    """The decay of ∫ f per e-fold of distance towards the end, for f ~ r^power."""
    return -(1 + power) if math.isinf(panels.end.at) else 1 + power


def _by_power(panels: Panels, log_r: Array, values: Array, points: Sequence[int]) -> float:
    """ln ∫ f / r beyond r = 1, for f that is a power between two points and beyond."""
    power = _power(log_r, values, points)
    decay = _decay(panels, power)
    return float(values[points[0]] - power * log_r[points[0]] - math.log(decay)) if decay > LEAST_DECAY else math.inf


def _by_law(panels: Panels, log_r: Array, values: Array, points: Sequence[int], theta: float, second: float, otherwise: float) -> float:
    """The same for the power with a correction that goes through three points; `otherwise` where there is no such law.

    `second` times the square of the correction is added, for what is neglected.
    """
    if len(points) < 3:
        return otherwise
    chosen = np.array(points)
    growing = np.exp(theta * np.abs(log_r[chosen]))                         # inward, from 1 at the last edge
    constant, power, correction = np.linalg.solve(np.stack([np.ones(3), log_r[chosen], growing], axis=1), values[chosen])
    decay = _decay(panels, power)
    if abs(correction) > SMALL or not decay > LEAST_DECAY:
        return otherwise
    return float(constant + correction - math.log(decay) + math.log1p(second * correction**2 - theta * correction / (decay + theta)))


def _power_of_correction(log_r: Array, values: Array, points: Sequence[int]) -> float:
    """The power with which powers settle from octave to octave; 1 where they have settled, or do not."""
    if len(points) < 4:
        return 1.0
    now, before, first = (_power(log_r, values, points[k:k + 2]) for k in range(3))
    if not abs(before - first) > SETTLED_POWER or not 0 < (now - before) / (before - first) < 1:
        return 1.0
    seen = -math.log2((now - before) / (before - first))
    return min(POWERS, key=lambda theta: abs(theta - seen))


def _power(log_r: Array, values: Array, points: Sequence[int]) -> float:
    """The power between two points, the outer one first; 0, which is none, if there are not two."""
    if len(points) < 2:
        return 0.0
    outer, inner = points
    return float((values[outer] - values[inner]) / (log_r[outer] - log_r[inner]))


def _points(log_r: Array, values: Array) -> list[int]:
    """The last point and, going inward, up to three more that lie apart."""
    points = [len(values) - 1]
    while len(points) < 4 and points[-1] > 0:
        points.append(_apart(log_r, values, points[-1]))
    return points


def _apart(log_r: Array, values: Array, k: int) -> int:
    """The nearest point further in than point k that differs from it by an octave of distance, or steeply in value."""
    apart = (np.abs(log_r[:k] - log_r[k]) >= math.log(2)) | (np.abs(values[:k] - values[k]) >= STEEP)
    return int(np.flatnonzero(apart).max(initial=0))
