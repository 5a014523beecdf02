"""How often the process *is* in one of two minima: by the exact density, by the ratio of escape times, by the three-factor formula."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.region import Interval
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.exact import mean_passage_time, stationary_density
from langevin_sgd.theory.sgd.flatness_indicators import basin_odds


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Probability of the second of two minima, at several levels.

    Attributes
    ----------
    levels, level_name
        What was varied.
    exact
        The stationary density, integrated beyond the saddle.
    from_times
        τ₂ / (τ₁ + τ₂), with the exact mean times from each minimum to the other: what a two-state process with these times would do.
    three_factor
        The same with the ratio sqrt(H₁ / H₂) exp(−2 (L₂ − L₁) / (ε C₁)), the law of Boltzmann with constant noise (arXiv:1711.04623).
    """

    levels: Array
    level_name: str
    exact: Array
    from_times: Array
    three_factor: Array


def occupancy(make: Callable[[float], SDE], levels: Sequence[float], level_name: str) -> Occupancy:
    """Return how often the second of two minima of a one-dimensional landscape is occupied.

    Parameters
    ----------
    make
        Returns the equation, with a landscape of two minima, at a level.
    """
    rows = [_occupancy(make(level)) for level in levels]
    by_density, by_times, by_formula = (np.array(column) for column in zip(*rows, strict=True))
    return Occupancy(np.asarray(levels, dtype=float), level_name, by_density, by_times, by_formula)


def _occupancy(sde: SDE) -> tuple[float, float, float]:
    assert sde.landscape is not None, "This is a bug: occupancy of an equation without a landscape."
    points = sde.landscape.critical_points()
    first, second = sorted((p for p in points if p.index == 0), key=lambda p: p.x)
    saddle = next(p for p in points if p.index == 1)
    density = stationary_density(sde)
    there = mean_passage_time(sde, first.x, Interval(high=second.x))
    back = mean_passage_time(sde, second.x, Interval(low=first.x))
    log_ratio = back.log_value - there.log_value
    strength = 2 * sde.diffusion(first.x)
    odds = basin_odds(loss_difference=second.value - first.value, curvature_a=second.hessian, curvature_b=first.hessian, strength=strength,
                      constant=1.0, barrier=saddle.value - max(first.value, second.value))
    return density.probability(saddle.x, math.inf), 1 / (1 + math.exp(-log_ratio)), 1 / (1 + math.exp(-odds.log_value))
