"""Intervals from a few independent runs whose results are far from normal: on the log scale, by leaving out one run at a time."""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from langevin_sgd.models.arguments import Array

Statistic = Callable[[Array], float]        # of a table (run, column): the logarithm of what is estimated


def log_interval(runs: Array, log_of: Statistic, confidence: float) -> tuple[float, float, float]:
    """Return the logarithm of a statistic of independent runs, and the ends of its interval.

    Parameters
    ----------
    runs
        One row for each run.
    log_of
        The logarithm of the statistic of such a table.
    confidence
        Of the interval.

    Returns
    -------
    tuple
        Value, low and high; the ends are infinite where fewer than two runs, or a single one that is not zero, say nothing of the spread.

    Notes
    -----
    The jackknife's standard error of the logarithm and Student's t: the mean of runs that are log-normal, as those of splitting nearly
    are, is closer to log-normal than to normal, and a ratio of means has its error from both.
    """
    n, value = len(runs), log_of(runs)
    if n < 2 or not math.isfinite(value):
        return value, -math.inf, math.inf
    without = np.array([log_of(np.delete(runs, k, axis=0)) for k in range(n)])
    if not np.isfinite(without).all():
        return value, -math.inf, math.inf
    from scipy.special import stdtrit
    error = math.sqrt((n - 1) / n * float(((without - without.mean())**2).sum()))
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    return value, value - reach, value + reach
