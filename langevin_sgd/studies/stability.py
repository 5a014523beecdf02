"""Which minima can SGD stay in, at which learning rate and batch size: linear stability of every minimum, as a map.

A minimum is lost in two ways that look alike in a run: the learning rate excludes it, whatever the batch, or SGD leaves it because its
noise makes the variance grow, and would stay with larger batches.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.models.arguments import Array, numbers, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint
from langevin_sgd.models.sampled import SampledLoss, sampled
from langevin_sgd.studies.report_text import aligned
from langevin_sgd.theory.sgd.linearised import Batches, LinearisedSGD
from langevin_sgd.theory.sgd.minibatch_moments import batch_factor
from langevin_sgd.theory.sgd.sample_curvatures import SampleCurvatures, sample_curvatures
from langevin_sgd.theory.sgd.stability import REGIONS
from langevin_sgd.theory.sgd.stability_limits import StabilityLimits, limits_of

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

LARGEST_BATCH = 256             # that is looked at unless asked for
RATES = 61
MARGIN = 3.0                    # by which the learning rates reach below the smallest limit and above the largest


@dataclass(frozen=True, eq=False)
class MinimumStability:
    """The stability of one minimum over learning rates and batch sizes.

    Attributes
    ----------
    at
        The minimum (d,).
    loss
        L there.
    sharpness
        The largest eigenvalue of its Hessian, with weight decay.
    limits
        `StabilityLimits` for each batch size.
    regions
        Numbers (rate, batch) of `REGIONS`: 0 excluded, 1 left, 2 attracted only, 3 metastable.
    """

    at: Array
    loss: float
    sharpness: float
    limits: tuple[StabilityLimits, ...]
    regions: NDArray[np.int8]

    @property
    def in_mean(self) -> float:
        """η from which on the mean leaves it, as gradient descent does; single paths of small batches may still be attracted."""
        return self.limits[0].in_mean

    @property
    def in_mean_square(self) -> Array:
        """η up to which it is metastable, for each batch size."""
        return np.array([limit.in_mean_square for limit in self.limits])

    @property
    def almost_surely(self) -> Array:
        """η up to which almost every path is attracted, for each batch size."""
        return np.array([limit.almost_surely for limit in self.limits])

    @property
    def islands(self) -> list[list[tuple[float, float]]]:
        """For each batch size, the intervals (low, high) of η beyond it in which almost every path is attracted again."""
        return [[interval for interval in limit.intervals if interval[0] > 0] for limit in self.limits]

    @property
    def name(self) -> str:
        """Where it is, and how sharp."""
        return f"{np.array2string(self.at, precision=3, threshold=4, suppress_small=True)}, λ_max = {self.sharpness:.3g}"


@dataclass(frozen=True, eq=False, repr=False)
class StabilityMap:
    """Linear stability of minima over learning rates and batch sizes; made by `stability`.

    Attributes
    ----------
    loss
        What was asked about.
    learning_rates
        η (rate,).
    batches
        For each batch size, how batches are drawn, momentum and weight decay.
    minima
        One `MinimumStability` each, the sharpest first.
    key
        For exponents that are simulated.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> seen = ls.stability(ls.losses.linear_regression([1.0, 2.0, -0.5], [1.3, 1.0, 0.2]), learning_rates=[0.1, 1.0], batch_sizes=[1])
    >>> seen.to_xarray().region.values.ravel()
    array([3, 2], dtype=int8)
    """

    loss: SampledLoss
    learning_rates: Array
    batches: tuple[Batches, ...]
    minima: tuple[MinimumStability, ...]
    key: Key

    @property
    def batch_sizes(self) -> NDArray[np.int64]:
        """B (batch,)."""
        return np.array([each.size for each in self.batches])

    def plot(self) -> Figure:
        """Draw the regions of each minimum over learning rate and batch size (see `plots.draw_stability`)."""
        from langevin_sgd.plots.stability import draw_stability
        return draw_stability(self)

    def table(self) -> str:
        """Return the limits as text."""
        rows = [["minimum", "L", "batch size", "in the mean below", "in mean square below", "almost surely below"]]
        for m in self.minima:
            for k, (size, limit) in enumerate(zip(self.batch_sizes, m.limits, strict=True)):
                error = f" ± {limit.almost_surely_error:.1g}" if limit.almost_surely_error else ""
                rows.append([m.name if k == 0 else "", f"{m.loss:.4g}" if k == 0 else "", str(size), f"{limit.in_mean:.4g}",
                             f"{limit.in_mean_square:.4g}", f"{limit.almost_surely:.4g}{error}"])
        how = str(self.batches[0]).removeprefix(f"batch size {self.batches[0].size} ")
        return "\n".join([f"Learning rates at which minima of {self.loss!r} are stable under SGD, batches {how}", "", *aligned(rows), "",
                          *(f"- {line}" for line in self.verdicts())])

    def verdicts(self) -> list[str]:
        """Return for each minimum what excludes it, and what makes SGD leave it."""
        first, last = self.batch_sizes[0], self.batch_sizes[-1]
        found = []
        for m in self.minima:
            sure, size = max(zip(m.almost_surely, self.batch_sizes, strict=True))
            found.append(f"{m.name}: {f'excluded from η = {m.in_mean:.3g} on' if m.in_mean else 'no learning rate keeps it'}"
                         + (f" in the mean (batches of {size} attract almost every path up to {sure:.3g})" if sure > m.in_mean > 0 else "")
                         + f"; no metastable state from {m.in_mean_square[0]:.3g} on with batch size {first}"
                         + (f", from {m.in_mean_square[-1]:.3g} on with {last}" if last != first else ""))
        return found

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset: regions over (minimum, learning_rate, batch_size), with flags after CF, and the limits."""
        import xarray
        flags = {"flag_values": np.arange(len(REGIONS), dtype=np.int8), "flag_meanings": " ".join(r.replace(" ", "_") for r in REGIONS)}
        per_batch = ("minimum", "batch_size")
        return xarray.Dataset(
            {"region": (("minimum", "learning_rate", "batch_size"), np.stack([m.regions for m in self.minima]), flags),
             "in_mean": ("minimum", [m.in_mean for m in self.minima]),
             "in_mean_square": (per_batch, np.stack([m.in_mean_square for m in self.minima])),
             "almost_surely": (per_batch, np.stack([m.almost_surely for m in self.minima])),
             "almost_surely_error": (per_batch, [[limit.almost_surely_error for limit in m.limits] for m in self.minima]),
             "at": (("minimum", "component"), np.stack([m.at for m in self.minima])),
             "loss": ("minimum", [m.loss for m in self.minima]), "sharpness": ("minimum", [m.sharpness for m in self.minima])},
            {"learning_rate": self.learning_rates, "batch_size": self.batch_sizes, "component": list(self.loss.variables)},
            {"loss": repr(self.loss), "sampling": self.batches[0].sampling, "momentum": self.batches[0].momentum,
             "weight_decay": self.batches[0].weight_decay, "key": repr(self.key)})

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__


