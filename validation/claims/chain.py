"""The Euler chain at any step size: every reference number, the simulated chain, and how it comes to the equation as dt → 0.

At fixed D a path that is seen at its steps is late by 0.5826 standard deviations of a step (theory 5.5), so the excess over the equation
falls like √dt.  For SGD, D falls with dt = learning rate: at a threshold on a slope, the ratio tends to a number that is not 1 (theory
5.4).  Controls: the equation in place of the chain, and twice the noise.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from check import Check, main, measured, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from tests.oracles import BY_ID, ORACLES, texts, tolerance

TOLERANCE = 1e-9
STEPS = 0.16 / 2.0 ** np.arange(11)
WELL, START, EXIT, D = ls.SDE("x - x**3", ls.noise.Constant(1.0), 0.2), -1.0, ls.Interval(high=0.5), 0.1
RATES = (0.2, 0.1, 0.07, 0.05, 0.04, 0.03, 0.02, 0.015)
PATHS = 100_000


def checks() -> Iterator[Check]:
    """Reference numbers, simulation, and the two limits."""
    yield from _references()
    yield from _simulation()
    yield from _limits()


def _equation(entry: dict[str, Any]) -> ls.SDE:
    sde = entry["sde"]
    return ls.SDE(texts(sde["drift"]), ls.noise.Expression(texts(sde["C"])), sde["eps"])


def _references() -> Iterator[Check]:
    for entry in ORACLES:
        p = entry["parameters"]
        if entry["quantity"] in ("mean_exit_time_of_chain", "ratio_chain_to_sde"):
            sde, problem = _equation(entry), (p["x0"], ls.Interval(high=p["target"]))
            tau, exact = ls.Chain(sde, p["step"]).mean_passage_time(*problem).value, ls.exact.mean_passage_time(sde, *problem).value
            is_ratio = entry["quantity"] == "ratio_chain_to_sde"
            yield relative(entry["id"], tau / exact if is_ratio else tau, entry["value"], tolerance(entry, TOLERANCE))
            if not is_ratio:
                yield relative(f"{entry['id']}, the equation in its place", exact, entry["value"], tolerance(entry, TOLERANCE),
                               control=True)
    entry = BY_ID["chain-quartic-eta0.1"]
    doubled = _equation(entry).replace(strength=0.2)
    yield relative(f"{entry['id']}, with twice the noise", ls.Chain(doubled, 0.1).mean_passage_time(-1.0, EXIT).value, entry["value"],
                   TOLERANCE, control=True)
    entry = BY_ID["powerlaw-sgd-var"]
    law = ls.Chain(_equation(entry), 0.1).stationary_density()
    yield relative("powerlaw-sgd-var", law.variance, entry["value"], tolerance(entry, TOLERANCE))
    kesten = BY_ID["kesten-gauss-0.1"]
    yield relative("kesten-gauss-0.1", law.tail_index, kesten["value"], tolerance(kesten, TOLERANCE))
    for dt in (0.1, 1.0, 1.9):
        variance = ls.Chain(ls.systems.ornstein_uhlenbeck(), dt).stationary_density().variance
        yield relative(f"AR(1), variance at dt = {dt}: 1 / (1 − dt/2)", variance, 1 / (1 - dt / 2), 1e-11)


def _simulation() -> Iterator[Check]:
    multiplicative = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.2, "stratonovich")
    for name, sde in (("constant noise", WELL), ("1 + x², Stratonovich", multiplicative)):
        for dt in (0.2, 0.02):
            ends = ls.first_passage(sde, START, EXIT, dt, PATHS, monitoring="discrete", rng=8, progress=False)
            yield measured(f"simulated chain, {name}, dt = {dt}", ends.mean(), ls.Chain(sde, dt).mean_passage_time(START, EXIT).value)
            if dt < 0.2:        # too near to the equation to be told from it by this many paths
                continue
            yield measured("the same against the equation", ends.mean(), ls.exact.mean_passage_time(sde, START, EXIT).value, control=True)


def _limits() -> Iterator[Check]:
    exact = ls.exact.mean_passage_time(WELL, START, EXIT).value
    late = np.array([ls.Chain(WELL, h).mean_passage_time(START, EXIT).value / exact for h in STEPS]) - 1
    slope = (ls.exact.mean_passage_time(WELL, START, ls.Interval(high=0.5 + 1e-5)).value / exact - 1) / 1e-5
    shift = ls.theory.BARRIER_SHIFT * slope * np.sqrt(2 * D)
    main_order = (2 * late[2:] - late[:-2] / 2)         # what is left of order √dt when the next order, dt, is taken away
    yield relative("quartic well: excess over √dt as dt → 0", main_order[-1] / math.sqrt(STEPS[-1]), shift, 2e-3)
    yield Check(name="its order in dt", value=float(np.log2(main_order[-3] / main_order[-1]) / 2), reference=0.5, error=2e-3, bound=1.0)
    limit = ls.theory.threshold_ratio(slope=1.0, variance=1.0, curvature=1.0, learning_rate=0.015).value
    ratios = []
    for eta in RATES:
        sde = ls.SDE("-x", ls.noise.Constant(1.0), eta)
        tau = ls.Chain(sde, eta).mean_passage_time(0.0, ls.Interval(high=1.0))
        ratios.append(math.exp(tau.log_value - ls.exact.mean_passage_time(sde, 0.0, ls.Interval(high=1.0)).log_value))
    yield relative("SGD to a threshold on a slope: ratio at η = 0.03, 0.015, extrapolated", 2 * ratios[-1] - ratios[-3], limit, 1e-3)
    yield relative("the same against 1", ratios[-1], 1.0, 0.5, control=True)
    _draw(late, shift, ratios, limit)


def _draw(late: np.ndarray, shift: float, ratios: list[float], limit: float) -> None:
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    root = np.sqrt(STEPS)
    left.plot(root, 1 + late, "o", color="#D55E00", label="chain / equation")
    left.plot([0, 0.2], [1, 1 + 0.2 * shift], "--", color="black", label="exit moved out by 0.5826 √(2 D dt)")
    left.set(xlabel="√dt", ylabel="mean time −1 → 0.5, over that of the equation", title="fixed noise: the chain comes to the equation",
             ylim=(0.96, 1.03))
    right.plot(np.sqrt(RATES), ratios, "o", color="#0072B2", label="SGD / equation")
    right.axhline(limit, linestyle="--", color="black", label="limit exp(−g²/2c) / ν(2g/√c)")
    right.set(xlabel="√learning rate", ylabel="mean time 0 → 1, over that of the equation", title="SGD, threshold on a slope: it does not",
              xlim=(0, None), ylim=(1.6, 1.95))
    for ax in (left, right):
        ax.legend(frameon=False)
    save(figure, "chain")


if __name__ == "__main__":
    main(Path(__file__).stem + ": the Euler chain at any step size, and its limits", checks)
