"""The samples of a loss, tilted: which of them a path needs more often than they come, and what that costs.

For the gradients g_i of N samples let h(q) = ln mean_i exp(−q·g_i), convex, h(0) = 0.  SGD with batches of one takes the weights w along a
path of direction v at the cost q·v, where q is the momentum with h = 0 and ∇h = λ v, λ > 0: of all with h ≤ 0 that with the greatest q·v.
There the samples come with the weights π_i ∝ exp(−q·g_i).  Gaussian noise with the same covariance C has h = −q·ḡ + q·C q / 2, and its
weights are the linear part of these, (1 − q·(g_i − ḡ)) / N: one code serves both.
"""
from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numba import boolean, int64, njit, types

from langevin_sgd.core.batches import CURVATURE, SAMPLE, Function, compile_curvature
from langevin_sgd.core.dots import add_multiple, dot, moved
from langevin_sgd.core.elementary import ROUND, polynomial
from langevin_sgd.core.evaluation import CUBE
from langevin_sgd.core.lanes import LANE, address_of, bits_of, float_of, wide_vectors
from langevin_sgd.core.steps import MATRIX, VECTOR

INTEGERS = types.Array(int64, 1, "C")
MOMENTUM, SLOPES, MOTION = 0, 1, 2      # what is wanted
FOUND, NONE, LOST = 0, 1, 2             # a momentum; none, since no sample points ahead; or neither
STEPS, GROWTH = 60, 3.0         # of Newton's method, and how far above 0, or itself, an exponent may rise in one
HALVINGS, ENOUGH = 30, 1e-4     # of a step, and the part of what it promises that it must keep
CLOSE, ROUNDING = 1e-6, 1e-14   # of the last step and of h before it, over the size of the drift in standard deviations, and as such
FADING, FADED, SLIGHT = 0.25, 1e-9, 1e-7        # what is added to C where Newton's method fails: its ratio from try to try, its last size,
                                                # and that from which a failure does no harm
SINGULAR = 1e-13                # pivot of ∇²h, over the diagonal
LN2 = (0.6931471803691238, 1.9082149292705877e-10)      # in two parts: products of the first with whole numbers are exact
_series = polynomial(tuple(1 / math.factorial(n) for n in range(1, 15)))        # (e^r − 1) / r for |r| ≤ ln 2 / 2

STEP = 3e-5                     # of differences, over the largest weight
BY_DIFFERENCES = """
def curvature(w, sample, p, v, out):
    largest, size = 1.0, 0.0
    for j in range({d}):
        largest, size = max(largest, abs(w[j])), size + v[j] * v[j]
    if size > 0.0:
        step = {step} * largest / size ** 0.5
        at, up, down = empty({d}), empty({d}), empty({d})
        for j in range({d}):
            at[j], up[j] = w[j] + step * v[j], 0.0
        one(at, sample, p, up)
        for j in range({d}):
            at[j], down[j] = w[j] - step * v[j], 0.0
        one(at, sample, p, down)
        for j in range({d}):
            out[j] += (up[j] - down[j]) / (2.0 * step)
"""


@functools.lru_cache(maxsize=256)
def curvature_by_differences(function: Function, d: int, columns: int, n_parameters: int) -> Any:
    """Return the compiled product of one sample's Hessian and a vector, from gradients: for a loss that has no curvature of its own."""
    one = function if hasattr(function, "py_func") else njit(error_model="numpy")(function)
    scope: dict[str, Any] = {"one": one, "empty": np.empty}
    exec(BY_DIFFERENCES.format(d=d, step=STEP), scope)
    return compile_curvature(scope["curvature"], d, columns, n_parameters)


precise = njit(error_model="numpy")


class Local(NamedTuple):
    """The samples at one state: gradients (d, N), exponents −q·g_i and weights (N,); minus their mean, ∇h and ∇²h; and noise
    that is added."""

    g: Any
    exponents: Any
    weights: Any
    part: Any
    ones: Any
    centre: Any
    slope: Any
    spread: Any
    added: Any


@precise
def _dot(a: Any, b: Any) -> float:
    total = 0.0
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@precise
def _highest(a: Any) -> float:
    highest = -math.inf
    for i in range(len(a)):
        highest = max(highest, a[i])
    return highest


@precise
def _copy(to: Any, a: Any) -> None:
    """Entry by entry: assignments and expressions of whole arrays take a second each to compile."""
    for j in range(len(to)):
        to[j] = a[j]


@precise
def _combine(to: Any, a: Any, share: float, b: Any) -> None:
    """a + share × b."""
    for j in range(len(to)):
        to[j] = a[j] + share * b[j]


@precise
def _factored(matrix: Any, factor: Any) -> bool:
    """Cholesky's factor; False where the matrix is not positive definite."""
    for j in range(len(matrix)):
        for k in range(j + 1):
            rest = matrix[j, k]
            for m in range(k):
                rest -= factor[j, m] * factor[k, m]
            if k < j:
                factor[j, k] = rest / factor[k, k]
            elif rest > SINGULAR * matrix[j, j]:
                factor[j, j] = math.sqrt(rest)
            else:
                return False
    return True


