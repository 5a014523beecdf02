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
    systematic_error
        What the time step may have changed, in the unit of the value; it comes on top of the interval.
    because
        Why this method was taken, where it was chosen for the user.

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
    systematic_error: float = 0.0
    because: str = ""

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
                                   log_value=self.log_value - math.log(eta), systematic_error=self.systematic_error / eta)

    def compare(self, other: Estimate) -> Agreement:
        """Return whether this number and another one agree, as their ratio, z, and in words.

        Raises
        ------
        ValueError
            If they are not the same quantity on the same clock.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> sde, domain = ls.langevin(ls.landscapes.double_well(), temperature=0.25), ls.Interval(high=0.0)
        >>> measured = ls.first_passage(sde, -1.0, domain, dt=0.01, n_paths=4000, rng=2).mean()
        >>> measured.compare(ls.exact.mean_passage_time(sde, -1.0, domain))
        ratio 0.9907, z = -0.6: they agree
        """
        for name in ("quantity", "clock"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(f"`other` is a {other.quantity} in {other.clock}, but this is a {self.quantity} in {self.clock}: only the "
                                 "same quantity on the same clock can be compared.")
        return Agreement.of(self, other)

    @property
    def uncertainty(self) -> float:
        """By how much the logarithm may be off: two standard errors, and what is not statistical; infinite for a bound."""
        return 2 * self._log_error() + self._log_slack() if math.isfinite(self.log_value) else math.inf

    def _log_error(self) -> float:
        """The standard error of the logarithm; 0 for an exact number."""
        if self.is_exact:
            return 0.0
        from scipy.special import ndtri
        width = math.log(self.high / self.low) if 0 < self.low <= self.high < math.inf else (self.high - self.low) / self.value
        return width / (2 * float(ndtri((1 + self.confidence) / 2)))

    def _log_slack(self) -> float:
        """By how much the logarithm may be wrong for reasons that are not statistical."""
        share = self.systematic_error / self.value if self.value < math.inf else 0.0
        return share + (max(self.relative_error, 0.0) if self.is_exact and math.isfinite(self.relative_error) else 0.0)

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
        if math.isinf(self.value):
            return "inf"
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
        if self.systematic_error:
            parts.append(f"± {self.systematic_error:.2g} from dt")
        if self.clock != "t":
            parts.append(self.clock)
        return ", ".join(parts) + (f"; {self.verdict}" if self.verdict else "")


FAR = 4.0           # standard errors from which two numbers are said to disagree


@dataclass(frozen=True)
class Agreement:
    """Whether two estimates of the same quantity agree; made by `Estimate.compare`.

    Attributes
    ----------
    ratio
        The first over the second; NaN where one of them is only a bound.
    z
        Their difference, beyond what exact methods and time steps may have changed, in standard errors; on the scale of logarithms.
    verdict
        The same in words.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde, domain = ls.langevin(ls.landscapes.double_well(), temperature=0.05), ls.Interval(high=0.0)
    >>> gen = ls.FokkerPlanck(sde, ls.Grid((-3, 0), 400))
    >>> seen = gen.mean_passage_time(domain).at(-1.0).compare(ls.exact.mean_passage_time(sde, -1.0, domain))
    >>> seen.agrees, seen.z
    (True, 0.0)
    """

    ratio: float
    z: float
    verdict: str

    @classmethod
    def of(cls, a: Estimate, b: Estimate) -> Agreement:
        """Compare two estimates; a bound speaks only against what lies beyond it."""
        if not (math.isfinite(a.log_value) and math.isfinite(b.log_value)):
            outside = a.low > b.high or b.low > a.high
            return cls(math.nan, math.nan, "one is only a bound, and the other lies beyond it" if outside else
                       "one is only a bound, which the other does not contradict")
        log_ratio = a.log_value - b.log_value
        beyond, error = max(0.0, abs(log_ratio) - a._log_slack() - b._log_slack()), math.hypot(a._log_error(), b._log_error())
        z = math.copysign(beyond / error if error else math.inf, log_ratio) if beyond else 0.0
        return cls(math.exp(max(-745.0, min(log_ratio, 709.0))), z, "they agree" if abs(z) < FAR else "they DISAGREE")

    @property
    def agrees(self) -> bool | None:
        """Whether they agree; None where one of them is only a bound that the other does not contradict."""
        return (None if "does not contradict" in self.verdict else False) if math.isnan(self.z) else abs(self.z) < FAR

    def __str__(self) -> str:
        return self.verdict if math.isnan(self.z) else f"ratio {self.ratio:.4g}, z = {self.z:+.1f}: {self.verdict}"

    __repr__ = __str__


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
