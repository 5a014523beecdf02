"""The stationary covariance of SGD itself: oracles, the recursion of second moments solved without the formula, and its limits."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

import langevin_sgd as ls
from langevin_sgd.theory import regression_covariance, regression_noise, reshuffled_variance, sgd_covariance, sgd_variance
from tests import oracles

each = settings(max_examples=60, deadline=None)
DATA = oracles.BY_ID["quadcov-H"]["parameters"]
PLAIN = {"curvature": 1.0, "constant": 1.0, "learning_rate": 0.1}
EPOCH = {"curvature": 1.0, "batch_variance": 1.0, "learning_rate": 0.1, "batches": 5}
LINREG = {"inputs": [1.0, 0.5, 0.1], "label_noise": 0.5, "learning_rate": 0.3, "batch_size": 2}


def spd(rng, dim, low=0.3, high=2.0):
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    return turn @ np.diag(rng.uniform(low, high, dim)) @ turn.T


def by_recursion(k, c, rate, mu, p):
    """The covariance of (w, m) as the fixed point of z ← M z + (−λ P, 1) ξ."""
    dim = len(k)
    step = np.block([[np.eye(dim) - rate * p @ k, -rate * mu * p], [k, mu * np.eye(dim)]])
    kick = np.vstack([-rate * p, np.eye(dim)])
    return linalg.solve_discrete_lyapunov(step, kick @ c @ kick.T)[:dim, :dim]


@pytest.mark.parametrize("entry", [e for e in oracles.ORACLES if e["id"].startswith("momentum-var")], ids=lambda e: e["id"])
def test_momentum_oracle(entry):
    p = entry["parameters"]
    found = sgd_covariance(curvature=p["K"], constant=p["C"], learning_rate=p["lam"], momentum=p["mu"])
    assert found.covariance[0, 0] == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11))
    continuous = p["lam"] * p["C"] / (2 * p["K"] * (1 - p["mu"]))
    assert continuous != pytest.approx(entry["value"], rel=0.01)                                          # without the finite step


@each
@given(st.integers(0, 2**31), st.integers(1, 4), st.floats(0.01, 0.7), st.floats(0.0, 0.95), st.floats(0.0, 0.5))
def test_it_is_the_fixed_point_of_the_recursion(seed, dim, rate, mu, decay):
    rng = np.random.default_rng(seed)
    k, c, p = spd(rng, dim), spd(rng, dim), spd(rng, dim, 0.5, 1.0)
    found = sgd_covariance(curvature=k, constant=4 * c, learning_rate=rate, batch_size=4, momentum=mu, preconditioner=p, weight_decay=decay)
    assert found.applies
    assert found.covariance == pytest.approx(by_recursion(k + decay * np.eye(dim), c, rate, mu, p), rel=1e-7)
    assert found.excess_loss == pytest.approx(np.trace((k + decay * np.eye(dim)) @ found.covariance) / 2)


@each
@given(st.integers(0, 2**31), st.floats(0.01, 0.5))
def test_a_preconditioner_obeys_the_published_equation(seed, rate):
    rng = np.random.default_rng(seed)
    k, c, p = spd(rng, 3), spd(rng, 3), spd(rng, 3, 0.5, 1.0)
    s = sgd_covariance(curvature=k, constant=c, learning_rate=rate, preconditioner=p).covariance
    assert p @ k @ s + s @ k @ p - rate * p @ k @ s @ k @ p == pytest.approx(rate * p @ c @ p, rel=1e-9)


def test_at_small_learning_rates_it_is_that_of_the_equation():
    k, c = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.2], [-0.2, 0.5]])
    gaps = []
    for rate in (1e-2, 1e-3):
        found = sgd_covariance(curvature=k, constant=c, learning_rate=rate).covariance / rate
        gaps.append(np.abs(found - linalg.solve_continuous_lyapunov(k, c)).max())
    assert gaps[1] == pytest.approx(gaps[0] / 10, rel=0.05)


def test_it_does_not_apply_where_the_iteration_is_unstable():
    for mu, bound in ((0.0, 2.0), (0.5, 3.0)):
        below, above = (sgd_covariance(curvature=[1.0, 0.2], constant=1.0, learning_rate=f * bound, momentum=mu) for f in (0.999, 1.001))
        assert below.applies and (np.linalg.eigvalsh(below.covariance) > 0).all()
        assert not above.applies and np.isnan(above.covariance).all()
        assert above.because.startswith("unstable: learning_rate × curvature")


# ------------------------------------------------------------------------------------------------------ quadratic noise

def test_quadratic_noise_oracle():
    entry = oracles.BY_ID["powerlaw-sgd-var"]
    p = entry["parameters"]
    numbers = {"curvature": p["H"], "constant": p["sg"], "quadratic": p["sH"], "learning_rate": p["eta"], "strength": p["eta"] / p["batch"]}
    assert sgd_variance(**numbers).value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11))
    ito = ls.theory.power_law_stationary(curvature=p["H"], strength=0.1, constant=p["sg"], quadratic=p["sH"]).variance
    assert ito != pytest.approx(entry["value"], rel=0.01)
    without = sgd_covariance(curvature=p["H"], constant=p["sg"], learning_rate=p["eta"]).covariance[0, 0]
    assert without == pytest.approx(sgd_variance(**numbers | {"quadratic": 0.0}).value, rel=1e-12)
    small = sgd_variance(**numbers | {"learning_rate": 1e-9})
    assert small.value == pytest.approx(ito, rel=1e-8)


@pytest.mark.parametrize("name", ["wr", "wor"])
def test_minibatches_of_six_samples(name):
    entry = oracles.BY_ID[f"finite-var-{name}"]
    p = entry["parameters"]
    data = regression_noise(inputs=p["x"], targets=p["y"])
    n, b = len(p["x"]), p["batch"]
    strengths = {"wr": p["lr"] / b, "wor": p["lr"] * (n - b) / (b * (n - 1))}
    for draws, strength in strengths.items():
        found = sgd_variance(curvature=data.curvature, constant=data.constant, quadratic=data.quadratic, learning_rate=p["lr"],
                             strength=strength)
        assert (found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11))) == (draws == name)


def test_quadratic_noise_too_large_for_a_variance():
    found = sgd_variance(curvature=1.0, constant=0.5, quadratic=30.0, learning_rate=0.1, strength=0.1)
    assert (found.value, found.applies) == (math.inf, False)
    assert found.because == "(1 − η H)² + η ε σ_H = 1.11 must be below 1"


# --------------------------------------------------------------------------------------------------------- reshuffling

@pytest.mark.parametrize("entry", [e for e in oracles.ORACLES if e["id"].startswith("reshuffle-var")], ids=lambda e: e["id"])
def test_reshuffling_oracle(entry):
    p = entry["parameters"]
    found = reshuffled_variance(curvature=p["h"], batch_variance=p["C"], learning_rate=p["eta"], batches=p["M"])
    assert found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))
    independent = sgd_covariance(curvature=p["h"], constant=p["C"], learning_rate=p["eta"]).covariance[0, 0]
    assert independent > 1.3 * found.value


@pytest.mark.parametrize("step", [0.4, 1.3])
def test_reshuffling_by_all_orders_of_four_batches(step):
    """The covariance of noises in and between epochs, summed over their whole past."""
    m, r = 4, 1 - step
    within = np.full((m, m), -1 / (m - 1)) + np.eye(m) * (1 + 1 / (m - 1))
    variances = []
    for position in range(1, m + 1):
        in_epoch = r ** np.arange(position - 1, -1, -1.0)
        whole_epoch = r ** np.arange(m - 1, -1, -1.0)
        before = r ** (2 * position) * whole_epoch @ within @ whole_epoch / (1 - r ** (2 * m))
        variances.append(in_epoch @ within[:position, :position] @ in_epoch + before)
    found = reshuffled_variance(curvature=step, batch_variance=1.0, learning_rate=1.0, batches=m)
    assert found.value == pytest.approx(np.mean(variances), rel=1e-12)


def test_in_a_flat_direction_reshuffling_forgets_the_curvature():
    for h in (1e-4, 1e-8):
        found = reshuffled_variance(curvature=h, batch_variance=2.0, learning_rate=0.1, batches=20)
        assert found.value == pytest.approx(0.01 * 2 * 21 / 6, rel=1e-3 if h == 1e-4 else 1e-6)
    assert not reshuffled_variance(curvature=21.0, batch_variance=2.0, learning_rate=0.1, batches=20).applies


# ---------------------------------------------------------------------------------------------------- linear regression

@pytest.mark.parametrize("i", range(3))
def test_regression_oracle(i):
    entry = oracles.BY_ID[f"linreg-cov-{i}"]
    found = regression_covariance(**LINREG)
    assert found.covariance[i, i] == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-7))
    assert regression_covariance(**LINREG | {"batch_size": 3}).covariance[i, i] != pytest.approx(entry["value"], rel=0.1)


def test_regression_excess_loss():
    entry = oracles.BY_ID["linreg-excess-loss"]
    assert regression_covariance(**LINREG).excess_loss == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-7))


@each
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 6), st.floats(0.01, 0.25))
def test_regression_is_the_fixed_point_of_its_second_moments(seed, dim, batch, rate):
    a = spd(np.random.default_rng(seed), dim, 0.1, 1.0)
    found = regression_covariance(inputs=a, label_noise=0.7, learning_rate=rate, batch_size=batch)
    s, still = found.covariance, np.eye(dim) - rate * a
    noise = (a @ s @ a + np.trace(a @ s) * a + 0.7 * a) / batch
    assert still @ s @ still + rate**2 * noise == pytest.approx(s, rel=1e-9)


def test_regression_of_equal_inputs_is_stable_up_to_the_published_bound():
    for dim, batch in ((1, 1), (5, 3)):
        bound = 2 * batch / (batch + dim + 1)
        found = [regression_covariance(inputs=[1.0] * dim, label_noise=0.5, learning_rate=f * bound, batch_size=batch)
                 for f in (0.999, 1.001)]
        assert [f.applies for f in found] == [True, False]
        assert "unstable" in found[1].because


@pytest.mark.parametrize(("name", "attribute"), [("wstar", "minimum"), ("H", "curvature"), ("sg", "constant"), ("sH", "quadratic"),
                                                 ("sgH", "linear")])
def test_regression_noise_oracle(name, attribute):
    entry = oracles.BY_ID[f"quadcov-{name}"]
    found = getattr(regression_noise(inputs=DATA["x"], targets=DATA["y"]), attribute)
    assert found == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11))


def test_regression_noise_is_the_covariance_of_the_gradients_everywhere():
    x, y = np.array(DATA["x"]), np.array(DATA["y"])
    found = regression_noise(inputs=x, targets=y)
    sde = ls.sgd(ls.Landscape("(x - m)**2", m=found.minimum), found.noise, learning_rate=2.0)
    for w in (-1.0, 0.4, 3.0):
        assert sde.diffusion(w) == pytest.approx((x * (w * x - y)).var(), rel=1e-10)


@pytest.mark.parametrize(("function", "good", "bad", "message"), [
    (sgd_covariance, PLAIN, {"momentum": 1.0}, "`momentum` is 1, but must be at least 0"),
    (sgd_covariance, PLAIN, {"constant": -1.0}, "`constant` must be positive semi-def"),
    (sgd_covariance, PLAIN, {"constant": [1.0, 1.0]}, "`constant` has shape (2, 2)"),
    (sgd_covariance, PLAIN, {"batch_size": 0.5}, "`batch_size` is 0.5"),
    (sgd_covariance, PLAIN, {"preconditioner": 0.0}, "`preconditioner` has the eigenvalue 0"),
    (reshuffled_variance, EPOCH, {"batches": 1}, "`batches` is 1"),
    (regression_covariance, LINREG, {"label_noise": -1.0}, "`label_noise` is -1"),
    (regression_noise, {"inputs": [1.0], "targets": [1.0]}, {"targets": [1.0, 2.0]}, "`inputs` has shape (1,) and `targets` (2,)"),
])
def test_a_bad_argument_is_named(function, good, bad, message):
    function(**good)
    with pytest.raises(ValueError) as error:
        function(**{**good, **bad})
    assert message in str(error.value)
