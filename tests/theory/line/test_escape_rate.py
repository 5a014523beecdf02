"""The quasi-stationary rate: oracles, known spectra, a matrix of finite differences, limits; and where there is none."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh_tridiagonal

import langevin_sgd as ls
from langevin_sgd.theory import exact
from tests import oracles

ENTRIES = oracles.select("qsd_exit_rate")
WELL = ls.landscapes.double_well()


@pytest.mark.parametrize("entry", ENTRIES, ids=oracles.ids(ENTRIES))
def test_oracle(entry):
    sde, domain = oracles.equation(entry), oracles.interval(entry)
    assert exact.escape_rate(sde, domain).value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))
    noisier = exact.escape_rate(sde.replace(strength=2 * sde.strength.value), domain).value     # the control
    if entry["id"] == "ou-qsd-half-0":
        assert noisier == pytest.approx(1.0, rel=1e-9)          # from the middle of a parabola, whatever the noise
    else:
        assert noisier != pytest.approx(entry["value"], rel=1e-3)


def test_brownian_motion_leaves_intervals_at_the_rates_of_a_string():
    """(π/L)² D between two exits, a quarter of it with one end reflecting."""
    sde = ls.SDE("0", ls.noise.Constant(1.0), 0.6)
    for domain, length in ((ls.Interval(-1.0, 2.0), 3.0), (ls.Interval(0.0, 2.0, reflect="low"), 4.0), (ls.Interval(5.0, 5.5), 0.5)):
        assert exact.escape_rate(sde, domain).value == pytest.approx(0.3 * (math.pi / length) ** 2, rel=1e-11)


def by_differences(potential, diffusion, low: float, high: float, n: int) -> float:
    """The smallest eigenvalue of -L in Klimontovich's form, ∂(D e^-φ ∂ )/e^-φ, on n cells, both ends absorbing."""
    h = (high - low) / n
    x, faces = low + h * np.arange(1, n), low + h * (np.arange(n) + 0.5)
    weight, conductance = np.exp(-potential(x)), diffusion(faces) * np.exp(-potential(faces)) / h**2
    diagonal = (conductance[:-1] + conductance[1:]) / weight
    off = -conductance[1:-1] / np.sqrt(weight[:-1] * weight[1:])
    return float(eigh_tridiagonal(diagonal, off, eigvals_only=True, select="i", select_range=(0, 0))[0])


@pytest.mark.parametrize("interpretation", ["ito", "stratonovich", "klimontovich"])
def test_a_matrix_of_finite_differences_agrees_in_every_convention(interpretation):
    """D = 0.2 (1 + x²), f = x - x³: φ = -∫ f/D + (1 - α) ln D, after one Richardson step of error h²."""
    alpha = {"ito": 0.0, "stratonovich": 0.5, "klimontovich": 1.0}[interpretation]
    sde = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.4, interpretation)

    def potential(x):
        return (x**2 / 2 - np.log1p(x**2)) / 0.2 + (1 - alpha) * np.log1p(x**2)

    coarse, fine = (by_differences(potential, lambda x: 0.2 * (1 + x**2), -2.0, 1.5, n) for n in (1000, 2000))
    assert exact.escape_rate(sde, ls.Interval(-2.0, 1.5)).value == pytest.approx((4 * fine - coarse) / 3, rel=1e-7)


def test_weak_noise_makes_it_the_inverse_of_the_mean_time():
    """λ τ(x0) → 1, also where both are beyond the floats' range."""
    domain, away = ls.Interval(high=0.0), []
    for temperature in (0.1, 0.02, 0.004, 3e-4):
        sde = ls.langevin(WELL, temperature)
        product = exact.escape_rate(sde, domain).log_value + exact.mean_passage_time(sde, -1.0, domain).log_value
        away.append(abs(product))
    assert away[0] > 0.01
    assert away[-1] < 1e-3
    assert away[0] > 4 * away[1]
    rate = exact.escape_rate(ls.langevin(WELL, 3e-4), domain)
    assert rate.value == 0.0 and -860 < rate.log_value < -800


@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5), clock=st.floats(0.1, 10))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_longer_ruler_and_a_faster_clock_only_scale_it(scale, shift, clock):
    drift = "c*s*(y - y**3)".replace("y", "((x - a)/s)")
    sde = ls.SDE(drift, ls.noise.Constant(1.0), 0.3 * clock * scale**2, a=shift, s=scale, c=clock)
    plain = exact.escape_rate(ls.SDE("x - x**3", ls.noise.Constant(1.0), 0.3), ls.Interval(-1.7, 0.5)).value
    assert exact.escape_rate(sde, ls.Interval(shift - 1.7 * scale, shift + 0.5 * scale)).value == pytest.approx(clock * plain, rel=1e-8)


@pytest.mark.parametrize(("sde", "domain", "message"), [
    (ls.langevin(WELL, 0.1), ls.Interval(-1.0, 1.0) | ls.Interval(high=5.0) | ls.Interval(low=-9.0), "no path ever leaves"),
    (ls.SDE("1", ls.noise.Constant(1.0)), ls.Interval(low=0.0), "some paths drift to infinity"),
    (ls.SDE("0", ls.noise.Constant(1.0)), ls.Interval(high=0.0), "come back from minus infinity"),
    (ls.SDE(["-x", "-y"], ls.noise.Constant(1.0)), ls.Ball([0.0, 0.0], 1.0), "one-dimensional"),
    (ls.langevin(WELL, 0.1), 1.0, "`domain` is 1.0")])
def test_refusals(sde, domain, message):
    with pytest.raises(ValueError, match=message):
        exact.escape_rate(sde, domain)


def test_where_the_spectrum_has_no_gap_it_does_not_settle():
    """Drift -1 towards the exit, from as far as one likes: a continuum above 1/4 D, and no quasi-stationary law that is reached."""
    with pytest.raises(exact.QuadratureError, match="quasi-stationary rate"):
        exact.escape_rate(ls.SDE("-1", ls.noise.Constant(1.0), 2.0), ls.Interval(low=0.0))
