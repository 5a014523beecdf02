"""How far SGD spreads about a minimum at a finite learning rate: the stationary covariance of the iterates, not of the equation."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array, below_one, not_negative, positive, whole
from langevin_sgd.theory.closed_forms.matrices import noise_covariance, positive_definite
from langevin_sgd.theory.closed_forms.regime import judged

QUADRATIC = ("SGD under quadratic noise", "derived: the recursion of E w² (`theory`, 3.1)")
RESHUFFLED = ("SGD with reshuffling", "derived (`theory`, 6.4); cf. Kühn & Rosenow, arXiv:2306.05300")


def sgd_covariance(*, curvature: ArrayLike, constant: ArrayLike, learning_rate: float, batch_size: int = 1, momentum: float = 0.0,
                   preconditioner: ArrayLike = 1.0, weight_decay: float = 0.0) -> IterateCovariance:
    """Return the stationary covariance of SGD on a quadratic loss under additive noise, at any learning rate.

    The iteration is m ← μ m + (K + γ) w + ξ, w ← w − λ P m, where ξ has the covariance C / B.

    Parameters
    ----------
    curvature
        The Hessian K: a number, d eigenvalues (on common axes), or a matrix; positive definite.
    constant
        C, the covariance of the gradient of one sample; the same shapes.
    learning_rate
        λ.
    batch_size
        B.
    momentum
        μ, in [0, 1).  For a moving average, m ← μ m + (1 − μ) g, multiply the learning rate by 1 − μ.
    preconditioner
        P, positive definite; the same shapes.
    weight_decay
        γ, not negative.  The covariance is about the minimum of the decayed loss, which lies elsewhere.

    Returns
    -------
    IterateCovariance
        Of w after its update; `applies` is False where the iteration is unstable.

    Raises
    ------
    ValueError
        For numbers that are not finite or out of range, matrices of the wrong kind, and shapes that do not fit.

    Notes
    -----
    Source: Liu, Ziyin & Ueda, arXiv:2012.03636 (`theory`, 7.2).  In coordinates u = P^(−1/2) w and on the axes of the Hessian there, with
    K' its eigenvalues, S_ij = λ C_ij / B / [(1 − μ)(k_i + k_j) − λ ((1 + μ²) k_i k_j − μ (k_i² + k_j²)) / (1 − μ²)]; with one axis
    S = λ C / B / (k (1 − μ)(2 − λ k / (1 + μ))).  It is exact for additive noise; noise that grows adds to it (`sgd_variance`).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> float(ls.theory.sgd_covariance(curvature=2.0, constant=3.0, learning_rate=0.1, momentum=0.9).covariance[0, 0])
    0.79166...
    >>> ls.theory.sgd_covariance(curvature=2.0, constant=3.0, learning_rate=1.1).because
    'unstable: learning_rate × curvature = 2.2 must be below 2 (1 + momentum) = 2'
    """
    k = positive_definite("curvature", curvature)
    dim = len(k)
    p = positive_definite("preconditioner", preconditioner, dim)
    c = noise_covariance("constant", constant, dim) / whole("batch_size", batch_size)
    rate, mu, decay = positive("learning_rate", learning_rate), below_one("momentum", momentum), not_negative("weight_decay", weight_decay)
    decayed = k + decay * np.eye(dim)
    root = np.linalg.cholesky(p)
    curvatures, axes = np.linalg.eigh(root.T @ decayed @ root)
    frame = root @ axes
    fastest, bound = rate * float(curvatures[-1]), 2 * (1 + mu)
    if fastest >= bound:
        return IterateCovariance(np.full((dim, dim), math.nan), decayed, False, f"unstable: learning_rate × curvature = {fastest:.4g} "
                                 f"must be below 2 (1 + momentum) = {bound:.4g}")
    k_i, k_j = curvatures[:, None], curvatures
    noise = axes.T @ root.T @ c @ root @ axes
    spread = rate * noise / ((1 - mu) * (k_i + k_j) - rate * ((1 + mu * mu) * k_i * k_j - mu * (k_i**2 + k_j**2)) / (1 - mu * mu))
    shift = ", about the minimum of the decayed loss" if decay else ""
    return IterateCovariance(frame @ spread @ frame.T, decayed, True, f"stable: learning_rate × curvature = {fastest:.3g}{shift}")


@dataclass(frozen=True, eq=False)
class IterateCovariance:
    """The stationary covariance of the iterates of SGD.

    Attributes
    ----------
    covariance
        Matrix (d, d); NaN where there is none.
    curvature
        The Hessian (d, d) of the loss that is descended.
    applies
        Whether the iteration is stable.
    because
        Why, or why not.
    """

    covariance: Array
    curvature: Array
    applies: bool
    because: str

    @property
    def excess_loss(self) -> float:
        """E L − L_min = Tr(K S) / 2."""
        return float(np.trace(self.curvature @ self.covariance)) / 2


def sgd_variance(*, curvature: float, constant: float, quadratic: float, learning_rate: float, strength: float) -> Prediction:
    """Predict the stationary variance of SGD in one dimension under quadratic noise, ε σ_g / (2H − η H² − ε σ_H).

    Parameters
    ----------
    curvature
        H, positive.
    constant, quadratic
        σ_g and σ_H; a linear term σ_gH changes nothing.
    learning_rate
        η.
    strength
        ε: learning_rate / batch_size for draws with replacement, learning_rate (N − B) / (B (N − 1)) for batches without.

    Returns
    -------
    Prediction
        The variance about the minimum; infinite where there is none.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign.

    Notes
    -----
    Source: derived (`theory`, 3.1); exact if every sample's loss is quadratic.  Without η H² it is that of the Itô equation.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.sgd_variance(curvature=1.0, constant=0.5, quadratic=2.0, learning_rate=0.1, strength=0.1)
    0.02941 (SGD under quadratic noise): applies, (1 − η H)² + η ε σ_H = 0.83 is below 1
    """
    h, rate, epsilon = positive("curvature", curvature), positive("learning_rate", learning_rate), positive("strength", strength)
    g, sigma = positive("constant", constant), not_negative("quadratic", quadratic)
    factor = (1 - rate * h) ** 2 + rate * epsilon * sigma
    if factor >= 1:
        return judged(*QUADRATIC, math.inf, facts=[], against=[f"(1 − η H)² + η ε σ_H = {factor:.4g} must be below 1"], error=None)
    return judged(*QUADRATIC, math.log(epsilon * g / (2 * h - rate * h * h - epsilon * sigma)), against=[], error=None,
                  facts=[f"(1 − η H)² + η ε σ_H = {factor:.4g} is below 1"])


def reshuffled_variance(*, curvature: float, batch_variance: float, learning_rate: float, batches: int) -> Prediction:
    """Predict the variance of SGD in one dimension when each epoch goes once through all samples in a new order.

    η² c / (1 − r²) · [1 − 2 Σ_{k<M} (M − k) r^k / (M (M − 1))], with r = 1 − η H, averaged over the position in the epoch.

    Parameters
    ----------
    curvature
        H, positive.
    batch_variance
        c, the variance of the gradient of a batch drawn without replacement: C (N − B) / (B (N − 1)).
    learning_rate
        η.
    batches
        M, the number of batches in an epoch, at least 2.

    Returns
    -------
    Prediction
        The variance about the minimum.

    Raises
    ------
    ValueError
        For a number that is not finite or out of range.

    Notes
    -----
    Source: derived (`theory`, 6.4), for additive noise.  Where η H M is small it is η² c (M + 1) / 6 whatever the curvature: reshuffling
    alone turns noise proportional to H into a variance that grows with H.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.reshuffled_variance(curvature=1.0, batch_variance=1.0, learning_rate=0.1, batches=50)
    0.03714 (SGD with reshuffling): applies, η H = 0.1, η H M = 5; independent batches have 0.05263
    """
    h, c, rate = positive("curvature", curvature), positive("batch_variance", batch_variance), positive("learning_rate", learning_rate)
    m = whole("batches", batches, least=2)
    if rate * h >= 2:
        return judged(*RESHUFFLED, math.nan, facts=[], against=[f"unstable: η H = {rate * h:.4g} must be below 2"], error=None)
    independent = rate * c / (h * (2 - rate * h))
    return judged(*RESHUFFLED, math.log(independent) + math.log(left_by_reshuffling(rate * h, m)), against=[], error=None,
                  facts=[f"η H = {rate * h:.3g}, η H M = {rate * h * m:.3g}", f"independent batches have {independent:.4g}"])


def left_by_reshuffling(step: float, m: int) -> float:
    """1 − 2 Σ_{k=1}^{M−1} (M − k) r^k / (M (M − 1)) with r = 1 − step, written as a sum of 1 − r^k, without cancellation."""
    k = np.arange(1, m)
    lost = -np.expm1(k * math.log1p(-step)) if step < 1 else 1 - (1 - step) ** k
    return float(2 * ((m - k) * lost).sum() / (m * (m - 1)))
