"""Random equations for which several methods must agree: what the tests and validation/claims share."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import langevin_sgd as ls

CONVENTIONS = ("ito", "stratonovich", "klimontovich")
EXIT = 0.2


@dataclass(frozen=True)
class Model:
    """An equation, where it starts, and which domain it leaves."""

    name: str
    sde: ls.SDE
    x0: float | list[float]
    domain: ls.Region


def on_the_line(seed: int) -> Model:
    """Return two wells with a tilt under noise that depends on the state, in one of the three conventions; left over the saddle."""
    rng = np.random.default_rng(seed)
    a, b, tilt = rng.uniform(0.7, 1.3), rng.uniform(0.7, 1.3), rng.uniform(-0.15, 0.15)
    floor, growth, shift = rng.uniform(0.5, 1.0), rng.uniform(0.0, 1.5), rng.uniform(-0.5, 0.5)
    convention = CONVENTIONS[rng.integers(3)]
    noise = ls.noise.Expression("floor + growth*(x - shift)**2/(1 + (x - shift)**2)", floor=floor, growth=growth, shift=shift)
    sde = ls.SDE("a*x - b*x**3 + tilt", noise, rng.uniform(0.3, 0.7), convention, a=a, b=b, tilt=tilt)
    return Model(f"line {seed}, {convention}", sde, -float(np.sqrt(a / b)), ls.Interval(high=EXIT))


def in_the_plane(seed: int) -> Model:
    """Return a stable equation with circulation under noise whose axes are not those of the plane; left through a circle."""
    rng = np.random.default_rng(seed)
    root = np.eye(2) + rng.uniform(-0.6, 0.6, (2, 2))
    c = root @ root.T / np.trace(root @ root.T)
    k, m, turn, bend = rng.uniform(0.5, 1.5), rng.uniform(0.5, 1.5), rng.uniform(-2.0, 2.0), rng.uniform(0.0, 1.0)
    drift = [f"-{k!r}*x - {turn!r}*y - {bend!r}*x**3", f"{turn!r}*x - {m!r}*y - {bend!r}*y**3"]
    sde = ls.SDE(drift, ls.noise.Anisotropic(c), rng.uniform(0.8, 1.5))
    return Model(f"plane {seed}", sde, [0.0, 0.0], ls.Ball([0.0, 0.0], 1.0))
