"""Sharp against flat minima of equal depth, barrier and saddle, under three kinds of noise.

Constant noise: both times are exponential in the barrier, and their ratio tends to √(H_sharp / H_flat): a prefactor.  Noise proportional
to the loss: each time has the local slope d ln τ / d ln(1 + u) = κ + 1/2 − α, and their ratio is that same prefactor for σ_H ∝ H, and
grows like a power for σ_H ∝ H², because κ = H / (ε σ_H) is then smaller in the sharp well.  Anisotropic noise along the way out shortens
both times exponentially (theory 4.2, 4.5; arXiv:2006.13719).
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from check import Check, main, relative, save
from scipy.special import ndtri

from langevin_sgd.plots import draw_escapes
from langevin_sgd.studies.escape import EscapeReport
from langevin_sgd.studies.sharp_flat import FLAT, SHARP, SIGMA_G, SIGMA_H, Case, sharp_flat

STRENGTH = 0.1
TEMPERATURE = STRENGTH * SIGMA_G / 2
HIGH = 12.0                     # the highest barrier of the study, over the temperature
PREFACTOR = math.sqrt(SHARP / FLAT)


def checks() -> Iterator[Check]:
    """Run the study, and check each kind of noise."""
    study = sharp_flat(learning_rate=STRENGTH, n_paths=4000, rng=6)
    cases = {case.kind.name: case for case in study}
    for case in study:
        yield from _measured(case)
    yield from _constant(cases["constant"])
    yield from _anisotropic(cases["anisotropic, along the way out"], cases["isotropic, of equal trace"])
    for power, growth in ((1, "H"), (2, "H²")):
        yield from _proportional(cases[f"proportional to the loss, σ_H ∝ {growth}"], power)
    for name in ("constant", "proportional to the loss, σ_H ∝ H²"):
        save(draw_escapes(cases[name].reports, title=name), f"sharp_against_flat_{'constant' if name == 'constant' else 'loss'}")


def _measured(case: Case) -> Iterator[Check]:
    """Every simulated ratio flat / sharp against the exact one."""
    for s, f in zip(case.reports["sharp"], case.reports["flat"], strict=True):
        if s.measured is None or s.exact is None:
            continue
        ratio, exact = case.ratio(s.level)
        spread = math.hypot(*((e.measured.high - e.measured.low) / (2 * ndtri(0.975)) / e.measured.value for e in (s, f)))
        yield Check(name=f"{case.kind.name}: flat / sharp, barrier {s.level:g}, simulated", value=ratio, reference=exact,
                    error=exact * (spread + 0.005))


def _constant(case: Case) -> Iterator[Check]:
    """The ratio tends to √(H_sharp / H_flat), with what is left falling with the barrier; the exponent is the same in both wells."""
    yield relative("constant: exact flat / sharp at the highest barrier → √5", case.ratio(HIGH * TEMPERATURE)[1], PREFACTOR, 0.03)
    for well, report in case.reports.items():
        yield relative(f"constant, {well}: d ln τ / d(barrier / T) → 1", _slope(report, lambda level: level / TEMPERATURE), 1.0, 0.03)


def _anisotropic(aligned: Case, isotropic: Case) -> Iterator[Check]:
    """At equal trace, noise along the way out has 1.6 times the temperature along it: times fall by exp((1 − 1/1.6) barrier / T)."""
    for well in ("sharp", "flat"):
        a, b = (case.reports[well].escapes[-1].exact.log_value for case in (aligned, isotropic))
        yield relative(f"anisotropic, {well}: ln(isotropic / aligned) at the highest barrier", b - a, (1 - 1 / 1.6) * HIGH, 0.05)


def _proportional(case: Case, power: int) -> Iterator[Check]:
    """The power laws of both wells, and what becomes of their ratio."""
    kappas = {well: h / (STRENGTH * SIGMA_H * (h / FLAT)**power) for well, h in (("sharp", SHARP), ("flat", FLAT))}
    for well, report in case.reports.items():
        kappa = kappas[well]
        slope = _slope(report, lambda level, kappa=kappa: math.log1p(2 * level / (kappa * STRENGTH * SIGMA_G)))
        yield relative(f"{case.kind.name}, {well}: d ln τ / d ln(1 + u) → κ + 1/2 = {kappa + 0.5:g}", slope, kappa + 0.5, 0.04)
        yield relative("the same against the published κ − 1/2", slope, kappa - 0.5, 0.04, control=True)
    if power == 1:
        yield relative(f"{case.kind.name}: flat / sharp at the highest barrier → √5", case.ratio(HIGH * TEMPERATURE)[1], PREFACTOR, 0.03)
    else:
        growth = case.ratio(HIGH * TEMPERATURE)[1] / case.ratio(6 * TEMPERATURE)[1]
        flat, sharp = (((1 + _u(HIGH, kappa)) / (1 + _u(6.0, kappa)))**(kappa + 0.5) for kappa in (kappas["flat"], kappas["sharp"]))
        yield relative(f"{case.kind.name}: growth of flat / sharp from barrier 6 T to 12 T", growth, flat / sharp, 0.05)
        yield relative("the same against no growth (a mere prefactor)", growth, 1.0, 0.05, control=True)


def _u(height: float, kappa: float) -> float:
    return 2 * height * TEMPERATURE / (kappa * STRENGTH * SIGMA_G)


def _slope(report: EscapeReport, coordinate: Callable[[float], float]) -> float:
    """The slope of the exact ln τ between the two highest barriers, over a coordinate."""
    a, b = report.escapes[-2:]
    return (b.exact.log_value - a.exact.log_value) / (coordinate(b.level) - coordinate(a.level))


if __name__ == "__main__":
    main(Path(__file__).stem + ": sharp against flat, which quantity decides and by how much", checks)
