"""A sweep over a grid in the order of rising quasi-potential, from an attractor outwards.

An ordered upwind method: J. A. Sethian & A. Vladimirsky, PNAS 98, 11069 (2001); for the quasi-potential M. K. Cameron, Physica D 241,
1532 (2012), D. Dahiya & M. Cameron, J. Sci. Comput. 75, 1351 (2018).  With U each node carries ∇U, and paths are curved, as in the jet
marching methods of S. F. Potter & M. K. Cameron, SIAM J. Sci. Comput. 43, A4121 (2021), and N. Paskal & M. Cameron, J. Sci. Comput. 91, 43
(2022).

Nodes beside accepted ones are considered, with a provisional U along straight paths from accepted nodes around; this only orders them.
The node with the least is accepted: its path of least action is followed backwards, with the ∇U of the accepted nodes around, to the first
edge between accepted nodes that it crosses, and U is the least over the paths through that edge.  A path may run beside the accepted
nodes for as long as the rotation of the drift makes it, which a search among near edges would not find.  Where paths from two sides meet,
∇U jumps; paths only arrive there and never leave, so that what is between two nodes of different sides is not used by others.
"""
from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.grid import Whole
from langevin_sgd.theory.weak_noise import curved_update
from langevin_sgd.theory.weak_noise.curved_update import (
    Edge,
    Local,
    Pair,
    Plane,
    at_point,
    compiled,
    cost,
    least_through,
    local,
    momentum,
    path_cost,
    velocity,
)

UNKNOWN, CONSIDERED, ROUGH, ACCEPTED = 0, 1, 2, 3       # rough: accepted with a straight path, so that its ∇U is not used
RADIUS = 12                     # cells, within which straight paths order the nodes
REACH = 60.0                    # cells, for which a path is followed backwards
STRIDE = 0.5                    # cells
PARALLEL = 0.8                  # cosine of the angle between directions that are side by side, at least
HOPS = 4                        # from edge to edge, to the foot of a path
BEYOND = 1.5                    # times the lowest U on the wall, where a sweep ends: the order of nodes is provisional

HOME, ELSEWHERE = 1, 2
WINDOW = 64                     # strides, in which a path that moves less than 1.5 cells has come to rest
LONGEST = 20                    # path down the drift, over the sides of the grid


class Field(NamedTuple):
    """U (n₁, n₂), ∇U (n₁, n₂, 2) and what is known of a node, while the sweep goes on."""

    plane: Plane
    u: Array
    p: Array
    status: Whole


Found = tuple[float, Pair, bool]
Heap = list[tuple[float, int]]


@compiled
def _sweep(field: Field) -> Whole:
    """Accept nodes from those that are accepted, in place, until U is well above its lowest on the wall; return them in their order."""
    rows, columns = field.u.shape
    best = np.full((rows, columns), -1)
    order, count, wall = np.empty(rows * columns, np.int64), 0, math.inf
    heap = [(0.0, 0)]
    heap.pop()
    for i in range(rows):
        for j in range(columns):
            if field.status[i, j] == UNKNOWN and _touches(field.status, i, j):
                _consider(field, best, heap, i, j)
    while len(heap) > 0:
        provisional, n = heapq.heappop(heap)
        i, j = n // columns, n % columns
        if field.status[i, j] != CONSIDERED or provisional > field.u[i, j]:
            continue
        if provisional > BEYOND * wall:
            break
        value, p, smooth = _settled(field, i, j, best[i, j])
        field.u[i, j], field.p[i, j, 0], field.p[i, j, 1] = value, p[0], p[1]
        field.status[i, j] = ACCEPTED if smooth else ROUGH
        order[count] = n
        count += 1
        if i == 0 or j == 0 or i == rows - 1 or j == columns - 1:
            wall = min(wall, value)
        _spread(field, best, heap, i, j)
    return order[:count]


@compiled
def _touches(status: Whole, i: int, j: int) -> bool:
    """Whether a node is next to an accepted one."""
    return bool((status[max(i - 1, 0):i + 2, max(j - 1, 0):j + 2] >= ROUGH).any())


@compiled
def _is_front(status: Whole, i: int, j: int) -> bool:
    """Whether an accepted node is next to one that is not."""
    for k in range(max(i - 1, 0), min(i + 2, status.shape[0])):
        for m in range(max(j - 1, 0), min(j + 2, status.shape[1])):
            if status[k, m] < ROUGH:
                return True
    return False


