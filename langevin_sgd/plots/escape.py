"""Escape times: log time against barrier or noise, with closed forms and their ratios to the exact time."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.plots.theme import COLOURS, DASHES, EXACT, MARKERS, MEASURED, PREDICTED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECADES = 1 / math.log(10)
WIDE = 4.0              # range of ratios beyond which they are drawn on a logarithmic axis


class EscapeLike(Protocol):
    """What is drawn of one escape."""

    level: float
    measured: Estimate | None
    exact: Estimate | None
    predictions: dict[str, Prediction]

    def ratio(self, name: str) -> float:
        """Return a closed form over the exact time."""


class ReportLike(Protocol):
    """What is drawn of a report."""

    @property
    def level_name(self) -> str:
        """What was varied."""

    @property
    def escapes(self) -> Sequence[Any]:
        """One `EscapeLike` for each level."""

    @property
    def formulas(self) -> list[str]:
        """Names of the closed forms."""


def draw_escapes(reports: Mapping[str, ReportLike], *, title: str = "", formulas: Sequence[str] | None = None) -> Figure:
    """Draw reports in one figure: log10 time above, ratios to the exact time below.

    Parameters
    ----------
    reports
        By label, each in a colour of its own.
    title
        Above the figure.
    formulas
        Names of the closed forms to draw; all if None.

    Returns
    -------
    matplotlib.figure.Figure
        Points are measured, solid lines exact, dashed lines closed forms; faint where a formula does not apply.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    names = list(formulas) if formulas is not None else list(dict.fromkeys(n for r in reports.values() for n in r.formulas))
    for colour, report in zip(COLOURS, reports.values(), strict=False):
        _draw_times(above, report, colour, names)
        _draw_ratios(below, report, colour, names)
    level = next(iter(reports.values())).level_name.replace("_", " ")
    tidy(above, y="log₁₀ mean time")
    tidy(below, x=level, y="ratio to exact")
    below.axhline(1.0, color="black", linewidth=0.8)
    if below.get_ylim()[1] > WIDE * below.get_ylim()[0]:
        below.set_yscale("log")
        plain_ticks(below)
    above.legend(handles=_legend(reports, names), fontsize=8, frameon=False, loc="best")
    if title:
        figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    return figure


