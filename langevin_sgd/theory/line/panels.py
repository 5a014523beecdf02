"""One side of a start, cut into panels: the drift potential, scale and speed density, and integrals of them in log space.

With f the drift as it was written, Φ = −∫ f/D and its α, the scale density is s = exp(Φ) D^−α and the speed density is
m = exp(−Φ) D^(α−1) (`theory`, 1.3 and 8.1); D is never differentiated, so it may jump.  Panels are ordered from the start outward, on
the lower side as on the upper one, so that whatever works on one side works on the other.
"""
from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.coefficients import diffusion, drift
from langevin_sgd.theory.line.ends import End
from langevin_sgd.theory.line.rule import Rule

Mask = NDArray[np.bool_]

FIRST_PANELS = 8                # between the start and an end where nothing is singular
LARGEST_CHANGE = 8.0            # of Φ within a panel that counts: exp(8) times rounding is still 1e-12
NARROWEST = 1e-14               # a panel is not cut below this width, relative to its distance from start and end
ROUGH = 1e-2                    # unresolved part of f/D beyond which its polynomial is not used
STEEPEST = 30.0                 # e-folds of an integrand within a panel to which the rule is applied
HIGHEST = 1e250                 # change of Φ in a panel: sums of such numbers are still floats
EXTREME = 1e50                  # drift over D, or D, beyond which an overflow is taken for one, and not for a mistake in the equation


