"""The inverse relation of variance and flatness, and what resolves it: the second command's study.

On one quadratic loss whose curvatures span a factor 100, SGD runs under noise that grows differently with the curvature.  Along each
axis of the Hessian the variance is measured, and ψ in variance ∝ flatness^−ψ.  Boltzmann's law in the *loss* would have ψ = −2 for all of
them.  Boltzmann's law in φ holds for all of them: φ comes from the Hessian and the covariance of the gradients of single samples,
measured apart, and never from the variances; with the D of another noise it fails.  Then the same noise under other samplings: an
exponent says nothing about the noise before it is known how samples were drawn, and how long the window was.
"""
from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.answers import FAR
from langevin_sgd.models.arguments import Array, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import Landscape
from langevin_sgd.models.losses import deep_linear_chain
from langevin_sgd.models.noise_families import Anisotropic, Constant, LossProportional, Noise
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE, sgd
from langevin_sgd.simulation.minibatch import run_sgd
from langevin_sgd.simulation.trajectories import simulate
from langevin_sgd.studies.flatness_exponent import VarianceFlatness, inverse_variance_flatness
from langevin_sgd.theory.decompositions.decomposition import decompose
from langevin_sgd.theory.sgd.variance_flatness import VarianceLine, variance_line

CURVATURES = np.logspace(-1.3, 0.7, 10)
FLOOR = 1.0             # the loss at the minimum
PATHS = 4000
RELAXATIONS = 5.0       # of the flattest direction, before its variance is taken: what is missing is exp(−10)
BATCH, BATCHES = 10, 50         # of the runs with minibatches: 500 samples
REPLICAS, EPOCHS, SAVED_EVERY = 128, 80, 4      # of every fourth epoch all iterates are kept
CONTROL_FAILS = 8.0     # standard errors by which the control must be off, in some direction
LARGEST = 5.0           # standard errors that one of the 50 comparisons of a direction may be off by chance: 3e-5 for all


@dataclass(frozen=True)
class Kind:
    """One kind of noise.

    Attributes
    ----------
    name
        As printed.
    power
        m in C ∝ H^m at the minimum.
    noise
        Makes the noise from the loss and the variances of the gradient of one sample at its minimum (d,).
    grows
        Whether it is in proportion to the loss.
    """

    name: str
    power: int
    noise: Callable[[Landscape, Array], Noise]
    grows: bool = False

    @property
    def constant(self) -> Array:
        """C at the minimum along each axis of the Hessian, 1 on average."""
        c = CURVATURES**self.power
        return np.asarray(c / c.mean())


@dataclass(frozen=True, eq=False)
class Compared:
    """Measured variances beside the exact ones.

    Attributes
    ----------
    measured
        Variance and flatness along the axes of the Hessian.
    line
        The theory of both.
    """

    measured: VarianceFlatness
    line: VarianceLine

    @property
    def exact_exponent(self) -> float:
        """ψ of the exact variances, along the same directions."""
        return self.measured.exponent_of(self.line.variance)

    @property
    def z(self) -> float:
        """Measured ψ less the exact one, over its standard error by chance."""
        return (self.measured.exponent.value - self.exact_exponent) / self.measured.fit.chance

    @property
    def deviation(self) -> float:
        """The largest deviation of a variance from the exact one, in standard errors."""
        m = self.measured
        return float(np.abs(np.log(m.variance / self.line.variance) / (m.variance_error / m.variance)).max())

    @property
    def as_predicted(self) -> bool:
        """Whether ψ and all variances are."""
        return abs(self.z) < FAR and self.deviation < LARGEST


