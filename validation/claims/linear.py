"""Linear equations of a hundred components have their exact law: of Euler's chain at its step, and of the equation itself with exact steps.

A dense F that is far from symmetric and a dense D.  Every entry of the sample covariance of 20,000 paths is compared, and what is reported
is the sum of the squared deviations over all independent ones, against its own mean and spread: no single entry can hide.  The exact law is
S − e^{Ft} S e^{Fᵀt} with F S + S Fᵀ = −2 D, Euler's is the same with I + F dt; neither is used by the simulation.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main, save
from matplotlib.figure import Figure
from scipy.linalg import expm, solve_continuous_lyapunov, solve_discrete_lyapunov

import langevin_sgd as ls

D, PATHS = 100, 20_000
RATE, DIFFUSION = 2.0, 3.0          # of the one component in the picture
STEPS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)


def matrices() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    G = rng.normal(size=(D, D)) / math.sqrt(D)
    return 1.5 * np.triu(rng.normal(size=(D, D)), 1) / math.sqrt(D) - np.diag(rng.uniform(0.5, 2.0, D)), G @ G.T + 0.1 * np.eye(D)


def exact_law(F: np.ndarray, diffusion: np.ndarray, t: float) -> np.ndarray:
    S, E = solve_continuous_lyapunov(F, -2 * diffusion), expm(F * t)
    return S - E @ S @ E.T


def chain_law(F: np.ndarray, diffusion: np.ndarray, dt: float, n: int) -> np.ndarray:
    M = np.eye(len(F)) + dt * F
    S, E = solve_discrete_lyapunov(M, 2 * dt * diffusion), np.linalg.matrix_power(M, n)
    return S - E @ S @ E.T


def distance(name: str, x: np.ndarray, covariance: np.ndarray, **more: bool) -> Check:
    """The mean square of a whitened covariance's deviation from I, times the number of paths: 1 for independent entries."""
    n, d = x.shape
    white = np.linalg.solve(np.linalg.cholesky(covariance), x.T)
    deviation = white @ white.T / n - np.eye(d)
    value = n * float((deviation**2).sum()) / (d * (d + 1))
    return Check(name=name, value=value, reference=1.0, error=2 / math.sqrt(d * (d + 1)), **more)


def checks() -> Iterator[Check]:
    """A hundred components by either scheme, then one with steps of any length."""
    F, diffusion = matrices()
    sde, x0, dt, n = ls.linear(F, diffusion), np.zeros(D), 0.1, 20

    def sample(scheme: ls.EulerMaruyama | ls.ExactLinear, step: float) -> np.ndarray:
        return ls.simulate(sde, x0, (0, n * dt), step, PATHS, [n * dt], scheme, rng=2, progress=False).x[:, 0]

    euler, exact, at_once = sample(ls.EulerMaruyama(), dt), sample(ls.ExactLinear(), dt), sample(ls.ExactLinear(), n * dt)
    of_chain, of_equation = chain_law(F, diffusion, dt, n), exact_law(F, diffusion, n * dt)
    yield distance("100 components, Euler, 20 steps of 0.1, against its chain", euler, of_chain)
    yield distance("the same against the chain of the transposed F", euler, chain_law(F.T, diffusion, dt, n), control=True)
    yield distance("the same against the equation", euler, of_equation, control=True)
    yield distance("100 components, exact, 20 steps of 0.1, against the equation", exact, of_equation)
    yield distance("the same against Euler's chain", exact, of_chain, control=True)
    yield distance("100 components, exact, one step of 2, against the equation", at_once, of_equation)
    yield from _one_component()


def _one_component() -> Iterator[Check]:
    sde, right = ls.systems.ornstein_uhlenbeck(RATE, DIFFUSION), DIFFUSION / RATE
    seen: dict[str, list[float]] = {"ExactLinear": [], "EulerMaruyama": []}
    for h in STEPS:
        for scheme in (ls.ExactLinear(), ls.EulerMaruyama()):
            end = h * math.ceil(200 / h / RATE)
            x = ls.simulate(sde, 0.0, (0, end), h, PATHS, [end], scheme, rng=3, progress=False).x[:, 0]
            seen[type(scheme).__name__].append(float((x**2).mean()))
    error = math.sqrt(2 / PATHS)
    for h, exact, euler in zip(STEPS, seen["ExactLinear"], seen["EulerMaruyama"], strict=True):
        wide = right / (1 - RATE * h / 2)
        yield Check(name=f"stationary variance, k dt = {RATE * h:g}, exact steps", value=exact, reference=right, error=error * right)
        yield Check(name="the same, Euler, against D / k / (1 − k dt / 2)", value=euler, reference=wide, error=error * wide)
    yield Check(name="the last, Euler, against the equation", value=euler, reference=right, error=error * right, control=True)
    _draw(seen, right, error)


def _draw(seen: dict[str, list[float]], right: float, error: float) -> None:
    ax = Figure(figsize=(5.6, 4.2), layout="constrained").subplots()
    steps, h = RATE * np.array(STEPS), np.linspace(0.02, 1.96, 300)
    for (name, variances), colour in zip(seen.items(), ("#0072B2", "#D55E00"), strict=True):
        ax.errorbar(steps, variances, 1.96 * error * np.array(variances), fmt="o", color=colour, label=name)
    ax.axhline(right, color="#0072B2", label="the equation, D / k")
    ax.plot(h, right / (1 - h / 2), color="#D55E00", label="Euler's chain, D / k / (1 − k dt / 2)")
    ax.set(xlabel="k dt", ylabel="stationary variance", yscale="log", title="Ornstein–Uhlenbeck, steps of any length")
    ax.legend(frameon=False)
    save(ax.figure, "linear")


if __name__ == "__main__":
    main(Path(__file__).stem + ": linear equations have their exact law at a hundred components, and with exact steps at any dt", checks)
