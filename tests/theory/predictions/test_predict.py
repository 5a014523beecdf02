"""Closed forms filled in from an equation: the numbers, what applies and why not, and the refusals."""
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from tests import oracles

WELL = ls.landscapes.double_well()
NAMES = ("ito", "stratonovich", "klimontovich")
GROWING = {"kramers", "laplace", "power_law", "power_law_published"}


def applying(predictions: dict[str, ls.Prediction]) -> set[str]:
    return {name for name, p in predictions.items() if p.applies}


def same(one: dict[str, ls.Prediction], other: dict[str, ls.Prediction], rel: float = 1e-9) -> bool:
    pairs = zip(one.values(), other.values(), strict=True)
    return list(one) == list(other) and all(p.log_value == pytest.approx(q.log_value, rel=rel) and p.applies == q.applies for p, q in pairs)


# ---------------------------------------------------------------------------------- against exact times, form by form

# oracle, minimum, saddle, exact time over listed (2 where the listed one ends at the saddle), forms that apply
STILL = {"kramers", "kramers_next_order", "laplace"}
SHARP, FLAT = (f"sharpflat-D{{}}-{way}" for way in ("sharp2flat", "flat2sharp"))
TOP = -0.229083002941
CASES = [
    *[(f"quartic-D{d:g}-to-1", -1.0, 0.0, 1, STILL) for d in (0.05, 0.025, 0.0125, 0.01, 0.0095, 0.00625)],
    *[(f"quartic-D{d:g}-to-0", -1.0, 0.0, 2, STILL) for d in (0.025, 0.005)],
    ("quartic-D0.1-to-1", -1.0, 0.0, 1, set()),
    *[(SHARP.format(d), -1.0, TOP, 1, STILL) for d in (0.02, 0.01, 0.005)],
    *[(FLAT.format(d), 1.0, TOP, 1, STILL) for d in (0.02, 0.01, 0.005)],
    ("sharpflat-D0.05-sharp2flat", -1.0, TOP, 1, set()),
    ("tilted-washboard-period", math.pi / 6, 5 * math.pi / 6, 1, set()),
    *[(f"mult-half-T{t:g}-{name}", -1.0, 0.0, 1, {"laplace"}) for t in (0.025, 0.0125) for name in NAMES],
    *[(f"mult1-D{d:g}-{name}", -1.0, 0.0, 2, {"laplace"}) for d in (0.02, 0.006) for name in NAMES],
    *[(f"mult4-D0.05-{name}", -1.0, 0.0, 2, set()) for name in NAMES],
    ("lossnoise-D0.5-s0.1", -1.0, 0.0, 2, set()),
    ("lossnoise-D0.2-s0.05", -1.0, 0.0, 2, {"laplace", "power_law"}),
    *[(f"xie-{pair}-{name}", 0.0, oracles.BY_ID[f"xie-{pair}-ito"]["parameters"]["kinks"][1], 1,
       {"laplace"} | ({"xie"} if name == "klimontovich" else set())) for pair in ("2-1", "1-3", "4-1") for name in NAMES],
    *[(f"lossC-k{kappa}-{name}", 0.0, 2.0, 1, {"laplace", "power_law"} | ({"power_law_published"} if name == "klimontovich" else set())
       | ({"log_loss"} if (kappa, name) == ("10-sg0.5", "ito") else set()))            # σ_H = H² there
      for kappa in ("5-sg1", "5-sg0.1", "10-sg0.5", "20-sg1", "3-sg0.1") for name in NAMES],
    ("lossC-k1.5-sg0.1-ito", 0.0, 2.0, 1, {"power_law"}),
    ("lossC-k1.5-sg0.1-klimontovich", 0.0, 2.0, 1, {"power_law", "power_law_published"}),
    *[(f"{kind}-{case}-{name}", 0.0, 2.0, 1, {"laplace"} | ({"mirrored"} if kind == "mirroredC" else set()))
      for kind in ("centredC", "mirroredC") for case in ("k5-sg1", "k10-sg0.5") for name in ("ito", "klimontovich")],
]


