"""The study of sharp and flat minima: what is held equal is equal, the text, the numbers and the pages say what was found."""
from __future__ import annotations

import csv
import dataclasses
import io
import re

import numpy as np
import pytest

from langevin_sgd.studies import escape as escape_module
from langevin_sgd.studies import sharp_flat as study_module
from langevin_sgd.studies.sharp_flat import FLAT, KINDS, SHARP, SIGMA_G, SIGMA_H, Kind, Settings, sharp_flat
from langevin_sgd.studies.sharp_flat_report import write_report
from langevin_sgd.studies.sharp_flat_text import case_text, csv_text, study_text
from tests.cases import each

BY_NAME = {kind.name: kind for kind in KINDS}
CHOSEN = ("constant", "anisotropic, turned by 45°", "proportional to the loss, σ_H ∝ H²")


@pytest.fixture(scope="module")
def small() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_module, "KINDS", tuple(BY_NAME[name] for name in CHOSEN))
        patch.setattr(study_module, "MEASURED", (2.0, 3.0))
        patch.setattr(study_module, "COMPUTED", (2.0, 3.0, 11.0, 12.0))
        yield sharp_flat(n_paths=400, rng=2)


def settings(kind: Kind) -> Settings:
    return Settings(kind, 0.1, 1, "ito")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_held_equal_is_equal(kind):
    """Depth, barrier and curvature of the saddle by the landscape itself; ε and σ_g by the noise at the minimum."""
    barrier = 0.2
    for curvature in (SHARP, FLAT):
        passage = settings(kind).passage(curvature, barrier)
        loss = passage.sde.landscape
        start, saddle, end = (x if passage.sde.dim > 1 else float(x[0]) for x in (passage.start, passage.saddle, passage.end))
        assert loss(start) == pytest.approx(0.0, abs=1e-12)
        assert loss(saddle) == pytest.approx(barrier)
        assert loss(end) == pytest.approx(0.0, abs=1e-9)
        hessians = [np.atleast_2d(loss.hessian(x))[0, 0] for x in (start, saddle)]
        assert hessians == pytest.approx([curvature, -1.0])
        c = np.atleast_2d(2 * passage.sde.diffusion(start) / passage.sde.strength.value)
        assert np.trace(c) == pytest.approx(SIGMA_G * passage.sde.dim)
        assert passage.sde.strength.value == pytest.approx(0.1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.power], ids=lambda kind: kind.name)
def test_the_noise_grows_as_the_formula_says(kind):
    """C at a quarter of the way and at the saddle, written out by hand."""
    barrier = 0.3
    for curvature in (SHARP, FLAT):
        passage = settings(kind).passage(curvature, barrier)
        sigma_h, saddle = SIGMA_H * curvature**kind.power, float(passage.saddle[0])
        near = 0.25 * saddle / (1 + curvature)                  # on the parabola of the minimum
        at_near, at_saddle = (2 * passage.sde.diffusion(x) / 0.1 for x in (near, saddle))
        assert at_near == pytest.approx(SIGMA_G + sigma_h * near**2)
        expected = {"centred": SIGMA_G + sigma_h * saddle**2, "mirrored": SIGMA_G,
                    "loss": SIGMA_G + 2 * sigma_h / curvature * barrier}[re.search("centred|mirrored|loss", kind.name)[0]]
        assert at_saddle == pytest.approx(expected)


def test_everything_agrees_that_should(small):
    """400 paths for each of 12 measurements, four standard errors beside the bias of the step: false alarm below 1e-3."""
    assert small.holds
    assert all(e.agrees for case in small for report in case.reports.values() for e in report.compared)


def test_a_constant_noise_tells_wells_apart_by_a_prefactor_and_one_that_grows_by_the_exponent(small):
    constant, turned, loss = small
    sharp, flat = (constant.growth(well) * small.temperature for well in ("sharp", "flat"))
    assert (sharp, flat) == pytest.approx((1.0, 1.0), abs=0.01)
    sharp, flat = (loss.growth(well) * small.temperature for well in ("sharp", "flat"))
    assert sharp < 0.5 * flat
    assert turned.growth("sharp") * small.temperature == pytest.approx(1.0, abs=0.1)
    rows = {line.split("  ")[0]: line.split()[-1] for line in study_text(small).splitlines() if line.endswith(("prefactor", "exponent"))}
    assert rows == {"constant": "prefactor", CHOSEN[1]: "prefactor", CHOSEN[2]: "exponent"}


def test_the_ratio_of_both_wells_is_that_of_the_times(small):
    c = small.cases[0].comparison
    pairs = [(e.exact.value, f.exact.value) for e, f in small.cases[0].pairs]
    assert c.exact == pytest.approx([b / a for a, b in pairs])
    assert np.isnan(c.measured).tolist() == [False, False, True, True]
    assert (c.half_width[:2] > 0).all()


