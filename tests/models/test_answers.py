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
    (HUGE, "1.970071e+434 (exact)"), (dataclasses.replace(HUGE, log_value=math.inf), "inf ± nan (exact)"),
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
