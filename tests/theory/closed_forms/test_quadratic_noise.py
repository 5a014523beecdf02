"""The stationary law of the power-law dynamic: oracles, the exact density, the flux that must vanish, and where there is no law."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import langevin_sgd as ls
from langevin_sgd.theory import power_law_stationary, power_law_stationary_d
from tests import oracles

ALPHAS = {"ito": 0.0, "stratonovich": 0.5, "klimontovich": 1.0}
SKEW = {"curvature": 1.0, "strength": 0.1, "constant": 0.5, "linear": 0.6, "quadratic": 2.0}
SPACE = {"curvature": [1.0, 2.0, 5.0], "strength": 0.1, "constant": [0.3, 0.1, 0.7], "quadratic": [0.8, 1.6, 4.0]}
QUANTITIES = {"normalisation": "normalisation", "stationary_variance": "variance", "stationary_mean": "mean",
              "stationary_second_moment": "second_moment"}
ENTRIES = [e for quantity in QUANTITIES for e in oracles.select(quantity, prefix="powerlaw")]
each = settings(max_examples=60, deadline=None)


def of_entry(entry, interpretation=None, strength=1.0):
    p = entry["parameters"]
    return power_law_stationary(curvature=p["H"], strength=strength * entry["sde"]["eps"], constant=p["sg"], linear=p["sgH"],
                                quadratic=p["sH"], interpretation=interpretation or entry["sde"]["interpretation"])


@pytest.mark.parametrize("entry", ENTRIES, ids=oracles.ids(ENTRIES))
def test_oracle(entry):
    found = getattr(of_entry(entry), QUANTITIES[entry["quantity"]])
    assert found == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-11), abs=1e-15)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e["value"]], ids=lambda e: e["id"])
def test_a_wrong_interpretation_and_twice_the_noise_miss_the_oracle(entry):
    others = [of_entry(entry, name) for name in ALPHAS if name != entry["sde"]["interpretation"]]
    for law in [*others, of_entry(entry, strength=2)]:
        assert getattr(law, QUANTITIES[entry["quantity"]]) != pytest.approx(entry["value"], rel=1e-3)


@pytest.mark.parametrize("name", ALPHAS)
@pytest.mark.parametrize("linear", [0.0, 0.6, -0.95])
def test_it_is_the_density_that_quadrature_gives(name, linear):
    law = power_law_stationary(**SKEW | {"linear": linear}, interpretation=name)
    noise = ls.noise.Quadratic(0.5, linear=linear, quadratic=2.0)
    exact = ls.exact.stationary_density(ls.sgd(ls.Landscape("x**2/2"), noise, learning_rate=0.1, interpretation=name))
    x = np.array([-100.0, -3.0, -0.4, 0.0, 0.2, 1.0, 50.0])
    assert law.log_density(x) == pytest.approx(exact.log_density(x), abs=1e-8)
    assert (law.mean, law.variance, law.mode) == pytest.approx((exact.mean, exact.variance, exact.mode), rel=1e-7, abs=1e-7)
    assert law.tail_index == pytest.approx(exact.tail_index, rel=1e-6)


@each
@given(st.floats(0.6, 5), st.floats(-0.9, 0.9), st.floats(0.1, 5), st.floats(0.0, 1.0))
def test_its_flux_vanishes_and_it_holds_unit_mass(kappa, skew, constant, alpha):
    quadratic, strength = 2.0, 0.3
    law = power_law_stationary(curvature=kappa * strength * quadratic, strength=strength, constant=constant,
                               linear=skew * math.sqrt(constant * quadratic), quadratic=quadratic, interpretation=alpha)

    def diffusion(x):
        return strength / 2 * (constant + 2 * law.linear * x + quadratic * x**2)

    def flux(x, h=1e-5):                                          # b p − (D p)', with b = f + α D'
        slope = strength * (law.linear + quadratic * x)
        return (-law.curvature * x + alpha * slope) * law(x) - (diffusion(x + h) * law(x + h) - diffusion(x - h) * law(x - h)) / (2 * h)

    for x in (-2.0, -0.3, 0.1, 1.5):
        assert abs(flux(x)) < 1e-6 * (1 + abs(law.curvature * x)) * law(law.mode)
    mass = integrate.quad(lambda s: law(math.sinh(s)) * math.cosh(s), -40, 40, limit=400, points=[0.0])[0]
    assert mass == pytest.approx(1, rel=1e-6 + 10 * math.sinh(40) ** -law.tail_index)


def test_the_published_law_is_not_that_of_ito():
    published = power_law_stationary(**SKEW, interpretation="klimontovich")
    ito = ls.exact.stationary_density(ls.sgd(ls.Landscape("x**2/2"), ls.noise.Quadratic(0.5, 0.6, 2.0), learning_rate=0.1))
    assert abs(published.log_density(1.0) - ito.log_density(1.0)) > 0.5


def test_without_a_linear_term_it_is_students():
    law = power_law_stationary(**SKEW | {"linear": 0.0})
    student = stats.t(law.tail_index, scale=math.sqrt(0.25 / law.tail_index))
    x = np.array([-4.0, 0.0, 0.3, 40.0])
    assert law.log_density(x) == pytest.approx(student.logpdf(x), abs=1e-10)


def test_it_becomes_gaussian_as_the_noise_ceases_to_grow():
    gaps = []
    for quadratic in (1e-2, 1e-3, 1e-4):
        law = power_law_stationary(curvature=1.0, strength=0.1, constant=0.5, quadratic=quadratic)
        gaps.append(abs(law.log_density(0.3) - stats.norm(scale=math.sqrt(0.025)).logpdf(0.3)))
    assert gaps[2] == pytest.approx(gaps[0] / 100, rel=0.05)
    assert gaps[2] < 1e-4


def test_moments_that_do_not_exist_are_refused():
    law = power_law_stationary(curvature=1.0, strength=1.0, constant=1.0, quadratic=2.0)                  # κ = 1/2, A = 2
    assert law.mean == 0
    with pytest.raises(ValueError, match="the second moment of this stationary law does not exist: its tail index is 2"):
        law.variance  # noqa: B018
    with pytest.raises(ValueError, match=r"there is no stationary law: with κ = .* and Klimontovich the tail index is 0"):
        power_law_stationary(curvature=1.0, strength=1.0, constant=1.0, quadratic=2.0, interpretation="klimontovich")


# --------------------------------------------------------------------------------------------------------- d dimensions

@pytest.mark.parametrize("entry", [e for e in oracles.ORACLES if e["id"].startswith("powerlaw-3d")], ids=lambda e: e["id"])
def test_covariance_in_space(entry):
    p = entry["parameters"]
    law = power_law_stationary_d(curvature=p["h"], strength=entry["sde"]["eps"], constant=p["sg"],
                                 quadratic=[p["ratio"] * h for h in p["h"]])
    i = p["index"]
    assert law.covariance[i, i] == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-9))
    other = power_law_stationary_d(curvature=p["h"], strength=entry["sde"]["eps"], constant=p["sg"],
                                   quadratic=[p["ratio"] * h for h in p["h"]], interpretation="klimontovich")
    assert other.covariance[i, i] != pytest.approx(entry["value"], rel=1e-2)


def flux_in_space(law, x, h=1e-4):
    """b p − ∇·(D p), relative to |H x| p, by differences."""
    def diffusion(y):
        return law.strength / 2 * law.constant * (1 + y @ law.quadratic @ np.linalg.inv(law.constant) @ y)

    axes = h * np.eye(law.dim)
    slope = sum((diffusion(x + e) - diffusion(x - e))[:, i] for i, e in enumerate(axes)) / (2 * h)
    spread = sum((diffusion(x + e) * law(x + e) - diffusion(x - e) * law(x - e))[:, i] for i, e in enumerate(axes)) / (2 * h)
    drift = -law.curvature @ x
    return np.linalg.norm((drift + law.alpha * slope) * law(x) - spread) / (np.linalg.norm(drift) * law(x))


@pytest.mark.parametrize("name", ALPHAS)
def test_flux_vanishes_in_space_where_it_applies_and_only_there(name):
    x = np.array([0.3, -0.2, 0.4])
    law = power_law_stationary_d(**SPACE, interpretation=name)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = power_law_stationary_d(interpretation=name, strength=0.1,
                                    **{k: turn @ np.diag(SPACE[k]) @ turn.T for k in ("curvature", "constant", "quadratic")})
    assert law.applies and turned.applies
    assert flux_in_space(law, x) < 1e-6 and flux_in_space(turned, x) < 1e-6
    uneven = power_law_stationary_d(**SPACE | {"quadratic": [2.0, 2.0, 2.0]}, interpretation=name)
    tilted = power_law_stationary_d(**SPACE | {"constant": turn @ np.diag(SPACE["constant"]) @ turn.T}, interpretation=name)
    assert not uneven.applies and uneven.because.startswith("Σ_H is not proportional to H")
    assert not tilted.applies and tilted.because == "Σ_g does not commute with H"
    assert flux_in_space(uneven, x) > 0.05 and flux_in_space(tilted, x) > 0.05


def test_in_one_dimension_both_forms_agree():
    line = power_law_stationary(**SKEW | {"linear": 0.0})
    space = power_law_stationary_d(curvature=1.0, strength=0.1, constant=0.5, quadratic=2.0)
    assert space.log_density(np.array([0.0, 0.7])) == pytest.approx(line.log_density(np.array([0.0, 0.7])), abs=1e-12)
    assert float(space.covariance[0, 0]) == pytest.approx(line.variance, rel=1e-12)


def test_it_is_the_student_law_of_scipy():
    law = power_law_stationary_d(**SPACE)
    student = stats.multivariate_t(shape=law.scale, df=law.tail_index)
    x = np.array([[0.1, 0.2, -0.3], [3.0, 0.0, 1.0]])
    assert law.log_density(x) == pytest.approx(student.logpdf(x), abs=1e-10)
    assert law.entropy == pytest.approx(student.entropy(), abs=1e-10)


# ------------------------------------------------------------------------------------------- Kullback–Leibler divergence

@pytest.mark.parametrize("entry", [e for e in oracles.ORACLES if e["quantity"] == "kl_divergence"], ids=lambda e: e["id"])
def test_kl_divergence(entry):
    p = entry["parameters"]
    numbers = {"curvature": p["H"], "strength": p["eps"], "constant": p["Sg"], "quadratic": [h / (p["eps"] * p["kappa"]) for h in p["H"]]}
    law = power_law_stationary_d(**numbers, interpretation="klimontovich")
    assert law.kl_divergence() == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-8))
    assert power_law_stationary_d(**numbers).kl_divergence() != pytest.approx(entry["value"], rel=1e-3)


def test_kl_divergence_by_quadrature_from_a_prior_elsewhere():
    law = power_law_stationary_d(curvature=2.0, strength=0.1, constant=0.5, quadratic=5.0)
    prior = stats.norm()
    byhand = integrate.quad(lambda x: law(x) * (law.log_density(x) - prior.logpdf(x + 0.7)), -30, 30, points=[0.0], limit=300)[0]
    assert law.kl_divergence(shift=0.7) == pytest.approx(byhand, rel=1e-8)


@pytest.mark.parametrize(("function", "good", "bad", "message"), [
    (power_law_stationary, SKEW, {"linear": 1.0}, "`linear` is 1, but linear² must be less than constant × quadratic = 1"),
    (power_law_stationary, SKEW, {"quadratic": 0.0}, "`quadratic` is 0, but must be positive"),
    (power_law_stationary, SKEW, {"strength": math.nan}, "`strength` is nan"),
    (power_law_stationary, SKEW, {"interpretation": "anti"}, "`interpretation` is 'anti'"),
    (power_law_stationary_d, SPACE, {"constant": [1.0, 1.0]}, "`constant` is for 2 components, but 3 were expected"),
    (power_law_stationary_d, SPACE, {"curvature": [1.0, -2.0, 5.0]}, "`curvature` has the eigenvalue -2, but must be positive definite"),
    (power_law_stationary_d, SPACE, {"curvature": [[1.0, 2.0], [0.0, 1.0]]}, "`curvature` must be symmetric"),
    (power_law_stationary_d, SPACE, {"strength": 100.0}, "there is no stationary law"),
])
def test_a_bad_argument_is_named(function, good, bad, message):
    function(**good)
    with pytest.raises(ValueError) as error:
        function(**{**good, **bad})
    assert message in str(error.value)
