"""Escape of SGD itself, beside all that stands in its place: against the table of `theory` 4.6, whose numbers came from elsewhere."""
from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.studies import passage_theory
from langevin_sgd.studies.sgd_escape import Case, Exponents, _measured, sgd_escapes

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=500), RNG.normal(size=500)


def mirrored(barrier: float) -> tuple[ls.SampledLoss, float]:
    loss = ls.losses.mirrored_parabola(X, Y, barrier)
    return loss, float(loss.p[1])


@pytest.fixture(scope="module")
def report() -> ls.SGDEscapeReport:
    loss, m = mirrored(0.3)
    return ls.escape(loss, 0.0, 2 * m, 2.6 * m, learning_rate=0.05, batch_size=1, n_paths=600, rng=3, progress=False)


def test_every_column_is_that_of_the_table(report: ls.SGDEscapeReport) -> None:
    """η = 0.05, B = 1, ΔL = 0.3: the equation with three covariances, the published form, and the two exponents, to their digits.

    600 runs: a standard error of 4 %, and 4 of them; the chain to its own error.  Controls: neither is the time of any equation.
    """
    (row,) = report
    assert row.approximations["equation"].value == pytest.approx(93.44, abs=0.005)
    assert row.approximations["quadratic C"].value == pytest.approx(61.78, abs=0.005)
    assert row.approximations["constant C"].value == pytest.approx(156.0, abs=0.05)
    assert row.predictions["power_law_published"].value == pytest.approx(59.17, abs=0.005)
    assert (row.exponents.sgd, row.exponents.equation) == pytest.approx((3.896, 3.373), abs=6e-4)
    assert row.exact.value == pytest.approx(131.8, rel=3e-3)
    assert row.measured.value == pytest.approx(131.8, rel=4 * row.measured.relative_error / 1.96)
    assert abs(row.measured.value - 93.44) > 4 * row.measured.relative_error / 1.96 * row.measured.value
    assert row.agrees and report.holds
    assert row.largest_curvature == pytest.approx(2 * (X**2).max())


def test_the_chain_with_normal_noise_is_that_of_the_equation_at_the_steps(report: ls.SGDEscapeReport) -> None:
    loss, m = mirrored(0.3)
    normal = ls.Chain(ls.sgd(loss, loss.noise, 0.05), 0.05).mean_passage_time(0.0, ls.Interval(high=2.6 * m))
    assert report.escapes[0].approximations["Gaussian chain"].value == pytest.approx(normal.value, rel=1e-9)


def test_it_prints_what_holds_and_what_does_not(report: ls.SGDEscapeReport) -> None:
    text = str(report)
    for words in ("SGD and the chain of its real batches agree", "equation does NOT describe SGD here; ratio 0.70",
                  "power_law_published does not apply to the equation", "3.9 and 3.37", "no diffusion has the right one"):
        assert words in text
    data = report.to_xarray()
    assert data["exponent"].item() == pytest.approx(3.896, abs=6e-4) and data.attrs["batch_size"] == 1
    assert data["equation"].dims == ("learning_rate",)
    report.plot().canvas.draw()


def test_slopes_between_barriers_rise_for_sgd_more_than_for_the_equation() -> None:
    """ln τ of SGD is steeper in ln ΔL than that of the equation, as the exponents are."""
    barriers = [0.2, 0.25]
    cases = [Case(loss, 0.05, 1, 0.0, 2 * m, 2.6 * m) for loss, m in map(mirrored, barriers)]
    found = sgd_escapes(cases, barriers, "barrier", key=ls.Key(1), n_paths=200, progress=False)
    logs = np.log([e.exact.value for e in found])
    assert found.slopes() == pytest.approx(np.diff(logs) / np.diff(np.log(barriers)), rel=1e-12)
    assert (found.slopes() > found.slopes("equation") + 0.2).all() and len(found.slopes()) == 1
    assert found.level_name == "barrier" and "learning rate 0.05" in found.title


def test_without_a_metastable_state_no_formula_applies(report: ls.SGDEscapeReport) -> None:
    """(1 − η H)² + η² σ_H = 0.85 at η = 0.05, and 1.14 at 0.42: there the way out is short, and the chain still knows how long it takes."""
    loss, m = mirrored(0.3)
    found = ls.escape(loss, 0.0, 2 * m, 2.6 * m, learning_rate=0.42, n_paths=1000, rng=1, progress=False)
    (goes,), (stays,) = found, report
    assert stays.stability.metastable and not goes.stability.metastable
    assert not any(p.applies for p in goes.predictions.values())
    assert all("no metastable state" in p.because for p in goes.predictions.values())
    assert goes.agrees and "at learning_rate 0.42 SGD with this learning rate has no metastable state" in str(found)
    assert goes.steps_are_long and "steps with η h_max ≥ 2 are not (1 of 1 levels)" in str(found)
    found.plot().canvas.draw()


