"""Paths of least action of minibatch SGD: against exponents of one dimension, the equation where it must agree, and one another."""
import dataclasses
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.weak_noise import sgd_action
from langevin_sgd.theory.weak_noise.batches import BatchNoise
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.least_path import Way
from langevin_sgd.theory.weak_noise.relaxed_path import relaxed
from langevin_sgd.theory.weak_noise.ritz_path import first_path, refined
from tests.theory.weak_noise.known_losses import alone, two_alone, with_gradients


def found_of(loss, start, end):
    """The path alone, without that of the equation beside it."""
    return sgd_action.sgd_action_path(loss, start, end, 1, compared=False)


def ritz_of(noise, start, end, *, at_rest=False):
    return refined(noise, first_path(noise, np.asarray(start), np.asarray(end), at_rest=(True, at_rest))).action


def mirrored(barrier):
    """The data of `theory`, 4.6."""
    rng = np.random.default_rng(7)
    return ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier)


def phase_retrieval(label_noise, n=100):
    """Unit vectors, so that the noise has no heavy tail; w* = ±(1, 0.3)."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 2))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return ls.losses.phase_retrieval(x, (x @ [1.0, 0.3])**2 + label_noise * rng.normal(size=n))


# ----------------------------------------------------------------------------------------------------------- one dimension

@pytest.mark.parametrize(("barrier", "exponent"), [(.3, 3.896), (.6, 7.854)])
def test_in_one_dimension_it_is_the_cramer_root(barrier, exponent):
    loss = mirrored(barrier)
    saddle = 2 * float(loss.p[1])
    found = ls.minimum_action_path(loss, 0.0, saddle, batch_size=1)
    known = ls.theory.cramer_exponent(minimum=0.0, saddle=saddle, gradients=loss)
    assert found.action == pytest.approx(known.value, rel=1e-8)
    assert found.chain_action == pytest.approx(known.value, rel=1e-8)
    assert found.exponent_at(0.05) == pytest.approx(exponent, abs=6e-4)
    assert found.gaussian.action == pytest.approx(float(known.because.rsplit(" ", 1)[1]), rel=1e-3)
    assert found.path.shape == found.work.shape and found.path.ndim == 1


def test_behind_the_saddle_nothing_is_spent():
    loss = mirrored(0.3)
    saddle = 2 * float(loss.p[1])
    found = found_of(loss, 0.0, 1.3 * saddle)
    assert found.action == pytest.approx(found_of(loss, 0.0, saddle).action, rel=1e-8)
    assert found.crossings == pytest.approx([saddle], rel=1e-6)
    assert np.ptp(found.work[found.path > saddle]) < 1e-9


# ------------------------------------------------------------------------------------------------------------ known in the plane

@pytest.mark.parametrize("end", [(0.0, 0.0), (-0.4, 0.5)])
def test_what_is_independent_adds_up(end):
    found = found_of(two_alone(), [-1.0, 0.0], end)
    assert found.action == pytest.approx(alone(*end), rel=1e-7)
    assert found.chain_action == pytest.approx(alone(*end), rel=1e-6)
    along = [alone(*found.path[k]) for k in (60, 120, 180)]                 # and all along the path
    assert found.work[[60, 120, 180]] == pytest.approx(along, rel=1e-3)


def test_of_what_is_independent_the_equation_says_something_else():
    gaussian = ritz_of(BatchNoise(two_alone(), gaussian=True), [-1.0, 0.0], [0.0, 0.0], at_rest=True)
    assert gaussian < 0.8 * alone(0.0, 0.0)


@pytest.mark.parametrize(("angle", "size"), [(0.7, 1.0), (2.0, 1.5)])
def test_turning_the_weights_changes_nothing_and_their_unit_changes_the_rate(angle, size):
    """With u = s R w the gradient is s Rᵀ g: SGD in w is SGD in u with the learning rate s² η."""
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(turn)
    action = ritz_of(BatchNoise(two_alone(turn)), back @ [-1.0, 0.0], back @ [-0.4, 0.5])
    assert action * size**2 == pytest.approx(alone(-0.4, 0.5), rel=1e-7)


def test_stretching_one_weight_is_another_algorithm():
    stretched = np.diag([1.0, 2.0])
    action = ritz_of(BatchNoise(two_alone(stretched)), [-1.0, 0.0], np.linalg.inv(stretched) @ [-0.4, 0.5])
    assert action == pytest.approx(alone(-0.4, 0.0) + (alone(-0.4, 0.5) - alone(-0.4, 0.0)) / 4, rel=1e-7)
    assert abs(action / alone(-0.4, 0.5) - 1) > 0.1


# --------------------------------------------------------------------------------------------------------- a saddle that bends

def saddle_of(loss, near):
    """A saddle of a loss, by Newton's method."""
    for _ in range(20):
        near = near - np.linalg.solve(loss.hessian(near), loss.gradient(near))
    assert np.linalg.det(loss.hessian(near)) < 0
    return near


