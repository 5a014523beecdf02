"""Variance against flatness of real minibatch SGD, from the loss to the exponent, over learning rates, batch sizes and samplings."""
from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.models.arguments import Array, below_one, not_negative, numbers, one_of, positive, state, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.sampled import SampledLoss, sampled
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.minibatch import kernels_of_sampling, run_sgd
from langevin_sgd.simulation.sgd_runs import SGDRuns
from langevin_sgd.studies.flatness_directions import LEAST_EFFECTIVE
from langevin_sgd.studies.flatness_exponent import inverse_variance_flatness, width
from langevin_sgd.studies.flatness_fit import LEAST_DIRECTIONS
from langevin_sgd.studies.flatness_report import FlatnessPoint, FlatnessReport, Theory, Window
from langevin_sgd.theory.sgd.discrete_variance import sgd_covariance
from langevin_sgd.theory.sgd.epochs import reshuffled_covariance
from langevin_sgd.theory.sgd.minibatch_moments import LARGEST, batch_factor, minibatch_moments
from langevin_sgd.theory.sgd.reshuffled_moments import LARGEST_EPOCH, reshuffled_moments

N_PATHS = 64
MAX_STEPS = 2 * 10**8       # path-steps of a point
RELAXATIONS = 5.0           # of the slowest direction, before iterates are kept: what its variance still lacks is exp(−10)
INDEPENDENT = 2000.0        # states of the slowest direction: its variance to 3 %
SAVED = 6_000_000           # numbers that are kept of a point: 48 MB, and four times as much at work
FLAT = 1e-9                 # curvature, or variance of the noise, over the largest, below which it counts as none
NEWTON = 50

Which = NDArray[np.bool_]


def from_sgd(loss: SampledLoss, at: ArrayLike | None = None, *, learning_rates: ArrayLike, batch_sizes: ArrayLike,
             samplings: Sequence[str] = ("iid", "reshuffle"), n_paths: int | None = None, n_steps: int | None = None,
             momentum: float = 0.0, weight_decay: float = 0.0, axes: str = "hessian", flatness: str = "width", rise: float | None = None,
             confidence: float = 0.95, max_steps: float = MAX_STEPS, rng: Any = None, threads: int | None = None,
             progress: bool | None = None) -> FlatnessReport:
    """Run SGD about a minimum, and measure ψ in variance ∝ flatness^−ψ, for every learning rate, batch size and sampling.

    Parameters
    ----------
    loss
        A loss over data, with at least three weights.
    at
        Where the descent to the minimum starts; if None, the minimum of a regression, or the lowest that is found from 32 starts.
    learning_rates, batch_sizes, samplings
        The grid: numbers or lists; samplings as in `run_sgd`, "iid", "without" and "reshuffle".
    n_paths, n_steps
        Runs at a point, 64 if None, and the iterations of each after the burn-in; if None, so many that the slowest direction has 2000
        independent states.
    momentum, weight_decay
        Of SGD; with a weight decay the minimum is that of the decayed loss, and the flatness is still that of the loss.
    axes, flatness, rise
        As in `inverse_variance_flatness`: "hessian" or "principal"; "width" or "curvature".
    confidence
        Of the intervals of ψ.
    max_steps
        Path-steps at a point.  Directions that can't relax within them are left out by name.
    rng, threads, progress
        As for `run_sgd`.  A point draws from a key of its own, by learning rate, batch size and sampling, and is the same in any grid.

    Returns
    -------
    FlatnessReport
        ψ with its interval, and the variances, beside theory: the moments of the data, with samples that are not quadratic taken as
        they are to second order at the minimum; and additive noise.  After Ctrl-C, the points that are done.

    Raises
    ------
    ValueError
        For arguments that don't fit; a loss that is flat along some direction, along which SGD would drift without end; and one without
        noise at its minimum, where SGD comes to rest.

    Notes
    -----
    Runs start at the minimum; kept are iterates after five relaxation times of the slowest direction, in steps without a common divisor
    with the number of batches in an epoch, so that every position in the epoch is seen equally often.  `theory`, 6.4.

    Examples
    --------
    Reshuffling alone makes less variance where the loss is flatter.

    >>> import langevin_sgd as ls
    >>> x, y = ls.losses.generate(200, weights=[1.0] * 4, spectrum=[0.1, 0.3, 1.0, 3.0], label_noise=0.25, rng=1)
    >>> loss = ls.losses.linear_regression(x, y)
    >>> report = ls.flatness.from_sgd(loss, learning_rates=0.02, batch_sizes=10, n_steps=20_000, rng=2)
    >>> for point in report:
    ...     print(point.sampling, point.exponent, f"theory {point.predicted_exponent:.2f}")
    iid 0.0... [-0..., 0...] (95 %, least squares over 4 directions) theory 0.0...
    reshuffle 1.8... [1..., 2...] (95 %, least squares over 4 directions) theory 1.8...
    """
    rates = [positive("learning_rates", rate) for rate in np.atleast_1d(numbers("learning_rates", learning_rates))]
    sizes = [whole("batch_sizes", size) for size in np.atleast_1d(numbers("batch_sizes", batch_sizes))]
    drawn = [one_of("samplings", s, kernels_of_sampling()) for s in ([samplings] if isinstance(samplings, str) else samplings)]
    mu, decay = below_one("momentum", momentum), not_negative("weight_decay", weight_decay)
    for size in sizes:
        if size > sampled(loss).n_samples and drawn != ["iid"]:
            raise ValueError(f"`batch_sizes` holds {size}, but there are {loss.n_samples} samples, and only 'iid' draws a sample twice.")
    minimum = Minimum.of(loss, at, decay)
    seen = Seen(one_of("axes", axes, ("hessian", "principal")), one_of("flatness", flatness, ("width", "curvature")), rise, confidence)
    if seen.flatness == "width":
        width(loss, minimum.x, minimum.axes[:, :1], rise=rise)                # what is missing for it is better known before the runs
    study = Study(minimum, mu, seen, whole("n_paths", N_PATHS if n_paths is None else n_paths),
                  None if n_steps is None else whole("n_steps", n_steps), int(positive("max_steps", max_steps)), Key.draw(rng))
    points: list[FlatnessPoint] = []
    stopped = ""
    try:
        for place in itertools.product(rates, sizes, drawn):
            found = study.point(*place, threads, progress)
            points.append(found)
    except KeyboardInterrupt:
        stopped = "Ctrl-C"
        if not points:
            raise
    return FlatnessReport(study.title, minimum.x, tuple(points), study.key, stopped)


