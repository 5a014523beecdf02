"""How long does minibatch SGD itself stay in a minimum, and which description of it says so?

Next to real runs stand the exact chain of real batches, the chain with normal noise of the same covariance, the Itô equation with that
covariance, with its quadratic and with its value at the minimum, the closed forms for the equation, and the exponents of SGD and of the
equation: at a fixed batch size no diffusion has the right one (`theory`, 5.3).
"""
from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models import noise
from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.models.arguments import Array, positive, whole
from langevin_sgd.models.fields import SymbolicField
from langevin_sgd.models.key import Key
from langevin_sgd.models.noise_families import Noise
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE, sgd
from langevin_sgd.simulation.first_passage import first_passage
from langevin_sgd.simulation.minibatch import run_sgd
from langevin_sgd.studies.levels import Levels
from langevin_sgd.studies.passage import Passage
from langevin_sgd.studies.passage_theory import closed_forms, exact_time
from langevin_sgd.studies.sgd_escape_text import sgd_escape_table, verdicts
from langevin_sgd.theory.chains.chain import Chain
from langevin_sgd.theory.line.convergence import QuadratureError
from langevin_sgd.theory.predictions.crossing import crossing
from langevin_sgd.theory.sgd.cramer import cramer_exponent
from langevin_sgd.theory.sgd.stability import MinibatchStability, minibatch_stability
from langevin_sgd.theory.weak_noise.action import minimum_action_path

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

N_PATHS = 2000
FEWEST_PATHS = 200              # below these, a measurement is not worth its time
MAX_GRADIENTS = 2e9             # per-sample gradients for one measurement
COVARIANCE_COST = 10.0          # a covariance of all samples, over as many gradients
FAR = 40.0                      # exponent of a time that nobody waits for
NEAR = 0.1                      # an approximation is said to hold where it is this near to the time of SGD at every level
LONG_STEPS = 2.0                # η h_max from which the steps of single samples overshoot
USELESS = 0.2                   # relative error of an exact time that says nothing
FEWEST_EXITS = 20               # for which the steps of a simulated chain should do
HOPEFUL = 0.01                  # share of the gradients that is spent on an escape that steps of any size must jump for
LONGEST = 50.0                  # expected times, after which a run is cut: fewer than one in 10²¹ of them are
NORMAL, EQUATION, QUADRATIC, CONSTANT = "Gaussian chain", "equation", "quadratic C", "constant C"


@dataclass(frozen=True)
class Exponents:
    """What multiplies in the mean time like exp(...): of SGD, W / η, and of the Itô equation with the same covariance, Φ_s − Φ_m.

    That of the equation is at most so much where no path of least action of its own was found, and NaN without any.
    """

    sgd: float
    equation: float

    @property
    def log_ratio(self) -> float:
        """By how much they differ: infinite if SGD never escapes."""
        return self.sgd - self.equation


