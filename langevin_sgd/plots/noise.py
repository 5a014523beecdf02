"""The picture of measured noise: C at points, the quadratic that fits it, and what that leaves."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import COLOURS, EXACT, checked_component, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 2              # points on an axis that show how C changes along it
ON_AXIS = 1e-9          # of the reach: how far a point may lie off an axis to be drawn on it


class SamplesLike(Protocol):
    """What was measured."""

    center: Array
    points: Array
    covariances: Array
    errors: Array


class MeasuredNoiseLike(Protocol):
    """What is drawn of measured noise."""

    @property
    def samples(self) -> SamplesLike:
        """Points, covariances and their errors."""

    @property
    def unexplained(self) -> float:
        """The share of the variation that the fit leaves."""

    def at(self, x: Any) -> Any:
        """Return the fitted C at states."""


def draw_measured_noise(noise: MeasuredNoiseLike, *, component: int = 0, axes: tuple[Axes, Axes] | None = None,
                        **style: Any) -> tuple[Axes, Axes]:
    """Draw one variance C_kk along its own axis through the centre: measured, fitted, and below the difference of the two.

    Where fewer than two points lie on that axis, all are drawn against component k, and beside each the fit at that very point.

    Parameters
    ----------
    noise
        The result of `langevin_sgd.noise.measure`.
    component
        k, counted from 0.
    axes
        Two axes, one above the other; those of a new figure if None.

    Returns
    -------
    tuple
        The two axes.
    """
    upper, lower = axes if axes is not None else _new_axes()
    samples = noise.samples
    k = checked_component(component, samples.points.shape[1])
    shown = _on_axis(samples, k)
    along = shown.sum() >= FEWEST
    if not along:
        shown[:] = True
    x, c, error = samples.points[shown, k], samples.covariances[shown, k, k], samples.errors[shown, k, k]
    at_points = _variance(noise, samples.points[shown], k)
    look = {"color": COLOURS[0], "markersize": 4.5, "capsize": 2.5, "zorder": 4, **style}
    if along:
        _draw_fit(upper, noise, k, x)
    else:
        upper.plot(x, at_points, "_", color=COLOURS[1], markersize=11, zorder=5, label="quadratic fit, at the same points")
    upper.errorbar(x, c, 1.96 * error, fmt="o", label="measured", **look)
    upper.legend(fontsize=8, frameon=False)
    lower.axhline(0.0, color=COLOURS[1], linewidth=1.0)
    lower.errorbar(x, c - at_points, 1.96 * error, fmt="o", **look)
    of_many = len(samples.center) > 1
    tidy(upper, y=f"C[{k}, {k}]" if of_many else "C", title=f"the fit leaves {noise.unexplained:.2g} of the variation")
    tidy(lower, x=(f"w[{k}]" + (", through the centre" if along else ", of points off its axis")) if of_many else "w", y="measured − fit")
    return upper, lower


def _on_axis(samples: SamplesLike, k: int) -> Any:
    """Which points lie on axis k through the centre."""
    away = samples.points - samples.center
    return np.abs(np.delete(away, k, axis=1)).max(axis=1, initial=0.0) <= ON_AXIS * np.abs(away).max()


def _draw_fit(ax: Axes, noise: MeasuredNoiseLike, k: int, x: Array) -> None:
    """The quadratic along axis k, and where it is below zero."""
    line = np.repeat(noise.samples.center[None], 200, axis=0)
    line[:, k] = np.linspace(x.min(), x.max(), 200)
    fitted = _variance(noise, line, k)
    ax.plot(line[:, k], fitted, color=COLOURS[1], label="quadratic fit", **EXACT)
    if (fitted < 0).any():
        ax.fill_between(line[:, k], fitted, 0.0, where=fitted < 0, color=COLOURS[3], alpha=0.5, linewidth=0, label="C < 0: no covariance")


def _variance(noise: MeasuredNoiseLike, states: Array, k: int) -> Array:
    """C_kk at states (n, d)."""
    if states.shape[1] == 1:
        return np.asarray(noise.at(states[:, 0]))
    return np.asarray(noise.at(states))[:, k, k]


def _new_axes() -> tuple[Axes, Axes]:
    from matplotlib.figure import Figure
    upper, lower = Figure(figsize=(5.2, 4.4), layout="constrained").subplots(2, 1, sharex=True, height_ratios=(3, 1))
    return upper, lower
