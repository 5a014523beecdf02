"""From an equation, a scheme and a region to what a kernel needs: the compiled step, the numbers, and the constant matrix."""
from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.core.noise_text import NoiseForm
from langevin_sgd.core.steps import Fold, StepModel, compile_step
from langevin_sgd.core.steps import Wall as CompiledWall
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import Structure, symmetric_root
from langevin_sgd.models.fields import Field, Names, SymbolicField
from langevin_sgd.models.interpretation import Interpretation
from langevin_sgd.models.region import Face, Reflection, Region, Wall, boundary
from langevin_sgd.models.roots import roots_between
from langevin_sgd.models.sde import SDE, check_is_equation
from langevin_sgd.simulation.schemes import Scheme

LARGEST = 16            # components: states are tuples, and the time to compile a step grows with their length
LARGEST_FACTORED = 4    # components of a full matrix C(x), which is factored inside the step

NEARER, SHRINKS = 1 / 64, 1 / 4         # closer to a kink by this factor, what is continuous differs by less than this part of before

FORMS = {Structure.COMPONENTWISE: NoiseForm.COMPONENTWISE, Structure.MODULATED: NoiseForm.MODULATED,
         Structure.FULL: NoiseForm.FULL, Structure.FACTOR: NoiseForm.FACTOR}


@dataclass(frozen=True)
class Assembly:
    """A compiled step with its numbers.

    Attributes
    ----------
    sde, walls, folds
        What was compiled; no walls for a fixed horizon.
    step
        The compiled step.
    values
        Values of all parameters of equation and region, by name.
    p, matrix
        The numbers that the step reads: the parameters that it uses, ε first, and the matrix B with B Bᵀ = M (empty unless the noise
        is a modulated matrix).
    """

    sde: SDE
    walls: tuple[Wall, ...]
    folds: tuple[Reflection, ...]
    step: Any
    values: dict[str, float]
    p: Array
    matrix: Array

    def evaluate(self, field: Field, x: Array, t: float = 0.0) -> Array:
        """Return the values of a field of the equation or the region at states (..., d)."""
        return field.vector(tuple(self.values))(x, t, tuple(self.values.values()))


def check_ingredients(sde: Any, scheme: Any, executor: Any, *domain: Any) -> None:
    """Refuse what is not an equation, a scheme, an executor or a region."""
    check_is_equation(sde)
    if scheme is not None and (isinstance(scheme, type) or not callable(getattr(scheme, "slope", None))):
        raise ValueError(f"`scheme` is {scheme!r}, but must be a scheme such as ls.EulerMaruyama() or ls.Milstein().")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"`executor` is {executor!r}, but must be an executor such as those of concurrent.futures.")
    for region in domain:
        if not isinstance(region, Region):
            raise ValueError(f"`domain` is {region!r}, but must be a region such as ls.Interval(low, high) or ls.Ball(center, radius).")


def assemble(sde: SDE, scheme: Scheme, region: Region | None = None, *, bridge: bool = False,
             first_of_target: int | None = None, known: Mapping[str, float] | None = None) -> Assembly:
    """Compile the step of an equation, or take it from those compiled before; `known` are more values that the region may refer to."""
    _check_size(sde)
    walls = boundary(region, sde.variables) if region is not None else ()
    values, folds = {**(known or {}), **sde.values}, region.reflections if region is not None else ()
    for face in _faces(walls):
        _merge(values, face)
    values |= {f"region.fold[{k}]": fold.at for k, fold in enumerate(folds)}
    slope, c = scheme.slope(sde), sde.covariance
    fields = [sde.ito_drift_field, c.field, *([slope] if slope else []), *(f for w in _faces(walls) for f in (w.level, w.gradient))]
    used = {name for field in fields for name in field.parameters} | {f"region.fold[{k}]" for k in range(len(folds))}
    names = ("strength", *sorted(used - {"strength"}))
    _check_parameters(names, values)
    if sde.interpretation is not Interpretation.ITO:
        _refuse_jumps(sde)
    model = StepModel(
        dim=sde.dim, n_parameters=len(names), drift=sde.ito_drift_field.scalar(names), noise=c.field.scalar(names),
        form=FORMS[c.structure], slope=slope.scalar(names) if slope else None, bridge=bridge and bool(walls),
        walls=tuple(_compiled(wall, names) for wall in walls) if region is not None else None,
        folds=tuple(Fold(names.index(f"region.fold[{k}]"), fold.sign) for k, fold in enumerate(folds)), first_of_target=first_of_target)
    b = symmetric_root(np.asarray(c.matrix)) if c.structure is Structure.MODULATED else np.empty((0, 0))
    return Assembly(sde, walls, folds, compile_step(model), values, np.array([values[n] for n in names]), b)


