"""Regions: where a path lives.  Leaving one ends the path, and the exit is labelled with the part of the boundary that was crossed.

Every region is brought into one form: an intersection of *walls*, each the union of *faces*.  A face is a level function, positive
inside; a wall is crossed when all its faces are at most zero.  An interval has two walls of one face each, the union of two balls
is one wall of two faces.
"""
from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, finite, numbers, one_of, parameter_values, points, positive
from langevin_sgd.models.expressions import free_names, parse, symbol, variable_names
from langevin_sgd.models.fields import Field, Names, SumField, SymbolicField, renamed
from langevin_sgd.models.landscape import Landscape, check_landscape


@dataclass(frozen=True)
class Face:
    """One smooth part of a boundary.

    Attributes
    ----------
    level
        A field, positive inside the region; it need not be a distance.
    gradient
        The gradient of the level.
    label
        What exits through this face are called.
    values
        Values of the parameters of the level, where the region gives them.
    at
        In one dimension, where the face is, if it is one known point.
    """

    level: Field
    gradient: Field
    label: str
    values: Mapping[str, float] = field(default_factory=dict)
    at: float | None = None

    def outside_in(self) -> Face:
        """Return the face of the complement."""
        return Face(_negative(self.level), _negative(self.gradient), self.label, self.values, self.at)


Wall = tuple[Face, ...]


@dataclass(frozen=True)
class Reflection:
    """An end of an interval that gives paths back instead of ending them: `sign` is +1 where the region lies above it."""

    at: float
    sign: int


class Region:
    """What all regions share: ``&``, ``|`` and ``~``, and the question whether a state lies inside."""

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the region as an intersection of walls, for a state with these components."""
        raise NotImplementedError

    @property
    def reflections(self) -> tuple[Reflection, ...]:
        """The reflecting ends (one dimension only)."""
        return ()

    def level(self, x: ArrayLike, variables: Sequence[str] | None = None, **values: float) -> Any:
        """Return the level of the region at states x (..., d): positive inside, the least over walls of the greatest over faces.

        The number of components is read off x, whose last axis is the component; plain numbers are states of one dimension only if
        the region is one-dimensional.
        """
        names = tuple(variables) if variables is not None else self._variables(x)
        states = points("x", x, len(names))
        inside = np.full(states.shape[:-1], np.inf)
        for wall in self.walls(names):
            heights = [_evaluated(face, states, values) for face in wall]
            inside = np.minimum(inside, np.max(heights, axis=0))
        for end in self.reflections:
            inside = np.minimum(inside, np.where(end.sign * (states[..., 0] - end.at) >= 0, np.inf, -np.inf))
        return float(inside) if inside.ndim == 0 else inside

    def contains(self, x: ArrayLike, variables: Sequence[str] | None = None, **values: float) -> Any:
        """Tell for states x (..., d) whether they lie inside; a state on the boundary does not."""
        inside = np.asarray(self.level(x, variables, **values)) > 0
        return inside if inside.ndim else bool(inside)

    def _variables(self, x: ArrayLike) -> Names:
        size, conditions = np.shape(x)[-1] if np.ndim(x) else 1, self._conditions()
        given = next((c.given for c in conditions if c.given), None)
        return variable_names([c.text for c in conditions], given, {n for c in conditions for n in c.values}, self.dim or size)

    def _conditions(self) -> tuple[Where, ...]:
        """The `Where` regions that this one is made of: they say how the components of the state are called."""
        return ()

    @property
    def dim(self) -> int | None:
        """Number of components that the region fixes; None if it fits any."""
        return None

    def __and__(self, other: Region) -> Region:
        return Intersection(self, _region(other))

    def __or__(self, other: Region) -> Region:
        return Union(self, _region(other))

    def __invert__(self) -> Region:
        return Complement(self)


@dataclass(frozen=True)
class Interval(Region):
    """The states between two numbers; exits are labelled "low" and "high".

    Parameters
    ----------
    low, high
        The ends; infinite ones are never reached.
    reflect
        "low" or "high": this end gives paths back instead of ending them.  Exact in the exact methods; in simulation the step is
        folded, with a bias of order sqrt(dt).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Interval(high=0.5).contains([-1.0, 0.5, 2.0])
    array([ True, False, False])
    """

    low: float = -math.inf
    high: float = math.inf
    reflect: str | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, float(numbers(name, getattr(self, name), infinite=True)))
        if not self.low < self.high:
            raise ValueError(f"`low` is {self.low:g} and `high` {self.high:g}, but low must be below high.")
        one_of("reflect", self.reflect, (None, "low", "high"))
        if self.reflect and not math.isfinite(getattr(self, self.reflect)):
            raise ValueError(f"`reflect` is {self.reflect!r}, but that end is infinite; give `{self.reflect}` as well.")

    @property
    def dim(self) -> int:
        """An interval is one-dimensional."""
        return 1

    @property
    def reflections(self) -> tuple[Reflection, ...]:
        """The reflecting end, if any."""
        return () if not self.reflect else (Reflection(self.low, 1) if self.reflect == "low" else Reflection(self.high, -1),)

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return a wall for each end that ends paths."""
        if len(variables) != 1:
            raise ValueError(f"an Interval is one-dimensional, but the state has {len(variables)} components; "
                             "use Box, HalfSpace or Ball.")
        ends = [(end, name, sign) for end, name, sign in ((self.low, "low", 1), (self.high, "high", -1))
                if math.isfinite(end) and name != self.reflect]
        return tuple((_flat_face(variables, {0: sign}, -sign * end, name, at=end),) for end, name, sign in ends)


