"""Sharp against flat over six decades of time, in one picture, every point measured and every line exact.

Piecewise quadratic wells with H_sharp / H_flat = 5, equal depth, saddle curvature, ε and σ_g; the barrier is scanned.  Noise proportional
to the loss: each time has the local slope d ln τ / d ln(1 + u) = κ + 1/2 − α in each convention, and the ratio flat / sharp follows both
power laws for σ_H ∝ H² and is constant for σ_H ∝ H.  Constant noise: each time is exponential in the barrier, and the ratio tends to
√(H_sharp / H_flat).  Centred quadratic noise: Laplace's form goes to the exact time, and `power_law_time` says that it does not apply
(theory 4.2, 4.4, 4.5).  Times within reach are simulated, the others are split.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from check import Check, main, relative, save

import langevin_sgd as ls
from langevin_sgd.models.interpretation import Interpretation
from langevin_sgd.plots.theme import COLOURS, MEASURED, tidy
from langevin_sgd.studies.passage import Passage
from langevin_sgd.studies.sharp_flat import FLAT, KINDS, SHARP, SIGMA_G, SIGMA_H, Settings

RATE = 0.1
TEMPERATURE = RATE * SIGMA_G / 2
WELLS = {"sharp": SHARP, "flat": FLAT}
CHOSEN = {"constant": (2.0, 5.0, 9.0, 15.0), "proportional to the loss, σ_H ∝ H": (2.0, 6.0, 20.0, 60.0),
          "proportional to the loss, σ_H ∝ H²": (2.0, 6.0, 20.0, 60.0), "quadratic, centred, σ_H ∝ H": (2.0, 6.0, 20.0, 60.0)}
STEEP = (500.0, 1000.0)         # barriers between which slopes of power laws are taken: for κ = 1 they settle slowly
FINE = 60                       # barriers of an exact line
SIMULATED = 3000.0              # times that are simulated
BY_NAME = {kind.name: kind for kind in KINDS}


def passage(name: str, well: str, barrier: float, interpretation: str = "ito") -> Passage:
    """The full crossing out of a well, at a barrier in units of ε σ_g / 2."""
    return Settings(BY_NAME[name], RATE, 1, interpretation).passage(WELLS[well], barrier * TEMPERATURE)


def exact(name: str, well: str, barrier: float, interpretation: str = "ito") -> ls.Estimate:
    p = passage(name, well, barrier, interpretation)
    return ls.exact.mean_passage_time(p.sde, float(p.start[0]), p.domain())


def checks() -> Iterator[Check]:
    """Measure, and check slopes, ratios and what closed forms say of themselves."""
    points: dict[tuple[str, str], list[tuple[float, ls.Estimate, ls.Estimate]]] = {}
    for k, (name, barriers) in enumerate(CHOSEN.items()):
        for w, well in enumerate(WELLS):
            for barrier in barriers:
                true, p = exact(name, well, barrier), passage(name, well, barrier)
                method = "simulation" if true.value < SIMULATED else "splitting"
                found = ls.mean_passage_time(p.sde, float(p.start[0]), p.domain(), method, 0.08, rng=100 * k + 10 * w + int(barrier))
                points.setdefault((name, well), []).append((barrier, found, true))
                yield Check(name=f"{name}, {well}, barrier {barrier:g} T: {method}", value=found.value, reference=true.value,
                            error=(found.high - found.low) / (2 * 1.96) + found.systematic_error / 4)
    yield from _slopes()
    yield from _ratios()
    yield from _forms()
    save(_picture(points), Path(__file__).stem)


def _slopes() -> Iterator[Check]:
    """Local slopes between the two highest barriers."""
    for power, growth in ((1, "H"), (2, "H²")):
        name = f"proportional to the loss, σ_H ∝ {growth}"
        low, high = STEEP
        for well, h in WELLS.items():
            kappa = h / (RATE * SIGMA_H * (h / FLAT)**power)
            for interpretation in Interpretation:
                rise = math.log1p(_u(high, kappa)) - math.log1p(_u(low, kappa))
                bottom, top = (exact(name, well, b, str(interpretation)).log_value for b in STEEP)
                slope = (top - bottom) / rise
                expected = kappa + 0.5 - interpretation.alpha
                yield relative(f"{name}, {well}, {interpretation.label}: slope → κ + ½ − α = {expected:g}", slope, expected, 0.02)
    for well in WELLS:
        slope = (exact("constant", well, 12.0).log_value - exact("constant", well, 8.0).log_value) / 4.0
        yield relative(f"constant, {well}: d ln τ / d (barrier / T) → 1", slope, 1.0, 0.02)


def _ratios() -> Iterator[Check]:
    """What becomes of flat / sharp from barrier 12 T to 24 T."""
    for name, power in (("constant", 0), ("proportional to the loss, σ_H ∝ H", 1), ("proportional to the loss, σ_H ∝ H²", 2)):
        low, high = (exact(name, "flat", b).log_value - exact(name, "sharp", b).log_value for b in (12.0, 24.0))
        if power < 2:
            yield relative(f"{name}: flat / sharp → √5", math.exp(high), math.sqrt(SHARP / FLAT), 0.02)
            continue
        sharp, flat = (h / (RATE * SIGMA_H * (h / FLAT)**2) for h in WELLS.values())
        grown = sum(sign * (kappa + 0.5) * (math.log1p(_u(24.0, kappa)) - math.log1p(_u(12.0, kappa)))
                    for sign, kappa in ((1, flat), (-1, sharp)))
        yield relative(f"{name}: growth of ln(flat / sharp), both power laws", high - low, grown, 0.03)
        yield relative("the same against a mere prefactor", high - low, 1e-9, 1.0, control=True)


def _forms() -> Iterator[Check]:
    """Under centred noise, at noise that falls: Laplace's form over the exact time, and the power law's own word."""
    for well in WELLS:
        for share, tolerance in ((1.0, 0.4), (0.25, 0.1)):
            p = passage("quadratic, centred, σ_H ∝ H", well, 12.0)
            sde = p.sde.replace(learning_rate=RATE * share)
            forms = ls.predict(sde, float(p.start[0]), float(p.saddle[0]))
            true = ls.exact.mean_passage_time(sde, float(p.start[0]), p.domain())
            yield relative(f"centred, {well}, ε × {share:g}: Laplace / exact → 1", math.exp(forms["laplace"].log_value - true.log_value),
                           1.0, tolerance)
            yield relative(f"centred, {well}, ε × {share:g}: closed power laws that claim to apply",
                           float(sum(f.applies for n, f in forms.items() if n.startswith("power_law"))), 1e-9, 1.0)


def _u(barrier: float, kappa: float) -> float:
    return 2 * barrier * TEMPERATURE / (kappa * RATE * SIGMA_G)


def _picture(points: dict[tuple[str, str], list[tuple[float, Any, Any]]]) -> Any:
    """A panel for each kind of noise: log time against barrier, points measured, lines exact; against 1 + u where the law is a power."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    for ax, name in zip(figure.subplots(2, 2).ravel(), CHOSEN, strict=True):
        for colour, well in zip(COLOURS, WELLS, strict=False):
            top = CHOSEN[name][-1]
            line = [1.0 + (top - 1.0) * j / FINE for j in range(FINE + 1)]
            ax.plot(line, [exact(name, well, b).value for b in line], color=colour, label=f"{well}, exact")
            rows = points[name, well]
            bars = [[e.value - e.low for _, e, _ in rows], [e.high - e.value for _, e, _ in rows]]
            ax.errorbar([b for b, _, _ in rows], [e.value for _, e, _ in rows], bars, color=colour, label=f"{well}, measured", **MEASURED)
        ax.set_yscale("log")
        ax.legend(fontsize=8, frameon=False)
        tidy(ax, x="barrier / (ε σ_g / 2)", y="mean time of the crossing", title=name)
    return figure


if __name__ == "__main__":
    main(Path(__file__).stem + ": sharp against flat over six decades of time", checks)
