"""Quadrature, generator, chain and simulation agree on random equations, though they share no code that computes a time.

Ten on the line, with state-dependent noise in a random convention: against the quadrature, the generator on a grid, the Euler chain
extrapolated in √dt, and a simulation with the bridge after one Richardson step.  Five in the plane, with noise along slanted axes and
circulation: the generator against the simulation.  Controls: the same with twice the noise.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from check import Check, main, relative

import langevin_sgd as ls
from tests.random_models import EXIT, Model, in_the_plane, on_the_line

PATHS, DT = 20_000, 0.005


def checks() -> Iterator[Check]:
    """The line, the plane, and the controls."""
    for seed in range(10):
        model = on_the_line(seed)
        exact = ls.exact.mean_passage_time(model.sde, model.x0, model.domain).value
        yield relative(f"{model.name}: generator", generator(model), exact, 1e-4)
        yield relative(f"{model.name}: chain, extrapolated", chain(model), exact, 2e-3)
        yield simulated(model, exact)
    for seed in range(5):
        model = in_the_plane(seed)
        yield simulated(model, generator(model))
    line = on_the_line(0)
    noisier = ls.exact.mean_passage_time(line.sde.replace(strength=2 * line.sde.strength.value), line.x0, line.domain).value
    yield relative("line 0: generator, against twice the noise", generator(line), noisier, 0.05, control=True)
    yield simulated(line, noisier, control=True)


def generator(model: Model) -> float:
    """The mean time by the generator on a grid."""
    grid = ls.Grid((-4.0, EXIT), 400) if model.sde.dim == 1 else ls.Grid([(-1, 1), (-1, 1)], 144)
    return ls.FokkerPlanck(model.sde, grid).mean_passage_time(model.domain).at(model.x0).value


def chain(model: Model) -> float:
    """The mean time of the Euler chain, without its terms of order √dt and dt."""
    coarse, middle, fine = (ls.Chain(model.sde, 4.0**-k * 0.02).mean_passage_time(model.x0, model.domain).value for k in range(3))
    return (4 * (2 * fine - middle) - (2 * middle - coarse)) / 3


def simulated(model: Model, reference: float, *, control: bool = False) -> Check:
    """The mean of a simulation with the bridge, without its term of order dt."""
    fine, coarse = (ls.first_passage(model.sde, model.x0, model.domain, dt, PATHS, rng=ls.Key(17 + k), progress=False).time
                    for k, dt in enumerate((DT, 2 * DT)))
    error = math.hypot(2 * fine.std(), coarse.std()) / math.sqrt(PATHS)
    name = f"{model.name}: simulation" + (", against twice the noise" if control else "")
    return Check(name=name, value=float(2 * fine.mean() - coarse.mean()), reference=reference, error=error, control=control)


if __name__ == "__main__":
    main(Path(__file__).stem + ": four methods on random equations", checks)
