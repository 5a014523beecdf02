"""What a score may be given as, and how it becomes compiled code.

A score says how far a state has come on its way to the target.  Only the order of its values matters, and no score makes the estimate
wrong: a poor one makes it noisy.  The best is the committor, the probability to reach the target first.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.core.scores import ScoreModel, compile_score, scores_kernel
from langevin_sgd.models.arguments import Array, numbers
from langevin_sgd.models.expressions import parse
from langevin_sgd.models.fields import Field, FunctionField, SymbolicField
from langevin_sgd.models.landscape import Landscape
from langevin_sgd.models.region import Region, boundary
from langevin_sgd.models.sde import SDE

KINDS = ("a text such as 'x', a Landscape, a numba-compilable function of the state, a pair (axes, values) of arrays, or an object with "
         "`.grid.centres` and `.values` such as the committor of ls.FokkerPlanck")
MOST_POINTS = 2**14     # of a one-dimensional table that is brought to equal distances, ...
FINER = 4               # ... and along an axis of others, so many for each that there were
DEEPEST = 50.0          # log-odds beyond the last ones that a table knows, for what lies inside a region


@dataclass(frozen=True, eq=False)
class Score:
    """A score in the form that the kernel takes: what is compiled, its parameters and its table."""

    model: ScoreModel
    p: Array
    table: Array
    text: str

    @property
    def compiled(self) -> Any:
        """The compiled code."""
        return compile_score(self.model)

    def at(self, x: Array) -> Array:
        """Return the score at states (n, d), by the code that judges the paths."""
        out = np.empty(len(x))
        scores_kernel(self.model.dim)(np.ascontiguousarray(x, dtype=float), self.p, self.table, self.compiled, out)
        return out

    def __repr__(self) -> str:
        return self.text


def score_of(score: Any, sde: SDE, target: Region) -> Score:
    """Return the score that was asked for; for None, nearness to the target in terms of its own level."""
    if score is None:
        return _nearness(sde, target)
    if isinstance(score, str):
        return _from_field(SymbolicField((parse(score),), sde.variables), sde.values, repr(score), sde)
    if isinstance(score, Landscape):
        return _from_field(score.value_field, score.values, f"Landscape({score.text!r})", sde)
    grid = getattr(score, "grid", None)
    if grid is not None and hasattr(grid, "centres") and hasattr(score, "values"):
        return _from_table(grid.centres, score.values, sde.dim, f"table of the {getattr(score, 'quantity', 'score')}")
    if isinstance(score, (tuple, list)) and len(score) == 2:
        return _from_table(score[0], score[1], sde.dim, "table")
    if callable(score):
        return _from_function(score, sde)
    raise ValueError(f"`score` is {score!r}, but must be {KINDS}.")


def _from_field(field: Field, values: dict[str, float], text: str, sde: SDE) -> Score:
    if field.dim != sde.dim:
        raise ValueError(f"`score` is {text}, of {field.dim} components, but the equation has {sde.dim}.")
    if field.depends_on_time():
        raise ValueError(f"`score` is {text}, which depends on the time t, but must be a function of the state alone.")
    missing = [name for name in field.parameters if name not in values]
    if missing:
        raise ValueError(f"`score` is {text}, where `{missing[0]}` is neither a component of the state ({', '.join(sde.variables)}) nor a "
                         f"parameter of the equation; write its number, or give ls.Landscape(..., {missing[0]}=...).")
    names = field.parameters
    p = np.array([values[name] for name in names], dtype=float)
    return Score(ScoreModel(sde.dim, len(names), field.scalar(names)), p, np.empty(0), text)


def _from_function(function: Callable[..., Any], sde: SDE) -> Score:
    field = FunctionField(function, sde.dim)
    field.vector(())(np.full((1, sde.dim), 0.5), 0.0, ())               # what Numba can't compile is told here
    return _from_field(field, {}, f"`{getattr(function, '__name__', repr(function))}`", sde)


# -------------------------------------------------------------------------------------------------------- nearness to the target

def _nearness(sde: SDE, target: Region) -> Score:
    """Minus the level of the outside of the target: the least over walls of the greatest over faces."""
    walls = boundary(~target, sde.variables)
    values = sde.values | {name: value for wall in walls for face in wall for name, value in face.values.items()}
    names = tuple(sorted({name for wall in walls for face in wall for name in face.level.parameters}))
    function = _minus_level(tuple(tuple(face.level.scalar(names) for face in wall) for wall in walls))
    p = np.array([values[name] for name in names], dtype=float)
    return Score(ScoreModel(sde.dim, len(names), function), p, np.empty(0), "nearness to the target")


@functools.lru_cache(maxsize=64)
def _minus_level(walls: tuple[tuple[Callable[..., Any], ...], ...]) -> Callable[..., Any]:
    """The function of given levels; the same levels give the same function, so that nothing compiles twice."""
    lines, scope = ["def nearness(x, t, p):"], {}
    for j, wall in enumerate(walls):
        for i, level in enumerate(wall):
            scope[f"level{j}_{i}"] = level
            lines.append(f"    v{i} = level{j}_{i}(x, t, p)")
            lines += [f"    v0 = v{i} if v{i} > v0 else v0"] if i else []
        lines.append("    least = v0 if v0 < least else least" if j else "    least = v0")
    exec("\n".join([*lines, "    return -least"]), scope)
    return scope["nearness"]


# -------------------------------------------------------------------------------------------------------------------- tables

def _from_table(axes: Any, values: Any, dim: int, text: str) -> Score:
    """A table of values on a grid, interpolated linearly; probabilities by their log-odds, which is smoother and has the same order."""
    table = np.array(values, dtype=float)
    lines = [numbers("score", axis) for axis in _axes(axes, table.ndim)]
    if table.ndim != dim or table.shape != tuple(map(np.size, lines)):
        raise ValueError(f"`score` is a table of shape {table.shape} on axes of {', '.join(str(np.size(a)) for a in lines)} points, but "
                         f"the equation has {dim} components: one axis for each, and a value for each point.")
    for axis in lines:
        if axis.ndim != 1 or len(axis) < 2 or not (np.diff(axis) > 0).all():
            raise ValueError("`score` is a table with an axis that is not two or more increasing numbers.")
    if not np.isfinite(table).any():
        raise ValueError("`score` is a table without a finite value.")
    known = _filled(table)
    if known.min() >= 0.0 and known.max() <= 1.0:
        known = _log_odds(known)
    for k, axis in enumerate(lines):
        lines[k], known = _equally_spaced(axis, known, k)
    head = [number for axis in lines for number in (axis[0], (len(axis) - 1) / (axis[-1] - axis[0]), len(axis))]
    return Score(ScoreModel(dim, 0, None), np.empty(0), np.concatenate([head, known.ravel()]), text)


def _axes(axes: Any, ndim: int) -> Sequence[Any]:
    """The axes of a table; that of a one-dimensional one may come by itself."""
    return [axes] if ndim == 1 and np.ndim(axes[0]) == 0 else list(axes)


def _filled(table: Array) -> Array:
    """A table whose values that are no numbers are those of the nearest cell that has one."""
    wrong = ~np.isfinite(table)
    if not wrong.any():
        return table
    from scipy.ndimage import distance_transform_edt
    nearest = distance_transform_edt(wrong, return_distances=False, return_indices=True)
    return np.asarray(table[tuple(nearest)])


def _log_odds(q: Array) -> Array:
    """ln q / (1 − q), and beyond all others where q is 0 or 1."""
    with np.errstate(divide="ignore"):
        odds = np.log(q) - np.log1p(-q)
    inside = odds[np.isfinite(odds)]
    low, high = (inside.min(), inside.max()) if len(inside) else (0.0, 0.0)
    return np.clip(odds, low - DEEPEST, high + DEEPEST)


def _equally_spaced(axis: Array, values: Array, k: int) -> tuple[Array, Array]:
    """A table whose axis k has equal distances: the same if it has, else with the least of them."""
    steps = np.diff(axis)
    if np.ptp(steps) <= 1e-9 * steps.max():
        return axis, values
    most = MOST_POINTS if values.ndim == 1 else FINER * len(axis)
    even = np.linspace(axis[0], axis[-1], int(min(most, 1 + np.ceil((axis[-1] - axis[0]) / steps.min()))))
    return even, np.apply_along_axis(lambda v: np.interp(even, axis, v), k, values)