@dataclass(frozen=True)
class SGDEscape:
    """One escape of SGD: measured, exact, approximated and predicted.

    Attributes
    ----------
    level
        What was varied: the learning rate, or the barrier.
    loss, learning_rate, batch_size
        Of SGD; batches are drawn with replacement.
    passage
        What was asked, for the Itô equation with the covariance of the loss.
    measured, not_measured
        The mean time of real runs, or why there is none.
    exact, not_exact
        That of the chain of real batches, or why there is none.
    approximations
        Mean times of what stands in place of SGD: "Gaussian chain", "equation", "quadratic C", "constant C"; exact, but for the Gaussian
        chain of several weights, which is simulated.
    predictions
        The closed forms for the equation, by name.
    exponents
        Of SGD and of the equation; None where there is none.
    largest_curvature
        h_max, the largest curvature of a sample at the minimum.
    stability
        Linear stability of SGD at the minimum: without a metastable state there is no escape, and no formula of it applies.
    """

    level: float
    loss: SampledLoss
    learning_rate: float
    batch_size: int
    passage: Passage
    measured: Estimate | None
    not_measured: str
    exact: Estimate | None
    not_exact: str
    approximations: dict[str, Estimate]
    predictions: dict[str, Prediction]
    exponents: Exponents | None
    largest_curvature: float
    stability: MinibatchStability

    @property
    def steps_are_long(self) -> bool:
        """Whether steps of single samples overshoot the minimum, η h_max ≥ 2: exponents of small steps then say nothing of the time."""
        return self.learning_rate * self.largest_curvature >= LONG_STEPS

    @property
    def reference(self) -> Estimate | None:
        """The time of SGD: the better known one of exact and measured."""
        known = [time for time in (self.exact, self.measured) if time is not None]
        return min(known, key=lambda time: time.uncertainty, default=None)

    @property
    def leaves(self) -> bool:
        """Whether SGD is seen to leave, or its exact time is finite."""
        return self.reference is not None and math.isfinite(self.reference.log_value)

    def ratio_interval(self, name: str) -> tuple[float, float]:
        """Return where the ratio of an approximation lies: two standard errors of both times, and what is not statistical."""
        found, time = self.approximations[name], self.reference
        if time is None or not math.isfinite(time.log_value):
            return 0.0, math.inf
        if math.isinf(found.value) and math.isinf(found.log_value):         # nothing left: at least so much
            least = math.log(found.low) - time.log_value - time.uncertainty if found.low > 0 else -math.inf
            return math.exp(min(least, 700.0)), math.inf
        log_ratio, off = found.log_value - time.log_value, found.uncertainty + time.uncertainty
        return math.exp(max(log_ratio - off, -700.0)), math.exp(min(log_ratio + off, 700.0))

    def holds(self, name: str) -> bool | None:
        """Return whether an approximation is within a tenth of the time of SGD; None where the times are not known well enough to tell."""
        low, high = self.ratio_interval(name)
        if low > 1 + NEAR or high < 1 - NEAR:
            return False
        return True if abs(self.ratio(name) - 1) <= NEAR and high - low <= 2 * NEAR else None

    def ratio(self, name: str) -> float:
        """Return an approximation or a closed form over the time of SGD; NaN without one."""
        if self.reference is None or not math.isfinite(self.reference.log_value):
            return math.nan
        log_ratio = (self.approximations.get(name) or self.predictions[name]).log_value - self.reference.log_value
        return math.exp(log_ratio) if not log_ratio > 700 else math.inf

    @property
    def z(self) -> float:
        """Measured minus exact, in standard errors, beyond the error of the exact time; NaN without both."""
        return math.nan if self.measured is None or self.exact is None else self.measured.compare(self.exact).z

    @property
    def agrees(self) -> bool | None:
        """Whether measured and exact agree; None unless there are both."""
        return None if self.measured is None or self.exact is None else self.measured.compare(self.exact).agrees


