"""Lane loops: many paths side by side, in code that the compiler turns into vector instructions.

A *lane loop* is ``for i in range(LANES)`` over small arrays, one path per lane.  It becomes vector code only if the compiler can
prove that the arrays do not overlap, that nothing in the body can raise, and that nothing is called.  Here are the means of proof.
"""
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import float64, int64, types, uint64
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

LINE = 8        # floats in a line of the cache: vectors that cross lines take twice as long
LANES = 64      # eight AVX-512 registers for each variable: 16 lanes leave latency exposed, 256 spill the first-level cache

# Everything inlined, no exceptions, multiply-adds may fuse.  Never `reassoc` (bits must not depend on the vector width), and never
# `nnan` or `ninf` (a path that blows up must stay NaN, for all to see).
_ARITHMETIC: dict[str, Any] = {"fastmath": {"contract", "nsz"}, "error_model": "numpy"}
# For functions inside lane loops.  Without wrappers they can't be called from plain Python, and compile in half the time.
LANE: dict[str, Any] = {**_ARITHMETIC, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
CALLED_BY_ADDRESS: dict[str, Any] = {**_ARITHMETIC, "no_cpython_wrapper": True}
CALLED_FROM_PYTHON: dict[str, Any] = _ARITHMETIC

_OWN_SUBROUTINES: dict[Any, Any] = {}


@contextlib.contextmanager
def own_subroutines() -> Iterator[None]:
    """Compile with subroutines of our own for what Numba supplies as Python, such as ``x**3``.

    Numba keeps one copy of these for the whole process, with the arithmetic of whoever came first: whether multiply-adds fuse, and so
    the last bit of a path, would depend on what else the process has compiled.
    """
    context = cpu_target.target_context
    with global_compiler_lock:
        everybodys, context.cached_internal_func = context.cached_internal_func, _OWN_SUBROUTINES
        try:
            yield
        finally:
            context.cached_internal_func = everybodys


def _stack_memory(element: Any) -> Any:
    @intrinsic(prefer_literal=True)
    def pointer(typingctx: Any, size: Any) -> Any:              # noqa: ARG001, the signature is Numba's
        """Return a pointer to `size` (a literal) uninitialised numbers in the caller's stack frame.

        Unlike an array from ``np.empty``, this is memory of which LLVM knows the size, and that nothing else points to.
        """
        def codegen(context: Any, builder: Any, signature: Any, _: Any) -> Any:
            block = cgutils.alloca_once(builder, ir.ArrayType(context.get_data_type(element), size.literal_value))
            block.align = 64
            return builder.bitcast(block, context.get_value_type(signature.return_type))
        return types.CPointer(element)(size), codegen
    return pointer


stack_floats, stack_ints, stack_words = _stack_memory(float64), _stack_memory(int64), _stack_memory(uint64)


def aligned_floats(count: int) -> np.ndarray:
    """Return so many floats, each zero, the first at the start of a line of the cache; can be compiled as well."""
    raw = np.zeros(count + LINE)
    start = -raw.ctypes.data // 8 % LINE
    return raw[start:start + count]


@intrinsic
def bits_of(typingctx: Any, x: Any) -> Any:                     # noqa: ARG001, the signature is Numba's
    """Return the 64 bits of a float as an integer; `view` of a scalar does so as well, but takes long to compile."""
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        return builder.bitcast(values[0], context.get_value_type(int64))
    return int64(float64), codegen


@intrinsic
def float_of(typingctx: Any, bits: Any) -> Any:                 # noqa: ARG001, the signature is Numba's
    """Return the float that has these 64 bits."""
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        return builder.bitcast(values[0], context.get_value_type(float64))
    return float64(bits), codegen


@intrinsic
def address_of(typingctx: Any, array: Any) -> Any:              # noqa: ARG001, the signature is Numba's
    """Return a pointer to the numbers of an array that outlives it.

    A call that takes an array counts references, with an atomic operation before and after: as long as a step of eight lanes.
    """
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, values[0]).data
    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def wide_vectors(typingctx: Any) -> Any:                        # noqa: ARG001, the signature is Numba's
    """Ask for 512-bit vectors in the calling function; by itself LLVM prefers 256 on most servers, which is 1.3 times slower.

    To be called in every function that holds a lane loop, since Numba optimises each before it is inlined into the next.  It is a
    preference, without effect where there is no AVX-512.  Through the bare `set`, because llvmlite's own `add` refuses attributes
    that it does not know; `tests/core/test_machine_code.py` notices if this ceases to work.
    """
    def codegen(context: Any, builder: Any, _: Any, __: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()
    return types.none(), codegen
