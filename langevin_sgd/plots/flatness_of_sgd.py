"""Variance and flatness of real SGD: the exponent over the settings, and the variances at one of them, each beside theory."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, one_of
from langevin_sgd.plots.theme import COLOURS, DASHES, EXACT, MEASURED, PREDICTED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TWO_ERRORS = 1.96
MARKERS = "osD^vPX"
ASIDE = 1.03            # by which factor the points of the next sampling stand aside
NAMES = {"batch_size": "batch size", "learning_rate": "learning rate"}


class PointLike(Protocol):
    """What is drawn of SGD at one learning rate, batch size and sampling."""

    @property
    def learning_rate(self) -> float:
        """η."""

    @property
    def batch_size(self) -> int:
        """B."""

    @property
    def sampling(self) -> str:
        """How batches are drawn."""

    @property
    def measured(self) -> Any:
        """Variances, their errors and curvatures along axes, and which are used; None if there is none."""

    @property
    def exponent(self) -> Estimate | None:
        """ψ."""

    @property
    def predicted_exponent(self) -> float:
        """ψ by theory."""

    @property
    def additive_exponent(self) -> float:
        """ψ of additive noise."""

    @property
    def predicted(self) -> Array | None:
        """Variances by theory."""

    @property
    def additive(self) -> Array | None:
        """Variances of additive noise."""


def draw_flatness_report(points: Sequence[PointLike], *, over: str | None = None, place: Mapping[str, Any] | None = None,
                         title: str = "") -> Figure:
    """Draw ψ over batch sizes or learning rates, and beside it variance against curvature at one place, with ratios to theory below.

    Parameters
    ----------
    points
        Those of `flatness.from_sgd`.
    over
        "batch_size" or "learning_rate"; None: of which there are more.
    place
        `learning_rate` and `batch_size` of the second picture; the middle ones if not given.
    """
    from matplotlib.figure import Figure
    counts = {name: len({getattr(p, name) for p in points}) for name in NAMES}
    along = max(counts, key=lambda name: counts[name]) if over is None else one_of("over", over, NAMES)
    figure = Figure(figsize=(10.4, 4.8), layout="constrained")
    panes: Any = figure.subfigures(1, 2)
    left, right = panes
    draw_exponents(points, over=along, ax=left.subplots())
    chosen = {name: (place or {}).get(name, _middle([getattr(p, name) for p in points])) for name in NAMES}
    there = [p for p in points if all(getattr(p, name) == value for name, value in chosen.items())]
    draw_variances(there, axes=tuple(right.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))),
                   title=f"learning rate {chosen['learning_rate']:g}, batch size {chosen['batch_size']}")
    if title:
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def draw_exponents(points: Sequence[PointLike], *, over: str = "batch_size", ax: Axes | None = None, title: str = "") -> Axes:
    """Draw ψ of every point with its interval, theory solid and additive noise dashed: a colour for each sampling, a marker for the rest.

    Parameters
    ----------
    points
        Those of `flatness.from_sgd`.
    over
        "batch_size" or "learning_rate", along the axis.
    """
    ax = new_axes(ax)
    other = next(name for name in NAMES if name != one_of("over", over, NAMES))
    values = sorted({getattr(p, other) for p in points})
    for j, (colour, sampling) in enumerate(zip(COLOURS, dict.fromkeys(p.sampling for p in points), strict=False)):
        for k, value in enumerate(values):
            line = sorted((p for p in points if p.sampling == sampling and getattr(p, other) == value and p.exponent is not None),
                          key=lambda p: getattr(p, over))
            x = [getattr(p, over) for p in line]
            psi = [p.exponent for p in line if p.exponent is not None]
            ends = [[e.value - e.low for e in psi], [e.high - e.value for e in psi]]
            label = sampling if len(values) == 1 else f"{sampling}, {NAMES[other]} {value:g}"
            look = {**MEASURED, "fmt": MARKERS[k % len(MARKERS)], "markerfacecolor": colour if k == 0 else "white"}
            beside = [ASIDE**j * v for v in x]                          # samplings often give the same
            ax.errorbar(beside, [e.value for e in psi], ends, color=colour, label=label, **look)
            ax.plot(x, [p.predicted_exponent for p in line], color=colour, alpha=0.7, **EXACT)
            ax.plot(x, [p.additive_exponent for p in line], color=colour, linestyle=DASHES[0], alpha=0.7, **PREDICTED)
    ax.axhline(0.0, color="black", linewidth=0.6)
    ax.set_xscale("log")
    places = sorted({getattr(p, over) for p in points})
    ax.set_xticks(places, [f"{v:g}" for v in places])
    ax.minorticks_off()
    _legend(ax, "theory", "additive noise")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.4 * (high - low))                     # room for the legend
    return tidy(ax, x=NAMES[over], y="ψ in variance ∝ flatness$^{-ψ}$", title=title)


def draw_variances(points: Sequence[PointLike], *, axes: tuple[Axes, ...] | None = None, title: str = "") -> tuple[Axes, ...]:
    """Draw variance against curvature, theory solid and additive noise dashed, and below both ratios to theory.

    Parameters
    ----------
    points
        Those of `flatness.from_sgd` at one learning rate and batch size; a colour for each.
    axes
        Two axes, one above the other; those of a new figure if None.
    """
    if axes is None:
        from matplotlib.figure import Figure
        axes = tuple(Figure(figsize=(5.2, 4.8), layout="constrained").subplots(2, 1, sharex=True, height_ratios=(2.4, 1)))
    above, below = axes
    for colour, p in zip(COLOURS, points, strict=False):
        if (m := p.measured) is None:
            continue
        order = np.argsort(m.curvature)
        error = TWO_ERRORS * m.variance_error
        look = {**MEASURED, "fmt": "none"}
        above.errorbar(m.curvature, m.variance, error, color=colour, label=None, **look)
        above.scatter(m.curvature, m.variance, 22, edgecolor=colour, facecolor=[colour if used else "white" for used in m.used], zorder=5,
                      label=p.sampling)
        if p.predicted is None or p.additive is None:
            continue
        above.plot(m.curvature[order], p.predicted[order], color=colour, alpha=0.7, **EXACT)
        above.plot(m.curvature[order], p.additive[order], color=colour, linestyle=DASHES[0], alpha=0.7, **PREDICTED)
        below.errorbar(m.curvature, m.variance / p.predicted, error / p.predicted, color=colour, **MEASURED)
        below.plot(m.curvature[order], (p.additive / p.predicted)[order], color=colour, linestyle=DASHES[0], **PREDICTED)
    below.axhline(1.0, color="black", linewidth=0.8)
    above.set(xscale="log", yscale="log")
    _legend(above, "theory", "additive noise")
    tidy(above, y="variance σ²", title=title)
    tidy(below, x="curvature of the loss", y="ratio to theory")
    return axes


def _legend(ax: Axes, exact: str, predicted: str) -> None:
    ax.plot([], [], color="gray", label=exact, **EXACT)
    ax.plot([], [], color="gray", linestyle=DASHES[0], label=predicted, **PREDICTED)
    ax.legend(fontsize=8, frameon=False)


def _middle(values: Sequence[Any]) -> Any:
    """The middle one of the different values."""
    different = sorted(set(values))
    return different[math.ceil(len(different) / 2) - 1]
