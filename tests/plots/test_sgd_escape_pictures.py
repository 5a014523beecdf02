"""The picture of an escape of SGD shows every number of its report: in rows for one level, in lines for several."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.plots.sgd_escape import CHAIN, MEASURED_NAME, draw_sgd_escapes


def exact(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value, confidence=1.0, method="chain")


@dataclass(frozen=True)
class Escape:
    """One escape, as the picture sees it."""

    level: float
    measured: Estimate | None
    exact: Estimate | None
    approximations: dict[str, Estimate]
    predictions: dict[str, Prediction]

    @property
    def reference(self) -> Estimate | None:
        return self.exact

    def ratio(self, name: str) -> float:
        found = self.approximations.get(name) or self.predictions[name]
        return math.nan if self.exact is None else found.value / self.exact.value


@dataclass(frozen=True)
class Report:
    """A report of such escapes."""

    escapes: tuple[Escape, ...]
    title: str = "escape of SGD from 0 over 0.819 to 1.0648: SampledLoss(mirrored parabola, 500 samples, 1 weight), batch size 1"
    level_name: str = "learning_rate"
    approximations: tuple[str, ...] = ("Gaussian chain", "equation", "quadratic C", "constant C")
    formulas: tuple[str, ...] = ("kramers", "laplace", "power_law", "power_law_published", "mirrored")


@pytest.fixture
def report() -> Report:
    names = Report.approximations
    return Report((Escape(
        0.05, Estimate(value=130.0, low=120.0, high=141.0, confidence=0.95, method="simulation"), exact(133.0),
        dict(zip(names, map(exact, (99.0, 94.0, 62.0, 157.0)), strict=True)),
        {name: Prediction(name=name, log_value=4.0 + k / 4, applies=k != 1, because="", source="")
         for k, name in enumerate(Report.formulas)}),))


def test_one_level_has_a_row_with_a_mark_for_each_name(report: Report) -> None:
    (e,) = report.escapes
    figure = draw_sgd_escapes(report)
    times, ratios = figure.axes
    rows = [label.get_text() for label in times.get_yticklabels()]
    assert rows == [MEASURED_NAME, CHAIN, *report.approximations, *(name.replace("_", " ") for name in report.formulas)]
    found = [e.measured, e.exact, *e.approximations.values(), *(e.predictions[name] for name in report.formulas)]
    marks = {round(c.lines[0].get_ydata()[0]): c.lines[0] for c in times.containers}
    assert [marks[k].get_xdata()[0] * math.log(10) for k in range(len(rows))] == pytest.approx([f.log_value for f in found])
    assert all(mark.get_marker() in "oDs^vXP" for mark in marks.values()) and len(ratios.containers) == len(rows)
    assert marks[rows.index("laplace")].get_alpha() < 1.0 == marks[rows.index("kramers")].get_alpha()
    assert f"{e.ratio('equation'):.3g}" in [text.get_text() for text in ratios.texts]
    assert figure.get_suptitle().replace("\n", " ") == report.title


def test_several_levels_share_lines_that_are_all_seen(report: Report) -> None:
    (first,) = report.escapes
    figure = draw_sgd_escapes(replace(report, escapes=(first, replace(first, level=0.1))))
    above, below = figure.axes
    looks = {line.get_label(): (line.get_color(), line.get_marker(), line.get_linestyle()) for line in above.lines
             if not line.get_label().startswith("_")}
    assert len(set(looks.values())) == len(looks) >= len(report.approximations) + len(report.formulas)
    width = {line.get_label(): line.get_linewidth() for line in above.lines}
    assert width["Gaussian chain"] > width["equation"] > width[CHAIN]
    assert "t = learning rate" in above.get_ylabel() and figure.get_suptitle() and len(below.containers) == 2


def test_what_is_missing_leaves_its_row_out(report: Report) -> None:
    (e,) = report.escapes
    bare = replace(e, measured=None, exact=None, approximations={})
    times, ratios = draw_sgd_escapes(replace(report, escapes=(bare,))).axes
    assert len(times.get_yticklabels()) == len(report.formulas) and not ratios.containers
