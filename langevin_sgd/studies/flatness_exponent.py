"""Variance against flatness: how far iterates spread along each direction, how flat the loss is there, and the exponent between the two.

σ² ∝ F^−ψ with F the width of the loss (Feng & Tu, PNAS 118, e2015617118 (2021)).  Boltzmann's law in the loss would have ψ = −2, the
variance larger where the loss is flatter; for SGD ψ is often positive, the *inverse* relation, because the noise is larger where the
loss is sharper: the potential under which Boltzmann's law holds is not the loss (arXiv:2207.04932, `decompose`).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, covariance_matrix, finite, fraction, not_negative, numbers, one_of, positive, state, whole
from langevin_sgd.models.landscape import Landscape
from langevin_sgd.studies.flatness_directions import Directions, of_covariance, of_samples
from langevin_sgd.studies.flatness_fit import LEAST_DIRECTIONS, PowerLaw, power_law
from langevin_sgd.studies.report_text import aligned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["VarianceFlatness", "inverse_variance_flatness", "width"]

Loss = Landscape | Callable[[Array], float]

LEAST_SAMPLES = 20
ABOVE_FLOOR = 4.0       # a variance must exceed the noise floor by this factor to be seen as its own
FARTHEST = 2.0**80      # how far a width is looked for, in units of the first step
ROUNDING = 1e-12        # of a width, relative


@dataclass(frozen=True, eq=False, repr=False)
class VarianceFlatness:
    """Variance and flatness along each direction; made by `inverse_variance_flatness`.

    Attributes
    ----------
    axes
        The directions, one for each column (d, k).
    variance, variance_error
        σ² along each (k,), and its standard error; zero where the variances were given.
    flatness
        F (k,), the width of the loss; NaN where there is none.
    curvature
        Of the loss along each (k,); NaN where no Hessian is known.
    effective
        The number of independent states along each (k,).
    used
        Which directions the exponent is fitted to (k,).
    reasons
        For each direction why it is left out, or "".
    doubts
        What is doubtful about the whole.
    noise_floor
        The variance that rounding, or what was given, has in any direction.
    fit
        The line: `fit.exponent`, `fit.variance(flatness)`, `fit.scatter` (of ln σ² beyond chance).
    """

    axes: Array
    variance: Array
    variance_error: Array
    flatness: Array
    curvature: Array
    effective: Array
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    noise_floor: float
    fit: PowerLaw

    @property
    def used(self) -> Array:
        """Which directions the exponent is fitted to."""
        return np.array([not reason for reason in self.reasons])

    @property
    def exponent(self) -> Estimate:
        """ψ in variance ∝ flatness^−ψ."""
        return self.fit.exponent

    @property
    def is_inverse(self) -> bool | None:
        """Tell whether variance falls with flatness, ψ > 0, beyond its interval; None where the interval holds 0."""
        low, high = self.exponent.low, self.exponent.high
        return None if low <= 0 <= high else low > 0

    def exponent_of(self, variance: ArrayLike) -> float:
        """Return ψ of other variances along the same directions (k,), such as predicted ones, with the weights of this fit."""
        other = numbers("variance", variance)
        if other.shape != self.variance.shape or (other[self.used] <= 0).any():
            raise ValueError(f"`variance` has shape {other.shape}, but must be {len(self.variance)} positive numbers, one for each "
                             "direction.")
        return float(self.fit.weights @ np.log(other[self.used]))

    def plot(self, *, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw variance against flatness with the fit (see `plots.draw_variance_flatness`)."""
        from langevin_sgd.plots.flatness import draw_variance_flatness
        return draw_variance_flatness({"": self}, ax=ax, **style)

    def table(self) -> str:
        """Return the directions as text."""
        rows = [["direction", "variance", "± s.e.", "flatness", "curvature", "independent", "left out"]]
        columns = zip(self.variance, self.variance_error, self.flatness, self.curvature, self.effective, self.reasons, strict=True)
        rows += [[str(k + 1), f"{v:.4g}", f"{e:.2g}", f"{f:.4g}", f"{c:.4g}", f"{n:.4g}", why]
                 for k, (v, e, f, c, n, why) in enumerate(columns)]
        return "\n".join([*aligned(rows), repr(self), *(f"- {doubt}" for doubt in self.doubts)])

    def __repr__(self) -> str:
        relation = {None: "no relation is seen", True: "inverse: less variance where it is flatter",
                    False: "direct: more variance where it is flatter"}[self.is_inverse]
        doubts = f"; {len(self.doubts)} doubt{'s' * (len(self.doubts) > 1)}, see .doubts" if self.doubts else ""
        return (f"VarianceFlatness(ψ = {self.exponent.value:.4g} [{self.exponent.low:.4g}, {self.exponent.high:.4g}], {relation}; "
                f"{self.used.sum()} of {len(self.used)} directions{doubts})")