@dataclass(frozen=True, eq=False)
class Panels:
    """The panels between a start and one end of the domain.

    Attributes
    ----------
    sde, end
        The equation, and where the panels lead to.
    rule
        The quadrature rule of every panel.
    edges
        Array (K + 1,): the start first, the edge nearest to the end last.
    slope, log_diffusion
        Arrays (K, n): the derivative of Φ outward, and ln D, at the nodes.
    exhausted
        Whether floats allow no further approach to an open end.
    is_cut_short
        Whether what lies beyond the last panel was seen and found not to matter.
    ground, level
        Φ is `level` at edge number `ground`, and integrated from there.
    """

    sde: SDE
    end: End
    rule: Rule
    edges: Array
    slope: Array
    log_diffusion: Array
    exhausted: bool = False
    is_cut_short: bool = False
    ground: int = 0
    level: float = 0.0

    @classmethod
    def towards(cls, sde: SDE, end: End, rule: Rule, octaves: int) -> Panels:
        """Return the first panels towards an end: at most this many octaves of distance, and then a few of equal width to a regular end."""
        none = np.empty((0, len(rule.nodes)))
        panels = cls(sde, end, rule, np.array([end.start]), none, none)
        if end.is_open:
            return panels.extended(octaves)
        if end.at == end.start:
            return panels
        points = np.linspace(end.start, end.at, FIRST_PANELS + 1)[1:]
        return panels._appended(np.concatenate([end.before(points[0]), points]))

    # ------------------------------------------------------------------------------------------------------- densities

    @functools.cached_property
    def half(self) -> Array:
        """Half the width of each panel, (K,)."""
        return np.abs(np.diff(self.edges)) / 2

    @functools.cached_property
    def nodes(self) -> Array:
        """The nodes (K, n)."""
        return _nodes(self.edges, self.rule)

    @functools.cached_property
    def distance(self) -> Array:
        """The distance in whose powers tails are measured at the nodes, (K, n): to a finite end, or from the start to an infinite one."""
        return np.abs(_nodes(self.edges - (self.end.at if np.isfinite(self.end.at) else self.end.start), self.rule))

    @functools.cached_property
    def distance_at_edges(self) -> Array:
        """The same at the edges, (K + 1,)."""
        return np.abs(self.edges - (self.end.at if np.isfinite(self.end.at) else self.end.start))

    @functools.cached_property
    def potential_at_edges(self) -> Array:
        """Φ at the edges, (K + 1,)."""
        steps = self.half * (self.slope @ self.rule.weights)
        inner, outer = steps[:self.ground][::-1], steps[self.ground:]
        return self.level + np.concatenate([-np.cumsum(inner)[::-1], [0.0], np.cumsum(outer)])

    @property
    def potential(self) -> Array:
        """Φ at the nodes, (K, n)."""
        return self.potential_at_edges[:-1, None] + self._rise

    @functools.cached_property
    def _rise(self) -> Array:
        """Φ at the nodes over that at the inner edge of the panel, (K, n)."""
        rise = self.slope @ self.rule.up_to
        rough = self.rule.unresolved(self.slope) > ROUGH
        rise[rough] = self.rule.trapezoids_up_to(self.slope[rough])
        return self.half[:, None] * rise

    def potential_at(self, x: Array) -> Array:
        """Return Φ at points (N,) on the way; beyond the last edge, its value there."""
        outward = self.end.sign * self.edges
        k = np.clip(np.searchsorted(outward, self.end.sign * x, side="right") - 1, 0, len(self.half) - 1)
        t = np.clip((self.end.sign * x - outward[k]) / self.half[k] - 1, -1, 1)
        integral = legendre.legint(self.slope @ self.rule.coefficients, axis=1, lbnd=-1)
        return self.potential_at_edges[k] + self.half[k] * legendre.legval(t, integral[k].T, tensor=False)

    @functools.cached_property
    def log_scale(self) -> Array:
        """The logarithm of the scale density s at the nodes, (K, n)."""
        return self.potential - self.sde.effective_alpha * self.log_diffusion

    @functools.cached_property
    def log_speed(self) -> Array:
        """The logarithm of the speed density m at the nodes, (K, n)."""
        return -self.potential - (1 - self.sde.effective_alpha) * self.log_diffusion

    # ------------------------------------------------------------------------------------------------------- integrals

    def outward(self, log_f: Array, before: float = -np.inf) -> tuple[Array, Array]:
        """Return ln (exp(before) + ∫ f) from the start to the nodes (K, n) and to the edges (K + 1,)."""
        return _cumulative(log_f, self.half, self.rule, before)

    def inward(self, log_f: Array, beyond: float = -np.inf) -> tuple[Array, Array]:
        """Return ln (∫ f + exp(beyond)) from the nodes (K, n) and from the edges (K + 1,) to the last edge."""
        nodes, edges = _cumulative(log_f[::-1, ::-1], self.half[::-1], self.rule, beyond)
        return nodes[::-1, ::-1], edges[::-1]

    def bounds(self, log_f: Array) -> Array:
        """Return about ln ∫ f over each panel (K,), rather too much than too little, also where nodes miss what f does.

        f has values (K, n + 2) as those of `highest_scale` and `highest_speed`.
        """
        return log_f.max(axis=1, initial=-np.inf) + np.log(2 * self.half)

    def nested_bounds(self, log_first: Array, log_then: Array) -> Array:
        """Return the same for ∫ f ∫ g over each panel, the inner integral from its inner edge, given g first and then f."""
        return self.bounds(np.maximum.accumulate(log_first, axis=1) + log_then) + np.log(2 * self.half)

    @functools.cached_property
    def highest_scale(self) -> Array:
        """The largest ln s at the inner edge, around the nodes, and at the outer edge, (K, n + 2)."""
        return self._highest(self.log_scale, 1)

    @functools.cached_property
    def highest_speed(self) -> Array:
        """The largest ln m at the inner edge, around the nodes, and at the outer edge, (K, n + 2)."""
        return self._highest(self.log_speed, -1)

    def _highest(self, log_f: Array, power: int) -> Array:
        """The largest ln f, for f that goes like exp(power Φ): at edges, and where Φ turns between nodes, that is not at a node."""
        inner = log_f[:, :1] + power * (self.potential_at_edges[:-1, None] - self.potential[:, :1])
        outer = log_f[:, -1:] + power * (self.potential_at_edges[1:, None] - self.potential[:, -1:])
        return np.concatenate([inner, log_f + self._hidden, outer], axis=1)

    @functools.cached_property
    def _hidden(self) -> Array:
        """How far Φ may go beyond its value at a node before it turns, (K, n): along its slope to the next node."""
        slope, reach = self.slope.ravel(), np.abs(self.nodes - self.end.start).ravel()
        turns = np.sign(slope[:-1]) * np.sign(slope[1:]) < 0
        hidden = np.where(turns, np.maximum(np.abs(slope[:-1]), np.abs(slope[1:])) * np.diff(reach), 0.0)
        padded = np.concatenate([[0.0], hidden, [0.0]])[:slope.size + 1]
        return np.maximum(padded[1:], padded[:-1]).reshape(self.slope.shape)

    # ------------------------------------------------------------------------------------------------------- refinement

    @functools.cached_property
    def unresolved(self) -> Array:
        """How much of scale and speed density each panel leaves unresolved, relative to their size there, (K,), at most 1."""
        change = self.half * (np.abs(self.slope) @ self.rule.weights)
        alpha = self.sde.effective_alpha
        densities = self._rise - alpha * self.log_diffusion, -self._rise - (1 - alpha) * self.log_diffusion
        tails = [self.rule.unresolved(np.exp(f - f.max(axis=1, keepdims=True, initial=-np.inf))) for f in densities]
        missed = np.maximum(np.maximum(*tails), self._jumps(self.log_diffusion))
        return np.where(change > LARGEST_CHANGE, 1.0, np.minimum(missed, 1.0))

    @functools.cached_property
    def unresolved_potential(self) -> Array:
        """How much of Φ each panel leaves unresolved, (K,)."""
        missed = np.abs(self.slope).max(axis=1, initial=0.0) * self.rule.unresolved(self.slope)
        return self.half * np.maximum(missed, self._jumps(self.slope))

    def _jumps(self, values: Array) -> Array:
        """What each panel may miss of a function, (K,), because that jumps between its outermost nodes and an edge that is no kink."""
        inner, outer = self.rule.at_edges(values)
        jumps = np.abs(inner[1:] - outer[:-1])
        jumps[np.isin(self.edges[1:-1], self.end.kinks)] = 0.0
        padded = np.concatenate([[0.0], jumps, [0.0]])[:len(values) + 1]
        return self.rule.gap * np.maximum(padded[1:], padded[:-1])

    @functools.cached_property
    def rounding(self) -> Array:
        """How much of the logarithms of s and m is rounding in each panel, (K,): of f/D, and of the nodes."""
        steepest = np.abs(self.slope).max(axis=1, initial=0.0)
        position = 4 * np.spacing(np.abs(self.edges[1:] + self.edges[:-1]) / 2)
        return 1e-14 * self.half * steepest + position * steepest

    @functools.cached_property
    def divisible(self) -> Mask:
        """Tell which panels can be cut, (K,)."""
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        away = np.minimum(np.abs(middle - self.end.start), np.abs(middle - self.end.at))
        return self.half > np.maximum(NARROWEST * away, 4 * np.spacing(np.abs(middle)))

    def cut(self, chosen: Mask) -> Panels:
        """Return the panels, the chosen ones (K,) cut in two."""
        middle = (self.edges[:-1] + self.edges[1:])[chosen] / 2
        edges = np.insert(self.edges, np.flatnonzero(chosen) + 1, middle)
        origin, new = np.repeat(np.arange(len(chosen)), 1 + chosen), np.repeat(chosen, 1 + chosen)
        slope, log_diffusion = self.slope[origin], self.log_diffusion[origin]
        slope[new], log_diffusion[new] = self._coefficients(edges[:-1][new], edges[1:][new], self.rule)
        return replace(self, edges=edges, slope=slope, log_diffusion=log_diffusion)._checked(new)

    def extended(self, octaves: int) -> Panels:
        """Return the panels with more of them towards an open end, as many as floats allow."""
        return self._appended(self.end.approach(self.edges[-1], octaves))

    def trimmed(self, count: int) -> Panels:
        """Return the first panels only, the others not mattering."""
        if count >= len(self.slope):
            return self
        return replace(self, edges=self.edges[:count + 1], slope=self.slope[:count], log_diffusion=self.log_diffusion[:count],
                       exhausted=False, is_cut_short=True)

    def cut_at(self, points: Sequence[float]) -> Panels:
        """Return the panels with edges at these points, where they lie on the way, now and when more panels come."""
        end = replace(self.end, kinks=tuple(sorted({*self.end.kinks, *points})))
        return replace(self, end=end, edges=_merged(self.edges, points)).with_rule(self.rule)

    def with_rule(self, rule: Rule) -> Panels:
        """Return the same panels with another rule."""
        slope, log_diffusion = self._coefficients(self.edges[:-1], self.edges[1:], rule)
        return replace(self, rule=rule, slope=slope, log_diffusion=log_diffusion)

    def _appended(self, points: Array) -> Panels:
        """The panels and more of them, up to the first where an open end makes drift over D overflow."""
        new = _merged(np.concatenate([self.edges[-1:], points]), self.end.kinks)
        slope, log_diffusion = self._coefficients(new[:-1], new[1:], self.rule)
        panels = replace(self, edges=np.concatenate([self.edges, new[1:]]), slope=np.concatenate([self.slope, slope]),
                         log_diffusion=np.concatenate([self.log_diffusion, log_diffusion]))
        with np.errstate(over="ignore"):
            usable: Mask = np.all(np.isfinite(panels.log_diffusion) & (np.abs(panels.slope) * panels.half[:, None] < HIGHEST), axis=1)
        count = len(usable) if usable.all() else int(np.argmin(usable))
        if count < len(usable) and not panels._is_extreme(count - 1):
            panels._checked(~usable)
        return replace(panels.trimmed(count), exhausted=count < len(usable) or not points.size, is_cut_short=False)

    def _is_extreme(self, k: int) -> bool:
        """Tell whether drift over D or D are so large or small in panel k, next to an open end, that what comes next may overflow."""
        if not self.end.is_open or k < 0:
            return False
        return bool(np.abs(self.slope[k]).max() > EXTREME or np.abs(self.log_diffusion[k]).max() > np.log(EXTREME))

    def _checked(self, chosen: Mask) -> Panels:
        """The panels, if drift over D and ln D are finite at the nodes of the chosen ones."""
        wrong = ~np.isfinite(self.slope + self.log_diffusion) & chosen[:, None]
        if wrong.any():
            ratio, log_d = -self.end.sign * self.slope[wrong][0], self.log_diffusion[wrong][0]
            raise ValueError(f"at x = {self.nodes[wrong][0]:.10g}, where the process can be, drift / D is {ratio:g} and ln D is {log_d:g}; "
                             "inside the domain the drift must be finite and D = ε C / 2 positive.")
        return self

    def _coefficients(self, inner: Array, outer: Array, rule: Rule) -> tuple[Array, Array]:
        """The derivative of Φ outward, and ln D, at the nodes of panels between these edges, (K, n)."""
        # Next to a singular point everything goes like powers of the distance to it, which a float x does not hold to full accuracy:
        # the values at x are moved to where the nodes should lie.
        origin = self.end.at if self.end.is_open and np.isfinite(self.end.at) else 0.0
        half = (outer - inner)[:, None] / 2
        distance = ((inner - origin) + (outer - origin))[:, None] / 2 + half * rule.nodes
        x = origin + distance
        d = diffusion(self.sde, x)
        with np.errstate(all="ignore"):
            slope, log_d, shift = -self.end.sign * drift(self.sde, x) / d, np.log(d), (distance - (x - origin)) / half
            return slope + shift * (slope @ rule.derivative), log_d + shift * (log_d @ rule.derivative)


