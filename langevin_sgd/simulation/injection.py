"""From an `Injection` to what the kernels of minibatch SGD need: the text of the noise, its numbers, and where it is taken."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.core.injected import MOST_UNROLLED, Arrays, InjectedNoise
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.covariance import Structure, symmetric_root
from langevin_sgd.models.injection import Injection
from langevin_sgd.models.landscape import check_parameters
from langevin_sgd.models.noise_families import Anisotropic, Constant, Noise, Quadratic
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.simulation.assembly import FORMS, LARGEST_FACTORED
from langevin_sgd.simulation.ensemble import check_covariance

FIXED = 1.0                     # β of a reference point that does not move


@dataclass(frozen=True)
class Prepared:
    """Noise for the kernels.

    Attributes
    ----------
    noise
        What is compiled; None if nothing is injected.
    numbers
        The numbers that it reads, λ first.
    kept, reference, offset
        β, r and o of the state w − r + o at which it is taken, see `core.minibatch`.
    """

    noise: InjectedNoise | None
    numbers: Array
    kept: float
    reference: Array
    offset: Array

    def normals(self, d: int, size: int) -> int:
        """Return how many normals a step needs."""
        return 0 if self.noise is None else self.noise.normals(d, size)


def prepared(inject: Injection | None, loss: SampledLoss, batch_size: int, sampling: str, start: Array) -> Prepared:
    """Return an injection for batches of this size, and runs from these weights (path, d)."""
    nowhere = np.zeros(loss.dim)
    if inject is None:
        return Prepared(None, np.zeros(1), FIXED, nowhere, nowhere)
    if not isinstance(inject, Injection):
        raise ValueError(f"`inject` is {inject!r}, but must be an ls.Injection: ls.Injection(ls.noise.measure(loss), batch_size=1).")
    strength = inject.strength_beside(batch_size, loss.n_samples, replacement=sampling == "iid")
    if inject.noise is None:
        return Prepared(*_of_batch(strength, batch_size, loss, sampling), FIXED, nowhere, nowhere)
    own, center = _center("noise", getattr(inject.noise, "center", 0.0), loss), _stands_for(inject, loss)
    if loss.dim > MOST_UNROLLED:
        noise, numbers = _in_arrays(inject.noise, strength, loss)
        reference, offset = (own, nowhere) if center is None else (nowhere, np.subtract(center, own))   # arrays are written about zero
    else:
        noise, numbers = _unrolled(inject.noise, strength, loss, start if center is None else center[None])
        reference, offset = nowhere, (nowhere if center is None else center)
    return Prepared(noise, numbers, FIXED if inject.average is None else inject.average, reference, offset)


def _stands_for(inject: Injection, loss: SampledLoss) -> Array | None:
    """The point that the moving average stands for; None without an average."""
    if inject.average is None:
        return None
    if inject.center is not None:
        return _center("center", inject.center, loss)
    center = getattr(inject.noise, "center", 0.0 if isinstance(inject.noise, Constant | Anisotropic) else None)
    if center is None:
        raise ValueError(f"`inject` takes the noise {inject.noise!r} about a moving average, but the noise does not say for "
                         "which point of it the average stands; give `center` to ls.Injection, as a rule the minimum.")
    return _center("noise", center, loss)


def _center(name: str, center: Any, loss: SampledLoss) -> Array:
    point = np.asarray(center, dtype=float)
    if point.shape not in ((), (loss.dim,)):
        raise ValueError(f"`{name}` of `inject` has a centre of shape {point.shape}, but the loss has {loss.dim} "
                         f"weight{'s' * (loss.dim > 1)}.")
    return np.broadcast_to(point, (loss.dim,)).copy()


def _of_batch(strength: float, size: int, loss: SampledLoss, sampling: str) -> tuple[InjectedNoise, Array]:
    if size < 2:
        raise ValueError("`inject` takes the covariance of the batch itself, but `batch_size` is 1: draw at least two samples, or give the "
                         "noise.")
    # The covariance of a sample without replacement estimates that of N − 1 degrees of freedom.
    n = loss.n_samples
    return InjectedNoise(None), np.array([strength * (1.0 if sampling == "iid" else (n - 1) / n)])


def _unrolled(noise: Noise, strength: float, loss: SampledLoss, states: Array) -> tuple[InjectedNoise, Array]:
    """C as a function that is unrolled, for few weights; refused where it is no covariance at the first states (path, d)."""
    c = noise.covariance(loss.variables)
    values = {"strength": strength, **c.values}
    needed = c.field.parameters
    check_parameters(f"the noise {noise!r} of `inject`, for the weights {', '.join(loss.variables)},", needed,
                     {name: values[name] for name in needed if name in values})
    if c.field.depends_on_time():
        raise ValueError(f"`inject` has the noise {noise!r}, which depends on t, but injected noise knows the weights only; leave t "
                         "out.")
    check_covariance(c, values, states)
    if c.structure is Structure.FULL and loss.dim > LARGEST_FACTORED:
        raise ValueError(f"`inject` has a full matrix C(w), which is factored in every step for up to {LARGEST_FACTORED} weights, but the "
                         f"loss has {loss.dim}; take ls.noise.measure(loss, form='componentwise') or form='matrix', or ls.Injection() "
                         "without a noise, which takes the covariance of the batch itself.")
    names = ("strength", *sorted(set(c.field.parameters) - {"strength"}))
    root = symmetric_root(np.asarray(c.matrix)).ravel() if c.structure is Structure.MODULATED else np.zeros(0)
    return InjectedNoise(FORMS[c.structure], c.field.scalar(names), len(names)), np.concatenate([[values[name] for name in names], root])


def _in_arrays(noise: Noise, strength: float, loss: SampledLoss) -> tuple[InjectedNoise, Array]:
    """C as a quadratic in arrays, for many weights."""
    model: Any = getattr(noise, "model", noise)
    d = loss.dim
    if isinstance(model, Constant):
        model = Quadratic(np.full(d, model.variance), quadratic=np.zeros(d))
    if isinstance(model, Anisotropic):
        root, form = symmetric_root(_of_size(np.asarray(model.matrix), d)), np.zeros((d, d))
    elif isinstance(model, Quadratic) and np.ndim(model.constant) == 2:
        constant = _of_size(np.asarray(model.constant), d)
        both = np.asarray(model.quadratic) @ np.linalg.inv(constant)
        root, form = symmetric_root(constant), (both + both.T) / 2
    elif isinstance(model, Quadratic):
        parts = [_of_size(np.ravel(np.asarray(part)), d) for part in (model.constant, model.linear, model.quadratic)]
        return InjectedNoise(Arrays.COMPONENTWISE), np.concatenate([[strength], *parts])
    else:
        raise ValueError(f"`inject` has the noise {noise!r}, but a loss with {d} weights takes Constant, Anisotropic, Quadratic or "
                         "measured noise, or ls.Injection() without a noise, which takes the covariance of the batch itself.")
    return InjectedNoise(Arrays.MODULATED), np.concatenate([[strength], form.ravel(), root.ravel()])


def _of_size(array: Array, d: int) -> Array:
    if len(array) != d:
        raise ValueError(f"`inject` has a noise of {len(array)} components, but the loss has {d} weights.")
    return array
