"""The generator on a grid: its structure first, then its answers against quadrature and against reference numbers."""
from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.theory.grids.elimination import eliminate, solve, solve_transposed, stationary
from langevin_sgd.theory.grids.generator import Generator
from langevin_sgd.theory.grids.lattice import selling
from tests.cases import each
from tests.oracles import BY_ID, ids, select

CONVENTIONS = ("ito", "stratonovich", "klimontovich")
RIGHT = ls.HalfSpace([1.0, 0.0], 0.0)
RIGHT_3 = ls.HalfSpace([1.0, 0.0, 0.0], 0.0)


def state_dependent(interpretation: str) -> ls.SDE:
    return ls.SDE("x - x**3", ls.noise.Expression("1 + 4*x**2"), 0.2, interpretation)


def in_the_plane(interpretation: str = "ito") -> ls.SDE:
    noise = ls.noise.Expression([["1 + x**2 + y**2/2", "0"], ["0", "2 + cos(x*y)"]])
    return ls.SDE(["x - x**3 + y", "-2*y - x"], noise, 0.3, interpretation)


def two_wells(temperature: float) -> ls.SDE:
    return ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2"), temperature)


# ------------------------------------------------------------------------------------------------------------------ structure

@pytest.mark.parametrize("interpretation", CONVENTIONS)
def test_rows_sum_to_zero_and_rates_are_positive(interpretation: str) -> None:
    jumps = Generator(in_the_plane(interpretation), ls.Grid([(-2, 2), (-1.5, 1.5)], (24, 16))).jumps()
    matrix = jumps.matrix().toarray()
    diagonal = np.diag(matrix)
    assert (np.abs(matrix.sum(axis=1)) < 1e-12 * -diagonal).all()
    assert (matrix - np.diag(diagonal) >= 0).all()
    assert (diagonal < 0).all()


def test_gradient_flow_in_divergence_form_is_in_detailed_balance() -> None:
    """Drift −D ∇φ with φ of fourth order: the differences of φ are exact, and π = exp(−φ) balances every pair of cells."""
    phi = ls.Landscape("(x**2 - 1)**2 + x*y + 2*y**2")
    sde = ls.SDE(["-3*(4*x*(x**2 - 1) + y)", "-(x + 4*y)/2"], ls.noise.Anisotropic([[3.0, 0.0], [0.0, 0.5]]), 2.0, "klimontovich")
    grid = ls.Grid([(-1.5, 1.5), (-1, 1)], (24, 16))
    jumps = Generator(sde, grid).jumps()
    pi = np.exp(-phi(grid.points[jumps.cells]))
    flow = (jumps.matrix().toarray() - np.diag(jumps.matrix().diagonal())) * pi[:, None]
    assert np.abs(flow - flow.T).max() < 1e-13 * flow.max()
    density = ls.FokkerPlanck(sde, grid).stationary_density().values
    assert np.ptp(np.log(density.ravel()) + phi(grid.points)) < 1e-11


def test_committor_is_a_probability_and_zero_and_one_where_it_begins() -> None:
    gen = ls.FokkerPlanck(in_the_plane(), ls.Grid([(-2, 2), (-1.5, 1.5)], (64, 48)))
    a, b = ls.Ball([-1, 0.3], 0.31), ls.Ball([1, -0.3], 0.27)
    q = gen.committor(a, b)
    inside = np.isfinite(q.values)
    assert inside.sum() < q.values.size
    assert (q.values[inside] >= 0).all() and (q.values[inside] <= 1).all()
    assert q.at([-1.0, 0.3]).value == 0.0 and q.at([1.0, -0.3]).value == 1.0
    assert np.allclose((q.values + gen.committor(b, a).values)[inside], 1.0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 12), st.integers(0, 2**32 - 1), st.floats(1.0, 250.0))
