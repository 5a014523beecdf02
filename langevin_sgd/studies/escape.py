"""How long does it take to leave a minimum, and which theory says so?  `escape` and its report."""
from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.models.arguments import positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE
from langevin_sgd.simulation.first_passage import first_passage
from langevin_sgd.simulation.schemes import EulerMaruyama, Milstein, Scheme
from langevin_sgd.studies.levels import Levels
from langevin_sgd.studies.passage import Passage
from langevin_sgd.studies.passage_theory import closed_forms, exact_time
from langevin_sgd.studies.report_text import counted, escape_table
from langevin_sgd.studies.sgd_escape import MAX_GRADIENTS, SGDEscapeReport, sgd_escape
from langevin_sgd.studies.time_scale import ACCURACY

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

N_PATHS = 2000
FEWEST_PATHS = 200              # below these, a measurement is not worth its time
MAX_STEPS = 4 * 10**9           # path-steps for one measurement
FAR = 4.0                       # standard errors, beside the bias of the step, at which measured and exact disagree


@dataclass(frozen=True)
class Escape:
    """One escape, measured, computed and predicted.

    Attributes
    ----------
    level
        What was varied: the noise level, or the barrier.
    passage
        What was asked.
    measured, not_measured
        The simulated mean time, or why there is none.
    exact, not_exact
        The exact mean time, or why there is none.
    predictions
        The closed forms by name, counted as `passage.counts` says.
    """

    level: float
    passage: Passage
    measured: Estimate | None
    not_measured: str
    exact: Estimate | None
    not_exact: str
    predictions: dict[str, Prediction]

    @property
    def reference(self) -> Estimate | None:
        """The exact time, else the measured one."""
        return self.exact or self.measured

    def ratio(self, name: str) -> float:
        """Return a closed form over the reference; NaN without one."""
        if self.reference is None or not math.isfinite(self.reference.log_value):
            return math.nan
        return math.exp(min(self.predictions[name].log_value - self.reference.log_value, 700.0))

    @property
    def z(self) -> float:
        """Measured minus exact, in standard errors, beyond the bias of the step and the error of the exact time; NaN without both."""
        if self.measured is None or self.exact is None or not math.isfinite(self.measured.value):
            return math.nan
        width = (self.measured.high - self.measured.low) / (2 * _quantile(self.measured.confidence))
        known = self.time_step_bias * self.exact.value + (self.exact.high - self.exact.low) / 2
        away = abs(self.measured.value - self.exact.value)
        return math.copysign(max(0.0, away - known) / width, self.measured.value - self.exact.value)

    @property
    def time_step_bias(self) -> float:
        """An estimate of the relative bias of the time step: half of dt times the rates at minimum and saddle."""
        if self.measured is None or self.measured.dt is None:
            return 0.0
        return 0.5 * ACCURACY * self.measured.dt / self.passage.time_step()

    @property
    def agrees(self) -> bool | None:
        """Whether measured and exact agree; None unless there are both."""
        return None if math.isnan(self.z) else abs(self.z) < FAR

    def holds(self, name: str) -> bool | None:
        """Return whether a closed form is as near to the exact time as it claims; None if it claims nothing, or there is no exact time."""
        prediction = self.predictions[name]
        if self.exact is None or not prediction.applies or prediction.expected_error is None:
            return None
        return abs(self.ratio(name) - 1) <= 3 * prediction.expected_error + self.exact.relative_error + 1e-6


@dataclass(frozen=True)
class Verdict:
    """What a report says of one closed form: at how many levels it applies, whether it holds there, and its ratios to the exact time.

    `holds` is None where there is no exact time to hold it against.  `because` is the reason at the last level at which it applies, or at
    the last level if it never does.
    """

    name: str
    applies: int
    levels: int
    holds: bool | None
    lowest: float
    highest: float
    because: str

    @property
    def reason(self) -> str:
        """The first of the reasons."""
        return self.because.split(";")[0]

    @property
    def span(self) -> str:
        """The range of the ratios."""
        if math.isnan(self.lowest):
            return "unknown"
        lowest, highest = f"{self.lowest:.3g}", f"{self.highest:.3g}"
        return lowest if lowest == highest else f"{lowest} to {highest}"

    @property
    def held(self) -> str:
        """Whether it holds, in words."""
        return {True: " and holds", False: " and does NOT hold", None: ", but there is no exact time to hold it against"}[self.holds]

    def __str__(self) -> str:
        if not self.applies:
            return f"{self.name} does not apply ({self.reason}); ratio {self.span}"
        where = "" if self.applies == self.levels else f" at {self.applies} of {self.levels} levels"
        return f"{self.name} applies{where}{self.held}; ratio {self.span}"


