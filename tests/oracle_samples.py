"""Simulated passage times for the problems of oracles.json: what the tests and validation/claims share."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import langevin_sgd as ls
from tests.oracles import equation, interval, select

FEWEST_STEPS = 50       # the time step is at most this fraction of the exact time: 0.01 is coarse for what takes 0.2


def passage_problems(longest: float) -> list[dict[str, Any]]:
    """Return the one-dimensional diffusions whose exact mean passage time is known, and not longer than this."""
    return [entry for entry in select("mean_first_passage_time") if entry["value"] <= longest]


def time_step(entry: dict[str, Any]) -> float:
    """Return 0.01, or less where the passage is over in a few such steps."""
    return min(0.01, entry["value"] / FEWEST_STEPS)


@dataclass(frozen=True)
class Sample:
    """A mean passage time and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, entry: dict[str, Any], dt: float, key: int, n_paths: int = 20_000, monitoring: str = "continuous") -> Sample:
        """Simulate the problem of an entry until all paths have left."""
        ends = ls.first_passage(equation(entry), entry["parameters"]["x0"], interval(entry), dt, n_paths, rng=ls.Key(key),
                                monitoring=monitoring, progress=False)
        assert np.all(ends.exited), f"{entry['id']}: {int((~ends.exited).sum())} of {n_paths} paths did not leave"
        return cls(float(ends.time.mean()), float(ends.time.std(ddof=1)) / math.sqrt(n_paths))

    @classmethod
    def without_bias(cls, entry: dict[str, Any], key: int, n_paths: int = 20_000) -> Sample:
        """Simulate with one Richardson step where the noise depends on the state: its error of order dt would be seen."""
        dt = time_step(entry)
        fine = cls.of(entry, dt, key, n_paths)
        if entry["sde"]["interpretation"] == "any":
            return fine
        coarse = cls.of(entry, 2 * dt, key + 1, n_paths)
        return cls(2 * fine.mean - coarse.mean, math.hypot(2 * fine.error, coarse.error))

    def z(self, exact: float) -> float:
        """Return how many standard errors the mean lies above a number."""
        return (self.mean - exact) / self.error