def test_elimination_agrees_with_rational_arithmetic(n: int, seed: int, spread: float) -> None:
    """Rates over hundreds of orders of magnitude, against 400 digits; LU in doubles has none of them."""
    import mpmath
    rng = np.random.default_rng(seed)
    w = int(rng.integers(1, n))
    band = 10.0 ** rng.uniform(-spread / n, spread / n, (n, 2 * w + 1))
    rows = np.arange(n)[:, None] + np.arange(-w, w + 1)
    band[(rows < 0) | (rows >= n) | (rows == np.arange(n)[:, None])] = 0.0
    kill = np.where(np.arange(n) == n // 2, 10.0 ** -rng.uniform(0, spread / 4), 0.0)
    with mpmath.workdps(400):
        m = mpmath.zeros(n, n)
        for i in range(n):
            m[i, i] = mpmath.fsum([mpmath.mpf(kill[i])] + [mpmath.mpf(r) for r in band[i]])
            for j in range(n):
                if i != j and abs(i - j) <= w:
                    m[i, j] = -mpmath.mpf(band[i, j - i + w])
        ones = mpmath.ones(n, 1)
        t = [float(v) for v in mpmath.lu_solve(m, ones)]
        p = [float(v) for v in mpmath.lu_solve(m.T, ones)]
    pivot = eliminate(band, kill)
    np.testing.assert_allclose(solve(band, pivot, np.ones(n)), t, rtol=1e-12)
    np.testing.assert_allclose(solve_transposed(band, pivot, np.ones(n)), p, rtol=1e-12)


def test_stationary_law_of_a_ring_of_three() -> None:
    """Rates 1 → 2 → 3 → 1 of 1, 2 and 4: the law is in proportion 4 : 2 : 1, with a current and without detailed balance."""
    band = np.array([[0, 0, 0, 1, 0], [0, 0, 0, 2, 0], [4, 0, 0, 0, 0]], dtype=float)
    eliminate(band, np.zeros(3))
    p = stationary(band)
    np.testing.assert_allclose(p / p[2], [4, 2, 1], rtol=1e-15)


# -------------------------------------------------------------------------------------------------------- against quadrature

@pytest.mark.parametrize("interpretation", CONVENTIONS)
def test_one_dimension_agrees_with_quadrature(interpretation: str) -> None:
    sde, domain = state_dependent(interpretation), ls.Interval(-12, 1.2, reflect="low")
    gen = ls.FokkerPlanck(sde, ls.Grid((-12, 1.3), 800))            # the boundary is not on the grid
    exact = ls.exact.passage_time_moments(sde, -1.0, domain)
    for estimate, reference in ((gen.mean_passage_time(domain).at(-1.0), exact[0]), (gen.second_moment(domain).at(-1.0), exact[1])):
        assert math.isclose(estimate.value, reference.value, rel_tol=1e-5)
        assert estimate.low <= reference.value <= estimate.high
    q = gen.committor(ls.Interval(high=-1.0), ls.Interval(low=1.2)).at(0.3)
    assert math.isclose(q.value, ls.exact.splitting_probability(sde, 0.3, ls.Interval(-1, 1.2)).value, rel_tol=1e-5)
    density = ls.FokkerPlanck(sde, ls.Grid((-12, 12), 1600)).stationary_density().at(0.5)
    assert math.isclose(density.value, float(ls.exact.stationary_density(sde)(0.5)), rel_tol=1e-4)


def test_the_wrong_convention_is_far_off() -> None:
    domain = ls.Interval(-12, 1.2, reflect="low")
    tau = ls.FokkerPlanck(state_dependent("ito"), ls.Grid((-12, 1.3), 400)).mean_passage_time(domain).at(-1.0)
    for other in ("stratonovich", "klimontovich"):
        assert abs(tau.value / ls.exact.mean_passage_time(state_dependent(other), -1.0, domain).value - 1) > 0.2


@pytest.mark.parametrize("end", [0.0, 0.0137, -0.02])
def test_a_boundary_between_centres_is_where_it_is(end: float) -> None:
    """Cut cells: the same accuracy wherever the end falls between two centres; as a mask it would be off by 1e-2."""
    sde, domain = ls.langevin(ls.landscapes.double_well(), 0.1), ls.Interval(high=end)
    tau = ls.FokkerPlanck(sde, ls.Grid((-3, 1), 200)).mean_passage_time(domain).at(-1.0)
    assert math.isclose(tau.value, ls.exact.mean_passage_time(sde, -1.0, domain).value, rel_tol=2e-5)


@pytest.mark.parametrize("time", [0.05, 1.0, 20.0])
def test_survival_of_brownian_motion_between_walls(time: float) -> None:
    """D = 1/10 between 0 and 1 against its Fourier series; at the last time one path in 1e9 is left."""
    q = ls.FokkerPlanck(ls.SDE("0", ls.noise.Constant(0.2)), ls.Grid((0, 1), 200)).survival(ls.Interval(0, 1), time).at(0.3)
    n = np.arange(1, 400, 2)
    series = np.sum(4 / (n * np.pi) * np.sin(n * np.pi * 0.3) * np.exp(-0.1 * n**2 * np.pi**2 * time))
    assert math.isclose(q.value, series, rel_tol=1e-4)


def test_survival_agrees_with_the_matrix_exponential() -> None:
    from scipy.linalg import expm
    gen = ls.FokkerPlanck(in_the_plane(), ls.Grid([(-2, 0.5), (-1.5, 1.5)], 16))
    q = gen.survival(RIGHT, 0.7).values
    jumps = gen.generator.jumps([lambda x: -x[..., 0]])
    np.testing.assert_allclose(q.ravel()[jumps.cells], expm(0.7 * jumps.matrix().toarray()).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.02])
