"""Linear equations with constant noise, dX = (F X + a) dt + sqrt(2 D) dW: of any number of components, because a step is a matrix.

Every scheme that such an equation can be stepped with is a `LinearMap`, and one kernel runs them all.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langevin_sgd.core.blocks import Blocks, blocks_of, padded
from langevin_sgd.core.linear_kernel import linear_kernel, memory
from langevin_sgd.models.affine import affine_parts
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import symmetric_root
from langevin_sgd.models.key import Key
from langevin_sgd.models.sde import SDE


@dataclass(frozen=True, eq=False)
class LinearEquation:
    """The numbers of dX = (F X + a) dt + sqrt(2 D) dW.

    Attributes
    ----------
    F, a, D
        The matrix of the drift (d, d), its value at 0 (d,), and the diffusion (d, d).
    """

    F: Array
    a: Array
    D: Array


@dataclass(frozen=True, eq=False)
class LinearMap:
    """One step x' = offset + matrix x + factor z, with d independent standard normals z.

    Attributes
    ----------
    matrix, offset, factor
        (d, d), (d,) and (d, d).
    """

    matrix: Array
    offset: Array
    factor: Array


def linear_equation(sde: SDE, needed_by: str) -> LinearEquation:
    """Return the numbers of an equation that is seen to be linear with constant noise; refuse any other, in the name of what needs them."""
    parts, c = affine_parts(sde.ito_drift_field, sde.values), sde.covariance
    if parts is None:
        problem = f"the drift {sde.text!r} is not seen to be linear in the state with constant coefficients"
    elif not c.is_constant or c.field.depends_on_time():
        problem = f"the noise {sde.noise!r} is not seen to be constant"
    else:
        return LinearEquation(*parts, 0.5 * sde.values["strength"] * c.at(np.zeros(sde.dim), 0.0, sde.values))
    raise ValueError(f"{needed_by} a drift F x + a and a constant matrix of noise, but {problem}; write it with ls.linear or as "
                     "expressions, if it is.")


def euler_map(equation: LinearEquation, dt: float) -> LinearMap:
    """Return the step of Euler and Maruyama: I + F dt, a dt, and the symmetric root of 2 D dt."""
    return LinearMap(np.eye(len(equation.a)) + dt * equation.F, dt * equation.a, math.sqrt(dt) * symmetric_root(2 * equation.D))


@dataclass(frozen=True, eq=False)
class LinearStep:
    """A map as the kernel takes it: the blocks of [matrix, factor] and the offset, padded to whole blocks."""

    blocks: Blocks
    offset: Array

    @classmethod
    def of(cls, step: LinearMap) -> LinearStep:
        """Return the map in blocks."""
        d, width = len(step.offset), padded(len(step.offset))
        both, offset = np.zeros((width, 2 * width)), np.zeros(width)
        both[:d, :d], both[:d, width:width + d], offset[:d] = step.matrix, step.factor, step.offset
        return cls(blocks_of(both), offset)

    def run(self, x0: Array, first: int, last: int, first_path: int, save: NDArray[np.int64], key: Key, out: Array,
            status: NDArray[np.uint8], reached: NDArray[np.int64], control: NDArray[np.int64], slot: int) -> None:
        """Run the kernel for some paths of an ensemble."""
        words: tuple[Any, Any] = key.words
        linear_kernel()(x0, first, last, first_path, save, *words, *self.blocks, self.offset, memory(x0.shape[1]), out, status, reached,
                        control, slot)
