"""Exact answers in one dimension, by quadrature: passage times, exit probabilities, stationary densities.

Any noise, any interpretation, any barrier: τ to 1e-10, also where it is 1e300.  Nothing is differentiated, so drift and noise may jump.
"""
from __future__ import annotations

import functools
import math

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import one_of, state, whole
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.coefficients import check_exact
from langevin_sgd.theory.line.convergence import QuadratureError, converged, exact_estimate
from langevin_sgd.theory.line.ends import Fate, exit_names, exits_at
from langevin_sgd.theory.line.escape_rate import escape_rate
from langevin_sgd.theory.line.fates import looks_around, remarks, why_infinite
from langevin_sgd.theory.line.passage import HIGH, LOW, Passage
from langevin_sgd.theory.line.shares import Sides, shares_of_both, shares_of_probability, shares_of_time
from langevin_sgd.theory.line.stationary import StationaryDensity, stationary_density

__all__ = ["QuadratureError", "StationaryDensity", "escape_rate", "mean_passage_time", "passage_time_moments", "splitting_probability",
           "stationary_density"]


def mean_passage_time(sde: SDE, x0: float, domain: Region, *, exit: str | None = None) -> Estimate:
    """Return the mean time until a path from x0 leaves the domain.

    Parameters
    ----------
    sde
        A one-dimensional equation, not depending on time.
    x0
        Where paths start.
    domain
        Any region; its piece around x0 counts.  Reflecting ends give paths back.
    exit
        "low" or "high", or the label of an exit: the mean over the paths that leave there.  None: over all.

    Returns
    -------
    Estimate
        In units of t = learning rate × iterations.  Its interval is a bound of the numerical error; `log_value` is finite also where
        the value overflows.  Infinite if some paths never leave, or return too slowly from an infinite end; `verdict` says why.

    Raises
    ------
    ValueError
        If x0 is outside, if D is not positive on the way to an exit, or if nothing leaves through `exit`.
    QuadratureError
        If the relative error is above 1e-10.

    Notes
    -----
    Source: `theory`, 8.1.  A start exactly on the boundary takes no time.  Where the noise vanishes, the point is classified after
    Feller: it ends the domain without a condition if no path reaches it, it reflects where the drift points back, and paths that it
    keeps make the mean infinite.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.005)
    >>> tau = ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.0))
    >>> f"{tau.value:.9e}"
    '1.160604343e+22'
    """
    return passage_time_moments(sde, x0, domain, 1, exit=exit)[0]


def passage_time_moments(sde: SDE, x0: float, domain: Region, order: int = 2, *, exit: str | None = None) -> tuple[Estimate, ...]:
    """Return the raw moments 1 to `order` of the time until a path from x0 leaves the domain.

    Parameters
    ----------
    sde, x0, domain, exit
        As for `mean_passage_time`.
    order
        The highest moment.

    Returns
    -------
    tuple of Estimate
        E τ, E τ², ..., in powers of t; a moment that does not exist is infinite, and `verdict` says why.

    Raises
    ------
    ValueError, QuadratureError
        As for `mean_passage_time`.

    Notes
    -----
    Source: `theory`, 8.1: T_n = n times the operator that gives the mean, applied to T_{n−1}.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.systems.ornstein_uhlenbeck(rate=1.0, diffusion=1.0)
    >>> mean, square = ls.exact.passage_time_moments(sde, 0.0, ls.Interval(high=2.0))
    >>> round(square.value - mean.value**2, 7)
    105.2752035
    """
    count, start = whole("order", order), _checked_start(sde, x0, domain, exit)
    through = f" through {exit!r}" if exit else ""
    names = [f"{f'moment {n} of the' if n > 1 else 'mean'} passage time{through}" for n in range(1, count + 1)]
    at_once = exits_at(sde, domain, start)
    if at_once:
        if exit not in (None, *at_once):
            raise ValueError(f"`x0` = {start:g} lies on the exit {at_once[0]!r}, so nothing leaves through `exit` = {exit!r}.")
        return tuple(exact_estimate(sde, name, -math.inf) for name in names)
    looks = looks_around(sde, domain, start)
    leaving = _leaving(looks, exit)
    if exit and not leaving:
        raise ValueError(f"nothing leaves through `exit` = {exit!r}: {remarks(looks)}.")
    if not leaving or any(look.end.is_slow for look in looks) or (not exit and any(look.end.fate is Fate.LOST for look in looks)):
        return tuple(exact_estimate(sde, name, math.inf, remark=why_infinite(looks)) for name in names)

    def logs(sides: Sides, settled: bool) -> list[float]:
        passage = Passage(sides, settled)
        return passage.log_moments(count, passage.probability(leaving))

    log_shares = functools.partial(shares_of_both if exit else shares_of_time, order=count)
    answer = converged(looks, log_shares, logs, known_finite=1)
    said = [why_infinite(looks) if log == math.inf else remarks(looks) for log in answer.logs]
    return tuple(answer.estimate(k, name, remark) for k, (name, remark) in enumerate(zip(names, said, strict=True)))


def splitting_probability(sde: SDE, x0: float, domain: Region, exit: str = "high") -> Estimate:
    """Return the probability that a path from x0 leaves the domain through one of its exits.

    Parameters
    ----------
    sde, x0, domain
        As for `mean_passage_time`.
    exit
        "low" or "high", or the label of an exit.

    Returns
    -------
    Estimate
        `log_value` is finite also where the probability underflows.

    Raises
    ------
    ValueError, QuadratureError
        As for `mean_passage_time`; also if there is no such exit.

    Notes
    -----
    Source: `theory`, 8.1.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.01)
    >>> p = ls.exact.splitting_probability(sde, -0.7, ls.Interval(-0.8, 0.8))
    >>> f"{p.value:.9e}"
    '1.030648606e-09'
    """
    start, name = _checked_start(sde, x0, domain, exit), f"probability of leaving through {exit!r}"
    at_once = exits_at(sde, domain, start)
    if at_once:
        return exact_estimate(sde, name, 0.0 if exit in at_once else -math.inf)
    looks = looks_around(sde, domain, start)
    leaving = _leaving(looks, exit)
    if not leaving:
        return exact_estimate(sde, name, -math.inf, remark=remarks(looks))
    answer = converged(looks, shares_of_probability, lambda sides, settled: [Passage(sides, settled).probability(leaving).at_start])
    return answer.estimate(0, name, remarks(looks))


def _checked_start(sde: SDE, x0: float, domain: Region, exit: str | None) -> float:
    check_exact(sde)
    if not isinstance(domain, Region):
        raise ValueError(f"`domain` is {domain!r}, but must be a region, such as ls.Interval(high=1.0).")
    if exit is not None:
        one_of("exit", exit, exit_names(sde, domain))
    return float(state("x0", x0, 1)[0])


def _leaving(looks: Sides, exit: str | None) -> list[int]:
    """The ends through which paths leave; with `exit`, those of this label, or else on this side."""
    ends = [look.end for look in looks]
    chosen = [LOW, HIGH]
    if exit is not None:
        chosen = [k for k in chosen if ends[k].label == exit] or [k for k in chosen if ends[k].label and ends[k].side == exit]
    if not chosen:
        known = ", ".join(repr(end.label) for end in ends if end.label) or "none"
        raise ValueError(f"`exit` is {exit!r}, but the domain around `x0` has no exit of this name; it has {known}.")
    return [k for k in chosen if ends[k].fate is Fate.LEAVE]