@dataclass(frozen=True, eq=False)
class Case:
    """A kind of noise with what was measured.

    Attributes
    ----------
    kind
        The noise.
    compared
        Variance and flatness along the axes of the Hessian, beside theory.
    F, D
        The drift, minus the Hessian at the mean iterate, and half ε times the covariance of the noise in the gradients of single samples,
        one at each iterate: noise that grows with the loss is seen as large as it is where SGD is.
    diffusion_error
        The standard error of ln D along each axis.
    potential_curvature
        φ″ along each axis, from F and D.
    control
        The same with the D of another noise; None where there is no other.
    """

    kind: Kind
    compared: Compared
    F: Array
    D: Array
    diffusion_error: Array
    potential_curvature: Array
    control: Array | None = None

    @property
    def variance(self) -> Array:
        """σ² along each axis."""
        return self.compared.measured.variance

    @property
    def variance_error(self) -> Array:
        """Its standard error."""
        return self.compared.measured.variance_error

    @property
    def loss_curvature(self) -> Array:
        """L″ along each axis."""
        return self.compared.measured.curvature

    @property
    def boltzmann(self) -> Array:
        """Ln(σ² φ″) along each axis in standard errors: zero by Boltzmann's law in φ."""
        return self._deviation(self.potential_curvature)

    @property
    def boltzmann_of_control(self) -> float:
        """The largest deviation with the wrong D, in standard errors; NaN without a control."""
        return math.nan if self.control is None else float(np.abs(self._deviation(self.control)).max())

    @property
    def product(self) -> float:
        """The geometric mean of σ² φ″: 1 by Boltzmann's law."""
        return float(np.exp(np.log(self.variance * self.potential_curvature).mean()))

    @property
    def agrees(self) -> bool:
        """Whether ψ is as predicted, Boltzmann's law holds in φ, and fails with another D."""
        fails = self.control is None or self.boltzmann_of_control > CONTROL_FAILS
        return self.compared.as_predicted and float(np.abs(self.boltzmann).max()) < LARGEST and fails

    def _deviation(self, curvature: Array) -> Array:
        error = np.hypot(self.variance_error / self.variance, self.diffusion_error)
        return np.asarray(np.log(self.variance * curvature) / error)


@dataclass(frozen=True, eq=False)
class Sampling:
    """Minibatches drawn in one way, and seen in one way."""

    name: str
    compared: Compared


@dataclass(frozen=True, eq=False)
class InverseFlatness:
    """The study: a `Case` for each kind of noise, and a `Sampling` for each way to draw and see minibatches."""

    learning_rate: float
    batch_size: int
    n_paths: int
    key: Key
    cases: tuple[Case, ...]
    samplings: tuple[Sampling, ...]
    stopped: str = ""

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    @property
    def holds(self) -> bool:
        """Whether everything agrees that should, and the controls fail."""
        return all(case.agrees for case in self.cases) and all(s.compared.as_predicted for s in self.samplings)


def inverse_flatness(learning_rate: float = 0.02, batch_size: int = 1, n_paths: int | None = None, rng: Any = None, *,
                     say: Callable[[str], None] = lambda _: None) -> InverseFlatness:
    """Run the study.

    Parameters
    ----------
    learning_rate, batch_size
        Of SGD.
    n_paths
        Runs of SGD for each kind of noise; 4000 if None.
    rng
        As for `simulate`.
    say
        Called with a line of progress before each part.

    Raises
    ------
    ValueError
        If an argument is not what it should be, or SGD is unstable at this learning rate.

    Examples
    --------
    >>> from langevin_sgd.studies.inverse_flatness import KINDS
    >>> [kind.name for kind in KINDS][:3]
    ['C constant', 'C ∝ H', 'C ∝ H²']
    """
    key, paths = Key.draw(rng), whole("n_paths", PATHS if n_paths is None else n_paths, least=100)
    settings = Settings(positive("learning_rate", learning_rate), whole("batch_size", batch_size))
    lines = [settings.line(kind) for kind in KINDS]
    for line in lines:
        if not np.isfinite(line.variance).all():
            raise ValueError(f"`learning_rate` is {learning_rate:g}, and SGD has no stationary law: {line.because}; lower it.")
    cases: list[Case] = []
    samplings: list[Sampling] = []
    stopped = ""
    try:
        for k, (kind, line) in enumerate(zip(KINDS, lines, strict=True)):
            say(f"[{k + 1}/{len(KINDS) + 1}] {kind.name}")
            case = settings.measure(kind, line, paths, key.spawn(k))
            if case is None:
                raise KeyboardInterrupt
            cases.append(case)
        say(f"[{len(KINDS) + 1}/{len(KINDS) + 1}] minibatches, independent and reshuffled")
        samplings += settings.samplings(key.spawn(len(KINDS)))
    except KeyboardInterrupt:
        if not cases:
            raise
        stopped = "Ctrl-C"
    return InverseFlatness(learning_rate, settings.batch_size, paths, key, settings.with_controls(cases), tuple(samplings), stopped)


