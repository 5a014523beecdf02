"""How long exact answers take, on one core, and how their cost grows: ``python validation/performance/exact_methods.py``.

Every figure is CPU time with compiled code already in its cache, next to its bound; the exit status is 0 if all hold.  An answer of the
generator is the whole call, ``FokkerPlanck(sde, grid).mean_passage_time(domain).at(x)``: rates, the grid asked for, and the two coarser
ones that its error estimate needs.  Accuracy stands beside speed, because either is cheap without the other.
"""
from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"    # before NumPy is imported

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import langevin_sgd as ls

sys.path.insert(0, str(Path(__file__).parents[2]))          # the reference numbers are those of the tests
sys.path.insert(0, str(Path(__file__).parent))
from run import Line

from tests.oracles import BY_ID, equation, interval

RIGHT = ls.HalfSpace([1.0, 0.0], 0.0)


def timed(call: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the median CPU time of a call in seconds, and what it returned; a first call warms up."""
    result, seconds = call(), []
    for _ in range(rounds):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), result


def in_the_plane(cells: tuple[int, int]) -> ls.Estimate:
    """The mean passage time of a reference problem on a grid."""
    entry = BY_ID["maierstein-b2-eps0.1"]
    grid = ls.Grid([(-2, 0), (-1.6, 1.6)], cells)
    sde = ls.systems.maier_stein(beta=entry["parameters"]["beta"], strength=entry["sde"]["eps"])
    return ls.FokkerPlanck(sde, grid).mean_passage_time(RIGHT).at(entry["parameters"]["x0"])


def in_space(cells: int) -> ls.Estimate:
    """Two wells with a parabola along each of the other two axes."""
    grid = ls.Grid([(-1.8, 0), (-0.95, 0.95), (-0.7, 0.7)], cells)
    sde = ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2 + z**2"), 0.02)
    return ls.FokkerPlanck(sde, grid).mean_passage_time(ls.HalfSpace([1.0, 0.0, 0.0], 0.0)).at([-1.0, 0.0, 0.0])


def on_a_line(rounds: int) -> list[Line]:
    worst_time = worst_error = 0.0
    for entry in BY_ID.values():
        if entry["quantity"] == "mean_first_passage_time" and entry["digits"] >= 12 and _is_on_a_line(entry):
            sde, x0, domain = equation(entry), entry["parameters"]["x0"], interval(entry)
            seconds, tau = timed(lambda sde=sde, x0=x0, domain=domain: ls.exact.mean_passage_time(sde, x0, domain), rounds)
            worst_time, worst_error = max(worst_time, seconds), max(worst_error, abs(tau.value / entry["value"] - 1))
    return [Line("mean passage time on a line, the slowest reference problem of 12 digits", 1e3 * worst_time, 50.0, unit="ms"),
            Line("    its error, the largest, in units of 1e-10", worst_error / 1e-10, 1.0, unit="")]


def _is_on_a_line(entry: dict[str, Any]) -> bool:
    return entry["sde"] is not None and entry["sde"]["dim"] == 1 and entry["sde"]["interpretation"] in ("any", "ito", "stratonovich",
                                                                                                     "klimontovich")


def generators(rounds: int) -> list[Line]:
    reference, lines, seconds = BY_ID["maierstein-b2-eps0.1"]["value"], [], {}
    for cells, bound in (((100, 60), math.inf), ((200, 120), 1.5), ((400, 240), 15.0)):
        seconds[cells], tau = timed(lambda cells=cells: in_the_plane(cells), rounds)
        if bound < math.inf:
            lines += [Line(f"generator, {cells[0]} × {cells[1]} cells: rates, three grids, one mean time", seconds[cells], bound, unit="s"),
                      Line("    its error, in units of 1e-4", abs(tau.value / reference - 1) / 1e-4, 1.0, unit="")]
    for coarse, fine in (((100, 60), (200, 120)), ((200, 120), (400, 240))):
        exponent = math.log(seconds[fine] / seconds[coarse]) / math.log(16.0)
        what = f"    {fine[0]} × {fine[1]} against {coarse[0]} × {coarse[1]}: power of cells × width² that time grows with"
        lines.append(Line(what, exponent, 1.0, unit=""))
    return lines


def space() -> list[Line]:
    exact = ls.exact.mean_passage_time(ls.langevin(ls.landscapes.double_well(), 0.02), -1.0, ls.Interval(high=0.0)).value
    in_space(16)
    start = time.process_time()
    tau = in_space(60)
    seconds = time.process_time() - start
    return [Line("generator, 60 × 60 × 60 cells: rates, three grids, one mean time", seconds, 60.0, unit="s"),
            Line("    its error, as a part of what it says it is", abs(tau.value - exact) / (tau.high - tau.value), 1.0, unit="")]


def action() -> list[Line]:
    reference = BY_ID["maierstein-quasipotential-b10"]["value"]
    start = time.process_time()
    found = ls.quasipotential(ls.systems.maier_stein(beta=10.0), [-1.0, 0.0], [0.0, 0.0])
    seconds = time.process_time() - start
    return [Line("quasi-potential of Maier and Stein, β = 10, first call", seconds, 5.0, unit="s"),
            Line("    its error, in units of 1e-6", abs(float(found.value) - reference) / 1e-6, 1.0, unit="")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    parts: list[Callable[[], list[Line]]] = [lambda: on_a_line(rounds), lambda: generators(rounds), space, action]
    lines = []
    for part in parts:
        for line in part():
            print(line, flush=True)
            lines.append(line)
    failed = [line for line in lines if not line.holds]
    print(f"{len(lines) - len(failed)} of {len(lines)} bounds hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
