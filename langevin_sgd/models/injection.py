"""Noise that is added to large batches, so that SGD on them does what it does on small ones (the proposal of arXiv:2006.13719)."""
from __future__ import annotations

from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import finite, not_negative, numbers, whole
from langevin_sgd.models.noise_families import Noise
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.strength import covariance_factor


class Injection:
    """Normal noise that is added to the gradient of every batch: w ← w − η (g_B + n), n ~ N(0, λ C(w)).

    Parameters
    ----------
    noise
        C, a noise of `langevin_sgd.noise`: what `measure` or `from_hessians` return is the noise of the loss itself, `Constant` is the same
        in every direction.  None: the covariance of the gradients in the batch itself, at every step anew.
    batch_size
        The small batch that is imitated: λ is its covariance less that of the batch that is drawn, 1 / batch_size − 1 / B with replacement,
        and the same of (N − B) / (B (N − 1)) without; what reshuffled epochs have beyond that, a dependence of batches, is not imitated.
    strength
        Instead of it, λ itself.
    average
        β of a moving average w̄ ← β w̄ + (1 − β) w, about which the noise is taken instead of about its centre: C(centre + w − w̄).  It
        starts at the first weights.
    center
        With `average`: the point that w̄ stands for, if the noise has no centre of its own.

    Raises
    ------
    ValueError
        If not exactly one of `batch_size` and `strength` is given, and for numbers that are out of range.

    Notes
    -----
    Source: paper-inspired (`theory`, 10); the details of the published algorithm are not reproduced.  With the full covariance about the
    minimum, mean and variance of the iterates are those of the small batch.  A moving average is drawn towards w, so that the noise far
    from the minimum comes out too small.  Escape times are those of the Gaussian chain with the same C, not those of small batches, whose
    noise is not normal.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> x, y = ls.losses.generate(200, weights=[1.0], label_noise=0.5, rng=1)
    >>> loss = ls.losses.linear_regression(x, y)
    >>> added = ls.Injection(ls.noise.from_hessians(loss), batch_size=2)
    >>> runs = ls.run_sgd(loss, loss.minimum(0.0).x, learning_rate=0.1, batch_size=50, n_steps=4000, inject=added, average_from=20.0,
    ...                   n_paths=200, rng=1)
    >>> runs.covariance
    0.0095...
    >>> ls.theory.minibatch_moments(loss, learning_rate=0.1, batch_size=2).covariance
    array([[0.0095...]])
    """

    def __init__(self, noise: Noise | None = None, *, batch_size: int | None = None, strength: float | None = None,
                 average: float | None = None, center: ArrayLike | None = None) -> None:
        if isinstance(noise, SampledLoss):
            raise ValueError(f"`noise` is the loss {noise!r}, but must be a noise: its own exact one, loss.noise, or what "
                             "ls.noise.measure(loss) and ls.noise.from_hessians(loss) return.")
        if noise is not None and not callable(getattr(noise, "covariance", None)):
            raise ValueError(f"`noise` is {noise!r}, but must be a noise of ls.noise, or None for the covariance of the batch itself.")
        if (batch_size is None) == (strength is None):
            raise ValueError("exactly one of `batch_size`, the small batch that is imitated, and `strength`, λ itself, must be given.")
        self.noise = noise
        self.batch_size = None if batch_size is None else whole("batch_size", batch_size)
        self.strength = None if strength is None else not_negative("strength", strength)
        self.average = None if average is None else finite("average", average)
        if self.average is not None and not 0 <= self.average < 1:
            raise ValueError(f"`average` is {self.average:g}, but must be at least 0 and below 1.")
        if self.average is not None and noise is None:
            raise ValueError("`average` is given, but the covariance of the batch itself is taken about no point; leave it out.")
        if center is not None and average is None:
            raise ValueError("`center` is given, but without `average` the noise is taken at the weights themselves; leave it out.")
        self.center = None if center is None else numbers("center", center)

    def strength_beside(self, batch_size: int, n_samples: int, *, replacement: bool = True) -> float:
        """Return λ for batches of this size out of so many samples.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> ls.Injection(ls.noise.Constant(1.0), batch_size=2).strength_beside(50, n_samples=1000)
        0.48
        """
        if self.strength is not None:
            return self.strength
        assert self.batch_size is not None, "This is a bug: neither a strength nor a batch size."
        small, large = (covariance_factor(size, n_samples, replacement) for size in (self.batch_size, batch_size))
        if small < large:
            raise ValueError(f"`inject` imitates batches of {self.batch_size}, but those that are drawn have {batch_size} samples and less "
                             "noise must be added, not taken away: let `batch_size` of run_sgd be the larger one.")
        return small - large

    def __repr__(self) -> str:
        noise = "the covariance of the batch itself" if self.noise is None else repr(self.noise)
        about = "" if self.average is None else f", about a moving average with β = {self.average:g}"
        size = f"λ = {self.strength:g}" if self.strength is not None else f"as of batches of {self.batch_size}"
        return f"Injection({noise}, {size}{about})"
