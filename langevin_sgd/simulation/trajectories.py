"""Ensembles of paths over a time span: `simulate` and `Trajectories`."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.core.kernels import horizon_kernel
from langevin_sgd.models.arguments import Array, finite, numbers, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.sde import SDE
from langevin_sgd.models.status import Status, attributes
from langevin_sgd.simulation.assembly import LARGEST, assemble, check_ingredients
from langevin_sgd.simulation.ensemble import NOT_STARTED, check_covariance, initial_states, run_chunks, warn_of_divergence, warn_of_stop
from langevin_sgd.simulation.exact_linear import ExactLinear
from langevin_sgd.simulation.linear import LinearStep, linear_equation
from langevin_sgd.simulation.parts import WITNESSED_STEPS, run_parts
from langevin_sgd.simulation.quasi_stationary import QuasiStationary
from langevin_sgd.simulation.schemes import EulerMaruyama, Scheme

if TYPE_CHECKING:
    import xarray

SAVED = 101             # times that are saved if none are asked for


@dataclass(frozen=True, eq=False)
class Trajectories:
    """An ensemble of paths, seen at some times.

    Attributes
    ----------
    t
        The times (time,).
    x
        The states (path, time, component); in one dimension (path, time).  NaN where a path has diverged or was cut short.
    status
        How each path ended (path,), see `Status`.
    reached
        The time that each path reached (path,); of a path that diverged, a time by which it had.
    key, first_path
        The key of the ensemble, and the index of its first path: what is needed to run any part of it again.
    sde, scheme, dt
        What was run.
    stopped
        Why the run was cut short, or "".
    start
        What the starts were drawn from, if they were not given; else "".
    """

    t: Array
    x: Array
    status: NDArray[np.uint8]
    reached: Array
    key: Key
    first_path: int
    sde: SDE
    scheme: Scheme
    dt: float
    stopped: str = ""
    start: str = ""

    @property
    def n_paths(self) -> int:
        """Number of paths."""
        return len(self.x)

    @property
    def n_diverged(self) -> int:
        """Number of paths that blew up."""
        return int((self.status == Status.DIVERGED).sum())

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset with the dimensions path, time (and component), and all that describes the run in its attributes."""
        import xarray
        dims = ("path", "time") if self.x.ndim == 2 else ("path", "time", "component")
        coords: dict[str, Any] = {"path": np.arange(self.first_path, self.first_path + self.n_paths), "time": self.t}
        if self.x.ndim == 3:
            coords["component"] = list(self.sde.variables)
        about = {**run_attributes(self.sde, self.scheme, self.dt, self.key, self.stopped), "start": self.start}
        return xarray.Dataset({"x": (dims, self.x), "status": ("path", self.status, attributes()), "reached": ("path", self.reached)},
                              coords, about)

    def __repr__(self) -> str:
        cut = f", stopped by {self.stopped}" if self.stopped else ""
        diverged = f", {self.n_diverged} diverged" if self.n_diverged else ""
        return (f"Trajectories({self.n_paths} paths, {len(self.t)} times from {self.t[0]:g} to {self.t[-1]:g}, dt = {self.dt:g}, "
                f"{self.sde.interpretation.label}, {self.scheme}{diverged}{cut}, {self.key})")


