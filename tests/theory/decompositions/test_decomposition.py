"""The decomposition of linear equations and recursions: identities, reference numbers, other solvers, and what is refused."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from tests.decompositions import D, F, random_system
from tests.oracles import ORACLES, ids

LINEAR = [e for e in ORACLES if e["id"].startswith(("ao-linear", "ao-sgd"))]


def size(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix))


# ---------------------------------------------------------------------------------------------------------------- equations

@pytest.mark.parametrize("entry", LINEAR, ids=ids(LINEAR))
def test_reference_numbers(entry: dict[str, Any]) -> None:
    parts = ls.decompose(F=entry["parameters"]["F"], D=entry["parameters"]["D"])
    known = {"Q[0,1]": parts.Q[0, 1], "trace(D^-1 Q U Q^T)": parts.entropy_production}
    known |= {f"U[{i},{j}]": parts.U[i, j] for i in range(2) for j in range(2)}
    known |= {f"inv(U)[{i},{j}]": parts.covariance[i, j] for i in range(2) for j in range(2)}
    assert math.isclose(known[entry["quantity"]], entry["value"], rel_tol=10.0 ** (1 - entry["digits"]))


def test_there_are_reference_numbers() -> None:
    assert len(LINEAR) == 15


@settings(max_examples=400)
@given(st.integers(2, 50), st.integers(0, 2**32 - 1))
def test_identities_hold_for_random_stable_systems(n: int, seed: int) -> None:
    """To 1e-10 or better relative to their terms; Σ to 1e-10 against SciPy's solver (conditions up to 1e5)."""
    from scipy.linalg import solve_continuous_lyapunov
    f, d = random_system(n, seed)
    parts = ls.decompose(F=f, D=d)
    u, q, turned, inverse = parts.U, parts.Q, parts.D + parts.Q, parts.S + parts.A
    assert (q == -q.T).all() and (u == u.T).all() and (parts.S == parts.S.T).all() and (parts.A == -parts.A.T).all()
    assert (d == parts.D).all() and parts.residual < 1e-12
    assert size(f + turned @ u) < 1e-10 * size(turned) * size(u)
    assert size(f @ q + q @ f.T - (f @ d - d @ f.T)) < 1e-10 * size(f) * (size(q) + size(d))
    assert size(inverse @ d @ inverse.T - parts.S) < 1e-10 * size(inverse) ** 2 * size(d)
    assert size(inverse @ turned - np.eye(n)) < 1e-10 * size(inverse) * size(turned)
    sigma = solve_continuous_lyapunov(f, -2 * d)
    assert size(parts.covariance - sigma) < 1e-10 * size(sigma)
    assert np.linalg.eigvalsh(parts.S)[0] > 0 and parts.entropy_production >= 0


@pytest.mark.parametrize("wrong", [lambda f, d: (f, 2 * d), lambda f, d: (-f.T, d), lambda f, d: (f, np.diag(np.diag(d)))])
def test_the_identities_are_those_of_this_system_and_of_no_other(wrong: Any) -> None:
    """Controls: parts of twice the noise, of F turned about (for authors who write dx = −F x), and of D without its mixed terms."""
    f, d = random_system(6, 1)
    other_f, other_d = wrong(f, d)
    sigma = np.linalg.inv(ls.decompose(F=other_f, D=other_d).U)
    assert size(f @ sigma + sigma @ f.T + 2 * d) > 0.01 * size(f) * size(sigma)


@settings(max_examples=50)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_a_hessian_with_noise_that_does_not_commute(n: int, seed: int) -> None:
    """F = −H: on the axes of H, Q_ij = D_ij (h_i − h_j)/(h_i + h_j) and Σ_ij = 2 D_ij/(h_i + h_j) (`theory`, 6.2)."""
    rng = np.random.default_rng(seed)
    h, (_, d) = 10.0 ** rng.uniform(-2, 1, n), random_system(n, seed)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0]
    parts = ls.decompose(F=-axes @ np.diag(h) @ axes.T, D=d)
    on_axes = axes.T @ d @ axes
    q, sigma = (axes @ (on_axes * m / (h[:, None] + h)) @ axes.T for m in (h[:, None] - h, 2.0))
    np.testing.assert_allclose(parts.Q, q, atol=1e-12 * parts.condition)
    np.testing.assert_allclose(parts.covariance, sigma, atol=1e-13 * parts.condition * np.abs(sigma).max())


