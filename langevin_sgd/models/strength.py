"""The strength ε of the noise, and where it comes from: learning rate and batch size, or temperature."""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from langevin_sgd.models.arguments import positive, whole

NAMES = ("strength", "temperature", "learning_rate", "batch_size", "dataset_size", "replacement")


@dataclass(frozen=True, kw_only=True)
class Strength:
    """ε, given in one of three ways.

    SGD draws batches with replacement by default, ε = learning_rate / batch_size; without replacement inside a batch, from a
    dataset of N samples, ε = learning_rate (N − B) / (B (N − 1)).  A temperature means ε = 2 temperature.
    """

    strength: float | None = None
    temperature: float | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    dataset_size: int | None = None
    replacement: bool = True

    def __post_init__(self) -> None:
        if self.strength is None and self.temperature is None and (self.learning_rate is None or self.batch_size is None):
            raise ValueError("the noise strength is None: `strength`, `temperature`, or both `learning_rate` and `batch_size` must be "
                             "numbers.")
        for name in ("strength", "temperature", "learning_rate"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, positive(name, getattr(self, name)))
        for name in ("batch_size", "dataset_size"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole(name, getattr(self, name)))
        if self.replacement is not True:
            self._check_without_replacement()

    def _check_without_replacement(self) -> None:
        if self.replacement is not False:
            raise ValueError(f"`replacement` is {self.replacement!r}, but must be True or False.  Reshuffling whole epochs has no "
                             "white-noise ε: successive batches are anticorrelated, so no diffusion of this kind describes it.")
        if self.dataset_size is None:
            raise ValueError("`dataset_size` is missing: without replacement the noise depends on how many samples there are.")
        if self.batch_size is not None and self.batch_size >= self.dataset_size:
            raise ValueError(f"`batch_size` is {self.batch_size} out of `dataset_size` {self.dataset_size}: drawn without "
                             "replacement, that is the whole dataset, and there is no noise.")

    @property
    def value(self) -> float:
        """The number ε."""
        if self.strength is not None:
            return self.strength
        if self.temperature is not None:
            return 2 * self.temperature
        assert self.learning_rate is not None and self.batch_size is not None, "This is a bug: a strength without a source."
        if self.replacement:
            return self.learning_rate / self.batch_size
        assert self.dataset_size is not None, "This is a bug: no dataset size."
        n, b = self.dataset_size, self.batch_size
        return self.learning_rate * (n - b) / (b * (n - 1))

    def replace(self, **changes: Any) -> Strength:
        """Return a strength with new numbers for the names that it was given by."""
        for name in changes:
            if name not in ("dataset_size", "replacement") and getattr(self, name) is None:
                given = ", ".join(n for n in NAMES if n != "replacement" and getattr(self, n) is not None)
                raise ValueError(f"this equation has no `{name}`: its noise strength is given by {given}.")
        return dataclasses.replace(self, **changes)

    def __str__(self) -> str:
        if self.strength is not None:
            return f"ε = {self.value:g}"
        if self.temperature is not None:
            return f"ε = {self.value:g} (temperature {self.temperature:g})"
        text = f"ε = {self.value:g} (learning rate {self.learning_rate:g}, batch size {self.batch_size}"
        return text + (")" if self.replacement else f" of {self.dataset_size} without replacement)")


def covariance_factor(batch_size: int, dataset_size: int | None = None, replacement: bool = True) -> float:
    """Return Cov(g_B) / C: 1 / B with replacement, (N − B) / (B (N − 1)) without, zero for the whole dataset.

    Examples
    --------
    >>> from langevin_sgd.models.strength import covariance_factor
    >>> covariance_factor(5), covariance_factor(5, 11, replacement=False)
    (0.2, 0.12)
    """
    if not replacement and dataset_size is not None and batch_size >= dataset_size:
        return 0.0
    return Strength(learning_rate=1.0, batch_size=whole("batch_size", batch_size), dataset_size=dataset_size, replacement=replacement).value