def simulate(sde: SDE, x0: ArrayLike | QuasiStationary, t_span: Sequence[float] = (0, 10), dt: float = 1e-3, n_paths: int | None = None,
             t_eval: ArrayLike | None = None, scheme: Scheme | None = None, first_path: int = 0, rng: Any = None,
             threads: int | None = None, executor: Executor | None = None, progress: bool | None = None) -> Trajectories:
    """Simulate an ensemble of paths over a time span.

    Parameters
    ----------
    sde
        The equation: of up to 16 components, or of any number where the drift is F x + a and the noise a constant matrix.
    x0
        One state (a number, or d of them) from which all paths start, a state for each path: (path,) in one dimension, (path, d), or a
        `QuasiStationary` law to draw them from.
    t_span
        First and last time; the last must be a whole number of steps after the first.
    dt
        The time step.
    n_paths
        Number of paths from one state; 1000 if None.
    t_eval
        Times to save, on the grid of steps (to 1e-9 dt); about 101 equally spaced ones if None.
    scheme
        `EulerMaruyama` if None.
    first_path
        Index of the first path: a part of a larger ensemble run alone, with the same bits.
    rng
        None, an int, a Generator, ..., or the key of an earlier result.
    threads, executor
        Number of threads (all cores if None); or an executor on which parts of the ensemble run, one thread each unless `threads` says
        otherwise.  Neither changes any bits.
    progress
        Show progress: True, False, or None for when it takes long and there is a terminal.

    Returns
    -------
    Trajectories
        Memory does not depend on the number of steps.  On Ctrl-C, all that was computed.

    Raises
    ------
    ValueError
        If an argument is not what it should be; the message says which.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> runs = ls.simulate(ls.systems.ornstein_uhlenbeck(), 0.0, (0, 5), dt=0.01, n_paths=4000, rng=1)
    >>> runs.x.shape, round(float(runs.x[:, -1].var()), 1)
    ((4000, 101), 1.0)
    """
    check_ingredients(sde, scheme, executor)
    start, end = _time_span(t_span)
    h, scheme, key = positive("dt", dt), scheme or EulerMaruyama(), Key.draw(rng)
    save, first, drawn_from = _steps_to_save(start, end, h, t_eval), whole("first_path", first_path, 0), ""
    if isinstance(x0, QuasiStationary):
        drawn_from = repr(x0)
        x0 = x0.drawn(sde, h, whole("n_paths", 1000 if n_paths is None else n_paths), first, key, scheme=scheme, threads=threads)
        n_paths = None
    states, count = initial_states(x0, sde.dim, n_paths)
    check_covariance(sde.covariance, sde.values, states, start)
    times = start + save * h
    if executor is not None:
        run = functools.partial(_run, sde, scheme, start, h, save, key, threads=threads or 1, progress=False)
        witness = functools.partial(_witness, sde, scheme, start, h, key, states[:1])
        parts, reason = run_parts(executor, run, functools.partial(_nothing, len(save), sde.dim), witness, states, count, first)
        x, status, reached = (np.concatenate(arrays) for arrays in zip(*(p[:3] for p in parts), strict=True))
        stopped = next((p[3] for p in parts if p[3]), reason)
    else:
        x, status, reached, stopped = _run(sde, scheme, start, h, save, key, states, count, first, threads=threads, progress=progress)
    warn_of_divergence(int((status == Status.DIVERGED).sum()), count, h)
    warn_of_stop(stopped, int((status == Status.STOPPED).sum()), count)
    return Trajectories(times, x[..., 0] if sde.dim == 1 else x, status, start + reached * h, key, first, sde, scheme, h, stopped,
                        drawn_from)


Columns = tuple[Array, NDArray[np.uint8], NDArray[np.int64], str]


def _run(sde: SDE, scheme: Scheme, start: float, h: float, save: NDArray[np.int64], key: Key, x0: Array, n_paths: int, first_path: int, *,
         threads: int | None, progress: bool | None, chunks: int | None = None) -> Columns:
    """Run the paths first_path ... first_path + n_paths - 1."""
    out, reached = np.empty((n_paths, len(save), sde.dim)), np.zeros(n_paths, np.int64)
    status = np.full(n_paths, NOT_STARTED, np.uint8)
    run = _by_matrix(sde, scheme, h) or _by_compiled_step(sde, scheme, start, h)

    def chunk(first: int, last: int, control: NDArray[np.int64], slot: int) -> None:
        run(x0, first, last, first_path, save, key, out, status, reached, control, slot)

    total = n_paths * max(int(save[-1]), 1)
    control = run_chunks(chunk, n_paths, threads=threads, chunks=chunks, done=lambda c: c.steps / total, progress=progress)
    return out, status, reached, control.reason


