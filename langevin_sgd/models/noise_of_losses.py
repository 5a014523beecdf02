"""The noise of SGD on a loss over data, or in arrays of gradients from elsewhere: measured, expanded, or told from two points."""
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.models.arguments import Array, numbers, one_of, points, positive, state, whole
from langevin_sgd.models.full_quadratic import FullQuadratic
from langevin_sgd.models.key import generator
from langevin_sgd.models.measured_noise import FORMS, LARGEST_FULL, MeasuredNoise, Samples
from langevin_sgd.models.noise_families import Noise, Quadratic
from langevin_sgd.models.sampled import SampledLoss, sampled
from langevin_sgd.models.sampling_errors import covariances
from langevin_sgd.models.strength import covariance_factor

MOST_AXES = 64                  # weights, above which points are chosen at random only, so many times
SEED = 1
NOTHING = 1e-10                 # a distance over the size of the weights: noise that doubles there is rounding, all samples being fitted
NEAREST = 1e-6                  # and points nearer than this would differ by too few digits


def measure(source: Any, at: ArrayLike | None = None, *, center: ArrayLike | None = None, radius: float | None = None,
            form: str | None = None, complete: bool | None = None, batch_size: int = 1, dataset_size: int | None = None,
            replacement: bool = True) -> MeasuredNoise:
    """Measure the noise of SGD: the covariance of per-sample gradients at points, and the quadratic that fits it.

    Parameters
    ----------
    source
        A loss over data, whose gradients are all known; or gradients from elsewhere, (k, n, d): n of them at each of k points, as NumPy
        arrays, (k, n) for one weight.
    at
        The points (k, d), or (k,) for one weight; for a loss, None chooses some about the minimum.
    center
        The point about which the quadratic is written: the minimum of the loss, or where the mean of the gradients vanishes, if None.
    radius
        How far from the centre points are chosen; where the noise has about doubled if None.
    form
        "componentwise": a variance for each component, quadratic in that component; "matrix": Σ_g (1 + δᵀ Σ_H Σ_g⁻¹ δ), the power-law
        dynamic; "full": all entries, quadratic in all components, for up to 4 weights.  None: "full" from 2 to 4 weights, where
        that is a covariance everywhere, else "matrix"; "componentwise" for other numbers of them.
    complete
        Whether the given gradients are those of all the data; else they are a sample, and standard errors are reported.
    batch_size, dataset_size, replacement
        Of the given gradients, where each is the mean of a batch.

    Returns
    -------
    MeasuredNoise
        `langevin_sgd.sgd` takes it; it says which share of the variation of C a quadratic does not explain.

    Raises
    ------
    ValueError
        For shapes that do not fit, and points that do not determine a quadratic.

    Notes
    -----
    Source: arXiv:2006.13719 (`theory`, 2.1).  A quadratic is exact for losses that are quadratic for every sample, and an expansion for
    others.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([1.0, -2.0, 0.5], [0.7, -1.0, 1.2])
    >>> ls.noise.measure(loss)
    MeasuredNoise(σ_g = 0.1552, σ_gH = 0.625, σ_H = 2.625, from 17 points of SampledLoss(...); the quadratic leaves ... unexplained)
    >>> ls.sgd(loss, ls.noise.measure(loss), learning_rate=0.05).diffusion(loss.minimum(0.0).x)
    0.0038...
    """
    if isinstance(source, SampledLoss):
        if complete is not None or batch_size != 1 or dataset_size is not None:
            raise ValueError("`complete`, `batch_size` and `dataset_size` describe arrays of gradients; a loss over data has all its "
                             "samples.")
        samples = _of_loss(source, at, center, radius, form == "matrix")
    else:
        factor = covariance_factor(batch_size, dataset_size, replacement)
        if factor == 0:
            raise ValueError(f"`batch_size` is {batch_size} out of `dataset_size` {dataset_size}, drawn without replacement: gradients of "
                             "the whole dataset have no noise to measure.")
        if complete is not None and not isinstance(complete, (bool, np.bool_)):
            raise ValueError(f"`complete` is {complete!r}, but must be True, where the gradients are those of all the data, or False.")
        samples = _of_arrays(source, at, center, bool(complete), 1 / factor)
    d = samples.points.shape[1]
    if form is None:
        return _best(samples, d)
    if one_of("form", form, FORMS) == "full" and d > LARGEST_FULL:
        raise ValueError(f"`form` is 'full', but the state has {d} components, and a matrix C(x) is factored in every step for up to "
                         f"{LARGEST_FULL}; take 'componentwise' or 'matrix'.")
    return samples.fitted(form)