def test_the_potential_is_flat_where_the_loss_is_sharp() -> None:
    """D = c H²: U = 1 / (c H), so that φ is the flattest along the sharpest direction (`theory`, 6.3)."""
    h = np.array([4.0, 1.0, 0.25])
    np.testing.assert_allclose(ls.decompose(F=-np.diag(h), D=0.1 * np.diag(h**2)).U, np.diag(10 / h), rtol=1e-12)


@settings(max_examples=100)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_a_saddle_has_a_potential_and_no_law(n: int, seed: int) -> None:
    f, d = random_system(n, seed)
    f = f - (np.linalg.eigvals(f).real.max() - 0.3) * np.eye(n)        # one direction (or two) grows like exp(0.3 t)
    try:
        parts = ls.decompose(F=f, D=d)
    except ValueError as refused:
        assert "add up to zero" in str(refused)
        return
    assert parts.residual < 1e-12 and size(f + (d + parts.Q) @ parts.U) < 1e-10 * size(d + parts.Q) * size(parts.U)
    growing = int((np.linalg.eigvals(f).real > 0).sum())
    assert (np.linalg.eigvalsh(parts.U) < 0).sum() == growing         # as many falling directions of φ as growing ones of the drift
    for what in ("covariance", "entropy_production"):
        with pytest.raises(ValueError, match="unstable"):
            getattr(parts, what)


@settings(max_examples=50)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_condition_is_that_of_the_linear_map(n: int, seed: int) -> None:
    """Against the least singular value of Y ↦ F Y + Y Fᵀ as a matrix of n² rows; the power method may stay below, to half of it."""
    f, d = random_system(n, seed)
    least = np.linalg.svd(np.kron(f, np.eye(n)) + np.kron(np.eye(n), f), compute_uv=False)[-1]
    assert 0.5 < ls.decompose(F=f, D=d).condition * least / (2 * size(f)) < 1 + 1e-9


def test_a_heavy_ball_has_the_law_of_boltzmann() -> None:
    """x' = v, v' = −k x − γ v + sqrt(2 γ T) ξ: D is singular, and φ = (k x² + v²) / 2T all the same."""
    k, friction, temperature = 2.0, 0.5, 0.3
    parts = ls.decompose(F=[[0, 1], [-k, -friction]], D=[[0, 0], [0, friction * temperature]])
    np.testing.assert_allclose(parts.U, np.diag([k, 1.0]) / temperature, atol=1e-12)
    np.testing.assert_allclose(parts.S + parts.A, np.array([[friction, 1], [-1, 0]]) / temperature, atol=1e-12)
    assert parts.entropy_production == math.inf


def test_potential_and_drift_at_states() -> None:
    parts = ls.decompose(ls.linear(F, D, center=[1.0, -2.0]))
    x = np.random.default_rng(1).normal(size=(3, 4, 2))
    np.testing.assert_allclose(parts.center, [1.0, -2.0], rtol=1e-14)
    np.testing.assert_allclose(parts.gradient_drift(x) + parts.circulating_drift(x), parts.sde().drift(x), atol=1e-13)
    assert parts.potential(x).shape == (3, 4) and parts.potential([1.0, -2.0]) == 0
    step = 1e-6
    slope = np.stack([parts.potential(x + step * e) - parts.potential(x - step * e) for e in np.eye(2)], axis=-1) / (2 * step)
    np.testing.assert_allclose(-slope @ D.T, parts.gradient_drift(x), atol=1e-7)
    np.testing.assert_allclose((slope * parts.circulating_drift(x)).sum(axis=-1), 0, atol=1e-7)      # along the level lines of φ


def test_one_dimension() -> None:
    parts = ls.decompose(ls.systems.ornstein_uhlenbeck(rate=2.0, diffusion=0.5))
    assert parts.potential(1.0) == pytest.approx(2.0) and parts.potential([1.0, 2.0]).shape == (2,)
    assert parts.covariance.tolist() == [[0.25]] and parts.entropy_production == 0 and parts.gradient_drift(1.0) == -2.0


@pytest.mark.parametrize("sde", [
    ls.linear(F, D),
    ls.SDE(["-x + 2*y", "-(x + 4*y)/2"], ls.noise.Anisotropic(2 * D)),
    ls.SDE(["2*(y - x/2)", "-0.5*x - 2*y"], ls.noise.Expression([["2", "0.6"], ["0.6", "1"]]), 1.0, "klimontovich"),
])
def test_one_system_written_in_several_ways(sde: ls.SDE) -> None:
    np.testing.assert_allclose(ls.decompose(sde).Q[0, 1], -0.6, rtol=1e-13)