@dataclass(frozen=True, eq=False)
class Box(Region):
    """The states with low < x < high in every component; exits are labelled "x low", "y high", ... after the component.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Box([-1, -2], [1, 2]).contains([0.0, 2.5])
    False
    """

    low: ArrayLike
    high: ArrayLike

    def __post_init__(self) -> None:
        low, high = (np.atleast_1d(numbers(n, getattr(self, n), infinite=True)) for n in ("low", "high"))
        if low.ndim != 1 or low.shape != high.shape or not (low < high).all():
            raise ValueError(f"`low` is {self.low!r} and `high` {self.high!r}, but they must be arrays of one length, low below high.")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(np.asarray(self.low))

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return a wall for each finite end of each component."""
        _check_dim(self, variables)
        ends = [(k, end[k], name, sign) for k in range(self.dim)
                for end, name, sign in ((np.asarray(self.low), "low", 1), (np.asarray(self.high), "high", -1)) if np.isfinite(end[k])]
        return tuple((_flat_face(variables, {k: sign}, -sign * float(end), f"{variables[k]} {name}",
                                 at=float(end) if self.dim == 1 else None),) for k, end, name, sign in ends)


@dataclass(frozen=True, eq=False)
class HalfSpace(Region):
    """The states with normal · x < offset; exits are labelled "half-space", or as `label` says.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.HalfSpace([1.0, 1.0], 0.0).contains([-1.0, 0.5])
    True
    """

    normal: ArrayLike
    offset: float
    label: str = "half-space"

    def __post_init__(self) -> None:
        normal = np.atleast_1d(numbers("normal", self.normal))
        if normal.ndim != 1 or not normal.any():
            raise ValueError(f"`normal` is {self.normal!r}, but must be a vector other than zero.")
        object.__setattr__(self, "normal", normal)
        object.__setattr__(self, "offset", finite("offset", self.offset))

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(np.asarray(self.normal))

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the one wall."""
        _check_dim(self, variables)
        normal = np.asarray(self.normal)
        at = self.offset / normal[0] if self.dim == 1 else None
        return ((_flat_face(variables, {k: -n for k, n in enumerate(normal) if n}, self.offset, self.label, at=at),),)


