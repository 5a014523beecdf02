"""What splitting did: from level to level, and run beside run."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import COLOURS, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from langevin_sgd.models.answers import Estimate


class SplittingLike(Protocol):
    """What is drawn of a result of splitting."""

    @property
    def runs(self) -> Array:
        """The estimate of each run."""

    @property
    def probability(self) -> Estimate:
        """All together."""

    def weights(self, run: int) -> tuple[Array, Array]:
        """Levels of a run, and the probability to get above each."""


def draw_splitting(result: SplittingLike, *, ax: Axes | None = None, most: int = 32, **style: Any) -> Axes:
    """Draw the probability to get above each level, a line for each run; runs that part early and stay apart missed paths.

    Parameters
    ----------
    result
        The result of `splitting`.
    most
        How many runs are drawn.
    """
    ax = new_axes(ax)
    shown = np.flatnonzero(np.isfinite(result.runs))[:most]
    for run in shown:
        levels, weights = result.weights(int(run))
        ax.step(levels, weights, where="post", **{"color": COLOURS[1], "linewidth": 0.7, "alpha": 0.5, **style})
    ax.set_yscale("log")
    p = result.probability
    if p.value > 0:
        ax.axhline(p.value, color=COLOURS[0], linewidth=1.2, label="probability to arrive")
        ax.axhspan(max(p.low, p.value / 1e3), p.high, color=COLOURS[0], alpha=0.15, linewidth=0)
        ax.legend(frameon=False, fontsize=8)
    return tidy(ax, x="level of the score", y="probability to get above it")
