"""Continuous monitoring against exact laws, at steps so long that looking at the steps alone would be far off."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import langevin_sgd as ls
from tests.laws.standard_errors import z_of_mean, z_of_share, z_of_variance
from tests.oracles import BY_ID, equation, interval

pytestmark = pytest.mark.law
BROWNIAN = ls.SDE("0", ls.noise.Constant(1.0))
UNIT = ls.Interval(-1.0, 1.0)
PLANE = ls.SDE(["0", "0"], ls.noise.Constant(1.0))
DISK = ls.Ball([0.0, 0.0], 1.0)


def value(name: str) -> float:
    return BY_ID[name]["value"]


def z_after_richardson(sde, x0, domain, dt: float, n_paths: int, exact: float) -> float:
    """How many standard errors the mean lies from the exact one, once the error of order dt is taken out by two step sizes."""
    fine, coarse = (ls.first_passage(sde, x0, domain, h, n_paths, rng=seed).time for h, seed in ((dt, 1), (2 * dt, 2)))
    return (2 * fine.mean() - coarse.mean() - exact) / (math.hypot(2 * fine.std(), coarse.std()) / math.sqrt(n_paths))


# ------------------------------------------------------------------------------- one flat wall, constant noise: exact at any step

@pytest.mark.parametrize("steps", [1, 3])
def test_the_total_probability_of_a_crossing_is_exact_whatever_the_step(steps):
    """b = 1, variance 0.8 in one step or three: erfc(b / √1.6) = 0.2636; 400 000 paths, 5 standard errors.  Without the bridge: half."""
    ends, seen = (ls.first_passage(BROWNIAN, 0.0, ls.Interval(high=1.0), 0.8 / steps, 400_000, t_max=0.8, rng=2, monitoring=m).exited
                  for m in ("continuous", "discrete"))
    assert abs(z_of_share(ends, value("bridge-total"))) < 5
    assert z_of_share(seen, value("bridge-total")) < -20
    if steps == 1:
        assert abs(z_of_share(seen, 0.5 * value("bridge-total"))) < 5                                         # the reflection principle


def test_a_rare_crossing_is_counted_in_full():
    """A wall at three standard deviations, in four steps: 2 Φ(−3) = 0.0027; 400 000 paths, 5 standard errors (15 %)."""
    ends, seen = (ls.first_passage(BROWNIAN, 0.0, ls.Interval(high=3.0), 0.25, 400_000, t_max=1.0, rng=4, monitoring=m).exited
                  for m in ("continuous", "discrete"))
    assert abs(z_of_share(ends, value("bm-max-3"))) < 5
    assert z_of_share(seen, value("bm-max-3")) < -10


def test_the_time_of_the_crossing_has_the_law_of_the_first_hit():
    """One step of 0.8: P(T < t) = erfc(b / √(2t)); 100 000 hits, Kolmogorov and Smirnov's p above 1e-5."""
    ends = ls.first_passage(BROWNIAN, 0.0, ls.Interval(high=1.0), 0.8, 400_000, t_max=0.8, rng=3)
    times = ends.time[ends.exited]
    law = stats.levy(scale=1.0)
    assert stats.kstest(times, lambda t: law.cdf(t) / law.cdf(0.8)).pvalue > 1e-5
    assert stats.kstest(times, lambda t: t / 0.8).pvalue < 1e-5                                               # not uniform in the step


@pytest.mark.parametrize("dt", [1.0, 0.3])
def test_brownian_motion_with_drift_has_inverse_gaussian_times(dt):
    """Drift ½, distance 2: mean 4, variance 16 and P(T < 2), at steps of a quarter of the mean; 300 000 paths, 5 standard errors."""
    times = ls.first_passage(equation(BY_ID["ig-mean"]), 0.0, interval(BY_ID["ig-mean"]), dt, 300_000, rng=2).time
    assert abs(z_of_mean(times, value("ig-mean"))) < 5
    assert abs(z_of_variance(times, value("ig-var"), value("ig-mean"))) < 5
    assert abs(z_of_share(times <= 2.0, value("ig-cdf-2"))) < 5
    assert stats.kstest(times[:50_000], stats.invgauss(1.0, scale=4.0).cdf).pvalue > 1e-5


# ----------------------------------------------------------------------------------------------------------- two walls

@pytest.mark.parametrize("dt", [0.1, 0.04, 0.01])
def test_two_near_walls_at_long_steps(dt):
    """Brownian exit of (-1, 1), where at dt = 0.1 the walls are six standard deviations of a step apart, so that both are often within
    reach: mean 1, variance 2/3, P(T > 1), and half of the exits on either side; 300 000 paths, 5 standard errors (0.7 %)."""
    ends = ls.first_passage(BROWNIAN, 0.0, UNIT, dt, 300_000, rng=7)
    assert abs(z_of_mean(ends.time, 1.0)) < 5
    assert abs(z_of_variance(ends.time, 2 / 3, 1.0)) < 5
    assert abs(z_of_share(ends.time > 1.0, value("bm-exit-survival-1"))) < 5
    assert abs(z_of_share(ends.exit_label == "high", 0.5)) < 5
    assert abs(z_of_mean(ends.exit_point, 0.0)) < 5


