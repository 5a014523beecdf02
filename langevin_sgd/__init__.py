"""How long does SGD, or any diffusion, stay in a minimum, and does the theory hold?"""
from langevin_sgd import plots, theory
from langevin_sgd.models import landscapes, losses, noise, systems
from langevin_sgd.models.answers import Agreement, Estimate, Prediction
from langevin_sgd.models.injection import Injection
from langevin_sgd.models.key import Key
from langevin_sgd.models.landscape import CriticalPoint, Landscape
from langevin_sgd.models.region import Ball, Box, HalfSpace, Interval, Region, Sublevel, Where
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.sde import SDE, langevin, linear, sgd
from langevin_sgd.models.status import Status
from langevin_sgd.simulation.exact_linear import ExactLinear
from langevin_sgd.simulation.first_passage import first_passage
from langevin_sgd.simulation.minibatch import run_sgd
from langevin_sgd.simulation.passage_times import FirstPassage
from langevin_sgd.simulation.quasi_stationary import QuasiStationary
from langevin_sgd.simulation.schemes import EulerMaruyama, Milstein
from langevin_sgd.simulation.sgd_runs import SGDRuns
from langevin_sgd.simulation.splitting import splitting
from langevin_sgd.simulation.splitting_result import Splitting
from langevin_sgd.simulation.trajectories import Trajectories, simulate
from langevin_sgd.simulation.weighted_ensemble import WeightedEnsemble, weighted_ensemble
from langevin_sgd.studies import flatness, generalisation
from langevin_sgd.studies.escape import Escape, EscapeReport, escape
from langevin_sgd.studies.mean_passage_time import mean_passage_time
from langevin_sgd.studies.sgd_escape import SGDEscape, SGDEscapeReport
from langevin_sgd.studies.stability import StabilityMap, stability
from langevin_sgd.studies.tails import TailExponent, tail_exponent
from langevin_sgd.theory import exact
from langevin_sgd.theory.chains.chain import Chain
from langevin_sgd.theory.decompositions.decomposition import decompose
from langevin_sgd.theory.decompositions.given import compose
from langevin_sgd.theory.grids.fokker_planck import FokkerPlanck
from langevin_sgd.theory.grids.grid import Grid
from langevin_sgd.theory.predictions.predict import predict
from langevin_sgd.theory.weak_noise.action import minimum_action_path
from langevin_sgd.theory.weak_noise.quasipotential import quasipotential
from langevin_sgd.theory.weak_noise.quasipotential_field import quasipotential_field

__all__ = [
    "SDE", "Agreement", "Ball", "Box", "Chain", "CriticalPoint", "Escape", "EscapeReport", "Estimate", "EulerMaruyama", "ExactLinear",
    "FirstPassage", "FokkerPlanck", "Grid", "HalfSpace", "Injection", "Interval", "Key", "Landscape", "Milstein", "Prediction",
    "QuasiStationary", "Region", "SGDEscape", "SGDEscapeReport", "SGDRuns", "SampledLoss", "Splitting", "StabilityMap", "Status",
    "Sublevel", "TailExponent", "Trajectories", "WeightedEnsemble", "Where", "compose", "decompose", "escape", "exact", "first_passage",
    "flatness", "generalisation", "landscapes", "langevin", "linear", "losses", "mean_passage_time", "minimum_action_path", "noise",
    "plots", "predict", "quasipotential", "quasipotential_field", "run_sgd", "sgd", "simulate", "splitting", "stability", "systems",
    "tail_exponent", "theory", "weighted_ensemble",
]
