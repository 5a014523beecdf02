"""SGD itself: its spread about a minimum, the noise that makes it, and the time it takes to escape.

Linear regression: the covariance of real runs is that of the exact recursion of second moments (with momentum, weight decay, with and
without replacement), of theory 7.3 for much normal data and of 7.2 where the noise is additive. The quadratic covariance is exact there,
and its deviation is seen elsewhere. The mirrored parabola of theory 4.6: simulation and the chain of real batches agree, and no diffusion
with the same covariance does. Reshuffled epochs with equal curvatures have the variance of theory 6.4; what they do to the exponent of
variance against flatness is in flatness_of_sgd.py. Controls: the wrong way of drawing batches, the equation in place of the chain, and fits
where a quadratic must fail.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, measured, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from langevin_sgd.models.noise import Quadratic
from tests.oracles import BY_ID

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=500), RNG.normal(size=500)
TABLE = ((0.05, 1, 0.3, 135.0, 93.44), (0.05, 1, 0.4, 437.0, 246.3), (0.05, 1, 0.5, 1632.0, 600.5), (0.1, 2, 0.5, 1452.0, 600.5),
         (0.2, 4, 0.5, 949.0, 600.5), (0.1, 4, 0.25, 1548.0, 1043.0))
CRAMER = {0.3: 3.896, 0.4: 5.205, 0.5: 6.524, 0.6: 7.854}


def checks() -> Iterator[Check]:
    """Spread, noise, escape, reshuffling."""
    yield from _spread()
    noises = _noise()
    yield from noises[0]
    escapes: list[tuple[float, float, float, float]] = []
    yield from _escape(escapes)
    yield from _reshuffling()
    _draw(noises[1], escapes)


# ------------------------------------------------------------------------------------------------------------------ spread

def _spread() -> Iterator[Check]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 2)) * [1.0, 0.6]
    loss = ls.losses.linear_regression(x, x @ [1.0, -1.0] + 0.7 * rng.normal(size=40))
    best = loss.minimum([0.0, 0.0]).x
    for size, sampling, mu, decay in ((1, "iid", 0.0, 0.0), (10, "without", 0.0, 0.0), (4, "iid", 0.8, 0.0), (10, "without", 0.5, 0.3)):
        settings = {"learning_rate": 0.15, "batch_size": size, "momentum": mu, "weight_decay": decay}
        runs = ls.run_sgd(loss, best, n_steps=9000, sampling=sampling, average_from=150.0, n_paths=1000, t_eval=[0.15], rng=31,
                          progress=False, **settings)
        exact = ls.theory.minibatch_moments(loss, sampling=sampling, **settings).covariance
        wrong = ls.theory.minibatch_moments(loss, sampling="iid", **{**settings, **({"batch_size": 2 * size} if sampling == "iid" else {})})
        what = f"B = {size} {sampling}, μ = {mu}, γ = {decay}"
        for i, j in ((0, 0), (0, 1), (1, 1)):
            yield Check(name=f"covariance {i}{j}, {what}", value=runs.covariance[i, j], reference=exact[i, j],
                        error=runs.covariance_error[i, j], bound=5.0)
        yield Check(name=f"the same, {'twice the batch' if sampling == 'iid' else 'with replacement'}", value=runs.covariance[0, 0],
                    reference=wrong.covariance[0, 0], error=runs.covariance_error[0, 0], bound=5.0, control=True)
    many, labels = ls.losses.generate(100_000, [1.0, -1.0, 0.5], spectrum=[1.0, 0.5, 0.1], label_noise=0.5, rng=1)
    fresh = ls.theory.regression_covariance(inputs=[1.0, 0.5, 0.1], label_noise=0.5, learning_rate=0.3, batch_size=2).covariance
    large = ls.losses.linear_regression(many, labels)
    runs = ls.run_sgd(large, large.minimum(np.zeros(3)).x, learning_rate=0.3, batch_size=2, n_steps=5000, average_from=300.0, n_paths=2000,
                      t_eval=[0.3], rng=3, progress=False)
    for k in range(3):      # the data are a sample themselves, with relative errors of their moments of some √(10 / N)
        yield Check(name=f"100 000 normal samples against theory 7.3, component {k}", value=runs.covariance[k, k], reference=fresh[k, k],
                    error=float(np.hypot(runs.covariance_error[k, k], 0.01 * fresh[k, k])), bound=4.0)
    flat = ls.losses.linear_regression([1.0, 1.0, -1.0, 1.0], [0.5, -1.0, 2.0, 0.0])
    runs = ls.run_sgd(flat, 0.0, learning_rate=0.1, batch_size=1, n_steps=20_000, momentum=0.9, average_from=100.0, n_paths=1000,
                      t_eval=[0.1], rng=4, progress=False)
    law = ls.theory.sgd_covariance(curvature=1.0, constant=flat.covariance(0.0), learning_rate=0.1, momentum=0.9)
    yield Check(name="additive noise, momentum 0.9, against theory 7.2", value=runs.covariance, reference=float(law.covariance[0, 0]),
                error=runs.covariance_error, bound=5.0)


# ------------------------------------------------------------------------------------------------------------------- noise

def _noise() -> tuple[list[Check], list[tuple[str, object]]]:
    """Checks of measured noise, and what is to be drawn of it."""
    x, labels = ls.losses.generate(400, [1.0, -0.5], label_noise=0.5, rng=5)
    linear = ls.losses.linear_regression(x, labels)
    found = ls.noise.measure(linear)
    w = linear.minimum([0.0, 0.0]).x + np.array([2.0, -3.0])
    delta, r = w - linear.minimum([0.0, 0.0]).x, x @ linear.minimum([0.0, 0.0]).x - labels
    g = x * (x @ delta + r)[:, None]
    direct = (np.einsum("ni,nj->ij", g, g) / 400) - np.outer(x.T @ x @ delta, x.T @ x @ delta) / 400**2
    checked = [relative("regression: fitted C far from its points, entry 01, against the data", found.at(w)[0, 1], direct[0, 1], 1e-10)]
    drawn: list[tuple[str, object]] = []
    one = x[:, 0]
    squares = one**2 + 0.3 * np.random.default_rng(6).normal(size=400)
    for name, loss, start in (("logistic", ls.losses.logistic_regression(one, np.sign(labels)), 0.0),
                              ("phase retrieval", ls.losses.phase_retrieval(one, squares), 1.0)):
        center = loss.minimum(start).x
        fit, hessians = ls.noise.measure(loss, center=center, radius=0.3), ls.noise.from_hessians(loss, center)
        checked.append(Check(name=f"{name}: share of C's variation that the fitted quadratic leaves, against none", value=fit.unexplained,
                             reference=0.0, error=1e-4, control=True))
        checked.append(Check(name=f"{name}: σ_H of Hessians (value) against the fit's (reference)", value=float(hessians.quadratic),
                             reference=float(fit.quadratic), error=0.02 * abs(float(fit.quadratic)), control=True))
        drawn.append((name, fit))
    return checked, drawn


# ------------------------------------------------------------------------------------------------------------------ escape

def _escape(found: list[tuple[float, float, float, float]]) -> Iterator[Check]:
    for eta, size, barrier, table, equation in TABLE:
        loss = ls.losses.mirrored_parabola(X, Y, barrier)
        m, domain = float(loss.p[1]), ls.Interval(high=2.6 * float(loss.p[1]))
        runs = ls.run_sgd(loss, 0.0, learning_rate=eta, batch_size=size, n_steps=10**7, domain=domain, t_eval=[eta], n_paths=40_000, rng=77,
                          progress=False)
        tau, chain = runs.exits.mean(), ls.Chain(loss, eta, size).mean_passage_time(0.0, domain)
        error, exact_error = (tau.high - tau.low) / 3.92, (chain.high - chain.low) / 6
        what = f"η = {eta}, B = {size}, ΔL = {barrier}"
        yield Check(name=f"escape, {what}: simulation against the chain of real batches", value=tau.value, reference=chain.value,
                    error=float(np.hypot(error, exact_error)))
        yield Check(name="the same against the table of theory 4.6 (± 5 %)", value=tau.value, reference=table,
                    error=float(np.hypot(error, 0.05 * table)))
        yield measured("the same against the Itô equation with the same covariance", tau, equation, control=True)
        w = ls.theory.cramer_exponent(minimum=0.0, saddle=2 * m, gradients=loss, batch_size=size)
        if size == 1:
            yield Check(name=f"Cramér exponent W / η, {what}", value=w.value / eta, reference=CRAMER[barrier], error=5e-4, bound=1.2)
            found.append((barrier, tau.value, chain.value, _equation(loss, eta, size, domain)))


def _equation(loss: ls.SampledLoss, eta: float, size: int, domain: ls.Interval) -> float:
    """The mean time of the Itô equation with the true covariance, mirrored at m."""
    h, m = loss.hessian(0.0), float(loss.p[1])
    near = ls.noise.measure(loss, at=np.linspace(-0.9 * m, 0.9 * m, 9), center=0.0).model
    assert isinstance(near, Quadratic)
    text = "g + 2*gh*where(x < m, x, 2*m - x)*where(x < m, 1, -1) + k*where(x < m, x, 2*m - x)**2"
    noise = ls.noise.Expression(text, g=float(near.constant), gh=float(near.linear), k=float(near.quadratic), m=m)
    assert h > 0
    return ls.exact.mean_passage_time(ls.sgd(loss, noise, learning_rate=eta, batch_size=size), 0.0, domain).value


# ------------------------------------------------------------------------------------------------------------- reshuffling

def _reshuffling() -> Iterator[Check]:
    for name in ("h0.01", "h1.0"):
        entry, a = BY_ID[f"reshuffle-var-{name}"], float(name[1:])
        z = np.random.default_rng(8).normal(size=50)
        z = (z - z.mean()) / z.std()
        flat = ls.losses.linear_regression(np.full(50, np.sqrt(a)), z / np.sqrt(a))
        runs = ls.run_sgd(flat, 0.0, learning_rate=0.1, batch_size=1, n_steps=50 * 1500, sampling="reshuffle", average_from=5 * 300.0,
                          n_paths=500, t_eval=[0.1], rng=5, progress=False)
        yield Check(name=f"reshuffled variance, equal curvatures {a}", value=runs.covariance, reference=entry["value"],
                    error=runs.covariance_error, bound=5.0)


def _draw(noises: list[tuple[str, object]], escapes: list[tuple[float, float, float, float]]) -> None:
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2)
    upper, lower = left.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ls.plots.draw_measured_noise(noises[0][1], axes=(upper, lower))         # type: ignore[arg-type]
    upper.set_title(f"{noises[0][0]}: {upper.get_title(loc='left')}", fontsize=9, loc="left")
    ax = right.subplots()
    barrier, tau, chain, equation = np.array(escapes).T
    ax.plot(barrier, chain, "-", color="#0072B2", label="chain of real batches")
    ax.plot(barrier, tau, "o", color="#D55E00", label="SGD, simulated")
    ax.plot(barrier, equation, "-", color="#999999", label="Itô equation, the same covariance")
    ax.set(yscale="log", xlabel="barrier ΔL", ylabel="mean time of escape, t", title="mirrored parabola, η = 0.05, B = 1")
    ax.legend(frameon=False)
    save(figure, "minibatch_sgd")


if __name__ == "__main__":
    main(Path(__file__).stem + ": SGD itself, its spread, its noise, and its escape", checks)
