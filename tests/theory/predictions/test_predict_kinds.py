"""Closed forms for one kind of equation, filled in: noise that follows loss, slope or curvature; circulation; particles with mass."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from tests import oracles

NAMES = ("ito", "stratonovich", "klimontovich")
WELL = ls.landscapes.double_well()
PARABOLAS = "where(x < 1, x**2/2, 1 - (x - 2)**2/2)"
each = settings(derandomize=True, deadline=None, max_examples=60)


def exact(name):
    return oracles.BY_ID[name]["value"]


# ---------------------------------------------------------------------------------------------------- noise of the slope

def slope_noise(curvature, barrier, name="ito", share=0.4):
    """C = 1 + share · L'² on parabolas of different curvature, joined smoothly."""
    loss = ls.landscapes.piecewise_quadratic(curvature, 1.0, barrier)
    saddle = math.sqrt(2 * barrier * (1 / curvature + 1))
    join = saddle / (curvature + 1)
    noise = ls.noise.Expression("1 + share*where(x < join, h*x, saddle - x)**2", share=share, join=join, h=curvature, saddle=saddle)
    return ls.sgd(loss, noise, 0.1, interpretation=name), saddle


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("curvature", [0.4, 1.0, 5.0])
def test_mirrored_with_unequal_curvatures_is_near_the_exact_time_and_approaches_it(curvature, name):
    gaps = []
    for barrier in (0.5, 0.8):
        sde, saddle = slope_noise(curvature, barrier, name)
        true = ls.exact.mean_passage_time(sde, 0.0, ls.Interval(high=2 * saddle)).value
        mirrored = ls.predict(sde, 0.0, saddle)["mirrored"]
        assert mirrored.applies
        gaps.append(abs(mirrored.value / true - 1))
        assert gaps[-1] < mirrored.expected_error
    assert gaps[1] < 0.5 * gaps[0] + 1e-9


@each
@given(st.floats(0.2, 5.0), st.floats(2.0, 40.0), st.floats(0.0, 1.0))
def test_mirrored_does_not_tell_a_well_from_the_barrier_turned_over(curvature, kappa, alpha):
    """Well and barrier change places, α becomes 1 − α: the same product of two integrals."""
    numbers = {"barrier": 1.0, "strength": 0.1, "constant": 1.0}
    share = 1 / (kappa * 0.1 * curvature)                                       # C = 1 + share L'²
    one = ls.theory.mirrored_time(curvature=curvature, curvature_saddle=-1.0, quadratic=share * curvature**2, interpretation=alpha,
                                  **numbers)
    other = ls.theory.mirrored_time(curvature=1.0, curvature_saddle=-curvature, quadratic=share, interpretation=1 - alpha, **numbers)
    assert one.log_value == pytest.approx(other.log_value, rel=1e-12)
    alone = ls.theory.mirrored_time(curvature=curvature, quadratic=share, **numbers)
    assert ls.theory.mirrored_time(curvature=curvature, curvature_saddle=-curvature, quadratic=share, **numbers) == alone


def test_mirrored_is_listed_where_the_noise_is_the_same_at_both_ends_and_says_what_differs_in_between():
    shifted = ls.predict(oracles.equation(oracles.BY_ID["mirrorparab-e0.05-DL0.5-real"]), 0.0, 2 * math.sqrt(0.5 / 1.788704758263569))
    assert not shifted["mirrored"].applies
    assert shifted["mirrored"].because.startswith("the noise is not σ_g + σ_H (L' / H)²: it departs from it by 6.1 %")
    smooth = ls.predict(ls.sgd(WELL, ls.noise.Expression("1 + 2*(x**3 - x)**2"), 0.05), -1.0, 0.0)["mirrored"]
    assert not smooth.applies
    assert "L is not two parabolas joined smoothly: it departs from them by" in smooth.because
    assert "mirrored" not in ls.predict(ls.sgd(WELL, ls.noise.Quadratic(1.0, quadratic=2.0), 0.05), -1.0, 0.0)


# ------------------------------------------------------------------------------------------------ noise of the curvature

XIE = oracles.BY_ID["xie-2-1-klimontovich"]
TOP = XIE["parameters"]["kinks"][1]


def test_xie_is_the_formula_in_any_unit_of_the_noise():
    formula = exact("xie-2-1-formula")
    for factor in (1.0, 7.0):
        noise = ls.noise.Expression(f"{factor}*where(x < 0.3651483716701107, 2, 1)")
        sde = ls.SDE(oracles.texts(XIE["sde"]["drift"]), noise, 0.05 / factor, "klimontovich")
        assert ls.predict(sde, 0.0, TOP)["xie"].value == pytest.approx(formula, rel=1e-8)


