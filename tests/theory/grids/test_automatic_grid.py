"""Mean passage times on a grid that was found by itself: the error that is stated is the error that is made."""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.grids import automatic_grid
from langevin_sgd.theory.grids.automatic_grid import mean_passage_time_on_grid
from tests.cases import each
from tests.oracles import BY_ID

TO_SADDLE = ls.HalfSpace([1.0, 0.0], 0.0)


@pytest.mark.parametrize("temperature", each(2, [0.1, 0.05, 0.01]))
def test_a_separable_plane_problem_takes_the_time_of_its_axis(temperature):
    sde = ls.langevin(ls.Landscape("x**4/4 - x**2/2 + y**2/2"), temperature)
    found, exact = mean_passage_time_on_grid(sde, [-1.0, 0.0], TO_SADDLE), BY_ID[f"quartic-D{temperature}-to-0"]["value"]
    assert found.low < exact < found.high
    assert found.relative_error < 1.1e-3 and found.verdict == ""


def test_one_dimension_will_do():
    sde = ls.langevin(ls.landscapes.double_well(), 0.05)
    found = mean_passage_time_on_grid(sde, -1.0, ls.Interval(high=1.0), through=[0.0, 1.0])
    assert found.low < ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=1.0)).value < found.high


@pytest.mark.parametrize(("radius", "strength"), each(2, [(1.0, 0.4), (2.5, 0.8)]))
def test_a_turning_flow_out_of_a_disk(radius, strength):
    """Rotation changes nothing: (Ei(z) − ln z − γ) / 2 with z = R² / (2 D), `theory`, 8.1."""
    from scipy.special import expi
    z = radius**2 / strength
    sde = ls.systems.rotating_quadratic(rotation=2.0, strength=strength)
    found = mean_passage_time_on_grid(sde, [0.0, 0.0], ls.Ball([0, 0], radius))
    assert found.low <= (expi(z) - np.log(z) - np.euler_gamma) / 2 <= found.high
    assert found.relative_error < 2e-3


@pytest.mark.slow
def test_three_dimensions_are_coarser_and_say_so():
    sde = ls.langevin(ls.Landscape("x**4/4 - x**2/2 + y**2/2 + z**2"), 0.25)
    found = mean_passage_time_on_grid(sde, [-1.0, 0.0, 0.0], ls.HalfSpace([1.0, 0.0, 0.0], 0.0), relative_error=0.01)
    assert found.low < BY_ID["quartic-D0.25-to-0"]["value"] < found.high
    assert found.relative_error <= 0.01 or found.verdict


def test_the_box_grows_until_its_walls_do_not_matter(monkeypatch):
    """The negative control: a box that never moves gives another time, far outside of the interval."""
    sde = ls.langevin(ls.Landscape("x**4/4 - x**2/2 + y**2/2 + x*y/2"), 0.1)
    domain = ls.HalfSpace([1.0, 0.0], 0.0)
    right = mean_passage_time_on_grid(sde, [-1.1, 0.5], domain, through=[[0.3, 0.0]])
    monkeypatch.setattr(automatic_grid._Search, "run", lambda _, box: box)
    monkeypatch.setattr(automatic_grid, "PADDING", 0.5)
    wrong = mean_passage_time_on_grid(sde, [-1.1, 0.5], domain, through=[[0.3, 0.0]])
    assert abs(wrong.value - right.value) > 10 * (right.high - right.low)


def test_a_way_out_beside_the_straight_one_is_in_the_box():
    """Beyond β = 4 the optimal paths of Maier and Stein leave the axis."""
    sde = ls.systems.maier_stein(beta=5.0, strength=0.1)
    found = mean_passage_time_on_grid(sde, [-1.0, 0.0], TO_SADDLE)
    grid = ls.FokkerPlanck(sde, ls.Grid([(-2.2, 0.0), (-1.8, 1.8)], (128, 128)))
    assert found.value == pytest.approx(grid.mean_passage_time(TO_SADDLE).at([-1.0, 0.0]).value, rel=2e-3)


def test_what_a_grid_cannot_serve_is_refused():
    with pytest.raises(ValueError, match="4 components, but a grid serves one to three"):
        mean_passage_time_on_grid(ls.linear(-np.eye(4), np.eye(4)), np.zeros(4), ls.Ball(np.zeros(4), 1.0))
    one = ls.SDE(["-x", "-y"], ls.noise.Anisotropic([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="D along y is 0"):
        mean_passage_time_on_grid(one, [0.0, 0.0], ls.Ball([0, 0], 1.0))
    with pytest.raises(ValueError, match="`relative_error`"):
        mean_passage_time_on_grid(ls.systems.maier_stein(), [-1.0, 0.0], TO_SADDLE, relative_error=0.0)


@pytest.mark.slow
def test_a_domain_that_is_never_left_is_said_so():
    with pytest.raises(ValueError, match="no box was found that paths from"):
        mean_passage_time_on_grid(ls.linear(-np.eye(2), 0.1 * np.eye(2)), [0.0, 0.0], ls.HalfSpace([1.0, 0.0], 1e9))