@dataclass(frozen=True)
class Settings:
    """What is the same for all kinds of noise."""

    learning_rate: float
    batch_size: int

    @property
    def strength(self) -> float:
        """ε."""
        return self.learning_rate / self.batch_size

    def equation(self, kind: Kind) -> SDE:
        """Return SGD under one kind of noise; Euler's steps of the learning rate are its iterations with Gaussian noise."""
        names = [f"x{k + 1}" for k in range(len(CURVATURES))]
        loss = Landscape(" + ".join(["floor", *(f"h{n}*{n}**2/2" for n in names)]), variables=names, floor=FLOOR,
                         **{f"h{n}": float(h) for n, h in zip(names, CURVATURES, strict=True)})
        return sgd(loss, kind.noise(loss, kind.constant), self.learning_rate, self.batch_size)

    def line(self, kind: Kind) -> VarianceLine:
        """Return the theory."""
        return variance_line(curvature=CURVATURES, constant=kind.constant, learning_rate=self.learning_rate, batch_size=self.batch_size,
                             floor=FLOOR if kind.grows else None)

    def measure(self, kind: Kind, line: VarianceLine, n_paths: int, key: Key) -> Case | None:
        """Run SGD, and measure what is compared; None if it was interrupted."""
        sde = self.equation(kind)
        steps = math.ceil(RELAXATIONS / (self.learning_rate * CURVATURES.min()))
        end = steps * self.learning_rate
        runs = simulate(sde, np.zeros(sde.dim), (0, end), self.learning_rate, n_paths, [end], rng=key.spawn(0))
        if runs.stopped:
            return None
        loss = sde.landscape
        assert loss is not None, "This is a bug: SGD has a loss."
        x = runs.x[:, 0]
        measured = inverse_variance_flatness(runs.x, loss=loss, axes="hessian")
        gradients = gradients_of_samples(sde, x, np.random.default_rng(key.spawn(1).value))
        noise = gradients - loss.gradient(x)
        drift, diffusion = -loss.hessian(x.mean(axis=0)), self.strength * np.cov(noise.T) / 2
        squares = (noise @ measured.axes) ** 2
        error = squares.std(axis=0) / squares.mean(axis=0) / math.sqrt(n_paths)
        return Case(kind, Compared(measured, line), drift, diffusion, error,
                    potential_curvature(drift, diffusion, self.learning_rate, measured.axes))

    def with_controls(self, cases: list[Case]) -> tuple[Case, ...]:
        """Return the cases, each with φ″ from its own F and the D of the next as its control."""
        if len(cases) < 2:
            return tuple(cases)
        others = [*cases[1:], cases[0]]
        return tuple(dataclasses.replace(c, control=potential_curvature(c.F, other.D, self.learning_rate, c.compared.measured.axes))
                     for c, other in zip(cases, others, strict=True))

    def samplings(self, key: Key) -> list[Sampling]:
        """Return C ∝ H with minibatches: independent, reshuffled, and independent seen through windows of one epoch."""
        c = CURVATURES / CURVATURES.mean()
        line = functools.partial(variance_line, curvature=CURVATURES, constant=c, learning_rate=self.learning_rate, batch_size=BATCH)
        measured = functools.partial(inverse_variance_flatness, hessian=CURVATURES, axes=np.eye(len(CURVATURES)))
        loss = loss_with_noise(c, np.random.default_rng(key.spawn(0).value))
        runs = {sampling: self.iterates(loss, sampling, key.spawn(1 + k)) for k, sampling in enumerate(("iid", "reshuffle"))}
        windows = runs["iid"].reshape(-1, BATCHES, len(CURVATURES))
        seen = {"independent batches": (measured(runs["iid"]), line()),
                "reshuffled every epoch": (measured(runs["reshuffle"]), line(sampling="reshuffle", dataset_size=BATCH * BATCHES)),
                "independent, windows of an epoch": (measured(windows, each_alone=True, drop=0), line(window=BATCHES))}
        return [Sampling(name, Compared(*pair)) for name, pair in seen.items()]


    def iterates(self, loss: SampledLoss, sampling: str, key: Key) -> Array:
        """Run SGD with minibatches, and return the iterates of every fourth epoch after the burn-in (replica, time, d)."""
        burn_in = math.ceil(RELAXATIONS / (self.learning_rate * CURVATURES.min() * BATCHES))
        epochs = burn_in + np.arange(0, EPOCHS, SAVED_EVERY)
        steps = (BATCHES * epochs[:, None] + np.arange(1, BATCHES + 1)).ravel()
        runs = run_sgd(loss, np.zeros(loss.dim), learning_rate=self.learning_rate, batch_size=BATCH, n_steps=int(steps[-1]),
                       sampling=sampling, t_eval=self.learning_rate * steps, n_paths=REPLICAS, rng=key, progress=False)
        if runs.stopped:
            raise KeyboardInterrupt
        return runs.w


