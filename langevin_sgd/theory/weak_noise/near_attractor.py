"""The quasi-potential around a stable fixed point, as a power series: where a sweep over a grid starts.

With Σ of Lyapunov's equation F Σ + Σ Fᵀ + C = 0 and x = a + S z, S Sᵀ = Σ, the quasi-potential begins with |z|² / 2.  The terms of degree
n of the Hamilton–Jacobi equation ⟨∇U, C ∇U⟩ / 2 + ⟨f, ∇U⟩ = 0 are linear in those of U: ⟨(F + C) z, ∇U_n⟩ = what the lower ones leave
over, with F and C in the coordinates z.  The eigenvalues of F + C = −Fᵀ are in the right half plane, so that there is a solution for
every n.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.polynomial import polyval2d
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.weak_noise.equation import WeakNoise

DEGREE = 10                     # of the series
RADII, ANGLES = 12, 32          # of the points of a disc
SHORTER = 0.8                   # from one radius of the disc to the next
SMALLEST = 1e-6                 # radius, over the first
CENTRE = 0.1                    # of the disc, where the relative residual is rounding

Vector = Sequence[Array]        # of polynomials
Matrix = Sequence[Vector]


@dataclass(frozen=True)
class NearAttractor:
    """U as a polynomial in w = S⁻¹ (x − a) / radius, for |w| ≤ 1.

    Attributes
    ----------
    attractor
        The fixed point a, (2,).
    root
        S times the radius, (2, 2).
    coefficients
        Of U, (degree + 1, degree + 1).
    level
        The least value on |w| = 1: below it the series holds.
    residual
        Of the Hamilton–Jacobi equation, over ⟨∇U, C ∇U⟩ / 2: the relative error of U.
    fills
        Whether the bounds end the disc, and not the error.
    """

    attractor: Array
    root: Array
    coefficients: Array
    level: float
    residual: float
    fills: bool = True

    def known(self, x: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return U (n,), ∇U (n, 2), and whether the series holds (n,), at states x (n, 2)."""
        w = np.linalg.solve(self.root, (x - self.attractor).T).T
        value, slope = _value(self.coefficients, w), _slope(self.coefficients, w)
        holds = (np.linalg.norm(w, axis=-1) <= 1) & (value <= self.level)
        return value, np.linalg.solve(self.root.T, slope.T).T, holds


def near_attractor(noise: WeakNoise, a: Array, bounds: Array, error: float) -> NearAttractor:
    """Return the series in the largest disc in which its error is below `error`, over the quasi-potential at the bounds (2, 2)."""
    from scipy.linalg import solve_continuous_lyapunov
    f, c = noise.jacobian(a[None])[0], noise.covariance(a[None])[0]
    root = np.linalg.cholesky(solve_continuous_lyapunov(f, -c))
    radius = largest = float(np.min(np.minimum(a - bounds[:, 0], bounds[:, 1] - a) / np.linalg.norm(root, axis=1)))
    while True:
        found = _in_disc(noise, a, radius * root)
        if found.residual * radius**2 <= error * largest**2 or radius < SMALLEST * largest:
            return replace(found, fills=radius == largest)
        radius *= SHORTER


def _in_disc(noise: WeakNoise, a: Array, root: Array) -> NearAttractor:
    """The series with drift and noise replaced by polynomials, which are fitted in the disc |w| ≤ 1."""
    w = _disc()
    x = a + w @ root.T
    inverse = np.linalg.inv(root)
    drift, covariance = noise.drift(x) @ inverse.T, inverse @ noise.covariance(x) @ inverse.T
    slope, centre = inverse @ noise.jacobian(a[None])[0] @ root, inverse @ noise.covariance(a[None])[0] @ inverse.T
    f = [_linear(row) + _fitted(rest, w, 2, DEGREE - 1) for row, rest in zip(slope, (drift - w @ slope.T).T, strict=True)]
    c = [[_constant(centre[i, j]) + _fitted(covariance[:, i, j] - centre[i, j], w, 1, DEGREE - 2) for j in range(2)] for i in range(2)]
    u = _series(slope, centre, f, c)
    p = _slope(u, w)
    kinetic = np.einsum("ni,nij,nj->n", p, covariance, p) / 2
    far = np.linalg.norm(w, axis=-1) > CENTRE
    with np.errstate(all="ignore"):
        residual = np.abs((kinetic + (drift * p).sum(-1)) / kinetic)[far].max()
    level = float(_value(u, w[-ANGLES:]).min())
    return NearAttractor(a, root, u, level, float(residual) if np.isfinite(residual) and level > 0 else np.inf)


