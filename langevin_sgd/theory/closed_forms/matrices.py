"""Hessians and covariances as the closed forms take them: a number, eigenvalues (on common axes), or a symmetric matrix."""
from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, covariance_matrix, matrix, numbers

COMMUTING = 1e-9                # size of a commutator, relative to the product, that is told from rounding


def symmetric(name: str, values: ArrayLike, dim: int | None = None) -> Array:
    """Return a number, eigenvalues or a symmetric matrix as a matrix of `dim` rows; one number serves every component."""
    array = numbers(name, values)
    if array.ndim == 0:
        array = np.full(dim or 1, float(array))
    array = matrix(name, np.diag(array) if array.ndim == 1 else array)
    if len(array) == 0 or dim not in (None, len(array)):
        raise ValueError(f"`{name}` is for {len(array)} components, but {dim or 'at least 1'} were expected; give a number, "
                         "eigenvalues or a matrix of the size of the others.")
    if not np.allclose(array, array.T, rtol=1e-8, atol=1e-12 * float(np.abs(array).max())):
        raise ValueError(f"`{name}` must be symmetric, but is {array.tolist()}.")
    return (array + array.T) / 2


def positive_definite(name: str, values: ArrayLike, dim: int | None = None) -> Array:
    """Return a matrix as `symmetric` does, all of whose eigenvalues must be positive."""
    array = symmetric(name, values, dim)
    least = float(np.linalg.eigvalsh(array)[0])
    if least <= 0:
        raise ValueError(f"`{name}` has the eigenvalue {least:g}, but must be positive{' definite' if len(array) > 1 else ''}.")
    return array


def noise_covariance(name: str, values: ArrayLike, dim: int) -> Array:
    """Return a number, variances (on common axes) or a covariance as a matrix of `dim` rows, or name the eigenvalue that forbids it."""
    array = numbers(name, values)
    array = np.full(dim, float(array)) if array.ndim == 0 else array
    return covariance_matrix(name, np.diag(array) if array.ndim == 1 else array, dim)


def commute(a: Array, b: Array) -> bool:
    """Tell whether two symmetric matrices have common axes."""
    return bool(np.abs(a @ b - b @ a).max() <= COMMUTING * np.abs(a).max() * np.abs(b).max())
