"""Pictures.  Points are Monte Carlo, solid lines exact, dashed lines closed forms, everywhere; matplotlib is imported when one is drawn."""
from langevin_sgd.plots.action import draw_action, draw_path, draw_work
from langevin_sgd.plots.ensembles import draw_paths, draw_survival
from langevin_sgd.plots.escape import draw_comparison, draw_escapes, draw_occupancy
from langevin_sgd.plots.fields import draw_current, draw_landscape, draw_level_lines
from langevin_sgd.plots.noise import draw_measured_noise

__all__ = ["draw_action", "draw_comparison", "draw_current", "draw_escapes", "draw_landscape", "draw_level_lines", "draw_measured_noise",
           "draw_occupancy", "draw_path", "draw_paths", "draw_survival", "draw_work"]