def inverse_variance_flatness(samples: ArrayLike | None = None, *, covariance: ArrayLike | None = None, loss: Loss | None = None,
                              hessian: ArrayLike | None = None, at: ArrayLike | None = None, axes: ArrayLike | str = "principal",
                              flatness: str | None = None, factor: float = math.e, rise: float | None = None, drop: int | None = None,
                              each_alone: bool = False, noise_floor: float | None = None, confidence: float = 0.95) -> VarianceFlatness:
    """Measure variance and flatness along directions, and fit the exponent ψ of variance ∝ flatness^−ψ.

    Parameters
    ----------
    samples
        States (time, d) of one path, in order, or (path, time, d); independent states are paths with one time, or rows in any order.
        For `Trajectories`: ``runs.x[:, k:]`` from where it is stationary.  For SGD: the iterates of a window, one row for each
        iteration (or each 10th, ...), over whole epochs if samples are reshuffled.
    covariance
        Instead of samples, a matrix (d, d) that is known exactly, as from ``decompose(...).covariance``.
    loss
        A `Landscape`, or any function of one state (d,) that returns a float, such as the training loss.
    hessian
        Instead of a landscape, or beside a function, the Hessian (d, d), or its diagonal (d,).
    at
        The minimum about which flatness is measured; the mean of the samples if None.
    axes
        "principal": those of the samples or the covariance, as Feng & Tu have.  "hessian": those of the Hessian, flattest first.  Or a
        matrix (d, k) with orthonormal columns.
    flatness
        "width": see `width`.  "curvature": the width of a parabola with the curvature along the axis.  None: the width if there is a
        loss, else the curvature.
    factor, rise
        As for `width`.  With a curvature alone the rise is 1 if None; it does not change ψ.
    drop
        None: directions are left out for the reasons below.  A number: so many of the largest variances are left out, and no others
        but those without a flatness.
    each_alone
        Take the variance of each path about its own mean, as of separate windows (see `variance_line`); else about the mean of all.
    noise_floor
        A variance that the samples have in any direction for other reasons than SGD; if None, that of rounding, by their type.
    confidence
        Of the interval of ψ.

    Returns
    -------
    VarianceFlatness

    Raises
    ------
    ValueError
        If an argument is not what it should be, or fewer than three directions can be used: the message has the reasons.

    Notes
    -----
    Source: Feng & Tu, PNAS 118, e2015617118 (2021); the traps of `theory`, 6.4.  Left out, each with its reason: directions that drift
    (more than half of the variance is a straight line in time, or significantly more than 2 %), that were not seen to relax (fewer than
    50 independent states: the principal components of a short window are cosines in time, and its variance is that of the noise), whose
    variance still grows, that lie within a factor 4 of the noise floor, and along which the loss has no width.  Principal axes that two
    halves of the samples do not agree on are reported: where variances are nearly equal (ψ ≈ 0) chance alone picks the axes.

    The interval holds chance, by the scatter over paths or over 20 blocks of time, directions that fluctuate together included; and
    where variances scatter about the line more than that, their scatter.  What ψ is expected: `theory.variance_line`.  It can't tell
    sharpness from reshuffling: an exponent without its sampling says nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import langevin_sgd as ls
    >>> h = np.logspace(-1, 1, 6)
    >>> sde = ls.sgd(ls.Landscape("+".join(f"{c}*x{i+1}**2/2" for i, c in enumerate(h))), ls.noise.Anisotropic(np.diag(h**2)), 0.01)
    >>> ls.flatness.inverse_variance_flatness(covariance=ls.decompose(sde).covariance, hessian=np.diag(h)).exponent
    2 [2, 2] (95 %, least squares over 6 directions)
    """
    x, sigma = _given(samples, covariance)
    dim = len(sigma) if x is None else x.shape[-1]
    center = _center(at, x, dim, needed=loss is not None)
    matrix = _hessian(hessian, loss, center, dim)
    leave_out = None if drop is None else whole("drop", drop, least=0)
    kind = one_of("flatness", flatness or ("curvature" if loss is None else "width"), ("width", "curvature"))
    if loss is None and (kind == "width" or matrix is None):
        raise ValueError("there is nothing to take the flatness from: give `loss`, or `hessian` with flatness='curvature'.")
    if kind == "curvature" and matrix is None:
        raise ValueError("`hessian` is missing: flatness='curvature' needs it where `loss` is a function without one.")
    chosen = _axes(axes, matrix, dim)
    found = of_covariance(sigma, chosen) if x is None else of_samples(x, chosen, each_alone)
    curvature = np.full(found.axes.shape[1], math.nan) if matrix is None else np.einsum("ik,ij,jk->k", found.axes, matrix, found.axes)
    if kind == "width":
        flat = width(loss, center, found.axes, factor=factor, rise=rise)                # type: ignore[arg-type]
    else:
        flat = np.sqrt(8 * positive("rise", 1.0 if rise is None else rise) / np.where(curvature > 0, curvature, math.nan))
    floor = not_negative("noise_floor", noise_floor) if noise_floor is not None else _rounding(samples, x)
    reasons = _reasons(found, flat, floor, leave_out)
    return _fitted(found, flat, curvature, floor, reasons, confidence)