@compiled
def _straight(field: Field, i: int, j: int, k: int, m: int) -> float:
    """U at node (i, j) by the straight path from node (k, m), by Simpson's rule."""
    v = float(i - k), float(j - m)
    ends = cost(v, at_point(field.plane, 2 * i, 2 * j)) + cost(v, at_point(field.plane, 2 * k, 2 * m))
    return field.u[k, m] + (ends + 4 * cost(v, at_point(field.plane, i + k, j + m))) / 6


@compiled
def _consider(field: Field, best: Whole, heap: Heap, i: int, j: int) -> None:
    """Take a node into consideration, with the best straight path from the front around it."""
    rows, columns = field.u.shape
    field.status[i, j], field.u[i, j] = CONSIDERED, math.inf
    for k in range(max(i - RADIUS, 0), min(i + RADIUS + 1, rows)):
        for m in range(max(j - RADIUS, 0), min(j + RADIUS + 1, columns)):
            if field.status[k, m] >= ROUGH and (k - i)**2 + (m - j)**2 <= RADIUS**2 and _is_front(field.status, k, m):
                value = _straight(field, i, j, k, m)
                if value < field.u[i, j]:
                    field.u[i, j], best[i, j] = value, k * columns + m
    heapq.heappush(heap, (field.u[i, j], i * columns + j))


@compiled
def _spread(field: Field, best: Whole, heap: Heap, i: int, j: int) -> None:
    """Let an accepted node improve the considered ones around it, and take its neighbours into consideration."""
    rows, columns = field.u.shape
    for k in range(max(i - RADIUS, 0), min(i + RADIUS + 1, rows)):
        for m in range(max(j - RADIUS, 0), min(j + RADIUS + 1, columns)):
            if field.status[k, m] == CONSIDERED and (k - i)**2 + (m - j)**2 <= RADIUS**2:
                value = _straight(field, k, m, i, j)
                if value < field.u[k, m]:
                    field.u[k, m], best[k, m] = value, i * columns + j
                    heapq.heappush(heap, (value, k * columns + m))
    for k in range(max(i - 1, 0), min(i + 2, rows)):
        for m in range(max(j - 1, 0), min(j + 2, columns)):
            if field.status[k, m] == UNKNOWN:
                _consider(field, best, heap, k, m)


@compiled
def _settled(field: Field, i: int, j: int, n: int) -> Found:
    """U and ∇U of a node that is accepted: by the path that is followed, or else by the best straight one."""
    x, k, m = (float(i), float(j)), n // field.u.shape[1], n % field.u.shape[1]
    value, p, found = followed(field, x, _nearest_momentum(field, x))
    if found:
        return value, p, True
    chord, here = (x[0] - k, x[1] - m), at_point(field.plane, 2 * i, 2 * j)
    return field.u[k, m] + path_cost(field.plane, (float(k), float(m)), chord, 0.0, 0.0), momentum(chord, here), False


@compiled
def followed(field: Field, x: Pair, guess: Pair) -> Found:
    """U and ∇U at a state, in cells, by the path that is followed backwards from it with a first guess of ∇U; False if it is lost."""
    value, p, found = math.inf, guess, False
    for attempt in range(2):                            # a loop, which compiles what is in it once
        if not found:
            value, p, found = _followed(field, x, guess, attempt == 1)
    return value, p, found


@compiled
def _followed(field: Field, x: Pair, guess: Pair, strictly: bool) -> Found:
    """The same, with all accepted nodes around; strictly, only with those that belong to one field with the path."""
    rows, columns = field.u.shape
    at, p = x, guess
    last_i, last_j = -1, -1
    for _ in range(int(REACH / STRIDE)):
        here = local(field.plane, at)
        p = _momentum_along(field, at, p, here, strictly)
        d = _backwards(p, here)
        middle = at[0] + STRIDE / 2 * d[0], at[1] + STRIDE / 2 * d[1]
        here = local(field.plane, middle)
        p = _momentum_along(field, middle, p, here, strictly)
        d = _backwards(p, here)
        at = at[0] + STRIDE * d[0], at[1] + STRIDE * d[1]
        if not (-1 <= at[0] <= rows and -1 <= at[1] <= columns):
            break
        i, j, upright = _crossed(at, d)
        if (i == last_i and j == last_j) or abs((i - x[0]) if upright else (j - x[1])) < STRIDE:
            continue
        last_i, last_j = i, j
        value, p_found, found = _through_edges(field, x, i, j, upright, strictly)
        if found:
            return value, p_found, True
    return math.inf, (0.0, 0.0), False


