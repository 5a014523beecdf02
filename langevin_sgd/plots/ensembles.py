"""Pictures of ensembles: a few paths, and the share of paths still inside."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.status import Status
from langevin_sgd.plots.theme import COLOURS, EXACT, PREDICTED, checked_component, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrajectoriesLike(Protocol):
    """What is drawn of trajectories."""

    t: Array
    x: Array
    status: Any


class PassageLike(Protocol):
    """What is drawn of passage times."""

    def survival(self, confidence: float = 0.95) -> Any:
        """Return time, probability, low, high and censored times."""

    def rate(self, confidence: float = 0.95) -> Any:
        """Return the rate of exit."""


def draw_paths(runs: TrajectoriesLike, *, count: int = 4, component: int = 0, levels: dict[str, float] | None = None,
               ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a few paths of an ensemble, and wells and saddles as horizontal lines.

    A path that left its region is drawn up to the state in which it was found outside, which is marked.

    Parameters
    ----------
    runs
        The result of `simulate` or of `run_sgd`.
    count, component
        How many paths, and which component of the state.
    levels
        Lines to draw by label, for instance ``{"saddle": 0.0}``.
    """
    ax = new_axes(ax)
    states = runs.x[..., None] if runs.x.ndim == 2 else runs.x
    component = checked_component(component, states.shape[-1])
    exits = []
    for k, (colour, path) in enumerate(zip(COLOURS, states[:count, :, component], strict=False)):
        t, x, left = _to_the_end(runs, k, component, path)
        ax.plot(t, x, color=colour, **{"linewidth": 0.8, **style})
        exits += [(t[-1], x[-1], colour)] if left else []
    if exits:
        at, where, colours = zip(*exits, strict=True)
        ax.scatter(at, where, marker="X", s=40, c=colours, edgecolors="black", linewidths=0.6, zorder=5)
        ax.plot([], [], "X", color="gray", markeredgecolor="black", markeredgewidth=0.6, label="left")
        ax.legend(fontsize=8, frameon=False)
    for label, level in (levels or {}).items():
        ax.axhline(level, color="black", linewidth=0.6, linestyle=":")
        ax.annotate(label, (1.0, level), xycoords=("axes fraction", "data"), fontsize=8, ha="right", va="bottom")
    return tidy(ax, x="t", y="state")


def _to_the_end(runs: TrajectoriesLike, k: int, component: int, path: Array) -> tuple[Array, Array, bool]:
    """Times and states of a path up to where it ended, between saved times if that is known; and whether it left there."""
    known = np.isfinite(path)
    t, x, status = runs.t[known], path[known], runs.status[k]
    if not hasattr(runs, "last") or status == Status.DIVERGED:
        return t, x, False
    time, last = runs.time[k], runs.last[k, component]                      # type: ignore[attr-defined]
    if not len(t) or time > t[-1]:
        t, x = np.append(t, time), np.append(x, last)
    return t, x, bool(status == Status.EXITED)


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
