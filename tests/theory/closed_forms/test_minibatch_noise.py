"""Escape under other models of minibatch noise: oracles, the exact value where it can be computed, and each formula outside its model."""
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.theory import log_loss_time, mirrored_time, power_law_time, power_law_time_published, xie_time
from tests import oracles

NAMES = ("ito", "stratonovich", "klimontovich")
each = settings(max_examples=60, deadline=None)
MORI = {"loss_minimum": 0.5, "loss_saddle": 2.5, "curvature_minimum": 1.0, "curvature_saddle": -1.0, "strength": 0.2}
XIE = {"barrier": 0.4, "curvature_minimum": 2.0, "curvature_saddle": -1.0, "strength": 0.05}
MIRROR = {"barrier": 1.0, "curvature": 1.0, "strength": 0.1, "constant": 1.0, "quadratic": 2.0}


def exact(name):
    return oracles.BY_ID[name]["value"]


# ------------------------------------------------------------------------------------------------------------- log loss

def test_log_loss_has_the_value_of_its_formula_and_is_near_the_exact_time():
    entry = oracles.BY_ID["mori-rate-1d"]                       # σ_g = 2 L_m h = 1 and σ_H = h² = 2 at ε = 0.1, so h ε = 1/κ = 0.2
    p = entry["parameters"]
    h = math.sqrt(2)
    found = log_loss_time(loss_minimum=1 / (2 * h), loss_saddle=p["ratio"] / (2 * h), curvature_minimum=h, curvature_saddle=-h,
                          strength=1 / (p["kappa"] * h), outliers=p["n"])
    assert h * found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-7))      # in units of 1 / h
    assert found.applies
    assert abs(h * found.value / exact("lossC-k5-sg1-ito") - 1) < found.expected_error
    assert h * found.value * (1 + 0.1) != pytest.approx(entry["value"], rel=0.05)                    # as published, without the factor


def test_log_loss_is_near_the_exact_time_of_its_equation_and_approaches_it():
    loss = ls.Landscape("where(x < 1, x**2/2, 1 - (x - 2)**2/2) + 1/4")
    gaps = []
    for strength in (0.25, 0.1):
        sde = ls.sgd(loss, ls.noise.LossProportional(loss, coefficient=2.0, floor=0.25), learning_rate=strength)
        found = log_loss_time(loss_minimum=0.25, loss_saddle=1.25, curvature_minimum=1.0, curvature_saddle=-1.0, strength=strength)
        true = ls.exact.mean_passage_time(sde, 0.0, ls.Interval(high=3.0)).value
        gaps.append(abs(found.value / true - 1))
        assert found.applies
        assert gaps[-1] < found.expected_error
    assert gaps[1] < gaps[0] / 3


@each
@given(st.integers(1, 6), st.floats(0.02, 0.3), st.floats(1.5, 20.0))
def test_each_outlier_costs_half_a_power(n, strength, growth):
    numbers = MORI | {"strength": strength, "loss_saddle": 0.5 * growth}
    one, many = log_loss_time(**numbers), log_loss_time(**numbers, outliers=n)
    if 1 / strength + 1 > n / 2:
        assert many.log_value == pytest.approx(one.log_value - (n - 1) / 2 * math.log(growth), abs=1e-9)
    general = power_law_time(barrier=0.5 * (growth - 1), curvature_minimum=[1.0] * n, curvature_saddle=[-1.0] + [1.0] * (n - 1),
                             strength=strength, constant=1.0, quadratic=[1.0] * n)
    assert many.log_value == pytest.approx(general.log_value, abs=1e-9)


def test_log_loss_outside_its_regime():
    uneven = log_loss_time(**MORI | {"curvature_saddle": -3.0})
    assert not uneven.applies and uneven.because.startswith("|h_s| / h = 3: the curvatures must be about equal")
    fat = log_loss_time(**MORI, outliers=12)
    assert (fat.value, fat.applies) == (math.inf, False)
    assert "κ + 1 = 6 must exceed n / 2 = 6" in fat.because
    low = log_loss_time(**MORI | {"loss_saddle": 0.6})
    assert not low.applies


# ------------------------------------------------------------------------------------------------------------------ Xie

@pytest.mark.parametrize("name", ["2-1", "1-3", "4-1"])
def test_xie_has_the_value_of_its_formula_and_is_the_klimontovich_time(name):
    entry = oracles.BY_ID[f"xie-{name}-formula"]
    p = entry["parameters"]
    numbers = {"barrier": p["DL"], "curvature_minimum": p["Ha"], "curvature_saddle": -p["Hb"], "strength": entry["sde"]["eps"]}
    found = xie_time(**numbers, interpretation="klimontovich")
    assert found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-8))
    assert found.applies
    assert abs(found.value / exact(f"xie-{name}-klimontovich") - 1) < found.expected_error
    for other in ("ito", "stratonovich"):
        wrong = xie_time(**numbers, interpretation=other)
        assert wrong.value == found.value
        assert not wrong.applies
        lacking = (p["Hb"] / p["Ha"]) ** (1 if other == "ito" else 0.5)
        assert exact(f"xie-{name}-{other}") / wrong.value == pytest.approx(lacking, rel=0.06)
        assert f"the true time is {lacking:.3g} times as long" in wrong.because


