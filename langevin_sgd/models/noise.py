"""Noise: the covariance C of dX = f dt + sqrt(ε C(X, t)) dW, as a family, or measured.

For SGD, C is the covariance of the gradient of *one* sample, and ε = learning rate / batch size carries the batch.
"""
from langevin_sgd.models.kramers_moyal import from_trajectories
from langevin_sgd.models.noise_families import Anisotropic, Constant, Expression, LossProportional, Noise, Quadratic, from_functions
from langevin_sgd.models.noise_of_losses import from_hessians, from_two_points, measure

__all__ = ["Anisotropic", "Constant", "Expression", "LossProportional", "Noise", "Quadratic", "from_functions", "from_hessians",
           "from_trajectories", "from_two_points", "measure"]
