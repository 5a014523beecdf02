"""Answers print themselves, with everything that decides what they mean."""
import dataclasses
import math
import pickle

import pytest

from langevin_sgd import Estimate, Prediction
from langevin_sgd.models.interpretation import Interpretation

MEASURED = Estimate(value=68.31, low=66.27, high=70.46, confidence=0.95, method="sample mean", n_events=3998, n_paths=4000,
                    interpretation=Interpretation.ITO, dt=0.001)
EXACT = Estimate(value=30.8213024727, low=30.8213024696, high=30.8213024758, confidence=1.0, method="exact")
HUGE = dataclasses.replace(EXACT, value=math.inf, low=math.inf, high=math.inf, log_value=1000.0)
BOUND = dataclasses.replace(MEASURED, value=math.inf, low=1234.5, high=math.inf, n_events=0, log_value=math.nan,
                            verdict="no exits: a lower bound")


@pytest.mark.parametrize(("estimate", "text"), [
    (MEASURED, "68.31 [66.27, 70.46] (95 %, 3998 of 4000 exited, Itô, dt = 0.001)"),
    (dataclasses.replace(MEASURED, method="exponential", n_diverged=2),
     "68.31 [66.27, 70.46] (95 %, 3998 of 4000 exited, 2 diverged and left out, exponential, Itô, dt = 0.001)"),
    (dataclasses.replace(MEASURED, confidence=0.999, n_events=None, dt=None, interpretation=Interpretation.KLIMONTOVICH),
     "68.31 [66.27, 70.46] (99.9 %, Klimontovich)"),
    (dataclasses.replace(MEASURED, verdict="not exponential"),
     "68.31 [66.27, 70.46] (95 %, 3998 of 4000 exited, Itô, dt = 0.001; not exponential)"),
    (dataclasses.replace(MEASURED, value=43210.7, low=12345.6, high=1.23456e7),
     "43211 [12346, 1.235e+07] (95 %, 3998 of 4000 exited, Itô, dt = 0.001)"),
    (BOUND, "above 1234 (95 %, 0 of 4000 exited, Itô, dt = 0.001; no exits: a lower bound)"), (EXACT, "30.8213024727 ± 3.1e-09 (exact)"),
    (dataclasses.replace(EXACT, interpretation=Interpretation.STRATONOVICH, method="exact, zero at low"),
     "30.8213024727 ± 3.1e-09 (exact, zero at low, Stratonovich)"),
    (HUGE, "1.970071e+434 (exact)"), (dataclasses.replace(HUGE, log_value=math.inf), "inf (exact)"),
])
def test_an_estimate_prints_number_interval_and_origin(estimate, text):
    assert str(estimate) == repr(estimate) == text


def test_an_estimate_is_a_number():
    assert float(MEASURED) == 68.31
    assert MEASURED.is_exact is False
    assert EXACT.is_exact is True
    assert MEASURED.relative_error == pytest.approx((70.46 - 66.27) / 2 / 68.31, rel=1e-15)
    assert math.isnan(BOUND.relative_error)
    assert pickle.loads(pickle.dumps(MEASURED)) == MEASURED


@pytest.mark.parametrize(("value", "log_value"),
                         [(68.31, math.log(68.31)), (0.0, -math.inf), (math.inf, math.inf), (1e-300, math.log(1e-300))])
def test_the_logarithm_is_taken_from_the_value_unless_it_is_given(value, log_value):
    assert dataclasses.replace(MEASURED, value=value, log_value=math.nan).log_value == log_value
    assert HUGE.log_value == 1000.0
    assert math.isnan(dataclasses.replace(MEASURED, value=-1.0, log_value=math.nan).log_value)


def test_iterations_are_time_over_learning_rate():
    counted = MEASURED.in_iterations(0.05)
    assert (counted.value, counted.low, counted.high) == (68.31 / 0.05, 66.27 / 0.05, 70.46 / 0.05)
    assert counted.log_value == pytest.approx(math.log(68.31 / 0.05), rel=1e-15)
    assert (counted.clock, counted.n_events, counted.relative_error) == ("iterations", 3998,
                                                                         pytest.approx(MEASURED.relative_error, rel=1e-14))
    assert str(counted) == "1366 [1325, 1409] (95 %, 3998 of 4000 exited, Itô, dt = 0.001, iterations)"
    assert HUGE.in_iterations(0.1).log_value == pytest.approx(1000 + math.log(10), rel=1e-15)
    assert BOUND.in_iterations(0.1).low == 12345.0
    with pytest.raises(ValueError, match="this estimate counts iterations already"):
        counted.in_iterations(0.05)
    for rate in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="`learning_rate` is"):
            MEASURED.in_iterations(rate)


