"""Pictures show what they say: points for Monte Carlo, solid for exact, dashed for closed forms."""
from __future__ import annotations

import io
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.plots import (
    draw_current,
    draw_escapes,
    draw_landscape,
    draw_level_lines,
    draw_measured_noise,
    draw_occupancy,
    draw_paths,
    draw_survival,
)
from langevin_sgd.studies.occupancy import Occupancy


@pytest.fixture(scope="module")
def report() -> object:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
    return ls.escape(sde, -1.0, 0.0, noise_levels=[0.05, 0.1, 0.2], n_paths=250, rng=1)


def drawn(figure: object) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def test_an_escape_picture_has_times_above_and_ratios_below(report) -> None:
    figure = report.plot()
    above, below = figure.axes
    solid = [line for line in above.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]
    exact = np.log10([e.exact.value for e in report.escapes])
    assert any(np.allclose(line.get_ydata(), exact) for line in solid)
    points = above.containers[0].lines[0]
    assert np.allclose(points.get_ydata(), np.log10([e.measured.value for e in report.escapes]))
    dashed = [line for line in below.lines if line.get_linestyle() != "-" and len(line.get_xdata()) == 3]
    kramers = [e.ratio("kramers") for e in report.escapes]
    assert any(np.allclose(line.get_ydata(), kramers) for line in dashed)
    assert len(drawn(figure)) > 10_000


def test_formulas_are_faint_where_they_do_not_apply(report) -> None:
    above = report.plot().axes[0]
    applies = [e.predictions["kramers"].applies for e in report.escapes]
    faint = [line for line in above.lines if line.get_alpha() == 0.4 and np.isfinite(line.get_ydata()).any()]
    assert not all(applies) and faint
    assert np.array_equal(np.isfinite(faint[0].get_ydata()), ~np.array(applies))


def test_several_reports_share_a_picture_in_colours_of_their_own(report) -> None:
    above = draw_escapes({"one": report, "two": report}).axes[0]
    assert len({c.lines[0].get_color() for c in above.containers}) == 2
    assert {"one", "two"} <= {text.get_text() for text in above.get_legend().get_texts()}


def test_a_time_that_overflows_a_float_is_still_drawn() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
    report = ls.escape(sde, -1.0, 0.0, noise_levels=[0.25 / 800, 0.1], n_paths=250, rng=1)
    assert math.isinf(report.escapes[0].exact.value)
    heights = np.concatenate([line.get_ydata() for line in report.plot().axes[0].lines if len(line.get_xdata()) == 2])
    assert np.nanmax(heights[np.isfinite(heights)]) > 340


def test_survival_is_drawn_with_its_band_and_the_censored_paths() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.25)
    ends = ls.first_passage(sde, -1.0, ls.Interval(high=0.0), dt=0.01, n_paths=300, t_max=5.0, rng=1)
    ax = draw_survival(ends)
    assert ax.get_yscale() == "log"
    labels = {t.get_text() for t in ax.get_legend().get_texts()}
    assert labels == {"measured (Kaplan–Meier)", "exponential at the measured rate", "censored"}
    assert len(drawn(ax.figure)) > 5_000


def test_paths_are_few_and_levels_are_named() -> None:
    runs = ls.simulate(ls.langevin(ls.landscapes.double_well(), 0.1), -1.0, (0, 2), 0.01, n_paths=50, rng=1)
    ax = draw_paths(runs, count=3, levels={"saddle": 0.0})
    assert len(ax.lines) == 4
    assert [t.get_text() for t in ax.texts] == ["saddle"]


def test_occupancy_is_a_probability() -> None:
    levels = np.array([1.0, 2.0])
    o = Occupancy(levels, "barrier", np.array([0.6, 0.7]), np.array([0.55, 0.69]), np.array([0.7, 0.7]))
    ax = draw_occupancy({"constant": o})
    assert ax.get_ylim() == (0.0, 1.0)
    assert len(ax.lines) == 3


def test_lines_of_a_committor_run_where_it_has_their_value() -> None:
    loss = ls.Landscape("(x**2 - 1)**2/4 + y**2/2")
    gen = ls.FokkerPlanck(ls.langevin(loss, temperature=0.1), ls.Grid([(-1.6, 1.6), (-1.2, 1.2)], (32, 24)))
    ax = draw_landscape(loss, [(-1.6, 1.6), (-1.2, 1.2)], highest=0.6)
    draw_level_lines(gen.committor(ls.Ball([-1, 0], 0.3), ls.Ball([1, 0], 0.3)), levels=[0.5], ax=ax)
    middle = ax.collections[-1].get_paths()[0].vertices         # by symmetry the line x = 0
    assert np.abs(middle[:, 0]).max() < 0.01 and np.ptp(middle[:, 1]) > 1.5
    assert len(drawn(ax.figure)) > 10_000


def test_arrows_point_along_the_current() -> None:
    gen = ls.FokkerPlanck(ls.systems.rotating_quadratic(rotation=1.0), ls.Grid([(-3, 3), (-3, 3)], 32))
    arrows = draw_current(gen.grid, gen.probability_current()).collections[-1]
    x, y = arrows.get_offsets().T
    assert np.allclose(x * arrows.U + y * arrows.V, 0, atol=0.05) and (y * arrows.U - x * arrows.V > 0).all()


def test_measured_noise_is_points_and_its_fit_a_line() -> None:
    one = ls.losses.linear_regression([1.0, -2.0, 0.5], [0.7, -1.0, 1.2])
    upper, lower = draw_measured_noise(ls.noise.measure(one))
    x, fitted = upper.lines[0].get_data()
    assert upper.lines[0].get_linestyle() == "-"
    assert np.allclose(fitted, [one.covariance(w) for w in x])
    assert len(upper.containers[0].lines[0].get_xdata()) == 17
    assert np.abs(lower.containers[0].lines[0].get_ydata()).max() < 1e-12
    plane = ls.losses.linear_regression([[1.0, 0.0], [0.5, -1.0], [0.2, 0.3]], [1.0, 0.0, 2.0])
    upper, _ = draw_measured_noise(ls.noise.measure(plane), component=1)
    assert len(upper.containers[0].lines[0].get_xdata()) == 3          # the centre and one on either side lie on the axis
    assert len(drawn(upper.figure)) > 10_000
