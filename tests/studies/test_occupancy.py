"""How often the second of two minima is occupied: the density by scipy, the two-state process by hand, the formula at its limit."""
from __future__ import annotations

import math

import pytest
from scipy.integrate import quad

import langevin_sgd as ls
from langevin_sgd.studies.occupancy import occupancy

SHARP, FLAT, TEMPERATURE = 5.0, 1.0, 0.05


def equation(barrier: float, interpretation: str = "ito", sigma_h: float = 0.0) -> ls.SDE:
    """Return SGD in two wells, the sharp one at 0, with noise proportional to the loss if sigma_h is not zero."""
    wells = ls.landscapes.piecewise_quadratic(SHARP, 1.0, barrier, FLAT)
    noise = ls.noise.LossProportional(wells, 2 * sigma_h, 1 / (2 * sigma_h), minimum=0.0) if sigma_h else ls.noise.Constant(1.0)
    return ls.sgd(wells, noise, 2 * TEMPERATURE, interpretation=interpretation)


@pytest.mark.parametrize(("interpretation", "alpha"), [("ito", 0.0), ("klimontovich", 1.0)])
@pytest.mark.parametrize("sigma_h", [0.0, 1.0])
def test_the_density_is_that_of_scipy(sigma_h, interpretation, alpha):
    """p ∝ D^(α-1) exp(-∫ L'/D), where D is a function of the loss, so that the integral is ln(1 + 2 σ_H L) / (2 σ_H T) or L / T."""
    barrier = 0.2
    wells = equation(barrier).landscape
    saddle = math.sqrt(2 * barrier * (1 / SHARP + 1))

    def weight(x: float) -> float:
        c = 1 + 2 * sigma_h * wells(x)
        potential = math.log(c) / (2 * sigma_h) if sigma_h else wells(x)
        return c**(alpha - 1) * math.exp(-potential / TEMPERATURE)

    left, right = (sum(quad(weight, a, b, limit=200, epsabs=0)[0] for a, b in pieces) for pieces in (
        ((-10, -1), (-1, 0), (0, saddle)), ((saddle, 1.5), (1.5, 3.0), (3.0, 20))))
    found = occupancy(lambda b: equation(b, interpretation, sigma_h), [barrier], "barrier")
    assert found.exact[0] == pytest.approx(right / (left + right), rel=1e-6)


def test_escape_times_give_it_at_high_barriers_and_the_formula_is_its_limit():
    found = occupancy(equation, [0.2, 1.0], "barrier")
    two_states = 1 / (1 + math.sqrt(FLAT / SHARP))
    assert found.three_factor == pytest.approx([two_states] * 2)
    assert abs(found.from_times - found.exact)[1] < 1e-4 < abs(found.from_times - found.exact)[0]
    assert abs(found.exact - two_states)[1] < 0.01 < abs(found.exact - two_states)[0]


def test_wells_the_other_way_round_are_the_other_probability():
    """The control: the sharp well second."""
    mirrored = occupancy(lambda b: ls.sgd(ls.landscapes.piecewise_quadratic(FLAT, 1.0, b, SHARP), ls.noise.Constant(1.0), 0.1), [0.5], "b")
    assert mirrored.exact + occupancy(equation, [0.5], "b").exact == pytest.approx(1.0, abs=1e-8)
