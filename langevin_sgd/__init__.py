"""How long does SGD, or any diffusion, stay in a minimum, and does the theory hold?"""
from langevin_sgd.models import landscapes, noise, systems
from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint, Landscape
from langevin_sgd.models.region import Ball, Box, HalfSpace, Interval, Region, Sublevel, Where
from langevin_sgd.models.sde import SDE, langevin, linear, sgd
from langevin_sgd.models.status import Status

__all__ = [
    "SDE", "Ball", "Box", "CriticalPoint", "Estimate", "HalfSpace", "Interval", "Key", "Landscape", "Prediction", "Region", "Status",
    "Sublevel", "Where", "landscapes", "langevin", "linear", "noise", "sgd", "systems",
]
