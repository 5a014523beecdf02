"""The Fokker–Planck equation on a grid: one generator, many questions, in one to three dimensions."""
from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, positive
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE, check_is_equation
from langevin_sgd.theory.grids.certificate import certain_digits
from langevin_sgd.theory.grids.eliminated import Eliminated, planned, stationary_law
from langevin_sgd.theory.grids.generator import Generator, Jumps, Level
from langevin_sgd.theory.grids.grid import Grid
from langevin_sgd.theory.grids.grid_function import REFINEMENTS, GridFunction, extrapolated_estimate
from langevin_sgd.theory.grids.late_times import escape_rate, quasi_stationary_law, survival

MEMORY = 6e9            # bytes
BYTES_PER_CELL = 200    # and axis: rates, and what they are made of
KEPT = 6                # eliminations: one domain is asked several questions on three grids
Free = tuple[tuple[Region, float], ...]     # regions and signs: where sign × level is positive, the process lives
Source = Callable[[Eliminated], Array]
Answer = Callable[[Eliminated, int], Array]     # of what is left, and of the step from edge to edge


class FokkerPlanck:
    """The generator of an equation on a grid of cells: passage times, exit probabilities and stationary laws, at any barrier.

    Parameters
    ----------
    sde
        An equation of one to three components that does not depend on time, in any interpretation, with D > 0 in the box.
    grid
        The cells, a `Grid`.  The box ends with walls that give paths back: choose it so large that nothing comes there, or end it
        where the region ends.
    memory
        How many bytes an elimination may hold; it is told before it begins.

    Raises
    ------
    ValueError
        If the grid has another dimension than the equation, where drift or noise are not finite, or D not positive; from a question,
        if it takes more memory.

    Notes
    -----
    Source: `theory`, 1.3 and 8.1; D. L. Scharfetter & H. K. Gummel, IEEE Trans. Electron Devices 16, 64 (1969); W. K. Grassmann,
    M. I. Taksar & D. P. Heyman, Oper. Res. 33, 1107 (1985).  A Markov jump process from cell to cell with rates that are positive at any
    barrier; boundaries cut through cells where the region says.  Linear equations are solved without a subtraction, so that a mean
    time of 1e20 has as many digits as one of 1 (`GridFunction.digits` measures them).  Small problems are solved along a band, at a cost
    of cells × (cells of all axes but the longest)²; large ones by nested dissection, at about cells^1.5 in the plane and cells² in
    space.  On one core 400 × 240 cells take one second and 0.1 GB, 1000 × 1000 twenty and 1.3 GB, 60 × 60 × 60 half a minute and
    2.7 GB; 72 × 72 × 72 are the most that 6 GB are enough for, fewer where noise is a full matrix that needs jumps over many cells.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> gen = ls.FokkerPlanck(ls.systems.maier_stein(beta=2.0, strength=0.2), ls.Grid([(-2, 0), (-1.6, 1.6)], 64))
    >>> tau = gen.mean_passage_time(ls.HalfSpace([1.0, 0.0], 0.0))
    >>> tau.at([-1.0, 0.0])
    18.70... ± 0.00... (Fokker–Planck on a grid, Itô)
    """

    def __init__(self, sde: SDE, grid: Grid, *, memory: float = MEMORY) -> None:
        check_is_equation(sde)
        if not isinstance(grid, Grid):
            raise ValueError(f"`grid` is {grid!r}, but must be a grid, such as ls.Grid([(-2, 2)], 200).")
        if sde.dim != grid.dim:
            raise ValueError(f"`grid` has {grid.dim} axes, but the equation has {sde.dim} components.")
        if sde.depends_on_time:
            raise ValueError("`sde` depends on the time t, but a generator needs drift and noise that do not; simulate it, or fix t.")
        self.sde, self.grid, self.memory = sde, grid, positive("memory", memory)
        needed = BYTES_PER_CELL * math.prod(grid.shape) * grid.dim
        if needed > self.memory:
            raise ValueError(f"`grid` has {math.prod(grid.shape):.3g} cells, which take {needed / 1e9:.3g} GB for their rates alone, more "
                             f"than the `memory` of {self.memory / 1e9:.3g} GB; give it fewer cells, or more memory.")
        self._generator = functools.cache(lambda step: Generator(sde, grid.coarser(step)))
        self._density = functools.cache(self._stationary_density)
        self._kept: dict[tuple[int, Free], Eliminated] = {}
        self._lock = threading.RLock()
        self._generator(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(FokkerPlanck, memory=self.memory), (self.sde, self.grid)

    @property
    def generator(self) -> Generator:
        """The jump process itself: its rates, and its sparse matrix on a domain."""
        return self._generator(1)

    # ---------------------------------------------------------------------------------------------------------- questions

    def mean_passage_time(self, domain: Region) -> GridFunction:
        """Return the mean time until a path leaves the domain, for every start.

        Parameters
        ----------
        domain
            Any region; where it goes beyond the box, the box gives paths back.

        Returns
        -------
        GridFunction
            ``.at(x)`` is an `Estimate` with the error of the grid, ``.values`` the mean times from all cells.

        Raises
        ------
        ValueError
            If no cell is inside, or some cells cannot leave.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.systems.rotating_quadratic(strength=0.4), ls.Grid([(-1, 1), (-1, 1)], 64))
        >>> gen.mean_passage_time(ls.Ball([0, 0], 1.0)).at([0.0, 0.0])
        2.790... ± ... (Fokker–Planck on a grid, Itô)
        """
        return self._until_exit("mean passage time", domain, self._mean_times, source=_ones)

    def second_moment(self, domain: Region) -> GridFunction:
        """Return the mean square of the time until a path leaves the domain, for every start; arguments as `mean_passage_time`.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.systems.ornstein_uhlenbeck(), ls.Grid((-7, 2), 400))
        >>> square = gen.second_moment(ls.Interval(high=2.0)).at(0.0)
        >>> round(square.value, 1)
        214.0
        """
        def squares(run: Eliminated, _: int) -> Array:
            return 2 * run.solve(self._mean_times(run))
        return self._until_exit("mean square of the passage time", domain, squares)

    def committor(self, a: Region, b: Region) -> GridFunction:
        """Return the probability to reach region b before region a, for every start.

        Parameters
        ----------
        a, b
            Two regions without a common state.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> sde = ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + y**2/2"), temperature=0.05)
        >>> gen = ls.FokkerPlanck(sde, ls.Grid([(-1.6, 1.6), (-1.2, 1.2)], (64, 48)))
        >>> gen.committor(ls.Ball([-1, 0], 0.3), ls.Ball([1, 0], 0.3)).at([0.0, 0.2])
        0.5 ± ... (Fokker–Planck on a grid, Itô)
        """
        both = np.array([self._level("a", a)(self.grid.points), self._level("b", b)(self.grid.points)])
        if (both > 0).all(axis=0).any():
            raise ValueError(f"`a` and `b` have states in common, such as {self.grid.points[(both > 0).all(axis=0)][0].tolist()}; a path "
                             "there would have reached both.")

        def hits(run: Eliminated, _: int) -> Array:
            return np.minimum(run.solve(_into_the_second(run)), 1.0)      # above by rounding only

        def outside(x: Array) -> float:
            return float(self._level("b", b)(x) >= 0)
        return self._on_grid("probability to reach the second region first", ((a, -1.0), (b, -1.0)), hits, outside, is_probability=True,
                             source=_into_the_second)

    def stationary_density(self) -> GridFunction:
        """Return the stationary probability density in the box; ``.values`` times the volumes of cells add up to one.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.linear([[-1, 2], [-2, -1]], [[0.5, 0], [0, 0.5]]), ls.Grid([(-4, 4), (-4, 4)], 64))
        >>> round(gen.stationary_density().at([0.0, 0.0]).value, 4)       # 1 / π
        0.3183
        """
        return GridFunction("stationary density", self.grid, self._density(1), self.sde.interpretation, self._density)

    def probability_current(self) -> Array:
        """Return the stationary probability current J = f p − D ∇p (divergence form), an array (*shape of the grid, d).

        It vanishes for a gradient flow; where it does not, the equation breaks detailed balance.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.systems.rotating_quadratic(rotation=2.0), ls.Grid([(-4, 4), (-4, 4)], 64))
        >>> gen.probability_current().shape
        (64, 64, 2)
        """
        return self.generator.current(self._density(1).ravel()).reshape(*self.grid.shape, self.grid.dim)

    def escape_rate(self, domain: Region) -> Estimate:
        """Return the rate at which paths that have stayed in the domain for long leave it: the smallest eigenvalue.

        Parameters
        ----------
        domain
            As for `mean_passage_time`.

        Raises
        ------
        ValueError
            As for `mean_passage_time`; also if the domain has parts between which paths hardly change.

        Notes
        -----
        Source: `theory`, 8.1.  From the quasi-stationary law the time of exit is exponential with this rate; from a point it is not,
        and its mean is not 1 / rate.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.langevin(ls.landscapes.double_well(), temperature=0.1), ls.Grid((-3, 0), 400))
        >>> 1 / gen.escape_rate(ls.Interval(high=0.0)).value
        29.8104...
        """
        runs = [self._leaving(step, ((domain, 1.0),)) for step in REFINEMENTS]
        return extrapolated_estimate([escape_rate(run) for run in runs], "escape rate", self.sde.interpretation)

    def quasi_stationary_density(self, domain: Region) -> GridFunction:
        """Return the density of paths that have stayed in the domain for long; ``.values`` times the volumes of cells add up to one.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.SDE("0", ls.noise.Constant(2.0)), ls.Grid((0, 1), 64))
        >>> round(gen.quasi_stationary_density(ls.Interval(0, 1)).at(0.5).value, 4)       # π / 2
        1.5708
        """
        def density(run: Eliminated, step: int) -> Array:
            return quasi_stationary_law(run) / self.grid.coarser(step).volumes[run.jumps.cells]
        return self._until_exit("quasi-stationary density", domain, density)

    def survival(self, domain: Region, time: float) -> GridFunction:
        """Return the probability that a path has not left the domain at a time, for every start.

        Parameters
        ----------
        domain
            As for `mean_passage_time`.
        time
            In units of t.

        Notes
        -----
        Implicit steps in time, extrapolated to steps of no size: to about 1e-4 of the probability, also where it is 1e-20.  A large
        grid takes up to twice the memory that a mean passage time does, and three times the time.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> gen = ls.FokkerPlanck(ls.SDE("0", ls.noise.Constant(2.0)), ls.Grid((0, 1), 64))
        >>> round(gen.survival(ls.Interval(0, 1), 0.1).at(0.5).value, 4)       # Σ 4 sin(nπ/2) exp(−n² π² t) / (n π), n odd
        0.4745
        """
        at = positive("time", time)

        def left(run: Eliminated, _: int) -> Array:
            return np.minimum(survival(run, at, float(self._mean_times(run).max())), 1.0)
        return self._until_exit("probability not to have left", domain, left, is_probability=True)

    # --------------------------------------------------------------------------------------------------------------- parts

    def _stationary_density(self, step: int) -> Array:
        grid, jumps = self.grid.coarser(step), self._generator(step).jumps()
        plan = planned(jumps, self.memory)
        with self._lock:
            self._make_room(plan.bytes)
            return _filled(grid, jumps, stationary_law(plan, self.memory) / grid.volumes[jumps.cells])

    def _mean_times(self, run: Eliminated, _: int = 1) -> Array:
        return run.solve(_ones(run))

    def _until_exit(self, quantity: str, domain: Region, answer: Answer, *, is_probability: bool = False,
                    source: Source | None = None) -> GridFunction:
        level = self._level("domain", domain)

        def outside(x: Array) -> float:
            if level(x) < 0:
                raise ValueError(f"`x` is {x.tolist()}, but must lie in the domain {domain!r}.")
            return 0.0
        return self._on_grid(quantity, ((domain, 1.0),), answer, outside, is_probability=is_probability, source=source)

    def _on_grid(self, quantity: str, free: Free, answer: Answer, outside: Callable[[Array], float], *,
                 is_probability: bool = False, source: Source | None = None) -> GridFunction:
        def on(step: int) -> Array:
            run = self._leaving(step, free)
            values = answer(run, step)
            if not np.isfinite(values).all():
                raise ValueError(f"the {quantity} is above 1e308; ask for a smaller domain or more noise.")
            return _filled(self.grid.coarser(step), run.jumps, values)

        def level(x: Array) -> Array:
            return np.min([sign * self._level("region", region)(x) for region, sign in free], axis=0)

        @functools.cache
        def digits() -> float:
            assert source is not None
            run = self._leaving(1, free)
            return certain_digits(run, solved(1).ravel()[run.jumps.cells], source(run))
        solved = functools.cache(on)
        return GridFunction(quantity, self.grid, solved(1), self.sde.interpretation, solved, level, outside, is_probability,
                            digits if source is not None else None)

    def _leaving(self, step: int, free: Free) -> Eliminated:
        """The eliminated process on the grid of every `step`-th edge, of which all paths end."""
        with self._lock:                # of threads, one at a time: else they would hold too much memory together
            run = self._kept.pop((step, free), None) or self._eliminate(step, free)
            self._kept[step, free] = run
        if not run.ends:
            raise ValueError(f"paths from some cells of {self.grid.coarser(step)!r} never reach the boundary of "
                             f"{' or '.join(repr(region) for region, _ in free)}; it must be in the box of `grid`, or touch it.")
        return run

    def _eliminate(self, step: int, free: Free) -> Eliminated:
        levels = [_signed(self._level("region", region), sign) for region, sign in free]
        jumps = self._generator(step).jumps(levels)
        if not len(jumps.cells):
            raise ValueError(f"no cell of {self.grid.coarser(step)!r} is inside the domain; give `grid` other bounds or more cells.")
        plan = planned(jumps, self.memory)
        self._make_room(plan.bytes)
        return plan.eliminate(jumps.kill.sum(axis=0))

    def _make_room(self, needed: float) -> None:
        """Forget what was asked longest ago, so that not more than the memory is held."""
        while self._kept and (len(self._kept) >= KEPT or needed + sum(run.bytes for run in self._kept.values()) > self.memory):
            del self._kept[next(iter(self._kept))]

    def _level(self, name: str, region: Region) -> Level:
        if not isinstance(region, Region):
            raise ValueError(f"`{name}` is {region!r}, but must be a region, such as ls.Ball([0.0, 0.0], 1.0).")
        for end in region.reflections:
            if not np.isclose(end.at, self.grid.bounds[0, 0 if end.sign > 0 else 1], rtol=1e-12, atol=1e-12):
                raise ValueError(f"`{name}` reflects at {end.at:g}, but the box of `grid` is {self.grid.bounds[0].tolist()}; a reflecting "
                                 "end must be an end of the box.")
        variables, values = self.sde.variables, self.sde.values
        for face in itertools.chain.from_iterable(region.walls(variables)):
            for parameter, value in face.values.items():
                if values.get(parameter, value) != value:
                    raise ValueError(f"the parameter `{parameter}` has the value {values[parameter]:g} in the equation and {value:g} in "
                                     "the region; one name has one value.")
        one = self.grid.dim == 1

        def level(x: Array) -> Array:
            return np.asarray(region.level(x[..., 0] if one else x, variables, **values), dtype=float)
        return level


def _ones(run: Eliminated) -> Array:
    return np.ones(len(run.jumps.cells))


def _into_the_second(run: Eliminated) -> Array:
    return run.jumps.kill[1]


def _signed(level: Level, sign: float) -> Level:
    return lambda x: sign * level(x)


def _filled(grid: Grid, jumps: Jumps, values: Array) -> Array:
    """The values of the cells inside as an array of the shape of the grid, NaN outside."""
    full = np.full(int(np.prod(grid.shape)), np.nan)
    full[jumps.cells] = values
    return full.reshape(grid.shape)
