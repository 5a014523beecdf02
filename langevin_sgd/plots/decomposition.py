"""Decompositions in the plane: the two parts of the drift over the potential, and the potential beside the loss."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.landscape import Landscape
from langevin_sgd.plots.theme import COLOURS, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.6, 4.6)
FINE = 161              # points of the potential along each axis
ARROWS = 17
HIGHEST = 6.0           # above the lowest φ: beyond, p is below 3e-3 of its maximum
LEVELS = (0.5, 1.0, 2.0, 3.0, 4.5)


class PartsLike(Protocol):
    """What is drawn of a decomposition in the plane."""

    @property
    def residual(self) -> float:
        """How well the parts add up to the drift."""

    def potential(self, x: ArrayLike) -> Any:
        """Return φ at states (..., 2)."""

    def gradient_drift(self, x: ArrayLike) -> Any:
        """Return what relaxes, (..., 2)."""

    def circulating_drift(self, x: ArrayLike) -> Any:
        """Return what circulates, (..., 2)."""


def draw_decomposition(parts: PartsLike, bounds: ArrayLike, *, highest: float = HIGHEST, variables: Sequence[str] = ("x", "y"),
                       ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the drift of an equation in the plane as two fields of arrows over the potential: what relaxes and what circulates.

    Parameters
    ----------
    parts
        What `decompose` or `compose` gives, in two dimensions.
    bounds
        (low, high) of both axes.
    highest
        φ is drawn up to this much above its lowest value, and so are the arrows.
    variables
        Names of the axes.
    """
    ax = new_axes(ax, SIZE)
    x, phi = _on_a_mesh(parts, bounds, FINE)
    shades = ax.contourf(*np.moveaxis(x, -1, 0), np.ma.masked_invalid(phi), levels=np.linspace(0, highest, 17),
                         **{"cmap": "gray", "alpha": 0.55, **style})
    ax.figure.colorbar(shades, ax=ax, label="φ above its lowest value", shrink=0.85, ticks=np.linspace(0, highest, 5))
    at, height = _on_a_mesh(parts, bounds, ARROWS, lowest_of=parts.potential(x))
    at = at[(height < highest) & np.isfinite(height)]
    drifts = {"relaxes, −D ∇φ + ∇·D": parts.gradient_drift(at), "circulates, −Q ∇φ + ∇·Q": parts.circulating_drift(at)}
    # Arrows of half the length for a quarter of the speed: slow parts are seen beside fast ones.
    fastest = max(np.linalg.norm(v, axis=-1).max() for v in drifts.values())
    for (label, v), colour in zip(drifts.items(), COLOURS, strict=False):
        speed = np.linalg.norm(v, axis=-1, keepdims=True)
        arrows = v / np.sqrt(np.where(speed > 0, speed * fastest, 1.0))
        ax.quiver(*at.T, *arrows.T, color=colour, label=label, angles="xy", scale=0.75 * ARROWS, width=0.0045, zorder=3)
    ax.set_aspect("equal")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    return tidy(ax, x=variables[0], y=variables[1], title=f"the drift in two parts, residual {parts.residual:.1g}")


def draw_potential_and_loss(parts: PartsLike, loss: Landscape, bounds: ArrayLike, *, samples: ArrayLike | None = None,
                            levels: Sequence[float] = LEVELS, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw level lines of the potential and of the loss, over states that were sampled: which of the two the states follow.

    Parameters
    ----------
    parts
        What `decompose` gives, in two dimensions.
    loss
        The loss; each of its lines encloses as much of the box as one of φ.
    bounds
        (low, high) of both axes.
    samples
        States (n, 2), from a simulation.
    levels
        Of φ above its lowest value.
    """
    ax = new_axes(ax, SIZE)
    if samples is not None:
        ax.plot(*np.asarray(samples, dtype=float).T, ".", color="gray", markersize=1.5, alpha=0.35, zorder=1)
    x, phi = _on_a_mesh(parts, bounds, FINE)
    height = loss(x) - loss(x).min()
    ax.contour(*np.moveaxis(x, -1, 0), np.ma.masked_invalid(phi), levels=levels, **{"colors": COLOURS[0], "linewidths": 1.6, **style})
    ax.contour(*np.moveaxis(x, -1, 0), height, levels=[_same_area(height, phi, level) for level in levels], colors=COLOURS[1],
               linewidths=1.2, linestyles="dashed")
    for colour, dash, label in ((COLOURS[0], "-", "potential φ"), (COLOURS[1], "--", "loss L, same areas")):
        ax.plot([], [], color=colour, linestyle=dash, label=label)
    ax.legend(fontsize=8, frameon=False, loc="upper right")
    (x0, x1), (y0, y1) = np.asarray(bounds, dtype=float)
    ax.set(xlim=(x0, x1), ylim=(y0, y1))
    return tidy(ax, x=loss.variables[0], y=loss.variables[1])


def _on_a_mesh(parts: PartsLike, bounds: ArrayLike, count: int, lowest_of: Any = None) -> tuple[Array, Array]:
    """States (count, count, 2), and φ there above its lowest value."""
    (x0, x1), (y0, y1) = np.asarray(bounds, dtype=float)
    x = np.stack(np.meshgrid(np.linspace(x0, x1, count), np.linspace(y0, y1, count)), axis=-1)
    phi = parts.potential(x)
    return x, phi - np.nanmin(phi if lowest_of is None else lowest_of)


def _same_area(height: Array, phi: Array, level: float) -> float:
    """The height below which as many points of the mesh lie as below a level of φ."""
    return float(np.quantile(height, np.count_nonzero(phi < level) / phi.size))
