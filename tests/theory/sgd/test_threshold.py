"""Where Kramers' picture fails: exits of the chain through a fixed threshold, and exits by one large jump."""
import math

import mpmath
import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory import levy_exit_time, siegmund_nu, threshold_ratio
from tests import oracles

UNIT = {"slope": 1.0, "variance": 1.0, "curvature": 1.0, "learning_rate": 0.05}
LEVY = {"stability": 1.5, "scale": 0.05, "below": 1.0, "above": 1.0, "curvature": 1.0}


def test_nu_oracle():
    entry = oracles.BY_ID["siegmund-nu-2"]
    assert siegmund_nu(entry["parameters"]["x"]) == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-8))


@pytest.mark.parametrize("x", [0.3, 1.0, 5.0])
def test_nu_by_summing_the_series_in_mpmath(x):
    total = mpmath.nsum(lambda n: mpmath.ncdf(-x * mpmath.sqrt(n) / 2) / n, [1, mpmath.inf], method="direct", maxterms=6000) \
        if x > 1 else mpmath.fsum(mpmath.ncdf(-x * mpmath.sqrt(n) / 2) / n for n in range(1, 6000))
    assert siegmund_nu(x) == pytest.approx(float(2 / x**2 * mpmath.exp(-2 * total)), rel=1e-10)


def test_nu_of_small_steps_is_the_shift_of_the_boundary():
    constant = oracles.BY_ID["barrier-shift-constant"]["value"]
    assert -math.log(siegmund_nu(0.02)) / 0.02 == pytest.approx(constant, rel=2e-3)
    assert siegmund_nu(0.0) == 1
    assert siegmund_nu(0.005 - 1e-9) == pytest.approx(siegmund_nu(0.005), abs=1e-8)


@pytest.mark.parametrize("entry", [e for e in oracles.ORACLES if e["id"].startswith("nu-limit")], ids=lambda e: e["id"])
def test_threshold_oracle(entry):
    found = threshold_ratio(**UNIT | {"slope": entry["parameters"]["b"]})
    assert found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-6))
    wrong = threshold_ratio(**UNIT | {"slope": entry["parameters"]["b"], "variance": 2.0})
    assert wrong.value != pytest.approx(entry["value"], rel=0.01)


def test_the_exact_chain_approaches_the_limit_as_fast_as_is_expected():
    entries = [e for e in oracles.ORACLES if e["id"].startswith("chain-ar1-b1") and e["id"].endswith("ratio")]
    assert len(entries) == 4
    gaps = []
    for entry in entries:
        found = threshold_ratio(**UNIT | {"learning_rate": entry["parameters"]["step"]})
        gaps.append(found.value / entry["value"] - 1)
        assert found.applies
        assert found.expected_error == pytest.approx(gaps[-1], rel=0.25)
    assert gaps == sorted(gaps, reverse=True)


def test_through_a_saddle_the_ratio_is_one():
    assert threshold_ratio(**UNIT | {"slope": 0.0}).value == 1
    exact = oracles.BY_ID["chain-quartic-eta0.04-ratio"]["value"]
    assert abs(exact - 1) < 0.02 < threshold_ratio(**UNIT).value - 1


@pytest.mark.parametrize(("learning_rate", "slope"), [(0.0125, 0.3), (0.01, 0.2), (0.05, 0.5), (0.2, 2.0)])
def test_what_is_left_out_against_the_exact_chain(learning_rate, slope):
    """Thresholds near the minimum, where η L'' / 2 is 3.5 to 7 times too small, and one far from it, where it is enough."""
    sde, end = ls.SDE("-x", ls.noise.Constant(1.0), learning_rate), ls.Interval(high=slope)
    exact, equation = (tau.log_value for tau in (ls.Chain(sde, learning_rate).mean_passage_time(0.0, end),
                                                 ls.exact.mean_passage_time(sde, 0.0, end)))
    found = threshold_ratio(**UNIT | {"slope": slope, "learning_rate": learning_rate})
    gap = found.value / math.exp(exact - equation) - 1
    assert found.applies
    assert 0.5 * found.expected_error < gap < 1.25 * found.expected_error
    assert (gap > 2 * learning_rate / 2) == (slope < 1)


