"""Simulated mean first-passage times against every exact one in one dimension: `python -m validation.claims.first_passage_oracles`.

The exact times (tests/oracles.json) come from quadrature, by methods that share no code with the library.  Simulation has two errors:

- by chance: a standard error of 0.7 to 1 % at 20 000 paths (z counts these);
- of order dt, from drift and noise frozen over a step.  With additive noise it is small beside the other at dt = 0.01 (up to 2 % where the
  noise is weak beside the barrier).  With state-dependent noise one Richardson step removes it: twice the mean at dt, minus that at 2 dt.

What is late by order √dt, looking at the steps only, would be off by 5 to 40 standard errors: `--discrete` shows it.
"""
from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import langevin_sgd as ls
from tests.oracles import equation, interval, select

LONGEST = 1000.0        # exact times up to this are simulated, some 1e5 steps of 0.01
FEWEST_STEPS = 50       # the time step is at most this fraction of the exact time: 0.01 is coarse for what takes 0.2
ALLOWED = 4.0           # standard errors: 1 in 16 000 for one oracle, 1 in 300 for all of them


@dataclass(frozen=True)
class Measured:
    """One exact time, and what simulation made of it."""

    name: str
    exact: float
    dt: float
    richardson: bool
    mean: float
    error: float
    unfinished: int

    @property
    def z(self) -> float:
        """Standard errors between the two."""
        return (self.mean - self.exact) / self.error

    @property
    def agrees(self) -> bool:
        """Whether all paths left, and the mean is the exact one."""
        return abs(self.z) <= ALLOWED and not self.unfinished


def oracles(longest: float = LONGEST) -> list[dict[str, Any]]:
    """Return the entries that are compared: one-dimensional diffusions whose exact time is not too long."""
    return [entry for entry in select("mean_first_passage_time") if entry["value"] <= longest]


def measure(entry: dict[str, Any], n_paths: int = 20_000, key: int = 20261120, monitoring: str = "continuous") -> Measured:
    """Simulate one entry."""
    sde, domain, x0, exact = equation(entry), interval(entry), entry["parameters"]["x0"], entry["value"]
    dt, richardson = min(0.01, exact / FEWEST_STEPS), entry["sde"]["interpretation"] != "any"
    fine = ls.first_passage(sde, x0, domain, dt, n_paths, rng=ls.Key(key), monitoring=monitoring)
    mean, error, unfinished = fine.time.mean(), fine.time.std(ddof=1), n_paths - int(fine.exited.sum())
    if richardson:
        coarse = ls.first_passage(sde, x0, domain, 2 * dt, n_paths, rng=ls.Key(key + 1), monitoring=monitoring)
        mean, error = 2 * mean - coarse.time.mean(), math.hypot(2 * error, coarse.time.std(ddof=1))
        unfinished += n_paths - int(coarse.exited.sum())
    return Measured(entry["id"], exact, dt, richardson, float(mean), float(error) / math.sqrt(n_paths), unfinished)


def main() -> int:
    """Print the table; 1 if any oracle is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--paths", type=int, default=20_000)
    options.add_argument("--key", type=int, default=20261120, help="another key, another sample")
    options.add_argument("--discrete", action="store_true", help="look at the steps only: the control, which must fail")
    given = options.parse_args()
    print(f"{'oracle':<36s} {'exact':>10s} {'measured':>10s} {'± 1 s.e.':>9s} {'z':>6s}  {'dt':<9s} verdict")
    start, missed = time.perf_counter(), 0
    for entry in oracles():
        m = measure(entry, given.paths, given.key, "discrete" if given.discrete else "continuous")
        missed += not m.agrees
        verdict = "ok" if m.agrees else f"MISSED, {m.unfinished} unfinished" if m.unfinished else "MISSED"
        steps = f"{m.dt:.3g}" + (", 2 dt" if m.richardson else "")
        print(f"{m.name:<36s} {m.exact:10.5g} {m.mean:10.5g} {m.error:9.2g} {m.z:+6.1f}  {steps:<9s} {verdict}", flush=True)
    print(f"{len(oracles()) - missed} of {len(oracles())} agree within {ALLOWED:g} standard errors at {given.paths} paths "
          f"({time.perf_counter() - start:.0f} s)")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