def _by_compiled_step(sde: SDE, scheme: Scheme, start: float, h: float) -> Callable[..., None]:
    """The kernel with the step of the equation: up to 16 components."""
    made, kernel = assemble(sde, scheme), horizon_kernel(sde.dim)

    def run(x0: Array, first: int, last: int, first_path: int, save: NDArray[np.int64], key: Key, *results: Any) -> None:
        kernel(x0, first, last, first_path, h, start, save, *key.words, made.p, made.matrix, made.step, *results)
    return run


def _by_matrix(sde: SDE, scheme: Scheme, h: float) -> Callable[..., None] | None:
    """The kernel of linear equations, for more components and for exact steps; None where neither is asked for."""
    if sde.dim <= LARGEST and not isinstance(scheme, ExactLinear):
        return None
    linear_map = getattr(scheme, "linear_map", None)
    if linear_map is None:
        raise ValueError(f"{scheme} steps up to {LARGEST} components, but the equation has {sde.dim}; use scheme=EulerMaruyama() or "
                         "ExactLinear().")
    needed_by = "ExactLinear needs" if sde.dim <= LARGEST else f"{sde.dim} components, more than {LARGEST}, need"
    return LinearStep.of(linear_map(linear_equation(sde, needed_by), h)).run


def _witness(sde: SDE, scheme: Scheme, start: float, h: float, key: Key, x0: Array) -> bytes:
    """Return the bits of a short path."""
    return _run(sde, scheme, start, h, np.array([WITNESSED_STEPS]), key, x0, 1, 0, threads=1, progress=False)[0].tobytes()


def _nothing(n_times: int, dim: int, n_paths: int) -> Columns:
    """The columns of paths that were never run."""
    return (np.full((n_paths, n_times, dim), np.nan), np.full(n_paths, Status.STOPPED, np.uint8), np.zeros(n_paths, np.int64), "")


def _time_span(t_span: Sequence[float]) -> tuple[float, float]:
    span = numbers("t_span", t_span)
    if span.shape != (2,) or not span[0] < span[1]:
        raise ValueError(f"`t_span` is {t_span!r}, but must be (first time, last time), in this order.")
    return float(span[0]), float(span[1])


def _steps_to_save(start: float, end: float, h: float, t_eval: ArrayLike | None) -> NDArray[np.int64]:
    """The steps after which states are saved."""
    last = int(_on_grid("t_span", np.array([end]), start, h)[0])
    if t_eval is None:
        return np.unique(np.round(np.linspace(0, last, min(SAVED, last + 1))).astype(np.int64))
    times = np.atleast_1d(numbers("t_eval", t_eval))
    if times.ndim != 1 or not len(times) or (np.diff(times) <= 0).any():
        raise ValueError("`t_eval` must be a list of increasing times.")
    if times[0] < start - 1e-9 * h or times[-1] > end + 1e-9 * h:
        raise ValueError(f"`t_eval` runs from {times[0]:g} to {times[-1]:g}, beyond `t_span`, from {start:g} to {end:g}.")
    return _on_grid("t_eval", times, start, h)


def _on_grid(name: str, times: Array, start: float, h: float) -> NDArray[np.int64]:
    """The number of steps to each time, or an error that names the nearest time on the grid."""
    steps = (times - start) / h
    nearest = np.round(steps)
    off = np.abs(steps - nearest) > 1e-9 + 8 * math.ulp(1.0) * np.abs(steps)
    if off.any():
        k = int(np.argmax(off))
        raise ValueError(f"`{name}` holds the time {float(times[k])!r}, which is not a whole number of steps dt = {h:g} after {start:g}; "
                         f"the nearest that is: {start + float(nearest[k]) * h!r}.")
    return nearest.astype(np.int64)


def run_attributes(sde: SDE, scheme: Scheme, dt: float, key: Key, stopped: str) -> dict[str, Any]:
    """Return the attributes with which a Dataset says how it came about."""
    from importlib.metadata import version
    return {"equation": repr(sde), "interpretation": str(sde.interpretation), "strength": finite("strength", sde.strength.value),
            "scheme": repr(scheme), "dt": dt, "key": f"{key.value:#034x}", "stopped": stopped,
            "langevin_sgd": version("langevin_sgd"), "numba": version("numba"), "numpy": np.__version__}
