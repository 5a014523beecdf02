"""Weak orders: the error of expectations, with statistical errors far below it."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from tests.laws.standard_errors import Slope, slope, z_of_mean, z_of_variance

pytestmark = pytest.mark.law
DTS = [2.0**-k for k in (3, 4, 5, 6)]
SCHEMES = pytest.mark.parametrize("scheme", [ls.EulerMaruyama(), ls.Milstein()], ids=["Euler", "Milstein"])


def bias(sde, x0, scheme, function, exact, n, end=1.0) -> Slope:
    """The slope of the error of the mean of a function of the end."""
    errors, noise = [], []
    for k, dt in enumerate(DTS):
        values = function(ls.simulate(sde, x0, (0, end), dt, n, [end], scheme, rng=ls.Key(100 + k)).x[:, 0])
        errors.append(abs(values.mean() - exact))
        noise.append(values.std() / math.sqrt(n))
    return slope(DTS, errors, noise)


@SCHEMES
def test_the_mean_of_geometric_brownian_motion_converges_with_order_one(scheme):
    """200 000 paths; the slope within 4 standard errors and 0.25: at these steps the next order in dt is still large."""
    found = bias(ls.SDE("2*x", ls.noise.Expression("x**2"), 0.04), 1.0, scheme, lambda x: x, math.exp(2.0), 200_000)
    assert found.is_about(1.0, 0.25), found


@SCHEMES
def test_the_law_of_a_nonlinear_equation_converges_with_order_one(scheme):
    """E sin X for dX = cos²X dW in Stratonovich, X = arctan(tan x0 + W): the mean difference from the solution on the same Wiener paths,
    which has far less noise than the mean itself; 300 000 paths."""
    sde, n, errors, noise = ls.SDE("0", ls.noise.Expression("cos(x)**4"), 1.0, "stratonovich"), 300_000, [], []
    for k, dt in enumerate(DTS):
        w, x = (ls.simulate(s, x0, (0, 1), dt, n, [1.0], scheme, rng=ls.Key(200 + k)).x[:, 0]
                for s, x0 in ((ls.SDE("0", ls.noise.Constant(1.0)), 0.0), (sde, 1.0)))
        difference = np.sin(x) - np.sin(np.arctan(math.tan(1.0) + w))
        errors.append(abs(difference.mean()))
        noise.append(difference.std() / math.sqrt(n))
    found = slope(DTS, errors, noise)
    assert found.is_about(1.0, 0.25), found


@SCHEMES
@pytest.mark.parametrize(("interpretation", "alpha"), [("ito", 0.0), ("stratonovich", 0.5), ("klimontovich", 1.0)])
def test_the_mean_of_geometric_brownian_motion_knows_its_convention(scheme, interpretation, alpha):
    """E X = exp((a + α b²) t), and (1 + (a + α b²) h)^n for the chain: 100 000 paths within 5 standard errors of the latter, and
    more than 15 from the next convention's."""
    a, b, h, n = 0.2, 0.5, 0.01, 100_000
    x = ls.simulate(ls.systems.geometric_brownian(a, b, interpretation), 1.0, (0, 1), h, n, [1.0], scheme, rng=8).x[:, 0]
    assert abs(z_of_mean(x, (1 + (a + alpha * b**2) * h) ** 100)) < 5
    for other in {0.0, 0.5, 1.0} - {alpha}:
        assert abs(z_of_mean(x, math.exp(a + other * b**2))) > 15


def test_the_variance_of_an_ornstein_uhlenbeck_chain_is_that_of_the_chain():
    """D / k / (1 - k h / 2) when stationary: 400 000 paths, the covariance at a lag too; 5 standard errors."""
    k, d, h, n = 1.0, 0.5, 0.1, 400_000
    x = ls.simulate(ls.systems.ornstein_uhlenbeck(k, d), 0.0, (0, 12), h, n, [11.5, 12.0], rng=4).x
    variance = d / k / (1 - k * h / 2)
    assert abs(z_of_variance(x[:, 0], variance, 0.0)) < 5
    assert abs(z_of_variance(x[:, 1], variance, 0.0)) < 5
    assert abs(z_of_mean(x[:, 0] * x[:, 1], variance * (1 - k * h) ** 5)) < 5
    assert abs(z_of_variance(x[:, 0], d / k, 0.0)) > 10                     # the control: the equation's own variance is another
    assert abs(z_of_variance(x[:, 0], 2 * variance, 0.0)) > 100             # ... as is that of twice the noise


def test_the_covariance_of_a_linear_chain_with_dense_noise_solves_its_lyapunov_equation():
    """X -> (1 + F h) X + noise of covariance 2 D h: Σ = A Σ Aᵀ + 2 D h; 200 000 paths, every entry within 5 standard errors."""
    from scipy.linalg import solve_discrete_lyapunov
    F, D, h, n = np.array([[-1.0, 2.0], [-0.5, -2.0]]), np.array([[1.0, 0.3], [0.3, 0.5]]), 0.05, 200_000
    x = ls.simulate(ls.linear(F, D), [0.0, 0.0], (0, 10), h, n, [10.0], rng=6).x[:, 0]
    covariance = solve_discrete_lyapunov(np.eye(2) + F * h, 2 * D * h)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert abs(z_of_mean(x[:, i] * x[:, j], covariance[i, j])) < 5
    turned = solve_discrete_lyapunov(np.eye(2) + F.T * h, 2 * D * h)        # the control: the matrix transposed
    assert max(abs(z_of_mean(x[:, i] * x[:, j], turned[i, j])) for i, j in ((0, 0), (0, 1), (1, 1))) > 20