def test_where_no_batch_points_ahead_small_steps_never_escape() -> None:
    x = np.array([1.0, 1.1, 0.9, 1.05])
    loss = ls.losses.mirrored_parabola(x, x + 0.01 * np.array([1.0, -1.0, -1.0, 1.0]), 0.3)
    m = float(loss.p[1])
    found = ls.escape(loss, 0.0, 2 * m, 2.6 * m, learning_rate=0.05, n_paths=200, rng=1, progress=False)
    (row,) = found
    assert math.isinf(row.exponents.sgd) and math.isinf(row.measured.value) and not row.leaves
    assert "no batch points ahead, and SGD in steps shorter than that place never escapes" in str(found)
    assert row.approximations["equation"].log_value > 0 and math.isnan(row.ratio("equation"))


def test_where_no_batch_points_ahead_long_steps_may_get_across() -> None:
    """Single samples that overshoot, η h_max = 1.6, jump over the place that holds small steps."""
    loss = ls.losses.mirrored_parabola([2**-0.5] * 4, [1.0, -1.0, 1.0, -1.0], 4.0)
    m = float(loss.p[1])
    found = ls.escape(loss, 0.0, 2 * m, 2.6 * m, learning_rate=1.6, n_paths=400, rng=1, progress=False)
    (row,) = found
    assert math.isinf(row.exponents.sgd) and row.leaves and row.measured.n_events == 400
    assert "which stops small steps (1 of 1 levels), but not steps of this size (1)" in str(found)
    assert "never escapes" not in str(found)


def known(value: float, error: float = 0.0, n_events: int | None = None) -> ls.Estimate:
    return ls.Estimate(value=value, low=value * (1 - error), high=value * (1 + error), confidence=0.95 if n_events else 1.0,
                       method="sample mean" if n_events else "quadrature", n_events=n_events)


@pytest.mark.parametrize(("exact", "approximation", "holds", "words"), [
    (known(100.0), known(105.0), True, "holds within a tenth"),
    (known(100.0), known(120.0), False, "does NOT describe SGD"),
    (known(100.0), known(148.0, 0.8, 4), None, r"not known well enough \(4 exits\)"),
    (known(100.0), known(148.0, 0.02, 4000), False, "does NOT describe SGD"),
    (known(100.0, 0.15), known(115.0), None, "not known well enough"),
    (known(100.0), ls.Estimate(value=math.inf, low=30.0, high=math.inf, confidence=0.95, method="sample mean", n_events=0), None,
     r"not known well enough \(0 exits\)"),
    (ls.Estimate(value=math.inf, low=1e300, high=math.inf, confidence=1.0, method="quadrature", log_value=800.0),
     ls.Estimate(value=math.inf, low=30.0, high=math.inf, confidence=0.95, method="sample mean", n_events=0), None,
     r"not known well enough \(0 exits\)"),
    (known(100.0), ls.Estimate(value=math.inf, low=300.0, high=math.inf, confidence=0.95, method="sample mean", n_events=0), False,
     "does NOT describe SGD"),
])
def test_what_is_not_known_well_enough_is_not_judged(report: ls.SGDEscapeReport, exact: ls.Estimate, approximation: ls.Estimate,
                                                     holds: bool | None, words: str) -> None:
    row = dataclasses.replace(report.escapes[0], exact=exact, measured=None, approximations={"Gaussian chain": approximation})
    assert row.holds("Gaussian chain") is holds
    text = str(dataclasses.replace(report, escapes=(row,)))
    assert re.search(f"Gaussian chain is {words}|Gaussian chain {words}", text)


def test_the_error_of_the_chain_is_said_and_the_better_known_time_is_the_reference(report: ls.SGDEscapeReport) -> None:
    row = dataclasses.replace(report.escapes[0], exact=known(100.0, 0.15), measured=known(110.0, 0.02, 4000))
    assert row.reference is row.measured and row.agrees
    text = str(dataclasses.replace(report, escapes=(row,)))
    assert "100 ± 15 %" in text and "beyond the error of the chain of up to 15 %" in text
    assert report.escapes[0].reference is report.escapes[0].exact and "±" not in str(report)


