"""What the jump process on a grid inherits from its equation, whatever the size of cells: balance, currents, rates, boundaries."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import langevin_sgd as ls
from langevin_sgd.theory.grids.eliminated import planned
from langevin_sgd.theory.grids.generator import Jumps
from langevin_sgd.theory.grids.late_times import brackets, escape_rate, quasi_stationary_law

RIGHT = ls.HalfSpace([1.0, 0.0], 0.0)

# ----------------------------------------------------------------------------------------------------------------- balance

PHI = ls.Landscape("sin(2*x)*cos(y) + x**2/2 + y**4/4 + exp(-x*y)")
D = "1 + x**2/3", "2 + sin(x*y)"


def balanced(interpretation: str) -> ls.SDE:
    """Drift −D ∇φ under a diagonal D that depends on both components: in divergence form its law is exp(−φ), in others it isn't."""
    slope = "2*cos(2*x)*cos(y) + x - y*exp(-x*y)", "-sin(2*x)*sin(y) + y**3 - x*exp(-x*y)"
    noise = [[f"2*({D[0]})", "0"], ["0", f"2*({D[1]})"]]
    return ls.SDE([f"-({d})*({g})" for d, g in zip(D, slope, strict=True)], ls.noise.Expression(noise), 1.0, interpretation)


def log_ratios(jumps: Jumps) -> np.ndarray:
    """ln (q_ij / q_ji) for all jumps."""
    n = len(jumps.cells)
    back = np.argsort(jumps.target * n + jumps.source)
    there = np.argsort(jumps.source * n + jumps.target)
    ratio = np.empty(len(there))
    ratio[there] = np.log(jumps.rate[there] / jumps.rate[back])
    return ratio


def affinities(jumps: Jumps, shape: tuple[int, int]) -> np.ndarray:
    """The sums of ln (q_ij / q_ji) around all squares of four cells."""
    pairs = zip(jumps.cells[jumps.source].tolist(), jumps.cells[jumps.target].tolist(), strict=True)
    ratio = dict(zip(pairs, log_ratios(jumps).tolist(), strict=True))
    corners = [(i * shape[1] + j, (i + 1) * shape[1] + j, (i + 1) * shape[1] + j + 1, i * shape[1] + j + 1)
               for i, j in itertools.product(range(shape[0] - 1), range(shape[1] - 1))]
    return np.array([sum(ratio[a, b] for a, b in zip(c, c[1:] + c[:1], strict=True)) for c in corners])


CASES = {
    "D that depends on the state": (balanced("klimontovich"), PHI, 1.0, [(-1.5, 1.5), (-1.5, 1.5)]),
    "Müller–Brown": (ls.langevin(ls.landscapes.mueller_brown(), 15.0), ls.landscapes.mueller_brown(), 15.0, [(-1.6, 1.2), (-0.4, 2.0)]),
}


@pytest.mark.parametrize("case", CASES)
def test_no_cycle_turns_where_the_equation_is_in_detailed_balance(case: str) -> None:
    """On a coarse grid, and for φ that is no polynomial: π_i q_ij = π_j q_ji to the rounding of φ, which reaches 190."""
    sde, phi, scale, box = CASES[case]
    grid = ls.Grid(box, (48, 40))
    jumps = ls.FokkerPlanck(sde, grid).generator.jumps()
    height = phi(grid.points[jumps.cells]) / scale
    rounding = 8 * np.finfo(float).eps * np.abs(height).max()
    assert np.abs(log_ratios(jumps) - (height[jumps.source] - height[jumps.target])).max() < rounding
    assert np.abs(affinities(jumps, grid.shape)).max() < 4 * rounding


def test_cycles_turn_where_it_is_not() -> None:
    """The same drift under the same noise, read as Itô: another process, without balance."""
    grid = ls.Grid([(-1.5, 1.5), (-1.5, 1.5)], (48, 40))
    assert np.abs(affinities(ls.FokkerPlanck(balanced("ito"), grid).generator.jumps(), grid.shape)).max() > 1e-4


# ----------------------------------------------------------------------------------------------------------------- current

def test_a_gradient_flow_under_noise_that_does_not_commute_has_a_current() -> None:
    """Drift −H x, D constant: J = −Q ∇φ p with φ = xᵀ Σ⁻¹ x / 2 and Q = H Σ − D (`theory`, 6.2), not 0; with D = 1/2 it is 0."""
    h, d = np.diag([4.0, 1.0]), np.array([[1.0, 0.3], [0.3, 0.5]])
    sigma = solve_continuous_lyapunov(-h, -2 * d)
    q = h @ sigma - d
    assert math.isclose(q[0, 1], 0.18, rel_tol=1e-12) and math.isclose(q[1, 0], -0.18, rel_tol=1e-12)
    grid = ls.Grid([(-2.6, 2.6), (-3.6, 3.6)], 128)
    x = grid.points
    slope = x @ np.linalg.inv(sigma)
    p = np.exp(-0.5 * (x * slope).sum(axis=1)) / (2 * np.pi * math.sqrt(np.linalg.det(sigma)))
    expected = -p[:, None] * slope @ q.T
    current = ls.FokkerPlanck(ls.linear(-h, d), grid).probability_current().reshape(-1, 2)
    assert np.abs(current - expected).max() < 5e-3 * np.abs(expected).max()
    still = ls.FokkerPlanck(ls.linear(-h, np.eye(2) / 2), grid).probability_current()
    assert np.abs(still).max() < 1e-12 * np.abs(expected).max()


