"""Pictures show what they say: points for Monte Carlo, solid for exact, dashed for closed forms."""
from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.plots import (
    draw_action,
    draw_current,
    draw_escapes,
    draw_landscape,
    draw_level_lines,
    draw_measured_noise,
    draw_methods,
    draw_occupancy,
    draw_paths,
    draw_potential,
    draw_quasipotential,
    draw_streamlines,
    draw_survival,
    draw_transitions,
)
from langevin_sgd.plots.fields import _resampled
from langevin_sgd.plots.splitting import draw_splitting
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


def test_one_level_is_drawn_with_marks(report) -> None:
    (first, *_) = report.escapes
    above, below = dataclasses.replace(report, escapes=(first,)).plot().axes
    marked, compared = ({line.get_marker() for line in ax.lines if len(line.get_xdata()) == 1} for ax in (above, below))
    assert {"D", "s"} <= marked and "s" in compared


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


def test_paths_end_where_they_left_and_that_is_marked() -> None:
    loss = ls.losses.linear_regression([1.0, -2.0, 0.5], [0.7, -1.0, 1.2])
    runs = ls.run_sgd(loss, 0.0, learning_rate=0.1, batch_size=1, n_steps=100, domain=ls.Interval(high=0.5), n_paths=4, rng=1,
                      t_eval=[0.0, 5.0])
    left = runs.status == 1
    assert left.any()
    ax = draw_paths(runs)
    marked = ax.collections[0].get_offsets()
    assert np.array_equal(marked, np.column_stack([runs.time, runs.last[:, 0]])[left]) and (marked[:, 1] >= 0.5).all()
    ends = [line.get_xydata()[-1] for line in ax.lines[:4]]
    assert np.array_equal(np.array(ends)[left], marked)
    with pytest.raises(ValueError, match="`component` is 1, but must be below 1"):
        draw_paths(runs, component=1)


def test_noise_at_scattered_points_is_drawn_beside_its_fit() -> None:
    at = np.random.default_rng(1).normal(size=(12, 2))
    plane = ls.losses.linear_regression([[1.0, 0.0], [0.5, -1.0], [0.2, 0.3]], [1.0, 0.0, 2.0])
    noise = ls.noise.measure(np.stack([plane.sample_gradients(w) for w in at]), at=at)
    upper, _ = draw_measured_noise(noise, component=1)
    fit = next(line for line in upper.lines if "fit" in line.get_label())
    assert np.array_equal(fit.get_xdata(), at[:, 1]) and np.allclose(fit.get_ydata(), noise.at(at)[:, 1, 1])
    with pytest.raises(ValueError, match="`component` is 2, but must be below 2"):
        draw_measured_noise(noise, component=2)


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


def transitions(rotation: float) -> tuple[ls.FokkerPlanck, object]:
    """Two wells, with drift −(I − rotation J) ∇V; their picture."""
    sde = ls.SDE([f"-(x**3 - x) + {rotation}*y", f"-y - {rotation}*(x**3 - x)"], ls.noise.Constant(0.2))
    gen = ls.FokkerPlanck(sde, ls.Grid([(-1.9, 1.9), (-1.4, 1.4)], (48, 40)))
    q = gen.committor(ls.Ball([-1, 0], 0.3), ls.Ball([1, 0], 0.3))
    return gen, draw_transitions(gen.stationary_density(), q, gen.probability_current(), highest=8.0)


def streams(ax: object) -> list[np.ndarray]:
    from matplotlib.collections import LineCollection
    return [segment for c in ax.collections if isinstance(c, LineCollection) for segment in c.get_segments()]


def test_potential_committor_and_current_in_one_picture() -> None:
    """Shades up to the φ asked for, lines where the committor is a tenth, streamlines along the level lines of V."""
    _, ax = transitions(1.0)
    contours = [c for c in ax.collections if hasattr(c, "levels")]
    shades, lines = (next(c for c in contours if c.filled == filled) for filled in (True, False))
    assert shades.levels[0] == 0.0 and shades.levels[-1] == 8.0
    assert np.allclose(lines.levels, np.arange(1, 10) / 10)
    x, y = np.stack(streams(ax)).transpose(2, 1, 0)
    height = (x**2 - 1)**2 / 4 + y**2 / 2
    assert height.max() > 0.2 and np.abs(height[1] - height[0]).max() < 0.02
    assert "orange: current" in ax.get_title(loc="left") and len(drawn(ax.figure)) > 20_000


