"""The loss of a sample, written by you or by the library, becomes compiled code that kernels call by address.

Three kinds of code come of one function ``loss(w, sample, p, gradient)``: the gradient of a batch for one path, the same for a block of
lanes (few weights, many paths side by side), both with noise added to it if that is asked for, and the loss of one sample with its
gradient, in full precision, for everything that is computed with NumPy.  The kernels do not depend on the loss and come from Numba's disk
cache.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from numba import carray, float64, int64, njit, types

from langevin_sgd.core.dots import add_multiple, add_short_multiple, dot, moved, prefetched, short_dot
from langevin_sgd.core.injected import InjectedNoise, added_text, weights_text
from langevin_sgd.core.lanes import CALLED_BY_ADDRESS, LANE, LANES, LINE, own_subroutines, stack_floats, wide_vectors
from langevin_sgd.core.user_functions import compiled_for_lanes, lane_version

Function = Callable[..., Any]
FLOATS, WORDS = types.CPointer(float64), types.CPointer(int64)
# batch(weights, data, indices, size of the batch, p, gradient, normals, state of the noise, numbers of the noise): the *sum* of the
# gradients over the batch, and with them the noise that is injected, times the size; what is not injected is not read
BATCH = types.FunctionType(types.void(FLOATS, FLOATS, WORDS, int64, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS))
# sample(weights, sample, p, gradient) -> loss; curvature(weights, sample, p, vector, product)
SAMPLE = types.FunctionType(float64(FLOATS, FLOATS, FLOATS, FLOATS))
CURVATURE = types.FunctionType(types.void(FLOATS, FLOATS, FLOATS, FLOATS, FLOATS))
PRECISE: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True}

ONE_PATH = """
def batch(W, data, index, size, P, G, Z, S, Q):
    wide_vectors()
    w, p, g = carray(W, ({d},)), carray(P, ({n},)), carray(G, ({d},))
    for j in range({d}):
        g[j] = 0.0
    {weights}
    for b in range(size):
        ahead = moved(data, index[size + b] * {stride})         # the samples of the next batch follow those of this one
        for line in range(0, {m}, LINE):
            prefetched(moved(ahead, line))
        sample = carray(moved(data, index[b] * {stride}), ({m},))
        {add}
    {noise}
"""
ADD = "one(w, sample, p, g)"
ADD_WEIGHTED = """own = carray(stack_floats({d}), ({d},))
        for j in range({d}):
            own[j] = 0.0
        one(w, sample, p, own)
        add_multiple(g, Z[b], own)"""

# The sums are kept on the stack, which nothing else can point to: else the compiler would have to assume that a gradient written changes
# the data that are read next.
MANY_PATHS = """
def batch(W, data, index, size, P, G, Z, S, Q):
    wide_vectors()
    p, sums = carray(P, ({n},)), stack_floats({total})
    for i in range({total}):
        sums[i] = 0.0
    {weights}
    for b in range(size):
        for i in range(LANES):
            w, g = carray(stack_floats({d}), ({d},)), carray(stack_floats({d}), ({d},))
            {load}
            sample = carray(moved(data, index[b * LANES + i] * {stride}), ({m},))
            one(w, sample, p, g)
            {store}
    for i in range({total}):
        G[i] = sums[i]
    {noise}
"""

OWN = """
def added(w, sample, p, gradient):
    own = carray(stack_floats({d}), ({d},))
    for j in range({d}):
        own[j] = 0.0
    value = one({arguments})
    for j in range({d}):
        gradient[j] += own[j]
    return value
"""

ONE_SAMPLE = """
def sample(W, S, P, G):
    return one(carray(W, ({d},)), carray(S, ({m},)), carray(P, ({n},)), carray(G, ({d},)))
"""

ONE_CURVATURE = """
def curvature(W, S, P, V, O):
    one(carray(W, ({d},)), carray(S, ({m},)), carray(P, ({n},)), carray(V, ({d},)), carray(O, ({d},)))
"""


@functools.lru_cache(maxsize=256)
def compile_batch(function: Function, d: int, columns: int, n_parameters: int, *, lanes: bool, stride: int | None = None,
                  injected: InjectedNoise | None = None) -> Any:
    """Return the compiled gradient of a batch, for one path or for a block of lanes.

    The weights of lane i are W[k * LANES + i], and likewise gradient, normals and state of the noise; its samples are
    indices[b * LANES + i].  A row of the data has `stride` numbers, of which the sample is the first `columns`; all of them if None.
    """
    weighted = injected is not None and injected.form is None
    load = "; ".join(f"w[{k}] = W[{k * LANES} + i]; g[{k}] = 0.0" for k in range(d))
    weight = "Z[b * LANES + i] * " if weighted else ""
    store = "; ".join(f"sums[{k * LANES} + i] += {weight}g[{k}]" for k in range(d))
    noise = added_text(injected, d, lanes) if injected is not None and not weighted else []
    text = (MANY_PATHS if lanes else ONE_PATH).format(
        d=d, m=columns, n=n_parameters, total=d * LANES, load=load, store=store, stride=stride or columns,
        add=(ADD_WEIGHTED if weighted else ADD).format(d=d), weights="\n    ".join(weights_text(lanes) if weighted else []),
        noise="\n    ".join(noise))
    one = njit(**LANE)(lane_version(function, {id(dot.py_func): short_dot, id(add_multiple.py_func): add_short_multiple} if lanes else {}))
    scope: dict[str, Any] = {"one": one, "add_multiple": add_multiple, "carray": carray, "dot": dot, "math": math, "moved": moved,
                             "prefetched": prefetched, "stack_floats": stack_floats, "wide_vectors": wide_vectors, "LANES": LANES,
                             "LINE": LINE}
    if injected is not None and injected.function is not None:
        scope["noise"] = compiled_for_lanes(injected.function)
    exec(text, scope)
    with own_subroutines():
        return njit(BATCH.signature, **CALLED_BY_ADDRESS)(scope["batch"])


@functools.lru_cache(maxsize=256)
def compile_sample(function: Function, d: int, columns: int, n_parameters: int) -> Any:
    """Return the compiled loss of one sample, which adds its gradient, with the functions of the C library."""
    return _precise(ONE_SAMPLE, "sample", SAMPLE.signature, function, d=d, m=columns, n=n_parameters)


@functools.lru_cache(maxsize=256)
def compile_curvature(function: Function, d: int, columns: int, n_parameters: int) -> Any:
    """Return the compiled product of one sample's Hessian and a vector, which is added."""
    return _precise(ONE_CURVATURE, "curvature", CURVATURE.signature, function, d=d, m=columns, n=n_parameters)


def _precise(text: str, name: str, signature: Any, function: Function, **sizes: int) -> Any:
    one = function if hasattr(function, "py_func") else njit(error_model="numpy")(function)
    scope: dict[str, Any] = {"one": one, "carray": carray}
    exec(text.format(**sizes), scope)
    return njit(signature, **PRECISE)(scope[name])


@functools.lru_cache(maxsize=256)
def adding(function: Function, d: int, *, with_parameters: bool) -> Function:
    """Return a user's function as one that adds its gradient, whether the user's writes it or adds it to zeros."""
    one = function if hasattr(function, "py_func") else njit(error_model="numpy")(function)
    scope: dict[str, Any] = {"one": one, "carray": carray, "stack_floats": stack_floats}
    exec(OWN.format(d=d, arguments="w, sample, p, own" if with_parameters else "w, sample, own"), scope)
    return scope["added"]
