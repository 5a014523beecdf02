"""The least action from an edge of a grid to a state behind it, along a curved path: the step of a sweep for the quasi-potential.

All lengths are in cells: with f_i / h_i for the drift and C_ij / (h_i h_j) for the covariance, cells are squares of side 1, and U stays
what it is.  At both ends of the edge U and p = ∇U are known.  Between them U is the cubic with these values and slopes.  A path leaves its
foot on the edge along f + C p and is a cubic too, so that the foot and the direction at the end are what is left to choose; the geometric
action ∫ |v| |f| − ⟨v, f⟩ in the metric C⁻¹ is taken by Gauss's rule.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from langevin_sgd.models.arguments import Array

options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
compiled = numba.njit(**options)

Pair = tuple[float, float]
Local = tuple[float, float, float, float, float]        # f₁, f₂ and the metric M₁₁, M₁₂, M₂₂ = C⁻¹

STEPS = 6                       # of Newton's method
FIRST_GUESS = 0.3               # of the foot
AROUND = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1))     # of foot and slope, in units of DELTA
DELTA = 3e-4                    # of its differences
LONGEST = 0.5                   # change of the direction in one step
AT_REST = 1e-6
STEEPEST = 1.0                  # slope of a path against its chord
FIRST, LAST = 0.5 - 0.5 * math.sqrt(0.6), 0.5 + 0.5 * math.sqrt(0.6)       # nodes of Gauss's rule; the third is 1/2


class Plane(NamedTuple):
    """Drift and metric at points half a cell apart, (2 n₁ − 1, 2 n₂ − 1, 5), and whether the metric changes from point to point."""

    table: Array
    varies: bool


class Edge(NamedTuple):
    """From `start` along `way`, both in cells, with U and p at both ends."""

    start: Pair
    way: Pair
    values: Pair
    first: Pair
    last: Pair


@compiled
def local(plane: Plane, x: Pair) -> Local:
    """Drift and metric at a state, by cubics through 4 × 4 points."""
    table = plane.table
    u, w = 2 * x[0], 2 * x[1]
    i = min(max(int(u) - 1, 0), table.shape[0] - 4)
    j = min(max(int(w) - 1, 0), table.shape[1] - 4)
    a, b = _weights(u - i), _weights(w - j)
    f0 = f1 = m0 = m1 = m2 = 0.0
    for k in range(4):
        r = table[i + k]
        f0 += a[k] * (b[0] * r[j, 0] + b[1] * r[j + 1, 0] + b[2] * r[j + 2, 0] + b[3] * r[j + 3, 0])
        f1 += a[k] * (b[0] * r[j, 1] + b[1] * r[j + 1, 1] + b[2] * r[j + 2, 1] + b[3] * r[j + 3, 1])
        if plane.varies:
            m0 += a[k] * (b[0] * r[j, 2] + b[1] * r[j + 1, 2] + b[2] * r[j + 2, 2] + b[3] * r[j + 3, 2])
            m1 += a[k] * (b[0] * r[j, 3] + b[1] * r[j + 1, 3] + b[2] * r[j + 2, 3] + b[3] * r[j + 3, 3])
            m2 += a[k] * (b[0] * r[j, 4] + b[1] * r[j + 1, 4] + b[2] * r[j + 2, 4] + b[3] * r[j + 3, 4])
    if not plane.varies:
        m0, m1, m2 = table[0, 0, 2], table[0, 0, 3], table[0, 0, 4]
    return f0, f1, m0, m1, m2


@compiled
def at_point(plane: Plane, i: int, j: int) -> Local:
    """Drift and metric at a point of the table."""
    r = plane.table[i, j]
    return r[0], r[1], r[2], r[3], r[4]


@compiled
def _weights(t: float) -> tuple[float, float, float, float]:
    a, b, c, d = t, t - 1.0, t - 2.0, t - 3.0
    return -b * c * d / 6.0, a * c * d / 2.0, -a * b * d / 2.0, a * b * c / 6.0


@compiled
def _products(v: Pair, here: Local) -> tuple[float, float, float]:
    """⟨v, v⟩, ⟨f, f⟩ and ⟨v, f⟩ in the metric."""
    f0, f1, m0, m1, m2 = here
    return (m0 * v[0] * v[0] + 2 * m1 * v[0] * v[1] + m2 * v[1] * v[1], m0 * f0 * f0 + 2 * m1 * f0 * f1 + m2 * f1 * f1,
            m0 * v[0] * f0 + m1 * (v[0] * f1 + v[1] * f0) + m2 * v[1] * f1)


@compiled
def cost(v: Pair, here: Local) -> float:
    """|v| |f| − ⟨v, f⟩, without cancellation where v and f are nearly parallel."""
    vv, ff, vf = _products(v, here)
    product = math.sqrt(vv * ff)
    if vf <= 0.0:
        return product - vf
    cross = v[0] * here[1] - v[1] * here[0]
    return (here[2] * here[4] - here[3]**2) * cross * cross / (product + vf)


@compiled
def momentum(v: Pair, here: Local) -> Pair:
    """p = C⁻¹ (|f| v / |v| − f), ∇U at a state that a path of least action reaches with direction v."""
    vv, ff, _ = _products(v, here)
    pull = math.sqrt(ff / vv)
    d0, d1 = pull * v[0] - here[0], pull * v[1] - here[1]
    return here[2] * d0 + here[3] * d1, here[3] * d0 + here[4] * d1


@compiled
def velocity(p: Pair, here: Local) -> Pair:
    """f + C p, the direction of paths of least action."""
    f0, f1, m0, m1, m2 = here
    det = m0 * m2 - m1 * m1
    return f0 + (m2 * p[0] - m1 * p[1]) / det, f1 + (m0 * p[1] - m1 * p[0]) / det


@compiled
def path_cost(plane: Plane, start: Pair, chord: Pair, leaving: float, arriving: float) -> float:
    """The action of a cubic path, from its chord and its slopes against the chord at both ends."""
    total = 0.0
    for k in range(3):
        s = FIRST if k == 0 else 0.5 if k == 1 else LAST
        aside = s * (1 - s) * (leaving * (1 - s) - arriving * s)
        slope = leaving * (1 - s) * (1 - 3 * s) - arriving * s * (2 - 3 * s)
        x = start[0] + s * chord[0] - aside * chord[1], start[1] + s * chord[1] + aside * chord[0]
        v = chord[0] - slope * chord[1], chord[1] + slope * chord[0]
        total += (4.0 if k == 1 else 2.5) / 9.0 * cost(v, local(plane, x))
    return total


@compiled
def _momentum_on(edge: Edge, s: float) -> Pair:
    """p at the foot: along the edge the slope of the cubic, across it between those at the ends, which is enough for its direction."""
    e0, e1 = edge.way
    square = e0 * e0 + e1 * e1
    d0, d1 = edge.first[0] * e0 + edge.first[1] * e1, edge.last[0] * e0 + edge.last[1] * e1
    along = (6 * s * (1 - s) * (edge.values[1] - edge.values[0]) + d0 * (1 - s) * (1 - 3 * s) - d1 * s * (2 - 3 * s)) / square
    across = ((1 - s) * (e0 * edge.first[1] - e1 * edge.first[0]) + s * (e0 * edge.last[1] - e1 * edge.last[0])) / square
    return along * e0 - across * e1, along * e1 + across * e0


@compiled
def through(plane: Plane, x: Pair, edge: Edge, s: float, arriving: float) -> float:
    """U at x by the path that leaves the edge at s and arrives with a slope against its chord; infinite if there is none."""
    y = edge.start[0] + s * edge.way[0], edge.start[1] + s * edge.way[1]
    chord = x[0] - y[0], x[1] - y[1]
    v = velocity(_momentum_on(edge, s), local(plane, y))
    ahead = v[0] * chord[0] + v[1] * chord[1]
    aside = v[1] * chord[0] - v[0] * chord[1]
    if not abs(aside) <= STEEPEST * ahead:
        return math.inf
    d0 = edge.first[0] * edge.way[0] + edge.first[1] * edge.way[1]
    d1 = edge.last[0] * edge.way[0] + edge.last[1] * edge.way[1]
    r = 1 - s
    at_foot = edge.values[0] * r * r * (1 + 2 * s) + edge.values[1] * s * s * (3 - 2 * s) + d0 * s * r * r - d1 * s * s * r
    return at_foot + path_cost(plane, y, chord, aside / ahead, arriving)


@compiled
def least_through(plane: Plane, x: Pair, edge: Edge, arriving: float) -> tuple[float, float, float]:
    """The least U at x over the feet 0 ≤ s ≤ 1 on an edge: U, the foot, and the slope at arrival (Newton's method)."""
    s, a = FIRST_GUESS, arriving
    seen = np.empty(len(AROUND))
    for _ in range(STEPS):
        t = min(max(s, DELTA), 1 - DELTA)
        for k in range(len(AROUND)):
            seen[k] = through(plane, x, edge, t + AROUND[k][0] * DELTA, a + AROUND[k][1] * DELTA)
        middle, right, left, above, below, corner = seen[0], seen[1], seen[2], seen[3], seen[4], seen[5]
        by_s, by_a = (right - left) / (2 * DELTA), (above - below) / (2 * DELTA)
        ss, aa = (right - 2 * middle + left) / DELTA**2, (above - 2 * middle + below) / DELTA**2
        sa = (corner - right - above + middle) / DELTA**2
        if not (ss < math.inf and aa > 0.0):
            return math.inf, s, a
        det = ss * aa - sa * sa
        if det > 0.0 and ss > 0.0:
            s_new = t - (aa * by_s - sa * by_a) / det
        else:
            s_new = 0.0 if by_s > 0 else 1.0
        s_new = min(max(s_new, 0.0), 1.0)
        turn = min(max(-(by_a + sa * (s_new - t)) / aa, -LONGEST), LONGEST)
        rest = abs(s_new - s) < 10 * AT_REST and abs(turn) < AT_REST
        s, a = s_new, a + turn
        if rest:
            break
    return through(plane, x, edge, s, a), s, a
