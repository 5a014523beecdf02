"""One-step maps as objects: each knows its orders and the noise that it is valid for, and refuses the rest with a sentence."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from langevin_sgd.models.covariance import Covariance, Structure
from langevin_sgd.models.fields import Field, SymbolicField
from langevin_sgd.models.sde import SDE
from langevin_sgd.simulation.linear import LinearEquation, LinearMap, euler_map


class Scheme(Protocol):
    """What every scheme says of itself."""

    strong_order: ClassVar[float]
    weak_order: ClassVar[float]

    def slope(self, sde: SDE) -> Field | None:
        """Return the derivatives of the variances that the scheme needs (None if it needs none); refuse what it is not valid for."""


@dataclass(frozen=True)
class EulerMaruyama:
    """x + b dt + g dW: for any noise.  Strong order 1/2 (1 for additive noise), weak order 1.

    Always the default, because a default that depended on the model would change bits.

    Notes
    -----
    G. Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955).  For dt = learning rate and Itô, this chain *is* SGD with Gaussian noise.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.EulerMaruyama().weak_order
    1.0
    """

    strong_order: ClassVar[float] = 0.5
    weak_order: ClassVar[float] = 1.0

    def slope(self, sde: SDE) -> Field | None:      # noqa: ARG002
        """Return None: no derivative is needed."""
        return None

    def linear_map(self, equation: LinearEquation, dt: float) -> LinearMap:
        """Return the step of a linear equation as a map."""
        return euler_map(equation, dt)


@dataclass(frozen=True)
class Milstein:
    """x + b dt + g dW + ½ g g' (dW² − dt): for one component, or where each component's noise depends on that component alone.

    Strong order 1, weak order 1.  Written with the derivative of the variance, ½ (g²)' = g g': no root, no division.

    Notes
    -----
    G. N. Milstein, Theory Probab. Appl. 19, 557 (1975).  Other noise does not commute, and would need the areas between Wiener processes;
    without them the scheme has strong order 1/2, and says nothing of it.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Milstein().strong_order
    1.0
    """

    strong_order: ClassVar[float] = 1.0
    weak_order: ClassVar[float] = 1.0

    def slope(self, sde: SDE) -> Field | None:
        """Return dC_kk/dx_k, or None for constant noise, where the scheme is Euler-Maruyama; refuse noise that does not commute."""
        c = sde.covariance
        if c.is_constant:
            return None
        slope = c.milstein_slope()
        if slope is None:
            raise ValueError(f"Milstein's scheme does not fit this noise: {_why_not(c)}; use scheme=EulerMaruyama().")
        return slope

    def linear_map(self, equation: LinearEquation, dt: float) -> LinearMap:
        """Return the step of a linear equation as a map: its noise is constant."""
        return euler_map(equation, dt)


def _why_not(c: Covariance) -> str:
    """The pair of components that fails, or what is not known."""
    if c.divergence is None:
        return "its derivative is not known; give noise.from_functions(factor, divergence)"
    if c.structure is Structure.COMPONENTWISE and isinstance(c.field, SymbolicField):
        for k, variance in enumerate(c.field.expressions):
            for j, name in enumerate(c.field.variables):
                if j != k and SymbolicField((variance,), c.field.variables).depends_on([name]):
                    return (f"the noise of component {c.field.variables[k]} depends on {name}, so their Wiener processes do not commute, "
                            "and the areas between them would be needed")
    return f"it is {c.structure.value}, so its Wiener processes do not commute, and the areas between them would be needed"