def test_the_two_methods_agree_up_to_a_saddle_that_is_on_no_axis():
    loss = phase_retrieval(label_noise=0.8)
    start, saddle = loss.minimum([1.0, 0.3]).x, saddle_of(loss, np.array([-0.15, 0.43]))
    found = found_of(loss, start, saddle)
    assert found.error < 1e-6 * found.action
    across = np.array([[0, 1], [-1, 0]]) @ (saddle - start) / np.linalg.norm(saddle - start)
    assert np.abs((found.path - start) @ across).max() > 0.1                    # the path is not straight
    assert found.work[-1] == pytest.approx(found.action, rel=1e-9)
    assert "iterations ~ exp(action / η); batches of 1" in repr(found)


@pytest.mark.slow
def test_from_minimum_to_minimum_it_goes_over_the_lower_saddle():
    loss = phase_retrieval(label_noise=0.8)
    start, end = (loss.minimum(w).x for w in ([1.0, 0.3], [-1.0, -0.3]))
    found = found_of(loss, start, end)
    saddle = saddle_of(loss, np.array([-0.15, 0.43]))
    assert np.allclose(found.crossings, [saddle], atol=1e-9) and "over [" in repr(found)
    assert found.action == pytest.approx(found_of(loss, start, saddle).action, rel=1e-9)
    assert ritz_of(BatchNoise(loss), start, -saddle, at_rest=True) > found.action


def test_where_the_equation_runs_away_its_action_is_a_bound():
    """The covariance grows like |w|⁶, so that the equation finds it ever cheaper to go far around."""
    loss = phase_retrieval(label_noise=0.8)
    start, saddle = loss.minimum([1.0, 0.3]).x, saddle_of(loss, np.array([-0.15, 0.43]))
    bound, _ = sgd_action._gaussian(BatchNoise(loss, gaussian=True), start, saddle, [Way(saddle, at_rest=True)], None)
    assert not bound.is_least and bound.action < 0.9 * ritz_of(BatchNoise(loss), start, saddle, at_rest=True) and not len(bound.path)
    told = dataclasses.replace(ls.minimum_action_path(mirrored(0.3), 0.0, 0.7, batch_size=1), gaussian=bound)
    assert f"at most {bound.action:.6g}" in repr(told)


def test_either_method_finds_the_path_alone():
    noise = BatchNoise(two_alone())
    start, end = np.array([-1.0, 0.0]), np.array([-0.4, 0.5])
    s = np.linspace(0, 1, 21)[:, None]
    chain = relaxed(noise, start + s * (end - start) + 0.15 * np.sin(np.pi * s) * [1.0, -1.0])
    assert chain.action == pytest.approx(alone(*end), rel=1e-6)


@pytest.mark.slow
def test_three_weights():
    """A bowl, with noise that is the same everywhere: turned about, it is the same; in one dimension of it, the Cramér root."""
    rng = np.random.default_rng(5)
    g = rng.exponential(size=(30, 3))
    loss, end = with_gradients(g - g.mean(axis=0)), np.array([0.2, -0.1, 0.15])
    found = found_of(loss, np.zeros(3), end)
    assert found.error < 1e-6 * found.action
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned = ritz_of(BatchNoise(with_gradients(loss.data @ rotation)), np.zeros(3), end @ rotation)
    assert turned == pytest.approx(found.action, rel=1e-8)
    direction = end / np.linalg.norm(end)
    along = ls.theory.cramer_exponent(minimum=0.0, saddle=float(np.linalg.norm(end)), gradients=lambda x: x + loss.data @ direction)
    assert found.action > along.value                           # the least over all ways to come so far in this direction


