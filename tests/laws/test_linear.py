"""Linear equations against their exact laws: of the equation (Lyapunov), of Euler's chain (its discrete relative), and between steps.

The covariance at time t from a fixed start is S − e^{Ft} S e^{Fᵀt} with F S + S Fᵀ = −2 D, and the chain's is the same with its own
matrix and stationary covariance.  Each test looks at all entries at once; five standard errors for 5050 entries are a false alarm in 0.3 %
of keys, and the keys are pinned.
"""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov, solve_discrete_lyapunov

import langevin_sgd as ls

pytestmark = pytest.mark.law
EXACT, PATHS = ls.ExactLinear(), 20_000


def matrices(d: int) -> tuple[np.ndarray, np.ndarray]:
    """A stable matrix that is far from symmetric, and a diffusion, both dense."""
    rng = np.random.default_rng(d)
    G = rng.normal(size=(d, d)) / math.sqrt(d)
    return 1.5 * np.triu(rng.normal(size=(d, d)), 1) / math.sqrt(d) - np.diag(rng.uniform(0.5, 2.0, d)), G @ G.T + 0.1 * np.eye(d)


def exact_law(F, D, x0, t):
    """Mean and covariance at time t."""
    S, E = solve_continuous_lyapunov(F, -2 * D), expm(F * t)
    return E @ x0, S - E @ S @ E.T


def chain_law(F, D, x0, dt, n):
    """The same of n steps of Euler and Maruyama."""
    M = np.eye(len(F)) + dt * F
    S, E = solve_discrete_lyapunov(M, 2 * dt * D), np.linalg.matrix_power(M, n)
    return E @ x0, S - E @ S @ E.T


def worst(x, mean, covariance) -> float:
    """The largest deviation of sample means and covariances (about the known mean), in standard errors."""
    of_mean = (x.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / len(x))
    variances = np.diag(covariance)
    errors = np.sqrt((np.outer(variances, variances) + covariance**2) / len(x))
    of_covariance = ((x - mean).T @ (x - mean) / len(x) - covariance) / errors
    return float(max(np.abs(of_mean).max(), np.abs(of_covariance).max()))


@pytest.mark.parametrize("d", [17, 100])
def test_euler_has_the_law_of_its_chain(d):
    """20,000 paths of 20 steps, long enough that the chain is not the equation; a transposed F, and the equation's own law, must fail."""
    F, D = matrices(d)
    x0, dt, n = np.ones(d), 0.1, 20
    x = ls.simulate(ls.linear(F, D), x0, (0, n * dt), dt, PATHS, [n * dt], rng=3).x[:, 0]
    assert worst(x, *chain_law(F, D, x0, dt, n)) < 5
    assert worst(x, *chain_law(F.T, D, x0, dt, n)) > 50
    assert worst(x, *exact_law(F, D, x0, n * dt)) > 10


@pytest.mark.parametrize(("d", "dt"), [(2, 3.0), (17, 0.7), (100, 1.0), (100, 0.1)])
def test_exact_steps_have_the_law_of_the_equation(d, dt):
    """20,000 paths, of one step and of ten; a transposed F must fail, and so must Euler's law at the same step."""
    F, D = matrices(d)
    x0 = np.ones(d)
    runs = ls.simulate(ls.linear(F, D), x0, (0, 10 * dt), dt, PATHS, [dt, 10 * dt], EXACT, rng=4)
    for k, t in enumerate(runs.t):
        assert worst(runs.x[:, k], *exact_law(F, D, x0, t)) < 5
        assert worst(runs.x[:, k], *exact_law(F.T, D, x0, t)) > 10
    assert worst(runs.x[:, 0], *chain_law(F, D, x0, dt, 1)) > 5


