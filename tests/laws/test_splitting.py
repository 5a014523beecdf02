"""Splitting against exact probabilities and times: of the chain at its own step, of the equation up to its error of order dt.

Every number is compared at 4 standard errors (3.5 for the chain: false alarm 1 in 2000) unless it says otherwise.
"""
from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import langevin_sgd as ls
from tests.laws.standard_errors import z_of_mean
from tests.oracles import BY_ID

pytestmark = pytest.mark.law
C = ls.noise.Constant
WELL = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
SOURCE, TARGET, BETWEEN, AROUND = ls.Interval(high=-0.9), ls.Interval(low=0.0), ls.Interval(-0.9, 0.0), ls.Interval(high=-0.75)


def z_of_log(estimate: ls.Estimate, exact: float, slack: float = 0.0) -> float:
    """Standard errors on the log scale between an estimate and the truth; `slack` is what the step may add, relative."""
    error = (math.log(estimate.high) - math.log(estimate.low)) / (2 * 2.04)
    distance = math.log(estimate.value / exact)
    return math.copysign(max(abs(distance) - slack, 0.0), distance) / error


# ------------------------------------------------------------------------------------------------------- the chain itself

@pytest.mark.parametrize("k", [1, 6, 32])
def test_the_chain_at_a_coarse_step_is_hit_without_bias(k):
    """200 runs of 64 replicas at dt = 0.05, 2 %; the equation itself has 8 % more."""
    rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, dt=0.05, monitoring="discrete", n_replicas=64, n_kill=k, n_runs=200, rng=3)
    exact = ls.Chain(WELL, 0.05).splitting_probability(-0.7, BETWEEN).value
    assert abs(z_of_mean(rare.runs, exact)) < 3.5
    assert z_of_mean(rare.runs, 1.25 * exact) < -8                              # the control


def test_a_thousand_runs_see_the_chain_and_not_the_equation():
    """To 0.9 %."""
    rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, dt=0.05, monitoring="discrete", n_replicas=64, n_runs=1000, rng=4)
    assert abs(z_of_mean(rare.runs, ls.Chain(WELL, 0.05).splitting_probability(-0.7, BETWEEN).value)) < 3.5
    assert z_of_mean(rare.runs, ls.exact.splitting_probability(WELL, -0.7, BETWEEN).value) < -5


@pytest.mark.parametrize("score", ["-x", "sin(20*x)", lambda x: math.floor(10 * x)], ids=["backwards", "in and out", "in steps"])
def test_no_score_makes_it_biased(score):
    """The worst: a backward score, by which a third of the runs die out; ties between all; 1000 runs, 2 to 3 %."""
    rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, score, dt=0.05, monitoring="discrete", n_replicas=64, n_runs=1000, rng=5)
    assert abs(z_of_mean(rare.runs, ls.Chain(WELL, 0.05).splitting_probability(-0.7, BETWEEN).value)) < 3.5


@pytest.mark.parametrize("around", [AROUND, SOURCE], ids=["a surface beyond", "the first state outside"])
def test_hills_relation_holds_for_the_chain(around):
    """Wherever the surface: 406.0 at dt = 0.05, to 2 %; the equation has 361.9."""
    rare = ls.splitting(WELL, -1.0, SOURCE, TARGET, dt=0.05, monitoring="discrete", around=around, n_runs=64, rng=5)
    assert abs(z_of_log(rare.mean_time, ls.Chain(WELL, 0.05).mean_passage_time(-1.0, ls.Interval(high=0.0)).value)) < 4
    assert z_of_log(rare.mean_time, 361.9) > 4


# ---------------------------------------------------------------------------------------------------------- the equation

@pytest.mark.parametrize("interpretation", ["ito", "klimontovich"])
def test_state_dependent_noise_in_each_convention(interpretation):
    """D = 0.05 (1 + x²): conventions differ by 20 % and more; to 2 %, and 1 % for the step."""
    sde = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.1, interpretation=interpretation)
    rare = ls.splitting(sde, -0.7, SOURCE, TARGET, dt=0.005, n_runs=64, rng=6)
    exact = {name: ls.exact.splitting_probability(sde.replace(interpretation=name), -0.7, BETWEEN).value
             for name in ("ito", "stratonovich", "klimontovich")}
    for name, value in exact.items():
        z = z_of_log(rare.probability, value, slack=0.01)
        assert abs(z) < 4 if name == interpretation else abs(z) > 6


