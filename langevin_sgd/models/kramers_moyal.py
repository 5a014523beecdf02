"""Drift and diffusion from trajectories alone: the first two moments of increments, without the bias that their length brings."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, one_of, positive, whole
from langevin_sgd.models.noise_families import Quadratic

FEWEST = 30                     # increments in a bin that says anything


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
        "chain": the steps are the process itself, as the iterations of SGD are, if each was saved; then mean and variance of a step are the
        drift and the diffusion, without bias.  "diffusion": the states are samples of a continuous path; then both are biased in proportion
        to the time between them, which is taken away by looking over twice the time as well.
    lag
        The number of steps that an increment spans.

    Returns
    -------
    MeasuredDynamics
        Drift and diffusion in each bin with their standard errors; ``.noise(strength)`` is a noise that `langevin_sgd.sgd` takes.

    Raises
    ------
    ValueError
        For shapes that do not fit, times that are not even, and too few increments.

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
    lags = (k, 2 * k) if kind == "diffusion" else (k,)
    if paths.shape[1] <= max(lags):
        raise ValueError(f"`x` has {paths.shape[1]} times, but increments over {max(lags)} steps need more.")
    edges = _edges(paths[np.isfinite(paths)], bins)
    moments = [_moments(paths, edges, n, n * step) for n in lags]
    near = moments[0]
    if len(moments) == 1:
        drift, drift_error, diffusion, diffusion_error = near[3:]
    else:
        # Both moments are off by a multiple of the time between, which twice the time has twice.
        far = moments[1]
        drift, diffusion = 2 * near[3] - far[3], 2 * near[5] - far[5]
        drift_error, diffusion_error = (np.hypot(2 * near[m], far[m]) for m in (4, 6))
    count, mean, square = near[:3]
    enough = np.all([m[0] >= FEWEST for m in moments], axis=0)
    if not enough.any():
        raise ValueError(f"no bin holds {FEWEST} increments: give more trajectories, or fewer `bins`.")
    return MeasuredDynamics(mean[enough], drift[enough], drift_error[enough], diffusion[enough], diffusion_error[enough],
                            count[enough].astype(np.int64), square[enough], kind, k * step)


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
        design = np.column_stack([np.ones_like(first), 2 * first, second]) / self.diffusion_error[:, None]
        if len(first) < 3:
            raise ValueError(f"{len(first)} bins hold enough increments, but a quadratic needs three; give more trajectories.")
        scaled = self.diffusion / self.diffusion_error * 2 / epsilon
        g, gh, h = np.linalg.lstsq(design, scaled, rcond=None)[0]
        if h <= 0 or g <= 0:
            return Quadratic(float(np.linalg.lstsq(design[:, :1], scaled, rcond=None)[0][0]), 0.0, 0.0, center)
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
        values, step = np.asarray(numbers("x", np.where(np.isnan(x), 0.0, x))) * np.where(np.isnan(x), np.nan, 1.0), positive("dt", dt)
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise ValueError(f"`x` has shape {values.shape}, but drift and diffusion are estimated for one component: give (path, time).")
    return values, step


def _edges(values: Array, bins: ArrayLike | int) -> Array:
    if np.ndim(bins) == 0:
        low, high = np.quantile(values, [0.001, 0.999])
        edges = np.linspace(low, high, whole("bins", bins) + 1)
    else:
        edges = numbers("bins", bins)
    if edges.ndim != 1 or len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("`bins` must be a number of bins, or their increasing edges; do the states differ at all?")
    return edges


def _moments(paths: Array, edges: Array, lag: int, time: float) -> tuple[Array, ...]:
    """For each bin: count, mean of x, mean of x², drift and its error, diffusion and its error.

    Increments are taken about the straight line that fits them best within the bin: else the slope of the drift across the bin would count
    as diffusion.
    """
    start, change = paths[:, :-lag].ravel(), (paths[:, lag:] - paths[:, :-lag]).ravel()
    kept = np.isfinite(start) & np.isfinite(change) & (start >= edges[0]) & (start < edges[-1])
    start, change = start[kept], change[kept]
    bin_of, n = np.searchsorted(edges, start, side="right") - 1, len(edges) - 1

    def total(values: Array | None = None) -> Array:
        return np.bincount(bin_of, values, n).astype(float)

    count = total()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, step = total(start) / count, total(change) / count
        away, moved = start - mean[bin_of], change - step[bin_of]
        spread = total(away**2)
        slope = np.where(spread > 0, total(away * moved) / spread, 0.0)
        left = moved - slope[bin_of] * away
        degrees = count - 2
        variance = total(left**2) / degrees
        fourth = total(left**4) / count
        error = np.sqrt(np.maximum(fourth - variance**2, 0.0) / count)
        square = total(start**2) / count
        return count, mean, square, step / time, np.sqrt(variance / count) / time, variance / (2 * time), error / (2 * time)

