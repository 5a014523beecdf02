"""Losses that are averages over data: L(w) = (1/N) Σ_i ℓ(w, sample i), with the gradient of every sample."""
from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.core.batches import adding, compile_curvature, compile_sample
from langevin_sgd.core.lanes import LINE, aligned_floats
from langevin_sgd.models.arguments import Array, finite, numbers, points, state, whole
from langevin_sgd.models.differences import column
from langevin_sgd.models.expressions import variable_names
from langevin_sgd.models.fields import retold
from langevin_sgd.models.key import generator
from langevin_sgd.models.landscape import CriticalPoint, Landscape
from langevin_sgd.models.user_losses import argument_count, check_gradient, check_reach

if TYPE_CHECKING:
    from langevin_sgd.models.fields import Names
    from langevin_sgd.models.noise_families import Noise

SampleLoss = Callable[..., float]


@dataclass(frozen=True, eq=False)
class SampledLoss:
    """A loss L(w) = (1/N) Σ_i ℓ(w, sample i) of d weights, with the gradient and the Hessian of every sample.

    Made by the functions of `langevin_sgd.losses`, or from your own function by `from_function`.

    Attributes
    ----------
    name
        What it is, and its convention: which factor the loss of a sample has.
    data
        The samples, one in a row (N, columns).
    dim
        d.
    p
        The parameters that the function reads, the factor c of the loss first.
    function, curvature
        ``loss(w, sample, p, gradient)`` adds its gradient to `gradient` and returns the loss; ``curvature(w, sample, p, v, out)`` adds the
        product of the sample's Hessian and v to `out`, or None, and then Hessians are made of differences of gradients: where these do
        not settle over ever shorter steps, at a kink, an ArithmeticError says so.
    arguments
        3 or 4 if the function is your own, which may write its gradient and has so many arguments; 0 if it is the library's.
    is_quadratic
        Whether every sample's loss is quadratic in w: then the noise is exactly quadratic (`theory`, 2.1).
    is_sum
        Whether L is the sum over the samples: c then has the factor N, as p[0].

    Notes
    -----
    With another factor c of the loss, H and the σ of the noise scale as c and c² (`theory`, 1.1).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.linear_regression([[1.0], [2.0], [0.5]], [0.7, 1.0, 1.2])
    >>> loss(0.0), loss.gradient(0.0), loss.hessian(0.0)
    (0.488..., -1.1, 1.75)
    >>> loss.sample_gradients(0.0)
    array([-0.7, -2. , -0.6])
    """

    name: str
    data: Array
    dim: int
    p: Array
    function: SampleLoss
    curvature: Callable[..., None] | None = None
    is_quadratic: bool = False
    known_landscape: Landscape | None = None
    known_noise: Noise | None = None
    arguments: int = 0
    is_sum: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", np.ascontiguousarray(self.data, dtype=float))
        object.__setattr__(self, "p", np.ascontiguousarray(self.p, dtype=float))

    @classmethod
    def from_function(cls, per_sample_loss_gradient: SampleLoss, data: ArrayLike, dim: int, **values: float) -> SampledLoss:
        """Return a loss given by a numba-compilable function of one sample.

        Parameters
        ----------
        per_sample_loss_gradient
            ``f(w, sample, gradient)``, or ``f(w, sample, p, gradient)`` with the array p of the values below, in their order: returns the
            loss of one sample and writes its gradient into the array `gradient` (d,), which is zero when it comes.  w (d,) and sample
            (columns,) are arrays, also in one dimension.  Functions that it calls must be compiled by Numba as well.
        data
            The samples (N, columns); or (N,), one number each.
        dim
            d, the number of weights.
        **values
            Parameters.

        Raises
        ------
        ValueError
            If Numba cannot compile the function, if the gradient is not that of the loss, or if weights, data or parameters are written
            into, or arrays are left, for any sample.  This is tried at a few weights.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> def quartic(w, x, gradient):
        ...     gradient[0] = (w[0] - x[0])**3
        ...     return (w[0] - x[0])**4 / 4
        >>> ls.SampledLoss.from_function(quartic, [-1.0, 0.5, 1.0], dim=1).gradient(2.0)
        10.458...
        """
        from numba.core.errors import NumbaError, UnsupportedBytecodeError
        d, table = whole("dim", dim), _table(data)
        count = argument_count(per_sample_loss_gradient)
        if (count == 4) != bool(values):
            raise ValueError("`per_sample_loss_gradient` takes " + ("p, but no parameters are given by keyword." if count == 4 else
                             f"(w, sample, gradient), but the parameters {', '.join(values)} are given: let it take "
                             "(w, sample, p, gradient)."))
        p = np.array([finite(name, value) for name, value in values.items()] or [1.0])
        name = getattr(per_sample_loss_gradient, "__name__", "function")
        loss = cls(name, table, d, p, per_sample_loss_gradient, arguments=count)
        try:
            check_reach(loss)
            loss.sample_gradients(np.zeros(d) if d > 1 else 0.0)
        except (NumbaError, UnsupportedBytecodeError) as error:
            raise ValueError(retold(error, per_sample_loss_gradient, "the arrays w, sample and gradient", "a float")) from None
        check_gradient(loss)
        return loss

    # ------------------------------------------------------------------------------------------------------------ what it is

    @property
    def n_samples(self) -> int:
        """N."""
        return len(self.data)

    @functools.cached_property
    def variables(self) -> Names:
        """Names of the weights: x, y, z, or x1 ... xd."""
        return variable_names([], None, (), self.dim)

    @functools.cached_property
    def rows(self) -> Array:
        """The data with each row at the start of a line of the cache: rows of many numbers are then read without crossing lines."""
        columns = -(-self.data.shape[1] // LINE) * LINE
        rows = aligned_floats(self.n_samples * columns).reshape(self.n_samples, columns)
        rows[:, :self.data.shape[1]] = self.data
        return rows

    def take(self, samples: ArrayLike) -> SampledLoss:
        """Return the loss on some of the samples, given by their numbers; a number may occur more than once.

        A loss that is the sum over its samples becomes the sum over those.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> ls.losses.linear_regression([[1.0], [2.0]], [1.0, 2.0]).take([1]).hessian(0.0)
        4.0
        """
        chosen = np.atleast_1d(np.asarray(samples))
        if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu" or chosen.min() < 0 or chosen.max() >= self.n_samples:
            raise ValueError(f"`samples` is {samples!r}, but must be a list of whole numbers from 0 to {self.n_samples - 1}.")
        factor = self.p[0] * (len(chosen) / self.n_samples if self.is_sum else 1.0)
        return replace(self, data=self.data[chosen], p=np.array([factor, *self.p[1:]]), known_landscape=None, known_noise=None)

    # -------------------------------------------------------------------------------------------------------------- values

    def __call__(self, w: ArrayLike) -> Any:
        """Return L at weights (...) in one dimension, (..., d) in more."""
        values = self._averages(w)[0]
        return values if values.ndim else float(values)

    def gradient(self, w: ArrayLike) -> Any:
        """Return ∇L: the shape of w."""
        gradient = self._averages(w)[1]
        if self.dim == 1:
            gradient = gradient[..., 0]
        return gradient if gradient.ndim else float(gradient)

    def sample_losses(self, w: ArrayLike) -> Array:
        """Return the loss of every sample (N,) at one w."""
        return self._by_sample(w)[0]

    def sample_gradients(self, w: ArrayLike) -> Array:
        """Return the gradient of every sample at one w: (N, d), in one dimension (N,)."""
        gradients = self._by_sample(w)[1]
        return gradients[:, 0] if self.dim == 1 else gradients

    def covariance(self, w: ArrayLike) -> Any:
        """Return C(w), the covariance of the gradients of all N samples (d, d), in one dimension a float: divided by N, not N − 1."""
        g = self._by_sample(w)[1]
        g = g - g.mean(axis=0)
        c = g.T @ g / self.n_samples
        return float(c[0, 0]) if self.dim == 1 else c

    def hessian(self, w: ArrayLike) -> Any:
        """Return the Hessian of L at one w, (d, d), in one dimension a float."""
        at = state("w", w, self.dim)
        h = self._hessians(at, 1)[0] / self.n_samples if self.curvature else self._differences(at).mean(axis=0)
        return float(h[0, 0]) if self.dim == 1 else (h + h.T) / 2

    def sample_hessians(self, w: ArrayLike) -> Array:
        """Return the Hessian of every sample at one w: (N, d, d), in one dimension (N,)."""
        at = state("w", w, self.dim)
        h = self._hessians(at, self.n_samples) if self.curvature else self._differences(at)
        return h[:, 0, 0] if self.dim == 1 else h

    def sample_hessian_diagonals(self, w: ArrayLike) -> Array:
        """Return the diagonal of the Hessian of every sample at one w: (N, d), in one dimension (N,); for many weights."""
        from langevin_sgd.core.evaluation import diagonals
        at = np.ascontiguousarray(state("w", w, self.dim))
        out = np.empty((self.n_samples, self.dim))
        if self.curvature:
            diagonals(compile_curvature(self.curvature, self.dim, self.data.shape[1], len(self.p)), at, self.data, self.p, out)
        else:
            for j in range(self.dim):
                out[:, j] = column(self, at, j)[:, j]
        return out[:, 0] if self.dim == 1 else out

    def minimum(self, start: ArrayLike) -> CriticalPoint:
        """Return the minimum of L that descent from `start` comes to.

        Raises
        ------
        ArithmeticError
            If there is none near: the loss falls for ever, or the descent does not settle; the message carries how far it came.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> print(ls.losses.linear_regression([[1.0], [2.0], [0.5]], [0.7, 1.0, 1.2]).minimum(0.0))
        minimum at 0.628571, value 0.142...
        """
        from langevin_sgd.models.descent import descended
        return descended(self, state("start", start, self.dim))

    def minima(self, starts: ArrayLike | None = None, n_starts: int = 32, rng: Any = 0) -> list[CriticalPoint]:
        """Return the minima that descent from many starts comes to, the lowest first; a minimum with a small basin can be missed.

        Parameters
        ----------
        starts
            Weights (n,) or (n, d); `n_starts` standard normal ones if None.
        rng
            For the starts.

        Notes
        -----
        Where minima are not isolated, as those of a factorisation are not, each start comes to one of its own; the first 64 are returned.
        """
        from langevin_sgd.models.descent import different
        if starts is None:
            starts = generator(rng).normal(size=(whole("n_starts", n_starts), self.dim))
        else:
            starts = points("starts", starts, self.dim).reshape(-1, self.dim)
        return different(self, np.asarray(starts))

    @functools.cached_property
    def landscape(self) -> Landscape:
        """The same loss as a `Landscape`, as the equations of this library take it; for up to 16 weights.

        Notes
        -----
        Where every sample is quadratic (or turned over), it is an expression; else each evaluation runs over all samples.
        """
        from langevin_sgd.models.averaged import averaged_landscape
        return self.known_landscape or averaged_landscape(self)

    @functools.cached_property
    def noise(self) -> Noise:
        """The covariance C(w) itself as a noise, exact at every state, as the equations of this library take it; for up to 16 weights.

        Notes
        -----
        Where every sample is quadratic (or turned over), it is an expression; else each evaluation runs over all samples.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> loss = ls.losses.phase_retrieval([1.0, -2.0, 0.5], [1.1, 3.8, 0.2])
        >>> sde = ls.sgd(loss, loss.noise, learning_rate=0.01, batch_size=2)
        >>> sde.diffusion(0.7), 0.01 / 2 * loss.covariance(0.7) / 2
        (0.054333..., 0.054333...)
        """
        from langevin_sgd.models.averaged import averaged_noise
        return self.known_noise or averaged_noise(self)

    # ------------------------------------------------------------------------------------------------------------ internals

    @property
    def adding_function(self) -> SampleLoss:
        """The function of one sample that adds its gradient: what kernels are compiled from."""
        return adding(self.function, self.dim, with_parameters=self.arguments == 4) if self.arguments else self.function

    @property
    def _sample(self) -> Any:
        return compile_sample(self.adding_function, self.dim, self.data.shape[1], len(self.p))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("landscape", "noise", "rows", "variables")}

    def _averages(self, w: ArrayLike) -> tuple[Array, Array]:
        from langevin_sgd.core.evaluation import averages
        x = points("w", w, self.dim)
        flat = np.ascontiguousarray(x, dtype=float).reshape(-1, self.dim)
        values, gradients = np.empty(len(flat)), np.empty(flat.shape)
        averages(self._sample, flat, self.data, self.p, values, gradients)
        return values.reshape(x.shape[:-1]), gradients.reshape(x.shape)

    def _by_sample(self, w: ArrayLike) -> tuple[Array, Array]:
        from langevin_sgd.core.evaluation import by_sample
        values, gradients = np.empty(self.n_samples), np.empty((self.n_samples, self.dim))
        by_sample(self._sample, np.ascontiguousarray(state("w", w, self.dim)), self.data, self.p, values, gradients)
        return values, gradients

    def _hessians(self, w: Array, count: int) -> Array:
        from langevin_sgd.core.evaluation import hessians
        out = np.empty((count, self.dim, self.dim))
        compiled = compile_curvature(self.curvature, self.dim, self.data.shape[1], len(self.p))
        hessians(compiled, np.ascontiguousarray(w), self.data, self.p, out)
        return out

    def _differences(self, w: Array) -> Array:
        """The Hessians of all samples from their gradients."""
        out = np.empty((self.n_samples, self.dim, self.dim))
        for j in range(self.dim):
            out[:, j] = column(self, w, j)
        return (out + np.swapaxes(out, 1, 2)) / 2

    def __repr__(self) -> str:
        return f"SampledLoss({self.name}; {self.n_samples} samples, {self.dim} weight{'s' if self.dim > 1 else ''})"


def _table(data: ArrayLike) -> Array:
    table = numbers("data", data)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise ValueError(f"`data` has shape {table.shape}, but must be (N, columns), a sample in each row, or (N,).")
    return table


def sampled(loss: Any, name: str = "loss") -> SampledLoss:
    """Return the argument if it is a sampled loss, or refuse it."""
    if not isinstance(loss, SampledLoss):
        raise ValueError(f"`{name}` is {loss!r}, but must be a loss over data: one of ls.losses, or SampledLoss.from_function.")
    return loss