def draw_occupancy(occupancies: Mapping[str, Any], *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw how often the flat minimum is occupied: exact density solid, ratio of escape times as points, three-factor formula dashed.

    Parameters
    ----------
    occupancies
        By label, objects with `levels`, `level_name` and the arrays `exact`, `from_times` and `three_factor`.
    """
    ax = new_axes(ax, (6.4, 3.8))
    for colour, (label, o) in zip(COLOURS, occupancies.items(), strict=False):
        ax.plot(o.levels, o.exact, color=colour, label=f"{label}: exact density", **EXACT)
        ax.plot(o.levels, o.from_times, "s", color=colour, markersize=4, markerfacecolor="none",
                label=f"{label}: ratio of exact escape times")
        ax.plot(o.levels, o.three_factor, color=colour, linestyle=DASHES[0], label=f"{label}: three-factor formula", **PREDICTED)
        name = o.level_name
    ax.set_ylim(0, 1)
    ax.legend(fontsize=8, frameon=False)
    return tidy(ax, x=name, y="probability of the flat minimum", title=title)


def draw_comparison(comparisons: Mapping[str, Any], *, ax: Axes | None = None, y: str = "flat over sharp", title: str = "") -> Axes:
    """Draw the ratio of two times against the level on a logarithmic axis: what stays level is a prefactor, what rises is an exponent.

    Parameters
    ----------
    comparisons
        By label, objects with `levels`, `level_name` and the arrays `measured`, `half_width` and `exact`, NaN where there is none.
    y
        Name of the ratio.
    """
    ax = new_axes(ax, (6.4, 4.6))
    for colour, (label, c) in zip(itertools.cycle(COLOURS), comparisons.items(), strict=False):
        ax.plot(c.levels, c.exact, color=colour, **EXACT)
        ax.errorbar(c.levels, c.measured, c.half_width, color=colour, label=label, **MEASURED)
        name = c.level_name
    ax.set_yscale("log")
    ax.axhline(1.0, color="black", linewidth=0.8)
    plain_ticks(ax)
    ax.legend(fontsize=7.5, frameon=False, ncols=2, loc="upper left")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low)**0.35)          # room for the legend
    return tidy(ax, x=name, y=y, title=title)


def _draw_times(ax: Axes, report: ReportLike, colour: str, names: Sequence[str]) -> None:
    found = [e for e in report.escapes if e.measured is not None and math.isfinite(e.measured.value)]
    if found:
        values = [math.log10(e.measured.value) for e in found]
        low = [v - math.log10(max(e.measured.low, 1e-300)) for v, e in zip(values, found, strict=True)]
        high = [math.log10(e.measured.high) - v for v, e in zip(values, found, strict=True)]
        ax.errorbar([e.level for e in found], values, [low, high], color=colour, **MEASURED)
    exact = [(e.level, e.exact.log_value * DECADES) for e in report.escapes if e.exact is not None]
    ax.plot(*_columns(exact), color=colour, **EXACT, **_mark(report, "D"))
    _draw_forms(ax, report, colour, names, lambda e, name: e.predictions[name].log_value * DECADES, faint=(False,))


def _draw_ratios(ax: Axes, report: ReportLike, colour: str, names: Sequence[str]) -> None:
    _draw_forms(ax, report, colour, names, lambda e, name: e.ratio(name), faint=(True, False))
    both = [e for e in report.escapes if e.measured is not None and e.exact is not None and math.isfinite(e.measured.value)]
    if both:
        ratio = [e.measured.value / e.exact.value for e in both]
        errors = [[(e.measured.value - e.measured.low) / e.exact.value for e in both],
                  [(e.measured.high - e.measured.value) / e.exact.value for e in both]]
        ax.errorbar([e.level for e in both], ratio, errors, color=colour, **MEASURED)


def _draw_forms(ax: Axes, report: ReportLike, colour: str, names: Sequence[str], height: Callable[[EscapeLike, str], float], *,
                faint: Sequence[bool]) -> None:
    """Closed forms against the level, where they apply; and, faint, at the levels where they do what `faint` lists."""
    for k, name in enumerate(names):
        escapes = [e for e in report.escapes if name in e.predictions]
        for applies, alpha in (((True,), 1.0), (faint, 0.4)):
            line = [(e.level, height(e, name) if e.predictions[name].applies in applies else math.nan) for e in escapes]
            ax.plot(*_columns(line), color=colour, linestyle=DASHES[k % len(DASHES)], alpha=alpha, **PREDICTED,
                    **_mark(report, MARKERS[k % len(MARKERS)]))


def _mark(report: ReportLike, marker: str) -> dict[str, Any]:
    """A mark where there is one level only: a line of one point is not seen."""
    return {"marker": marker, "markersize": 6, "markerfacecolor": "none"} if len(report.escapes) == 1 else {}


def _legend(reports: Mapping[str, ReportLike], names: Sequence[str]) -> list[Any]:
    from matplotlib.lines import Line2D
    handles = [Line2D([], [], color=c, linewidth=3, label=label) for c, label in zip(COLOURS, reports, strict=False) if label]
    if any(e.measured is not None for report in reports.values() for e in report.escapes):
        handles.append(Line2D([], [], color="gray", marker="o", linestyle="", markersize=4.5, label="measured, 95 %"))
    shortest = min(reports.values(), key=lambda report: len(report.escapes))
    handles.append(Line2D([], [], color="gray", label="exact", **EXACT, **_mark(shortest, "D")))
    return handles + [Line2D([], [], color="gray", linestyle=DASHES[k % len(DASHES)], label=name.replace("_", " "), **PREDICTED,
                             **_mark(shortest, MARKERS[k % len(MARKERS)])) for k, name in enumerate(names)]


def plain_ticks(ax: Axes) -> None:
    """Write ratios as numbers, and keep the range such that 1 is in it."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
    low, high = ax.get_ylim()
    ax.set_ylim(max(min(low, 0.8), 1e-6), min(max(high, 1.25), 1e6))
    few = ax.get_ylim()[1] / ax.get_ylim()[0] < 30
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]
