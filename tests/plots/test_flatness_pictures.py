"""Pictures of variance against flatness: what is fitted, what is left out, the floor; and the two curvatures side by side."""
from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.plots import draw_two_curvatures, draw_variance_flatness

H = np.logspace(-1, 1, 6)


def measured(noise_floor: float | None = None):
    x = np.random.default_rng(1).normal(size=(400, 6)) * np.sqrt(H)
    return ls.flatness.inverse_variance_flatness(x, hessian=H, axes=np.eye(6), noise_floor=noise_floor)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_points_fit_and_theory() -> None:
    found = measured()
    ax = draw_variance_flatness({"C ∝ H²": found}, exact={"C ∝ H²": H}, limits={"C ∝ H²": 2.0})
    points = ax.containers[0][0]
    assert points.get_xdata() == pytest.approx(found.flatness) and points.get_ydata() == pytest.approx(found.variance)
    fit, exact, limit = (line for line in ax.lines if line.get_linestyle() in (":", "-", "--") and len(line.get_xdata()) > 1
                         and line.get_color() == points.get_color() and line.get_marker() == "None")
    slopes = [np.diff(np.log(line.get_ydata()[[0, -1]])) / np.diff(np.log(line.get_xdata()[[0, -1]])) for line in (fit, exact, limit)]
    assert np.ravel(slopes) == pytest.approx([-found.exponent.value, -2, -2])
    assert any(text.startswith("C ∝ H²: ψ = ") for text in texts(ax)) and any("far below" in text for text in texts(ax))
    out = io.BytesIO()
    ax.figure.savefig(out, format="png")
    assert len(out.getvalue()) > 10_000


def test_what_is_near_the_floor_is_hollow_and_the_floor_is_shaded() -> None:
    found = measured(noise_floor=0.08)
    assert found.used.sum() == 4
    ax = found.plot()
    full, hollow = (c[0] for c in ax.containers)
    assert len(full.get_xdata()) == 4 and len(hollow.get_xdata()) == 2 and hollow.get_markerfacecolor() == "none"
    (shade,) = ax.patches
    assert shade.get_y() + shade.get_height() == pytest.approx(0.08)
    assert "noise floor 0.08" in texts(ax)


def test_two_curvatures_side_by_side() -> None:
    case = SimpleNamespace(variance=H, variance_error=0.05 * H, loss_curvature=H, potential_curvature=1 / H, control=H)
    figure = draw_two_curvatures({"C ∝ H²": case})
    left, right = figure.axes
    assert left.containers[0][0].get_xdata() == pytest.approx(H) and right.containers[0][0].get_xdata() == pytest.approx(1 / H)
    line = next(line for line in right.lines if "1 / φ" in line.get_label())
    assert line.get_xdata() * line.get_ydata() == pytest.approx([1, 1])
    assert any("control" in text for text in texts(right))
    without = draw_two_curvatures({"": SimpleNamespace(**{**vars(case), "control": None})})
    assert not any("control" in text for text in texts(without.axes[1]))
