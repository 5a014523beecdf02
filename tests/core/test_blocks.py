"""Blocks of a constant matrix, and their product with the lanes."""
from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from langevin_sgd.core.blocks import SIDE, blocks_of, padded, times_lanes
from langevin_sgd.core.lanes import CALLED_FROM_PYTHON, LANES, LINE, address_of
from langevin_sgd.core.linear_kernel import memory


@njit(**CALLED_FROM_PYTHON)
def product(S, source, target, entries, columns, starts, offset):
    times_lanes(address_of(S), source, target, address_of(entries), address_of(columns), starts, address_of(offset))


def some_matrix(rows: int, columns: int, share: float, seed: int) -> np.ndarray:
    """A matrix of whole blocks, a share of which is not zero."""
    rng = np.random.default_rng(seed)
    kept = rng.random((rows, columns)) < share
    return np.kron(kept, np.ones((SIDE, SIDE))) * rng.normal(size=(SIDE * rows, SIDE * columns))


MATRICES = given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.0, 0.2, 0.7, 1.0]), st.integers(0, 10**6))


@MATRICES
def test_blocks_hold_the_matrix_and_no_zeros(rows, columns, share, seed):
    matrix = some_matrix(rows, columns, share, seed)
    blocks, again = blocks_of(matrix), np.zeros_like(matrix)
    for r in range(rows):
        assert blocks.starts[r + 1] > blocks.starts[r]
        for b in range(blocks.starts[r], blocks.starts[r + 1]):
            c = blocks.columns[b]
            again[SIDE * r:SIDE * r + SIDE, SIDE * c:SIDE * c + SIDE] = blocks.entries[b].reshape(SIDE, SIDE)
            assert blocks.entries[b].any() or blocks.starts[r + 1] - blocks.starts[r] == 1
    assert np.array_equal(again, matrix)
    assert blocks.starts[-1] == len(blocks.entries) == len(blocks.columns)


@MATRICES
def test_the_product_is_that_of_numpy(rows, columns, share, seed):
    matrix, rng = some_matrix(rows, columns, share, seed), np.random.default_rng(seed + 1)
    source, target = 2, 2 + SIDE * columns + 1          # with rows between them that must stay as they are
    S, offset = rng.normal(size=(target + SIDE * rows + 3, LANES)), rng.normal(size=SIDE * rows)
    before = S.copy()
    product(S, source, target, *blocks_of(matrix), offset)
    want = offset[:, None] + matrix @ before[source:source + SIDE * columns]
    np.testing.assert_allclose(S[target:target + SIDE * rows], want, rtol=1e-13, atol=1e-13)
    others = np.r_[:target, target + SIDE * rows:len(S)]
    assert np.array_equal(S[others], before[others])


def test_a_lane_has_the_same_bits_wherever_it_is():
    matrix, rng = some_matrix(5, 7, 0.6, 1), np.random.default_rng(2)
    S = np.zeros((48, LANES))
    S[:28] = rng.normal(size=28)[:, None]
    product(S, 0, 28, *blocks_of(matrix), rng.normal(size=20))
    assert (S.min(axis=1) == S.max(axis=1)).all()


def test_memory_that_is_not_aligned_gives_the_same_bits():
    matrix, results = some_matrix(3, 3, 1.0, 1), []
    for shift in range(8):
        S = np.zeros(24 * LANES + 8)[shift:][:24 * LANES].reshape(24, LANES)
        S[:12] = np.random.default_rng(3).normal(size=(12, LANES))
        product(S, 0, 12, *blocks_of(matrix), np.zeros(12))
        results.append(S[12:].tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize(("d", "rows"), [(1, 4), (4, 4), (5, 8), (100, 100), (101, 104)])
def test_components_are_padded_to_whole_blocks(d, rows):
    assert padded(d) == rows
    S = memory(d)
    assert S.shape == (4 * rows, LANES)
    assert S.ctypes.data % (8 * LINE) == 0
    assert not S.any()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads the instructions of x86")
def test_the_sums_stay_in_registers():
    """Speed without a clock: per block, 128 multiply-adds of vectors for 64 lanes; sums in memory would be stored once in four of them."""
    matrix = np.ones((4, 4))
    product(np.zeros((8, LANES)), 0, 4, *blocks_of(matrix), np.zeros(4))
    text = next(iter(product.inspect_asm().values()))
    if "zmm" not in text:
        pytest.skip("needs AVX-512: with sixteen registers some sums are kept in memory")
    added = len(re.findall(r"\bvfmadd\d+pd\b.*zmm", text))
    stored = len(re.findall(r"\bvmov[au]pd\s+%zmm\d+, ", text)) - len(re.findall(r"\bvmov[au]pd\s+%zmm\d+, %zmm", text))
    assert added >= 2 * 64
    assert stored <= 2 * 16 + 4
