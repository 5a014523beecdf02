"""The loss of one sample, its gradient and its curvature, for the losses that the library knows.

Two functions for each.  ``loss(w, sample, p, gradient)`` returns the loss of a sample at the weights w (d,), and *adds* its gradient to
`gradient` (d,).  ``curvature(w, sample, p, v, out)`` adds the product of the sample's Hessian and a vector v (d,) to `out` (d,).  A sample
is a row of the data, p the flat array of parameters, of which p[0] is the factor c of the loss.  Plain functions, compiled where they are
used.
"""
from __future__ import annotations

import math
from typing import Any

from numba import njit

from langevin_sgd.core.dots import add_multiple, dot
from langevin_sgd.core.lanes import LANE


def linear(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c (x·w − y)², for the sample (x, y) and p = (c,)."""
    d = len(w)
    r = dot(sample, w) - sample[d]
    slope = 2 * p[0] * r
    add_multiple(gradient, slope, sample)
    return p[0] * r * r


def linear_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:        # noqa: ARG001, one signature for all
    """2 c x xᵀ."""
    slope = 2 * p[0] * dot(sample, v)
    add_multiple(out, slope, sample)


def ridge(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c (x·w − y)² + λ |w|² / 2, for the sample (x, y) and p = (c, λ)."""
    d = len(w)
    r, decay = dot(sample, w) - sample[d], p[1]
    slope = 2 * p[0] * r
    add_multiple(gradient, slope, sample)
    add_multiple(gradient, decay, w)
    return p[0] * r * r + 0.5 * decay * dot(w, w)


def ridge_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:         # noqa: ARG001
    """2 c x xᵀ + λ."""
    slope, decay = 2 * p[0] * dot(sample, v), p[1]
    add_multiple(out, slope, sample)
    add_multiple(out, decay, v)


def logistic(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c ln(1 + exp(−y x·w)) + λ |w|² / 2, for the sample (x, y), y = ±1, and p = (c, λ)."""
    d = len(w)
    margin = sample[d] * dot(sample, w)
    small = math.exp(-abs(margin))                          # never overflows
    against = small / (1 + small) if margin > 0 else 1 / (1 + small)
    slope, decay = -p[0] * against * sample[d], p[1]
    add_multiple(gradient, slope, sample)
    add_multiple(gradient, decay, w)
    return p[0] * (math.log(1 + small) + max(-margin, 0.0)) + 0.5 * decay * dot(w, w)


def logistic_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """c s (1 − s) x xᵀ + λ, with s = 1 / (1 + exp(−x·w))."""
    small = math.exp(-abs(dot(sample, w)))
    slope, decay = p[0] * small / (1 + small)**2 * dot(sample, v), p[1]
    add_multiple(out, slope, sample)
    add_multiple(out, decay, v)


def phase_retrieval(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c ((x·w)² − y)², for the sample (x, y) and p = (c,)."""
    d = len(w)
    z = dot(sample, w)
    r = z * z - sample[d]
    slope = 4 * p[0] * r * z
    add_multiple(gradient, slope, sample)
    return p[0] * r * r


def phase_retrieval_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """4 c (3 (x·w)² − y) x xᵀ."""
    d = len(w)
    z = dot(sample, w)
    slope = 4 * p[0] * (3 * z * z - sample[d]) * dot(sample, v)
    add_multiple(out, slope, sample)


def factorisation(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c (u_i·v_j − y)², for the sample (i, j, y), p = (c, rows, rank) and w the rows of U, then those of V."""
    rank, i, j = int(p[2]), int(sample[0]) * int(p[2]), (int(p[1]) + int(sample[1])) * int(p[2])
    r = -sample[2]
    for k in range(rank):
        r += w[i + k] * w[j + k]
    for k in range(rank):
        gradient[i + k] += 2 * p[0] * r * w[j + k]
        gradient[j + k] += 2 * p[0] * r * w[i + k]
    return p[0] * r * r


def factorisation_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """Of the residual r = u·v − y: 2 c (∇r ∇rᵀ + r ∇²r)."""
    rank, i, j = int(p[2]), int(sample[0]) * int(p[2]), (int(p[1]) + int(sample[1])) * int(p[2])
    r, slope = -sample[2], 0.0
    for k in range(rank):
        r += w[i + k] * w[j + k]
        slope += w[j + k] * v[i + k] + w[i + k] * v[j + k]
    for k in range(rank):
        out[i + k] += 2 * p[0] * (slope * w[j + k] + r * v[j + k])
        out[j + k] += 2 * p[0] * (slope * w[i + k] + r * v[i + k])


def sensing(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c (⟨A, U Uᵀ⟩ − y)², for the sample (A, y) with A symmetric, p = (c, rows, rank) and w the rows of U."""
    n, rank = int(p[1]), int(p[2])
    r = _measured(w, sample, n, rank, w) - sample[n * n]
    for i in range(n):
        for j in range(n):
            for k in range(rank):
                gradient[i * rank + k] += 4 * p[0] * r * sample[i * n + j] * w[j * rank + k]
    return p[0] * r * r


def sensing_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """Of the residual r = ⟨A, U Uᵀ⟩ − y: 2 c (∇r ∇rᵀ + r ∇²r)."""
    n, rank = int(p[1]), int(p[2])
    r = _measured(w, sample, n, rank, w) - sample[n * n]
    slope = 2 * _measured(w, sample, n, rank, v)
    for i in range(n):
        for j in range(n):
            for k in range(rank):
                out[i * rank + k] += 4 * p[0] * sample[i * n + j] * (slope * w[j * rank + k] + r * v[j * rank + k])


@njit(**LANE)
def _measured(w: Any, sample: Any, n: int, rank: int, v: Any) -> float:
    """⟨A, U Vᵀ⟩."""
    total = 0.0
    for i in range(n):
        for j in range(n):
            for k in range(rank):
                total += sample[i * n + j] * w[i * rank + k] * v[j * rank + k]
    return total


def deep_chain(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c Σ_k (x_k Π_l w_lk − y_k)², for the sample (x, y), p = (c, width) and w layer by layer."""
    width = int(p[1])
    depth, total = len(w) // width, 0.0
    for k in range(width):
        product = sample[k]
        for layer in range(depth):
            product *= w[layer * width + k]
        r = product - sample[width + k]
        total += r * r
        for layer in range(depth):
            gradient[layer * width + k] += 2 * p[0] * r * _without(w, sample[k], k, width, layer, layer)
    return p[0] * total


def deep_chain_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """Of each residual r: 2 c (∇r ∇rᵀ + r ∇²r)."""
    width = int(p[1])
    depth = len(w) // width
    for k in range(width):
        product, slope = sample[k], 0.0
        for layer in range(depth):
            product *= w[layer * width + k]
            slope += _without(w, sample[k], k, width, layer, layer) * v[layer * width + k]
        r = product - sample[width + k]
        for layer in range(depth):
            bent = slope * _without(w, sample[k], k, width, layer, layer)
            for other in range(depth):
                if other != layer:
                    bent += r * _without(w, sample[k], k, width, layer, other) * v[other * width + k]
            out[layer * width + k] += 2 * p[0] * bent


@njit(**LANE)
def _without(w: Any, x: float, k: int, width: int, first: int, second: int) -> float:
    """x times the product of all layers but two."""
    product = x
    for layer in range(len(w) // width):
        if layer not in (first, second):
            product *= w[layer * width + k]
    return product


def diagonal_network(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c (x·(u∘u − v∘v) − y)², for the sample (x, y), p = (c,) and w = (u, v)."""
    half = len(w) // 2
    r = -sample[half]
    for j in range(half):
        r += sample[j] * (w[j] * w[j] - w[half + j] * w[half + j])
    for j in range(half):
        gradient[j] += 4 * p[0] * r * sample[j] * w[j]
        gradient[half + j] -= 4 * p[0] * r * sample[j] * w[half + j]
    return p[0] * r * r


def diagonal_network_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """Of the residual r: 2 c (∇r ∇rᵀ + r ∇²r)."""
    half = len(w) // 2
    r, slope = -sample[half], 0.0
    for j in range(half):
        r += sample[j] * (w[j] * w[j] - w[half + j] * w[half + j])
        slope += 2 * sample[j] * (w[j] * v[j] - w[half + j] * v[half + j])
    for j in range(half):
        out[j] += 4 * p[0] * sample[j] * (slope * w[j] + r * v[j])
        out[half + j] -= 4 * p[0] * sample[j] * (slope * w[half + j] + r * v[half + j])


def mirrored(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c (h q² / 2 + r q), turned over about m beyond it, for the sample (h, r) and p = (c, m)."""
    q, h, r, m = w[0], sample[0], sample[1], p[1]
    far = q > m
    u = q - 2 * m if far else q
    sign = -p[0] if far else p[0]
    gradient[0] += sign * (h * u + r)
    return sign * (0.5 * h * u * u + r * u) + (p[0] * h * m * m if far else 0.0)


def mirrored_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """h, and −h beyond m."""
    out[0] += (-p[0] if w[0] > p[1] else p[0]) * sample[0] * v[0]


def toy(w: Any, sample: Any, p: Any, gradient: Any) -> float:
    """c Σ_j |u_j − 1|^2.5 |u_j + 1|³ with u = w − x, for the sample x."""
    total = 0.0
    for j in range(len(w)):
        u = w[j] - sample[j]
        a, b = abs(u - 1), abs(u + 1)
        root, left, right = math.sqrt(a), 1.0 if u > 1 else -1.0, 1.0 if u > -1 else -1.0
        total += a * a * root * b * b * b
        gradient[j] += p[0] * (2.5 * a * root * left * b * b * b + 3 * a * a * root * b * b * right)
    return p[0] * total


def toy_curvature(w: Any, sample: Any, p: Any, v: Any, out: Any) -> None:
    """The second derivative, component by component."""
    for j in range(len(w)):
        u = w[j] - sample[j]
        a, b = abs(u - 1), abs(u + 1)
        root, left, right = math.sqrt(a), 1.0 if u > 1 else -1.0, 1.0 if u > -1 else -1.0
        out[j] += p[0] * (3.75 * root * b * b * b + 15 * a * root * b * b * left * right + 6 * a * a * root * b) * v[j]