# ------------------------------------------------------------------------------------------------------------ against Gaussian

def test_the_batch_size_is_a_factor_and_the_path_stays():
    """H of batches of B at B q is B times that of one at q: the ratio to the equation is the same for all."""
    loss = mirrored(0.3)
    one, many = (ls.minimum_action_path(loss, 0.0, 0.7, batch_size=size) for size in (1, 64))
    assert many.action == pytest.approx(64 * one.action, rel=1e-12)
    assert many.gaussian.action == pytest.approx(64 * one.gaussian.action, rel=1e-12)
    assert np.array_equal(many.path, one.path)


def test_close_by_it_is_that_of_the_equation():
    """Little momentum: the relative difference falls with the distance."""
    loss, away = two_alone(), []
    for near in (0.04, 0.02, 0.01):
        batches, gaussian = (ritz_of(BatchNoise(loss, gaussian=kind), [-1.0, 0.0], [-1.0 + near, near]) for kind in (False, True))
        away.append(abs(batches / gaussian - 1))
    assert away[2] < 0.02
    assert np.log2(away[0] / away[1]) == pytest.approx(1, abs=0.2)
    assert np.log2(away[1] / away[2]) == pytest.approx(1, abs=0.2)


@pytest.mark.slow
def test_normal_gradients_are_those_of_the_equation():
    """A lattice of quantiles of the normal law, whose cut tails cost the rest: of the square of the distance."""
    from scipy.special import ndtri
    q = ndtri((np.arange(16) + 0.5) / 16)
    g = np.stack(np.meshgrid(q, 0.5 * q), axis=-1).reshape(-1, 2)
    variance, end = g.var(axis=0), np.array([0.2, 0.1])
    away = []
    for share in (1.0, 0.5):
        batches, gaussian = (ritz_of(BatchNoise(with_gradients(g), gaussian=kind), [0.0, 0.0], share * end) for kind in (False, True))
        assert gaussian == pytest.approx(share**2 * (end**2 / variance).sum(), rel=1e-7)
        away.append(batches / gaussian - 1)
    assert 0 < away[0] < 5e-3
    assert away[0] / away[1] == pytest.approx(4, rel=0.05)


@pytest.mark.slow
def test_the_equation_beside_it_is_the_equation():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2))
    loss = ls.losses.linear_regression(x, x @ [1.0, -0.5] + 1.5 * rng.normal(size=60))
    start = loss.minimum([0.0, 0.0]).x
    end = start + np.array([0.3, 0.2])
    found = ls.minimum_action_path(loss, start, end, batch_size=4)
    equation = WeakNoise(ls.sgd(loss.landscape, ls.noise.measure(loss).model, learning_rate=0.1, batch_size=4))
    assert found.gaussian.action == pytest.approx(4 * ritz_of(equation, start, end), rel=1e-7)
    assert found.gaussian.is_least


# ---------------------------------------------------------------------------------------------------- where escape is impossible

def test_too_little_noise_in_one_dimension():
    rng = np.random.default_rng(7)
    loss = ls.losses.mirrored_parabola(rng.uniform(0.5, 1.5, 100), 0.05 * rng.normal(size=100), 0.3)
    saddle = 2 * float(loss.p[1])
    assert math.isinf(ls.theory.cramer_exponent(minimum=0.0, saddle=saddle, gradients=loss).value)
    found = ls.minimum_action_path(loss, 0.0, saddle, batch_size=1)
    assert math.isinf(found.action) and math.isinf(found.exponent_at(0.1)) and not found.is_possible
    assert "no sample's gradient pushes outwards: escape is impossible" in found.because
    assert found.path.shape == (0,) and found.error == 0
    assert math.isfinite(found.gaussian.action)                 # the equation leaves all the same
    at = float(found.because.split()[1])
    assert loss.sample_gradients(at).min() >= 0
    value = ls.quasipotential(loss, 0.0, saddle, batch_size=1)
    assert math.isinf(value.value) and "escape is impossible" in value.verdict and str(value).startswith("inf (")


