"""One step of the Euler–Maruyama chain in one dimension, and what the ends of a window do to it; nodes to integrate over it."""
from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.rule import gauss_legendre

SAMPLES = 2000              # where the step is looked at to choose panels: evenly spaced, and towards both sides of the centre
TAIL = 8.0                  # distance in standard deviations beyond which a step is not resolved any more
MOST_NODES = 4000
JUMP = 1e-6                 # of D, relative
BEYOND = 40.0               # standard deviations that no step makes
MOST_IMAGES = 400


class TooManyNodes(ArithmeticError):
    """The window is too wide for its finest step."""


@dataclass(frozen=True)
class Step:
    """X' = X + b(X) dt + sqrt(2 D(X) dt) Z."""

    sde: SDE
    dt: float

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Return the mean and the standard deviation of the step from each state (n,)."""
        with np.errstate(all="ignore"):
            drift, variance = self.sde.ito_drift(x), 2 * self.dt * np.asarray(self.sde.diffusion(x))
        bad = ~((variance > 0) & np.isfinite(variance) & np.isfinite(drift))
        if bad.any():
            at = float(x[bad][np.argmin(np.abs(x[bad]))])
            raise ValueError(f"the chain comes to x = {at:.6g}, where D = ε C / 2 is {self.sde.diffusion(at):g} and the Itô drift "
                             f"{self.sde.ito_drift(at):g}, but a step needs D > 0 and a finite drift; end `domain` before that point, or "
                             "add a floor to the noise.")
        return x + drift * self.dt, np.sqrt(variance)

    def kinks(self, low: float, high: float) -> list[float]:
        """Return where drift or noise have a kink in (low, high); refuse jumps of D where they would add a delta function to the drift."""
        kinks = self.sde.kinks(low, high)
        if self.sde.interpretation.alpha:
            for x in kinks:
                near = 1e-9 * max(1.0, abs(x))
                left, right = self.sde.diffusion(x - near), self.sde.diffusion(x + near)
                if abs(left - right) > JUMP * max(left, right):
                    raise ValueError(f"the noise jumps at x = {x:.6g}, where {self.sde.interpretation.label} adds a delta function to the "
                                     "drift, which no step of a chain sees; use 'ito', or ls.exact for the equation itself.")
        return kinks


class Edge(Enum):
    """What an end of a window does to a step that goes beyond."""

    EXIT = "the path ends"
    MIRROR = "the step is folded back, as in simulation"
    CUT = "the path is put at the end: the window must be so wide that this does not matter"


@dataclass(frozen=True)
class Window:
    """The states between two finite numbers, and what their ends do."""

    low: float
    high: float
    at_low: Edge
    at_high: Edge

    def __post_init__(self) -> None:
        assert math.isfinite(self.low) and math.isfinite(self.high), "This is a bug: a window is finite."

    def images(self, mean: Array, spread: Array) -> list[Array]:
        """Return the means of the normal laws whose sum, inside the window, is the law of the folded step."""
        match self.at_low is Edge.MIRROR, self.at_high is Edge.MIRROR:
            case False, False:
                return [mean]
            case True, False:
                return [mean, 2 * self.low - mean]
            case False, True:
                return [mean, 2 * self.high - mean]
        width = self.high - self.low
        outside = np.maximum(np.maximum(self.low - mean, mean - self.high), 0.0)
        count = math.ceil(float((outside + BEYOND * spread).max()) / (2 * width)) + 1
        if count > MOST_IMAGES:
            raise ValueError(f"one step leads up to {count:g} widths of `domain` beyond its ends, so that folding it back has no meaning; "
                             "take a smaller dt or a wider domain.")
        return [image + 2 * k * width for k in range(-count, count + 1) for image in (mean, 2 * self.low - mean)]

    def density(self, mean: Array, spread: Array, y: Array) -> Array:
        """Return the density (n, k) of a step with each mean and spread (n,) at states y (k,)."""
        total = np.zeros((len(mean), len(y)))
        for image in self.images(mean, spread):
            total += np.exp(-0.5 * ((y - image[:, None]) / spread[:, None])**2)
        return total / (math.sqrt(2 * math.pi) * spread[:, None])

    def probability(self, mean: Array, spread: Array, low: float, high: float) -> Array:
        """Return the probability (n,) that the folded step ends between two numbers in the window; small ones as accurate as others."""
        return np.sum([_between((low - m) / spread, (high - m) / spread) for m in self.images(mean, spread)], axis=0)

    def beyond(self, mean: Array, spread: Array) -> tuple[Array, Array]:
        """Return the probabilities (n,) that the folded step ends below the window, and above it."""
        def tail(edge: Edge, sign: int, at: float) -> Array:
            if edge is Edge.MIRROR:
                return np.zeros(len(mean))
            return np.sum([_between(sign * (at - m) / spread, np.inf) for m in self.images(mean, spread)], axis=0)
        if Edge.MIRROR in (self.at_low, self.at_high) and self.at_low is self.at_high:
            return np.zeros(len(mean)), np.zeros(len(mean))
        return tail(self.at_low, -1, self.low), tail(self.at_high, 1, self.high)


@dataclass(frozen=True, eq=False)
class Grid:
    """A window with nodes, and the chain between them.

    Attributes
    ----------
    step, window
        Of the chain.
    nodes, weights
        Gauss–Legendre on panels, (n,).
    """

    step: Step
    window: Window
    nodes: Array
    weights: Array

    @classmethod
    def on(cls, step: Step, window: Window, edges: Array, order: int) -> Grid:
        """Return the grid with `order` nodes in each panel between the edges."""
        rule, half = gauss_legendre(order), np.diff(edges) / 2
        nodes = ((edges[:-1] + edges[1:]) / 2)[:, None] + half[:, None] * rule.nodes
        return cls(step, window, nodes.ravel(), (half[:, None] * rule.weights).ravel())

    @functools.cached_property
    def laws(self) -> tuple[Array, Array]:
        """The mean and the standard deviation of the step from each node."""
        return self.step(self.nodes)

    def moves(self, mean: Array, spread: Array) -> Array:
        """Return the probabilities (k, n) that steps of these laws (k,) end near each node; a row sums to what stays in the window."""
        window = self.window
        moves = window.density(mean, spread, self.nodes) * self.weights
        sums = moves.sum(axis=1)
        inside = window.probability(mean, spread, window.low, window.high)
        moves *= (np.divide(inside, sums, out=np.zeros_like(sums), where=sums > 0))[:, None]
        below, above = window.beyond(mean, spread)
        if window.at_low is Edge.CUT:
            moves[:, 0] += below
        if window.at_high is Edge.CUT:
            moves[:, -1] += above
        return moves

    def exits(self, mean: Array, spread: Array) -> tuple[Array, Array]:
        """Return the probabilities (k,) that steps of these laws leave at the low end, and at the high end."""
        below, above = self.window.beyond(mean, spread)
        return (below if self.window.at_low is Edge.EXIT else 0 * below), (above if self.window.at_high is Edge.EXIT else 0 * above)


def panel_edges(step: Step, window: Window, center: float, width: float) -> Array:
    """Return edges of panels about `width` standard deviations wide, of the narrowest step that ends there.

    Drift and noise may have kinks: panels end there.
    """
    resolution = _resolution(step, window, center)
    fixed = [window.low, *step.kinks(window.low, window.high), window.high]
    edges = [fixed[0]]
    for a, b in itertools.pairwise(fixed):
        marks = [a]
        while marks[-1] < b:
            y, room = marks[-1], width * resolution(marks[-1])
            marks.append(min(b, y + min(room, width * resolution(y + room))))
            if len(edges) + len(marks) > MOST_NODES // 16 or not marks[-1] > y:
                raise TooManyNodes
        edges += marks[1:]
    return np.array(edges)


def _resolution(step: Step, window: Window, center: float) -> Callable[[float], float]:
    """The scale on which the transition density changes at y: that of the narrowest step that ends near y."""
    reach = max(window.high - center, center - window.low)
    scale = float(step(np.array([center]))[1][0])
    around = np.geomspace(min(scale, reach) / 10, reach, SAMPLES)
    x = np.concatenate([np.linspace(window.low, window.high, SAMPLES + 2)[1:-1], center + around, center - around])
    mean, spread = step(x[(x > window.low) & (x < window.high)])
    images = np.stack(window.images(mean, spread)[:64])
    return lambda y: float(np.maximum(spread, np.abs(y - images) / TAIL).min())


def _between(a: Array, b: Array | float) -> Array:
    """P(a < Z < b) for a standard normal Z."""
    from scipy.special import ndtr
    return np.where(a > 0, ndtr(-a) - ndtr(-np.asarray(b)), ndtr(b) - ndtr(a))
