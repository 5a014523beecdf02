"""Elimination by nested dissection: the same answers as along a band and as rational arithmetic, at a cost that grows as it should."""
from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.theory.grids import eliminated
from langevin_sgd.theory.grids.certificate import certain_digits
from langevin_sgd.theory.grids.dissection import Dissection, dissect
from langevin_sgd.theory.grids.eliminated import planned
from langevin_sgd.theory.grids.elimination import Band, eliminate
from langevin_sgd.theory.grids.fronts import eliminate_fronts, mean_times
from langevin_sgd.theory.grids.generator import Jumps

RIGHT = ls.HalfSpace([1.0, 0.0], 0.0)


def random_process(seed: int, shape: tuple[int, ...], decades: float) -> Jumps:
    """Jumps to the neighbours and along two random vectors, on a random part of a box, that end at low rates."""
    rng = np.random.default_rng(seed)
    along = np.argwhere(rng.uniform(size=shape) < 0.9)
    number = np.full(shape, -1)
    number[tuple(along.T)] = np.arange(len(along))
    offsets = np.concatenate([np.eye(len(shape), dtype=int), rng.integers(-2, 3, (2, len(shape)))])
    source, target = [], []
    for e in np.unique(np.concatenate([offsets, -offsets]), axis=0):
        there = along + e
        inside = ((there >= 0) & (there < shape)).all(axis=1) & e.any()
        found = number[tuple(there[inside].T)]
        source.append(np.flatnonzero(inside)[found >= 0])
        target.append(found[found >= 0])
    i, j = np.concatenate(source), np.concatenate(target)
    kill = 10.0 ** -rng.uniform(decades, 3 * decades, (1, len(along)))
    return Jumps(np.arange(len(along)), along, i, j, 10.0 ** rng.uniform(-decades, decades, len(i)), kill)


def by_fronts(jumps: Jumps, leaf: int) -> Any:
    return eliminate_fronts(dissect(jumps.along, jumps.source, jumps.target, leaf), jumps.source, jumps.target, jumps.rate,
                            jumps.kill.sum(axis=0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(40,), (9, 8), (23, 17), (7, 6, 8), (4, 3, 5)]), st.integers(2, 40), st.floats(0.5, 8.0))
def test_fronts_and_a_band_agree(seed: int, shape: tuple[int, ...], leaf: int, decades: float) -> None:
    """Two orders and two codes; sources of any size."""
    jumps = random_process(seed, shape, decades)
    fronts, band = by_fronts(jumps, leaf), jumps.band()
    assert len(shape) == 1 or leaf > 8 or len(fronts.parts) > 3
    other = Band(band, eliminate(band, jumps.kill.sum(axis=0)))
    source = 10.0 ** np.random.default_rng(seed).uniform(-5, 5, len(jumps.cells))
    np.testing.assert_allclose(fronts.solve(source), other.solve(source), rtol=1e-11)
    np.testing.assert_allclose(fronts.solve_transposed(source), other.solve_transposed(source), rtol=1e-11)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 15.0))
def test_fronts_agree_with_rational_arithmetic(seed: int, decades: float) -> None:
    import mpmath
    jumps = random_process(seed, (9, 4), decades)
    n = len(jumps.cells)
    with mpmath.workdps(120):
        m = mpmath.zeros(n, n)
        for k in range(n):
            m[k, k] += mpmath.mpf(jumps.kill[0, k])
        for i, j, q in zip(jumps.source, jumps.target, jumps.rate, strict=True):
            m[int(i), int(i)] += mpmath.mpf(q)
            m[int(i), int(j)] -= mpmath.mpf(q)
        t = [float(v) for v in mpmath.lu_solve(m, mpmath.ones(n, 1))]
        p = [float(v) for v in mpmath.lu_solve(m.T, mpmath.ones(n, 1))]
    fronts = by_fronts(jumps, 3)
    assert len(fronts.parts) >= 3
    np.testing.assert_allclose(fronts.solve(np.ones(n)), t, rtol=1e-12)
    np.testing.assert_allclose(fronts.solve_transposed(np.ones(n)), p, rtol=1e-12)


