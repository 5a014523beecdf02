"""Numbers of twice the precision, as unevaluated sums of two floats: what a check needs that must be finer than what it checks.

Sums and products of floats leave an error that is a float itself, and can be computed (D. E. Knuth, The Art of Computer Programming 2,
4.2.2; T. J. Dekker, Numer. Math. 18, 224 (1971)).  No compiler may reorder them, so nothing here is compiled with fast mathematics.
"""
from __future__ import annotations

from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.grid import Whole

ROUNDING = 2.0**-102     # relative, of a sum of two such numbers or a product with a float, and of some of them in a row

exactly = numba.njit(cache=True, nogil=True, error_model="numpy")


@intrinsic
def fused(typingctx: Any, a: Any, b: Any, c: Any) -> Any:               # noqa: ARG001, the signature is Numba's
    """Return a b + c, rounded once."""
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        return builder.fma(*values)
    return types.float64(types.float64, types.float64, types.float64), codegen


@exactly
def add(high: Any, low: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return (high + low) + (a + b), of floats or of arrays."""
    s = high + a
    part = s - high
    rest = (high - (s - part)) + (a - part) + low + b
    total = s + rest
    return total, rest - (total - s)


@exactly
def add_product(high: float, low: float, q: float, a: float, b: float) -> tuple[float, float]:
    """Return (high + low) + q (a + b)."""
    p = q * a
    return add(high, low, p, fused(q, a, -p) + q * b)


@exactly
def add_matrix_product(high: Array, low: Array, matrix: Array, a: Array, b: Array, places: Whole) -> None:
    """Add to (high + low) at some places a matrix times (a + b)."""
    for i in range(matrix.shape[0]):
        s, r = high[places[i]], low[places[i]]
        for j in range(matrix.shape[1]):
            s, r = add_product(s, r, matrix[i, j], a[j], b[j])
        high[places[i]], low[places[i]] = s, r


@exactly
def residual(high: Array, low: Array, source: Array, kill: Array, i: Whole, j: Whole, q: Array) -> tuple[Array, Array]:
    """Return source_i − kill_i t_i − Σ_j q_ij (t_i − t_j) for t = high + low and jumps i → j of rates q."""
    r, s = source.copy(), 0.0 * source
    for k in range(len(source)):
        r[k], s[k] = add_product(r[k], s[k], -kill[k], high[k], low[k])
    for k in range(len(q)):
        a, b = add(high[j[k]], low[j[k]], -high[i[k]], -low[i[k]])
        r[i[k]], s[i[k]] = add_product(r[i[k]], s[i[k]], q[k], a, b)
    return r, s
