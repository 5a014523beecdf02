"""Checks of arguments: every message names the argument, what came, what was expected and how to mend it."""
from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from langevin_sgd.models.landscape import CriticalPoint

Array = NDArray[np.floating[Any]]

LISTED = 4          # parts of a list, or numbers of an array, that a message shows
SHORT = reprlib.Repr()
SHORT.maxother = SHORT.maxstring = 100


def in_short(value: Any) -> str:
    """Return a value as text on one line: large arrays by type and shape, of anything else that is long its ends."""
    if isinstance(value, (list, tuple)) and any(_is_large(part) for part in value):
        return f"[{', '.join(map(in_short, value[:LISTED]))}{', ...' * (len(value) > LISTED)}]"
    if _is_large(value):
        return f"{type(value).__name__} of shape {value.shape}"
    return " ".join((repr(value) if hasattr(value, "shape") else SHORT.repr(value)).split())


def finite(name: str, value: Any) -> float:
    """Return `value` as a finite float, or refuse it by name."""
    number = _number(name, value)
    if not math.isfinite(number):
        raise ValueError(f"`{name}` is {number}, but must be a finite number.")
    return number


def positive(name: str, value: Any) -> float:
    """Return `value` as a finite float above zero."""
    number = finite(name, value)
    if number <= 0:
        raise ValueError(f"`{name}` is {number:g}, but must be positive.")
    return number


def not_negative(name: str, value: Any) -> float:
    """Return `value` as a finite float, zero or above."""
    number = finite(name, value)
    if number < 0:
        raise ValueError(f"`{name}` is {number:g}, but must not be negative.")
    return number


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an int of at least `least`; 2.0 and 1e6 are whole, 2.5 and True are not."""
    number = finite(name, value)
    if isinstance(value, bool) or number != round(number):
        raise ValueError(f"`{name}` is {value!r}, but must be a whole number.")
    if number < least:
        raise ValueError(f"`{name}` is {round(number)}, but must be at least {least}.")
    return round(number)


def fraction(name: str, value: Any) -> float:
    """Return `value` as a float strictly between 0 and 1 (a confidence, a tolerance)."""
    number = finite(name, value)
    if not 0 < number < 1:
        raise ValueError(f"`{name}` is {number:g}, but must lie between 0 and 1; 95 % is written 0.95.")
    return number


def below_one(name: str, value: Any) -> float:
    """Return `value` as a float from 0 to below 1 (a momentum)."""
    number = finite(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"`{name}` is {number:g}, but must be at least 0 and below 1.")
    return number


def numbers(name: str, values: ArrayLike, *, infinite: bool = False) -> Array:
    """Return `values` as an array of floats, without NaN, and without infinities unless these are allowed."""
    _refuse_masked(name, values)
    try:
        if np.iscomplexobj(values):
            raise TypeError
        array = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` is {in_short(values)}, but must be numbers in an array of one shape.") from None
    wrong = np.isnan(array) if infinite else ~np.isfinite(array)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        what, kind = f"{array[where]}" + (f" at index {where}" if where else ""), "a number" if infinite else "finite"
        raise ValueError(f"`{name}` holds {what}, but {'every entry' if where else 'it'} must be {kind}.")
    return array


def points(name: str, x: ArrayLike, dim: int) -> Array:
    """Return states as an array (..., d); in one dimension the component axis is added to plain floats."""
    array = numbers(name, x, infinite=True)
    if dim == 1:
        return array[..., None]
    if array.ndim == 0 or array.shape[-1] != dim:
        raise ValueError(f"`{name}` has shape {array.shape}, but states of {dim} components need shape (..., {dim}).")
    return array


def coordinates(x: ArrayLike | CriticalPoint) -> ArrayLike:
    """Return the state of a critical point, and anything else as it came."""
    from langevin_sgd.models.landscape import CriticalPoint  # which is checked by the functions of this file
    return x.x if isinstance(x, CriticalPoint) else x


def state(name: str, x: ArrayLike | CriticalPoint, dim: int) -> Array:
    """Return one state, or that of a critical point, as an array (d,)."""
    array = numbers(name, coordinates(x))
    if array.shape not in ({(), (1,)} if dim == 1 else {(dim,)}):
        expected = "a number" if dim == 1 else f"{dim} numbers"
        raise ValueError(f"`{name}` has shape {array.shape}, but one state of this model is {expected}.")
    return array.reshape(dim)


def matrix(name: str, values: ArrayLike, dim: int | None = None) -> Array:
    """Return a square matrix of finite numbers, of `dim` rows if given."""
    array = numbers(name, values)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or (dim is not None and len(array) != dim):
        size = "square" if dim is None else f"({dim}, {dim})"
        raise ValueError(f"`{name}` has shape {array.shape}, but must be a {size} matrix.")
    return array


def covariance_matrix(name: str, values: ArrayLike, dim: int | None = None) -> Array:
    """Return a symmetric, positive semi-definite matrix, or name the eigenvalue that forbids it."""
    array = matrix(name, values, dim)
    scale = float(np.abs(array).max(initial=0.0))
    if not np.allclose(array, array.T, rtol=1e-10, atol=1e-12 * scale):
        i, j = np.unravel_index(np.abs(array - array.T).argmax(), array.shape)
        raise ValueError(f"`{name}` must be symmetric, but entry ({i}, {j}) is {array[i, j]:g} and ({j}, {i}) is "
                         f"{array[j, i]:g}.")
    array = (array + array.T) / 2
    least = float(np.linalg.eigvalsh(array)[0])
    if least < -1e-12 * scale:
        raise ValueError(f"`{name}` must be positive semi-definite to be a covariance, but has the eigenvalue {least:g}.")
    return array


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return `value` if it is among the allowed ones."""
    choices = list(allowed)
    if value not in choices:
        raise ValueError(f"`{name}` is {value!r}, but must be one of {', '.join(map(repr, choices))}.")
    return value


def parameter_values(values: Mapping[str, Any]) -> dict[str, float]:
    """Return parameters given by keyword as floats, each finite."""
    return {name: finite(name, value) for name, value in values.items()}


def _is_large(value: Any) -> bool:
    return getattr(value, "size", 0) > LISTED and hasattr(value, "shape")


def _refuse_masked(name: str, values: Any) -> None:
    """NumPy would drop the mask and keep what lies beneath it, often a filler such as 999."""
    parts = values if isinstance(values, (list, tuple)) else [values]
    masks = [np.ma.getmaskarray(part) for part in parts if isinstance(part, np.ma.MaskedArray)]
    if masked := sum(int(mask.sum()) for mask in masks):
        raise ValueError(f"`{name}` holds {masked} masked entr{'y' if masked == 1 else 'ies'}, but every entry must be a number: leave "
                         "these samples out, or put numbers in with `.filled(...)`.")


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` is {in_short(value)}, but must be a number.") from None