@pytest.mark.parametrize(("name", "minimum", "saddle", "factor", "expected"), CASES, ids=[c[0] for c in CASES])
def test_what_applies_is_as_right_as_it_says(name, minimum, saddle, factor, expected):
    entry = oracles.BY_ID[name]
    predictions = ls.predict(oracles.equation(entry), minimum, saddle)
    assert applying(predictions) == expected
    for form in expected:
        p = predictions[form]
        assert abs(p.value / (factor * entry["value"]) - 1) < 3 * p.expected_error < 0.75


def test_kramers_and_laplace_of_a_smooth_well_expect_nearly_the_error_that_they_make():
    for name, minimum, saddle, factor, expected in CASES:
        if "kramers" in expected:
            kramers = ls.predict(oracles.equation(oracles.BY_ID[name]), minimum, saddle)["kramers"]
            assert 0.75 < abs(kramers.value / (factor * oracles.BY_ID[name]["value"]) - 1) / kramers.expected_error < 1.25


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("problem, saddle_only", [("mult1-D0.006", 2), ("mult-half-T0.0125", 1)])
def test_laplace_at_low_noise_makes_the_error_of_its_next_order(problem, saddle_only, name):
    entry = oracles.BY_ID[f"{problem}-{name}"]
    laplace = ls.predict(oracles.equation(entry), -1.0, 0.0)["laplace"]
    assert saddle_only * entry["value"] / laplace.value - 1 == pytest.approx(laplace.expected_error, rel=0.06)


@pytest.mark.parametrize("name", NAMES)
def test_power_law_of_an_equation_is_the_formula(name):
    entry = oracles.BY_ID[f"tau-alpha-formula-k5-{name}"]
    well = ls.landscapes.piecewise_quadratic()
    sde = ls.sgd(well, ls.noise.LossProportional(well, coefficient=4.0, floor=0.25), learning_rate=0.1, interpretation=name)
    power_law = ls.predict(sde, 0.0, 2.0)["power_law"]
    assert power_law.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-8))
    without_landscape = ls.predict(oracles.equation(oracles.BY_ID[f"lossC-k5-sg1-{name}"]), 0.0, 2.0)
    assert without_landscape["power_law"].log_value == pytest.approx(power_law.log_value, rel=1e-9)


def test_predictions_are_the_closed_forms_of_the_numbers_of_the_equation():
    sde = ls.sgd(WELL, ls.noise.Expression("1 + x**2/2"), learning_rate=0.05)
    predictions = ls.predict(sde, -1.0, 0.0)
    kramers = ls.theory.kramers_time(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, diffusion=0.0375)
    laplace = ls.theory.laplace_time(drift_potential_difference=(3 * math.log(1.5) - 1) / 0.025, curvature_minimum=2.0,
                                     curvature_saddle=-1.0, diffusion_minimum=0.0375, diffusion_saddle=0.025)
    power_law = ls.theory.power_law_time(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, strength=0.05, constant=1.5,
                                         quadratic=0.5)
    published = ls.theory.power_law_time_published(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, strength=0.05, constant=1.5,
                                                   quadratic=0.5)
    found = [p.log_value for p in predictions.values()]
    assert found == pytest.approx([p.log_value for p in (kramers, laplace, power_law, published)], rel=1e-9)
    assert set(predictions) == GROWING


def test_an_end_that_is_not_well_beyond_the_saddle_is_reached_sooner():
    entry = oracles.BY_ID["mirrorparab-e0.05-DL0.6-const"]
    start, saddle, end = 0.0, entry["parameters"]["kinks"][1], entry["parameters"]["upper"]["at"]
    kramers = ls.predict(oracles.equation(entry), start, saddle)["kramers"]
    beyond = 1.788704758263569 * (end - saddle)**2 / entry["sde"]["eps"] / 3.0768840104451693
    missing = math.erfc(math.sqrt(beyond)) / 2                                # of the Gaussian about the saddle
    assert entry["value"] / kramers.value == pytest.approx(1 - missing, abs=0.005)
    assert missing > 3 * kramers.expected_error


# -------------------------------------------------------------------------------------------------- reasons, in words