@precise
def _forwards(factor: Any, b: Any, out: Any) -> None:
    """The inverse of the factor times b."""
    for j in range(len(b)):
        rest = b[j]
        for k in range(j):
            rest -= factor[j, k] * out[k]
        out[j] = rest / factor[j, j]


@precise
def _backwards(factor: Any, b: Any) -> None:
    """The inverse of the transposed factor times b, in place."""
    for j in range(len(b) - 1, -1, -1):
        for k in range(j + 1, len(b)):
            b[j] -= factor[k, j] * b[k]
        b[j] /= factor[j, j]


@njit(**LANE)
def _exp_minus_one(t: float) -> float:
    """e^t − 1 to rounding, for −700 < t < 700; below that −1."""
    y = t * 1.4426950408889634
    y = -1020.0 if y < -1020.0 else y
    shifted = y + (ROUND + 1023.0)
    k = shifted - (ROUND + 1023.0)
    power = float_of(bits_of(shifted) << 52)
    r = (t - k * LN2[0]) - k * LN2[1] if t > -700.0 else 0.0
    return r * _series(r) * power + (power - 1.0)


@precise
def _products(g: Any, q: Any, out: Any) -> None:
    """−q·g_i."""
    out[:] = 0.0
    for j in range(len(q)):
        add_multiple(out, -q[j], g[j])


@precise
def _weights(at: Local) -> float:
    """π_i ∝ exp(−q·g_i); returns h."""
    wide_vectors()
    count, t, weights, top = len(at.exponents), at.exponents, at.weights, 0.0
    for i in range(count):
        weights[i] = _exp_minus_one(t[i])
    total = dot(weights, at.ones)
    if not -count < 2 * total < math.inf:                   # far from h = 0
        top = _highest(t)
        for i in range(count):
            weights[i] = _exp_minus_one(t[i] - top)
        total = dot(weights, at.ones)
    part = 1.0 / (count + total)
    for i in range(count):
        weights[i] = (weights[i] + 1.0) * part
    return top + math.log1p(total / count)


@precise
def _gaussian_weights(at: Local) -> float:
    """(1 − q·(g_i − ḡ)) / N; returns −q·ḡ + q·C q / 2."""
    count, t = len(at.exponents), at.exponents
    mean = dot(t, at.ones) / count
    for i in range(count):
        at.weights[i] = (1.0 + t[i] - mean) / count
    return mean + dot(at.weights, t) / 2 - mean / 2


@precise
def _height(at: Local, q: Any, gaussian: bool) -> float:
    """Fill in exponents and weights at q, and return h."""
    _products(at.g, q, at.exponents)
    h = _gaussian_weights(at) if gaussian else _weights(at)
    for j in range(len(q)):
        for k in range(len(q)):
            h += at.added[j, k] * q[j] * q[k] / 2
    return h


@precise
def _moments(at: Local, q: Any, gaussian: bool) -> None:
    """Fill in ∇h and ∇²h at q, where the weights are filled in."""
    d, count = at.g.shape
    for j in range(d):
        at.slope[j] = -dot(at.weights, at.g[j])
        at.centre[j] = -dot(at.ones, at.g[j]) / count if gaussian else at.slope[j]
        for i in range(count):
            at.part[i] = (at.g[j, i] + at.centre[j]) * (1.0 / count if gaussian else at.weights[i])
        for k in range(j + 1):
            at.spread[j, k] = at.spread[k, j] = dot(at.part, at.g[k])
    for j in range(d):
        for k in range(d):
            at.spread[j, k] += at.added[j, k]
            at.slope[j] += at.added[j, k] * q[k]


@precise
def _newton(at: Local, v: Any, q: Any, gaussian: bool) -> tuple[float, int]:
    """Improve q, each step exact for a quadratic h; return λ and the status.

    Steps are halved until they lower the penalty function max(h, 0) κ − q·v, with κ above 1 / λ; where there is no λ, until they lower h.
    """
    d = len(v)
    a, step, factor, trial = np.empty(d), np.empty(d), np.empty((d, d)), np.empty(d)
    pull, size, penalty = 0.0, 0.0, 0.0
    h = _height(at, q, gaussian)
    for iteration in range(STEPS):
        _moments(at, q, gaussian)
        if not _factored(at.spread, factor):
            return pull, LOST
        _forwards(factor, v, a)
        _forwards(factor, at.slope, step)
        left = max(_dot(step, step) - 2 * h, 0.0)
        size = math.sqrt(left) if iteration == 0 else size
        pull = math.sqrt(left / _dot(a, a))
        for j in range(d):
            step[j] = pull * a[j] - step[j]
        length = math.sqrt(_dot(step, step))
        _backwards(factor, step)
        if gaussian or (length <= CLOSE * size + ROUNDING and abs(h) <= CLOSE * min(1.0, size)**2 + ROUNDING):
            _combine(q, q, 1.0, step)
            _height(at, q, gaussian)
            _moments(at, q, gaussian)
            return pull, FOUND
        share = _room(at, step)
        along = _dot(step, v)
        penalty = max(penalty, 1.5 / pull) if pull > 0.0 else penalty
        above = penalty * max(h, 0.0)
        for _ in range(HALVINGS):
            _combine(trial, q, share, step)
            after = _height(at, trial, gaussian)
            gained = share * along + above - penalty * max(after, 0.0) if pull > 0.0 else h - after
            expected = along + above if pull > 0.0 else h
            if gained >= ENOUGH * share * expected - ROUNDING * (abs(_dot(q, v)) + above):
                break
            share /= 2
        _copy(q, trial)
        h = after
        if at.added[0, 0] == 0.0 and _dot(q, v) > 0.0 and _highest(at.exponents) <= 0.0:
            return pull, NONE                               # q·g_i ≥ 0 for all samples: no combination of them goes ahead
    return pull, LOST


