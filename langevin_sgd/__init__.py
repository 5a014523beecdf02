"""How long does SGD, or any diffusion, stay in a minimum, and does the theory hold?"""
from langevin_sgd import plots, theory
from langevin_sgd.models import landscapes, losses, noise, systems
from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint, Landscape
from langevin_sgd.models.region import Ball, Box, HalfSpace, Interval, Region, Sublevel, Where
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE, langevin, linear, sgd
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.first_passage import first_passage
from langevin_sgd.simulation.minibatch import run_sgd
from langevin_sgd.simulation.passage_times import FirstPassage
from langevin_sgd.simulation.schemes import EulerMaruyama, Milstein
from langevin_sgd.simulation.sgd_runs import SGDRuns
from langevin_sgd.simulation.trajectories import Trajectories, simulate
from langevin_sgd.studies.escape import Escape, EscapeReport, escape
from langevin_sgd.theory import exact
from langevin_sgd.theory.action import minimum_action_path
from langevin_sgd.theory.chain import Chain
from langevin_sgd.theory.fokker_planck import FokkerPlanck
from langevin_sgd.theory.grid import Grid
from langevin_sgd.theory.predict import predict
from langevin_sgd.theory.quasipotential import quasipotential

__all__ = [
    "SDE", "Ball", "Box", "Chain", "CriticalPoint", "Escape", "EscapeReport", "Estimate", "EulerMaruyama", "FirstPassage", "FokkerPlanck",
    "Grid", "HalfSpace", "Interval", "Key", "Landscape", "Milstein", "Prediction", "Region", "SGDRuns", "SampledLoss", "Status",
    "Sublevel", "Trajectories", "Where", "escape", "exact", "first_passage", "landscapes", "langevin", "linear", "losses",
    "minimum_action_path", "noise", "plots", "predict", "quasipotential", "run_sgd", "sgd", "simulate", "systems", "theory",
]
