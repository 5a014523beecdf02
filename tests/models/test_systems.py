"""The systems without landscape: drift, diffusion and convention against the formulas of their sources."""
import math

import numpy as np
import pytest

import langevin_sgd as ls

X, XY = np.array([0.2, 1.0, 2.5]), np.random.default_rng(2).normal(size=(6, 2))


def test_ornstein_uhlenbeck():
    sde = ls.systems.ornstein_uhlenbeck(2.0, 0.3)
    assert np.allclose(sde.drift(X), -2 * X, rtol=1e-15)
    assert sde.diffusion(X).tolist() == [0.3] * 3


@pytest.mark.parametrize(("interpretation", "alpha"), [("ito", 0.0), ("stratonovich", 0.5), ("klimontovich", 1.0), ("anti-ito", 1.0)])
def test_geometric_brownian_motion_grows_faster_by_alpha_times_the_variance(interpretation, alpha):
    sde = ls.systems.geometric_brownian(0.1, 0.5, interpretation)
    assert np.allclose(sde.diffusion(X), 0.5 * (0.5 * X)**2, rtol=1e-15)
    assert np.allclose(sde.drift(X), 0.1 * X, rtol=1e-15)
    assert np.allclose(sde.ito_drift(X), (0.1 + alpha * 0.25) * X, rtol=1e-14)


def test_cox_ingersoll_ross():
    sde = ls.systems.cox_ingersoll_ross(1.5, 2.0, 0.4)
    assert np.allclose(sde.drift(X), 1.5 * (2.0 - X), rtol=1e-15)
    assert np.allclose(sde.diffusion(X), 0.5 * 0.16 * X, rtol=1e-15)


def test_maier_stein_is_a_gradient_only_for_equal_parameters():
    x, y = XY.T
    sde = ls.systems.maier_stein(beta=2.0, mu=0.7, strength=0.1)
    assert np.allclose(sde.drift(XY), np.stack([x - x**3 - 2 * x * y**2, -0.7 * (1 + x**2) * y], -1), rtol=1e-13)
    assert np.array_equal(sde.diffusion(XY), np.broadcast_to(0.05 * np.eye(2), (6, 2, 2)))
    for beta, is_gradient in ((1.0, True), (2.0, False)):
        slopes = ls.systems.maier_stein(beta).drift_field.gradient()
        jacobian = slopes.vector(("beta", "mu"))(XY, 0.0, (beta, 1.0))
        assert np.allclose(jacobian[:, 0, 1], jacobian[:, 1, 0]) is is_gradient


def test_rotating_quadratic_has_a_radial_part_and_a_circulation():
    sde = ls.systems.rotating_quadratic(1.5, 2.0, 0.4)
    drift = sde.drift(XY)
    assert np.allclose((drift * XY).sum(-1), -1.5 * (XY**2).sum(-1), rtol=1e-13)
    assert np.allclose(drift, -XY @ (1.5 * np.eye(2) + 2.0 * np.array([[0, -1], [1, 0]])).T, rtol=1e-13)
    assert np.array_equal(sde.diffusion(XY[0]), 0.2 * np.eye(2))


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.systems.ornstein_uhlenbeck(-1.0), "`rate` is -1, but must be positive"),
    (lambda: ls.systems.ornstein_uhlenbeck(1.0, 0.0), "`diffusion` is 0"),
    (lambda: ls.systems.geometric_brownian(math.nan), "`growth` is nan"),
    (lambda: ls.systems.geometric_brownian(0.0, -1.0), "`volatility` is -1"),
    (lambda: ls.systems.cox_ingersoll_ross(level=0.0), "`level` is 0"), (lambda: ls.systems.maier_stein(strength=0.0), "`strength` is 0"),
    (lambda: ls.systems.rotating_quadratic(0.0), "`curvature` is 0, but must be positive"),
])
def test_their_numbers_are_checked_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()
