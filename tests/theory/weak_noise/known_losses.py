"""Losses over data that are their gradients, whose exponents are known from one dimension, and that look different in other weights."""
import dataclasses
import functools

import numpy as np

import langevin_sgd as ls


def _drawn(w, sample, gradient):
    total = 0.0
    for j in range(len(w)):
        gradient[j] = w[j] + sample[j]
        total += w[j] * w[j] / 2 + sample[j] * w[j]
    return total


@functools.cache
def _at_zero(dim):
    return ls.SampledLoss.from_function(_drawn, np.ones((1, dim)), dim=dim)


def with_gradients(g):
    """A loss whose samples have the gradients g (N, d) at w = 0."""
    g = np.asarray(g, dtype=float)
    return dataclasses.replace(_at_zero(g.shape[1]), data=g)


def _two_alone(w, sample, p, gradient):
    """Two weights u = A w that know nothing of one another: a double well and a bowl, with noise that depends on the first."""
    x, y = p[0] * w[0] + p[1] * w[1], p[2] * w[0] + p[3] * w[1]
    a, b = sample[0], sample[1]
    f, g = x * x * x - x + a * (1 + 0.3 * x), y + 0.5 * y * y * y + b
    gradient[0] = p[0] * f + p[2] * g
    gradient[1] = p[1] * f + p[3] * g
    return (x * x - 1)**2 / 4 + a * x * (1 + 0.15 * x) + y * y / 2 + y**4 / 8 + b * y


_RNG = np.random.default_rng(4)
FIRST, SECOND = _RNG.exponential(size=8), np.array([-1.6, 0.1, 0.1, 0.5, 0.5, 0.5])
FIRST, SECOND = FIRST - FIRST.mean(), SECOND - SECOND.mean()
PAIRS = np.stack(np.meshgrid(FIRST, SECOND), axis=-1).reshape(-1, 2)        # all pairs: independent


def two_alone(a=((1.0, 0.0), (0.0, 1.0))):
    """The loss in weights w with u = A w; minima at u = (±1, 0), a saddle at u = 0."""
    (p, q), (r, s) = a
    return ls.SampledLoss.from_function(_two_alone, PAIRS, dim=2, p=p, q=q, r=r, s=s)


def alone(x, y):
    """The exponent from u = (−1, 0) to (x, y), one weight after the other: the quasi-potential of what is independent adds up."""
    first = ls.theory.cramer_exponent(minimum=-1.0, saddle=x, gradients=lambda u: u**3 - u + FIRST * (1 + 0.3 * u)).value
    if abs(y) < 1e-6:
        return first
    return first + ls.theory.cramer_exponent(minimum=0.0, saddle=y, gradients=lambda u: u + 0.5 * u**3 + SECOND).value