def _series(slope: Array, centre: Array, f: Vector, c: Matrix) -> Array:
    """U from the coefficients of f and C, degree by degree."""
    from scipy.linalg import solve_continuous_lyapunov
    u = np.zeros((DEGREE + 1, DEGREE + 1))
    curvature = np.linalg.inv(solve_continuous_lyapunov(slope, -centre))
    u[2, 0], u[1, 1], u[0, 2] = curvature[0, 0] / 2, curvature[0, 1], curvature[1, 1] / 2
    b = slope + centre @ curvature
    for n in range(3, DEGREE + 1):
        k = np.arange(n + 1)                        # the monomials w₁^(n − k) w₂^k
        forward = np.diag((n - k) * b[0, 0] + k * b[1, 1]) + np.diag(((n - k) * b[0, 1])[:-1], -1) + np.diag((k * b[1, 0])[1:], 1)
        u[n - k, k] = np.linalg.solve(forward, -_hamiltonian(u, f, c)[n - k, k])
    return u


def _hamiltonian(u: Array, f: Vector, c: Matrix) -> Array:
    """⟨∇U, C ∇U⟩ / 2 + ⟨f, ∇U⟩ as a polynomial."""
    p = [_derivative(u), _derivative(u.T).T]
    return sum((_product(p[i], (_product(c[i][0], p[0]) + _product(c[i][1], p[1])) / 2 + f[i]) for i in range(2)), np.zeros_like(u))


def _product(a: Array, b: Array) -> Array:
    """The product of two polynomials, up to the degree of the series."""
    out = np.zeros_like(a)
    size = len(a)
    for i, j in np.argwhere(a):
        out[i:, j:] += a[i, j] * b[:size - i, :size - j]
    i, j = np.indices(out.shape)
    return np.where(i + j < size, out, 0.0)


def _derivative(a: Array) -> Array:
    """∂/∂w₁ of a polynomial."""
    out = np.zeros_like(a)
    out[:-1] = np.arange(1, len(a))[:, None] * a[1:]
    return out


def _value(u: Array, w: Array) -> Array:
    """A polynomial at states (n, 2)."""
    return np.asarray(polyval2d(w[:, 0], w[:, 1], u))


def _slope(u: Array, w: Array) -> Array:
    """∇U with respect to w, (n, 2)."""
    return np.stack([_value(_derivative(u), w), _value(_derivative(u.T).T, w)], axis=-1)


def _fitted(values: Array, w: Array, low: int, high: int) -> Array:
    """The polynomial with terms of these degrees that is nearest to values in the disc."""
    powers = [(k - j, j) for k in range(low, high + 1) for j in range(k + 1)]
    terms = np.stack([w[:, 0]**i * w[:, 1]**j for i, j in powers], axis=-1)
    out = np.zeros((DEGREE + 1, DEGREE + 1))
    out[tuple(np.transpose(powers))] = np.linalg.lstsq(terms, values, rcond=None)[0]
    return out


def _linear(row: Array) -> Array:
    out = np.zeros((DEGREE + 1, DEGREE + 1))
    out[1, 0], out[0, 1] = row
    return out


def _constant(value: float) -> Array:
    out = np.zeros((DEGREE + 1, DEGREE + 1))
    out[0, 0] = value
    return out


def _disc() -> Array:
    """Points (n, 2) of the unit disc, the last ones on its edge."""
    radii = np.append(np.cos(np.pi * (2 * np.arange(RADII)[::-1] + 1) / (4 * RADII)), 1.0)
    angles = 2 * np.pi * np.arange(ANGLES) / ANGLES
    return np.stack([np.outer(radii, np.cos(angles)).ravel(), np.outer(radii, np.sin(angles)).ravel()], axis=-1)
