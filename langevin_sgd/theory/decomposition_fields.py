"""Decompositions whose parts depend on the state: in one dimension from the exact law, and from given parts, by `compose`.

The Itô drift is b = −(D + Q) ∇φ + ∇·(D + Q), and J = ∇·(Q exp(−φ)) the stationary current (`theory`, 1.4 and 6.1).  Of the drift,
−D ∇φ + ∇·D keeps exp(−φ) in detailed balance; the rest is J exp(φ) = −Q ∇φ + ∇·Q, the velocity at which probability circulates.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.a_type import a_type
from langevin_sgd.models.arguments import Array, parameter_values, points
from langevin_sgd.models.expressions import parse, variable_names
from langevin_sgd.models.fields import Names, SymbolicField
from langevin_sgd.models.landscape import Landscape, check_parameters
from langevin_sgd.models.sde import SDE

if TYPE_CHECKING:
    from sympy import Expr

    from langevin_sgd.theory.stationary import StationaryDensity

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


# ------------------------------------------------------------------------------------------------------- from given parts

def compose(potential: str | float | Landscape, D: Any, Q: Any = 0.0, *, variables: Sequence[str] | None = None, **values: float
            ) -> Decomposition:
    """Build the A-type process whose stationary law is exp(−φ), from the potential φ, the noise D and the circulation Q.

    Parameters
    ----------
    potential
        φ, dimensionless: an expression, or a `Landscape`.
    D
        The diffusion matrix: one expression (times the identity), a list of d (the diagonal), or a nested list (d, d); numbers will do.
    Q
        The antisymmetric matrix, a nested list (d, d); in two dimensions the entry Q₁₂ alone will do.
    variables
        Other names for the components.
    **values
        Values of all other symbols.

    Returns
    -------
    Decomposition
        ``.sde()`` is the process, an Itô equation with the drift −(D + Q) ∇φ + ∇·(D + Q).

    Raises
    ------
    ValueError
        If D is not symmetric or Q not antisymmetric, for matrices of another size than the state, or a symbol without a value.

    Notes
    -----
    Source: `theory`, 1.4 and 6.1.  ∇·Q is part of it: without it the process is another, with another law.  That exp(−φ) can be
    normalised, and that D is positive, is not checked.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> parts = ls.compose("((x**2 + y**2 - 1)**2/4 + 0.3*x)/T", D=[["T + T*x**2/2", "0"], ["0", "T"]], Q="T*(1 + x*y/2)", T=0.1)
    >>> parts.F([1.0, 0.0]), parts.sde().drift([1.0, 0.0])
    (array([-0.45,  0.3 ]), array([-0.3,  0.3]))
    """
    known = {**(potential.values if isinstance(potential, Landscape) else {}), **parameter_values(values)}
    d_entries, q_entries = _entries("D", D), _entries("Q", Q)
    if isinstance(potential, Landscape):
        phi = potential.value_field
        if not isinstance(phi, SymbolicField):
            raise ValueError("`potential` must be given by an expression, for its derivatives are taken.")
    else:
        texts = [potential, *d_entries[0], *q_entries[0]]
        phi = SymbolicField((parse(potential),), variable_names(texts, variables, known, *d_entries[1][:1]))
    d, q = _symmetric(*d_entries, phi.variables), _antisymmetric(*q_entries, phi.variables)
    needed = sorted({name for part in (phi, d, q) for name in part.parameters})
    check_parameters(f"the process with the potential {_text(phi)!r}", needed, known)
    text = f"A-type, φ = {_text(phi)}, Q = {[str(e) for e in q.expressions]}"
    sde = a_type(phi, d, q, known, text)

    def at(field: SymbolicField) -> StateFunction:
        f, p = field.vector(tuple(known)), tuple(known.values())
        return lambda x: f(x, 0.0, p)
    return Decomposition(sde, at(phi), at(phi.gradient()), at(q), None, "composed of given parts: exact")


Texts = tuple[str | float, ...]


def _entries(name: str, given: Any) -> tuple[Texts, tuple[int, ...]]:
    """The expressions of a matrix, and the shape in which they came."""
    array = np.array(given, dtype=object)
    if array.ndim > 2 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
        raise ValueError(f"`{name}` has shape {array.shape}, but must be one expression, or a (d, d) matrix of them.")
    return tuple(array.ravel().tolist()), array.shape


def _symmetric(texts: Texts, shape: tuple[int, ...], names: Names) -> SymbolicField:
    n, entries = len(names), [parse(text) for text in texts]
    if shape not in ((), (n,), (n, n)):
        raise ValueError(f"`D` has shape {shape}, but a state of {n} components ({', '.join(names)}) needs one expression, {n} of them, "
                         f"or a ({n}, {n}) matrix.")
    if len(shape) < 2:
        diagonal = entries * n if shape == () else entries
        entries = [diagonal[i] if i == j else parse(0) for i in range(n) for j in range(n)]
    _check_pairs("D", "symmetric", entries, n, -1)
    return SymbolicField(tuple(entries), names, (n, n))


def _antisymmetric(texts: Texts, shape: tuple[int, ...], names: Names) -> SymbolicField:
    n, entries = len(names), [parse(text) for text in texts]
    if shape == () and entries[0] == 0:
        entries = [parse(0)] * n**2
    elif shape == () and n == 2:
        entries = [parse(0), entries[0], -entries[0], parse(0)]
    elif shape != (n, n):
        alone = ", or the entry Q₁₂ alone" if n == 2 else ""
        raise ValueError(f"`Q` has shape {shape}, but a state of {n} components ({', '.join(names)}) needs an antisymmetric ({n}, {n}) "
                         f"matrix{alone}.")
    _check_pairs("Q", "antisymmetric", entries, n, 1)
    return SymbolicField(tuple(entries), names, (n, n))


def _check_pairs(name: str, kind: str, entries: Sequence[Expr], n: int, sign: int) -> None:
    for i in range(n):
        for j in range(i + 1 if sign > 0 else i):
            if (entries[i * n + j] + sign * entries[j * n + i]).expand() != 0:
                raise ValueError(f"`{name}` must be {kind}, but entry {(i, j)} is {entries[i * n + j]} and {(j, i)} is "
                                 f"{entries[j * n + i]}.")


def _text(phi: SymbolicField) -> str:
    return str(phi.expressions[0])


# ----------------------------------------------------------------------------------------------------------- one dimension

def on_the_line(sde: SDE) -> Decomposition:
    """Return the decomposition of a one-dimensional equation: φ = −ln p by quadrature, and no circulation."""
    from langevin_sgd.theory.stationary import stationary_density
    law = stationary_density(sde)

    def flux(x: Array) -> Array:
        return sde.evaluate(sde.flux_drift_field, x)

    def slope(x: Array) -> Array:                   # the flux c p − D p' is zero
        return -flux(x) / (0.5 * sde.values["strength"] * sde.covariance.at(x, 0.0, sde.values)[..., 0])
    return Decomposition(sde.in_interpretation("ito"), lambda x: -np.asarray(law.log_density(x[..., 0])), slope,
                         lambda x: np.zeros((*x.shape, 1)), _LawOnTheLine(law), "one dimension, no circulation: φ by quadrature")


@dataclass(frozen=True, eq=False)
class _LawOnTheLine:
    """The exact law in one dimension."""

    density: StationaryDensity

    @property
    def mean(self) -> Array:
        return np.array([self.density.mean])

    @property
    def covariance(self) -> Array:
        return np.array([[self.density.variance]])

    @property
    def states(self) -> Array:
        """Equally spaced, over what holds all but little of the probability."""
        low, high = (self._quantile(p) for p in (1e-3, 1 - 1e-3))
        return np.linspace(low, high, SAMPLE)[:, None]

    @property
    def weights(self) -> Array:
        p = self.density(self.states[:, 0])
        return np.asarray(p / p.sum())

    def _quantile(self, p: float) -> float:
        low, high = -1.0, 1.0
        while self.density.probability(high=low) > p and low > -1e9:
            low *= 2
        while self.density.probability(high=high) < p and high < 1e9:
            high *= 2
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.density.probability(high=middle) < p else (low, middle)
        return high
