"""The noise of a step as text: what a noise function returns, the amplitudes that it gives, and the kick of each component.

Text, because tuples of d components and sums over d that are unrolled need code for each d.  The names in it: `c` is what the noise
function returned, `eps` its strength ε, `root` the root of the time step, z0 ... the normals, g0 ... the amplitudes.
"""
from __future__ import annotations

from enum import Enum


class NoiseForm(Enum):
    """What the noise function of a step returns, for dX = b dt + sqrt(ε) G dW with C = G Gᵀ."""

    COMPONENTWISE = "the variances c_k of a diagonal C"
    MODULATED = "s, for C = s M with the constant matrix M = B Bᵀ, where B comes with the call"
    FULL = "the matrix C, which is factored in every step"
    FACTOR = "the matrix G"


def amplitudes(form: NoiseForm, d: int) -> list[str]:
    """Return the lines that make amplitudes of what the noise function returned."""
    each = range(d)
    match form:
        case NoiseForm.COMPONENTWISE:
            return [f"g{k} = math.sqrt(eps * {'c' if d == 1 else f'c[{k}]'}) * root" for k in each]
        case NoiseForm.MODULATED:                           # the normals are multiplied by B before
            return ["g = math.sqrt(eps * c) * root"]
        case NoiseForm.FACTOR:
            return ["scale = math.sqrt(eps) * root", *(f"g{k}_{m} = c[{k}][{m}]" for k in each for m in each)]
    return ["scale = math.sqrt(eps) * root", *_cholesky(d)]


def kick(form: NoiseForm, d: int, k: int) -> str:
    """Return the expression of the kick of component k."""
    if form is NoiseForm.COMPONENTWISE:
        return f"g{k} * z{k}"
    if form is NoiseForm.MODULATED:
        return f"g * z{k}"
    columns = range(k + 1) if form is NoiseForm.FULL else range(d)
    return "scale * (" + " + ".join(f"g{k}_{m} * z{m}" for m in columns) + ")"


def _cholesky(d: int) -> list[str]:
    """The lines of G Gᵀ = C, lower triangular.  A pivot that is zero but for rounding is zero; a truly negative one makes the path NaN."""
    lines = []
    for j in range(d):
        pivot = " - ".join([f"c[{j}][{j}]", *(f"g{j}_{m} * g{j}_{m}" for m in range(j))])
        lines += [f"v = {pivot}", f"v = v if v > 1e-12 * c[{j}][{j}] else (0.0 if v >= -1e-12 * c[{j}][{j}] else math.nan)",
                  f"g{j}_{j} = math.sqrt(v)", f"r = 1.0 / g{j}_{j} if v > 0.0 else 0.0"]
        lines += [f"g{k}_{j} = (" + " - ".join([f"c[{k}][{j}]", *(f"g{k}_{m} * g{j}_{m}" for m in range(j))]) + ") * r"
                  for k in range(j + 1, d)]
    return lines