def stability(loss: SampledLoss, at: Any = None, learning_rates: ArrayLike | None = None, batch_sizes: ArrayLike | None = None, *,
              sampling: str = "iid", momentum: float = 0.0, weight_decay: float = 0.0, rng: Any = None) -> StabilityMap:
    """Tell which minima SGD can stay in, at which learning rate and batch size.

    Parameters
    ----------
    loss
        The loss over data.
    at
        Minima, as a list of states or `CriticalPoint`, or one of them; all that `loss.minima()` finds if None.
    learning_rates
        η (rate,), rising; 61 around the limits if None.
    batch_sizes
        B (batch,), rising; powers of two up to 256 if None.
    sampling, momentum, weight_decay, rng
        As for `theory.minibatch_stability`.

    Returns
    -------
    StabilityMap
        For each minimum, learning rate and batch size one of four regions:

        - "metastable": mean and variance settle; to leave it is a rare event.
        - "attracted only": almost every path is attracted, but the variance grows: heavy tails, and no metastable state.
        - "left": the mean step shrinks, but SGD leaves for its noise.
        - "excluded": the mean step grows: gradient descent leaves as well.

        Within the error of a simulated limit, where it is not told whether almost every path is attracted, it is one of the last two.

    Raises
    ------
    ValueError
        As `theory.minibatch_stability`, and if no minimum is found.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> loss = ls.losses.phase_retrieval([1.0, 2.0, -0.5, 1.5], [1.0, 4.0, 0.25, 2.25])
    >>> print(ls.stability(loss, at=1.0, batch_sizes=[1, 4]))
    Learning rates at which minima of SampledLoss(phase retrieval, mean of ½(…)²; 4 samples, 1 weight) are stable under SGD, batches iid
    <BLANKLINE>
    minimum             L  batch size  in the mean below  in mean square below  almost surely below
    [1.], λ_max = 22.1  0           1             0.0904               0.03914              0.06956
                                    4             0.0904                0.0681               0.1031
    <BLANKLINE>
    - [1.], λ_max = 22.1: excluded from η = 0.0904 on in the mean (batches of 4 attract almost every path up to 0.103); no metastable ...
    """
    points, sizes, key = _points(sampled(loss), at), _sizes(loss, batch_sizes, sampling), Key.draw(rng)
    wanted = None if learning_rates is None else _given(learning_rates)
    batches = [Batches(int(size), sampling, momentum, weight_decay) for size in sizes]
    found = []
    for k, point in enumerate(points):
        samples = sample_curvatures(loss, point, batches[0].weight_decay)
        found.append((samples, tuple(limits_of(LinearisedSGD(samples, each, key.spawn(k, each.size))) for each in batches)))
    rates = _around([limits for _, limits in found]) if wanted is None else wanted
    minima = [_minimum(loss, samples, limits, rates) for samples, limits in found]
    return StabilityMap(loss, rates, tuple(batches), tuple(sorted(minima, key=lambda m: -m.sharpness)), key)


