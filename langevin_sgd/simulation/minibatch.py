"""Minibatch SGD itself, on a loss over data: `run_sgd`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.core import minibatch as kernels
from langevin_sgd.core.batches import compile_batch
from langevin_sgd.core.levels import compile_level
from langevin_sgd.models.arguments import Array, finite, not_negative, numbers, one_of, positive, whole
from langevin_sgd.models.injection import Injection
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.region import Face, Region, Wall, boundary
from langevin_sgd.models.sampled import SampledLoss, sampled
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.clock import Clock
from langevin_sgd.simulation.ensemble import NOT_STARTED, available_cores, initial_states, run_chunks, shown, warn_of_stop
from langevin_sgd.simulation.injection import prepared
from langevin_sgd.simulation.sgd_runs import Iteration, SGDRuns

LARGEST_BOUNDED = 64            # weights of a path that a region is compiled for
MOST_STEPS = 2**53              # beyond which times are no longer told apart

Schedule = float | Sequence[float] | Callable[[int], float]


def run_sgd(loss: SampledLoss, w0: ArrayLike | CriticalPoint, *, learning_rate: Schedule, batch_size: int, n_steps: int,
            sampling: str = "iid", momentum: float = 0.0, weight_decay: float = 0.0, domain: Region | None = None,
            inject: Injection | None = None, t_eval: ArrayLike | None = None, average_from: float | None = None,
            average_every: int = 1, n_paths: int | None = None,
            first_path: int = 0, rng: Any = None, max_seconds: float | None = None, threads: int | None = None,
            progress: bool | None = None) -> SGDRuns:
    """Run real minibatch SGD, an ensemble of runs: m ← μ m + (g_B + n + γ w), w ← w − η m.

    Parameters
    ----------
    loss
        A loss over data, one of `langevin_sgd.losses`, or your own.
    w0
        Weights from which all runs start, or a `CriticalPoint`, or weights for each run (path, d); in one dimension a number, or (path,).
    learning_rate
        η: a number, one for each step (n_steps,), or a function of the step 0, 1, ...
    batch_size
        B.
    n_steps
        The number of iterations; a run that has left the domain ends earlier.
    sampling
        "iid": every sample of a batch is drawn anew from all N; "without": without replacement within a batch; "reshuffle": each epoch goes
        once through all samples in a new order, floor(N / B) batches, and what is left over is left out.
    momentum, weight_decay
        μ and γ.
    domain
        A region: a run ends when it is first outside after an iteration; one that starts on the boundary, at once.
    inject
        Noise n that is added to the gradient of every batch, an `Injection`; none if None.
    t_eval
        Times to save, t = Σ η: each must be that of an iteration (to 1e-9 η); about 101 evenly spaced in iterations if None.
    average_from, average_every
        Average the weights and their products over the iterations after this time, every so many: `SGDRuns.mean` and `covariance`.
    n_paths
        Number of runs from one start; 1000 if None.
    first_path, rng, threads, progress
        As for `simulate`: run q draws from stream (key, q), so that its bits depend on nothing else.
    max_seconds
        A budget of wall time; what is unfinished then is marked as stopped.

    Returns
    -------
    SGDRuns
        Weights at the saved times, averages, and with a domain the exits.

    Raises
    ------
    ValueError
        If an argument is not what it should be; the message says which.

    Examples
    --------
    The spread of SGD about the minimum of a regression, and the exact recursion of its moments.

    >>> import langevin_sgd as ls
    >>> x, y = ls.losses.generate(200, weights=[1.0], label_noise=0.5, rng=1)
    >>> loss = ls.losses.linear_regression(x, y)
    >>> runs = ls.run_sgd(loss, loss.minimum(0.0).x, learning_rate=0.05, batch_size=5, n_steps=4000, average_from=20.0, n_paths=200, rng=2)
    >>> runs.covariance
    0.00178...
    >>> ls.theory.minibatch_moments(loss, learning_rate=0.05, batch_size=5).covariance
    array([[0.00178...]])
    """
    sampled(loss)
    steps, key, first = whole("n_steps", n_steps), Key.draw(rng), whole("first_path", first_path, 0)
    if steps > MOST_STEPS or first > MOST_STEPS:
        raise ValueError(f"`n_steps` is {steps} and `first_path` {first}, but both must be at most 2^53.")
    rates = _rates(learning_rate, steps)
    size = _batch_size(batch_size, loss, one_of("sampling", sampling, kernels_of_sampling()))
    mu, decay = finite("momentum", momentum), not_negative("weight_decay", weight_decay)
    if not 0 <= mu < 1:
        raise ValueError(f"`momentum` is {mu:g}, but must be at least 0 and below 1.")
    clock = Clock(rates, steps)
    start, count = initial_states(w0, loss.dim, n_paths, "w0")
    walls = _walls(domain, loss)
    save = clock.to_save(t_eval)
    average = None if average_from is None else clock.average_from(finite("average_from", average_from))
    iteration = Iteration(loss, rates, size, sampling, mu, decay, inject)
    run = Run(iteration, steps, walls, save, average, whole("average_every", average_every), key)
    run.check_inside(start)
    budget = None if max_seconds is None else positive("max_seconds", max_seconds)
    columns = run(start, count, first, threads=threads, progress=progress, max_seconds=budget)
    unfinished = int((columns.status == Status.STOPPED).sum())
    warn_of_stop(columns.stopped, unfinished, count)
    result = columns.with_starts_on_boundary(run).result(run, clock, domain, first)
    result.warn_of_divergence()
    return result


def kernels_of_sampling() -> dict[str, int]:
    """Return the ways of drawing batches, as kernels know them."""
    return {"iid": kernels.IID, "without": kernels.WITHOUT, "reshuffle": kernels.RESHUFFLE}


@dataclass(frozen=True)
class Columns:
    """What the kernels give: one entry for each path."""

    x: Array
    mean: Array
    covariance: Array
    n_averaged: NDArray[np.int64]
    last: Array
    status: NDArray[np.uint8]
    steps: NDArray[np.int64]
    start: Array
    stopped: str

    def with_starts_on_boundary(self, run: Run) -> Columns:
        """Let runs that start exactly on the boundary have left at time 0, where they started."""
        starts = np.broadcast_to(self.start, self.last.shape)
        there = np.broadcast_to(run.level(self.start) == 0, len(starts))
        self.status[there], self.steps[there], self.n_averaged[there], self.last[there] = Status.EXITED, 0, 0, starts[there]
        self.x[np.ix_(there, run.save > 0)] = np.nan
        for average in (self.mean, self.covariance):
            average[there[:len(average)]] = np.nan
        return self

    def result(self, run: Run, clock: Clock, domain: Region | None, first_path: int) -> SGDRuns:
        """Return the columns as a result."""
        mean, covariance = (self.mean, self.covariance) if run.average is not None else (None, None)
        labels, label = run.labels(self.last, self.status)
        return SGDRuns(
            t=clock.at(run.save), w=self.x, status=self.status, time=clock.at(self.steps), last=self.last, iteration=run.iteration,
            domain=domain, labels=labels, label_index=label, key=run.key, first_path=first_path, stopped=self.stopped,
            path_mean=mean, path_covariance=covariance, n_averaged=self.n_averaged)


@dataclass(frozen=True, eq=False)
class Run:
    """All that an ensemble needs to run.

    Attributes
    ----------
    iteration
        What SGD does in a step.
    n_steps
        How many steps.
    walls
        The region that ends a path; none for none.
    save
        Steps after which weights are saved.
    average, average_every
        Step after which averages begin (None for none), and every how many steps.
    key
        Of the ensemble.
    """

    iteration: Iteration
    n_steps: int
    walls: tuple[Wall, ...]
    save: NDArray[np.int64]
    average: int | None
    average_every: int
    key: Key

    def __call__(self, start: Array, n_paths: int, first_path: int, *, threads: int | None = None, progress: bool | None = None,
                 max_seconds: float | None = None, chunks: int | None = None) -> Columns:
        """Run the paths first_path ... first_path + n_paths - 1."""
        made, loss = self.iteration, self.iteration.loss
        d, in_lanes = loss.dim, loss.dim <= kernels.LARGEST_IN_LANES
        rows, added = loss.data if in_lanes else loss.rows, prepared(made.inject, loss, made.batch_size, made.sampling, start)
        batch = compile_batch(loss.adding_function, d, loss.data.shape[1], len(loss.p), lanes=in_lanes, stride=rows.shape[1],
                              injected=added.noise)
        names, values = _parameters(self.walls)
        scalar = tuple(tuple(face.level.scalar(names) for face in wall) for wall in self.walls)
        level = compile_level(scalar, d, len(names), lanes=in_lanes)
        kernel = kernels.lane_kernel() if in_lanes else kernels.path_kernel()
        settings, real = self._settings(), np.concatenate([[made.momentum, made.weight_decay, added.kept], added.reference, added.offset])
        settings[kernels.NORMALS] = added.normals(d, made.batch_size)
        size = n_paths if self.average is not None else 0
        x, last = np.empty((n_paths, len(self.save), d)), np.empty((n_paths, d))
        last[:] = start
        mean, covariance = np.full((size, d), np.nan), np.zeros((size, d, d))
        status, steps, averaged = np.full(n_paths, NOT_STARTED, np.uint8), np.zeros(n_paths, np.int64), np.zeros(n_paths, np.int64)
        low, high = self.key.words

        def chunk(first: int, last_path: int, control: NDArray[np.int64], slot: int) -> None:
            kernel(start, first, last_path, first_path, low, high, settings, real, made.rates, batch, rows, loss.p, added.numbers, level,
                   values, self.save, x, mean, last, covariance, averaged, status, steps, control, slot)

        if not in_lanes and chunks is None:
            workers = available_cores() if threads is None else whole("threads", threads)
            chunks = max(1, min(workers, n_paths))
        total = n_paths * self.n_steps
        control = run_chunks(chunk, n_paths, threads=threads, chunks=chunks, max_seconds=max_seconds, done=lambda c: c.steps / total,
                             progress=progress, title="runs of SGD")
        never = status == NOT_STARTED
        status[never], x[never], covariance[never[:size]] = Status.STOPPED, np.nan, np.nan
        return Columns(x, mean, covariance, averaged, last, status, steps, start, control.reason)

    def _settings(self) -> NDArray[np.int64]:
        settings = np.zeros(kernels.N_SETTINGS, np.int64)
        settings[kernels.N_STEPS], settings[kernels.N_SAMPLES] = self.n_steps, self.iteration.loss.n_samples
        settings[kernels.BATCH_SIZE] = self.iteration.batch_size
        settings[kernels.SAMPLING] = kernels_of_sampling()[self.iteration.sampling]
        settings[kernels.DIM], settings[kernels.BOUNDED] = self.iteration.loss.dim, bool(self.walls)
        settings[kernels.AVERAGED] = self.average is not None
        settings[kernels.AVERAGE_FROM], settings[kernels.AVERAGE_EVERY] = self.average or 0, self.average_every
        return settings

    def level(self, w: Array) -> Array:
        """Return the level of the region at weights (path, d): positive inside, 0 on the boundary."""
        names, values = _parameters(self.walls)
        walls = [np.max([face.level.vector(names)(w, 0.0, tuple(values)) for face in wall], axis=0) for wall in self.walls]
        return np.min(walls, axis=0) if walls else np.full(len(w), np.inf)

    def check_inside(self, start: Array) -> None:
        """Refuse starts (path, d) beyond the boundary."""
        beyond = ~(self.level(start) >= 0)
        if beyond.any():
            k = int(np.argmax(beyond))
            raise ValueError(f"`w0`{f' of path {k}' if len(start) > 1 else ''}, {shown(start[k])}, is not inside `domain`: start inside.")

    def labels(self, last: Array, status: NDArray[np.uint8]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Return the labels of all faces, and of each path the index of the one that it crossed, −1 for none: the lowest wall's highest."""
        labels = tuple(face.label for wall in self.walls for face in wall)
        index = np.full(len(status), -1, np.int64)
        left = np.flatnonzero(status == Status.EXITED)
        if len(left):
            names, values = _parameters(self.walls)
            levels = [np.stack([face.level.vector(names)(last[left], 0.0, tuple(values)) for face in wall]) for wall in self.walls]
            lowest = np.argmin([wall.max(axis=0) for wall in levels], axis=0)
            offsets = np.cumsum([0, *(len(wall) for wall in self.walls)])
            faces = np.stack([wall.argmax(axis=0) for wall in levels])
            index[left] = offsets[lowest] + faces[lowest, np.arange(len(left))]
        return labels, index


