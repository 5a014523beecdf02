"""The picture of measured noise: C at points, the quadratic that fits it, and what that leaves."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import COLOURS, EXACT, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

    Parameters
    ----------
    noise
        The result of `langevin_sgd.noise.measure`.
    component
        k.
    axes
        Two axes, one above the other; those of a new figure if None.

    Returns
    -------
    tuple
        The two axes.
    """
    upper, lower = axes if axes is not None else _new_axes()
    samples, k = noise.samples, component
    away = samples.points - samples.center
    others = np.delete(away, k, axis=1)
    on_axis = np.abs(others).max(axis=1, initial=0.0) <= ON_AXIS * np.abs(away).max()
    x, c, error = samples.points[on_axis, k], samples.covariances[on_axis, k, k], samples.errors[on_axis, k, k]
    line = np.repeat(samples.center[None], 200, axis=0)
    line[:, k] = np.linspace(x.min(), x.max(), 200)
    fitted, at_points = (_variance(noise, states, k) for states in (line, samples.points[on_axis]))
    look = {"color": COLOURS[0], "markersize": 4.5, "capsize": 2.5, "zorder": 4, **style}
    upper.plot(line[:, k], fitted, color=COLOURS[1], label="quadratic fit", **EXACT)
    upper.errorbar(x, c, 1.96 * error, fmt="o", label="measured", **look)
    upper.legend(fontsize=8, frameon=False)
    lower.axhline(0.0, color=COLOURS[1], linewidth=1.0)
    lower.errorbar(x, c - at_points, 1.96 * error, fmt="o", **look)
    tidy(upper, y="C", title=f"the fit leaves {noise.unexplained:.2g} of the variation")
    tidy(lower, x="w" if away.shape[1] == 1 else f"component {k + 1} of w", y="measured − fit")
    return upper, lower


def _variance(noise: MeasuredNoiseLike, states: Array, k: int) -> Array:
    """C_kk at states (n, d)."""
    if states.shape[1] == 1:
        return np.asarray(noise.at(states[:, 0]))
    return np.asarray(noise.at(states))[:, k, k]


def _new_axes() -> tuple[Axes, Axes]:
    from matplotlib.figure import Figure
    upper, lower = Figure(figsize=(5.2, 4.4), layout="constrained").subplots(2, 1, sharex=True, height_ratios=(3, 1))
    return upper, lower
