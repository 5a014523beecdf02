"""The picture of linear stability: what SGD can stay in, over learning rate and batch size."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import EXACT, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 6
TITLE = 32              # characters in a line above a panel
# In the order of the regions' numbers; light enough for the lines of the boundaries, and of different lightness, for who sees no colours
AREAS = (("#8C8C8C", "excluded: η λ_max too large"), ("#D55E00", "left: the variance grows, and so do paths"),
         ("#F5D77A", "attracted only: the variance grows"), ("#7CC8B4", "metastable"))
LINES = (("in_mean", "black", "limit in the mean"), ("in_mean_square", "#0072B2", "in mean square"),
         ("almost_surely", "#7A3E00", "almost surely"))


class MinimumLike(Protocol):
    """What is drawn of a minimum."""

    @property
    def in_mean(self) -> float:
        """Limit of η in the mean."""

    @property
    def in_mean_square(self) -> Array:
        """Limits in mean square, for each batch size."""

    @property
    def almost_surely(self) -> Array:
        """Limits almost surely, for each batch size."""

    @property
    def islands(self) -> Sequence[Sequence[tuple[float, float]]]:
        """For each batch size, intervals in which almost every path is attracted again."""

    @property
    def name(self) -> str:
        """Above the panel."""


class MapLike(Protocol):
    """What is drawn of a map."""

    @property
    def learning_rates(self) -> Array:
        """η."""

    @property
    def batch_sizes(self) -> Any:
        """B."""

    @property
    def minima(self) -> Sequence[Any]:
        """`MinimumLike`, the sharpest first."""


def draw_stability(stability: MapLike, *, axes: Sequence[Axes] | None = None, title: str = "") -> Figure:
    """Draw the regions of each minimum over learning rate and batch size, both logarithmic, with the lines between them.

    Parameters
    ----------
    stability
        The result of `langevin_sgd.stability`.
    axes
        An axis for each minimum; those of a new figure if None, and then six minima at most, from the sharpest to the flattest.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Between batch sizes that were looked at, boundaries are interpolated; simulated ones are drawn in the middle of their errors.  Where
        almost every path is attracted again beyond the first limit, bands are drawn.
    """
    from matplotlib.figure import Figure
    minima = list(stability.minima)
    if axes is None:
        minima = [minima[k] for k in np.unique(np.linspace(0, len(minima) - 1, min(len(minima), MOST_PANELS)).round().astype(int))]
        figure = Figure(figsize=(3.3 + 3.6 * min(len(minima), 3), 0.9 + 3.2 * -(-len(minima) // 3)), layout="constrained")
        axes = list(figure.subplots(-(-len(minima) // 3), min(len(minima), 3), squeeze=False, sharex=True, sharey=True).flat)
        for ax in axes[len(minima):]:
            ax.set_visible(False)
    for ax, minimum in zip(axes, minima, strict=False):
        _draw_minimum(ax, stability, minimum)
        ax.label_outer()
    drawn: Any = axes[0].figure
    drawn.legend(handles=_legend(), fontsize=8, frameon=False, loc="outside right upper")
    if title:
        drawn.suptitle(title, fontsize=11, x=0.02, ha="left")
    return drawn


def _draw_minimum(ax: Axes, stability: MapLike, minimum: MinimumLike) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator
    sizes = np.asarray(stability.batch_sizes, dtype=float)
    low, high = float(stability.learning_rates[0]), float(stability.learning_rates[-1])
    lines = {name: np.broadcast_to(getattr(minimum, name), sizes.shape) for name, _, _ in LINES}
    if len(sizes) == 1:                                             # a band
        sizes, lines = sizes * np.array([0.7, 1.4]), {name: np.repeat(line, 2) for name, line in lines.items()}
    square, sure = lines["in_mean_square"], np.maximum(lines["almost_surely"], lines["in_mean_square"])
    beyond = np.maximum(lines["in_mean"], sure)
    edges = (np.full_like(sizes, high), beyond, sure, square, np.full_like(sizes, low))        # from the excluded to the metastable
    for (colour, _), right, left in zip(AREAS, edges[:-1], edges[1:], strict=True):
        ax.fill_betweenx(sizes, np.clip(left, low, high), np.clip(right, low, high), color=colour, linewidth=0)
    middles = np.concatenate([sizes[:1], np.sqrt(sizes[1:] * sizes[:-1]), sizes[-1:]])
    for below, above, islands in zip(middles[:-1], middles[1:], minimum.islands, strict=False):
        for first, last in islands:
            ax.fill_betweenx([below, above], *np.clip([first, last], low, high), color=AREAS[2][0], linewidth=0)
    for name, colour, _ in LINES:
        seen = lines[name] > 0
        ax.plot(lines[name][seen], sizes[seen], color=colour, **EXACT)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(sizes[0], sizes[-1]))
    ticks = [int(size) for size in stability.batch_sizes]
    ax.set_yticks(ticks, [str(size) for size in ticks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_formatter(NullFormatter())
    name = " ".join(minimum.name.split()).replace(" = ", "\u00a0=\u00a0")        # in lines that end before the next panel, or the legend
    tidy(ax, x="learning rate η", y="batch size B", title="\n".join(textwrap.wrap(name, TITLE)))
    ax.grid(False)


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    return [Patch(color=colour, label=label) for colour, label in reversed(AREAS)] + \
        [Line2D([], [], color=colour, label=label, **EXACT) for _, colour, label in LINES]
