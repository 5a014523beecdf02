"""What times of exit say when some are cut short: means, rates, survival, and whether a rate describes them at all.

Counting k exits in the exposure T, the sum of all times also of paths that are still inside, rate = k / T; for a Poisson count the interval
is exact, chi²(α/2; 2k) / 2T to chi²(1 - α/2; 2k + 2) / 2T, and with a time limit for each path it is conservative (`theory`, 11.12).
"""
from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.models.arguments import Array, fraction

FEWEST = 8              # events from which the shape of their law can be judged
DOUBT = 0.01            # p-values below this are evidence against an exponential law


def rate_interval(events: int, exposure: float, confidence: float) -> tuple[float, float]:
    """Return the interval of a rate from events in an exposure; without events it is (0, the one-sided bound)."""
    alpha = 1 - fraction("confidence", confidence)
    if exposure == 0:
        return 0.0, math.inf
    if events == 0:
        return 0.0, -math.log(alpha) / exposure
    return _chi_square(alpha / 2, 2 * events) / (2 * exposure), _chi_square(1 - alpha / 2, 2 * events + 2) / (2 * exposure)


def mean_interval(times: Array, confidence: float) -> tuple[float, float]:
    """Return the interval of a mean from a sample, by Student's law."""
    from scipy.special import stdtrit
    half = stdtrit(len(times) - 1, (1 + fraction("confidence", confidence)) / 2) * times.std(ddof=1) / math.sqrt(len(times))
    return max(0.0, float(times.mean() - half)), float(times.mean() + half)


def _chi_square(q: float, degrees: int) -> float:
    from scipy.special import gammaincinv
    return float(2 * gammaincinv(degrees / 2, q))


@dataclass(frozen=True, eq=False)
class Survival:
    """The share of paths still inside over time, by Kaplan and Meier, with its band.

    Attributes
    ----------
    time
        The times at which paths left.
    probability, low, high
        The share still inside after each, and its pointwise interval.
    censored
        The times at which paths were cut short.
    confidence
        Of the interval.
    """

    time: Array
    probability: Array
    low: Array
    high: Array
    censored: Array
    confidence: float

    def __call__(self, t: float) -> float:
        """Return the estimated share still inside at a time."""
        k = int(np.searchsorted(self.time, t, side="right"))
        return 1.0 if k == 0 else float(self.probability[k - 1])


def kaplan_meier(times: Array, exited: NDArray[np.bool_], confidence: float) -> Survival:
    """Return the estimate of Kaplan and Meier, with the interval by the log-log transformation."""
    from scipy.stats import CensoredData, ecdf
    law = ecdf(CensoredData.right_censored(times, ~exited)).sf
    # Where nobody is left inside the band is undefined, and scipy warns; it goes on there as it was.
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        band = law.confidence_interval(fraction("confidence", confidence), method="log-log")
    left = np.isin(law.quantiles, times[exited])
    low, high = np.nan_to_num(band.low.probabilities, nan=0.0), np.fmin.accumulate(np.append(1.0, band.high.probabilities))[1:]
    return Survival(law.quantiles[left], law.probabilities[left], low[left], high[left], np.sort(times[~exited]), confidence)


@dataclass(frozen=True)
class Exponentiality:
    """Whether the times look like those of a process with one rate.

    Attributes
    ----------
    p_value
        Of a Kolmogorov-Smirnov test: under one rate, the exits are uniform in the exposure that has been spent when they happen.
    early_hazard, late_hazard
        Events per exposure in the first and the second half of the exposure.
    variation
        Standard deviation over mean of the times, 1 for an exponential law; NaN if any are censored.
    n_events
        Number of exits that the test has to go on.
    """

    p_value: float
    early_hazard: float
    late_hazard: float
    variation: float
    n_events: int

    @property
    def plausible(self) -> bool | None:
        """Whether one rate describes the times; None if there are too few exits to tell."""
        return None if self.n_events < FEWEST else self.p_value >= DOUBT

    @property
    def verdict(self) -> str:
        """The same in words."""
        if self.plausible is None:
            return f"too few exits ({self.n_events}) to tell whether they have one rate"
        if self.plausible:
            return f"the times are compatible with one rate (p = {self.p_value:.2g})"
        trend = "falls" if self.late_hazard < self.early_hazard else "rises"
        return (f"the times do not have one rate: it {trend} from {self.early_hazard:.3g} to {self.late_hazard:.3g} "
                f"(p = {self.p_value:.2g})")

    def __str__(self) -> str:
        return self.verdict


def exponentiality(times: Array, exited: NDArray[np.bool_]) -> Exponentiality:
    """Test whether the exits have one rate, censored or not.

    In the clock of the exposure that all paths together have spent, exits at one rate are a Poisson process: given their number, they are
    uniform.
    """
    from scipy.stats import kstest
    events = np.sort(times[exited])
    ends = np.sort(times)
    spent = np.concatenate([[0.0], np.cumsum(ends)])
    passed = np.searchsorted(ends, events, side="right")
    exposure = (spent[passed] + events * (len(times) - passed)) / spent[-1] if len(events) and spent[-1] > 0 else np.zeros(0)
    uncensored = len(events) == len(times) > 1
    variation = float(events.std(ddof=1) / events.mean()) if uncensored and events.mean() > 0 else math.nan
    if uncensored and len(exposure):
        exposure = exposure[:-1]            # the last exit ends the exposure, so it carries no information
    p = float(kstest(exposure, "uniform").pvalue) if len(exposure) >= FEWEST else math.nan
    early = int((exposure < 0.5).sum())
    half = spent[-1] / 2
    first, second = (early / half, (len(exposure) - early) / half) if half > 0 else (math.nan, math.nan)
    return Exponentiality(p, first, second, variation, len(exposure))
