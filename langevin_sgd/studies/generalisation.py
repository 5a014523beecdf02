"""Does noise that is added to large batches generalise as small batches do?  Training loss and excess risk of five ways to train.

The proposal of arXiv:2006.13719, paper-inspired (`theory`, 10): small batches, large ones, and large ones with noise injected that is the
same in every direction, that has the covariance of the batch itself, or a quadratic one about a moving average of the weights.  Problems
are small, without a network, and such that noise is known to matter: more weights than samples, or bad minima.
"""
from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models import noise
from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, finite, positive, whole
from langevin_sgd.models.injection import Injection
from langevin_sgd.models.key import Key
from langevin_sgd.models.sampled import SampledLoss, sampled
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.minibatch import run_sgd
from langevin_sgd.simulation.sgd_runs import SGDRuns
from langevin_sgd.studies.report_text import aligned
from langevin_sgd.studies.training_problems import Problem, matrix_sensing, phase_retrieval, sparse_regression

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

__all__ = ["BatchComparison", "Problem", "compare", "matrix_sensing", "phase_retrieval", "sparse_regression"]

SMALL, LARGE, ISOTROPIC, OF_BATCH, QUADRATIC = ("small batch", "large batch", "large, isotropic noise", "large, noise of the batch",
                                                "large, quadratic noise")
SAVED = 24                      # times, evenly spaced in the logarithm of the iteration
FEWEST_SEEDS = 3


