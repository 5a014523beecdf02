"""The loss landscape: value, gradient and Hessian, and the critical points."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, numbers, parameter_values, points, whole
from langevin_sgd.models.expressions import parse, variable_names
from langevin_sgd.models.fields import Field, FunctionField, Names, SymbolicField, VectorFunction
from langevin_sgd.models.roots import roots_between, stationary_points


@dataclass(frozen=True)
class CriticalPoint:
    """A point where the gradient vanishes (or, at a corner in one dimension, jumps through zero).

    Attributes
    ----------
    x
        The point: a float in one dimension, an array (d,) in more.
    value
        The loss there.
    hessian
        The second derivative (a float, infinite at a corner), or the Hessian (d, d).
    index
        The number of descending directions: 0 a minimum, 1 a saddle (in one dimension a maximum).
    """

    x: Any
    value: float
    hessian: Any
    index: int

    @property
    def kind(self) -> str:
        """The index in a word."""
        return {0: "minimum", 1: "saddle"}.get(self.index, f"saddle of index {self.index}")

    def __str__(self) -> str:
        return f"{self.kind} at {np.array2string(np.asarray(self.x), precision=6)}, value {self.value:.6g}"


class Landscape:
    """A loss L(w), given by an expression; gradient and Hessian are derived exactly.

    Parameters
    ----------
    expression
        A text.  The state is x in one dimension, x, y or x, y, z in two and three, x1 ... xn beyond.
    variables
        Other names for the components of the state.
    **values
        A value for every other symbol of the expression.

    Raises
    ------
    ValueError
        If the text is not arithmetic over known functions, if a parameter has no value, or a value belongs to no parameter.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.Landscape("h * (x**2 - 1)**2 / 4", h=1.0)
    >>> loss(0.0), loss.gradient(0.5), loss.hessian(1.0)
    (0.25, -0.375, 2.0)
    >>> print(*loss.critical_points(), sep="; ")
    minimum at -1., value 0; minimum at 1., value 0; saddle at 0., value 0.25
    """

    def __init__(self, expression: str | float, *, variables: Sequence[str] | None = None, **values: float) -> None:
        names = variable_names([expression], variables, values)
        value = SymbolicField((parse(expression),), names)
        self._set(value, value.gradient(), value.gradient().gradient(), names, values, str(expression))

    @classmethod
    def from_functions(cls, value: Callable[..., Any], gradient: Callable[..., Any], hessian: Callable[..., Any],
                       dim: int = 1, **values: float) -> Landscape:
        """Return a landscape given by numba-compilable functions of one state.

        Parameters
        ----------
        value, gradient, hessian
            ``f(x)`` or ``f(x, p)``, returning floats in one dimension; in more x is a tuple of d floats, and they return a float, a
            tuple of d floats, and a tuple of d tuples of d floats.
        dim
            Number of components of the state.
        **values
            Values of the parameters, in the order in which the functions find them in the tuple p.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> loss = ls.Landscape.from_functions(lambda x: x**4 / 4, lambda x: x**3, lambda x: 3 * x**2)
        >>> loss.gradient(2.0)
        8.0
        """
        d, names = whole("dim", dim), tuple(values)
        landscape = cls.__new__(cls)
        landscape._set(FunctionField(value, d, (), names), FunctionField(gradient, d, (d,), names),
                       FunctionField(hessian, d, (d, d), names), variable_names([], None, (), d), values,
                       getattr(value, "__name__", "function"))
        probe = np.zeros(d) if d > 1 else 0.0
        landscape(probe), landscape.gradient(probe), landscape.hessian(probe)
        return landscape

    def _set(self, value: Field, gradient: Field, hessian: Field, variables: Names, values: Mapping[str, float],
             text: str) -> None:
        self.value_field, self.gradient_field, self.hessian_field = value, gradient, hessian
        self.variables, self.text = variables, text
        self.values: dict[str, float] = parameter_values(values)
        check_parameters(f"the landscape {text!r}", value.parameters, self.values)
        if value.depends_on_time():
            raise ValueError(f"the landscape {text!r} depends on the time t; a loss that moves is given to ls.SDE as a drift.")

    @property
    def dim(self) -> int:
        """Number of components of the state."""
        return len(self.variables)

    def __call__(self, x: ArrayLike) -> Any:
        """Return L at states of shape (...) in one dimension, (..., d) in more."""
        return self._evaluate(self.value_field, x)

    def gradient(self, x: ArrayLike) -> Any:
        """Return ∇L: the shape of x."""
        return self._evaluate(self.gradient_field, x)

    def hessian(self, x: ArrayLike) -> Any:
        """Return the second derivative (the shape of x), or the Hessian (..., d, d)."""
        return self._evaluate(self.hessian_field, x)

    def replace(self, **values: float) -> Landscape:
        """Return the same landscape with new values of parameters."""
        check_known(f"the landscape {self.text!r}", values, self.values)
        other = Landscape.__new__(Landscape)
        other.__dict__.update(self.__dict__)
        other.values = {**self.values, **parameter_values(values)}
        return other

    def critical_points(self, bounds: Sequence[Any] | None = None) -> list[CriticalPoint]:
        """Find and classify the critical points within bounds, sorted by index and value.

        Parameters
        ----------
        bounds
            (low, high) in one dimension, a list of d such pairs in more; −10 to 10 in every component if None.

        Notes
        -----
        In one dimension every sign change of the gradient on a fine grid (and at the kinks) is refined to rounding.  In more,
        Newton's method is started from a quasi-random set of points: a critical point with a tiny basin can be missed.
        """
        box = _box([(-10.0, 10.0)] * self.dim if bounds is None else bounds, self.dim)
        if self.dim == 1:
            found = [self._classified_1d(x, box[0]) for x in self._roots_1d(*box[0])]
        else:
            found = [self._classified(x) for x in stationary_points(self._raw(self.gradient_field), self._raw(self.hessian_field), box)]
        return sorted((p for p in found if p is not None), key=lambda p: (p.index, p.value, np.ravel(p.x)[0]))

    def lowest_point(self, bounds: Sequence[Any] | None = None) -> CriticalPoint:
        """Return the lowest minimum within bounds (see `critical_points`)."""
        minima = [p for p in self.critical_points(bounds) if p.index == 0]
        if not minima:
            raise ValueError(f"no minimum of the landscape {self.text!r} was found; give bounds that hold one.")
        return minima[0]

    def _roots_1d(self, low: float, high: float) -> list[float]:
        gradient = self._raw(self.gradient_field)
        return roots_between(lambda x: gradient(np.asarray(x)[..., None])[..., 0], low, high, self.kinks(low, high))

    def _classified_1d(self, x: float, box: Array) -> CriticalPoint | None:
        step = 1e-6 * max(abs(x), 1e-2 * (box[1] - box[0]))
        left, right = float(self.gradient(x - step)), float(self.gradient(x + step))
        if left * right > 0 or (left == 0 and right == 0):
            return None                                     # an inflection with zero slope, or a plateau
        curvature, closer = float(self.hessian(x)), float(self.gradient(x + step / 10)) - float(self.gradient(x - step / 10))
        if abs(closer) > abs(right - left) / 2:             # a jump of the gradient, which does not shrink with the step
            curvature = math.copysign(math.inf, right - left)
        return CriticalPoint(float(x), float(self(x)), curvature, int(right < left))

    def _classified(self, x: Array) -> CriticalPoint:
        hessian = self.hessian(x)
        return CriticalPoint(x, float(self(x)), hessian, int((np.linalg.eigvalsh(hessian) < 0).sum()))

    def kinks(self, low: float, high: float) -> list[float]:
        """Return where pieces of the expression meet, in one dimension and within (low, high)."""
        return field_kinks([self.value_field], self.values, low, high)

    def _raw(self, field: Field) -> Callable[[Array], Array]:
        """The field as a function of states (..., d) alone, unchecked: a search may look where it overflows."""
        f, p = field.vector(tuple(self.values)), tuple(self.values.values())
        return lambda x: f(x, 0.0, p)

    def _evaluate(self, field: Field, x: ArrayLike) -> Any:
        values = field.vector(tuple(self.values))(points("x", x, self.dim), 0.0, tuple(self.values.values()))
        if self.dim == 1:
            values = values.reshape(np.shape(x))
        return float(values) if values.ndim == 0 else values

    def __repr__(self) -> str:
        return f"Landscape({', '.join([repr(self.text), *(f'{k}={v:g}' for k, v in self.values.items())])})"


def field_kinks(fields: Sequence[Field], values: Mapping[str, float], low: float, high: float) -> list[float]:
    """Return the points in (low, high) where pieces of one-dimensional symbolic fields meet, sorted."""
    names, p = tuple(values), tuple(values.values())
    found: set[float] = set()
    for field in fields:
        for switch in field.kink_functions() if isinstance(field, SymbolicField) else ():
            f = switch.vector(names)
            found |= set(roots_between(functools.partial(_on_line, f, p), low, high))
    return sorted(found)


def _on_line(function: VectorFunction, p: tuple[float, ...], x: ArrayLike) -> Array:
    return function(np.asarray(x, dtype=float)[..., None], 0.0, p)


def check_parameters(owner: str, needed: Sequence[str], values: Mapping[str, float]) -> None:
    """Refuse a parameter without a value, and a value without a parameter."""
    missing, unknown = [n for n in needed if n not in values], [n for n in values if n not in needed]
    if missing:
        raise ValueError(f"{owner} has the parameter `{missing[0]}` without a value; give it by keyword, {missing[0]}=...")
    if unknown:
        named = [n for n in needed if n.isidentifier()]
        known = f"it has {', '.join(named)}" if named else "it has none"
        raise ValueError(f"{owner} has no parameter called `{unknown[0]}`: {known}.")


def check_landscape(name: str, value: Any) -> None:
    """Refuse what is no landscape, and say how to make one of it."""
    if isinstance(value, Landscape):
        return
    cure = f": ls.Landscape({str(value)!r}), for an expression" if isinstance(value, (str, int, float)) else ""
    if hasattr(value, "landscape"):                                 # a loss over data, or an equation
        cure = ": give its `.landscape`"
    raise ValueError(f"`{name}` is {value!r}, but must be a Landscape{cure}.")


def check_known(owner: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse a new value for a name that is not known."""
    for name in given:
        if name not in known:
            have = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{owner} has no parameter called `{name}`: {have}.")


def _box(bounds: Sequence[Any], dim: int) -> Array:
    box = numbers("bounds", bounds)
    if dim == 1 and box.shape == (2,):
        box = box[None]
    if box.shape != (dim, 2) or (box[:, 0] >= box[:, 1]).any():
        expected = "(low, high)" if dim == 1 else f"{dim} pairs (low, high)"
        raise ValueError(f"`bounds` is {bounds!r}, but must be {expected} with low < high.")
    return box


