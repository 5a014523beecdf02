"""Escape under other models of the noise of minibatches: in proportion to the loss, to the curvature, or mirrored at the saddle.

Each formula is right for its own model only; at one barrier and one curvature they differ in the exponent.
"""
from __future__ import annotations

import dataclasses
import math

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import fraction, positive, whole
from langevin_sgd.theory.closed_forms.kramers import laplace_time, negative
from langevin_sgd.theory.closed_forms.power_law import power_law_time
from langevin_sgd.theory.closed_forms.regime import LARGEST_ERROR, alpha_of, doubted, doubts, judged, label, left_out, ratio, relative

LOG_LOSS = ("log loss", "Mori, Ziyin, Liu & Ueda, arXiv:2105.09557, with the factor 1 + 1/(2κ) derived")
XIE = ("Xie and others", "Xie, Sato & Sugiyama, arXiv:2002.03495")
MIRRORED = ("mirrored noise", "derived (`theory`, 4.4)")


def log_loss_time(*, loss_minimum: float, loss_saddle: float, curvature_minimum: float, curvature_saddle: float, strength: float,
                  outliers: int = 1, interpretation: str | float = "ito") -> Prediction:
    """Predict the mean escape time for noise proportional to the loss itself, C = 2 L H, in the Itô convention.

    2π / √(h |h_s|) · (L_s / L_m)^(κ + 1 − n/2) / (1 + 1/(2κ)) with κ = 1 / (ε h).

    Parameters
    ----------
    loss_minimum, loss_saddle
        L_m and L_s > L_m, both positive.
    curvature_minimum, curvature_saddle
        h and h_s < 0 along the escape direction.
    strength
        ε = learning rate / batch size; the loss is half the mean square, C that of one sample.
    outliers
        n, the number of large eigenvalues of the Hessian, all about h; the noise of the small ones is left out.
    interpretation
        Of the equation that the formula is compared with: it changes nothing in the number, but whether it applies.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, and for an unknown interpretation; for L_m = 0 the noise vanishes at the
        minimum, and there is no escape.

    Notes
    -----
    Source: `theory`, 7.1.  As published, the factor 1 + 1/(2κ) is missing.  It needs noise that is 2 L h on the whole way, hence
    |h_s| ≈ h: it does not apply where they differ by more than 25 %.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.log_loss_time(loss_minimum=0.5, loss_saddle=2.5, curvature_minimum=1.0, curvature_saddle=-1.0, strength=0.2)
    39914 (log loss): applies, κ = 5, u = 4, Itô; κ ln(1 + u) = 8.05; what is left out is about 0.79 %
    """
    low, high = positive("loss_minimum", loss_minimum), positive("loss_saddle", loss_saddle)
    h, h_s = positive("curvature_minimum", curvature_minimum), negative("curvature_saddle", curvature_saddle)
    epsilon, n = positive("strength", strength), whole("outliers", outliers)
    if high <= low:
        raise ValueError(f"`loss_saddle` is {high:g}, but must be above `loss_minimum` = {low:g}.")
    alpha, numbers = alpha_of(interpretation), {"barrier": high - low, "curvature_minimum": h, "curvature_saddle": h_s,
                                                "strength": epsilon, "constant": 2 * low * h, "quadratic": h * h}
    one = power_law_time(**numbers)
    shift = power_law_time(**numbers, interpretation=alpha).log_value - one.log_value
    across, kappa = (n - 1) / 2 * math.log(high / low), 1 / (epsilon * h)
    against = [f"it holds for Itô, and this is {label(alpha)}: the true time is {ratio(shift)} times as long"] if alpha else []
    if abs(-h_s / h - 1) > LARGEST_ERROR:
        against.append(f"|h_s| / h = {-h_s / h:.3g}: the curvatures must be about equal, else the noise is not 2 L h on the whole way")
    if kappa + 1 <= n / 2:
        against.append(f"κ + 1 = {kappa + 1:.3g} must exceed n / 2 = {n / 2:g}, else the tails of the well hold infinite mass")
    log_value = one.log_value - across if kappa + 1 > n / 2 else math.inf
    named = dataclasses.replace(one, name=LOG_LOSS[0], source=LOG_LOSS[1], log_value=log_value)
    return doubted(named, against, relative((n - 1) / (4 * kappa * kappa)) + relative(shift))


