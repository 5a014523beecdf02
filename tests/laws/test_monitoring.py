"""What looking at the steps alone costs, and that continuous monitoring is needed: the errors of order √dt and dt, as theory has them."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from tests.laws.standard_errors import z_of_mean
from tests.oracles import BY_ID, equation, interval, texts

pytestmark = pytest.mark.law
BETA = 0.5825971579                     # -ζ(½) / √(2π): by so many standard deviations of a step a walk overshoots (`theory`, 5.5)
BROWNIAN = ls.SDE("0", ls.noise.Constant(1.0))
UNIT = ls.Interval(-1.0, 1.0)


@pytest.mark.parametrize("dt", [0.04, 0.01, 0.0025])
def test_a_walk_that_is_seen_at_its_steps_leaves_an_interval_wider_by_its_overshoot(dt):
    """E T = E X² at the end = 1 + 2 β √h + (β² + ¼) h, up to what is exponentially small: 400 000 paths, 4 standard errors (0.5 %).
    Against 1, the truth for continuous time, that is 26, 12 and 6 % late: 45 standard errors and more."""
    times = ls.first_passage(BROWNIAN, 0.0, UNIT, dt, 400_000, rng=11, monitoring="discrete").time
    assert abs(z_of_mean(times, (1 + BETA * math.sqrt(dt)) ** 2 + dt / 4)) < 4
    assert z_of_mean(times, 1.0) > 40
    assert abs(z_of_mean(times, (1 + 0.5 * math.sqrt(dt)) ** 2)) > 6                                # the control: another constant


CHAINS = [("chain-ar1-sigma2.5-eta0.2", 20_000), ("chain-ar1-sigma2.5-eta0.1", 20_000), ("chain-ar1-sigma2.5-eta0.025", 20_000),
          ("chain-ar1-b1-eta0.2", 20_000), ("chain-quartic-eta0.2", 20_000), ("chain-quartic-eta0.1", 10_000), ("chain-lossC-h0.2", 1500)]


@pytest.mark.parametrize(("name", "n_paths"), CHAINS)
def test_discrete_monitoring_measures_the_chain_that_sgd_is(name, n_paths):
    """Its exact mean number of iterations times the step, which has no error of the step at all; 4 standard errors (2.8 %, the last 10 %).

    Continuous monitoring answers another question, and gives less: more than 10 standard errors where the step is not small."""
    entry = BY_ID[name]
    sde = ls.SDE(texts(entry["sde"]["drift"]), ls.noise.Expression(texts(entry["sde"]["C"])), entry["sde"]["eps"])
    h, x0, domain = entry["parameters"]["step"], entry["parameters"]["x0"], ls.Interval(high=entry["parameters"]["target"])
    discrete = ls.first_passage(sde, x0, domain, h, n_paths, rng=5, monitoring="discrete").time
    assert abs(z_of_mean(discrete, entry["value"])) < 4
    if "sigma2.5" in name:
        assert z_of_mean(ls.first_passage(sde, x0, domain, h, n_paths, rng=5).time, entry["value"]) < -10


def test_the_error_of_euler_under_state_dependent_noise_is_of_order_dt():
    """f = x - x³, D = 0.1 (1 + 4x²), Klimontovich: early by 10 % at dt = 0.04 and half of that at 0.02, the ratio within 4 standard errors;
    Milstein's scheme is late by as much, and of the same order: for passage times it is no better.  100 000 paths each."""
    entry = BY_ID["mult4-D0.1-klimontovich-m1"]
    exact, n = entry["value"], 100_000
    for scheme, sign in ((ls.EulerMaruyama(), -1), (ls.Milstein(), 1)):
        bias, error = [], []
        for dt in (0.04, 0.02):
            times = ls.first_passage(equation(entry), -1.0, interval(entry), dt, n, scheme=scheme, rng=3).time
            bias.append(sign * (times.mean() / exact - 1))
            error.append(times.std() / math.sqrt(n) / exact)
        assert bias[1] > 8 * error[1], (bias, error)
        ratio, spread = bias[0] / bias[1], bias[0] / bias[1] * math.hypot(error[0] / bias[0], error[1] / bias[1])
        assert abs(ratio - 2) < 4 * spread + 0.3, (bias, ratio, spread)
        assert ratio > math.sqrt(2) + 2 * spread, (bias, ratio, spread)                             # the control: not of order √dt


# ------------------------------------------------------------------------------------------------------------ reflecting ends

def reflected(v: float) -> float:
    """The mean time from 0, reflecting, to 1, for drift -v and D = ½ (`theory`, 8.1)."""
    return 1.0 if v == 0 else (math.exp(2 * v) - 1) / (2 * v**2) - 1 / v


@pytest.mark.parametrize("reflect", ["low", "high"])
def test_without_drift_folding_is_exact(reflect):
    """|W| leaves at the time at which W leaves (-1, 1): mean 1, at any step; 300 000 paths, 5 standard errors."""
    domain, x0 = (ls.Interval(0.0, 1.0, reflect="low"), 0.0) if reflect == "low" else (ls.Interval(-1.0, 0.0, reflect="high"), 0.0)
    times = ls.first_passage(BROWNIAN, x0, domain, 0.04, 300_000, rng=4).time
    assert abs(z_of_mean(times, 1.0)) < 5


@pytest.mark.parametrize("v", [1.0, -1.0])
def test_with_drift_folding_has_an_error_that_vanishes_with_the_step(v):
    """Pushed against the end and away from it: an error of 7 and 3 % at dt = 0.04, and less than half of that at 0.01, as is promised for
    an order of √dt at least; at dt = 0.0006 within 4 standard errors (0.9 %) and 0.5 %.  100 000 paths each."""
    sde, domain, exact = ls.SDE(f"{-v}", ls.noise.Constant(1.0)), ls.Interval(0.0, 1.0, reflect="low"), reflected(v)

    def run(dt):
        times = ls.first_passage(sde, 0.0, domain, dt, 100_000, rng=4).time
        return times.mean() / exact - 1, times.std() / math.sqrt(times.size) / exact
    (coarse, e1), (middle, e2), (fine, e3) = run(0.04), run(0.01), run(0.000625)
    assert abs(coarse) > 8 * e1
    assert abs(middle) < abs(coarse) / 2 + 2 * e2
    assert abs(fine) < 4 * e3 + 0.005
    assert np.sign(coarse) == -np.sign(v)


def test_a_reflecting_end_that_is_left_out_would_be_seen():
    """The control: without it a path wanders off, and takes longer by far."""
    sde = ls.SDE("-0.2", ls.noise.Constant(1.0))
    kept = ls.first_passage(sde, 0.0, ls.Interval(0.0, 1.0, reflect="low"), 0.01, 2000, rng=4, t_max=20.0).mean()
    free = ls.first_passage(sde, 0.0, ls.Interval(high=1.0), 0.01, 2000, rng=4, t_max=20.0).mean()
    assert kept.high < free.low
