"""How the time that SGD stays in a minimum grows as the learning rate falls: by the minibatch action, not by that of any diffusion.

Two wells in the plane, and batches of one: one sample in twenty kicks hard to one side, the others push back a little.  The covariance is
the same everywhere, so that the Itô equation has one and the same exponent for both wells.  SGD has two: measured times of both wells
against 1 / η have the slopes W of `minimum_action_path`, and neither has that of the equation, which is the control.  Where samples push
little and none kicks, no sample pushes outwards on a whole circle around the minimum: SGD never leaves, and the equation does.  And W
against numbers that are known: the Cramér root on a line, sums where two weights know nothing of one another.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from check import Check, main, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from langevin_sgd.plots import draw_landscape, draw_path
from langevin_sgd.plots.theme import COLOURS
from tests.theory.weak_noise.known_losses import alone, two_alone

RATES = {"right": (0.11, 0.09, 0.075, 0.065, 0.055), "left": (0.22, 0.18, 0.15, 0.13, 0.115)}
SMALL = 3                       # learning rates, the smallest, that slopes are taken from
RUNS = 3000
ANGLES = np.linspace(0, 2 * np.pi, 1001)
CRAMER = {0.3: 3.896, 0.4: 5.205, 0.5: 6.524, 0.6: 7.854}
Times = dict[str, np.ndarray]


def wells(w: Any, sample: Any, gradient: Any) -> float:
    """(x² − 1)² / 4 + 0.3 (x − y)² + 0.75 y², and the sample's push."""
    x, y = w[0], w[1]
    gradient[0] = x**3 - x + 0.6 * (x - y) + sample[0]
    gradient[1] = 1.5 * y - 0.6 * (x - y) + sample[1]
    return (x * x - 1)**2 / 4 + 0.3 * (x - y)**2 + 0.75 * y * y + sample[0] * x + sample[1] * y


def apart(w: Any, sample: Any, gradient: Any) -> float:
    """(x² − 1)² / 4 + y², and the sample's push."""
    x, y = w[0], w[1]
    gradient[0] = x**3 - x + sample[0]
    gradient[1] = 2 * y + sample[1]
    return (x * x - 1)**2 / 4 + y * y + sample[0] * x + sample[1] * y


def checks() -> Iterator[Check]:
    """Numbers that are known, slopes that are measured, and an escape that is impossible."""
    yield from _known()
    loss, times, paths = _kicking(), Times(), {}
    for side in RATES:
        yield from _slope(loss, side, times, paths)
    yield relative("the equation has the same exponent for both wells", paths["right"].gaussian.action, paths["left"].gaussian.action, 1e-6)
    yield from _impossible()
    _draw(loss, times, paths)


# ------------------------------------------------------------------------------------------------------------------- known

def _known() -> Iterator[Check]:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=500), rng.normal(size=500)
    for barrier, exponent in CRAMER.items():
        loss = ls.losses.mirrored_parabola(x, y, barrier)
        saddle = 2 * float(loss.p[1])
        found = ls.minimum_action_path(loss, 0.0, saddle, batch_size=1)
        root = ls.theory.cramer_exponent(minimum=0.0, saddle=saddle, gradients=loss)
        yield relative(f"mirrored parabola, ΔL = {barrier}: W against the Cramér root", found.action, root.value, 1e-8)
        yield Check(name="the same: W / η at η = 0.05, against theory 4.6", value=found.exponent_at(0.05), reference=exponent, error=5e-4,
                    bound=1.2)
        yield relative("the same against the equation", found.gaussian.action, root.value, 1e-2, control=True)
    for end in ((0.0, 0.0), (-0.4, 0.5), (-1.3, -0.3)):
        found = ls.minimum_action_path(two_alone(), [-1.0, 0.0], end, batch_size=1)
        for method, action in (("Ritz's method", found.action), ("relaxation", found.chain_action)):
            yield relative(f"two weights that know nothing of one another, to {end}, by {method}", action, alone(*end), 1e-6)
        yield relative("the same against the equation", found.gaussian.action, alone(*end), 1e-2, control=True)


# ------------------------------------------------------------------------------------------------------------------ slopes

def _kicking() -> ls.SampledLoss:
    rng = np.random.default_rng(2)
    pushes = 0.3 * rng.normal(size=(200, 2))
    pushes[:10] += [3.0, -3.0]
    return ls.SampledLoss.from_function(wells, pushes - pushes.mean(axis=0), dim=2)


