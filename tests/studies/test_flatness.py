"""Variance against flatness: widths, exponents that are known, the coverage of intervals, and windows that would mislead."""
from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

import langevin_sgd as ls
from langevin_sgd.studies.flatness_directions import correlation_time, of_samples
from langevin_sgd.studies.flatness_fit import power_law

each = settings(max_examples=30, deadline=None)
H = np.logspace(-1, 1, 8)
RATE = 0.05
measure = functools.partial(ls.flatness.inverse_variance_flatness, hessian=H, axes="hessian")


def turned(seed: int, dim: int = 8) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0]


def iterates(power: float, n: int, paths: int, seed: int) -> np.ndarray:
    """Stationary iterates of SGD with C = H^power (path, time, axis), on the axes of the Hessian."""
    rng = np.random.default_rng(seed)
    r, kick = 1 - RATE * H, RATE * np.sqrt(H**power)
    z = rng.normal(size=(paths, n, len(H))) * kick
    z[:, 0] /= np.sqrt(1 - r**2)
    return np.stack([lfilter([1], [1, -r[k]], z[..., k], axis=1) for k in range(len(H))], axis=-1)


def exact(power: float, **more: object) -> np.ndarray:
    return ls.theory.variance_line(curvature=H, constant=H**power, learning_rate=RATE, **more).variance


# Widths

@each
@given(st.integers(0, 2**31), st.floats(1.1, 10.0), st.floats(1e-3, 1e3))
def test_the_width_of_a_parabola_in_any_frame(seed, factor, lowest):
    axes = turned(seed)
    matrix, at = axes @ np.diag(H) @ axes.T, np.random.default_rng(seed).normal(size=8)

    def loss(w):
        return lowest + (w - at) @ matrix @ (w - at) / 2
    assert ls.flatness.width(loss, at, axes, factor=factor) == pytest.approx(np.sqrt(8 * (factor - 1) * lowest / H), rel=1e-6)


def test_the_width_of_a_loss_that_is_not_a_parabola():
    loss = ls.Landscape("1 + x**4 + exp(y) - y - 1 + z**2/(1 + z**2)")
    found = ls.flatness.width(loss, [0.0, 0.0, 0.0], np.eye(3), rise=16.0)
    low, high = 0.0, 0.0                                                # e^y − y − 1 = 16 on either side
    for _ in range(200):                                                # by fixed points: y = ln(17 + y), y = e^y − 17
        high, low = np.log(17 + high), np.exp(low) - 17
    assert found == pytest.approx([4.0, high - low, np.inf], rel=1e-9)
    assert ls.flatness.width(loss, [0.0, 0.0, 0.0], np.eye(3)[:, :1]) == pytest.approx([2 * (np.e - 1) ** 0.25])


# Exponents that are known

@each
@given(st.integers(0, 2**31), st.floats(-1.0, 3.0))
def test_the_exponent_of_a_known_covariance(seed, power):
    """C ∝ H^m in any frame, from the decomposition: ψ = 2(m − 1), by curvature and by width, along both kinds of axes."""
    axes = turned(seed)
    h = axes @ np.diag(H) @ axes.T
    sigma = ls.decompose(F=-h, D=axes @ np.diag(H**power) @ axes.T).covariance
    for kind in ("hessian", "principal") if abs(power - 1) > 0.1 else ("hessian",):
        found = ls.flatness.inverse_variance_flatness(covariance=sigma, hessian=h, axes=kind)
        assert found.exponent.value == pytest.approx(2 * power - 2, abs=1e-6)
        assert found.exponent.high - found.exponent.low < 1e-6
        wide = ls.flatness.inverse_variance_flatness(covariance=sigma, hessian=h, loss=lambda w: 1 + w @ h @ w / 2, at=np.zeros(8),
                                                     axes=kind)
        assert wide.exponent.value == pytest.approx(2 * power - 2, abs=1e-6)
        assert wide.curvature == pytest.approx(8 * (np.e - 1) / wide.flatness**2, rel=1e-6)


def test_a_landscape_brings_its_hessian():
    loss = ls.Landscape("1 + x**2/20 + y**2 + 5*z**2")
    found = ls.flatness.inverse_variance_flatness(covariance=np.diag([1.0, 2.0, 3.0]), loss=loss, at=[0, 0, 0], axes="hessian")
    assert found.curvature == pytest.approx([0.1, 2.0, 10.0])
    assert found.is_inverse is None or found.is_inverse is True
    assert "ψ = " in repr(found) and "direction" in found.table()