@pytest.mark.parametrize("name", ["ito", "stratonovich"])
def test_xie_in_another_convention_says_by_how_much_it_is_off(name):
    entry = oracles.BY_ID[f"xie-2-1-{name}"]
    found = ls.predict(oracles.equation(entry), 0.0, TOP)["xie"]
    assert not found.applies
    lacking = 0.5 if name == "ito" else 0.5**0.5
    assert f"the true time is {lacking:.3g} times as long" in found.because
    assert entry["value"] / found.value == pytest.approx(lacking, rel=0.01)


def test_xie_needs_the_curvature_on_the_whole_way():
    coincidence = ls.predict(oracles.equation(oracles.BY_ID["mult1-D0.006-klimontovich"]), -1.0, 0.0)["xie"]
    assert not coincidence.applies
    assert coincidence.because.startswith("the noise is not proportional to |L''|: it departs from it by more than 100 %")
    assert "xie" not in ls.predict(ls.langevin(WELL, 0.02), -1.0, 0.0)
    assert "xie" not in ls.predict(ls.langevin(ls.landscapes.piecewise_quadratic(), 0.05), 0.0, 2.0)     # constant, curvatures ±1


# ----------------------------------------------------------------------------------------------------- noise of the loss

def test_log_loss_on_a_line_is_the_power_law_for_ito_and_for_ito_only():
    loss = ls.Landscape(PARABOLAS)
    noise = ls.noise.LossProportional(loss, 2.0, 0.25, matrix="hessian", minimum=0.0)
    for name in NAMES:
        found = ls.predict(ls.sgd(loss, noise, 0.2, interpretation=name), 0.0, 2.0)
        assert found["log_loss"].value == pytest.approx(exact("mori-rate-1d"), rel=1e-6)
        assert found["log_loss"].applies == (name == "ito")
        ratio = found["power_law"].value / found["log_loss"].value
        assert name == "ito" or f"the true time is {ratio:.3g} times as long" in found["log_loss"].because
    other = ls.noise.LossProportional(loss, 4.0, 0.25, minimum=0.0)
    assert "log_loss" not in ls.predict(ls.sgd(loss, other, 0.2), 0.0, 2.0)


@pytest.mark.parametrize("across", [0.05, 0.1, 0.9])
def test_log_loss_in_the_plane_counts_large_curvatures_and_leaves_out_small_ones(across):
    """Against the generator on a grid; the noise is that of the Hessian, so that no power law applies."""
    loss = ls.Landscape(f"{PARABOLAS} + across*y**2/2", across=across)
    sde = ls.sgd(loss, ls.noise.LossProportional(loss, 2.0, 0.25, matrix=np.diag([1.0, across]), minimum=0.0), 0.2)
    grid = ls.Grid.from_edges(1 + 1.5 * np.sinh(0.032 * np.arange(-82, 39)), 0.5 * np.sinh(0.073 * np.arange(0, 61)))
    true = ls.FokkerPlanck(sde, grid).mean_passage_time(ls.HalfSpace([1.0, 0.0], 3.2)).at([0.0, 0.0])
    found = ls.predict(sde, [0.0, 0.0], [2.0, 0.0])
    assert found["log_loss"].applies and not found["power_law"].applies
    assert abs(found["log_loss"].value / true.value - 1) < found["log_loss"].expected_error + true.relative_error
    other = ls.theory.log_loss_time(loss_minimum=0.25, loss_saddle=1.25, curvature_minimum=1.0, curvature_saddle=-1.0, strength=0.2,
                                    outliers=2 if across < 0.5 else 1)
    assert abs(other.value / true.value - 1) > 0.4                              # the other way of counting


def test_log_loss_does_not_apply_to_curvatures_in_between_or_to_a_turned_hessian():
    loss = ls.Landscape(f"{PARABOLAS} + y**2/4")
    noise = ls.noise.LossProportional(loss, 2.0, 0.25, matrix=np.diag([1.0, 0.5]), minimum=0.0)
    between = ls.predict(ls.sgd(loss, noise, 0.2), [0.0, 0.0], [2.0, 0.0])["log_loss"]
    assert not between.applies
    assert between.because == "curvatures across the way are neither about equal to that along it nor much smaller: 0.5 of it"
    bent = ls.Landscape("(x**2 - 1)**2/4 + (y - x**2/2)**2")
    noise = ls.noise.LossProportional(bent, 2.0, 0.25, matrix="hessian", minimum=0.0)
    turned = ls.predict(ls.sgd(bent, noise, 0.05), [-1.0, 0.5], [0.0, 0.0])["log_loss"]
    assert not turned.applies and "is not an axis of the Hessian at the minimum" in turned.because


# -------------------------------------------------------------------------------------------------- drifts that circulate

