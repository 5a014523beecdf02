"""Variance against flatness of real SGD, from the loss to the exponent: reshuffling alone moves ψ by two, and theory says the variances.

`ls.flatness.from_sgd` on the regression of theory 6.4, on quadratic bowls whose noise grows as H², and on phase retrieval, over learning
rates, batch sizes and samplings.  Every ψ and every variance is held against the moments of the data; the noise at the minimum alone (the
epoch formula) is held against them as well, and misses the flattest directions.  What the size of the label noise does to ψ: nothing;
without any, SGD comes to rest, and no ψ is given.  Controls: the theory of the other sampling, the epoch formula along the flattest axes.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from langevin_sgd.plots import draw_exponents, draw_variances

RNG = np.random.default_rng(3)                                  # the regression of theory 6.4, with its draws in their order
X = RNG.normal(size=(500, 8)) * np.sqrt(np.logspace(-2.5, 0, 8))
PLANTED = RNG.normal(size=8)
NOISE = 0.5 * RNG.normal(size=500)
SAMPLINGS = ("iid", "without", "reshuffle")
BOWLS = np.logspace(-1.5, 0, 6)


def checks() -> Iterator[Check]:
    """One point closely, the scans, other losses."""
    loss = ls.losses.linear_regression(X, X @ PLANTED + NOISE)
    closely = ls.flatness.from_sgd(loss, learning_rates=0.05, batch_sizes=10, samplings=SAMPLINGS, n_paths=128, max_steps=1.2e8, rng=1,
                                   progress=False)
    print(closely)
    yield from _closely(closely)
    scans = {"regression, C ∝ H": ls.flatness.from_sgd(loss, learning_rates=[0.02, 0.1], batch_sizes=[2, 10, 50], samplings=SAMPLINGS,
                                                       max_steps=1.5e7, rng=2, progress=False),
             "bowls, C ∝ H²": ls.flatness.from_sgd(bowls(), learning_rates=0.05, batch_sizes=[2, 10, 50], samplings=SAMPLINGS,
                                                   max_steps=1.5e7, rng=3, progress=False)}
    for name, scan in scans.items():
        print(scan)
        yield from _scan(name, scan)
    yield from _limits(scans)
    yield from _label_noise(loss)
    yield from _not_quadratic()
    _draw(closely, scans)


def _closely(report: ls.flatness.FlatnessReport) -> Iterator[Check]:
    iid, shuffled = (report.at(sampling=s) for s in ("iid", "reshuffle"))
    for point, said in ((iid, -0.01), (shuffled, 1.73)):
        chance = point.measured.fit.chance
        plain = float(2 * np.polyfit(np.log(point.measured.curvature), np.log(point.measured.variance), 1)[0])
        yield Check(name=f"ψ, {point.sampling}: by plain least squares, against theory 6.4", value=plain, reference=said,
                    error=float(np.hypot(chance, 0.01)))
    for point in report:
        yield from _point(f"η = 0.05, B = 10, {point.sampling}", point)
    for one, other in ((iid, shuffled), (shuffled, iid)):
        yield Check(name=f"ψ, {one.sampling}, against the theory of {other.sampling}", value=one.exponent.value,
                    reference=one.measured.exponent_of(other.predicted), error=one.measured.fit.chance, control=True)
    m = shuffled.measured
    for k in range(3):
        error = float(m.variance_error[k] / shuffled.additive[k])
        yield Check(name=f"reshuffled variance over the epoch formula, flattest axis {k + 1}: the moments", value=float(
            m.variance[k] / shuffled.additive[k]), reference=float(shuffled.predicted[k] / shuffled.additive[k]), error=error)
        yield Check(name="the same against the epoch formula, 1", value=float(m.variance[k] / shuffled.additive[k]), reference=1.0,
                    error=error, control=True)
    steep = (shuffled.additive / shuffled.predicted)[3:]
    yield Check(name="the epoch formula over the moments, the five steepest axes, farthest from 1", value=float(steep.min()), reference=1.0,
                error=0.06, bound=1.0)


def _point(name: str, point: ls.flatness.FlatnessPoint) -> Iterator[Check]:
    m = point.measured
    yield Check(name=f"ψ, {name}: against the moments", value=point.exponent.value, reference=point.predicted_exponent, error=m.fit.chance)
    z = (m.variance / point.predicted - 1) / (m.variance_error / m.variance)
    yield Check(name=f"variances, {name}: largest z of {len(z)}", value=float(np.abs(z).max()), reference=0.0, error=1.0)


def _scan(name: str, report: ls.flatness.FlatnessReport) -> Iterator[Check]:
    z = np.array([p.z for p in report])
    yield Check(name=f"{name}: largest z of ψ over {len(z)} points", value=float(np.abs(z).max()), reference=0.0, error=1.0, bound=4.5)
    every = np.concatenate([(p.ratio - 1) / (p.measured.variance_error / p.measured.variance) for p in report])
    yield Check(name=f"{name}: largest z of {len(every)} variances", value=float(np.abs(every).max()), reference=0.0, error=1.0, bound=5.0)
    yield Check(name=f"{name}: root mean square of these z", value=float(np.sqrt(np.mean(every**2))), reference=1.0,
                error=1 / np.sqrt(2 * len(every)), bound=5.0)


def _limits(scans: dict[str, ls.flatness.FlatnessReport]) -> Iterator[Check]:
    """Short epochs (B = 50, ten batches): 2(m − 1) for independent batches, 2m for reshuffled ones, C ∝ H^m."""
    for (name, report), rate, power in zip(scans.items(), (0.02, 0.05), (1, 2), strict=True):
        for sampling, limit in (("iid", 2 * power - 2), ("without", 2 * power - 2), ("reshuffle", 2 * power)):
            psi = report.at(learning_rate=rate, batch_size=50, sampling=sampling).exponent
            yield Check(name=f"{name}, {sampling}, ten batches in an epoch: ψ against {limit}", value=psi.value, reference=limit,
                        error=0.06, bound=1.0)


def _label_noise(loss: ls.SampledLoss) -> Iterator[Check]:
    """The deviation from the minimum is linear in the label noise: ψ is the same for any, and there is nothing without."""
    small = ls.losses.linear_regression(X, X @ PLANTED + 1e-3 * NOISE)
    found = [ls.flatness.from_sgd(each, learning_rates=0.1, batch_sizes=2, samplings="reshuffle", max_steps=1e7, rng=4, progress=False,
                                  flatness="curvature").points[0] for each in (loss, small)]
    yield relative("ψ of a thousandth of the label noise, by the same draws", found[1].exponent.value, found[0].exponent.value, 1e-6)
    given = 0
    try:
        given = len(ls.flatness.from_sgd(ls.losses.linear_regression(X, X @ PLANTED), learning_rates=0.1, batch_sizes=2,
                                         flatness="curvature").points)
    except ValueError as error:
        print(f"  without label noise: {error}")
    yield Check(name="without label noise: exponents that are given", value=given, reference=0, error=0.1)


def _not_quadratic() -> Iterator[Check]:
    x = np.random.default_rng(1).normal(size=(300, 4)) * np.sqrt(np.logspace(-1, 0, 4))
    loss = ls.losses.phase_retrieval(x, (x @ np.ones(4))**2 + 0.5 * np.random.default_rng(2).normal(size=300))
    point, = ls.flatness.from_sgd(loss, np.ones(4), learning_rates=0.01, batch_sizes=10, samplings="reshuffle", max_steps=3e7, rng=5,
                                  progress=False)
    m = point.measured
    yield Check(name="phase retrieval, reshuffled: ψ against samples to second order", value=point.exponent.value,
                reference=point.predicted_exponent, error=float(np.hypot(m.fit.chance, 0.01)))
    yield Check(name="the same against additive noise", value=point.exponent.value, reference=point.additive_exponent, error=m.fit.chance,
                control=True)
    yield Check(name="phase retrieval: largest deviation of a variance from samples to second order", value=point.largest_deviation,
                reference=0.0, error=0.05, bound=1.0)


def bowls() -> ls.SampledLoss:
    """Samples of one Hessian whose minima lie about 0 with the covariance 1: C = H² everywhere."""
    shifts = np.random.default_rng(1).normal(size=(500, len(BOWLS)))
    shifts -= shifts.mean(axis=0)
    shifts = np.linalg.solve(np.linalg.cholesky(shifts.T @ shifts / 500), shifts.T).T
    return ls.losses.deep_linear_chain(np.tile(np.sqrt(BOWLS), (500, 1)), shifts * np.sqrt(BOWLS), depth=1)


def _draw(closely: ls.flatness.FlatnessReport, scans: dict[str, ls.flatness.FlatnessReport]) -> None:
    figure = Figure(figsize=(14.0, 4.8), layout="constrained")
    left, middle, right = figure.subfigures(1, 3)
    draw_variances(list(closely), axes=tuple(left.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))),
                   title="regression of theory 6.4, η = 0.05, B = 10")
    for pane, (name, report) in zip((middle, right), scans.items(), strict=True):
        draw_exponents([p for p in report if p.sampling != "without"], over="batch_size", ax=pane.subplots(), title=name)
    save(figure, "flatness_of_sgd")


if __name__ == "__main__":
    main(Path(__file__).stem + ": ψ of real SGD, iid and reshuffled, and the moments that predict it", checks)
