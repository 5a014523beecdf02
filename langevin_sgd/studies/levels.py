"""Escapes at several levels, side by side: what reports of equations and of SGD have in common."""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from langevin_sgd.models.answers import Estimate, Prediction


class EscapeLike(Protocol):
    """One escape."""

    @property
    def level(self) -> float:
        """What was varied."""

    @property
    def measured(self) -> Estimate | None:
        """The simulated mean time."""

    @property
    def exact(self) -> Estimate | None:
        """The exact mean time."""

    @property
    def predictions(self) -> dict[str, Prediction]:
        """The closed forms by name."""


Row = TypeVar("Row", bound=EscapeLike)


@dataclass(frozen=True)
class Levels(Generic[Row]):
    """Escapes, one for each level of what was varied.

    Attributes
    ----------
    title, level_name
        What was asked, and what was varied.
    escapes
        One for each level.
    stopped
        Why the study was cut short, or "".
    """

    title: str
    level_name: str
    escapes: tuple[Row, ...]
    stopped: str = ""

    @property
    def levels(self) -> list[float]:
        """The levels."""
        return [e.level for e in self.escapes]

    @property
    def formulas(self) -> list[str]:
        """The names of all closed forms in the report."""
        return list(dict.fromkeys(name for e in self.escapes for name in e.predictions))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.escapes)

    def columns(self) -> dict[str, list[Any]]:
        """Return measured and exact times with their intervals, and every closed form with whether it applies, as columns over the levels.
        """
        nan = math.nan
        columns: dict[str, list[Any]] = {}
        for name in ("measured", "exact"):
            found = [getattr(e, name) for e in self.escapes]
            columns |= {name: [f.value if f else nan for f in found], f"{name}_low": [f.low if f else nan for f in found],
                        f"{name}_high": [f.high if f else nan for f in found], f"log_{name}": [f.log_value if f else nan for f in found]}
        for name in self.formulas:
            forms = [e.predictions.get(name) for e in self.escapes]
            columns |= {name: [f.value if f else nan for f in forms], f"{name}_applies": [bool(f and f.applies) for f in forms]}
        return columns
