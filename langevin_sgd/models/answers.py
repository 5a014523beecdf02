"""The answers that both wings give: an `Estimate` was measured or computed exactly, a `Prediction` is a closed form."""
from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from langevin_sgd.models.arguments import positive
from langevin_sgd.models.interpretation import Interpretation


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number that was measured or computed, with its interval and how it came about.

    Attributes
    ----------
    value, low, high
        The number and its interval.  An exact number carries its numerical error as its interval.
    confidence
        Of the interval: 0.95, or 1 for the error bound of an exact method.
    method
        How the number was obtained, in a word.
    quantity
        What it is.
    clock
        "t" (t = learning rate × iterations, the time of the equation) or "iterations".
    n_events, n_paths, n_diverged
        Exits, paths, and paths that blew up and are not averaged in; None where there are none to count.
    interpretation, dt
        Of the equation, and the time step, where they matter.
    log_value
        The natural logarithm of the value: finite also where the value overflows a float.
    verdict
        A sentence on whether the number means what it seems to mean; "" if there is nothing to say.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
    >>> ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.0))
    30.8213024727 ± ... (quadrature, Itô)
    """

    value: float
    low: float
    high: float
    confidence: float
    method: str
    quantity: str = "mean passage time"
    clock: str = "t"
    n_events: int | None = None
    n_paths: int | None = None
    n_diverged: int = 0
    interpretation: Interpretation | None = None
    dt: float | None = None
    log_value: float = math.nan
    verdict: str = ""

    def __post_init__(self) -> None:
        if math.isnan(self.log_value):
            object.__setattr__(self, "log_value", math.log(self.value) if 0 < self.value < math.inf else
                               {0.0: -math.inf, math.inf: math.inf}.get(self.value, math.nan))

    def __float__(self) -> float:
        return self.value

    @property
    def is_exact(self) -> bool:
        """Tell whether the interval is a bound of the numerical error rather than a statistical one."""
        return self.confidence == 1.0

    @property
    def relative_error(self) -> float:
        """Half the interval, over the value."""
        return (self.high - self.low) / (2 * self.value) if 0 < self.value < math.inf else math.nan

    def in_iterations(self, learning_rate: float) -> Estimate:
        """Return the same time counted in iterations of SGD: t / learning_rate."""
        eta = positive("learning_rate", learning_rate)
        if self.clock != "t":
            raise ValueError("this estimate counts iterations already.")
        return dataclasses.replace(self, value=self.value / eta, low=self.low / eta, high=self.high / eta, clock="iterations",
                                   log_value=self.log_value - math.log(eta))

    def __str__(self) -> str:
        if self.is_exact:
            return f"{self._number()} ({self._origin()})"
        if math.isinf(self.value) and math.isfinite(self.low):
            return f"above {_short(self.low)} ({self._origin()})"
        return f"{_short(self.value)} [{_short(self.low)}, {_short(self.high)}] ({self._origin()})"

    __repr__ = __str__

    def _number(self) -> str:
        if not math.isfinite(self.value) and math.isfinite(self.log_value):
            exponent = math.floor(self.log_value / math.log(10))
            return f"{math.exp(self.log_value - exponent * math.log(10)):.6f}e+{exponent}"
        error = (self.high - self.low) / 2
        return f"{self.value:.12g} ± {error:.2g}"

    def _origin(self) -> str:
        parts = [self.method if self.is_exact else f"{100 * self.confidence:g} %"]
        if self.n_events is not None:
            parts.append(f"{self.n_events} of {self.n_paths} exited")
        if self.n_diverged:
            parts.append(f"{self.n_diverged} diverged and left out")
        if not self.is_exact and self.method != "sample mean":
            parts.append(self.method)
        if self.interpretation is not None:
            parts.append(self.interpretation.label)
        if self.dt is not None:
            parts.append(f"dt = {self.dt:g}")
        if self.clock != "t":
            parts.append(self.clock)
        return ", ".join(parts) + (f"; {self.verdict}" if self.verdict else "")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The value of a closed form, and whether its assumptions hold here.

    Attributes
    ----------
    value
        The number; infinite where it overflows a float, `log_value` is then still finite.  NaN where the formula has none.
    applies
        Whether the assumptions of the formula hold.
    because
        Why, or why not, in a sentence.
    source
        Where the formula comes from.
    expected_error
        The size of what the formula leaves out, relative to the value; None where it is not known.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.theory.kramers_time(barrier=0.25, curvature_minimum=2.0, curvature_saddle=-1.0, diffusion=0.05)
    659.4 (Kramers): applies, barrier / D = 5; ...
    """

    name: str
    log_value: float
    applies: bool
    because: str
    source: str
    expected_error: float | None = None

    @property
    def value(self) -> float:
        """The number itself."""
        return math.inf if self.log_value > 709.78 else math.exp(self.log_value)

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        verdict = "applies" if self.applies else "does not apply"
        return f"{_short(self.value, self.log_value)} ({self.name}): {verdict}, {self.because}"

    __repr__ = __str__


def _short(value: float, log_value: float = math.nan) -> str:
    """Three to five digits, and powers of ten beyond what a float holds."""
    if math.isinf(value) and math.isfinite(log_value):
        exponent = math.floor(log_value / math.log(10))
        return f"{math.exp(log_value - exponent * math.log(10)):.3f}e+{exponent}"
    return f"{value:.4g}" if not 1e4 <= abs(value) < 1e5 else f"{value:.5g}"