def test_kramers_says_by_how_much_noise_that_changes_matters():
    predictions = ls.predict(ls.sgd(WELL, ls.noise.Expression("1 + x**2/2"), 0.05), -1.0, 0.0)
    kramers, factor = predictions["kramers"], predictions["laplace"].value / predictions["kramers"].value
    assert not kramers.applies
    assert kramers.because == ("the noise is not constant: D changes by a factor 1.5 on the way, and the time by a factor of about "
                               f"{factor:.3g}")
    assert kramers.expected_error == pytest.approx(factor - 1, rel=0.05)


def test_noise_that_hardly_changes_counts_as_constant_and_adds_to_the_error():
    still = ls.predict(ls.sgd(WELL, ls.noise.Constant(1.0), 0.05), -1.0, 0.0)["kramers"]
    nearly = ls.predict(ls.sgd(WELL, ls.noise.Expression("1 + 0.001*(x + 1)**2"), 0.05), -1.0, 0.0)["kramers"]
    assert still.applies and nearly.applies
    assert still.expected_error < nearly.expected_error < still.expected_error + 0.01
    assert nearly.because.endswith(f"what is left out is about {100 * nearly.expected_error:.2g} %")


def test_noise_centred_at_the_minimum_is_no_function_of_the_loss():
    well = ls.landscapes.piecewise_quadratic()
    for name in NAMES:
        predictions = ls.predict(ls.sgd(well, ls.noise.Quadratic(1.0, quadratic=2.0), 0.1, interpretation=name), 0.0, 2.0)
        for form in ("power_law", "power_law_published"):
            assert not predictions[form].applies
            assert predictions[form].because.startswith(
                "the noise is not a function of the loss: it departs from C_m (1 + u (L − L_m) / ΔL) by 80 %; "
                "the exponent ∫ L'/D is 7.796, not κ ln(1 + u) = 8.047")


def test_published_formula_over_exact_for_noise_centred_at_the_minimum_is_the_listed_ratio():
    for name, listed in (("ito", 0.234), ("klimontovich", 1.84)):
        entry = oracles.BY_ID[f"centredC-k5-sg1-{name}"]
        published = ls.predict(oracles.equation(entry), 0.0, 2.0)["power_law_published"]
        assert published.value / entry["value"] == pytest.approx(listed, rel=3e-3)


def test_noise_that_is_mirrored_has_twice_the_exponent():
    sde = oracles.equation(oracles.BY_ID["mirroredC-k10-sg0.5-ito"])
    power_law = ls.predict(sde, 0.0, 2.0)["power_law"]
    exponent = float(re.search(r"the exponent ∫ L'/D is ([\d.]+)", power_law.because).group(1))
    assert exponent == pytest.approx(2 * 10 * math.log(3), rel=1e-3)               # v = 2
    assert not power_law.applies


def test_noise_with_a_linear_part_is_no_function_of_the_loss():
    well = ls.landscapes.piecewise_quadratic()
    sde = ls.sgd(well, ls.noise.Quadratic(1.0, linear=0.6, quadratic=2.0), 0.1)
    assert not ls.predict(sde, 0.0, 2.0)["power_law"].applies


def test_a_small_departure_from_the_loss_is_in_the_expected_error():
    def power_law(bump):
        return ls.predict(ls.SDE("where(x < 1, -x, x - 2)", ls.noise.Expression(
            f"(1 + 4*where(x < 1, x**2/2, 1 - (x - 2)**2/2))*(1 + {bump}*exp(-20*(x - 1)**2))"), 0.1), 0.0, 2.0)["power_law"]
    assert power_law(0.009).applies
    assert not power_law(0.02).applies
    assert power_law(0.009).expected_error > power_law(0.0).expected_error + 0.005


def test_an_error_that_the_noise_makes_too_large_is_named():
    cold = ls.SDE("where(x < 1, -x, x - 2)", ls.noise.Expression(
        "(1 + 4*where(x < 1, x**2/2, 1 - (x - 2)**2/2))*(1 + 0.009*exp(-(x - 1)**2))"), 0.001)
    power_law = ls.predict(cold, 0.0, 2.0)["power_law"]
    assert not power_law.applies
    assert re.fullmatch(r"what is left out is about .* %, .* % of it for the noise", power_law.because)


