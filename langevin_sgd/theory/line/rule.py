"""The quadrature rule of one panel: Gauss–Legendre, with the integral up to each node, and a measure of what it does not resolve."""
from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from langevin_sgd.models.arguments import Array


@dataclass(frozen=True, eq=False)
class Rule:
    """Gauss–Legendre quadrature on [−1, 1], for values v at n nodes.

    Attributes
    ----------
    nodes, weights
        Arrays (n,): the integral over the panel is v @ weights.
    up_to
        Matrix (n, n): v @ up_to holds the integrals from −1 up to each node, exact like the interpolating polynomial.
    coefficients
        Matrix (n, n): v @ coefficients holds the Legendre coefficients of the interpolating polynomial.
    derivative
        Matrix (n, n): v @ derivative holds the derivative of that polynomial at the nodes.
    """

    nodes: Array
    weights: Array
    up_to: Array
    coefficients: Array
    derivative: Array

    def unresolved(self, values: Array) -> Array:
        """Return the size of the last Legendre coefficients of each row of values (K, n), relative to the largest value."""
        last = np.abs(values @ self.coefficients[:, -3:]).max(axis=1)
        size = np.abs(values).max(axis=1)
        return np.where(size > 0, last / np.where(size > 0, size, 1.0), 0.0)

    def at_edges(self, values: Array) -> tuple[Array, Array]:
        """Return what the interpolating polynomials of each row (K, n) are at −1 and at 1, (K,)."""
        terms = values @ self.coefficients
        return terms @ (-1.0) ** np.arange(len(self.nodes)), terms.sum(axis=1)

    @property
    def gap(self) -> float:
        """The part of a panel between the outermost node and the edge."""
        return float(1 - self.nodes[-1]) / 2

    def trapezoids_up_to(self, values: Array) -> Array:
        """Return the integrals from −1 up to each node by trapezoids: rough, but never of the wrong sign."""
        means = np.concatenate([values[:, :1], (values[:, 1:] + values[:, :-1]) / 2], axis=1)
        return np.cumsum(means * np.diff(self.nodes, prepend=-1.0), axis=1)


@functools.lru_cache(maxsize=8)
def gauss_legendre(order: int) -> Rule:
    """Return the rule with `order` nodes."""
    nodes, weights = legendre.leggauss(order)
    degrees = np.arange(order)
    coefficients = (legendre.legvander(nodes, order - 1) * weights[:, None]) * (degrees + 0.5)
    # Each integral up to a node is itself a Gauss–Legendre sum over [−1, node]: no cancellation next to −1.
    inner = -1 + np.outer(1 + nodes, 1 + nodes) / 2
    basis = legendre.legvander(inner, order - 1) @ coefficients.T           # (up to node, at inner node, of the j-th Lagrange polynomial)
    up_to = (1 + nodes) / 2 * np.einsum("k,ikj->ji", weights, basis)
    slopes = legendre.legval(nodes, legendre.legder(np.eye(order)))        # (of the k-th Legendre polynomial, at node)
    return Rule(nodes, weights, up_to, coefficients, coefficients @ slopes)
