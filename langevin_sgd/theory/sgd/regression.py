"""Linear regression: where the noise of SGD is known from the data, and its stationary covariance in closed form."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import not_negative, numbers, positive, whole
from langevin_sgd.models.noise_families import Quadratic
from langevin_sgd.theory.closed_forms.matrices import positive_definite
from langevin_sgd.theory.sgd.discrete_variance import IterateCovariance


def regression_covariance(*, inputs: ArrayLike, label_noise: float, learning_rate: float, batch_size: int) -> IterateCovariance:
    """Return the stationary covariance of SGD for linear regression on normal inputs, with fresh samples in every batch.

    Parameters
    ----------
    inputs
        A, the covariance of the inputs: d eigenvalues, or a matrix; the loss is half the mean square, so it is the Hessian.
    label_noise
        σ², the variance of the noise in the labels.
    learning_rate
        λ.
    batch_size
        B.

    Returns
    -------
    IterateCovariance
        Exact at any learning rate; `applies` is False where it diverges.

    Raises
    ------
    ValueError
        For numbers that are not finite or have the wrong sign, and a matrix that is not symmetric and positive definite.

    Notes
    -----
    Source: Ziyin, Liu, Mori & Ueda, arXiv:2102.05375 (`theory`, 7.3).  The noise (A S A + Tr(A S) A + σ² A) / B grows with the covariance
    S that it makes.  On finite data the fourth moments are those of the data, and these numbers only approximate.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> law = ls.theory.regression_covariance(inputs=[1.0, 0.5, 0.1], label_noise=0.5, learning_rate=0.3, batch_size=2)
    >>> law.covariance.diagonal(), f"{law.excess_loss:.8f}"
    (array([0.05670587, 0.0495178 , 0.04495862]), '0.04298031')
    """
    matrix = positive_definite("inputs", inputs)
    noise, rate, batch = not_negative("label_noise", label_noise), positive("learning_rate", learning_rate), whole("batch_size", batch_size)
    a, axes = np.linalg.eigh(matrix)
    slack = 2 - rate * a * (1 + 1 / batch)
    gain = rate / batch * float((a / slack).sum())
    if slack.min() <= 0:
        why = f"unstable: learning_rate × curvature × (1 + 1/B) = {2 - slack.min():.4g} must be below 2"
    elif gain >= 1:
        why = f"unstable: the noise feeds itself {gain:.4g} times over, which must be below 1; lower the learning rate or raise B"
    else:
        spread = rate / batch * (noise * gain / (1 - gain) + noise) / slack
        return IterateCovariance((axes * spread) @ axes.T, matrix, True, f"the noise feeds itself {gain:.3g} times over")
    return IterateCovariance(np.full_like(matrix, math.nan), matrix, False, why)


def regression_noise(*, inputs: ArrayLike, targets: ArrayLike) -> RegressionNoise:
    """Return minimum, curvature and noise of linear regression with one weight, loss (w x − y)² / 2 averaged over the samples.

    Parameters
    ----------
    inputs, targets
        x and y, arrays (n,).

    Returns
    -------
    RegressionNoise
        The numbers of the power-law dynamic, exact for these data.

    Raises
    ------
    ValueError
        For numbers that are not finite, arrays of different shapes, and inputs that are all zero.

    Notes
    -----
    Source: arXiv:2006.13719, an exact identity here (`theory`, 2.1): sample i has the gradient h_i δ + r_i with h_i = x_i² and
    r_i = x_i (w* x_i − y_i); σ_g = Var r, σ_gH = Cov(r, h), σ_H = Var h.  A loss without the half has twice H and 4 times the rest.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> found = ls.theory.regression_noise(inputs=[1.0, -2.0, 0.5], targets=[0.7, -1.0, 1.2])
    >>> f"{found.minimum:.6f} {found.curvature:g} {found.constant:.6f} {found.linear:.6f} {found.quadratic:.6f}"
    '0.628571 1.75 0.155238 0.625000 2.625000'
    """
    x, y = numbers("inputs", inputs), numbers("targets", targets)
    if x.ndim != 1 or x.shape != y.shape or not x.any():
        raise ValueError(f"`inputs` has shape {x.shape} and `targets` {y.shape}, but both must be arrays (n,), and not all inputs zero.")
    minimum = float(x @ y / (x @ x))
    curvatures, residuals = x * x, x * (minimum * x - y)
    return RegressionNoise(minimum, float(curvatures.mean()), float(residuals.var()),
                           float((residuals * (curvatures - curvatures.mean())).mean()), float(curvatures.var()))


@dataclass(frozen=True)
class RegressionNoise:
    """Minimum, curvature and noise of a regression with one weight; made by `regression_noise`.

    Attributes
    ----------
    minimum
        w*.
    curvature
        H.
    constant, linear, quadratic
        σ_g, σ_gH and σ_H of one sample.
    """

    minimum: float
    curvature: float
    constant: float
    linear: float
    quadratic: float

    @property
    def noise(self) -> Quadratic:
        """The same as a noise of the library."""
        return Quadratic(self.constant, self.linear, self.quadratic, self.minimum)