@pytest.mark.parametrize(("x0", "p"), [(0.5, 0.75), (0.9, 0.95), (-0.9, 0.05)])
def test_both_ends_within_a_step_or_two_are_told_apart(x0, p):
    """Brownian motion at a step of 0.04: a start next to either end leaves there unseen most of the time."""
    rare = ls.splitting(ls.SDE("0", C(1.0)), x0, ls.Interval(high=-1.0), ls.Interval(low=1.0), dt=0.04, n_runs=64, rng=7)
    assert abs(z_of_mean(rare.runs, p)) < 4
    seen = ls.splitting(ls.SDE("0", C(1.0)), x0, ls.Interval(high=-1.0), ls.Interval(low=1.0), dt=0.04, n_runs=64, rng=7,
                        monitoring="discrete")
    if x0 != 0.5:
        assert abs(z_of_mean(seen.runs, p)) > 8                                  # the control


def test_each_copy_has_a_bridge_of_its_own():
    """From 0.1 above the source, where a step is 0.2: most return unseen.  4000 runs, 0.4 %: a copy with the number of the path that it
    replaces is 2.5 % off."""
    rare = ls.splitting(ls.SDE("0", C(1.0)), -0.9, ls.Interval(high=-1.0), ls.Interval(low=5.0), dt=0.04, n_replicas=64, n_kill=3,
                        n_runs=4000, rng=7)
    assert abs(z_of_mean(rare.runs, 0.1 / 6)) < 4


@pytest.mark.slow
@pytest.mark.parametrize("score", [None, "x + y/2"], ids=["nearness", "one direction"])
def test_rotation_in_the_plane(score):
    """From a circle of 0.6 to one of 2.2 before 0.5: circulation changes nothing, and the radius is an equation by itself.

    A score that sees one direction alone is noisier, and not biased."""
    plane = ls.systems.rotating_quadratic(1.0, 2.0, 0.6)
    exact = ls.exact.splitting_probability(ls.SDE("-x + 0.3/x", C(0.6)), 0.6, ls.Interval(0.5, 2.2)).value
    rare = ls.splitting(plane, [0.6, 0.0], ls.Ball([0.0, 0.0], 0.5), ~ls.Ball([0.0, 0.0], 2.2), score, dt=0.002, n_runs=64, rng=8)
    assert abs(z_of_log(rare.probability, exact, slack=0.01)) < 4
    assert z_of_log(rare.probability, 1.5 * exact) < -5
    assert np.allclose(np.linalg.norm(rare.arrivals, axis=1), 2.2)


@pytest.mark.slow
def test_correlated_noise_in_the_plane():
    """A matrix of noise that is no diagonal: y follows x and does not matter, and x alone is the walk of the well."""
    sde = ls.SDE(["x - x**3", "-y"], ls.noise.Anisotropic([[1.0, 0.6], [0.6, 0.5]]), 0.1)
    rare = ls.splitting(sde, [-0.7, 0.0], ls.HalfSpace([1.0, 0.0], -0.9), ls.HalfSpace([-1.0, 0.0], 0.0), dt=0.01, n_runs=64, rng=9)
    assert abs(z_of_log(rare.probability, ls.exact.splitting_probability(WELL, -0.7, BETWEEN).value, slack=0.015)) < 4


