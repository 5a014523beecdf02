"""The escape report: measured, exact and predicted side by side, and what it says of them."""
from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.models.answers import Estimate
from tests.oracles import BY_ID


@pytest.fixture(scope="module")
def quartic() -> object:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
    return ls.escape(sde, -1.0, 0.0, noise_levels=[0.1, 0.05], n_paths=1500, rng=3)


def test_exact_times_are_those_of_the_oracles(quartic) -> None:
    for e, name in zip(quartic, ("quartic-D0.1-to-1", "quartic-D0.05-to-1"), strict=True):
        assert e.exact.value == pytest.approx(BY_ID[name]["value"], rel=1e-9)


def test_measured_times_agree_with_exact_ones(quartic) -> None:
    """1500 paths, 4 standard errors beside the bias of the step: false alarm 1e-4 for the two together."""
    assert all(e.agrees for e in quartic)
    assert all(e.measured.low < e.measured.value < e.measured.high for e in quartic)


def test_a_wrong_equation_would_be_seen(quartic) -> None:
    """Twice the noise, or the time to the saddle instead of the crossing, is far outside."""
    e = quartic.escapes[0]
    wrong = ls.langevin(ls.landscapes.double_well(), temperature=0.2)
    other = ls.exact.mean_passage_time(wrong, -1.0, ls.Interval(high=1.0))
    assert dataclasses.replace(e, exact=other).agrees is False
    half = ls.exact.mean_passage_time(e.passage.sde, -1.0, ls.Interval(high=0.0))
    assert dataclasses.replace(e, exact=half).agrees is False


def test_ratios_are_those_of_the_oracles(quartic) -> None:
    assert 1 / quartic.escapes[1].ratio("kramers") == pytest.approx(1.106597, rel=1e-6)


def test_reaching_takes_half_as_long_in_every_closed_form() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.02)
    crossing = ls.escape(sde, -1.0, 0.0, n_paths=200, max_steps=1.0)
    reaching = ls.escape(sde, -1.0, 0.0, counts="reaching", n_paths=200, max_steps=1.0)
    for name in crossing.formulas:
        a, b = crossing.escapes[0].predictions[name], reaching.escapes[0].predictions[name]
        assert a.log_value - b.log_value == pytest.approx(math.log(2))
    assert "takes twice as long" in reaching.table()
    assert "takes half" in crossing.table()


def test_what_cannot_be_simulated_is_said_and_still_computed() -> None:
    report = ls.escape(ls.langevin(ls.landscapes.double_well(), temperature=0.005), -1.0, 0.0, rng=1)
    (e,) = report
    assert e.measured is None and "rare-event" in e.not_measured
    assert e.exact.value == pytest.approx(2 * BY_ID["quartic-D0.005-to-0"]["value"], rel=1e-2)
    assert e.holds("kramers") is True
    assert "–" in report.table() and "rare-event" in report.table()


def test_state_dependent_noise_brings_all_closed_forms_with_reasons() -> None:
    well = ls.landscapes.piecewise_quadratic(1.0, 1.0, 0.36)
    sde = ls.sgd(well, ls.noise.LossProportional(well, 4.0, 0.25), 0.1)
    report = ls.escape(sde, 0.0, 1.2, n_paths=400, rng=1)
    (e,) = report
    assert set(e.predictions) == {"kramers", "laplace", "power_law", "power_law_published"}
    assert e.predictions["power_law"].applies and e.holds("power_law")
    assert not e.predictions["power_law_published"].applies
    assert "Klimontovich" in e.predictions["power_law_published"].because
    assert e.agrees
    klimontovich = ls.escape(sde.replace(interpretation="klimontovich"), 0.0, 1.2, n_paths=200, max_steps=1.0).escapes[0]
    assert klimontovich.predictions["power_law_published"].applies