def test_mean_times_by_halves_are_those_state_by_state() -> None:
    """150 states, so three halvings, with a mean time of 1e18, against one state after the other."""
    rng = np.random.default_rng(3)
    n = 150
    rates, kill = 10.0 ** rng.uniform(-4, 4, (n, n)), np.zeros(n)
    kill[7] = 1e-18
    band = np.zeros((n, 2 * n - 1))
    for i in range(n):
        band[i, n - 1 - i:2 * n - 1 - i] = rates[i]
    band[:, n - 1] = 0.0
    other = Band(band, eliminate(band, kill))
    times = mean_times(rates, kill)
    assert times.max() > 1e15
    np.testing.assert_allclose(times, np.stack([other.solve(unit) for unit in np.eye(n)], axis=1), rtol=1e-11)


# ------------------------------------------------------------------------------------------------------- the order, and its cost

def box(*shape: int) -> tuple[Dissection, Jumps]:
    """Jumps to the neighbours in a whole box, rates of no matter."""
    along = np.argwhere(np.ones(shape, dtype=bool))
    number = np.arange(len(along)).reshape(shape)
    pairs = [(np.delete(number, -1, axis=k).ravel(), np.delete(number, 0, axis=k).ravel()) for k in range(len(shape))]
    i = np.concatenate([p for pair in pairs for p in pair])
    j = np.concatenate([p for pair in pairs for p in pair[::-1]])
    return dissect(along, i, j), Jumps(number.ravel(), along, i, j, np.ones(len(i)), np.ones((1, len(along))))


def test_every_jump_stays_in_a_front_or_goes_on_to_its_rest() -> None:
    jumps = random_process(1, (40, 30), 1.0)
    d = dissect(jumps.along, jumps.source, jumps.target)
    assert np.array_equal(np.sort(d.order), np.arange(len(jumps.cells)))
    assert np.array_equal(d.order[d.place], np.arange(len(jumps.cells)))
    low, high = np.sort([d.place[jumps.source], d.place[jumps.target]], axis=0)
    for i, j in zip(low, high, strict=True):
        front = d.fronts[d.front_of[i]]
        assert front.start <= i < front.stop and (j < front.stop or j in front.rest)
    for k, front in enumerate(d.fronts):
        assert all(child < k for child in front.children)


@pytest.mark.parametrize("coarse, fine, exponent", [((100, 60), (200, 120), 1.6), ((200, 120), (400, 240), 1.6),
                                                    ((16,) * 3, (32,) * 3, 2.2), ((24,) * 3, (48,) * 3, 2.2)])
def test_cost_grows_like_that_of_nested_dissection(coarse: tuple[int, ...], fine: tuple[int, ...], exponent: float) -> None:
    """Multiplications, counted: exponents 1.5 and 2 of the number of cells, where a band has 2 and 7/3; and fewer than the band's."""
    (few, jumps), (many, more) = box(*coarse), box(*fine)
    n, m = len(jumps.cells), len(more.cells)
    assert math.log(many.operations / few.operations) / math.log(m / n) < exponent
    assert many.operations < m * more.bandwidth**2
    assert many.bytes < 8 * m * (2 * more.bandwidth + 1)


def test_the_memory_told_is_not_less_than_what_is_kept() -> None:
    d, jumps = box(20, 20, 20)
    fronts = eliminate_fronts(d, jumps.source, jumps.target, jumps.rate, jumps.kill[0])
    assert fronts.bytes < d.bytes < 2 * fronts.bytes


# ------------------------------------------------------------------------------------------------------------ through the door

def two_wells(temperature: float) -> ls.SDE:
    return ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2"), temperature)


def turning() -> ls.SDE:
    """Circulation, and a full matrix of noise that depends on the state."""
    return ls.SDE(["x - x**3 + y", "-y - x"], ls.noise.Expression([["1 + x**2", "y/4"], ["y/4", "1"]]), 0.3)