@pytest.mark.parametrize("loss, minimum, saddle, where", [
    ("-abs(x) + x**2/2", -1.0, 0.0, "saddle"),                                     # a corner on top
    ("abs(x + 1) + where(x < -0.5, 0, -2*(x + 0.5)**2)", -1.0, -0.25, "minimum"),   # a corner at the bottom
    ("where(x < 0, -x**2, -3*x**2)/2 + x**4/4", -1.0, 0.0, "saddle"),              # a jump of the curvature
    ("x**4 - x**6", 0.0, math.sqrt(2 / 3), "minimum"),                             # a flat minimum
])
def test_where_there_is_no_parabola_no_form_has_a_number(loss, minimum, saddle, where):
    for p in ls.predict(ls.langevin(ls.Landscape(loss), 0.01), minimum, saddle).values():
        assert math.isnan(p.value)
        assert not p.applies
        assert p.expected_error is None
        assert p.because.startswith(f"at the {where} L is not quadratic (a corner, a jump of its curvature, or a flat extremum)")


@pytest.mark.parametrize("noise, where", [("1 + 0.2*abs(x)", "saddle"), ("1 + 0.5*sign(x)", "saddle"), ("where(x > 0, 2, 1)", "saddle"),
                                          ("1 + 0.2*abs(x + 1)", "minimum")])
def test_laplace_needs_smooth_noise_at_both_points(noise, where):
    laplace = ls.predict(ls.sgd(WELL, ls.noise.Expression(noise), 0.05), -1.0, 0.0)["laplace"]
    assert not laplace.applies
    assert laplace.because == f"at the {where} D has a jump or a kink"
    assert math.isfinite(laplace.log_value)


def test_derivatives_are_not_taken_across_a_kink_near_by():
    for kink in ("0.993", "0.997"):
        flat_at_the_minimum = ls.noise.Expression(f"1 + max(x + {kink}, 0)")
        assert set(ls.predict(ls.sgd(WELL, flat_at_the_minimum, 0.05), -1.0, 0.0)) == {"kramers", "laplace"}


def test_strongly_curved_noise_is_not_taken_for_a_kink():
    noise = ls.noise.Expression("1 + 200*x**2")
    assert "kink" not in ls.predict(ls.sgd(ls.landscapes.piecewise_quadratic(), noise, 0.001), 0.0, 2.0)["laplace"].because


# -------------------------------------------------------------------------------- the same process, written otherwise

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", NAMES)
def test_rewriting_the_equation_changes_no_prediction(name, other):
    sde = ls.sgd(WELL, ls.noise.LossProportional(WELL, 4.0, 0.25), 0.05, interpretation=name)
    assert same(ls.predict(sde.in_interpretation(other), -1.0, 0.0), ls.predict(sde, -1.0, 0.0), rel=1e-13)


def test_reading_the_equation_in_another_convention_is_another_process():
    sde = ls.sgd(WELL, ls.noise.LossProportional(WELL, 4.0, 0.25), 0.05)
    ito, anti = (ls.predict(sde.replace(interpretation=name), -1.0, 0.0)["laplace"] for name in ("ito", "klimontovich"))
    assert ito.value / anti.value == pytest.approx(2.0)                              # D_s / D_m


def test_an_alpha_beyond_the_names_is_used_as_it_is():
    once = ls.sgd(WELL, ls.noise.LossProportional(WELL, 4.0, 0.25), 0.05, interpretation="stratonovich").in_interpretation("ito")
    twice = once.replace(interpretation="klimontovich")                           # f plus half a correction, read as Klimontovich
    assert twice.effective_alpha == 1.5
    laplace, named = ls.predict(twice, -1.0, 0.0)["laplace"], ls.predict(once, -1.0, 0.0)["laplace"]
    assert laplace.log_value == pytest.approx(named.log_value - math.log(2.0))
    assert "α = 1.5" in laplace.because


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.floats(-5, 5), st.booleans(), st.floats(0.2, 5.0))
def test_moving_mirroring_and_stretching_the_line_changes_no_prediction(shift, mirrored, scale):
    sign = -1 if mirrored else 1
    z = f"({sign}*(x - ({shift!r}))/{scale!r})"
    moved = ls.SDE(f"{sign}*{scale!r}*({z} - {z}**3)", ls.noise.Expression(f"{scale!r}**2*(1 + {z}**2/2)"), 0.05)
    plain = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2/2"), 0.05)
    assert same(ls.predict(moved, shift - sign * scale, shift), ls.predict(plain, -1.0, 0.0), rel=1e-7)