def test_steps_far_beyond_the_relaxation_time_keep_the_stationary_variance():
    """OU with k dt = 3, 40,000 paths of 50 steps: D / k.  Euler's chain has left it for ever: |1 − k dt| = 2."""
    sde = ls.systems.ornstein_uhlenbeck(2.0, 3.0)
    x = ls.simulate(sde, 0.0, (0, 75), 1.5, 40_000, [75.0], EXACT, rng=5).x[:, 0]
    assert worst(x[:, None], np.zeros(1), np.array([[1.5]])) < 5
    assert ls.simulate(sde, 0.0, (0, 75), 1.5, 100, [75.0], rng=5).x.var() > 1e10


def test_euler_spreads_too_wide_where_exact_steps_do_not():
    """k dt = 0.4: Euler's variance is 1 / (1 − k dt / 2) times the right one, 25 standard errors of 20,000 paths away."""
    sde, right = ls.systems.ornstein_uhlenbeck(2.0, 3.0), np.array([[1.5]])
    x, y = (ls.simulate(sde, 0.0, (0, 10), 0.2, PATHS, [10.0], scheme, rng=6).x[:, 0, None] for scheme in (EXACT, ls.EulerMaruyama()))
    assert worst(x, np.zeros(1), right) < 5
    assert worst(y, np.zeros(1), right / 0.8) < 5
    assert worst(y, np.zeros(1), right) > 20


def test_a_particle_whose_position_has_no_noise_of_its_own():
    """dx = v dt, dv = (−x − γ v) dt + sqrt(2 γ T) dW: rank one, and one step of any length fills the plane."""
    F, D = np.array([[0.0, 1.0], [-1.0, -0.3]]), np.diag([0.0, 0.3 * 0.7])
    runs = ls.simulate(ls.linear(F, D), [1.0, 0.0], (0, 50), 0.5, PATHS, [0.5, 50.0], EXACT, rng=7)
    for k, t in enumerate(runs.t):
        assert worst(runs.x[:, k], *exact_law(F, D, np.array([1.0, 0.0]), t)) < 5
    np.testing.assert_allclose(exact_law(F, D, np.zeros(2), 50.0)[1], 0.7 * np.eye(2), atol=1e-6)


def test_for_short_steps_a_path_is_that_of_euler():
    """The same key: the distance of the two paths halves with the step, 18 components, dense noise."""
    F, D = matrices(18)
    distances = []
    for dt in (0.02, 0.01, 0.005):
        x, y = (ls.simulate(ls.linear(F, D), np.ones(18), (0, 1), dt, 2000, [1.0], s, rng=8).x for s in (EXACT, ls.EulerMaruyama()))
        distances.append(math.sqrt(((x - y)**2).mean()))
    assert distances[0] < 0.05
    assert distances[0] / distances[1] == pytest.approx(2.0, rel=0.05)
    assert distances[1] / distances[2] == pytest.approx(2.0, rel=0.05)


def test_exits_seen_at_exact_steps_have_the_time_of_the_exact_chain():
    """OU, k dt = 0.5, out of (−1.5, 1), 20,000 paths; the same steps by Euler are the control.

    The chain x' = e^{−k dt} x + ... is Euler's of another OU process, whose mean time is known by quadrature.
    """
    k, D, dt, domain = 1.0, 0.5, 0.5, ls.Interval(-1.5, 1.0)
    same = ls.systems.ornstein_uhlenbeck(-math.expm1(-k * dt) / dt, -D * math.expm1(-2 * k * dt) / (2 * k * dt))
    mean = ls.Chain(same, dt).mean_passage_time(0.2, domain).value
    sde = ls.systems.ornstein_uhlenbeck(k, D)
    for scheme, agrees in ((EXACT, True), (ls.EulerMaruyama(), False)):
        times = ls.first_passage(sde, 0.2, domain, dt, PATHS, monitoring="discrete", scheme=scheme, rng=9).time
        z = (times.mean() - mean) / (times.std() / math.sqrt(PATHS))
        assert (abs(z) < 5) if agrees else (abs(z) > 10)
