"""The path of least action by Ritz's method: polynomials of rising degree, the geometric action by Gauss's rule.

A path φ(u), −1 ≤ u ≤ 1, is given by its direction: φ' = w(u) g(u) with g a polynomial, constant in length, and w ∝ (1 ± u)² towards an
end that is a fixed point.  So the path slows down where it leaves or enters it like s^λ with any power λ, also a complex one (a spiral),
and polynomials of moderate degree still converge.  The action has no opinion about the speed; a variance of |g| added to it has, and
changes no path.  Near the path of least action both are quadratic forms with the weight (1 ± u)⁵, for which the polynomials are
orthonormal: the search is as well conditioned at high degree as at low.
"""
from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import legendre

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.weak_noise.hamiltonian import Hamiltonian

SLOWING = 2                     # power of 1 ± u in w, towards a fixed point
Powers = tuple[int, int]        # of 1 − u and 1 + u
FIRST, LAST = 6, 192            # degrees
SETTLED = 1e-9                  # change of the action with a higher degree, relative
SEARCHES = 4000                 # steps of a minimisation
BENDS = 6                       # bent paths among the first guesses, at most
HEIGHT = 0.4                    # of a bend, over the distance
HIGH = 10.0                     # times the action of the guess stand for an infinite one
INVERSE = 0.1                   # from the power −1, in which an action still grows like the inverse of the softness
FAR = 10.0                      # from the straight path, over the distance, there is no path of least action


class NoPath(ArithmeticError):
    """No path with a finite action was found."""


class Stray(ArithmeticError):
    """Paths cost less and less the farther away they go; there is one with this action, but none of least action."""

    def __init__(self, action: float) -> None:
        super().__init__(f"there is no path of least action: paths cost less and less the farther they stray, {action:.4g} and below more "
                         f"than {FAR:g} times the distance of the ends away")
        self.action = action


@dataclass(frozen=True)
class RitzPath:
    """A path as coefficients (k, d) of polynomials, and its action."""

    start: Array
    end: Array
    slowing: Powers
    coefficients: Array
    action: float
    error: float = np.inf       # change from the degree before

    @property
    def degree(self) -> int:
        """Number of polynomials."""
        return len(self.coefficients)

    def raised(self, degree: int) -> Array:
        """The coefficients with zeros for the polynomials of higher degree."""
        return np.concatenate([self.coefficients, np.zeros((degree - self.degree, len(self.start)))])

    def at(self, u: Array) -> Array:
        """Return states (n, d) at parameters −1 ≤ u ≤ 1."""
        gone, basis, _ = _basis(self.degree, self.slowing, u)
        return self.start + np.multiply.outer(gone, self.end - self.start) + basis @ self.coefficients

    def sampled(self, count: int, noise: Hamiltonian) -> tuple[Array, Array]:
        """Return states (count, d) equally far apart along the path, and the action spent up to each."""
        dense = np.linspace(-1, 1, 20 * count + 1)
        share = _basis(1, self.slowing, dense)[0]
        u = np.interp(np.linspace(0, 1, count), share, dense)
        nodes, weights = _gauss(4 * self.degree)
        density = noise.lagrangian(*_positions(self, nodes))
        series = legendre.legvander(nodes, 2 * self.degree).T @ (weights * density) * (np.arange(2 * self.degree + 1) + 0.5)
        spent = legendre.legval(u, legendre.legint(series, lbnd=-1))
        x = self.at(u)
        x[0], x[-1] = self.start, self.end
        return x, np.maximum.accumulate(np.clip(spent, 0, self.action)) if spent[-1] > 0 else spent * 0