@pytest.mark.parametrize("drift", ["-x**3", "-x*exp(x)", "-abs(x)", "-x - sin(x)", "where(x > 5, -2*x, -x)", "-x/(1 + x**2)"])
def test_what_is_not_linear_is_not_taken_for_it(drift: str) -> None:
    with pytest.raises(ValueError, match="not seen to be linear"):
        ls.decompose(ls.SDE([drift, "-y"], ls.noise.Constant(1.0)))
    with pytest.raises(ValueError, match="not seen to be linear"):
        ls.decompose(ls.SDE(["-x", "-y"], ls.noise.Quadratic([1.0, 1.0], quadratic=[1.0, 0.0])))


def test_a_fixed_point_of_a_nonlinear_equation() -> None:
    """Maier and Stein's equation at (−1, 0): F = −2 I, and C = I, so that φ = 2 |δ|² / ε, in the neighbourhood."""
    sde = ls.systems.maier_stein(beta=5.0, strength=0.2)
    parts = ls.decompose(sde, at=[-0.9999, 0.001])
    np.testing.assert_allclose(parts.center, [-1, 0], atol=1e-12)
    np.testing.assert_allclose(parts.U, 20 * np.eye(2), atol=1e-9)
    np.testing.assert_allclose(parts.Q, 0, atol=1e-12)
    saddle = ls.decompose(sde.replace(mu=2.0), at=[0.0, 0.0])
    np.testing.assert_allclose(saddle.U, np.diag([-10.0, 20.0]), atol=1e-9)


def test_near_a_fixed_point_the_law_comes_to_the_local_one_as_the_noise_falls() -> None:
    """The curvature of −ln p in one dimension, over U: off by (1 − α) ε C''/2 with C = 1 + x²/2, in each convention."""
    def ratio(strength: float, convention: str) -> float:
        sde = ls.SDE("-x - x**3", ls.noise.Expression("1 + x**2/2"), strength, convention)
        law, step = ls.exact.stationary_density(sde), 0.01
        curvature = -(law.log_density(step) - 2 * law.log_density(0.0) + law.log_density(-step)) / step**2
        return float(curvature / ls.decompose(sde, at=0.0).U[0, 0])
    for convention, slope in (("ito", 0.5), ("stratonovich", 0.25), ("klimontovich", 0.0)):
        assert ratio(0.01, convention) - 1 == pytest.approx(slope * 0.01, abs=2e-4)
        assert ratio(0.1, convention) - 1 == pytest.approx(slope * 0.1, abs=2e-4)


# --------------------------------------------------------------------------------------------------------------- recursions

@settings(max_examples=100)
@given(st.integers(2, 20), st.integers(0, 2**32 - 1), st.floats(0.01, 1.9))
def test_a_recursion_has_the_covariance_that_its_step_preserves(n: int, seed: int, fastest: float) -> None:
    f, d = random_system(n, seed)
    dt = fastest * float((-np.linalg.eigvals(f).real / np.abs(np.linalg.eigvals(f)) ** 2).min())       # 2 would be the edge of stability
    parts = ls.decompose(F=f, D=d, dt=dt)
    m, sigma = np.eye(n) + dt * f, parts.covariance
    assert size(m @ sigma @ m.T + 2 * dt * d - sigma) < 1e-10 * size(sigma) * size(m) ** 2
    assert size(f + (parts.D + parts.Q) @ parts.U) < 1e-10 * size(parts.D + parts.Q) * size(parts.U)
    assert (parts.Q == -parts.Q.T).all() and parts.residual < 1e-12
    np.testing.assert_allclose(parts.D, d + dt * f @ sigma @ f.T / 2, atol=1e-10 * size(parts.D))
    again = ls.decompose(F=parts.F, D=parts.D)             # the equation with the same law
    np.testing.assert_allclose(again.covariance, sigma, atol=1e-13 * parts.condition * size(sigma))


