"""Hessians of samples from differences of their gradients, where a loss has no curvature of its own.

Slopes over h and 2h are extrapolated, which is exact for gradients of degree four.  The step is shortened until both agree: a loss may
bend within less than the first, or have a kink there.
"""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.arguments import Array

if TYPE_CHECKING:
    from langevin_sgd.models.sampled import SampledLoss

STEP = 2e-3             # h at first, relative to the weight
SHORTER, LEVELS = 8.0, 8
TINY = 1e-4             # of the first step: there a slope is looked for once more if none is found
AGREE = 1e-3            # relative difference of the two slopes: the square of it, about, is left where they are extrapolated
SAME = 1e-6             # relative difference of what is extrapolated from one h and the next
ROUNDING = 1e-14        # of gradients
FADED = 1e-2            # difference of slopes in the end, relative to the largest seen: they go to 0, slowly, as those of |w|^1.5 do


def column(loss: SampledLoss, w: Array, j: int) -> Array:
    """Return the derivatives of the gradients of all samples with respect to weight j, (N, d)."""
    with np.errstate(invalid="ignore", over="ignore"):                          # where gradients are infinite, shorter steps are tried
        h = STEP * max(1.0, abs(float(w[j])))
        found, height, gap = _extrapolated(loss, w, j, h)
        right = _agree(gap, AGREE * height)
        if not right.all():
            right = _agree(gap, AGREE * height + _rounding(loss, w, h))
        if not height.all():
            flat = np.flatnonzero(height == 0)
            right[flat] = _lengths(_slope(_part(loss, flat), w, j, TINY * h)) == 0
        return found if right.all() else _with_shorter_steps(loss, w, j, h, found, height, np.flatnonzero(~right))


def _with_shorter_steps(loss: SampledLoss, w: Array, j: int, h: float, out: Array, largest: Array, left: Any) -> Array:
    """The same column, in which only some samples are left to be found."""
    for _ in range(1, LEVELS):
        h /= SHORTER
        part = _part(loss, left)
        (found, height, gap), rounding = _extrapolated(part, w, j, h), _rounding(part, w, h)
        right = _agree(gap, AGREE * height + rounding) | _agree(_lengths(found - out[left]), SAME * height + rounding)
        right &= (height > 0) | (largest[left] > 0)             # where a slope was found over the tiny step only, none is not yet right
        out[left], largest[left] = found, np.fmax(largest[left], height)
        left, gap = left[~right], gap[~right]
        if not len(left):
            return out
    lost = left[~_agree(gap, FADED * largest[left])]
    if len(lost):
        raise ArithmeticError(f"{loss.name} has no Hessian that differences of gradients find at w = {np.array2string(w, precision=6)}: "
                              f"over ever shorter steps of weight {j} those of sample {lost[0]} do not agree.  There may be a kink; move w "
                              "away from it.")
    return out


def _agree(gap: Array, allowed: Array) -> Any:
    return np.isfinite(gap) & (gap <= allowed)


def _part(loss: SampledLoss, samples: Any) -> SampledLoss:
    """The loss on some samples, of which only the gradients are wanted."""
    return loss if len(samples) == loss.n_samples else replace(loss, data=loss.data[samples])


def _extrapolated(loss: SampledLoss, w: Array, j: int, h: float) -> tuple[Array, Array, Array]:
    """The slopes extrapolated from h and 2h, the lengths of those over h, and how far both differ."""
    near, far = _slope(loss, w, j, h), _slope(loss, w, j, 2 * h)
    height = _lengths(near)
    np.subtract(near, far, out=far)
    gap = _lengths(far)
    far /= 3
    near += far
    return near, height, gap


def _slope(loss: SampledLoss, w: Array, j: int, h: float) -> Array:
    """The slopes (N, d) of gradients along weight j, from both sides."""
    up, down = w.copy(), w.copy()
    up[j] += h
    down[j] -= h
    slopes, below = loss._by_sample(up)[1], loss._by_sample(down)[1]
    slopes -= below
    slopes /= up[j] - down[j]
    return slopes


def _rounding(loss: SampledLoss, w: Array, h: float) -> float:
    """What of a slope over h is rounding of gradients; these are taken at w + h, for at w they may be none."""
    return ROUNDING / h * float(_lengths(loss._by_sample(w + h)[1]).max())


def _lengths(rows: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", rows, rows)))
