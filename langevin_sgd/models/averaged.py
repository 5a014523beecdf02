"""A sampled loss as a landscape, and its covariance as a noise, for the equations that describe SGD on it."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models import differences
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.landscape import Landscape

if TYPE_CHECKING:
    from langevin_sgd.models.noise_families import Noise
    from langevin_sgd.models.sampled import SampledLoss

LARGEST = 16                    # weights of an equation
MOST_NUMBERS = 200_000          # of data that are compiled into a function

# The state comes as a number or a tuple; sums over all samples run inside the compiled function.
TEXT = """
def value(x):
    w, g, total = array([{state}]), zeros({d}), 0.0
    for k in range({n}):
        total += one(w, data[k], p, g)
    return total / {n}

def gradient(x):
    w, g = array([{state}]), zeros({d})
    for k in range({n}):
        one(w, data[k], p, g)
    return {gradient}

def hessian(x):
    w, g, h = array([{state}]), zeros({d}), zeros(({d}, {d}))
    v = zeros({d})
    for j in range({d}):
        v[j] = 1.0
        for k in range({n}):
            along(w, data[k], p, v, h[j])
        v[j] = 0.0
    return {hessian}
"""

# The covariance C(w) of the gradients of all samples, as its factor G, lower triangular, and Σ_j ∂_j C_ij.  Gradients and Hessians are
# taken relative to those of the first sample: their mean can be much larger than what they differ by.
NOISE = """
def covariance(w):
    first, g, total, c = zeros({d}), zeros({d}), zeros({d}), zeros(({d}, {d}))
    one(w, data[0], p, first)
    for k in range(1, {n}):
        for i in range({d}):
            g[i] = -first[i]
        one(w, data[k], p, g)
        for i in range({d}):
            total[i] += g[i]
            for j in range(i + 1):
                c[i, j] += g[i] * g[j]
    for i in range({d}):
        for j in range(i + 1):
            c[i, j] = c[i, j] / {n} - total[i] * total[j] / {n}**2
    return c

def factor(x):
    c = covariance(array([{state}]))
    for j in range({d}):
        scale = c[j, j]
        for m in range(j):
            c[j, j] -= c[j, m] * c[j, m]
        c[j, j] = sqrt(c[j, j]) if c[j, j] > 1e-12 * scale else 0.0
        for i in range(j + 1, {d}):
            for m in range(j):
                c[i, j] -= c[i, m] * c[j, m]
            c[i, j] = c[i, j] / c[j, j] if c[j, j] > 0.0 else 0.0
    return {lower}

def divergence(x):
    w, v, total = array([{state}]), zeros({d}), zeros({d})
    g_mean, h_mean = zeros({d}), zeros(({d}, {d}))
    for k in range({n}):
        one(w, data[k], p, g_mean)
        for j in range({d}):
            v[j] = 1.0
            along(w, data[k], p, v, h_mean[j])
            v[j] = 0.0
    g, h = zeros({d}), zeros(({d}, {d}))
    for k in range({n}):
        for i in range({d}):
            g[i] = -g_mean[i] / {n}
            for j in range({d}):
                h[i, j] = -h_mean[i, j] / {n}
        one(w, data[k], p, g)
        for j in range({d}):
            v[j] = 1.0
            along(w, data[k], p, v, h[j])
            v[j] = 0.0
        for i in range({d}):
            for j in range({d}):
                total[i] += (h[i, j] * g[j] + g[i] * h[j, j]) / {n}
    return {divergence}
"""

# Where no curvature is given: slopes of gradients along a unit vector v over h and 2h, extrapolated, with h shortened until they agree, as
# in `differences`; at a kink they never do, and the last are taken: a path may come near to one.
DIFFERENCES = """
def along(w, sample, p, v, out):
    h, (up, down, near, far) = {first}, zeros((4, {d}))
    for j in range({d}):
        h = max(h, {first} * abs(v[j] * w[j]))
    for level in range({levels}):
        gap = size = height = 0.0
        for slopes, step in ((near, h), (far, 2 * h)):
            up[:], down[:] = 0.0, 0.0
            one(w + step * v, sample, p, up)
            one(w - step * v, sample, p, down)
            for j in range({d}):
                slopes[j] = (up[j] - down[j]) / (2 * step)
                size = max(size, abs(up[j]))
        for j in range({d}):
            gap, height = max(gap, abs(near[j] - far[j])), max(height, abs(near[j]))
        if gap <= {agree} * height + {rounding} * size / h:
            break
        h /= {shorter}
    for j in range({d}):
        out[j] += (4 * near[j] - far[j]) / 3
