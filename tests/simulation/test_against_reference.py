"""Compiled steps against a plain NumPy loop on the same normals, for every form of noise, both schemes, walls and reflecting ends."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from tests.simulation import reference as ref

N, STEPS, H, KEY = 70, 37, 0.05, ls.Key(0x1234_5678_9ABC_DEF0_0FED_CBA9_8765_4321)
EVERY = np.arange(STEPS + 1) * H
Expression = ls.noise.Expression


def simulated(sde, x0, **options):
    runs = ls.simulate(sde, x0, (0.0, STEPS * H), H, N, EVERY, rng=KEY, **options)
    return runs.x[..., None] if sde.dim == 1 else runs.x


def agree(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8)


def z(d):
    return ref.normals(KEY, N, STEPS, d)


def diagonal(*variances):
    return lambda x, t: np.stack([np.sqrt(v(x, t)) for v in variances], axis=-1)[..., None] * np.eye(len(variances))


# --------------------------------------------------------------------------------------------------------- one dimension

def test_additive_noise():
    sde = ls.SDE("x - x**3", ls.noise.Constant(0.7), 0.5)
    agree(simulated(sde, -1.0), ref.euler([-1.0], lambda x, t: x - x**3, lambda x, t: math.sqrt(0.35), z(1), H))


def test_state_dependent_noise_in_every_convention():
    for name, alpha in (("ito", 0.0), ("stratonovich", 0.5), ("klimontovich", 1.0)):
        sde = ls.SDE("-k*x", Expression("1 + a*x**2", a=0.8), 0.5, name, k=1.5)
        def b(x, t, alpha=alpha):
            return -1.5 * x + alpha * 0.25 * 1.6 * x                    # f + α D', D = ε C / 2
        agree(simulated(sde, 0.5), ref.euler([0.5], b, lambda x, t: np.sqrt(0.5 * (1 + 0.8 * x**2))[..., None], z(1), H))


def test_milsteins_scheme():
    sde = ls.SDE("-x", Expression("(1 + x/2)**2"), 0.25)
    want = ref.milstein([0.3], lambda x, t: -x, lambda x, t: 0.25 * (1 + x / 2)**2, lambda x, t: 0.25 * np.sign(1 + x / 2), z(1), H)
    agree(simulated(sde, 0.3, scheme=ls.Milstein()), want)


def test_coefficients_that_change_with_time():
    sde = ls.SDE("sin(3*t) - x/(1 + t)", Expression("exp(-t)*(1 + x**2)"))
    got = ls.simulate(sde, 0.0, (0.4, 0.4 + STEPS * H), H, N, rng=KEY).x
    want = ref.euler([0.0], lambda x, t: math.sin(3 * t) - x / (1 + t), lambda x, t: np.sqrt(math.exp(-t) * (1 + x**2))[..., None],
                     z(1), H, 0.4)
    agree(got, want[..., 0])


def test_elementary_functions_in_expressions():
    text = "tanh(x) - erf(x) + exp(-x**2)*sin(5*x) - atan(x) + where(x > 0, -x**2, sqrt(1 - x)) + abs(x)**1.3"
    sde = ls.SDE(text, ls.noise.Constant(1.0))
    erf = np.vectorize(math.erf)
    def drift(x, t):
        return (np.tanh(x) - erf(x) + np.exp(-x**2) * np.sin(5 * x) - np.arctan(x)
                              + np.where(x > 0, -x**2, np.sqrt(np.maximum(1 - x, 0))) + np.abs(x)**1.3)
    agree(simulated(sde, 0.2), ref.euler([0.2], drift, lambda x, t: 1.0, z(1), H))


def test_functions_of_the_user():
    def drift(x, t, p):
        return p[1] * math.exp(-x * x) - p[0] * np.tanh(x)

    def factor(x, p):
        return p[0] + 0.1 * math.cos(x)
    sde = ls.SDE(drift, ls.noise.from_functions(factor, width=0.6), 2.0, pull=1.2, push=0.4)
    want = ref.euler([0.5], lambda x, t: 0.4 * np.exp(-x * x) - 1.2 * np.tanh(x),
                     lambda x, t: math.sqrt(2.0) * (0.6 + 0.1 * np.cos(x))[..., None], z(1), H)
    agree(simulated(sde, 0.5), want)


# --------------------------------------------------------------------------------------------------------- more dimensions

def test_diagonal_noise_and_milsteins_scheme_in_three_dimensions():
    sde = ls.SDE(["y - x", "-x*y", "tanh(x) - z"], Expression(["1 + x**2/4", "2", "(1 + z/3)**2"]), 0.3)
    def drift(x, t):
        return np.stack([x[:, 1] - x[:, 0], -x[:, 0] * x[:, 1], np.tanh(x[:, 0]) - x[:, 2]], axis=1)
    def variances(x, t):
        return 0.3 * np.stack([1 + x[:, 0]**2 / 4, 2 + 0 * x[:, 1], (1 + x[:, 2] / 3)**2], axis=1)
    start = [0.1, 0.2, 0.3]
    agree(simulated(sde, start), ref.euler(start, drift, lambda x, t: np.sqrt(variances(x, t))[..., None] * np.eye(3), z(3), H))
    def slopes(x, t):
        return math.sqrt(0.3) * np.stack([x[:, 0] / 4 / np.sqrt(1 + x[:, 0]**2 / 4), 0 * x[:, 1], np.full(N, 1 / 3)], axis=1)
    agree(simulated(sde, start, scheme=ls.Milstein()), ref.milstein(start, drift, variances, slopes, z(3), H))


def test_a_constant_matrix_times_one_function():
    m = np.array([[1.0, 0.5, 0.0], [0.5, 2.0, -0.3], [0.0, -0.3, 0.4]])
    sde = ls.SDE(["-x", "-y", "x*y - z"], ls.noise.Anisotropic(m), 0.4)
    def drift(x, t):
        return np.stack([-x[:, 0], -x[:, 1], x[:, 0] * x[:, 1] - x[:, 2]], axis=1)
    start = [1.0, 0.0, -1.0]
    agree(simulated(sde, start), ref.euler(start, drift, lambda x, t: math.sqrt(0.4) * ref.symmetric_root(m), z(3), H))


@pytest.mark.parametrize("d", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_a_modulated_matrix(d):
    rng = np.random.default_rng(d)
    a = rng.normal(size=(d, d))
    g, h = a @ a.T / d + 0.1 * np.eye(d), 0.2 * np.eye(d)
    sde = ls.SDE([f"-x{k + 1}" for k in range(d)], ls.noise.Quadratic(g, quadratic=h), 0.3)
    form = (h @ np.linalg.inv(g) + (h @ np.linalg.inv(g)).T) / 2
    def factor(x, t):
        return np.sqrt(0.3 * (1 + np.einsum("qi,ij,qj->q", x, form, x)))[:, None, None] * ref.symmetric_root(g)
    agree(simulated(sde, np.full(d, 0.2)), ref.euler(np.full(d, 0.2), lambda x, t: -x, factor, z(d), H))


def test_a_matrix_factored_in_every_step_in_two_dimensions():
    sde = ls.SDE(["-x", "-2*y"], Expression([["1 + x**2", "x*y/2"], ["x*y/2", "1 + y**2/4"]]), 0.5)

    def factor(x, t):
        c = np.empty((len(x), 2, 2))
        c[:, 0, 0], c[:, 1, 1] = 1 + x[:, 0]**2, 1 + x[:, 1]**2 / 4
        c[:, 0, 1] = c[:, 1, 0] = x[:, 0] * x[:, 1] / 2
        return math.sqrt(0.5) * np.linalg.cholesky(c)
    agree(simulated(sde, [0.5, -0.5]), ref.euler([0.5, -0.5], lambda x, t: x * [-1.0, -2.0], factor, z(2), H))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_matrix_of_any_rank_in_three_dimensions(rank):
    """C = (1 + x1²) V Vᵀ with V (3, rank): positive semi-definite, singular for rank < 3."""
    v = np.random.default_rng(rank).integers(-3, 4, (3, rank)) / 2
    c = v @ v.T
    texts = [[f"({c[i, j]})*(1 + x1**2)" if c[i, j] else "0" for j in range(3)] for i in range(3)]
    sde = ls.SDE([f"-x{k + 1}" for k in range(3)], Expression(texts), 0.1)
    def factor(x, t):
        return np.sqrt(0.1 * (1 + x[:, 0]**2))[:, None, None] * ref.lower_root(c)
    np.testing.assert_allclose(ref.lower_root(c) @ ref.lower_root(c).T, c, atol=1e-12)
    agree(simulated(sde, [1.0, 0.0, 0.5]), ref.euler([1.0, 0.0, 0.5], lambda x, t: -x, factor, z(3), H))


def test_a_factor_given_by_a_function():
    def drift(x, t, p):
        return -x[0], x[0] - x[1], -x[2]

    def factor(x):
        return (1.0, 0.0, 0.3 * x[1]), (0.5, math.cos(x[0]), 0.0), (0.0, 0.2, 1.0)
    sde = ls.SDE(drift, ls.noise.from_functions(factor, dim=3), 0.6, dim=3)

    def g(x, t):
        o, one = np.zeros(N), np.ones(N)
        rows = [[one, o, 0.3 * x[:, 1]], [0.5 * one, np.cos(x[:, 0]), o], [o, 0.2 * one, one]]
        return math.sqrt(0.6) * np.moveaxis(np.array(rows), 2, 0)
    want = ref.euler([0.0, 1.0, 0.5], lambda x, t: np.stack([-x[:, 0], x[:, 0] - x[:, 1], -x[:, 2]], axis=1), g, z(3), H)
    agree(simulated(sde, [0.0, 1.0, 0.5]), want)


@pytest.mark.slow
def test_sixteen_components():
    names = [f"x{k + 1}" for k in range(16)]
    sde = ls.SDE([f"{names[(k + 1) % 16]} - {names[k]}" for k in range(16)], Expression([f"1 + {n}**2/10" for n in names]), 0.2)
    start = np.linspace(-1, 1, 16)
    def factor(x, t):
        return np.sqrt(0.2 * (1 + x**2 / 10))[..., None] * np.eye(16)
    agree(simulated(sde, start), ref.euler(start, lambda x, t: np.roll(x, -1, axis=1) - x, factor, z(16), H))


# ----------------------------------------------------------------------------------------------------- walls and ends

PASSAGE_STEPS = 400


def steps_of(ends):
    """The step in which each path left, or -1."""
    return np.where(ends.exited, np.ceil(np.round(ends.time / H, 9)), -1).astype(int)


def passage(sde, x0, domain, **options):
    return ls.first_passage(sde, x0, domain, H, N, t_max=PASSAGE_STEPS * H, rng=KEY, **options)


def long_z(d):
    return ref.normals(KEY, N, PASSAGE_STEPS, d)


@pytest.mark.parametrize("monitoring", ["continuous", "discrete"])
def test_the_step_of_the_exit_between_two_walls(monitoring):
    sde = ls.SDE("-x/4", Expression("1 + x**2/2"), 0.5)
    x = ref.euler([0.2], lambda x, t: -x / 4, lambda x, t: np.sqrt(0.5 * (1 + x**2 / 2))[..., None], long_z(1), H)
    def v(x, t):
        return 0.5 * (1 + x[:, 0]**2 / 2)
    levels = [lambda x, t: x[:, 0] + 1.2, lambda x, t: 1.5 - x[:, 0]]
    want = ref.exit_steps(x, levels, [v, v] if monitoring == "continuous" else None, KEY, H)
    assert len(np.unique(want)) > 20
    assert steps_of(passage(sde, 0.2, ls.Interval(-1.2, 1.5), monitoring=monitoring)).tolist() == want.tolist()


def test_every_path_has_a_clock_of_its_own():
    """More paths than lanes: a path that takes the lane of another one starts at time 0, as drift and noise see."""
    n, sde = 300, ls.SDE("2*cos(3*t) - x/4", Expression("(1 + x**2/2)/(1 + t)"), 0.5)
    x = ref.euler([0.2], lambda x, t: 2 * math.cos(3 * t) - x / 4, lambda x, t: np.sqrt(0.5 * (1 + x**2 / 2) / (1 + t))[..., None],
                  ref.normals(KEY, n, PASSAGE_STEPS, 1), H)
    levels = [lambda x, t: x[:, 0] + 1.2, lambda x, t: 1.5 - x[:, 0]]
    want = ref.exit_steps(x, levels, [lambda x, t: 0.5 * (1 + x[:, 0] ** 2 / 2) / (1 + t)] * 2, KEY, H)
    ends = ls.first_passage(sde, 0.2, ls.Interval(-1.2, 1.5), H, n, t_max=PASSAGE_STEPS * H, rng=KEY)
    assert steps_of(ends).tolist() == want.tolist()


def test_the_step_of_the_exit_through_a_curve_under_dense_noise():
    """The variance of the level is ∇lᵀ C ∇l ε, frozen before the step."""
    m = np.array([[1.0, 0.6], [0.6, 0.5]])
    sde = ls.SDE(["-x/5", "-y/5"], ls.noise.Anisotropic(m), 0.3)
    x = ref.euler([0.0, 0.3], lambda x, t: -x / 5, lambda x, t: math.sqrt(0.3) * ref.symmetric_root(m), long_z(2), H)
    def gradient(x):
        return np.stack([-x[:, 0] / 2, -2 * x[:, 1]], axis=1)
    def v(x, t):
        return 0.3 * np.einsum("qi,ij,qj->q", gradient(x), m, gradient(x))
    want = ref.exit_steps(x, [lambda x, t: 1 - x[:, 0]**2 / 4 - x[:, 1]**2], [v], KEY, H)
    assert steps_of(passage(sde, [0.0, 0.3], ls.Where("1 - x**2/4 - y**2"))).tolist() == want.tolist()


def test_the_step_of_the_exit_of_a_union_under_milsteins_scheme():
    """The level of a union is the greater of the two, and its gradient that of the greater."""
    sde = ls.SDE(["-x/5", "0*y"], Expression(["1 + x**2/4", "1"]), 0.4)
    x = ref.milstein([-0.7, 0.1], lambda x, t: np.stack([-x[:, 0] / 5, 0 * x[:, 1]], axis=1),
                     lambda x, t: 0.4 * np.stack([1 + x[:, 0]**2 / 4, 1 + 0 * x[:, 1]], axis=1),
                     lambda x, t: math.sqrt(0.4) * np.stack([x[:, 0] / 4 / np.sqrt(1 + x[:, 0]**2 / 4), 0 * x[:, 1]], axis=1), long_z(2), H)
    def center(x):
        return np.where(x[:, :1] < 0, [[-0.8, 0.0]], [[0.8, 0.0]])
    def level(x, t):
        return (1 - ((x - center(x))**2).sum(axis=1)) / 2
    def v(x, t):
        return 0.4 * (((x - center(x))**2) * np.stack([1 + x[:, 0]**2 / 4, np.ones(N)], axis=1)).sum(axis=1)
    want = ref.exit_steps(x, [level], [v], KEY, H)
    both = ls.Ball([-0.8, 0.0], 1.0) | ls.Ball([0.8, 0.0], 1.0)
    assert steps_of(passage(sde, [-0.7, 0.1], both, scheme=ls.Milstein())).tolist() == want.tolist()


def test_the_step_of_the_exit_under_a_factor_that_is_no_symmetric_matrix():
    """The variance of the level is |Gᵀ ∇l|² ε: with G in place of Gᵀ it is another."""
    def factor(x):
        return (1.0, 0.8 * x[0]), (0.0, 0.5)
    sde = ls.SDE(["-x/5", "0*y"], ls.noise.from_functions(factor, dim=2), 0.5)

    def g(x):
        one = np.ones(len(x))
        return np.moveaxis(np.array([[one, 0.8 * x[:, 0]], [0 * one, 0.5 * one]]), 2, 0)

    def v(x, t):
        return 0.5 * (np.einsum("qij,i->qj", g(x), [1.0, 2.0]) ** 2).sum(axis=1)
    x = ref.euler([0.2, 0.0], lambda x, t: x * [-0.2, 0.0], lambda x, t: math.sqrt(0.5) * g(x), long_z(2), H)
    want = ref.exit_steps(x, [lambda x, t: 0.9 + x[:, 0] + 2 * x[:, 1]], [v], KEY, H)
    assert steps_of(passage(sde, [0.2, 0.0], ls.HalfSpace([-1.0, -2.0], 0.9))).tolist() == want.tolist()


@pytest.mark.parametrize("reflect", ["low", "high"])
def test_the_step_of_the_exit_with_a_reflecting_end(reflect):
    sign, noise = (1, long_z(1)) if reflect == "low" else (-1, long_z(1))
    sde = ls.SDE(f"{-0.5 * sign}", ls.noise.Constant(0.8))
    x = np.zeros((N, PASSAGE_STEPS + 1, 1)) + 0.1 * sign
    for k in range(PASSAGE_STEPS):                          # pushed against the end at 0, and folded about it
        x[:, k + 1] = sign * np.abs(x[:, k] - 0.5 * sign * H + math.sqrt(0.8 * H) * noise[:, k])
    want = ref.exit_steps(x, [lambda x, t: 1.1 - np.abs(x[:, 0])], [lambda x, t: np.full(N, 0.8)], KEY, H)
    domain = ls.Interval(0.0, 1.1, reflect="low") if reflect == "low" else ls.Interval(-1.1, 0.0, reflect="high")
    assert steps_of(passage(sde, 0.1 * sign, domain)).tolist() == want.tolist()
