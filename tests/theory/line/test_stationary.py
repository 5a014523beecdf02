"""The stationary density: oracles, known families, the flux that must vanish, tails, and what does not exist."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import langevin_sgd as ls
from langevin_sgd.theory import exact
from tests import oracles

ALPHAS = {"ito": 0.0, "stratonovich": 0.5, "klimontovich": 1.0}


def law(drift: str, covariance: str = "1", strength: float = 1.0, interpretation: str = "ito", domain: ls.Region | None = None,
        **values: float) -> exact.StationaryDensity:
    return exact.stationary_density(ls.SDE(drift, ls.noise.Expression(covariance), strength, interpretation, **values), domain)


QUANTITIES = {"normalisation": lambda p: p.normalisation, "stationary_variance": lambda p: p.variance,
              "stationary_mean": lambda p: p.mean, "stationary_second_moment": lambda p: p.moment(2)}
ENTRIES = [entry for quantity in QUANTITIES for entry in oracles.select(quantity)]


@pytest.mark.parametrize("entry", ENTRIES, ids=oracles.ids(ENTRIES))
def test_oracle(entry):
    p = exact.stationary_density(oracles.equation(entry))
    assert QUANTITIES[entry["quantity"]](p) == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9), abs=1e-15)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e["value"]], ids=lambda e: e["id"])
def test_negative_controls_miss_the_oracle(entry):
    sde = oracles.equation(entry)
    for other in (*(sde.replace(interpretation=name) for name in ALPHAS if name != sde.interpretation),
                  sde.replace(strength=2 * sde.strength.value)):
        assert QUANTITIES[entry["quantity"]](exact.stationary_density(other)) != pytest.approx(entry["value"], rel=1e-3)


# ------------------------------------------------------------------------------------------------------- known families

X = np.array([-30.0, -4.0, -0.7, 0.0, 0.3, 2.0, 11.0])
FAMILIES = {
    "normal": (law("-2*x", strength=3.0), stats.norm(scale=math.sqrt(0.75)), X),
    "far from the start": (law("1000 - x"), stats.norm(1000, math.sqrt(0.5)), 1000 + X),
    "gamma": (exact.stationary_density(ls.systems.cox_ingersoll_ross(1.0, 2.0, 0.8)), stats.gamma(4 / 0.64, scale=0.32), np.abs(X) + 0.01),
    "unbounded gamma": (exact.stationary_density(ls.systems.cox_ingersoll_ross(1.0, 0.1, 0.8)), stats.gamma(0.2 / 0.64, scale=0.32),
                        np.abs(X) + 1e-30),
    "beta": (law("0.3*(0.4 - x)", "x*(1 - x)", domain=ls.Interval(0, 1)), stats.beta(0.24, 0.36), np.array([1e-9, 0.1, 0.5, 0.99])),
    "lognormal": (law("-x*log(x)", "x**2", 0.2, "stratonovich", ls.Interval(0)), stats.lognorm(math.sqrt(0.1)), np.array([0.01, 1, 9.0])),
    "exponential": (law("-1", domain=ls.Interval(0)), stats.expon(scale=0.5), np.array([0.0, 0.1, 40.0])),
    "two-sided exponential": (law("-sign(x)"), stats.laplace(scale=0.5), X),
    "uniform": (law("0", domain=ls.Interval(-1, 3)), stats.uniform(-1, 4), np.array([-2.0, -1.0, 0.0, 3.0, 3.1])),
    "truncated": (law("-x", domain=ls.Interval(1, 4)), stats.truncnorm(math.sqrt(2), 4 * math.sqrt(2), scale=math.sqrt(0.5)),
                  np.array([0.9, 1.1, 2.0, 3.9])),
    "student": (law("-x", "1 + x**2", 0.5, "stratonovich"), stats.t(4, scale=0.5), np.append(X, [1e6, 1e30])),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_known_family(name):
    p, known, x = FAMILIES[name]
    assert p.log_density(x) == pytest.approx(known.logpdf(x), rel=1e-11, abs=1e-11)
    assert p(x[-2]) == pytest.approx(known.pdf(x[-2]), rel=1e-10)
    assert p.mean == pytest.approx(known.mean(), rel=1e-10, abs=1e-14)
    assert p.variance == pytest.approx(known.var(), rel=1e-10)
    median = known.median()
    for low, high in ((-math.inf, median), (median, known.isf(1e-3)), (known.isf(1e-7), math.inf)):
        assert p.probability(low, high) == pytest.approx(known.sf(low) - known.sf(high), rel=1e-9)


def test_small_probabilities_keep_their_digits():
    p = FAMILIES["normal"][0]
    assert p.probability(low=20.0) == pytest.approx(stats.norm(scale=math.sqrt(0.75)).sf(20.0), rel=1e-11)
    assert p.probability(20.0, 20.5) == pytest.approx(p.probability(low=20.0) - p.probability(low=20.5), rel=1e-11)


@pytest.mark.parametrize("interpretation", ALPHAS)
def test_the_skewed_power_law(interpretation):
    """`theory` 3.1: p ~ C^(α − 1 − κ) exp(2 κ σ_gH/√Δ atan((σ_gH + σ_H x)/√Δ))."""
    g, gh, h, strength = 0.5, 0.6, 2.0, 0.1
    sde = ls.SDE("-x", ls.noise.Quadratic(g, gh, h), strength, interpretation)
    p, kappa, root = exact.stationary_density(sde), 1 / (strength * h), math.sqrt(g * h - gh**2)
    x = np.array([-100.0, -1.0, 0.2, 0.3, 3.0, 1e8])
    exponent = ALPHAS[interpretation] - 1 - kappa
    log_p = exponent * np.log(g + 2 * gh * x + h * x**2) + 2 * kappa * gh / root * np.arctan((gh + h * x) / root)
    assert np.diff(p.log_density(x)) == pytest.approx(np.diff(log_p), rel=1e-12)
    assert p.tail_index == pytest.approx(1 + 2 * kappa - 2 * ALPHAS[interpretation], rel=1e-10)


# ---------------------------------------------------------------------------------------------------------------- checks

@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.floats(-0.5, 0.5), st.floats(0.1, 2.0), st.sampled_from(sorted(ALPHAS)), st.floats(0.2, 1.0))
def test_no_flux_and_unit_mass(tilt, q, interpretation, strength):
    """f p − D^α (D^(1−α) p)' = 0, the derivative taken by differences; and ∫ p = 1 by another quadrature."""
    p = law("x - x**3 + tilt", "1 + q*x**2", strength, interpretation, tilt=tilt, q=q)
    x, h, alpha = np.linspace(-1.5, 1.5, 7), 1e-3, ALPHAS[interpretation]
    weighted = {k: p.sde.diffusion(x + k * h)**(1 - alpha) * p(x + k * h) for k in (-2, -1, 1, 2)}
    slope = (8 * (weighted[1] - weighted[-1]) - (weighted[2] - weighted[-2])) / (12 * h)
    assert p.sde.drift(x) * p(x) == pytest.approx(p.sde.diffusion(x)**alpha * slope, abs=1e-7)
    assert integrate.quad(p, -12, 12, points=[-1, 0, 1], epsabs=1e-12, limit=200)[0] == pytest.approx(1.0, abs=1e-9)


