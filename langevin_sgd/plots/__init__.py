"""Pictures.  Points are Monte Carlo, solid lines exact, dashed lines closed forms, everywhere; matplotlib is imported when one is drawn."""
from langevin_sgd.plots.action import draw_action, draw_path, draw_work
from langevin_sgd.plots.decomposition import draw_decomposition, draw_potential_and_loss
from langevin_sgd.plots.ensembles import draw_paths, draw_survival
from langevin_sgd.plots.escape import draw_comparison, draw_escapes, draw_occupancy
from langevin_sgd.plots.fields import (
    draw_current,
    draw_flow,
    draw_landscape,
    draw_level_lines,
    draw_potential,
    draw_quasipotential,
    draw_streamlines,
    draw_transitions,
)
from langevin_sgd.plots.flatness import draw_two_curvatures, draw_variance_flatness
from langevin_sgd.plots.flatness_of_sgd import draw_exponents, draw_flatness_report, draw_variances
from langevin_sgd.plots.generalisation import draw_generalisation
from langevin_sgd.plots.laws import draw_stationary_laws, draw_tail_exponent
from langevin_sgd.plots.methods import draw_methods
from langevin_sgd.plots.noise import draw_measured_noise
from langevin_sgd.plots.sgd_escape import draw_sgd_escapes
from langevin_sgd.plots.splitting import draw_splitting
from langevin_sgd.plots.stability import draw_stability

__all__ = [
    "draw_action", "draw_comparison", "draw_current", "draw_decomposition", "draw_escapes", "draw_exponents", "draw_flatness_report",
    "draw_flow", "draw_generalisation", "draw_landscape", "draw_level_lines", "draw_measured_noise", "draw_methods", "draw_occupancy",
    "draw_path", "draw_paths", "draw_potential", "draw_potential_and_loss", "draw_quasipotential", "draw_sgd_escapes", "draw_splitting",
    "draw_stability", "draw_stationary_laws", "draw_streamlines", "draw_survival", "draw_tail_exponent", "draw_transitions",
    "draw_two_curvatures", "draw_variance_flatness", "draw_variances", "draw_work",
]
