"""The study of variance and flatness: it measures what it says, controls can fail, text, numbers and page say what was found."""
from __future__ import annotations

import csv
import dataclasses
import io
import re

import numpy as np
import pytest

from langevin_sgd.studies import inverse_flatness as study_module
from langevin_sgd.studies.inverse_flatness import (
    CURVATURES,
    KINDS,
    Settings,
    gradients_of_samples,
    inverse_flatness,
    loss_with_noise,
    potential_curvature,
)
from langevin_sgd.studies.inverse_flatness_report import write_report
from langevin_sgd.studies.inverse_flatness_text import csv_text, study_text
from tests.cases import each


@pytest.fixture(scope="module")
def small() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_module, "REPLICAS", 60)
        yield inverse_flatness(learning_rate=0.05, n_paths=800, rng=3)


def test_everything_agrees_that_should(small):
    """800 runs for each noise: variances to 5 %, ψ to 0.03; each comparison at 4 or 5 standard errors (false alarm below 1e-3 in all)."""
    assert small.holds
    assert [case.compared.line.limit for case in small] == [-2, 0, 2, -2, 0]
    for case in small:
        assert abs(case.compared.measured.exponent.value - (2 * case.kind.power - 2)) < 0.2
    independent, reshuffled, windows = (s.compared.measured.exponent.value for s in small.samplings)
    assert abs(independent) < 0.2 < 1.2 < min(reshuffled, windows)


def test_the_relation_is_inverse_for_the_loss_and_never_for_the_potential(small):
    inverse = [case.compared.measured.is_inverse for case in small]
    assert inverse[0] is False and inverse[2] is True
    for case in (small.cases[0], small.cases[2]):
        assert np.corrcoef(np.log(case.variance), np.log(case.potential_curvature))[0, 1] < -0.99
        assert np.corrcoef(np.log(case.variance), np.log(case.loss_curvature))[0, 1] * (case.kind.power - 1) > 0.99


def test_the_control_is_what_fails(small):
    """With the D of another noise the case itself does not agree."""
    for case in small:
        assert case.boltzmann_of_control > 20
        assert not dataclasses.replace(case, potential_curvature=case.control).agrees
        assert not dataclasses.replace(case, control=case.potential_curvature).agrees


def test_the_potential_does_not_know_the_variances(small):
    """φ″ is that of F and D: twice the noise is half the curvature, whatever the samples."""
    case = small.cases[2]
    axes = case.compared.measured.axes
    assert potential_curvature(case.F, 2 * case.D, 0.05, axes) == pytest.approx(case.potential_curvature / 2, rel=1e-9)
    known = CURVATURES * (2 - 0.05 * CURVATURES) / (0.05 * case.kind.constant)
    assert case.potential_curvature == pytest.approx(known, rel=0.25)                   # 800 gradients: 5 % each


def test_steps_are_those_of_sgd_also_where_they_are_large():
    """η h up to 1.25: φ″ by the recursion, and the gradients' noise without the gradient; the equation in its place would be 60 % off."""
    settings = Settings(0.25, 1)
    case = settings.measure(KINDS[2], settings.line(KINDS[2]), 4000, study_module.Key.draw(5))
    assert case.agrees and np.abs(np.diag(case.D) / (0.125 * KINDS[2].constant) - 1).max() < 5 * np.sqrt(2 / 4000)
    exact = potential_curvature(-np.diag(CURVATURES), np.diag(0.125 * KINDS[2].constant), 0.25, np.eye(len(CURVATURES)))
    assert exact == pytest.approx(CURVATURES * (2 - 0.25 * CURVATURES) / (0.25 * KINDS[2].constant), rel=1e-9)


def test_what_is_not_as_predicted_is_seen(small):
    """A line whose exponent is off, and one of the same exponent whose variances are off by 40 %."""
    compared = small.cases[0].compared
    other = dataclasses.replace(compared, line=small.cases[1].compared.line)
    assert not other.as_predicted and abs(other.z) > 10
    scaled = dataclasses.replace(compared, line=dataclasses.replace(compared.line, variance=1.4 * compared.line.variance))
    assert scaled.z == pytest.approx(compared.z) and not scaled.as_predicted
    tilted = dataclasses.replace(compared.line, variance=compared.line.variance * CURVATURES**0.06)
    assert not dataclasses.replace(compared, line=tilted).as_predicted


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_gradients_have_the_covariance_of_the_noise(kind):
    """100 000 gradients at one state, within 5 standard errors of C written out by hand."""
    sde = Settings(0.05, 2).equation(kind)
    x = np.full(len(CURVATURES), 0.3)
    g = gradients_of_samples(sde, np.tile(x, (100_000, 1)), np.random.default_rng(1)) - CURVATURES * x
    c = kind.constant * (1 + CURVATURES @ x**2 / 2 if kind.grows else 1.0)
    assert np.abs(g.var(axis=0) / c - 1).max() < 5 * np.sqrt(2 / 100_000)
    assert np.abs(np.corrcoef(g.T) - np.eye(len(x))).max() < 5 / np.sqrt(100_000)


