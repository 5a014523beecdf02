"""`ExactLinear`: its transition against closed forms and other methods, and what it refuses."""
from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad_vec
from scipy.linalg import expm, solve_continuous_lyapunov

import langevin_sgd as ls
from langevin_sgd.models.covariance import symmetric_root
from langevin_sgd.simulation.assembly import assemble
from langevin_sgd.simulation.exact_linear import transition
from langevin_sgd.simulation.linear import LinearEquation

EXACT = ls.ExactLinear()


def some_equation(d: int, seed: int, size: float = 1.0) -> LinearEquation:
    rng = np.random.default_rng(seed)
    G = rng.normal(size=(d, rng.integers(1, d + 1)))
    return LinearEquation(size * (rng.normal(size=(d, d)) - np.eye(d)), rng.normal(size=d), G @ G.T)


def relative(found, want) -> float:
    return float(np.abs(np.asarray(found) - want).max() / np.abs(want).max())


# ---------------------------------------------------------------------------------------------------------- transition

@pytest.mark.parametrize("k", [1e-9, 0.1, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("dt", [1e-6, 0.1, 2.0])
def test_one_component_against_its_closed_form(k, dt):
    matrix, offset, covariance = transition(LinearEquation(np.array([[-k]]), np.array([3.0]), np.array([[0.7]])), dt)
    assert relative(matrix, math.exp(-k * dt)) < 1e-15 * (1 + k * dt) * 10 if k * dt < 700 else matrix < 1e-300
    assert relative(offset, -3.0 * math.expm1(-k * dt) / k) < 1e-13
    assert relative(covariance, -0.7 * math.expm1(-2 * k * dt) / k) < 1e-13


def test_a_particle_with_friction_against_its_closed_form():
    """dx = v dt, dv = −γ v dt + sqrt(2 γ) dW: S. Chandrasekhar, Rev. Mod. Phys. 15, 1 (1943), eqs. 171 to 176."""
    gamma, t = 0.8, 1.7
    _, _, c = transition(LinearEquation(np.array([[0.0, 1.0], [0.0, -gamma]]), np.zeros(2), np.diag([0.0, gamma])), t)
    e = math.exp(-gamma * t)
    want = [[(2 * gamma * t - 3 + 4 * e - e * e) / gamma**2, (1 - e)**2 / gamma], [(1 - e)**2 / gamma, 1 - e * e]]
    np.testing.assert_allclose(c, want, rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("dt", [0.01, 1.5])
def test_the_transition_against_quadrature(d, dt):
    eq = some_equation(d, d)
    matrix, offset, covariance = transition(eq, dt)
    assert relative(matrix, expm(eq.F * dt)) < 1e-12
    assert relative(offset, quad_vec(lambda s: expm(eq.F * s) @ eq.a, 0, dt, epsabs=1e-12, epsrel=1e-12)[0]) < 1e-10
    integral = quad_vec(lambda s: expm(eq.F * s) @ (2 * eq.D) @ expm(eq.F * s).T, 0, dt, epsabs=1e-12, epsrel=1e-12)[0]
    assert relative(covariance, integral) < 1e-10


@given(st.integers(1, 6), st.integers(0, 10**6), st.floats(1e-3, 2.0), st.floats(1e-3, 2.0), st.sampled_from([0.01, 1.0, 3.0]))
def test_two_steps_are_one_of_their_sum(d, seed, s, t, size):
    """The semigroup of Chapman and Kolmogorov."""
    eq = some_equation(d, seed, size)
    (A, a, P), (B, b, Q), (C, c, R) = (transition(eq, h) for h in (s, t, s + t))
    bound = 1e-11 * max(1.0, np.linalg.norm(A) * np.linalg.norm(B) / np.linalg.norm(C))**2
    assert relative(B @ A, C) < bound
    assert relative(B @ P @ B.T + Q, R) < bound
    assert relative(B @ a + b, c) < bound * max(1.0, np.linalg.norm(B @ a) / np.linalg.norm(c))


@given(st.integers(1, 6), st.integers(0, 10**6), st.floats(1e-3, 100.0))
def test_covariances_are_positive_and_grow(d, seed, dt):
    eq = some_equation(d, seed)
    eq = LinearEquation(eq.F - 3 * d * np.eye(d), eq.a, eq.D)           # stable
    short, long = transition(eq, dt)[2], transition(eq, 1.3 * dt)[2]
    scale = np.abs(long).max()
    assert np.linalg.eigvalsh(short)[0] >= -1e-14 * scale
    assert np.linalg.eigvalsh(long - short)[0] >= -1e-13 * scale


def test_a_stiff_equation_does_not_overflow():
    """e^{−F dt}, which stands in the block matrix, is e^5000 here; the slow direction keeps its digits."""
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    F = turn @ np.diag([-5000.0, -1.0]) @ turn.T
    D = np.array([[1.0, 0.2], [0.2, 0.5]])
    matrix, _, covariance = transition(LinearEquation(F, np.zeros(2), D), 1.0)
    stationary = solve_continuous_lyapunov(F, -2 * D)
    assert relative(matrix, math.exp(-1) * np.outer(turn[:, 1], turn[:, 1])) < 1e-11
    assert relative(covariance, stationary - matrix @ stationary @ matrix.T) < 1e-11


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_scale_of_noise_and_offset_does_not_matter(scale):
    eq = some_equation(3, 1)
    _, a, P = transition(eq, 0.3)
    _, b, Q = transition(LinearEquation(eq.F, scale * eq.a, scale * eq.D), 0.3)
    assert relative(b / scale, a) < 1e-14
    assert relative(Q / scale, P) < 1e-14


def test_a_tiny_step_keeps_the_covariance_of_what_has_no_noise_of_its_own():
    """dt = 1e-6: the position's variance is a third of dt³, in digits that no difference of large numbers has."""
    mpmath.mp.dps = 60
    F, D, dt = np.array([[0.0, 1.0], [-2.0, -0.5]]), np.diag([0.0, 0.7]), 1e-6
    block = mpmath.zeros(4)
    for i in range(2):
        for j in range(2):
            block[i, j], block[i, 2 + j], block[2 + i, 2 + j] = -F[i, j] * dt, 2 * D[i, j] * dt, F[j, i] * dt
    power = mpmath.expm(block, method="taylor")
    want = np.array((power[2:4, 2:4].T * power[:2, 2:4]).tolist(), float)
    np.testing.assert_allclose(transition(LinearEquation(F, np.zeros(2), D), dt)[2], want, rtol=1e-9)


def test_growth_beyond_the_range_of_floats_is_refused():
    with pytest.raises(ValueError, match=r"the exact step over dt = 10 overflows: F has an eigenvalue with the real part 100"):
        ls.simulate(ls.linear([[100.0, 0.0], [0.0, -1.0]], np.eye(2)), [0.0, 0.0], (0, 10), 10.0, 2, scheme=EXACT)


@given(st.integers(1, 8), st.integers(0, 10**6), st.booleans())
def test_the_symmetric_root_is_one(d, seed, diagonal):
    rng = np.random.default_rng(seed)
    G = rng.normal(size=(d, rng.integers(1, d + 1)))
    M = np.diag(rng.uniform(0, 3, d)) if diagonal else G @ G.T
    root = symmetric_root(M)
    np.testing.assert_allclose(root @ root.T, M, atol=1e-12 * np.abs(M).max())
    np.testing.assert_allclose(root, root.T, atol=1e-12 * np.abs(M).max())
    assert not diagonal or not np.any(root - np.diag(np.diag(root)))


# -------------------------------------------------------------------------------------------------------------- scheme

def test_one_step_has_the_numbers_of_the_transition():
    """The normals are those that Euler's scheme shows in a step of dX = dW."""
    eq, dt = some_equation(3, 5), 0.7
    sde = ls.SDE([" + ".join([*(f"{f!r}*{n}" for f, n in zip(row, "xyz", strict=True)), repr(float(a))])
                  for row, a in zip(eq.F.tolist(), eq.a, strict=True)], ls.noise.Anisotropic(2 * eq.D))
    z = ls.simulate(ls.SDE(["0", "0", "0"], ls.noise.Constant(1.0)), [0.0] * 3, (0, 1), 1.0, 50, rng=9).x[:, -1]
    matrix, offset, covariance = transition(eq, dt)
    want = np.array([1.0, -1.0, 0.5]) @ matrix.T + offset + z @ symmetric_root(covariance)
    np.testing.assert_allclose(ls.simulate(sde, [1.0, -1.0, 0.5], (0, dt), dt, 50, scheme=EXACT, rng=9).x[:, -1], want, rtol=1e-10)


def test_it_is_a_value_that_knows_its_orders():
    assert ls.ExactLinear() == EXACT != ls.EulerMaruyama()
    assert repr(EXACT) == "ExactLinear()"
    assert EXACT.strong_order == EXACT.weak_order == math.inf


REFUSED = {
    "a cubic drift": (ls.SDE("x - x**3", ls.noise.Constant(1.0)), r"ExactLinear needs a drift F x \+ a .* the drift 'x - x\*\*3' is not"),
    "a drift of time": (ls.SDE("-x + t", ls.noise.Constant(1.0)), "not seen to be linear in the state with constant coefficients"),
    "noise of the state": (ls.systems.geometric_brownian(), r"but the noise Expression\('x\*\*2'\) is not seen to be constant"),
    "a function": (ls.SDE(lambda x: -x, ls.noise.Constant(1.0)), "write it with ls.linear or as expressions, if it is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_is_not_linear_with_constant_noise(name):
    sde, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        ls.simulate(sde, 0.5, (0, 1), 0.1, 2, scheme=EXACT)
    with pytest.raises(ValueError, match=message):
        ls.first_passage(sde, 0.5, ls.Interval(-1, 1), 0.1, 2, scheme=EXACT, monitoring="discrete")


def test_it_refuses_to_be_watched_between_its_steps():
    ou = ls.systems.ornstein_uhlenbeck()
    with pytest.raises(ValueError, match=r'ExactLinear is exact at its steps, but between them .* monitoring="discrete"'):
        ls.first_passage(ou, 0.0, ls.Interval(-1, 1), 0.1, 10, scheme=EXACT)
    ends = ls.first_passage(ou, 0.0, ls.Interval(-1, 1), 0.1, 70, scheme=EXACT, monitoring="discrete", rng=1)
    assert ends.exited.all()
    assert "ExactLinear()" in repr(ends)


def test_it_is_never_compiled_as_if_it_were_euler():
    """Whatever else takes a scheme compiles a step from its slope: without a refusal that would be Euler's step under another name."""
    with pytest.raises(ValueError, match=r"ExactLinear is for ls\.simulate, and for ls\.first_passage with"):
        assemble(ls.systems.ornstein_uhlenbeck(), EXACT)


def test_a_region_may_refer_to_the_parameters_of_the_equation():
    sde = ls.SDE("-c*x", ls.noise.Constant(1.0), c=0.5)
    domains = (ls.Where("2*c - x"), ls.Interval(high=1.0))
    times = [ls.first_passage(sde, 0.0, domain, 0.25, 70, scheme=EXACT, monitoring="discrete", rng=1).time for domain in domains]
    assert np.array_equal(*times)