def test_noise_across_the_axes_has_its_exact_value_on_a_grid(small):
    """At the barriers that are measured; the curves of computed ones are for what is one-dimensional."""
    for report in small.cases[1].reports.values():
        assert [e.exact.method for e in report] == ["Fokker–Planck on a grid"] * 2
        assert all(e.agrees for e in report)


def test_where_there_is_no_exact_value_the_table_says_so(small):
    case = small.cases[1]
    bare = {well: dataclasses.replace(report, escapes=tuple(dataclasses.replace(e, exact=None, not_exact="none") for e in report))
            for well, report in case.reports.items()}
    text = case_text(dataclasses.replace(case, reports=bare))
    assert "–" in text
    assert "measured and exact" not in text and "ratio to exact" not in text
    assert "eyring_kramers does not apply: the noise is not isotropic" in text and "ratio to measured" in text


def test_the_occupancy_is_shown_where_one_noise_serves_both_wells(small):
    occupied = [case.kind.name for case in small if case.occupancy is not None]
    assert occupied == ["constant"]
    assert "three-factor formula" in study_text(small)


def test_the_numbers_are_all_in_the_csv(small):
    rows = list(csv.DictReader(io.StringIO(csv_text(small))))
    assert len(rows) == sum(len(report.escapes) for case in small for report in case.reports.values())
    e = small.cases[0].reports["flat"].escapes[1]
    (row,) = [r for r in rows if r["noise"] == "constant" and r["well"] == "flat" and float(r["barrier"]) == e.level]
    assert (float(row["measured"]), float(row["log_exact"])) == (e.measured.value, e.exact.log_value)
    assert row["kramers_applies"] in ("True", "False")


def test_the_report_is_one_page_that_needs_nothing_else_and_pictures(small, tmp_path):
    files = write_report(small, tmp_path / "new" / "folder", 1.0)
    page = files[0].read_text()
    assert page.count("data:image/png;base64,") == sum(f.suffix == ".png" for f in files) == 5
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "http" not in page and "<script" not in page
    assert all(f.read_bytes().startswith(b"\x89PNG") for f in files if f.suffix == ".png")
    assert str(small.key) in page
    assert (tmp_path / "new" / "folder" / "escape.txt").read_text() == study_text(small) + "\n"


@pytest.mark.parametrize("interrupted_at", each(3, [4, 2, 7]))
def test_ctrl_c_keeps_what_is_done(interrupted_at, monkeypatch, tmp_path):
    """During the second, fourth and seventh simulation: in the first well, in the second, in the next kind of noise."""
    calls = []
    run = escape_module.first_passage

    def interrupted(*arguments, **options):
        calls.append(1)
        ends = run(*arguments, **options)
        return dataclasses.replace(ends, stopped="Ctrl-C") if len(calls) == interrupted_at else ends

    monkeypatch.setattr(escape_module, "first_passage", interrupted)
    monkeypatch.setattr(study_module, "KINDS", tuple(BY_NAME[name] for name in CHOSEN))
    monkeypatch.setattr(study_module, "MEASURED", (2.0, 3.0, 4.0))
    monkeypatch.setattr(study_module, "COMPUTED", (2.0, 3.0))
    study = sharp_flat(n_paths=200, rng=2)
    assert (len(calls), study.stopped) == (interrupted_at, "Ctrl-C")
    done = [e for case in study for report in case.reports.values() for e in report]
    assert sum(e.measured is not None for e in done) == interrupted_at
    assert "Stopped by Ctrl-C" in study_text(study)
    assert write_report(study, tmp_path, 1.0)[0].exists()


def test_ctrl_c_between_simulations_keeps_the_levels_that_are_done(monkeypatch):
    levels = iter((0.2, 0.1))

    def exact(passage):
        if next(levels, None) is None:
            raise KeyboardInterrupt
        return None, "not asked for here"

    monkeypatch.setattr(escape_module, "exact_time", exact)
    import langevin_sgd as ls
    report = ls.escape(ls.langevin(ls.landscapes.double_well(), 0.1), -1.0, 0.0, noise_levels=[0.2, 0.1, 0.05], n_paths=200, rng=1)
    assert report.levels == [0.2, 0.1]
    assert "Stopped by Ctrl-C" in report.table()


@pytest.mark.parametrize(("arguments", "named"), [({"learning_rate": 0.0}, "learning_rate"), ({"batch_size": 0}, "batch_size"),
                                                  ({"interpretation": "itoh"}, "interpretation"), ({"n_paths": 0}, "n_paths")])
def test_wrong_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        sharp_flat(**arguments)
