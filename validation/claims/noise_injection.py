"""Noise injected into large batches does what small batches do as far as second moments tell, and what a Gaussian chain does beyond.

The proposal of arXiv:2006.13719, with the reference at the minimum and the full measured covariance: mean and variance of the iterates are
those of small batches (exact recursion, and small batches themselves). The time to escape from a sharp minimum is that of the chain with
normal noise of the same covariance, not that of small batches: their noise is not normal, and its exponent is the Cramér root. About a
moving average the noise is too small, the more so the faster the average follows. Controls: nothing injected, constant noise, half of it.
"""
from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, save
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import langevin_sgd as ls
from langevin_sgd.theory.predictions.crossing import crossing

RATE, SMALL, LARGE, BARRIER = 0.05, 1, 50, 0.5
AVERAGES = (0.9, 0.99, 0.999, 0.9999)


def checks() -> Iterator[Check]:
    """Moments, escape, and a moving reference."""
    yield from _moments()
    drawn: dict[str, ls.Estimate] = {}
    yield from _escape(drawn)
    ratios: list[tuple[float, float]] = []
    yield from _moving(ratios, drawn)
    _draw(drawn, ratios)


def _regression() -> tuple[ls.SampledLoss, np.ndarray]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 2)) * [1.0, 0.6]
    loss = ls.losses.linear_regression(x, x @ [1.0, -1.0] + 0.7 * rng.normal(size=200))
    return loss, np.asarray(loss.minimum([0.0, 0.0]).x)


def _runs(inject: ls.Injection | None, size: int = LARGE, rng: int = 31, rate: float = 0.2) -> ls.SGDRuns:
    loss, best = _regression()
    return ls.run_sgd(loss, best, learning_rate=rate, batch_size=size, n_steps=6000, inject=inject, average_from=300.0, n_paths=1000,
                      t_eval=[rate], rng=rng, progress=False)


def _moments() -> Iterator[Check]:
    loss, best = _regression()
    exact = ls.theory.minibatch_moments(loss, learning_rate=0.2, batch_size=2)
    small = _runs(None, 2, rng=30)
    noises = {"full covariance of Hessians": ls.noise.from_hessians(loss), "full covariance measured": ls.noise.measure(loss),
              "covariance of the batch itself": None}
    for name, c in noises.items():
        runs = _runs(ls.Injection(c, batch_size=2))
        for i, j in ((0, 0), (0, 1), (1, 1)):
            yield Check(name=f"{name}: covariance {i}{j} against the recursion of small batches", value=runs.covariance[i, j],
                        reference=exact.covariance[i, j], error=runs.covariance_error[i, j], bound=5.0)
        yield Check(name=f"{name}: variance 00 against small batches themselves", value=runs.covariance[0, 0],
                    reference=small.covariance[0, 0], error=math.hypot(runs.covariance_error[0, 0], small.covariance_error[0, 0]))
        for k in range(2):
            yield Check(name=f"{name}: mean of component {k}", value=float(runs.mean[k]), reference=float(exact.mean[k]),
                        error=float(runs.path_mean[:, k].std(ddof=1)) / math.sqrt(runs.n_paths), bound=5.0)
    at_minimum = loss.covariance(best)
    for name, inject in (("nothing injected", None), ("constant covariance", ls.Injection(ls.noise.Anisotropic(at_minimum), batch_size=2)),
                         ("the same in every direction", ls.Injection(ls.noise.Constant(np.trace(at_minimum) / 2), batch_size=2)),
                         ("half the batch", ls.Injection(ls.noise.from_hessians(loss), batch_size=1))):
        runs = _runs(inject)
        yield Check(name=f"{name}: variance 00 against small batches", value=runs.covariance[0, 0], reference=exact.covariance[0, 0],
                    error=runs.covariance_error[0, 0], bound=8.0, control=True)


def _mirrored() -> tuple[ls.SampledLoss, ls.Interval]:
    rng = np.random.default_rng(7)
    loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), BARRIER)
    return loss, ls.Interval(high=2.6 * float(loss.p[1]))


def _exit(size: int, inject: ls.Injection | None, n_paths: int = 20_000, n_steps: int = 10**7) -> ls.Estimate:
    loss, domain = _mirrored()
    return ls.run_sgd(loss, 0.0, learning_rate=RATE, batch_size=size, n_steps=n_steps, inject=inject, domain=domain, t_eval=[0.0],
                      n_paths=n_paths, rng=77, progress=False).exits.mean()


def _error(tau: ls.Estimate) -> float:
    return (tau.high - tau.low) / 3.92


