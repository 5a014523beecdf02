"""The variance of iterates along the axes of the Hessian: oracles, second moments iterated without the formulas, covariances of windows."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langevin_sgd.theory import reshuffled_variance, sgd_covariance, variance_line
from tests import oracles

each = settings(max_examples=40, deadline=None)
H = np.logspace(-2, 0, 6)
PLAIN = {"curvature": H, "constant": H, "learning_rate": 0.1}


def of_window(step: float, n: int) -> float:
    """E s² (over n − 1) of n successive states of a stationary AR(1) of variance 1, by its covariance matrix."""
    k = np.arange(n)
    sigma = (1 - step) ** np.abs(k[:, None] - k)
    return float(np.trace(sigma) - sigma.mean(axis=0).sum()) / (n - 1)


def test_reshuffling_oracles():
    """50 samples of variance 1, one in a batch: the four values of the oracle file; independent batches are seen to differ."""
    curvatures = [0.001, 0.01, 0.1, 1.0]
    known = [oracles.BY_ID[f"reshuffle-var-h{h}"]["value"] for h in curvatures]
    given_to = {"curvature": curvatures, "constant": 1.0, "learning_rate": 0.1, "dataset_size": 50}
    assert variance_line(**given_to, sampling="reshuffle").variance == pytest.approx(known, rel=1e-6)
    assert (variance_line(**given_to).variance > 1.3 * np.array(known)).all()


@each
@given(st.floats(0.01, 1.9), st.integers(2, 60))
def test_a_window_sees_what_its_covariance_matrix_says(fastest, n):
    h = np.array([0.2, 0.5, 1.0]) * fastest
    whole, window = (variance_line(curvature=h, constant=1.0, learning_rate=1.0, window=w).variance for w in (None, n))
    assert window / whole == pytest.approx([of_window(step, n) for step in h], rel=1e-9)


@each
@given(st.floats(0.001, 1.5), st.integers(2, 40), st.integers(1, 5))
def test_a_window_of_an_epoch_sees_what_reshuffling_leaves(rate, batches, batch):
    given_to = {**PLAIN, "learning_rate": rate, "batch_size": batch}
    size = {"dataset_size": batches * batch}
    shuffled = variance_line(**given_to, **size, sampling="reshuffle")
    window = variance_line(**given_to, **size, sampling="without", window=batches)
    assert shuffled.variance == pytest.approx(window.variance, rel=1e-12)
    one = reshuffled_variance(curvature=H[2], batch_variance=H[2] * (batches * batch - batch) / (batch * (batches * batch - 1)),
                              learning_rate=rate, batches=batches)
    assert shuffled.variance[2] == pytest.approx(one.value, rel=1e-12)


@each
@given(st.floats(-1.0, 3.0))
def test_the_limits(power):
    """2(m − 1) for small steps; 2m for short epochs and for short windows."""
    given_to = {"curvature": H, "constant": H**power, "learning_rate": 1e-4}
    for more, limit in (({}, 2 * power - 2), ({"window": 20}, 2 * power), ({"sampling": "reshuffle", "dataset_size": 20}, 2 * power)):
        line = variance_line(**given_to, **more)
        assert (line.exponent, line.limit) == pytest.approx((limit, limit), abs=2e-3)
        assert line.applies and line.noise_power == pytest.approx(power, abs=1e-9)


def test_independent_batches_have_the_covariance_of_sgd():
    line = variance_line(curvature=H, constant=H**2, learning_rate=0.7, batch_size=3)
    known = sgd_covariance(curvature=H, constant=H**2, learning_rate=0.7, batch_size=3)
    assert line.variance == pytest.approx(np.diag(known.covariance), rel=1e-12)
    without = variance_line(curvature=H, constant=H**2, learning_rate=0.7, batch_size=3, dataset_size=10, sampling="without")
    assert without.variance == pytest.approx(line.variance * 7 / 9, rel=1e-12)


def test_noise_in_proportion_to_the_loss_is_the_fixed_point_of_second_moments():
    """E w² ← (1 − η h)² E w² + η ε C (1 + E(L − L_min) / floor), iterated."""
    h, c, rate, floor, s = np.array([0.5, 1.0, 3.0]), np.array([1.0, 2.0, 0.5]), 0.1, 0.3, np.zeros(3)
    for _ in range(2000):
        s = (1 - rate * h) ** 2 * s + rate * (rate / 2) * c * (1 + h @ s / 2 / floor)
    line = variance_line(curvature=h, constant=c, learning_rate=rate, batch_size=2, floor=floor)
    assert line.variance == pytest.approx(s, rel=1e-12)
    assert line.exponent == pytest.approx(variance_line(curvature=h, constant=c, learning_rate=rate, batch_size=2).exponent, rel=1e-12)
    assert "feeds itself" in variance_line(curvature=h, constant=c, learning_rate=rate, floor=0.05).because


def test_where_the_limit_does_not_apply_it_says_why():
    long_epochs = variance_line(**PLAIN, dataset_size=500, sampling="reshuffle")
    assert not long_epochs.applies and "η h M up to 50" in long_epochs.because
    unstable = variance_line(curvature=H, constant=1.0, learning_rate=2.0)
    assert not unstable.applies and "unstable" in unstable.because and np.isnan(unstable.variance).all()
    bumpy = variance_line(curvature=H, constant=[1, 5, 1, 5, 1, 5], learning_rate=0.01)
    assert not bumpy.applies and "no power" in bumpy.because


@pytest.mark.parametrize(("bad", "message"), [
    ({"curvature": [1.0]}, "`curvature` is [1.]"),
    ({"curvature": [1.0, 1.0]}, "not all equal"),
    ({"constant": [1.0, 2.0]}, "`constant` is [1. 2.], but must be positive: one number, or 6"),
    ({"sampling": "shuffle"}, "`sampling` is 'shuffle'"),
    ({"sampling": "without"}, "`dataset_size` is missing"),
    ({"sampling": "without", "dataset_size": 5, "batch_size": 5}, "`batch_size` is 5, but must be below"),
    ({"sampling": "reshuffle", "dataset_size": 5, "batch_size": 2}, "must be a multiple of `batch_size` = 2"),
    ({"sampling": "reshuffle", "dataset_size": 6, "batch_size": 2, "window": 5}, "`window` came with sampling='reshuffle'"),
    ({"sampling": "reshuffle", "dataset_size": 6, "batch_size": 2, "floor": 1.0}, "`floor` came with sampling='reshuffle'"),
    ({"window": 1}, "`window` is 1"),
    ({"floor": 0.0}, "`floor` is 0"),
])
def test_a_bad_argument_is_named(bad, message):
    with pytest.raises(ValueError) as error:
        variance_line(**{**PLAIN, **bad})
    assert message in str(error.value)
