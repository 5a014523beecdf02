"""The result of `run_sgd`: weights over time, their averages, and exits."""
from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.injection import Injection
from langevin_sgd.models.interpretation import Interpretation
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.status import Status, attributes
from langevin_sgd.simulation.passage_times import FirstPassage

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class Iteration:
    """What SGD does in a step; it stands where results of equations have their equation and their scheme.

    Attributes
    ----------
    loss
        The loss over data.
    rates
        Learning rates: one, or one for each step.
    batch_size, sampling
        Batches, and how they are drawn.
    momentum, weight_decay
        μ and γ.
    inject
        Noise that is added to the gradients, or None.
    """

    loss: SampledLoss
    rates: Array
    batch_size: int
    sampling: str
    momentum: float
    weight_decay: float
    inject: Injection | None = None

    @property
    def interpretation(self) -> Interpretation | None:
        """None: an iteration needs no convention."""
        return None

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the weights."""
        return self.loss.variables

    @property
    def learning_rate(self) -> float:
        """The learning rate; NaN if it changes."""
        return float(self.rates[0]) if len(self.rates) == 1 else math.nan

    def run_attributes(self) -> dict[str, Any]:
        """Return what a Dataset says of the run."""
        from importlib.metadata import version
        return {"loss": repr(self.loss), "learning_rate": self.rates if len(self.rates) > 1 else float(self.rates[0]),
                "batch_size": self.batch_size, "sampling": self.sampling, "momentum": self.momentum, "weight_decay": self.weight_decay,
                "inject": repr(self.inject),
                "clock": "t = Σ learning rate", "langevin_sgd": version("langevin_sgd"), "numba": version("numba"), "numpy": np.__version__}

    def __repr__(self) -> str:
        rate = f"{self.rates[0]:g}" if len(self.rates) == 1 else f"{self.rates.min():g} to {self.rates.max():g}"
        more = "".join(f", {name} {value:g}" for name, value in (("momentum", self.momentum), ("weight decay", self.weight_decay)) if value)
        more += "" if self.inject is None else f", injected {self.inject!r}"
        return f"SGD(learning rate {rate}, batch size {self.batch_size} {self.sampling}{more})"


@dataclass(frozen=True, eq=False, kw_only=True)
class SGDRuns:
    """Runs of minibatch SGD.

    Attributes
    ----------
    t
        The saved times (time,), t = Σ learning rate.
    w
        The weights then (path, time, component); NaN after a run has left, diverged or was stopped.  `x` is the same as `Trajectories` has
        it: in one dimension without the last axis.
    status
        How each run ended (path,), see `Status`.
    time
        The time that each run reached (path,).
    last
        The last weights of each run (path, d); of one that left, the first outside.
    iteration
        Loss, learning rate, batches, momentum and weight decay.
    domain, labels, label_index
        The region, what its parts are called, and through which a run left, -1 for none.
    path_mean, path_covariance, n_averaged
        Means (path, d) and covariances (path, d, d) over the averaged iterations of each run, and their number; None if not asked for.
    key, first_path
        What is needed to run any part of it again.
    stopped
        Why the runs were cut short, or "".

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([1.0, 2.0, -1.0], [1.0, 1.5, 0.0])
    >>> ls.run_sgd(loss, 0.0, learning_rate=0.1, batch_size=1, n_steps=50, n_paths=8, rng=1)
    SGDRuns(8 runs: 8 completed; 51 times from 0 to 5, SGD(learning rate 0.1, batch size 1 iid), linear regression, mean of ½(…)², Key(...))
    """

    t: Array
    w: Array
    status: NDArray[np.uint8]
    time: Array
    last: Array
    iteration: Iteration
    domain: Region | None
    labels: tuple[str, ...]
    label_index: NDArray[np.int64]
    path_mean: Array | None
    path_covariance: Array | None
    n_averaged: NDArray[np.int64]
    key: Key
    first_path: int
    stopped: str = ""

    @property
    def n_paths(self) -> int:
        """Number of runs."""
        return len(self.status)

    @property
    def x(self) -> Array:
        """The weights as `Trajectories` has states: (path, time, component), in one dimension (path, time)."""
        return self.w[..., 0] if self.w.shape[-1] == 1 else self.w

    @property
    def n_diverged(self) -> int:
        """Number of runs that blew up."""
        return int((self.status == Status.DIVERGED).sum())

    @property
    def mean(self) -> Any:
        """The mean of the weights over the averaged iterations of all runs that did not diverge (d,); a float in one dimension."""
        means = self._averages()[0]
        mean = self._weights() @ means
        return float(mean[0]) if len(mean) == 1 else mean

    @property
    def covariance(self) -> Any:
        """The covariance of the weights about `mean` over the same (d, d); a float in one dimension."""
        means, covariances = self._averages()
        share, away = self._weights(), means - np.atleast_1d(self.mean)
        total = np.einsum("q,qij->ij", share, covariances) + np.einsum("q,qi,qj->ij", share, away, away)
        return float(total[0, 0]) if len(total) == 1 else total

    @property
    def covariance_error(self) -> Any:
        """The standard error of `covariance`, from the differences between runs (at least two)."""
        means, covariances = self._averages()
        away = means - np.atleast_1d(self.mean)
        each = covariances + away[:, :, None] * away[:, None, :]
        if len(each) < 2:
            raise ValueError("one run says nothing of the error; run at least two, n_paths=2.")
        error = each.std(axis=0, ddof=1) / math.sqrt(len(each))
        return float(error[0, 0]) if error.size == 1 else error

    @property
    def exits(self) -> FirstPassage:
        """When and where runs left the domain.

        Raises
        ------
        ValueError
            If there was no domain.
        """
        if self.domain is None:
            raise ValueError("these runs had no domain to leave; give `domain` to run_sgd.")
        point = self.last[:, 0] if self.last.shape[1] == 1 else self.last
        return FirstPassage(self.time, point, self.label_index, self.labels, self.status, self.key, self.first_path, self.iteration,
                            self.iteration, self.domain, self.iteration.learning_rate, "discrete", self.stopped)

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset with the dimensions path, time and component, and all that describes the runs in its attributes."""
        import xarray
        coords = {"path": np.arange(self.first_path, self.first_path + self.n_paths), "time": self.t,
                  "component": list(self.iteration.variables)}
        data: dict[str, Any] = {"w": (("path", "time", "component"), self.w), "status": ("path", self.status, attributes()),
                                "reached": ("path", self.time)}
        if self.path_mean is not None and self.path_covariance is not None:
            data["mean"] = (("path", "component"), self.path_mean)
            data["covariance"] = (("path", "component", "other"), self.path_covariance)
        about = {**self.iteration.run_attributes(), "key": f"{self.key.value:#034x}", "stopped": self.stopped, "domain": repr(self.domain)}
        return xarray.Dataset(data, coords, about)

    def warn_of_divergence(self) -> None:
        """Warn that runs blew up."""
        if self.n_diverged:
            warnings.warn(f"{self.n_diverged} of {self.n_paths} runs diverged and are left out of every average: the learning rate is too "
                          "large for the curvature of single batches; reduce it, or start closer to the minimum.", RuntimeWarning,
                          stacklevel=3)

    def _averages(self) -> tuple[Array, Array]:
        """Means and covariances of the runs that count."""
        if self.path_mean is None or self.path_covariance is None:
            raise ValueError("these runs were not averaged; give `average_from`, a time from which to average, to run_sgd.")
        kept = self._counted()
        return self.path_mean[kept], self.path_covariance[kept]

    def _counted(self) -> NDArray[np.bool_]:
        kept = (self.status != Status.DIVERGED) & (self.n_averaged > 0)
        if not kept.any():
            raise ValueError("there is nothing to average: every run diverged or ended before `average_from`.")
        return kept

    def _weights(self) -> Array:
        """The share of each run that counts, by its averaged iterations."""
        counts = self.n_averaged[self._counted()]
        return np.asarray(counts / counts.sum())

    def __repr__(self) -> str:
        counts = [(int((self.status == s).sum()), s.name.lower()) for s in Status]
        ends = ", ".join(f"{n} {name}" for n, name in counts if n)
        return (f"SGDRuns({self.n_paths} runs: {ends}; {len(self.t)} times from {self.t[0]:g} to {self.t[-1]:g}, {self.iteration!r}, "
                f"{self.iteration.loss.name}, {self.key})")
