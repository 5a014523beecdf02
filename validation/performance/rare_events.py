"""How long rare events take by splitting, to a stated accuracy: ``python validation/performance/rare_events.py``.

Every figure is wall time on all cores with compiled code already in its cache, next to its bound; the exit status is 0 if all hold.  The
accuracy that was reached stands beside it, and how far the answer is from the exact one, because speed is cheap without either.
"""
from __future__ import annotations

import sys
import time
from pathlib import Path

import langevin_sgd as ls

sys.path.insert(0, str(Path(__file__).parent))
from race import Contestant, race, ratio
from run import DT, EXIT, Line, passage_alone, well

RIGHT = ls.HalfSpace([1.0, 0.0], 0.0)


def on_a_line() -> list[Line]:
    """A mean time of 1e8 in the quartic double well, by splitting alone, to 10 %."""
    sde, domain = ls.langevin(ls.Landscape("x**4/4 - x**2/2"), 0.0142), ls.Interval(high=0.0)
    exact = ls.exact.mean_passage_time(sde, -1.0, domain)
    return _lines(f"splitting on a line, τ = {exact.value:.2g}, to 10 %", sde, -1.0, domain, exact, 0.1, 60.0)


def in_the_plane() -> list[Line]:
    """A mean time of 1e9 in Maier and Stein's flow, which has no potential, to 15 %."""
    sde = ls.systems.maier_stein(beta=1.0, strength=0.0247)
    exact = ls.FokkerPlanck(sde, ls.Grid([(-1.6, 0), (-0.8, 0.8)], (160, 120))).mean_passage_time(RIGHT).at([-1.0, 0.0])
    return _lines(f"splitting in the plane, Maier–Stein, τ = {exact.value:.2g}, to 15 %", sde, [-1.0, 0.0], RIGHT, exact, 0.15, 120.0)


def _lines(what: str, sde: ls.SDE, x0: object, domain: ls.Region, exact: ls.Estimate, accuracy: float, bound: float) -> list[Line]:
    ls.mean_passage_time(sde, x0, domain, "splitting", 0.5, rng=9)                  # compiles
    start = time.perf_counter()
    found = ls.mean_passage_time(sde, x0, domain, "splitting", accuracy, rng=1)
    seconds = time.perf_counter() - start
    print(f"    {found}")
    return [Line(what, seconds, bound, unit="s"),
            Line("    half its interval, over what was asked for", found.relative_error / accuracy, 1.0),
            Line("    standard errors from the exact time, beyond the error of the step", abs(found.compare(exact).z), 4.0, unit="")]


def directly(rounds: int) -> list[Line]:
    """The study's own simulation, at two time steps, against the kernel alone, for the same number of path-steps."""
    sde = well(1, ls.noise.Constant(0.49))
    kernel = passage_alone(sde, EXIT)

    def simulated() -> ls.Estimate:
        return ls.mean_passage_time(sde, -1.0, EXIT, "simulation", 0.008, rng=1, dt=DT, threads=1, progress=False)

    n = simulated().n_paths or 1
    per_path = kernel.units / 32768
    bridge = Contestant(lambda: ls.first_passage(sde, -1.0, EXIT, DT, n, rng=2, threads=1, progress=False), n * per_path)
    times = race({"study": Contestant(simulated, n * per_path * 1.5), "bridge": bridge}, rounds)
    return [Line("direct simulation by mean_passage_time ÷ first_passage, per path-step", ratio(times, "study", "bridge"), 1.5)]


def main() -> int:
    lines = []
    for part in (on_a_line, in_the_plane, lambda: directly(7)):
        for line in part():
            print(line, flush=True)
            lines.append(line)
    failed = [line for line in lines if not line.holds]
    print(f"{len(lines) - len(failed)} of {len(lines)} bounds hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