def _escape(drawn: dict[str, ls.Estimate]) -> Iterator[Check]:
    loss, domain = _mirrored()
    normal = ls.Chain(ls.sgd(loss, loss.noise, RATE, SMALL), RATE).mean_passage_time(0.0, domain)
    constant = ls.noise.Constant(loss.covariance(0.0))
    drawn["small batches, B = 1"] = _exit(SMALL, None)
    drawn["injected, full C"] = _exit(LARGE, ls.Injection(loss.noise, batch_size=SMALL))
    drawn["injected, of the batch"] = _exit(LARGE, ls.Injection(batch_size=SMALL))
    drawn["injected, quadratic C"] = _exit(LARGE, ls.Injection(ls.noise.from_hessians(loss, 0.0), batch_size=SMALL))
    drawn["injected, constant C"] = _exit(LARGE, ls.Injection(constant, batch_size=SMALL), n_paths=4000)
    drawn["Gaussian chain"] = normal
    full, small = drawn["injected, full C"], drawn["small batches, B = 1"]
    yield Check(name="escape, B = 50 injected to B = 1, against the Gaussian chain with the same C", value=full.value,
                reference=normal.value, error=_error(full))
    yield Check(name="the same, with the covariance of the batch itself", value=drawn["injected, of the batch"].value,
                reference=normal.value, error=math.hypot(_error(drawn["injected, of the batch"]), 0.05 * normal.value))
    yield Check(name="the same against small batches", value=full.value, reference=small.value, error=_error(full), control=True)
    for name, c in (("quadratic C", ls.noise.from_hessians(loss, 0.0)), ("constant C", constant)):
        chain = ls.Chain(ls.sgd(loss, c, RATE, SMALL), RATE).mean_passage_time(0.0, domain)
        tau = drawn[f"injected, {name}"]
        # The real noise of batches of 50 is a fiftieth of all, and has the true covariance: a few per cent in the time.
        yield Check(name=f"injected with {name}, against the Gaussian chain with it", value=tau.value, reference=chain.value,
                    error=math.hypot(_error(tau), 0.02 * chain.value))
    saddle = 2 * float(loss.p[1])
    w = ls.theory.cramer_exponent(minimum=0.0, saddle=saddle, gradients=loss)
    climb = crossing(ls.sgd(loss, loss.noise, RATE, SMALL), 0.0, saddle).climb
    print(f"    small batches over injected: {small.value / full.value:.3f}; by the exponents alone, W / η = {w.value / RATE:.3f} (Cramér) "
          f"and {climb:.3f} (normal noise): {math.exp(w.value / RATE - climb):.3f}", flush=True)
    batches = ls.Chain(loss, RATE, SMALL).mean_passage_time(0.0, domain)
    yield Check(name="small batches over injected, against the chain of real batches over the Gaussian one", value=small.value / full.value,
                reference=batches.value / normal.value, error=small.value / full.value * math.hypot(_error(small) / small.value,
                                                                                                   _error(full) / full.value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)             # that none leaves is what is to be seen
        plain = _exit(LARGE, None, n_paths=512, n_steps=200_000)
    print(f"    plain large batches: {plain}", flush=True)
    yield Check(name="plain large batches: exits of 512 runs in t = 10 000", value=float(plain.n_events or 0), reference=0.0, error=0.1)


def _moving(ratios: list[tuple[float, float]], drawn: dict[str, ls.Estimate]) -> Iterator[Check]:
    loss, _ = _regression()
    exact = ls.theory.minibatch_moments(loss, learning_rate=0.2, batch_size=2).covariance[0, 0]
    for beta in AVERAGES:
        runs = _runs(ls.Injection(ls.noise.from_hessians(loss), batch_size=2, average=beta))
        ratios.append((beta, float(runs.covariance[0, 0] / exact)))
        print(f"    about a moving average, β = {beta:g}: variance over that of small batches {ratios[-1][1]:.4f} ± "
              f"{runs.covariance_error[0, 0] / exact:.4f}", flush=True)
        if beta in (AVERAGES[0], AVERAGES[-1]):         # one that follows at once, and one that hardly leaves the minimum
            yield Check(name=f"the same against 1, β = {beta:g}", value=ratios[-1][1], reference=1.0, bound=5.0,
                        error=float(runs.covariance_error[0, 0] / exact), control=beta == AVERAGES[0])
    yield Check(name="the faster the average follows, the smaller the variance", value=float(np.diff([r for _, r in ratios]).min() > 0),
                reference=1.0, error=0.1)
    mirrored, _ = _mirrored()
    about = drawn["injected, quadratic C"]
    for beta in (0.9, 0.9999):
        name = f"injected, quadratic C about a moving average, β = {beta:g}"
        drawn[name] = _exit(LARGE, ls.Injection(ls.noise.from_hessians(mirrored, 0.0), batch_size=SMALL, average=beta), n_paths=8000)
        yield Check(name=f"escape, {name.removeprefix('injected, ')}, against that about the minimum", value=drawn[name].value,
                    reference=about.value, error=math.hypot(_error(drawn[name]), _error(about)), control=beta == 0.9)


def _draw(drawn: dict[str, ls.Estimate], ratios: list[tuple[float, float]]) -> None:
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    normal = drawn.pop("Gaussian chain")
    left.axvline(normal.value, color="#0072B2", linewidth=1.6, label="Gaussian chain with the full C, exact")
    for k, (name, tau) in enumerate(drawn.items()):
        label = name.removeprefix("injected, ").replace(" about a moving average", ",\nmoving average")
        left.errorbar(tau.value, label, xerr=[[tau.value - tau.low], [tau.high - tau.value]], fmt="o", capsize=2.5,
                      color="#D55E00" if k == 0 else "black")
    left.set(xscale="log", xlabel="mean time of escape, t")
    left.set_title("mirrored parabola: B = 50, injected to B = 1", fontsize=10, loc="left")
    left.set_xticks([300, 500, 1000, 2000], ["300", "500", "1000", "2000"])
    left.xaxis.set_minor_formatter(NullFormatter())
    left.legend(frameon=False, fontsize=8, loc="lower right")
    left.invert_yaxis()
    right.plot([1 / (1 - beta) for beta, _ in ratios], [ratio for _, ratio in ratios], "o-", color="#009E73")
    right.axhline(1.0, color="black", linewidth=0.8)
    right.set(xscale="log", xlabel="1 / (1 − β), iterations", ylabel="variance over that of small batches")
    right.set_title("regression, about a moving average", fontsize=10, loc="left")
    save(figure, "noise_injection")


if __name__ == "__main__":
    main(Path(__file__).stem + ": noise injected into large batches", checks)