def _best(samples: Samples, d: int) -> MeasuredNoise:
    """The form with the most in it that is a covariance everywhere."""
    if d == 1 or d > LARGEST_FULL:
        return samples.fitted("componentwise")
    full = samples.fitted("full")
    if not full.adjusted:
        return full
    matrix = samples.fitted("matrix")
    return replace(matrix, adjusted="; ".join(filter(None, [f"form 'full' is no noise here: {full.adjusted}", matrix.adjusted])))


def from_hessians(loss: SampledLoss, center: ArrayLike | None = None, *, microbatch: int = 1, rng: Any = 0) -> MeasuredNoise:
    """Return the quadratic noise that the gradients and Hessians of the samples at one point give: no fit, an expansion.

    Parameters
    ----------
    loss
        A loss over data.
    center
        The point; the minimum if None.
    microbatch, rng
        Take gradients and Hessians of groups of so many samples at random, and from how these differ, how single ones do: an estimate.

    Returns
    -------
    MeasuredNoise
        σ_g = Cov(g, g), σ_gH = Cov(g, H), σ_H = Cov(H, H), for more than 4 weights of each component by itself, from the diagonal of the
        Hessians; its `unexplained` compares it with C at points about the centre.

    Notes
    -----
    Source: arXiv:2006.13719 (`theory`, 2.1).  Where samples are not quadratic it omits Cov(g, third derivative) δ², which is of the same
    order as σ_H δ² unless the gradients at the minimum are small.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.noise.from_hessians(ls.losses.linear_regression([1.0, -2.0, 0.5], [0.7, -1.0, 1.2])).quadratic
    2.625
    """
    middle = _minimum(sampled(loss), np.zeros(loss.dim)) if center is None else state("center", center, sampled(loss).dim)
    w: Any = middle if loss.dim > 1 else float(middle[0])
    n, d = loss.n_samples, loss.dim
    g = np.reshape(loss.sample_gradients(w), (n, d))
    h = np.reshape(loss.sample_hessians(w), (n, d, d)) if d <= LARGEST_FULL else np.reshape(loss.sample_hessian_diagonals(w), (n, d))
    groups = _groups(n, whole("microbatch", microbatch), rng)
    g, h = (_grouped(a - a.mean(axis=0), groups) for a in (g, h))
    around = _around(middle, _scale(loss, middle))
    c = _covariances(loss, around)
    samples = Samples(middle, around, c, np.zeros_like(c), n, f"Hessians of {loss!r}")
    if d == 1:
        model: Noise = Quadratic(float((g**2).mean()), float((g[:, 0] * h[:, 0, 0]).mean()), float((h**2).mean()), float(middle[0]))
        return MeasuredNoise(samples, "componentwise", model, "")
    if d > LARGEST_FULL:
        parts = (g**2).mean(axis=0), (g * h).mean(axis=0), (h**2).mean(axis=0)
        return MeasuredNoise(samples, "componentwise", Quadratic(*parts, middle), "")
    linear = np.einsum("ni,njk->ijk", g, h) / len(g)
    quadratic = np.einsum("nik,njl->ijkl", h, h) / len(g)
    model = FullQuadratic(g.T @ g / len(g), (linear + np.swapaxes(linear, 0, 1)) / 2, (quadratic + np.swapaxes(quadratic, 2, 3)) / 2,
                          middle)
    return MeasuredNoise(samples, "full", model, "")


