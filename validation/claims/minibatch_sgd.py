"""SGD itself: its spread about a minimum, and the noise that makes it.

Linear regression: the covariance of real runs is that of the exact recursion of second moments (with momentum, weight decay, with and
without replacement), of theory 7.3 for much normal data and of 7.2 where the noise is additive. The quadratic covariance is exact there,
and its deviation is seen elsewhere. Reshuffled epochs with equal curvatures have the variance of theory 6.4; what they do to the exponent
of variance against flatness is in flatness_of_sgd.py, and escape in sgd_escape.py. Controls: the wrong way of drawing batches, and fits
where a quadratic must fail.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, relative, save
from matplotlib.figure import Figure

import langevin_sgd as ls
from tests.oracles import BY_ID


def checks() -> Iterator[Check]:
    """Spread, noise, reshuffling."""
    yield from _spread()
    noises = _noise()
    yield from noises[0]
    yield from _reshuffling()
    _draw(noises[1])


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


def _draw(noises: list[tuple[str, object]]) -> None:
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    for part, (name, fit) in zip(figure.subfigures(1, 2), noises, strict=True):
        upper, lower = part.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        ls.plots.draw_measured_noise(fit, axes=(upper, lower))              # type: ignore[arg-type]
        upper.set_title(f"{name}: {upper.get_title(loc='left')}", fontsize=9, loc="left")
    save(figure, "minibatch_sgd")


if __name__ == "__main__":
    main(Path(__file__).stem + ": SGD itself, its spread and its noise", checks)
