"""What the search for a path of least action needs of the noise: a Hamiltonian, by what it has at states and directions."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from langevin_sgd.models.arguments import Array


class Hamiltonian(Protocol):
    """H(x, θ), convex in the momentum θ, and zero at θ = 0; everything at states x (n, d) with directions v (n, d).

    Noise of strength η takes the state along a path φ with the probability exp(−action / η), where the action is ∫ ℓ(φ, φ') ds, and
    ℓ(x, v) = max {θ·v : H(x, θ) ≤ 0}.  There H = 0 and ∂H/∂θ = λ v, λ ≥ 0.
    """

    @property
    def dim(self) -> int:
        """d."""

    @property
    def name(self) -> str:
        """What a state is called where the drift vanishes and is stable."""

    def drift(self, x: Array, /) -> Array:
        """Return ∂H/∂θ at θ = 0, (n, d)."""

    def jacobian(self, x: Array, /) -> Array:
        """Return the derivatives of the drift, (n, d, d)."""

    def covariance(self, x: Array, /) -> Array:
        """Return ∂²H/∂θ² at θ = 0, (n, d, d)."""

    def kinks(self, low: float, high: float) -> Sequence[float]:
        """Return where H or its derivatives jump between two states, in one dimension."""

    def lagrangian(self, x: Array, v: Array) -> Array:
        """Return ℓ, (n,); infinite where nothing goes that way."""

    def lagrangian_and_slopes(self, x: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return ℓ (n,), ∂ℓ/∂v = θ and ∂ℓ/∂x = −(∂H/∂x) / λ (n, d)."""

    def momentum(self, x: Array, v: Array) -> Array:
        """Return θ, (n, d)."""

    def relaxation(self, x: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return λ (n,), and (∂²H/∂θ∂x) v and (∂²H/∂θ²) ∂H/∂x (n, d), all at θ."""

    def softened(self, x: Array) -> Mapping[float, Hamiltonian]:
        """Return Hamiltonians that tend to this one, by how much they differ, and whose ℓ is finite everywhere; none if its own is."""
