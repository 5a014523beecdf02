"""What a user's loss of one sample must be: a function of the right arguments, that stays in its arrays, and whose gradient is its own."""
from __future__ import annotations

import inspect
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.arguments import Array

if TYPE_CHECKING:
    from langevin_sgd.models.sampled import SampledLoss

PATIENCE = 0.25                 # seconds for samples in plain Python, before the others are tried with code that is compiled for it
STEPS = (1e-4, 1e-6)            # of differences of losses: the shorter for samples with kinks about the longer
EXACT = 1e-6                    # of the gradient, which it may be off, for rounded constants
ROUNDING = 1e-11                # of differences of losses, which are made of numbers of the order of one, or of the largest loss

READ = ("w", "sample", "p")

TRIED = """
def tried(w, data, p, v, sample, q, g, at):
    for k in range(at[0], len(data)):
        at[0] = k
        for i in range(len(sample)):
            sample[i] = data[k, i]
        for i in range(len(g)):
            g[i] = 0.0
        one({arguments})
        for i in range(len(w)):
            if v[i] != w[i]:
                return 0
        for i in range(len(sample)):
            if sample[i] != data[k, i]:
                return 1
        for i in range(len(p)):
            if q[i] != p[i]:
                return 2
    return -1
"""


def argument_count(function: Any) -> int:
    """Return 3 or 4, the number of the function's arguments, or refuse it."""
    plain = getattr(function, "py_func", function)
    count = len(inspect.signature(plain).parameters) if inspect.isfunction(plain) else 0
    if count not in (3, 4):
        raise ValueError(f"`per_sample_loss_gradient` is {function!r}, but must be a Python function f(w, sample, gradient) or "
                         "f(w, sample, p, gradient) that returns the loss of one sample and writes its gradient.")
    return count


def check_reach(loss: SampledLoss) -> None:
    """Refuse a function that leaves its arrays for any sample, or changes what it must only read: compiled code would not notice."""
    w = np.random.default_rng(1).normal(size=loss.dim)
    with np.errstate(all="ignore"):
        tried = _try_in_python(loss, w)
    if tried < loss.n_samples:
        _try_compiled(loss, w, tried)


def _try_in_python(loss: SampledLoss, w: Array) -> int:
    """Try one sample after the other while that is quick, and return how many were; none if the function only works compiled."""
    plain, start = getattr(loss.function, "py_func", loss.function), np.inf
    for k in range(loss.n_samples):
        given = [w.copy(), loss.data[k].copy(), loss.p.copy()][:loss.arguments - 1]
        before = [array.tobytes() for array in given]
        try:
            plain(*given, np.zeros(loss.dim))
        except IndexError as error:
            raise _leaves(loss, k, str(error)) from None
        except Exception:
            return k
        changed = [name for name, array, old in zip(READ, given, before, strict=False) if array.tobytes() != old]
        if changed:
            raise _changes(k, changed[0])
        if perf_counter() - start > PATIENCE:
            return k + 1
        start = perf_counter() if k == 0 else start             # the first compiles what it calls
    return loss.n_samples


def _try_compiled(loss: SampledLoss, w: Array, first: int) -> None:
    """Try the samples from one on with code that watches the bounds of its arrays."""
    from numba import njit
    from numba.core.errors import NumbaError, UnsupportedBytecodeError
    plain = getattr(loss.function, "py_func", loss.function)
    one = njit(boundscheck=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(plain)
    scope: dict[str, Any] = {"one": one}
    exec(TRIED.format(arguments="v, sample, q, g" if loss.arguments == 4 else "v, sample, g"), scope)
    at = np.array([first])
    try:
        changed = njit(no_cfunc_wrapper=True)(scope["tried"])(w, loss.data, loss.p, w.copy(), loss.data[0].copy(), loss.p.copy(),
                                                              np.zeros(loss.dim), at)
    except IndexError as error:
        raise _leaves(loss, at[0], str(error)) from None
    except (NumbaError, UnsupportedBytecodeError):
        raise
    except Exception:                   # its own, at these weights
        return
    if changed >= 0:
        raise _changes(at[0], READ[changed])


def _leaves(loss: SampledLoss, k: int, said: str) -> ValueError:
    return ValueError(f"`per_sample_loss_gradient` reaches beyond its arrays for sample {k}: {said}; w and gradient have {loss.dim} "
                      f"entries (`dim`), a sample has {loss.data.shape[1]}.")


def _changes(k: int, name: str) -> ValueError:
    return ValueError(f"`per_sample_loss_gradient` changes {name} for sample {k}; it must only read w, sample and p, and write into "
                      f"gradient alone: compute with a copy, {name}.copy().")


def check_gradient(loss: SampledLoss) -> None:
    """Refuse a gradient that is not that of the loss, at two places."""
    rng = np.random.default_rng(1)
    for _ in range(2):
        w, v = rng.normal(size=(2, loss.dim))
        here, gradients = loss._by_sample(w)
        told, wrong = gradients @ v, np.ones(loss.n_samples, dtype=bool)
        allowed = EXACT * np.linalg.norm(gradients, axis=1) * np.linalg.norm(v)
        for h in STEPS:
            least, most, rough = _slopes(loss, w, v, h, here)
            wrong &= np.isfinite(least + most) & ~(np.fmax(least - told, told - most) <= allowed + rough)
            if not wrong.any():
                break
        else:
            k = int(np.argmax(np.where(wrong, np.abs(told - (least + most) / 2), -1.0)))
            raise ValueError(f"`per_sample_loss_gradient` writes a gradient that is not that of its loss: for sample {k}, one of "
                             f"{wrong.sum()} such, at w = {np.array2string(w, precision=4)} the slope along "
                             f"{np.array2string(v, precision=4)} is {(least[k] + most[k]) / 2:.6g}, but the gradient says {told[k]:.6g}.")


def _slopes(loss: SampledLoss, w: Array, v: Array, h: float, here: Array) -> tuple[Array, Array, Array]:
    """The lesser and the greater of the slopes before w and after it, which differ where there is a kink, and how rough they are."""
    with np.errstate(invalid="ignore", over="ignore"):
        up, down, up2, down2 = (loss._by_sample(w + step * v)[0] for step in (h, -h, 2 * h, -2 * h))
        after, before = (4 * up - 3 * here - up2) / (2 * h), (3 * here - 4 * down + down2) / (2 * h)
        rough = np.abs((up - down) / (2 * h) - (up2 - down2) / (4 * h))
    finite = np.isfinite(rough)
    usual = np.median(rough[finite]) if finite.any() else 0.0           # one may be smooth by chance where all are made of rounding
    rounding = ROUNDING * max(1.0, np.abs(up[finite]).max(initial=0.0))
    return np.fmin(after, before), np.fmax(after, before), 10 * np.fmax(rough, usual) + rounding
