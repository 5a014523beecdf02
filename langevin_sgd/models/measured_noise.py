"""The noise of SGD as it is measured: covariances of per-sample gradients at points about a minimum, and the quadratic that fits them."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, points
from langevin_sgd.models.covariance import Covariance
from langevin_sgd.models.fields import Names
from langevin_sgd.models.full_quadratic import FullQuadratic
from langevin_sgd.models.noise_families import Noise, Quadratic
from langevin_sgd.models.sampling_errors import steadied
from langevin_sgd.models.strength import covariance_factor
from langevin_sgd.models.weighted_fits import above_zero, least_squares, nowhere_negative, reweighted, solution

FORMS = ("componentwise", "matrix", "full")
LARGEST_FULL = 4                # components of a matrix C(x), which is factored in every step
ROUNDING = 1e-12                # of C
TOO_LARGE = 1e150               # to be squared


@dataclass(frozen=True, eq=False)
class Samples:
    """Covariances of gradients at points.

    Attributes
    ----------
    center
        The point about which the quadratic is written (d,).
    points, covariances, errors
        Points (k, d), C there (k, d, d), and its standard errors, zero where all samples of the data are known.  Where there are few
        gradients, the errors come from the fitted C and from all points together.
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
        self._check_sizes()
        away = self.points - self.center
        d = away.shape[1]
        needed = {"componentwise": 3, "matrix": 1 + d * (d + 1) // 2, "full": (d + 1) * (d + 2) // 2}[form]
        if len(away) < needed:
            raise ValueError(f"`at` has {len(away)} points, but a quadratic of the form {form!r} in {d} dimensions has {needed} numbers "
                             "for each entry; give at least as many.")
        make = {"componentwise": _componentwise, "matrix": _modulated, "full": _full}[form]
        model, adjusted, c = make(self, away)
        errors = steadied(self.errors**2, c, self.n_samples) if self.are_sampled else self.errors
        return MeasuredNoise(replace(self, errors=errors), form, model, adjusted)

    def _check_sizes(self) -> None:
        """A least-squares fit squares C and δ²."""
        far = np.abs(self.points - self.center).max(axis=1)
        sizes = np.abs(self.covariances).max(axis=(1, 2))
        for k in np.flatnonzero(~((far < math.sqrt(TOO_LARGE)) & (sizes < TOO_LARGE)))[:1]:
            raise ValueError(f"`at` holds {self.points[k]} at index {k}, which is {far[k]:.3g} from the centre, and C is {sizes[k]:.3g} "
                             "there: too large to be squared in a fit; take points nearer to the centre.")

    @property
    def are_sampled(self) -> bool:
        """Whether the covariances are those of some gradients only, and uncertain."""
        return bool(self.errors.any())

    def fit(self, fit: Callable[[Array, Array, Array], Array], design: Array, values: Array) -> Array:
        """Return the coefficients of a fit of variances: reweighted where they are uncertain."""
        even = np.ones(len(values))
        return reweighted(fit, design, values, even) if self.are_sampled else fit(design, values, even)

    def weight_between(self, first: Array, second: Array) -> Array:
        """Return the weights of covariances between components of these fitted variances."""
        if not self.are_sampled:
            return np.ones(len(first))
        return 1 / np.sqrt(above_zero(first, first) * above_zero(second, second))


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
        """The share of the variation of C between the points that the fit leaves: 0 if it is exact or C constant, 1 or more if a constant
        does as well.
        """
        return float((self.residuals**2).sum()) / self._variation

    @property
    def unexplained_by_chance(self) -> float:
        """The share that is to be expected from the finite number of gradients alone; 0 where all samples of the data are known."""
        return float((self.samples.errors**2).sum()) / self._variation

    @property
    def _variation(self) -> float:
        """The sum of squares by which C differs between the points; endless where that is rounding, of which nothing is to be explained."""
        c = self.samples.covariances
        variation = float(((c - c.mean(axis=0))**2).sum())
        return variation if variation > (ROUNDING * float(np.abs(c).max()))**2 * len(c) else math.inf

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
        return self.samples.covariances * covariance_factor(batch_size, dataset_size, replacement)

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


# ------------------------------------------------------------------------------------------------------------------- fits

def _componentwise(samples: Samples, away: Array) -> tuple[Noise, str, Array]:
    d = away.shape[1]
    parts, fitted = np.empty((3, d)), np.zeros_like(samples.covariances)
    changed = []
    for k in range(d):
        own = away[:, k]
        design, values = np.column_stack([np.ones_like(own), 2 * own, own**2]), samples.covariances[:, k, k]
        g, gh, h = samples.fit(least_squares, design, values)
        rounding, reach = ROUNDING * float(np.abs(values).max()), float(np.abs(own).max())
        most = max(g, 0.0) * max(h, 0.0)
        if g < -rounding or h * reach**2 < -rounding or gh * gh > most * (1 + 1e-9) + (rounding / reach)**2:
            g, gh, h = samples.fit(nowhere_negative, design, values)
            changed.append(k)
        g, h = max(g, 0.0), max(h, 0.0)                                         # but for rounding they are, and gh is within
        gh = float(np.clip(gh, -math.sqrt(g * h), math.sqrt(g * h))) + 0.0      # no −0
        parts[:, k] = g, gh, h
        fitted[:, k, k] = design @ parts[:, k]
    names = _names(d)
    which = ", ".join(names[k] for k in changed)
    said = f"the best fit is negative somewhere: this is the best that is not, for {which}" if changed else ""
    if d == 1:
        return Quadratic(float(parts[0, 0]), float(parts[1, 0]), float(parts[2, 0]), float(samples.center[0])), said, fitted
    return Quadratic(parts[0], parts[1], parts[2], samples.center), said, fitted


def _modulated(samples: Samples, away: Array) -> tuple[Noise, str, Array]:
    """Σ_g (1 + δᵀ A δ): Σ_g from where the points are nearest to the centre, A from how much C grows, both by least squares in turn."""
    d = away.shape[1]
    pairs = [(i, j) for i in range(d) for j in range(i, d)]
    squares = np.column_stack([away[:, i] * away[:, j] * (1.0 if i == j else 2.0) for i, j in pairs])
    design = np.column_stack([np.ones(len(away)), squares])
    solve, modulation = solution(design), np.ones(len(away))
    for _ in range(50):
        base = np.einsum("k,kij->ij", modulation, samples.covariances) / (modulation @ modulation)
        strength = np.einsum("ij,kij->k", base, samples.covariances) / (base * base).sum()
        fit = solve @ strength
        modulation = design @ (fit / fit[0])
    form = np.zeros((d, d))
    for (i, j), value in zip(pairs, fit[1:] / fit[0], strict=True):
        form[i, j] = form[j, i] = value
    eigenvalues, vectors = np.linalg.eigh(form)
    falls = eigenvalues[0] < -1e-9 * abs(eigenvalues[-1])
    said = "the growth was negative along some direction, and was set to zero there" if falls else ""
    form = (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T
    base = fit[0] * base
    fitted = (1 + np.einsum("ki,ij,kj->k", away, form, away))[:, None, None] * base
    return Quadratic((base + base.T) / 2, quadratic=form @ base, center=samples.center), said, fitted


def _full(samples: Samples, away: Array) -> tuple[Noise, str, Array]:
    d = away.shape[1]
    pairs = [(k, m) for k in range(d) for m in range(k, d)]
    design = np.column_stack([np.ones(len(away)), 2 * away, *(away[:, k] * away[:, m] * (1.0 if k == m else 2.0) for k, m in pairs)])
    constant, linear, quadratic = np.zeros((d, d)), np.zeros((d, d, d)), np.zeros((d, d, d, d))
    fitted = np.zeros_like(samples.covariances)
    for i, j in [*((k, k) for k in range(d)), *((k, m) for k in range(d) for m in range(k))]:           # variances first: they are weights
        values = samples.covariances[:, i, j]
        fit = (samples.fit(least_squares, design, values) if i == j
               else least_squares(design, values, samples.weight_between(fitted[:, i, i], fitted[:, j, j])))
        fitted[:, i, j] = fitted[:, j, i] = design @ fit
        constant[i, j] = constant[j, i] = fit[0]
        linear[i, j] = linear[j, i] = fit[1:d + 1]
        for (k, m), value in zip(pairs, fit[d + 1:], strict=True):
            for a, b in ((i, j), (j, i)):
                quadratic[a, b, k, m] = quadratic[a, b, m, k] = value
    model = FullQuadratic(constant, linear, quadratic, samples.center)
    lowest = model.lowest(float(np.linalg.norm(away, axis=1).max()))
    said = f"the fit has the eigenvalue {lowest:.3g} somewhere, so that it is no covariance there" if lowest < 0 else ""
    return model, said, fitted


def _names(d: int) -> Names:
    return ("x", "y", "z")[:d] if d <= 3 else tuple(f"x{k + 1}" for k in range(d))
