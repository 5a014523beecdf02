"""A score becomes compiled code over the lanes: how far each path has come on its way to the target.

Like a step, it is called by address, so that the kernel does not depend on it.  A score is a function of the state, ``f(x, t, p)``, or a
table on a uniform grid that is interpolated linearly in each direction and constant beyond.
"""
from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

from numba import carray, njit, types

from langevin_sgd.core.kernels import SOURCES
from langevin_sgd.core.lanes import CALLED_BY_ADDRESS, CALLED_FROM_PYTHON, LANES, address_of, own_subroutines, stack_floats, wide_vectors
from langevin_sgd.core.steps import MATRIX, POINTER, VECTOR, Function, layout
from langevin_sgd.core.user_functions import compiled_for_lanes

# score(lane memory, p, table): the scores of the last two states of each lane, and whether there is anything to be done about them
SCORE = types.FunctionType(types.void(POINTER, POINTER, POINTER))
HIGHEST = 1.7e308       # of all scores outside the target, which is higher
HEAD = 3                # numbers at the head of a table for each axis: where it begins, one over the distance of its points, their number


@dataclass(frozen=True)
class ScoreModel:
    """What a score is made of; equal models share the compiled code.

    Attributes
    ----------
    dim, n_parameters
        Number of components, and of entries of p.
    function
        The score of one state; None for a table.
    """

    dim: int
    n_parameters: int
    function: Function | None


def score_layout(d: int) -> dict[str, int]:
    """Rows of the lane memory that follow those of a step."""
    first = layout(d)["SIDE"] + 1
    return {"TOP": first,               # the greatest score so far
            "BEFORE": first + 1,        # the score of the state before the last step
            "AFTER": first + 2,         # the score of the state
            "EVENT": first + 3,         # 1 if one of them is above TOP or no number, or the path has ended
            "rows": first + 4}


@functools.lru_cache(maxsize=256)
def compile_score(model: ScoreModel) -> Any:
    """Return the compiled score of a model."""
    scope: dict[str, Any] = {"LANES": LANES, "math": math, "wide_vectors": wide_vectors}
    if model.function is not None:
        scope["value"] = compiled_for_lanes(model.function)
    exec(score_source(model), scope)
    with own_subroutines():
        return njit(SCORE.signature, **CALLED_BY_ADDRESS)(scope["score"])


def score_source(model: ScoreModel) -> str:
    """Return the text of a score over the lanes."""
    each, rows = range(model.dim), layout(model.dim) | score_layout(model.dim)

    def row(name: str, k: int = 0) -> str:
        return f"S[{(rows[name] + k) * LANES} + i]"

    body = []
    for name, result in (("Y", "before"), ("X", "after")):
        body += [f"x{k} = {row(name, k)}" for k in each]
        if model.function is None:
            body += [*_interpolation(model.dim), f"{result} = v"]
        else:
            body.append(f"{result} = value({_state(model.dim)}, 0.0, p)")
    body += [f"before = {HIGHEST} if before > {HIGHEST} else before", f"after = {HIGHEST} if after > {HIGHEST} else after",
             f"{row('BEFORE')} = before", f"{row('AFTER')} = after", f"top = {row('TOP')}",
             # written so that a score that is no number is an event as well
             f"{row('EVENT')} = 0.0 if (before <= top) & (after <= top) & ({row('END')} == 0.0) else 1.0"]
    parameters = "".join(f"p_all[{k}], " for k in range(model.n_parameters))
    return "\n".join(["def score(S, p_all, table):",
                      "    wide_vectors()",
                      f"    p = ({parameters})",
                      "    for i in range(LANES):",
                      *("        " + line for line in body)])


def _state(d: int) -> str:
    return "x0" if d == 1 else "(" + ", ".join(f"x{k}" for k in range(d)) + ")"


def _interpolation(d: int) -> list[str]:
    """The lines that set v to the interpolated value at x0 ...: what lies beyond the grid, or is no number, is brought to its edge."""
    lines = []
    for k in range(d):
        lines += [f"last = table[{HEAD * k + 2}] - 1.0", f"u = (x{k} - table[{HEAD * k}]) * table[{HEAD * k + 1}]",
                  "u = u if u > 0.0 else 0.0", "u = last if u > last else u", "cell = math.floor(u)",
                  "cell = last - 1.0 if cell > last - 1.0 else cell", f"s{k} = u - cell", f"j{k} = int(cell)", f"n{k} = int(last + 1.0)"]
    parts = []
    for corner in itertools.product((0, 1), repeat=d):
        index = "0"
        for k, step in enumerate(corner):
            index = f"({index}) * n{k} + j{k} + {step}"
        weight = " * ".join(f"s{k}" if step else f"(1.0 - s{k})" for k, step in enumerate(corner))
        parts.append(f"table[{HEAD * d} + {index}] * ({weight})")
    return [*lines, "v = " + " + ".join(parts)]


@functools.cache
def scores_kernel(d: int) -> Any:
    """Compile, or load from the cache, ``run(x, p, table, score, out)``: the scores of states x (n, d), by the code that judges paths."""
    X, Y, END = (layout(d)[name] for name in ("X", "Y", "END"))
    TOP, AFTER, rows = (score_layout(d)[name] for name in ("TOP", "AFTER", "rows"))
    size, version = rows * LANES, SOURCES

    @njit(types.void(MATRIX, VECTOR, VECTOR, SCORE, VECTOR), nogil=True, cache=True, **CALLED_FROM_PYTHON)
    def run(x: Any, p: Any, table: Any, score: Any, out: Any) -> None:
        version                                         # noqa: B018, only to be part of the cache's key
        pointer, p_at, table_at = stack_floats(size), address_of(p), address_of(table)
        S = carray(pointer, (rows, LANES))
        for first in range(0, len(x), LANES):
            for i in range(LANES):
                q = min(first + i, len(x) - 1)
                S[END, i], S[TOP, i] = 0.0, 0.0
                for j in range(d):
                    S[X + j, i] = S[Y + j, i] = x[q, j]
            score(pointer, p_at, table_at)
            for i in range(min(LANES, len(x) - first)):
                out[first + i] = S[AFTER, i]
    return run
