"""A constant matrix times the states of all lanes, for matrices too large to be written out in a step.

The matrix is kept as those of its 4 x 4 blocks that are not zero, row by row: a diagonal costs four products in a row of any length, a
band its width.  While four rows are summed up, their sums stay in registers.  A loop that LLVM vectorises by itself does not achieve that:
its sums go to memory and back at every block, which takes twice as long.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import float64, int64, njit, types
from numba.extending import intrinsic

from langevin_sgd.core.lanes import LANE, LANES, wide_vectors

SIDE = 4                # rows and columns of a block
WIDE = 8                # doubles in a vector
FLOATS, INTS = types.CPointer(float64), types.CPointer(int64)
_VECTOR, _WORD, _LANE = ir.VectorType(ir.DoubleType(), WIDE), ir.IntType(64), ir.IntType(32)
_FLAGS = ("contract", "nsz")        # as everywhere in the lanes


class Blocks(NamedTuple):
    """A matrix (4 r, 4 c) as its blocks that are not zero.

    Attributes
    ----------
    entries
        The blocks (block, 16), each row by row, block row after block row.
    columns
        The block column of each (block,).
    starts
        Where each block row starts among them (r + 1,).
    """

    entries: np.ndarray
    columns: np.ndarray
    starts: np.ndarray


def padded(size: int) -> int:
    """Return the next multiple of the side of a block."""
    return -(-size // SIDE) * SIDE


def blocks_of(matrix: np.ndarray) -> Blocks:
    """Return the blocks of a matrix whose sides are multiples of 4; every block row has at least one."""
    rows, columns = matrix.shape[0] // SIDE, matrix.shape[1] // SIDE
    tiles = matrix.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)
    kept = np.asarray(tiles.any(axis=(2, 3)))
    kept[~kept.any(axis=1), 0] = True
    entries = np.ascontiguousarray(tiles[kept].reshape(-1, SIDE * SIDE), dtype=float)
    return Blocks(entries, np.nonzero(kept)[1].astype(np.int64), np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64))


@njit(**LANE)
def times_lanes(S: Any, source: int, target: int, entries: Any, columns: Any, starts: Any, offset: Any) -> None:
    """Rows `target` ... of the floats at S (row, LANES) become offset + matrix times the rows `source` ..., other ones."""
    wide_vectors()
    for r in range(len(starts) - 1):
        block_row(S, source * LANES, (target + SIDE * r) * LANES, entries, columns, starts[r], starts[r + 1], offset, SIDE * r)


@intrinsic
def block_row(typingctx: Any, S: Any, source: Any, target: Any, entries: Any, columns: Any, first: Any, last: Any, offset: Any,  # noqa: ARG001
              row: Any) -> Any:                                                                     # noqa: ARG001, the signature is Numba's
    """Four rows of the product, from the blocks first ... last - 1: for all lanes, as many at a time as there are registers for their sums.

    `source` and `target` are places in S; the sums start at four numbers of `offset`, from place `row` on.
    """
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:         # noqa: ARG001
        vectors = _vectors(context)
        for part in range(0, LANES, WIDE * vectors):
            _part(builder, part, vectors, *arguments)
        return context.get_dummy_value()
    return types.none(FLOATS, int64, int64, FLOATS, INTS, int64, int64, FLOATS, int64), codegen


def _vectors(context: Any) -> int:
    """Vectors of each row that are summed up at a time: with AVX-512, 16 of 32 registers hold sums, else 8 of 16.  No bit depends on it."""
    _, _, features = context.codegen().magic_tuple()
    return 4 if "+avx512f" in features.split(",") else 1


def _part(builder: Any, part: int, vectors: int, S: Any, source: Any, target: Any, entries: Any, columns: Any, first: Any, last: Any,
          offset: Any, row: Any) -> None:
    """The code for some of the lanes: one pass over the blocks, with the sums in registers."""
    begin = [_spread(builder, _load(builder, offset, row, r)) for r in range(SIDE)]
    before, loop, after = builder.block, builder.append_basic_block("blocks"), builder.append_basic_block("summed")
    builder.branch(loop)
    builder.position_at_end(loop)
    block = builder.phi(_WORD)
    sums = [[builder.phi(_VECTOR) for _ in range(vectors)] for _ in range(SIDE)]
    place, entry = builder.mul(_load(builder, columns, block), _word(SIDE * LANES)), builder.mul(block, _word(SIDE * SIDE))
    place, new = builder.add(place, source), [list(s) for s in sums]
    for m in range(SIDE):
        states = [_vector_load(builder, S, place, m * LANES + part + WIDE * v) for v in range(vectors)]
        for r in range(SIDE):
            factor = _spread(builder, _load(builder, entries, entry, SIDE * r + m))
            for v in range(vectors):
                new[r][v] = builder.fadd(new[r][v], builder.fmul(factor, states[v], flags=_FLAGS), flags=_FLAGS)
    following = builder.add(block, _word(1))
    builder.cbranch(builder.icmp_signed("<", following, last), loop, after)
    for value, start, end in ((block, first, following), *((sums[r][v], begin[r], new[r][v]) for r in range(SIDE) for v in range(vectors))):
        value.add_incoming(start, before)
        value.add_incoming(end, loop)
    builder.position_at_end(after)
    for r in range(SIDE):
        for v in range(vectors):
            builder.store(new[r][v], _vector_at(builder, S, target, r * LANES + part + WIDE * v), align=8)


def _word(number: int) -> Any:
    return ir.Constant(_WORD, number)


def _load(builder: Any, pointer: Any, place: Any, more: int = 0) -> Any:
    return builder.load(builder.gep(pointer, [builder.add(place, _word(more))]))


def _vector_at(builder: Any, pointer: Any, place: Any, more: int) -> Any:
    return builder.bitcast(builder.gep(pointer, [builder.add(place, _word(more))]), _VECTOR.as_pointer())


def _vector_load(builder: Any, pointer: Any, place: Any, more: int) -> Any:
    return builder.load(_vector_at(builder, pointer, place, more), align=8)     # costs nothing where the memory is better aligned


def _spread(builder: Any, number: Any) -> Any:
    """One number in all places of a vector."""
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _LANE(0))
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(_LANE, WIDE), [0] * WIDE))