@pytest.mark.parametrize("rate", [1e-9, 0.1, 0.49])
def test_sgd_at_a_finite_learning_rate(rate: float) -> None:
    """Against the closed form of SGD's iterates on the axes of the Hessian; the equation in its place is off by 25 to 100 per cent."""
    h, c, batch = np.diag([4.0, 1.0]), np.array([[2.0, 0.6], [0.6, 1.0]]), 8
    iterates = ls.theory.sgd_covariance(curvature=h, constant=c, learning_rate=rate, batch_size=batch).covariance
    parts = ls.decompose(F=-h, D=rate * c / batch / 2, dt=rate)
    np.testing.assert_allclose(parts.covariance, iterates, rtol=1e-12)
    equation = ls.decompose(ls.sgd(ls.Landscape("2*x**2 + y**2/2"), ls.noise.Anisotropic(c), rate, batch)).covariance
    assert abs(equation[0, 0] / iterates[0, 0] - (1 - 2 * rate)) < 1e-12


def test_entropy_of_a_recursion_is_that_of_its_steps_seen_backwards() -> None:
    """The relative entropy of (x, x') and (x', x), two Gaussian laws, over dt; and its limit, the entropy production of the equation."""
    for dt in (0.4, 0.01):
        parts = ls.decompose(F=F, D=D, dt=dt)
        m, sigma = np.eye(2) + dt * F, parts.covariance
        forward, backward = np.block([[sigma, sigma @ m.T], [m @ sigma, sigma]]), np.block([[sigma, m @ sigma], [sigma @ m.T, sigma]])
        assert parts.entropy_production == pytest.approx((np.trace(np.linalg.solve(backward, forward)) - 4) / 2 / dt, rel=1e-10)
    assert ls.decompose(F=F, D=D, dt=1e-8).entropy_production == pytest.approx(ls.decompose(F=F, D=D).entropy_production, rel=1e-7)


# ---------------------------------------------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("make, message", [
    (lambda: ls.decompose(), "`sde` is missing"),
    (lambda: ls.decompose(D=D), "`F` is missing"),
    (lambda: ls.decompose(F=F), "`D` is missing"),
    (lambda: ls.decompose(ls.linear(F, D), F=F), "came with an equation"),
    (lambda: ls.decompose(F), "given by keyword"),
    (lambda: ls.decompose(F=F, D=D, at=[0, 0]), "`at` came with"),
    (lambda: ls.decompose(F=[[1, 2, 3]], D=D), "`F` has shape"),
    (lambda: ls.decompose(F=F, D=np.eye(3)), "`D` has shape"),
    (lambda: ls.decompose(F=F, D=[[1, 2], [2, 1]]), "positive semi-definite"),
    (lambda: ls.decompose(F=[[math.nan]], D=[[1]]), "`F` holds nan"),
    (lambda: ls.decompose(F=[[0, 1], [-1, 0]], D=np.eye(2)), "two eigenvalues that add up to zero"),
    (lambda: ls.decompose(F=np.diag([1.0, -1.0]), D=np.eye(2)), "two eigenvalues that add up to zero"),
    (lambda: ls.decompose(F=np.diag([1.0, -1.0 - 1e-13]), D=np.eye(2)), "two eigenvalues that add up to zero"),
    (lambda: ls.decompose(F=np.diag([0.0, -1.0]), D=np.eye(2)), "an eigenvalue that is zero"),
    (lambda: ls.decompose(F=[[-1, 1e7], [0, -1]], D=np.eye(2)), "far from normal"),
    (lambda: ls.decompose(F="x", D=np.eye(2)), "`F` is 'x'"),
    (lambda: ls.decompose(F=np.diag([-1.0, -2.0]), D=np.diag([1.0, 0.0])), "does not reach all directions"),
    (lambda: ls.decompose(F=F, D=np.zeros((2, 2))), "does not reach all directions"),
    (lambda: ls.decompose(F=-3 * np.eye(2), D=np.eye(2), dt=1.0), "1 . dt F has the eigenvalue"),
    (lambda: ls.decompose(F=F, D=D, dt=0.0), "`dt` is 0"),
    (lambda: ls.decompose(ls.SDE(["x + y", "x + y"], ls.noise.Constant(1.0))), "an eigenvalue that is zero"),
    (lambda: ls.decompose(ls.SDE(["x + y + 1", "x + y"], ls.noise.Constant(1.0))), "no fixed point"),
    (lambda: ls.decompose(ls.SDE("-x*t", ls.noise.Constant(1.0))), "time t"),
    (lambda: ls.decompose(ls.systems.maier_stein(), at=[0.5, 0.5]), "no fixed point was found"),
])
def test_bad_input_is_told_in_a_sentence(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