"""


def averaged_landscape(loss: SampledLoss) -> Landscape:
    """Return the landscape of a sampled loss: an expression if it is a parabola, else functions that run over all samples."""
    return _parabola(loss) if loss.is_quadratic and loss.dim <= LARGEST else _of_functions(loss)


def _parabola(loss: SampledLoss) -> Landscape:
    point = loss.minimum(np.zeros(loss.dim) if loss.dim > 1 else 0.0)
    h, names = np.atleast_2d(point.hessian), loss.variables
    values = {"lowest": point.value}
    values |= {f"at{k}": float(c) for k, c in enumerate(np.atleast_1d(point.x))}
    terms = ["lowest"]
    for i in range(loss.dim):
        for j in range(i, loss.dim):
            values[f"h{i}_{j}"] = float(h[i, j])
            half = "/2" if i == j else ""
            terms.append(f"h{i}_{j}*({names[i]} - at{i})*({names[j]} - at{j}){half}")
    return Landscape(" + ".join(terms), variables=names, **values)


def averaged_noise(loss: SampledLoss) -> Noise:
    """Return the covariance of a sampled loss as a noise: a quadratic if it is one, else functions that run over all samples."""
    from langevin_sgd.models.measured_noise import LARGEST_FULL
    from langevin_sgd.models.noise_families import from_functions
    from langevin_sgd.models.noise_of_losses import from_hessians
    if loss.is_quadratic and loss.dim <= LARGEST_FULL:
        return from_hessians(loss).model
    scope = _compiled(loss)
    return from_functions(scope["factor"], scope["divergence"], loss.dim)


def _of_functions(loss: SampledLoss) -> Landscape:
    scope = _compiled(loss)
    return Landscape.from_functions(scope["value"], scope["gradient"], scope["hessian"], loss.dim)


def _compiled(loss: SampledLoss) -> dict[str, Any]:
    """The functions of one state."""
    from math import sqrt

    from numba import njit
    if loss.dim > LARGEST:
        raise ValueError(f"the loss has {loss.dim} weights, but an equation has at most {LARGEST} components; run SGD itself with run_sgd.")
    if loss.data.size > MOST_NUMBERS:
        raise ValueError(f"the loss has {loss.data.size} numbers of data, but at most {MOST_NUMBERS} are compiled into an equation; give a "
                         "Landscape that describes it near the minimum, or take fewer samples with .take.")
    d, n = loss.dim, loss.n_samples

    def listed(entry: str, over: str = "") -> str:
        """A number in one dimension, else a tuple of d."""
        return entry.format(0) + over if d == 1 else f"({', '.join(entry.format(k) + over for k in range(d))},)"

    def rows(entry: Callable[[int, int], str]) -> str:
        return entry(0, 0) if d == 1 else f"({', '.join('(' + ', '.join(entry(i, j) for j in range(d)) + ',)' for i in range(d))},)"

    sizes: dict[str, Any] = {"d": d, "n": n, "state": "x" if d == 1 else ", ".join(f"x[{k}]" for k in range(d)),
                             "gradient": listed("g[{}]", f" / {n}"), "hessian": rows(lambda i, j: f"h[{i}, {j}] / {n}"),
                             "lower": rows(lambda i, j: f"c[{i}, {j}]" if j <= i else "0.0"), "divergence": listed("total[{}]"),
                             "first": differences.STEP, "levels": differences.LEVELS, "shorter": differences.SHORTER,
                             "agree": differences.AGREE, "rounding": differences.ROUNDING}
    scope: dict[str, Any] = {"array": np.array, "sqrt": sqrt, "zeros": np.zeros, "data": _frozen(loss.data), "p": _frozen(loss.p)}
    compiled = {"error_model": "numpy"}
    scope["one"] = njit(**compiled)(loss.adding_function)
    exec(DIFFERENCES.format(**sizes), scope)
    scope["along"] = njit(**compiled)(loss.curvature or scope["along"])
    exec(TEXT.format(**sizes), scope)
    exec(NOISE.format(**sizes), scope)
    scope["covariance"] = njit(**compiled)(scope["covariance"])
    return scope


def _frozen(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
