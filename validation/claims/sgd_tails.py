"""How heavy the tails of SGD are: Kesten's exponents, by formula and in real runs, and no power law where curvatures are bounded.

The formula against the reference numbers (theory 5.1).  Real runs on data with one weight: Hill's estimate over many thresholds against the
formula for those very data, where A is up to about 3, with errors over independent runs.  The stationary laws of the three equations with
the measured noise have other exponents and other bodies.  With η h_max < 2 there is no power law, whatever the equations say.  Where A is
larger, Hill's estimate is too low, and says so.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, measured, relative, save
from matplotlib.figure import Figure
from scipy import stats

import langevin_sgd as ls
from tests.oracles import ORACLES

CONVENTIONS = ("ito", "stratonovich", "klimontovich")
LABELS = {"ito": "Itô", "stratonovich": "Stratonovich", "klimontovich": "Klimontovich"}
PATHS, EVERY, KEPT, BURN_IN = 12_000, 10, 2000, 400


def checks() -> Iterator[Check]:
    """The formula, heavy tails, and tails that are none."""
    yield from _formula()
    heavy = Runs(regression(3000), 0.9, 2)
    yield from _heavy("regression, η = 0.9, B = 2", heavy, CONVENTIONS)
    yield from _heavy("regression, η = 1, B = 2", Runs(regression(3000), 1.0, 2), ("ito", "klimontovich"))
    yield from _heavy("regression, η = 0.5, B = 1", Runs(regression(20_000), 0.5, 1), ("stratonovich", "klimontovich"))
    rng = np.random.default_rng(11)
    normal = np.column_stack([1 + np.sqrt(2) * rng.normal(size=100_000), rng.normal(size=100_000)])
    yield from _heavy("curvatures N(1, 2), η = 0.5, B = 1", Runs(parabolas(normal), 0.5, 1), ())
    bounded = Runs(regression(500), 0.1, 1)
    yield from _bounded(bounded)
    yield from _too_large(Runs(parabolas(normal), 0.2, 1))
    _draw(heavy, bounded)


class Runs:
    """Real SGD with one weight, its tail, and the curvatures of its batches."""

    def __init__(self, loss: ls.SampledLoss, rate: float, size: int) -> None:
        self.loss, self.rate, self.size, self.minimum = loss, rate, size, float(loss.minimum(0.0).x)
        times = rate * (BURN_IN + EVERY * np.arange(1, KEPT + 1))
        runs = ls.run_sgd(loss, self.minimum, learning_rate=rate, batch_size=size, n_steps=BURN_IN + EVERY * KEPT, t_eval=times,
                          n_paths=PATHS, rng=8, progress=False)
        self.x, self.tail = runs.x, ls.tail_exponent(runs.x, center=self.minimum)
        h = loss.sample_hessians(self.minimum)
        self.curvature = h if size == 1 else (h[:, None] / 2 + h / 2).ravel()
        self.kesten = ls.theory.kesten_tail_exponent(learning_rate=rate, curvature=self.curvature).value

    def law(self, convention: str) -> ls.exact.StationaryDensity:
        """The stationary law of the equation with the measured noise."""
        noise = ls.noise.measure(self.loss, center=self.minimum)
        return ls.exact.stationary_density(ls.sgd(self.loss.landscape, noise, self.rate, self.size, interpretation=convention))


def regression(count: int) -> ls.SampledLoss:
    rng = np.random.default_rng(7)
    return ls.losses.linear_regression(rng.normal(size=count), rng.normal(size=count))


def parabola(w, sample, gradient):
    gradient[0] = sample[0] * w[0] + sample[1]
    return sample[0] * w[0]**2 / 2 + sample[1] * w[0]


def parabolas(rows: np.ndarray) -> ls.SampledLoss:
    """Samples with the curvatures and slopes of the rows."""
    return ls.SampledLoss.from_function(parabola, rows, 1)


def _formula() -> Iterator[Check]:
    for entry in (e for e in ORACLES if e["quantity"] == "kesten_tail_exponent"):
        p = entry["parameters"]
        law = stats.norm(p["mean"], p["var"] ** 0.5) if p["h"] == "normal" else stats.gamma(p["b"] / 2, scale=2 / p["b"])
        found = ls.theory.kesten_tail_exponent(learning_rate=p["eta"], curvature=law).value
        yield relative(f"Kesten exponent by formula, {entry['id']}", found, entry["value"], 1e-4)


def _heavy(name: str, runs: Runs, wrong: tuple[str, ...]) -> Iterator[Check]:
    t = runs.tail
    print(f"  {name}: {t}; by threshold {np.array2string(t.values, precision=2)}, ± {np.array2string(t.errors, precision=2)}")
    yield measured(f"{name}: Hill's A against Kesten's", t.exponent, runs.kesten)
    yield Check(name=f"{name}: a power law is seen (1 yes)", value=float(t.is_power_law is True), reference=1.0, error=0.1)
    for convention in wrong:
        yield measured(f"the same against the tail of the {LABELS[convention]} equation", t.exponent, runs.law(convention).tail_index,
                       control=True)
    few = ls.tail_exponent(runs.x[:40, :: KEPT // 250], center=runs.minimum)
    yield Check(name="of 10 000 of these numbers: a power law is denied (1 yes)", value=float(few.is_power_law is False), reference=0.0,
                error=0.1)


def _bounded(runs: Runs) -> Iterator[Check]:
    t, index = runs.tail, runs.law("ito").tail_index
    print(f"  η h_max = {runs.rate * runs.curvature.max():.2f}: Kesten's A is {runs.kesten}, the Itô equation says {index:.1f}; {t}")
    yield Check(name="η h_max below 2: a power law is denied (1 yes)", value=float(t.is_power_law is False), reference=1.0, error=0.1)
    beyond = t.fractions[-1] * runs.x.size
    expected = runs.x.size * float(ls.exact.stationary_density(runs.law("ito").sde).probability(low=runs.minimum + t.thresholds[-1]))
    yield Check(name="numbers beyond the highest threshold, against those of the Itô equation on one side", value=beyond,
                reference=expected, error=np.sqrt(expected), control=True)
    rows = np.array([[0.0, 0.0], [0.0, 0.0], [2.0, 1.0], [2.0, -1.0]])
    two = Runs(parabolas(rows), 0.1, 1)
    yield Check(name="h in {0, 2}, η = 0.1: the largest |w|, at most max |r| / 2", value=float(np.abs(two.x).max()), reference=0.25,
                error=0.25, bound=1.0)
    yield Check(name="the same: a power law is denied (1 yes)", value=float(two.tail.is_power_law is False), reference=1.0, error=0.1)


def _too_large(runs: Runs) -> Iterator[Check]:
    print(f"  A above 3: Kesten's A is {runs.kesten:.3f}; {runs.tail}")
    yield Check(name="A = 6.3: said to be certain (1 yes)", value=float(runs.tail.is_power_law is True), reference=0.0, error=0.1)
    yield measured("the same: Hill's A against Kesten's", runs.tail.exponent, runs.kesten, control=True)


def _draw(heavy: Runs, bounded: Runs) -> None:
    figure = Figure(figsize=(14.0, 5.0), layout="constrained")
    panes = figure.subfigures(1, 3)
    for pane, runs, title in zip(panes, (heavy, bounded), ("η = 0.9, B = 2: a power law", "η = 0.1, B = 1, η h_max = 1.06: none"),
                                 strict=False):
        laws = {f"{LABELS[c]}, A = {runs.law(c).tail_index:.2f}": runs.law(c) for c in CONVENTIONS}
        tails = {"Kesten": runs.kesten} if np.isfinite(runs.kesten) else None
        ls.plots.draw_stationary_laws(runs.x, laws, center=runs.minimum, tails=tails, label="real SGD",
                                      axes=tuple(pane.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))), title=title)
    found = {"η = 0.9, B = 2": heavy, "η = 0.1, B = 1": bounded}
    ls.plots.draw_tail_exponent({name: runs.tail for name, runs in found.items()}, ax=panes[2].subplots(),
                                exact={name: runs.kesten for name, runs in found.items()},
                                title="Hill's estimate; solid: Kesten's A").set_ylim(0, 12)
    save(figure, "sgd_tails")


if __name__ == "__main__":
    main(Path(__file__).stem + ": how heavy the tails of SGD are", checks)
