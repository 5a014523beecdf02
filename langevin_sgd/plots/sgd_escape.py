"""Escape of SGD: log time against the level for SGD, the chain of its batches, and what stands in its place; ratios below."""
from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.plots.escape import plain_ticks
from langevin_sgd.plots.theme import COLOURS, DASHES, EXACT, MARKERS, MEASURED, PREDICTED, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SGD = "black"
HIGHEST = 1e9                   # ratio, or decades, beyond which nothing is drawn
FAINT = 0.6                     # of what does not apply
TITLE = 95                      # characters in a line of the title
MEASURED_NAME, CHAIN = "SGD, measured, 95 %", "chain of its batches"
CLOCK = "t = learning rate × iterations"
# What is not SGD, each in a colour, the first the widest: lines that coincide are all seen
STYLES = {"Gaussian chain": (COLOURS[1], 4.6), "equation": (COLOURS[5], 2.8), "quadratic C": (COLOURS[4], 2.8),
          "constant C": (COLOURS[3], 2.8)}
FORMS = (COLOURS[0], COLOURS[2], COLOURS[8], COLOURS[9], "#4D4D4D")     # the closed forms', which the others do not have
MARK: dict[str, Any] = {**MEASURED, "fmt": "", "linestyle": "", "marker": "o", "markersize": 6}


class SGDEscapeLike(Protocol):
    """What is drawn of one escape of SGD."""

    level: float
    measured: Estimate | None
    exact: Estimate | None
    approximations: Mapping[str, Estimate]
    predictions: Mapping[str, Prediction]

    @property
    def reference(self) -> Estimate | None:
        """The time of SGD: exact, else measured."""

    def ratio(self, name: str) -> float:
        """Return an approximation or a closed form over the time of SGD."""


class SGDReportLike(Protocol):
    """What is drawn of a report."""

    @property
    def title(self) -> str:
        """What was asked."""

    @property
    def level_name(self) -> str:
        """What was varied."""

    @property
    def escapes(self) -> Sequence[Any]:
        """One `SGDEscapeLike` for each level."""

    @property
    def approximations(self) -> list[str]:
        """Names of what was computed in place of SGD."""

    @property
    def formulas(self) -> list[str]:
        """Names of the closed forms."""


