"""What noise does to the loss at a minimum, which of two minima it prefers, and what that is worth: closed forms about flatness."""
from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import finite, fraction, not_negative, positive, whole
from langevin_sgd.theory.closed_forms.kramers import TYPICAL_NEXT_ORDER
from langevin_sgd.theory.closed_forms.matrices import noise_covariance, positive_definite
from langevin_sgd.theory.closed_forms.regime import doubts, judged, left_out

EXCESS_LOSS = ("excess loss", "Zhu et al., arXiv:1803.00195")
THREE_FACTORS = ("three factors", "Jastrzębski et al., arXiv:1711.04623")
PAC_BAYES = ("PAC-Bayes bound", "D. A. McAllester, COLT (1999)")


def excess_loss(*, curvature: ArrayLike, constant: ArrayLike, strength: float, time: float = math.inf) -> Prediction:
    """Predict how far noise has lifted the loss above a minimum, ε Tr[(1 − exp(−2 H t)) C] / 4, for a quadratic loss and constant noise.

    Parameters
    ----------
    curvature
        The Hessian H: a number, d eigenvalues (on common axes), or a matrix; positive definite.
    constant
        C, the same shapes; positive semi-definite.
    strength
        ε.
    time
        t since the start at the minimum, in units of learning rate × iterations; infinite for the stationary loss, ε Tr C / 4.

    Returns
    -------
    Prediction
        E L_t − L_min.

    Raises
    ------
    ValueError
        For numbers that are not finite or have the wrong sign, matrices of the wrong kind, and shapes that do not fit.

    Notes
    -----
    Source: `theory`, 7.5; exact for the equation.  Early it is ε t Tr(H C) / 2: noise aligned with the curvature climbs faster by
    d Tr(H C) / (Tr H Tr C) than isotropic noise of the same size.  At a finite learning rate: ``sgd_covariance(...).excess_loss``.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.excess_loss(curvature=[10.0, 0.1], constant=[10.0, 0.1], strength=0.1, time=0.01)
    0.04532 (excess loss): applies, d Tr(H C) / (Tr H Tr C) = 1.96
    """
    h = positive_definite("curvature", curvature)
    dim = len(h)
    c = noise_covariance("constant", constant, dim)
    t = time if time == math.inf else not_negative("time", time)
    curvatures, axes = np.linalg.eigh(h)
    along = np.einsum("ia,ij,ja->a", axes, c, axes)
    lifted = positive("strength", strength) / 4 * float(along @ -np.expm1(-2 * curvatures * t))
    aligned = dim * float(np.trace(h @ c)) / float(np.trace(h) * np.trace(c)) if np.any(c) else 1.0
    return judged(*EXCESS_LOSS, math.log(lifted) if lifted > 0 else -math.inf, against=[], error=None,
                  facts=[f"d Tr(H C) / (Tr H Tr C) = {aligned:.3g}"])


def basin_odds(*, loss_difference: float, curvature_a: ArrayLike, curvature_b: ArrayLike, strength: float, constant: float,
               barrier: float) -> Prediction:
    """Predict how much longer noise spends about minimum A than about B, √(det H_B / det H_A) · exp(−2 (L_A − L_B) / (ε σ²)).

    Parameters
    ----------
    loss_difference
        L_A − L_B.
    curvature_a, curvature_b
        The Hessians: numbers, d eigenvalues, or matrices; positive definite.
    strength
        ε.
    constant
        σ² in C = σ² · 1.
    barrier
        The height of the saddle above the higher of the two minima.  It does not change the prediction, but whether it applies.

    Returns
    -------
    Prediction
        The ratio of the stationary probabilities.

    Raises
    ------
    ValueError
        For numbers that are not finite or have the wrong sign, matrices of the wrong kind, and shapes that do not fit.

    Notes
    -----
    Source: `theory`, 7.5.  Learning rate and batch size enter by ε alone.  The noise must be constant and isotropic: noise that grows
    with the curvature prefers flat minima far more.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.basin_odds(loss_difference=0.0, curvature_a=1.0, curvature_b=4.0, strength=0.1, constant=1.0, barrier=0.5)
    2 (three factors): applies, barrier / D = 10; what is left out is about 3.8 %
    """
    a = positive_definite("curvature_a", curvature_a)
    b = positive_definite("curvature_b", curvature_b, len(a))
    d = positive("strength", strength) * positive("constant", constant) / 2
    height = positive("barrier", barrier) / d
    error = TYPICAL_NEXT_ORDER * len(a) / height
    log_odds = float(np.linalg.slogdet(b)[1] - np.linalg.slogdet(a)[1]) / 2 - finite("loss_difference", loss_difference) / d
    return judged(*THREE_FACTORS, log_odds, facts=[f"barrier / D = {height:.3g}", left_out(error)],
                  against=doubts(height, "barrier / D", error), error=error)


def pac_bayes_bound(*, empirical_risk: float, kl_divergence: float, samples: int, confidence: float = 0.95) -> Prediction:
    """Bound the risk of a random predictor, R ≤ R̂ + √[(KL + ln(1/δ) + ln n + 2) / (2n − 1)] with probability 1 − δ.

    Parameters
    ----------
    empirical_risk
        R̂, the mean of a loss in [0, 1] over the training samples and the law of the predictor.
    kl_divergence
        Of that law to a prior that was chosen without the samples, such as ``power_law_stationary_d(...).kl_divergence()``.
    samples
        n.
    confidence
        1 − δ.

    Returns
    -------
    Prediction
        The bound; it does not apply where it is vacuous, that is, at least 1.

    Raises
    ------
    ValueError
        For a number that is not finite or out of range.

    Notes
    -----
    Source: McAllester (`theory`, 9.3).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.pac_bayes_bound(empirical_risk=0.05, kl_divergence=1.4868, samples=1000)
    0.1318 (PAC-Bayes bound): applies, KL = 1.49, n = 1000, with probability 0.95
    """
    risk, kl = not_negative("empirical_risk", empirical_risk), not_negative("kl_divergence", kl_divergence)
    if risk > 1:
        raise ValueError(f"`empirical_risk` is {risk:g}, but must be at most 1: the bound is for a loss between 0 and 1.")
    n, delta = whole("samples", samples), 1 - fraction("confidence", confidence)
    bound = risk + math.sqrt((kl - math.log(delta) + math.log(n) + 2) / (2 * n - 1))
    facts = [f"KL = {kl:.3g}, n = {n}, with probability {1 - delta:g}"]
    return judged(*PAC_BAYES, math.log(bound), facts=facts, error=None,
                  against=[f"vacuous: the bound is {bound:.3g}, and no risk exceeds 1"] if bound >= 1 else [])
