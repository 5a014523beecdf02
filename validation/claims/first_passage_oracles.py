"""Simulated mean first-passage times against every exact one in one dimension that is not longer than 1000.

The exact times (tests/oracles.json) come from quadrature, by methods that share no code with the library.  Simulation has two errors:

- by chance: a standard error of 0.7 to 1 % at 20 000 paths;
- of order dt, from drift and noise frozen over a step.  With additive noise it is small beside the other at dt = 0.01.  With
  state-dependent noise one Richardson step removes it: twice the mean at dt, minus that at 2 dt.

Controls, which must fail: state-dependent noise at a coarse step without Richardson's, and times that look at the steps only, which are
late by order √dt.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from tests.oracle_samples import Sample, passage_problems, time_step
from tests.oracles import BY_ID

LONGEST = 1000.0        # exact times up to this are simulated, some 1e5 steps of 0.01
KEY = 20261120
COARSE = 8              # times the step at which the error of order dt is shown
BIASED = ("mult4-D0.05-klimontovich", "mult4-D0.1-klimontovich-m1", "mult4-D0.1-stratonovich-m1")
LATE = ("quartic-D0.25-to-0", "bm-exit-mean", "ou-to-centre-mean", "absx-D1", "ddm-v0.2-mean")


def checks() -> Iterator[Check]:
    """Every oracle, then the controls."""
    drawn = []
    for entry in passage_problems(LONGEST):
        sample = Sample.without_bias(entry, KEY)
        how = "" if entry["sde"]["interpretation"] == "any" else ", Richardson"
        yield _check(f"{entry['id']}, dt = {time_step(entry):.2g}{how}", sample, entry["value"])
        drawn.append((entry["value"], sample))
    for name in BIASED:
        dt = COARSE * time_step(BY_ID[name])
        yield _check(f"{name}, dt = {dt:.2g} alone", Sample.of(BY_ID[name], dt, KEY), BY_ID[name]["value"], control=True)
    for name in LATE:
        sample = Sample.of(BY_ID[name], time_step(BY_ID[name]), KEY, monitoring="discrete")
        yield _check(f"{name}, looking at the steps only", sample, BY_ID[name]["value"], control=True)
    _draw(drawn)


def _check(name: str, sample: Sample, exact: float, *, control: bool = False) -> Check:
    """A mean against the exact one, at four standard errors: false alarm 1 in 16 000."""
    return Check(name=name, value=sample.mean, reference=exact, error=sample.error, control=control)


def _draw(drawn: list[tuple[float, Sample]]) -> None:
    """Simulated over exact, against the exact time."""
    ax = Figure(figsize=(6.4, 3.6), layout="constrained").subplots()
    exact = np.array([e for e, _ in drawn])
    ax.errorbar(exact, [s.mean / e for e, s in drawn], [2 * s.error / e for e, s in drawn], fmt="o", markersize=3, linewidth=0.8,
                color=ls.plots.theme.COLOURS[1], label="simulated, 20 000 paths, ± 2 standard errors")
    ax.axhline(1.0, color="black", linewidth=0.8)
    ax.set(xscale="log", xlabel="exact mean first-passage time", ylabel="simulated over exact")
    ax.legend(frameon=False)
    save(ax.figure, "first_passage_oracles")


if __name__ == "__main__":
    main(Path(__file__).stem + ": simulated against exact mean first-passage times", checks)
