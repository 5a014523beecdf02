"""Drift and diffusion from trajectories alone: the first two moments of increments, without the bias that their length brings."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, one_of, positive, whole
from langevin_sgd.models.noise_families import Quadratic
from langevin_sgd.models.weighted_fits import reweighted

FEWEST = 30                     # increments in a bin that says anything
LEAST = 0.1                     # of the variance without overlaps: what overlaps take away is itself uncertain


def from_trajectories(x: Any, dt: float | None = None, *, bins: ArrayLike | int = 24, process: str = "chain",
                      lag: int = 1) -> MeasuredDynamics:
    """Estimate drift and diffusion from trajectories alone, in one dimension (Kramers and Moyal).

    Parameters
    ----------
    x
        Trajectories: an array (path, time), or the result of `simulate` or `run_sgd`; NaN where a path has ended.
    dt
        The time between two states, for arrays.
    bins
        Their number or their edges.
    process
        "chain": the steps are the process itself, as the iterations of SGD are, each of which must be saved; then mean and variance of a
        step are the drift and the diffusion, without bias.  "diffusion": the states are samples of a continuous path; then both are
        biased in proportion to the time between them, which is taken away by looking over twice the time as well.
    lag
        The number of steps that an increment spans; the standard errors allow for the overlap of increments.

    Returns
    -------
    MeasuredDynamics
        Drift and diffusion in each bin with their standard errors; ``.noise(strength)`` is a noise that `langevin_sgd.sgd` takes.

    Raises
    ------
    ValueError
        For shapes that do not fit, times that are not even, runs of SGD of which not each iteration was saved, and too few increments.

    Notes
    -----
    Source: J. Gottschall & J. Peinke, New J. Phys. 10, 083034 (2008), for the bias of finite times.  D is half the *variance* of an
    increment over its time, without the square of the drift, and about a line within each bin.  For SGD in the clock t, D = η C / (2 B).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> runs = ls.simulate(ls.systems.ornstein_uhlenbeck(), 0.0, (0, 20), dt=0.02, n_paths=400, t_eval=[0.2 * k for k in range(101)], rng=1)
    >>> found = ls.noise.from_trajectories(runs, process="diffusion")
    >>> value, slope = found.fit_drift()
    >>> round(slope, 1), round(float(found.noise(strength=2.0).constant), 1)
    (-1.0, 1.0)
    """
    paths, step = _paths(x, dt)
    k, kind = whole("lag", lag), one_of("process", process, ("chain", "diffusion"))
    if kind == "chain" and hasattr(x, "iteration"):
        _refuse_skipped_iterations(x, step)
    lags = (k, 2 * k) if kind == "diffusion" else (k,)
    if paths.shape[1] <= max(lags):
        raise ValueError(f"`x` has {paths.shape[1]} times, but increments over {max(lags)} steps need more.")
    bins_of, n = _binned(paths, _edges(paths[np.isfinite(paths)], bins))
    near = _moments(paths, bins_of, n, k, k * step)
    drift, diffusion, drift_part, diffusion_part, enough = near.drift, near.diffusion, near.drift_part, near.diffusion_part, near.count
    if kind == "diffusion":
        # Both moments are off by a multiple of the time between, which twice the time has twice.
        far = _moments(paths, bins_of, n, 2 * k, 2 * k * step)
        drift, diffusion = 2 * drift - far.drift, 2 * diffusion - far.diffusion
        drift_part, diffusion_part = 2 * drift_part - far.drift_part, 2 * diffusion_part - far.diffusion_part
        enough = np.minimum(enough, far.count)
    kept = enough >= FEWEST
    if not kept.any():
        raise ValueError(f"no bin holds {FEWEST} increments: give more trajectories, or fewer `bins`.")
    count = near.count[kept]
    # Two and four degrees of freedom are gone with the line and the variance about it, the latter for normal increments.
    drift_error = np.sqrt(_variance_of_sum(drift_part, bins_of, n, max(lags))[kept] * count / (count - 2))
    diffusion_error = np.sqrt(_variance_of_sum(diffusion_part, bins_of, n, max(lags))[kept] * count / (count - 4))
    return MeasuredDynamics(near.mean[kept], drift[kept], drift_error, diffusion[kept], diffusion_error, count.astype(np.int64),
                            near.square[kept], kind, k * step)


@dataclass(frozen=True, eq=False)
class MeasuredDynamics:
    """Drift b(x) and diffusion D(x) in bins, from trajectories.

    Attributes
    ----------
    x
        The mean state of each bin (n,).
    drift, drift_error
        b there, and its standard error.
    diffusion, diffusion_error
        D there, and its standard error: half the variance of an increment about its mean, over its time.
    count
        Increments in each bin.
    square
        The mean of x² in each bin, for fits that allow for the width of the bins.
    process
        "chain": b and D of the steps as they are; "diffusion": of the equation behind samples of a continuous path.
    interval
        The time between the ends of an increment.
    """

    x: Array
    drift: Array
    drift_error: Array
    diffusion: Array
    diffusion_error: Array
    count: Any
    square: Array
    process: str
    interval: float

    def noise(self, strength: float, center: float = 0.0) -> Quadratic:
        """Return the quadratic C = 2 D / ε that fits the diffusion best, as a noise of the library; a constant where a parabola would fall.

        Parameters
        ----------
        strength
            ε of the equation that it is for: learning rate / batch size.
        center
            The point about which the quadratic is written.

        Raises
        ------
        ValueError
            If fewer than three bins hold enough increments.
        """
        epsilon = positive("strength", strength)
        first, second = self.x - center, self.square - 2 * center * self.x + center * center
        design, weight, c = np.column_stack([np.ones_like(first), 2 * first, second]), np.sqrt(self.count), 2 * self.diffusion / epsilon
        if len(first) < 3:
            raise ValueError(f"{len(first)} bins hold enough increments, but a quadratic needs three; give more trajectories.")
        g, gh, h = reweighted(_linear, design, c, weight)
        if h <= 0 or g <= 0:
            return Quadratic(float(_linear(design[:, :1], c, weight)[0]), 0.0, 0.0, center)
        return Quadratic(float(g), float(np.clip(gh, -np.sqrt(g * h), np.sqrt(g * h))), float(h), center)

    def fit_drift(self, center: float = 0.0) -> tuple[float, float]:
        """Return the value and the slope of the line that fits the drift best, at the centre: b ≈ value + slope (x − center)."""
        first = self.x - center
        design = np.column_stack([np.ones_like(first), first]) / self.drift_error[:, None]
        value, slope = np.linalg.lstsq(design, self.drift / self.drift_error, rcond=None)[0]
        return float(value), float(slope)

    def __repr__(self) -> str:
        return (f"MeasuredDynamics({len(self.x)} bins from {self.x[0]:g} to {self.x[-1]:g}, {int(self.count.sum())} increments over "
                f"{self.interval:g}, {self.process})")


def _linear(design: Array, values: Array, weight: Array) -> Array:
    return np.asarray(np.linalg.lstsq(design * weight[:, None], values * weight, rcond=None)[0])


def _paths(x: Any, dt: float | None) -> tuple[Array, float]:
    """Trajectories (path, time), and the time between two states."""
    if hasattr(x, "x") and hasattr(x, "t"):
        times, values = np.asarray(x.t), np.asarray(x.x)
        gaps = np.diff(times)
        if dt is not None:
            raise ValueError("`dt` is given, but the trajectories know their times; leave it out.")
        if len(gaps) == 0 or np.ptp(gaps) > 1e-9 * gaps.max():
            raise ValueError("`x` holds trajectories whose times are not evenly spaced; save them with an even `t_eval`.")
        step = float(gaps.mean())
    else:
        if dt is None:
            raise ValueError("`dt` is missing: arrays need the time between two states.")
        values, step = _floats(x), positive("dt", dt)
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise ValueError(f"`x` has shape {values.shape}, but drift and diffusion are estimated for one component: give (path, time).")
    if not np.isfinite(values).any():
        raise ValueError(f"`x` has shape {values.shape} and holds no state; give trajectories that have not ended at once.")
    return values, step


def _floats(x: Any) -> Array:
    """An array of numbers, NaN where a path has ended."""
    try:
        ended = np.isnan(np.asarray(x, dtype=float))
    except (TypeError, ValueError):
        raise ValueError(f"`x` is {x!r}, but must be trajectories (path, time) of numbers in one shape, NaN where a path has ended, or the "
                         "result of `simulate` or `run_sgd`.") from None
    values = numbers("x", np.where(ended, 0.0, x)) if ended.ndim else np.float64(0)
    return np.where(ended, np.nan, values)


def _refuse_skipped_iterations(x: Any, step: float) -> None:
    """Runs of SGD know their learning rates: steps between states that lie further apart are not its steps."""
    rates = np.asarray(x.iteration.rates)
    if np.allclose(rates, step, rtol=1e-6):
        return
    if np.ptp(rates) > 0:
        raise ValueError("`x` holds runs of SGD whose learning rate changes, so that they have no one drift and diffusion; run them with "
                         "one learning rate.")
    raise ValueError(f"`x` holds runs of SGD of which every {step / rates[0]:.0f}th iteration was saved, but `process` is 'chain', for "
                     f"which each must be: run them with t_eval={rates[0]:g} * np.arange(n_steps + 1).")


def _edges(values: Array, bins: ArrayLike | int) -> Array:
    if np.ndim(bins) == 0:
        low, high = np.quantile(values, [0.001, 0.999])
        edges = np.linspace(low, high, whole("bins", bins) + 1)
    else:
        edges = numbers("bins", bins)
    if edges.ndim != 1 or len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("`bins` must be a number of bins, or their increasing edges; do the states differ at all?")
    return edges


def _binned(paths: Array, edges: Array) -> tuple[Any, int]:
    """The bin of each state (path, time), −1 where it is in none, and how many bins there are."""
    inside = np.isfinite(paths) & (paths >= edges[0]) & (paths < edges[-1])
    return np.where(inside, np.searchsorted(edges, np.where(inside, paths, edges[0]), side="right") - 1, -1), len(edges) - 1


@dataclass(frozen=True, eq=False)
class _Moments:
    """For each bin count, mean of x and of x², drift and diffusion; for each state what its increment adds to the errors of these two."""

    count: Array
    mean: Array
    square: Array
    drift: Array
    diffusion: Array
    drift_part: Array
    diffusion_part: Array


def _moments(paths: Array, bins_of: Any, n: int, lag: int, time: float) -> _Moments:
    """Moments of increments over a lag.

    Increments are taken about the straight line that fits them best within the bin: else the slope of the drift across the bin would count
    as diffusion.
    """
    change = np.full_like(paths, np.nan)
    change[:, :-lag] = paths[:, lag:] - paths[:, :-lag]
    kept = (bins_of >= 0) & np.isfinite(change)
    start, change, bin_of = paths[kept], change[kept], bins_of[kept]

    def total(values: Array | None = None) -> Array:
        return np.bincount(bin_of, values, n).astype(float)

    def placed(values: Array) -> Array:
        parts = np.zeros_like(paths)
        parts[kept] = values
        return parts

    count = total()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, step = total(start) / count, total(change) / count
        away, moved = start - mean[bin_of], change - step[bin_of]
        spread = total(away**2)
        slope = np.where(spread > 0, total(away * moved) / spread, 0.0)
        left = moved - slope[bin_of] * away
        variance = total(left**2) / np.where(count > 2, count - 2, np.nan)
        drift_part = placed(left / (count[bin_of] * time))
        diffusion_part = placed((left**2 - variance[bin_of]) / (2 * count[bin_of] * time))
        return _Moments(count, mean, total(start**2) / count, step / time, variance / (2 * time), drift_part, diffusion_part)


def _variance_of_sum(parts: Array, bins_of: Any, n: int, lag: int) -> Array:
    """The variance of the sum of the parts in each bin: those less than a lag apart overlap, and are not independent."""
    def total(values: Array, where: Any) -> Array:
        return np.bincount(where[where >= 0], values[where >= 0], n).astype(float)

    plain = total(parts**2, bins_of)
    variance = plain.copy()
    for apart in range(1, lag):
        both = np.where(bins_of[:, apart:] == bins_of[:, :-apart], bins_of[:, apart:], -1)
        variance += 2 * total(parts[:, apart:] * parts[:, :-apart], both)
    return np.asarray(np.maximum(variance, LEAST * plain))
