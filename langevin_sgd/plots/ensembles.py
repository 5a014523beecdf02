"""Pictures of ensembles: a few paths, and the share of paths still inside."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import COLOURS, EXACT, PREDICTED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrajectoriesLike(Protocol):
    """What is drawn of trajectories."""

    t: Array
    x: Array


class PassageLike(Protocol):
    """What is drawn of passage times."""

    def survival(self, confidence: float = 0.95) -> Any:
        """Return time, probability, low, high and censored times."""

    def rate(self, confidence: float = 0.95) -> Any:
        """Return the rate of exit."""


def draw_paths(runs: TrajectoriesLike, *, count: int = 4, component: int = 0, levels: dict[str, float] | None = None,
               ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a few paths of an ensemble, and wells and saddles as horizontal lines.

    Parameters
    ----------
    runs
        The result of `simulate`.
    count, component
        How many paths, and which component of the state.
    levels
        Lines to draw by label, for instance ``{"saddle": 0.0}``.
    """
    ax = new_axes(ax)
    x = runs.x if runs.x.ndim == 2 else runs.x[..., component]
    for colour, path in zip(COLOURS, x[:count], strict=False):
        ax.plot(runs.t, path, color=colour, **{"linewidth": 0.8, **style})
    for label, level in (levels or {}).items():
        ax.axhline(level, color="black", linewidth=0.6, linestyle=":")
        ax.annotate(label, (1.0, level), xycoords=("axes fraction", "data"), fontsize=8, ha="right", va="bottom")
    return tidy(ax, x="t", y="state")


def draw_survival(ends: PassageLike, *, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the share of paths still inside on a logarithmic axis, by Kaplan and Meier with its band, beside one exponential.

    Parameters
    ----------
    ends
        The result of `first_passage`.
    """
    ax = new_axes(ax)
    law, rate = ends.survival(), ends.rate()
    time, share = np.concatenate([[0.0], law.time]), np.concatenate([[1.0], law.probability])
    ax.step(time, share, where="post", color=COLOURS[1], label="measured (Kaplan–Meier)", **{**EXACT, **style})
    ax.fill_between(law.time, law.low, law.high, step="post", color=COLOURS[1], alpha=0.2, linewidth=0)
    ax.plot(time, np.exp(-rate.value * time), color="black", linestyle="--", label="exponential at the measured rate", **PREDICTED)
    if len(law.censored):
        inside = np.interp(law.censored, time, share)
        ax.plot(law.censored, inside, "|", color="gray", markersize=6, label="censored")
    ax.set_yscale("log")
    ax.set_ylim(max(share[share > 0].min() / 2, 1e-4), 1.2)
    ax.legend(fontsize=8, frameon=False)
    return tidy(ax, x="t", y="share still inside")
