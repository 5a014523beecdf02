"""Pictures of the plane: a potential in shades, answers on a grid as lines of equal value, a current as arrows or streamlines."""
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

    from langevin_sgd.models.sampled import SampledLoss
    from langevin_sgd.models.sde import SDE

SIZE = (5.6, 4.2)
U_SHADES = 20           # of a quasi-potential
FLOW = 61               # points along each axis, from which streamlines are drawn
ARROWS = 24             # along each axis at most
FAINTEST = 0.02         # of the longest arrow
FAINTEST_LINE = 0.01    # of the strongest current that a streamline is drawn through
WIDEST = 2.2            # of a streamline, where the current is strongest
STREAM_POINTS = 160     # along each axis
ROUNDING = 1e-9         # of the largest slope of the density: what flows less is rounding
SHADES = 0.45, 1.0      # of gray, from the minimum of a potential to the highest value that is drawn
CONTOURS = 24
HIGHEST = 12.0          # of a potential φ = −ln p above its minimum; beyond it is left white
COMMITTOR_LEVELS = tuple(k / 10 for k in range(1, 10))


class GridLike(Protocol):
    """What is drawn on."""

    @property
    def centres(self) -> tuple[Array, ...]:
        """The centres of cells along each axis."""


class GridFunctionLike(Protocol):
    """What is drawn of an answer on a grid."""

    quantity: str
    grid: Any
    values: Array


class QuasipotentialFieldLike(Protocol):
    """What is drawn of a quasi-potential."""

    sde: SDE
    grid: Any
    values: Array