@dataclass(frozen=True, repr=False)
class SGDEscapeReport(Levels[SGDEscape]):
    """Escapes of SGD at several levels, side by side: ``print(report)`` is the answer.

    Attributes
    ----------
    title, level_name
        What was asked, and what was varied.
    escapes
        One `SGDEscape` for each level.
    stopped
        Why the study was cut short, or "".
    """

    @property
    def approximations(self) -> list[str]:
        """The names of what was computed in place of SGD."""
        return list(dict.fromkeys(name for e in self.escapes for name in e.approximations))

    def table(self) -> str:
        """Return the report as text: each time with its interval, and everything else by its ratio to the time of SGD."""
        return sgd_escape_table(self)

    def verdicts(self) -> list[str]:
        """Return in sentences what agrees and what does not."""
        return verdicts(self)

    @property
    def holds(self) -> bool:
        """Whether simulation and the exact chain agree wherever there are both."""
        return all(e.agrees is not False for e in self.escapes)

    def slopes(self, name: str = "") -> Array:
        """Return local slopes d ln τ / d ln level between neighbouring levels, (levels − 1,): of SGD, or of an approximation by name.

        NaN where a time is missing.
        """
        logs = [self._log_time(e, name) for e in self.escapes]
        return np.asarray(np.diff(logs) / np.diff(np.log(self.levels)))

    @staticmethod
    def _log_time(escape: SGDEscape, name: str) -> float:
        found: Any = escape.reference if not name else escape.approximations.get(name) or escape.predictions.get(name)
        return math.nan if found is None else float(found.log_value)

    def plot(self) -> Figure:
        """Draw log time against level (see `plots.draw_sgd_escapes`)."""
        from langevin_sgd.plots.sgd_escape import draw_sgd_escapes
        return draw_sgd_escapes(self)

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset over the levels: measured and exact times with their intervals, approximations, closed forms, exponents."""
        import xarray
        nan, columns = math.nan, self.columns()
        for name in self.approximations:
            columns[name] = [e.approximations[name].value if name in e.approximations else nan for e in self.escapes]
        columns["metastable"] = [e.stability.metastable for e in self.escapes]
        columns["exponent"] = [e.exponents.sgd if e.exponents else nan for e in self.escapes]
        columns["exponent_of_equation"] = [e.exponents.equation if e.exponents else nan for e in self.escapes]
        first = self.escapes[0]
        about = {"title": self.title, "counts": first.passage.counts, "clock": "t = learning rate × iterations", "loss": repr(first.loss),
                 "batch_size": first.batch_size}
        return xarray.Dataset({k: (self.level_name, v) for k, v in columns.items()}, {self.level_name: self.levels}, about)

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__


@dataclass(frozen=True)
class Case:
    """SGD on one loss, and the escape that is asked for; see `escape`."""

    loss: SampledLoss
    learning_rate: float
    batch_size: int
    start: Any
    saddle: Any
    end: Any = None

    def equation(self, c: Noise) -> SDE:
        """Return the Itô equation of this SGD with a covariance."""
        return sgd(self.loss, c, self.learning_rate, self.batch_size)


def sgd_escape(loss: SampledLoss, start: Any, saddle: Any, end: Any, counts: str, learning_rates: Sequence[float], batch_size: int,
               n_paths: int | None, key: Key, max_gradients: float, progress: bool | None) -> SGDEscapeReport:
    """Return the report on SGD at several learning rates; see `escape`."""
    rates = [positive("learning_rate", rate) for rate in learning_rates]
    cases = [Case(loss, rate, whole("batch_size", batch_size), start, saddle, end) for rate in rates]
    return sgd_escapes(cases, rates, "learning_rate", counts=counts, n_paths=n_paths, key=key, max_gradients=max_gradients,
                       progress=progress)


def sgd_escapes(cases: Sequence[Case], levels: Sequence[float], level_name: str, *, key: Key, counts: str = "crossing",
                n_paths: int | None = None, max_gradients: float = MAX_GRADIENTS, progress: bool | None = None) -> SGDEscapeReport:
    """Return the report on given cases, one for each level; on Ctrl-C it holds the levels that are done."""
    count = whole("n_paths", N_PATHS if n_paths is None else n_paths)
    rows: list[SGDEscape] = []
    stopped, title = "", ""
    try:
        for k, (case, level) in enumerate(zip(cases, levels, strict=True)):
            passage = Passage.of(case.equation(case.loss.noise), case.start, case.saddle, case.end, counts)
            title = title or (f"escape of SGD from {passage}: {case.loss!r}, batch size {case.batch_size}"
                              + (f", learning rate {case.learning_rate:g}" if level_name != "learning_rate" else ""))
            row, why = _row(case, passage, level, count, key.spawn(k), max_gradients, progress)
            stopped = stopped or why
            rows.append(row)
            if stopped == "Ctrl-C":
                break
    except KeyboardInterrupt:           # between two simulations; within one, the simulation returns what it has
        stopped = "Ctrl-C"
        if not rows:
            raise
    return SGDEscapeReport(title, level_name, tuple(rows), stopped)


def _row(case: Case, passage: Passage, level: float, n_paths: int, key: Key, max_gradients: float,
         progress: bool | None) -> tuple[SGDEscape, str]:
    stable, predictions = _stability(case, passage, key.spawn(2)), closed_forms(passage)       # first, for they know a wrong point at once
    chain, not_exact = _chain(lambda: Chain(case.loss, case.learning_rate, case.batch_size), passage)
    exponents = _exponents(case, passage)
    at = passage.start if case.loss.dim > 1 else float(passage.start[0])
    steepest = float(np.linalg.eigvalsh(np.reshape(case.loss.sample_hessians(at), (-1, case.loss.dim, case.loss.dim))).max())
    # The exponent is that of small steps: where single steps reach far, it says nothing of the time.
    exponent = exponents.sgd if exponents is not None and chain is None else 0.0
    hopeless = FAR < exponent < math.inf and case.learning_rate * steepest < LONG_STEPS
    # An infinite one is that of steps shorter than the place where no batch points ahead: whether these are is seen at a lower price.
    spent = max_gradients * (HOPEFUL if math.isinf(exponent) else 1.0)
    expected = math.inf if hopeless else chain.value if chain else math.nan
    measured, reason, why = _measured(case, passage, expected, n_paths, key.spawn(0), spent, progress)
    guess = chain or measured
    approximations = _approximations(case, passage, guess.value if guess else math.nan, n_paths, key.spawn(1), max_gradients, progress)
    row = SGDEscape(float(level), case.loss, case.learning_rate, case.batch_size, passage, measured, reason, chain, not_exact,
                    approximations, predictions, exponents, steepest, stable)
    return row, why


def _stability(case: Case, passage: Passage, key: Key) -> MinibatchStability:
    try:
        return minibatch_stability(case.loss, passage.start, learning_rate=case.learning_rate, batch_size=case.batch_size, rng=key)
    except ValueError as error:
        raise ValueError(str(error).replace("`at`", "`start`")) from None


def _chain(chain: Callable[[], Chain], passage: Passage) -> tuple[Estimate | None, str]:
    """The exact time of a chain, or why there is none."""
    if passage.sde.dim > 1:
        return None, "the chain of real batches is solved for one weight"
    try:
        return chain().mean_passage_time(float(passage.start[0]), passage.domain()), ""            # type: ignore[arg-type]
    except QuadratureError as error:            # what it reached is worth more than nothing, if that is something
        reached = error.estimate
        return (reached if reached.relative_error < USELESS else None), str(error).rstrip(".")
    except (ValueError, ArithmeticError) as error:
        return None, f"no exact value: {error}"


def _approximations(case: Case, passage: Passage, guess: float, n_paths: int, key: Key, max_gradients: float,
                    progress: bool | None) -> dict[str, Estimate]:
    """Mean times of what stands in place of SGD: exact, but for the Gaussian chain of several weights, which is simulated."""
    start = passage.start if case.loss.dim > 1 else float(passage.start[0])
    at_minimum = case.loss.covariance(start)
    found: dict[str, Estimate | None] = {}
    if case.loss.dim == 1:
        found[NORMAL] = _chain(lambda: Chain(passage.sde, case.learning_rate), passage)[0]
    else:
        found[NORMAL] = _simulated_chain(case, passage, guess, n_paths, key, max_gradients, progress)
    covariances: dict[str, Callable[[], Noise]] = {
        QUADRATIC: lambda: noise.from_hessians(case.loss, start),
        CONSTANT: lambda: noise.Constant(at_minimum) if case.loss.dim == 1 else noise.Anisotropic(at_minimum)}
    if case.loss.dim == 1 or isinstance(passage.sde.covariance.field, SymbolicField):      # else it takes too long on a grid
        covariances = {EQUATION: lambda: case.loss.noise, **covariances}
    for name, covariance in covariances.items():
        try:
            same = Passage(case.equation(covariance()), passage.start, passage.saddle, passage.end, passage.counts)
            found[name] = exact_time(same)[0]
        except ValueError:                      # a covariance that is none somewhere, as a fit can be
            continue
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def _simulated_chain(case: Case, passage: Passage, guess: float, n_paths: int, key: Key, max_gradients: float,
                     progress: bool | None) -> Estimate:
    """The chain with normal noise of the same covariance: the steps of the equation with dt = η, looked at after each of them.

    No more paths than have steps for twice the time that is guessed, so that they don't all end while they still settle.
    """
    steps = max(1, int(max_gradients / (COVARIANCE_COST * case.loss.n_samples)))
    affordable = steps * case.learning_rate / (2 * guess) if 0 < guess < math.inf else n_paths
    paths = max(FEWEST_EXITS, min(n_paths, int(affordable)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)                 # what was cut short is in the estimate
        ends = first_passage(passage.sde, passage.start, passage.domain(), case.learning_rate, paths, monitoring="discrete",
                             max_steps=steps, rng=key, progress=progress)
        return ends.mean()


def _exponents(case: Case, passage: Passage) -> Exponents | None:
    """W / η and Φ_s − Φ_m: along the line, or along the paths of least action; None where none is found."""
    try:
        if case.loss.dim == 1:
            minimum, saddle = float(passage.start[0]), float(passage.saddle[0])
            w = cramer_exponent(minimum=minimum, saddle=saddle, gradients=case.loss, batch_size=case.batch_size).value
            return Exponents(w / case.learning_rate, crossing(passage.sde, minimum, saddle).climb)
        path = minimum_action_path(case.loss, passage.start, passage.saddle, batch_size=case.batch_size)
        equation = math.nan if path.gaussian is None else path.gaussian.action / case.learning_rate
        return Exponents(path.exponent_at(case.learning_rate), equation)
    except (ValueError, ArithmeticError):
        return None


def _measured(case: Case, passage: Passage, expected: float, n_paths: int, key: Key, max_gradients: float,
              progress: bool | None) -> tuple[Estimate | None, str, str]:
    """The mean time of real runs, or why there is none, and why they were cut short."""
    per_path = expected / case.learning_rate * case.batch_size
    affordable = max_gradients / per_path if math.isfinite(per_path) and per_path > 0 else 0.0 if expected == math.inf else math.inf
    fewest = min(FEWEST_PATHS, n_paths)
    if affordable < fewest:
        return None, f"{fewest} runs would take more than {max_gradients:.1g} gradients; this is for rare-event methods", ""
    paths = int(min(n_paths, affordable))
    steps = LONGEST * expected / case.learning_rate if math.isfinite(expected) else max_gradients / (paths * case.batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)                 # what was cut short is in the estimate
        runs = run_sgd(case.loss, passage.start if case.loss.dim > 1 else float(passage.start[0]), learning_rate=case.learning_rate,
                       batch_size=case.batch_size, n_steps=max(1, math.ceil(steps)), domain=passage.domain(), t_eval=[0.0], n_paths=paths,
                       rng=key, progress=progress)
        return runs.exits.mean(), "", runs.stopped