# ------------------------------------------------------------------------------------------------------------------- rates

def left_well(strength: float, cells: int) -> ls.FokkerPlanck:
    return ls.FokkerPlanck(ls.systems.maier_stein(beta=2.0, strength=strength), ls.Grid([(-2, 0), (-1.5, 1.5)], cells))


@pytest.mark.parametrize("strength", [0.5, 0.1, 0.02])
def test_the_mean_time_from_the_quasi_stationary_law_is_one_over_the_rate(strength: float) -> None:
    """On one grid, to 1e-8, whatever the barrier; from a uniform law it isn't."""
    gen = left_well(strength, 40)
    jumps = gen.generator.jumps([lambda x: -x[..., 0]])
    run = planned(jumps, 1e9).eliminate(jumps.kill.sum(axis=0))
    law, times = quasi_stationary_law(run), run.solve(np.ones(len(jumps.cells)))
    assert math.isclose(float(law @ times) * escape_rate(run), 1.0, rel_tol=1e-8)
    assert abs(float(times.mean()) * escape_rate(run) - 1) > 1e-3


def test_the_rate_stays_between_bounds_that_close() -> None:
    """Against all eigenvalues of the matrix, at a barrier that they bear."""
    gen = left_well(0.5, 20)
    jumps = gen.generator.jumps([lambda x: -x[..., 0]])
    run = planned(jumps, 1e9).eliminate(jumps.kill.sum(axis=0))
    rate = float(np.linalg.eigvals(-jumps.matrix().toarray()).real.min())
    bounds = list(itertools.islice(brackets(run), 12))
    assert all(low <= rate * (1 + 1e-9) and rate * (1 - 1e-9) <= high for low, high in bounds)
    assert all(low >= before[0] * (1 - 1e-12) and high <= before[1] * (1 + 1e-12)
               for before, (low, high) in itertools.pairwise(bounds))
    assert bounds[0][1] > 1.1 * rate and bounds[-1][1] - bounds[-1][0] < 1e-8 * rate


def test_from_a_minimum_the_time_becomes_one_over_the_rate_as_noise_fades() -> None:
    off = []
    for strength in (0.2, 0.1, 0.05):
        gen = left_well(strength, 96)
        off.append(abs(gen.mean_passage_time(RIGHT).at([-1.0, 0.0]).value * gen.escape_rate(RIGHT).value - 1))
    assert off[0] > 0.01 and off[1] < off[0] / 3 and off[2] < off[1] / 20


# -------------------------------------------------------------------------------------------------------------- boundaries

def brownian() -> ls.SDE:
    return ls.SDE(["0", "0"], ls.noise.Constant(0.2))


def between_walls(x: float, time: float) -> float:
    """The share of Brownian paths, D = 1/10, that have stayed between 0 and 1 (theory: Fourier series)."""
    n = np.arange(1, 400, 2)
    return float(np.sum(4 / (n * np.pi) * np.sin(n * np.pi * x) * np.exp(-0.1 * n**2 * np.pi**2 * time)))


def test_outer_boundaries_reflect_or_absorb_as_they_are_asked_to() -> None:
    """Brownian motion in a square: two sides absorb, x (1 − x) / 2 D; one; all four (Fourier series, 100 × 100 terms)."""
    gen = ls.FokkerPlanck(brownian(), ls.Grid([(0, 1), (0, 1)], 64))
    x, y = 0.3, 0.6
    right, left = ls.HalfSpace([1.0, 0.0], 1.0), ls.HalfSpace([-1.0, 0.0], 0.0)
    n, m = np.meshgrid(np.arange(1, 200, 2), np.arange(1, 200, 2))
    all_four = np.sum(16 * np.sin(n * np.pi * x) * np.sin(m * np.pi * y) / (n * m * np.pi**4 * 0.1 * (n**2 + m**2)))
    for domain, exact in ((left & right, x * (1 - x) / 0.2), (right, (1 - x**2) / 0.2), (ls.Box([0, 0], [1, 1]), all_four)):
        assert math.isclose(gen.mean_passage_time(domain).at([x, y]).value, exact, rel_tol=1e-4)


def test_survival_in_a_square_is_a_product() -> None:
    gen = ls.FokkerPlanck(brownian(), ls.Grid([(0, 1), (0, 1)], 48))
    left = gen.survival(ls.Box([0, 0], [1, 1]), 0.8).at([0.3, 0.6])
    assert math.isclose(left.value, between_walls(0.3, 0.8) * between_walls(0.6, 0.8), rel_tol=3e-4)


def test_second_moment_in_the_plane_is_that_of_the_line() -> None:
    sde = ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2"), 0.1)
    square = ls.FokkerPlanck(sde, ls.Grid([(-2.4, 0), (-1.8, 1.8)], (96, 64))).second_moment(RIGHT).at([-1.0, 0.0])
    exact = ls.exact.passage_time_moments(ls.langevin(ls.landscapes.double_well(), 0.1), -1.0, ls.Interval(high=0.0))[1]
    assert math.isclose(square.value, exact.value, rel_tol=1e-4)
    assert square.low <= exact.value <= square.high