def test_labels_without_noise_in_one_dimension():
    x = np.random.default_rng(3).normal(size=40)
    found = ls.minimum_action_path(ls.losses.phase_retrieval(x, x**2), 1.0, -1.0, batch_size=1)
    assert math.isinf(found.action) and "escape is impossible" in found.because
    assert found.gaussian is None and "has no path either" in repr(found)


def test_where_the_noise_nearly_vanishes_the_equation_still_has_a_path():
    """Labels with next to no noise: C is least in a place so narrow that a chain of even steps misses it."""
    from scipy.integrate import quad
    loss = ls.losses.mirrored_parabola([1.0, 1.1, 0.9], [1.0, 1.1, 0.9001], barrier=3.0)
    saddle = 2 * float(loss.p[1])
    found = ls.minimum_action_path(loss, 0.0, saddle, batch_size=1)
    near = np.geomspace(1e-5, 0.1, 5)
    known = quad(lambda w: 2 * loss.gradient(w) / loss.sample_gradients(w).var(), 0, saddle, points=[*near, saddle / 2, *(saddle - near)],
                 limit=500)[0]
    assert not found.is_possible and found.gaussian.is_least
    assert found.gaussian.action == pytest.approx(known, rel=1e-6) and f"has {known:.6g}" in repr(found)


def test_an_equation_whose_path_was_not_found_is_not_said_to_have_none(monkeypatch):
    def fails(*_):
        raise ArithmeticError("it did not converge.")
    monkeypatch.setattr(sgd_action, "least_path", fails)
    noise = BatchNoise(two_alone(), gaussian=True)
    missing = sgd_action._gaussian(noise, np.array([-1.0, 0.0]), np.zeros(2), [], None)
    assert missing == (None, "no path that was found: it did not converge")


def test_where_every_gradient_vanishes_nothing_comes_across():
    """Phase retrieval with one weight: w = 0 is at rest for every batch, however large the label noise."""
    rng = np.random.default_rng(3)
    x, noise = rng.normal(size=(2, 40))
    loss = ls.losses.phase_retrieval(x, x**2 + 0.8 * noise)
    found = ls.minimum_action_path(loss, loss.minimum(1.0).x, loss.minimum(-1.0).x, batch_size=1)
    assert math.isinf(found.action) and "at 0 every sample's gradient vanishes" in found.because
    near = [found_of(loss, loss.minimum(1.0).x, end).action for end in (0.02, 0.01, 0.005)]
    assert near[2] - near[1] == pytest.approx(near[1] - near[0], rel=1e-2)          # W grows like the logarithm of the distance


def test_labels_without_noise_in_the_plane():
    loss = phase_retrieval(label_noise=0.0)
    found = ls.minimum_action_path(loss, [1.0, 0.3], [-1.0, -0.3], batch_size=1)
    assert math.isinf(found.action) and "on the sphere of radius" in found.because and "impossible" in repr(found)
    radius, angle = float(found.because.split()[5]), np.linspace(0, 2 * np.pi, 300)
    for n in np.stack([np.cos(angle), np.sin(angle)], axis=1):
        g = loss.sample_gradients(np.array([1.0, 0.3]) + radius * n)
        assert (g @ n).min() >= -1e-12 * np.abs(g).max()


def test_little_noise_in_three_dimensions():
    rng = np.random.default_rng(5)
    g = rng.uniform(-1, 1, size=(50, 3))
    loss = with_gradients(g - g.mean(axis=0))
    found = found_of(loss, np.zeros(3), [3.0, 1.0, 0.0])
    assert math.isinf(found.action) and "directions" in found.because
    radius = float(found.because.split()[5])
    assert radius > np.linalg.norm(loss.data, axis=1).max() * 0.9           # n·g_i = r + n·ξ_i ≥ 0 for all n
    assert math.isfinite(ritz_of(BatchNoise(loss), np.zeros(3), [0.2, 0.1, 0.0]))


