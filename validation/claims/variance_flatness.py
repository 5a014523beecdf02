"""Variance against flatness: ψ by kind of noise, Boltzmann's law in φ and not in the loss, and what sampling and windows do to ψ.

The study of `langevin-sgd flatness` with more paths.  Then SGD itself on a linear regression, 60 000 epochs in a plain compiled loop
(theory 6.4): ψ along the axes of the Hessian under independent batches and under reshuffling, the variances against theory, and φ from
the Hessian and the gradients of single samples.  Controls: the D of another noise, the theory of the other sampling.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, save
from numba import njit

import langevin_sgd as ls
from langevin_sgd.plots import draw_variance_flatness
from langevin_sgd.studies.flatness_exponent import VarianceFlatness
from langevin_sgd.studies.inverse_flatness import inverse_flatness
from langevin_sgd.studies.inverse_flatness_report import figures

DIM, SAMPLES, BATCH, RATE, EPOCHS, BURNT = 8, 500, 10, 0.05, 60_000, 2_000
FLATTEST = 2            # directions in which noise that depends on the moving weights is seen most, under reshuffling


def checks() -> Iterator[Check]:
    """The study, then SGD on data."""
    yield from _study()
    yield from _regression()


def _study() -> Iterator[Check]:
    study = inverse_flatness(n_paths=20_000, rng=11)
    for case in study:
        psi = case.compared.measured.exponent
        yield Check(name=f"{case.kind.name}: ψ against the exact recursion", value=psi.value, reference=case.compared.exact_exponent,
                    error=case.compared.measured.fit.chance)
        yield Check(name=f"{case.kind.name}: ψ against 2(m − 1)", value=psi.value, reference=2 * case.kind.power - 2, error=0.02, bound=3.0)
        yield Check(name=f"{case.kind.name}: largest z of a variance", value=case.compared.deviation, reference=0.0, error=1.0)
        yield Check(name=f"{case.kind.name}: largest z of σ² φ″ = 1", value=float(np.abs(case.boltzmann).max()), reference=0.0, error=1.0,
                    bound=4.5)
        yield Check(name=f"{case.kind.name}: the same with the D of another noise", value=case.boltzmann_of_control, reference=0.0,
                    error=1.0, bound=4.5, control=True)
    for s in study.samplings:
        yield Check(name=f"C ∝ H, {s.name}: ψ", value=s.compared.measured.exponent.value, reference=s.compared.exact_exponent,
                    error=s.compared.measured.fit.chance)
    plain, shuffled, windows = (s.compared for s in study.samplings)
    yield Check(name="C ∝ H, reshuffled: ψ against the theory of independent batches", value=shuffled.measured.exponent.value,
                reference=shuffled.measured.exponent_of(plain.line.variance), error=shuffled.measured.fit.error, control=True)
    yield from _windows(plain.measured, windows.measured, shuffled.line.variance)
    for name, figure in figures(study).items():
        save(figure, f"flatness_{name}")


def _windows(whole: VarianceFlatness, windows: VarianceFlatness, reshuffled: np.ndarray) -> Iterator[Check]:
    """Independent batches as measured, in windows of an epoch and without, against the formula for reshuffling."""
    share = 490 / 499           # 500 samples, batches of 10
    z, without = (np.abs(share * m.variance - reshuffled) / (share * m.variance_error) for m in (windows, whole))
    yield Check(name="a window of an epoch sees what reshuffling leaves, (N − 1) / (N − B) times it: largest z", value=float(z.max()),
                reference=0.0, error=1.0)
    yield Check(name="the same without a window, smallest z", value=float(without.min()), reference=0.0, error=1.0, control=True)


def _regression() -> Iterator[Check]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(SAMPLES, DIM)) * np.sqrt(np.logspace(-2.5, 0, DIM))
    y = x @ rng.normal(size=DIM) + 0.5 * rng.normal(size=SAMPLES)
    hessian = x.T @ x / SAMPLES
    h, axes = np.linalg.eigh(hessian)
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    gradients = x * (x @ best - y)[:, None]
    c = gradients.T @ gradients / SAMPLES
    loss = 0.5 * float(np.mean((x @ best - y) ** 2))
    found, iid = {}, np.empty(0)
    for shuffled, name, published in ((False, "iid", -0.006), (True, "reshuffle", 1.73)):
        w = _iterate(x, y, best, RATE, BATCH, EPOCHS, BURNT, shuffled, np.random.default_rng(17))
        measured = ls.flatness.inverse_variance_flatness(w[None, :], hessian=hessian, axes="hessian", at=best,
                                                         loss=lambda v: loss + 0.5 * float(np.mean((x @ (v - best)) ** 2)))
        iid = iid if shuffled else w
        line = ls.theory.variance_line(curvature=h, constant=np.diag(axes.T @ c @ axes), learning_rate=RATE, batch_size=BATCH,
                                       dataset_size=SAMPLES, sampling=name)
        found[name] = measured, line
        plain = -2 * np.polyfit(np.log(1 / h), np.log(measured.variance), 1)[0]
        chance = 2 * float(np.sqrt(np.mean((measured.variance_error / measured.variance) ** 2)) / np.log(h).std() / np.sqrt(DIM))
        yield Check(name=f"regression, {name}: ψ by plain least squares, against theory 6.4", value=plain, reference=published,
                    error=np.hypot(chance, 0.005))
        yield Check(name=f"regression, {name}: directions used", value=measured.used.sum(), reference=DIM, error=1e-9)
        off = measured.variance / line.variance - 1
        if not shuffled:
            z = float(np.abs(off / (measured.variance_error / measured.variance)).max())
            yield Check(name="regression, iid: largest z of a variance against additive noise", value=z, reference=0.0, error=1.0)
            continue
        for k in range(FLATTEST):
            yield Check(name=f"regression, reshuffle: direction {k + 1} above additive noise (theory 6.4: 18 to 55 %)", value=float(off[k]),
                        reference=0.365, error=0.185, bound=1.0)
        yield Check(name="regression, reshuffle: the five steepest above it, at most (1 to 8 %)", value=float(off[-5:].max()),
                    reference=0.045, error=0.035, bound=1.0)
    parts = ls.decompose(F=-hessian, D=RATE / BATCH * c / 2, dt=RATE)
    curvatures, of_phi = np.linalg.eigh(parts.U)
    along = ls.flatness.inverse_variance_flatness(iid[None, :], hessian=hessian, axes=of_phi)
    z = np.log(along.variance * curvatures) / (along.variance_error / along.variance)
    yield Check(name="regression, iid: largest z of σ² φ″ = 1 along the axes of φ", value=float(np.abs(z).max()), reference=0.0, error=1.0,
                bound=4.5)
    isotropic = ls.decompose(F=parts.F, D=np.trace(parts.noise) / DIM * np.eye(DIM), dt=RATE)
    wrong = np.einsum("ik,ij,jk->k", of_phi, isotropic.U, of_phi)
    largest = float(np.abs(np.log(along.variance * wrong)).max())
    yield Check(name="the same with isotropic D of the same trace: largest ln σ² φ″", value=largest, reference=0.0, error=0.1, control=True)
    yield Check(name="the same with the exponent of reshuffling", value=found["reshuffle"][0].exponent.value,
                reference=found["iid"][0].exponent.value, error=found["reshuffle"][0].fit.error, control=True)
    lines = {name: line.variance for name, (_, line) in found.items()}
    ax = draw_variance_flatness({name: m for name, (m, _) in found.items()}, exact=lines,
                                title="SGD on a linear regression")
    save(ax.figure, "flatness_regression")


@njit(cache=True)
def _iterate(x, y, start, rate, batch, epochs, burnt, shuffled, rng):
    """SGD on half the mean square; returns the iterates of every 5th step (time, d), an even sample of the positions in an epoch."""
    samples, dim = x.shape
    batches = samples // batch
    w, order = start.copy(), np.arange(samples)
    out = np.empty(((epochs - burnt) * batches // 5, dim))
    step, saved = 0, 0
    for epoch in range(epochs):
        if shuffled:
            rng.shuffle(order)
        for b in range(batches):
            g = np.zeros(dim)
            for j in range(batch):
                i = order[b * batch + j] if shuffled else rng.integers(0, samples)
                error = -y[i]
                for k in range(dim):
                    error += x[i, k] * w[k]
                for k in range(dim):
                    g[k] += error * x[i, k] / batch
            for k in range(dim):
                w[k] -= rate * g[k]
            if epoch >= burnt:
                if step % 5 == epoch % 5:           # another position in each epoch
                    out[saved] = w
                    saved += 1
                step += 1
    return out[:saved]


if __name__ == "__main__":
    main(Path(__file__).stem + ": variance against flatness, the potential that explains it, and what samplings do", checks)
