"""Escape where the noise is a function of the loss: the power law of arXiv:2006.13719, for every interpretation, and as published.

All of it is about noise C = σ_g (1 + u (L − L_m) / ΔL), with u = 2 ΔL / (κ ε σ_g) and κ = H / (ε σ_H): near the minimum that is the
covariance σ_g + σ_H x² of SGD.  The drift potential is then Φ = κ ln(1 + u (L − L_m) / ΔL), so that exp(Φ) is a power of C.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array, matrix, numbers, positive
from langevin_sgd.theory.closed_forms.kramers import Expansion, all_or_none, negative, size_of_next_order
from langevin_sgd.theory.closed_forms.regime import alpha_of, doubts, judged, label, left_out, percent, ratio, relative

PROPORTIONAL = 1e-6             # how far Σ_H may be from a multiple of H, relative to it
POWER_LAW = ("power law", "derived; arXiv:2006.13719 for Klimontovich in one dimension, Mori et al., arXiv:2105.09557, for Itô")
PUBLISHED = ("power law, as published", "Meng et al., arXiv:2006.13719, escape in one dimension")
PUBLISHED_D = ("power law in d dimensions, as published", "attributed to Meng et al., arXiv:2006.13719; its constants are not confirmed")


def power_law_time(*, barrier: float, curvature_minimum: ArrayLike, curvature_saddle: ArrayLike, strength: float, constant: float,
                   quadratic: ArrayLike, interpretation: str | float = "ito",
                   third_minimum: float | None = None, fourth_minimum: float | None = None,
                   third_saddle: float | None = None, fourth_saddle: float | None = None) -> Prediction:
    """Predict the mean escape time for noise that is a function of the loss, in any interpretation and dimension.

    τ = 2π / |H_e| · √(|det H_s| / det H_m) · (1 + u)^(κ + 1 − α − d/2) / (1 + (1/2 − α) / κ), where H_e is the negative curvature at
    the saddle; in one dimension 2π / √(H_m |H_s|) · (1 + u)^(κ + 1/2 − α) / (1 + (1/2 − α) / κ).

    Parameters
    ----------
    barrier
        ΔL = L(saddle) − L(minimum), positive.
    curvature_minimum, curvature_saddle
        L'' there, numbers in one dimension; in d dimensions the Hessians: d eigenvalues (in the order of common axes), or matrices.
    strength
        ε.
    constant
        σ_g, the covariance at the minimum; in more dimensions that along the escape direction.
    quadratic
        σ_H in one dimension, in more the matrix Σ_H or its eigenvalues in the same order; it must be proportional to H.
        κ = Tr H / (ε Tr Σ_H); for noise proportional to the loss, C = c (L − L_m + floor), it is c H / 2.
    interpretation
        "ito", "stratonovich" or "klimontovich", or α itself.
    third_minimum, fourth_minimum, third_saddle, fourth_saddle
        Derivatives of L along the escape direction; all four or none.  They do not change the prediction but `expected_error`.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.  It is infinite where the
        tails of the well hold infinite mass, κ + 1 − α ≤ d / 2.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, a Hessian of the wrong signature, shapes that do not fit, an unknown
        interpretation, and if only some of the derivatives are given.

    Notes
    -----
    Source: derived (`theory`, 4.2 and 4.3); α = 1 is the published formula in one dimension.  In one dimension it is the exact value
    of the Beta integrals on parabolas that never end; `expected_error` is what of these integrals lies beyond the point where
    the parabolas join, two to seven times the error on `ls.landscapes.piecewise_quadratic`.  It applies for κ ln(1 + u) of at
    least 4 if what is left out is at most 25 %.  Outside: noise that is no function of the loss (`ls.predict` looks).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.power_law_time(barrier=1.0, curvature_minimum=1.0, curvature_saddle=-1.0, strength=0.1, constant=1.0, quadratic=2.0)
    39914 (power law): applies, κ = 5, u = 4, Itô; κ ln(1 + u) = 8.05; what is left out is about 0.79 %
    """
    p = _numbers(barrier, curvature_minimum, curvature_saddle, strength, constant, quadratic)
    alpha = alpha_of(interpretation)
    derivatives = all_or_none(third_minimum=third_minimum, fourth_minimum=fourth_minimum, third_saddle=third_saddle,
                              fourth_saddle=fourth_saddle)
    error = p.left_out(alpha, derivatives)
    return judged(*POWER_LAW, p.log_time(alpha), facts=p.facts(alpha, error), against=p.doubts(alpha, error), error=error)


def power_law_time_published(*, barrier: float, curvature_minimum: float, curvature_saddle: float, strength: float, constant: float,
                             quadratic: float, interpretation: str | float = "ito",
                             third_minimum: float | None = None, fourth_minimum: float | None = None,
                             third_saddle: float | None = None, fourth_saddle: float | None = None) -> Prediction:
    """Predict the mean escape time as published, 2π / ((1 − 1/(2κ)) √(H_m |H_s|)) · (1 + u)^(κ − 1/2), in one dimension.

    Parameters
    ----------
    barrier, curvature_minimum, curvature_saddle, strength, constant, quadratic, third_minimum, fourth_minimum, third_saddle, fourth_saddle
        As in `power_law_time`, numbers.
    interpretation
        Of the equation that the formula is compared with: it changes nothing in the number, but whether it applies.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations; NaN for κ ≤ 1/2.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, and for an unknown interpretation.

    Notes
    -----
    Source: arXiv:2006.13719 (`theory`, 4.1).  Its silent assumption is the Klimontovich convention; then it is `power_law_time`.
    SGD is Itô, for which it is too small by about a factor 1 + u, the ratio of the noise at the saddle and at the minimum.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.power_law_time_published(barrier=1.0, curvature_minimum=1.0, curvature_saddle=-1.0, strength=0.1, constant=1.0,
    ...                                    quadratic=2.0, interpretation="klimontovich")
    9757 (power law, as published): applies, κ = 5, u = 4, Klimontovich; κ ln(1 + u) = 8.05; what is left out is about 1.5 %
    """
    p = _numbers(barrier, positive("curvature_minimum", curvature_minimum), negative("curvature_saddle", curvature_saddle),
                 strength, constant, positive("quadratic", quadratic))
    derivatives = all_or_none(third_minimum=third_minimum, fourth_minimum=fourth_minimum, third_saddle=third_saddle,
                              fourth_saddle=fourth_saddle)
    alpha, log_value, error = alpha_of(interpretation), p.log_time(1.0), p.left_out(1.0, derivatives)
    against = p.doubts(1.0, error)
    if not math.isfinite(log_value):
        log_value = math.nan                                              # the formula, in its own words, is negative or infinite
    elif alpha != 1:
        lacking = p.log_time(alpha) - log_value
        against.insert(0, f"it holds for Klimontovich, and this is {label(alpha)}: it lacks (1 + u)^{1 - alpha:g} = "
                          f"{ratio((1 - alpha) * math.log1p(p.growth))}, and the true time is {ratio(lacking)} times as long")
        error += relative(lacking)
    return judged(*PUBLISHED, log_value, facts=p.facts(1.0, error), against=against, error=error)


def power_law_time_published_d(*, barrier: float, curvature_minimum: ArrayLike, curvature_saddle: ArrayLike, strength: float,
                               constant: float, quadratic: ArrayLike, interpretation: str | float = "ito") -> Prediction:
    """Give the form in d dimensions that is attributed to arXiv:2006.13719; it never applies.

    2π / |H_e| · √(|det H_s| / det H_m) · (1 + ΔL / (ε κ σ_g))^(κ − 1/2) / (1 − d / (2κ)).

    Parameters
    ----------
    barrier, curvature_minimum, curvature_saddle, strength, constant, quadratic, interpretation
        As in `power_law_time`.

    Returns
    -------
    Prediction
        With ``applies=False``, and its ratio to `power_law_time` in the reason; NaN for κ ≤ d / 2.

    Raises
    ------
    ValueError
        As `power_law_time`.

    Notes
    -----
    Source: `theory`, 4.3.  Three constants are in doubt: the factor 2 in front of ΔL, which the form in one dimension has; the exponent,
    which lacks −(d − 1)/2; and 1 − d / (2κ), which should be 1 − 1 / (2κ).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.power_law_time_published_d(barrier=1.0, curvature_minimum=[1.0, 1.0], curvature_saddle=[-1.0, 1.0], strength=0.1,
    ...                                      constant=1.0, quadratic=[2.0, 2.0], interpretation="klimontovich")
    1102 (power law in d dimensions, as published): does not apply, its constants are not confirmed: ...
    """
    p = _numbers(barrier, curvature_minimum, curvature_saddle, strength, constant, quadratic)
    derived = p.log_time(alpha_of(interpretation))
    log_value = math.nan
    if p.kappa > p.dim / 2:
        log_value = p.log_attempt + (p.kappa - 0.5) * math.log1p(p.growth / 2) - math.log1p(-p.dim / (2 * p.kappa))
    against = ["its constants are not confirmed: a factor 2 in front of ΔL may be missing, the exponent lacks −(d − 1)/2, and 1 − d/(2κ) "
               "should be 1 − 1/(2κ)"]
    if not math.isfinite(log_value - derived):
        return judged(*PUBLISHED_D, log_value, facts=[], error=None, against=[
            f"κ = {p.kappa:.3g} must exceed d / 2 = {p.dim / 2:g}, in either form", *against])
    against.append(f"it is {ratio(log_value - derived)} times the derived form (d = {p.dim}, κ = {p.kappa:.3g})")
    return judged(*PUBLISHED_D, log_value, facts=[], against=against, error=relative(derived - log_value))


@dataclass(frozen=True)
class _PowerLaw:
    """The numbers of an escape in d dimensions, checked; Hessians and Σ_H as matrices."""

    barrier: float
    minimum: Array
    saddle: Array
    strength: float
    constant: float
    quadratic: Array

    @property
    def dim(self) -> int:
        return len(self.minimum)

    @property
    def kappa(self) -> float:
        return float(np.trace(self.minimum) / (self.strength * np.trace(self.quadratic)))

    @property
    def growth(self) -> float:
        """u: there is 1 + u times as much noise at the saddle as at the minimum."""
        return 2 * self.barrier / (self.kappa * self.strength * self.constant)

    @property
    def along(self) -> tuple[float, float]:
        """The curvatures of minimum and saddle along the escape direction."""
        curvatures, directions = np.linalg.eigh(self.saddle)
        return float(directions[:, 0] @ self.minimum @ directions[:, 0]), float(curvatures[0])

    @property
    def log_attempt(self) -> float:
        at_minimum, at_saddle = np.linalg.eigvalsh(self.minimum), np.linalg.eigvalsh(self.saddle)
        determinants = float(np.log(np.abs(at_saddle)).sum() - np.log(at_minimum).sum())
        return math.log(2 * math.pi) - math.log(-at_saddle[0]) + determinants / 2

    def excess(self, alpha: float) -> float:
        """How far the tail exponent of the well is from holding infinite mass; also the exponent of 1 + u."""
        return self.kappa + 1 - alpha - self.dim / 2

    def log_time(self, alpha: float) -> float:
        if self.excess(alpha) <= 0:
            return math.inf
        return self.log_attempt + self.excess(alpha) * math.log1p(self.growth) - math.log1p((0.5 - alpha) / self.kappa)

    def left_out(self, alpha: float, derivatives: list[float]) -> float:
        """What the formula leaves out, relative to it."""
        if self.excess(alpha) <= 0:
            return math.inf
        return self._beyond_the_join(alpha) + self._across() + (self._anharmonic(alpha, *derivatives) if derivatives else 0.0)

    @property
    def _at_join(self) -> float:
        """C / σ_g where a parabola about the minimum meets one about the saddle."""
        h_m, h_s = self.along
        return 1 + self.growth / (1 + h_m / -h_s)

    def _beyond_the_join(self, alpha: float) -> float:
        """The parts of the Beta integrals of well and saddle beyond the join."""
        from scipy.special import betainc
        well = betainc(self.excess(alpha), 0.5, 1 / self._at_join) / 2
        return float(well + betainc(self.kappa + 1 - alpha, 0.5, self._at_join / (1 + self.growth)) / 2)

    def _across(self) -> float:
        """The flux through the saddle that does not run straight.

        The formula lets it run in straight lines, which makes the time an upper bound.  A trial function that widens as the noise
        grows away from the axis bounds it from below, and the gap is Σ H_⊥ / (4 κ² |H_e|) for every α.
        """
        curvatures = np.linalg.eigvalsh(self.saddle)
        return float(curvatures[1:].sum() / (4 * self.kappa * self.kappa * -curvatures[0]))

    def _anharmonic(self, alpha: float, third_m: float, fourth_m: float, third_s: float, fourth_s: float) -> float:
        """The next order in the departure of L from its parabolas: that of Gaussians as wide as the well and the saddle are."""
        h_m, h_s = self.along
        width_m, width_s = 2 * self.barrier / (self.growth * h_m), 2 * self.barrier * (1 + self.growth) / (self.growth * -h_s)
        spread_m = width_m * _student_variance(self.excess(alpha) + 0.5, self._at_join - 1)
        spread_s = width_s / (2 * (self.kappa - alpha) + 3)                          # of a symmetric Beta law
        return size_of_next_order(Expansion(h_m, third_m, fourth_m, h_m * spread_m).next_order(0.0),
                                  Expansion(h_s, third_s, fourth_s, -h_s * spread_s).next_order(0.0))

    def facts(self, alpha: float, error: float) -> list[str]:
        which = f"κ = {self.kappa:.4g}, u = {self.growth:.4g}, {label(alpha)}" + (f", d = {self.dim}" if self.dim > 1 else "")
        return [which, f"κ ln(1 + u) = {self.kappa * math.log1p(self.growth):.3g}", left_out(error)]

    def doubts(self, alpha: float, error: float) -> list[str]:
        """What speaks against the formula of this interpretation."""
        multiple = self.minimum / (self.kappa * self.strength)
        difference = float(np.abs(self.quadratic - multiple).max() / np.abs(multiple).max())
        found = []
        if difference > PROPORTIONAL:
            found.append(f"Σ_H is not proportional to H (it differs by {percent(difference)}), so that there is no one κ")
        if self.excess(alpha) <= 0:
            return [*found, f"κ + 1 − α = {self.kappa + 1 - alpha:.3g} must exceed d / 2 = {self.dim / 2:g}, else the tails of the "
                            "well hold infinite mass"]
        return found + doubts(self.kappa * math.log1p(self.growth), "κ ln(1 + u)", error)


def _student_variance(q: float, cut: float) -> float:
    """<x²> in the law (1 + x²)^−q, counted up to x² = cut: beyond the join there is no well, and the full variance need not exist."""
    from scipy.special import beta, betainc, hyp2f1
    if q > 2:
        return float(betainc(1.5, q - 1.5, cut / (1 + cut)) / (2 * q - 3))
    return float(2 / 3 * cut**1.5 * hyp2f1(1.5, q, 2.5, -cut) / beta(0.5, q - 0.5))


def _numbers(barrier: float, curvature_minimum: ArrayLike, curvature_saddle: ArrayLike, strength: float, constant: float,
             quadratic: ArrayLike) -> _PowerLaw:
    """Check the arguments that the three formulas share."""
    minimum = _positive_definite("curvature_minimum", curvature_minimum)
    return _PowerLaw(positive("barrier", barrier), minimum, _one_negative("curvature_saddle", curvature_saddle, len(minimum)),
                     positive("strength", strength), positive("constant", constant),
                     _positive_definite("quadratic", quadratic, len(minimum)))


def _positive_definite(name: str, values: ArrayLike, dim: int | None = None) -> Array:
    array = _symmetric(name, values, dim)
    if np.ndim(values) == 0:
        positive(name, array[0, 0])
    least = float(np.linalg.eigvalsh(array)[0])
    if least <= 0:
        raise ValueError(f"`{name}` has the eigenvalue {least:g}, but must be positive definite.")
    return array


def _one_negative(name: str, values: ArrayLike, dim: int) -> Array:
    array = _symmetric(name, values, dim)
    if np.ndim(values) == 0:
        negative(name, array[0, 0])
    curvatures = np.linalg.eigvalsh(array)
    if (curvatures < 0).sum() != 1 or (curvatures == 0).any():
        raise ValueError(f"`{name}` has the eigenvalues {curvatures.tolist()}, but exactly one must be negative and none zero: at a "
                         "saddle the loss falls in one direction.")
    return array


def _symmetric(name: str, values: ArrayLike, dim: int | None = None) -> Array:
    """A number, eigenvalues or a symmetric matrix, as a matrix."""
    array = numbers(name, values)
    array = matrix(name, np.diag(np.atleast_1d(array)) if array.ndim < 2 else array)
    if len(array) == 0 or dim not in (None, len(array)):
        raise ValueError(f"`{name}` is for {len(array)} components, but `curvature_minimum` is for {dim or 'at least 1'}; give each "
                         "as a number, or as eigenvalues or a matrix of one size.")
    if not np.allclose(array, array.T, rtol=1e-8, atol=1e-12 * float(np.abs(array).max())):
        raise ValueError(f"`{name}` must be symmetric, but is {array.tolist()}.")
    return (array + array.T) / 2