def test_xie_approaches_the_exact_time_as_the_noise_vanishes():
    gaps = []
    for strength in (0.05, 0.03):
        noise = ls.noise.Expression("where(x < a, 2, 1)")
        sde = ls.SDE("where(x < a, -2*x, x - 3*a)", noise, strength, "klimontovich", a=0.3651483716701107)
        true = ls.exact.mean_passage_time(sde, 0.0, ls.Interval(high=2.9211869733608857)).log_value
        gaps.append(abs(xie_time(**XIE | {"strength": strength}).log_value - true))
    assert gaps[1] < gaps[0] / 5 < 0.001


def test_xie_with_equal_curvatures_is_the_same_in_every_interpretation():
    for name in NAMES:
        assert xie_time(**XIE | {"curvature_minimum": 1.0}, interpretation=name).applies
    assert xie_time(**XIE, share=0.9).value < xie_time(**XIE).value
    assert not xie_time(**XIE | {"strength": 0.5}, interpretation="klimontovich").applies


# ------------------------------------------------------------------------------------------------------------- mirrored

def test_mirrored_has_the_value_of_its_formula():
    entry = oracles.BY_ID["mirroredC-formula-k5"]
    assert mirrored_time(**MIRROR).value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-7))


@pytest.mark.parametrize(("kappa", "constant"), [(5, 1.0), (10, 0.5), (20, 1.0), (5, 0.1)])
@pytest.mark.parametrize("name", ["ito", "klimontovich"])
def test_mirrored_is_near_the_exact_time_and_the_published_power_law_far_from_it(kappa, constant, name):
    entry = oracles.BY_ID[f"mirroredC-k{kappa}-sg{constant:g}-{name}"]
    true = entry["value"]
    found = mirrored_time(**MIRROR | {"constant": constant, "quadratic": 10 / kappa}, interpretation=name)
    assert found.applies
    assert abs(found.value / true - 1) < found.expected_error + oracles.tolerance(entry, 0.0)
    assert abs(found.value / true - 1) < 2e-4
    published = power_law_time_published(barrier=1.0, curvature_minimum=1.0, curvature_saddle=-1.0, strength=0.1, constant=constant,
                                         quadratic=10 / kappa, interpretation=name)
    assert published.value / true < 0.07
    assert mirrored_time(**MIRROR | {"constant": constant, "quadratic": 10 / kappa, "strength": 0.2}).value < true / 10


@each
@given(st.floats(1.0, 30.0), st.floats(0.1, 5.0), st.floats(0.0, 0.5))
def test_mirrored_does_not_tell_an_interpretation_from_its_mirror_image(kappa, constant, alpha):
    numbers = MIRROR | {"constant": constant, "quadratic": 10 / kappa}
    one, other = (mirrored_time(**numbers, interpretation=a).log_value for a in (alpha, 1 - alpha))
    assert one == pytest.approx(other, abs=1e-9)


def test_mirrored_outside_its_regime():
    fat = mirrored_time(**MIRROR | {"quadratic": 25.0})
    assert (fat.value, fat.applies) == (math.inf, False)
    assert fat.because.startswith("κ = 0.4 must exceed |α − 1/2| = 0.5")
    assert not mirrored_time(**MIRROR | {"barrier": 0.1}).applies


@pytest.mark.parametrize(("function", "good", "bad", "message"), [
    (log_loss_time, MORI, {"loss_saddle": 0.4}, "`loss_saddle` is 0.4, but must be above `loss_minimum` = 0.5"),
    (log_loss_time, MORI, {"loss_minimum": 0.0}, "`loss_minimum` is 0, but must be positive"),
    (log_loss_time, MORI, {"outliers": 1.5}, "`outliers` is 1.5"),
    (xie_time, XIE, {"share": 1.0}, "`share` is 1"),
    (xie_time, XIE, {"curvature_saddle": 1.0}, "`curvature_saddle` is 1, but must be negative"),
    (mirrored_time, MIRROR, {"interpretation": "anti"}, "`interpretation` is 'anti'"),
    (mirrored_time, MIRROR, {"constant": -1.0}, "`constant` is -1"),
])
def test_a_bad_argument_is_named(function, good, bad, message):
    function(**good)
    with pytest.raises(ValueError) as error:
        function(**{**good, **bad})
    assert message in str(error.value)
