"""Which minima SGD can stay in: sharp ones that the learning rate excludes, and sharp ones that SGD leaves because of its noise.

A chain w_1 w_2 that fits all its data has a valley of minima that fit equally well, (2.5, 0.4) sharp and (1, 1) flat. Inputs are small but
for one in twenty, so that all four regions exist. Real runs start 1e-8 beside the valley; whether the mean and the mean square of that
distance grow in a step, and whether runs are still at the same place of the valley at the end, tells the region, point by point. With
label noise, one weight: below the limit in mean square the variance settles at its exact value; above it the tail of the iterates has
Kesten's exponent A, and the time to leave |w| < R grows as R^A, as no escape from a metastable state does. Controls: the regions of four
times the batch, the other minimum's, the exponent of the equation.
"""
from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from check import Check, main, relative, save

import langevin_sgd as ls
from langevin_sgd.theory.sgd.stability import REGIONS

RNG = np.random.default_rng(0)
X = np.where(RNG.random(400) < 0.05, 3 * RNG.normal(size=400), 0.2 * RNG.normal(size=400))
CHAIN = ls.losses.deep_linear_chain(X, X, depth=2)
MINIMA = ([2.5, 0.4], [1.0, 1.0])
RATES, SIZES = np.geomspace(0.005, 3.0, 9), (1, 8, 64)
NEAR = 1.25             # points so near to a limit are left out: runs would have to be long
START, STEPS, PATHS, FIRST = 1e-8, 4000, 300, 100_000
MARKS = ("X", "v", "D", "o")


def checks() -> Iterator[Check]:
    """Limits, regions, variance, tail, exit times."""
    chart = ls.stability(CHAIN, MINIMA, rng=1)
    yield from _limits(chart)
    points: list[tuple[int, float, int, int]] = []
    yield from _regions(points)
    yield from _with_noise()
    yield from _closed_forms()
    _draw(chart, points)


def _limits(chart: ls.StabilityMap) -> Iterator[Check]:
    """In one dimension, by the formulas of theory 5.1, across the valley."""
    for m in chart.minima:
        h = X**2 * float(m.at @ m.at)
        yield relative(f"{m.name}: limit in the mean, against 2 / E h", m.in_mean, 2 / h.mean(), 1e-9)
        for k, size in ((0, 1), (4, 16)):
            yield relative(f"limit in mean square, B = {size}, against 2 E h / (E h ² + Var h / B)", m.in_mean_square[k],
                           2 * h.mean() / (h.mean()**2 + h.var() / size), 1e-9)
        yield Check(name="almost surely, B = 1: mean of ln |1 − η h| at the limit", reference=0.0, error=1e-9,
                    value=float(np.log(np.abs(1 - m.almost_surely[0] * h)).mean()))
        drawn = np.random.default_rng(2).choice(h, size=(400_000, 16)).mean(axis=1)
        logs = np.log(np.abs(1 - m.almost_surely[4] * drawn))
        yield Check(name="the same for B = 16, 400 000 batches drawn at random", value=float(logs.mean()), reference=0.0,
                    error=float(logs.std() / np.sqrt(len(logs))))


def _predicted(at: list[float], rate: float, size: int) -> int:
    return REGIONS.index(ls.theory.minibatch_stability(CHAIN, at, learning_rate=rate, batch_size=size).region)