def _compiled(wall: Wall, names: Names) -> CompiledWall:
    return CompiledWall(tuple(face.level.scalar(names) for face in wall), tuple(face.gradient.scalar(names) for face in wall))


def _faces(walls: tuple[Wall, ...]) -> Iterator[Face]:
    return (face for wall in walls for face in wall)


def _merge(values: dict[str, float], face: Face) -> None:
    for name, value in face.values.items():
        if values.setdefault(name, value) != value:
            raise ValueError(f"the parameter `{name}` has the value {values[name]:g} in the equation and {value:g} in the region; "
                             "one name has one value.")


def _check_parameters(names: Names, values: dict[str, float]) -> None:
    for name in names:
        if name not in values:
            raise ValueError(f"the region has the parameter `{name}` without a value; give it by keyword, {name}=...")


def _check_size(sde: SDE) -> None:
    if sde.dim > LARGEST:
        raise ValueError(f"the equation has {sde.dim} components, but at most {LARGEST} are simulated; more by ls.simulate only, where the "
                         "drift is linear and the noise constant.")
    if sde.covariance.structure is Structure.FULL and sde.dim > LARGEST_FACTORED:
        raise ValueError(f"a full matrix C(x) is factored inside every step, for up to {LARGEST_FACTORED} components, but the equation has "
                         f"{sde.dim}; give its factor with noise.from_functions, or a noise of ls.noise that has a structure.")


def _refuse_jumps(sde: SDE) -> None:
    """Refuse noise that jumps in other conventions than Itô: the drift that a jump adds is a delta function."""
    for x, wide, narrow, scale in _across_kinks(sde):
        # What only bends differs the less, the nearer both sides are; what jumps does not, and rounding is neither.
        if narrow > SHRINKS * wide and narrow > 1e-9 * scale:
            raise ValueError(f"the noise jumps near x = {np.array2string(x, precision=6)}, where {sde.interpretation.label} adds an "
                             "infinite drift; simulate it in 'ito', or use ls.exact, which never differentiates the noise.")


def _across_kinks(sde: SDE) -> Iterator[tuple[Array, float, float, float]]:
    """States where pieces of the noise meet, how much C differs across, at two distances, and its size.

    They are found on fixed lines through the state space.
    """
    c = sde.covariance
    if not isinstance(c.field, SymbolicField):
        return
    rng = np.random.default_rng(1)
    directions = [np.ones(1)] if sde.dim == 1 else list(rng.normal(size=(8, sde.dim)))
    for switch in c.field.kink_functions():
        for u in directions:
            for s in roots_between(functools.partial(_along, sde, switch, u), -50.0, 50.0):
                steps = 1e-6 * max(1.0, abs(s)) * np.array([1.0, NEARER])
                below, above = (c.at((s + side * steps)[:, None] * u, 0.0, sde.values) for side in (-1, 1))
                wide, narrow = np.abs(above - below).max(axis=(1, 2))
                yield s * u, float(wide), float(narrow), 1.0 + float(np.abs(below).max())


def _along(sde: SDE, field: Field, direction: Array, s: Any) -> Array:
    return sde.evaluate(field, np.asarray(s)[..., None] * direction)


def path_steps(t_max: float | None, dt: float) -> int:
    """Return the number of whole steps in a time; without a limit, more than any computer takes."""
    return 2**62 if t_max is None else max(1, math.floor(t_max / dt + 1e-9))