def _slope(loss: ls.SampledLoss, side: str, times: Times, paths: dict[str, Any]) -> Iterator[Check]:
    sign = 1.0 if side == "right" else -1.0
    start = loss.minimum([sign, 0.0]).x
    path = paths[side] = ls.minimum_action_path(loss, start, [0.0, 0.0], batch_size=1)
    yield relative(f"out of the {side} well: the two methods", path.chain_action, path.action, 1e-6)
    rows = []
    for rate in RATES[side]:
        runs = ls.run_sgd(loss, start, learning_rate=rate, batch_size=1, n_steps=4 * 10**6, domain=ls.HalfSpace([-sign, 0.0], 0.4),
                          t_eval=[rate], n_paths=RUNS, rng=5, progress=False)
        tau = runs.exits.mean()
        rows.append((1 / rate, np.log(tau.value), (tau.high - tau.low) / (2 * 1.96 * tau.value)))
    times[side] = np.array(rows)
    x, y, error = times[side][-SMALL:].T
    weights = (x - np.average(x, weights=error**-2)) / error**2
    slope, uncertain = weights @ y / (weights @ x), np.sqrt((weights**2) @ error**2) / (weights @ x)
    yield Check(name=f"out of the {side} well: slope of ln τ against 1/η, against W", value=slope, reference=path.action, error=uncertain)
    yield Check(name="the same against B U of the Itô equation with the same covariance", value=slope, reference=path.gaussian.action,
                error=uncertain, control=True)


# -------------------------------------------------------------------------------------------------------------- impossible

def _impossible() -> Iterator[Check]:
    loss = ls.SampledLoss.from_function(apart, [[a, b] for a in (-0.34, 0.34) for b in (-0.15, 0.15)], dim=2)
    start, away, rate, domain = [1.0, 0.0], [-1.0, 0.0], 0.35, ls.HalfSpace([-1.0, 0.0], 0.4)
    path = ls.minimum_action_path(loss, start, away, batch_size=1)
    yield Check(name="little pushes: escape is " + ("possible" if path.is_possible else "impossible"), value=float(path.is_possible),
                reference=0.0, error=1e-9)
    radius = float(path.because.split()[5])
    for size, name in ((1, f"… {path.because.split(' no ')[0]}: how far n·g_i is below 0"), (2, "the same with twice the radius")):
        yield Check(name=name, value=max(0.0, -_least_inward(loss, size * radius)), reference=0.0, error=1e-6, control=size == 2)
    steps, count = 10**6, 300
    runs = ls.run_sgd(loss, start, learning_rate=rate, batch_size=1, n_steps=steps, domain=domain, t_eval=[rate], n_paths=count, rng=6,
                      progress=False)
    exits = int(runs.exits.exited.sum())
    equation = ls.sgd(ls.Landscape("(x**2 - 1)**2/4 + y**2"), ls.noise.Anisotropic(np.diag([0.34**2, 0.15**2])), learning_rate=rate)
    tau = ls.FokkerPlanck(equation, ls.Grid([(-0.6, 2.4), (-1.2, 1.2)], (160, 80))).mean_passage_time(domain).at(start)
    expected = rate * steps * count / tau.value
    yield Check(name=f"exits of SGD in {steps * count:.0e} iterations, η = {rate}", value=exits, reference=0.0, error=0.5, bound=1.0)
    yield Check(name=f"the same against the equation, τ = {tau.value:.3g}", value=exits, reference=expected, error=float(np.sqrt(expected)),
                control=True)


def _least_inward(loss: ls.SampledLoss, radius: float) -> float:
    """The least n·g_i on a circle around (1, 0)."""
    normals = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    return float(min((loss.sample_gradients(n * radius + [1.0, 0.0]) @ n).min() for n in normals))


def _draw(loss: ls.SampledLoss, times: Times, paths: dict[str, Any]) -> None:
    figure = Figure(figsize=(11.5, 4.4), layout="constrained")
    plane, ax = figure.subplots(1, 2, width_ratios=(1.25, 1))
    draw_landscape(loss, [(-1.15, 1.15), (-0.6, 0.7)], highest=0.42, ax=plane)
    for path in paths.values():
        draw_path(path, ax=plane, flow=False)
    plane.legend(*(part[:2] for part in plane.get_legend_handles_labels()), fontsize=8, frameon=False, loc="upper left")
    plane.set_title("paths up to the saddle, over the loss", fontsize=10, loc="left")
    for (side, rows), colour, marker in zip(times.items(), COLOURS, "os", strict=False):
        x, y, error = rows.T
        path, at = paths[side], np.linspace(0.8 * x[0], 1.08 * x[-1], 50)
        ax.errorbar(x, y, 1.96 * error, fmt=marker, color=colour, capsize=2, label=f"SGD leaves the {side} well, 95 %")
        ax.plot(at, y[-1] + path.action * (at - x[-1]), "-", color=colour, label=f"slope W = {path.action:.3g}")
        ax.plot(at, y[-1] + path.gaussian.action * (at - x[-1]), "--", color=colour, linewidth=0.9,
                label=f"slope of the Itô equation, {path.gaussian.action:.3g}")
    ax.set(xlabel="1 / η", ylabel="ln τ", ylim=(3, 10.5))
    ax.set_title("the equation knows one slope, SGD has two", fontsize=10, loc="left")
    ax.legend(fontsize=8, frameon=False, loc="lower right")
    save(figure, "minibatch_action")


if __name__ == "__main__":
    main(Path(__file__).stem + ": the exponent of SGD is that of its batches, not of a diffusion", checks)