def test_functions_give_the_predictions_of_expressions():
    def value(x):
        return (x * x - 1)**2 / 4

    def gradient(x):
        return x**3 - x

    def hessian(x):
        return 3 * x * x - 1

    def factor(x):
        return (1 + x * x / 2)**0.5
    functions = ls.sgd(ls.Landscape.from_functions(value, gradient, hessian), ls.noise.from_functions(factor), 0.05)
    assert functions.diffusion(0.0) == 0.025
    expressions = ls.sgd(WELL, ls.noise.Expression("1 + x**2/2"), 0.05)
    assert same(ls.predict(functions, -1.0, 0.0), ls.predict(expressions, -1.0, 0.0))


# ------------------------------------------------------------------------------------------------------- points given

def test_points_are_refined_and_may_be_critical_points():
    sde = ls.langevin(WELL, 0.02)
    left, _, top = WELL.critical_points()
    assert same(ls.predict(sde, left, top), ls.predict(sde, -1.0, 0.0))
    assert same(ls.predict(sde, -1.0004, 0.0004), ls.predict(sde, -1.0, 0.0))


@pytest.mark.parametrize("minimum, saddle, message", [
    (-0.9, 0.0, "`minimum` is -0.9, but the drift has no minimum there; the nearest minimum is at -1."),
    (-1.0, 0.1, "`saddle` is 0.1, but the drift has no saddle there; the nearest saddle is at 0."),
    (0.0, -1.0, "`minimum` is 0, but the drift has no minimum there; the nearest minimum is at -1."),
    (-1.0, 1.0, "`saddle` is 1, but the drift has no saddle there"),
    (-1.0, -1.0, "`minimum` and `saddle` are both -1, but must be two points."),
    (math.nan, 0.0, "`minimum` holds nan"),
    ([-1.0, 0.0], 0.0, "`minimum` has shape (2,), but one state of this model is a number."),
])
def test_points_that_are_no_critical_points_are_refused_with_the_nearest(minimum, saddle, message):
    with pytest.raises(ValueError) as error:
        ls.predict(ls.langevin(WELL, 0.02), minimum, saddle)
    assert message in str(error.value)


def test_a_drift_without_a_saddle_is_refused():
    with pytest.raises(ValueError, match="there is no saddle within 1 of it"):
        ls.predict(ls.systems.ornstein_uhlenbeck(), 0.0, 1.0)


def test_only_the_next_saddle_is_taken():
    washboard = ls.langevin(ls.landscapes.tilted_cosine(0.0), 0.1)
    assert "kramers" in ls.predict(washboard, 0.0, math.pi)
    with pytest.raises(ValueError, match=r"between `minimum` 0 and `saddle` 9.42478 lies a saddle at 3.14159"):
        ls.predict(washboard, 0.0, 3 * math.pi)


def test_equations_that_no_closed_form_knows_are_refused():
    with pytest.raises(ValueError, match="`sde` depends on the time t"):
        ls.predict(ls.SDE("x - x**3 + 0.1*sin(t)", ls.noise.Constant(1.0), 0.05), -1.0, 0.0)
    with pytest.raises(ValueError, match="`sde` is Landscape"):
        ls.predict(WELL, -1.0, 0.0)
    with pytest.raises(ValueError, match=r"D is 0 at -0.5, between `minimum` and `saddle`, but must be positive there"):
        ls.predict(ls.sgd(WELL, ls.noise.Expression("(x + 0.5)**2"), 0.05), -1.0, 0.0)


def test_an_integral_that_misses_its_tolerance_carries_its_value():
    ragged = ls.noise.Expression("1.0001 + sin(1e6*x)")
    with pytest.raises(ArithmeticError, match=r"the integral from `minimum` to `saddle` is [\d.]+ with an error of"):
        ls.predict(ls.sgd(WELL, ragged, 0.05), -1.0, 0.0)