def test_a_current_of_rounding_is_not_drawn() -> None:
    gen, ax = transitions(0.0)
    assert "no current" in ax.get_title(loc="left")
    assert not streams(ax)
    assert 0 < np.abs(gen.probability_current()).max() < 1e-12         # there would have been something to draw


def test_streamlines_and_potential_on_cells_of_different_size() -> None:
    """Circles around the centre, also where the cells are not equally wide."""
    edges = 3 * np.sinh(np.linspace(-1.5, 1.5, 49)) / np.sinh(1.5)
    gen = ls.FokkerPlanck(ls.SDE(["-x + y", "-x - y"], ls.noise.Constant(1.0)), ls.Grid.from_edges(edges, edges))
    ax = draw_streamlines(gen.grid, gen.probability_current(), ax=draw_potential(gen.stationary_density()))
    (x0, y0), (x1, y1) = np.stack(streams(ax)).transpose(1, 2, 0)
    assert np.mean(x0 * y1 - y0 * x1 <= 0) > 0.98                       # clockwise
    assert np.abs(np.hypot(x1, y1) - np.hypot(x0, y0)).max() < 0.03
    x = np.linspace(-2.5, 2.5, 40)
    across, up = np.meshgrid(*gen.grid.centres, indexing="ij")
    assert np.allclose(_resampled(gen.grid.centres, 2 * across - up, x, x / 2), 2 * x[:, None] - x / 2)


def test_splitting_has_a_line_for_each_run_down_to_the_probability() -> None:
    sde = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
    rare = ls.splitting(sde, -0.7, ls.Interval(high=-0.9), ls.Interval(low=0.0), dt=0.02, n_replicas=40, n_runs=5, rng=1)
    ax = draw_splitting(rare)
    assert len(ax.lines) == 6                           # five runs and the estimate
    levels, weights = rare.weights(2)
    np.testing.assert_array_equal(ax.lines[2].get_xdata(), levels)
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), weights)
    assert ax.lines[5].get_ydata()[0] == rare.probability.value
    assert len(drawn(ax.figure)) > 5000


def test_methods_are_drawn_where_they_were_used_with_their_ratios() -> None:
    sde = [ls.langevin(ls.landscapes.double_well(), t) for t in (0.1, 0.05, 0.025)]
    exact = [ls.mean_passage_time(s, -1.0, ls.Interval(high=0.0)) for s in sde]
    measured = [ls.first_passage(s, -1.0, ls.Interval(high=0.0), 0.02, 100, rng=1).mean() for s in sde[:2]]
    figure = draw_methods([2.5, 5.0, 10.0], {"simulation": [*measured, None], "none": [None] * 3}, exact, title="wells")
    above, below = figure.axes
    points = next(line for line in above.lines if line.get_label() == "simulation")
    assert points.get_ydata() == pytest.approx([np.log10(e.value) for e in measured])
    assert [t.get_text() for t in above.get_legend().get_texts()] == ["exact", "simulation"]
    assert below.containers[-1].lines[0].get_ydata() == pytest.approx([m.value / e.value for m, e in zip(measured, exact, strict=False)])
    assert len(drawn(figure)) > 10_000


def test_a_path_of_least_action_runs_over_the_quasi_potential_and_spends_it() -> None:
    sde, start = ls.systems.maier_stein(10.0), [-1.0, 0.0]
    field = ls.quasipotential_field(sde, start, ls.Grid([(-1.6, 0.4), (-0.8, 0.8)], (48, 40)))
    path = ls.minimum_action_path(sde, start, [0.0, 0.0])
    figure = draw_action(path, field=field, title="Maier–Stein")
    plane, work, bar = figure.axes
    assert any(np.array_equal(line.get_xydata(), path.path) for line in plane.lines)
    spent, along = (line.get_ydata() for line in work.lines[:2])
    assert np.array_equal(spent, path.work) and np.abs(along - spent).max() < 1e-3
    assert [t.get_text() for t in work.get_legend().get_texts()] == ["action of the path", "field along it"]
    assert bar.get_ylabel() == "U, zero at the attractor" and bar.get_ylim()[0] == 0.0
    assert len(drawn(figure)) > 10_000


