"""The level of a region at weights, by address: where it is not positive, a path of SGD has left."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import float64, njit, types

from langevin_sgd.core.lanes import CALLED_BY_ADDRESS, LANES, own_subroutines, wide_vectors
from langevin_sgd.core.user_functions import compiled_for_lanes

Function = Callable[..., Any]
FLOATS = types.CPointer(float64)
# level(weights, p, levels): for one path, or for a block of lanes
LEVEL = types.FunctionType(types.void(FLOATS, FLOATS, FLOATS))


@functools.lru_cache(maxsize=256)
def compile_level(walls: tuple[tuple[Function, ...], ...], d: int, n_parameters: int, *, lanes: bool) -> Any:
    """Return the compiled level of a region: the least over its walls of the greatest over the faces of each.

    Every face is a scalar function ``f(x, t, p)``, as in `steps`.  Without walls the level is 1 everywhere.
    """
    count, at = (LANES, "[{} * LANES + i]") if lanes else (1, "[{}]")
    state = "W" + at.format(0) if d == 1 else "(" + ", ".join("W" + at.format(k) for k in range(d)) + ")"
    scope: dict[str, Any] = {"wide_vectors": wide_vectors, "LANES": LANES}
    lines = ["def level(W, P, out):", "    wide_vectors()", f"    p = ({''.join(f'P[{k}], ' for k in range(n_parameters))})",
             f"    for i in range({count}):", f"        x, lowest = {state}, 1e300"]
    for j, wall in enumerate(walls):
        for k, face in enumerate(wall):
            scope[f"face{j}_{k}"] = compiled_for_lanes(face)
            value = f"face{j}_{k}(x, 0.0, p)"
            lines.append(f"        highest = {value}" if k == 0 else f"        highest = max(highest, {value})")
        lines.append("        lowest = highest if not highest > lowest else lowest")         # NaN is never inside
    exec("\n".join([*lines, "        out[i] = lowest"]), scope)
    with own_subroutines():
        return njit(LEVEL.signature, **CALLED_BY_ADDRESS)(scope["level"])