def width(loss: Loss, at: ArrayLike, axes: ArrayLike, *, factor: float = math.e, rise: float | None = None) -> Array:
    """Return how wide the loss is along axes: the distance between where it has risen to `factor` times its value, on both sides.

    Parameters
    ----------
    loss
        A `Landscape`, or any function of one state (d,) that returns a float.
    at
        The minimum (d,).
    axes
        Directions of length 1, one for each column (d, k).
    factor
        The loss at the two ends over that at the minimum: e, as Feng & Tu have.
    rise
        Instead of a factor, how far the loss rises above its value at the minimum: needed where that is zero.

    Returns
    -------
    array (k,)
        F; infinite where the loss does not rise so far.

    Raises
    ------
    ValueError
        For arguments that don't fit, and a loss that is not positive at the minimum, without `rise`.

    Notes
    -----
    Source: Feng & Tu, PNAS 118, e2015617118 (2021).  A parabola of curvature h has F = √(8 rise / h), rise = (e − 1) L(at).  Each end is
    bracketed by steps that double, so that a narrow bump of the loss can be passed by.

    Examples
    --------
    >>> import numpy as np
    >>> import langevin_sgd as ls
    >>> ls.flatness.width(ls.Landscape("1 + 2*x**2 + y**2/8"), [0.0, 0.0], np.eye(2), rise=2.0)
    array([2., 8.])
    """
    from scipy.optimize import brentq
    start = numbers("at", np.atleast_1d(at))
    directions = _orthonormal(axes, len(start))
    value, level = _level(loss, start, factor, rise)

    def end(direction: Array) -> float:
        def above(distance: float) -> float:
            return min(value(start + distance * direction), 1e300) - level          # an overflow is above, too
        low, high = 0.0, _first_step(start)
        while not above(high) >= 0:
            low, high = high, 2 * high
            if high > FARTHEST * _first_step(start):
                return math.inf
        return float(brentq(above, low, high, xtol=ROUNDING * high, rtol=ROUNDING))
    return np.array([end(a) + end(-a) for a in directions.T])


def _first_step(start: Array) -> float:
    return 2.0**-40 * max(1.0, float(np.abs(start).max()))


def _level(loss: Any, start: Array, factor: float, rise: float | None) -> tuple[Callable[[Array], float], float]:
    """The loss as a function of one state, and the height at which its width is taken."""
    if not callable(loss):
        raise ValueError(f"`loss` is {loss!r}, but must be a Landscape, or a function of one state.")
    if isinstance(loss, Landscape):
        state("at", start if len(start) > 1 else start[0], loss.dim)

    def value(x: Array) -> float:
        return float(loss(x if len(x) > 1 or not isinstance(loss, Landscape) else x[0]))
    lowest = finite("loss(at)", value(start))
    if rise is not None:
        return value, lowest + positive("rise", rise)
    if lowest <= 0:
        raise ValueError(f"the loss at the minimum is {lowest:g}, so that no level is {factor:g} times as high; give `rise`, how far above "
                         "the minimum its width is taken.")
    if finite("factor", factor) <= 1:
        raise ValueError(f"`factor` is {factor:g}, but must be above 1.")
    return value, factor * lowest


def _given(samples: Any, covariance: Any) -> tuple[Array | None, Array]:
    """The samples (path, time, d), or None and the covariance."""
    if (samples is None) == (covariance is None):
        raise ValueError("give either `samples` or a `covariance`" + (", not both." if samples is not None else "."))
    if samples is not None:
        return _samples(samples), np.empty((0, 0))
    sigma = covariance_matrix("covariance", covariance)
    if len(sigma) < LEAST_DIRECTIONS:
        raise ValueError(f"`covariance` is for {len(sigma)} components, but an exponent needs at least {LEAST_DIRECTIONS}.")
    return None, sigma


def _samples(samples: Any) -> Array:
    x = numbers("samples", samples)
    if x.ndim not in (2, 3) or x.shape[-1] < LEAST_DIRECTIONS:
        raise ValueError(f"`samples` has shape {x.shape}, but must be (time, d) or (path, time, d), with at least {LEAST_DIRECTIONS} "
                         "components.")
    x = x[None] if x.ndim == 2 else x
    count, least = x.shape[0] * x.shape[1], max(LEAST_SAMPLES, x.shape[-1] + 1)
    if count < least:
        raise ValueError(f"`samples` holds {count} states of {x.shape[-1]} components, but at least {least} are needed.")
    return x


