"""Variance against flatness, and against the curvatures of the loss and of the potential."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array
from langevin_sgd.plots.theme import COLOURS, DASHES, EXACT, MEASURED, PREDICTED, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (8.8, 4.6)
FLOOR_SEEN = 1e4        # the least variance over the noise floor, up to which the axes are stretched to show the floor
TWO_ERRORS = 1.96
MARKERS = "osD^vPX<>p"  # so that points on top of one another are seen


class FitLike(Protocol):
    """A power law through the points."""

    @property
    def exponent(self) -> Estimate:
        """ψ."""

    def variance(self, flatness: Array) -> Array:
        """Return the variance on the line."""


class FlatnessLike(Protocol):
    """What is drawn of variance against flatness."""

    @property
    def variance(self) -> Array:
        """σ² along each direction."""

    @property
    def variance_error(self) -> Array:
        """Its standard error."""

    @property
    def flatness(self) -> Array:
        """F along each direction."""

    @property
    def used(self) -> Array:
        """Which directions are fitted."""

    @property
    def noise_floor(self) -> float:
        """The variance that there is without SGD."""

    @property
    def fit(self) -> Any:
        """A `FitLike`."""


class CurvaturesLike(Protocol):
    """What is drawn of variance against two curvatures."""

    @property
    def variance(self) -> Array:
        """σ² along each direction."""

    @property
    def variance_error(self) -> Array:
        """Its standard error."""

    @property
    def loss_curvature(self) -> Array:
        """L″ along each direction."""

    @property
    def potential_curvature(self) -> Array:
        """φ″ along each direction."""

    @property
    def control(self) -> Array | None:
        """The curvature of a potential from the wrong noise."""


def draw_variance_flatness(results: Mapping[str, FlatnessLike], *, exact: Mapping[str, Array] | None = None,
                           limits: Mapping[str, float] | None = None, ax: Axes | None = None, title: str = "", **style: Any) -> Axes:
    """Draw variance against flatness on logarithmic axes, with fits, theory and the noise floor.

    Parameters
    ----------
    results
        By label, what `flatness.inverse_variance_flatness` gives; directions that it left out are hollow.
    exact
        By the same labels, predicted variances along the same directions: solid.
    limits
        By the same labels, the exponents of closed forms: dashed, through the middle of the points.
    """
    ax = new_axes(ax, SIZE)
    ax.set(xscale="log", yscale="log")
    for colour, marker, (label, r) in zip(COLOURS, MARKERS, results.items(), strict=False):
        for used in (True, False):
            which = (r.used == used) & np.isfinite(r.flatness) & (r.variance > 0)
            if which.any():
                ax.errorbar(r.flatness[which], r.variance[which], TWO_ERRORS * r.variance_error[which], color=colour,
                            **{**MEASURED, "fmt": marker, "markerfacecolor": colour if used else "none", **style})
        ends = _ends(r.flatness[r.used])
        psi = r.fit.exponent
        ax.plot(ends, r.fit.variance(ends), color=colour, linestyle=":", linewidth=1.4,
                label=f"{label + ': ' if label else ''}ψ = {psi.value:.2f} [{psi.low:.2f}, {psi.high:.2f}]")
        if exact and label in exact:
            order = np.argsort(r.flatness)
            ax.plot(r.flatness[order], exact[label][order], color=colour, alpha=0.55, **EXACT)
        if limits and label in limits:
            middle, height = (float(np.exp(np.log(v[r.used]).mean())) for v in (r.flatness, r.variance))
            ax.plot(ends, height * (ends / middle) ** -limits[label], color=colour, linestyle=DASHES[0], **PREDICTED)
    _draw_floor(ax, [r.noise_floor for r in results.values()], min(float(r.variance[r.variance > 0].min()) for r in results.values()))
    lines: dict[str, dict[str, Any]] = {"fit": {"linestyle": ":", "linewidth": 1.4}}
    lines |= {"exact": EXACT} if exact else {}
    lines |= {"slope of the limit": {"linestyle": DASHES[0], **PREDICTED}} if limits else {}
    for name, look in lines.items():
        ax.plot([], [], color="gray", label=name, **look)
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))          # beside lines that cross everywhere
    return tidy(ax, x="flatness F: width of the loss", y="variance σ²", title=title)


def draw_two_curvatures(cases: Mapping[str, CurvaturesLike], *, title: str = "") -> Figure:
    """Draw variance against the curvature of the loss and, beside it, against that of the potential φ.

    Parameters
    ----------
    cases
        By label, objects with the arrays `variance`, `variance_error`, `loss_curvature`, `potential_curvature`, and `control`: the
        curvature of a potential from the wrong noise, or None; drawn as crosses.

    Returns
    -------
    matplotlib.figure.Figure
        Points are measured; the solid line on the right is Boltzmann's law in φ, σ² = 1 / φ″.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for colour, marker, (label, c) in zip(COLOURS, MARKERS, cases.items(), strict=False):
        for ax, curvature in ((left, c.loss_curvature), (right, c.potential_curvature)):
            ax.errorbar(curvature, c.variance, TWO_ERRORS * c.variance_error, color=colour, label=label if ax is left else None,
                        **{**MEASURED, "fmt": marker})
        if c.control is not None:
            right.plot(c.control, c.variance, "x", color=colour, markersize=4, alpha=0.55)
    first = next(iter(cases.values()))
    ends, middle = _ends(first.loss_curvature), float(np.exp(np.log(first.loss_curvature * first.variance).mean()))
    left.plot(ends, middle / ends, color="gray", linestyle=DASHES[0], label="σ² ∝ 1 / L″: Boltzmann's law in the loss", **PREDICTED)
    ends = _ends(np.concatenate([c.potential_curvature for c in cases.values()]))
    right.plot(ends, 1 / ends, color="black", label="σ² = 1 / φ″: Boltzmann's law in φ", **EXACT)
    if any(c.control is not None for c in cases.values()):
        right.plot([], [], "x", color="gray", label="control: D of another noise")
    for ax, x, heading in ((left, "curvature of the loss, L″", "Against the loss: no one law"),
                           (right, "curvature of the potential, φ″", "Against φ from F and D alone: one law")):
        ax.set(xscale="log", yscale="log")
        tidy(ax, x=x, y="variance σ²" if ax is left else "", title=heading)
        ax.legend(fontsize=8, frameon=False)
    if title:
        figure.suptitle(title, fontsize=11, x=0.02, ha="left")
    return figure


def _ends(values: Array) -> Array:
    """A little beyond the least and the largest value."""
    return np.array([values.min() / 1.15, values.max() * 1.15])


def _draw_floor(ax: Axes, floors: Sequence[float], least: float) -> None:
    """Shade what is below the noise floor, or say that it lies far below."""
    floor = max(floors)
    if not floor > 0:
        return
    if floor * FLOOR_SEEN < least:
        ax.plot([], [], linestyle="none", label=f"noise floor $10^{{{math.floor(math.log10(floor))}}}$, far below")
        return
    low = min(ax.get_ylim()[0], floor / 3)
    ax.set_ylim(bottom=low)
    ax.axhspan(low, floor, color="gray", alpha=0.25, linewidth=0, label=f"noise floor {floor:.1g}")
