"""Inner products and sums of multiples against NumPy, at lengths that fill bundles and at those that do not."""
from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from langevin_sgd.core.dots import add_multiple, add_short_multiple, dot, short_dot


@njit
def of_arrays(a, b):
    return dot(a, b)


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 31, 32, 33, 40, 64, 71, 100, 129])
def test_a_product_is_that_of_numpy(length: int) -> None:
    a, b = np.random.default_rng(length).normal(size=(2, length))
    size = np.abs(a * b).sum()
    assert abs(of_arrays(a, b) - a @ b) <= 1e-15 * length * size
    assert abs(short_dot(a, b) - a @ b) <= 1e-15 * length * size


def test_the_second_array_says_how_many() -> None:
    a = np.arange(50.0)
    assert of_arrays(a, np.ones(40)) == a[:40].sum()


def test_the_order_of_summation_is_the_one_that_is_written_down() -> None:
    """Four sums of bundles of eight, then the bundles that are left, pairwise in the end, and what is left one after the other.

    Products by one are exact, so that it does not matter whether multiply-adds are fused.
    """
    a = np.random.default_rng(3).normal(size=77)
    bundles = a[:64].reshape(2, 4, 8).sum(axis=0)
    bundles[0] += a[64:72]
    total = (bundles[0] + bundles[1]) + (bundles[2] + bundles[3])
    while len(total) > 1:
        total = total[:len(total) // 2] + total[len(total) // 2:]
    expected = total[0]
    for value in a[72:]:
        expected += value
    assert of_arrays(a, np.ones(77)) == expected


@njit
def after(total, factor, a):
    add_multiple(total, factor, a)
    return total


@pytest.mark.parametrize("length", [1, 7, 8, 9, 33, 100])
def test_a_multiple_is_added_to_every_entry_and_to_no_other(length: int) -> None:
    room, a = np.random.default_rng(length).normal(size=(2, length + 9))
    whole, by_short = room.copy(), room.copy()
    after(whole[1:length + 1], -0.7, a[:length])
    add_short_multiple(by_short[1:length + 1], -0.7, a[:length])
    expected = room.copy()
    expected[1:length + 1] += -0.7 * a[:length]
    assert whole == pytest.approx(expected, rel=1e-15, abs=1e-15)
    assert by_short == pytest.approx(expected, rel=1e-15, abs=1e-15)
    assert np.array_equal(whole[[0, *range(length + 1, length + 9)]], room[[0, *range(length + 1, length + 9)]])
