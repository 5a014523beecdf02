"""Itô, Stratonovich and Klimontovich are three different processes, and each comes out right."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from tests.laws.standard_errors import z_of_variance
from tests.oracles import BY_ID, equation

pytestmark = pytest.mark.law
NAMES = ("ito", "stratonovich", "klimontovich")
ALPHA = dict(zip(NAMES, (0.0, 0.5, 1.0), strict=True))


def of_the_chain(alpha: float, h: float, scale: float = 1.0, slope: float = 2.0) -> float:
    """The stationary variance of the Euler chain of dX = -X dt, C = ½ + 2 X², ε = 0.1: k = 1 - 2 α ε, Var = ε σ_g / (2k - h k² - ε σ_H)."""
    eps = 0.1 * scale
    k = 1 - alpha * eps * slope
    return eps * 0.5 / (2 * k - h * k**2 - eps * slope)


@pytest.fixture(scope="module")
def stationary() -> dict[str, np.ndarray]:
    """400 000 states of each convention after 12 relaxation times."""
    return {name: ls.simulate(equation(BY_ID[f"powerlaw-var-{name}"]), 0.0, (0, 12), 0.02, 400_000, [12.0], rng=31).x[:, 0]
            for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_stationary_variance_is_that_of_the_convention(stationary, name):
    """Within 5 standard errors (0.3 %) of the chain's exact variance, which is within 2 % of the equation's: the oracle."""
    exact = BY_ID[f"powerlaw-var-{name}"]["value"]
    assert of_the_chain(ALPHA[name], 0.0) == pytest.approx(exact, rel=1e-9)
    assert of_the_chain(ALPHA[name], 0.02) == pytest.approx(exact, rel=0.02)
    assert abs(z_of_variance(stationary[name], of_the_chain(ALPHA[name], 0.02), 0.0)) < 5


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_seen(stationary, name):
    """The controls: each other convention, twice the noise, and the quadratic term of the noise left out."""
    alpha = ALPHA[name]
    wrong = [of_the_chain(other, 0.02) for other in ALPHA.values() if other != alpha]
    wrong += [of_the_chain(alpha, 0.02, scale=2.0), of_the_chain(alpha, 0.02, slope=0.0)]
    assert all(abs(z_of_variance(stationary[name], value, 0.0)) > 15 for value in wrong)


@pytest.fixture(scope="module")
def escapes() -> dict[str, tuple[float, float]]:
    """Mean and standard error of the time from -1 to 0 for f = x - x³, D = 0.1 (1 + x²): 40 000 paths, one Richardson step."""
    found = {}
    for name in NAMES:
        fine, coarse = (ls.first_passage(equation(BY_ID[f"mult1-D0.1-{name}"]), -1.0, ls.Interval(high=0.0), dt, 40_000, rng=seed).time
                        for dt, seed in ((0.01, 1), (0.02, 2)))
        found[name] = 2 * fine.mean() - coarse.mean(), math.hypot(2 * fine.std(), coarse.std()) / math.sqrt(40_000)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_escape_time_is_that_of_the_convention_and_of_no_other(escapes, name):
    """Within 4 standard errors (1 %) of its own exact value; more than 10 from those of the others."""
    mean, error = escapes[name]
    for other in NAMES:
        z = (mean - BY_ID[f"mult1-D0.1-{other}"]["value"]) / error
        assert abs(z) < 4 if other == name else abs(z) > 10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", NAMES)
def test_a_process_written_in_another_convention_is_the_same_process(name, other):
    """The same paths to rounding, for the drift of each convention is converted exactly."""
    sde = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.2, name)
    a, b = (ls.simulate(s, -1.0, (0, 2), 0.01, 20, rng=1).x for s in (sde, sde.in_interpretation(other)))
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    if other != name:
        assert np.abs(a - ls.simulate(sde.replace(interpretation=other), -1.0, (0, 2), 0.01, 20, rng=1).x).max() > 1e-3


def test_in_the_plane_the_divergence_form_has_the_boltzmann_law_whatever_the_noise():
    """dX = -D ∇U with D(x) a full matrix, in the divergence form: p ∝ exp(-U), U = |x|²/2, so that E x² = 1 and E x⁴ = 3.

    400 000 paths, dt = 0.005 and 0.01 with one Richardson step; 5 standard errors.  Read as Itô the variance is another by far."""
    c = [["2 + x**2/4", "x*y/4"], ["x*y/4", "2 + y**2/4"]]
    drift = ["-((2 + x**2/4)*x + x*y/4*y)/4", "-(x*y/4*x + (2 + y**2/4)*y)/4"]          # -D x, D = ε C / 2 with ε = ½
    sde = ls.SDE(drift, ls.noise.Expression(c), 0.5, "klimontovich")

    def moments(sde, dt, seed, n=100_000):
        x = ls.simulate(sde, [0.0, 0.0], (0, 10), dt, n, [10.0], rng=seed).x[:, 0]
        return np.array([(x[:, 0] ** 2).mean(), (x[:, 1] ** 2).mean(), (x**4).mean()]), np.array([2.0, 2.0, 48.0]) ** 0.5 / math.sqrt(n)
    (fine, e1), (coarse, e2) = moments(sde, 0.01, 1), moments(sde, 0.02, 2)
    z = (2 * fine - coarse - [1.0, 1.0, 3.0]) / np.hypot(2 * e1, e2)
    assert (np.abs(z) < 5).all(), z
    ito, error = moments(sde.replace(interpretation="ito"), 0.01, 1)
    assert (np.abs(ito - [1.0, 1.0, 3.0]) / error > 20).all()
