"""The losses over data that the library knows: regression, phase retrieval, factorisation, deep linear networks, and the field's toys.

Every one has the loss of a sample as (residual)² times a factor c, and says which: ``half=True``, the default, is c = 1/2, ``half=False``
is c = 1; ``total="mean"`` is the average over the N samples, ``total="sum"`` their sum, that is c times N.  H scales as c, the covariance
of the noise as c².
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.core import sample_losses
from langevin_sgd.models.arguments import Array, not_negative, numbers, one_of, positive, whole
from langevin_sgd.models.data import generate, inputs_and_targets, load
from langevin_sgd.models.key import generator
from langevin_sgd.models.landscapes import mirrored_parabola as mirrored_landscape
from langevin_sgd.models.noise_families import Expression
from langevin_sgd.models.sampled import SampledLoss

# The covariance of a regression, turned over at m with its gradients: of q below it, and of q − 2m with the same sign beyond.
MIRRORED = "where(x < m, constant + 2*linear*x + quadratic*x**2, constant + 2*linear*(x - 2*m) + quadratic*(x - 2*m)**2)"

__all__ = ["deep_linear_chain", "diagonal_network", "generate", "linear_regression", "load", "logistic_regression", "matrix_factorisation",
           "matrix_sensing", "mirrored_parabola", "phase_retrieval", "ridge_regression", "smoothed_toy"]


def linear_regression(inputs: ArrayLike, targets: ArrayLike, *, half: bool = True, total: str = "mean") -> SampledLoss:
    """Return linear regression, ℓ = c (x·w − y)².

    Parameters
    ----------
    inputs, targets
        x, (N, d) or (N,), and y, (N,).
    half, total
        The convention: c = 1/2 or 1; the mean over samples or their sum.

    Notes
    -----
    Every sample is quadratic, so the noise is exactly quadratic in w (arXiv:2006.13719; `theory`, 2.1).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> x, y = ls.losses.generate(500, weights=[1.0, 2.0], label_noise=0.25, rng=1)
    >>> ls.losses.linear_regression(x, y)
    SampledLoss(linear regression, mean of ½(…)²; 500 samples, 2 weights)
    """
    x, y = inputs_and_targets(inputs, targets)
    return _regression("linear regression", x, y, (half, total), sample_losses.linear, sample_losses.linear_curvature, quadratic=True)


def ridge_regression(inputs: ArrayLike, targets: ArrayLike, penalty: float, *, half: bool = True, total: str = "mean") -> SampledLoss:
    """Return ridge regression, ℓ = c (x·w − y)² + penalty |w|² / 2; `penalty` does not depend on the convention of the first term.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.ridge_regression([1.0, 2.0], [1.0, 1.0], penalty=0.5).hessian(0.0)
    3.0
    """
    x, y = inputs_and_targets(inputs, targets)
    decay = not_negative("penalty", penalty)
    return _regression("ridge regression", x, y, (half, total), sample_losses.ridge, sample_losses.ridge_curvature, decay, quadratic=True)


def logistic_regression(inputs: ArrayLike, targets: ArrayLike, penalty: float = 0.0, *, total: str = "mean") -> SampledLoss:
    """Return logistic regression, ℓ = ln(1 + exp(−y x·w)) + penalty |w|² / 2, with labels y of ±1 (0 and 1 are taken for −1 and 1).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.logistic_regression([1.0, -2.0, 0.5], [1, 0, 0], penalty=0.1).gradient(0.0)
    -0.416...
    """
    x, y = inputs_and_targets(inputs, targets)
    labels = set(np.unique(y))
    if not (labels <= {-1.0, 1.0} or labels <= {0.0, 1.0}):
        raise ValueError(f"`targets` holds {sorted(map(float, labels))[:4]}, but labels must be −1 and 1, or 0 and 1.")
    y = np.where(y > 0, 1.0, -1.0)
    decay, factor, said = not_negative("penalty", penalty), _total(total, len(y)), f"{total} of ln(1 + exp(−y x·w))"
    return SampledLoss(f"logistic regression, {said}", np.column_stack([x, y]), x.shape[1], np.array([factor, decay]),
                       sample_losses.logistic, sample_losses.logistic_curvature, is_sum=total == "sum")


def phase_retrieval(inputs: ArrayLike, targets: ArrayLike, *, half: bool = True, total: str = "mean") -> SampledLoss:
    """Return phase retrieval, ℓ = c ((x·w)² − y)²; its minima come in pairs ±w.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sorted(round(point.x, 6) for point in ls.losses.phase_retrieval([1.0, -2.0], [1.0, 4.0]).minima())
    [-1.0, 1.0]
    """
    x, y = inputs_and_targets(inputs, targets)
    return _regression("phase retrieval", x, y, (half, total), sample_losses.phase_retrieval, sample_losses.phase_retrieval_curvature)


def matrix_factorisation(rows: ArrayLike, columns: ArrayLike, entries: ArrayLike, rank: int, *, half: bool = True,
                         total: str = "mean") -> SampledLoss:
    """Return matrix factorisation, ℓ = c (u_i·v_j − M_ij)², over the entries of M that are known.

    Parameters
    ----------
    rows, columns, entries
        i and j (N,), whole numbers from 0, and M_ij (N,).
    rank
        r.  The weights are the rows of U, one after the other, and then those of V: d = r (number of rows + number of columns).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.matrix_factorisation([0, 0, 1, 1], [0, 1, 0, 1], [1.0, 2.0, 2.0, 4.0], rank=1)([1.0, 2.0, 1.0, 2.0])
    0.0
    """
    i, j, y = _places("rows", rows), _places("columns", columns), numbers("entries", entries)
    if not i.shape == j.shape == y.shape:
        raise ValueError(f"`rows`, `columns` and `entries` have the shapes {i.shape}, {j.shape} and {y.shape}, but must have one (N,).")
    r = whole("rank", rank)
    height, width = int(i.max()) + 1, int(j.max()) + 1
    factor, said = _convention(half, total, len(y))
    return SampledLoss(f"matrix factorisation of {height} x {width}, rank {r}, {said}", np.column_stack([i, j, y]), r * (height + width),
                       np.array([factor, height, r]), sample_losses.factorisation, sample_losses.factorisation_curvature,
                       is_sum=total == "sum")


def matrix_sensing(matrices: ArrayLike, targets: ArrayLike, rank: int, *, half: bool = True, total: str = "mean") -> SampledLoss:
    """Return matrix sensing, ℓ = c (⟨A, U Uᵀ⟩ − y)².

    Parameters
    ----------
    matrices, targets
        A, (N, n, n), of which only the symmetric part counts, and y, (N,).
    rank
        r; the weights are the rows of U (n, r), one after the other.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.matrix_sensing([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]], [1.0, 1.0], rank=1)([1.0, 0.5])
    0.0
    """
    a, y = numbers("matrices", matrices), numbers("targets", targets)
    if a.ndim != 3 or a.shape[1] != a.shape[2] or y.shape != (len(a),) or not a.size:
        raise ValueError(f"`matrices` has shape {a.shape} and `targets` {y.shape}, but they must be (N, n, n) and (N,), not "
                         "empty.")
    n, r = a.shape[1], whole("rank", rank)
    factor, said = _convention(half, total, len(y))
    symmetric = ((a + np.swapaxes(a, 1, 2)) / 2).reshape(len(a), n * n)
    return SampledLoss(f"matrix sensing of {n} x {n}, rank {r}, {said}", np.column_stack([symmetric, y]), n * r, np.array([factor, n, r]),
                       sample_losses.sensing, sample_losses.sensing_curvature, is_sum=total == "sum")


def deep_linear_chain(inputs: ArrayLike, targets: ArrayLike, depth: int, *, half: bool = True, total: str = "mean") -> SampledLoss:
    """Return a deep linear network of diagonal layers, ℓ = c Σ_k (x_k w_1k w_2k … − y_k)².

    Parameters
    ----------
    inputs, targets
        x and y, both (N, k), or (N,) for the scalar chain.
    depth
        The number of layers; the weights are those of the first layer, then those of the second, ...

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.deep_linear_chain([1.0, 2.0], [1.0, 2.0], depth=2).gradient([2.0, 1.0])
    array([2.5, 5. ])
    """
    x, y = numbers("inputs", inputs), numbers("targets", targets)
    x, y = (a[:, None] if a.ndim == 1 else a for a in (x, y))
    if x.ndim != 2 or x.shape != y.shape or not x.any():
        raise ValueError(f"`inputs` has shape {x.shape} and `targets` {y.shape}, but both must be (N, k) or (N,), and not all inputs zero.")
    layers, width = whole("depth", depth), x.shape[1]
    factor, said = _convention(half, total, len(x))
    return SampledLoss(f"deep linear chain of {layers} layers, {said}", np.column_stack([x, y]), layers * width, np.array([factor, width]),
                       sample_losses.deep_chain, sample_losses.deep_chain_curvature, is_quadratic=layers == 1, is_sum=total == "sum")


def diagonal_network(inputs: ArrayLike, targets: ArrayLike, *, half: bool = True, total: str = "mean") -> SampledLoss:
    """Return a diagonal linear network, ℓ = c (x·β − y)² with β = u∘u − v∘v; the weights are u, then v.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.diagonal_network([[1.0, 2.0]], [3.0])([1.0, 1.0, 0.0, 0.0])
    0.0
    """
    x, y = inputs_and_targets(inputs, targets)
    factor, said = _convention(half, total, len(y))
    return SampledLoss(f"diagonal linear network, {said}", np.column_stack([x, y]), 2 * x.shape[1], np.array([factor]),
                       sample_losses.diagonal_network, sample_losses.diagonal_network_curvature, is_sum=total == "sum")


def mirrored_parabola(inputs: ArrayLike, targets: ArrayLike, barrier: float, *, half: bool = False, total: str = "mean") -> SampledLoss:
    """Return a regression with one weight q = w − w*, turned over at m: a minimum at 0, and a saddle at 2m of the height of the barrier.

    A sample has the gradient h q + r for q < m, and −(h (q − 2m) + r) beyond, with h and r its curvature and residual gradient at the
    minimum of the regression, and m = √(barrier / mean h).

    Parameters
    ----------
    inputs, targets
        x and y, (N,).
    barrier
        The height of the saddle.
    half
        False here: in `theory`, 4.6, where real SGD is measured on it, the loss of a sample is (w x − y)².

    Examples
    --------
    >>> import langevin_sgd as ls, numpy as np
    >>> rng = np.random.default_rng(7)
    >>> loss = ls.losses.mirrored_parabola(rng.normal(size=500), rng.normal(size=500), barrier=0.3)
    >>> print(*loss.landscape.critical_points(), sep="; ")
    minimum at 0., value 0; saddle at 0.819..., value 0.3
    """
    x, y = inputs_and_targets(inputs, targets)
    if x.shape[1] != 1:
        raise ValueError(f"`inputs` has {x.shape[1]} components, but the mirrored parabola has one weight: give (N,).")
    factor, said = _convention(half, total, len(y))
    height, x = positive("barrier", barrier), x[:, 0]
    h, r = 2 * x * x, 2 * x * (x @ y / (x @ x) * x - y)
    curvature = factor * float(h.mean())
    m = np.sqrt(height / curvature)
    parts = {"constant": float((r * r).mean() - r.mean()**2), "linear": float((h * r).mean() - h.mean() * r.mean()),
             "quadratic": float(h.var())}
    return SampledLoss(f"mirrored parabola, {said}", np.column_stack([h, r]), 1, np.array([factor, m]), sample_losses.mirrored,
                       sample_losses.mirrored_curvature, known_landscape=mirrored_landscape(curvature, height),
                       known_noise=Expression(MIRRORED, m=m, **{name: factor**2 * value for name, value in parts.items()}),
                       is_sum=total == "sum")


def smoothed_toy(n_samples: int = 1000, dim: int = 2, spread: float = 0.1, *, shifts: ArrayLike | None = None, factor: float = 15.0,
                 rng: Any = 0) -> SampledLoss:
    """Return the toy loss factor · Σ_j |u_j − 1|^2.5 |u_j + 1|³ with u = w − x, averaged over shifts x.

    Parameters
    ----------
    n_samples, spread, rng
        The shifts are so many normal numbers (N, dim) with this standard deviation.
    shifts
        Instead of them, your own, (N, dim).

    Notes
    -----
    Source: the landscape of arXiv:2006.13719 (`theory`, 10).  Without the averaging each axis has a saddle at 1/11, 15.345 above the minima
    at ±1, and these have no curvature, so that formulas that need one do not apply.  Averaged over very many shifts with spread 0.1, the
    saddle lies at 0.089, and 14.80 and 14.48 above the minima at −0.983 and 0.979.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.losses.smoothed_toy(n_samples=100, rng=1).gradient([0.0, 0.0])
    array([...])
    """
    if shifts is None:
        x = positive("spread", spread) * generator(rng).normal(size=(whole("n_samples", n_samples), whole("dim", dim)))
    else:
        given = numbers("shifts", shifts)
        x = np.asarray(given[:, None] if given.ndim == 1 else given, dtype=np.float64)
        if x.ndim != 2 or not x.size:
            raise ValueError(f"`shifts` has shape {x.shape}, but must be (N, dim).")
    return SampledLoss(f"smoothed toy, mean of {factor:g} Σ|u − 1|^2.5 |u + 1|³", x, x.shape[1], np.array([positive("factor", factor)]),
                       sample_losses.toy, sample_losses.toy_curvature)


def _regression(name: str, x: Array, y: Array, convention: tuple[bool, str], function: Callable[..., float],
                curvature: Callable[..., None], *parameters: float, quadratic: bool = False) -> SampledLoss:
    factor, said = _convention(*convention, len(y))
    return SampledLoss(f"{name}, {said}", np.column_stack([x, y]), x.shape[1], np.array([factor, *parameters]), function, curvature,
                       is_quadratic=quadratic, is_sum=convention[1] == "sum")


def _convention(half: bool, total: str, n: int) -> tuple[float, str]:
    """The factor c of the loss of a sample, and the convention in words."""
    if not isinstance(half, bool):
        raise ValueError(f"`half` is {half!r}, but must be True for ½(…)², or False for (…)².")
    return (0.5 if half else 1.0) * _total(total, n), f"{total} of {'½' if half else ''}(…)²"


def _total(total: str, n: int) -> float:
    return {"mean": 1.0, "sum": float(n)}[one_of("total", total, ("mean", "sum"))]


def _places(name: str, values: ArrayLike | Sequence[int]) -> Array:
    places = numbers(name, values)
    if places.ndim != 1 or not places.size or (places < 0).any() or (places != np.round(places)).any():
        raise ValueError(f"`{name}` must be whole numbers from 0 in an array (N,).")
    return places
