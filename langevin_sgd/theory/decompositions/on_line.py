"""The decomposition in one dimension: φ = −ln p by quadrature, at any noise, and no circulation."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.models.sde import SDE
from langevin_sgd.theory.decompositions.fields import SAMPLE, Decomposition
from langevin_sgd.theory.line.stationary import StationaryDensity, stationary_density


def on_the_line(sde: SDE) -> Decomposition:
    """Return the decomposition of a one-dimensional equation: φ = −ln p by quadrature, and no circulation."""
    law = stationary_density(sde)

    def flux(x: Array) -> Array:
        return sde.evaluate(sde.flux_drift_field, x)

    def slope(x: Array) -> Array:                   # the flux c p − D p' is zero
        return -flux(x) / (0.5 * sde.values["strength"] * sde.covariance.at(x, 0.0, sde.values)[..., 0])
    return Decomposition(sde.in_interpretation("ito"), lambda x: -np.asarray(law.log_density(x[..., 0])), slope,
                         lambda x: np.zeros((*x.shape, 1)), _LawOnTheLine(law), "one dimension, no circulation: φ by quadrature")


@dataclass(frozen=True, eq=False)
class _LawOnTheLine:
    """The exact law in one dimension."""

    density: StationaryDensity

    @property
    def mean(self) -> Array:
        return np.array([self.density.mean])

    @property
    def covariance(self) -> Array:
        return np.array([[self.density.variance]])

    @property
    def states(self) -> Array:
        """Equally spaced, over what holds all but little of the probability."""
        low, high = (self._quantile(p) for p in (1e-3, 1 - 1e-3))
        return np.linspace(low, high, SAMPLE)[:, None]

    @property
    def weights(self) -> Array:
        p = self.density(self.states[:, 0])
        return np.asarray(p / p.sum())

    def _quantile(self, p: float) -> float:
        low, high = -1.0, 1.0
        while self.density.probability(high=low) > p and low > -1e9:
            low *= 2
        while self.density.probability(high=high) < p and high < 1e9:
            high *= 2
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.density.probability(high=middle) < p else (low, middle)
        return high
