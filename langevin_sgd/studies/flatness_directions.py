"""The variance of iterates along directions, with what spoils it: drifts, windows that are too short, axes that chance has chosen.

A window of iterates that is short beside the relaxation of a direction is a random walk there: its principal components are cosines in
time whatever the forces (Hess, Phys. Rev. E 62, 8438 (2000)), and its variance is proportional to the noise alone.  The variances of
such directions are those of the window and not of the stationary state, so they are told by name and left out of fits.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array

GROUPS = 20             # at least, independent or nearly so, from which the error of a variance is taken
LEAST_EFFECTIVE = 50.0  # independent states, over all paths, below which a direction has not been seen to relax
DRIFTS = 0.5            # share of a direction's variance that is a straight line in time: beyond, it is a drift
SEEN_DRIFT, SIGNIFICANT = 0.02, 16.0    # a smaller share is one as well, if chance makes no such line in as many independent states
GROWN = 1.05            # variance of the second half of the times over that of the first, from which it is said to grow
FAR = 4.0               # standard errors
SOKAL = 5.0             # correlation times that an autocorrelation is summed over
SAME_AXIS = 0.5         # squared cosine of the axes of two halves, below which an axis is said not to be determined
SPREAD = 10.0           # independent states for each component, below which principal variances are spread by chance


@dataclass(frozen=True, eq=False)
class Directions:
    """Variances along axes.

    Attributes
    ----------
    axes
        One for each column (d, k).
    variance
        Along each (k,).
    log_covariance
        Of ln variance by chance (k, k); None where the variances are exact.
    freedom
        Degrees of freedom of that covariance.
    effective
        The number of independent states along each axis (k,); infinite where the variances are exact.
    reasons
        For each axis why it should be left out of fits, or "".
    doubts
        What is doubtful about all of them.
    """

    axes: Array
    variance: Array
    log_covariance: Array | None
    freedom: float
    effective: Array
    reasons: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def of_covariance(covariance: Array, axes: Array | None) -> Directions:
    """Return the variances of a known covariance along axes; its principal ones if None."""
    chosen = principal_axes(covariance) if axes is None else axes
    variance = np.einsum("ik,ij,jk->k", chosen, covariance, chosen)
    return Directions(chosen, variance, None, np.inf, np.full(len(variance), np.inf), ("",) * len(variance))


def of_samples(x: Array, axes: Array | None, each_alone: bool) -> Directions:
    """Return the variances of states (path, time, d) along axes; their principal ones if None.

    Parameters
    ----------
    x
        Paths are independent, times are in order.
    each_alone
        Take the variance of each path about its own mean, as of windows; else about the mean of all.
    """
    delta = x - x.mean(axis=1 if each_alone else (0, 1), keepdims=True)
    chosen = principal_axes(covariance_of(delta)) if axes is None else axes
    y = delta @ chosen
    freedom = len(x) * (x.shape[1] - 1) if each_alone else x.shape[0] * x.shape[1] - 1
    variance = (y**2).sum(axis=(0, 1)) / freedom
    effective = np.array([_effective(y[..., k], each_alone) for k in range(y.shape[-1])])
    log_covariance, groups = _log_covariance(y)
    reasons = tuple(_reason(y[..., k], effective[k]) for k in range(y.shape[-1]))
    doubts = _doubts_on_axes(delta, effective[[not why for why in reasons]]) if axes is None else ()
    return Directions(chosen, variance, log_covariance, groups - 1.0, effective, reasons, doubts)


def covariance_of(delta: Array) -> Array:
    """Return the second moments of states (path, time, d) about zero."""
    flat = delta.reshape(-1, delta.shape[-1])
    return np.asarray(flat.T @ flat) / len(flat)


def principal_axes(covariance: Array) -> Array:
    """Return the principal axes, that of the largest variance first; the largest entry of each is positive."""
    axes = np.linalg.eigh(covariance)[1][:, ::-1]
    return np.asarray(axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]))


def _effective(y: Array, each_alone: bool) -> float:
    """The number of independent states among those of one direction (path, time); of one window, if each path is by itself."""
    times = y.shape[1] / correlation_time(y) if y.shape[1] > 1 else 1.0
    return times if each_alone else times * len(y)


def correlation_time(y: Array) -> float:
    """Return 1 + 2 Σ ρ(k) of centred series (path, time) in steps, at least 1, summed over five times itself (A. Sokal, 1989)."""
    n = y.shape[1]
    size = 2 ** int(np.ceil(np.log2(2 * n)))
    power = np.abs(np.fft.rfft(y, size, axis=1)) ** 2
    rho = np.fft.irfft(power.mean(axis=0), size)[:n]
    if not rho[0] > 0:
        return float(n)
    summed = 2 * np.cumsum(rho / rho[0]) - 1
    enough = np.arange(n) >= SOKAL * summed
    return float(max(summed[int(enough.argmax())] if enough.any() else n, 1.0))


def _log_covariance(y: Array) -> tuple[Array, int]:
    """The covariance of ln variance by chance, over paths, or over blocks of them where they are few."""
    blocks = 1 if len(y) >= GROUPS else min(-(-GROUPS // len(y)), y.shape[1])
    parts = [(part**2).mean(axis=1) for part in np.array_split(y, blocks, axis=1)]
    squares = np.concatenate(parts)
    mean = squares.mean(axis=0)
    relative = squares / np.where(mean > 0, mean, 1.0)
    return np.atleast_2d(np.cov(relative.T)) / len(squares), len(squares)


def _reason(y: Array, effective: float) -> str:
    """Why the variance of one direction (path, time) is not that of a stationary state, or an empty string."""
    if not y.any():
        return "it has no variance"
    if y.shape[1] > 1:
        line = _share_of_a_line(y)
        if line > DRIFTS or (line > SEEN_DRIFT and line * effective > SIGNIFICANT):
            return f"drifts: {100 * line:.0f} % of its variance is a straight line in time"
    if effective < LEAST_EFFECTIVE:
        return f"not seen to relax: the samples hold {effective:.3g} independent states of it, but {LEAST_EFFECTIVE:g} are needed"
    if len(y) >= GROUPS and y.shape[1] > 1:
        return _grows(y)
    return ""


def _share_of_a_line(y: Array) -> float:
    """The share of the mean square that is one straight line in time, common to all paths."""
    t = np.arange(y.shape[1]) - (y.shape[1] - 1) / 2
    return float((t @ y.mean(axis=0)) ** 2 / (t @ t) / (y**2).mean(axis=0).sum())


def _grows(y: Array) -> str:
    half = y.shape[1] // 2
    early, late = (y[:, :half] ** 2).mean(axis=1), (y[:, -half:] ** 2).mean(axis=1)
    change = late - early
    if late.mean() > GROWN * early.mean() and change.mean() > FAR * change.std(ddof=1) / np.sqrt(len(y)):
        return f"still grows: its variance in the second half of the times is {late.mean() / early.mean():.3g} times that in the first"
    return ""


def _doubts_on_axes(delta: Array, effective: Array) -> tuple[str, ...]:
    """What is doubtful about principal axes: that other samples would have others, and variances that chance has spread.

    `effective` is that of the axes that are not left out: those are known to be doubtful.
    """
    doubts = []
    axis = 0 if len(delta) >= GROUPS else 1
    first, second = (principal_axes(covariance_of(part)) for part in np.array_split(delta, 2, axis=axis))
    again = ((first.T @ second) ** 2).max(axis=1)
    if (again < SAME_AXIS).any():
        which = ", ".join(str(k + 1) for k in np.flatnonzero(again < SAME_AXIS))
        doubts.append(f"the principal axes {which} are not determined: the two halves of the samples have others (squared cosine "
                      f"{again.min():.2g}), as where variances are equal or windows short; take axes='hessian'")
    dim = delta.shape[-1]
    if len(effective) and effective.min() < SPREAD * dim:
        doubts.append(f"the samples hold {effective.min():.3g} independent states of {dim} components: the largest principal variances are "
                      f"too large and the smallest too small, by a factor of up to about (1 + √{dim / effective.min():.2g})²")
    return tuple(doubts)