def test_the_same_law_in_another_convention():
    sde = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.3, "stratonovich")
    laws = [exact.stationary_density(sde.in_interpretation(name)) for name in ALPHAS]
    assert all(p(0.5) == pytest.approx(laws[0](0.5), rel=1e-12) for p in laws)


def test_how_often_sgd_is_in_the_flat_minimum():
    """At low noise the occupations go like 1/√curvature (and their barriers cancel): 1/√2 against 1/√0.4."""
    loss = ls.landscapes.sharp_flat()
    saddle = loss.critical_points()[-1].x
    p = exact.stationary_density(ls.langevin(loss, temperature=0.002))
    sharp, flat = p.probability(high=saddle), p.probability(low=saddle)
    assert sharp + flat == pytest.approx(1.0, abs=1e-13)
    assert flat / sharp == pytest.approx(math.sqrt(5), rel=0.02)


def test_noise_that_jumps_makes_the_density_jump():
    """p ∝ D^(α−1) exp(−Φ) with Φ continuous: in the Itô reading, p jumps by the ratio of D."""
    p = law("-x", "where(x < 0.5, 1, 4)")
    left, right = p([0.5 - 1e-9, 0.5 + 1e-9])
    assert left / right == pytest.approx(4.0, rel=1e-7)
    assert p.mode == pytest.approx(0.0, abs=1e-6) and law("-x", "where(x < -0.5, 1, 4)").mode < -0.5


def test_normalisation_is_the_width_at_the_mode():
    assert FAMILIES["truncated"][0].mode == 1.0 and FAMILIES["exponential"][0].mode == 0.0
    assert FAMILIES["exponential"][0].normalisation == pytest.approx(0.5, rel=1e-12)
    assert FAMILIES["unbounded gamma"][0].mode == 0.0 and FAMILIES["unbounded gamma"][0].normalisation == 0.0
    sharp = law("-x", strength=1e-100)
    assert sharp.log_normalisation == pytest.approx(math.log(math.pi * 1e-100) / 2, rel=1e-5)


