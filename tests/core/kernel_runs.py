"""Steps and kernels run without models: what the tests of the ground floor share."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.core.kernels import SLOT, horizon_kernel, passage_kernel
from langevin_sgd.core.noise_text import NoiseForm
from langevin_sgd.core.steps import StepModel, compile_step

NO_MATRIX = np.empty((0, 0))


def one(x, t, p):
    return 1.0


def nothing(x, t, p):
    return 0.0


def plain(drift=nothing, noise=one, dim=1, form=NoiseForm.COMPONENTWISE, n_parameters=1, **options) -> StepModel:
    """Return a model with what it does not say left out: no drift, unit noise."""
    return StepModel(dim, n_parameters, drift, noise, form, **options)


def horizon(model: StepModel, x0: Any, dt: float, save: list[int], key: tuple[int, int] = (7, 11), p: Any = (1.0,),
            B: np.ndarray = NO_MATRIX, t_start: float = 0.0, first_path: int = 0, stop: bool = False) -> Horizon:
    """Run paths from the states x0 (path, d) and record them after the given steps."""
    x0 = np.ascontiguousarray(x0, float).reshape(len(x0), model.dim)
    n = len(x0)
    out, status, reached = np.empty((n, len(save), model.dim)), np.full(n, 255, np.uint8), np.zeros(n, np.int64)
    control = np.zeros(2 * SLOT, np.int64)
    control[0] = stop
    horizon_kernel(model.dim)(x0, 0, n, first_path, dt, t_start, np.array(save, np.int64), *map(np.uint64, key), np.array(p, float), B,
                              compile_step(model), out, status, reached, control, SLOT)
    return Horizon(out, status, reached, control)


def passage(model: StepModel, x0: Any, dt: float, n_steps: int, key: tuple[int, int] = (7, 11), p: Any = (1.0,),
            B: np.ndarray = NO_MATRIX, stop: bool = False) -> Passage:
    """Run paths from the states x0 (path, d) until they leave."""
    x0 = np.ascontiguousarray(x0, float).reshape(len(x0), model.dim)
    n = len(x0)
    before, after, status, reached = x0.copy(), x0.copy(), np.full(n, 255, np.uint8), np.zeros(n, np.int64)
    control = np.zeros(2 * SLOT, np.int64)
    control[0] = stop
    passage_kernel(model.dim)(x0, 0, n, 0, dt, 0.0, n_steps, *map(np.uint64, key), np.array(p, float), B, compile_step(model),
                              before, after, status, reached, control, SLOT)
    return Passage(before, after, status, reached, control)


@dataclass(frozen=True)
class Horizon:
    x: np.ndarray
    status: np.ndarray
    reached: np.ndarray
    control: np.ndarray


@dataclass(frozen=True)
class Passage:
    before: np.ndarray
    after: np.ndarray
    status: np.ndarray
    reached: np.ndarray
    control: np.ndarray
