"""The cost of a direction under minibatch noise: against a constrained maximum by SciPy, differences, properties that can be proved, and
the Gaussian noise of an equation."""
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import langevin_sgd as ls
from langevin_sgd.theory.weak_noise.basins import fixed_point
from langevin_sgd.theory.weak_noise.batches import BatchNoise
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from tests.theory.weak_noise.known_losses import two_alone, with_gradients


def log_mean_exp(g, q):
    t = -g @ q
    return t.max() + np.log(np.exp(t - t.max()).mean())


def by_scipy(g, v):
    """max {q·v : ln mean exp(−q·g_i) ≤ 0}, by sequential quadratic programming from the Gaussian momentum."""
    c, f = np.cov(g.T, bias=True).reshape(len(v), len(v)), -g.mean(axis=0)
    inverse = np.linalg.inv(c)
    start = inverse @ (np.sqrt(f @ inverse @ f / (v @ inverse @ v)) * v - f)
    found = minimize(lambda q: -q @ v, start, jac=lambda _: -v, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
                     constraints={"type": "ineq", "fun": lambda q: -log_mean_exp(g, q)})
    return -found.fun


def cost(g, v):
    return BatchNoise(with_gradients(g)).lagrangian(np.zeros((1, g.shape[1])), np.asarray(v)[None])[0]


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("law", [lambda rng, n: rng.normal(size=n), lambda rng, n: rng.exponential(size=n) - 1,
                                 lambda rng, n: rng.choice([-4.0, 0.0, 0.3], size=n)], ids=["normal", "skewed", "three values"])
def test_it_is_the_constrained_maximum(law, d):
    rng = np.random.default_rng(d)
    for n, drift in ((20, 0.1), (100, 0.4), (500, 0.8)):
        g, v = law(rng, (n, d)), rng.normal(size=d)
        g = g - g.mean(axis=0) + drift * g.std() / np.sqrt(d)
        assert cost(g, v) == pytest.approx(by_scipy(g, v), rel=1e-6, abs=1e-9)


def test_what_only_one_sample_does_costs_ln_n():
    """Where all gradients have g·u > 0 for some u, the outermost two are the edges of what is possible, and must come in every step."""
    rng = np.random.default_rng(5)
    g = np.stack([rng.uniform(0.5, 2.0, 40), rng.normal(size=40)], axis=1)
    angles = np.arctan2(g[:, 1], g[:, 0])
    for k in (angles.argmin(), angles.argmax()):
        assert cost(g, -g[k] - 1e-7 * g.mean(axis=0)) == pytest.approx(np.log(40), rel=1e-4)


def test_where_no_sample_goes_the_cost_is_infinite():
    rng = np.random.default_rng(6)
    g = np.stack([rng.uniform(0.1, 1.0, 30), rng.uniform(-1.0, 1.0, 30)], axis=1)
    widest = np.arctan2(g[:, 1], g[:, 0]).max()
    for angle, finite in ((widest - 0.01, True), (widest + 0.01, False), (np.pi / 2 + 0.3, False), (np.pi, False)):
        assert np.isfinite(cost(g, -np.array([np.cos(angle), np.sin(angle)]))) == finite
    assert cost(np.array([[0.2], [1.0]]), [1.0]) == np.inf
    assert cost(np.array([[0.2], [1.0]]), [-1.0]) == pytest.approx(0.0, abs=1e-12)
    assert cost(g, [0.0, 0.0]) == 0.0


# ------------------------------------------------------------------------------------------------------------- derivatives

PHASE = ls.losses.phase_retrieval(np.random.default_rng(1).normal(size=(30, 2)), np.random.default_rng(2).uniform(0, 2, 30))
STATES, DIRECTIONS = np.array([[0.5, 0.4], [-0.3, 0.6], [0.8, -0.7]]), np.array([[0.3, 1.0], [1.0, 0.2], [-0.4, 0.5]])


