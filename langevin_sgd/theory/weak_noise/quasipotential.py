"""The quasi-potential: how improbable weak noise makes a state, seen from an attractor."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.affine import affine_parts
from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, points
from langevin_sgd.models.covariance import Structure
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.weak_noise.action import check_equation, checked, minimum_action_path
from langevin_sgd.theory.weak_noise.basins import ARRIVED, attractor_of, growth
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.sgd_action import sgd_action_path

ROUNDING = 1e-13                # relative error of the closed cases


def quasipotential(sde: SDE | SampledLoss, start: ArrayLike, end: ArrayLike, *, batch_size: int | None = None) -> Any:
    """Return U(end) = min ½ ∫ (ẋ − f)ᵀ C⁻¹ (ẋ − f) dt over the paths from an attractor to `end`; for a loss, the W of minibatch SGD.

    Parameters
    ----------
    sde
        The equation; it must not depend on time.  Or a loss over data.
    start
        A stable fixed point of the drift, a number or an array (d,).
    end
        One state, or an array of states (..., d); (...) in one dimension.  Where it may lie: see `minimum_action_path`.
    batch_size
        B, for a loss and only there.

    Returns
    -------
    Estimate or array
        For one state an `Estimate` with its numerical error; for an array of states the values (...).

    Raises
    ------
    ValueError, ArithmeticError
        As `minimum_action_path`.

    Notes
    -----
    In the basin of the attractor the stationary law is exp(−U / ε) to leading order, and the mean time to get to a state grows like
    exp(U / ε) (`theory`, 8.5).  The factor is that of sqrt(ε) dW: U = 2 (L − L_min) for a gradient drift with C = I.  Linear drift with
    constant C is solved exactly: U = δᵀ Σ⁻¹ δ / 2 with F Σ + Σ Fᵀ + C = 0, for a singular C too, as long as Σ is not; a gradient drift with
    C = c I is 2 (L − L_min) / c at states that fall to the attractor; all else is a path of least action.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.quasipotential(ls.systems.maier_stein(beta=5.0), [-1.0, 0.0], [0.0, 0.0])
    0.48306970... ± ... (path of least action, Itô; the time to get there grows like exp(U / ε), U / ε = 4.83)
    """
    states = points("end", end, getattr(sde, "dim", 1))

    def at(x: Array) -> Estimate:
        return _of_sgd(sde, start, x, batch_size) if isinstance(sde, SampledLoss) else _at(sde, start, x)

    if not isinstance(sde, SampledLoss):
        check_equation(sde, batch_size)
    if states.ndim == 1:
        return at(states)
    return np.array([at(x).value for x in states.reshape(-1, sde.dim)]).reshape(states.shape[:-1])


def _of_sgd(loss: SampledLoss, start: ArrayLike, end: Array, batch_size: int | None) -> Estimate:
    path = sgd_action_path(loss, start, end, batch_size, compared=False)
    verdict = path.because or f"batches of {path.batch_size}; iterations to get there grow like exp(W / η)"
    return Estimate(value=path.action, low=path.action - path.error, high=path.action + path.error, confidence=1.0,
                    method="path of least action of SGD", quantity="quasi-potential", verdict=verdict)


def _at(sde: SDE, start: ArrayLike, end: Array) -> Estimate:
    noise, a, z = checked(sde, start, end)
    for closed in (_linear, _gradient):
        if found := closed(noise, a, z):
            return as_estimate(sde, *found)
    path = minimum_action_path(sde, a, z)
    return as_estimate(sde, path.action, path.error, "path of least action")


def _linear(noise: WeakNoise, a: Array, z: Array) -> tuple[float, float, str] | None:
    """F Σ + Σ Fᵀ + C = 0, where drift and noise are linear and constant."""
    parts = affine_parts(noise.sde.drift_field, noise.sde.values)
    if parts is None or not noise.sde.covariance.is_constant:
        return None
    from scipy.linalg import solve_continuous_lyapunov
    sigma = solve_continuous_lyapunov(parts[0], -noise.covariance(a[None])[0])
    spectrum = np.linalg.eigvalsh(sigma)
    if not spectrum[0] > 1e-12 * spectrum[-1]:
        raise ValueError("the noise does not reach all directions: the stationary covariance Σ of F Σ + Σ Fᵀ + C = 0 has the eigenvalue "
                         f"{spectrum[0]:.2g}, and the quasi-potential needs its inverse.")
    value = float((z - a) @ np.linalg.solve(sigma, z - a)) / 2
    return value, ROUNDING * value * spectrum[-1] / spectrum[0], "linear: Lyapunov's equation"


def _gradient(noise: WeakNoise, a: Array, z: Array) -> tuple[float, float, str] | None:
    """2 (L − L_min) / c, where f = −∇L, C = c I, and the state falls to the attractor."""
    loss, covariance = noise.sde.landscape, noise.sde.covariance
    c = noise.covariance(a[None])[0]
    if loss is None or not covariance.is_constant or covariance.structure is not Structure.COMPONENTWISE or np.ptp(np.diag(c)):
        return None
    distance = float(np.linalg.norm(z - a))
    home = attractor_of(noise, z, distance, -float(growth(noise, a)[0])) if distance else a
    if home is None or not np.linalg.norm(home - a) <= ARRIVED * distance or not c[0, 0] > 0:
        return None
    low, high = (float(loss(x if noise.dim > 1 else x[0])) for x in (a, z))
    return 2 * (high - low) / c[0, 0], 2 * ROUNDING * (abs(high) + abs(low)) / c[0, 0], "gradient: 2 (L − L_min) / c"


def as_estimate(sde: SDE, value: float, error: float, method: str) -> Estimate:
    """Return a quasi-potential with its error and what it means for times."""
    exponent = value / sde.values["strength"]
    return Estimate(value=value, low=value - error, high=value + error, confidence=1.0, method=method, quantity="quasi-potential",
                    interpretation=sde.interpretation, verdict=f"the time to get there grows like exp(U / ε), U / ε = {exponent:.3g}")
