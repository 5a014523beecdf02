"""One quantity by several methods, over many decades: which method reached how far, and whether they agree."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.plots.theme import COLOURS, EXACT, MEASURED, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P")
DECADES = 1 / math.log(10)


def draw_methods(levels: Sequence[float], estimates: Mapping[str, Sequence[Estimate | None]], exact: Sequence[Estimate], *,
                 x: str = "barrier / temperature", title: str = "") -> Figure:
    """Draw times by several methods against a level, on the scale of decades, with their ratios to the exact ones below.

    Parameters
    ----------
    levels
        What was varied (level,).
    estimates
        By method, an estimate for each level, or None where the method was not used.
    exact
        The exact times (level,): the solid line.
    x
        Name of the level.

    Returns
    -------
    matplotlib.figure.Figure
        Bars are intervals; what the time step may have changed is a thinner, longer bar.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1.2])
    above.plot(levels, [e.log_value * DECADES for e in exact], color="black", label="exact", **EXACT)
    below.axhline(1.0, color="black", **EXACT)
    apart = np.diff(np.sort(levels)).min() if len(levels) > 1 else 1.0
    for k, (name, found) in enumerate(estimates.items()):
        style = {**MEASURED, "fmt": MARKERS[k % len(MARKERS)], "color": COLOURS[k % len(COLOURS)]}
        aside = 0.12 * apart * (k - (len(estimates) - 1) / 2)            # so that methods that agree do not hide one another
        rows = [(level + aside, e, math.exp(e.log_value - true.log_value)) for level, e, true in zip(levels, found, exact, strict=True)
                if e is not None and math.isfinite(e.log_value)]
        if not rows:
            continue
        at, seen, ratios = zip(*rows, strict=True)
        above.plot(at, [e.log_value * DECADES for e in seen], style["fmt"], color=style["color"], markersize=5, label=name)
        bars = [[r * (1 - e.low / e.value) for e, r in zip(seen, ratios, strict=True)],
                [r * (e.high / e.value - 1) for e, r in zip(seen, ratios, strict=True)]]
        longer = [[b + r * e.systematic_error / e.value for b, e, r in zip(side, seen, ratios, strict=True)] for side in bars]
        below.errorbar(at, ratios, longer, **{**style, "capsize": 0, "linewidth": 0.5, "alpha": 0.6, "markersize": 0})
        below.errorbar(at, ratios, bars, **style)
    above.legend(fontsize=8, frameon=False)
    tidy(above, y="log₁₀ mean passage time", title=title)
    tidy(below, x=x, y="ratio to exact")
    return figure