@pytest.mark.law
@pytest.mark.parametrize("power", [0, 1, 2])
@pytest.mark.parametrize(("n", "paths"), [(100_000, 1), (4_000, 25), (1, 3000)])
def test_the_exponent_of_iterates(power, n, paths):
    """One path, some paths, independent states: ψ within 4.5 standard errors of that of the exact variances (false alarm 6e-5 in all),
    and those of the next power further off than 10."""
    found = measure(iterates(power, n, paths, seed=power + n))
    z = (found.exponent.value - found.exponent_of(exact(power))) / found.fit.chance
    assert abs(z) < 4.5 and found.used.all() and not found.doubts
    assert abs(found.exponent.value - found.exponent_of(exact(power + 1))) > 10 * found.fit.error
    assert found.is_inverse == {0: False, 2: True}.get(power, found.is_inverse)


def test_principal_axes_of_iterates_are_those_of_the_hessian():
    found = ls.flatness.inverse_variance_flatness(iterates(2, 100_000, 1, seed=3)[0], hessian=H)
    assert np.abs(found.axes).argmax(axis=0).tolist() == list(range(7, -1, -1))
    z = (found.exponent.value - found.exponent_of(exact(2)[::-1])) / found.fit.chance
    assert abs(z) < 5 and not found.doubts


def test_variances_are_those_of_the_samples():
    x = iterates(1, 30, 40, seed=12)
    assert measure(x, drop=0).variance == pytest.approx(x.reshape(-1, 8).var(axis=0, ddof=1), rel=1e-12)
    assert measure(x, drop=0, each_alone=True).variance == pytest.approx(x.var(axis=1, ddof=1).mean(axis=0), rel=1e-12)
    assert measure(x, drop=0, rise=2.0).flatness == pytest.approx(4 / np.sqrt(H), rel=1e-12)


# The fit

def test_equal_errors_are_plain_least_squares():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), rng.normal(size=9)
    fit = power_law(np.exp(x), np.exp(y), None, np.inf, 0.95)
    slope, intercept = np.polyfit(x, y, 1)
    assert (fit.exponent.value, fit.log_amplitude) == pytest.approx((-slope, intercept))
    left = y - slope * x - intercept
    error = np.sqrt(left @ left / 7 / ((x - x.mean()) ** 2).sum())
    assert fit.exponent.high - fit.exponent.value == pytest.approx(2.364624 * error, rel=1e-6)           # Student's t, 7 degrees


def test_the_scatter_that_is_added_brings_chi_squared_to_its_degrees_of_freedom():
    rng = np.random.default_rng(1)
    x, chance = np.linspace(0, 2, 100), rng.uniform(0.01, 0.1, 100) ** 2
    y = -1.5 * x + rng.normal(size=100) * np.sqrt(chance + 0.2**2)
    fit = power_law(np.exp(x), np.exp(y), np.diag(chance), np.inf, 0.95)
    left = y - np.log(fit.variance(np.exp(x)))
    assert np.sum(left**2 / (chance + fit.scatter**2)) == pytest.approx(98, rel=1e-6)
    assert fit.scatter == pytest.approx(0.2, abs=0.06)
    weighted = np.polyfit(x, y, 1, w=1 / np.sqrt(chance + fit.scatter**2))[0]
    assert fit.exponent.value == pytest.approx(-weighted)


@pytest.mark.law
@pytest.mark.parametrize("scatter", [0.0, 0.3])
def test_the_interval_covers(scatter):
    """1000 fits over 8 directions with unequal errors: 95 % intervals hold the truth in 93 to 99 % (binomial error 0.7 %; where there is no
    scatter beyond chance the interval is that of t in the half of the cases where some is seen, hence somewhat wide)."""
    rng = np.random.default_rng(2)
    x, error = np.linspace(0, 2, 8), np.linspace(0.02, 0.2, 8)
    held = 0
    for _ in range(1000):
        y = x + rng.normal(size=8) * np.hypot(error, scatter)
        psi = power_law(np.exp(x), np.exp(y), np.diag(error**2), np.inf, 0.95).exponent
        held += psi.low < -1 < psi.high
    assert 930 <= held <= 990


