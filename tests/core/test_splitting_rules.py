"""The rules of splitting: what they do to replicas, and that walks with an exact answer come out right, and wrong with any rule broken."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langevin_sgd.core.splitting_rules import HEIGHT, STATE, first_above, resample, smallest
from tests.cases import each
from tests.core.splitting_walks import (
    AT_THE_LEVEL,
    EXACTLY_K,
    OWN_LEVEL,
    SAME_NOISE,
    WRONG,
    exact_in_the_plane,
    exact_on_the_line,
    in_the_plane,
    on_the_line,
)
from tests.laws.standard_errors import z_of_mean

RUNS, N = 3000, 50
heights = st.integers(0, 6).map(float) | st.just(math.inf)


@given(st.lists(st.floats(allow_nan=False) | heights, min_size=1, max_size=40), st.data())
def test_the_kth_smallest_is_that_of_sorting(values, data):
    k = data.draw(st.integers(1, len(values)))
    assert smallest(np.array(values), k) == sorted(values)[k - 1]


@given(st.lists(st.lists(heights, min_size=1, max_size=6, unique=True).map(sorted), min_size=2, max_size=12), st.data())
def test_who_is_killed_and_whom_they_copy(ladders, data):
    """Ladders of whole numbers, so that ties are the rule."""
    n, k = len(ladders), data.draw(st.integers(1, len(ladders) - 1))
    ladder = np.full((n, 8, STATE + 1), np.nan)
    for r, rungs in enumerate(ladders):
        ladder[r, :len(rungs), HEIGHT], ladder[r, :len(rungs), STATE] = rungs, 100 * r + np.arange(len(rungs))
    count, top, before = np.array([len(rungs) for rungs in ladders]), np.array([rungs[-1] for rungs in ladders]), ladder.copy()
    scores, killed, parents = top.copy(), np.empty(n, np.int64), np.empty(n, np.int64)
    draws = np.array(data.draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=n, max_size=n)))
    level, dead = resample(top, count, ladder, k, draws, killed, parents)
    assert level == sorted(scores)[k - 1]
    if level == math.inf:
        assert dead == 0
    expected = set(np.flatnonzero(scores <= level)) if level < math.inf else set()
    assert dead == len(expected)
    if dead in (0, n):
        np.testing.assert_array_equal(ladder, before)
        return
    assert dead >= k
    assert set(killed[:dead]) == expected
    for r, parent in zip(killed[:dead], parents[:dead], strict=True):
        rung = next(m for m, h in enumerate(ladders[parent]) if h > level)          # the first strictly above, up to and including
        assert parent not in expected
        assert (top[r], count[r]) == (ladders[parent][rung], 1)
        assert ladder[r, 0, STATE] == 100 * parent + rung
    kept = [r for r in range(n) if r not in expected]
    np.testing.assert_array_equal(ladder[kept], before[kept])


def test_each_survivor_is_copied_equally_often():
    """30 000 copies of 5 survivors, each within 4 standard errors of a fifth."""
    rng, counts = np.random.default_rng(3), np.zeros(8)
    for _ in range(10_000):
        ladder = np.arange(8.0)[:, None, None] + np.zeros((8, 2, STATE + 1))
        killed, parents = np.empty(8, np.int64), np.empty(8, np.int64)
        _, dead = resample(np.arange(8.0), np.ones(8, np.int64), ladder, 3, rng.random(8), killed, parents)
        np.add.at(counts, parents[:dead], 1)
    assert not counts[:3].any()
    assert np.abs(counts[3:] / 30_000 - 0.2).max() < 4 * math.sqrt(0.2 * 0.8 / 30_000)


def test_the_first_rung_above_a_level():
    rungs = np.array([0.0, 1.0, 1.5, 4.0, math.inf, 99.0])
    assert [first_above(rungs, 5, level) for level in (-1.0, 0.0, 0.99, 1.0, 1.5, 3.9, 4.0, 1e300)] == [0, 1, 1, 2, 3, 3, 4, 4]


# ------------------------------------------------------------------------------------- walks with an exact answer: 4 standard errors

@pytest.mark.law
@pytest.mark.parametrize("k", each(2, [25, 1]))
def test_the_walk_on_the_integers_where_all_scores_tie(k):
    """p = 5.0952741e-4 from 6000 runs of 50 replicas, to 0.6 %."""
    assert exact_on_the_line() == pytest.approx(5.0952741e-4, rel=1e-8)
    assert abs(z_of_mean(on_the_line(6000, N, k), exact_on_the_line())) < 4


@pytest.mark.law
@pytest.mark.parametrize(("slope", "k"), [(0.0, 1), (0.0, 5), (0.61, 1), (0.61, 5), (0.61, 12)])
def test_a_walk_in_the_plane_whatever_the_score(slope, k):
    """One coordinate alone is a bad score, half as noisy again as one that sees both: neither is biased, to 0.9 %."""
    assert abs(z_of_mean(in_the_plane(RUNS, N, k, slope=slope), exact_in_the_plane())) < 4


@pytest.mark.law
@pytest.mark.parametrize(("wrong", "k"), [(EXACTLY_K, 1), (EXACTLY_K, 5), (AT_THE_LEVEL, 1), (AT_THE_LEVEL, 5), (OWN_LEVEL, 5),
                                          (OWN_LEVEL, 12), (SAME_NOISE, 1), (SAME_NOISE, 5)], ids=lambda v: WRONG.get(v, v))
def test_each_wrong_rule_is_seen_in_the_plane(wrong, k):
    """The controls: 1000 runs, off by 9 standard errors and more."""
    assert abs(z_of_mean(in_the_plane(1000, N, k, slope=0.61, wrong=wrong), exact_in_the_plane())) > 7


@pytest.mark.law
@pytest.mark.parametrize("wrong", [EXACTLY_K, AT_THE_LEVEL, SAME_NOISE], ids=WRONG.get)
def test_each_wrong_rule_is_seen_where_scores_tie(wrong):
    assert abs(z_of_mean(on_the_line(1000, N, 1, wrong=wrong), exact_on_the_line())) > 20


@pytest.mark.law
def test_runs_that_died_out_belong_to_the_average():
    """Of 40 000 runs of 8 replicas 6 % die out; without them the mean is 5 % too large, 6 standard errors."""
    runs = on_the_line(40_000, 8, 1)
    assert 0.04 < (runs == 0).mean() < 0.08
    assert abs(z_of_mean(runs, exact_on_the_line())) < 4
    assert z_of_mean(runs[runs > 0], exact_on_the_line()) > 5


def test_the_copy_with_breakable_rules_is_the_library_s_own_where_nothing_is_broken():
    np.testing.assert_array_equal(in_the_plane(50, 20, 3, slope=0.61, wrong=9), in_the_plane(50, 20, 3, slope=0.61))