@dataclass(frozen=True, eq=False, repr=False)
class BatchComparison:
    """Training loss and excess risk over data sets; made by `compare`.

    Attributes
    ----------
    names
        Of the ways to train.
    t
        Times (time,), t = learning rate × iterations.
    training, excess
        Loss on the training data, and excess risk, averaged over the runs on each data set (way, seed, time); NaN from where all diverged.
    n_diverged
        Runs that blew up, (way, seed).
    about
        What was compared, in a sentence.
    key
        Of the data and of the runs.
    stopped
        Why it was cut short, or "".
    """

    names: tuple[str, ...]
    t: Array
    training: Array
    excess: Array
    n_diverged: NDArray[np.int64]
    about: str
    key: Key
    stopped: str = ""

    @property
    def n_seeds(self) -> int:
        """Number of data sets."""
        return self.excess.shape[1]

    def band(self, name: str, what: str = "excess", confidence: float = 0.95) -> tuple[Array, Array, Array]:
        """Return the geometric mean over data sets and its interval, (time,) each, of "excess" or "training"."""
        values = getattr(self, what)[self.names.index(name)]
        return _geometric(values, confidence)

    def ratio(self, name: str, to: str = LARGE, what: str = "excess") -> Estimate:
        """Return the last value of one way over that of another, on the same data: the geometric mean over data sets."""
        a, b = (getattr(self, what)[self.names.index(way), :, -1] for way in (name, to))
        both = np.isfinite(a) & np.isfinite(b)
        with np.errstate(divide="ignore", invalid="ignore"):
            value, low, high = (float(v[0]) for v in _geometric((a / b)[both][:, None], 0.95))
        return Estimate(value=value, low=low, high=high, confidence=0.95, method=f"geometric mean over {int(both.sum())} data sets",
                        quantity=f"{what} of {name} over that of {to}", n_diverged=int(self.n_diverged[self.names.index(name)].sum()))

    def table(self) -> str:
        """Return the last values as text."""
        head = ["", "training loss", "excess risk [95 %]", "over that of large batches [95 %]", "diverged"]
        rows = [head]
        for k, name in enumerate(self.names):
            training, (value, low, high) = self.band(name, "training")[0][-1], (v[-1] for v in self.band(name))
            ratio = self.ratio(name)
            rows.append([name, f"{training:.3g}", f"{value:.3g} [{low:.3g}, {high:.3g}]",
                         "" if name == LARGE else f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]", str(self.n_diverged[k].sum())])
        notes = [self.about, f"Geometric means over {self.n_seeds} data sets after t = {self.t[-1]:g}, with their 95 % intervals; runs "
                 "that diverged are left out.", ""]
        return "\n".join([*notes, *aligned(rows), "", *(f"- {line}" for line in self.verdicts()),
                          *([f"Stopped by {self.stopped}: fewer data sets than were asked for."] if self.stopped else [])])

    def verdicts(self) -> list[str]:
        """Return in sentences what helped and what did not."""
        found = []
        for name in self.names:
            if name == LARGE:
                continue
            ratio = self.ratio(name)
            if math.isnan(ratio.value):
                found.append(f"{name}: cannot be held against large batches, for fewer than two data sets have runs of both that did not "
                             "diverge; lower the learning rate")
                continue
            word = "less excess risk than" if ratio.high < 1 else "more excess risk than" if ratio.low > 1 else "not told apart from"
            found.append(f"{name}: {word} large batches (ratio {ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}])")
        return found

    def plot(self) -> Figure:
        """Draw training loss and excess risk over time, with bands (see `plots.draw_generalisation`)."""
        from langevin_sgd.plots.generalisation import draw_generalisation
        return draw_generalisation(self)

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset over (way, seed, time)."""
        import xarray
        dims = ("way", "seed", "time")
        return xarray.Dataset({"training": (dims, self.training), "excess": (dims, self.excess),
                               "n_diverged": (dims[:2], self.n_diverged)},
                              {"way": list(self.names), "seed": np.arange(self.n_seeds), "time": self.t},
                              {"about": self.about, "key": repr(self.key), "clock": "t = learning rate × iterations"})

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__


Make = Callable[[np.random.Generator], Problem]


def compare(problem: Make, *, learning_rate: float, small_batch: int = 1, large_batch: int, n_steps: int, n_seeds: int = 20,
            n_runs: int = 2, average: float = 0.99, rng: Any = None, progress: bool | None = None) -> BatchComparison:
    """Train in five ways on several data sets, and compare training loss and excess risk.

    Parameters
    ----------
    problem
        Makes a `Problem` of a random generator; see `sparse_regression`, `matrix_sensing`, `phase_retrieval`, or write your own.
    learning_rate, n_steps
        η and the number of iterations, the same for all.
    small_batch, large_batch
        B of small and large batches.
    n_seeds
        Data sets, at least 3.
    n_runs
        Runs on each.
    average
        β of the moving average about which the quadratic noise is taken.
    rng, progress
        As for `simulate`.

    Returns
    -------
    BatchComparison
        "small batch"; "large batch"; "large, isotropic noise", whose variance is that of the gradients of single samples, averaged over
        components and over time along the runs with small batches; "large, noise of the batch", normal with the covariance of each batch;
        "large, quadratic noise", component by component, from gradients and Hessians where a run with large batches ends.  All noise is
        what large batches lack to small ones.

    Raises
    ------
    ValueError
        If an argument is not what it should be.

    Notes
    -----
    Source: paper-inspired (arXiv:2006.13719; `theory`, 10).  It shows what happens on these problems, not what must happen.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> seen = ls.generalisation.compare(ls.generalisation.sparse_regression, learning_rate=0.02, large_batch=15, n_steps=300, n_seeds=3,
    ...                                  rng=1, progress=False)
    >>> seen.excess.shape
    (5, 3, 22)
    """
    eta, steps, key = positive("learning_rate", learning_rate), whole("n_steps", n_steps), Key.draw(rng)
    small, large = whole("small_batch", small_batch), whole("large_batch", large_batch, least=2)
    if small >= large:
        raise ValueError(f"`small_batch` is {small} and `large_batch` {large}, but large batches must be larger.")
    count, runs, beta = whole("n_seeds", n_seeds, FEWEST_SEEDS), whole("n_runs", n_runs), finite("average", average)
    saved = np.unique(np.concatenate([[0], np.round(np.geomspace(1, steps, SAVED)).astype(np.int64)]))
    trainer = _Trainer(eta, small, large, steps, runs, beta, saved * eta, progress)
    found, stopped, first = [], "", None
    try:
        for seed in _shown(range(count), progress):
            made = _made(problem, np.random.default_rng(np.random.SeedSequence(key.value, spawn_key=(seed, 0))))
            first = first or made
            found.append(trainer.trained(made, key.spawn(seed, 1)))
    except KeyboardInterrupt:
        stopped = "Ctrl-C"
        if len(found) < FEWEST_SEEDS:
            raise
    assert first is not None, "This is a bug: nothing was trained."
    about = (f"{first.loss!r}; learning rate {eta:g}, {steps} iterations, batches of {small} and of {large}, "
             f"{runs} run{'s' if runs > 1 else ''} on each data set")
    names = tuple(found[0])
    training, excess = (np.array([[each[name][k] for each in found] for name in names]) for k in (0, 1))
    return BatchComparison(names, saved * eta, training, excess, np.array([[each[name][2] for each in found] for name in names]), about,
                           key, stopped)


Trained = dict[str, tuple[Array, Array, int]]


@dataclass(frozen=True)
class _Trainer:
    """The five ways to train."""

    learning_rate: float
    small: int
    large: int
    n_steps: int
    n_runs: int
    average: float
    times: Array
    progress: bool | None

    def trained(self, problem: Problem, key: Key) -> Trained:
        """Training loss (time,), excess risk (time,) and the number of runs that diverged, by way."""
        few, many = self._runs(problem, self.small, None, key.spawn(0)), self._runs(problem, self.large, None, key.spawn(1))
        variance, end = _mean_variance(problem.loss, few), _last(many, problem.start)
        injected = {ISOTROPIC: noise.Constant(variance), OF_BATCH: None, QUADRATIC: noise.from_hessians(problem.loss, end)}
        runs = {SMALL: few, LARGE: many}
        for k, (name, c) in enumerate(injected.items()):
            inject = Injection(c, batch_size=self.small, average=self.average if name == QUADRATIC else None)
            runs[name] = self._runs(problem, self.large, inject, key.spawn(2 + k))
        return {name: (*_curves(problem, each), each.n_diverged) for name, each in runs.items()}

    def _runs(self, problem: Problem, size: int, inject: Injection | None, key: Key) -> SGDRuns:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*diverged.*")           # counted
            return run_sgd(problem.loss, problem.start, learning_rate=self.learning_rate, batch_size=size, n_steps=self.n_steps,
                           inject=inject, t_eval=self.times, n_paths=self.n_runs, rng=key, progress=False)


def _made(problem: Make, generator: np.random.Generator) -> Problem:
    made = problem(generator)
    if not isinstance(made, Problem):
        raise ValueError(f"`problem` returned {made!r}, but must return a Problem(loss, fresh, start) of a random generator.")
    sampled(made.loss, "loss of the problem")
    sampled(made.fresh, "fresh of the problem")
    return made


def _shown(seeds: Sequence[int], progress: bool | None) -> Any:
    """The seeds, with a bar on a terminal."""
    from tqdm import tqdm
    hidden = progress is False or (progress is None and not sys.stderr.isatty())
    return tqdm(seeds, desc="data sets", disable=hidden, leave=False)


def _mean_variance(loss: SampledLoss, runs: SGDRuns) -> float:
    """The variance of the gradients of single samples, averaged over components, over time and over the runs that did not diverge."""
    from scipy.integrate import trapezoid
    kept = runs.w[runs.status != Status.DIVERGED]
    if not len(kept):
        return _variance(loss, runs.w[0, 0])
    over_time = [trapezoid([_variance(loss, w) for w in path], runs.t) for path in kept]         # saved times are not evenly spaced
    return float(np.mean(over_time) / (runs.t[-1] - runs.t[0]))


def _variance(loss: SampledLoss, w: Array) -> float:
    """The variance of the gradients of single samples at one place, averaged over components."""
    return float(loss.sample_gradients(w if loss.dim > 1 else float(w[0])).var(axis=0).mean())


def _last(runs: SGDRuns, start: Array) -> Any:
    """Where a run ended that did not diverge; else where it started."""
    kept = runs.w[runs.status != Status.DIVERGED]
    end = kept[0, -1] if len(kept) else np.asarray(start)
    return end if len(end) > 1 else float(end[0])


def _curves(problem: Problem, runs: SGDRuns) -> tuple[Array, Array]:
    """Training loss and excess risk (time,), averaged over the runs that did not diverge."""
    kept = runs.w[runs.status != Status.DIVERGED]
    if not len(kept):
        return np.full(len(runs.t), math.nan), np.full(len(runs.t), math.nan)
    w = kept if problem.loss.dim > 1 else kept[..., 0]
    return np.asarray(problem.loss(w)).mean(axis=0), np.asarray(problem.fresh(w)).mean(axis=0)


def _geometric(values: Array, confidence: float) -> tuple[Array, Array, Array]:
    """The geometric mean over the first axis and its interval, by Student's t; NaN left out."""
    from scipy.stats import t as student
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)                         # a time at which everything has diverged
        logs = np.log(values)
        count = np.isfinite(logs).sum(axis=0)
        middle = np.nanmean(np.where(np.isfinite(logs), logs, math.nan), axis=0)
        spread = np.nanstd(np.where(np.isfinite(logs), logs, math.nan), axis=0, ddof=1)
        wide = student.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) * spread / np.sqrt(count)
    return np.exp(middle), np.exp(middle - wide), np.exp(middle + wide)