# ----------------------------------------------------------------------------------------------------------------- tails

@pytest.mark.parametrize(("drift", "covariance", "strength", "interpretation", "index"), [
    ("-x", "0.5 + 2*x**2", 0.1, "ito", 11.0), ("-x", "0.5 + 2*x**2", 0.1, "stratonovich", 10.0),
    ("-x", "0.5 + 2*x**2", 0.1, "klimontovich", 9.0), ("-x", "1 + x**2", 1e-6, "ito", 2e6 + 1),
    ("-x", "1 + x**2", 1.25, "klimontovich", 0.6), ("-x", "1 + where(x < 0, 0, x**2)", 0.5, "ito", 5.0),
    ("-2*x/(1 + x**2)", "1", 1.0, "ito", 3.0), ("-x", "1", 1.0, "ito", math.inf), ("-sign(x)", "1", 1.0, "ito", math.inf),
    ("-x/(1 + x**2)**0.75", "1", 1.0, "ito", math.inf), ("-x*log(1 + x**2)/(1 + x**2)", "1", 1.0, "ito", math.inf),
    ("-sinh(x)", "1", 1.0, "ito", math.inf), ("-x + sin(3*x)", "1", 1.0, "ito", math.inf),
])
def test_the_tail_index(drift, covariance, strength, interpretation, index):
    assert law(drift, covariance, strength, interpretation).tail_index == pytest.approx(index, rel=1e-9)


def test_moments_stop_at_the_tail_index():
    p = law("-x", "1 + x**2", 1.25, "klimontovich")                     # A = 0.6
    with pytest.raises(ValueError, match=r"moment 1 of this stationary density does not exist: its tail index is 0.6"):
        _ = p.mean
    with pytest.raises(ValueError, match=r"the variance of this stationary density does not exist: its tail index is 0.6"):
        _ = p.variance
    student = law("-x", "1 + x**2", 0.9)                                # A = 1 + 2/0.9 = 3.22
    assert student.moment(3) == pytest.approx(0.0, abs=1e-12) and math.isfinite(student.variance)
    with pytest.raises(ValueError, match=r"moment 4 .* tail index is 3.2222"):
        student.moment(4)


def test_heavy_tails_are_integrated_to_full_accuracy():
    """Student's t with barely a variance: E x² = (σ_g/σ_H)/(2q − 3), with q − 3/2 = 0.02."""
    p = law("-x", "1 + x**2", 1 / 0.52)                                 # κ = 0.52, q = 1.52, A = 2.04
    assert p.variance == pytest.approx(1 / 0.04, rel=1e-9)
    assert p.normalisation == pytest.approx(math.sqrt(math.pi) * math.gamma(1.02) / math.gamma(1.52), rel=1e-11)


# -------------------------------------------------------------------------------------------------------------- refusals

@pytest.mark.parametrize(("drift", "covariance", "domain", "message"), [
    ("0", "1", None, "the integral of .* diverges towards minus infinity: the tail index is -1, but must be positive"),
    ("-0.2*x/(1 + x**2)", "1", None, "diverges towards minus infinity: the tail index is -0.6"),
    ("1", "1", None, "no stationary law: some paths drift to infinity"),
    ("x**3", "1", None, "some paths reach minus infinity in finite time; some paths reach infinity in finite time"),
    ("0", "x*(1 - x)", ls.Interval(0, 1), "diverges towards x = 0"),
    ("0.1*x", "x**2", None, "some paths approach x = 0, where the noise vanishes, and never reach it|diverges"),
    ("-x*t", "1", None, "depends on the time t"),
    ("-x", "-1", None, "no point with D = ε C / 2 > 0 was found"),
    ("-x", "1", (0, 1), "must be a region"),
])
def test_refusals(drift, covariance, domain, message):
    with pytest.raises(ValueError, match=message):
        law(drift, covariance, domain=domain)


def test_refused_questions():
    p = FAMILIES["normal"][0]
    with pytest.raises(ValueError, match="`low` is 2 and `high` 1, but low must be below high"):
        p.probability(2.0, 1.0)
    with pytest.raises(ValueError, match="`k` is 0"):
        p.moment(0)
    with pytest.raises(ValueError, match="`x` holds nan"):
        p([0.0, math.nan])
    assert p.probability() == pytest.approx(1.0) and p(math.inf) == 0.0
    assert law("-x", domain=ls.Interval(0, 1)).probability(2.0, 3.0) == 0.0
    assert repr(p).startswith("StationaryDensity(SDE(drift '-2*x'") and repr(p).endswith("on (-inf, inf))")