ANSWERS = {
    "mean passage time": lambda gen: gen.mean_passage_time(RIGHT).values,
    "second moment": lambda gen: gen.second_moment(RIGHT).values,
    "committor": lambda gen: gen.committor(ls.Ball([-1, 0], 0.3), ls.Ball([1, 0], 0.3)).values,
    "stationary density": lambda gen: gen.stationary_density().values,
    "quasi-stationary density": lambda gen: gen.quasi_stationary_density(RIGHT).values,
    "survival": lambda gen: gen.survival(RIGHT, 3.0).values,
    "escape rate": lambda gen: np.array(gen.escape_rate(RIGHT).value),
}


@pytest.mark.parametrize("question", ANSWERS)
def test_every_answer_is_the_same_by_fronts(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = ls.Grid([(-2, 1.8), (-1.5, 1.5)], (40, 32))
    by_band = ANSWERS[question](ls.FokkerPlanck(turning(), grid))
    monkeypatch.setattr(eliminated, "QUICK", 0)
    gen = ls.FokkerPlanck(turning(), grid)
    by_dissection = ANSWERS[question](gen)
    assert planned(gen.generator.jumps(), 1e9).dissection is not None
    np.testing.assert_allclose(by_dissection, by_band, rtol=1e-8 if "quasi" in question else 1e-12)
    if question in ("mean passage time", "second moment"):
        other = ANSWERS[question](ls.FokkerPlanck(turning().replace(strength=0.3003), grid))
        assert abs(np.nanmax(other) / np.nanmax(by_band) - 1) > 1e-4


def test_a_density_over_more_than_200_orders_of_magnitude(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the corner where the law is 1e-260 of its largest value, which makes what is measured beside it overflow on the way."""
    sde, grid = two_wells(0.004), ls.Grid([(-2, 2), (-1.2, 1.2)], (160, 64))
    by_band = ls.FokkerPlanck(sde, grid).stationary_density().values
    monkeypatch.setattr(eliminated, "QUICK", 0)
    by_dissection = ls.FokkerPlanck(sde, grid).stationary_density().values
    assert by_band.min() < 1e-230
    np.testing.assert_allclose(by_dissection, by_band, rtol=1e-11)


def test_no_way_out_is_told_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eliminated, "QUICK", 0)
    gen = ls.FokkerPlanck(two_wells(0.1), ls.Grid([(-2, 2), (-1, 1)], 16))
    with pytest.raises(ValueError, match="never reach"):
        gen.mean_passage_time(ls.HalfSpace([1.0, 0.0], 5.0))
    with pytest.raises(ValueError, match="cannot reach others"):
        ls.FokkerPlanck(two_wells(1e-5), ls.Grid([(-2, 2), (-1, 1)], 16)).stationary_density()


def test_not_more_is_kept_than_the_memory_holds() -> None:
    """Two domains of which one alone fits: the first is forgotten, and is solved again when it is asked for again."""
    sde, grid = two_wells(0.1), ls.Grid([(-2, 2), (-1, 1)], 32)
    needed = planned(ls.FokkerPlanck(sde, grid).generator.jumps([lambda x: 0.5 - x[..., 0]]), 1e9).bytes
    gen = ls.FokkerPlanck(sde, grid, memory=1.5 * needed)
    first, other = ls.HalfSpace([1.0, 0.0], 0.5), ls.HalfSpace([1.0, 0.0], 0.4)
    tau = gen.mean_passage_time(first).values
    gen.mean_passage_time(other)
    assert [free for _, free in gen._kept] == [((other, 1.0),)]
    assert np.array_equal(gen.mean_passage_time(first).values, tau, equal_nan=True)


# ---------------------------------------------------------------------------------------------------------------------- digits

def solved(temperature: float, cells: tuple[int, int]) -> tuple[Any, np.ndarray]:
    width = 7 * math.sqrt(temperature)
    jumps = ls.FokkerPlanck(two_wells(temperature), ls.Grid([(-1.1 - width, 0), (-width, width)], cells)).generator.jumps(
        [lambda x: -x[..., 0]])
    run = planned(jumps, 1e9).eliminate(jumps.kill.sum(axis=0))
    return run, run.solve(np.ones(len(jumps.cells)))


@pytest.mark.parametrize("temperature, promised", [(0.1, 13.5), (0.01, 13.5), (0.005, 5.0)])
def test_digits_are_certain_at_short_and_long_times(temperature: float, promised: float) -> None:
    """τ = 30, 1.6e11 and 1e22; at the last, twice the precision is all but used up."""
    run, times = solved(temperature, (64, 40))
    assert certain_digits(run, times, np.ones(len(times))) > promised


def test_wrong_digits_are_noticed() -> None:
    """Noise of 1e-6, a common factor, a wrong kill rate, and LU, which has 3 digits at 1.6e11."""
    from scipy.sparse.linalg import splu
    run, times = solved(0.01, (100, 60))
    one = np.ones(len(times))
    noise = np.random.default_rng(1).uniform(-1, 1, len(times))
    assert 5.9 < certain_digits(run, times * (1 + 1e-6 * noise), one) < 6.1
    assert 4.9 < certain_digits(run, times * (1 + 1e-5), one) < 5.1
    by_lu = splu(-run.jumps.matrix().tocsc()).solve(one)
    assert abs(certain_digits(run, by_lu, one) + math.log10(np.abs(by_lu / times - 1).max())) < 0.1
    assert certain_digits(run, by_lu, one) < 5


def test_an_elimination_that_is_wrong_itself_promises_nothing() -> None:
    """Of a process that ends a million times as fast: it hardly changes a time that is off by 1e-3, nor does it the second time."""
    run, times = solved(0.1, (64, 40))
    jumps = run.jumps
    fronts = eliminate_fronts(dissect(jumps.along, jumps.source, jumps.target), jumps.source, jumps.target, jumps.rate, 1e6 + run.kill)
    one = np.ones(len(times))
    assert certain_digits(dataclasses.replace(run, taken=fronts), times * 1.001, one) == 0.0
    assert certain_digits(run, times * 1.001, one) < 3.1


def test_beyond_what_can_be_measured_nothing_is_promised() -> None:
    """τ = 4e54: elimination has all digits, as quadrature shows, but no check in twice the precision can."""
    run, times = solved(0.002, (64, 40))
    assert certain_digits(run, times, np.ones(len(times))) == 0.0


def test_digits_of_answers() -> None:
    gen = ls.FokkerPlanck(two_wells(0.05), ls.Grid([(-1.8, 1.8), (-1, 1)], 32))
    assert gen.mean_passage_time(RIGHT).digits > 13
    assert gen.committor(ls.Ball([-1, 0], 0.3), ls.Ball([1, 0], 0.3)).digits > 13
    with pytest.raises(ValueError, match="not measured"):
        _ = gen.stationary_density().digits


# ----------------------------------------------------------------------------------------------------------------------- space

@pytest.mark.slow
def test_space_at_a_cost_that_a_band_would_not_bear() -> None:
    """The first component is an equation by itself, which has the exact time; noise and drift of the others mix all three.

    Against it with 1 per cent more noise as control.
    """
    drift = ["x - x**3", "-y + z/2", "-2*z - y/2"]
    noise = [["1 + x**2", "0.3*(1 + y)", "0"], ["0.3*(1 + y)", "1 + y**2/2", "0.2*x"], ["0", "0.2*x", "1"]]
    sde = ls.SDE(drift, ls.noise.Expression(noise), 0.25)
    exact = ls.exact.mean_passage_time(ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.25), -1.0, ls.Interval(high=0.0)).value
    grid = ls.Grid([(-2.6, 0), (-1.9, 1.9), (-1.4, 1.4)], (32, 32, 24))
    tau = ls.FokkerPlanck(sde, grid).mean_passage_time(ls.HalfSpace([1.0, 0.0, 0.0], 0.0))
    at = tau.at([-1.0, 0.0, 0.0])
    assert math.isclose(at.value, exact, rel_tol=1e-3) and at.low <= exact <= at.high
    assert tau.digits > 13
    louder = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.2525)
    assert not at.low <= ls.exact.mean_passage_time(louder, -1.0, ls.Interval(high=0.0)).value <= at.high