def test_escape_rate_from_the_quasi_stationary_law(temperature: float) -> None:
    """Against the ratio of high moments by quadrature (`theory`, 8.1), and 1 / 29.8104 at temperature 0.1."""
    sde, domain = ls.langevin(ls.landscapes.double_well(), temperature), ls.Interval(high=0.0)
    moments = ls.exact.passage_time_moments(sde, -1.0, domain, 9)
    gen = ls.FokkerPlanck(sde, ls.Grid((-3, 0), 400))
    rate, mean = gen.escape_rate(domain), gen.mean_passage_time(domain)
    assert math.isclose(rate.value, 9 * moments[7].value / moments[8].value, rel_tol=2e-5)
    if temperature == 0.1:
        assert math.isclose(1 / rate.value, 29.8104, rel_tol=1e-5)
    law = gen.quasi_stationary_density(domain)
    assert math.isclose(float(np.sum(law.values * mean.values) * 3 / 400) * rate.value, 1.0, rel_tol=1e-3)
    assert temperature < 0.1 or abs(mean.at(-1.0).value * rate.value - 1) > 0.03         # a point is not the quasi-stationary law


def test_current_is_the_circulation() -> None:
    """J = p × the rotating part of the drift, p Gaussian; without rotation there is none."""
    grid = ls.Grid([(-4, 4), (-4, 4)], 96)
    x, y = grid.points.T
    p = np.exp(-(x**2 + y**2)) / np.pi
    current = ls.FokkerPlanck(ls.systems.rotating_quadratic(1.0, 0.5), grid).probability_current().reshape(-1, 2)
    np.testing.assert_allclose(current, 0.5 * p[:, None] * np.stack([y, -x], axis=1), atol=2e-3 * p.max())
    still = ls.FokkerPlanck(ls.systems.rotating_quadratic(1.0, 0.0), grid).probability_current()
    assert np.abs(still).max() < 1e-13


# ----------------------------------------------------------------------------------------------------------- reference numbers

def grid_for(entry: dict[str, Any]) -> ls.Grid:
    """A box beyond which nothing is found, and cells that resolve the noise over the drift."""
    eps = entry["sde"]["eps"]
    if entry["id"].startswith("lossC2d"):       # the kink of the drift is on an edge of all three grids; y and −y are the same
        return ls.Grid.from_edges(1 + 1.5 * np.sinh(0.016 * np.arange(-164, 77)), 0.5 * np.sinh(0.0365 * np.arange(0, 121)))
    if entry["id"].startswith("ou-disc"):
        return ls.Grid([(-1.02, 1.02)] * 2, 200)
    if entry["id"].startswith("transverse"):
        box = [(-2.3, 0), (-2.4, 2.4)] if eps > 0.15 else [(-1.6, 0), (-1.1, 1.1)] if eps < 0.08 else [(-1.9, 0), (-1.6, 1.6)]
        return ls.Grid(box, (224, 280) if entry["parameters"]["w"] > 1 and eps < 0.08 else (192, 240))
    return ls.Grid([(-2.4, 0), (-2, 2)] if eps > 0.3 else [(-2, 0), (-1.5, 1.5)], 192)


