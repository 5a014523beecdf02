"""The front door of the stochastic decomposition: which part of a drift is a gradient of −ln p, and which only circulates."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.affine import affine_parts
from langevin_sgd.models.arguments import Array, covariance_matrix, matrix, numbers, positive, state
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.decompositions.along_path import PathDecomposition, parts_along
from langevin_sgd.theory.decompositions.discrete import recursion_parts
from langevin_sgd.theory.decompositions.fields import Decomposition
from langevin_sgd.theory.decompositions.linear import LinearDecomposition, linear_parts
from langevin_sgd.theory.decompositions.on_grid import GridDecomposition, on_a_grid
from langevin_sgd.theory.decompositions.on_line import on_the_line
from langevin_sgd.theory.grids.grid import Grid
from langevin_sgd.theory.weak_noise.basins import fixed_point
from langevin_sgd.theory.weak_noise.equation import WeakNoise

if TYPE_CHECKING:
    from langevin_sgd.theory.weak_noise.action import ActionPath

NEAR = 1e-2             # a state this near a fixed point, over 1 + its size, means that point


@overload
def decompose(sde: SDE, *, grid: Grid) -> GridDecomposition: ...
@overload
def decompose(*, along: ActionPath) -> PathDecomposition: ...
@overload
def decompose(*, F: ArrayLike, D: ArrayLike, dt: float | None = None) -> LinearDecomposition: ...
@overload
def decompose(sde: SDE, *, at: ArrayLike, dt: float | None = None) -> LinearDecomposition: ...
@overload
def decompose(sde: SDE, *, dt: float | None = None) -> Any: ...


def decompose(sde: SDE | None = None, *, F: ArrayLike | None = None, D: ArrayLike | None = None, at: ArrayLike | None = None,
              dt: float | None = None, grid: Grid | None = None, along: ActionPath | None = None
              ) -> LinearDecomposition | Decomposition | PathDecomposition:
    """Decompose an equation: a potential φ = −ln p whose gradient part relaxes, and an antisymmetric Q whose part only circulates.

    The Itô drift is b = −(D + Q) ∇φ + ∇·(D + Q), with (∇·Q)_i = Σ_j ∂_j Q_ij, and the stationary law is exp(−φ).

    Parameters
    ----------
    sde
        The equation.
    F, D
        Instead of an equation, the matrices of dX = F X dt + sqrt(2 D) dW (numbers in one dimension).
    at
        A fixed point of the drift (or a state within a hundredth of one): the equation is taken as linear there.
    dt
        Decompose the recursion x ← x + dt F x + sqrt(2 D dt) z instead: SGD itself, on a quadratic loss, for dt = learning rate.
    grid
        For a nonlinear equation in two or three dimensions: the cells, as for `FokkerPlanck`, in a box that holds the law.
    along
        Instead of an equation, a path of least action: the parts along it for weak noise, from its work.

    Returns
    -------
    LinearDecomposition
        For linear drift with constant noise, for matrices, and with `at`: matrices.
    Decomposition
        For a nonlinear equation in one dimension, and with `grid`: functions of the state.
    PathDecomposition
        With `along`: values at the states of the path.

    Raises
    ------
    ValueError
        If the arguments don't say which system is meant; if F has two eigenvalues that add up to zero, or nearly so; if the noise does not
        reach all directions; if `at` is not near a fixed point; if the recursion is unstable; if there is no stationary law.
    ArithmeticError
        If the parts that were found add up to the drift to fewer than six digits.

    See Also
    --------
    compose : the equation with given φ, D and Q.

    Notes
    -----
    Source: C. Kwon, P. Ao & D. J. Thouless, PNAS 102, 13029 (2005) (`theory`, 1.4 and 6).  φ is dimensionless and D has ε in it: a linear
    equation has φ = xᵀ Σ⁻¹ x / 2, also about a saddle, where it is no law.  At a fixed point of a nonlinear equation f and C are taken
    as they are written; the conventions differ by drifts of order ε, so that there the parts hold to leading order in ε.  On a grid Q
    is fixed by its gauge: in the plane Q₁₂ p is zero at the outer wall, in space E |Q|² is the least; −Q ∇φ + ∇·Q, the current over
    the density, does not depend on it.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> parts = ls.decompose(F=[[-1, 2], [-0.5, -2]], D=[[1, 0.3], [0.3, 0.5]])
    >>> parts
    LinearDecomposition(2 components, entropy production 2.63415, residual ..., condition ...; linear drift and constant noise: exact)
    >>> parts.Q.round(4)
    array([[ 0. , -0.6],
           [ 0.6,  0. ]])
    >>> parts.covariance.round(4)
    array([[1.2667, 0.1333],
           [0.1333, 0.2167]])
    >>> loss, noise = ls.Landscape("2*x**2 + y**2/2"), ls.noise.Anisotropic([[2.0, 0.6], [0.6, 1.0]])
    >>> ls.decompose(ls.sgd(loss, noise, learning_rate=0.2), dt=0.2).covariance.round(4)       # of SGD's iterates
    array([[0.0833, 0.0286],
           [0.0286, 0.1111]])
    >>> wells = ls.decompose(ls.systems.maier_stein(beta=2.0, strength=0.3), grid=ls.Grid([(-2.2, 2.2), (-1.8, 1.8)], 64))
    >>> round(float(wells.potential([0.0, 0.0]) - wells.potential([1.0, 0.0])), 1)
    1.4
    """
    if along is not None:
        _alone("along", sde, F, D, at, dt, grid)
        return parts_along(along)
    if grid is not None:
        _alone("grid", F, D, at, dt)
        return on_a_grid(_stationary(sde), _checked_grid(grid, _stationary(sde)))
    step = None if dt is None else positive("dt", dt)
    if F is D is at is step is None and _stationary(sde).dim == 1 and not _is_linear(_stationary(sde)):
        return on_the_line(_stationary(sde))
    return _linear(*_system(sde, F, D, at), step)


def _alone(name: str, *others: Any) -> None:
    if any(other is not None for other in others):
        besides = "alone, the equation is in the path" if name == "along" else "with an equation alone"
        raise ValueError(f"`{name}` came with other arguments, but is given {besides}.")


def _checked_grid(grid: Any, sde: SDE) -> Grid:
    if not isinstance(grid, Grid):
        raise ValueError(f"`grid` is {grid!r}, but must be a grid, such as ls.Grid([(-2, 2), (-2, 2)], 96).")
    if grid.dim != sde.dim:
        raise ValueError(f"`grid` has {grid.dim} axes, but the equation has {sde.dim} components.")
    return grid


def _stationary(sde: Any) -> SDE:
    """The equation, if it is one that may have a stationary law."""
    if sde is None:
        raise ValueError("`sde` is missing: ls.decompose(sde), or the matrices of a linear equation, ls.decompose(F=..., D=...).")
    if not isinstance(sde, SDE):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation; matrices are given by keyword, ls.decompose(F=..., D=...).")
    if sde.depends_on_time:
        raise ValueError("`sde` depends on the time t, so that it has no stationary law to decompose; fix t.")
    return sde


def _system(sde: SDE | None, f: ArrayLike | None, d: ArrayLike | None, at: ArrayLike | None) -> tuple[Array, Array, Array, str]:
    """F, D, the fixed point, and what they are."""
    if sde is None:
        return _given(f, d, at)
    if f is not None or d is not None:
        raise ValueError("`F` and `D` came with an equation; give either `sde`, or the matrices `F` and `D`.")
    _stationary(sde)
    if at is not None:
        return _local(sde, state("at", at, sde.dim))
    if _is_linear(sde):
        return _affine(sde)
    everywhere = ", or `grid`, a ls.Grid, for the parts everywhere" if sde.dim in (2, 3) else ""
    raise ValueError("`sde` is not seen to be linear with constant noise; give `at`, a fixed point of its drift, for the parts there"
                     f"{everywhere}.")


def _given(f: ArrayLike | None, d: ArrayLike | None, at: ArrayLike | None) -> tuple[Array, Array, Array, str]:
    if f is None or d is None:
        raise ValueError(f"`{'F' if f is None else 'D'}` is missing: ls.decompose(sde), or both matrices, ls.decompose(F=..., D=...).")
    if at is not None:
        raise ValueError("`at` came with `F` and `D`, whose fixed point is 0; it belongs to an equation, ls.decompose(sde, at=...).")
    drift = matrix("F", np.atleast_2d(numbers("F", f)))
    return (drift, covariance_matrix("D", np.atleast_2d(numbers("D", d)), len(drift)), np.zeros(len(drift)),
            "linear drift and constant noise: exact")


def _affine(sde: SDE) -> tuple[Array, Array, Array, str]:
    """F and the fixed point of a drift that is known to be linear."""
    ends = sde.evaluate(sde.drift_field, np.vstack([np.zeros(sde.dim), np.eye(sde.dim)]))
    f = (ends[1:] - ends[0]).T
    try:
        center = -np.linalg.solve(f, ends[0]) if ends[0].any() else np.zeros(sde.dim)
    except np.linalg.LinAlgError:
        raise ValueError("the drift of `sde` has no fixed point, or a line of them: its matrix F is singular.") from None
    return f, _diffusion(sde, center), center, "linear drift and constant noise: exact"


def _local(sde: SDE, near: Array) -> tuple[Array, Array, Array, str]:
    """F and D at a fixed point."""
    reach = NEAR * (1 + float(np.linalg.norm(near)))
    noise = WeakNoise(sde, 1 + float(np.linalg.norm(near)))
    center = fixed_point(noise, near, reach)
    if center is None:
        raise ValueError(f"`at` is {near.tolist()}, where the drift is {noise.drift(near[None])[0].tolist()}, and no fixed point was found "
                         f"within {reach:.2g}; give one, where the drift is zero.")
    return (noise.jacobian(center[None])[0], _diffusion(sde, center), center,
            f"linearised at a fixed point of f as it is written, {sde.interpretation.label}: to leading order in ε")


def _linear(f: Array, d: Array, center: Array, because: str, dt: float | None) -> LinearDecomposition:
    return linear_parts(f, d, center, because) if dt is None else recursion_parts(f, d, center, dt, because)


def _diffusion(sde: SDE, x: Array) -> Array:
    return np.asarray(0.5 * sde.values["strength"] * sde.covariance.at(x, 0.0, sde.values))


def _is_linear(sde: SDE) -> bool:
    """Tell whether the drift is seen to be linear, and the noise constant."""
    return affine_parts(sde.drift_field, sde.values) is not None and sde.covariance.is_constant