@precise
def _room(at: Local, step: Any) -> float:
    """The share of a step in which no exponent rises further above 0, or itself, than GROWTH."""
    _products(at.g, step, at.part)
    share = 1.0
    for i in range(len(at.part)):
        room = GROWTH + max(0.0, -at.exponents[i])
        if at.part[i] > room:
            share = min(share, room / at.part[i])
    return share


@precise
def _solve(at: Local, v: Any, q: Any, added: Any, gaussian: bool) -> tuple[float, int]:
    """Solve for q; where Newton's method fails, again with a share of C added to the noise, which fades."""
    d = len(v)
    q[:] = 0.0
    for j in range(d):
        _copy(at.added[j], added[j])
    if _dot(v, v) == 0.0:
        _height(at, q, gaussian)
        _moments(at, q, gaussian)
        return 0.0, FOUND
    pull, status = _newton(at, v, q, gaussian)
    if status != LOST or gaussian:
        return pull, status
    covariance, known, share = np.empty((d, d)), np.zeros(d), 1.0
    q[:] = 0.0
    _height(at, q, gaussian)
    _moments(at, q, gaussian)
    for j in range(d):
        _combine(covariance[j], at.spread[j], -1.0, added[j])
    while share > FADED:
        for j in range(d):
            _combine(at.added[j], added[j], share, covariance[j])
        pull, status = _newton(at, v, q, gaussian)
        if status != FOUND:
            break
        _copy(known, q)
        share *= FADING
    _copy(q, known)
    return pull, FOUND if share <= SLIGHT else LOST


@njit(types.void(SAMPLE, CURVATURE, MATRIX, MATRIX, MATRIX, VECTOR, MATRIX, boolean, int64, MATRIX, VECTOR, INTEGERS, MATRIX, MATRIX, CUBE),
      cache=True, nogil=True, error_model="numpy")
def tilts(sample: Any, curvature: Any, x: Any, v: Any, data: Any, p: Any, added: Any, gaussian: bool, wanted: int, q: Any, pull: Any,
          status: Any, by_x: Any, mixed: Any, spread: Any) -> None:
    """Fill in, at states x (n, d) with directions v (n, d): q, λ, and whether they were found; and if wanted, of h + q·S q / 2, S `added`.

    SLOPES adds ∂h/∂x (n, d); MOTION that, ∂²h/∂q∂x v (n, d) and ∂²h/∂q² (n, d, d).
    """
    count, d, columns = len(data), x.shape[1], data.shape[1]
    at = Local(np.empty((d, count)), np.empty(count), np.empty(count), np.empty(count), np.ones(count),
               np.empty(d), np.empty(d), np.empty((d, d)), np.empty((d, d)))
    vector, product = np.empty(d), np.empty(d)
    for n in range(len(x)):
        state = moved(address_of(x), n * d)
        for i in range(count):
            vector[:] = 0.0
            sample(state, moved(address_of(data), i * columns), address_of(p), address_of(vector))
            for j in range(d):
                at.g[j, i] = vector[j]
        pull[n], status[n] = _solve(at, v[n], q[n], added, gaussian)
        if wanted == MOMENTUM or status[n] != FOUND:
            continue
        by_x[n] = 0.0
        for i in range(count):
            for j in range(d):
                vector[j] = -at.weights[i] * q[n, j]
            curvature(state, moved(address_of(data), i * columns), address_of(p), address_of(vector), moved(address_of(by_x), n * d))
        if wanted == MOTION:
            mixed[n] = 0.0
            for j in range(d):
                _copy(spread[n, j], at.spread[j])
            for i in range(count):
                product[:] = 0.0
                curvature(state, moved(address_of(data), i * columns), address_of(p), moved(address_of(v), n * d), address_of(product))
                along = _dot(q[n], product) * (1.0 / count if gaussian else at.weights[i])
                for j in range(d):
                    mixed[n, j] += along * (at.g[j, i] + at.centre[j]) - at.weights[i] * product[j]