@compiled
def _backwards(p: Pair, here: Local) -> Pair:
    v = velocity(p, here)
    size = math.sqrt(v[0]**2 + v[1]**2)
    return -v[0] / size, -v[1] / size


@compiled
def _crossed(at: Pair, d: Pair) -> tuple[int, int, bool]:
    """The edge nearest to a state on its way, by its lower end, and whether it runs along the second axis."""
    if abs(d[0]) >= abs(d[1]):
        i = math.floor(at[0] + 0.5)
        return i, math.floor(at[1] - (at[0] - i) * d[1] / d[0]), True
    j = math.floor(at[1] + 0.5)
    return math.floor(at[0] - (at[1] - j) * d[0] / d[1]), j, False


@compiled
def _through_edges(field: Field, x: Pair, i: int, j: int, upright: bool, strictly: bool) -> Found:
    """The least U at x through an edge, or through those that it goes on to if the foot is not within."""
    arriving = 0.0
    for _ in range(HOPS):
        k, m = (i, j + 1) if upright else (i + 1, j)
        if not _usable(field, i, j, k, m, strictly):
            break
        edge = Edge((float(i), float(j)), (float(k - i), float(m - j)), (field.u[i, j], field.u[k, m]),
                    (field.p[i, j, 0], field.p[i, j, 1]), (field.p[k, m, 0], field.p[k, m, 1]))
        value, s, arriving = least_through(field.plane, x, edge, arriving)
        if not value < math.inf:
            break
        if 0.0 < s < 1.0:
            chord = x[0] - i - s * (k - i), x[1] - j - s * (m - j)
            v = chord[0] - arriving * chord[1], chord[1] + arriving * chord[0]
            return value, momentum(v, local(field.plane, x)), True
        if s == 0.0:
            i, j = 2 * i - k, 2 * j - m
        else:
            i, j = k, m
    return math.inf, (0.0, 0.0), False


@compiled
def _usable(field: Field, i: int, j: int, k: int, m: int, strictly: bool) -> bool:
    """Whether both ends of an edge are accepted, and strictly, belong to one field."""
    if i < 0 or j < 0 or k >= field.u.shape[0] or m >= field.u.shape[1]:
        return False
    if field.status[i, j] != ACCEPTED or field.status[k, m] != ACCEPTED:
        return False
    if not strictly:
        return True
    return _belongs(field, k, m, (float(i), float(j)), (field.p[i, j, 0], field.p[i, j, 1]), at_point(field.plane, 2 * i, 2 * j))


@compiled
def _belongs(field: Field, i: int, j: int, at: Pair, p: Pair, here: Local) -> bool:
    """Whether ∇U of a node and at a state are of one field, and no line is between them where U is the lower of two.

    On such a line U is concave: paths meet.  Where they go away from one another or side by side there is none.
    """
    q = field.p[i, j, 0], field.p[i, j, 1]
    if (q[0] - p[0]) * (i - at[0]) + (q[1] - p[1]) * (j - at[1]) >= 0.0:
        return True
    return _parallel(velocity(p, here), velocity(q, at_point(field.plane, 2 * i, 2 * j)))


@compiled
def _parallel(v: Pair, w: Pair) -> bool:
    return bool(v[0] * w[0] + v[1] * w[1] >= PARALLEL * math.sqrt((v[0]**2 + v[1]**2) * (w[0]**2 + w[1]**2)))


@compiled
def _nearest_momentum(field: Field, at: Pair) -> Pair:
    """∇U of the nearest accepted node of the nine around a state; zero if there is none."""
    i0, j0 = math.floor(at[0] + 0.5), math.floor(at[1] + 0.5)
    nearest, p = math.inf, (0.0, 0.0)
    for i in range(max(i0 - 1, 0), min(i0 + 2, field.u.shape[0])):
        for j in range(max(j0 - 1, 0), min(j0 + 2, field.u.shape[1])):
            distance = (at[0] - i)**2 + (at[1] - j)**2
            if field.status[i, j] == ACCEPTED and distance < nearest:
                nearest, p = distance, (field.p[i, j, 0], field.p[i, j, 1])
    return p