def test_an_exponent_that_was_not_found_says_nothing_of_diffusions(report: ls.SGDEscapeReport) -> None:
    lost = dataclasses.replace(report.escapes[0], exponents=Exponents(3.9, math.nan))
    assert "no path of the equation was found" in str(dataclasses.replace(report, escapes=(lost,)))


@pytest.mark.slow
def test_in_the_plane_sgd_and_the_gaussian_chain_are_simulated() -> None:
    """Phase retrieval over the saddle between ±w: no equation comes near, and constant noise is off by eighteen decades."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2))
    loss = ls.losses.phase_retrieval(x, (x @ [1.0, 0.3])**2 + 0.5 * rng.normal(size=60))
    minimum = loss.minimum([1.0, 0.3])
    saddle = next(c for c in loss.landscape.critical_points([(-1.5, 1.5), (-1.5, 1.5)]) if c.index == 1)
    found = ls.escape(loss, minimum, saddle, learning_rate=0.03, batch_size=1, n_paths=200, rng=1, max_steps=2e7, progress=False)
    (row,) = found
    assert row.exact is None and "solved for one weight" in row.not_exact
    path = ls.minimum_action_path(loss, minimum.x, saddle.x, batch_size=1)
    assert row.exponents.sgd == pytest.approx(path.action / 0.03, rel=1e-6)
    assert "no diffusion has the right one" in str(found)
    assert row.measured.n_events > 50 and row.approximations["Gaussian chain"].n_events >= 20
    assert row.ratio("constant C") > 1e3
    assert "constant C does NOT describe SGD here" in str(found)


def test_an_end_is_not_the_saddle_itself_where_that_is_given_in_a_few_digits() -> None:
    loss, m = mirrored(0.3)
    (row,) = ls.escape(loss, 0.0, round(2 * m, 3), learning_rate=0.1, n_paths=200, rng=1, progress=False)
    assert row.passage.end[0] == pytest.approx((2 + math.sqrt(2)) * m, rel=1e-3)


@pytest.mark.parametrize(("arguments", "words"), [
    ({}, "exactly one of `learning_rate` and `noise_levels`"),
    ({"learning_rate": 0.1, "noise_levels": [0.1]}, "exactly one of"),
    ({"learning_rate": 0.1, "dt": 0.01}, "SGD has no time step but its learning rate"),
    ({"learning_rate": -0.1}, "`learning_rate` is -0.1"),
    ({"learning_rate": 0.1, "batch_size": 0}, "`batch_size` is 0"),
    ({"learning_rate": 0.1, "counts": "both"}, "`counts`"),
    ({"learning_rate": 0.1, "start": 0.3}, r"`start` is \[0.3\], but the loss has no critical point there"),
    ({"learning_rate": 0.1, "end": 0.5}, r"`end` is \[0.5\], but must lie beyond the saddle"),
    ({"learning_rate": 0.1, "end": -1.0}, r"`end` is \[-1.0\], but must lie beyond the saddle"),
])
def test_what_does_not_fit_is_refused_in_a_sentence(arguments, words: str) -> None:
    loss, m = mirrored(0.3)
    with pytest.raises(ValueError, match=words):
        ls.escape(loss, **{"start": 0.0, "saddle": 2 * m, **arguments})


def test_few_runs_are_as_many_as_were_asked_for(report: ls.SGDEscapeReport) -> None:
    row = report.escapes[0]
    case = Case(row.loss, row.learning_rate, row.batch_size, *row.passage.start, *row.passage.saddle)
    measured, reason, _ = _measured(case, row.passage, math.nan, 7, ls.Key(1), 1e7, False)
    assert measured is not None and measured.n_paths == 7 and reason == ""


def test_what_is_neither_an_equation_nor_a_loss_over_data_is_refused() -> None:
    with pytest.raises(ValueError, match="must be an equation"):
        ls.escape(ls.landscapes.double_well(), -1.0, 0.0)

def test_an_equation_has_its_own_learning_rate() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), 0.1)
    with pytest.raises(ValueError, match="an equation has its own"):
        ls.escape(sde, -1.0, 0.0, learning_rate=0.1)


def test_closed_forms_that_are_beyond_all_numbers_cost_no_report(report: ls.SGDEscapeReport, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(*_: object) -> None:
        raise ArithmeticError("the integral is 18799")

    monkeypatch.setattr(passage_theory, "predict", overflow)
    assert passage_theory.closed_forms(report.escapes[0].passage) == {}
