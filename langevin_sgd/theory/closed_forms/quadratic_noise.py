"""The stationary law of the power-law dynamic, in closed form: a quadratic well under noise that is quadratic in the displacement.

In one dimension, dx = −H x dt + √(ε C) dW with C = σ_g + 2 σ_gH x + σ_H x², it is p ∝ C^−q exp(ν atan((σ_gH + σ_H x) / √Δ)): a power
law, skew where σ_gH ≠ 0 (Pearson's type IV, for σ_gH = 0 a Student law).  Here Δ = σ_g σ_H − σ_gH², κ = H / (ε σ_H), q = κ + 1 − α and
ν = 2 κ σ_gH / √Δ.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, finite, numbers, points, positive
from langevin_sgd.theory.closed_forms.matrices import commute, positive_definite
from langevin_sgd.theory.closed_forms.regime import alpha_of, label, percent

PROPORTIONAL = 1e-6             # how far Σ_H may be from a multiple of H, relative to it


def power_law_stationary(*, curvature: float, strength: float, constant: float, quadratic: float, linear: float = 0.0,
                         interpretation: str | float = "ito") -> PowerLawStationary:
    """Return the stationary law of the power-law dynamic in one dimension.

    Parameters
    ----------
    curvature
        H = L'' at the minimum, positive.
    strength
        ε.
    constant, linear, quadratic
        σ_g, σ_gH and σ_H in C = σ_g + 2 σ_gH x + σ_H x², where x is the displacement from the minimum.
    interpretation
        "ito", "stratonovich" or "klimontovich", or α itself.

    Returns
    -------
    PowerLawStationary
        The density with its moments and tail index.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, noise that is not positive everywhere (σ_H σ_g ≤ σ_gH²), an unknown
        interpretation, and where there is no stationary law, κ ≤ α − 1/2.

    Notes
    -----
    Source: `theory`, 3.1; α = 1 is the law published in arXiv:2006.13719.  It is exact for this equation.  The power tail is that of
    the equation, not of SGD: real minibatches have another one (`kesten_tail_exponent`), and none where the curvature of every batch
    is between 0 and 2 / learning rate.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> law = ls.theory.power_law_stationary(curvature=1.0, strength=0.1, constant=0.5, linear=0.6, quadratic=2.0,
    ...                                      interpretation="klimontovich")
    >>> law.kappa, law.tail_index
    (5.0, 9.0)
    >>> f"{law.mean:.6f}", f"{law.second_moment:.6f}", f"{law(0.0):.6f}"
    ('0.075000', '0.048571', '2.300557')
    """
    law = PowerLawStationary(positive("curvature", curvature), positive("strength", strength), positive("constant", constant),
                             finite("linear", linear), positive("quadratic", quadratic), alpha_of(interpretation))
    if law.determinant <= 0:
        raise ValueError(f"`linear` is {law.linear:g}, but linear² must be less than constant × quadratic = "
                         f"{law.constant * law.quadratic:g}, else the noise vanishes somewhere.")
    if law.tail_index <= 0:
        raise ValueError(_no_law(law.kappa, law.alpha, law.tail_index))
    return law


@dataclass(frozen=True)
class PowerLawStationary:
    """The stationary law of the power-law dynamic in one dimension, a density p(x); made by `power_law_stationary`.

    Attributes
    ----------
    curvature, strength, constant, linear, quadratic
        H, ε, σ_g, σ_gH, σ_H.
    alpha
        Of the interpretation: 0 Itô, 1/2 Stratonovich, 1 Klimontovich.
    """

    curvature: float
    strength: float
    constant: float
    linear: float
    quadratic: float
    alpha: float

    @property
    def kappa(self) -> float:
        """κ = H / (ε σ_H)."""
        return self.curvature / (self.strength * self.quadratic)

    @property
    def exponent(self) -> float:
        """q = κ + 1 − α: far out, p falls like |x|^(−2q)."""
        return self.kappa + 1 - self.alpha

    @property
    def tail_index(self) -> float:
        """A = 2q − 1, where P(|x| > r) falls like r^−A; only moments below A exist."""
        return 2 * self.exponent - 1

    @property
    def determinant(self) -> float:
        """Δ = σ_g σ_H − σ_gH²."""
        return self.constant * self.quadratic - self.linear**2

    @property
    def skewness_parameter(self) -> float:
        """ν = 2 κ σ_gH / √Δ: 0 for a symmetric law."""
        return 2 * self.kappa * self.linear / math.sqrt(self.determinant)

    @property
    def mode(self) -> float:
        """Where p is largest."""
        return (self.kappa / self.exponent - 1) * self.linear / self.quadratic

    @property
    def mean(self) -> float:
        """E x; a ValueError where it does not exist (A ≤ 1)."""
        self._check_exists(1, "mean")
        kick = self.alpha * self.strength
        return kick * self.linear / (self.curvature - kick * self.quadratic)

    @property
    def second_moment(self) -> float:
        """E x²; a ValueError where it does not exist (A ≤ 2)."""
        self._check_exists(2, "second moment")
        driven = self.constant + 2 * (1 + self.alpha) * self.linear * self.mean
        return self.strength * driven / (2 * self.curvature - (1 + 2 * self.alpha) * self.strength * self.quadratic)

    @property
    def variance(self) -> float:
        """E (x − E x)²; a ValueError where it does not exist (A ≤ 2)."""
        return self.second_moment - self.mean**2

    @property
    def normalisation(self) -> float:
        """The integral of p scaled to 1 at its mode, as a width of the law."""
        return math.exp(-self.log_density(self.mode))

    def __call__(self, x: ArrayLike) -> Any:
        """Return p at displacements x from the minimum; the shape of x."""
        values = np.exp(self.log_density(x))
        return values if np.ndim(values) else float(values)

    def log_density(self, x: ArrayLike) -> Any:
        """Return ln p at displacements x from the minimum; the shape of x."""
        logs = self._log_shape(self._scaled(numbers("x", x))) - self._log_mass
        return logs if logs.ndim else float(logs)

    def _scaled(self, x: Array) -> Array:
        """t, with C = (1 + t²) Δ / σ_H."""
        return (self.linear + self.quadratic * x) / math.sqrt(self.determinant)

    def _log_shape(self, t: Array) -> Array:
        return -2 * self.exponent * np.log(np.hypot(1.0, t)) + self.skewness_parameter * np.arctan(t)

    @property
    def _log_mass(self) -> float:
        """ln ∫ (1 + t²)^−q exp(ν atan t) dx = ln [π Γ(2q − 1) 2^(2−2q) / |Γ(q + iν/2)|² · √Δ / σ_H]."""
        from scipy.special import gammaln, loggamma
        q = self.exponent
        return float(math.log(math.pi) + gammaln(2 * q - 1) + (2 - 2 * q) * math.log(2)
                     - 2 * loggamma(complex(q, self.skewness_parameter / 2)).real
                     + math.log(self.determinant) / 2 - math.log(self.quadratic))

    def _check_exists(self, order: int, name: str) -> None:
        if order >= self.tail_index:
            raise ValueError(f"the {name} of this stationary law does not exist: its tail index is {self.tail_index:.6g}, and only "
                             "moments below that exist.")


def power_law_stationary_d(*, curvature: ArrayLike, strength: float, constant: ArrayLike, quadratic: ArrayLike,
                           interpretation: str | float = "ito") -> PowerLawStationaryInSpace:
    """Return the stationary law of the power-law dynamic in d dimensions, p ∝ (1 + xᵀ Σ_H Σ_g⁻¹ x)^−(κ + 1 − α).

    Parameters
    ----------
    curvature
        The Hessian H at the minimum: d eigenvalues (in the order of common axes), or a matrix; positive definite.
    strength
        ε.
    constant, quadratic
        Σ_g and Σ_H in C = Σ_g (1 + xᵀ Σ_H Σ_g⁻¹ x); eigenvalues in the same order, or matrices.
    interpretation
        "ito", "stratonovich" or "klimontovich", or α itself.

    Returns
    -------
    PowerLawStationaryInSpace
        The density with its covariance, tail index and Kullback–Leibler divergence; `applies` and `because` say whether it is the law
        of this equation.

    Raises
    ------
    ValueError
        For numbers that are not finite, a matrix that is not positive definite, shapes that do not fit, an unknown interpretation, and
        where there is no stationary law, κ + 1 − α ≤ d / 2.

    Notes
    -----
    Source: arXiv:2006.13719 for α = 1, derived for the others (`theory`, 3.2).  It applies only if Σ_H is proportional to H and Σ_g
    commutes with H; with either alone, a flux of the size of the drift remains.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> law = ls.theory.power_law_stationary_d(curvature=[1.0, 2.0, 5.0], strength=0.1, constant=[0.3, 0.1, 0.7],
    ...                                        quadratic=[0.8, 1.6, 4.0])
    >>> law.applies, f"{law.kappa:g}", f"{law.tail_index:g}"
    (True, '12.5', '24')
    >>> law.covariance.diagonal()
    array([0.01704545, 0.00284091, 0.00795455])
    """
    h = positive_definite("curvature", curvature)
    g, sigma = positive_definite("constant", constant, len(h)), positive_definite("quadratic", quadratic, len(h))
    law = PowerLawStationaryInSpace(h, positive("strength", strength), g, sigma, alpha_of(interpretation))
    if law.tail_index <= 0:
        raise ValueError(_no_law(law.kappa, law.alpha, law.tail_index))
    return law


@dataclass(frozen=True, eq=False)
class PowerLawStationaryInSpace:
    """The stationary law of the power-law dynamic in d dimensions, a Student law; made by `power_law_stationary_d`.

    Attributes
    ----------
    curvature, constant, quadratic
        H, Σ_g, Σ_H as matrices (d, d).
    strength
        ε.
    alpha
        Of the interpretation: 0 Itô, 1/2 Stratonovich, 1 Klimontovich.
    """

    curvature: Array
    strength: float
    constant: Array
    quadratic: Array
    alpha: float

    @property
    def dim(self) -> int:
        """The number of components."""
        return len(self.curvature)

    @property
    def kappa(self) -> float:
        """κ = Tr H / (ε Tr Σ_H)."""
        return float(np.trace(self.curvature) / (self.strength * np.trace(self.quadratic)))

    @property
    def exponent(self) -> float:
        """κ + 1 − α."""
        return self.kappa + 1 - self.alpha

    @property
    def tail_index(self) -> float:
        """A = 2 (κ + 1 − α) − d, the degrees of freedom; P(|x| > r) falls like r^−A, and only moments below A exist."""
        return 2 * self.exponent - self.dim

    @property
    def applies(self) -> bool:
        """Whether this is the stationary law of the equation."""
        return not self._against

    @property
    def because(self) -> str:
        """Why, or why not."""
        return "; ".join(self._against) or (f"κ = {self.kappa:.4g}, d = {self.dim}, {label(self.alpha)}; Σ_H is proportional to H, and "
                                            "Σ_g commutes with it")

    @property
    def scale(self) -> Array:
        """The matrix ε κ Σ_g H⁻¹ / A (d, d) of the Student law."""
        product = self.strength * self.kappa * self.constant @ np.linalg.inv(self.curvature)
        return (product + product.T) / (2 * self.tail_index)

    @property
    def covariance(self) -> Array:
        """Cov x = ε κ Σ_g H⁻¹ / (2 (κ − α) − d), shape (d, d); a ValueError where it does not exist (A ≤ 2)."""
        if self.tail_index <= 2:
            raise ValueError(f"the covariance of this stationary law does not exist: its tail index is {self.tail_index:.6g}, and only "
                             "moments below that exist.")
        return self.scale * self.tail_index / (self.tail_index - 2)

    def __call__(self, x: ArrayLike) -> Any:
        """Return p at displacements (..., d) from the minimum."""
        values = np.exp(self.log_density(x))
        return values if np.ndim(values) else float(values)

    def log_density(self, x: ArrayLike) -> Any:
        """Return ln p at displacements (..., d) from the minimum."""
        from scipy.special import gammaln
        at, nu = points("x", x, self.dim), self.tail_index
        form = np.einsum("...i,ij,...j->...", at, np.linalg.inv(self.scale), at) / nu
        log_mass = gammaln(nu / 2) - gammaln(self.exponent) + self.dim / 2 * math.log(nu * math.pi) + np.linalg.slogdet(self.scale)[1] / 2
        logs = -self.exponent * np.log1p(form) - log_mass
        return logs if np.ndim(logs) else float(logs)

    @property
    def entropy(self) -> float:
        """−E ln p."""
        from scipy.special import gammaln, psi
        nu, q = self.tail_index, self.exponent
        return float(gammaln(nu / 2) - gammaln(q) + self.dim / 2 * math.log(nu * math.pi) + np.linalg.slogdet(self.scale)[1] / 2
                     + q * (psi(q) - psi(nu / 2)))

    def kl_divergence(self, shift: ArrayLike = 0.0) -> float:
        """Return the Kullback–Leibler divergence to the standard normal law, E ln(p / p₀), in nats.

        Parameters
        ----------
        shift
            The minimum as seen from the centre of the normal law (d,), or 0 if it is there.

        Raises
        ------
        ValueError
            Where it is infinite, since the covariance does not exist.

        Notes
        -----
        Source: derived (`theory`, 9.1).  The published bound for it is none: for H = 0.01, Σ_g = ε = 1, κ = 3 it is 19.0, and the
        divergence 47.2.
        """
        away = np.broadcast_to(numbers("shift", shift), (self.dim,))
        spread = float(np.trace(self.covariance) + away @ away)
        return self.dim / 2 * math.log(2 * math.pi) + spread / 2 - self.entropy

    @property
    def _against(self) -> list[str]:
        multiple = self.curvature / (self.kappa * self.strength)
        difference = float(np.abs(self.quadratic - multiple).max() / np.abs(multiple).max())
        found = [] if difference <= PROPORTIONAL else [f"Σ_H is not proportional to H (it differs by {percent(difference)})"]
        return found if commute(self.constant, self.curvature) else [*found, "Σ_g does not commute with H"]


def _no_law(kappa: float, alpha: float, index: float) -> str:
    return (f"there is no stationary law: with κ = {kappa:.4g} and {label(alpha)} the tail index is {index:.4g}, but must be positive; "
            "lower `strength` or `quadratic`.")