def from_two_points(loss: SampledLoss, first: ArrayLike, second: ArrayLike, center: ArrayLike | None = None) -> MeasuredNoise:
    """Return the quadratic noise, without a linear part, that the variances of the gradients at two points give.

    Parameters
    ----------
    loss
        A loss over data.
    first, second
        Two states, at different distances from the centre in every component.
    center
        The minimum if None.

    Returns
    -------
    MeasuredNoise
        Component by component σ_H = [Var g(first) − Var g(second)] / [δ_first² − δ_second²].  Where a constant or σ_H comes out
        negative it is set to zero, and the other is what fits both variances best.

    Notes
    -----
    Paper-inspired (`theory`, 10): two variances in place of Hessians.  A linear part of C, and what the other components do, goes into σ_H.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([1.0, -2.0, 0.5], [0.7, -1.0, 1.2])
    >>> ls.noise.from_two_points(loss, -1.0, 0.5).quadratic, ls.noise.from_hessians(loss).quadratic
    (1.91..., 2.625)
    """
    a, b = state("first", first, sampled(loss).dim), state("second", second, loss.dim)
    middle = _minimum(loss, (a + b) / 2) if center is None else state("center", center, loss.dim)
    c = _covariances(loss, np.stack([a, b]))
    apart = (a - middle)**2 - (b - middle)**2
    if (apart == 0).any():
        k = int(np.argmin(np.abs(apart)))
        raise ValueError(f"`first` and `second` are equally far from the centre in component {k}, so that they do not tell how the noise "
                         "grows there.")
    variances = np.diagonal(c, axis1=1, axis2=2)
    squares = np.stack([a - middle, b - middle])**2
    growth = (variances[0] - variances[1]) / apart
    base = variances[1] - growth * squares[1]
    falls, below = growth < 0, base < 0
    # A line through both is negative somewhere; the best that is not is flat, or starts at zero.
    base, growth = np.where(falls, variances.mean(axis=0), base), np.where(falls, 0.0, growth)
    base, growth = np.where(below, 0.0, base), np.where(below, (variances * squares).sum(axis=0) / (squares**2).sum(axis=0), growth)
    model = Quadratic(_shaped(base), quadratic=_shaped(growth), center=_shaped(middle))
    said = "what came out negative was set to zero, and the rest fitted again" if (falls | below).any() else ""
    return MeasuredNoise(Samples(middle, np.stack([a, b]), c, np.zeros_like(c), loss.n_samples, f"two points of {loss!r}"),
                         "componentwise", model, said)


# ------------------------------------------------------------------------------------------------------- what is measured

def _of_loss(loss: SampledLoss, at: ArrayLike | None, center: ArrayLike | None, radius: float | None, in_all_directions: bool) -> Samples:
    """Covariances of all samples of a loss over data, about a minimum."""
    given = None if at is None else points("at", numbers("at", at), loss.dim).reshape(-1, loss.dim)
    if center is None:
        start = np.zeros(loss.dim) if given is None else given.mean(axis=0)
        middle = _minimum(loss, start)
    else:
        middle = state("center", center, loss.dim)
    if given is None:
        given = _around(middle, positive("radius", radius) if radius is not None else _scale(loss, middle), in_all_directions)
    elif radius is not None:
        raise ValueError("`radius` says how far points are chosen; leave it out where they are given by `at`.")
    c = _covariances(loss, given)
    return Samples(middle, given, c, np.zeros_like(c), loss.n_samples, repr(loss))


def _covariances(loss: SampledLoss, where: Array) -> Array:
    """C at points (k, d, d)."""
    with np.errstate(over="ignore", invalid="ignore"):          # what is too large is refused by whoever squares it
        return np.stack([np.reshape(loss.covariance(w if loss.dim > 1 else float(w[0])), (loss.dim, loss.dim)) for w in where])


def _minimum(loss: SampledLoss, start: Array) -> Array:
    return np.atleast_1d(loss.minimum(start if loss.dim > 1 else float(start[0])).x)


def _scale(loss: SampledLoss, middle: Array) -> float:
    """The distance at which the noise has about doubled, √(Tr Σ_g / Tr Σ_H); one if it does not grow, or starts from nothing."""
    w: Any = middle if loss.dim > 1 else float(middle[0])
    size, reach = float(np.trace(np.atleast_2d(loss.covariance(w)))), 1 + float(np.linalg.norm(middle))
    if loss.dim > MOST_AXES:        # by its growth itself: all Hessians would be large
        return 1.0 if size <= _grown(loss, middle, 1.0) * (NOTHING * reach)**2 else _doubled(loss, middle)
    h = np.reshape(loss.sample_hessians(w), (loss.n_samples, loss.dim, loss.dim))
    growth = float(np.einsum("nij,nij->", h - h.mean(axis=0), h - h.mean(axis=0))) / loss.n_samples / loss.dim
    if growth <= 0 or size <= growth * (NOTHING * reach)**2:
        return 1.0
    return max(math.sqrt(size / growth), NEAREST * reach)


def _grown(loss: SampledLoss, middle: Array, distance: float) -> float:
    """Tr C at a distance in one random direction."""
    way = np.random.default_rng(SEED).normal(size=len(middle))
    return float(np.trace(loss.covariance(middle + distance / np.linalg.norm(way) * way)))