def problem(entry: dict[str, Any]) -> tuple[ls.SDE, ls.Region, list[float]]:
    said, p = entry["sde"], entry["parameters"]
    if entry["id"].startswith("lossC2d"):
        c = f"{p['sg']}*(1 + {p['u']}*(where(x < 1, x**2/2, 1 - (x - 2)**2/2) + y**2/2))"
        sde = ls.SDE(["where(x < 1, -x, x - 2)", "-y"], ls.noise.Expression([[c, "0"], ["0", c]]), said["eps"], said["interpretation"])
        return sde, ls.HalfSpace([1.0, 0.0], 3.2), [0.0, 0.0]
    if entry["id"].startswith("ou-disc"):       # any rotation gives the same; it costs cells where the noise is weak
        return ls.systems.rotating_quadratic(1.0, 0.0 if p["D"] < 0.02 else 1.0, said["eps"]), ls.Ball([0, 0], 1.0), [0.0, 0.0]
    return ls.SDE(said["drift"], ls.noise.Constant(1.0), said["eps"]), RIGHT, [-1.0, 0.0]


PLANE = select("mean_first_passage_time", dim=2)


@pytest.mark.parametrize("entry", each(4, PLANE), ids=ids(PLANE))
def test_reference_numbers_in_the_plane(entry: dict[str, Any]) -> None:
    sde, domain, start = problem(entry)
    tau = ls.FokkerPlanck(sde, grid_for(entry)).mean_passage_time(domain).at(start)
    assert math.isclose(tau.value, entry["value"], rel_tol=1e-4)
    assert tau.low * (1 - 1e-6) <= entry["value"] <= tau.high * (1 + 1e-6)
    assert not tau.verdict


def test_twice_the_noise_is_not_the_reference_number() -> None:
    entry = BY_ID["maierstein-b2-eps0.2"]
    sde, domain, start = problem(entry)
    tau = ls.FokkerPlanck(sde.replace(strength=0.4), ls.Grid([(-2, 0), (-1.5, 1.5)], 64)).mean_passage_time(domain).at(start)
    assert tau.value < 0.5 * entry["value"]


# --------------------------------------------------------------------------------------------------- full matrices, and space

@settings(max_examples=60, deadline=None)
@given(st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_selling_writes_every_matrix_with_positive_weights(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(20, dim, dim)) * 10.0 ** rng.uniform(-1, 1, (20, 1, dim))
    d = g @ np.swapaxes(g, 1, 2)
    offsets, weights = selling(d)
    assert (weights >= 0).all()
    near = np.abs(offsets).max(axis=(1, 2)) <= 100      # farther out, weights are lost in rounding; a grid asks for 12 at most
    assert near.mean() > 0.5
    np.testing.assert_allclose(np.einsum("nm,nmi,nmj->nij", weights, offsets, offsets)[near], d[near],
                               atol=1e-9 * np.trace(d, axis1=1, axis2=2).max())


def turned(interpretation: str, angle: float, mixed: bool = True) -> tuple[ls.SDE, ls.Region, list[float], ls.SDE]:
    """Two wells along u and a parabola along v, seen from axes turned by an angle; and the equation of u alone.

    All three conventions keep their meaning when axes are turned.
    """
    c, s = math.cos(angle), math.sin(angle)
    u, v = f"({c!r}*x + {s!r}*y)", f"({-s!r}*x + {c!r}*y)"
    f, g = f"({u} - {u}**3)", f"(-2*{v})"
    noise_u, noise_v = f"(1 + {u}**2)", "0.5"
    cross = f"{c * s!r}*({noise_u} - {noise_v})" if mixed else "0"
    noise = [[f"{c**2!r}*{noise_u} + {s**2!r}*{noise_v}", cross], [cross, f"{s**2!r}*{noise_u} + {c**2!r}*{noise_v}"]]
    sde = ls.SDE([f"{c!r}*{f} + {-s!r}*{g}", f"{s!r}*{f} + {c!r}*{g}"], ls.noise.Expression(noise), 0.2, interpretation)
    return sde, ls.HalfSpace([c, s], 0.0), [-c, -s], ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.2, interpretation)