@pytest.mark.law
def test_directions_that_fluctuate_together_are_seen_to():
    """States of one random scale s, s² = 1/2 or 3/2, in all directions: the relative covariance of the squares is 1/4, the variance
    3 · 5/4 − 1; within 15 % and 4 % from 40 000 states.  In the exponent a common factor cancels."""
    rng = np.random.default_rng(3)
    scale = np.sqrt(rng.choice([0.5, 1.5], size=(40_000, 1)))
    found = of_samples((scale * rng.normal(size=(40_000, 8)))[:, None], np.eye(8), False)
    seen = found.log_covariance * 40_000
    off = seen[~np.eye(8, dtype=bool)]
    assert np.diag(seen).mean() == pytest.approx(2.75, rel=0.04) and off.mean() == pytest.approx(0.25, rel=0.15)
    fit = power_law(1 / np.sqrt(H), found.variance, found.log_covariance, found.freedom, 0.95)
    assert fit.chance == pytest.approx(np.sqrt(2.5 / 40_000) * np.linalg.norm(fit.weights), rel=0.04)


# What would mislead

@pytest.mark.parametrize("r", [0.0, 0.5, 0.95])
def test_the_correlation_time_of_an_autoregression(r):
    """(1 + r) / (1 − r), within 10 % over 40 paths of 5000."""
    z = np.random.default_rng(5).normal(size=(40, 5000))
    assert correlation_time(lfilter([1], [1, -r], z, axis=1)) == pytest.approx((1 + r) / (1 - r), rel=0.1)


def test_a_short_window_is_refused_and_with_drop_0_has_the_exponent_of_the_window():
    """One window of 100 iterations, η h n from 0.5: its slow directions are left out, each with its reason."""
    for seed in range(10):
        with pytest.raises(ValueError, match=r"only \d of 8 directions.*not seen to relax.*drop=0"):
            measure(iterates(1, 100, 1, seed=seed)[0])
    x = iterates(1, 20, 600, seed=20)
    found = measure(x, each_alone=True, drop=0)
    z = (found.exponent.value - found.exponent_of(exact(1, window=20))) / found.fit.chance
    assert abs(z) < 4.5 and found.exponent.value > 1.5
    assert abs(found.exponent.value - found.exponent_of(exact(1))) > 20 * found.fit.chance


def test_a_short_window_has_principal_axes_that_are_not_determined():
    """Two halves of a window of random walks don't agree on axes: it is said, also with the number."""
    found = ls.flatness.inverse_variance_flatness(iterates(1, 100, 1, seed=6)[0], hessian=H, drop=0)
    assert any("not determined" in doubt for doubt in found.doubts) and "not determined" in str(found.exponent)


def test_equal_variances_have_principal_axes_that_are_not_determined():
    found = ls.flatness.inverse_variance_flatness(iterates(1, 1, 3000, seed=7), hessian=H)
    assert any("take axes='hessian'" in doubt for doubt in found.doubts)


def test_a_long_stationary_window_is_not_suspected():
    """10 windows of 250 relaxations of the slowest direction, 80 directions in all: none is left out."""
    assert all(measure(iterates(2, 50_000, 1, seed=100 + seed)[0]).used.all() for seed in range(10))


def test_a_drift_is_left_out():
    x = iterates(2, 50_000, 1, seed=8)[0]
    across = turned(8)
    moving = x @ across.T + np.linspace(-1, 1, len(x))[:, None] * 3 * across[:, 2]
    found = measure(moving @ across)
    assert [k for k, reason in enumerate(found.reasons) if "straight line" in reason] == [2]
    assert abs(found.exponent.value - 2.05) < 0.15
    assert abs(measure(moving @ across, drop=0).exponent.value - 2.05) > 0.3
    first = ls.flatness.inverse_variance_flatness(moving, hessian=across @ np.diag(H) @ across.T)
    assert "straight line" in first.reasons[0] and first.used[1:].all()
    by_hand = ls.flatness.inverse_variance_flatness(moving, hessian=across @ np.diag(H) @ across.T, drop=1)
    assert by_hand.exponent.value == pytest.approx(first.exponent.value)


def test_a_variance_that_still_grows_is_left_out():
    """3000 paths from the minimum, for 2 time units: the flattest directions have not settled, the sharpest have."""
    rng, x = np.random.default_rng(9), np.zeros((3000, 40, 8))
    for k in range(1, 40):
        x[:, k] = (1 - RATE * H) * x[:, k - 1] + RATE * rng.normal(size=(3000, 8))
    found = measure(x[:, 20:])
    assert all("still grows" in reason for reason in found.reasons[:3]) and not found.reasons[-1]


