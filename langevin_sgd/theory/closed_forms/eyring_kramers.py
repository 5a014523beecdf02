"""Escape in d dimensions under constant isotropic noise: Eyring–Kramers, and Bouchet–Reygner where the drift also circulates."""
from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import Array, finite, matrix, positive
from langevin_sgd.theory.closed_forms.kramers import TYPICAL_NEXT_ORDER
from langevin_sgd.theory.closed_forms.matrices import positive_definite, symmetric
from langevin_sgd.theory.closed_forms.regime import doubts, judged, left_out

EYRING_KRAMERS = ("Eyring–Kramers", "H. Eyring, J. Chem. Phys. 3, 107 (1935); H. A. Kramers, Physica 7, 284 (1940)")
BOUCHET_REYGNER = ("Bouchet–Reygner", "F. Bouchet & J. Reygner, Ann. Henri Poincaré 17, 3499 (2016)")
MAIER_STEIN = ("Maier–Stein", "R. S. Maier & D. L. Stein, Phys. Rev. E 48, 931 (1993); the prefactor of Bouchet & Reygner (2016)")
LEAVES_THE_AXIS = 4             # β / μ of the Maier–Stein system from which on the likeliest path is not the axis
SOFTNESS = 3                    # power of the error in 1 / the least curvature of V across the path, over that of a gradient (Maier–Stein)
START = -18.0                   # of the time along that path: exp(2 START) is its distance from the minimum, squared


def eyring_kramers_time(*, barrier: float, curvature_minimum: ArrayLike, curvature_saddle: ArrayLike, diffusion: float) -> Prediction:
    """Predict the mean escape time for constant isotropic noise in d dimensions, 2π / |H_e| · √(|det H_s| / det H_m) · exp(barrier / D).

    Parameters
    ----------
    barrier
        L(saddle) − L(minimum), positive.
    curvature_minimum, curvature_saddle
        The Hessians: d eigenvalues, or matrices; H_e is the only negative eigenvalue at the saddle.
    diffusion
        D = ε C / 2, positive: the noise is D times the unit matrix.  For a constant matrix D and drift −D ∇V, change coordinates first.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.  Through several saddles
        the rates 1 / τ add.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, and Hessians of the wrong signature or shape.

    Notes
    -----
    Source: `theory`, 7.4 and 8.4.  In one dimension it is `kramers_time`.  `expected_error` is that of a quartic well in each direction.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.eyring_kramers_time(barrier=0.25, curvature_minimum=[2.0, 3.0], curvature_saddle=[-1.0, 3.0], diffusion=0.03)
    18484 (Eyring–Kramers): applies, barrier / D = 8.33; d = 2; what is left out is about 9 %
    """
    h_m = positive_definite("curvature_minimum", curvature_minimum)
    h_s = _saddle(curvature_saddle, len(h_m))
    return _time(EYRING_KRAMERS, barrier, diffusion, h_m, h_s, -float(np.linalg.eigvalsh(h_s)[0]), 0.0, [])


def bouchet_reygner_time(*, barrier: float, curvature_minimum: ArrayLike, curvature_saddle: ArrayLike, jacobian_saddle: ArrayLike,
                         diffusion: float, log_prefactor: float = 0.0, firmness: float = 1.0) -> Prediction:
    """Predict the mean escape time for a drift −∇V + l with l · ∇V = 0, under constant isotropic noise.

    2π / λ₊ · √(|det V_s''| / det V_m'') · exp(barrier / D) · exp(∫ F dt), where λ₊ is the unstable eigenvalue of the drift.

    Parameters
    ----------
    barrier
        V(saddle) − V(minimum), positive; V is the quasi-potential of the drift, in the units in which p ~ exp(−V / D).
    curvature_minimum, curvature_saddle
        The Hessians of V: d eigenvalues, or matrices.
    jacobian_saddle
        The derivative of the drift at the saddle (d, d), with one unstable eigenvalue.
    diffusion
        D = ε C / 2, positive.
    log_prefactor
        ∫ F dt with F = ∇ · l along the likeliest path, which obeys dx/dt = ∇V + l; 0 for a flow without sources.
    firmness
        The least curvature of V across that path, over what the drift alone would make of it (1 for a gradient); 0 where the path
        becomes unstable.  It does not change the prediction but `expected_error`.

    Returns
    -------
    Prediction
        The time from the minimum to well beyond the saddle, in units of t = learning rate × iterations.

    Raises
    ------
    ValueError
        For a number that is not finite or has the wrong sign, Hessians of the wrong signature or shape, and a Jacobian with any other
        number of unstable eigenvalues than one.

    Notes
    -----
    Source: `theory`, 8.4.  λ₊ belongs to the drift, not to V'': with the latter, the flow would not matter at all.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.bouchet_reygner_time(barrier=0.25, curvature_minimum=[2.0, 1.0], curvature_saddle=[-1.0, 1.0], diffusion=0.03,
    ...                                jacobian_saddle=[[1.0, 1.0], [1.0, -1.0]])
    13070 (Bouchet–Reygner): applies, barrier / D = 8.33; λ₊ = 1.414; d = 2; what is left out is about 9 %
    """
    h_m = positive_definite("curvature_minimum", curvature_minimum)
    h_s = _saddle(curvature_saddle, len(h_m))
    eigenvalues = np.linalg.eigvals(matrix("jacobian_saddle", jacobian_saddle, len(h_m)))
    unstable = eigenvalues[eigenvalues.real > 0]
    if len(unstable) != 1:
        raise ValueError(f"`jacobian_saddle` has {len(unstable)} eigenvalues with a positive real part, but exactly one makes a saddle.")
    growth = float(unstable[0].real)
    facts = [f"λ₊ = {growth:.4g}"] + ([f"exp(∫ F dt) = {math.exp(min(log_prefactor, 700)):.4g}"] if log_prefactor else [])
    return _time(BOUCHET_REYGNER, barrier, diffusion, h_m, h_s, growth, finite("log_prefactor", log_prefactor), facts,
                 positive("firmness", firmness))


