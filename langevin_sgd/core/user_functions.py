"""Your functions inside lane loops: copies in which the elementary functions are the lane versions."""
from __future__ import annotations

import builtins
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.elementary import LANE_FUNCTIONS
from langevin_sgd.core.lanes import LANE

Function = Callable[..., Any]
_EXCHANGED = {id(getattr(module, name)): lane for module in (math, np) for name, lane in LANE_FUNCTIONS.items() if hasattr(module, name)}


def compiled_for_lanes(function: Function) -> Any:
    """Return a jitted copy of a function (and of the functions that it calls by name), to be inlined into a lane loop."""
    return njit(**LANE)(lane_version(function, {}))


def lane_version(function: Function, done: dict[int, Any]) -> Function:
    """Return a copy of the function in which ``math.exp``, ``np.exp`` or an imported ``exp`` is the lane version, and so on.

    Only names from the function's module and closure are exchanged.  What is not known here keeps the C library: right, but slow.
    """
    plain = getattr(function, "py_func", function)
    if id(plain) in done:
        return done[id(plain)]
    scope: dict[str, Any] = {"__builtins__": builtins}
    copy = types.FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__,
                              tuple(types.CellType(_exchanged(cell.cell_contents, done)) for cell in plain.__closure__ or ()))
    done[id(plain)] = copy
    for name, value in plain.__globals__.items():
        if name in _names_used(plain.__code__):
            scope[name] = _exchanged(value, done)
    return copy


def _names_used(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(_names_used, inner))


def _exchanged(value: Any, done: dict[int, Any]) -> Any:
    """The lane version of a module, an elementary function, or a function of the user's; anything else as it is."""
    if value is math or value is np:
        module = types.ModuleType(value.__name__)
        vars(module).update(vars(value), **LANE_FUNCTIONS)
        return module
    if id(value) in _EXCHANGED:
        return _EXCHANGED[id(value)]
    if (getattr(value, "__module__", None) or "").split(".")[0] == "numba":       # what Numba knows by itself, such as carray
        return value
    if isinstance(value, types.FunctionType) or hasattr(value, "py_func"):
        return njit(**LANE)(lane_version(value, done))
    return value
