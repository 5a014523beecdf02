"""Training loss and excess risk over time, with bands over data sets."""
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import COLOURS, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = (3.6, 3.0, 2.4, 1.8, 1.2)      # the first the widest: lines that coincide are all seen


class ComparisonLike(Protocol):
    """What is drawn."""

    @property
    def names(self) -> tuple[str, ...]:
        """The ways to train."""

    @property
    def t(self) -> Array:
        """Times."""

    @property
    def n_seeds(self) -> int:
        """Number of data sets."""

    def band(self, name: str, what: str = "excess", confidence: float = 0.95) -> tuple[Array, Array, Array]:
        """Return the mean over data sets and its interval."""


def draw_generalisation(comparison: ComparisonLike, *, title: str = "") -> Figure:
    """Draw training loss and excess risk over time, side by side.

    Parameters
    ----------
    comparison
        What `generalisation.compare` returns.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Lines are geometric means over data sets, bands their 95 % intervals.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True)
    shown = comparison.t > 0
    for ax, what, label in zip(axes, ("training", "excess"), ("training loss", "excess risk"), strict=True):
        for colour, name, width in zip(COLOURS, comparison.names, WIDTHS, strict=False):
            middle, low, high = (values[shown] for values in comparison.band(name, what))
            ax.plot(comparison.t[shown], middle, color=colour, linewidth=width, label=name)
            ax.fill_between(comparison.t[shown], low, high, color=colour, alpha=0.15, linewidth=0)
        ax.set(xscale="log", yscale="log")
        tidy(ax, x="t = learning rate × iterations", y=f"{label}, {comparison.n_seeds} data sets")
    axes[0].legend(fontsize=8, frameon=False)
    if title:
        figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    return figure
