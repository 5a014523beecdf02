"""Decomposed equations, simulated: covariances of linear ones, the areas that SGD sweeps, and the law of an A-type process."""
from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest

import langevin_sgd as ls
from tests.decompositions import D, F, as_written, example, random_system, z_of_covariance
from tests.oracles import BY_ID

pytestmark = pytest.mark.law


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3])
def test_simulated_covariances_are_those_of_the_decomposition(n: int) -> None:
    """20 000 paths after 12 of the slowest relaxation times, every entry within 5 standard errors (false alarm below 1e-4 in all).

    Euler's steps are the recursion, so that nothing is left of the step size: the equation in its place is seen to be wrong."""
    f, d = random_system(n, n)
    f /= -np.linalg.eigvals(f).real.max()
    dt = 0.3 * float((-2 * np.linalg.eigvals(f).real / np.abs(np.linalg.eigvals(f)) ** 2).min())
    parts = ls.decompose(F=f, D=d, dt=dt)
    steps = round(12 / dt)
    x = ls.simulate(ls.linear(f, d), np.zeros(n), (0, steps * dt), dt, 20_000, [steps * dt], rng=n).x[:, 0]
    assert np.abs(z_of_covariance(x, parts.covariance)).max() < 5
    assert np.abs(z_of_covariance(x, ls.decompose(F=f, D=d).covariance)).max() > 15
    assert np.abs(z_of_covariance(x, ls.decompose(F=f, D=1.1 * d, dt=dt).covariance)).max() > 5


def test_the_parts_of_a_recursion_are_seen_in_its_steps() -> None:
    """Half the mean square of a step per unit of time is D + dt F Σ Fᵀ / 2, and the area that it sweeps is Q: 400 000 stationary steps."""
    dt, rng = 0.3, np.random.default_rng(3)
    parts = ls.decompose(F=F, D=D, dt=dt)
    x = rng.multivariate_normal(np.zeros(2), parts.covariance, 400_000)
    step = dt * x @ F.T + rng.multivariate_normal(np.zeros(2), 2 * dt * D, 400_000)
    square, area = step[:, :, None] * step[:, None, :] / (2 * dt), (x + step / 2)[:, :, None] * step[:, None, :] / dt

    def z(sample: np.ndarray, expected: np.ndarray) -> np.ndarray:
        return np.asarray((sample.mean(axis=0) - expected) / (sample.std(axis=0) / np.sqrt(len(sample))))
    assert np.abs(z(square, parts.D)).max() < 5 and np.abs(z(area, parts.Q)).max() < 5
    assert np.abs(z(square, D)).max() > 15 and np.abs(z(area, ls.decompose(F=F, D=D).Q)).max() > 15


MOMENTS = (BY_ID["ao-atype-Ex"]["value"], BY_ID["ao-atype-Er2"]["value"])


def a_type() -> ls.SDE:
    return example().sde()


@functools.cache
def moments(make: Callable[[], ls.SDE]) -> tuple[np.ndarray, np.ndarray]:
    """E x and E r², with standard errors over paths: 12 000 paths, a mean over 70 to 90 after a burn-in of 70 time units, dt = 0.005."""
    x = ls.simulate(make(), [-0.9, 0.0], (0, 90), 0.005, 12_000, np.arange(70.0, 91.0, 2.0), rng=6).x
    of_paths = np.stack([x[..., 0].mean(axis=1), (x**2).sum(axis=-1).mean(axis=1)])
    return of_paths.mean(axis=1), of_paths.std(axis=1) / np.sqrt(len(x))


def test_the_a_type_process_has_the_law_that_it_was_composed_of() -> None:
    """E x and E r² of exp(−φ) (`theory`, 6.1), within 5 standard errors (0.2 and 0.1 per cent) and 2e-3 for the time step."""
    found, error = moments(a_type)
    assert (np.abs(found - MOMENTS) < 5 * error + 2e-3).all()


@pytest.mark.parametrize("interpretation, published", [("ito", (-0.844, 1.177)), ("klimontovich", (-0.878, 1.222))])
def test_the_wrong_conventions_are_seen_to_be_wrong(interpretation: str, published: tuple[float, float]) -> None:
    """The drift −(D + Q) ∇φ in plain Itô, and with ∇·D but without ∇·Q: both moments are off by more than 5 standard errors and 4e-3."""
    found, error = moments(functools.partial(as_written, interpretation))
    assert (np.abs(found - MOMENTS) > 5 * error + 4e-3).all()
    assert (np.abs(found - published) < 5 * error + 3e-3).all()
