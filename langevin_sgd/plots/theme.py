"""What all pictures share: colours that the colour-blind tell apart, and how measured, exact and predicted are drawn."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langevin_sgd.models.arguments import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito, and three more that stay apart from them
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#8C510A", "#5E3C99")
DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (7, 3)), (0, (2, 1)), (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (3, 3)),
          (0, (9, 1.5)))

MARKERS = "s^vXP"               # of closed forms, where a line alone would not tell them apart, or would not be seen

MEASURED: dict[str, Any] = {"fmt": "o", "markersize": 4.5, "capsize": 2.5, "linewidth": 1.2, "zorder": 4}
EXACT: dict[str, Any] = {"linestyle": "-", "linewidth": 1.6, "zorder": 3}
PREDICTED: dict[str, Any] = {"linewidth": 1.2, "zorder": 2}


def tidy(ax: Axes, *, x: str = "", y: str = "", title: str = "") -> Axes:
    """Label axes and take away the box."""
    ax.set(xlabel=x, ylabel=y)
    if title:
        ax.set_title(title, fontsize=10, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.5)
    return ax


def new_axes(ax: Axes | None, size: tuple[float, float] = (5.2, 3.6)) -> Axes:
    """Return the given axes, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure
    return Figure(figsize=size, layout="constrained").subplots()


def checked_component(component: int, dim: int) -> int:
    """Return the number of a component that there is, counted from 0."""
    k = whole("component", component, least=0)
    if k >= dim:
        raise ValueError(f"`component` is {k}, but must be below {dim}, the number of components: they count from 0.")
    return k
