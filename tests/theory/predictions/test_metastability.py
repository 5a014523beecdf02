"""Closed forms of an equation for SGD do not apply where SGD with its learning rate has no metastable state."""
from __future__ import annotations

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.predictions.metastability import lost_in_steps

WELL = ls.landscapes.double_well()                      # curvature 2 at ±1
SAID = "SGD with this learning rate has no metastable state here: "


def applying(sde: ls.SDE) -> set[str]:
    return {name for name, p in ls.predict(sde, -1.0, 0.0).items() if p.applies}


def test_a_learning_rate_that_excludes_the_minimum() -> None:
    """η h = 2: with ε held, all that changes is the verdict."""
    below, above = (ls.sgd(WELL, ls.noise.Constant(1.0), learning_rate=eta, batch_size=30) for eta in (0.999, 1.001))
    assert applying(below) == {"kramers", "kramers_next_order", "laplace"}
    found = ls.predict(above, -1.0, 0.0)
    assert not applying(above)
    assert all(p.because == SAID + "unstable in the mean, η λ_max = 2.002 must be below 2" for p in found.values())
    plain = ls.predict(ls.SDE("x - x**3", ls.noise.Constant(1.0), above.strength.value), -1.0, 0.0)
    assert found["kramers"].value == pytest.approx(plain["kramers"].value, rel=1e-10)


@pytest.mark.parametrize("center", [-1.0, 0.3])
def test_noise_that_makes_the_variance_grow(center: float) -> None:
    """(1 − η h)² + η ε σ_H = 1 at σ_H = h (2 − η h) / ε, wherever the noise is centred."""
    eta, size = 0.2, 2
    edge = 2 * (2 - eta * 2) / (eta / size)
    for factor, lost in ((0.999, False), (1.001, True)):
        noise = ls.noise.Quadratic(30.0, quadratic=factor * edge, center=center)
        found = ls.predict(ls.sgd(WELL, noise, learning_rate=eta, batch_size=size), -1.0, 0.0)
        assert all(p.because.startswith(SAID) == lost for p in found.values())
    assert found["laplace"].because.startswith(SAID + "stable in the mean, η λ_max = 0.4, but the variance grows by 1 + 0.000")
    half = ls.predict(ls.sgd(WELL, noise, learning_rate=eta, batch_size=2 * size), -1.0, 0.0)
    assert not any(p.because.startswith(SAID) for p in half.values())


def test_what_knows_no_learning_rate_is_left_alone() -> None:
    noise = ls.noise.Quadratic(1.0, quadratic=1000.0, center=-1.0)
    for sde in (ls.langevin(WELL, temperature=0.02), ls.SDE("x - x**3", noise, strength=0.1)):
        assert not any(p.because.startswith(SAID) for p in ls.predict(sde, -1.0, 0.0).values())
    assert all(p.because.startswith(SAID) for p in ls.predict(ls.sgd(WELL, noise, 0.1), -1.0, 0.0).values())


def test_convention_and_writing_do_not_matter() -> None:
    sde = ls.sgd(WELL, ls.noise.Quadratic(1.0, quadratic=50.0, center=-1.0), learning_rate=0.3)
    said = lost_in_steps(sde, np.array([-1.0]), 1.0)
    assert said
    for other in (sde.in_interpretation("stratonovich"), sde.replace(interpretation="klimontovich")):
        assert lost_in_steps(other, np.array([-1.0]), 1.0) == said


def test_a_kink_of_the_noise_has_no_curvature() -> None:
    """Only the mean is asked: |x + 1| has infinite second differences."""
    noise = ls.noise.Expression("1 + 50*abs(x + 1)")
    assert lost_in_steps(ls.sgd(WELL, noise, learning_rate=0.3), np.array([-1.0]), 1.0) == ""
    assert "unstable in the mean" in lost_in_steps(ls.sgd(WELL, noise, learning_rate=1.3), np.array([-1.0]), 1.0)


def test_a_flat_minimum_and_a_corner_are_not_for_linear_stability_to_tell() -> None:
    for loss in ("x**4/4 - x**5/5", "abs(x) - x**2/2"):
        assert lost_in_steps(ls.sgd(ls.Landscape(loss), ls.noise.Constant(1.0), learning_rate=5.0), np.array([0.0]), 1.0) == ""


@pytest.mark.parametrize(("size", "dim"), [(1, 2), (5, 2), (2, 3)])
def test_full_noise_in_space_is_the_recursion_of_second_moments(size: int, dim: int) -> None:
    """The equation with the measured noise of a regression loses its minimum where the moments of SGD itself do."""
    x = np.random.default_rng(dim).normal(size=(30, dim))
    loss = ls.losses.linear_regression(x, np.random.default_rng(7).normal(size=30))
    noise, at = ls.noise.measure(loss), loss.minimum(np.zeros(dim))
    edge = ls.theory.stability_limits(loss, at, batch_size=size, rng=1).in_mean_square
    for eta in (0.9999 * edge, 1.0001 * edge):
        said = lost_in_steps(ls.sgd(loss.landscape, noise, learning_rate=eta, batch_size=size), at.x, 1.0)
        assert bool(said) is not ls.theory.minibatch_moments(loss, learning_rate=eta, batch_size=size).applies
        assert not said or "but the variance grows by 1 + 0.000" in said


def test_one_unstable_direction_is_enough() -> None:
    """The way out is along x, but the other component is excluded."""
    loss = ls.Landscape("(x**2 - 1)**2/4 + k*y**2/2", k=1.0)
    for k, lost in ((15.0, False), (25.0, True)):
        sde = ls.sgd(loss.replace(k=k), ls.noise.Constant(1.0), learning_rate=0.1)
        found = ls.predict(sde, [-1.0, 0.0], [0.0, 0.0])
        assert found and all(p.because.startswith(SAID) == lost for p in found.values())
