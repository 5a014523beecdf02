"""How to split a rare event: the well that paths start from, the regions about it, and the score that tells how far a path has come."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.expressions import parse
from langevin_sgd.models.fields import SymbolicField
from langevin_sgd.models.region import Interval, Region, Where
from langevin_sgd.models.sde import SDE
from langevin_sgd.studies.time_scale import jacobian, steepness
from langevin_sgd.theory.grids.automatic_grid import grid_for_passage
from langevin_sgd.theory.grids.fokker_planck import FokkerPlanck
from langevin_sgd.theory.weak_noise.action import ActionPath

SOURCE, AROUND = 1.0, 2.0       # the regions about the attractor, in standard deviations of its local law
PATH_POINTS = 33        # of a path of least action, where it is a score
COMMITTOR_CELLS = {1: 512, 2: 64, 3: 24}        # along each axis of the grid whose committor is the score
SETTLES = 200.0                 # relaxation times that the drift is followed for
CLOSE = 1e-6                    # to a fixed point, in standard deviations per relaxation time


@dataclass(frozen=True, eq=False)
class Well:
    """An attractor and its local law.

    Attributes
    ----------
    centre
        The fixed point (d,) that the drift leads to.
    covariance
        Of the linearised law there (d, d), F Σ + Σ Fᵀ = −2 D (`theory`, 6.2).
    variables
        Names of the components.
    """

    centre: Array
    covariance: Array
    variables: tuple[str, ...]

    @classmethod
    def below(cls, sde: SDE, x0: Array) -> Well:
        """Return the well that the drift leads to from x0.

        Raises
        ------
        ValueError
            If it leads to no stable fixed point.
        """
        from scipy.integrate import solve_ivp
        from scipy.linalg import solve_continuous_lyapunov

        def flow(_: float, x: Array) -> Array:
            return sde.evaluate(sde.ito_drift_field, x[None])[0]

        path = solve_ivp(flow, (0.0, SETTLES / steepness(sde, x0)), x0, method="LSODA", rtol=1e-9, atol=1e-12)
        centre = path.y[:, -1]
        if np.isfinite(centre).all():
            f = jacobian(sde, sde.ito_drift_field, centre)
            rates = np.linalg.eigvals(f).real
            if rates.max() < 0:
                centre = centre - np.linalg.solve(f, flow(0.0, centre))
                d = np.reshape(sde.diffusion(centre if sde.dim > 1 else float(centre[0])), (sde.dim, sde.dim))
                covariance = solve_continuous_lyapunov(f, -2 * d)
                step = np.sqrt(np.diagonal(covariance).max()) * -rates.max()
                if np.linalg.norm(flow(0.0, centre)) <= CLOSE * step and np.linalg.eigvalsh(covariance)[0] > 0:
                    return cls(centre, covariance, sde.variables)
        raise ValueError(f"the drift leads from {x0.tolist()} to no stable fixed point, so that there is no well to split from; use "
                         "ls.splitting with regions of your own.")

    def within(self, deviations: float) -> Region:
        """Return the states within so many standard deviations of the centre."""
        if len(self.centre) == 1:
            half = deviations * math.sqrt(self.covariance[0, 0])
            return Interval(float(self.centre[0]) - half, float(self.centre[0]) + half)
        precision, centre = np.linalg.inv(self.covariance).tolist(), self.centre.tolist()
        terms = [f"({precision[i][j]!r})*({a} - ({centre[i]!r}))*({b} - ({centre[j]!r}))"
                 for i, a in enumerate(self.variables) for j, b in enumerate(self.variables)]
        return Where(f"{deviations**2!r} - ({' + '.join(terms)})", variables=self.variables, label=f"{deviations:g} σ about the attractor")

    def distance(self, x: Array) -> float:
        """Return how many standard deviations a state is away from the centre."""
        away = x - self.centre
        return float(np.sqrt(away @ np.linalg.solve(self.covariance, away)))


@dataclass(frozen=True, eq=False)
class RareEvent:
    """An event to be split: launched from about an attractor, before the target is reached.

    Attributes
    ----------
    well
        Where paths start.
    source, around, target
        The regions that `splitting` takes.
    score, score_is
        How far a path has come, and what that is in words.
    """

    well: Well
    source: Region
    around: Region
    target: Region
    score: Any
    score_is: str

    @classmethod
    def of(cls, sde: SDE, x0: Array, domain: Region, saddle: Array | None, score: Any) -> RareEvent:
        """Return the event of leaving a domain from the well below x0.

        Raises
        ------
        ValueError
            If there is no well, or it is not deep enough for an event to be rare.
        """
        well = Well.below(sde, x0)
        source, around, target = well.within(SOURCE), well.within(AROUND), ~domain
        far = well.centre + AROUND * np.concatenate([s * np.linalg.cholesky(well.covariance).T for s in (1, -1)])
        levels = np.asarray(domain.level(far if sde.dim > 1 else far[:, 0], sde.variables, **sde.values))
        if not (levels > 0).all():
            raise ValueError(f"the well at {well.centre.tolist()} is so shallow that paths leave `domain` within {AROUND:g} standard "
                             "deviations of its local law: that is no rare event; simulate it.")
        if isinstance(score, ActionPath):
            return cls(well, source, around, target, path_score(score), "distance along a path of least action")
        if score is not None:
            return cls(well, source, around, target, score, f"{score!r}, as given")
        return cls(well, source, around, target, *_score(sde, well, source, target, domain, saddle))


def saddle_score(sde: SDE, saddle: Array) -> str:
    """Return the committor of the linearised equation at a saddle, or rather what it grows with, as a score.

    That is v · x, with v the left eigenvector of the drift's Jacobian for its one positive eigenvalue: neither a potential nor detailed
    balance is needed.  The sign is left open: it must grow towards the target.

    Raises
    ------
    ValueError
        If the Jacobian has not exactly one unstable direction there.
    """
    rates, vectors = np.linalg.eig(jacobian(sde, sde.ito_drift_field, saddle).T)
    unstable = np.flatnonzero(rates.real > 0)
    if len(unstable) != 1:
        raise ValueError(f"`saddle` is {saddle.tolist()}, where the drift has {len(unstable)} unstable directions, but a saddle has one.")
    v = vectors[:, unstable[0]].real
    return " + ".join(f"({float(c)!r})*{name}" for c, name in zip(v / np.abs(v).max(), sde.variables, strict=True))


def path_score(path: ActionPath) -> Callable[[Any], float]:
    """Return how far along a path of least action the nearest point of it lies, as a score: in units of length, from the attractor on.

    Raises
    ------
    ValueError
        In one dimension, where every path is the same.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> from langevin_sgd.studies.rare_event import path_score
    >>> path = ls.minimum_action_path(ls.systems.maier_stein(beta=2.0), [-1.0, 0.0], [0.0, 0.0])
    >>> round(float(path_score(path)((-0.4, 0.3))), 2)
    0.6
    """
    if path.path.ndim == 1:
        raise ValueError("`score` is a path in one dimension, where all paths are one: leave `score` out, for the committor.")
    states = np.asarray(path.path, dtype=float)
    points = np.ascontiguousarray(states[np.linspace(0, len(states) - 1, PATH_POINTS).round().astype(int)])
    steps = np.diff(points, axis=0)
    squares = np.maximum((steps**2).sum(axis=1), 1e-300)
    lengths = np.sqrt(squares)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    n, d = steps.shape

    def distance_along_the_path(x: Any) -> float:
        nearest, place = 1e300, 0.0
        for k in range(n):
            share = 0.0
            for j in range(d):
                share += (x[j] - points[k, j]) * steps[k, j]
            share = min(max(share / squares[k], 0.0), 1.0)
            away = 0.0
            for j in range(d):
                away += (x[j] - points[k, j] - share * steps[k, j]) ** 2
            if away < nearest:
                nearest, place = away, along[k] + share * lengths[k]
        return place
    return distance_along_the_path


def _score(sde: SDE, well: Well, source: Region, target: Region, domain: Region, saddle: Array | None) -> tuple[Any, str]:
    """The best score at hand."""
    if sde.dim in COMMITTOR_CELLS:
        try:
            grid = grid_for_passage(sde, well.centre, domain, through=() if saddle is None else (saddle,), cells=COMMITTOR_CELLS[sde.dim])
            return FokkerPlanck(sde, grid).committor(source, target), "the committor on a coarse grid"
        except ValueError:
            pass
    if saddle is not None:
        text = saddle_score(sde, saddle)
        upward = SymbolicField((parse(text),), sde.variables).vector(())(np.stack([well.centre, saddle]), 0.0, ())
        return (text if upward[1] > upward[0] else f"-({text})"), "the committor of the linearised saddle"
    return None, "nearness to the target, which may be poor; give `saddle`, or a `score`"