def _minimum(loss: SampledLoss, samples: SampleCurvatures, limits: tuple[StabilityLimits, ...], rates: Array) -> MinimumStability:
    regions = np.array([[REGIONS.index(limit.region(rate)) for limit in limits] for rate in rates], dtype=np.int8)
    value = float(loss(samples.at if loss.dim > 1 else float(samples.at[0])))
    return MinimumStability(samples.at, value, float(samples.curvatures[-1]), limits, regions)


def _points(loss: SampledLoss, at: Any) -> list[Any]:
    """The points that were asked about."""
    if at is None:
        found: list[Any] = list(loss.minima())
        if not found:
            raise ValueError(f"no minimum of {loss!r} was found; give `at`.")
        return found
    if isinstance(at, CriticalPoint):
        return [at]
    several = isinstance(at, Sequence) and any(isinstance(point, CriticalPoint) for point in at)
    return list(at) if several or np.ndim(at) == (1 if loss.dim == 1 else 2) else [at]


def _sizes(loss: SampledLoss, batch_sizes: ArrayLike | None, sampling: str) -> NDArray[np.int64]:
    if batch_sizes is None:
        batch_sizes = 2 ** np.arange(int(np.log2(min(LARGEST_BATCH, loss.n_samples))) + 1)
    sizes = np.array([whole("batch_sizes", size) for size in np.atleast_1d(batch_sizes)], dtype=np.int64)
    for size in sizes:
        batch_factor(loss.n_samples, int(size), sampling)               # refuses what it does not know
    if not len(sizes) or (np.diff(sizes) <= 0).any():
        raise ValueError(f"`batch_sizes` is {sizes.tolist()}, but must be rising whole numbers.")
    return sizes


def _given(learning_rates: ArrayLike) -> Array:
    rates = np.atleast_1d(numbers("learning_rates", learning_rates))
    if rates.ndim != 1 or not len(rates) or (np.diff(rates) <= 0).any():
        raise ValueError("`learning_rates` must be rising numbers (rate,).")
    return np.array([positive("learning_rates", rate) for rate in rates])


def _around(limits: list[tuple[StabilityLimits, ...]]) -> Array:
    seen = [eta for each in limits for limit in each for eta in (limit.in_mean, limit.in_mean_square, limit.almost_surely) if eta > 0]
    if not seen:
        raise ValueError("`learning_rates` is missing: SGD is stable at none, so that there are no limits to choose them by.")
    return np.geomspace(min(seen) / MARGIN, max(seen) * MARGIN, RATES)
