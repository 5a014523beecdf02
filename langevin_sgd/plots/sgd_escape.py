"""Escape of SGD: log time against the level for SGD, the chain of its batches, and what stands in its place; ratios below."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.plots.escape import plain_ticks
from langevin_sgd.plots.theme import COLOURS, DASHES, EXACT, MEASURED, PREDICTED, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SGD = "black"
HIGHEST = 1e9                   # ratio, or decades, beyond which nothing is drawn
STYLES = {"Gaussian chain": (COLOURS[1], "-"), "equation": (COLOURS[2], "-"), "quadratic C": (COLOURS[4], "-"),
          "constant C": (COLOURS[3], "-")}         # exact answers for what is not SGD: solid, as everything exact is


class SGDEscapeLike(Protocol):
    """What is drawn of one escape of SGD."""

    level: float
    measured: Estimate | None
    exact: Estimate | None
    approximations: Mapping[str, Estimate]
    predictions: Mapping[str, Prediction]

    def ratio(self, name: str) -> float:
        """Return an approximation or a closed form over the time of SGD."""


class SGDReportLike(Protocol):
    """What is drawn of a report."""

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


def draw_sgd_escapes(report: SGDReportLike, *, formulas: Sequence[str] | None = None, title: str = "") -> Figure:
    """Draw escapes of SGD: log10 time above, ratios to the time of SGD below.

    Parameters
    ----------
    report
        What `escape` returns for a loss over data.
    formulas
        Names of the closed forms to draw; all if None.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Points are real runs, the black line the chain of their batches, coloured lines exact answers for what stands in place of SGD,
        dashed lines closed forms; faint where a form does not apply.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(7.2, 6.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    names = list(report.formulas if formulas is None else formulas)
    _draw_sgd(above, report)
    for name in report.approximations:
        colour, line = STYLES[name]
        _line(above, report, name, color=colour, linestyle=line, linewidth=1.6, label=name)
        _line(below, report, name, ratio=True, color=colour, linestyle=line, linewidth=1.6)
    for k, name in enumerate(names):
        style = {"color": "gray", "linestyle": DASHES[k % len(DASHES)], **PREDICTED}
        for ax, ratio in ((above, False), (below, True)):
            _line(ax, report, name, ratio=ratio, applying=True, **style, **({"label": name.replace("_", " ")} if ax is above else {}))
            _line(ax, report, name, ratio=ratio, alpha=0.4, **style)
    below.axhline(1.0, color="black", linewidth=0.8)
    below.set_yscale("log")
    plain_ticks(below)
    tidy(above, y="log₁₀ mean time")
    tidy(below, x=report.level_name.replace("_", " "), y="ratio to SGD")
    above.legend(fontsize=8, frameon=False, ncols=2)
    if title:
        figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    return figure


def _draw_sgd(ax: Axes, report: SGDReportLike) -> None:
    found = [e for e in report.escapes if e.measured is not None and math.isfinite(e.measured.value)]
    if found:
        values = [math.log10(e.measured.value) for e in found]
        low = [v - math.log10(max(e.measured.low, 1e-300)) for v, e in zip(values, found, strict=True)]
        high = [math.log10(e.measured.high) - v for v, e in zip(values, found, strict=True)]
        ax.errorbar([e.level for e in found], values, [low, high], color=SGD, label="SGD, measured, 95 %", **MEASURED)
    exact = [(e.level, e.exact.log_value / math.log(10)) for e in report.escapes if e.exact is not None]
    if exact:
        ax.plot(*zip(*exact, strict=True), color=SGD, label="chain of its batches", **EXACT)


def _line(ax: Axes, report: SGDReportLike, name: str, *, ratio: bool = False, applying: bool = False, **style: Any) -> None:
    """An approximation or a closed form against the level; where it applies, if that is asked for."""
    rows = [(e, e.approximations.get(name) or e.predictions.get(name)) for e in report.escapes]
    heights = [math.nan if found is None or (applying and not found.applies) else e.ratio(name) if ratio else
               found.log_value / math.log(10) for e, found in rows]
    heights = [h if abs(h) < HIGHEST else math.nan for h in heights]
    if not all(map(math.isnan, heights)) or "label" in style:
        ax.plot([e.level for e, _ in rows], heights, **style)