@pytest.mark.parametrize(("beta", "mu"), [(1.0, 1.0), (2.0, 1.0), (3.5, 1.0), (0.5, 0.3), (2.0, 1.5)])
def test_an_axis_that_the_drift_never_leaves_gives_maier_and_steins_time(beta, mu):
    found = ls.predict(ls.systems.maier_stein(beta, mu, 0.06), [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"]
    formula = ls.theory.maier_stein_time(diffusion=0.03, beta=beta, mu=mu)
    assert found.log_value == pytest.approx(formula.log_value, abs=1e-6)
    assert found.expected_error == pytest.approx(formula.expected_error, rel=1e-2)
    assert found.applies == formula.applies
    turned = ls.SDE([f"-{mu}*(1 + y**2)*x", f"y - y**3 - {beta}*y*x**2"], ls.noise.Constant(1.0), 0.06)
    assert ls.predict(turned, [0.0, 1.0], [0.0, 0.0])["bouchet_reygner"].log_value == pytest.approx(found.log_value, abs=1e-9)


@pytest.mark.parametrize("beta", [1, 2])
def test_bouchet_reygner_of_an_equation_is_as_near_as_it_says(beta):
    """The reference ends on the line x = 0: half of the crossing."""
    found = ls.predict(ls.systems.maier_stein(beta, 1.0, 0.1), [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"]
    assert found.applies
    assert abs(found.value / (2 * exact(f"maierstein-b{beta}-eps0.1")) - 1) < 3 * found.expected_error


def test_a_gradient_without_a_landscape_is_eyring_kramers():
    """−∇(x⁴/4 − x²/2 + x² y²/2 + y²)"""
    coupled = ls.SDE(["x - x**3 - x*y**2", "-y*(2 + x**2)"], ls.noise.Constant(1.0), 0.04)
    found = ls.predict(coupled, [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"]
    gradient = ls.theory.eyring_kramers_time(barrier=0.25, curvature_minimum=[2.0, 3.0], curvature_saddle=[-1.0, 2.0], diffusion=0.02)
    assert found.log_value == pytest.approx(gradient.log_value, abs=1e-6)


def test_where_the_path_leaves_the_axis_there_is_no_number():
    for beta in (5.0, 10.0):
        found = ls.predict(ls.systems.maier_stein(beta, 1.0, 0.06), [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"]
        assert math.isnan(found.value) and not found.applies
        assert "the likeliest path leaves it" in found.because
    repelled = ls.SDE(["x - x**3 - 0.1*x*y**2", "y*(1 - 2*x**2)"], ls.noise.Constant(1.0), 0.06)
    assert "does not pull back to the axis" in ls.predict(repelled, [-1.0, 0.0], [0.0, 0.0])["bouchet_reygner"].because


def test_circulation_needs_constant_isotropic_noise_and_an_axis():
    drift = ["x - x**3 - 2*x*y**2", "-(1 + x**2)*y"]
    for noise in (ls.noise.Anisotropic([[1.0, 0.0], [0.0, 2.0]]), ls.noise.Expression([["1 + x**2", "0"], ["0", "1 + x**2"]])):
        assert ls.predict(ls.SDE(drift, noise, 0.06), [-1.0, 0.0], [0.0, 0.0]) == {}
    assert ls.predict(ls.SDE([drift[0], drift[1] + " + 0.1*x*(1 - x**2)"], ls.noise.Constant(1.0), 0.06), [-1.0, 0.0], [0.0, 0.0]) == {}


@pytest.mark.parametrize("diffusion", [0.05, 0.03])
def test_a_transverse_flow_over_the_exact_crossing_approaches_one(diffusion):
    """b = −(I − J) ∇U: the crossing to a disc about the other minimum, from the generator; Eyring–Kramers misses √2."""
    sde = ls.SDE(["-(x**3 - x) + y", "-y - (x**3 - x)"], ls.noise.Constant(1.0), 2 * diffusion)
    grid = ls.Grid([(-1.8, 1.8), (-1.5, 1.5)], (120, 96))
    true = ls.FokkerPlanck(sde, grid).mean_passage_time(~ls.Ball([1.0, 0.0], 0.3)).at([-1.0, 0.0])
    numbers = {"barrier": 0.25, "curvature_minimum": [2.0, 1.0], "curvature_saddle": [-1.0, 1.0], "diffusion": diffusion}
    found = ls.theory.bouchet_reygner_time(**numbers, jacobian_saddle=[[1.0, 1.0], [1.0, -1.0]])
    gap = abs(true.value / found.value - 1)
    assert gap < found.expected_error + true.relative_error
    assert gap < (0.08 if diffusion == 0.05 else 0.05)
    assert ls.theory.eyring_kramers_time(**numbers).value / true.value > 1.25


# ------------------------------------------------------------------------------------------------------- particles with mass

def particle(friction, temperature, force="x - x**3"):
    return ls.SDE(["v", f"{force} - g*v"], ls.noise.Anisotropic([[0, 0], [0, 1.0]]), 2 * friction * temperature, variables=["x", "v"],
                  g=friction)


@pytest.mark.parametrize("friction", [0.02, 0.3, 10.0])
def test_a_particle_is_recognised_with_its_friction_temperature_and_action(friction):
    found = ls.predict(particle(friction, 0.05), [-1.0, 0.0], [0.0, 0.0])
    numbers = {"barrier": 0.25, "curvature_minimum": 2.0, "curvature_saddle": -1.0, "friction": friction, "temperature": 0.05,
               "action": 4 / 3, "wells": 1}
    assert set(found) == {"underdamped_kramers", "melnikov_meshkov"}
    assert found["melnikov_meshkov"].log_value == pytest.approx(ls.theory.melnikov_meshkov_time(**numbers).log_value, abs=1e-8)
    assert found["underdamped_kramers"].log_value == pytest.approx(ls.theory.underdamped_kramers_time(**numbers).log_value, abs=1e-9)
    assert found["underdamped_kramers"].applies == (friction > 0.02)
    mirrored = ls.predict(particle(friction, 0.05), [1.0, 0.0], [0.0, 0.0])["melnikov_meshkov"]
    assert mirrored.log_value == pytest.approx(found["melnikov_meshkov"].log_value, abs=1e-8)


@pytest.mark.parametrize("friction", [1.0, 3.0, 10.0])
def test_a_particle_under_friction_is_as_near_to_the_exact_rate_as_it_says(friction):
    """At these frictions one well and two are the same, so that the passage is half of 1 / λ₁."""
    rates = {1.0: 0.5 * exact("underdamped-T0.05-g1"), 3.0: 0.5 * exact("underdamped-T0.05-g3"), 10.0: 0.5 * exact("underdamped-T0.05-g10")}
    found = ls.predict(particle(friction, 0.05), [-1.0, 0.0], [0.0, 0.0])["melnikov_meshkov"]
    assert found.applies
    assert abs(found.value * rates[friction] - 1) < 2 * found.expected_error


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.floats(0.5, 3.0), st.floats(0.05, 3.0))
def test_the_action_of_a_cubic_well_is_that_of_the_closed_form(omega, friction):
    """V = ω² (x²/2 − x³/3): barrier ω²/6, the top at 1, the particle turns at −1/2, and ∮ v dx = 6 ω / 5."""
    found = ls.predict(particle(friction, omega**2 / 60, f"{omega**2!r}*(x**2 - x)"), [0.0, 0.0], [1.0, 0.0])["melnikov_meshkov"]
    formula = ls.theory.melnikov_meshkov_time(barrier=omega**2 / 6, curvature_minimum=omega**2, curvature_saddle=-omega**2,
                                              friction=friction, temperature=omega**2 / 60, action=1.2 * omega, wells=1)
    assert found.log_value == pytest.approx(formula.log_value, abs=1e-7)


def test_a_particle_that_nothing_turns_back_has_no_number():
    """V = x² exp(x) for x < 0, with a top of 4 / e² = 0.54 at −2; to the right it levels off at 0.3, or at 1."""
    def found(height):
        z = f"(x/sqrt({height}))"
        return ls.predict(particle(1.0, 0.05, f"where(x < 0, -(2*x + x**2)*exp(x), -2*sqrt({height})*tanh({z})*(1 - tanh({z})**2))"),
                          [0.0, 0.0], [-2.0, 0.0])
    assert all(p.value > 0 for p in found(1.0).values())
    for p in found(0.3).values():
        assert math.isnan(p.value) and not p.applies
        assert p.because == "on the far side of the minimum V does not rise to the height of the saddle"


def test_what_is_no_particle_is_not_taken_for_one():
    drift, kick = ["v", "x - x**3 - v"], [[0, 0], [0, 1.0]]

    def listed(drift, noise):
        return ls.predict(ls.SDE(drift, ls.noise.Anisotropic(noise), 0.1, variables=["x", "v"]), [-1.0, 0.0], [0.0, 0.0])
    assert listed(drift, kick)
    assert listed(drift, [[0.1, 0], [0, 1.0]]) == {}                              # noise on the position
    assert listed(["v", "x - x**3 - v*(1 + x**2)"], kick) == {}                   # friction that depends on the position
    assert listed(["2*v", "x - x**3 - v"], kick) == {}
    assert listed(["v", "x - x**3 + v"], kick) == {}                              # driven
    with pytest.raises(ValueError, match=r"`saddle` has the velocity 0.1, but a particle at a critical point is at rest"):
        ls.predict(particle(1.0, 0.05), [-1.0, 0.0], [0.0, 0.1])
