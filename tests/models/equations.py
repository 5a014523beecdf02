"""Equations with every structure of noise, and what their conversions between interpretations should add, by differences."""
from __future__ import annotations

import numpy as np

import langevin_sgd as ls

STATES = {1: np.array([-0.9, -0.2, 0.35, 0.8]), 2: np.array([[0.3, -0.7], [-0.5, 0.4], [0.9, 0.8], [0.2, 1.1]])}
SMOOTH = ls.Landscape("x**2/2 + x**4/8")
BOWL = ls.Landscape("h*x**2/2 + y**2 + x*y/3", h=1.5)
TURNING = [["1 + x**2/2", "0.3*sin(x*y) + 0.1"], ["0.3*sin(x*y) + 0.1", "0.8 + y**2/3 + x/5"]]        # its eigenvectors turn


def root(x, p):
    return 1.0 + p[0] * x * x


def root_slope(x, p):
    return 4.0 * p[0] * x * (1.0 + p[0] * x * x)          # dC/dx for C = g²


def factor(x):
    return ((1.0 + x[0]**2, 0.0), (x[0] * x[1], 1.0 + x[1]**2))


def factor_divergence(x):
    # C = G Gᵀ = [[(1 + x²)², (1 + x²) x y], [., x² y² + (1 + y²)²]]
    return (4 * x[0] * (1 + x[0]**2) + x[0] + x[0]**3, (1 + 3 * x[0]**2) * x[1] + 2 * x[0]**2 * x[1] + 4 * x[1] * (1 + x[1]**2))


NOISES = {
    1: {
        "constant": ls.noise.Constant(0.7), "quadratic": ls.noise.Quadratic(0.5, 0.3, 2.0, 0.1),
        "expression": ls.noise.Expression("exp(c*x) + 1", c=0.5),
        "loss": ls.noise.LossProportional(SMOOTH, 2.0, 0.5), "functions": ls.noise.from_functions(root, root_slope, c=0.4),
        "kinked": ls.noise.Expression("1 + abs(x)"), "moving": ls.noise.Expression("1 + x**2*(1 + t)"),
    },
    2: {
        "constant": ls.noise.Constant(0.7), "anisotropic": ls.noise.Anisotropic([[1.0, 0.4], [0.4, 0.5]]),
        "isotropic": ls.noise.Expression("1 + x**2 + y**2/2"),
        "diagonal": ls.noise.Expression(["1 + x**2*y**2", "exp(x - y)"]),
        "quadratic": ls.noise.Quadratic([0.5, 1.0], [0.3, 0.0], [2.0, 1.0], [0.1, -0.2]),
        "power law": ls.noise.Quadratic([[1.0, 0.2], [0.2, 0.5]], quadratic=[[2.0, 0.1], [0.1, 1.0]], center=[0.1, 0.0]),
        "loss": ls.noise.LossProportional(BOWL, 2.0, 0.5, minimum=0.0), "mori": ls.noise.LossProportional(BOWL, 2.0, 0.5, "hessian"),
        "turning": ls.noise.Expression(TURNING),
        "turning and moving": ls.noise.Expression([["2 + x**2", "t*x*y/3"], ["t*x*y/3", "2 + y**2"]]),
        "factor": ls.noise.from_functions(factor, factor_divergence, dim=2),
    },
}
DRIFTS = {1: "-x - x**3", 2: ["-x - y", "x - 2*y"]}


def equation(dim: int, noise: str, interpretation: str = "ito") -> ls.SDE:
    return ls.SDE(DRIFTS[dim], NOISES[dim][noise], 0.3, interpretation)


def diffusion(sde: ls.SDE, x: np.ndarray, t: float) -> np.ndarray:
    """Return D at states (n, d), as matrices (n, d, d)."""
    return sde.diffusion(x, t) if sde.dim > 1 else np.reshape(sde.diffusion(x[:, 0], t), (-1, 1, 1))


def differences(function, x: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Return the derivatives of a function of states (n, d) along the last axis, to fourth order in h."""
    steps = np.eye(x.shape[1]) * h
    return np.stack([(8 * (function(x + e) - function(x - e)) - function(x + 2 * e) + function(x - 2 * e)) / (12 * h) for e in steps],
                    axis=-1)


def divergence(sde: ls.SDE, x: np.ndarray, t: float = 0.0) -> np.ndarray:
    """Return Σ_j ∂_j D_ij by differences."""
    return np.einsum("nijj->ni", differences(lambda y: diffusion(sde, y, t), x))


def stratonovich(sde: ls.SDE, x: np.ndarray, t: float = 0.0) -> np.ndarray:
    """Return 1/2 Σ_jk G_jk ∂_j G_ik by differences, G the symmetric root of 2 D."""
    def g(y):
        values, vectors = np.linalg.eigh(2 * diffusion(sde, y, t))
        return np.einsum("nij,nj,nkj->nik", vectors, np.sqrt(np.maximum(values, 0)), vectors)
    return 0.5 * np.einsum("njk,nikj->ni", g(x), differences(g, x))