@pytest.mark.slow
def test_a_copy_goes_on_at_the_time_of_its_branch():
    """A drift that turns with the clock, against direct simulation of 100 000 paths; a clock that began anew would be seen."""
    sde, a, b = ls.SDE("2*cos(3*t)", C(0.25)), ls.Interval(high=-0.5), ls.Interval(low=1.0)
    rare = ls.splitting(sde, 0.0, a, b, dt=0.01, n_replicas=400, n_runs=64, rng=10)
    direct = ls.first_passage(sde, 0.0, ls.Interval(-0.5, 1.0), 0.01, 100_000, rng=11)
    share = direct.exit_label == "high"
    error = math.hypot(rare.runs.std(ddof=1) / 8, math.sqrt(share.mean() * (1 - share.mean()) / len(share)))
    assert abs(rare.runs.mean() - share.mean()) < 4 * error
    arrived = direct.time[share]
    duration = (rare.runs * rare.reactive_times).sum() / rare.runs.sum()
    assert abs(duration - arrived.mean()) < 4 * math.hypot(rare.reactive_times.std() / 8, arrived.std() / math.sqrt(len(arrived)))
    late = ls.first_passage(sde, 0.0, ls.Interval(-0.5, 0.4), 0.01, 20_000, rng=12)
    again = ls.first_passage(sde, np.full(20_000, 0.4), ls.Interval(-0.5, 1.0), 0.01, rng=13)
    anew = (late.exit_label == "high").mean() * (again.exit_label == "high").mean()
    assert abs(anew - share.mean()) > 8 * error                                 # the control: from 0.4 with a new clock


EXACT = {0.05: 361.903759501, 0.025: 51050.7025086, 0.01: 1.62478771569e11}


@pytest.mark.parametrize("temperature", [0.05, 0.025, 0.01])
def test_mean_times_from_hundreds_to_1e11(temperature):
    """The quartic well, −1 → 0, with a tabulated committor as score; 32 runs of 256: 3 to 6 %, and 2 % for the step of 0.01."""
    sde = WELL.replace(temperature=temperature)
    x = np.linspace(-0.9, 0.0, 60)
    q = [0.0, *(ls.exact.splitting_probability(sde, float(at), BETWEEN).value for at in x[1:-1]), 1.0]
    rare = ls.splitting(sde, -1.0, SOURCE, TARGET, (x, q), dt=0.01, around=ls.Interval(high=-0.8), rng=12)
    exact = EXACT[temperature]
    assert abs(z_of_log(rare.mean_time, exact, slack=0.02)) < 4
    assert rare.mean_time.relative_error < 0.2
    assert not rare.warnings
    assert z_of_log(rare.mean_time, 1.4 * exact, slack=0.02) < -4                # the control


# -------------------------------------------------------------------------------------------------------------- intervals

GROUPS, RUNS = 400, 16


def test_the_intervals_hold_the_truth_in_95_percent():
    """400 estimates of 16 runs each, for the chain: 91 to 98.5 %; against a probability 15 % larger less than 70 %."""
    rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, dt=0.1, monitoring="discrete", n_replicas=40, n_runs=GROUPS * RUNS, rng=14)
    exact = ls.Chain(WELL, 0.1).splitting_probability(-0.7, BETWEEN).value
    names = [f.name for f in dataclasses.fields(rare) if np.shape(getattr(rare, f.name))[:1] == (GROUPS * RUNS,)]
    held = {1.0: 0, 1.15: 0}
    for g in range(GROUPS):
        part = dataclasses.replace(rare, **{name: getattr(rare, name)[g * RUNS:(g + 1) * RUNS] for name in names})
        for factor in held:
            held[factor] += part.probability.low <= factor * exact <= part.probability.high
    assert 0.91 < held[1.0] / GROUPS < 0.985
    assert held[1.15] / GROUPS < 0.85


@pytest.mark.slow
def test_a_clock_among_the_components_gives_the_probability_to_arrive_in_time():
    """Brownian motion beyond 6 within t = 1, a probability of 2e-9; the score is what the exact answer grows with.

    64 runs; 2 % for the step.  The control: within t = 0.9 it is an eighth.
    """
    exact = BY_ID["bm-max-6"]["value"]
    motion = ls.SDE(["0*x", "1 + 0*x"], ls.noise.Anisotropic([[1.0, 0.0], [0.0, 0.0]]))
    rare = ls.splitting(motion, [0.0, 0.0], ls.Where("y - 1"), ls.Where("x - 6"), "(x - 6)/sqrt(1.002 - y)", 0.002, n_replicas=200,
                        n_runs=64, rng=1)
    assert abs(z_of_log(rare.probability, exact, 0.02)) < 4
    assert abs(z_of_log(rare.probability, math.erfc(6 / math.sqrt(1.8)), 0.02)) > 20