@dataclass(frozen=True, eq=False)
class Minimum:
    """The minimum about which SGD runs.

    Attributes
    ----------
    loss
        The loss over data.
    weight_decay
        γ.
    x
        The minimum of the loss with its decay (d,).
    hessian
        That of the loss (d, d).
    curvature, axes
        Eigenvalues h + γ and axes of the Hessian with the decay, flattest first.
    constant
        The covariance of the gradient of one sample (d, d).
    """

    loss: SampledLoss
    weight_decay: float
    x: Array
    hessian: Array
    curvature: Array
    axes: Array
    constant: Array

    @classmethod
    def of(cls, loss: SampledLoss, at: ArrayLike | None, decay: float) -> Minimum:
        """Return the minimum that descent comes to, or refuse what has no stationary law."""
        if loss.dim < LEAST_DIRECTIONS:
            raise ValueError(f"`loss` is {loss!r}, but an exponent needs at least {LEAST_DIRECTIONS} weights.")
        x = _decayed(loss, _minimum(loss, at), decay)
        hessian, constant = np.asarray(loss.hessian(x)), np.asarray(loss.covariance(x))
        curvature, axes = np.linalg.eigh(hessian + decay * np.eye(loss.dim))
        if curvature[0] < -FLAT * curvature[-1]:
            raise ValueError(f"the descent came to a saddle with the curvature {curvature[0]:.3g}; start it elsewhere, by `at`.")
        found = cls(loss, decay, x, hessian, curvature, axes, constant)
        found._check_noise()
        return found

    @property
    def curved(self) -> Which:
        """Along which axes the loss is not flat."""
        return np.asarray(self.curvature > FLAT * self.curvature[-1], dtype=np.bool_)

    def _check_noise(self) -> None:
        noise = np.diag(self.axes.T @ self.constant @ self.axes)
        scale = (float(np.trace(self.hessian)) * (1 + float(np.linalg.norm(self.x)))) ** 2
        if noise.sum() <= FLAT**2 * scale:
            raise ValueError("the gradients of all samples vanish at the minimum, so that SGD comes to rest there, and there is no "
                             "variance to measure; give the targets noise.")
        flat = ~self.curved
        if flat.any() and not (self.loss.is_quadratic and noise[flat].sum() <= FLAT * noise.sum()):
            raise ValueError(f"the loss is flat along {flat.sum()} of {len(flat)} directions at the minimum, along which SGD drifts "
                             "without end: there is no stationary law; take a `weight_decay`, a penalty, or a loss with isolated minima.")

    def theory(self, rate: float, size: int, sampling: str, momentum: float) -> Theory | str:
        """Return the covariance of iterates by theory; or why there is none."""
        settings: dict[str, Any] = {"learning_rate": rate, "momentum": momentum}
        kept = self.axes[:, self.curved]
        here: dict[str, Any] = {"curvature": self.curvature[self.curved], **settings}
        noise = kept.T @ self.constant @ kept
        shuffled, n = sampling == "reshuffle", self.loss.n_samples
        if sampling != "iid" and size == n:
            return "a batch of all samples has no noise"
        if shuffled:
            simple = reshuffled_covariance(constant=noise, batch_size=size, dataset_size=n, **here)
        else:
            simple = sgd_covariance(constant=noise * batch_factor(n, size, sampling), **here)
        if not simple.applies:
            return f"no stationary law: {simple.because}"
        additive = kept @ simple.covariance @ kept.T
        fits = self.loss.dim <= LARGEST and (not shuffled or self.loss.dim * (n // size) <= LARGEST_EPOCH)
        if not (fits and self.curved.all()):
            return Theory(additive, additive, "additive")
        settings |= {"batch_size": size, "weight_decay": self.weight_decay, "at": self.x}
        found = (reshuffled_moments(self.loss, **settings) if shuffled else
                 minibatch_moments(self.loss, sampling=sampling, **settings))
        if not found.applies:
            return f"no stationary law: {found.because}"
        return Theory(found.covariance, additive, "moments" if self.loss.is_quadratic else "quadratic")


@dataclass(frozen=True)
class Seen:
    """How variance and flatness are looked at: the arguments of `inverse_variance_flatness`."""

    axes: str
    flatness: str
    rise: float | None
    confidence: float


@dataclass(frozen=True, eq=False)
class Study:
    """What is the same at all points."""

    minimum: Minimum
    momentum: float
    seen: Seen
    n_paths: int
    n_steps: int | None
    max_steps: int
    key: Key

    @property
    def title(self) -> str:
        """What is run."""
        more = "".join(f", {name} {value:g}" for name, value in (("momentum", self.momentum), ("weight decay", self.minimum.weight_decay))
                       if value)
        loss = self.minimum.loss
        return f"variance against flatness of SGD: {loss.name}, {loss.n_samples} samples, {loss.dim} weights{more}"

    def point(self, rate: float, size: int, sampling: str, threads: int | None, progress: bool | None) -> FlatnessPoint:
        """Run SGD at one point of the grid, and measure."""
        theory = self.minimum.theory(rate, size, sampling, self.momentum)
        if isinstance(theory, str):
            return FlatnessPoint(rate, size, sampling, None, theory, None, None)
        window, relaxed = self.window(rate, max(1, self.minimum.loss.n_samples // size))
        left_out = self._left_out(relaxed)
        if window is None or relaxed.sum() < LEAST_DIRECTIONS:
            why = f"only {relaxed.sum()} directions relax within max_steps = {self.max_steps:g}, but {LEAST_DIRECTIONS} are needed"
            return FlatnessPoint(rate, size, sampling, None, why, theory, None, left_out)
        runs = self._run(rate, size, sampling, window, threads, progress)
        blown = runs.status == Status.DIVERGED
        try:
            loss = self.minimum.loss if self.seen.flatness == "width" else None
            chosen = self.minimum.axes[:, relaxed] if self.seen.axes == "hessian" else "principal"
            measured = inverse_variance_flatness(runs.w[~blown], loss=loss, hessian=self.minimum.hessian, at=self.minimum.x, axes=chosen,
                                                 flatness=self.seen.flatness, rise=self.seen.rise, confidence=self.seen.confidence)
        except ValueError as error:                     # too few directions can be used, or too few states: its message has the reasons
            return FlatnessPoint(rate, size, sampling, None, str(error), theory, window, left_out, int(blown.sum()))
        return FlatnessPoint(rate, size, sampling, measured, "", theory, window, left_out, int(blown.sum()))

    def window(self, rate: float, batches: int) -> tuple[Window | None, Which]:
        """Return which iterates to keep, for the slowest direction that can relax within the budget, and which directions can."""
        settling = relaxation(self.minimum.curvature, rate, self.momentum)
        budget = self.max_steps // self.n_paths
        for slowest in np.unique(settling[self.minimum.curved]):
            burn_in, state_each = math.ceil(RELAXATIONS / slowest), 2 / (slowest * self.n_paths)
            wanted = math.ceil(INDEPENDENT * state_each) if self.n_steps is None else self.n_steps
            steps = min(wanted, budget - burn_in)
            if steps >= min(wanted, math.ceil(2 * LEAST_EFFECTIVE * state_each)):
                return self._kept(burn_in, steps, batches), (settling >= slowest) & self.minimum.curved
        return None, np.zeros(len(settling), bool)

    def _kept(self, burn_in: int, steps: int, batches: int) -> Window:
        every = max(1, math.ceil(steps * self.n_paths * self.minimum.loss.dim / SAVED))
        while math.gcd(every, batches) > 1:
            every += 1
        saved = max(1, steps // every)
        return Window(self.n_paths, burn_in, every, saved - saved % batches if saved > batches else saved)

    def _left_out(self, relaxed: Which) -> tuple[str, ...]:
        flat, slow = ~self.minimum.curved, self.minimum.curvature[self.minimum.curved & ~relaxed]
        return (*("the loss is flat along a direction, and has no noise there" for _ in range(flat.sum())),
                *(f"the direction of curvature {h:.3g} can't relax within max_steps = {self.max_steps:g}" for h in slow))

    def _run(self, rate: float, size: int, sampling: str, window: Window, threads: int | None, progress: bool | None) -> SGDRuns:
        place = np.float64(rate).view(np.uint64)
        key = self.key.spawn(int(place) >> 32, int(place) % 2**32, size, kernels_of_sampling()[sampling])
        saved = rate * (window.burn_in + window.every * np.arange(1, window.n_saved + 1))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="stopped by|.* runs diverged")        # said in the report
            runs = run_sgd(self.minimum.loss, self.minimum.x, learning_rate=rate, batch_size=size, n_steps=window.n_steps,
                           sampling=sampling, momentum=self.momentum, weight_decay=self.minimum.weight_decay, t_eval=saved,
                           n_paths=window.n_paths, rng=key, threads=threads, progress=progress)
        if runs.stopped:
            raise KeyboardInterrupt
        return runs


def relaxation(curvature: Array, rate: float, momentum: float) -> Array:
    """Return at which rate per iteration the mean relaxes along axes: minus the logarithm of the larger root of z² − (1 + μ − η h) z + μ.

    Examples
    --------
    >>> from langevin_sgd.studies.flatness_of_sgd import relaxation
    >>> relaxation(np.array([1.0, 0.1]), 0.1, 0.0)
    array([0.10536052, 0.01005034])
    """
    middle = (1 + momentum - rate * curvature) / 2
    root = np.sqrt((middle**2 - momentum).astype(complex))
    return np.asarray(-np.log(np.maximum(np.abs(middle + root), np.abs(middle - root))))


def _minimum(loss: SampledLoss, at: ArrayLike | None) -> Array:
    if at is not None:
        return np.asarray(loss.minimum(state("at", at, loss.dim)).x)
    if loss.is_quadratic:
        return np.asarray(loss.minimum(np.zeros(loss.dim)).x)
    found = loss.minima()
    if not found:
        raise ValueError("no minimum was found from 32 starts; give `at`, from where to descend.")
    return np.asarray(found[0].x)


def _decayed(loss: SampledLoss, x: Array, decay: float) -> Array:
    """The minimum of the loss with its weight decay, by descent from that without, and Newton's method."""
    if not decay:
        return x
    if not loss.is_quadratic:
        from scipy.optimize import minimize
        x = minimize(lambda w: loss(w) + decay * float(w @ w) / 2, x, jac=lambda w: loss.gradient(w) + decay * w, method="L-BFGS-B").x
    for _ in range(NEWTON):
        step = np.linalg.solve(loss.hessian(x) + decay * np.eye(len(x)), loss.gradient(x) + decay * x)
        x = x - step
        if np.abs(step).max() <= 1e-12 * (1 + np.abs(x).max()):
            return x
    raise ValueError(f"with `weight_decay` = {decay:g} no minimum was found near that of the loss; take a smaller one.")
