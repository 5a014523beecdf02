"""When a closed form is said to apply, and how that is told: the rules for all of them, in one place."""
from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from langevin_sgd.models.answers import Prediction
from langevin_sgd.models.arguments import finite
from langevin_sgd.models.interpretation import Interpretation
from langevin_sgd.models.interpretation import interpretation as interpretation_called

LEAST_BARRIER = 4.0             # barrier over noise; below it the minimum is hardly metastable (the quartic well is 14 % off at 4)
LARGEST_ERROR = 0.25            # what may be left out; beyond it the next order is no longer small, and so the order after it
OF_ITS_KIND = 0.01              # noise counts as of a kind (a function of the loss, ...) if it departs from it by no more
CONSTANT = 0.01                 # noise counts as constant if taking it so changes the time by no more
GROWS = 1e-8                    # least growth of C over the distance to the saddle, relative to C, that is told from rounding


def alpha_of(interpretation: str | float) -> float:
    """Return α for the name of an interpretation, or α itself if a number was given."""
    if isinstance(interpretation, str):
        return interpretation_called(interpretation).alpha
    return finite("interpretation", interpretation)


def label(alpha: float) -> str:
    """Return how an interpretation is printed: its name where it has one."""
    names = {i.alpha: i.label for i in Interpretation}
    return names.get(alpha, f"α = {alpha:g}")


def percent(size: float) -> str:
    """Return a relative size in words."""
    return f"{100 * size:.{'2g' if size < 0.0995 else '0f'}} %" if size < 1 else "more than 100 %"


def left_out(error: float) -> str:
    """Return in words how much a formula leaves out."""
    return f"what is left out is {'about ' if error < 1 else ''}{percent(error)}"


def ratio(log_ratio: float) -> str:
    """Return a ratio in words, from its logarithm."""
    return f"{math.exp(log_ratio):.3g}" if log_ratio < 700 else f"exp({log_ratio:.3g})"


def relative(log_ratio: float) -> float:
    """Return the relative difference of two numbers from the difference of their logarithms; a huge one is capped, not an overflow."""
    return abs(math.expm1(min(log_ratio, 700.0)))


def doubts(exponent: float, called: str, error: float) -> list[str]:
    """Return what speaks against an asymptotic formula: too low a barrier, or too much left out."""
    found = []
    if exponent < LEAST_BARRIER:
        found.append(f"{called} = {exponent:.3g}, but must be at least {LEAST_BARRIER:g}")
    if not error <= LARGEST_ERROR:
        found.append(left_out(error))
    return found


def judged(name: str, source: str, log_value: float, *, facts: Sequence[str], against: Sequence[str],
           error: float | None) -> Prediction:
    """Return the prediction: it applies if nothing speaks against it, and `because` then gives the facts."""
    return Prediction(name=name, log_value=log_value, applies=not against, because="; ".join(against or facts), source=source,
                      expected_error=error)


def doubted(prediction: Prediction, against: Sequence[str], error: float) -> Prediction:
    """Return a prediction with what an equation adds against it and to its error, which alone can make it too large to apply."""
    total = (prediction.expected_error or 0.0) + error
    if prediction.applies and not against and not total <= LARGEST_ERROR:
        against = [f"{left_out(total)}, {percent(error)} of it for the noise"]
    told = prediction.because.replace(left_out(prediction.expected_error or 0.0), left_out(total))
    reasons = [*against, *([] if prediction.applies and against else [told])]
    return dataclasses.replace(prediction, applies=prediction.applies and not against, because="; ".join(reasons), expected_error=total)