def test_the_path_of_sgd_runs_over_its_loss_beside_that_of_the_equation() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 2))
    loss = ls.losses.linear_regression(x, x @ [1.0, -0.5] + 1.5 * rng.normal(size=40))
    best = loss.minimum([0.0, 0.0]).x
    found = ls.minimum_action_path(loss, best, best + np.array([0.5, 0.3]), batch_size=1)
    plane, work, bar = draw_action(found).axes
    assert [t.get_text() for t in plane.get_legend().get_texts()] == ["Itô equation, same covariance", "SGD", "start", "end"]
    assert bar.get_ylabel() == "loss"
    dashed, solid = plane.lines[:2]
    assert np.array_equal(solid.get_xydata(), found.path) and np.array_equal(dashed.get_xydata(), found.gaussian.path)
    assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-") and len(plane.collections) == 1
    assert np.array_equal(work.lines[0].get_ydata(), found.work)
    assert work.lines[1].get_ydata()[0] == found.gaussian.action and "batch size 1" in work.get_ylabel()
    with pytest.raises(ValueError, match="escape is impossible"):
        draw_action(ls.minimum_action_path(ls.losses.linear_regression(x, x @ [1.0, -0.5]), [1.0, -0.5], [2.0, 0.0], batch_size=1))


def test_where_the_quasi_potential_is_not_known_nothing_is_drawn() -> None:
    sde = ls.systems.maier_stein(2.0)
    field = ls.quasipotential_field(sde, [-1.0, 0.0], ls.Grid([(-1.8, 1.8), (-0.9, 0.9)], (48, 32)))
    filled = draw_quasipotential(field, flow=False).collections[0]
    drawn_at = np.concatenate([path.vertices for path in filled.get_paths()])
    assert drawn_at[:, 0].min() < -1.2 and drawn_at[:, 0].max() < 0.05          # the other well is white


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


def test_a_picture_of_stability_has_areas_between_its_limits() -> None:
    """At the batch size 4 the metastable area ends at the limit in mean square, and the black line stands at that of the mean."""
    x = np.random.default_rng(1).normal(size=30)
    found = ls.stability(ls.losses.deep_linear_chain(x, x, depth=2), [[1.0, 1.0], [3.0, 1 / 3]], batch_sizes=[1, 4, 30])
    figure = found.plot()
    for ax, m in zip(figure.axes, found.minima, strict=True):
        excluded, left, attracted, metastable = ax.collections
        corners = metastable.get_paths()[0].vertices
        assert np.isclose(corners[corners[:, 1] == 4][:, 0].max(), m.in_mean_square[1])
        assert np.isclose(corners[:, 0].min(), found.learning_rates[0])
        corners = excluded.get_paths()[0].vertices
        assert np.isclose(corners[corners[:, 1] == 4][:, 0].min(), max(m.in_mean, m.almost_surely[1]))
        assert np.allclose(ax.lines[0].get_xdata(), m.in_mean)
        assert np.allclose(ax.lines[1].get_xdata(), m.in_mean_square) and np.allclose(ax.lines[2].get_xdata(), m.almost_surely)
        assert all(areas.get_linewidth() == 0 for areas in (left, attracted))
    assert len(figure.legends[0].get_texts()) == 7
    assert len(drawn(figure)) > 10_000
    single = ls.stability(found.loss, [1.0, 1.0], batch_sizes=[4]).plot()
    assert single.axes[0].get_ylim()[0] < 4 < single.axes[0].get_ylim()[1]
    single.canvas.draw()
    assert single.axes[0].title.get_window_extent().x1 < single.legends[0].get_window_extent().x0
