"""Equations whose quasi-potential is known, because they were made from it."""
from __future__ import annotations

from collections.abc import Callable

import sympy

import langevin_sgd as ls

X, Y, Z = sympy.symbols("x y z", real=True)


def solved_backwards(potential, covariance, rotation, variables=(X, Y)) -> tuple[ls.SDE, Callable]:
    """An equation with a known quasi-potential: f = −C ∇U / 2 + A ∇U with antisymmetric A solves ⟨f, ∇U⟩ + ⟨∇U, C ∇U⟩ / 2 = 0."""
    slope, c = sympy.Matrix([potential]).jacobian(variables).T, sympy.Matrix(covariance)
    drift = -c * slope / 2 + sympy.Matrix(rotation) * slope
    texts = [[str(entry) for entry in row] for row in c.tolist()]
    return ls.SDE([str(sympy.expand(f)) for f in drift], ls.noise.Expression(texts), 0.1), sympy.lambdify([variables], potential)


# U with minima at x = ±1 and a curved valley, C a full matrix that depends on the state, circulation that does too
VALLEY = (X**2 - 1)**2 / 2 + (Y - X**2 / 2)**2
TURNING = [[1 + X**2 / 2, X * Y / 3], [X * Y / 3, 1 + Y**2 / 2]]
CIRCLING = [[0, (1 + X) / 2], [-(1 + X) / 2, 0]]
START, SADDLE = [-1.0, 0.5], [0.0, 0.0]
