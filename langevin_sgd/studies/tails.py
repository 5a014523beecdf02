"""How heavy the tail of a sample is: the exponent A in P(|x| > r) ∝ r^−A, by Hill's estimator over many thresholds."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, finite, fraction, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWEST_THRESHOLD = 0.25     # share of the sample beyond the lowest threshold; the next ones have half of it, and half of that, ...
LEAST_BEYOND = 100          # numbers beyond the highest
LEAST_RUNS = 20             # independent runs, from whose differences errors are taken
APART = 2.5                 # standard errors of their difference from which two thresholds are said to disagree
FARTHER = 3             # thresholds beyond the lowest that all agree with, where A is taken: its bias is then a third of its error or less
DECADE = 10.0               # by which factor the share beyond must fall over a plateau
TAIL = 0.0625           # share beyond, above which a rise may be that of the bulk: Student's law, A = 3, is still rising there
RISES = 3.0             # standard errors by which the estimate rises from there, or over the last decade, where there is no power law
LARGEST = 3.5               # A above which the estimator is not trusted: the power law begins farther out than samples reach


@dataclass(frozen=True, eq=False, repr=False)
class TailExponent:
    """The exponent of a tail, at every threshold; made by `tail_exponent`.

    Attributes
    ----------
    fractions, thresholds
        Which share of the sample lies beyond which distance from the centre, the lowest threshold first (k,).
    values, errors
        Hill's estimate there, and its standard error (k,).
    exponent
        A, from three thresholds beyond the lowest one with whose estimate those of all higher ones agree.
    has_plateau
        Whether there is one, and the share beyond falls by ten over it.
    rises
        Whether there is none, and the estimate still rises at the highest thresholds by more than chance, as without a power law.

    Examples
    --------
    >>> import langevin_sgd as ls, numpy as np
    >>> tail = ls.tail_exponent(np.random.default_rng(1).uniform(size=(50, 400)))
    >>> tail.has_plateau, tail.rises, bool(tail.values[-1] > 10)
    (False, True, True)
    """

    fractions: Array
    thresholds: Array
    values: Array
    errors: Array
    exponent: Estimate
    has_plateau: bool
    rises: bool

    @property
    def is_power_law(self) -> bool | None:
        """Tell whether it is a power law: False where the estimate still rises; None where numbers are too few to tell, or A too large."""
        if self.has_plateau:
            return True if self.exponent.value < LARGEST else None
        return False if self.rises else None

    def plot(self, *, ax: Axes | None = None, exact: float | None = None, **style: Any) -> Axes:
        """Draw the estimates over the share of the sample beyond the threshold (see `plots.draw_tail_exponent`)."""
        from langevin_sgd.plots.laws import draw_tail_exponent
        return draw_tail_exponent({"": self}, exact=None if exact is None else {"": exact}, ax=ax, **style)

    def __float__(self) -> float:
        return self.exponent.value

    def __repr__(self) -> str:
        unsure = "perhaps a power law" if self.has_plateau else "not told whether a power law"
        seen = {True: "a power law", False: "no power law", None: unsure}[self.is_power_law]
        return f"TailExponent({seen}: A = {self.exponent})"


def tail_exponent(samples: ArrayLike, *, center: float | None = None, share: float | None = None, confidence: float = 0.95
                  ) -> TailExponent:
    """Estimate A in P(|x − center| > r) ∝ r^−A, by Hill's estimator, and tell whether the tail is a power law at all.

    Parameters
    ----------
    samples
        Numbers (n,) that are independent, or (path, time): independent runs, each with numbers that need not be.  At least 20 of them.
    center
        From where distances are taken; the median if None.
    share
        The share of the sample beyond the threshold; None: a scan over thresholds, from a quarter down to 100 numbers.
    confidence
        Of the interval.

    Returns
    -------
    TailExponent
        The exponent with its interval, and the scan.  `exponent.verdict` says what speaks against it.

    Raises
    ------
    ValueError
        If the samples are too few, or are all the same.

    Notes
    -----
    Source: B. Hill, Ann. Statist. 3, 1163 (1975): A is one over the mean of ln(r / threshold) beyond the threshold.  Errors are from the
    differences between runs, so that numbers that follow one another in a run may depend; intervals of 95 % hold A in 88 to 93 of
    100 samples of Student's, stable and Pareto's laws with A from 1.5 to 3.  Without a power law, as for a bounded or a normal law, the
    estimate rises with the threshold up to the highest.  That is told from a power law whose plateau is not reached yet: of 10 000 to
    300 000 numbers of Student's law with A = 2 or 3, 6 of 100 samples or fewer are said to have no power law, and of normal and exponential
    ones 99.  A power law is seen from some 20 000 numbers on; with few, nothing is told.  For A above about 3 the estimate is too low,
    because the power law begins farther out than samples reach (`theory`, 5.1): take `theory.kesten_tail_exponent`.

    Examples
    --------
    >>> import langevin_sgd as ls, numpy as np
    >>> rng = np.random.default_rng(1)
    >>> ls.tail_exponent(rng.pareto(2.0, size=(100, 1000)), center=-1.0)
    TailExponent(a power law: A = 2.046 [1.98, 2.112] (95 %, Hill, the farthest 3.1 %))
    >>> ls.tail_exponent(rng.normal(size=(100, 1000))).is_power_law
    False
    """
    x = numbers("samples", samples)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or len(x) < LEAST_RUNS:
        raise ValueError(f"`samples` has shape {np.shape(samples)}, but must be (n,) or (path, time), with at least {LEAST_RUNS} "
                         "independent numbers or paths.")
    distance = np.abs(x - (float(np.median(x)) if center is None else finite("center", center)))
    if not distance.max() > 0:
        raise ValueError("`samples` are all at the centre, and have no tail.")
    fractions = _fractions(distance.size) if share is None else np.array([fraction("share", share)])
    thresholds = np.quantile(distance, 1 - fractions)
    if not thresholds[-1] > 0 or not distance.max() > thresholds[-1]:
        raise ValueError(f"`share` is {fractions[-1]:g}, but no number lies beyond its threshold, {thresholds[-1]:g}; take fewer or more.")
    values, influence = _hill(distance, thresholds)
    errors = np.sqrt((influence**2).sum(axis=1) * len(x) / (len(x) - 1))
    chosen, plateau = _plateau(fractions, values, influence)
    rises = not plateau and _rises(fractions, values, influence)
    doubt = "" if plateau or share is not None else f"no plateau: it goes from {values[0]:.3g} to {values[-1]:.3g} as the threshold rises"
    if doubt and not rises:
        doubt = "no plateau over a decade; take more samples to tell"
    return TailExponent(fractions, thresholds, values, errors,
                        _estimate(fractions, values, errors, chosen, doubt, len(x), confidence), plateau, rises)


def _fractions(count: int) -> Array:
    steps = int(math.log2(LOWEST_THRESHOLD * count / LEAST_BEYOND)) if count > LEAST_BEYOND / LOWEST_THRESHOLD else 0
    return np.asarray(LOWEST_THRESHOLD * 0.5 ** np.arange(steps + 1))


def _hill(distance: Array, thresholds: Array) -> tuple[Array, Array]:
    """A at each threshold (k,), and how much each path has changed it (k, path): the terms of a ratio of sums."""
    values, influence = [], []
    paths, times = np.nonzero(distance > thresholds[0])
    logs = np.log(distance[paths, times])
    for threshold in np.log(thresholds):
        far = logs > threshold
        beyond = np.bincount(paths[far], minlength=len(distance))
        total = np.bincount(paths[far], logs[far] - threshold, minlength=len(distance))
        values.append(beyond.sum() / total.sum())
        influence.append((beyond - values[-1] * total) / total.sum())
    return np.array(values), np.array(influence)


def _plateau(fractions: Array, values: Array, influence: Array) -> tuple[int, bool]:
    """Where to take A: beyond the lowest threshold that all higher ones agree with; and whether these span a decade."""
    for k in range(len(values)):
        apart = np.sqrt(((influence[k + 1:] - influence[k]) ** 2).sum(axis=1))
        if np.all(np.abs(values[k + 1:] - values[k]) <= APART * apart):
            return min(k + FARTHER, len(values) - 1), bool(fractions[k] >= DECADE * fractions[-1])
    raise AssertionError("This is a bug: the highest threshold has none above it.")


def _rises(fractions: Array, values: Array, influence: Array) -> bool:
    """Whether the highest estimate lies above that a decade lower, or where the tail begins, by more than chance."""
    k = max(int((fractions >= DECADE * fractions[-1]).sum()) - 1, int((fractions > TAIL).sum()))
    return k < len(values) and bool(values[-1] - values[k] > RISES * math.sqrt(((influence[-1] - influence[k]) ** 2).sum()))


def _estimate(fractions: Array, values: Array, errors: Array, k: int, doubt: str, runs: int, confidence: float) -> Estimate:
    from scipy.special import stdtrit
    value, half = float(values[k]), float(errors[k]) * float(stdtrit(runs - 1, (1 + fraction("confidence", confidence)) / 2))
    doubts = [doubt] if doubt else []
    if value > LARGEST:
        doubts.append("above 3 Hill's estimator comes out too low")
    return Estimate(value=value, low=value - half, high=value + half, confidence=confidence, quantity="tail exponent",
                    method=f"Hill, the farthest {100 * fractions[k]:.2g} %", verdict="; ".join(doubts))
