"""The clock of SGD, t = Σ η: the time after so many iterations, and back."""
from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.models.arguments import Array, numbers

SAVED = 101                     # times that are saved if none are asked for


@dataclass(frozen=True, eq=False)
class Clock:
    """Learning rates, (1,) of all iterations or (n_steps,) of each, and how many there are."""

    rates: Array
    n_steps: int

    @property
    def end(self) -> float:
        """The time after the last iteration."""
        return float(self.at(self.n_steps))

    def at(self, iterations: Any) -> Any:
        """Return the time after so many iterations."""
        return self.rates[0] * iterations if len(self.rates) == 1 else self._sums[iterations]

    @functools.cached_property
    def _sums(self) -> Array:
        return np.concatenate([[0.0], np.cumsum(self.rates)])

    def done_by(self, times: Any) -> NDArray[np.int64]:
        """Return how many iterations are done by then; one that is done then but for rounding is."""
        later = np.asarray(times) * (1 + 1e-12)
        if len(self.rates) > 1:
            return np.searchsorted(self._sums, later, side="right") - 1
        return np.minimum(np.floor(later / self.rates[0]), self.n_steps).astype(np.int64)

    def to_save(self, t_eval: ArrayLike | None) -> NDArray[np.int64]:
        """Return the numbers of iterations after which these times are, or about 101 evenly spaced ones."""
        if t_eval is None:
            return np.unique(np.round(np.linspace(0, self.n_steps, min(SAVED, self.n_steps + 1))).astype(np.int64))
        times = np.atleast_1d(numbers("t_eval", t_eval))
        if times.ndim != 1 or not len(times) or (np.diff(times) <= 0).any():
            raise ValueError("`t_eval` must be a list of increasing times.")
        below = np.clip(self.done_by(times), 0, self.n_steps - 1)
        nearest = np.where(times - self.at(below) < self.at(below + 1) - times, below, below + 1)
        off = np.abs(self.at(nearest) - times) > 1e-9 * self.rates.max() + 1e-14 * self.end
        if off.any():
            k = int(np.argmax(off))
            raise ValueError(f"`t_eval` holds the time {float(times[k])!r}, but after no iteration is t = Σ η there; the nearest is "
                             f"{float(self.at(nearest[k]))!r}, after {nearest[k]} iterations.")
        return nearest

    def average_from(self, time: float) -> int:
        """Return how many iterations are done by a time that others follow."""
        if not 0 <= time < self.end:
            raise ValueError(f"`average_from` is {time:g}, but must be a time from 0 to below {self.end:g}, the end of the run.")
        return int(self.done_by(time))