def _parameters(walls: tuple[Wall, ...]) -> tuple[tuple[str, ...], Array]:
    """The parameters of a region, by name and value."""
    values: dict[str, float] = {}
    for face in _faces(walls):
        for name, value in face.values.items():
            if values.setdefault(name, value) != value:
                raise ValueError(f"the parameter `{name}` has the value {values[name]:g} in one place of the region and {value:g} in "
                                 "another; one name has one value.")
    for face in _faces(walls):
        for name in face.level.parameters:
            if name not in values:
                raise ValueError(f"the region has the parameter `{name}` without a value; give it by keyword, {name}=...")
    return tuple(values), np.array(list(values.values()) or [0.0])


def _faces(walls: tuple[Wall, ...]) -> list[Face]:
    return [face for wall in walls for face in wall]


def _walls(domain: Region | None, loss: SampledLoss) -> tuple[Wall, ...]:
    """The walls of a region."""
    if domain is None:
        return ()
    if not isinstance(domain, Region):
        raise ValueError(f"`domain` is {domain!r}, but must be a region such as ls.Interval(low, high) or ls.Ball(center, radius).")
    if domain.reflections:
        raise ValueError(f"`domain` is {domain!r}, but SGD does not reflect: leave out `reflect`.")
    if loss.dim > LARGEST_BOUNDED:
        raise ValueError(f"`domain` is given, but the loss has {loss.dim} weights, and regions are compiled for up to {LARGEST_BOUNDED}; "
                         "run without one, save weights and look at them.")
    walls = boundary(domain, loss.variables)
    if not walls:
        raise ValueError(f"`domain` is {domain!r}, which has no boundary that a run could leave through; leave it out.")
    return walls


def _rates(learning_rate: Any, n_steps: int) -> Array:
    """The learning rate of each step (n_steps,), or of all (1,)."""
    if callable(learning_rate):
        learning_rate = [learning_rate(k) for k in range(n_steps)]
    rates = numbers("learning_rate", learning_rate)
    if rates.ndim and rates.shape != (n_steps,):
        raise ValueError(f"`learning_rate` has shape {rates.shape}, but must be a number, one for each of {n_steps} steps, or a function "
                         "of the step.")
    rates = np.atleast_1d(rates)
    if (rates < 0).any() or not rates[0] > 0:
        raise ValueError(f"`learning_rate` is {float(rates.min()):g} somewhere, but must be positive; later ones may be zero.")
    return np.ascontiguousarray(rates)


def _batch_size(batch_size: Any, loss: SampledLoss, sampling: str) -> int:
    size = whole("batch_size", batch_size)
    if sampling != "iid" and size > loss.n_samples:
        raise ValueError(f"`batch_size` is {size}, but there are {loss.n_samples} samples, and {sampling!r} draws no sample twice; take "
                         "sampling='iid' or smaller batches.")
    return size