def first_path(noise: Hamiltonian, start: Array, end: Array, *, at_rest: tuple[bool, bool]) -> RitzPath:
    """Return the best path of low degree between two states, from a few guesses.

    `at_rest` tells whether start and end are fixed points of the drift.  Where no guess has a finite action, the path is sought among
    softened Hamiltonians first.

    Raises
    ------
    NoPath
        If none with a finite action is found; the message has the actions of softened Hamiltonians.
    Stray
        If paths cost less and less the farther away they go.
    """
    slowing = (SLOWING * at_rest[1], SLOWING * at_rest[0])
    guesses = [RitzPath(start, end, slowing, c, np.inf) for c in _guesses(start, end, slowing)]
    best, spent = _best(noise, guesses), dict[float, float]()
    if not np.isfinite(best.action):
        for softness, softer in noise.softened(np.linspace(start, end, len(start) + 9)).items():
            best = _best(softer, guesses if not spent else [best])
            spent[softness] = best.action
        best = _best(noise, [best])
    if not np.isfinite(best.action):
        raise NoPath("no path of finite action was found" + _softened_text(spent))
    return best


def _best(noise: Hamiltonian, guesses: list[RitzPath]) -> RitzPath:
    """The best that comes of some guesses; if it is one that strays, there is none."""
    found, strays = [], []
    for guess in guesses:
        try:
            found.append(_minimised(noise, guess))
        except Stray as stray:
            strays.append(stray)
    return best_of(found, strays)


def best_of(found: list[RitzPath], strays: list[Stray]) -> RitzPath:
    """Return the path of the least action, unless one that strayed had less by then."""
    best = min(found, key=lambda path: path.action, default=None)
    stray = min(strays, key=lambda stray: stray.action, default=None)
    if stray is not None and (best is None or stray.action < best.action):
        raise stray
    assert best is not None, "This is a bug: there are guesses."
    return best


def _softened_text(spent: dict[float, float]) -> str:
    """What softened Hamiltonians say, and whether it grows like 1 / softness, as it must where no sample goes ahead."""
    if not spent:
        return ""
    told = ", ".join(f"{action:.4g} for {softness:g}" for softness, action in spent.items())
    (more, before), (less, last) = list(spent.items())[-2:]
    growth = np.log(last / before) / np.log(more / less)
    verdict = ", and grows like its inverse, as where escape is impossible" if abs(growth - 1) < INVERSE else ""
    return f"; with so much of C added as Gaussian noise, which can only lower it, it is {told}{verdict}"


def refined(noise: Hamiltonian, path: RitzPath, last: int = LAST) -> RitzPath:
    """Return the path of least action near a path: the degree rises until the action settles, or to the last."""
    while path.degree < last and not path.error <= SETTLED * path.action:
        path = _minimised(noise, replace(path, coefficients=path.raised(min(2 * path.degree, last))))
        if not np.isfinite(path.action):
            raise NoPath(f"a path of degree {path.degree} has no finite action")
    return path


def _guesses(start: Array, end: Array, slowing: Powers) -> Iterator[Array]:
    """The straight path, and paths bent to both sides of it: on an axis of symmetry the straight one may be stationary and not least."""
    way, d = end - start, len(start)
    straight = np.zeros((FIRST, d))
    yield straight
    normals = np.linalg.svd(way[None])[2][1:]
    peak = np.abs(_basis(FIRST, slowing, np.array([0.0]))[1][0, 0])
    for k, normal in enumerate(np.concatenate([normals, -normals])):
        if k < BENDS:
            bent = straight.copy()
            bent[0] = HEIGHT * np.linalg.norm(way) / peak * normal
            yield bent


