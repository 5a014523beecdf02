"""Speed and memory, as ratios measured side by side: ``python validation/performance/run.py``.

Every ratio is printed next to its bound; the exit status is 0 if all hold.  Run it on an idle machine.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import langevin_sgd as ls
from langevin_sgd.core.kernels import SLOT, passage_kernel
from langevin_sgd.core.steps import compile_step
from langevin_sgd.simulation.assembly import assemble
from langevin_sgd.simulation.schemes import Scheme

sys.path.insert(0, str(Path(__file__).parent))
from limit import compiled_limit, numpy_loop
from minibatch import one_weight, regression
from race import Contestant, race, ratio

DT, PATHS, STEPS = 0.01, 8192, 4000         # long enough that starting a thread does not count
NOISE = 0.7
EXIT = ls.Interval(high=0.5)


@dataclass(frozen=True)
class Line:
    """A line of the table: what is compared, the figure, and its bound, or None; `at_least` turns the bound round."""

    what: str
    value: float
    bound: float | None
    at_least: bool = False
    unit: str = "×"

    @property
    def holds(self) -> bool:
        if self.bound is None:
            return True
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        figure = f"{self.what:74s}{self.value:8.2f} {self.unit:3s}"
        if self.bound is None:
            return f"{figure} no bound"
        return f"{figure} {'≥' if self.at_least else '≤'} {self.bound:<6g}{'ok' if self.holds else 'FAILS'}"


def well(d: int, noise: ls.noise.Noise) -> ls.SDE:
    names = ("x", "y", "z")[:d] if d <= 3 else tuple(f"x{k + 1}" for k in range(d))
    return ls.SDE([f"{v} - {v}**3" for v in names], noise, 1.0)


def horizon(sde: ls.SDE, steps: int = STEPS, scheme: Scheme | None = None) -> Contestant:
    x0, end = np.zeros(sde.dim) if sde.dim > 1 else 0.0, steps * DT
    return Contestant(lambda: ls.simulate(sde, x0, (0, end), DT, PATHS, [end], scheme, rng=5, threads=1, progress=False),
                      PATHS * steps * sde.dim)


def passage(sde: ls.SDE, domain: ls.Region, monitoring: str) -> Contestant:
    x0 = [-1.0, *[0.0] * (sde.dim - 1)] if sde.dim > 1 else -1.0
    run = lambda: ls.first_passage(sde, x0, domain, DT, 16 * PATHS, monitoring=monitoring, rng=5, threads=1, progress=False)  # noqa: E731
    return Contestant(run, float(np.ceil(run().time / DT).sum()) * sde.dim)


def passage_alone(sde: ls.SDE, domain: ls.Region) -> Contestant:
    """The kernel of first passage by itself: paths until they leave, without placing exits and making a result."""
    made, kernel, n = assemble(sde, ls.EulerMaruyama(), domain), passage_kernel(sde.dim), 4 * PATHS

    def run() -> np.ndarray:
        before, after, status, reached = np.empty((n, 1)), np.empty((n, 1)), np.zeros(n, np.uint8), np.zeros(n, np.int64)
        kernel(np.array([[-1.0]]), 0, n, 0, DT, 0.0, 2**62, np.uint64(7), np.uint64(11), made.p, made.matrix, made.step, before, after,
               status, reached, np.zeros(2 * SLOT, np.int64), SLOT)
        return reached
    return Contestant(run, float(run().sum()))


def kernels(rounds: int) -> list[Line]:
    constant, quadratic = ls.noise.Constant(NOISE**2), ls.noise.Quadratic(0.25, quadratic=0.2)
    one = well(1, constant)
    c = compiled_limit(PATHS, STEPS, DT, NOISE)
    dense = np.random.default_rng(1).normal(size=(10, 10))
    contestants = {
        **({"C": Contestant(c, PATHS * STEPS)} if c else {}),
        "Euler": horizon(one), "NumPy": Contestant(numpy_loop(20_000, 100, DT, NOISE), 20_000 * 100),
        "Euler, quadratic": horizon(well(1, quadratic)), "Milstein": horizon(well(1, quadratic), scheme=ls.Milstein()),
        "passage, kernel": passage_alone(one, EXIT), "passage": passage(one, EXIT, "discrete"), "bridge": passage(one, EXIT, "continuous"),
        "two": passage(one, ls.Interval(-2.0, 0.5), "continuous"),
        **{f"d = {d}": horizon(well(d, constant), STEPS // d) for d in (2, 3, 4, 5)},
        "dense": horizon(well(10, ls.noise.Anisotropic(NOISE**2 * dense @ dense.T / 10)), STEPS // 10)}
    times = race(contestants, rounds)
    for name, t in times.items():
        print(f"    {name:20s}{np.median(t):7.2f} ns per step of one component", flush=True)
    lines = [Line("Euler, one thread ÷ hand-written AVX-512 C", ratio(times, "Euler", "C"), 1.2)] if c else []
    return [*lines,
            Line("vectorised NumPy loop ÷ Euler", ratio(times, "NumPy", "Euler"), 8, at_least=True),
            Line("Milstein ÷ Euler, the same quadratic noise", ratio(times, "Milstein", "Euler, quadratic"), 1.3),
            Line("first passage, the kernel ÷ fixed horizon", ratio(times, "passage, kernel", "Euler"), 1.3),
            Line("first passage, the whole call with its exits ÷ fixed horizon", ratio(times, "passage", "Euler"), 1.3),
            Line("first passage with bridge, hit placed in the step ÷ fixed horizon", ratio(times, "bridge", "Euler"), 2.2),
            Line("the same with two boundaries, both counted ÷ fixed horizon", ratio(times, "two", "Euler"), 2.7),
            *(Line(f"d = {d} ÷ d = 1, per component", ratio(times, f"d = {d}", "Euler"), 1.1) for d in (2, 3, 4, 5)),
            Line("d = 10 with dense noise ÷ d = 1, per component", ratio(times, "dense", "Euler"), 1.8)]


def matrices(rounds: int) -> list[Line]:
    """A hundred components, with one dense matrix or two in every step, against the one component of the table above.

    A product alone is some two nanoseconds of multiply-adds; normals are what remains with diagonal matrices.
    """
    d, rng = 100, np.random.default_rng(1)
    G, eye = rng.normal(size=(d, d)) / 10, np.eye(d)
    F = rng.normal(size=(d, d)) / 40 - eye
    equations = {"diagonal": ls.linear(-eye, eye), "dense noise": ls.linear(-eye, G @ G.T), "dense drift": ls.linear(F, eye),
                 "dense both": ls.linear(F, G @ G.T)}
    steps, paths, end = 200, 1024, 200 * DT

    def run(sde: ls.SDE) -> Contestant:
        return Contestant(lambda: ls.simulate(sde, np.zeros(d), (0, end), DT, paths, [end], rng=5, threads=1, progress=False),
                          paths * steps * d)

    times = race({"Euler": horizon(well(1, ls.noise.Constant(NOISE**2))), **{name: run(sde) for name, sde in equations.items()}}, rounds)
    for name, t in times.items():
        print(f"    {name:20s}{np.median(t):7.2f} ns per step of one component", flush=True)
    return [Line(f"d = 100, {what} ÷ d = 1, per component", ratio(times, name, "Euler"), bound)
            for name, what, bound in (("diagonal", "drift and noise diagonal", 2.0), ("dense noise", "dense noise", 5.2),
                                      ("dense drift", "dense drift", 5.2), ("dense both", "drift and noise dense", 6.0))]


def minibatch(rounds: int) -> list[Line]:
    """Runs of SGD; an iteration moves 8 kB of rows at random, also by hand-written C; a NumPy loop moves them more than once."""
    many, few = race(regression(), rounds), race(one_weight(), rounds)
    for name, t in {**many, **few}.items():
        print(f"    {name:24s}{np.median(t):8.2f} ns per iteration of a run", flush=True)
    by_hand = [Line("SGD, d = 100, N = 10 000, B = 10 ÷ the same in C with AVX-512", ratio(many, "SGD", "C"), 2.0)] if "C" in many else []
    return [*by_hand,
            Line("SGD, d = 100, N = 10 000, B = 10 ÷ its gradients alone, rows at random", ratio(many, "SGD", "gradients"), 2.0),
            Line("the same ÷ its gradients alone, ten rows that stay in the cache", ratio(many, "SGD", "gradients, near"), None),
            Line("NumPy loop over a vectorised ensemble of 64 runs ÷ the same", ratio(many, "NumPy", "SGD"), 3.5, at_least=True),
            Line("NumPy loop over a vectorised ensemble of 1000 runs ÷ the same", ratio(many, "NumPy, a thousand runs", "SGD"), 4.5,
                 at_least=True),
            Line("NumPy loop over one run ÷ the same", ratio(many, "NumPy, one run", "SGD"), 15, at_least=True),
            Line("10 000 runs with one weight ÷ their gradients alone", ratio(few, "runs", "their gradients"), 3.0)]


def saving(rounds: int) -> list[Line]:
    """Saving every step, beyond the steps, against writing such an array time by time, as states come into being.

    Filling it in one stroke, with a number that is there already, is what the memory alone costs: nearly all of it is the clearing of new
    pages, and no recording can be as fast.
    """
    one, paths, steps = well(1, ls.noise.Constant(NOISE**2)), 4096, 1000
    every, state = np.arange(1, steps + 1) * DT, np.ones(paths)

    def run(times: np.ndarray) -> Contestant:
        return Contestant(lambda: ls.simulate(one, 0.0, (0, every[-1]), DT, paths, times, rng=5, threads=1, progress=False), paths * steps)

    def time_by_time() -> None:
        x = np.empty((paths, steps, 1))
        for k in range(steps):
            x[:, k, 0] = state

    times = race({"saved": run(every), "not saved": run(every[-1:]), "written": Contestant(time_by_time, paths * steps),
                  "filled": Contestant(lambda: np.full((paths, steps, 1), 1.0), paths * steps)}, rounds)
    extra = times["saved"] - times["not saved"]
    return [Line("saving every step: extra time ÷ writing that array time by time", float(np.median(extra / times["written"])), 1.0),
            Line("saving every step: extra time ÷ filling that array in one stroke", float(np.median(extra / times["filled"])), None)]


def threads(rounds: int) -> list[Line]:
    """Two threads against one, by the wall clock; the best round counts, and the bits must be equal."""
    one = ls.langevin(ls.landscapes.double_well(), 0.1)
    run = lambda n: ls.first_passage(one, -1.0, ls.Interval(high=0.0), DT, 16 * PATHS, rng=5, threads=n, progress=False)  # noqa: E731
    times = race({"1": Contestant(lambda: run(1), 1), "2": Contestant(lambda: run(2), 1)}, rounds, time.perf_counter)
    equal = np.array_equal(run(1).time, run(2).time)
    return [Line("one thread ÷ two threads, wall clock, best of the rounds", float((times["1"] / times["2"]).max()), 1.8, at_least=True),
            Line("paths whose bits depend on the number of threads", 0.0 if equal else 1.0, 0.0, unit="")]


MEMORY = """
import resource, langevin_sgd as ls
sde = ls.langevin(ls.landscapes.double_well(), 0.25)
ls.simulate(sde, -1.0, (0, {steps} * 0.01), 0.01, n_paths=256, t_eval=[{steps} * 0.01], rng=1, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

def memory() -> Line:
    """Resident memory with a thousand and with a million steps."""
    few, many = (float(_python(MEMORY.format(steps=steps))) for steps in (10**3, 10**6))
    return Line("resident memory, 10⁶ steps − 10³ steps", abs(many - few), 8.0, unit="MiB")


def cold_start(rounds: int) -> list[Line]:
    """From the start of a new process, with a drift that was never compiled, to the first result; the kernels are in the cache."""
    calls = {"simulate": "ls.simulate(sde, -1.0, (0, 1), 0.01, n_paths=1000, rng=1)",
             "first_passage": "ls.first_passage(sde, -1.0, ls.Interval(high=0.0), 0.01, n_paths=1000, rng=1)"}
    lines = []
    for name, call in calls.items():
        seconds = []
        for k in range(rounds + 1):
            code = ("import langevin_sgd as ls, time\n"
                    f"sde = ls.langevin(ls.Landscape('x**4/4 - x**2/2 + {k}*x/1000'), 0.25)\n{call}\nprint(time.time())")
            start = time.time()
            seconds.append(float(_python(code)) - start)
        lines.append(Line(f"new process, new drift, kernels cached: first result of {name}", float(np.median(seconds[1:])), 1.5, unit="s"))
    return lines


def parameters() -> Line:
    """A changed parameter compiles nothing."""
    sde = ls.sgd(ls.Landscape("h*(x**2 - 1)**2/4", h=1.0), ls.noise.Quadratic(1.0, quadratic=0.5), 0.1)
    ls.first_passage(sde, -1.0, ls.Interval(high=0.0), DT, 64, rng=1)
    before = compile_step.cache_info().misses
    for k in range(5):
        changed = sde.replace(h=1.0 + 0.1 * k, learning_rate=0.1 + 0.01 * k, noise=ls.noise.Quadratic(1.0 + k, quadratic=0.5))
        ls.first_passage(changed, -1.0, ls.Interval(high=0.1 * k), DT, 64, rng=k)
    return Line("compilations after five changes of parameters", float(compile_step.cache_info().misses - before), 0.0, unit="")


def import_time(rounds: int) -> Line:
    seconds = [float(_python("import time; t = time.perf_counter(); import langevin_sgd; print(time.perf_counter() - t)"))
               for _ in range(rounds)]
    return Line("import langevin_sgd", float(np.median(seconds)), 1.0, unit="s")


def _python(code: str) -> str:
    """Run code in a new process, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder, env=dict(os.environ))
    return done.stdout.split()[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    parts: list[Callable[[], list[Line]]] = [
        lambda: kernels(rounds), lambda: matrices(rounds), lambda: minibatch(rounds), lambda: saving(rounds), lambda: threads(rounds),
        lambda: [memory()], lambda: cold_start(rounds), lambda: [parameters()], lambda: [import_time(rounds)]]
    lines = []
    for part in parts:
        for line in part():
            print(line, flush=True)
            lines.append(line)
    bounds = [line for line in lines if line.bound is not None]
    failed = [line for line in bounds if not line.holds]
    print(f"{len(bounds) - len(failed)} of {len(bounds)} bounds hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