@dataclass(frozen=True, eq=False)
class Ball(Region):
    """The states within `radius` of `center`; exits are labelled "ball", or as `label` says.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> (~ls.Ball([0.0, 0.0], 1.0)).contains([2.0, 0.0])
    True
    """

    center: ArrayLike
    radius: float
    label: str = "ball"

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", np.atleast_1d(numbers("center", self.center)))
        object.__setattr__(self, "radius", positive("radius", self.radius))

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(np.asarray(self.center))

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the one wall, with the level (radius² − |x − center|²) / (2 radius)."""
        _check_dim(self, variables)
        center, radius = np.asarray(self.center), _unique("radius", self)
        shifts = [symbol(v) - _unique(f"center[{k}]", self) for k, v in enumerate(variables)]
        level = (radius**2 - sum(s**2 for s in shifts)) / (2 * radius)
        values = {radius.name: self.radius, **{_unique(f"center[{k}]", self).name: float(c) for k, c in enumerate(center)}}
        return ((_face(SymbolicField((level,), variables), self.label, values),),)


@dataclass(frozen=True, eq=False)
class Sublevel(Region):
    """The states where the landscape is below a level; exits are labelled "sublevel", or as `label` says.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Sublevel(ls.Landscape("x**2 + y**2"), 1.0).contains([0.5, 0.5])
    True
    """

    landscape: Landscape
    height: float
    label: str = "sublevel"

    def __init__(self, landscape: Landscape, level: float, label: str = "sublevel") -> None:
        check_landscape("landscape", landscape)
        object.__setattr__(self, "landscape", landscape)
        object.__setattr__(self, "height", finite("level", level))
        object.__setattr__(self, "label", label)

    @property
    def dim(self) -> int:
        """Number of components of the landscape."""
        return self.landscape.dim

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the one wall."""
        _check_dim(self, variables)
        height = _unique("level", self)
        values = {**self.landscape.values, height.name: self.height}
        if isinstance(self.landscape.value_field, SymbolicField):
            level = height - self.landscape.value_field.expressions[0]
            return ((_face(SymbolicField((level,), self.landscape.variables), self.label, values),),)
        constant = SymbolicField((height,), variables)
        level_field = SumField(((constant, 1.0, ()), (self.landscape.value_field, -1.0, ())))
        return ((Face(level_field, SumField(((self.landscape.gradient_field, -1.0, ()),)), self.label, values),),)


class Where(Region):
    """The states where an expression is positive; exits are labelled "where", or as `label` says.

    Parameters
    ----------
    expression
        A text, as for `Landscape`; other symbols are parameters of the equation, or get a value here.
    variables
        Other names for the components of the state.
    label
        What exits are called.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Where("0.5 - x").contains(0.2)
    True
    """

    def __init__(self, expression: str, *, variables: Sequence[str] | None = None, label: str = "where", **values: float) -> None:
        self.text, self.label, self.values = expression, label, parameter_values(values)
        self.expression = parse(expression)
        self.given = tuple(variables) if variables is not None else None
        if "t" in free_names([self.expression]):
            raise ValueError(f"the region {expression!r} depends on the time t; moving boundaries are not offered.")

    @property
    def dim(self) -> int | None:
        """Number of components if it was given."""
        return len(self.given) if self.given else len(variable_names([self.text], None, self.values))

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the one wall."""
        return ((_face(SymbolicField((self.expression,), variables), self.label, self.values),),)

    def _conditions(self) -> tuple[Where, ...]:
        return (self,)

    def __repr__(self) -> str:
        return f"Where({self.text!r})"


@dataclass(frozen=True, eq=False)
class Intersection(Region):
    """The states inside both regions."""

    first: Region
    second: Region

    @property
    def dim(self) -> int | None:
        """Number of components: the larger of the two, where a `Where` names fewer than there are."""
        return max(filter(None, (self.first.dim, self.second.dim)), default=None)

    def _conditions(self) -> tuple[Where, ...]:
        return self.first._conditions() + self.second._conditions()

    @property
    def reflections(self) -> tuple[Reflection, ...]:
        """The reflecting ends of both."""
        return self.first.reflections + self.second.reflections

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the walls of both."""
        return self.first.walls(variables) + self.second.walls(variables)

    def __repr__(self) -> str:
        return f"({self.first!r} & {self.second!r})"