# ------------------------------------------------------------------------------------------- more than one dimension

SEPARABLE = ls.Landscape("(x**2 - 1)**2/4 + (y - 1)**2")
BENT = ls.Landscape("(x**2 - 1)**2/4 + (y - x**2/2)**2")                           # curvatures as in SEPARABLE at the saddle


@pytest.mark.parametrize("name", ["klimontovich", "stratonovich"])
@pytest.mark.parametrize("rewritten", [False, True])
def test_an_axis_that_is_an_equation_by_itself_is_one_dimensional(name, rewritten):
    plane = ls.sgd(SEPARABLE, ls.noise.Expression(["1 + x**2/2", "2 + y**2"]), 0.05, interpretation=name)
    line = ls.sgd(WELL, ls.noise.Expression("1 + x**2/2"), 0.05, interpretation=name)
    found = ls.predict(plane.in_interpretation("ito") if rewritten else plane, [-1.0, 1.0], [0.0, 1.0])
    assert same(found, ls.predict(line, -1.0, 0.0))
    assert all(p.because.startswith("in component x, which is an equation by itself: ") for p in found.values())


@pytest.mark.parametrize("kappa, constant", [(5, 1.0), (10, 0.5), (20, 1.0)])
@pytest.mark.parametrize("name", ["ito", "klimontovich"])
def test_power_law_in_the_plane(kappa, constant, name):
    landscape = ls.Landscape("where(x < 1, x**2/2, 1 - (x - 2)**2/2) + y**2/2")
    coefficient = 2 / (kappa * 0.1)
    noise = ls.noise.LossProportional(landscape, coefficient, constant / coefficient, minimum=0.0)
    predictions = ls.predict(ls.sgd(landscape, noise, 0.1, interpretation=name), [0.0, 0.0], [2.0, 0.0])
    formula, exact = oracles.BY_ID[f"tau-alpha-2d-formula-k{kappa}-{name}"], oracles.BY_ID[f"lossC2d-k{kappa}-{name}"]
    power_law = predictions["power_law"]
    assert power_law.value == pytest.approx(formula["value"], rel=oracles.tolerance(formula, 1e-7))
    assert abs(power_law.value / exact["value"] - 1) < 3 * power_law.expected_error
    assert applying(predictions) == {"power_law"} | ({"log_loss"} if (kappa, name) == (10, "ito") else set())        # C = 2 L H there
    assert "not confirmed" in predictions["power_law_published"].because


def test_power_law_over_a_saddle_that_is_not_on_an_axis():
    noise = ls.noise.LossProportional(BENT, 4.0, 0.25, minimum=0.0)
    power_law = ls.predict(ls.sgd(BENT, noise, 0.05), [-1.0, 0.5], [0.0, 0.0])["power_law"]
    at_minimum, at_saddle = [[4.0, 2.0], [2.0, 2.0]], [[-1.0, 0.0], [0.0, 2.0]]
    formula = ls.theory.power_law_time(barrier=0.25, curvature_minimum=at_minimum, curvature_saddle=at_saddle, strength=0.05,
                                       constant=1.0, quadratic=2 * np.array(at_minimum))
    assert power_law.log_value == pytest.approx(formula.log_value, rel=1e-9)
    assert power_law.applies
    assert power_law.expected_error > formula.expected_error + 0.02               # the quartic shape of the way


def test_a_small_departure_from_the_loss_in_the_plane_is_in_the_expected_error():
    loss = "(where(x < 1, x**2/2, 1 - (x - 2)**2/2) + y**2/2)"

    def power_law(bump):
        noise = ls.noise.Expression(f"(1 + 4*{loss})*(1 + {bump}*exp(-20*(x - 1)**2))")
        return ls.predict(ls.sgd(ls.Landscape(loss), noise, 0.1), [0.0, 0.0], [2.0, 0.0])["power_law"]
    assert power_law(0.0).applies and power_law(0.009).applies
    assert not power_law(0.02).applies
    most = math.expm1(0.009 * 5 * math.log(5))                                      # 0.9 % of κ ln(1 + u)
    assert power_law(0.009).expected_error == pytest.approx(power_law(0.0).expected_error + most, rel=1e-3)


