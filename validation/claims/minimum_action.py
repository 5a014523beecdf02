"""Weak noise leaves an attractor along one path, and the action of that path is the exponent of the time.

Maier and Stein's equation (theory 8.4): for beta ≤ 4 the path runs along the axis and U = 1/2, beyond it leaves the axis and U falls.  Two
methods that share nothing but f and C must agree with the reference numbers, with quasi-potentials that are known in closed form
(a covariance that turns with the state, circulation, a valley that bends), and with exact mean times as the noise falls.  A third, which
knows no path, gives the quasi-potential at all states of a grid: it must have the action of the paths where they end, and all along them.
"""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, relative, save

import langevin_sgd as ls
from langevin_sgd.plots import draw_action, draw_path, draw_work
from langevin_sgd.plots.theme import COLOURS
from tests.oracles import BY_ID, select

START, SADDLE = [-1.0, 0.0], [0.0, 0.0]
TOLERANCE = 1e-6
BOX, CELLS = [(-1.6, 0.4), (-0.8, 0.8)], (200, 160)


def checks() -> Iterator[Check]:
    """Reference numbers, closed forms, and exact times."""
    found = {}
    for entry in select("quasipotential", dim=2):
        beta, value = entry["parameters"]["beta"], entry["value"]
        path = found[beta] = ls.minimum_action_path(ls.systems.maier_stein(beta), START, SADDLE)
        yield relative(f"Maier–Stein, beta = {beta:g}, by Ritz's method", path.action, value, TOLERANCE)
        yield relative(f"Maier–Stein, beta = {beta:g}, by a relaxed chain of points", path.chain_action, value, TOLERANCE)
        if beta > 4:
            yield relative("the same against the straight path on the axis", path.action, 0.5, TOLERANCE, control=True)
    yield from _closed_forms()
    yield from _fields(found)
    yield from _exact_times(found)
    _draw({beta: found[beta] for beta in (1.0, 5.0, 10.0)})


def _closed_forms() -> Iterator[Check]:
    """U = (x² − 1)² / 2 + (y − x²/2)² with f = −C ∇U / 2 + A ∇U; a valley; one dimension; a linear system."""
    u_x, u_y = "(2*x*(x**2 - 1) - 2*x*(y - x**2/2))", "(2*(y - x**2/2))"
    c, turn = [["1 + x**2/2", "x*y/3"], ["x*y/3", "1 + y**2/2"]], "(1 + x)/2"
    f = [f"-({c[0][0]})*{u_x}/2 - ({c[0][1]})*{u_y}/2 + {turn}*{u_y}", f"-({c[1][0]})*{u_x}/2 - ({c[1][1]})*{u_y}/2 - {turn}*{u_x}"]
    sde, start = ls.SDE(f, ls.noise.Expression(c), 0.1), [-1.0, 0.5]
    for end in ([0.0, 0.0], [-0.6, 1.0], [-1.5, 0.2]):
        x, y = end
        value = (x * x - 1)**2 / 2 + (y - x * x / 2)**2
        yield relative(f"full C(x) and circulation, U at {end}", ls.quasipotential(sde, start, end).value, value, TOLERANCE)
    same = sde.replace(interpretation="klimontovich").in_interpretation("ito")
    yield relative("the same from the Klimontovich convention", ls.quasipotential(same, start, [0.0, 0.0]).value, 0.5, TOLERANCE)
    isotropic = sde.replace(noise=ls.noise.Constant(1.0))
    yield relative("the same drift under unit noise", ls.quasipotential(isotropic, start, [0.0, 0.0]).value, 0.5, TOLERANCE, control=True)

    valley = ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + 2*(y - x**2 + 1)**2"), 0.1)
    value = ls.minimum_action_path(valley, [-1.0, 0.0], [1.0, 0.0]).action
    yield relative("a valley that bends: U = 2 (L_saddle − L_min)", value, 0.5, TOLERANCE)
    yield relative("the same against L_saddle − L_min (the convention of sqrt(2 ε) dW)", value, 0.25, TOLERANCE, control=True)

    line = ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.1)
    yield relative("one dimension, C = 1 + x²: U = 2 ln 2 − 1", ls.quasipotential(line, -1.0, 0.0).value, 2 * math.log(2) - 1, TOLERANCE)

    drift, diffusion, end = np.array([[-1.0, 3.0], [-1.0, -2.0]]), np.array([[0.5, 0.2], [0.2, 0.4]]), np.array([1.0, 0.7])
    sigma = np.linalg.solve(np.kron(drift, np.eye(2)) + np.kron(np.eye(2), drift), -2 * diffusion.ravel()).reshape(2, 2)
    path = ls.minimum_action_path(ls.linear(drift, diffusion), [0.0, 0.0], end)
    lyapunov = end @ np.linalg.solve(sigma, end) / 2
    yield relative("linear, not normal, spiralling: the path against Lyapunov's equation", path.action, lyapunov, TOLERANCE)


