"""Decompositions whose parts depend on the state: what they are, whatever φ and Q were found from.

The Itô drift is b = −(D + Q) ∇φ + ∇·(D + Q), and J = ∇·(Q exp(−φ)) the stationary current (`theory`, 1.4 and 6.1).  Of the drift,
−D ∇φ + ∇·D keeps exp(−φ) in detailed balance; the rest is J exp(φ) = −Q ∇φ + ∇·Q, the velocity at which probability circulates.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, points
from langevin_sgd.models.sde import SDE

StateFunction = Callable[[Array], Array]        # of states (..., d)
SAMPLE = 400            # states at which parts that were given are checked


class StationaryLaw(Protocol):
    """What is asked of the law exp(−φ)."""

    @property
    def mean(self) -> Array:
        """(d,)."""

    @property
    def covariance(self) -> Array:
        """(d, d)."""

    @property
    def states(self) -> Array:
        """States (n, d) that stand for the law."""

    @property
    def weights(self) -> Array:
        """Their probabilities (n,)."""


@dataclass(frozen=True, eq=False, repr=False)
class Decomposition:
    """The parts of an equation at every state; made by `decompose` and `compose`.

    In one dimension states are (...), in more (..., d); of states, vectors have the same shape and matrices are (..., d, d).
    """

    _equation: SDE
    _potential: StateFunction
    _slope: StateFunction
    _circulation: StateFunction
    _law: StationaryLaw | None
    because: str

    @property
    def dim(self) -> int:
        """Number of components."""
        return self._equation.dim

    def potential(self, x: ArrayLike) -> Any:
        """Return φ at states x, one number for each; exp(−φ) is normalised unless φ was given."""
        return self._potential(self._points(x))[()]

    def slope(self, x: ArrayLike) -> Any:
        """Return ∇φ at states x; the shape of x."""
        return self._slope(self._points(x)).reshape(np.shape(x))[()]

    def D(self, x: ArrayLike) -> Array:
        """Return the diffusion matrix at states x, ε included; (..., d, d)."""
        sde = self._equation
        return np.asarray(0.5 * sde.values["strength"] * sde.covariance.at(self._points(x), 0.0, sde.values))

    def Q(self, x: ArrayLike) -> Array:
        """Return the antisymmetric matrix of the circulation at states x; (..., d, d)."""
        return self._circulation(self._points(x))

    def F(self, x: ArrayLike) -> Any:
        """Return the A-type drift −(D + Q) ∇φ at states x; the shape of x.  It is zero where φ has a critical point."""
        return -self._applied(self.D(x) + self.Q(x), x)

    def S(self, x: ArrayLike) -> Array:
        """Return the friction matrix, the symmetric part of (D + Q)⁻¹, at states x; (..., d, d)."""
        inverse = np.linalg.inv(self.D(x) + self.Q(x))
        return np.asarray(inverse + np.swapaxes(inverse, -1, -2)) / 2

    def A(self, x: ArrayLike) -> Array:
        """Return the antisymmetric part of (D + Q)⁻¹ at states x; (..., d, d)."""
        inverse = np.linalg.inv(self.D(x) + self.Q(x))
        return np.asarray(inverse - np.swapaxes(inverse, -1, -2)) / 2

    def gradient_drift(self, x: ArrayLike) -> Any:
        """Return −D ∇φ + ∇·D at states x: the part of the Itô drift that alone would have the same law, without any current."""
        return self._equation.ito_drift(x) - self.circulating_drift(x)

    def circulating_drift(self, x: ArrayLike) -> Any:
        """Return −Q ∇φ + ∇·Q at states x: the rest of the Itô drift, which is the stationary current over the density."""
        sde = self._equation
        flux_drift = sde.evaluate(sde.flux_drift_field, self._points(x)).reshape(np.shape(x))
        return (flux_drift + self._applied(self.D(x), x))[()]

    @property
    def mean(self) -> Array:
        """The mean (d,) of the stationary law."""
        return self._known_law("mean").mean

    @property
    def covariance(self) -> Array:
        """The covariance (d, d) of the stationary law."""
        return self._known_law("covariance").covariance

    @property
    def entropy_production(self) -> float:
        """Nats per unit of time in the stationary state: the mean of vᵀ D⁻¹ v, v the circulating drift."""
        law = self._known_law("entropy production")
        if self.dim == 1:
            return 0.0
        v = self.circulating_drift(law.states)
        return float(law.weights @ (v * np.linalg.solve(self.D(law.states), v[..., None])[..., 0]).sum(axis=-1))

    @property
    def residual(self) -> float:
        """How far b is from −(D + Q) ∇φ + ∇·(D + Q), differentiated numerically: the root mean square, over that of b."""
        x, weights = self._sample()
        b = self._equation.evaluate(self._equation.ito_drift_field, x)
        composed = self.F(self._surface(x)).reshape(x.shape) + self._divergence(x)
        return float(np.sqrt((weights @ ((b - composed) ** 2).sum(axis=-1)) / (weights @ (b**2).sum(axis=-1))))

    def sde(self) -> SDE:
        """Return the A-type process with these parts as an Itô equation, whose stationary law is exp(−φ).

        Of an equation that was decomposed, that is the equation itself, written as Itô.
        """
        return self._equation

    def _points(self, x: ArrayLike) -> Array:
        return points("x", x, self.dim)

    def _sample(self) -> tuple[Array, Array]:
        """States and weights that stand for the law, or for the neighbourhood of 0 where it is not known."""
        if self._law is None:
            return np.random.default_rng(0).normal(size=(SAMPLE, self.dim)), np.full(SAMPLE, 1 / SAMPLE)
        return self._law.states, self._law.weights

    def _surface(self, x: Array) -> Array:
        return x[..., 0] if self.dim == 1 else x

    def _applied(self, matrices: Array, x: ArrayLike) -> Any:
        return np.einsum("...ij,...j->...i", matrices, self._slope(self._points(x))).reshape(np.shape(x))[()]

    def _divergence(self, x: Array) -> Array:
        """∇·(D + Q) at states (n, d), by differences."""
        total, scale = np.zeros_like(x), 1e-4 * (np.ptp(x, axis=0).max() or 1.0)
        for j, e in enumerate(scale * np.eye(self.dim)):
            ahead, behind = (self.D(self._surface(at)) + self.Q(self._surface(at)) for at in (x + e, x - e))
            total += (ahead - behind)[..., j] / (2 * scale)
        return total

    def _known_law(self, what: str) -> StationaryLaw:
        if self._law is None:
            raise ValueError(f"the {what} needs the integral of exp(−φ), and parts that were given are not integrated; "
                             "ls.decompose(parts.sde(), grid=...) does it in up to three dimensions.")
        return self._law

    def __repr__(self) -> str:
        turning = f", entropy production {self.entropy_production:.6g}" if self._law is not None else ""
        return f"Decomposition({self.dim} component{'s' * (self.dim > 1)}{turning}, residual {self.residual:.1g}; {self.because})"