def loss_with_noise(constant: Array, rng: np.random.Generator) -> SampledLoss:
    """Return a loss over data with these curvatures, whose noise has exactly the covariance diag(constant), the same everywhere.

    Its samples differ in where their minimum lies, Σ (√h w − y)² / 2, and the common one is 0.
    """
    y = rng.normal(size=(BATCH * BATCHES, len(constant)))
    y -= y.mean(axis=0)
    y = np.linalg.solve(np.linalg.cholesky(y.T @ y / len(y)), y.T).T * np.sqrt(constant / CURVATURES)
    return deep_linear_chain(np.tile(np.sqrt(CURVATURES), (len(y), 1)), y, depth=1)


def gradients_of_samples(sde: SDE, x: Array, rng: np.random.Generator) -> Array:
    """Return the gradient of one sample at each state (n, d): that of the loss, and noise with the covariance C there, a diagonal one."""
    assert sde.landscape is not None, "This is a bug: SGD has a loss."
    variances = 2 * np.diagonal(sde.diffusion(x), axis1=-2, axis2=-1) / sde.strength.value
    return np.asarray(sde.landscape.gradient(x) + np.sqrt(variances) * rng.normal(size=x.shape))


def potential_curvature(drift: Array, diffusion: Array, learning_rate: float, axes: Array) -> Array:
    """Return φ″ along axes (d, k), from the matrices F and D of SGD; σ² φ″ = 1 where these are the axes of φ, as where F and D commute."""
    u = decompose(F=drift, D=diffusion, dt=learning_rate).U
    return np.asarray(np.einsum("ik,ij,jk->k", axes, u, axes))


def _diagonal(_: Landscape, constant: Array) -> Noise:
    return Anisotropic(np.diag(constant))


def _in_proportion(loss: Landscape, constant: Array) -> Noise:
    return LossProportional(loss, 1 / FLOOR, FLOOR, matrix=np.diag(constant), minimum=FLOOR)


KINDS: tuple[Kind, ...] = (
    Kind("C constant", 0, lambda _, constant: Constant(float(constant[0]))),
    Kind("C ∝ H", 1, _diagonal),
    Kind("C ∝ H²", 2, _diagonal),
    Kind("C ∝ L · I", 0, _in_proportion, grows=True),
    Kind("C ∝ L · H", 1, _in_proportion, grows=True),
)
