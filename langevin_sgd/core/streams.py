"""Random streams: xoshiro256++, one for each path, and normals by Box and Muller.

The stream of a path is a function of the 128-bit key and the path's index, of nothing else.  So results do not depend on the lane, the
chunk, the thread or the process that happened to run the path, and any one path can be run again alone.  The 256 bits of state are two
64-bit hashes of (key, path), expanded; for one key each hash is a bijection of the path, so no two paths share a stream.

`stream`, `normal_pair` and `uniform` are for your own ``@njit`` code as well.  Generator: D. Blackman & S. Vigna, ACM Trans. Math.
Softw. 47, 36 (2021); hash: the finaliser of SplitMix64.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.elementary import cospi, minus2log, sinpi
from langevin_sgd.core.lanes import LANE, LANES, float_of, wide_vectors

U = np.uint64
GOLDEN = U(0x9E3779B97F4A7C15)
State = tuple[Any, Any, Any, Any]


@njit(**LANE)
def rotated(x: Any, k: int) -> Any:
    """The bits of x turned left by k places."""
    return (x << U(k)) | (x >> U(64 - k))


@njit(**LANE)
def mixed(z: Any) -> Any:
    """A bijective 64-bit hash."""
    z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
    return z ^ (z >> U(31))


@njit(**LANE)
def hashes(low: Any, high: Any, path: Any) -> tuple[Any, Any]:
    """Two independent hashes of (key, path), each a bijection of the path.

    The words of the key are hashed first, so that neighbouring keys do not give shifted paths.
    """
    a = mixed(U(low) + GOLDEN)
    b = mixed(U(high) ^ rotated(a, 32))
    return mixed(mixed(U(path) ^ a) + b), mixed(mixed(U(path) + b) ^ a)


@njit(**LANE)
def stream(low: Any, high: Any, path: Any) -> State:
    """Return the state of the stream of a path; `low` and `high` are the words of the key.

    Examples
    --------
    >>> import numba
    >>> from langevin_sgd.core.streams import normal_pair, stream
    >>> @numba.njit
    ... def sum_of_normals(low, high, path, pairs):
    ...     state, total = stream(low, high, path), 0.0
    ...     for _ in range(pairs):
    ...         state, first, second = normal_pair(state)
    ...         total += first + second
    ...     return total
    >>> sum_of_normals(7, 0, 3, 1) == sum_of_normals(7, 0, 3, 1) != sum_of_normals(7, 0, 4, 1)
    True
    """
    g, h = hashes(low, high, path)
    return mixed(g + GOLDEN), mixed(h + GOLDEN + GOLDEN), mixed((g ^ rotated(h, 32)) + GOLDEN), mixed(h + rotated(g, 17))


@njit(**LANE)
def next_word(state: State) -> tuple[State, Any]:
    """Advance xoshiro256++ by one: the new state, and 64 random bits."""
    a, b, c, d = state
    word = rotated(a + d, 23) + a
    t = b << U(17)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    return (a, b, c, rotated(d, 45)), word


@njit(**LANE)
def box_muller(first: Any, second: Any) -> tuple[float, float]:
    """Two independent standard normals from two words; their tails reach 8.6 standard deviations.

    Words become floats by filling a mantissa, which AVX2 can do as well.
    """
    u = float_of((first >> U(12)) | U(0x3FF0 << 48)) - (1.0 - 2.0**-53)       # (0, 1)
    v = float_of((second >> U(12)) | U(0x3FF0 << 48)) - 1.5                   # [-1/2, 1/2): half a turn, ...
    r = math.sqrt(minus2log(u))
    c = r * cospi(v)
    return r * sinpi(v), -c if second & U(1) else c                                     # ... and a free bit: the other half


@njit(**LANE)
def normal_pair(state: State) -> tuple[State, float, float]:
    """Advance a stream by two words: the new state, and the two normals of the steps 2k and 2k + 1."""
    state, first = next_word(state)
    state, second = next_word(state)
    one, two = box_muller(first, second)
    return state, one, two


@njit(**LANE)
def uniform(low: Any, high: Any, path: Any, number: Any) -> float:
    """Return a uniform number on [0, 1) that belongs to (key, path) beside the stream: number 0, 1, 2, ..."""
    g, h = hashes(low, high, path)
    return np.float64(mixed(mixed(g ^ rotated(h, 41)) + GOLDEN * (U(number) + U(1))) >> U(11)) * 2.0**-53


@njit(cache=True)
def uniforms(low: Any, high: Any, paths: Any, first: int, count: int) -> Any:
    """Return uniform numbers first ... first + count - 1 of each path: an array (len(paths), count)."""
    out = np.empty((len(paths), count))
    for q in range(len(paths)):
        for k in range(count):
            out[q, k] = uniform(low, high, paths[q], first + k)
    return out


@njit(**LANE)
def start_lane(R: Any, i: int, low: Any, high: Any, path: Any) -> None:
    """Put the stream of a path into lane i of the states R (4, LANES)."""
    R[0, i], R[1, i], R[2, i], R[3, i] = stream(low, high, path)


@njit(**LANE)
def lane_words(R: Any, W: Any, row: int) -> None:
    """The next word of every lane, into row `row` of W."""
    wide_vectors()
    for i in range(LANES):
        (R[0, i], R[1, i], R[2, i], R[3, i]), W[row, i] = next_word((R[0, i], R[1, i], R[2, i], R[3, i]))


@njit(**LANE)
def lane_normals(R: Any, W: Any, Z: Any, j: int, k: int) -> None:
    """Two normals for every lane, into the rows j and k of Z."""
    lane_words(R, W, 0)
    lane_words(R, W, 1)
    wide_vectors()
    for i in range(LANES):
        Z[j, i], Z[k, i] = box_muller(W[0, i], W[1, i])
