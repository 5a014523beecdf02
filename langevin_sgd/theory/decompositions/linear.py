"""The stochastic decomposition of linear equations, in any dimension: which part of F is a gradient, and which only turns.

dX = F X dt + sqrt(2 D) dW with constant matrices is decomposed into F = −(D + Q) U with U symmetric and Q antisymmetric
(C. Kwon, P. Ao & D. J. Thouless, PNAS 102, 13029 (2005); `theory`, 6.2).  The potential is φ = δᵀ U δ / 2, δ the distance from the fixed
point, and where F is stable the stationary law is exp(−φ), with the covariance Σ = U⁻¹.  Two linear equations for one F,

    F Σ + Σ Fᵀ = −2 D            F Q + Q Fᵀ = F D − D Fᵀ

are solved from one Schur form, and not one from the other: that F Σ = −(D + Q) comes out is then a check.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, points
from langevin_sgd.models.sde import SDE, linear

LARGEST_CONDITION = 1e12        # of the equation for Σ, and of Σ: beyond, fewer than four digits would be left
LARGEST_RESIDUAL = 1e-6
FAR = 1e-10             # of a sum of two eigenvalues from zero, over the size of F
ITERATIONS = 6                  # of the power method, for the size of an inverse to a factor of about two


@dataclass(frozen=True, eq=False, repr=False)
class LinearDecomposition:
    """The parts of a linear equation; made by `decompose`.

    Attributes
    ----------
    F
        The matrix (d, d) of the drift F (x − center).
    D
        The diffusion matrix (d, d), ε included.  Of a recursion with steps `dt`: half the mean square of a step per unit of time, in the
        stationary state, D + dt F Σ Fᵀ / 2.
    Q
        The antisymmetric matrix with F = −(D + Q) U: the area that paths sweep in each plane per unit of time,
        E[x_i dx_j − x_j dx_i] / 2 dt.
    U
        The Hessian of the potential φ.
    center
        The fixed point (d,).
    noise
        The diffusion matrix as it was given; D, but for a recursion.
    dt
        The time step of a recursion (for SGD the learning rate); None for an equation.
    condition
        How much rounding grows in the equation for Σ: its relative error, as a matrix, is about this times 1e-16, and that of U up to the
        condition number of U times as much.
    because
        What was decomposed, and in what sense the parts are exact.
    """

    F: Array
    D: Array
    Q: Array
    U: Array
    center: Array
    noise: Array
    dt: float | None
    condition: float
    because: str

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(self.F)

    @property
    def S(self) -> Array:
        """The friction matrix: the symmetric part of (D + Q)⁻¹, with (S + A) dx/dt = −∇φ + noise and (S + A) D (S + A)ᵀ = S."""
        inverse = np.linalg.inv(self.D + self.Q)
        return np.asarray(inverse + inverse.T) / 2

    @property
    def A(self) -> Array:
        """The antisymmetric part of (D + Q)⁻¹: a magnetic field, in the words of physics."""
        inverse = np.linalg.inv(self.D + self.Q)
        return np.asarray(inverse - inverse.T) / 2

    @property
    def growth(self) -> float:
        """The largest real part of an eigenvalue of F: negative where the fixed point is stable."""
        return float(np.linalg.eigvals(self.F).real.max())

    @property
    def is_stable(self) -> bool:
        """Tell whether there is a stationary law; about a saddle, φ is a potential but exp(−φ) no law."""
        return self.growth < 0

    @property
    def covariance(self) -> Array:
        """The covariance Σ = U⁻¹ of the stationary law; a `ValueError` about a saddle, where there is none."""
        self._must_be_stable("covariance")
        inverse = np.linalg.inv(self.U)
        return np.asarray(inverse + inverse.T) / 2

    @property
    def entropy_production(self) -> float:
        """Nats per unit of time in the stationary state, Tr(noise⁻¹ F Q) = Tr(D⁻¹ Q U Qᵀ): zero if and only if paths do not turn.

        Infinite where paths turn in directions without noise (positions of a heavy ball): seen backwards they would be impossible.
        """
        self._must_be_stable("entropy production")
        values, axes = np.linalg.eigh(self.noise)
        silent = values <= 1e-12 * values[-1]
        if silent.any() and (self.dt is not None or np.abs(axes[:, silent].T @ self.Q).max() > 1e-9 * np.abs(self.D + self.Q).max()):
            return math.inf
        frame = axes[:, ~silent] / np.sqrt(values[~silent])
        return max(float(np.trace(frame.T @ self.F @ self.Q @ frame)), 0.0)     # below zero by rounding only

    @property
    def residual(self) -> float:
        """The largest violation of what the parts must satisfy, relative to the size of its terms: rounding, if all is well."""
        turned, inverse = self.D + self.Q, self.S + self.A
        sigma = np.linalg.inv(self.U)
        square = 0.0 if self.dt is None else self.dt * (self.F @ sigma @ self.F.T)
        stretch = 1.0 if self.dt is None else 1.0 + self.dt * _norm(self.F)
        return max(_norm(self.F + turned @ self.U) / (_norm(turned) * _norm(self.U)),
                   _norm(self.F @ sigma + sigma @ self.F.T + square + 2 * self.noise) / (2 * _norm(self.F) * _norm(sigma) * stretch),
                   _norm(inverse @ self.D @ inverse.T - self.S) / (_norm(inverse) ** 2 * _norm(self.D)))

    def potential(self, x: ArrayLike) -> np.float64 | Array:
        """Return φ at states x (..., d), zero at the fixed point; (...) in one dimension."""
        delta = points("x", x, self.dim) - self.center
        return np.einsum("...i,ij,...j->...", delta, self.U, delta)[()] / 2

    def gradient_drift(self, x: ArrayLike) -> Array:
        """Return −D ∇φ at states x; the shape of x."""
        return self._times(-self.D @ self.U, x)

    def circulating_drift(self, x: ArrayLike) -> Array:
        """Return −Q ∇φ at states x, which runs along the level lines of φ: the probability current over the density; the shape of x."""
        return self._times(-self.Q @ self.U, x)

    def sde(self) -> SDE:
        """Return dX = F (X − center) dt + sqrt(2 D) dW; for a recursion, the equation whose stationary law is that of the recursion."""
        return linear(self.F, self.D, center=self.center)

    def _times(self, matrix: Array, x: ArrayLike) -> Array:
        return ((points("x", x, self.dim) - self.center) @ matrix.T).reshape(np.shape(x))[()]

    def _must_be_stable(self, what: str) -> None:
        if not self.is_stable:
            raise ValueError(f"there is no {what}: the drift is unstable (an eigenvalue of F has the real part {self.growth:.4g}), and "
                             "exp(−φ) cannot be normalised; `potential` and the matrices are valid.")

    def __repr__(self) -> str:
        where = "" if not self.center.any() else f" about {np.array2string(self.center, precision=6)}"
        step = "" if self.dt is None else f", a recursion with steps of {self.dt:g}"
        turning = f"unstable: grows like exp({self.growth:.4g} t)"
        if self.is_stable:
            turning = f"entropy production {self.entropy_production:.6g}"
        return (f"LinearDecomposition({self.dim} component{'s' * (self.dim > 1)}{where}{step}, {turning}, residual {self.residual:.1g}, "
                f"condition {self.condition:.2g}; {self.because})")


def linear_parts(f: Array, d: Array, center: Array, because: str) -> LinearDecomposition:
    """Return the decomposition of dX = F (X − center) dt + sqrt(2 D) dW."""
    solver = _Lyapunov(f)
    sigma, q = solver.solve(-2 * d), solver.solve(f @ d - d @ f.T)
    sigma, q = (sigma + sigma.T) / 2, (q - q.T) / 2
    return checked(LinearDecomposition(f, d, q, _inverse(sigma), center, d, None, solver.condition, because))


def checked(parts: LinearDecomposition) -> LinearDecomposition:
    """Return the parts if they are what they should be."""
    if not parts.residual < LARGEST_RESIDUAL:
        raise ArithmeticError(f"the parts add up to the drift only to {parts.residual:.2g} (condition {parts.condition:.2g}); give "
                              "components other units, so that entries of F and D are of like size.")
    return parts


class _Lyapunov:
    """F Y + Y Fᵀ = R for one F and several R; refused where it has no solution, or none to a few digits."""

    def __init__(self, f: Array) -> None:
        from scipy.linalg import schur
        self.t, self.z = schur(f.astype(complex), output="complex")
        self.condition = math.inf
        near, pair = _nearest_to_opposite(np.diag(self.t))
        if near > np.finfo(float).eps * _norm(f):
            self.condition = 2 * _norm(f) * self._size_of_inverse()
        if not self.condition < LARGEST_CONDITION:
            which = "has an eigenvalue that is zero" if pair[0] == pair[1] else "has two eigenvalues that add up to zero"
            if near > FAR * _norm(f):
                which = "is so far from normal that rounding cannot tell it from a matrix with two eigenvalues that add up to zero"
            raise ValueError(f"there is no decomposition, or more than one: `F` {which}, or nearly so ({pair[0]:.6g} and {pair[1]:.6g}, "
                             f"condition {self.condition:.2g}), and F Σ + Σ Fᵀ = −2 D has no single solution. Leave out the directions "
                             "that neither relax nor run away, or give components other units.")

    def solve(self, right: Array) -> Array:
        """Return Y."""
        return np.asarray((self.z @ self._triangular(self.z.conj().T @ right @ self.z) @ self.z.conj().T).real)

    def _triangular(self, right: Array, *, adjoint: bool = False) -> Array:
        from scipy.linalg.lapack import ztrsyl
        y, scale, _ = ztrsyl(self.t, self.t, right, trana="C" if adjoint else "N", tranb="N" if adjoint else "C")
        return np.asarray(y / scale)

    def _size_of_inverse(self) -> float:
        """The norm of R ↦ Y, by the power method on its square."""
        y = np.random.default_rng(0).normal(size=self.t.shape) + 0j
        for _ in range(ITERATIONS):
            y = self._triangular(self._triangular(y / np.linalg.norm(y)), adjoint=True)
        return math.sqrt(np.linalg.norm(y))


def _nearest_to_opposite(eigenvalues: Array) -> tuple[float, tuple[complex, complex]]:
    """The smallest |λ_i + λ_j|, and the two."""
    sums = np.abs(eigenvalues[:, None] + eigenvalues)
    i, j = np.unravel_index(int(sums.argmin()), sums.shape)
    return float(sums[i, j]), (_real_if_so(eigenvalues[i]), _real_if_so(eigenvalues[j]))


def _real_if_so(value: complex) -> complex:
    return value if abs(value.imag) > 1e-12 * abs(value) else float(value.real)


def _inverse(sigma: Array) -> Array:
    """U = Σ⁻¹, refused where the noise does not reach all directions."""
    values = np.abs(np.linalg.eigvalsh(sigma))
    if not values.min() * LARGEST_CONDITION > values.max():
        raise ValueError("there is no potential: the noise does not reach all directions, or hardly; the solution Σ of F Σ + Σ Fᵀ = −2 D "
                         f"has eigenvalues of sizes from {values.min():.2g} to {values.max():.2g}, and φ = xᵀ Σ⁻¹ x / 2 needs its "
                         "inverse. Give D more directions, or leave out those without noise.")
    inverse = np.linalg.inv(sigma)
    return np.asarray(inverse + inverse.T) / 2


def _norm(matrix: Array) -> float:
    return float(np.linalg.norm(matrix))