@pytest.mark.parametrize("interpretation", CONVENTIONS)
def test_turned_axes_change_nothing(interpretation: str) -> None:
    """A full matrix of noise that changes with the state, against quadrature along the one axis that matters."""
    sde, domain, start, alone = turned(interpretation, 0.5)
    grid = ls.Grid([(-3.2, 1.4), (-2.8, 2.0)], (112, 120))
    exact = ls.exact.mean_passage_time(alone, -1.0, ls.Interval(high=0.0))
    gen = ls.FokkerPlanck(sde, grid)
    jumps = gen.generator.jumps()
    assert (jumps.rate > 0).all()
    assert np.abs(jumps.matrix().sum(axis=1)).max() < 1e-12 * np.abs(jumps.matrix().diagonal()).max()
    tau = gen.mean_passage_time(domain).at(start)
    assert math.isclose(tau.value, exact.value, rel_tol=5e-5)
    assert tau.low <= exact.value <= tau.high


def test_without_the_mixed_terms_it_is_another_process() -> None:
    sde, domain, start, alone = turned("ito", 0.5, mixed=False)
    tau = ls.FokkerPlanck(sde, ls.Grid([(-3.2, 1.4), (-2.8, 2.0)], (80, 84))).mean_passage_time(domain).at(start)
    assert abs(tau.value / ls.exact.mean_passage_time(alone, -1.0, ls.Interval(high=0.0)).value - 1) > 0.02


def test_stationary_law_of_a_linear_equation_with_correlated_noise() -> None:
    from scipy.linalg import solve_continuous_lyapunov
    f, d = np.array([[-1.0, 2.0], [-0.5, -2.0]]), np.array([[0.5, 0.15], [0.15, 0.25]])
    covariance = solve_continuous_lyapunov(f, -2 * d)
    density = ls.FokkerPlanck(ls.linear(f, d), ls.Grid([(-5, 5), (-3.5, 3.5)], (144, 96))).stationary_density()
    x = np.array([0.5, -0.2])
    expected = np.exp(-0.5 * x @ np.linalg.solve(covariance, x)) / (2 * np.pi * math.sqrt(np.linalg.det(covariance)))
    assert math.isclose(density.at(x).value, expected, rel_tol=1e-3)


def test_ball_in_space() -> None:
    """One octant, whose flat walls give paths back, of the reference number for a ball."""
    entry = BY_ID["ou-disc-d3-R2-D1"]
    sde = ls.SDE(["-x", "-y", "-z"], ls.noise.Constant(1.0), entry["sde"]["eps"])
    tau = ls.FokkerPlanck(sde, ls.Grid([(0, 2.1)] * 3, 32)).mean_passage_time(ls.Ball([0, 0, 0], 2.0)).at([0.0, 0.0, 0.0])
    assert math.isclose(tau.value, entry["value"], rel_tol=1e-4)


# -------------------------------------------------------------------------------------------------------------- high barriers

def test_a_time_of_1e11_keeps_its_digits_where_lu_loses_them() -> None:
    """Two wells in the plane whose exact answer is that of one dimension; as control LU of the same matrices, of which each is off by
    another 1e-5 to 2e-3, the worst of three by more than 1e-4."""
    from scipy.sparse.linalg import splu
    sde, off = two_wells(0.01), []
    exact = ls.exact.mean_passage_time(ls.langevin(ls.landscapes.double_well(), 0.01), -1.0, ls.Interval(high=0.0))
    assert 1.6e11 < exact.value < 1.7e11
    for cells in (192, 196, 200):
        gen = ls.FokkerPlanck(sde, ls.Grid([(-1.7, 0), (-0.7, 0.7)], (cells, 120)))
        mean = gen.mean_passage_time(RIGHT)
        assert math.isclose(mean.at([-1.0, 0.0]).value, exact.value, rel_tol=1e-4)
        jumps = gen.generator.jumps([lambda x: -x[..., 0]])
        by_lu = splu(-jumps.matrix().tocsc()).solve(np.ones(len(jumps.cells)))
        off.append(abs(by_lu[0] / mean.values.ravel()[jumps.cells][0] - 1))
    assert max(off) > 1e-4