def draw_sgd_escapes(report: SGDReportLike, *, formulas: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Draw escapes of SGD: log10 time above, ratios to the time of SGD below; of a single level a row for each name, side by side.

    Parameters
    ----------
    report
        What `escape` returns for a loss over data.
    formulas
        Names of the closed forms to draw; all if None.
    title
        Above the figure; what was asked if None.

    Returns
    -------
    matplotlib.figure.Figure
        Points are real runs, the black line the chain of their batches, coloured lines exact answers for what stands in place of SGD,
        dashed lines closed forms; faint where a form does not apply.  Of a single level, diamonds are exact and open marks closed forms.
    """
    from matplotlib.figure import Figure
    names = list(report.formulas if formulas is None else formulas)
    title = report.title if title is None else title
    alone = len({e.level for e in report.escapes}) == 1
    figure = Figure(figsize=(8.4, 1.9 + 0.3 * (2 + len(report.approximations) + len(names))) if alone else (7.6, 7.0), layout="constrained")
    (_draw_rows if alone else _draw_lines)(figure, report, names)
    if title:
        figure.suptitle("\n".join(textwrap.wrap(title, TITLE)), fontsize=9.5, x=0.02, ha="left")
    return figure


def _draw_lines(figure: Figure, report: SGDReportLike, names: Sequence[str]) -> None:
    """Times above, ratios below, against the level."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.7, 1])
    _draw_sgd(above, report)
    for name in report.approximations:
        colour, width = STYLES[name]
        for ax, ratio in ((above, False), (below, True)):
            _line(ax, report, name, ratio=ratio, color=colour, linewidth=width, label=name)
    for k, name in enumerate(names):
        # over the exact ones, which are wider
        style = {**_look_of_form(k), "linestyle": DASHES[k % len(DASHES)], **PREDICTED, "zorder": 3.5}
        for ax, ratio in ((above, False), (below, True)):
            _line(ax, report, name, ratio=ratio, applying=True, label=name.replace("_", " "), **style)
            _line(ax, report, name, ratio=ratio, alpha=FAINT, **style)
    _draw_measured_ratios(below, report)
    below.axhline(1.0, color=SGD, linewidth=0.8, zorder=3)
    below.set_yscale("log")
    plain_ticks(below)
    tidy(above, y=f"log₁₀ mean time\n{CLOCK}")
    tidy(below, x=report.level_name.replace("_", " "), y="ratio to SGD")
    handles, _ = above.get_legend_handles_labels()
    figure.legend(handles=[*handles, *_faint(report, names)], fontsize=8, frameon=False, ncols=4, loc="outside lower center")


def _draw_rows(figure: Figure, report: SGDReportLike, names: Sequence[str]) -> None:
    """Of a single level: a row for each name, with the time on the left and the ratio on the right, where it is written too."""
    times, ratios = figure.subplots(1, 2, sharey=True)
    escape = report.escapes[0]
    rows = _rows(escape, report.approximations, names)
    for row, (_, found, style) in enumerate(rows):
        log_ratio = found.log_value - escape.reference.log_value if escape.reference is not None else math.nan
        for ax, middle in ((times, found.log_value / math.log(10)), (ratios, log_ratio / math.log(10))):
            if abs(middle) < HIGHEST:
                error = _decades(found) if np.any(_decades(found)) else None        # caps of no length would be seen in open marks
                ax.errorbar(middle, row, xerr=error, **{**MARK, **style})
        ratios.annotate(f"{math.exp(log_ratio):.3g}" if abs(log_ratio) < math.log(HIGHEST) else "", (1.01, row), fontsize=8, va="center",
                        xycoords=("axes fraction", "data"))
    if escape.reference is not None and math.isfinite(escape.reference.log_value):
        for ax, at in ((times, escape.reference.log_value / math.log(10)), (ratios, 0.0)):
            ax.axvline(at, color=SGD, linewidth=0.8, zorder=1)
    times.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    times.set_ylim(len(rows) - 0.5, -0.5)
    ratios.set_title("ratio", fontsize=8, loc="right")
    tidy(times, x=f"log₁₀ mean time\n{CLOCK}")
    tidy(ratios, x=f"log₁₀ ratio to SGD\nat {report.level_name.replace('_', ' ')} {escape.level:g}")
    figure.legend(handles=_kinds(report, names), fontsize=8, frameon=False, ncols=4, loc="outside lower center")


def _rows(escape: SGDEscapeLike, approximations: Sequence[str], formulas: Sequence[str]) -> list[tuple[str, Any, dict[str, Any]]]:
    """What there is of an escape: names, numbers and looks."""
    sgd = [(MEASURED_NAME, escape.measured, {"color": SGD}), (CHAIN, escape.exact, {"color": SGD, "marker": "D"})]
    instead = [(name, escape.approximations.get(name), {"color": STYLES[name][0]}) for name in approximations]
    exact = [(name, found, {**style, "marker": "D" if found.is_exact else "o"}) for name, found, style in instead if found is not None]
    forms = [(name.replace("_", " "), escape.predictions[name],
              {**_look_of_form(k), "alpha": 1.0 if escape.predictions[name].applies else FAINT})
             for k, name in enumerate(formulas) if name in escape.predictions]
    return [row for row in sgd if row[1] is not None] + exact + forms


def _decades(found: Estimate | Prediction) -> list[list[float]]:
    """How far an interval reaches to either side, in decades; not at all of what has none, or none to be seen."""
    if not isinstance(found, Estimate) or found.is_exact or not 0 < found.value < math.inf:
        return [[0.0], [0.0]]
    return [[math.log10(found.value / max(found.low, 1e-300))], [math.log10(min(found.high, 1e300) / found.value)]]


def _look_of_form(k: int) -> dict[str, Any]:
    return {"color": FORMS[k % len(FORMS)], "marker": MARKERS[k % len(MARKERS)], "markersize": 5, "markerfacecolor": "none"}


def _kinds(report: SGDReportLike, names: Sequence[str]) -> list[Any]:
    """The legend of rows: what a mark is."""
    from matplotlib.lines import Line2D
    looks = (("simulated", "o", "gray"), ("exact", "D", "gray"), ("closed form", "s", "none"))
    return [Line2D([], [], color="gray", marker=marker, markerfacecolor=face, linestyle="", label=label)
            for label, marker, face in looks] + _faint(report, names, marker="s", markerfacecolor="none", linestyle="")


def _faint(report: SGDReportLike, names: Sequence[str], **style: Any) -> list[Any]:
    """What the legend says of faint forms, where there are any."""
    from matplotlib.lines import Line2D
    found = [e.predictions[name].applies for e in report.escapes for name in names if name in e.predictions]
    look = {"color": "gray", "alpha": FAINT, "linestyle": DASHES[0], "linewidth": 1.2, **style}
    return [] if all(found) else [Line2D([], [], label="faint: does not apply", **look)]


def _draw_sgd(ax: Axes, report: SGDReportLike) -> None:
    found = _measured(report)
    if found:
        errors = np.concatenate([_decades(e.measured) for e in found], axis=1)
        ax.errorbar([e.level for e in found], [e.measured.log_value / math.log(10) for e in found], errors, color=SGD, label=MEASURED_NAME,
                    **MEASURED)
    exact = [(e.level, e.exact.log_value / math.log(10)) for e in report.escapes if e.exact is not None]
    if exact:
        ax.plot(*zip(*exact, strict=True), color=SGD, label=CHAIN, **EXACT)


def _draw_measured_ratios(ax: Axes, report: SGDReportLike) -> None:
    """Real runs over the exact time, where there are both."""
    for e in _measured(report):
        if e.exact is not None and math.isfinite(e.exact.value):
            low, middle, high = (value / e.exact.value for value in (e.measured.low, e.measured.value, e.measured.high))
            ax.errorbar(e.level, middle, [[middle - low], [high - middle]], color=SGD, **MEASURED)


def _measured(report: SGDReportLike) -> list[Any]:
    """Escapes whose time was measured."""
    return [e for e in report.escapes if e.measured is not None and 0 < e.measured.value < math.inf]


def _line(ax: Axes, report: SGDReportLike, name: str, *, ratio: bool = False, applying: bool = False, **style: Any) -> None:
    """An approximation or a closed form against the level; where it applies, if that is asked for."""
    rows = [(e, e.approximations.get(name) or e.predictions.get(name)) for e in report.escapes]
    heights = [math.nan if found is None or (applying and not found.applies) else e.ratio(name) if ratio else
               found.log_value / math.log(10) for e, found in rows]
    heights = [h if abs(h) < HIGHEST else math.nan for h in heights]
    if not all(map(math.isnan, heights)) or "label" in style:
        ax.plot([e.level for e, _ in rows], heights, **style)