def _minimised(noise: Hamiltonian, guess: RitzPath) -> RitzPath:
    """The path of least action with as many polynomials as the guess has."""
    from scipy.optimize import minimize
    degree, way = guess.degree, guess.end - guess.start
    length = float(np.linalg.norm(way))
    nodes, weights = _gauss(4 * degree)
    gone, basis, directions = _basis(degree, guess.slowing, nodes)
    w, rho = _power(nodes, guess.slowing), _power(nodes, _weight(guess.slowing))
    states = guess.start + np.multiply.outer(gone, way)
    stiffness = _scale(noise, states, way)

    beyond = np.inf                 # what an infinite action counts: so much that a line search comes back, and no more

    def cost(flat: Array) -> tuple[float, Array]:
        c = flat.reshape(guess.coefficients.shape) * length
        g, x = way + directions @ c, states + basis @ c
        action, by_v, by_x = noise.lagrangian_and_slopes(x, w[:, None] * g)
        size = np.maximum(np.linalg.norm(g, axis=-1), 1e-300)
        mean = weights @ (rho * size)
        uneven = weights @ (rho * (size - mean)**2)
        pull = 2 * (stiffness / length**2) * rho * (size - mean) / size
        total = float(weights @ action + stiffness / length**2 * uneven)
        slope = directions.T @ (weights[:, None] * (w[:, None] * by_v + pull[:, None] * g)) + basis.T @ (weights[:, None] * by_x)
        if not np.isfinite(total):
            return beyond, np.zeros_like(flat)
        return total / stiffness, (slope * (length / stiffness)).ravel()

    def strays(flat: Array) -> None:
        if np.abs(basis @ flat.reshape(guess.coefficients.shape)).max() > FAR:
            raise StopIteration

    beyond = HIGH * cost(guess.coefficients.ravel() / length)[0]
    found = minimize(cost, guess.coefficients.ravel() / length, jac=True, method="L-BFGS-B", callback=strays,
                     options={"maxiter": SEARCHES, "maxfun": 2 * SEARCHES, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 20})
    path = replace(guess, coefficients=found.x.reshape(guess.coefficients.shape) * length)
    fine, fine_weights = _gauss(6 * degree)
    action = float(fine_weights @ noise.lagrangian(*_positions(path, fine)))
    if np.abs(basis @ path.coefficients).max() > FAR * length:
        raise Stray(action)
    return replace(path, action=action, error=abs(action - guess.action))


def _positions(path: RitzPath, u: Array) -> tuple[Array, Array]:
    """States and directions (n, d) at parameters u."""
    directions = _basis(path.degree, path.slowing, u)[2]
    return path.at(u), _power(u, path.slowing)[:, None] * (path.end - path.start + directions @ path.coefficients)


@functools.lru_cache(maxsize=64)
def _gauss(count: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss's rule."""
    from scipy.special import roots_legendre
    nodes, weights = roots_legendre(count)
    return nodes, weights


def _basis(degree: int, slowing: Powers, u: Array) -> tuple[Array, Array, Array]:
    """∫w up to u (n,), and for k = 1 … degree the integrals of w J_k, and J_k itself (n, k); each J_k leaves the end where it is."""
    from scipy.special import eval_jacobi
    weight = _weight(slowing)
    nodes, weights = _gauss(degree + 2 * SLOWING + 4)
    order = np.arange(1, degree + 1)

    def polynomials(at: Array) -> Array:
        return eval_jacobi(order, *weight, at[:, None])

    raw = polynomials(nodes)
    norms = np.sqrt(weights @ (_power(nodes, weight)[:, None] * raw**2))
    shift = weights @ (_power(nodes, slowing)[:, None] * raw / norms)

    def series(values: Array) -> Array:
        """Legendre coefficients of the integral from −1 of a polynomial given at the nodes."""
        top = len(nodes) - 1
        coefficients = (legendre.legvander(nodes, top) * weights[:, None]).T @ values * (np.arange(top + 1) + 0.5)[:, None]
        return legendre.legint(coefficients, lbnd=-1)

    w = _power(nodes, slowing)[:, None]
    gone = legendre.legval(u, series(w)[:, 0])
    return gone, legendre.legval(u, series(w * (raw / norms - shift))).T, polynomials(u) / norms - shift


def _weight(slowing: Powers) -> Powers:
    """Powers of the weight of the quadratic forms, |f| w: the drift vanishes like the distance to a fixed point."""
    low, high = (2 * power + 1 if power else 0 for power in slowing)
    return low, high


def _power(u: Array, powers: Powers) -> Array:
    """(1 − u)^a (1 + u)^b over its integral."""
    from scipy.special import beta
    a, b = powers
    return (1 - u)**a * (1 + u)**b / (2.0**(a + b + 1) * beta(a + 1, b + 1))


def _scale(noise: Hamiltonian, x: Array, way: Array) -> float:
    """The size of the action of the straight path with no help from the drift: the mean of there and back, averaged where it is finite."""
    v = np.broadcast_to(way, x.shape)
    both = (noise.lagrangian(x, v) + noise.lagrangian(x, -v)) / 2
    finite = np.isfinite(both)
    return float(both[finite].mean() if finite.any() else 0.0) or 1.0
