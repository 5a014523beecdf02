"""Paths of least action: the path over the flow of the drift or the loss, and the action spent along it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.plots.fields import QuasipotentialFieldLike, draw_flow, draw_landscape, draw_quasipotential
from langevin_sgd.plots.theme import COLOURS, EXACT, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from langevin_sgd.models.sde import SDE

MARGIN = 0.25           # of the flow around the path, over the larger side of the path's box
HIGHEST = 2.0           # of a loss that is drawn, over the height that the path climbs


class ActionPathLike(Protocol):
    """What is drawn of a path of least action."""

    @property
    def model(self) -> SDE | SampledLoss:
        """The equation, or the loss of SGD."""

    @property
    def path(self) -> Array:
        """States, (points, component), or (points,) in one dimension."""

    @property
    def work(self) -> Array:
        """The action spent up to each, (points,)."""

    @property
    def crossings(self) -> Array:
        """Saddles on the way."""


class FieldAlongLike(QuasipotentialFieldLike, Protocol):
    """A quasi-potential that is known at many states."""

    def values_at(self, x: Array) -> Array:
        """U, NaN where it is not known."""


def draw_action(result: ActionPathLike, *, field: FieldAlongLike | None = None, title: str = "") -> Figure:
    """Draw a path of least action: in the plane over the flow of the drift, with the action spent along it beside.

    Parameters
    ----------
    result
        The result of `minimum_action_path`.
    field
        What `quasipotential_field` gives for the same attractor: it is drawn under the path, and read along it beside.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        For other than two dimensions only the action against the distance along the path.
    """
    from matplotlib.figure import Figure
    plane = result.path.ndim == 2 and result.path.shape[1] == 2
    figure = Figure(figsize=(9.2 if field else 8.4, 3.6) if plane else (5.2, 3.6), layout="constrained")
    if plane:
        beside, work = figure.subplots(1, 2, width_ratios=[1.3, 1])
        if field is not None:
            draw_quasipotential(field, ax=beside)
        draw_path(result, ax=beside, flow=field is None)
        draw_work(result, ax=work, field=field)
    else:
        draw_work(result, ax=figure.subplots())
    if title:
        figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    return figure


def draw_path(result: ActionPathLike, *, ax: Axes | None = None, flow: bool = True, **style: Any) -> Axes:
    """Draw a path in the plane, over the streamlines of the drift; for SGD over its loss, with the path of the equation beside it, dashed.

    Parameters
    ----------
    result
        The result of `minimum_action_path`, in two dimensions.
    flow
        Whether to draw the streamlines, or the loss, too.
    """
    if not len(result.path):
        raise ValueError("`result` has no path to draw: escape is impossible.")
    if result.path.ndim != 2 or result.path.shape[1] != 2:
        raise ValueError(f"`result` has a path of shape {result.path.shape}, but only paths of two components are drawn in the plane; "
                         "draw_work draws the action along any.")
    ax = new_axes(ax, (5.2, 4.0))
    other = _other_path(result)
    if flow:
        _draw_under(result.model, np.concatenate([result.path, other]), ax)
    if len(other):
        ax.plot(*other.T, color=COLOURS[1], linestyle="--", linewidth=1.6, label="Itô equation, same covariance")
        style = {"label": "SGD", **style}
    ax.plot(*result.path.T, **{"color": COLOURS[0], **EXACT, "linewidth": 2.2, **style})
    ax.plot(*result.path[0], "o", color="black", markersize=5, zorder=5)
    ax.plot(*result.path[-1], "s", color="black", markersize=5, zorder=5)
    ax.plot(*result.crossings.reshape(-1, 2).T, "x", color="black", markersize=7, zorder=5)
    if len(other):
        ax.legend(fontsize=8, frameon=False)
    names = result.model.variables
    return tidy(ax, x=names[0], y=names[1])


def draw_work(result: ActionPathLike, *, field: FieldAlongLike | None = None, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the action spent against the distance along the path, and the quasi-potential there if a field is given."""
    ax = new_axes(ax)
    states = result.path.reshape(len(result.path), -1)
    distance = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(states, axis=0), axis=1))])
    ax.plot(distance, result.work, **{"color": COLOURS[0], **EXACT, **style})
    if field is not None:
        ax.lines[-1].set_label("action of the path")
        ax.plot(distance, field.values_at(states), color="black", linewidth=0.8, zorder=4, label="field along it")
        ax.legend(fontsize=8, frameon=False, loc="lower right")
    for crossing in result.crossings:
        at = int(np.argmin(np.linalg.norm(states - crossing, axis=1)))
        ax.plot(distance[at], result.work[at], "x", color="black", markersize=7, zorder=5)
    return tidy(ax, x="distance along the path", y="action spent")


def _other_path(result: ActionPathLike) -> Array:
    """The path of the equation with the covariance of SGD, (n, d); none beside that of an equation itself."""
    gaussian = getattr(result, "gaussian", None)
    return np.empty((0, 2)) if gaussian is None else np.asarray(gaussian.path)


def _draw_under(model: SDE | SampledLoss, states: Array, ax: Axes) -> None:
    if not isinstance(model, SampledLoss):
        draw_flow(model, _box(states), ax=ax)
        return
    height = model(states)
    draw_landscape(model, _box(states), highest=float(height.min() + HIGHEST * np.ptp(height)), ax=ax)


def _box(path: Array) -> list[tuple[float, float]]:
    low, high = path.min(axis=0), path.max(axis=0)
    margin = MARGIN * (high - low).max() or 1.0
    return [(a - margin, b + margin) for a, b in zip(low, high, strict=True)]