def _doubled(loss: SampledLoss, middle: Array) -> float:
    """The distance in one random direction at which Tr C is twice that in the middle, within a factor of two."""
    start, distance = _grown(loss, middle, 0.0), 1.0
    for _ in range(20):
        grown = _grown(loss, middle, distance)
        if start <= grown - start <= 4 * start:
            break
        distance *= 2.0 if grown < 2 * start else 0.5
    return distance


def _around(middle: Array, radius: float, in_all_directions: bool = False) -> Array:
    """Points about a centre: along the axes, between pairs of axes where these are few or all directions are asked for, and at random."""
    d = len(middle)
    if d == 1:
        return middle + radius * np.linspace(-2, 2, 17)[:, None]
    if d > MOST_AXES and in_all_directions:
        raise ValueError(f"`form` is 'matrix', but {d} weights need {1 + d * (d + 1) // 2} points, and none are chosen for more than "
                         f"{MOST_AXES} weights; give them by `at`, or take 'componentwise'.")
    if d > MOST_AXES:
        others = np.random.default_rng(SEED).normal(size=(MOST_AXES, d)) / math.sqrt(d)
        return middle + radius * np.concatenate([np.zeros((1, d)), others])
    axes = np.eye(d)
    pairs = [(axes[i] + sign * axes[j]) / math.sqrt(2) for i in range(d) for j in range(i) for sign in (1, -1)
             if d <= LARGEST_FULL or in_all_directions]
    others = np.random.default_rng(SEED).normal(size=(2 * d, d)) / math.sqrt(d)
    return middle + radius * np.concatenate([np.zeros((1, d)), axes, -axes, *([np.array(pairs)] if pairs else []), others])


def _of_arrays(gradients: Any, at: ArrayLike | None, center: ArrayLike | None, complete: bool, scale: float) -> Samples:
    """Covariances of arrays of gradients (k, n, d) that come from elsewhere."""
    if at is None:
        raise ValueError("`at` is missing: arrays of gradients need the points at which they were taken, (k, d), or (k,) for one weight.")
    where, g = numbers("at", at), numbers("gradients", gradients)
    where, g = where[:, None] if where.ndim == 1 else where, g[:, :, None] if g.ndim == 2 else g
    if where.ndim != 2 or g.ndim != 3 or g.shape[0] != len(where) or g.shape[2] != where.shape[1]:
        raise ValueError(f"`gradients` has shape {np.shape(gradients)} and `at` {np.shape(at)}, but for k points, n gradients at each and "
                         "d weights they must be (k, n, d) and (k, d), or (k, n) and (k,) for one weight.")
    n = g.shape[1]
    if n < 2:
        raise ValueError("`gradients` has one gradient at each point, but a covariance needs at least two.")
    c, variances = covariances(g, complete)
    middle = state("center", center, where.shape[1]) if center is not None else _zero_of_mean(where, g.mean(axis=1))
    return Samples(middle, where, scale * c, scale * np.sqrt(np.maximum(variances, 0.0)), n, f"{n} gradients each")


def _zero_of_mean(where: Array, gradient: Array) -> Array:
    """Where the mean gradient, fitted by a linear function, vanishes; the mean of the points if they do not tell."""
    design = np.column_stack([np.ones(len(where)), where])
    if len(where) <= where.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.asarray(where.mean(axis=0))
    fit = np.linalg.lstsq(design, gradient, rcond=None)[0]
    if np.linalg.cond(fit[1:]) > 1e8:
        return np.asarray(where.mean(axis=0))
    return np.asarray(-np.linalg.solve(fit[1:].T, fit[0]))


def _groups(n: int, size: int, rng: Any) -> NDArray[np.int64]:
    """Samples in groups at random, (groups, size)."""
    if n // size < min(2, size):
        raise ValueError(f"`microbatch` is {size}, but there are {n} samples, and at least two groups are needed to tell how they differ.")
    return generator(rng).permutation(n)[:n // size * size].reshape(-1, size)


def _grouped(away: Array, groups: NDArray[np.int64]) -> Array:
    """Means over groups of samples, (groups, ...), scaled so that their second moments estimate those of single samples."""
    n, size = len(away), groups.shape[1]
    return away if size == 1 else np.asarray(away[groups].mean(axis=1) * math.sqrt(size * (n - 1) / (n - size)))


def _shaped(parts: Any) -> Any:
    """Numbers for each component as a noise takes them: one number in one dimension."""
    return float(parts[0]) if len(parts) == 1 else np.asarray(parts)
