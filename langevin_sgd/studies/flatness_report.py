"""Variance and flatness of real SGD over a grid of settings: what was measured, what theory says of each, as text, picture and Dataset."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array
from langevin_sgd.models.key import Key
from langevin_sgd.studies.flatness_exponent import VarianceFlatness
from langevin_sgd.studies.report_text import aligned

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

COORDINATES = ("learning_rate", "batch_size", "sampling")


@dataclass(frozen=True)
class Theory:
    """The covariance of the iterates by theory.

    Attributes
    ----------
    covariance
        By the best theory that there is for the loss (d, d).
    additive
        As if the noise were everywhere what it is at the minimum (d, d).
    kind
        The best: "moments" of the data, exact for independent batches, and under reshuffling to second order in what batches differ;
        "quadratic", the same with samples that are not quadratic as they are to second order at the minimum; or "additive".
    """

    covariance: Array
    additive: Array
    kind: str

    def along(self, axes: Array) -> Array:
        """Return the variances along axes, one for each column (d, k)."""
        return np.asarray(np.einsum("ik,ij,jk->k", axes, self.covariance, axes))

    def additive_along(self, axes: Array) -> Array:
        """Return those of additive noise."""
        return np.asarray(np.einsum("ik,ij,jk->k", axes, self.additive, axes))


@dataclass(frozen=True)
class Window:
    """Which iterates were kept: of `n_paths` runs, every `every`-th after `burn_in`, `n_saved` in all of each."""

    n_paths: int
    burn_in: int
    every: int
    n_saved: int

    @property
    def n_steps(self) -> int:
        """Iterations of each run."""
        return self.burn_in + self.every * self.n_saved


@dataclass(frozen=True, eq=False)
class FlatnessPoint:
    """Real SGD at one learning rate, batch size and sampling.

    Attributes
    ----------
    learning_rate, batch_size, sampling
        Which.
    measured, not_measured
        Variance and flatness along the axes with the exponent; or None, and why there is none.
    theory
        The covariance that is predicted; None where theory says that there is none.
    window
        Which iterates were kept; None if there was no run.
    left_out
        Directions that were not looked at, and why.
    n_diverged
        Runs that blew up, and are left out.
    """

    learning_rate: float
    batch_size: int
    sampling: str
    measured: VarianceFlatness | None
    not_measured: str
    theory: Theory | None
    window: Window | None
    left_out: tuple[str, ...] = ()
    n_diverged: int = 0

    @property
    def exponent(self) -> Estimate | None:
        """ψ as measured."""
        return None if self.measured is None else self.measured.exponent

    @property
    def predicted(self) -> Array | None:
        """The variances by the best theory, along the axes that were measured."""
        return None if self.theory is None or self.measured is None else self.theory.along(self.measured.axes)

    @property
    def additive(self) -> Array | None:
        """The variances if the noise were everywhere what it is at the minimum."""
        return None if self.theory is None or self.measured is None else self.theory.additive_along(self.measured.axes)

    @property
    def predicted_exponent(self) -> float:
        """ψ of the predicted variances, with the weights of the fit; NaN if there is none."""
        return self._exponent_of(self.predicted)

    @property
    def additive_exponent(self) -> float:
        """ψ of additive noise."""
        return self._exponent_of(self.additive)

    @property
    def z(self) -> float:
        """Measured less predicted ψ, over the standard error of chance."""
        if self.measured is None:
            return math.nan
        return (self.measured.exponent.value - self.predicted_exponent) / self.measured.fit.chance

    @property
    def ratio(self) -> Array | None:
        """Measured over predicted variances (k,); NaN or infinite along axes without noise."""
        if self.measured is None or self.predicted is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.measured.variance / self.predicted)

    @property
    def largest_deviation(self) -> float:
        """That of a variance used in the fit from the predicted one, relative, with its sign; NaN if there is none."""
        if self.measured is None or self.ratio is None:
            return math.nan
        off = self.ratio[self.measured.used] - 1
        return float(off[np.abs(off).argmax()])

    def _exponent_of(self, variance: Array | None) -> float:
        if self.measured is None or variance is None or not (variance[self.measured.used] > 0).all():
            return math.nan                                         # where there is no noise at the minimum, additive noise has no variance
        return self.measured.exponent_of(variance)

    def __repr__(self) -> str:
        found = self.not_measured if self.measured is None else repr(self.measured)
        return f"FlatnessPoint(η = {self.learning_rate:g}, B = {self.batch_size}, {self.sampling}: {found})"


@dataclass(frozen=True, eq=False)
class FlatnessReport:
    """Variance and flatness of SGD over a grid; made by `from_sgd`: ``print(report)`` is the answer.

    Attributes
    ----------
    title
        What was run.
    minimum
        About which (d,).
    points
        One `FlatnessPoint` for each learning rate, batch size and sampling.
    key
        Of all; a point has a key of its own, by its place, so that it comes out the same in any grid.
    stopped
        Why the scan was cut short, or "".
    """

    title: str
    minimum: Array
    points: tuple[FlatnessPoint, ...]
    key: Key
    stopped: str = ""

    def __iter__(self) -> Iterator[FlatnessPoint]:
        return iter(self.points)

    def at(self, **place: Any) -> FlatnessPoint:
        """Return the one point at a place: ``report.at(batch_size=10, sampling="iid")``.

        Raises
        ------
        ValueError
            If there is none, or more than one.
        """
        if unknown := set(place) - set(COORDINATES):
            raise ValueError(f"`{unknown.pop()}` is no coordinate of a point; those are {', '.join(COORDINATES)}.")
        found = [p for p in self.points if all(getattr(p, name) == value for name, value in place.items())]
        if len(found) != 1:
            raise ValueError(f"{len(found)} points of {len(self.points)} are at {place}; name as many of {', '.join(COORDINATES)} as it "
                             "takes.")
        return found[0]

    def table(self) -> str:
        """Return the report as text."""
        head = ["η", "B", "sampling", "ψ [interval]", "theory", "z", "additive noise", "variances off by", "directions"]
        rows = [head] + [[f"{p.learning_rate:g}", str(p.batch_size), p.sampling, *_cells(p)] for p in self.points]
        return "\n".join([self.title, *self._notes(), "", *aligned(rows), *self._remarks()])

    def plot(self, *, over: str | None = None, **place: Any) -> Figure:
        """Draw ψ against batch size or learning rate, and beside it variance against curvature at one place.

        Parameters
        ----------
        over
            "batch_size" or "learning_rate"; None: of which there are more.
        **place
            The learning rate and batch size of the second picture; the middle ones if not given.
        """
        from langevin_sgd.plots.flatness_of_sgd import draw_flatness_report
        return draw_flatness_report(self.points, over=over, place=place, title=self.title)

    def to_xarray(self) -> xarray.Dataset:
        """Return a Dataset over learning rate, batch size, sampling and direction; NaN where nothing was measured."""
        import xarray
        axes = {name: list(dict.fromkeys(getattr(p, name) for p in self.points)) for name in COORDINATES}
        shape = tuple(len(values) for values in axes.values())
        measured = [p.measured for p in self.points if p.measured is not None]
        width = max((len(m.variance) for m in measured), default=0)
        numbers = {name: np.full(shape, math.nan) for name in ("exponent", "exponent_low", "exponent_high", "predicted_exponent",
                                                               "additive_exponent")}
        rows = {name: np.full((*shape, width), math.nan) for name in ("curvature", "flatness", "variance", "variance_error", "predicted",
                                                                      "additive")}
        used = np.zeros((*shape, width), bool)
        for p in self.points:
            place = tuple(axes[name].index(getattr(p, name)) for name in COORDINATES)
            if (m := p.measured) is None:
                continue
            psi = m.exponent
            for name, value in zip(numbers, (psi.value, psi.low, psi.high, p.predicted_exponent, p.additive_exponent), strict=True):
                numbers[name][place] = value
            for name, row in zip(rows, (m.curvature, m.flatness, m.variance, m.variance_error, p.predicted, p.additive), strict=True):
                rows[name][place][:len(m.variance)] = math.nan if row is None else row
            used[place][:len(m.variance)] = m.used
        data: dict[str, Any] = {name: (COORDINATES, values) for name, values in numbers.items()}
        data |= {name: ((*COORDINATES, "direction"), values) for name, values in {**rows, "used": used}.items()}
        about = {"title": self.title, "minimum": self.minimum, "key": f"{self.key.value:#034x}", "stopped": self.stopped}
        return xarray.Dataset(data, {**axes, "direction": np.arange(1, width + 1)}, about)

    def _notes(self) -> list[str]:
        kinds = {p.theory.kind for p in self.points if p.theory is not None and p.measured is not None}
        said = {"moments": "the moments of the data, exact for independent batches, to second order under reshuffling",
                "quadratic": "the moments of the data, with the samples as they are to second order at the minimum",
                "additive": "additive noise as it is at the minimum, for there are too many weights or batches for more"}
        lines = [f"ψ in variance ∝ flatness^−ψ.  Theory: {'; '.join(said[kind] for kind in said if kind in kinds) or 'none'}."]
        if windows := [p.window for p in self.points if p.window is not None]:
            steps, burn_in, saved = (_span([getattr(w, name) for w in windows]) for name in ("n_steps", "burn_in", "n_saved"))
            lines.append(f"{windows[0].n_paths} runs of {steps} iterations, of which {burn_in} burn-in; {saved} states kept of each, every "
                         "position in the epoch equally often.")
        return lines

    def _remarks(self) -> list[str]:
        """What is to be said of points: none measured, directions left out, doubts, runs that diverged; each once."""
        said: dict[str, int] = {}
        for p in self.points:
            doubts = () if p.measured is None else (*p.measured.doubts, *(why for why in p.measured.reasons if why))
            blown = (f"{p.n_diverged} runs diverged and are left out",) * bool(p.n_diverged)
            for remark in (*((p.not_measured,) if p.not_measured else ()), *p.left_out, *doubts, *blown):
                said[remark] = said.get(remark, 0) + 1
        lines = [f"- {remark} ({count} of {len(self.points)} points)" for remark, count in said.items()]
        return lines + [f"Stopped by {self.stopped}: the points that are missing were not reached."] * bool(self.stopped)

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__


def _span(values: Sequence[int]) -> str:
    return str(values[0]) if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _cells(p: FlatnessPoint) -> list[str]:
    if p.measured is None:
        return ["–"] * 6
    psi, used = p.measured.exponent, p.measured.used
    numbers = ["" if math.isnan(value) else text.format(value) for value, text in
               ((p.predicted_exponent, "{:.3f}"), (p.z, "{:+.1f}"), (p.additive_exponent, "{:.3f}"))]
    off = "" if math.isnan(p.largest_deviation) else f"{100 * p.largest_deviation:+.1f} %"
    return [f"{psi.value:.3f} [{psi.low:.3f}, {psi.high:.3f}]", *numbers, off, f"{used.sum()} of {len(used) + len(p.left_out)}"]