def _center(at: Any, x: Array | None, dim: int, *, needed: bool) -> Array:
    if at is not None:
        return state("at", at, dim)
    if x is not None:
        return np.asarray(x.mean(axis=(0, 1)))
    if needed:
        raise ValueError("`at` is missing: with a `covariance` and a `loss`, give the minimum.")
    return np.zeros(dim)


def _hessian(hessian: Any, loss: Any, center: Array, dim: int) -> Array | None:
    if hessian is None:
        return np.asarray(loss.hessian(center)) if isinstance(loss, Landscape) and loss.dim == dim else None
    given = numbers("hessian", hessian)
    matrix = np.diag(given) if given.ndim == 1 else given
    if matrix.shape != (dim, dim) or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-9 * float(np.abs(matrix).max())):
        raise ValueError(f"`hessian` has shape {given.shape}, but must be a symmetric matrix ({dim}, {dim}), or its diagonal.")
    return (matrix + matrix.T) / 2


def _axes(axes: Any, hessian: Array | None, dim: int) -> Array | None:
    if isinstance(axes, str):
        if one_of("axes", axes, ("principal", "hessian")) == "principal":
            return None
        if hessian is None:
            raise ValueError("axes='hessian' needs `hessian`, or a Landscape as `loss`.")
        return np.asarray(np.linalg.eigh(hessian)[1])
    return _orthonormal(axes, dim)


def _orthonormal(axes: ArrayLike, dim: int) -> Array:
    matrix = numbers("axes", axes)
    if matrix.ndim != 2 or len(matrix) != dim:
        raise ValueError(f"`axes` has shape {matrix.shape}, but must be ({dim}, k), one direction for each column.")
    if not np.allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-6):
        raise ValueError("`axes` must have orthonormal columns; np.linalg.qr(axes)[0] makes them so.")
    return matrix


def _rounding(samples: Any, x: Array | None) -> float:
    """The variance of rounding in any direction: a twelfth of the square of the distance between neighbouring numbers."""
    if x is None:
        return 0.0
    kind = np.asarray(samples).dtype
    spacing = np.spacing(np.abs(x).max(axis=(0, 1)).astype(kind if kind.kind == "f" else float))
    return float((spacing.astype(float) ** 2).mean()) / 12


def _reasons(found: Directions, flat: Array, floor: float, drop: int | None) -> tuple[str, ...]:
    """For each direction why it is left out, or an empty string."""
    reasons = list(found.reasons) if drop is None else [""] * len(flat)
    if drop is not None:
        for k in np.argsort(-found.variance)[:drop]:
            reasons[k] = f"one of the {drop} largest variances"
    for k, (variance, f) in enumerate(zip(found.variance, flat, strict=True)):
        if not np.isfinite(f):
            reasons[k] = "the loss does not rise so far along it" if math.isinf(f) else "the loss is not curved upwards along it"
        elif not variance > 0:
            reasons[k] = "it has no variance"
        elif not reasons[k] and drop is None and variance < ABOVE_FLOOR * floor:
            reasons[k] = f"its variance {variance:.2g} is near the noise floor {floor:.2g}"
    return tuple(reasons)


def _fitted(found: Directions, flat: Array, curvature: Array, floor: float, reasons: tuple[str, ...], confidence: float
            ) -> VarianceFlatness:
    used = np.array([not reason for reason in reasons])
    if used.sum() < LEAST_DIRECTIONS:
        why = "; ".join(f"direction {k + 1}: {reason}" for k, reason in enumerate(reasons) if reason)
        cure = " Longer samples, or drop=0 to fit what there is." if found.log_covariance is not None else ""
        raise ValueError(f"only {used.sum()} of {len(used)} directions can be used, but an exponent needs {LEAST_DIRECTIONS}. {why}.{cure}")
    if np.ptp(np.log(flat[used])) < 1e-9:
        raise ValueError(f"the flatness is {flat[used][0]:g} in all directions: there is no exponent.")
    chance = None if found.log_covariance is None else found.log_covariance[np.ix_(used, used)]
    fit = power_law(flat[used], found.variance[used], chance, found.freedom, fraction("confidence", confidence), found.doubts)
    relative = np.zeros(len(flat)) if found.log_covariance is None else np.sqrt(np.diag(found.log_covariance))
    return VarianceFlatness(found.axes, found.variance, found.variance * relative, flat, curvature, found.effective, reasons, found.doubts,
                            floor, fit)