def test_the_limit_does_not_apply_at_large_learning_rates():
    assert not threshold_ratio(**UNIT | {"learning_rate": 0.6}).applies
    assert not threshold_ratio(**UNIT | {"slope": 0.0, "learning_rate": 0.6}).applies


def test_the_limit_does_not_apply_to_low_barriers():
    """At barrier over noise 0.2 it is 20 % off."""
    low, high = (threshold_ratio(**UNIT | {"slope": slope, "learning_rate": 0.002}) for slope in (0.089, 0.09))
    assert high.applies and not low.applies and low.because.endswith("over noise = 3.96, but must be at least 4")
    assert not threshold_ratio(**UNIT | {"slope": 0.1}).applies


# ----------------------------------------------------------------------------------------------------------- Lévy noise

@pytest.mark.parametrize("entry", [e for e in oracles.ORACLES if e["id"].startswith("levy-")], ids=lambda e: e["id"])
def test_levy_oracle(entry):
    p = entry["parameters"]
    found = levy_exit_time(stability=p["alpha"], scale=p["scale"], below=p["b1"], above=p["b2"], curvature=1.0)
    assert found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-6))
    assert levy_exit_time(stability=p["alpha"], scale=2 * p["scale"], below=1.0, above=1.0, curvature=1.0).value < entry["value"] / 2


# time by simulation, with its standard error, over the formula (`theory`, 7.7)
@pytest.mark.parametrize(("stability", "scale", "found", "error"), [(1.2, 0.05, 65.7, 1.8), (1.5, 0.025, 611, 15), (1.8, 0.1, None, 0.01)])
def test_levy_is_as_far_from_simulation_as_is_expected(stability, scale, found, error):
    prediction = levy_exit_time(stability=stability, scale=scale, below=1.0, above=1.0, curvature=1.0)
    gap, spread = (found / prediction.value - 1, error / prediction.value) if found else (0.926 - 1, error)
    assert prediction.applies
    assert abs(gap) < prediction.expected_error + 3 * spread


def test_levy_knows_the_width_only_and_the_rates_of_both_ends_add():
    both, left, right = (levy_exit_time(**LEVY | ends) for ends in ({}, {"above": math.inf}, {"below": math.inf}))
    assert 1 / both.value == pytest.approx(1 / left.value + 1 / right.value, rel=1e-12)
    wide = levy_exit_time(**LEVY | {"below": 2.0, "above": 2.0})
    assert wide.value / both.value == pytest.approx(2**1.5, rel=1e-12)
    assert levy_exit_time(**LEVY | {"curvature": 5.0}).value == both.value


def test_the_jumps_of_a_cauchy_process():
    """A = 1 is Cauchy, whose density 1 / (π (1 + x²)) has the tail 1 / (π x): exits beyond b at the rate e / (π b) on each side."""
    found = levy_exit_time(**LEVY | {"stability": 1.0, "above": math.inf, "below": 2.0})
    assert 1 / found.value == pytest.approx(0.05 / (math.pi * 2.0), rel=1e-12)


def test_levy_does_not_apply_to_large_noise():
    near = levy_exit_time(**LEVY | {"scale": 1.0})
    assert not near.applies
    assert near.because.startswith("time × U'' = 2.51, but must be at least 4")
    nearly_gaussian = levy_exit_time(**LEVY | {"stability": 1.999, "scale": 0.3})
    assert not nearly_gaussian.applies
    assert "what is left out" in nearly_gaussian.because


@pytest.mark.parametrize(("function", "good", "bad", "message"), [
    (threshold_ratio, UNIT, {"slope": -1.0}, "`slope` is -1"),
    (threshold_ratio, UNIT, {"variance": 0.0}, "`variance` is 0"),
    (levy_exit_time, LEVY, {"stability": 2.0}, "`stability` is 2, but must be below 2"),
    (levy_exit_time, LEVY, {"below": math.inf, "above": math.inf}, "`below` and `above` are both infinite"),
    (levy_exit_time, LEVY, {"below": -1.0}, "`below` is -1"),
    (levy_exit_time, LEVY, {"scale": np.nan}, "`scale` is nan"),
])
def test_a_bad_argument_is_named(function, good, bad, message):
    function(**good)
    with pytest.raises(ValueError) as error:
        function(**{**good, **bad})
    assert message in str(error.value)