def _merged(edges: Array, points: Sequence[float]) -> Array:
    """Edges, and the points between the first and the last of them, in the order of the edges."""
    low, high = sorted((edges[0], edges[-1]))
    merged = np.unique(np.concatenate([edges, [point for point in points if low < point < high]]))
    return merged if edges[-1] >= edges[0] else merged[::-1]


def _nodes(edges: Array, rule: Rule) -> Array:
    return (edges[:-1, None] + edges[1:, None]) / 2 + np.diff(edges)[:, None] / 2 * rule.nodes


def _cumulative(log_f: Array, half: Array, rule: Rule, before: float) -> tuple[Array, Array]:
    """ln (exp(before) + ∫ f) up to nodes and edges: each panel on a scale of its own, and panels added as logarithms."""
    scale = log_f.max(axis=1, keepdims=True, initial=-np.inf)
    scale = np.where(np.isfinite(scale), scale, 0.0)
    values = np.exp(log_f - scale)
    with np.errstate(divide="ignore"):
        inside = np.log(np.maximum(values @ rule.up_to, 0.0)) + scale + np.log(half)[:, None]
        whole = np.log(values @ rule.weights) + scale[:, 0] + np.log(half)
    steep = values.min(axis=1, initial=1.0) < np.exp(-STEEPEST)
    if steep.any():
        inside[steep], whole[steep] = _log_linear(log_f[steep], half[steep], rule)
    edges = np.logaddexp.accumulate(np.concatenate([[before], whole]))
    return np.logaddexp(edges[:-1, None], inside), edges


def _log_linear(log_f: Array, half: Array, rule: Rule) -> tuple[Array, Array]:
    """ln ∫ f over a panel up to each node (K, n) and over all of it (K,), for f that is exponential between nodes.

    For panels that do not matter and that the rule cannot resolve: it would make exp(-36) of everything smaller than that.
    """
    gaps = np.log(half)[:, None] + np.log(np.diff(np.concatenate([[-1.0], rule.nodes, [1.0]])))
    f = np.concatenate([log_f[:, :1], log_f, log_f[:, -1:]], axis=1)
    with np.errstate(invalid="ignore"):
        change = np.nan_to_num(np.abs(np.diff(f)), nan=0.0)
        flat = np.maximum(change, 1e-9)
        pieces = gaps + np.maximum(f[:, 1:], f[:, :-1]) + np.log(-np.expm1(-flat) / flat)
    sums = np.logaddexp.accumulate(pieces, axis=1)
    return sums[:, :-1], sums[:, -1]
