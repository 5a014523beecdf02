"""Schemes say what they are valid for."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls

Expression = ls.noise.Expression
PARABOLA = ls.Landscape("(x**2 + y**2)/2")

DOES_NOT_COMMUTE = {
    "isotropic": (Expression("1 + x**2 + y**2"), "the noise of component x depends on y"),
    "diagonal that sees the other": (Expression(["1", "1 + x**2"]), "the noise of component y depends on x"),
    "quadratic with matrices": (ls.noise.Quadratic([[1.0, 0.2], [0.2, 0.5]], quadratic=np.eye(2)), "do not commute"),
    "proportional to the loss": (ls.noise.LossProportional(PARABOLA, 2.0, 0.5), "the noise of component x depends on y"),
    "a full matrix": (Expression([["1 + x**2", "x*y/4"], ["x*y/4", "1"]]), "a matrix of functions: .* do not commute"),
    "a factor": (ls.noise.from_functions(lambda x: ((1.0, 0.0), (x[0], 1.0)), lambda x: (0.0, 0.0), dim=2), "do not commute"),
}


@pytest.mark.parametrize("name", DOES_NOT_COMMUTE)
def test_milstein_refuses_noise_that_does_not_commute_and_names_a_scheme_that_fits(name):
    noise, reason = DOES_NOT_COMMUTE[name]
    sde = ls.SDE(["-x", "-y"], noise, 0.1)
    with pytest.raises(ValueError, match=rf"Milstein's scheme does not fit this noise: .*{reason}.*; use scheme=EulerMaruyama\(\)"):
        ls.simulate(sde, [0.1, 0.1], (0, 1), 0.1, 2, scheme=ls.Milstein())
    ls.simulate(sde, [0.1, 0.1], (0, 1), 0.1, 2, scheme=ls.EulerMaruyama())


def test_milstein_refuses_noise_whose_derivative_is_not_known():
    sde = ls.SDE("-x", ls.noise.from_functions(lambda x: 1 + 0.1 * x), 0.1)
    with pytest.raises(ValueError, match=r"its derivative is not known; give noise.from_functions\(factor, divergence\)"):
        ls.simulate(sde, 0.0, (0, 1), 0.1, 2, scheme=ls.Milstein())


COMMUTES = {
    "one dimension": ls.SDE("-x", Expression("1 + x**2"), 0.1),
    "one dimension, by functions": ls.SDE("-x", ls.noise.from_functions(lambda x: 1 + 0.1 * x, lambda x: 0.2 * (1 + 0.1 * x)), 0.1),
    "diagonal, each by itself": ls.SDE(["-x*y", "-y"], Expression(["1 + x**2", "2 + y**2"]), 0.1),
    "quadratic, each by itself": ls.SDE(["-x", "-y"], ls.noise.Quadratic([1.0, 2.0], quadratic=[0.5, 1.0]), 0.1),
}


@pytest.mark.parametrize("name", COMMUTES)
def test_milstein_takes_noise_that_commutes(name):
    sde = COMMUTES[name]
    x0 = 0.1 if sde.dim == 1 else [0.1, 0.1]
    paths = [ls.simulate(sde, x0, (0, 1), 0.1, 5, scheme=s, rng=1).x[:, -1] for s in (ls.Milstein(), ls.EulerMaruyama())]
    assert not np.array_equal(*paths)
    np.testing.assert_allclose(*paths, atol=0.1)


@pytest.mark.parametrize("noise", [ls.noise.Constant(1.0), Expression("exp(-t)"), ls.noise.Quadratic(1.0, quadratic=0.0)])
def test_for_noise_that_does_not_depend_on_the_state_milstein_is_euler(noise):
    sde = ls.SDE("-x", noise, 0.1)
    a, b = (ls.simulate(sde, 0.0, (0, 1), 0.1, 5, scheme=s, rng=1).x for s in (ls.Milstein(), ls.EulerMaruyama()))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_euler_is_the_default_for_every_noise():
    """A default that depended on the model would change bits."""
    for sde in COMMUTES.values():
        x0 = 0.1 if sde.dim == 1 else [0.1, 0.1]
        runs = ls.simulate(sde, x0, (0, 1), 0.1, 5, rng=1)
        assert runs.scheme == ls.EulerMaruyama()
        assert np.array_equal(runs.x, ls.simulate(sde, x0, (0, 1), 0.1, 5, rng=1, scheme=ls.EulerMaruyama()).x)


def test_schemes_are_values():
    assert ls.Milstein() == ls.Milstein() != ls.EulerMaruyama()
    assert repr(ls.Milstein()) == "Milstein()"
    assert (ls.EulerMaruyama().strong_order, ls.EulerMaruyama().weak_order) == (0.5, 1.0)
    assert (ls.Milstein().strong_order, ls.Milstein().weak_order) == (1.0, 1.0)


def test_milstein_uses_the_derivative_of_the_variance():
    """One step: ½ g g' (dW² − h), with g² = 1 + x²."""
    sde = ls.SDE("0", Expression("1 + x**2"))
    x0, h = 0.7, 0.1
    dw = ls.simulate(ls.SDE("0", ls.noise.Constant(1.0)), 0.0, (0, h), h, 5, rng=1).x[:, -1]
    want = x0 + math.sqrt(1 + x0**2) * dw + 0.5 * x0 * (dw**2 - h)
    np.testing.assert_allclose(ls.simulate(sde, x0, (0, h), h, 5, rng=1, scheme=ls.Milstein()).x[:, -1], want, rtol=1e-10)