@dataclass(frozen=True, eq=False)
class Union(Region):
    """The states inside at least one of two regions."""

    first: Region
    second: Region

    def __post_init__(self) -> None:
        _refuse_reflection(self.first, self.second)

    @property
    def dim(self) -> int | None:
        """Number of components: the larger of the two, where a `Where` names fewer than there are."""
        return max(filter(None, (self.first.dim, self.second.dim)), default=None)

    def _conditions(self) -> tuple[Where, ...]:
        return self.first._conditions() + self.second._conditions()

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return each wall of the one joined with each wall of the other."""
        pairs = itertools.product(self.first.walls(variables), self.second.walls(variables))
        return tuple((*a, *b) for a, b in pairs)

    def __repr__(self) -> str:
        return f"({self.first!r} | {self.second!r})"


@dataclass(frozen=True, eq=False)
class Complement(Region):
    """The states outside a region."""

    region: Region

    def __post_init__(self) -> None:
        _refuse_reflection(self.region)

    @property
    def dim(self) -> int | None:
        """Number of components."""
        return self.region.dim

    def _conditions(self) -> tuple[Where, ...]:
        return self.region._conditions()

    def walls(self, variables: Names) -> tuple[Wall, ...]:
        """Return the walls after De Morgan: one face out of every wall, turned outside in.

        Where the region is made of others, theirs are turned instead: the walls of two boxes joined would make 65536 choices.
        """
        match self.region:
            case Complement(region=inner):
                return inner.walls(variables)
            case Union(first=a, second=b):
                return (~a & ~b).walls(variables)
            case Intersection(first=a, second=b) if a.walls(variables) and b.walls(variables):
                return (~a | ~b).walls(variables)
        walls = self.region.walls(variables)
        if not walls:
            raise ValueError(f"the complement of {self.region!r} is empty: nothing can live there.")
        return tuple(tuple(face.outside_in() for face in choice) for choice in itertools.product(*walls))

    def __repr__(self) -> str:
        return f"~{self.region!r}"


def _evaluated(face: Face, states: Array, values: Mapping[str, float]) -> Array:
    known = {**values, **face.values}
    return face.level.vector(tuple(known))(states, 0.0, tuple(known.values()))


@functools.lru_cache(maxsize=256)
def boundary(region: Region, variables: Names) -> tuple[Wall, ...]:
    """Return the walls of a region, with the numbers of each face under names of its own."""
    count = itertools.count()
    return tuple(tuple(_numbered(face, next(count)) for face in wall) for wall in region.walls(variables))


def _numbered(face: Face, k: int) -> Face:
    names = {name: f"region[{k}]{name[6:]}" for name in face.values if name.startswith("region.")}
    values = {names.get(name, name): value for name, value in face.values.items()}
    return Face(renamed(face.level, names), renamed(face.gradient, names), face.label, values, face.at)


def _region(other: Any) -> Region:
    if not isinstance(other, Region):
        raise ValueError(f"{other!r} is not a region; combine Interval, Ball, HalfSpace, Box, Sublevel and Where with & | ~.")
    return other


def _refuse_reflection(*regions: Region) -> None:
    if any(region.reflections for region in regions):
        raise ValueError("an interval with a reflecting end can be combined with & only: outside it there is nothing.")


def _check_dim(region: Region, variables: Names) -> None:
    if region.dim != len(variables):
        raise ValueError(f"the region {type(region).__name__} has {region.dim} components, but the state has {len(variables)}.")


def _face(level: SymbolicField, label: str, values: Mapping[str, float], at: float | None = None) -> Face:
    return Face(level, level.gradient(), label, values, at)


def _flat_face(variables: Names, slopes: Mapping[int, float], offset: float, label: str, at: float | None) -> Face:
    """A face with the level Σ slope_k x_k + offset; unit slopes are written out, and all other numbers are parameters."""
    import sympy
    place = f"region.{label}"
    parts, values = [], {f"{place}.offset": offset}
    for k, slope in slopes.items():
        if abs(slope) == 1:
            parts.append(sympy.Integer(int(slope)) * symbol(variables[k]))
        else:
            values[f"{place}.slope[{k}]"] = float(slope)
            parts.append(symbol(f"{place}.slope[{k}]") * symbol(variables[k]))
    return _face(SymbolicField((sum(parts) + symbol(f"{place}.offset"),), variables), label, values, at)


def _unique(name: str, region: Any) -> Any:
    return symbol(f"region.{region.label}.{name}")


def _negative(level: Field) -> Field:
    return -level if isinstance(level, SymbolicField) else SumField(((level, -1.0, ()),))
