"""Escape from a sharp and from a flat minimum, under every kind of noise: the first command's study.

Two wells, sharp and flat, that differ in curvature alone: equal depth, equal barrier and curvature of the saddle, equal ε and σ_g.  The
barrier is scanned.  How the noise grows away from the minimum decides the exponent, so the kinds of quadratic noise are named apart.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from langevin_sgd.models import landscapes
from langevin_sgd.models.answers import Estimate
from langevin_sgd.models.arguments import Array, positive, whole
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import Landscape
from langevin_sgd.models.noise_families import Anisotropic, Constant, Expression, LossProportional, Noise, Quadratic
from langevin_sgd.models.sde import SDE, sgd
from langevin_sgd.studies.escape import Escape, EscapeReport, escapes
from langevin_sgd.studies.occupancy import Occupancy, occupancy
from langevin_sgd.studies.passage import Passage

SHARP, FLAT = 5.0, 1.0          # curvatures of the two wells
SADDLE_CURVATURE = 1.0          # of the saddle, and of the direction across the way in two dimensions
SIGMA_G = 1.0                   # variance of the gradient of one sample at the minimum
SIGMA_H = 2.0                   # of its derivative, in the flat well
MEASURED = (2.0, 3.0, 4.0, 5.0, 6.0)            # barriers that are simulated, over ε σ_g / 2
COMPUTED = tuple(map(float, range(1, 13)))      # barriers of the exact and predicted curves
ASPECT = 4.0                    # of the anisotropic noise: variance along over variance across, at equal trace
MAX_STEPS = 6 * 10**8           # path-steps for one measurement

MakeNoise = Callable[[Landscape, float, float], Noise]      # from the well, its curvature, and its σ_H


@dataclass(frozen=True)
class Kind:
    """One kind of noise.

    Attributes
    ----------
    name, formula
        As printed.
    power
        σ_H grows like this power of the curvature; None if there is none.
    noise
        Makes the noise of a well.
    transverse
        Whether the landscape has a second, harmonic direction.
    joint
        Whether the noise is one function of the loss for both wells, so that it makes sense in a landscape with both.
    """

    name: str
    formula: str
    power: int | None
    noise: MakeNoise
    transverse: bool = False
    joint: bool = False


@dataclass(frozen=True, eq=False)
class Comparison:
    """The time out of the flat well over that out of the sharp one, at several levels; NaN where there is none.

    Attributes
    ----------
    levels, level_name
        What was varied.
    measured, half_width
        The simulated ratio, and half the width of its 95 % interval.
    exact
        The ratio of the exact times.
    """

    levels: Array
    level_name: str
    measured: Array
    half_width: Array
    exact: Array


@dataclass(frozen=True)
class Case:
    """A kind of noise with its results."""

    kind: Kind
    reports: dict[str, EscapeReport]
    occupancy: Occupancy | None

    @property
    def pairs(self) -> list[tuple[Escape, Escape]]:
        """The escapes from the sharp and from the flat well at the barriers that both have (an interrupted scan has fewer)."""
        return list(zip(self.reports["sharp"], self.reports.get("flat", ()), strict=False))

    def ratio(self, level: float) -> tuple[float, float]:
        """Return the flat time over the sharp time at a barrier: measured and exact (NaN where there is none)."""
        sharp, flat = (next(e for e in self.reports[w] if e.level == level) for w in ("sharp", "flat"))
        measured = flat.measured.value / sharp.measured.value if flat.measured and sharp.measured else math.nan
        exact = np.exp(flat.exact.log_value - sharp.exact.log_value) if flat.exact and sharp.exact else math.nan
        return float(measured), float(exact)

    @property
    def comparison(self) -> Comparison:
        """The flat time over the sharp time at all barriers."""
        rows = self.pairs
        ratios = np.array([self.ratio(s.level) for s, _ in rows]).reshape(-1, 2)
        spread = [math.hypot(*(_relative_half_width(e.measured) for e in row)) for row in rows]
        return Comparison(np.array([s.level for s, _ in rows]), "barrier", ratios[:, 0], ratios[:, 0] * np.array(spread), ratios[:, 1])

    def growth(self, well: str) -> float:
        """Return d ln τ / d barrier between the two highest barriers, from the exact times; NaN without them."""
        times = [(e.level, e.exact.log_value) for e in self.reports.get(well, ()) if e.exact]
        if len(times) < 2:
            return math.nan
        (low, log_low), (high, log_high) = times[-2:]
        return (log_high - log_low) / (high - low)


@dataclass(frozen=True)
class SharpFlat:
    """The study: what was held equal, and a `Case` for each kind of noise."""

    learning_rate: float
    batch_size: int
    interpretation: str
    key: Key
    cases: tuple[Case, ...]
    stopped: str = ""
    held_equal: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    @property
    def temperature(self) -> float:
        """T = ε σ_g / 2, the unit of barriers."""
        return self.learning_rate / self.batch_size * SIGMA_G / 2

    @property
    def holds(self) -> bool:
        """Whether measured, exact and predicted agree wherever they should."""
        return all(report.holds for case in self.cases for report in case.reports.values())


def sharp_flat(learning_rate: float = 0.1, batch_size: int = 1, interpretation: str = "ito", n_paths: int | None = None, rng: Any = None,
               *, say: Callable[[str], None] = lambda _: None) -> SharpFlat:
    """Run the study.

    Parameters
    ----------
    learning_rate, batch_size, interpretation
        Of SGD; the barriers are scanned in units of ε σ_g / 2, so that the times stay within reach.
    n_paths
        Of each measurement; 2000 if None.
    rng
        As for `simulate`.
    say
        Called with a line of progress before each kind of noise.

    Examples
    --------
    >>> from langevin_sgd.studies.sharp_flat import KINDS
    >>> [kind.name for kind in KINDS][:2]
    ['constant', 'anisotropic, along the way out']
    """
    key = Key.draw(rng)
    positive("learning_rate", learning_rate)
    strength = learning_rate / whole("batch_size", batch_size)
    temperature = strength * SIGMA_G / 2
    cases: list[Case] = []
    stopped = ""
    try:
        for k, kind in enumerate(KINDS):
            say(f"[{k + 1}/{len(KINDS)}] {kind.name}: {kind.formula}")
            settings = Settings(kind, learning_rate, batch_size, interpretation)
            reports = {}
            for w, (well, curvature) in enumerate((("sharp", SHARP), ("flat", FLAT))):
                reports[well] = _scan(settings, well, curvature, temperature, n_paths, key.spawn(k, w))
                stopped = stopped or reports[well].stopped
                if stopped == "Ctrl-C":
                    break
            together = _occupancy(settings, temperature) if kind.joint and stopped != "Ctrl-C" else None
            cases.append(Case(kind, reports, together))
            if stopped == "Ctrl-C":
                break
    except KeyboardInterrupt:           # in the first moments of a scan
        stopped = "Ctrl-C"
        if not cases:
            raise
    return SharpFlat(learning_rate, batch_size, interpretation, key, tuple(cases), stopped, _held_equal(strength, temperature))


@dataclass(frozen=True)
class Settings:
    """A kind of noise under one setting of SGD: makes equations."""

    kind: Kind
    learning_rate: float
    batch_size: int
    interpretation: str

    def equation(self, curvature: float, barrier: float, other_curvature: float | None = None) -> SDE:
        """Return the equation in a well of this curvature and barrier, alone or beside another well."""
        well = landscapes.piecewise_quadratic(curvature, SADDLE_CURVATURE, barrier, other_curvature)
        if self.kind.transverse:
            well = Landscape(f"{well.text} + transverse*y**2/2", variables=None, **well.values, transverse=SADDLE_CURVATURE)
        sigma_h = SIGMA_H * (curvature / FLAT) ** (self.kind.power or 0)
        return sgd(well, self.kind.noise(well, curvature, sigma_h), self.learning_rate, self.batch_size, self.interpretation)

    def passage(self, curvature: float, barrier: float) -> Passage:
        """Return the full crossing out of a well."""
        sde = self.equation(curvature, barrier)
        saddle = np.sqrt(2 * barrier * (1 / curvature + 1 / SADDLE_CURVATURE))
        end = saddle + np.sqrt(2 * barrier / SADDLE_CURVATURE)             # where the loss is back at its height at the minimum
        if sde.dim == 1:
            return Passage.of(sde, 0.0, saddle, end)
        return Passage.of(sde, [0.0, 0.0], [saddle, 0.0], [end, 0.0])


def _scan(settings: Settings, well: str, curvature: float, temperature: float, n_paths: int | None, key: Key) -> EscapeReport:
    """The escape out of one well, over barriers."""
    separable = settings.passage(curvature, temperature).along_axis() is not None
    heights = sorted({*MEASURED, *(COMPUTED if separable else ())})
    barriers = [h * temperature for h in heights]
    passages = [settings.passage(curvature, b) for b in barriers]
    return escapes(passages, barriers, "barrier", title=f"{well} well, H = {curvature:g}: {settings.kind.name}", key=key, n_paths=n_paths,
                   max_steps=MAX_STEPS, measure=[h in MEASURED for h in heights])


def _relative_half_width(measured: Estimate | None) -> float:
    return (measured.high - measured.low) / (2 * measured.value) if measured else math.nan


def _occupancy(settings: Settings, temperature: float) -> Occupancy:
    barriers: Sequence[float] = [h * temperature for h in COMPUTED]
    return occupancy(lambda b: settings.equation(SHARP, b, FLAT), barriers, "barrier")


def _held_equal(strength: float, temperature: float) -> dict[str, str]:
    return {"depth": "0, both minima",
            "barrier": f"scanned, {MEASURED[0]:g} to {MEASURED[-1]:g} × ε σ_g / 2 measured, "
                       f"{COMPUTED[0]:g} to {COMPUTED[-1]:g} computed (ε σ_g / 2 = {temperature:g})",
            "curvature of the saddle": f"−{SADDLE_CURVATURE:g}",
            "ε = learning rate / batch size": f"{strength:g}",
            "σ_g": f"{SIGMA_G:g}",
            "σ_H": f"{SIGMA_H:g} in the flat well; in the sharp one × H or × H², as said",
            "differs: curvature H": f"sharp {SHARP:g}, flat {FLAT:g}"}


def _aligned(_: Landscape, __: float, ___: float) -> Noise:
    along = 2 * SIGMA_G * ASPECT / (1 + ASPECT)
    return Anisotropic(np.diag([along, 2 * SIGMA_G - along]))


def _rotated(_: Landscape, __: float, ___: float) -> Noise:
    along = 2 * SIGMA_G * ASPECT / (1 + ASPECT)
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    return Anisotropic(turn @ np.diag([along, 2 * SIGMA_G - along]) @ turn.T)


def _centred(_: Landscape, __: float, sigma_h: float) -> Noise:
    return Quadratic(SIGMA_G, quadratic=sigma_h)


def _mirrored(_: Landscape, curvature: float, sigma_h: float) -> Noise:
    slope = (f"where(x < {landscapes.PIECEWISE_JOIN}, curvature*x, saddle_curvature*({landscapes.PIECEWISE_SADDLE} - x))")
    return Expression(f"sigma_g + share*({slope})**2", sigma_g=SIGMA_G, share=sigma_h / curvature**2)


def _proportional(well: Landscape, curvature: float, sigma_h: float) -> Noise:
    coefficient = 2 * sigma_h / curvature
    return LossProportional(well, coefficient, SIGMA_G / coefficient, minimum=0.0)


def _quadratic_kinds() -> Iterator[Kind]:
    for name, formula, make in (("quadratic, centred", "C = σ_g + σ_H (w − w*)², also beyond the saddle", _centred),
                                ("quadratic, mirrored", "C = σ_g + σ_H (L′/H)², small again at the saddle", _mirrored),
                                ("proportional to the loss", "C = σ_g + (2 σ_H / H) (L − L_min)", _proportional)):
        for power, growth in ((1, "H"), (2, "H²")):
            yield Kind(f"{name}, σ_H ∝ {growth}", formula, power, make, joint=(make, power) == (_proportional, 1))


KINDS: tuple[Kind, ...] = (
    Kind("constant", "C = σ_g", None, lambda *_: Constant(SIGMA_G), joint=True),
    Kind("anisotropic, along the way out", f"C = diag({2 * ASPECT / (1 + ASPECT):g}, {2 / (1 + ASPECT):g}) σ_g", None, _aligned,
         transverse=True),
    Kind("isotropic, of equal trace", "C = σ_g I", None, lambda *_: Constant(SIGMA_G), transverse=True),
    Kind("anisotropic, turned by 45°", "C = R diag R^T", None, _rotated, transverse=True),
    *_quadratic_kinds(),
)
