"""The result of `first_passage`: times of exit, censored and diverged paths told apart, and what they say."""
from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, fraction
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status, attributes
from langevin_sgd.simulation.censoring import Exponentiality, Survival, exponentiality, kaplan_meier, mean_interval, rate_interval
from langevin_sgd.simulation.schemes import Scheme
from langevin_sgd.simulation.trajectories import run_attributes

if TYPE_CHECKING:
    import xarray

    from langevin_sgd.simulation.sgd_runs import Iteration


@dataclass(frozen=True, eq=False)
class FirstPassage:
    """When, where and whether paths left a region.

    Attributes
    ----------
    time
        The time of exit (path,); of a path that did not leave, the time that it reached; of one that diverged, a time by which it had.
    exit_point
        Where it left (path,) or (path, d); of a path that did not leave, where it was last.
    label_index, labels
        Which part of the boundary was crossed, as an index of `labels`; -1 for paths that did not leave.
    status
        How each path ended (path,), see `Status`.
    key, first_path
        The key of the ensemble and the index of its first path.
    sde, scheme, domain, dt, monitoring
        What was run; for exits of SGD itself, `sde` and `scheme` are its iteration, and dt is the learning rate (NaN if it changes).
    stopped
        Why the run was cut short, or "".
    start
        What the starts were drawn from, if they were not given; else "".
    pooled_from
        Of a pooled result: key, first path and number of paths of every run in it.
    """

    time: Array
    exit_point: Array
    label_index: NDArray[np.int64]
    labels: tuple[str, ...]
    status: NDArray[np.uint8]
    key: Key
    first_path: int
    sde: SDE | Iteration
    scheme: Scheme | Iteration
    domain: Region
    dt: float
    monitoring: str
    stopped: str = ""
    start: str = ""
    pooled_from: tuple[tuple[Key, int, int], ...] = ()

    @property
    def n_paths(self) -> int:
        """Number of paths."""
        return len(self.time)

    @property
    def exited(self) -> NDArray[np.bool_]:
        """Whether each path left."""
        return self.status == Status.EXITED

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Whether each path blew up."""
        return self.status == Status.DIVERGED

    @property
    def censored(self) -> NDArray[np.bool_]:
        """Whether each path was still inside when it was last seen."""
        return ~self.exited & ~self.diverged

    @property
    def exit_label(self) -> NDArray[np.str_]:
        """The part of the boundary that each path crossed; "" for those that did not leave."""
        return np.array([*self.labels, ""])[self.label_index]

    @classmethod
    def pooled(cls, *parts: FirstPassage) -> FirstPassage:
        """Return the paths of several runs of the same problem as one: of parts of an ensemble, of several keys, of resumed runs.

        Raises
        ------
        ValueError
            If the runs are of different problems, or share paths: the same path twice is not two paths.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> sde, domain = ls.langevin(ls.landscapes.double_well(), temperature=0.25), ls.Interval(high=0.0)
        >>> first = ls.first_passage(sde, -1.0, domain, dt=0.01, n_paths=500, rng=1)
        >>> more = ls.first_passage(sde, -1.0, domain, dt=0.01, n_paths=1500, first_path=500, rng=first.key)
        >>> ls.FirstPassage.pooled(first, more).mean()
        5.697 [5.462, 5.931] (95 %, 2000 of 2000 exited, Itô, dt = 0.01)
        """
        if not parts:
            raise ValueError("`parts` is empty, but needs at least one run.")
        first = parts[0]
        for k, part in enumerate(parts[1:], 1):
            for name in ("sde", "scheme", "domain", "dt", "monitoring", "labels", "start"):
                mine, other = getattr(first, name), getattr(part, name)
                if repr(mine) != repr(other) or (name == "sde" and mine.values != other.values):
                    raise ValueError(f"`parts[{k}]` has {name} = {other!r}, but `parts[0]` has {mine!r}; only runs of the same problem can "
                                     "be pooled.")
        runs = [run for part in parts for run in part.pooled_from or ((part.key, part.first_path, part.n_paths),)]
        for k, (key, low, count) in enumerate(runs):
            if any(key == other and low < start + n and start < low + count for other, start, n in runs[:k]):
                raise ValueError(f"`parts` have paths of {key} in common, from path {low} on; give a run more paths with `first_path`, or "
                                 "draw another key.")
        return replace(first, time=np.concatenate([p.time for p in parts]), exit_point=np.concatenate([p.exit_point for p in parts]),
                       label_index=np.concatenate([p.label_index for p in parts]), status=np.concatenate([p.status for p in parts]),
                       stopped=next((p.stopped for p in parts if p.stopped), ""), pooled_from=tuple(runs))

    def mean(self, confidence: float = 0.95) -> Estimate:
        """Return the mean time of exit.

        Without censoring this is the sample mean.  With censoring it is exposure over exits, which assumes one rate, and carries the
        verdict on that; without any exit it is a lower bound.  It never raises and never drops unfinished paths; paths that diverged are
        left out.
        """
        times, exited = self._usable
        events = int(exited.sum())
        if events >= 2 and events == len(times):
            low, high = mean_interval(times, confidence)
            return self._estimate(float(times.mean()), low, high, confidence, "sample mean")
        slow, fast = rate_interval(events, float(times.sum()), confidence)
        low, high = 1 / fast if fast else math.inf, 1 / slow if slow else math.inf
        if not events:
            self._warn_of_few(events)
            return self._estimate(math.inf, low, math.inf, confidence, "lower bound", verdict="no exit was seen; let paths run longer")
        if events < len(times) and events < 5:
            self._warn_of_few(events)
        return self._estimate(float(times.sum()) / events, low, high, confidence, "exponential", verdict=self.exponentiality().verdict)

    def rate(self, confidence: float = 0.95) -> Estimate:
        """Return the rate of exit, exits over exposure, with the exact interval of a Poisson count."""
        times, exited = self._usable
        events, exposure = int(exited.sum()), float(times.sum())
        low, high = rate_interval(events, exposure, confidence)
        value = events / exposure if exposure > 0 else math.inf if events else math.nan
        return self._estimate(value, low, high, confidence, "exits over exposure", "rate of exit", self.exponentiality().verdict)

    def survival(self, confidence: float = 0.95) -> Survival:
        """Return the share of paths still inside over time, by Kaplan and Meier."""
        times, exited = self._usable
        return kaplan_meier(times, exited, fraction("confidence", confidence))

    def exponentiality(self) -> Exponentiality:
        """Test whether one rate describes the times."""
        return exponentiality(*self._usable)

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset with the dimension path (and component), and all that describes the run in its attributes."""
        import xarray
        dims = ("path",) if self.exit_point.ndim == 1 else ("path", "component")
        runs = self.pooled_from or ((self.key, self.first_path, self.n_paths),)
        coords: dict[str, Any] = {"path": np.concatenate([np.arange(first, first + count) for _, first, count in runs])}
        if self.exit_point.ndim == 2:
            coords["component"] = list(self.sde.variables)
        words = " ".join(["none", *(label.replace(" ", "_") for label in self.labels)])
        meaning = {"flag_values": [-1, *range(len(self.labels))], "flag_meanings": words}
        data = {"time": ("path", self.time), "exit_point": (dims, self.exit_point), "status": ("path", self.status, attributes()),
                "exit_label": ("path", self.label_index, meaning)}
        about = self._about()
        about |= {"domain": repr(self.domain), "monitoring": self.monitoring, "start": self.start,
                  "pooled_from": "; ".join(f"{key!r}, paths {first} to {first + n - 1}" for key, first, n in self.pooled_from)}
        return xarray.Dataset(data, coords, about)

    def _about(self) -> dict[str, Any]:
        """What describes the run; an iteration of SGD describes itself."""
        if isinstance(self.sde, SDE):
            return run_attributes(self.sde, cast(Scheme, self.scheme), self.dt, self.key, self.stopped)
        return {**self.sde.run_attributes(), "dt": self.dt, "key": f"{self.key.value:#034x}", "stopped": self.stopped}

    @property
    def _usable(self) -> tuple[Array, NDArray[np.bool_]]:
        """Times and exits of the paths that did not diverge and were run at all."""
        kept = ~self.diverged & ~((self.status == Status.STOPPED) & (self.time == 0.0))
        return self.time[kept], self.exited[kept]

    def _estimate(self, value: float, low: float, high: float, confidence: float, method: str, quantity: str = "mean passage time",
                  verdict: str = "") -> Estimate:
        return Estimate(value=value, low=low, high=high, confidence=confidence, method=method, quantity=quantity, verdict=verdict,
                        n_events=int(self.exited.sum()), n_paths=self.n_paths, n_diverged=int(self.diverged.sum()),
                        dt=self.dt if math.isfinite(self.dt) else None, interpretation=self.sde.interpretation)

    def _warn_of_few(self, events: int) -> None:
        times, _ = self._usable
        longest = float(times.max(initial=0.0))
        what = "very uncertain" if events else "a bound"
        warnings.warn(f"{events} of {self.n_paths} paths exited within {longest:g}: the mean is {what}; let paths run longer, "
                      "or raise the budget.",
                      RuntimeWarning, stacklevel=3)

    def __repr__(self) -> str:
        shares = [f"{int(self.exited.sum())} of {self.n_paths} exited"]
        shares += [f"{label}: {int((self.label_index == k).sum())}" for k, label in enumerate(self.labels) if len(self.labels) > 1]
        shares += [f"{n} {word}" for n, word in ((int(self.censored.sum()), "censored"), (int(self.diverged.sum()), "diverged")) if n]
        cut = f", stopped by {self.stopped}" if self.stopped else ""
        label = f"{self.sde.interpretation.label}, " if self.sde.interpretation else ""
        step = f"dt = {self.dt:g}, " if math.isfinite(self.dt) else ""
        return (f"FirstPassage({', '.join(shares)}; {step}{self.monitoring}, {label}{self.scheme}"
                f"{cut}, {self.key})")

