"""Variance against flatness, public as `langevin_sgd.flatness`: from samples, or of real minibatch SGD from end to end."""
from langevin_sgd.studies.flatness_exponent import VarianceFlatness, inverse_variance_flatness, width
from langevin_sgd.studies.flatness_of_sgd import FlatnessPoint, FlatnessReport, from_sgd

__all__ = ["FlatnessPoint", "FlatnessReport", "VarianceFlatness", "from_sgd", "inverse_variance_flatness", "width"]
