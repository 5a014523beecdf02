"""Contestants in turn, round after round: ratios taken within a round hold on a shared machine, where times alone do not."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contestant:
    """Something to be timed: it does `units` of work at every call (path-steps, times components)."""

    run: Callable[[], object]
    units: float


def race(contestants: dict[str, Contestant], rounds: int = 9, clock: Callable[[], float] = time.process_time) -> dict[str, np.ndarray]:
    """Return nanoseconds of CPU time per unit of work, one for each round; a first round warms up and does not count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, contestant in contestants.items():
            start = clock()
            contestant.run()
            if number:
                times[name].append((clock() - start) * 1e9 / contestant.units)
    return {name: np.array(t) for name, t in times.items()}


def ratio(times: dict[str, np.ndarray], name: str, to: str) -> float:
    """Return the median over rounds of the ratio of two contestants."""
    return float(np.median(times[name] / times[to]))