def test_how_the_action_grows_as_added_noise_fades_is_said():
    """Pushes that are weaker than the drift, all in one direction: a circle is not the closed surface that would prove it."""
    loss = with_gradients([[x, y] for x in (-0.4, 0.4) for y in (-3.0, 3.0)])
    with pytest.raises(ArithmeticError, match=r"which can only lower it, it is .* and grows like its inverse, as where escape is imposs"):
        ls.minimum_action_path(loss, [0.0, 0.0], [0.9, 0.0], batch_size=1)


def test_where_neither_is_found_it_says_so():
    """Regression with little noise: by small steps to and fro SGD can go round and out a little, but not this far."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 2))
    loss = ls.losses.linear_regression(x, x @ [1.0, 0.3] + 0.001 * rng.normal(size=40))
    with pytest.raises(ArithmeticError, match=r"no path of finite action was found; with so much of C .* for 0.0001; nor was a"):
        ls.minimum_action_path(loss, loss.minimum([0.0, 0.0]).x, [3.0, 3.0], batch_size=1)


# -------------------------------------------------------------------------------------------------------- quasi-potential, refusals

def test_the_quasipotential_of_sgd():
    loss, ends = mirrored(0.3), np.array([[0.3, 0.6]])
    values = ls.quasipotential(loss, 0.0, ends, batch_size=2)
    known = [ls.theory.cramer_exponent(minimum=0.0, saddle=x, gradients=loss, batch_size=2).value for x in ends.ravel()]
    assert values.ravel() == pytest.approx(known, rel=1e-7) and values.shape == (1, 2)
    one = ls.quasipotential(loss, 0.0, 0.3, batch_size=2)
    assert one.low <= values[0, 0] <= one.high and "batches of 2; iterations to get there grow like exp(W / η)" in one.verdict


PHASE = phase_retrieval(label_noise=0.8)
REFUSED = [
    (lambda: ls.minimum_action_path(PHASE, [1.0, 0.3], [0.0, 0.0]), "`batch_size` must be given with a loss"),
    (lambda: ls.quasipotential(PHASE, [1.0, 0.3], [0.0, 0.0]), "`batch_size` must be given with a loss"),
    (lambda: ls.minimum_action_path(PHASE, [1.0, 0.3], [0.0, 0.0], batch_size=0), "`batch_size` is 0"),
    (lambda: ls.minimum_action_path(ls.systems.maier_stein(2.0), [-1, 0], [0, 0], batch_size=1), "`batch_size` is 1, but goes with a loss"),
    (lambda: ls.quasipotential(ls.systems.maier_stein(2.0), [-1, 0], [0, 0], batch_size=1), "`batch_size` is 1, but goes with a loss"),
    (lambda: ls.minimum_action_path(PHASE, [0.8, 0.0], [-1.0, -0.3], batch_size=1), "`start` is .* but must be a minimum of the loss"),
    (lambda: ls.minimum_action_path(PHASE, [0.0, 0.0], [-1.0, -0.3], batch_size=1), "`start` is .* but must be a minimum of the loss: the"),
    (lambda: ls.minimum_action_path(PHASE, PHASE.minimum([1.0, 0.3]).x, [-0.8, -0.3], batch_size=1), "`end` is .* it falls to"),
    (lambda: ls.minimum_action_path(PHASE, [1.0], [-0.8, -0.3], batch_size=1), "`start` has shape"),
    (lambda: ls.theory.cramer_exponent(minimum=0.0, saddle=1.0, gradients=PHASE), "2 weights, .* ls.minimum_action_path"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_is_refused_says_why(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_too_much_data_is_refused(monkeypatch):
    monkeypatch.setattr(sgd_action, "LARGEST", 99)
    with pytest.raises(ValueError, match=r"over 100 samples with 2 weights, 200 numbers .* take fewer samples with `.take`"):
        ls.minimum_action_path(PHASE, [1.0, 0.3], [0.0, 0.0], batch_size=1)
