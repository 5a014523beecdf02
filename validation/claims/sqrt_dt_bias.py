"""Looking at a path at its steps only makes exits late by the square root of the step; the Brownian bridge cures it.

Brownian motion out of (−1, 1), exact mean 1: watched at its steps it behaves like exit from ±(1 + 0.5826 √h) (theory 5.5), so the mean is
(1 + 0.5826 √h)².  And the quartic well to its saddle, where the bias is a twelfth at h = 0.01 and only halves when h is quartered.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, measured, save
from matplotlib.figure import Figure

import langevin_sgd as ls

SHIFT = 0.582597157939          # −ζ(1/2) / √(2π)
STEPS = (0.16, 0.08, 0.04, 0.02, 0.01)
PATHS = 100_000
WELL = 5.74343706804            # quartic well, D = 1/4, −1 to 0


def checks() -> Iterator[Check]:
    """Brownian exit over steps, then the well."""
    brownian, box = ls.SDE("0", ls.noise.Constant(1.0)), ls.Interval(-1.0, 1.0)
    errors: dict[str, list[tuple[float, float]]] = {"discrete": [], "continuous": []}
    for h in STEPS:
        for monitoring in errors:
            mean = ls.first_passage(brownian, 0.0, box, h, PATHS, monitoring=monitoring, rng=3, progress=False).mean()
            errors[monitoring].append((mean.value - 1, (mean.high - mean.low) / 3.92))
            late = (1 + SHIFT * np.sqrt(h))**2 if monitoring == "discrete" else 1.0
            name = "watched at its steps" if monitoring == "discrete" else "with the bridge"
            # what the shift leaves is of order h
            yield Check(name=f"Brownian exit, h = {h}, {name}", value=mean.value, reference=late,
                        error=(mean.high - mean.low) / 3.92 + (0.1 * h if monitoring == "discrete" else 0.0))
            if monitoring == "discrete":
                yield measured(f"the same against the exact mean, h = {h}", mean, 1.0, control=True)
    slope, uncertainty = _slope(errors["discrete"])
    shifted, _ = _slope([((1 + SHIFT * np.sqrt(h))**2 - 1, spread) for h, (_, spread) in zip(STEPS, errors["discrete"], strict=True)])
    yield Check(name="order of the bias at steps: slope of log error over log h (0.5 as h → 0)", value=slope, reference=shifted,
                error=uncertainty + 0.01)
    yield Check(name="the same against first order", value=slope, reference=1.0, error=uncertainty + 0.01, control=True)
    _draw(errors)
    yield from _well()


def _well() -> Iterator[Check]:
    sde, region = ls.langevin(ls.landscapes.double_well(), 0.25), ls.Interval(high=0.0)
    means = {(h, m): ls.first_passage(sde, -1.0, region, h, PATHS, monitoring=m, rng=4, progress=False).mean()
             for h in (0.04, 0.01) for m in ("discrete", "continuous")}
    late = {h: means[h, "discrete"].value / WELL - 1 for h in (0.04, 0.01)}
    error = {h: (means[h, "discrete"].high - means[h, "discrete"].low) / 3.92 / WELL for h in late}
    yield Check(name="well: bias at h = 0.04 over bias at h = 0.01", value=late[0.04] / late[0.01], reference=2.0,
                error=2 * float(np.hypot(error[0.04] / late[0.04], error[0.01] / late[0.01])) + 0.05)
    yield measured("well to saddle, h = 0.01, with the bridge", means[0.01, "continuous"], WELL)
    yield measured("well to saddle, h = 0.01, watched at its steps", means[0.01, "discrete"], WELL, control=True)


def _slope(errors: list[tuple[float, float]]) -> tuple[float, float]:
    """The slope of log error over log h, and its standard error."""
    late, spread = np.array(errors).T
    x, y, w = np.log(STEPS), np.log(late), (late / spread)**2
    middle = (w * x).sum() / w.sum()
    return float((w * (x - middle) * y).sum() / (w * (x - middle)**2).sum()), float(1 / np.sqrt((w * (x - middle)**2).sum()))


def _draw(errors: dict[str, list[tuple[float, float]]]) -> None:
    ax = Figure(figsize=(5.6, 4.2), layout="constrained").subplots()
    for colour, (name, values) in zip(("#D55E00", "#0072B2"), errors.items(), strict=True):
        late, spread = np.array(values).T
        ax.errorbar(STEPS, np.abs(late), 1.96 * spread, fmt="o", color=colour, label=f"{name} monitoring")
    h = np.geomspace(STEPS[-1], STEPS[0], 50)
    ax.plot(h, (1 + SHIFT * np.sqrt(h))**2 - 1, "--", color="black", label="(1 + 0.5826 √h)² − 1")
    ax.set(xscale="log", yscale="log", xlabel="h", ylabel="relative error of the mean exit time", ylim=(3e-4, 1))
    ax.legend(frameon=False)
    save(ax.figure, "sqrt_dt_bias")


if __name__ == "__main__":
    main(Path(__file__).stem + ": watching a path at its steps makes exits late by √dt; the bridge cures it", checks)
