"""Noise that is added to the gradient of a batch, as text for the code of the batch: n ~ N(0, λ C).

C is a function of the state, scalar and unrolled as in a step, for few weights; or a quadratic written in arrays, for many; or the
covariance of the gradients of the batch itself, which needs no model: each is weighted with 1 + s (z_b − z̄), s² = λ B² / (B − 1), z_b
normal.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from langevin_sgd.core.lanes import LANES
from langevin_sgd.core.noise_text import NoiseForm, amplitudes, kick

MOST_UNROLLED = 16              # weights, above which C is a quadratic written in arrays


class Arrays(Enum):
    """A quadratic C(δ) written in arrays, which follow λ in the numbers of the noise."""

    COMPONENTWISE = "σ_g, σ_gH and σ_H (d each): C = diag(σ_g + 2 σ_gH δ + σ_H δ²)"
    MODULATED = "A and B (d × d each, row by row): C = (1 + δᵀ A δ) B Bᵀ"


@dataclass(frozen=True)
class InjectedNoise:
    """What a batch adds to its gradient.

    Attributes
    ----------
    form
        What `function` returns, or how the quadratic is written; None for the covariance of the batch itself.
    function
        For few weights: the noise function f(x, t, q), with q the tuple of the first `n_parameters` numbers of the noise, λ first.
    n_parameters
        See `function`; the matrix B of a modulated noise follows them.
    """

    form: NoiseForm | Arrays | None
    function: Callable[..., Any] | None = None
    n_parameters: int = 1

    def normals(self, d: int, size: int) -> int:
        """Return how many normals a step needs."""
        return size if self.form is None else d


def weights_text(lanes: bool) -> list[str]:
    """Return the lines that make a weight of each normal, in place, for the covariance of the batch itself."""
    count = LANES if lanes else 1
    return ["factor = math.sqrt(Q[0] / (size - 1.0)) * size",
            f"for i in range({count}):",
            "    mean = 0.0",
            "    for b in range(size):",
            f"        mean += Z[b * {count} + i]",
            "    mean /= size",
            "    for b in range(size):",
            f"        Z[b * {count} + i] = 1.0 + factor * (Z[b * {count} + i] - mean)"]


def added_text(noise: InjectedNoise, d: int, lanes: bool) -> list[str]:
    """Return the lines that add the noise to the sum of the gradients G, times the size of the batch.

    S holds the state at which C is taken, Z the normals, Q the numbers of the noise.
    """
    if isinstance(noise.form, Arrays):
        return {Arrays.COMPONENTWISE: _COMPONENTWISE, Arrays.MODULATED: _MODULATED}[noise.form].format(d=d).splitlines()
    assert noise.form is not None, "This is a bug: the noise of the batch itself is in the weights."
    count, each = LANES if lanes else 1, range(d)
    state = "x0" if d == 1 else f"({', '.join(f'x{k}' for k in each)})"
    lines = [f"q = ({''.join(f'Q[{k}], ' for k in range(noise.n_parameters))})", "root, eps = 1.0, Q[0]"]
    body = [*(f"x{k} = S[{k * count} + i]" for k in each), *(f"y{k} = Z[{k * count} + i]" for k in each)]
    if noise.form is NoiseForm.MODULATED:
        body += [f"z{k} = " + " + ".join(f"Q[{noise.n_parameters + k * d + m}] * y{m}" for m in each) for k in each]
    else:
        body += [f"z{k} = y{k}" for k in each]
    body += [f"c = noise({state}, 0.0, q)", *amplitudes(noise.form, d)]
    body += [f"G[{k * count} + i] += size * ({kick(noise.form, d, k)})" for k in each]
    return [*lines, f"for i in range({count}):", *(f"    {line}" for line in body)]


_COMPONENTWISE = """
for j in range({d}):
    delta = S[j]
    c = Q[1 + j] + (2.0 * Q[1 + {d} + j] + Q[1 + 2 * {d} + j] * delta) * delta
    G[j] += size * math.sqrt(Q[0] * max(c, 0.0)) * Z[j]
"""

_MODULATED = """
form, root, z = moved(Q, 1), moved(Q, 1 + {d} * {d}), carray(Z, ({d},))
s = 1.0
for j in range({d}):
    s += S[j] * dot(carray(moved(form, j * {d}), ({d},)), carray(S, ({d},)))
amplitude = size * math.sqrt(Q[0] * max(s, 0.0))
for j in range({d}):
    G[j] += amplitude * dot(carray(moved(root, j * {d}), ({d},)), z)
"""