@dataclass(frozen=True, repr=False)
class EscapeReport(Levels[Escape]):
    """Escapes at several levels, side by side: ``print(report)`` is the answer.

    Attributes
    ----------
    title, level_name
        What was asked, and what was varied.
    escapes
        One `Escape` for each level.
    stopped
        Why the study was cut short, or "".
    """

    @property
    def applying(self) -> list[str]:
        """The names of the closed forms that apply at some level."""
        return [name for name in self.formulas if any(name in e.predictions and e.predictions[name].applies for e in self.escapes)]

    def table(self) -> str:
        """Return the report as text: each time with its interval, and each closed form with its ratio to the exact time."""
        return escape_table(self)

    def verdicts(self) -> list[str]:
        """Return in sentences what agrees and what does not."""
        both = self.compared
        lines = []
        if both:
            worst = max(both, key=lambda e: abs(e.z))
            word = "agree" if all(e.agrees for e in both) else "DISAGREE"
            lines.append(f"measured and exact {word} (largest deviation {worst.z:+.1f} standard errors over {counted(len(both), 'level')})")
        return lines + [str(self.verdict_on(name)) for name in self.formulas]

    @property
    def compared(self) -> list[Escape]:
        """The escapes that were both measured and computed."""
        return [e for e in self.escapes if e.agrees is not None]

    def verdict_on(self, name: str) -> Verdict:
        """Return what the report says of one closed form."""
        rows = [e for e in self.escapes if name in e.predictions]
        claims = [e for e in rows if e.predictions[name].applies]
        ratios = [e.ratio(name) for e in claims or rows if not math.isnan(e.ratio(name))]
        told = (claims or rows)[-1].predictions[name]
        judged = [held for e in claims if (held := e.holds(name)) is not None]
        return Verdict(name, len(claims), len(rows), all(judged) if judged else None, min(ratios, default=math.nan),
                       max(ratios, default=math.nan), told.because)

    @property
    def holds(self) -> bool:
        """Whether everything that should agree does."""
        return all(e.agrees is not False and all(e.holds(name) is not False for name in e.predictions) for e in self.escapes)

    def plot(self) -> Figure:
        """Draw log time against level: measured points, exact line, closed forms dashed, and their ratios below."""
        from langevin_sgd.plots.escape import draw_escapes
        return draw_escapes({"": self})

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset over the levels, with measured and exact times, their intervals, and every closed form."""
        import xarray
        first = self.escapes[0]
        about = {"title": self.title, "counts": first.passage.counts, "clock": "t = learning rate × iterations",
                 "equation": repr(first.passage.sde), "interpretation": str(first.passage.sde.interpretation)}
        return xarray.Dataset({k: (self.level_name, v) for k, v in self.columns().items()}, {self.level_name: self.levels}, about)

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__


@overload
def escape(sde: SDE, start: Any, saddle: Any, end: Any = ..., counts: str = ..., noise_levels: Sequence[float] | None = ...,
           dt: float | None = ..., n_paths: int | None = ..., rng: Any = ..., *, max_steps: float | None = ...,
           progress: bool | None = ...) -> EscapeReport: ...


@overload
def escape(sde: SampledLoss, start: Any, saddle: Any, end: Any = ..., counts: str = ..., noise_levels: Sequence[float] | None = ...,
           dt: None = ..., n_paths: int | None = ..., rng: Any = ..., *, learning_rate: float | None = ..., batch_size: int | None = ...,
           max_steps: float | None = ..., progress: bool | None = ...) -> SGDEscapeReport: ...


def escape(sde: SDE | SampledLoss, start: Any, saddle: Any, end: Any = None, counts: str = "crossing",
           noise_levels: Sequence[float] | None = None, dt: float | None = None, n_paths: int | None = None, rng: Any = None, *,
           learning_rate: float | None = None, batch_size: int | None = None, max_steps: float | None = None,
           progress: bool | None = None) -> EscapeReport | SGDEscapeReport:
    """Measure, compute and predict the time to leave a minimum over a saddle.

    Parameters
    ----------
    sde
        The equation; or a loss over data, for minibatch SGD itself.
    start, saddle
        The minimum and the saddle: numbers, arrays (d,), or `CriticalPoint`.
    end
        Where an escape has arrived.  None: the next minimum, or, where the loss falls for ever, where it is at its height at the start.
    counts
        "crossing": from start to end.  "reaching": from start to the saddle, which takes half as long.
    noise_levels
        Values of the number that the noise strength is given by (temperature, learning rate or strength); None: the equation as it is.
        For SGD, learning rates.
    dt
        The time step; if None, one whose bias is about half a per cent.  SGD has none but its learning rate.
    n_paths
        Number of paths of each measurement, 2000 if None; fewer where `max_steps` would not do, and none where it is hopeless.
    rng
        As for `simulate`; each level has a key of its own.
    learning_rate, batch_size
        Of minibatch SGD on a loss over data, with batches drawn with replacement, of one sample if None; an equation has its own.
    max_steps
        Path-steps for each measurement, of SGD per-sample gradients; 4e9 if None, 2e9 for SGD.
    progress
        As for `simulate`.

    Returns
    -------
    EscapeReport or SGDEscapeReport
        Measured with interval, exact (by quadrature in one dimension, and where the component that moves is an equation by itself; else
        by the generator on a grid, in up to three dimensions), and every closed form with its ratio to the exact time and its regime.
        For a loss over data, of up to 16 weights: SGD measured, the exact chain of its real batches, the chain with normal noise of the
        same covariance, the Itô equation with that covariance, with its quadratic, and with its value at the minimum, closed forms, and
        the exponents of SGD and of the equation.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde = ls.langevin(ls.landscapes.double_well(), temperature=0.1)
    >>> report = ls.escape(sde, -1.0, 0.0, noise_levels=[0.05, 0.1], n_paths=500, rng=1)
    >>> report.escapes[1].exact.value, report.holds
    (66.26862..., True)

    SGD itself: no diffusion with the same covariance has its time.

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=0.3)
    >>> print(ls.escape(loss, 0.0, 0.819, learning_rate=0.05, batch_size=1, n_paths=500, rng=1))
    escape of SGD from 0. over 0.819 to 1.39...
    ...
    - SGD and the chain of its real batches agree ...
    - Gaussian chain does NOT describe SGD here; ratio 0.7...
    - equation does NOT describe SGD here; ratio 0.7...
    ...
    """
    if isinstance(sde, SampledLoss):
        return _of_sgd(sde, start, saddle, end, counts, noise_levels, learning_rate, batch_size, dt, n_paths, Key.draw(rng), max_steps,
                       progress)
    if not isinstance(sde, SDE):
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, ls.langevin(landscape, temperature=...) or ls.sgd(loss, noise, "
                         "learning_rate), or a loss over data.")
    if learning_rate is not None or batch_size is not None:
        raise ValueError("`learning_rate` and `batch_size` are for a loss over data; an equation has its own: give sde.replace(...).")
    key = Key.draw(rng)
    levels, name = _levels(sde, noise_levels)
    passages = [Passage.of(_at_level(sde, name, level), start, saddle, end, counts) for level in levels]
    return escapes(passages, levels, name, title=f"escape from {passages[0]}: {sde!r}", dt=dt, n_paths=n_paths, key=key,
                   max_steps=MAX_STEPS if max_steps is None else max_steps, progress=progress)


def _of_sgd(loss: SampledLoss, start: Any, saddle: Any, end: Any, counts: str, levels: Sequence[float] | None, learning_rate: float | None,
            batch_size: int | None, dt: float | None, n_paths: int | None, key: Key, max_steps: float | None,
            progress: bool | None) -> SGDEscapeReport:
    if dt is not None:
        raise ValueError("`dt` is given, but SGD has no time step but its learning rate; leave it out.")
    if (learning_rate is None) == (levels is None):
        raise ValueError("for a loss over data exactly one of `learning_rate` and `noise_levels`, several learning rates, must be given.")
    rates = np.atleast_1d(np.asarray(learning_rate if levels is None else levels, dtype=float)).tolist()
    return sgd_escape(loss, start, saddle, end, counts, rates, 1 if batch_size is None else batch_size, n_paths, key,
                      MAX_GRADIENTS if max_steps is None else max_steps, progress)


def escapes(passages: Sequence[Passage], levels: Sequence[float], level_name: str, *, title: str, key: Key, dt: float | None = None,
            n_paths: int | None = None, max_steps: float = MAX_STEPS, measure: Sequence[bool] | None = None,
            progress: bool | None = None) -> EscapeReport:
    """Return the report on given passages, one for each level; `measure` says where to simulate.

    On Ctrl-C, the report holds the levels that are done.
    """
    count = whole("n_paths", N_PATHS if n_paths is None else n_paths)
    step = None if dt is None else positive("dt", dt)
    rows: list[Escape] = []
    stopped = ""
    try:
        for k, (passage, level) in enumerate(zip(passages, levels, strict=True)):
            computed, not_exact = exact_time(passage)
            predictions = closed_forms(passage)
            measured, reason = None, "not asked for"
            if measure is None or measure[k]:
                expected = computed.value if computed else min((p.value for p in predictions.values()), default=math.nan)
                measured, reason, why = _measured(passage, expected, step, count, key.spawn(k), max_steps, progress)
                stopped = stopped or why
            rows.append(Escape(float(level), passage, measured, reason, computed, not_exact, predictions))
            if stopped == "Ctrl-C":
                break
    except KeyboardInterrupt:           # between two simulations; within one, the simulation returns what it has
        stopped = "Ctrl-C"
        if not rows:
            raise
    return EscapeReport(title, level_name, tuple(rows), stopped)


def _measured(passage: Passage, expected: float, dt: float | None, n_paths: int, key: Key, max_steps: float,
              progress: bool | None) -> tuple[Estimate | None, str, str]:
    """The measured time, or why there is none, and why the run was cut short."""
    step = dt or passage.time_step()
    affordable = max_steps * step / expected if math.isfinite(expected) and expected > 0 else 0.0 if expected == math.inf else math.inf
    fewest = min(FEWEST_PATHS, n_paths)
    if affordable < fewest:
        return None, f"{fewest} paths would take more than {max_steps:.1g} steps; this is for rare-event methods", ""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="stopped by")         # said in the report
        ends = first_passage(passage.sde, passage.start if passage.sde.dim > 1 else float(passage.start[0]), passage.domain(), dt=step,
                             n_paths=int(min(n_paths, affordable)), max_steps=4 * max_steps, scheme=_scheme(passage.sde), rng=key,
                             progress=progress)
    return ends.mean(), "", ends.stopped


def _scheme(sde: SDE) -> Scheme:
    """Milstein's scheme where the noise depends on the state and allows it, else Euler's."""
    slope = sde.covariance.milstein_slope()
    return EulerMaruyama() if slope is None or sde.covariance.is_constant else Milstein()


def _levels(sde: SDE, noise_levels: Sequence[float] | None) -> tuple[list[float], str]:
    name = next(n for n in ("temperature", "learning_rate", "strength") if getattr(sde.strength, n) is not None)
    if noise_levels is None:
        return [getattr(sde.strength, name)], name
    levels = [positive("noise_levels", level) for level in np.atleast_1d(np.asarray(noise_levels, dtype=float))]
    return levels, name


def _at_level(sde: SDE, name: str, level: float) -> SDE:
    values: dict[str, Any] = {name: level}
    return sde.replace(**values)


def _quantile(confidence: float) -> float:
    from scipy.special import ndtri
    return float(ndtri((1 + confidence) / 2))
