"""Inner products, and sums of multiples, whose bits do not depend on the width of the machine's vectors."""
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import float64, int64, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from langevin_sgd.core.lanes import LANE, address_of

WIDTH, BUNDLES = 8, 4           # numbers in a bundle, and bundles in flight: enough to hide the latency of a multiply-add
FLAGS = ("contract", "nsz")


@intrinsic
def moved(typingctx: Any, pointer: Any, by: Any) -> Any:        # noqa: ARG001, the signature is Numba's
    """Return a pointer so many numbers further on."""
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        return builder.gep(values[0], [values[1]])
    return pointer(pointer, int64), codegen


@intrinsic
def prefetched(typingctx: Any, pointer: Any) -> Any:            # noqa: ARG001, the signature is Numba's
    """Ask for the memory at a pointer to be brought near; nothing else happens."""
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        signature_of = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        fetch = cgutils.get_or_insert_function(builder.module, signature_of, "llvm.prefetch.p0i8")
        read, keep, data = ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)
        builder.call(fetch, [builder.bitcast(values[0], byte), read, keep, data])
        return context.get_dummy_value()
    return types.none(pointer), codegen


@intrinsic
def _dot(typingctx: Any, a: Any, b: Any, count: Any) -> Any:    # noqa: ARG001, the signature is Numba's
    """Return Σ a_j b_j of two pointers, in an order of summation that is written down here.

    A sum in a loop is added up one after the other, since reordering would change its bits: four times as slow for a hundred numbers.
    """
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        first, second, n = values
        word, bundle = ir.IntType(64), ir.VectorType(ir.DoubleType(), WIDTH)

        def read(pointer: Any, at: Any) -> Any:
            return builder.load(builder.bitcast(builder.gep(pointer, [at]), bundle.as_pointer()), align=8)

        def add(total: Any, x: Any, y: Any) -> None:
            builder.store(builder.fadd(builder.fmul(x, y, flags=FLAGS), builder.load(total), flags=FLAGS), total)

        def up_to(start: Any, step: int) -> Any:
            return builder.add(start, builder.sub(left := builder.sub(n, start), builder.srem(left, ir.Constant(word, step))))

        def loop(start: Any, stop: Any, step: int) -> Any:
            return cgutils.for_range_slice(builder, start, stop, ir.Constant(word, step), word)

        sums = [cgutils.alloca_once_value(builder, ir.Constant(bundle, [0.0] * WIDTH)) for _ in range(BUNDLES)]
        for total in sums:
            builder.store(ir.Constant(bundle, [0.0] * WIDTH), total)
        whole = up_to(ir.Constant(word, 0), WIDTH * BUNDLES)
        with loop(ir.Constant(word, 0), whole, WIDTH * BUNDLES) as (j, _):
            for k, total in enumerate(sums):
                at = builder.add(j, ir.Constant(word, k * WIDTH))
                add(total, read(first, at), read(second, at))
        bundles = up_to(whole, WIDTH)
        with loop(whole, bundles, WIDTH) as (j, _):
            add(sums[0], read(first, j), read(second, j))
        a0, a1, a2, a3 = map(builder.load, sums)
        together = builder.fadd(builder.fadd(a0, a1), builder.fadd(a2, a3))
        parts = [builder.extract_element(together, ir.Constant(ir.IntType(32), k)) for k in range(WIDTH)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [builder.fadd(x, y) for x, y in zip(parts[:half], parts[half:], strict=True)]
        rest = cgutils.alloca_once(builder, ir.DoubleType())
        builder.store(parts[0], rest)
        with loop(bundles, n, 1) as (j, _):
            add(rest, builder.load(builder.gep(first, [j])), builder.load(builder.gep(second, [j])))
        return builder.load(rest)
    return float64(types.CPointer(float64), types.CPointer(float64), int64), codegen


@intrinsic
def _add_multiple(typingctx: Any, total: Any, factor: Any, a: Any, count: Any) -> Any:      # noqa: ARG001, the signature is Numba's
    """Add factor × a_j to total_j, a bundle at a time: of a loop the compiler can't tell that the two do not overlap."""
    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:        # noqa: ARG001
        to, scale, source, n = values
        word, bundle = ir.IntType(64), ir.VectorType(ir.DoubleType(), WIDTH)
        scales = ir.Constant(bundle, ir.Undefined)
        for k in range(WIDTH):
            scales = builder.insert_element(scales, scale, ir.Constant(ir.IntType(32), k))
        bundles = builder.sub(n, builder.srem(n, ir.Constant(word, WIDTH)))

        def at(pointer: Any, j: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(pointer, [j]), kind.as_pointer())

        def add(j: Any, kind: Any, by: Any) -> None:
            old, new = (builder.load(at(pointer, j, kind), align=8) for pointer in (to, source))
            builder.store(builder.fadd(builder.fmul(by, new, flags=FLAGS), old, flags=FLAGS), at(to, j, kind), align=8)

        with cgutils.for_range_slice(builder, ir.Constant(word, 0), bundles, ir.Constant(word, WIDTH), word) as (j, _):
            add(j, bundle, scales)
        with cgutils.for_range_slice(builder, bundles, n, ir.Constant(word, 1), word) as (j, _):
            add(j, ir.DoubleType(), scale)
        return context.get_dummy_value()
    return types.none(types.CPointer(float64), float64, types.CPointer(float64), int64), codegen


@njit(**LANE)
def add_multiple(total: Any, factor: float, a: Any) -> None:
    """Add factor × a_j to total_j, for contiguous arrays of floats, of the length of the first; for your own ``@njit`` code as well.

    Examples
    --------
    >>> import numba, numpy as np
    >>> from langevin_sgd.core.dots import add_multiple
    >>> @numba.njit
    ... def moved(a, b):
    ...     add_multiple(a, 0.5, b)
    ...     return a
    >>> moved(np.array([3.0, 4.0]), np.array([2.0, -2.0]))
    array([4., 3.])
    """
    _add_multiple(address_of(total), factor, address_of(a), len(total))


@njit(**LANE)
def dot(a: Any, b: Any) -> float:
    """Return Σ a_j b_j of two contiguous arrays of floats, of the length of the second; for your own ``@njit`` code as well.

    Examples
    --------
    >>> import numba, numpy as np
    >>> from langevin_sgd.core.dots import dot
    >>> @numba.njit
    ... def length(a):
    ...     return dot(a, a)**0.5
    >>> length(np.array([3.0, 4.0]))
    5.0
    """
    return _dot(address_of(a), address_of(b), len(b))


def short_dot(a: Any, b: Any) -> float:
    """Return the same for few numbers, one after the other: inside a lane loop, where it is the lanes that fill the vectors."""
    total = 0.0
    for j in range(len(b)):
        total += a[j] * b[j]
    return total


def add_short_multiple(total: Any, factor: float, a: Any) -> None:
    """Do the same for few numbers inside a lane loop."""
    for j in range(len(total)):
        total[j] += factor * a[j]