def test_the_loss_with_minibatches_has_the_noise_that_is_asked_for():
    loss, c = loss_with_noise(CURVATURES**2, np.random.default_rng(0)), np.diag(CURVATURES**2)
    for w in (np.zeros(10), np.arange(10.0)):
        assert loss.covariance(w) == pytest.approx(c, abs=1e-11) and loss.hessian(w) == pytest.approx(np.diag(CURVATURES), abs=1e-12)
    assert loss.gradient(np.zeros(10)) == pytest.approx(np.zeros(10), abs=1e-12)
    assert loss.gradient(np.ones(10)) == pytest.approx(CURVATURES)


def test_iterates_are_those_of_whole_epochs():
    """Gradients are recovered from neighbours: those of an epoch add up to zero, so that all but the first are as large as the first."""
    settings, loss = Settings(0.05, 1), loss_with_noise(CURVATURES, np.random.default_rng(1))
    w = settings.iterates(loss, "reshuffle", study_module.Key.draw(3))[:3].reshape(3, -1, study_module.BATCHES, 10)
    assert w.shape[1] == study_module.EPOCHS / study_module.SAVED_EVERY
    g = (w[:, :, :-1] - w[:, :, 1:]) / 0.05 - CURVATURES * w[:, :, :-1]             # of batches 2 ... M of each epoch
    assert g.sum(axis=2).std(axis=(0, 1)) == pytest.approx(np.sqrt(CURVATURES * 490 / 499 / 10), rel=0.4)
    assert g.std(axis=(0, 1, 2)) == pytest.approx(np.sqrt(CURVATURES * 490 / 499 / 10), rel=0.1)


def test_the_text_and_the_numbers(small):
    text = study_text(small)
    assert "Boltzmann's law holds in φ, and the controls fail" in text and "σ² ∝ L″^" in text and "reshuffled every epoch" in text
    rows = list(csv.DictReader(io.StringIO(csv_text(small))))
    assert len(rows) == (len(KINDS) + 3) * len(CURVATURES)
    case = small.cases[1]
    row = next(r for r in rows if r["noise"] == "C ∝ H" and r["axis"] == "3")
    assert float(row["variance"]) == case.variance[2] and float(row["potential_curvature"]) == case.potential_curvature[2]
    wrong = dataclasses.replace(small, cases=(dataclasses.replace(case, potential_curvature=2 * case.potential_curvature),))
    assert not wrong.holds and "NOT everything agrees" in study_text(wrong)


@pytest.mark.slow
def test_the_report_is_one_page_that_needs_nothing_else_and_pictures(small, tmp_path):
    files = write_report(small, tmp_path / "new" / "folder", 1.0)
    page = files[0].read_text()
    assert page.count("data:image/png;base64,") == sum(f.suffix == ".png" for f in files) == 3
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "http" not in page and "<script" not in page
    assert str(small.key) in page
    assert (tmp_path / "new" / "folder" / "flatness.txt").read_text() == study_text(small) + "\n"


@pytest.mark.parametrize("interrupted_at", each(3, [2, 1, 4]))
def test_ctrl_c_keeps_what_is_done(interrupted_at, monkeypatch, tmp_path):
    calls, run = [], study_module.simulate

    def interrupted(*arguments, **options):
        calls.append(1)
        runs = run(*arguments, **options)
        return dataclasses.replace(runs, stopped="Ctrl-C") if len(calls) == interrupted_at else runs

    monkeypatch.setattr(study_module, "simulate", interrupted)
    if interrupted_at == 1:
        with pytest.raises(KeyboardInterrupt):
            inverse_flatness(learning_rate=0.1, n_paths=100, rng=1)
        return
    study = inverse_flatness(learning_rate=0.1, n_paths=100, rng=1)
    assert (len(study.cases), study.stopped, len(study.samplings)) == (interrupted_at - 1, "Ctrl-C", 0)
    assert "Stopped by Ctrl-C" in study_text(study) and write_report(study, tmp_path, 1.0)[0].exists()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"learning_rate": 0.0}, "`learning_rate` is 0"), ({"batch_size": 0}, "`batch_size` is 0"), ({"n_paths": 10}, "`n_paths` is 10"),
    ({"learning_rate": 0.5}, "unstable: η h = 2.506"), ({"rng": "x"}, "`rng` is 'x'")])
def test_a_bad_argument_is_named(arguments, message):
    with pytest.raises(ValueError) as error:
        inverse_flatness(**arguments)
    assert message in str(error.value)
