"""The convention in which state-dependent noise is read decides the stationary law and the escape time.

Quadratic noise about a parabola (theory 3.1), and escape from the quartic well under C = 1 + x² (theory 4.4): the exact values of the three
conventions, and simulations of each.  Reading one convention as another must be seen.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, measured, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls

CONVENTIONS = ("ito", "stratonovich", "klimontovich")
VARIANCE = dict(zip(CONVENTIONS, (1 / 36, 1 / 32, 1 / 28), strict=True))                # theory 3.1: ε = 0.1, H = 1, σ_g = 0.5, σ_H = 2
TIME = dict(zip(CONVENTIONS, (13.3157881992, 17.1346775469, 22.5588315241), strict=True))   # theory (b): D = 0.1 (1 + x²), −1 to 0
PATHS = 20_000


def checks() -> Iterator[Check]:
    """Stationary variances, then escape times."""
    histogram = Figure(figsize=(6.4, 4.2), layout="constrained").subplots()
    for colour, convention in zip(("#D55E00", "#009E73", "#0072B2"), CONVENTIONS, strict=True):
        sde = ls.sgd(ls.Landscape("x**2/2"), ls.noise.Quadratic(0.5, quadratic=2.0), 0.1, interpretation=convention)
        law = ls.exact.stationary_density(sde)
        yield relative(f"stationary variance, exact, {convention}", law.variance, VARIANCE[convention], 1e-9)
        x = ls.simulate(sde, 0.0, (0, 12), 0.005, 200_000, [12.0], ls.Milstein(), rng=1, progress=False).x[:, 0]
        error = float(np.sqrt(((x**2 - (x**2).mean())**2).mean() / len(x)))
        value = float((x**2).mean())
        bias = 0.001 * value                # of the step: half of dt times the curvature, 0.25 %, is never more than 4 of these
        yield Check(name=f"stationary variance, simulated, {convention}", value=value, reference=VARIANCE[convention], error=error + bias)
        for other in CONVENTIONS:
            if other != convention:
                yield Check(name=f"{convention} taken for {other}", value=value, reference=VARIANCE[other], error=error, control=True)
        _draw_law(histogram, x, law, colour, convention)
    histogram.set(yscale="log", ylim=(1e-4, 4), xlabel="w", ylabel="density")
    histogram.legend(frameon=False)
    save(histogram.figure, "convention_decides")
    yield from _escape_times()


def _escape_times() -> Iterator[Check]:
    sde = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.2)
    for convention in CONVENTIONS:
        here = sde.replace(interpretation=convention)
        yield relative(f"escape time, exact, {convention}", ls.exact.mean_passage_time(here, -1.0, ls.Interval(high=0.0)).value,
                       TIME[convention], 1e-9)
        ends = ls.first_passage(here, -1.0, ls.Interval(high=0.0), 0.0025, PATHS, scheme=ls.Milstein(), rng=2, progress=False).mean()
        yield measured(f"escape time, simulated, {convention}", ends, TIME[convention])
        for other in CONVENTIONS:
            if other != convention:
                yield measured(f"{convention} taken for {other}", ends, TIME[other], control=True)
        same = here.in_interpretation("ito")
        yield relative(f"the same process written in Itô, from {convention}",
                       ls.exact.mean_passage_time(same, -1.0, ls.Interval(high=0.0)).value, TIME[convention], 1e-9)


def _draw_law(ax: object, x: np.ndarray, law: ls.exact.StationaryDensity, colour: str, label: str) -> None:
    edges = np.linspace(-1.5, 1.5, 61)
    share, _ = np.histogram(x, edges)
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    seen = share > 0
    ax.errorbar(middle[seen], share[seen] / len(x) / width, np.sqrt(share[seen]) / len(x) / width, fmt="o", ms=3, color=colour)
    ax.plot(middle, law(middle), color=colour, label=label)


if __name__ == "__main__":
    main(Path(__file__).stem + ": the convention decides the stationary law and the escape time", checks)
