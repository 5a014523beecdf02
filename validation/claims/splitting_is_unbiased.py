"""Splitting estimates rare probabilities without bias, and mean times up to 1e11 and 1e9 in seconds.

- Walks on lattices, whose probabilities are exact: the rules themselves, under ties, at every k and for a bad score.  Controls: each rule
  broken.
- The Euler chain at a coarse step, against its exact committor (Nyström): nothing is left of the error of the step.  Control: the equation.
- Hill's relation in one dimension, discretely monitored against the chain, continuously against quadrature; and in two, without a
  potential, against the generator on a grid.  With the relative interval and the processor time of each.

The equation is simulated at dt = 0.01, with an error of order dt (numerics, c and d): 2 % is allowed for it.
"""
from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from check import Check, main, save

import langevin_sgd as ls
from tests.core.splitting_walks import (
    AT_THE_LEVEL,
    EXACTLY_K,
    OWN_LEVEL,
    SAME_NOISE,
    WRONG,
    exact_in_the_plane,
    exact_on_the_line,
    in_the_plane,
    on_the_line,
)

KEY = 20261121
REPLICAS = 50
OF_THE_STEP = 0.02
WELL = ls.langevin(ls.landscapes.double_well(), temperature=0.05)
SOURCE, TARGET, BETWEEN = ls.Interval(high=-0.9), ls.Interval(low=0.0), ls.Interval(-0.9, 0.0)
TIMES = (0.05, 0.025, 0.0125, 0.01)
STRENGTH = 0.0247               # of the noise of Maier and Stein's equation: a mean time of 1e9


def checks() -> Iterator[Check]:
    """Walks, the chain, and times."""
    yield from _walks()
    yield from _chain()
    yield from _times()
    yield from _in_the_plane()


def _mean(name: str, runs: Any, exact: float, **more: Any) -> Check:
    return Check(name=name, value=runs.mean(), reference=exact, error=runs.std(ddof=1) / math.sqrt(len(runs)), **more)


def _walks() -> Iterator[Check]:
    line, plane = exact_on_the_line(), exact_in_the_plane()
    for k in (1, 5, 25):
        yield _mean(f"walk on the integers, all scores tie, k = {k}", on_the_line(60_000, REPLICAS, k, key=KEY), line)
    for slope, what in ((0.0, "one coordinate"), (0.61, "both coordinates")):
        for k in (1, 5, 12):
            yield _mean(f"walk in the plane, scored by {what}, k = {k}", in_the_plane(20_000, REPLICAS, k, key=KEY, slope=slope), plane)
    for wrong, k in ((EXACTLY_K, 5), (AT_THE_LEVEL, 5), (OWN_LEVEL, 5), (OWN_LEVEL, 12), (SAME_NOISE, 5)):
        runs = in_the_plane(5000, REPLICAS, k, key=KEY, slope=0.61, wrong=wrong)
        yield _mean(f"{WRONG[wrong]}, k = {k}", runs, plane, control=True)
    few = on_the_line(60_000, 8, 1, key=KEY)
    yield _mean(f"8 replicas, of whose runs {100 * (few == 0).mean():.0f} % die out", few, line)
    yield _mean("the same without those that died out", few[few > 0], line, control=True)


def _chain() -> Iterator[Check]:
    exact = ls.Chain(WELL, 0.05).splitting_probability(-0.7, BETWEEN).value
    for k in (1, 6, 32):
        rare = ls.splitting(WELL, -0.7, SOURCE, TARGET, dt=0.05, monitoring="discrete", n_replicas=64, n_kill=k, n_runs=2000, rng=KEY)
        yield _mean(f"the chain at dt = 0.05, 64 replicas, k = {k}", rare.runs, exact)
    yield _mean("the same against the equation", rare.runs, ls.exact.splitting_probability(WELL, -0.7, BETWEEN).value, control=True)
    for score in ("-x", "sin(20*x)"):
        bad = ls.splitting(WELL, -0.7, SOURCE, TARGET, score, dt=0.05, monitoring="discrete", n_replicas=64, n_runs=4000, rng=KEY)
        yield _mean(f"the same scored by {score}, {bad.n_extinct} of 4000 runs die out", bad.runs, exact)
    rare = ls.splitting(WELL, -1.0, SOURCE, TARGET, dt=0.05, monitoring="discrete", around=ls.Interval(high=-0.75), n_runs=128, rng=KEY)
    yield _time("mean time of the chain at dt = 0.05", rare, ls.Chain(WELL, 0.05).mean_passage_time(-1.0, ls.Interval(high=0.0)).value, 0.0)