def maier_stein_time(*, diffusion: float, beta: float, mu: float = 1.0) -> Prediction:
    """Predict the crossing time of the Maier–Stein system, dx = (x − x³ − β x y²) dt + …, dy = −μ (1 + x²) y dt + …

    Parameters
    ----------
    diffusion
        D, positive; with noise √ε dW it is ε / 2.
    beta, mu
        β and μ, positive; the drift is a gradient for β = μ.

    Returns
    -------
    Prediction
        The time from one well to the other, π exp(1 / (4D)) exp(∫ F dt); NaN for β ≥ 4μ.

    Raises
    ------
    ValueError
        For a number that is not finite or not positive.

    Notes
    -----
    Source: `theory`, 8.4.  The likeliest path is the axis, where V rises by 1/4, and the transverse curvature w of V obeys
    (x³ − x) w' / 2 + w² − μ (1 + x²) w − β x² (x² − 1) = 0, with w(−1) = 2μ, w(0) = μ and F = w − μ (1 + x²).  From β = 4μ on the
    likeliest path leaves the axis; `expected_error` is that of a gradient over the cube of the least w / (μ (1 + x²)).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.maier_stein_time(diffusion=0.03, beta=2.0)
    8609 (Maier–Stein): applies, barrier / D = 8.33; exp(∫ F dt) = 0.6587; what is left out is about 14 %
    """
    d, b, m = positive("diffusion", diffusion), positive("beta", beta), positive("mu", mu)
    if b >= LEAVES_THE_AXIS * m:
        return judged(*MAIER_STEIN, math.nan, facts=[], error=None, against=[
            f"β = {b:.4g} must be below 4μ = {4 * m:.4g}: beyond, the likeliest path is not the axis"])
    log_factor, firmness = _maier_stein_log_prefactor(b, m)
    return _time(MAIER_STEIN, 0.25, d, np.diag([2.0, 2 * m]), np.diag([-1.0, m]), 1.0, log_factor,
                 [f"exp(∫ F dt) = {math.exp(log_factor):.4g}"], firmness)


def _time(called: tuple[str, str], barrier: float, diffusion: float, h_m: Array, h_s: Array, growth: float, log_prefactor: float,
          facts: list[str], firmness: float = 1.0) -> Prediction:
    height = positive("barrier", barrier) / positive("diffusion", diffusion)
    determinants = float(np.linalg.slogdet(h_s)[1] - np.linalg.slogdet(h_m)[1])
    error = TYPICAL_NEXT_ORDER * len(h_m) / height / firmness**SOFTNESS
    dimension = [f"d = {len(h_m)}"] if called is not MAIER_STEIN else []
    return judged(*called, math.log(2 * math.pi / growth) + determinants / 2 + height + log_prefactor,
                  facts=[f"barrier / D = {height:.3g}", *facts, *dimension, left_out(error)],
                  against=doubts(height, "barrier / D", error), error=error)


def _saddle(values: ArrayLike, dim: int) -> Array:
    array = symmetric("curvature_saddle", values, dim)
    curvatures = np.linalg.eigvalsh(array)
    if (curvatures < 0).sum() != 1 or (curvatures == 0).any():
        raise ValueError(f"`curvature_saddle` has the eigenvalues {curvatures.tolist()}, but exactly one must be negative and none zero: "
                         "at a saddle the loss falls in one direction.")
    return array


def _maier_stein_log_prefactor(beta: float, mu: float) -> tuple[float, float]:
    """∫ F dt on the axis, in the time of the likeliest path: x = −1 / √(1 + exp(2t)); and the least of w / (μ (1 + x²)) on it."""
    from scipy.integrate import solve_ivp
    from scipy.special import expit

    def rates(t: float, y: Array) -> list[float]:
        x2, w = float(expit(-2 * t)), y[0]
        return [2 * (w * (mu * (1 + x2) - w) + beta * x2 * (x2 - 1)), w - mu * (1 + x2)]

    slowest = min(1.0, mu * (1 - beta / (LEAVES_THE_AXIS * mu)), mu)
    path = solve_ivp(rates, (START, -START / slowest), [2 * mu, 0.0], method="LSODA", rtol=1e-11, atol=1e-13)
    return float(path.y[1, -1]), float((path.y[0] / (mu * (1 + expit(-2 * path.t)))).min())