def test_forms_that_apply_nowhere_are_below_the_table_only() -> None:
    well = ls.landscapes.piecewise_quadratic(1.0, 1.0, 0.36)
    sde = ls.sgd(well, ls.noise.LossProportional(well, 4.0, 0.25), 0.1)
    report = ls.escape(sde, 0.0, 1.2, n_paths=200, max_steps=1.0)
    head, _, below = report.table().partition("\n- ")
    assert report.applying == ["laplace", "power_law"]
    assert "power_law" in head and "published" not in head and "kramers" not in head
    assert "power_law_published does not apply (it holds for Klimontovich" in below and "kramers does not apply" in below


def test_a_drift_that_circulates_has_a_closed_form_that_holds_and_is_not_said_to_without_an_exact_time() -> None:
    report = ls.escape(ls.systems.maier_stein(1.0, 1.0, 0.1), [-1, 0], [0, 0], n_paths=200, max_steps=1.0)
    (e,) = report
    assert e.exact.value == pytest.approx(2 * BY_ID["maierstein-b1-eps0.1"]["value"], rel=0.02)        # the reference ends half way
    assert report.verdict_on("bouchet_reygner").holds is True
    blind = dataclasses.replace(report, escapes=(dataclasses.replace(e, exact=None, not_exact="not asked for"),))
    assert blind.verdict_on("bouchet_reygner").holds is None
    assert "bouchet_reygner applies, but there is no exact time to hold it against; ratio unknown" in blind.table()


def test_a_plane_problem_has_its_exact_value_on_a_grid() -> None:
    """Noise across the axes; half the correlation is another problem, which the measurement tells apart."""
    loss = ls.Landscape("(x**2 - 1)**2/4 + y**2/2")
    sde = ls.sgd(loss, ls.noise.Anisotropic([[1.0, 0.6], [0.6, 1.0]]), 0.4)
    report = ls.escape(sde, [-1, 0], [0, 0], [1, 0], n_paths=2000, rng=1)
    (e,) = report
    assert e.exact.method == "Fokker–Planck on a grid" and e.exact.relative_error < 0.005
    assert e.agrees and report.holds
    aligned = sde.replace(noise=ls.noise.Anisotropic([[1.4, 0.0], [0.0, 0.6]]))
    (other,) = ls.escape(aligned, [-1, 0], [0, 0], [1, 0], max_steps=1.0)
    assert dataclasses.replace(e, exact=other.exact).agrees is False


@pytest.mark.slow
def test_where_no_exact_method_serves_the_report_says_why() -> None:
    loss = ls.Landscape("(x1**2 - 1)**2/4 + (x2**2 + x3**2 + x4**2)/2")
    covariance = np.eye(4) + 0.5 * (np.eye(4, k=1) + np.eye(4, k=-1))
    sde = ls.sgd(loss, ls.noise.Anisotropic(covariance), 0.4)
    report = ls.escape(sde, [-1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], n_paths=300, rng=1)
    (e,) = report
    assert e.exact is None and "4 components" in e.not_exact
    assert e.measured.n_events == 300
    assert math.isnan(e.z) and e.agrees is None


def test_a_separable_plane_problem_has_the_exact_value_of_its_axis() -> None:
    loss = ls.Landscape("(x**2 - 1)**2/4 + y**2/2")
    sde = ls.sgd(loss, ls.noise.Anisotropic([[1.0, 0.0], [0.0, 5.0]]), 0.4)
    report = ls.escape(sde, [-1, 0], [0, 0], [1, 0], n_paths=1000, rng=1)
    (e,) = report
    line = ls.langevin(ls.landscapes.double_well(), 0.2)
    assert e.exact.value == pytest.approx(ls.exact.mean_passage_time(line, -1.0, ls.Interval(high=1.0)).value, rel=1e-9)
    assert e.agrees


def test_the_same_key_gives_the_same_report_and_levels_share_no_noise() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.2)
    a, b = (ls.escape(sde, -1.0, 0.0, noise_levels=[0.2, 0.2], n_paths=200, rng=5) for _ in range(2))
    assert [e.measured.value for e in a] == [e.measured.value for e in b]
    assert a.escapes[0].measured.value != a.escapes[1].measured.value