@pytest.mark.parametrize("loss", [PHASE, two_alone()], ids=["with curvature", "without"])
@pytest.mark.parametrize("gaussian", [False, True], ids=["batches", "Gaussian"])
def test_the_derivatives_are_derivatives(loss, gaussian):
    noise, h = BatchNoise(loss, gaussian=gaussian), 1e-5
    value, by_v, by_x = noise.lagrangian_and_slopes(STATES, DIRECTIONS)
    assert np.isfinite(value).all()
    assert np.allclose(value, noise.lagrangian(STATES, DIRECTIONS), rtol=1e-12)
    for k, axis in enumerate(np.eye(2)):
        along_v = noise.lagrangian(STATES, DIRECTIONS + h * axis) - noise.lagrangian(STATES, DIRECTIONS - h * axis)
        along_x = noise.lagrangian(STATES + h * axis, DIRECTIONS) - noise.lagrangian(STATES - h * axis, DIRECTIONS)
        assert np.allclose(by_v[:, k], along_v / (2 * h), rtol=1e-6, atol=1e-8)
        assert np.allclose(by_x[:, k], along_x / (2 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("gaussian", [False, True], ids=["batches", "Gaussian"])
def test_what_relaxation_needs_are_derivatives_of_the_hamiltonian(gaussian):
    noise, h = BatchNoise(PHASE, gaussian=gaussian), 1e-4

    def hamiltonian(x, q):
        g = PHASE.sample_gradients(x)
        return -q @ g.mean(axis=0) + q @ np.cov(g.T, bias=True) @ q / 2 if gaussian else log_mean_exp(g, q)

    def slope(x, q, of_x):
        steps = h * np.eye(2)
        return np.array([(hamiltonian(x + of_x * s, q + (not of_x) * s) - hamiltonian(x - of_x * s, q - (not of_x) * s)) / (2 * h)
                         for s in steps])

    pull, mixed, force = noise.relaxation(STATES, DIRECTIONS)
    for k, (x, v, q) in enumerate(zip(STATES, DIRECTIONS, noise.momentum(STATES, DIRECTIONS), strict=True)):
        assert hamiltonian(x, q) == pytest.approx(0.0, abs=1e-9)
        assert np.allclose(slope(x, q, False), pull[k] * v, rtol=1e-5)
        across = (slope(x + h * v, q, False) - slope(x - h * v, q, False)) / (2 * h)
        curved = np.array([(slope(x, q + s, False) - slope(x, q - s, False)) / (2 * h) for s in h * np.eye(2)])
        assert np.allclose(mixed[k], across, rtol=1e-4, atol=1e-4 * np.abs(across).max())
        assert np.allclose(force[k], curved @ slope(x, q, True), rtol=1e-4, atol=1e-4 * np.abs(force[k]).max())


# -------------------------------------------------------------------------------------------------------------- properties

def _problem(seed):
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 4)), int(rng.choice([12, 40, 150]))
    g = rng.choice([rng.normal(size=(n, d)), rng.exponential(size=(n, d)) - 1, rng.standard_t(4, size=(n, d))])
    return rng, g - g.mean(axis=0) + rng.uniform(0.01, 0.6) * rng.normal(size=d)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_cost_is_a_support_function(seed):
    """Of {q : h ≤ 0}, which has 0 in it: homogeneous of degree one, convex, not negative, and at least q·v for each q of the set."""
    rng, g = _problem(seed)
    d = g.shape[1]
    v, w = rng.normal(size=(2, d))
    (a, b, both, twice, down), near = (cost(g, x) for x in (v, w, v + w, 2.5 * v, -g.mean(axis=0))), rng.normal(size=d)
    assert twice == pytest.approx(2.5 * a, rel=1e-8) if np.isfinite(a) else twice == np.inf
    assert both <= (a + b) * (1 + 1e-7) + 1e-12
    assert min(a, b, both) >= 0
    assert down == pytest.approx(0, abs=1e-9)
    size = 1.0
    while log_mean_exp(g, size * near) > 0 and size > 1e-6:
        size /= 2
    if size > 1e-6:
        assert size * near @ v <= a * (1 + 1e-9) + 1e-12


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_one_sample_after_the_other_costs_ln_n_at_most(seed):
    """Taking the same sample every time has the probability 1 / N in each step: ℓ(−g_k) ≤ ln N, and so for sums of them."""
    rng, g = _problem(seed)
    weights = rng.exponential(size=len(g)) * (rng.uniform(size=len(g)) < 0.2)
    assert cost(g, -weights @ g) <= np.log(len(g)) * weights.sum() * (1 + 1e-7) + 1e-12


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_more_noise_costs_less(seed):
    """Gaussian noise on top raises h, so that {h ≤ 0} is smaller; and it makes every direction possible."""
    rng, g = _problem(seed)
    d, v = g.shape[1], rng.normal(size=g.shape[1])
    loss = with_gradients(g)
    costs = [BatchNoise(loss, added=size * np.eye(d)).lagrangian(np.zeros((1, d)), v[None])[0] for size in (0.0, 0.01, 0.1, 1.0)]
    assert np.isfinite(costs[1:]).all()
    assert all(more <= less * (1 + 1e-7) + 1e-12 for less, more in itertools.pairwise(costs))