def xie_time(*, barrier: float, curvature_minimum: float, curvature_saddle: float, strength: float, share: float | None = None,
             interpretation: str | float = "ito") -> Prediction:
    """Predict the mean escape time for noise equal to the curvature, C = |H|, as published.

    2π / |H_e| · exp[(2 ΔL / ε) (s / H_m + (1 − s) / |H_e|)], where s is the share of the barrier climbed with the noise of the minimum.

    Parameters
    ----------
    barrier
        ΔL = L(saddle) − L(minimum), positive.
    curvature_minimum, curvature_saddle
        H_m positive, H_e negative.
    strength
        ε.
    share
        s; if None, that of two parabolas, |H_e| / (H_m + |H_e|).
    interpretation
        Of the equation that the formula is compared with: it changes nothing in the number, but whether it applies.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, s outside (0, 1), and an unknown interpretation.

    Notes
    -----
    Source: `theory`, 7.4.  Its prefactor is that of the Klimontovich convention.  The true time of an Itô equation, and so of SGD, is
    |H_e| / H_m of it.  Noise |H| of a smooth loss vanishes where the curvature changes its sign; a floor must be added there.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.xie_time(barrier=0.4, curvature_minimum=2.0, curvature_saddle=-1.0, strength=0.05)
    3.879e+06 (Xie and others): does not apply, it holds for Klimontovich, and this is Itô: the true time is 0.5 times as long
    """
    height, h_m, epsilon = positive("barrier", barrier), positive("curvature_minimum", curvature_minimum), positive("strength", strength)
    h_e = -negative("curvature_saddle", curvature_saddle)
    s = h_e / (h_m + h_e) if share is None else fraction("share", share)
    laplace = laplace_time(drift_potential_difference=2 * height / epsilon * (s / h_m + (1 - s) / h_e), curvature_minimum=h_m,
                           curvature_saddle=-h_e, diffusion_minimum=epsilon * h_m / 2, diffusion_saddle=epsilon * h_e / 2,
                           interpretation="klimontovich", barrier=height)
    named = dataclasses.replace(laplace, name=XIE[0], source=XIE[1])
    alpha = alpha_of(interpretation)
    if alpha == 1:
        return named
    shift = (1 - alpha) * math.log(h_e / h_m)
    against = [f"it holds for Klimontovich, and this is {label(alpha)}: the true time is {ratio(shift)} times as long"]
    return doubted(named, against if relative(shift) > 1e-9 else [], relative(shift))


def mirrored_time(*, barrier: float, curvature: float, strength: float, constant: float, quadratic: float,
                  interpretation: str | float = "ito", curvature_saddle: float | None = None) -> Prediction:
    """Predict the mean escape time where the saddle is the minimum mirrored, noise included: C = σ_g + σ_H x² from each.

    2π / H · (1 + v)^(2κ) · κ Γ(κ + 1/2 − α) Γ(κ + α − 1/2) / (Γ(κ + 1 − α) Γ(κ + α)), with v = σ_H ΔL / (H σ_g) and κ = H / (ε σ_H).

    Parameters
    ----------
    barrier
        ΔL, positive: two parabolas joined smoothly, half way up if they are each other's mirror image.
    curvature
        H, positive.
    strength
        ε.
    constant, quadratic
        σ_g and σ_H.
    interpretation
        "ito", "stratonovich" or "klimontovich", or α itself.
    curvature_saddle
        H_s, negative; −H if None.  The noise is then the same function of the slope on both parabolas, C = σ_g + σ_H (L' / H)².

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations; infinite where the noise grows
        so fast that well or saddle have no end (κ ≤ |α − 1/2| if they are mirror images).

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, and for an unknown interpretation.

    Notes
    -----
    Source: derived (`theory`, 4.4).  Real minibatches do this where the loss near the saddle is that of the minimum with its sign
    changed.  The noise is least at the saddle again, so the power is 2κ: the published power law is 15 to 10⁶ times too short.

    With H_s it is 2π / √(H |H_s|) · (1 + v)^(κ + κ_s) · √(κ κ_s) Γ(κ + 1/2 − α) Γ(κ_s + α − 1/2) / (Γ(κ + 1 − α) Γ(κ_s + α)), where
    κ_s = κ H / |H_s| and v = 2 σ_H ΔL / (H σ_g (1 + H / |H_s|)).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.mirrored_time(barrier=1.0, curvature=1.0, strength=0.1, constant=1.0, quadratic=2.0)
    3.922e+05 (mirrored noise): applies, κ = 5, v = 2, Itô; 2κ ln(1 + v) = 11; what is left out is about ...
    """
    from scipy.special import betainc, gammaln
    height, h, epsilon = positive("barrier", barrier), positive("curvature", curvature), positive("strength", strength)
    g, sigma, alpha = positive("constant", constant), positive("quadratic", quadratic), alpha_of(interpretation)
    h_s = h if curvature_saddle is None else -negative("curvature_saddle", curvature_saddle)
    at_minimum = h / (epsilon * sigma)
    at_saddle, v = at_minimum * h / h_s, 2 * sigma * height / (h * g * (1 + h / h_s))
    mirror_image = math.isclose(h_s, h, rel_tol=1e-9)
    kappas = f"κ = {at_minimum:.4g}" + ("" if mirror_image else f", κ_s = {at_saddle:.4g}")
    tails = at_minimum + 0.5 - alpha, at_saddle + alpha - 0.5
    if min(tails) <= 0:
        return judged(*MIRRORED, math.inf, facts=[], error=None, against=[
            f"{kappas} must exceed |α − 1/2| = {abs(alpha - 0.5):g}, else the noise grows so fast that well or saddle have no end"])
    climb = (at_minimum + at_saddle) * math.log1p(v)
    widths = sum(gammaln(tail) - gammaln(tail + 0.5) for tail in tails) + (math.log(at_minimum) + math.log(at_saddle)) / 2
    error = float(sum(betainc(tail, 0.5, 1 / (1 + v)) / 2 for tail in tails))
    power = "2κ" if mirror_image else "(κ + κ_s)"
    return judged(*MIRRORED, math.log(2 * math.pi) - (math.log(h) + math.log(h_s)) / 2 + climb + float(widths),
                  facts=[f"{kappas}, v = {v:.4g}, {label(alpha)}", f"{power} ln(1 + v) = {climb:.3g}", left_out(error)],
                  against=doubts(climb, f"{power} ln(1 + v)", error), error=error)