def test_noise_in_the_plane_that_does_not_fit_is_named():
    def reasons(noise):
        return ls.predict(ls.sgd(BENT, noise, 0.05), [-1.0, 0.5], [0.0, 0.0])["power_law"].because
    centred = ls.noise.Quadratic(np.eye(2), quadratic=np.eye(2), center=[-1.0, 0.5])
    assert reasons(centred).startswith("the noise is not a function of the loss")
    uneven = ls.noise.LossProportional(BENT, 4.0, 0.25, matrix="hessian", minimum=0.0)
    assert reasons(uneven).startswith("the noise is not isotropic (its variances are 0.764 to 5.24 at the minimum)")


def test_constant_noise_in_the_plane_is_eyring_kramers():
    found = ls.predict(ls.langevin(BENT, 0.01), [-1.0, 0.5], [0.0, 0.0])
    assert set(found) == {"eyring_kramers"}
    h_m, h_s = BENT.hessian(np.array([-1.0, 0.5])), BENT.hessian(np.array([0.0, 0.0]))
    barrier = BENT(np.array([0.0, 0.0])) - BENT(np.array([-1.0, 0.5]))
    unstable = -np.linalg.eigvalsh(h_s)[0]
    byhand = 2 * math.pi / unstable * math.sqrt(-np.linalg.det(h_s) / np.linalg.det(h_m)) * math.exp(barrier / 0.01)
    assert found["eyring_kramers"].value == pytest.approx(byhand, rel=1e-9)
    assert found["eyring_kramers"].applies
    uneven = ls.predict(ls.sgd(BENT, ls.noise.Anisotropic([[1.0, 0.0], [0.0, 2.0]]), 0.02), [-1.0, 0.5], [0.0, 0.0])["eyring_kramers"]
    assert not uneven.applies and uneven.because.startswith("the noise is not isotropic (its variances are 1 to 2")
    fading = ls.noise.Expression([["2 - x**2", "0"], ["0", "2 - x**2"]])
    shrinking = ls.predict(ls.sgd(BENT, fading, 0.02), [-1.0, 0.5], [0.0, 0.0])
    assert not any(p.applies for p in shrinking.values())


def test_what_has_no_closed_form_here_has_no_prediction():
    turned = ls.SDE(["x - x**3 + y", "-y - (x**3 - x)"], ls.noise.Constant(1.0), 0.1)                     # no landscape, no axis
    assert ls.predict(turned, [-1.0, 0.0], [0.0, 0.0]) == {}
    turning = ls.noise.Expression([["1 + x**2", "0.1*x"], ["0.1*x", "1"]])
    assert ls.predict(ls.sgd(BENT, turning, 0.05), [-1.0, 0.5], [0.0, 0.0]) == {}                         # noise that changes its shape


@pytest.mark.parametrize("minimum, saddle, message", [
    ([-1.0, 0.4], [0.0, 0.0], "`minimum` is [-1.0, 0.4], but the landscape has no minimum there; the nearest known is the minimum at"),
    ([-1.0, 0.5], [1.0, 0.5], "`saddle` is [1.0, 0.5], but the landscape has no saddle there; the nearest known is the saddle at [0. 0.]"),
    ([-1.0, 0.5], [-1.0, 0.5], "`minimum` and `saddle` are both [-1.0, 0.5], but must be two points."),
    ([-1.0], [0.0, 0.0], "`minimum` has shape (1,), but one state of this model is 2 numbers."),
])
def test_points_in_the_plane_that_are_no_critical_points_are_refused_with_the_nearest(minimum, saddle, message):
    with pytest.raises(ValueError) as error:
        ls.predict(ls.langevin(BENT, 0.02), minimum, saddle)
    assert message in str(error.value)


def test_noise_that_is_singular_at_the_minimum_is_refused():
    with pytest.raises(ValueError, match=r"D is singular at `minimum`"):
        ls.predict(ls.sgd(BENT, ls.noise.Anisotropic([[1.0, 0.0], [0.0, 0.0]]), 0.05), [-1.0, 0.5], [0.0, 0.0])