@pytest.mark.parametrize(("name", "dt"), [("ddm-v1", 0.05), ("ddm-v0.2", 0.01), ("ddm-unbiased-v0.1", 0.01)])
def test_drift_and_diffusion_between_two_walls(name, dt):
    """The decision times of psychology, with their choice: 300 000 paths, 5 standard errors."""
    entry = BY_ID[f"{name}-mean"]
    ends = ls.first_passage(equation(entry), entry["parameters"]["x0"], interval(entry), dt, 300_000, rng=9)
    assert abs(z_of_mean(ends.time, entry["value"])) < 5
    if f"{name}-pup" in BY_ID:
        assert abs(z_of_share(ends.exit_label == "high", value(f"{name}-pup"))) < 5
        assert abs(z_of_share(ends.exit_label == "low", value(f"{name}-pup"))) > 50
    if f"{name}-var" in BY_ID:
        assert abs(z_of_variance(ends.time, value(f"{name}-var"), entry["value"])) < 5


def test_the_share_of_a_rare_side():
    """From -0.7 in the double well the far side is reached first in 1.6 %: 100 000 paths, 5 standard errors, and a bias of order dt that
    is smaller than that."""
    entry = BY_ID["quartic-D0.1-committor"]
    ends = ls.first_passage(equation(entry), -0.7, interval(entry), 0.005, 100_000, rng=3)
    assert abs(z_of_share(ends.exit_label == "high", entry["value"])) < 5


# ------------------------------------------------------------------------------------------------------- curved boundaries

def test_the_exit_of_a_disk_has_an_error_of_order_dt_that_one_richardson_step_removes():
    """E T = (1 - |x0|²) / 2; the boundary is curved, so that steps of 0.04 and 0.01 are late by 4 % and 1 %, in the ratio of the steps
    (here 2.2 to 4.5 with 4 standard errors); 300 000 paths each."""
    late = []
    for dt, seed in ((0.04, 1), (0.01, 2)):
        times = ls.first_passage(PLANE, [0.5, 0.0], DISK, dt, 300_000, rng=seed).time
        late.append((times.mean() - 0.375, times.std() / math.sqrt(times.size)))
    (coarse, e1), (fine, e2) = late
    assert 0.008 < coarse < 0.02
    assert 2.2 < coarse / fine < 4.5
    assert abs((4 * fine - coarse) / 3) < 4 * math.hypot(4 * e2, e1) / 3


def test_the_exit_points_of_a_disk_have_the_harmonic_measure():
    """From x0 at r = ½, E cos kθ = r^k for k = 1, 2, 3, and so E X = x0: 200 000 paths at dt = 0.0025, 5 standard errors."""
    points = ls.first_passage(PLANE, [0.5, 0.0], DISK, 0.0025, 200_000, rng=5).exit_point
    angle = np.arctan2(points[:, 1], points[:, 0])
    for k in (1, 2, 3):
        assert abs(z_of_mean(np.cos(k * angle), 0.5**k)) < 5
        assert abs(z_of_mean(np.sin(k * angle), 0.0)) < 5
        assert abs(z_of_mean(np.cos(k * angle), 0.6**k)) > 20                # the control: a start at 0.6


@pytest.mark.parametrize(("name", "d", "radius", "D"), [
    ("ou-disc-d2-R1-D0.5", 2, 1.0, 0.5),
    pytest.param("ou-disc-d3-R2-D1", 3, 2.0, 1.0, marks=pytest.mark.slow),
    pytest.param("ou-disc-d10-R1-D0.05", 10, 1.0, 0.05, marks=pytest.mark.slow),
])
def test_a_ball_in_two_three_and_ten_dimensions(name, d, radius, D):
    """The Ornstein-Uhlenbeck process leaving a ball: one Richardson step from 0.01 and 0.005, 10 000 paths, 4 standard errors."""
    sde = ls.SDE([f"-x{k + 1}" for k in range(d)], ls.noise.Constant(1.0), 2 * D, variables=[f"x{k + 1}" for k in range(d)])
    assert abs(z_after_richardson(sde, np.zeros(d), ls.Ball(np.zeros(d), radius), 0.005, 10_000, value(name))) < 4


@pytest.mark.parametrize("dense", [False, True], ids=["diagonal", "dense"])
def test_an_oblique_wall_in_the_plane(dense):
    """The double well along the diagonal of a plane, with noise of a rotated factor or without: the time of the one-dimensional problem.
    20 000 paths, dt = 0.01, 4 standard errors."""
    drift = ["(u - u**3 + v)/sqrt(2)", "(u - u**3 - v)/sqrt(2)"]
    u, v = "((x + y)/sqrt(2))", "((y - x)/sqrt(2))"
    texts = [t.replace("v", "V").replace("u", u).replace("V", v) for t in drift]
    noise = ls.noise.Anisotropic([[1.0, 0.5], [0.5, 1.0]]) if dense else ls.noise.Constant(1.0)
    strength = 0.5 / 1.5 if dense else 0.5                                  # the variance along (1, 1) is 1.5 for the dense matrix
    times = ls.first_passage(ls.SDE(texts, noise, strength), [-math.sqrt(0.5)] * 2, ls.HalfSpace([1.0, 1.0], 0.0), 0.01, 20_000, rng=4).time
    assert abs(z_of_mean(times, value("quartic-D0.25-to-0"))) < 4


@pytest.mark.parametrize("name", ["maierstein-b1-eps0.2", "maierstein-b10-eps0.2", "transverse-w1-D0.2", "transverse-w3-D0.1"])
def test_systems_in_the_plane_that_have_no_potential(name):
    """To the line x = 0: one Richardson step from 0.01 and 0.005, because rotation makes Euler's error of order dt large; 20 000 paths,
    4 standard errors (6 %)."""
    entry = BY_ID[name]
    sde = ls.SDE(entry["sde"]["drift"], ls.noise.Constant(1.0), entry["sde"]["eps"])
    assert abs(z_after_richardson(sde, entry["parameters"]["x0"], ls.HalfSpace([1.0, 0.0], 0.0), 0.005, 20_000, entry["value"])) < 4