def test_rounding_is_a_noise_floor():
    """Weights near 1 in half precision: variances below 4 times that of rounding are left out, and would spoil the exponent."""
    # Flat directions have the small variances: 2e-6 down to 2e-8, where that of rounding is (2⁻¹⁰)² / 12 = 8e-8.
    axes = turned(11)
    x = (1.3 + 0.003 * iterates(2, 1, 4000, seed=10)[:, 0] @ axes.T).astype(np.float16)
    along = functools.partial(ls.flatness.inverse_variance_flatness, hessian=axes @ np.diag(H) @ axes.T, axes="hessian")
    found, with_floor = along(x), along(x, drop=0)
    floored = [k for k, reason in enumerate(found.reasons) if "noise floor" in reason]
    assert found.noise_floor == pytest.approx((2.0**-10) ** 2 / 12) and floored == [0, 1, 2, 3]
    assert abs(found.exponent.value - 2.05) < 0.3 < 0.5 < abs(with_floor.exponent.value - 2.05)
    assert along(x.astype(float), noise_floor=1e-9).noise_floor == 1e-9 and along(x.astype(float)).noise_floor < 1e-30


def test_a_direction_without_a_width_is_left_out():
    found = ls.flatness.inverse_variance_flatness(covariance=np.diag([1.0, 2.0, 3.0, 4.0]), hessian=[1.0, 2.0, 4.0, -1.0], axes=np.eye(4))
    assert found.reasons[3] == "the loss is not curved upwards along it" and found.used.sum() == 3


@pytest.mark.parametrize(("arguments", "message"), [
    ({}, "give either `samples` or a `covariance`."),
    ({"samples": np.zeros((30, 3)), "covariance": np.eye(3)}, "not both"),
    ({"samples": np.zeros(30)}, "`samples` has shape (30,)"),
    ({"samples": np.zeros((10, 3))}, "`samples` holds 10 states of 3 components, but at least 20"),
    ({"samples": np.full((30, 3), np.nan)}, "`samples` holds nan"),
    ({"covariance": np.eye(2)}, "`covariance` is for 2 components"),
    ({"covariance": np.eye(3)}, "give `loss`, or `hessian`"),
    ({"covariance": np.eye(3), "loss": lambda w: 1.0}, "`at` is missing"),
    ({"covariance": np.eye(3), "loss": lambda w: w @ w, "at": np.zeros(3)}, "the loss at the minimum is 0"),
    ({"covariance": np.eye(3), "loss": lambda w: 1 + w @ w, "at": np.zeros(3), "factor": 1.0}, "`factor` is 1"),
    ({"covariance": np.eye(3), "loss": lambda w: 1 + w @ w, "at": np.zeros(3), "flatness": "curvature"}, "`hessian` is missing"),
    ({"covariance": np.eye(3), "loss": 3.0, "at": np.zeros(3)}, "`loss` is 3.0"),
    ({"covariance": np.eye(3), "hessian": np.eye(2)}, "`hessian` has shape (2, 2)"),
    ({"covariance": np.eye(3), "hessian": [1.0, 2.0, 3.0], "axes": "pca"}, "`axes` is 'pca'"),
    ({"covariance": np.eye(3), "hessian": [1.0, 2.0, 3.0], "axes": np.ones((3, 3))}, "orthonormal columns"),
    ({"covariance": np.eye(3), "hessian": [1.0, 2.0, 3.0], "flatness": "height"}, "`flatness` is 'height'"),
    ({"covariance": np.eye(3), "hessian": [1.0, 2.0, 3.0], "flatness": "width"}, "give `loss`"),
    ({"covariance": np.eye(3), "hessian": [2.0, 2.0, 2.0]}, "there is no exponent"),
    ({"covariance": np.eye(3), "hessian": [1.0, 2.0, -2.0], "axes": "hessian"}, "only 2 of 3 directions can be used"),
    ({"covariance": np.eye(3), "hessian": [1.0, 2.0, 3.0], "confidence": 95}, "`confidence` is 95"),
    ({"samples": np.zeros((30, 3)), "hessian": [1.0, 2.0, 3.0], "axes": "hessian", "drop": -1}, "`drop` is -1"),
    ({"samples": np.zeros((30, 3)), "hessian": [1.0, 2.0, 3.0], "axes": "hessian", "drop": 0}, "it has no variance"),
])
def test_a_bad_argument_is_named(arguments, message):
    with pytest.raises(ValueError) as error:
        ls.flatness.inverse_variance_flatness(**arguments)
    assert message in str(error.value)
