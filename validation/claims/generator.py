"""The generator on a grid keeps every digit at any barrier, where LU of the same matrix loses them, and knows circulation.

Two wells in the plane whose exact mean time is that of one dimension, from τ = 300 to 1e22; reference numbers for flows that are no
gradient (tests/oracles.json); currents of flows whose stationary law is known.  Controls: LU, twice the noise, no circulation.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from tests.oracles import BY_ID

TOLERANCE = 1e-4
RIGHT = ls.HalfSpace([1.0, 0.0], 0.0)
TEMPERATURES = (0.05, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005)
REFERENCES = {"transverse-w1-D0.1": [(-1.9, 0), (-1.6, 1.6)], "transverse-w1-D0.03": [(-1.6, 0), (-1.1, 1.1)],
              "maierstein-b1-eps0.1": [(-2, 0), (-1.5, 1.5)], "maierstein-b5-eps0.1": [(-2, 0), (-1.5, 1.5)],
              "maierstein-b10-eps0.05": [(-2, 0), (-1.5, 1.5)]}
SLOPES = ("-6*x*exp(-x**2 - (y - 1/3)**2) + 6*x*exp(-x**2 - (y - 5/3)**2) + 10*(x - 1)*exp(-(x - 1)**2 - y**2)"
          " + 10*(x + 1)*exp(-(x + 1)**2 - y**2) + 4*x**3/5",
          "-6*(y - 1/3)*exp(-x**2 - (y - 1/3)**2) + 6*(y - 5/3)*exp(-x**2 - (y - 5/3)**2) + 10*y*exp(-(x - 1)**2 - y**2)"
          " + 10*y*exp(-(x + 1)**2 - y**2) + 4*(y - 1/3)**3/5")         # of the three holes, by hand: the library's own is the reference
WELLS = ls.Landscape("(x**2 - 1)**2/4 + y**2/2")


def checks() -> Iterator[Check]:
    """High barriers, reference numbers, circulation; then the picture."""
    errors = []
    for temperature in TEMPERATURES:
        sde = ls.langevin(WELLS, temperature)
        width = 7 * np.sqrt(temperature)
        gen = ls.FokkerPlanck(sde, ls.Grid([(-1.1 - width, 0), (-width, width)], (240, 120)))
        mean = gen.mean_passage_time(RIGHT)
        exact = ls.exact.mean_passage_time(ls.langevin(ls.landscapes.double_well(), temperature), -1.0, ls.Interval(high=0.0)).value
        yield relative(f"two wells, temperature {temperature}", mean.at([-1.0, 0.0]).value, exact, TOLERANCE)
        by_lu, kept = _by_lu(gen), mean.values[0, 0]
        errors.append((exact, abs(mean.at([-1.0, 0.0]).value / exact - 1), abs(by_lu / kept - 1)))
        if temperature < 0.01:
            yield relative(f"LU of the same matrix against elimination without subtraction, temperature {temperature}", by_lu, kept,
                           TOLERANCE, control=True)
    yield _worst_of_lu()
    for name, box in REFERENCES.items():
        entry = BY_ID[name]
        sde = ls.SDE(entry["sde"]["drift"], ls.noise.Constant(1.0), entry["sde"]["eps"])
        tau = ls.FokkerPlanck(sde, ls.Grid(box, 192)).mean_passage_time(RIGHT).at([-1.0, 0.0])
        yield relative(name, tau.value, entry["value"], TOLERANCE)
    loud = ls.FokkerPlanck(sde.replace(strength=2 * entry["sde"]["eps"]), ls.Grid(box, 96)).mean_passage_time(RIGHT).at([-1.0, 0.0])
    yield relative(f"{name}, with twice the noise", loud.value, entry["value"], TOLERANCE, control=True)
    yield from _circulation(errors)


def _by_lu(gen: ls.FokkerPlanck) -> float:
    """The mean time from the corner cell, by sparse LU."""
    from scipy.sparse.linalg import splu
    jumps = gen.generator.jumps([lambda x: -x[..., 0]])
    times = splu(-jumps.matrix().tocsc()).solve(np.ones(len(jumps.cells)))
    return float(times[np.flatnonzero(jumps.cells == 0)[0]])


def _worst_of_lu() -> Check:
    """At τ = 1.6e11 LU is off by 1e-5 to 2e-3, on each grid by another."""
    gens = [ls.FokkerPlanck(ls.langevin(WELLS, 0.01), ls.Grid([(-1.7, 0), (-0.7, 0.7)], (cells, 120))) for cells in (192, 196, 200)]
    off = [abs(_by_lu(gen) / gen.mean_passage_time(RIGHT).values[0, 0] - 1) for gen in gens]
    return Check(name="LU at temperature 0.01, relative error, the worst of three grids", value=max(off), reference=0.0, error=TOLERANCE,
                 bound=1.0, control=True)


def _circulation(errors: list[tuple[float, float, float]]) -> Iterator[Check]:
    """Drift −(I − J) ∇U, D = 0.1: the law is exp(−U / D), the current p J ∇U."""
    d = 0.1
    sde = ls.SDE(["-(x**3 - x) + y", "-y - (x**3 - x)"], ls.noise.Constant(2 * d))
    grid = ls.Grid([(-2, 2), (-1.8, 1.8)], (160, 144))
    gen = ls.FokkerPlanck(sde, grid)
    law = np.exp(-WELLS(grid.points) / d).reshape(grid.shape)
    law /= (law.ravel() * grid.volumes).sum()
    slope = WELLS.gradient(grid.points).reshape(*grid.shape, 2)
    expected = law[..., None] * np.stack([slope[..., 1], -slope[..., 0]], axis=-1)
    current = gen.probability_current()
    size = np.abs(expected).max()
    yield Check(name="current against p J ∇U: largest difference over largest current", reference=0.0, error=0.02, bound=1.0,
                value=float(np.abs(current - expected).max() / size))
    still = ls.FokkerPlanck(ls.langevin(WELLS, d), grid).probability_current()
    yield Check(name="the same without circulation", reference=0.0, error=0.02, bound=1.0, control=True,
                value=float(np.abs(still - expected).max() / size))
    committor = gen.committor(ls.Ball([-1, 0], 0.3), ls.Ball([1, 0], 0.3))
    yield relative("committor at the saddle, 1/2 by symmetry", committor.at([0.0, 0.0]).value, 0.5, 1e-9)
    yield relative("committor at (0, 0.3), 1/2 without circulation", committor.at([0.0, 0.3]).value, 0.5, 0.05, control=True)
    left, right = (Figure(figsize=(11, 4.2), layout="constrained")).subplots(1, 2)
    ls.plots.draw_landscape(WELLS, [(-1.8, 1.8), (-1.3, 1.3)], highest=0.8, ax=left)
    ls.plots.draw_current(grid, current, ax=left)
    ls.plots.draw_level_lines(committor, levels=[0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95], ax=left)
    times, kept, lost = np.array(errors).T
    right.loglog(times, kept, "-", color="#0072B2", label="without subtraction, extrapolated, against quadrature")
    right.loglog(times, np.minimum(lost, 10), ":", color="#D55E00", label="LU, against the same matrix without subtraction")
    right.set(xlabel="mean passage time", ylabel="relative error", ylim=(1e-14, 20))
    right.legend(frameon=False, fontsize=8)
    save(left.figure, "generator")
    yield from _transitions()


def _transitions() -> Iterator[Check]:
    """Three holes with circulation, −(I − J) ∇V: their law is exp(−V / T); beside Maier and Stein's flow, whose law nobody knows."""
    holes, temperature = ls.landscapes.three_hole(), 0.35
    x, y = SLOPES
    sde = ls.SDE([f"-({x}) + ({y})", f"-({y}) - ({x})"], ls.noise.Constant(1.0), 2 * temperature)
    gen = ls.FokkerPlanck(sde, ls.Grid([(-2.0, 2.0), (-1.6, 2.4)], 144))
    density, current = gen.stationary_density(), gen.probability_current()
    law = np.exp(-holes(gen.grid.points) / temperature).reshape(gen.grid.shape)
    law /= (law.ravel() * gen.grid.volumes).sum()
    yield Check(name="three holes with circulation: density against exp(−V / T)", reference=0.0, error=0.01, bound=1.0,
                value=float(np.abs(density.values - law).max() / law.max()))
    slope = holes.gradient(gen.grid.points).reshape(*gen.grid.shape, 2)
    expected = law[..., None] * np.stack([slope[..., 1], -slope[..., 0]], axis=-1)
    for sign in (1, -1):
        yield Check(name=f"current against {'' if sign > 0 else '− '}p J ∇V", reference=0.0, error=0.02, bound=1.0, control=sign < 0,
                    value=float(np.abs(current - sign * expected).max() / np.abs(expected).max()))
    left, right = (Figure(figsize=(11, 4.4), layout="constrained")).subplots(1, 2)
    stein = ls.FokkerPlanck(ls.systems.maier_stein(beta=10.0, strength=0.1), ls.Grid([(-1.7, 1.7), (-1.1, 1.1)], (136, 88)))
    ls.plots.draw_transitions(stein.stationary_density(), stein.committor(ls.Ball([-1, 0], 0.2), ls.Ball([1, 0], 0.2)),
                              stein.probability_current(), ax=left)
    q = gen.committor(ls.Ball([-1.05, -0.04], 0.25), ls.Ball([1.05, -0.04], 0.25))
    ls.plots.draw_transitions(density, q, current, ax=right)
    save(left.figure, "generator_transitions")


if __name__ == "__main__":
    main(Path(__file__).stem + ": every digit at any barrier, and circulation, on a grid", checks)
