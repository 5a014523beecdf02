"""Chains themselves, in one dimension and at any step size: Euler–Maruyama, X' = X + b(X) dt + sqrt(2 D(X) dt) Z, and minibatch SGD.

The kernel of a step is discretised on Gauss–Legendre nodes (Nyström) and the chain between the nodes is solved by additions and products
of positive numbers alone, so that no digit is lost however long a passage takes (`theory`, 5.2).
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, one_of, positive, state, whole
from langevin_sgd.models.region import Interval
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.chains.density import ChainDensity, chain_density
from langevin_sgd.theory.chains.elimination import passage_sums
from langevin_sgd.theory.chains.minibatch_chain import BatchStep, passage
from langevin_sgd.theory.chains.settling import Surroundings, known, settled
from langevin_sgd.theory.chains.transition import Edge, Grid, Step
from langevin_sgd.theory.line.coefficients import check_exact
from langevin_sgd.theory.line.shares import shares_of_time

STEPS, HIGH, LOW = 0, 1, 2      # the sums over visits: of steps, and of exits at the high end and at the low one


@dataclass(frozen=True)
class Chain:
    """The Euler–Maruyama chain of a one-dimensional equation: b is its Itô drift, D = ε C / 2.  Or minibatch SGD on a loss over data.

    With dt = learning_rate and in the Itô convention, the former is SGD with Gaussian noise of covariance C / B; the latter has the real
    batches, drawn with replacement.

    Parameters
    ----------
    sde
        A one-dimensional equation, not depending on time; or a `SampledLoss` with one weight.
    dt
        The time step; for a loss over data, the learning rate.
    batch_size
        Of SGD on a loss over data; an equation has its own.

    Raises
    ------
    ValueError
        If the equation has more dimensions or depends on time, or dt is not positive.

    Notes
    -----
    Source: `theory`, 5.2.  Numbers are computed with two numbers of nodes and, towards infinite ends, in two windows; the interval of an
    `Estimate` is how far they are apart.

    Examples
    --------
    The quartic well: a path seen at its steps only reaches x = 0.5 later than a continuous one.

    >>> import langevin_sgd as ls
    >>> sde = ls.SDE("x - x**3", ls.noise.Constant(1.0), strength=0.2)
    >>> ls.Chain(sde, dt=0.01).mean_passage_time(-1.0, ls.Interval(high=0.5))
    59.4587705... ± ... (Nyström, Itô, dt = 0.01)
    >>> ls.exact.mean_passage_time(sde, -1.0, ls.Interval(high=0.5))
    58.877... ± ... (quadrature, Itô)

    Minibatch SGD itself, where no diffusion has the right time (`theory`, 4.6: the Itô equation with the same covariance says 93.4).

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=0.3)
    >>> ls.Chain(loss, dt=0.05).mean_passage_time(0.0, ls.Interval(high=1.0648))
    131... ± ... (lattice of real batches, dt = 0.05)
    """

    sde: SDE | SampledLoss
    dt: float
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.sde, SampledLoss):
            if self.sde.dim != 1:
                raise ValueError(f"`sde` is a loss with {self.sde.dim} weights, but a chain has one; simulate it with ls.run_sgd.")
            object.__setattr__(self, "batch_size", whole("batch_size", 1 if self.batch_size is None else self.batch_size))
        elif not isinstance(self.sde, SDE):
            raise ValueError(f"`sde` is {self.sde!r}, but must be an SDE, such as ls.sgd(loss, noise, learning_rate=0.1), or a loss over "
                             "data, such as ls.losses.linear_regression(x, y).")
        else:
            if self.batch_size is not None:
                raise ValueError("`batch_size` is given, but the equation has its own, in ε; leave it out.")
            check_exact(self.sde)
        object.__setattr__(self, "dt", positive("dt", self.dt))

    def mean_passage_time(self, x0: float, domain: Interval) -> Estimate:
        """Return the mean time until the chain, started at x0, is first outside the domain: dt times the mean number of steps.

        Parameters
        ----------
        x0
            Where paths start.
        domain
            An interval.  A reflecting end folds the step back, as in simulation; an infinite end is never reached.

        Returns
        -------
        Estimate
            In units of t = dt × steps; `.in_iterations(dt)` gives steps.

        Raises
        ------
        ValueError
            If x0 is outside, if the domain has no exit, or if D is not positive where the chain goes.
        QuadratureError
            If the relative error is above 1e-9, as it is where the mean is infinite; the error carries the best value.

        Notes
        -----
        Source: `theory`, 5.2.  A start exactly on the boundary takes no time.  The chain sees the boundary at its steps only, like
        ``monitoring="discrete"`` in simulation.  For real batches (5.2b) the mean is no smooth function of the start, and the number is
        right to a few parts in a thousand; the interval comes from lattices of different widths.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> sde = ls.sgd(ls.Landscape("x**2/2"), ls.noise.Constant(1.0), learning_rate=0.05)
        >>> tau = ls.Chain(sde, dt=0.05).mean_passage_time(0.0, ls.Interval(high=1.0))
        >>> f"{tau.value:.8e}"
        '3.64257340e+08'
        """
        return self._passage(x0, domain, "mean passage time", STEPS)

    def splitting_probability(self, x0: float, domain: Interval, exit: str = "high") -> Estimate:
        """Return the probability that the chain leaves the domain at one of its ends.

        Parameters
        ----------
        x0, domain
            As for `mean_passage_time`.
        exit
            "low" or "high".

        Returns
        -------
        Estimate
            Small probabilities are as accurate as large ones.

        Raises
        ------
        ValueError, QuadratureError
            As for `mean_passage_time`; also if there is no such exit.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> chain = ls.Chain(ls.SDE("0", ls.noise.Constant(1.0)), dt=0.01)
        >>> chain.splitting_probability(0.0, ls.Interval(-1.0, 1.0), "low")
        0.5 ± ... (Nyström, Itô, dt = 0.01)
        """
        name = one_of("exit", exit, ("low", "high"))
        return self._passage(x0, domain, f"probability of leaving through {name!r}", HIGH if name == "high" else LOW, name)

    def stationary_density(self, domain: Interval | None = None) -> ChainDensity:
        """Return the stationary probability density of the chain.

        Parameters
        ----------
        domain
            None for the whole line, or an interval: its finite ends fold the step back.

        Returns
        -------
        ChainDensity
            Callable; .log_density, .mean, .variance, .moment(k), .probability(low, high), .tail_index.

        Raises
        ------
        ValueError
            If there is no stationary law: the steps overshoot far out, or the noise there grows too fast.
        QuadratureError
            If a number is not right to 1e-9.

        Notes
        -----
        Source: `theory`, 5.1 and 5.2.  Where D grows like x², the law has a power tail, and its exponent A solves E|1 + b' dt + g Z|^A = 1
        (Kesten); moments below A exist.

        Examples
        --------
        SGD with the noise of a quadratic loss: at learning rate 0.1 the variance is 0.0294, where the equation says 0.0278.

        >>> import langevin_sgd as ls
        >>> sde = ls.sgd(ls.Landscape("x**2/2"), ls.noise.Quadratic(0.5, quadratic=2.0), learning_rate=0.1)
        >>> p = ls.Chain(sde, dt=0.1).stationary_density()
        >>> f"{p.variance:.10f}", f"{p.tail_index:.4f}"
        ('0.0294117647', '11.3913')
        """
        if isinstance(self.sde, SampledLoss):
            raise ValueError("the stationary law of real batches has no density in general; take ls.theory.minibatch_moments for quadratic "
                             "samples, or simulate with ls.run_sgd.")
        return chain_density(Step(self.sde, self.dt), domain)

    def _passage(self, x0: float, domain: Interval, quantity: str, wanted: int, exit: str | None = None) -> Estimate:
        start, exits = float(state("x0", x0, 1)[0]), _exits(domain)
        if not exits:
            raise ValueError(f"`domain` is {domain!r}, which no path leaves; give it a finite end that does not reflect.")
        if exit and exit not in exits:
            raise ValueError(f"`exit` is {exit!r}, but the domain has no such exit; it has {', '.join(map(repr, exits))}.")
        if not domain.low <= start <= domain.high:
            raise ValueError(f"`x0` is {start:g}, which lies outside the domain {domain!r}; start inside it.")
        if isinstance(self.sde, SampledLoss):
            return self._passage_of_batches(self.sde, start, domain, quantity, wanted)
        step = Step(self.sde, self.dt)
        at_once = [end for end in exits if start == getattr(domain, end)]
        if at_once:
            return known(step, float(exit in at_once), quantity)
        kinds = tuple(Edge.EXIT if end in exits else Edge.MIRROR for end in ("low", "high"))
        around = Surroundings.of(step, domain, start, (kinds[0], kinds[1]), shares_of_time)

        def number(grid: Grid) -> tuple[float, float]:
            value = float(_sums(grid, start)[wanted])
            value *= self.dt if wanted == STEPS else 1.0
            return (value, value) if value > 0 else (math.nan, math.nan)        # no probability is zero: it underflowed

        return settled(step, around, number, quantity)[0]

    def _passage_of_batches(self, loss: SampledLoss, start: float, domain: Interval, quantity: str, wanted: int) -> Estimate:
        if domain.reflect:
            raise ValueError(f"`domain` is {domain!r}, but SGD does not reflect: leave out `reflect`.")
        if start in (domain.low, domain.high):
            raise ValueError(f"`x0` is {start:g}, on the boundary of the domain; start inside it.")
        assert self.batch_size is not None, "This is a bug: a loss over data without a batch size."
        return passage(BatchStep(loss, self.dt, self.batch_size), start, domain, wanted, quantity)


def _exits(domain: Interval) -> list[str]:
    if not isinstance(domain, Interval):
        raise ValueError(f"`domain` is {domain!r}, but a chain jumps, and needs an Interval, such as ls.Interval(high=1.0).")
    return [end for end in ("low", "high") if math.isfinite(getattr(domain, end)) and domain.reflect != end]


def _sums(grid: Grid, start: float) -> Array:
    """The mean number of steps from a start, and the probabilities of the high end and of the low one, (3,)."""
    low, high = grid.exits(*grid.laws)
    sums = passage_sums(grid.moves(*grid.laws), low + high, np.stack([np.ones_like(low), high, low], axis=1))
    first: Any = grid.step(np.array([start]))
    low, high = grid.exits(*first)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.array([1.0, high[0], low[0]]) + (grid.moves(*first) @ sums)[0]
