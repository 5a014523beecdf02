"""Where the noise vanishes, or the drift diverges: the singular point nearest to a start, in one direction.

Both are zeros of D² / (D + |f| size), which is D where the drift is weak.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.line.coefficients import diffusion, drift

LEAST_FLOAT = 1e-200            # relative to the start; beyond it, something left the range of floats
Mobility = Callable[[Array], Array]

SAMPLES = 256                   # points between the start and a finite end
PER_OCTAVE, OCTAVES = 16, (-20, 40)     # and on the way to an infinite one, in distances from 2^-20 to 2^40 sizes
ZOOM, ROUNDS = 32, 14           # each round looks ZOOM / 2 times closer; 16^14 is beyond rounding
DIP = 0.6                       # |x|^p, p > 1/4, falls below this part of its value at the rim within each round
JUMP = 1e-3                     # D next to its zero is below this part of D at the sample before, or D jumps there


@dataclass(frozen=True)
class Singularity:
    """A point where D vanishes or f diverges, and which of them, in words."""

    at: float
    cause: str


def first_singularity(sde: SDE, start: float, to: float, size: float, kinks: Sequence[float]) -> Singularity | None:
    """Return the point nearest to the start and strictly before `to` where D vanishes or f diverges; None if there is none.

    Where they merely leave the range of floats, that is no such point.

    Parameters
    ----------
    start, to
        From where to where to look; `to` may be infinite.
    size
        The scale of distances.
    kinks
        Where pieces of drift or noise meet: a zero may hide there.

    Raises
    ------
    ValueError
        If D jumps to zero, to negative values or to NaN.

    Notes
    -----
    The function is sampled; every change of sign and every dip between samples is looked at ever closer.  A zero that is much narrower
    than the distance of samples (a part in 256 of a finite domain, a sixteenth of an octave otherwise) can be missed; the quadrature
    then fails to converge there, and says so.
    """
    mobility = functools.partial(_mobility, sde, size)
    x = _samples(start, to, size, kinks)
    d = mobility(x)
    end = len(x) if (d > 0).all() else int(np.argmin(d > 0))
    dips = _dips(mobility, x[:end], d[:end])
    if dips.size:
        at = float(dips[np.argmin(np.abs(dips - start))])
    elif end < len(x):
        inside, at = _sign_change(mobility, float(x[end - 1]), float(x[end]))
        left = float(mobility(np.array(inside)))
        if not LEAST_FLOAT < left / d[0] < 1 / LEAST_FLOAT:
            return None
        if left > JUMP * d[end - 1]:
            raise ValueError(f"beyond x = {inside:.10g}, where the process can be, the drift is {float(drift(sde, np.array(at))):g} and "
                             f"D = ε C / 2 is {float(diffusion(sde, np.array(at))):g}; inside the domain the drift must be finite and D "
                             "positive.")
    else:
        return None
    at = _rounded(mobility, at, size)
    vanishes = diffusion(sde, np.array(at)) <= JUMP * diffusion(sde, np.array(start))
    return Singularity(at, "the noise vanishes" if vanishes else "the drift diverges")


def _mobility(sde: SDE, size: float, x: Array) -> Array:
    """D² / (D + |f| size), with the sign of D."""
    d = diffusion(sde, x)
    with np.errstate(all="ignore"):
        return np.where(d == 0, 0.0, d * (np.abs(d) / (np.abs(d) + np.abs(drift(sde, x)) * size)))


def _samples(start: float, to: float, size: float, kinks: Sequence[float]) -> Array:
    if math.isinf(to):
        low, high = OCTAVES
        away = size * 2.0 ** np.arange(low, high, 1 / PER_OCTAVE) * math.copysign(1.0, to)
    else:
        away = (to - start) * np.append(np.arange(1, SAMPLES) / SAMPLES, 1 - 1e-9)
    reach = np.abs([k - start for k in kinks if (k - start) * away[0] > 0 and abs(k - start) < abs(away[-1])])
    distance = np.unique(np.concatenate([[0.0], np.abs(away), reach]))
    return start + math.copysign(1.0, away[0]) * distance


def _dips(mobility: Mobility, x: Array, d: Array) -> Array:
    """The points where D touches zero: looked at closer and closer, D keeps falling far below its values around."""
    inner = d[1:-1]
    candidates = 1 + np.flatnonzero((inner <= d[:-2]) & (inner <= d[2:]) & (inner < 0.9 * np.maximum(d[:-2], d[2:])))
    left, right = x[candidates - 1], x[candidates + 1]
    for n in range(ROUNDS):
        if not left.size:
            break
        t = left[:, None] + (right - left)[:, None] * np.linspace(0, 1, ZOOM + 1)
        values, rows = mobility(t), np.arange(len(t))
        lowest = np.clip(values.argmin(axis=1), 1, ZOOM - 1)
        is_point = np.abs(right - left) <= 8 * np.spacing(np.maximum(np.abs(left), np.abs(right)))
        deep = (values[rows, lowest] <= DIP * np.minimum(values[:, 0], values[:, -1])) | is_point | (n == 0)
        left, right = t[rows, lowest - 1][deep], t[rows, lowest + 1][deep]
    return (left + right) / 2


def _sign_change(mobility: Mobility, inside: float, outside: float) -> tuple[float, float]:
    """Two neighbouring points between which D stops being positive."""
    for _ in range(ROUNDS):
        t = np.linspace(inside, outside, ZOOM + 1)
        k = max(int(np.argmin(mobility(t) > 0)), 1)
        inside, outside = float(t[k - 1]), float(t[k])
    return inside, outside


def _rounded(mobility: Mobility, zero: float, size: float) -> float:
    """The number with few digits next to a zero, if D is as small there: 0 rather than 1e-17."""
    guess = 0.0 if abs(zero) < 1e-9 * size else float(f"{zero:.12g}")
    d = mobility(np.array([guess, zero]))
    return guess if abs(d[0]) <= abs(d[1]) else zero