def test_noise_levels_are_the_number_that_the_strength_is_given_by() -> None:
    loss = ls.landscapes.double_well()
    for sde, name in ((ls.langevin(loss, 0.3), "temperature"), (ls.sgd(loss, ls.noise.Constant(1.0), 0.3, 2), "learning_rate"),
                      (ls.SDE("x - x**3", ls.noise.Constant(1.0), 0.3), "strength")):
        report = ls.escape(sde, -1.0, 0.0, noise_levels=[0.2, 0.4], n_paths=200, max_steps=1.0)
        assert report.level_name == name
        assert [getattr(e.passage.sde.strength, name) for e in report] == [0.2, 0.4]


def test_the_report_as_a_dataset(quartic) -> None:
    data = quartic.to_xarray()
    assert dict(data.sizes) == {"temperature": 2}
    assert data.exact.values == pytest.approx([e.exact.value for e in quartic])
    assert {"measured_low", "measured_high", "log_exact", "kramers", "kramers_applies"} <= set(data)
    assert data.attrs["interpretation"] == "ito" and data.attrs["counts"] == "crossing"


def test_the_table_shows_every_level_and_verdict(quartic) -> None:
    text = str(quartic)
    assert text.count("\n0.1 ") == 1 and text.count("\n0.05 ") == 1
    assert "measured and exact agree" in text
    assert "kramers applies" in text and "Itô" in text


def test_a_closed_form_that_claims_too_much_is_marked(quartic) -> None:
    e = quartic.escapes[1]
    bold = dataclasses.replace(e.predictions["kramers"], expected_error=1e-4)
    doubtful = dataclasses.replace(e, predictions={"kramers": bold})
    report = dataclasses.replace(quartic, escapes=(doubtful,))
    assert not report.holds
    assert "does NOT hold" in report.table() and "0.904!" in report.table()


def test_a_measurement_that_disagrees_is_marked(quartic) -> None:
    e = quartic.escapes[0]
    m = e.measured
    off = dataclasses.replace(m, value=2 * m.value, low=2 * m.low, high=2 * m.high, log_value=math.nan)
    report = dataclasses.replace(quartic, escapes=(dataclasses.replace(e, measured=off),))
    assert "DISAGREE" in report.table() and not report.holds


def test_a_bound_is_no_disagreement() -> None:
    """A measurement without exits is a bound; it is neither compared nor drawn."""
    report = ls.escape(ls.langevin(ls.landscapes.double_well(), temperature=0.1), -1.0, 0.0, n_paths=200, max_steps=1.0)
    bound = Estimate(value=math.inf, low=5.0, high=math.inf, confidence=0.95, method="lower bound", n_events=0, n_paths=10, dt=0.01)
    e = dataclasses.replace(report.escapes[0], measured=bound)
    assert e.agrees is None
    assert "> 5" in dataclasses.replace(report, escapes=(e,)).table()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"noise_levels": [0.1, -0.1]}, "`noise_levels` is -0.1"),
    ({"n_paths": 0}, "`n_paths` is 0"),
    ({"dt": 0.0}, "`dt` is 0"),
    ({"start": 0.5}, "no minimum there"),
])
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    sde = ls.langevin(ls.landscapes.double_well(), 0.1)
    with pytest.raises(ValueError, match=message):
        ls.escape(sde, **{"start": -1.0, "saddle": 0.0, **arguments})


def test_to_iterations() -> None:
    sde = ls.sgd(ls.landscapes.double_well(), ls.noise.Constant(1.0), learning_rate=0.2)
    (e,) = ls.escape(sde, -1.0, 0.0, n_paths=200, rng=1)
    assert e.exact.in_iterations(0.2).value == pytest.approx(e.exact.value / 0.2)
    assert np.isfinite(e.measured.value)