KRAMERS = Prediction(name="Kramers", log_value=math.log(659.4), applies=True, because="barrier / D = 5", source="Kramers (1940)")


@pytest.mark.parametrize(("prediction", "text"), [
    (KRAMERS, "659.4 (Kramers): applies, barrier / D = 5"),
    (dataclasses.replace(KRAMERS, applies=False, because="barrier / D = 0.5 is not large"),
     "659.4 (Kramers): does not apply, barrier / D = 0.5 is not large"),
    (dataclasses.replace(KRAMERS, log_value=1000.0), "1.970e+434 (Kramers): applies, barrier / D = 5"),
    (dataclasses.replace(KRAMERS, log_value=math.nan), "nan (Kramers): applies, barrier / D = 5"),
    (dataclasses.replace(KRAMERS, log_value=-math.inf), "0 (Kramers): applies, barrier / D = 5"),
    (dataclasses.replace(KRAMERS, log_value=math.log(43210.7)), "43211 (Kramers): applies, barrier / D = 5"),
])
def test_a_prediction_prints_its_number_and_its_regime(prediction, text):
    assert str(prediction) == repr(prediction) == text


def test_a_prediction_is_a_number_as_far_as_floats_go():
    assert float(KRAMERS) == KRAMERS.value == pytest.approx(659.4, rel=1e-14)
    assert dataclasses.replace(KRAMERS, log_value=1000.0).value == math.inf
    assert dataclasses.replace(KRAMERS, log_value=709.0).value == math.exp(709.0)


def measured(value, half, **more):
    return dataclasses.replace(MEASURED, value=value, low=value - half, high=value + half, log_value=math.nan, **more)


def test_two_estimates_are_compared_by_ratio_z_and_verdict():
    a, b = measured(102.0, 1.96), measured(100.0, 1.96)
    seen = a.compare(b)
    assert seen.ratio == pytest.approx(1.02)
    assert seen.z == pytest.approx(2 / math.sqrt(2), rel=0.02)          # standard errors of one, nearly, on the scale of logarithms
    assert seen.agrees and str(seen) == "ratio 1.02, z = +1.4: they agree"
    assert b.compare(a).z == pytest.approx(-seen.z)
    far = measured(110.0, 1.96).compare(b)
    assert far.agrees is False and "DISAGREE" in str(far)


def test_what_is_not_statistical_is_taken_off_before_z():
    a, b = measured(102.0, 1.96), dataclasses.replace(EXACT, value=100.0, low=99.0, high=101.0, log_value=math.nan)
    sharp = dataclasses.replace(b, low=100.0, high=100.0)
    assert a.compare(sharp).z == pytest.approx(2.0, rel=0.02)
    assert a.compare(b).z == pytest.approx(1.0, rel=0.05)
    assert dataclasses.replace(a, systematic_error=5.0).compare(sharp).z == 0.0
    assert b.compare(sharp).z == 0.0 and dataclasses.replace(b, value=110.0, log_value=math.nan).compare(sharp).z == math.inf


def test_a_bound_speaks_only_against_what_lies_beyond_it():
    assert BOUND.compare(measured(2000.0, 10.0)).agrees is None
    assert BOUND.compare(measured(100.0, 10.0)).agrees is False
    assert math.isnan(BOUND.compare(measured(2000.0, 10.0)).ratio)


def test_numbers_beyond_floats_are_compared_by_their_logarithms():
    seen = HUGE.compare(dataclasses.replace(HUGE, log_value=1000.0 + 1e-12))
    assert seen.ratio == pytest.approx(1.0)


def test_only_the_same_quantity_is_compared():
    with pytest.raises(ValueError, match="only the same quantity"):
        MEASURED.compare(dataclasses.replace(EXACT, quantity="rate of exit"))
    with pytest.raises(ValueError, match="iterations"):
        MEASURED.compare(EXACT.in_iterations(0.1))


def test_what_the_time_step_may_have_changed_is_printed_and_counted_along():
    biased = measured(68.31, 2.0, systematic_error=0.4)
    assert "± 0.4 from dt" in str(biased)
    assert biased.in_iterations(0.1).systematic_error == pytest.approx(4.0)
