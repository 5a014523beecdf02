"""The exponent of real SGD: its oracle, the table of the mirrored parabola, the Gaussian limit, and where there is no root."""
import math

import numpy as np
import pytest
from scipy import stats

from langevin_sgd.theory import cramer_exponent
from tests import oracles


def laplace(x, p):
    return -p * x - math.log1p(-p * p / 2) if p * p < 2 else math.inf


def gaussian(x, p):
    return -p * x + p * p / 2


def mirrored(barrier):
    """Per-sample gradients of two parabolas that meet half way (`theory`, 4.6), and where the saddle is."""
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=500), rng.normal(size=500)
    h = 2 * x * x
    residuals = 2 * x * (x * (x @ y) / (x @ x) - y)
    half = math.sqrt(barrier / h.mean())
    return (lambda q: h * q + residuals if q < half else -(h * (q - 2 * half) + residuals)), 2 * half


def test_oracle():
    entry = oracles.BY_ID["cramer-laplace-W"]
    found = cramer_exponent(minimum=0.0, saddle=entry["parameters"]["b"], cumulant=laplace)
    assert found.value == pytest.approx(entry["value"], rel=oracles.tolerance(entry, 1e-7))
    assert found.applies
    backwards = cramer_exponent(minimum=0.0, saddle=-1.0, cumulant=laplace)
    assert backwards.value == pytest.approx(found.value, rel=1e-9)


@pytest.mark.parametrize("b", [0.5, 1.0, 2.0])
def test_gaussian_noise_has_the_exponent_of_the_equation(b):
    assert cramer_exponent(minimum=0.0, saddle=b, cumulant=gaussian).value == pytest.approx(b * b, rel=1e-9)
    assert cramer_exponent(minimum=0.0, saddle=b, cumulant=gaussian, batch_size=7).value == pytest.approx(7 * b * b, rel=1e-9)


@pytest.mark.parametrize(("rate", "batch", "barrier", "equation", "cramer"), [
    (.05, 1, .3, 3.373, 3.896), (.05, 1, .4, 4.313, 5.205), (.05, 1, .5, 5.184, 6.524), (.05, 1, .6, 5.995, 7.854),
    (.1, 2, .5, 5.184, 6.524),
    (.1, 4, .25, 5.747, 6.488)])
def test_the_mirrored_parabola(rate, batch, barrier, equation, cramer):
    gradients, saddle = mirrored(barrier)
    found = cramer_exponent(minimum=0.0, saddle=saddle, gradients=gradients, batch_size=batch)
    assert found.value / rate == pytest.approx(cramer, abs=6e-4)
    assert float(found.because.rsplit(" ", 1)[1]) / rate == pytest.approx(equation, rel=6e-4)


def test_many_samples_are_their_law():
    draws = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = cramer_exponent(minimum=0.0, saddle=0.7, gradients=lambda x: x + draws)
    assert found.value == pytest.approx(0.49, rel=5e-3)


def test_where_no_batch_points_ahead_escape_is_impossible():
    found = cramer_exponent(minimum=0.0, saddle=1.0, gradients=lambda x: x + np.array([-0.2, 0.2]))
    assert (found.value, found.applies) == (math.inf, True)
    assert found.because == "somewhere on the way no batch points ahead: escape is impossible in steps shorter than that place"


def test_where_the_way_leads_down_there_is_nothing_to_climb():
    found = cramer_exponent(minimum=1.0, saddle=0.0, gradients=lambda x: x + np.array([-2.0, 2.0]))
    assert math.isnan(found.value)
    assert not found.applies


@pytest.mark.parametrize(("bad", "message"), [
    ({"saddle": 0.0}, "`minimum` and `saddle` are both 0"),
    ({"cumulant": None}, "exactly one of `gradients` and `cumulant` must be given"),
    ({"gradients": lambda x: x}, "exactly one of `gradients` and `cumulant` must be given"),
    ({"cumulant": None, "gradients": lambda x: [x, math.nan]}, "`gradients` holds nan"),
    ({"batch_size": 0}, "`batch_size` is 0"),
])
def test_a_bad_argument_is_named(bad, message):
    with pytest.raises(ValueError) as error:
        cramer_exponent(**{"minimum": 0.0, "saddle": 1.0, "cumulant": gaussian, **bad})
    assert message in str(error.value)
