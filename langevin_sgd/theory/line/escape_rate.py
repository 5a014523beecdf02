"""The quasi-stationary rate of escape in one dimension: the smallest eigenvalue of the generator that kills paths where they leave."""
from __future__ import annotations

import functools
import math

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.coefficients import check_exact
from langevin_sgd.theory.line.convergence import QuadratureError, converged, exact_estimate
from langevin_sgd.theory.line.ends import Fate, point_inside
from langevin_sgd.theory.line.fates import looks_around, remarks, why_infinite
from langevin_sgd.theory.line.passage import Function, Passage
from langevin_sgd.theory.line.shares import Sides, shares_of_time

MOST_ITERATIONS = 200
SETTLED = 1e-13                 # change of ln λ in one iteration
ROUGH = 1e-3                    # unresolved part of s and m in a panel that is not believed
QUANTITY = "quasi-stationary rate of escape"


def escape_rate(sde: SDE, domain: Region) -> Estimate:
    """Return the rate at which paths leave a domain that they have been in for long: from there, times are exactly exponential.

    Parameters
    ----------
    sde
        A one-dimensional equation, not depending on time.
    domain
        A region that can be left.  Of several pieces, the one between its known ends or around 0 counts.

    Returns
    -------
    Estimate
        The eigenvalue λ, in 1 / t; `log_value` is finite also where it underflows.

    Raises
    ------
    ValueError
        If nothing leaves, if paths get lost, or if those that come back do so too slowly for a rate to exist.
    QuadratureError
        If the relative error is above 1e-10; also where the spectrum has no gap above λ.

    Notes
    -----
    Source: `theory`, 8.1.  1/λ is the mean time from the quasi-stationary law, which is not that from the minimum.  λ is found as the
    limit of ⟨u, v⟩ / ⟨v, v⟩ with L v = −u and v the next u: the operator that gives mean passage times is iterated, in log space, so that
    λ = exp(-5000) is as accurate as λ = 1.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
    >>> rate = ls.exact.escape_rate(sde, ls.Interval(high=0.0))
    >>> round(1 / rate.value, 6), round(ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.0)).value, 6)
    (29.810447, 30.821302)
    """
    check_exact(sde)
    if not isinstance(domain, Region):
        raise ValueError(f"`domain` is {domain!r}, but must be a region, such as ls.Interval(high=1.0).")
    looks = looks_around(sde, domain, point_inside(sde, domain))
    fates = [look.end.fate for look in looks]
    if Fate.LEAVE not in fates or Fate.LOST in fates or any(look.end.is_slow for look in looks):
        raise ValueError(f"there is no {QUANTITY}: the mean passage time is {why_infinite(looks)}.")
    change = 0.0

    def logs(sides: Sides, settled: bool) -> list[float]:
        nonlocal change
        log_rate, last_change = _log_rate(Passage(sides, settled))
        change = max(change, last_change)
        return [log_rate]

    answer = converged(looks, functools.partial(shares_of_time, order=2), logs, known_finite=1)
    if change > SETTLED:
        raise QuadratureError(f"the {QUANTITY} does not settle: after {MOST_ITERATIONS} iterations it still changes by {change:.1e}, as "
                              "where the next eigenvalue is too near.  The value is in `.estimate`.",
                              exact_estimate(sde, QUANTITY, answer.logs[0], max(answer.errors[0], MOST_ITERATIONS * change)))
    return answer.estimate(0, QUANTITY, remarks(looks))


def _calmed(passage: Passage, v: Function) -> Function:
    """v, held constant beyond the panels that are resolved: what is wrong there matters once no more than 1e-18, but would be iterated."""
    values = []
    for panels, log_v in zip(passage.sides, v.at_nodes, strict=True):
        rough = np.flatnonzero(panels.unresolved > ROUGH)
        if rough.size:
            log_v = log_v.copy()
            log_v[rough[0]:] = log_v[rough[0] - 1, -1] if rough[0] else v.at_start
        values.append(log_v)
    return Function(v.at_start, (values[0], values[1]))


def _log_rate(passage: Passage) -> tuple[float, float]:
    """ln λ by iteration, and its last change.  The error of the quotient falls with the square of that of the eigenfunction."""
    u, before, change = passage.one, math.inf, math.inf
    for _ in range(MOST_ITERATIONS):
        v = _calmed(passage, passage.solve(u))
        log_rate = passage.log_integral(u.times(v)) - passage.log_integral(v.times(v))
        change = abs(log_rate - before)
        if change <= SETTLED * max(1.0, abs(log_rate)):
            return log_rate, 0.0
        u, before = v.scaled(log_rate), log_rate
    return before, float(np.minimum(change, 1.0))

