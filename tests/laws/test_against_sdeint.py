"""The same equations on the same Wiener paths, stepped by sdeint: an implementation that shares nothing with this one."""
from __future__ import annotations

import numpy as np
import pytest
import sdeint

import langevin_sgd as ls

pytestmark = pytest.mark.law
KEY, PATHS = ls.Key(31), 8


def grid(dt: float, end: float = 1.0) -> np.ndarray:
    return np.linspace(0.0, end, round(end / dt) + 1)


def wiener(dim: int, times: np.ndarray) -> np.ndarray:
    """The increments (path, step, dim) that the key gives to every equation of this dimension."""
    free = ls.SDE(["0"] * dim if dim > 1 else "0", ls.noise.Constant(1.0))
    w = ls.simulate(free, np.zeros(dim) if dim > 1 else 0.0, (0, times[-1]), times[1], PATHS, times, rng=KEY).x
    return np.diff(w.reshape(PATHS, len(times), dim), axis=1)


def stepped(method, drift, factor, x0, times: np.ndarray) -> np.ndarray:
    """The paths (path, time, dim) that a method of sdeint makes of the same increments."""
    x0 = np.atleast_1d(np.asarray(x0, float))
    return np.array([method(drift, factor, x0, times, dW=dw) for dw in wiener(len(x0), times)])


def test_euler_makes_the_same_steps():
    """State-dependent noise in one dimension: a thousand steps, equal to rounding."""
    times = grid(1e-3)
    ours = ls.simulate(ls.SDE("x - x**3", ls.noise.Quadratic(0.5, quadratic=1.0), 0.4), 0.3, (0, 1), 1e-3, PATHS, times, rng=KEY).x
    theirs = stepped(sdeint.itoEuler, lambda x, t: x - x**3, lambda x, t: np.sqrt(0.4 * (0.5 + x**2))[:, None], 0.3, times)
    np.testing.assert_allclose(ours, theirs[..., 0], rtol=1e-9, atol=1e-9)
    twice = stepped(sdeint.itoEuler, lambda x, t: x - x**3, lambda x, t: np.sqrt(0.8 * (0.5 + x**2))[:, None], 0.3, times)
    assert np.abs(ours - twice[..., 0]).max() > 0.05            # the control


def test_euler_makes_the_same_steps_in_the_plane():
    """Dense constant noise and circulation; the factor of C is the symmetric root on both sides."""
    times, c = grid(1e-3), np.array([[1.0, 0.4], [0.4, 0.5]])
    w, v = np.linalg.eigh(c)
    root = np.sqrt(0.3) * (v * np.sqrt(w)) @ v.T
    ours = ls.simulate(ls.SDE(["y - x", "-x - y**3"], ls.noise.Quadratic(c, quadratic=np.zeros((2, 2))), 0.3), [0.2, -0.1], (0, 1), 1e-3,
                       PATHS, times, rng=KEY).x
    theirs = stepped(sdeint.itoEuler, lambda x, t: np.array([x[1] - x[0], -x[0] - x[1]**3]), lambda x, t: root, [0.2, -0.1], times)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_a_stratonovich_equation_is_the_one_that_heun_solves():
    """Our conversion with Euler's scheme against sdeint's Heun scheme, which converges to Stratonovich without any conversion."""
    def distance(convention: str, dt: float) -> float:
        times = grid(dt)
        ours = ls.simulate(ls.SDE("-x", ls.noise.Expression("1 + x**2"), 0.5, convention), 0.5, (0, 1), dt, PATHS, times, rng=KEY).x
        theirs = stepped(sdeint.stratHeun, lambda x, t: -x, lambda x, t: np.sqrt(0.5 * (1 + x**2))[:, None], 0.5, times)
        return float(np.abs(ours - theirs[..., 0]).mean())

    coarse, fine = distance("stratonovich", 4e-3), distance("stratonovich", 2.5e-4)
    assert fine < 0.45 * coarse                                 # Euler's strong order is a half: a quarter of the distance
    assert fine < 0.01
    for other in ("ito", "klimontovich"):
        assert distance(other, 2.5e-4) > 5 * fine               # the control
