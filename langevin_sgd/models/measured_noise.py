"""The noise of SGD as it is measured: covariances of per-sample gradients at points about a minimum, and the quadratic that fits them."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, one_of, points, positive, state, whole
from langevin_sgd.models.covariance import Covariance
from langevin_sgd.models.fields import Names
from langevin_sgd.models.full_quadratic import FullQuadratic
from langevin_sgd.models.noise import Noise, Quadratic
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.strength import Strength

FORMS = ("componentwise", "matrix", "full")
LARGEST_FULL = 4                # components of a matrix C(x), which is factored in every step
MOST_AXES = 64                  # weights, above which points are chosen at random only, so many times
SEED = 1


def measured(source: SampledLoss | ArrayLike, at: ArrayLike | None = None, *, center: ArrayLike | None = None, radius: float | None = None,
             form: str | None = None, complete: bool | None = None, batch_size: int = 1, dataset_size: int | None = None,
             replacement: bool = True) -> MeasuredNoise:
    """Return the measured noise; see `langevin_sgd.noise.measure`."""
    if isinstance(source, SampledLoss):
        if complete is not None or batch_size != 1 or dataset_size is not None:
            raise ValueError("`complete`, `batch_size` and `dataset_size` describe arrays of gradients; a loss over data has all its "
                             "samples.")
        samples = _of_loss(source, at, center, radius)
    else:
        factor = _covariance_factor(batch_size, dataset_size, replacement)
        samples = _of_arrays(source, at, center, complete is True, 1 / factor)
    d = samples.points.shape[1]
    if form is None:
        form = "componentwise" if d == 1 or d > LARGEST_FULL else "full"
    if one_of("form", form, FORMS) == "full" and d > LARGEST_FULL:
        raise ValueError(f"`form` is 'full', but the state has {d} components, and a matrix C(x) is factored in every step for up to "
                         f"{LARGEST_FULL}; take 'componentwise' or 'matrix'.")
    return samples.fitted(form)


@dataclass(frozen=True, eq=False)
class Samples:
    """Covariances of gradients at points.

    Attributes
    ----------
    center
        The point about which the quadratic is written (d,).
    points, covariances, errors
        Points (k, d), C there (k, d, d), and its standard errors, zero where all samples of the data are known.
    n_samples
        Number of gradients at each point.
    origin
        Where they come from.
    """

    center: Array
    points: Array
    covariances: Array
    errors: Array
    n_samples: int
    origin: str

    def fitted(self, form: str) -> MeasuredNoise:
        """Return the noise whose covariance is the quadratic, in one of three forms, that comes nearest to these."""
        away = self.points - self.center
        d = away.shape[1]
        needed = {"componentwise": 3, "matrix": 1 + d * (d + 1) // 2, "full": (d + 1) * (d + 2) // 2}[form]
        if len(away) < needed:
            raise ValueError(f"`at` has {len(away)} points, but a quadratic of the form {form!r} in {d} dimensions has {needed} numbers "
                             "for each entry; give at least as many.")
        make = {"componentwise": _componentwise, "matrix": _modulated, "full": _full}[form]
        model, adjusted = make(self, away)
        return MeasuredNoise(self, form, model, adjusted)


@dataclass(frozen=True, eq=False)
class MeasuredNoise:
    """Noise that was measured: the quadratic that fits it, and how well.  It is a noise of the library, and `langevin_sgd.sgd` takes it.

    Attributes
    ----------
    samples
        What was measured: `points`, `covariances`, `errors`, `n_samples`.
    form
        "componentwise": a quadratic in its own component for each variance; "matrix": Σ_g (1 + δᵀ Σ_H Σ_g⁻¹ δ); "full": a quadratic in all
        components for each entry, exact where every sample's loss is quadratic.
    model
        The fit, as a noise.
    adjusted
        What had to be changed for the fit to be a covariance; "" if nothing.
    """

    samples: Samples
    form: str
    model: Noise
    adjusted: str

    @property
    def constant(self) -> Any:
        """σ_g: a number, variances (d,), or a matrix (d, d)."""
        return self._part("constant")

    @property
    def linear(self) -> Any:
        """σ_gH: a number, or (d,); zero for the form "matrix"; (d, d, d) for "full", the derivative of C_ij / 2 by component k."""
        return self._part("linear")

    @property
    def quadratic(self) -> Any:
        """σ_H: a number, or (d,); the matrix Σ_H; or (d, d, d, d), the coefficient of δ_k δ_l in C_ij."""
        return self._part("quadratic")

    @property
    def center(self) -> Any:
        """The point about which the quadratic is written."""
        return float(self.samples.center[0]) if len(self.samples.center) == 1 else self.samples.center

    def _part(self, name: str) -> Any:
        part = getattr(self.model, name)
        return float(np.ravel(part)[0]) if np.size(part) == 1 and len(self.samples.center) == 1 else part

    @property
    def residuals(self) -> Array:
        """Measured minus fitted C at the points (k, d, d)."""
        return self.samples.covariances - self._at(self.samples.points)

    @property
    def unexplained(self) -> float:
        """The share of the variation of C between the points that the fit leaves: 0 if it is exact, 1 or more if a constant does as well.
        """
        c = self.samples.covariances
        variation = float(((c - c.mean(axis=0))**2).sum())
        return float((self.residuals**2).sum()) / variation if variation > 0 else 0.0

    @property
    def unexplained_by_chance(self) -> float:
        """The share that is to be expected from the finite number of gradients alone; 0 where all samples of the data are known."""
        c = self.samples.covariances
        variation = float(((c - c.mean(axis=0))**2).sum())
        return float((self.samples.errors**2).sum()) / variation if variation > 0 else 0.0

    @property
    def largest_deviation(self) -> float:
        """The largest |measured − fitted| at a point, relative to |C| there (Frobenius)."""
        sizes = np.linalg.norm(self.samples.covariances, axis=(1, 2))
        return float((np.linalg.norm(self.residuals, axis=(1, 2)) / np.where(sizes > 0, sizes, 1.0)).max())

    def at(self, x: ArrayLike) -> Any:
        """Return the fitted C at states: the shape of x in one dimension, (..., d, d) in more."""
        d = len(self.samples.center)
        c = self._at(points("x", x, d))
        return c if d > 1 else c[..., 0, 0] if c.ndim > 2 else float(c[0, 0])

    def _at(self, states: Array) -> Array:
        """The fitted C (..., d, d) at states (..., d)."""
        made = self.covariance(_names(states.shape[-1]))
        return made.at(states, 0.0, made.values)

    def of_batch(self, batch_size: int, dataset_size: int | None = None, replacement: bool = True) -> Array:
        """Return the measured covariances (k, d, d) of the gradient of a batch: C / B, or C (N − B) / (B (N − 1)) without replacement."""
        return self.samples.covariances * _covariance_factor(batch_size, dataset_size, replacement)

    # ------------------------------------------------------------------------------------------------- what makes it a noise

    @property
    def values(self) -> Mapping[str, float]:
        """This noise has no named parameters."""
        return {}

    def covariance(self, variables: Names) -> Covariance:
        """Return the fitted C for a state with these components."""
        return self.model.covariance(variables)

    def replace(self, **values: float) -> MeasuredNoise:
        """Return the same noise: it has no named parameters."""
        return replace(self, model=self.model.replace(**values))

    def __repr__(self) -> str:
        d = len(self.samples.center)
        numbers_of = (f"σ_g = {self.constant:.4g}, σ_gH = {self.linear:.4g}, σ_H = {self.quadratic:.4g}" if d == 1
                      else f"{self.form}, {d} components")
        chance = f", {self.unexplained_by_chance:.2g} by chance" if self.unexplained_by_chance else ""
        changed = f"; {self.adjusted}" if self.adjusted else ""
        return (f"MeasuredNoise({numbers_of}, from {len(self.samples.points)} points of {self.samples.origin}; the quadratic leaves "
                f"{self.unexplained:.2g} of the variation unexplained{chance}{changed})")


# ------------------------------------------------------------------------------------------------------- what is measured

def _of_loss(loss: SampledLoss, at: ArrayLike | None, center: ArrayLike | None, radius: float | None) -> Samples:
    """Covariances of all samples of a loss over data, about a minimum."""
    given = None if at is None else points("at", at, loss.dim).reshape(-1, loss.dim)
    if center is None:
        start = np.zeros(loss.dim) if given is None else given.mean(axis=0)
        middle = _minimum(loss, start)
    else:
        middle = state("center", center, loss.dim)
    if given is None:
        given = _around(middle, positive("radius", radius) if radius is not None else _scale(loss, middle))
    elif radius is not None:
        raise ValueError("`radius` says how far points are chosen; leave it out where they are given by `at`.")
    c = np.stack([np.reshape(loss.covariance(w if loss.dim > 1 else float(w[0])), (loss.dim, loss.dim)) for w in given])
    return Samples(middle, given, c, np.zeros_like(c), loss.n_samples, repr(loss))


def _minimum(loss: SampledLoss, start: Array) -> Array:
    return np.atleast_1d(loss.minimum(start if loss.dim > 1 else float(start[0])).x)


def _scale(loss: SampledLoss, middle: Array) -> float:
    """The distance at which the noise has about doubled, √(Tr Σ_g / Tr Σ_H); one if it does not grow."""
    w: Any = middle if loss.dim > 1 else float(middle[0])
    if loss.dim > MOST_AXES:        # by its growth itself: all Hessians would be large
        return _doubled(loss, middle)
    h = np.reshape(loss.sample_hessians(w), (loss.n_samples, loss.dim, loss.dim))
    growth, size = float(np.einsum("nij,nij->", h - h.mean(axis=0), h - h.mean(axis=0))) / loss.n_samples / loss.dim, loss.covariance(w)
    return math.sqrt(float(np.trace(np.atleast_2d(size))) / growth) if growth > 0 and np.any(size) else 1.0


def _doubled(loss: SampledLoss, middle: Array) -> float:
    """The distance in one random direction at which Tr C is twice that in the middle, within a factor of two."""
    way = np.random.default_rng(SEED).normal(size=len(middle))
    way /= np.linalg.norm(way)
    start, distance = float(np.trace(loss.covariance(middle))), 1.0
    for _ in range(20):
        grown = float(np.trace(loss.covariance(middle + distance * way)))
        if start <= grown - start <= 4 * start or not start > 0:
            break
        distance *= 2.0 if grown < 2 * start else 0.5
    return distance


def _around(middle: Array, radius: float) -> Array:
    """Points about a centre: along the axes, between pairs of axes, and some at random."""
    d = len(middle)
    if d == 1:
        return middle + radius * np.linspace(-2, 2, 17)[:, None]
    if d > MOST_AXES:
        others = np.random.default_rng(SEED).normal(size=(MOST_AXES, d)) / math.sqrt(d)
        return middle + radius * np.concatenate([np.zeros((1, d)), others])
    axes = np.eye(d)
    pairs = [(axes[i] + sign * axes[j]) / math.sqrt(2) for i in range(d) for j in range(i) for sign in (1, -1)] if d <= LARGEST_FULL else []
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
    away = g - g.mean(axis=1, keepdims=True)
    products = away[:, :, :, None] * away[:, :, None, :]
    c = products.sum(axis=1) / (n if complete else n - 1)
    errors = np.zeros_like(c) if complete else products.std(axis=1, ddof=1) / math.sqrt(n)
    middle = state("center", center, where.shape[1]) if center is not None else _zero_of_mean(where, g.mean(axis=1))
    return Samples(middle, where, scale * c, scale * errors, n, f"{n} gradients each")


def _zero_of_mean(where: Array, gradient: Array) -> Array:
    """Where the mean gradient, fitted by a linear function, vanishes; the mean of the points if they do not tell."""
    design = np.column_stack([np.ones(len(where)), where])
    if len(where) <= where.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.asarray(where.mean(axis=0))
    fit = np.linalg.lstsq(design, gradient, rcond=None)[0]
    if np.linalg.cond(fit[1:]) > 1e8:
        return np.asarray(where.mean(axis=0))
    return np.asarray(-np.linalg.solve(fit[1:].T, fit[0]))


def _covariance_factor(batch_size: int, dataset_size: int | None, replacement: bool) -> float:
    """Cov(g_B) / C."""
    strength = Strength(learning_rate=1.0, batch_size=whole("batch_size", batch_size), dataset_size=dataset_size, replacement=replacement)
    return strength.value


# ------------------------------------------------------------------------------------------------------------------- fits

def _least_squares(design: Array, values: Array, errors: Array) -> Array:
    """The coefficients of a fit, weighted by errors where these are known."""
    weight = 1 / errors if (errors > 0).all() else np.ones_like(values)
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    fit = np.linalg.lstsq(design / scale * weight[:, None], values * weight, rcond=None)
    if fit[2] < design.shape[1]:
        raise ValueError("`at` does not determine a quadratic: its points lie on a line, a curve or too few of them; spread them about the "
                         "centre in all directions.")
    return np.asarray(fit[0] / scale)


def _componentwise(samples: Samples, away: Array) -> tuple[Noise, str]:
    d = away.shape[1]
    parts = np.empty((3, d))
    changed = []
    for k in range(d):
        own = away[:, k]
        design = np.column_stack([np.ones_like(own), 2 * own, own**2])
        g, gh, h = _least_squares(design, samples.covariances[:, k, k], samples.errors[:, k, k])
        if g <= 0 or h < 0 or gh * gh > g * h * (1 + 1e-9):
            g, gh, h = _constrained(design, samples.covariances[:, k, k], samples.errors[:, k, k])
            changed.append(k)
        gh = float(np.clip(gh, -math.sqrt(g * h), math.sqrt(g * h)))            # but for rounding it is within
        parts[:, k] = g, gh, h
    names = _names(d)
    which = ", ".join(names[k] for k in changed)
    said = f"the best fit is negative somewhere: this is the best that is not, for {which}" if changed else ""
    if d == 1:
        return Quadratic(float(parts[0, 0]), float(parts[1, 0]), float(parts[2, 0]), float(samples.center[0])), said
    return Quadratic(parts[0], parts[1], parts[2], samples.center), said


def _constrained(design: Array, values: Array, errors: Array) -> tuple[float, float, float]:
    """The best fit g + 2 gh δ + h δ² that is nowhere negative: the matrix of g, gh and h is a product L Lᵀ."""
    from scipy.optimize import least_squares
    weight = 1 / errors if (errors > 0).all() else np.ones_like(values)
    scale = math.sqrt(float(np.abs(values).mean())) or 1.0
    reach = float(np.abs(design[:, 1]).max()) / 2

    def numbers_of(root: Array) -> Array:
        a, b, c = scale * root
        return np.array([a * a, a * b / reach, (b * b + c * c) / reach**2])

    best = min((least_squares(lambda root: weight * (design @ numbers_of(root) - values), [1.0, tilt, 0.5], xtol=1e-14, ftol=1e-14,
                              gtol=1e-14) for tilt in (-0.5, 0.5)), key=lambda found: float(found.cost))
    g, gh, h = numbers_of(best.x)
    return float(g), float(gh), float(h)


def _modulated(samples: Samples, away: Array) -> tuple[Noise, str]:
    """Σ_g (1 + δᵀ A δ): Σ_g from where the points are nearest to the centre, A from how much C grows, both by least squares in turn."""
    d = away.shape[1]
    pairs = [(i, j) for i in range(d) for j in range(i, d)]
    squares = np.column_stack([away[:, i] * away[:, j] * (1.0 if i == j else 2.0) for i, j in pairs])
    modulation = 1 + squares @ np.zeros(len(pairs))
    for _ in range(50):
        base = np.einsum("k,kij->ij", modulation, samples.covariances) / (modulation @ modulation)
        strength = np.einsum("ij,kij->k", base, samples.covariances) / (base * base).sum()
        design = np.column_stack([np.ones(len(away)), squares])
        fit = _least_squares(design, strength, np.zeros(len(away)))
        modulation = design @ (fit / fit[0])
    form = np.zeros((d, d))
    for (i, j), value in zip(pairs, fit[1:] / fit[0], strict=True):
        form[i, j] = form[j, i] = value
    eigenvalues, vectors = np.linalg.eigh(form)
    falls = eigenvalues[0] < -1e-9 * abs(eigenvalues[-1])
    said = "the growth was negative along some direction, and was set to zero there" if falls else ""
    form = (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T
    base = fit[0] * base
    return Quadratic((base + base.T) / 2, quadratic=form @ base, center=samples.center), said


def _full(samples: Samples, away: Array) -> tuple[Noise, str]:
    d = away.shape[1]
    pairs = [(k, m) for k in range(d) for m in range(k, d)]
    design = np.column_stack([np.ones(len(away)), 2 * away, *(away[:, k] * away[:, m] * (1.0 if k == m else 2.0) for k, m in pairs)])
    constant, linear, quadratic = np.zeros((d, d)), np.zeros((d, d, d)), np.zeros((d, d, d, d))
    for i in range(d):
        for j in range(i + 1):
            fit = _least_squares(design, samples.covariances[:, i, j], samples.errors[:, i, j])
            constant[i, j] = constant[j, i] = fit[0]
            linear[i, j] = linear[j, i] = fit[1:d + 1]
            for (k, m), value in zip(pairs, fit[d + 1:], strict=True):
                for a, b in ((i, j), (j, i)):
                    quadratic[a, b, k, m] = quadratic[a, b, m, k] = value
    model = FullQuadratic(constant, linear, quadratic, samples.center)
    lowest = model.lowest(float(np.linalg.norm(away, axis=1).max()))
    return model, f"the fit has the eigenvalue {lowest:.3g} somewhere, so that it is no covariance there" if lowest < 0 else ""


def taylor(loss: SampledLoss, center: ArrayLike | None = None, microbatch: int = 1, rng: Any = 0) -> MeasuredNoise:
    """Return the noise that gradients and Hessians of the samples at one point say; see `langevin_sgd.noise.from_hessians`."""
    middle = _minimum(loss, np.zeros(loss.dim)) if center is None else state("center", center, loss.dim)
    w: Any = middle if loss.dim > 1 else float(middle[0])
    n, d = loss.n_samples, loss.dim
    g = np.reshape(loss.sample_gradients(w), (n, d))
    h = np.reshape(loss.sample_hessians(w), (n, d, d)) if d <= LARGEST_FULL else np.reshape(loss.sample_hessian_diagonals(w), (n, d))
    g, h = (_grouped(a - a.mean(axis=0), whole("microbatch", microbatch), rng) for a in (g, h))
    around = _around(middle, _scale(loss, middle))
    c = np.stack([np.reshape(loss.covariance(x if d > 1 else float(x[0])), (d, d)) for x in around])
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


def _grouped(away: Array, size: int, rng: Any) -> Array:
    """Means over groups of samples at random, (groups, ...), scaled so that their second moments estimate those of single samples."""
    n = len(away)
    if size == 1:
        return away
    if n // size < 2:
        raise ValueError(f"`microbatch` is {size}, but there are {n} samples, and at least two groups are needed to tell how they differ.")
    order = np.random.default_rng(rng).permutation(n)[:n // size * size].reshape(-1, size)
    return np.asarray(away[order].mean(axis=1) * math.sqrt(size * (n - 1) / (n - size)))


def between_two_points(loss: SampledLoss, first: ArrayLike, second: ArrayLike, center: ArrayLike | None = None) -> MeasuredNoise:
    """Return the noise that variances at two points say; see `langevin_sgd.noise.from_two_points`."""
    a, b = state("first", first, loss.dim), state("second", second, loss.dim)
    middle = _minimum(loss, (a + b) / 2) if center is None else state("center", center, loss.dim)
    d = loss.dim
    c = np.stack([np.reshape(loss.covariance(x if d > 1 else float(x[0])), (d, d)) for x in (a, b)])
    apart = (a - middle)**2 - (b - middle)**2
    if (apart == 0).any():
        k = int(np.argmin(np.abs(apart)))
        raise ValueError(f"`first` and `second` are equally far from the centre in component {k}, so that they do not tell how the noise "
                         "grows there.")
    variances = np.diagonal(c, axis1=1, axis2=2)
    grows = (variances[0] - variances[1]) / apart
    fits = [(max(float(g), 0.0), max(float(v - g * s), 0.0)) for g, v, s in zip(grows, variances[1], (b - middle)**2, strict=True)]
    falls = any(g < 0 for g in grows) or any(v - g * s < 0 for g, v, s in zip(grows, variances[1], (b - middle)**2, strict=True))
    model = Quadratic(_shaped([base for _, base in fits]), quadratic=_shaped([growth for growth, _ in fits]), center=_shaped(middle))
    said = "what came out negative was set to zero" if falls else ""
    return MeasuredNoise(Samples(middle, np.stack([a, b]), c, np.zeros_like(c), loss.n_samples, f"two points of {loss!r}"),
                         "componentwise", model, said)


def _shaped(parts: Any) -> Any:
    """Numbers for each component as a noise takes them: one number in one dimension."""
    return float(parts[0]) if len(parts) == 1 else np.asarray(parts)


def _names(d: int) -> Names:
    return ("x", "y", "z")[:d] if d <= 3 else tuple(f"x{k + 1}" for k in range(d))