def test_weak_drift_makes_it_gaussian():
    """The momentum is small then, and the difference of the same relative size; symmetric gradients: of its square."""
    rng = np.random.default_rng(8)
    g = rng.exponential(size=(200, 2))
    for centred, power in ((g - g.mean(axis=0), 1), (np.concatenate([g, -g]), 2)):
        away = []
        for size in (0.08, 0.04, 0.02):
            loss = with_gradients(centred + size * np.array([1.0, 0.5]))
            ways = [BatchNoise(loss, gaussian=kind).lagrangian(np.zeros((1, 2)), np.array([[0.3, 1.0]]))[0] for kind in (False, True)]
            away.append(abs(ways[0] / ways[1] - 1))
        assert np.log2(away[0] / away[1]) == pytest.approx(power, abs=0.35)
        assert np.log2(away[1] / away[2]) == pytest.approx(power, abs=0.2)


def test_near_a_minimum_it_neither_fails_nor_loses_its_digits():
    rng = np.random.default_rng(9)
    g = rng.normal(size=(300, 2))
    g -= g.mean(axis=0)
    for size in 10.0 ** -np.arange(2, 15, 2):
        loss, v = with_gradients(g + size * np.array([1.0, 0.5])), np.array([[0.3, 1.0]])
        value, gaussian = (BatchNoise(loss, gaussian=kind).lagrangian(np.zeros((1, 2)), v)[0] for kind in (False, True))
        assert value == pytest.approx(gaussian, rel=2 * size + 1e-15 / size)
    assert BatchNoise(with_gradients(g)).lagrangian(np.zeros((1, 2)), v)[0] == pytest.approx(0, abs=1e-15)


def test_a_minimum_is_found_to_the_rounding_of_its_gradient():
    g = 100 * np.random.default_rng(10).normal(size=(300, 2))
    noise = BatchNoise(with_gradients(g - g.mean(axis=0)))
    found = fixed_point(noise, np.array([5e-4, -5e-4]), 1e-3)
    assert found is not None and np.linalg.norm(found) < 1e-12
    assert fixed_point(noise, np.array([0.1, 0.0]), 1e-3) is None


def test_gaussian_noise_is_that_of_the_equation():
    """Regression has a covariance that is exactly quadratic: the equation knows it as a formula."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2))
    loss = ls.losses.linear_regression(x, x @ [1.0, -0.5] + 0.6 * rng.normal(size=60))
    equation = WeakNoise(ls.sgd(loss.landscape, ls.noise.measure(loss).model, learning_rate=1.0))
    noise = BatchNoise(loss, gaussian=True)
    for mine, theirs in zip(noise.lagrangian_and_slopes(STATES, DIRECTIONS), equation.lagrangian_and_slopes(STATES, DIRECTIONS),
                            strict=True):
        assert np.allclose(mine, theirs, rtol=1e-7, atol=1e-9)
    for mine, theirs in zip(noise.relaxation(STATES, DIRECTIONS), equation.relaxation(STATES, DIRECTIONS), strict=True):
        assert np.allclose(mine, theirs, rtol=1e-7, atol=1e-9)
    assert not np.allclose(BatchNoise(loss).lagrangian(STATES, DIRECTIONS), equation.lagrangian(STATES, DIRECTIONS), rtol=0.01)
