"""Numbers from panels, with an error that is known: two rules on the same panels, two estimates of the tails, rounding of Φ."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.refinement import refined, relevant
from langevin_sgd.theory.line.rule import gauss_legendre
from langevin_sgd.theory.line.shares import Shares, Sides

ORDER, FINER_ORDER = 24, 32     # nodes in a panel: where panels are chosen, and for the answer
TOLERANCE = 1e-10               # relative error of the answer
OVERFLOW = 709.78               # of exp: what lies beyond is known by its logarithm
MAIN_PART = 0.05                # share of the answer, relative to the largest share of a panel
ROUNDINGS = 4                   # of f/D, all in one direction, make the relative error of Φ;
TILT = 1e-10                    # what that does to the answer is seen from a relative change of Φ

Numbers = Callable[[Sides, bool], Sequence[float]]


class QuadratureError(ArithmeticError):
    """The quadrature missed its tolerance.

    Attributes
    ----------
    estimate
        The best value, with its error as its interval.
    """

    def __init__(self, message: str, estimate: Estimate) -> None:
        super().__init__(message)
        self.estimate = estimate


@dataclass(frozen=True, eq=False)
class Converged:
    """Positive numbers computed on panels.

    Attributes
    ----------
    logs
        Their logarithms.
    errors
        Bounds of the errors of the logarithms, that is, the relative errors.
    sides
        The panels that they were computed on.
    weakest
        Where the panels resolve least of what matters.
    is_complete
        Whether the panels resolve all that matters.
    known_finite
        So many of the numbers, the first ones, are known to be finite and positive.
    """

    logs: tuple[float, ...]
    errors: tuple[float, ...]
    sides: Sides
    weakest: float
    is_complete: bool = True
    known_finite: int = 0

    def is_good(self, k: int) -> bool:
        """Tell whether number k is right to the tolerance; one that is infinite or zero, whether that is certain."""
        if not np.isfinite(self.logs[k]):
            return k >= self.known_finite and self.is_complete and self.errors[k] == 0
        return self.errors[k] <= TOLERANCE * (1.0 if abs(self.logs[k]) < OVERFLOW else abs(self.logs[k]))

    def estimate(self, k: int, quantity: str, remark: str = "") -> Estimate:
        """Return number k as an estimate.

        Raises
        ------
        QuadratureError
            If it is not right to the tolerance.
        """
        estimate = exact_estimate(self.sides[0].sde, quantity, self.logs[k], self.errors[k], remark)
        if not self.is_good(k):
            raise QuadratureError(
                f"the quadrature for the {quantity} reached {estimate.value:.12g} with a relative error of {self.errors[k]:.1e}, but "
                f"{TOLERANCE:g} is asked for; the difficulty is near x = {self.weakest:.6g}.  The value is in `.estimate`.", estimate)
        return estimate


def exact_estimate(sde: SDE, quantity: str, log_value: float, error: float = 0.0, remark: str = "") -> Estimate:
    """Return an estimate of a positive number from its logarithm and the error of that."""
    value, low, high = (math.exp(x) if x < OVERFLOW else math.inf for x in (log_value, log_value - error, log_value + error))
    return Estimate(value=value, low=low, high=high, confidence=1.0, method="quadrature", quantity=quantity,
                    interpretation=sde.interpretation, log_value=log_value, verdict=remark)


def converged(looks: Sides, log_shares: Shares, numbers: Numbers, known_finite: int = 0) -> Converged:
    """Return numbers computed on panels that are refined until the numbers are right.

    Parameters
    ----------
    looks
        First looks towards both ends of the domain.
    log_shares
        Which panels matter for the numbers.
    numbers
        Returns the logarithms of the numbers, given panels and whether the better estimate of tails is to be taken.
    known_finite
        So many of the numbers, the first ones, are known to be finite and positive.
    """
    sides = relevant(looks, log_shares, gauss_legendre(ORDER))
    for trust_tails in (True, False):
        panels = refined(sides, log_shares, trust_tails=trust_tails)
        sides = panels.sides
        answer = replace(_compared(sides, log_shares(sides), numbers), is_complete=panels.is_complete, known_finite=known_finite)
        if all(answer.is_good(k) for k in range(len(answer.logs))):
            break
    return answer


def _compared(sides: Sides, log_shares: list[Array], numbers: Numbers) -> Converged:
    """The numbers by the finer rule, and how far they are from those by the other."""
    low, high = (panels.with_rule(gauss_legendre(FINER_ORDER)) for panels in sides)
    finer = _grounded((low, high), log_shares)
    logs = np.array(numbers(finer, True))
    errors = _distances(logs, numbers(_grounded(sides, log_shares), False))
    tilted = [replace(panels, slope=panels.slope * (1 + TILT), level=panels.level * (1 + TILT)) for panels in finer]
    rounding = np.finfo(float).eps * (ROUNDINGS + ROUNDINGS / TILT * _distances(logs, numbers((tilted[0], tilted[1]), True)))
    errors += np.where(np.isfinite(logs), rounding, 0.0)
    return Converged(tuple(map(float, logs)), tuple(map(float, errors)), finer, _weakest(sides, log_shares))


def _distances(logs: Array, others: Sequence[float]) -> Array:
    """The distances between logarithms of numbers; none between what is infinite or zero both times."""
    with np.errstate(invalid="ignore"):
        distances = np.abs(logs - np.array(others))
    return np.where(logs == np.array(others), 0.0, distances)


def _grounded(sides: Sides, log_shares: list[Array]) -> Sides:
    """The panels with Φ measured from the lowest point that matters: there, its rounding would do most harm."""
    least = max(shares.max(initial=-np.inf) for shares in log_shares) + np.log(MAIN_PART)
    depths = [np.where(shares > least, panels.potential_at_edges[1:], np.inf) for panels, shares in zip(sides, log_shares, strict=True)]
    lowest = [float(depth.min(initial=np.inf)) for depth in depths]
    deep = int(np.argmin(lowest))
    if np.isinf(lowest[deep]):
        return sides
    ground = replace(sides[deep], ground=int(np.argmin(depths[deep])) + 1)
    other = replace(sides[1 - deep], level=float(ground.potential_at_edges[0]))
    return (ground, other) if deep == 0 else (other, ground)


def _weakest(sides: Sides, log_shares: list[Array]) -> float:
    """The middle of the panel that leaves most unresolved."""
    left = [np.exp(shares) * np.maximum(panels.unresolved, panels.unresolved_potential)
            for panels, shares in zip(sides, log_shares, strict=True)]
    side = max((0, 1), key=lambda k: left[k].max(initial=0.0))
    k = int(np.argmax(left[side]))
    return float(sides[side].edges[k:k + 2].mean())