def _fields(found: dict[float, ls.theory.action.ActionPath]) -> Iterator[Check]:
    """Fields against paths, on 200 × 160 cells, and within the error that they claim."""
    for beta, path in found.items():
        sde = ls.systems.maier_stein(beta)
        field = ls.quasipotential_field(sde, START, ls.Grid(BOX, CELLS))
        saddle = field.at(SADDLE)
        yield relative(f"field, beta = {beta:g}: at the saddle", saddle.value, path.action, 1e-5)
        yield Check(name="… the same, in the errors that it claims", value=saddle.value, reference=path.action,
                    error=(saddle.high - saddle.low) / 2, bound=1.0)
        apart = float(np.abs(field.values_at(path.path) - path.work).max())
        yield Check(name="… along the path: the largest difference from the work", value=apart, reference=0.0, error=1e-5, bound=1.0)
        for end in ([-0.5, 0.0], [-0.3, 0.2]):
            yield relative(f"… at {end}, also by its own path", field.at(end).value, ls.quasipotential(sde, START, end).value, 1e-6)
        _, lowest = field.lowest_on_boundary(ls.HalfSpace([1.0, 0.0], 0.0))
        yield relative("… lowest on the line x = 0", lowest.value, path.action, 1e-5)
        if beta == 10:
            yield relative("… the same against the straight path", lowest.value, 0.5, 1e-5, control=True)
            _draw_field(path, field)
    yield from _rotation()


def _rotation() -> Iterator[Check]:
    """f = −∇V + ω J ∇V, J a quarter turn: U = 2 V for any ω."""
    v_x, v_y, more = "(x + x**2/4 + y/4 + sin(4*x)/5)", "(y + x/4 + y**3/2)", {}
    for turn, cells in ((3, 80), (3, 160), (10, 160)):
        grid = ls.Grid([(-1.0, 1.1), (-1.0, 0.9)], cells)
        sde = ls.SDE([f"-{v_x} + {turn}*{v_y}", f"-{v_y} - {turn}*{v_x}"], ls.noise.Constant(1.0))
        field, exact = ls.quasipotential_field(sde, [0.0, 0.0], grid), _bowl(grid)
        more[turn, cells] = float(np.max(np.abs(field.values - exact), where=exact < 0.6, initial=0.0))
        yield Check(name=f"turning {turn} times as fast as it relaxes, {cells} × {cells} cells: the largest error",
                    value=more[turn, cells], reference=0.0, error=float(np.nanmax(field.error)), bound=1.0)
    yield Check(name="… the order for 3 times, by halving the cells", value=math.log2(more[3, 80] / more[3, 160]), reference=3.0, error=0.5,
                bound=1.0)
    wrong = ls.quasipotential_field(sde.replace(noise=ls.noise.Anisotropic([[1.0, 0.0], [0.0, 1.2]])), [0.0, 0.0], grid)
    yield Check(name="… another noise under the same drift, in the errors claimed", value=float(np.nanmax(np.abs(wrong.values - exact))),
                reference=0.0, error=float(np.nanmax(wrong.error)), bound=1.0, control=True)


def _bowl(grid: ls.Grid) -> np.ndarray:
    x, y = grid.points.T
    return (x**2 + x**3 / 6 + x * y / 2 + (1 - np.cos(4 * x)) / 10 + y**2 + y**4 / 4).reshape(grid.shape)


def _exact_times(found: dict[float, ls.theory.action.ActionPath]) -> Iterator[Check]:
    """The exponent seen in exact mean times: d ln τ / d(1/ε), which still has the prefactor's share, and tends to U."""
    for beta, high, low, share in ((1, 0.2, 0.1, 0.05), (10, 0.1, 0.05, 0.1)):
        times = [BY_ID[f"maierstein-b{beta}-eps{eps:g}"]["value"] for eps in (high, low)]
        slope = math.log(times[1] / times[0]) / (1 / low - 1 / high)
        yield relative(f"exact times, beta = {beta}, ε = {high:g} and {low:g}: d ln τ / d(1/ε) → U", slope, found[beta].action, share)
        yield relative("the same against U / 2", slope, found[beta].action / 2, share, control=True)
    yield relative("beta = 10: the same against the straight path", slope, 0.5, share, control=True)


def _draw(paths: dict[float, ls.theory.action.ActionPath]) -> None:
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8.8, 3.8), layout="constrained")
    plane, work = figure.subplots(1, 2, width_ratios=[1.3, 1])
    for colour, (beta, found) in zip(COLOURS, paths.items(), strict=False):
        up = np.sign(found.path[np.abs(found.path[:, 1]).argmax(), 1]) or 1.0           # of the two mirrored paths the upper one
        upper = dataclasses.replace(found, path=found.path * [1.0, up])
        draw_path(upper, ax=plane, flow=beta == max(paths), color=colour, label=f"beta = {beta:g}: U = {found.action:.6f}")
        draw_work(found, ax=work, color=colour)
    plane.legend(fontsize=8, frameon=True, loc="upper right")
    plane.set(xlim=(-1.2, 0.3), ylim=(-0.3, 0.6))
    figure.suptitle("Maier–Stein: the path of least action leaves the axis for beta > 4", fontsize=11, x=0.02, ha="left")
    save(figure, "minimum_action")


def _draw_field(path: ls.theory.action.ActionPath, field: ls.theory.quasipotential_field.QuasipotentialField) -> None:
    figure = draw_action(path, field=field, title="Maier–Stein, beta = 10: the quasi-potential, and the path that leaves")
    save(figure, "quasipotential_field")


if __name__ == "__main__":
    main(Path(__file__).stem + ": the path of least action and the quasi-potential, by three methods, against closed forms", checks)
