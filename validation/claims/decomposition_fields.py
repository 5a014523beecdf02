"""The decomposition of nonlinear equations: φ and Q come back where they are known, and φ agrees with two other methods where they are not.

The A-type process of theory 6.1, whose D and Q depend on the state: simulated, its moments are those of exp(−φ); from the generator its
φ and Q come back wherever p is above 1e-6 of its maximum.  Maier and Stein's equation, β = 2: φ against a simulated ensemble, and against
the quasi-potential at three noise levels.  A process in space.  Controls: other conventions, −Q, the noise of another level.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from check import Check, main, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from tests.decompositions import BOX, T, as_written, example, in_space, well_inside
from tests.oracles import BY_ID

CELLS, SEEN = 192, math.log(1e6)
LEVELS = {0.2: [(-2.0, 2.0), (-1.4, 1.4)], 0.1: [(-1.8, 1.8), (-1.1, 1.1)], 0.05: [(-1.6, 1.6), (-0.9, 0.9)]}
PLACES = ([-0.6, 0.2], [-1.3, -0.1], [-0.8, 0.4], [-1.0, 0.5])
PATHS = 200_000


def checks() -> Iterator[Check]:
    """Simulation, recovery, Maier and Stein, space; then the picture."""
    yield from _simulated()
    yield from _area_swept()
    yield from _recovered()
    yield from _maier_stein()
    yield from _in_space()
    _draw()


# ------------------------------------------------------------------------------------------------------------ theory 6.1

def _simulated() -> Iterator[Check]:
    references = [BY_ID[name]["value"] for name in ("ao-atype-Ex", "ao-atype-Er2")]
    for name, sde in (("A-type", example().sde()), ("∇·D without ∇·Q", as_written("klimontovich")), ("plain Itô", as_written("ito"))):
        (fine, fine_error), (coarse, coarse_error) = _moments(sde, 0.005, 1), _moments(sde, 0.01, 2)
        values, errors = 2 * fine - coarse, np.hypot(2 * fine_error, coarse_error)      # one Richardson step in dt
        for quantity, value, error, reference in zip(("E x", "E r²"), values, errors, references, strict=True):
            yield Check(name=f"6.1 simulated, {name}: {quantity}", value=float(value), reference=reference, error=float(error),
                        control=name != "A-type")


def _area_swept() -> Iterator[Check]:
    """Half of E[x dy − y dx] per unit of time is E Q₁₂: the circulation, seen in paths."""
    times, dt = np.arange(70.0, 120.0), 0.005
    x = ls.simulate(example().sde(), [-0.9, 0.0], (0, 120), dt, 20_000, np.sort([*times, *(times + dt)]), rng=4, progress=False).x
    before, step = x[:, ::2], np.diff(x, axis=1)[:, ::2]
    middle = before + step / 2
    areas = ((middle[..., 0] * step[..., 1] - middle[..., 1] * step[..., 0]) / (2 * dt)).mean(axis=1)
    found = _found()
    expected = float(np.exp(-found.phi.values.ravel()) * found.grid.volumes @ found.circulation.values.ravel())
    for name, reference, control in (("E Q₁₂ from the generator", expected, False), ("−E Q₁₂", -expected, True), ("0", 0.0, True)):
        yield Check(name=f"6.1 simulated: area swept per unit of time against {name}", value=float(areas.mean()), reference=reference,
                    error=float(areas.std() / math.sqrt(len(areas))), control=control)


def _moments(sde: ls.SDE, dt: float, key: int) -> tuple[np.ndarray, np.ndarray]:
    x = ls.simulate(sde, [-0.9, 0.0], (0, 120), dt, 20_000, np.arange(70.0, 121.0, 2.0), rng=key, progress=False).x
    of_paths = np.stack([x[..., 0].mean(axis=1), (x**2).sum(axis=-1).mean(axis=1)])
    return of_paths.mean(axis=1), of_paths.std(axis=1) / math.sqrt(len(x))


@functools.cache
def _found() -> Any:
    return ls.decompose(example().sde(), grid=ls.Grid(BOX, CELLS))


def _recovered() -> Iterator[Check]:
    known, found = example(), _found()
    x = found.grid.points[well_inside(found.grid.points, known.potential, SEEN)]
    difference = found.potential(x) - known.potential(x)
    yield Check(name="6.1 from the generator: largest error of φ where p > 1e-6 of its maximum", reference=0.0, error=0.1, bound=1.0,
                value=float(np.abs(difference - np.median(difference)).max()))
    q = found.Q(x)[:, 0, 1] / T
    expected = 1 + x.prod(axis=-1) / 2
    for name, against, control in (("1 + xy/2", expected, False), ("−(1 + xy/2)", -expected, True), ("1", np.ones_like(q), True)):
        yield Check(name=f"the same: largest difference of Q₁₂ / e from {name}", value=float(np.abs(q - against).max()), reference=0.0,
                    error=0.03, bound=1.0, control=control)
    radius = np.trace(found.covariance) + found.mean @ found.mean
    yield relative("the same: E x", found.mean[0], BY_ID["ao-atype-Ex"]["value"], 1e-5)
    yield relative("the same: E r²", radius, BY_ID["ao-atype-Er2"]["value"], 1e-5)
    without = ls.decompose(as_written("klimontovich"), grid=ls.Grid(BOX, 96))
    yield relative("the process without ∇·Q: E r²", np.trace(without.covariance) + without.mean @ without.mean,
                   BY_ID["ao-atype-Er2"]["value"], 1e-3, control=True)
    weights, v = _boltzmann(known, x), known.circulating_drift(x)
    production = float(weights @ (v * np.linalg.solve(known.D(x), v[..., None])[..., 0]).sum(axis=-1))
    yield relative("the same: entropy production", found.entropy_production, production, 1e-3)


def _boltzmann(parts: Any, x: np.ndarray) -> np.ndarray:
    p = np.exp(-(parts.potential(x) - parts.potential(x).min()))
    return np.asarray(p / p.sum())


# --------------------------------------------------------------------------------------------------------- Maier and Stein

def _maier_stein() -> Iterator[Check]:
    found = {eps: ls.decompose(_equation(eps), grid=ls.Grid(box, 128)) for eps, box in LEVELS.items()}
    yield from _against_simulation(found)
    for place in PLACES:
        u = ls.quasipotential(_equation(0.1), [-1.0, 0.0], place).value
        off = [eps * (f.potential(place) - f.potential([-1.0, 0.0])) - u for eps, f in found.items()]
        for (a, b), levels in (((off[0], off[1]), "0.2 and 0.1"), ((off[1], off[2]), "0.1 and 0.05")):
            yield relative(f"ε φ − U at {place}: its ratio at ε = {levels}", a / b, 2.0, 0.1)
    yield relative("the same with U / 2, the quasi-potential of sqrt(2 ε) dW", (off[0] + u / 2) / (off[1] + u / 2), 2.0, 0.1, control=True)
    along = ls.decompose(along=ls.minimum_action_path(_equation(0.1), [-1.0, 0.0], PLACES[2]))
    off = [eps * float(np.abs(f.slope(PLACES[2]) - along.slope[-1] * 0.1 / eps).max()) for eps, f in found.items()]
    yield relative("ε ∇φ, grid − path of least action: its ratio at ε = 0.1 and 0.05", off[1] / off[2], 2.0, 0.15)


def _equation(strength: float) -> ls.SDE:
    return ls.systems.maier_stein(beta=2.0, strength=strength)


def _against_simulation(found: dict[float, Any]) -> Iterator[Check]:
    """The probabilities of boxes, by 200 000 paths half of which start in each well: the two wells are alike, so none needs to cross."""
    start = np.repeat([[-1.0, 0.0], [1.0, 0.0]], PATHS // 2, axis=0)
    x = ls.simulate(_equation(0.2), start, (0, 8), 0.002, t_eval=[8.0], rng=3, progress=False).x[:, 0]
    edges = [np.linspace(-1.5, 1.5, 13), np.linspace(-0.8, 0.8, 9)]
    seen = np.histogram2d(*x.T, bins=edges)[0] / PATHS
    for eps, control in ((0.2, False), (0.1, True)):
        fine = [np.linspace(e[0], e[-1], 8 * (len(e) - 1) + 1) for e in edges]
        centres = np.stack(np.meshgrid(*((e[1:] + e[:-1]) / 2 for e in fine), indexing="ij"), axis=-1)
        p = np.exp(-found[eps].potential(centres)) * np.prod([e[1] - e[0] for e in fine])
        expected = p.reshape(12, 8, 8, 8).sum(axis=(1, 3))
        z = (seen - expected) / np.sqrt(expected * (1 - expected) / PATHS)
        yield Check(name=f"φ at ε = {eps:g} against {PATHS} paths at 0.2: largest z of 96 boxes", value=float(np.abs(z).max()),
                    reference=0.0, error=1.0, bound=5.0, control=control)


# ------------------------------------------------------------------------------------------------------------------- space

def _in_space() -> Iterator[Check]:
    known, found = in_space()
    x = found.grid.points[well_inside(found.grid.points, known.potential, 3.0)]
    v, measured = known.circulating_drift(x), found.circulating_drift(x)
    for name, against, control in (("J / p", v, False), ("−J / p", -v, True)):
        yield Check(name=f"in space, 24³ cells: largest difference from {name}", reference=0.0, error=0.08,
                    bound=1.0, value=float(np.abs(measured - against).max()), control=control)
    yield Check(name="the same: residual of b = −(D + Q) ∇φ + ∇·(D + Q)", value=found.residual, reference=0.0, error=0.05, bound=1.0)


def _draw() -> None:
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    ls.plots.draw_decomposition(_found(), [(-1.8, 1.8)] * 2, ax=left)
    loss, noise = ls.Landscape("2*x**2 + y**2/2"), ls.noise.Anisotropic([[4.0, 1.2], [1.2, 0.6]])
    sde = ls.sgd(loss, noise, learning_rate=0.2)
    samples = ls.simulate(sde, [0.0, 0.0], (0, 8), 0.01, 3000, [8.0], rng=1, progress=False).x[:, 0]
    ls.plots.draw_potential_and_loss(ls.decompose(sde), loss, [(-1.6, 1.6), (-1.6, 1.6)], samples=samples, ax=right)
    right.set_title("SGD: the iterates follow φ, and not L", fontsize=10, loc="left")
    save(figure, "decomposition")


if __name__ == "__main__":
    main(Path(__file__).stem + ": potential and circulation of nonlinear equations", checks)
