"""A model, a scheme and a boundary become one compiled *step*: the only code that knows drift, noise, scheme, dimension and boundary.

A step advances all lanes by two time steps (Box and Muller make normals in pairs).  A kernel gets it by address, so the kernel does not
depend on the model and comes from Numba's disk cache; only the step is compiled for each model.  One call does everything, so that
state, normals and results stay in registers.

The functions of a model are scalar, ``f(x, t, p)``: x is a float in one dimension and a tuple of d floats in more, t the time, and p the
tuple of parameters, of which ``p[0]`` is the strength ε of the noise.  They return a float (d = 1), a tuple of d floats, or a tuple of d
such tuples.  New values of parameters need no new compilation.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba import float64, njit, types

from langevin_sgd.core import schemes
from langevin_sgd.core.elementary import exp2_below_zero
from langevin_sgd.core.lanes import CALLED_BY_ADDRESS, LANES, own_subroutines, wide_vectors
from langevin_sgd.core.noise_text import NoiseForm, amplitudes, kick
from langevin_sgd.core.user_functions import compiled_for_lanes

MINUS_TWO_IN_BITS = -2 * math.log2(math.e)      # exp(-2 x) = 2^(MINUS_TWO_IN_BITS x)
Function = Callable[..., Any]
POINTER, VECTOR, MATRIX = types.CPointer(float64), types.Array(float64, 1, "C"), types.Array(float64, 2, "C")
# step(lane memory, dt, time origin, n, end, p, B): step n, and step n + 1 unless that is the end; in first passage, n is in the lanes
STEP = types.FunctionType(types.void(POINTER, float64, float64, float64, float64, POINTER, POINTER))


@dataclass(frozen=True)
class Wall:
    """One wall of the region, crossed when all its faces are at most zero: their levels, positive inside, and gradients."""

    levels: tuple[Function, ...]
    gradients: tuple[Function, ...]


@dataclass(frozen=True)
class Fold:
    """A reflecting end: the component is folded about the value of parameter `place`; `sign` is +1 where the region lies above it."""

    place: int
    sign: int


@dataclass(frozen=True)
class StepModel:
    """Everything that a step is made of; equal models share one compiled step.

    Attributes
    ----------
    dim, n_parameters
        Number of components, and of entries of p.
    drift
        The Itô drift.
    noise, form
        The noise function, and what it returns.
    slope
        For Milstein's scheme: the derivative of each variance c_k by component k.  None for Euler-Maruyama.
    walls
        The region; none for a fixed horizon, where all lanes are at the same time.
    bridge
        Also count paths that were outside between two steps, by the law of the Brownian bridge.
    folds
        Reflecting ends (one dimension only).
    first_of_target
        For splitting: the walls from this one on lead into the target, those before it back into the source.  None: nobody asks.
    """

    dim: int
    n_parameters: int
    drift: Function
    noise: Function
    form: NoiseForm
    slope: Function | None = None
    walls: tuple[Wall, ...] | None = None
    bridge: bool = False
    folds: tuple[Fold, ...] = ()
    first_of_target: int | None = None


def layout(d: int) -> dict[str, int]:
    """Rows of the lane memory that kernel and step share."""
    return {"X": 0,             # d rows: the state; of a path that has left, the first state outside
            "Z": d,             # 2 d rows: normals for the first and the second step
            "Y": 3 * d,         # d rows: the state before the last step (first passage), or between the two steps (fixed horizon)
            "N": 4 * d,         # steps done (first passage)
            "END": 4 * d + 1,   # 0 while running, n when the path has left in step n
            "A": 4 * d + 2,     # probability that the path, seen at its steps only, stayed inside between them
            "V": 4 * d + 3,     # one uniform number per path: it has left when A < V
            "SIDE": 4 * d + 4,  # beyond the rows of most kernels: where a path has left, 1 for the target and 0 for the source
            "rows": 4 * d + 4}


@functools.lru_cache(maxsize=512)
def compile_step(model: StepModel) -> Any:
    """Return the compiled step of a model."""
    functions = {"drift": model.drift, "noise": model.noise, "slope": model.slope}
    for j, wall in enumerate(model.walls or ()):
        functions |= {f"level{j}_{i}": f for i, f in enumerate(wall.levels)}
        functions |= {f"gradient{j}_{i}": f for i, f in enumerate(wall.gradients) if model.bridge}
    scope: dict[str, Any] = {name: compiled_for_lanes(f) for name, f in functions.items() if f is not None}
    scope |= {"LANES": LANES, "math": math, "exp2_below_zero": exp2_below_zero, "wide_vectors": wide_vectors,
              "euler_maruyama": schemes.euler_maruyama, "milstein": schemes.milstein}
    exec(step_source(model), scope)
    with own_subroutines():
        return njit(STEP.signature, **CALLED_BY_ADDRESS)(scope["step"])


def step_source(model: StepModel) -> str:
    """Return the text of a step.  Text, because tuples of d components and sums over d that are unrolled need code for each d."""
    each = range(model.dim)
    before = [f"p = ({''.join(f'p_all[{k}], ' for k in range(model.n_parameters))})",      # read once, not in every lane
              "root, eps = math.sqrt(h), p[0]", *_constant_matrix(model)]
    load = [f"x{k} = {_row(model, 'X', k)}" for k in each]
    store = [f"{_row(model, 'X', k)} = x{k}" for k in each]
    clock = ["t0, t1, t2 = t_start + n * h, t_start + (n + 1.0) * h, t_start + (n + 2.0) * h"]
    if model.walls is None:             # all lanes are at the same time, and what depends on it alone is done once
        before += [*clock, "live1 = n + 1.0 < end"]
    else:
        load = [f"n = {_row(model, 'N')}", *clock, *load, *(f"y{k} = {_row(model, 'Y', k)}" for k in each), f"left = {_row(model, 'END')}",
                "live0 = (n < end) & (left == 0.0)"]
        if model.first_of_target is not None:
            load.append(f"side = {_row(model, 'SIDE')}")
            store.append(f"{_row(model, 'SIDE')} = side")
        store += [f"{_row(model, 'N')} = n + 2.0", f"{_row(model, 'END')} = left", *(f"{_row(model, 'Y', k)} = y{k}" for k in each)]
        if model.bridge:
            load += [*_levels(model, "inside", "x", "t0"), f"a, uniform = {_row(model, 'A')}, {_row(model, 'V')}"]
            store += [f"{_row(model, 'A')} = a"]
    body = [*load, *_half(model, 0), *_half(model, 1), *store]
    return "\n".join(["def step(S, h, t_start, n, end, p_all, B):",
                      "    wide_vectors()",
                      *("    " + line for line in before),
                      "    for i in range(LANES):",
                      *("        " + line for line in body)])


def _row(model: StepModel, name: str, k: int = 0) -> str:
    """The text of lane i in a row of the lane memory, at a constant distance: rows can be seen not to overlap."""
    return f"S[{(layout(model.dim)[name] + k) * LANES} + i]"


def _half(model: StepModel, half: int) -> list[str]:
    """The lines of the first or second time step."""
    each, t = range(model.dim), f"t{half}"
    lines = [f"f = drift({_state(model, 'x')}, {t}, p)", *_noise(model, half)]
    lines += [_map(model, k) for k in each]
    for fold in model.folds:
        end = f"p[{fold.place}]"
        lines.append(f"u0 = {end} + abs(u0 - {end})" if fold.sign > 0 else f"u0 = {end} - abs(u0 - {end})")
    if model.walls is None:             # the state between the two steps may have to be recorded
        return lines + [f"x{k} = u{k} if live1 else x{k}" if half else f"x{k} = {_row(model, 'Y', k)} = u{k}" for k in each]
    lines += _levels(model, "after", "u", f"t{half + 1}")
    # Written so that NaN is never inside: it ends the path, which is then seen to have diverged.
    lines.append("stays = " + (" & ".join(f"(after{j} > 0.0)" for j in range(len(model.walls))) or "True"))
    if model.bridge and model.walls:
        lines += _bridge(model, t)
    if model.first_of_target is not None:
        lines += _side(model, model.first_of_target, half)
    lines += [f"y{k} = x{k} if live{half} else y{k}" for k in each]
    lines += [f"x{k} = u{k} if live{half} else x{k}" for k in each]
    lines.append(f"left = n + {half + 1}.0 if live{half} & (not stays) else left")
    return lines if half else [*lines, "live1 = live0 & stays & (n + 1.0 < end)"]


def _map(model: StepModel, k: int) -> str:
    """The line of the one-step map of component k, from x to u."""
    if model.slope is not None:
        return f"u{k} = milstein(x{k}, {_part(model, 'f', k)}, h, eps * {_part(model, 'c', k)}, eps * {_part(model, 'm', k)}, w{k})"
    return f"u{k} = euler_maruyama(x{k}, {_part(model, 'f', k)}, h, {kick(model.form, model.dim, k)})"


def _noise(model: StepModel, half: int) -> list[str]:
    """The lines that draw the noise: normals z, and amplitudes g over the time step (or what Milstein's scheme needs)."""
    each, at = range(model.dim), f"({_state(model, 'x')}, t{half}, p)"
    lines = [f"z{k} = {_row(model, 'Z', half * model.dim + k)}" for k in each]
    if model.slope is not None:
        return [*lines, f"c = noise{at}", f"m = slope{at}", *(f"w{k} = root * z{k}" for k in each)]
    return [*lines, f"c = noise{at}", *amplitudes(model.form, model.dim)]


def _levels(model: StepModel, name: str, x: str, t: str) -> list[str]:
    """The lines that compute the level of each wall: the greatest of its faces."""
    lines = []
    for j, wall in enumerate(model.walls or ()):
        faces = [f"level{j}_{i}({_state(model, x)}, {t}, p)" for i in range(len(wall.levels))]
        lines.append(f"{name}{j} = {faces[0]}")
        for face in faces[1:]:
            lines += [f"other = {face}", f"{name}{j} = other if other > {name}{j} else {name}{j}"]
    return lines


def _bridge(model: StepModel, t: str) -> list[str]:
    """The lines that shrink a by the probability of having been outside between the steps.

    For a wall at level l before and l' after, that is exp(-2 l l' / (v h)), v the variance of the level per unit time, frozen before the
    step; the walls are both counted.  One uniform number per path serves all its steps.  What becomes of a and of the levels once a
    path has left does not matter, so they are not selected.
    """
    lines = ["q = 0.0"]
    for j, wall in enumerate(model.walls or ()):
        lines += ["back = q"] if j == model.first_of_target else []
        lines += _wall_gradient(model, j, wall, t)
        # The quotient is often a constant, and then leaves the loop.
        lines += [f"v = {_level_variance(model)}", f"q = q + exp2_below_zero(inside{j} * after{j} * ({MINUS_TWO_IN_BITS!r} / (v * h)))",
                  f"inside{j} = after{j}"]
    return [*lines, *(["ahead = a * (q - back)"] if model.first_of_target is not None else []), "a = a - a * q",
            "stays = stays & (a >= uniform)"]


def _side(model: StepModel, first: int, half: int) -> list[str]:
    """The lines that tell the target from the source: by where the path is seen to be, else drawn in proportion to the probabilities.

    A path that has left unseen did so because a, which has fallen by (back + ahead), passed below its uniform number: given that, the
    number is uniform over the fall, and serves once more.  A level that is no number makes the side no number.
    """
    walls = range(len(model.walls or ()))
    seen = [" | ".join(f"(after{j} <= 0.0)" for j in part) for part in (walls[:first], walls[first:])]
    unseen = "(uniform - a < ahead)" if model.bridge else "False"
    numbers = " + ".join(f"(after{j} - after{j})" for j in walls)
    return [f"there = 1.0 if ({seen[1]}) | ((not ({seen[0]})) & {unseen}) else 0.0",
            f"side = there + ({numbers}) if live{half} & (not stays) else side"]


def _wall_gradient(model: StepModel, j: int, wall: Wall, t: str) -> list[str]:
    """The lines that set r0 ... to the gradient of the wall's highest face before the step."""
    each, state = range(model.dim), _state(model, "x")
    lines = [f"r = gradient{j}_0({state}, {t}, p)", *(f"r{k} = {_part(model, 'r', k)}" for k in each)]
    if len(wall.levels) > 1:
        lines.append(f"top = level{j}_0({state}, {t}, p)")
    for i in range(1, len(wall.levels)):
        lines += [f"other = level{j}_{i}({state}, {t}, p)", f"r = gradient{j}_{i}({state}, {t}, p)"]
        lines += [f"r{k} = {_part(model, 'r', k)} if other > top else r{k}" for k in each]
        lines.append("top = other if other > top else top")
    return lines


def _level_variance(model: StepModel) -> str:
    """The variance of a level with gradient r, per unit time: |Gᵀ r|² ε."""
    each = range(model.dim)
    if model.form is NoiseForm.COMPONENTWISE:
        return "eps * (" + " + ".join(f"{_part(model, 'c', k)} * r{k} * r{k}" for k in each) + ")"
    if model.form is NoiseForm.FULL:
        return "eps * (" + " + ".join(f"c[{k}][{m}] * r{k} * r{m}" for k in each for m in each) + ")"
    g = "b" if model.form is NoiseForm.MODULATED else "g"
    columns = ["(" + " + ".join(f"{g}{k}_{m} * r{k}" for k in each) + ")" for m in each]
    return f"eps * {'c * ' if model.form is NoiseForm.MODULATED else ''}(" + " + ".join(f"{c} * {c}" for c in columns) + ")"


def _constant_matrix(model: StepModel) -> list[str]:
    """The lines that read B, where the bridge needs it."""
    if not (model.bridge and model.form is NoiseForm.MODULATED):
        return []
    return [f"b{k}_{m} = B[{k * model.dim + m}]" for k in range(model.dim) for m in range(model.dim)]


def _state(model: StepModel, name: str) -> str:
    return f"{name}0" if model.dim == 1 else "(" + ", ".join(f"{name}{k}" for k in range(model.dim)) + ")"


def _part(model: StepModel, name: str, k: int) -> str:
    return name if model.dim == 1 else f"{name}[{k}]"