def test_a_time_of_1e22_keeps_its_digits() -> None:
    sde, domain = ls.langevin(ls.landscapes.double_well(), 0.005), ls.Interval(high=0.0)
    tau = ls.FokkerPlanck(sde, ls.Grid((-2, 0), 600)).mean_passage_time(domain).at(-1.0)
    assert math.isclose(tau.value, ls.exact.mean_passage_time(sde, -1.0, domain).value, rel_tol=1e-5)


# ----------------------------------------------------------------------------------------------------------------- bad input

def test_parts_that_hardly_exchange_have_no_single_rate() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), 0.01)
    with pytest.raises(ValueError, match="no single rate"):
        ls.FokkerPlanck(sde, ls.Grid((-1.6, 1.6), 200)).escape_rate(ls.Interval(high=-0.2) | ls.Interval(low=0.5))


def small() -> ls.FokkerPlanck:
    return ls.FokkerPlanck(two_wells(0.1), ls.Grid([(-2, 2), (-1, 1)], 16))


@pytest.mark.parametrize("make, message", [
    (lambda: ls.Grid([(1, 0)], 16), "`bounds`"),
    (lambda: ls.Grid([(0, math.inf)], 16), "`bounds`"),
    (lambda: ls.Grid([(0, 1)] * 4, 16), "`bounds`"),
    (lambda: ls.Grid((0, 1), 18), "multiple of 4"),
    (lambda: ls.Grid((0, 1), 8), "at least 16"),
    (lambda: ls.Grid([(0, 1)] * 2, (16, 16, 16)), "`cells`"),
    (lambda: ls.Grid.from_edges(np.ones(17)), "increasing"),
    (lambda: ls.FokkerPlanck(two_wells(0.1), ls.Grid((0, 1), 16)), "1 axes"),
    (lambda: ls.FokkerPlanck(two_wells(0.1), 16), "`grid`"),
    (lambda: ls.FokkerPlanck(ls.SDE("-x*t", ls.noise.Constant(1.0)), ls.Grid((0, 1), 16)), "time t"),
    (lambda: ls.FokkerPlanck(ls.SDE("1 - x", ls.noise.Expression("x")), ls.Grid((-1, 1), 16)), "positive everywhere"),
    (lambda: ls.FokkerPlanck(ls.SDE("1/x", ls.noise.Constant(1.0)), ls.Grid((-1, 1), 16)), "not finite"),
    (lambda: ls.FokkerPlanck(turned("ito", 0.5)[0], ls.Grid.from_edges(np.linspace(0, 1, 17)**2, np.linspace(0, 1, 17))), "of one size"),
    (lambda: ls.FokkerPlanck(ls.linear(-np.eye(2), [[1, 1], [1, 1]]), ls.Grid([(-1, 1)] * 2, 16)), "positive definite"),
    (lambda: ls.FokkerPlanck(ls.linear(-np.eye(2), [[1, 0.99999], [0.99999, 1]]), ls.Grid([(-1, 1)] * 2, (16, 100))), "jumps over"),
    (lambda: ls.FokkerPlanck(two_wells(0.1), ls.Grid([(-2, 2), (-1, 1)], 40), memory=8e5).stationary_density(), "cells in the domain"),
    (lambda: ls.FokkerPlanck(two_wells(0.1), ls.Grid([(-2, 2), (-1, 1)], 100_000)), "for their rates alone"),
    (lambda: ls.FokkerPlanck(ls.linear(-np.eye(3), np.eye(3)), ls.Grid([(-1, 1)] * 3, 40), memory=1e8).mean_passage_time(RIGHT_3), "GB"),
    (lambda: ls.FokkerPlanck(two_wells(0.1), ls.Grid([(-2, 2), (-1, 1)], 16), memory=0), "`memory`"),
    (lambda: small().mean_passage_time(0.5), "`domain`"),
    (lambda: small().mean_passage_time(ls.HalfSpace([1.0, 0.0], 5.0)), "never reach"),
    (lambda: small().mean_passage_time(ls.Ball([9.0, 0.0], 1.0)), "no cell"),
    (lambda: small().mean_passage_time(RIGHT).at([1.0, 0.0]), "must lie in the domain"),
    (lambda: small().mean_passage_time(RIGHT).at([-3.0, 0.0]), "the grid covers"),
    (lambda: small().mean_passage_time(RIGHT).at(0.0), "`x` has shape"),
    (lambda: small().committor(ls.Ball([0, 0], 0.5), ls.Ball([0.2, 0], 0.5)), "in common"),
    (lambda: ls.FokkerPlanck(state_dependent("ito"), ls.Grid((-3, 3), 64)).mean_passage_time(ls.Interval(-2, 1, reflect="low")),
     "reflects at -2"),
])
def test_bad_input_is_told_in_a_sentence(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("interpretation", CONVENTIONS)
def test_the_same_process_in_another_convention(interpretation: str) -> None:
    """D may be componentwise or a full matrix; the rates are those of the process, not of how it is written."""
    grid = ls.Grid([(-2, 0), (-1.5, 1.5)], 32)
    full = ls.SDE(["x - x**3", "-y"], ls.noise.Expression([["1 + x**2", "y/4"], ["y/4", "1"]]), 0.3)
    for sde in (in_the_plane(), full):
        mean = ls.FokkerPlanck(sde, grid).mean_passage_time(RIGHT).values
        other = ls.FokkerPlanck(sde.in_interpretation(interpretation), grid).mean_passage_time(RIGHT).values
        np.testing.assert_allclose(other, mean, rtol=1e-2 if sde is not full else 1e-9)


def test_a_probability_of_one_to_rounding_and_one_of_1e_minus_200() -> None:
    """Φ falls by 460 over the way: the probability against the drift is exp(−460), with it 1."""
    gen = ls.FokkerPlanck(ls.SDE("1", ls.noise.Constant(1.0)), ls.Grid((0, 230), 3200))
    ends = ls.Interval(high=1.0), ls.Interval(low=229.0)
    against, with_it = gen.committor(*ends[::-1]).at(220.0), gen.committor(*ends).at(220.0)
    exact = ls.exact.splitting_probability(ls.SDE("-1", ls.noise.Constant(1.0)), 10.0, ls.Interval(1.0, 229.0))   # from the other end
    assert math.isclose(against.log_value, exact.log_value, rel_tol=1e-6)
    assert 1 - 1e-14 <= with_it.low <= with_it.value <= 1.0


def test_a_region_reads_the_parameters_of_the_equation() -> None:
    gen = ls.FokkerPlanck(ls.SDE("a*x - x**3", ls.noise.Constant(1.0), 0.3, a=1.0), ls.Grid((-3, 0.5), 64))
    by_name, by_number = (gen.mean_passage_time(region).at(-1.0).value for region in (ls.Where("a - 1 - x"), ls.Interval(high=0.0)))
    assert math.isclose(by_name, by_number, rel_tol=1e-9)
    with pytest.raises(ValueError, match="one name has one value"):
        gen.mean_passage_time(ls.Where("a - 1 - x", a=1.2))
    with pytest.raises(ValueError, match="`c` has no value"):
        gen.mean_passage_time(ls.Where("c - x"))


def test_a_generator_pickles() -> None:
    gen = small()
    again = pickle.loads(pickle.dumps(gen))
    assert np.array_equal(again.mean_passage_time(RIGHT).values, gen.mean_passage_time(RIGHT).values, equal_nan=True)


def test_on_the_boundary_no_time_passes() -> None:
    assert small().mean_passage_time(RIGHT).at([0.0, 0.3]).value == 0.0


def test_a_grid_that_does_not_resolve_the_noise_says_so() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), 0.01)
    tau = ls.FokkerPlanck(sde, ls.Grid((-8, 0), 16)).mean_passage_time(ls.Interval(high=0.0)).at(-1.0)
    assert tau.verdict