def _seen(at: list[float], rate: float, size: int) -> int:
    """The region that runs are in."""
    across = np.array(at[::-1]) / np.linalg.norm(at)
    common = {"learning_rate": rate, "batch_size": size, "progress": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*diverged")         # those have left
        runs = ls.run_sgd(CHAIN, at + START * across, n_steps=STEPS, n_paths=PATHS, t_eval=[rate * STEPS], rng=3, **common)
    first = ls.run_sgd(CHAIN, at + START * across, n_steps=1, n_paths=FIRST, t_eval=[rate], rng=4, **common)
    away = (first.last - at) @ across / START
    stays = np.mean(np.abs(runs.last - at).max(axis=1) < 0.05) > 0.5
    if stays:
        return 2 if (away**2).mean() > 1 else 3
    return 0 if abs(away.mean()) > 1 else 1


def _regions(points: list[tuple[int, float, int, int]]) -> Iterator[Check]:
    right, of_more, of_other, regions = 0, 0, 0, set()
    for k, at in enumerate(MINIMA):
        for size in SIZES:
            limits = ls.theory.stability_limits(CHAIN, at, batch_size=size)
            edges = np.array([limits.in_mean, limits.in_mean_square, *(end for interval in limits.intervals for end in interval if end)])
            for rate in RATES:
                if np.abs(np.log(rate / edges)).min() < np.log(NEAR):
                    continue
                seen, predicted = _seen(at, rate, size), _predicted(at, rate, size)
                points.append((k, rate, size, seen))
                regions.add(predicted)
                right += seen == predicted
                of_more += seen == _predicted(at, rate, 4 * size)
                of_other += seen == _predicted(MINIMA[1 - k], rate, size)
    n = len(points)
    yield Check(name="regions among the points looked at", value=len(regions), reference=4, error=0.25, bound=1.0)
    yield Check(name=f"points whose runs are in the region predicted, of {n}", value=right, reference=n, error=0.25, bound=1.0)
    yield Check(name="the same with four times the batch", value=of_more, reference=n, error=0.25, bound=1.0, control=True)
    yield Check(name="the same with the other minimum", value=of_other, reference=n, error=0.25, bound=1.0, control=True)


def _with_noise() -> Iterator[Check]:
    rng = np.random.default_rng(7)
    x = rng.normal(size=200)
    loss = ls.losses.linear_regression(x, x + 0.5 * rng.normal(size=200))
    best = loss.minimum(0.0)
    limits = ls.theory.stability_limits(loss, best, batch_size=1)
    below, above = 0.5 * limits.in_mean_square, 1.35 * limits.in_mean_square
    exact = ls.theory.minibatch_moments(loss, learning_rate=below, batch_size=1).covariance[0, 0]
    runs = ls.run_sgd(loss, best.x, learning_rate=below, batch_size=1, n_steps=8000, average_from=100 * below, n_paths=2000, t_eval=[below],
                      rng=5, progress=False)
    yield Check(name="label noise, half the limit in mean square: variance settles", value=runs.covariance, reference=exact,
                error=runs.covariance_error)
    heavy = ls.theory.minibatch_stability(loss, best, learning_rate=above, batch_size=1)
    runs = ls.run_sgd(loss, best.x, learning_rate=above, batch_size=1, n_steps=400, n_paths=400_000, t_eval=[above], rng=6, progress=False)
    away = np.sort(np.abs(runs.last[:, 0] - best.x))[::-1]
    top = 2000
    hill = 1 / float(np.log(away[:top] / away[top]).mean())
    yield Check(name="1.35 × the limit: Hill's estimate of A (400 000 runs, the largest 2000)", value=hill, reference=heavy.tail_exponent,
                error=hill / np.sqrt(top))
    equation = 1 + 2 / (above * (x**2).var() / (x**2).mean())
    yield Check(name="the same against the equation's 1 + 2κ", value=hill, reference=equation, error=hill / np.sqrt(top), control=True)
    times = []
    for radius in (1e2, 1e4):
        ends = ls.run_sgd(loss, best.x, learning_rate=above, batch_size=1, n_steps=10**8, n_paths=2000, t_eval=[above], rng=8,
                          domain=ls.Interval(best.x - radius, best.x + radius), progress=False).exits.mean()
        times.append((ends.value, (ends.high - ends.low) / 3.92))
    slope = np.log(times[1][0] / times[0][0]) / np.log(100)
    error = np.hypot(*(e / t for t, e in times)) / np.log(100)
    yield Check(name="ln of mean exit time over ln R, from R = 1e2 to 1e4, against A", value=slope, reference=heavy.tail_exponent,
                error=error)
    yield Check(name="the same against 2, where variance would set the scale", value=slope, reference=2.0, error=error, control=True)


def _closed_forms() -> Iterator[Check]:
    """Of the mirrored parabola with its own covariance: which apply."""
    rng = np.random.default_rng(7)
    loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=2.0)
    m = float(loss.p[1])
    limit = ls.theory.stability_limits(loss, 0.0, batch_size=1).in_mean_square
    near = ls.noise.measure(loss, at=np.linspace(-0.9 * m, 0.9 * m, 9), center=0.0).model
    for share, applying in ((0.02, True), (1.02, False)):
        sde = ls.sgd(loss.landscape, near, learning_rate=share * limit, batch_size=1)
        forms = ls.predict(sde, 0.0, 2 * m)
        lost = sum("no metastable state" in p.because for p in forms.values())
        yield Check(name=f"closed forms that see no metastable state, η = {share} of the limit, of {len(forms)}", value=lost,
                    reference=0 if applying else len(forms), error=0.25, bound=1.0)


def _draw(chart: ls.StabilityMap, points: list[tuple[int, float, int, int]]) -> None:
    from matplotlib.lines import Line2D
    figure = chart.plot()
    for ax, k in zip(figure.axes, (0, 1), strict=True):
        for region, mark in enumerate(MARKS):
            here = [(rate, size) for j, rate, size, seen in points if j == k and seen == region]
            if here:
                ax.plot(*zip(*here, strict=True), mark, color="white", markeredgecolor="black", markersize=7, clip_on=False, zorder=5)
        ax.set_title(f"w = ({', '.join(map(str, MINIMA[k]))}), λ_max = {chart.minima[k].sharpness:.3g}", fontsize=10, loc="left")
    handles = [Line2D([], [], linestyle="", marker=mark, color="white", markeredgecolor="black", label=f"runs: {region}")
               for mark, region in zip(MARKS[::-1], REGIONS[::-1], strict=True)]
    figure.legend(handles=handles, fontsize=8, frameon=False, loc="outside right lower")
    save(figure, "sgd_stability")


if __name__ == "__main__":
    main("Sharp minima that η excludes are told apart from sharp minima that SGD leaves", checks)
