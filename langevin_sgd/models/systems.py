"""Equations that the field tests on and that have no landscape, each with its source."""
from __future__ import annotations

from langevin_sgd.models.arguments import finite, positive
from langevin_sgd.models.noise_families import Constant, Expression
from langevin_sgd.models.sde import SDE

__all__ = ["cox_ingersoll_ross", "geometric_brownian", "maier_stein", "ornstein_uhlenbeck", "rotating_quadratic"]


def ornstein_uhlenbeck(rate: float = 1.0, diffusion: float = 1.0) -> SDE:
    """Return dX = −rate X dt + sqrt(2 diffusion) dW, whose stationary variance is diffusion / rate.

    Notes
    -----
    Source: G. E. Uhlenbeck & L. S. Ornstein, Phys. Rev. 36, 823 (1930).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.systems.ornstein_uhlenbeck(2.0, 1.0).drift(1.0)
    -2.0
    """
    return SDE("-rate*x", Constant(2.0), positive("diffusion", diffusion), rate=positive("rate", rate))


def geometric_brownian(growth: float = 0.0, volatility: float = 1.0, interpretation: str = "ito") -> SDE:
    """Return dX = growth X dt + volatility X dW; in interpretation α the mean grows like exp((growth + α volatility²) t).

    Notes
    -----
    Source: L. Arnold, Stochastic Differential Equations, ch. 8 (1974).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.systems.geometric_brownian(0.1, 0.5, "stratonovich").ito_drift(1.0)
    0.225
    """
    return SDE("growth*x", Expression("x**2"), positive("volatility", volatility)**2, interpretation, growth=finite("growth", growth))


def cox_ingersoll_ross(rate: float = 1.0, level: float = 1.0, volatility: float = 0.5) -> SDE:
    """Return dX = rate (level − X) dt + volatility sqrt(X) dW, for X ≥ 0; zero is reached if 2 rate level < volatility².

    Notes
    -----
    Source: J. C. Cox, J. E. Ingersoll & S. A. Ross, Econometrica 53, 385 (1985).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.systems.cox_ingersoll_ross(1.0, 2.0, 0.5).diffusion(1.0)
    0.125
    """
    return SDE("rate*(level - x)", Expression("x"), positive("volatility", volatility)**2,
               rate=positive("rate", rate), level=positive("level", level))


def maier_stein(beta: float = 1.0, mu: float = 1.0, strength: float = 0.1) -> SDE:
    """Return dX = (x − x³ − beta x y², −mu (1 + x²) y) dt + sqrt(strength) dW: a gradient only for beta = mu.

    The optimal path from (−1, 0) leaves the axis for beta ≥ 4 mu.

    Notes
    -----
    Source: R. S. Maier & D. L. Stein, Phys. Rev. Lett. 71, 1783 (1993).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.systems.maier_stein().drift([-1.0, 0.5])
    array([ 0.25, -1.  ])
    """
    return SDE(["x - x**3 - beta*x*y**2", "-mu*(1 + x**2)*y"], Constant(1.0), positive("strength", strength),
               beta=positive("beta", beta), mu=positive("mu", mu))


def rotating_quadratic(curvature: float = 1.0, rotation: float = 1.0, strength: float = 1.0) -> SDE:
    """Return a parabola in the plane with circulation: dX = −(curvature I + rotation J) X dt + sqrt(strength) dW, J = [[0, −1], [1, 0]].

    The stationary law and every exit from a centred ball are those without rotation; the probability current is not.

    Notes
    -----
    Source: C. Kwon, P. Ao & D. J. Thouless, PNAS 102, 13029 (2005), the case of a transverse force.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.systems.rotating_quadratic(1.0, 2.0).drift([1.0, 0.0])
    array([-1., -2.])
    """
    return SDE(["-curvature*x + rotation*y", "-curvature*y - rotation*x"], Constant(1.0), positive("strength", strength),
               curvature=positive("curvature", curvature), rotation=finite("rotation", rotation))