@compiled
def _momentum_along(field: Field, at: Pair, p: Pair, here: Local, strictly: bool) -> Pair:
    """∇U on a path, where it was p just before: between the nodes around, or of the nearest of nine, or still p if there is none."""
    i0, j0 = math.floor(at[0]), math.floor(at[1])
    total, p0, p1 = 0.0, 0.0, 0.0
    nearest, close = math.inf, p
    for i in range(max(i0 - 1, 0), min(i0 + 3, field.u.shape[0])):
        for j in range(max(j0 - 1, 0), min(j0 + 3, field.u.shape[1])):
            if field.status[i, j] != ACCEPTED or (strictly and not _belongs(field, i, j, at, p, here)):
                continue
            u, w = abs(at[0] - i), abs(at[1] - j)
            if u < 1 and w < 1:
                weight = (1 - u) * (1 - w)
                total, p0, p1 = total + weight, p0 + weight * field.p[i, j, 0], p1 + weight * field.p[i, j, 1]
            if max(u, w) <= 1.5 and u * u + w * w < nearest:
                nearest, close = u * u + w * w, (field.p[i, j, 0], field.p[i, j, 1])
    return (p0 / total, p1 / total) if total > 0.0 else close


@compiled
def _at_states(field: Field, states: Array, trusted: Whole) -> tuple[Array, Array]:
    """U (n,) and ∇U (n, 2) at states (n, 2), in cells: the least over the paths that arrive like those of the four nodes around."""
    values, slopes = np.full(len(states), np.nan), np.full((len(states), 2), np.nan)
    for n in range(len(states)):
        x = states[n, 0], states[n, 1]
        least = math.inf
        i0 = min(max(math.floor(x[0]), 0), field.u.shape[0] - 2)
        j0 = min(max(math.floor(x[1]), 0), field.u.shape[1] - 2)
        for i in range(i0, i0 + 2):
            for j in range(j0, j0 + 2):
                if field.status[i, j] == ACCEPTED and trusted[i, j]:
                    value, p, found = followed(field, x, (field.p[i, j, 0], field.p[i, j, 1]))
                    if found and value < least:
                        least, values[n], slopes[n, 0], slopes[n, 1] = value, value, p[0], p[1]
    return values, slopes


@compiled
def _homes(plane: Plane, start: Whole, order: Whole) -> Whole:
    """Tell of each node in an order whether the drift leads from it to the nodes that are HOME at the start, or ELSEWHERE."""
    label = start.copy()
    for n in order:
        i, j = n // start.shape[1], n % start.shape[1]
        if label[i, j] == 0:
            label[i, j] = _home(plane, label, float(i), float(j))
    return label


@compiled
def _home(plane: Plane, label: Whole, u: float, w: float) -> int:
    rows, columns = label.shape
    u0, w0 = u, w
    low_u, high_u, low_w, high_w = u, u, w, w
    for step in range(int(LONGEST * (rows + columns) / STRIDE)):
        d = _downwards(local(plane, (u, w)))
        d = _downwards(local(plane, (u + STRIDE / 2 * d[0], w + STRIDE / 2 * d[1])))
        u, w = u + STRIDE * d[0], w + STRIDE * d[1]
        if not (0 <= u <= rows - 1 and 0 <= w <= columns - 1):
            return ELSEWHERE
        i, j = min(int(u), rows - 2), min(int(w), columns - 2)
        known = label[i, j]
        far = (u - u0)**2 + (w - w0)**2 > 1.0
        if known and far and label[i + 1, j] == known and label[i, j + 1] == known and label[i + 1, j + 1] == known:
            return known
        low_u, high_u, low_w, high_w = min(low_u, u), max(high_u, u), min(low_w, w), max(high_w, w)
        if step % WINDOW == WINDOW - 1:
            if max(high_u - low_u, high_w - low_w) < 1.5:
                return ELSEWHERE
            low_u, high_u, low_w, high_w = u, u, w, w
    return ELSEWHERE


@compiled
def _downwards(here: Local) -> Pair:
    size = math.sqrt(here[0]**2 + here[1]**2)
    return here[0] / size, here[1] / size


def _kernels(version: str) -> tuple[Callable[..., Any], ...]:
    """The three that are called from Python, and cached: with what they are made of in the cache's key, which else knows this file only."""
    cached = numba.njit(cache=True, **curved_update.options)

    @cached
    def sweep(field: Field) -> Whole:
        version                                         # noqa: B018
        return _sweep(field)

    @cached
    def at_states(field: Field, states: Array, trusted: Array) -> tuple[Array, Array]:
        version                                         # noqa: B018
        return _at_states(field, states, trusted)

    @cached
    def homes(plane: Plane, start: Whole, order: Whole) -> Whole:
        version                                         # noqa: B018
        return _homes(plane, start, order)

    return sweep, at_states, homes


sweep, at_states, homes = _kernels(hashlib.sha256(Path(curved_update.__file__).read_bytes()).hexdigest())
