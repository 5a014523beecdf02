"""`ExactLinear`: steps of any length without error, for linear drift and constant noise."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import symmetric_root
from langevin_sgd.models.fields import Field
from langevin_sgd.models.sde import SDE, affine
from langevin_sgd.simulation.linear import LinearEquation, LinearMap, linear_equation

SHORT = 0.5             # of |F| dt, up to which the exponential of the block matrix is taken; longer steps are doubled from there


@dataclass(frozen=True)
class ExactLinear:
    """The law of dX = (F X + a) dt + sqrt(2 D) dW over a step of any length: normal, with mean exp(F dt) x + ... and its covariance.

    Exact at every step, for linear drift and constant noise only; all else is refused.

    Notes
    -----
    x' = e^{F dt} x + ∫ e^{F s} a ds + z, with z normal of covariance Σ = ∫ e^{F s} 2 D e^{Fᵀ s} ds, both over 0 < s < dt.  They come from
    the exponential of one block matrix for a short step (C. F. Van Loan, IEEE Trans. Automat. Contr. 23, 395 (1978)), and by doubling
    from there, Σ(2 s) = Σ(s) + e^{F s} Σ(s) e^{Fᵀ s}, since the block matrix holds e^{−F s} as well, which overflows for stiff equations.
    The normals are multiplied by the symmetric root of Σ, so that for dt → 0 a path is that of `EulerMaruyama` with the same key.  Both
    orders are infinite because a path at its steps is one of the equation, though not for the Wiener process with increments √dt z.

    Between two steps the path is not a Brownian bridge, so first passage needs ``monitoring="discrete"``.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.linear(-2.0, 1.0)                                              # stationary variance 1/2
    >>> for scheme in (ls.ExactLinear(), ls.EulerMaruyama()):
    ...     runs = ls.simulate(sde, 0.0, (0, 25), dt=0.5, n_paths=20_000, t_eval=[25.0], scheme=scheme, rng=1)
    ...     print(scheme, round(float(runs.x.var()), 2))
    ExactLinear() 0.5
    EulerMaruyama() 1.0
    """

    strong_order: ClassVar[float] = math.inf
    weak_order: ClassVar[float] = math.inf

    def slope(self, sde: SDE) -> Field | None:
        """Refuse: compiled as any other scheme, this one would be Euler's."""
        linear_equation(sde, NEEDS)
        raise ValueError('ExactLinear is for ls.simulate, and for ls.first_passage with monitoring="discrete"; use scheme=EulerMaruyama().')

    def linear_map(self, equation: LinearEquation, dt: float) -> LinearMap:
        """Return the step as a map."""
        matrix, offset, covariance = transition(equation, dt)
        return LinearMap(matrix, offset, symmetric_root(covariance))


NEEDS = "ExactLinear needs"


def transition(equation: LinearEquation, dt: float) -> tuple[Array, Array, Array]:
    """Return e^{F dt}, the mean from 0, and the covariance over a step.

    Raises
    ------
    ValueError
        If they overflow.
    """
    size = float(np.abs(equation.F).sum(axis=0).max()) * dt
    doublings = math.ceil(math.log2(size / SHORT)) if size > SHORT else 0
    matrix, offset, covariance = _short_transition(equation, dt / 2**doublings)
    with np.errstate(all="ignore"):
        for _ in range(doublings):
            covariance, offset, matrix = covariance + matrix @ covariance @ matrix.T, offset + matrix @ offset, matrix @ matrix
    if not (np.isfinite(covariance).all() and np.isfinite(matrix).all() and np.isfinite(offset).all()):
        raise ValueError(f"the exact step over dt = {dt:g} overflows: F has an eigenvalue with the real part "
                         f"{np.linalg.eigvals(equation.F).real.max():g}, along which paths grow; take a smaller dt.")
    return matrix, offset, (covariance + covariance.T) / 2


def _short_transition(equation: LinearEquation, h: float) -> tuple[Array, Array, Array]:
    """The same for a short step: the exponential of (−F, 2 D, 0; 0, Fᵀ, 0; 0, aᵀ, 0) h, with 2 D h and a h scaled to the size of F h."""
    from scipy.linalg import expm
    d, f, noise, push = len(equation.a), h * equation.F, 2 * h * equation.D, h * equation.a
    of_noise, of_push = (float(np.abs(entries).max()) or 1.0 for entries in (noise, push))
    whole = np.zeros((2 * d + 1, 2 * d + 1))
    whole[:d, :d], whole[:d, d:2 * d], whole[d:2 * d, d:2 * d], whole[2 * d, d:2 * d] = -f, noise / of_noise, f.T, push / of_push
    power = expm(whole)
    matrix = np.ascontiguousarray(power[d:2 * d, d:2 * d].T)
    return matrix, of_push * power[2 * d, d:2 * d], of_noise * (matrix @ power[:d, d:2 * d])


def stepped_by_euler(sde: SDE, dt: float) -> SDE:
    """Return the equation whose steps of Euler and Maruyama have the exact law of this one over dt."""
    matrix, offset, covariance = transition(linear_equation(sde, NEEDS), dt)
    return affine((matrix - np.eye(sde.dim)) / dt, offset / dt, covariance / (2 * dt), f"the exact step of {sde.text}", sde.variables)