def _time(name: str, rare: ls.Splitting | ls.WeightedEnsemble, exact: float, of_the_step: float = OF_THE_STEP) -> Check:
    """The logarithm of a time; the interval is one of Student's t, whose 97.5 % point is 2.04 for 32 runs."""
    tau = rare.mean_time
    error = (math.log(tau.high) - math.log(tau.low)) / (2 * 2.04)
    return Check(name=f"{name} ({tau.value:.3g}): ln τ", value=tau.log_value, reference=math.log(exact),
                 error=math.hypot(error, of_the_step))


def _times() -> Iterator[Check]:
    drawn = []
    for temperature in TIMES:
        sde, began = WELL.replace(temperature=temperature), time.process_time()
        x = np.linspace(-0.9, 0.0, 60)
        q = [0.0, *(ls.exact.splitting_probability(sde, float(at), BETWEEN).value for at in x[1:-1]), 1.0]
        rare = ls.splitting(sde, -1.0, SOURCE, TARGET, (x, q), dt=0.01, around=ls.Interval(high=-0.8), rng=KEY)
        spent = time.process_time() - began
        exact = ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.0)).value
        yield _time(f"quartic well, T = {temperature}, ± {100 * rare.mean_time.relative_error:.0f} % in {spent:.1f} s", rare, exact)
        drawn.append((temperature, rare, exact))
    _draw(drawn)
    for temperature, t_max in ((0.05, 30.0), (0.025, 40.0), (0.0125, 60.0)):
        sde = WELL.replace(temperature=temperature)
        found = ls.weighted_ensemble(sde, -1.0, TARGET, dt=0.01, interval=0.1, t_max=t_max, rng=KEY)
        yield _time(f"weighted ensemble, T = {temperature}", found, ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.0)).value)
    hasty = ls.weighted_ensemble(sde, -1.0, TARGET, dt=0.01, interval=0.1, t_max=3.0, rng=KEY)
    yield Check(name="weighted ensemble, too short a run: what it tells", value=len(hasty.warnings), reference=1, error=0.5)


def _in_the_plane() -> Iterator[Check]:
    """Maier and Stein's equation, which has no potential for beta = 2, and one for beta = 1; two scores."""
    half, source, around = ls.HalfSpace([1.0, 0.0], 0.0), ls.Ball([-1.0, 0.0], 0.2), ls.Ball([-1.0, 0.0], 0.3)
    for beta, strength in ((1.0, STRENGTH), (2.0, STRENGTH)):
        sde = ls.systems.maier_stein(beta=beta, strength=strength)
        exact = ls.FokkerPlanck(sde, ls.Grid([(-1.8, 0.0), (-0.9, 0.9)], (160, 128))).mean_passage_time(half).at([-1.0, 0.0]).value
        coarse = ls.FokkerPlanck(sde, ls.Grid([(-1.8, 0.4), (-0.9, 0.9)], (64, 48))).committor(source, ~half)
        found = []
        for score, name in ((coarse, "a committor on a coarse grid"), ("x", "x")):
            began = time.process_time()
            rare = ls.splitting(sde, [-1.0, 0.0], source, ~half, score, dt=0.01, around=around, rng=KEY + len(found))
            spent = time.process_time() - began
            found.append(rare)
            yield _time(f"β = {beta:g}, by {name}, ± {100 * rare.mean_time.relative_error:.0f} % in {spent:.1f} s", rare, exact)
        z, _ = found[0].compared_with(found[1])
        yield Check(name=f"β = {beta:g}, the two scores, in standard errors", value=z, reference=0.0, error=1.0)


def _draw(drawn: list[tuple[float, ls.Splitting, float]]) -> None:
    """Measured over exact against the exact time, and the levels of the coldest."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    ratio, levels = figure.subplots(1, 2)
    exact = np.array([e for *_, e in drawn])
    times = [rare.mean_time for _, rare, _ in drawn]
    below, above = (np.array([abs(getattr(t, end) - t.value) / e for t, e in zip(times, exact, strict=True)]) for end in ("low", "high"))
    ratio.errorbar(exact, [t.value / e for t, e in zip(times, exact, strict=True)], [below, above], **ls.plots.theme.MEASURED)
    ratio.axhline(1.0, color="black", linewidth=0.8)
    ratio.set(xscale="log", xlabel="exact mean time", ylabel="splitting over exact")
    ls.plots.draw_splitting(drawn[-1][1], ax=levels)
    save(figure, "splitting_is_unbiased")


if __name__ == "__main__":
    main(Path(__file__).stem + ": splitting against exact probabilities and times", checks)
