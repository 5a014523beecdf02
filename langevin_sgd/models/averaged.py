"""A sampled loss as a landscape, for the equations that describe SGD on it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.landscape import Landscape

if TYPE_CHECKING:
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

# Where no curvature is given: differences of gradients, extrapolated.
DIFFERENCES = """
def along(w, sample, p, v, out):
    for c, h in ((8.0 / 6.0, 1e-3), (-1.0 / 6.0, 2e-3)):
        up, down = zeros({d}), zeros({d})
        one(w + h * v, sample, p, up)
        one(w - h * v, sample, p, down)
        out += c * (up - down) / (2 * h)
"""


def averaged_landscape(loss: SampledLoss) -> Landscape:
    """Return the landscape of a sampled loss: an expression if it is a parabola, else functions that run over all samples."""
    if loss.dim > LARGEST:
        raise ValueError(f"the loss has {loss.dim} weights, but an equation has at most {LARGEST} components; run SGD itself with run_sgd.")
    return _parabola(loss) if loss.is_quadratic else _of_functions(loss)


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


def _of_functions(loss: SampledLoss) -> Landscape:
    from numba import njit
    if loss.data.size > MOST_NUMBERS:
        raise ValueError(f"the loss has {loss.data.size} numbers of data, but at most {MOST_NUMBERS} are compiled into an equation; give a "
                         "Landscape that describes it near the minimum, or take fewer samples with .take.")
    d = loss.dim
    sizes: dict[str, Any] = {"d": d, "n": loss.n_samples, "state": "x" if d == 1 else ", ".join(f"x[{k}]" for k in range(d))}
    sizes["gradient"] = f"g[0] / {loss.n_samples}" if d == 1 else "(" + ", ".join(f"g[{k}] / {loss.n_samples}" for k in range(d)) + ",)"
    rows = ["(" + ", ".join(f"h[{i}, {j}] / {loss.n_samples}" for j in range(d)) + ",)" for i in range(d)]
    sizes["hessian"] = f"h[0, 0] / {loss.n_samples}" if d == 1 else "(" + ", ".join(rows) + ",)"
    scope: dict[str, Any] = {"array": np.array, "zeros": np.zeros, "data": _frozen(loss.data), "p": _frozen(loss.p)}
    compiled = {"error_model": "numpy"}
    scope["one"] = njit(**compiled)(loss.adding_function)
    exec(DIFFERENCES.format(**sizes), scope)
    scope["along"] = njit(**compiled)(loss.curvature or scope["along"])
    exec(TEXT.format(**sizes), scope)
    return Landscape.from_functions(scope["value"], scope["gradient"], scope["hessian"], d)


def _frozen(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
