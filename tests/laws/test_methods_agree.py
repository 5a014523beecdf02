"""Methods that share no code agree on random equations; ten and five of them in validation/claims, three and two here."""
from __future__ import annotations

import math

import pytest

import langevin_sgd as ls
from tests.random_models import EXIT, in_the_plane, on_the_line

pytestmark = pytest.mark.law
PATHS = 10_000


def simulated(model, dt: float) -> tuple[float, float]:
    """The mean passage time after one Richardson step, and its standard error."""
    fine, coarse = (ls.first_passage(model.sde, model.x0, model.domain, h, PATHS, rng=ls.Key(5 + k)).time
                    for k, h in enumerate((dt, 2 * dt)))
    return float(2 * fine.mean() - coarse.mean()), math.hypot(2 * fine.std(), coarse.std()) / math.sqrt(PATHS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quadrature_generator_chain_and_simulation_on_the_line(seed):
    """Seeds with each of the three conventions; 10 000 paths within 4 standard errors, twice the noise beyond 10."""
    model = on_the_line(seed)
    exact = ls.exact.mean_passage_time(model.sde, model.x0, model.domain).value
    on_grid = ls.FokkerPlanck(model.sde, ls.Grid((-4.0, EXIT), 200)).mean_passage_time(model.domain).at(model.x0)
    assert on_grid.value == pytest.approx(exact, rel=1e-4) and on_grid.low <= exact * (1 + 1e-5) and exact * (1 - 1e-5) <= on_grid.high
    coarse, middle, fine = (ls.Chain(model.sde, 4.0**-k * 0.02).mean_passage_time(model.x0, model.domain).value for k in range(3))
    assert (4 * (2 * fine - middle) - (2 * middle - coarse)) / 3 == pytest.approx(exact, rel=2e-3)
    mean, error = simulated(model, 0.01)
    assert abs(mean - exact) < 4 * error
    noisier = model.sde.replace(strength=2 * model.sde.strength.value)
    assert abs(mean - ls.exact.mean_passage_time(noisier, model.x0, model.domain).value) > 10 * error


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_generator_and_simulation_in_the_plane(seed):
    """Circulation, and noise along slanted axes; 10 000 paths within 4 standard errors, half the noise beyond 10."""
    model = in_the_plane(seed)
    on_grid = ls.FokkerPlanck(model.sde, ls.Grid([(-1, 1), (-1, 1)], 96)).mean_passage_time(model.domain).at(model.x0)
    mean, error = simulated(model, 0.005)
    assert not on_grid.verdict
    assert abs(mean - on_grid.value) < 4 * error + (on_grid.high - on_grid.low)
    quieter = ls.FokkerPlanck(model.sde.replace(strength=model.sde.strength.value / 2), ls.Grid([(-1, 1), (-1, 1)], 96))
    assert abs(mean - quieter.mean_passage_time(model.domain).at(model.x0).value) > 10 * error