def draw_landscape(loss: Landscape | SampledLoss, bounds: ArrayLike, *, highest: float | None = None, bar: bool = False,
                   ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a landscape of two dimensions in shades of gray, dark where it is low.

    Parameters
    ----------
    loss
        The landscape, or a loss over data.
    bounds
        (low, high) of both axes.
    highest
        Values above it are left white.
    bar
        Whether to draw a colour bar.
    """
    ax = new_axes(ax, SIZE)
    (x0, x1), (y0, y1) = np.asarray(bounds, dtype=float)
    x, y = np.meshgrid(np.linspace(x0, x1, 200), np.linspace(y0, y1, 200))
    height = loss(np.stack([x, y], axis=-1))
    top = float(height.max()) if highest is None else highest
    filled = ax.contourf(x, y, height, levels=np.linspace(float(height.min()), top, 16), **{"cmap": "gray", "alpha": 0.6, **style})
    ax.set(xlim=(x0, x1), ylim=(y0, y1))
    if bar:
        from matplotlib.ticker import MaxNLocator
        ax.figure.colorbar(filled, ax=ax, shrink=0.9, label="loss", ticks=MaxNLocator(5))
    return tidy(ax, x=loss.variables[0], y=loss.variables[1])


def draw_level_lines(answer: GridFunctionLike, *, levels: Sequence[float] | None = None, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw lines of equal value of an answer of the generator in two dimensions, with their values.

    Parameters
    ----------
    answer
        What `FokkerPlanck` gives: a committor, mean passage times.
    levels
        The values; chosen by matplotlib if None.
    """
    ax = new_axes(ax, SIZE)
    x, y = answer.grid.centres
    lines = ax.contour(x, y, np.ma.masked_invalid(answer.values.T), levels=levels, **{"colors": COLOURS[1], "linewidths": 1.2, **style})
    ax.clabel(lines, fontsize=7)
    return tidy(ax, x="x", y="y", title=f"lines: {answer.quantity}")


def draw_potential(density: GridFunctionLike, *, highest: float = HIGHEST, ax: Axes | None = None, **style: Any) -> Axes:
    """Fill the contours of φ = −ln p of a stationary density in two dimensions, above its minimum; dark where paths stay.

    Parameters
    ----------
    density
        What `FokkerPlanck.stationary_density` gives.
    highest
        φ above it is left white.
    """
    ax = new_axes(ax, SIZE)
    x, y = density.grid.centres
    with np.errstate(divide="ignore"):
        phi = -np.log(density.values / np.nanmax(density.values))
    shades = [str(s) for s in np.linspace(*SHADES, CONTOURS)]
    ax.contourf(x, y, phi.T, levels=np.linspace(0.0, highest, CONTOURS + 1), **{"colors": shades, **style})
    return tidy(ax, x="x", y="y")


def draw_streamlines(grid: GridLike, current: Array, *, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the streamlines of a current in two dimensions, wide where it is strong; the weakest hundredth is left out.

    Parameters
    ----------
    grid
        The cells.
    current
        An array (*cells, 2), as `FokkerPlanck.probability_current` gives.
    """
    ax = new_axes(ax, SIZE)
    x, y = (np.linspace(c[0], c[-1], STREAM_POINTS) for c in grid.centres)
    u, v = (_resampled(grid.centres, current[..., k], x, y) for k in range(2))
    strength = np.hypot(u, v)
    shown = strength > FAINTEST_LINE * strength.max()
    ax.streamplot(x, y, np.where(shown, u, np.nan).T, np.where(shown, v, np.nan).T,
                  **{"color": COLOURS[0], "linewidth": WIDEST * np.sqrt(strength / strength.max()).T, "arrowsize": 0.8, "density": 1.3,
                     **style})
    return tidy(ax, x="x", y="y")


def draw_transitions(density: GridFunctionLike, committor: GridFunctionLike, current: Array, *, highest: float = HIGHEST,
                     ax: Axes | None = None) -> Axes:
    """Draw where paths stay, how they part and how they turn: φ = −ln p filled, the committor as lines from 0.1 to 0.9, the current as
    streamlines.

    Parameters
    ----------
    density, committor, current
        What `stationary_density`, `committor` and `probability_current` of one `FokkerPlanck` in two dimensions give.
    highest
        φ above it is left white.

    Notes
    -----
    A current that is nothing but rounding, as of a gradient flow, is not drawn, and the title says so.
    """
    ax = draw_potential(density, highest=highest, ax=ax)
    slopes = np.gradient(density.values, *density.grid.centres)
    is_flowing = np.linalg.norm(current, axis=-1).max() > ROUNDING * max(np.abs(slope).max() for slope in slopes)
    if is_flowing:
        draw_streamlines(density.grid, current, ax=ax)
    draw_level_lines(committor, levels=COMMITTOR_LEVELS, ax=ax)
    ax.set_title("shades: −ln p;  blue: committor;  " + ("orange: current" if is_flowing else "no current"), fontsize=10, loc="left")
    return ax


def draw_quasipotential(field: QuasipotentialFieldLike, *, flow: bool = True, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a quasi-potential in filled contours, under the streamlines of the drift; white where it is not known.

    Parameters
    ----------
    field
        What `quasipotential_field` gives.
    flow
        Whether to draw the streamlines too.
    """
    ax = new_axes(ax, SIZE)
    x, y = field.grid.centres
    known = np.ma.masked_invalid(field.values.T)
    filled = ax.contourf(x, y, known, **{"levels": U_SHADES, "vmin": 0.0, "cmap": "cividis", **style})
    bar = ax.figure.colorbar(filled, ax=ax, shrink=0.9)
    bar.set_label("U, zero at the attractor")
    if flow:
        draw_flow(field.sde, field.grid.bounds, ax=ax)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    names = field.sde.variables
    return tidy(ax, x=names[0], y=names[1])


def draw_flow(sde: SDE, bounds: ArrayLike, *, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw streamlines of the drift of an equation in the plane, within bounds (2, 2)."""
    ax = new_axes(ax, SIZE)
    x, y = (np.linspace(low, high, FLOW) for low, high in np.asarray(bounds, dtype=float))
    f = sde.drift(np.stack(np.meshgrid(x, y), axis=-1))
    ax.streamplot(x, y, f[..., 0], f[..., 1], **{"color": "#bbbbbb", "linewidth": 0.6, "arrowsize": 0.6, "density": 1.1, **style})
    return ax


def draw_current(grid: GridLike, current: Array, *, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a current in two dimensions as arrows whose area is its strength; the weakest are left out.

    Parameters
    ----------
    grid
        The cells.
    current
        An array (*cells, 2), as `FokkerPlanck.probability_current` gives.
    """
    ax = new_axes(ax, SIZE)
    x, y = grid.centres
    every = [max(1, len(c) // ARROWS) for c in (x, y)]
    part = current[every[0] // 2::every[0], every[1] // 2::every[1]]
    strength = np.linalg.norm(part, axis=-1)
    shown = strength > FAINTEST * strength.max()
    length = np.where(shown, 1 / np.sqrt(np.where(shown, strength, 1.0)), np.nan)
    across, up = np.meshgrid(x[every[0] // 2::every[0]], y[every[1] // 2::every[1]], indexing="ij")
    ax.quiver(across[shown], up[shown], (part[..., 0] * length)[shown], (part[..., 1] * length)[shown],
              **{"color": COLOURS[0], "width": 0.004, "pivot": "middle", **style})
    return tidy(ax, x="x", y="y")


def _resampled(centres: Sequence[Array], values: Array, x: Array, y: Array) -> Array:
    """Values on a grid at points that are equally far apart, as streamlines need them."""
    along_x = np.stack([np.interp(x, centres[0], column) for column in values.T], axis=1)
    return np.stack([np.interp(y, centres[1], row) for row in along_x])
