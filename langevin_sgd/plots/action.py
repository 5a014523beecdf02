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
EQUATION = "Itô equation, same covariance"
ABOVE: dict[str, Any] = {"fontsize": 8, "frameon": False, "loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "borderaxespad": 0.2}
MARK: dict[str, Any] = {"markersize": 6, "zorder": 5, "linestyle": ""}
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
    figure = Figure(figsize=(9.4, 4.2) if plane else (5.2, 4.0), layout="constrained")
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
    _refuse_none(result)
    if result.path.ndim != 2 or result.path.shape[1] != 2:
        raise ValueError(f"`result` has a path of shape {result.path.shape}, but only paths of two components are drawn in the plane; "
                         "draw_work draws the action along any.")
    ax = new_axes(ax, (5.2, 4.0))
    other = _other_path(result)
    if flow:
        _draw_under(result.model, np.concatenate([result.path, other]), ax)
    if len(other):
        ax.plot(*other.T, color=COLOURS[1], linestyle="--", linewidth=1.6, label=EQUATION)
    ax.plot(*result.path.T, **{"color": COLOURS[0], **EXACT, "linewidth": 2.2, "label": _name(result), **style})
    for states, marker, label in ((result.path[:1], "o", "start"), (result.crossings.reshape(-1, 2), "x", "saddle on the way"),
                                  (result.path[-1:], "s", "end")):
        if len(states):                                     # named once, where several paths are drawn in one picture
            named = label in ax.get_legend_handles_labels()[1]
            ax.plot(*states.T, marker, color="black", label="" if named else label, **MARK)
    ax.legend(ncols=2, **ABOVE)
    names = result.model.variables
    return tidy(ax, x=names[0], y=names[1])


def draw_work(result: ActionPathLike, *, field: FieldAlongLike | None = None, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the action spent against the distance along the path, and the quasi-potential there if a field is given.

    For SGD a dashed line is what the path of the equation with the same covariance costs altogether.
    """
    _refuse_none(result)
    ax = new_axes(ax)
    states = result.path.reshape(len(result.path), -1)
    distance = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(states, axis=0), axis=1))])
    label = "action of the path" if field is not None else f"{_name(result)}: {result.work[-1]:.4g} in all"
    ax.plot(distance, result.work, **{"color": COLOURS[0], **EXACT, "label": label, **style})
    gaussian = getattr(result, "gaussian", None)
    if gaussian is not None:
        bound = "" if gaussian.is_least else "at most "
        ax.axhline(gaussian.action, color=COLOURS[1], linestyle="--", linewidth=1.6, label=f"{EQUATION}: {bound}{gaussian.action:.4g}")
    if field is not None:
        ax.plot(distance, field.values_at(states), color="black", linewidth=0.8, zorder=4, label="field along it")
    for k, crossing in enumerate(result.crossings):
        at = int(np.argmin(np.linalg.norm(states - crossing, axis=1)))
        ax.plot(distance[at], result.work[at], "x", color="black", label="" if k or field is not None else "saddle on the way", **MARK)
    ax.legend(**ABOVE)
    size = getattr(result, "batch_size", None)
    unit = "" if size is None else f"\niterations ~ exp(action / η), batch size {size}"
    return tidy(ax, x="distance along the path", y=f"action spent{unit}")


def _refuse_none(result: ActionPathLike) -> None:
    if not len(result.path):
        raise ValueError("`result` has no path to draw: escape is impossible.")


def _name(result: ActionPathLike) -> str:
    return "SGD" if isinstance(result.model, SampledLoss) else "path of least action"


def _other_path(result: ActionPathLike) -> Array:
    """The path of the equation with the covariance of SGD, (n, d); none beside that of an equation itself."""
    gaussian = getattr(result, "gaussian", None)
    return np.empty((0, 2)) if gaussian is None else np.asarray(gaussian.path)


def _draw_under(model: SDE | SampledLoss, states: Array, ax: Axes) -> None:
    if not isinstance(model, SampledLoss):
        draw_flow(model, _box(states), ax=ax)
        return
    height = model(states)
    draw_landscape(model, _box(states), highest=float(height.min() + HIGHEST * np.ptp(height)), bar=True, ax=ax)


def _box(path: Array) -> list[tuple[float, float]]:
    low, high = path.min(axis=0), path.max(axis=0)
    margin = MARGIN * (high - low).max() or 1.0
    return [(a - margin, b + margin) for a, b in zip(low, high, strict=True)]
