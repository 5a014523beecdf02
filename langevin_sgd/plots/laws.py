"""Stationary laws: the histogram of a sample against densities on logarithmic axes, with ratios below; and tails over thresholds."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.models.arguments import Array, finite, numbers, whole
from langevin_sgd.plots.theme import COLOURS, DASHES, EXACT, MEASURED, PREDICTED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Density = Callable[[Any], Any]

FEW_RUNS = 20           # below, error bars are those of counts
FEWEST = 10             # counts in a bin that is drawn
NEAREST = 0.02          # share of the sample that lies below the first bin of distances
INSIDE = 8              # points in a bin, over which a density is averaged
MEASURED_COLOUR = "black"


class TailLike(Protocol):
    """What is drawn of a tail."""

    @property
    def fractions(self) -> Array:
        """Shares of the sample beyond the thresholds."""

    @property
    def values(self) -> Array:
        """The estimates."""

    @property
    def errors(self) -> Array:
        """Their standard errors."""


def draw_stationary_laws(samples: ArrayLike, laws: Mapping[str, Density], *, center: float | None = None, bins: int = 40,
                         tails: Mapping[str, float] | None = None, label: str = "measured", axes: tuple[Axes, Axes] | None = None,
                         title: str = "") -> tuple[Axes, Axes]:
    """Draw the histogram of a sample and densities that should be its own, on logarithmic axes, and below the ratios of the two.

    Parameters
    ----------
    samples
        Numbers (n,) that are independent, or (path, time): error bars are then from the differences between paths, if they are 20 or more,
        else those of counts.
    laws
        By label, densities p(x), such as those of `exact.stationary_density`: solid.
    center
        None: the density of x.  A number: that of the distance from it, on two logarithmic axes, where power laws are straight.
    bins
        How many, of equal width on the axis.
    tails
        By label, exponents A of P(distance > r) ∝ r^−A: dashed, with the slope −(A + 1), through the farthest hundredth of the sample.
    label
        What the points are.
    axes
        Two axes, one above the other; those of a new figure if None.

    Returns
    -------
    tuple
        The two axes.
    """
    x = numbers("samples", samples)
    x = x[:, None] if x.ndim == 1 else x
    upper, lower = axes if axes is not None else _new_axes()
    value = x if center is None else np.abs(x - finite("center", center))
    edges = _edges(value, whole("bins", bins, least=2), distances=center is not None)
    middle = (edges[1:] + edges[:-1]) / 2 if center is None else np.sqrt(edges[1:] * edges[:-1])
    density, error, seen = _histogram(value, edges)
    upper.errorbar(middle[seen], density[seen], error[seen], color=MEASURED_COLOUR, label=label, **{**MEASURED, "markersize": 3.5})
    for colour, (name, law) in zip(COLOURS, laws.items(), strict=False):
        folded = law if center is None else _folded(law, center)
        expected = _averaged(folded, edges)
        upper.plot(middle, expected, color=colour, label=name, **EXACT)
        lower.errorbar(middle[seen], density[seen] / expected[seen], error[seen] / expected[seen], color=colour,
                       **{**MEASURED, "markersize": 3.0, "linewidth": 0.8})
    for dash, (name, exponent) in zip(DASHES, (tails or {}).items(), strict=False):
        _draw_slope(upper, value, exponent, middle[seen], density[seen], name, dash)
    _scales(upper, lower, density[seen & (density > 0)], folded=center is not None)
    upper.legend(fontsize=8, frameon=False)
    tidy(upper, y="density", title=title)
    tidy(lower, x="state" if center is None else "distance from the centre", y="measured / law")
    return upper, lower


def draw_tail_exponent(tails: Mapping[str, TailLike], *, exact: Mapping[str, float] | None = None, ax: Axes | None = None,
                       title: str = "", **style: Any) -> Axes:
    """Draw Hill's estimate over the share of the sample beyond the threshold: a power law is level, anything lighter rises to the right.

    Parameters
    ----------
    tails
        By label, results of `tail_exponent`.
    exact
        By the same labels, the exponents that should come out: solid.
    """
    ax = new_axes(ax)
    for colour, (name, t) in zip(COLOURS, tails.items(), strict=False):
        ax.errorbar(t.fractions, t.values, 1.96 * t.errors, color=colour, label=name or None, **{**MEASURED, **style})
        if exact and math.isfinite(exact.get(name, math.nan)):
            ax.axhline(exact[name], color=colour, alpha=0.7, **EXACT)
    ax.set_xscale("log")
    ax.invert_xaxis()
    if any(tails):
        ax.legend(fontsize=8, frameon=False)
    return tidy(ax, x="share of the sample beyond the threshold", y="tail exponent A", title=title)


def _edges(value: Array, bins: int, *, distances: bool) -> Array:
    if not distances:
        return np.linspace(value.min(), value.max(), bins + 1)
    near = float(np.quantile(value, NEAREST))
    return np.geomspace(near, float(value.max()) * (1 + 1e-12), bins + 1)


def _histogram(value: Array, edges: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The density in each bin, its standard error, and which bins have enough in them to be drawn."""
    place = np.searchsorted(edges, value, side="right") - 1
    counts = np.zeros((len(value), len(edges) - 1))
    inside = (place >= 0) & (place < len(edges) - 1)
    rows = np.broadcast_to(np.arange(len(value))[:, None], value.shape)
    np.add.at(counts, (rows[inside], place[inside]), 1.0)
    total = counts.sum(axis=0)
    scatter = counts.std(axis=0, ddof=1) * math.sqrt(len(value)) if len(value) >= FEW_RUNS and value.shape[1] > 1 else np.sqrt(total)
    scale = value.size * np.diff(edges)
    return total / scale, scatter / scale, total >= FEWEST


def _folded(law: Density, center: float) -> Density:
    """The density of the distance from a centre."""
    return lambda r: np.asarray(law(center + r)) + np.asarray(law(center - r))


def _averaged(law: Density, edges: Array) -> Array:
    """The mean of a density over each bin, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(INSIDE)
    x = edges[:-1, None] + np.diff(edges)[:, None] * (1 + nodes) / 2
    return np.asarray(np.asarray(law(x.ravel()), dtype=float).reshape(x.shape) @ weights / 2)


def _draw_slope(ax: Axes, value: Array, exponent: float, middle: Array, density: Array, name: str, dash: Any) -> None:
    """A line of slope −(A + 1) on logarithmic axes, through the density where the farthest hundredth of the sample begins."""
    start = float(np.quantile(value, 0.99))
    there = int(np.abs(np.log(middle / start)).argmin())
    ends = np.array([middle[there] / 3, middle[-1] * 1.2])
    ax.plot(ends, density[there] * (ends / middle[there]) ** -(exponent + 1), color="gray", linestyle=dash,
            label=f"{name}, A = {exponent:.3g}", **PREDICTED)


def _scales(upper: Axes, lower: Axes, density: Array, *, folded: bool) -> None:
    upper.set_yscale("log")
    lower.set_yscale("log")
    if folded:
        upper.set_xscale("log")
        lower.set_xscale("log")
    upper.set_ylim(float(density.min()) / 3, float(density.max()) * 3)
    lower.axhline(1.0, color="black", linewidth=0.8)
    low, high = lower.get_ylim()
    lower.set_ylim(max(low, 0.02), min(high, 50.0))


def _new_axes() -> tuple[Axes, Axes]:
    from matplotlib.figure import Figure
    upper, lower = Figure(figsize=(5.6, 5.2), layout="constrained").subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    return upper, lower
