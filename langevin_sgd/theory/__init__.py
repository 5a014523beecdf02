"""What mathematics says about an equation; here the closed forms, one function each, for plain numbers."""
from langevin_sgd.theory.closed_forms.eyring_kramers import bouchet_reygner_time, eyring_kramers_time, maier_stein_time
from langevin_sgd.theory.closed_forms.kramers import kramers_time, kramers_time_next_order, laplace_time
from langevin_sgd.theory.closed_forms.levy import levy_exit_time
from langevin_sgd.theory.closed_forms.minibatch_noise import log_loss_time, mirrored_time, xie_time
from langevin_sgd.theory.closed_forms.power_law import power_law_time, power_law_time_published, power_law_time_published_d
from langevin_sgd.theory.closed_forms.quadratic_noise import (
    PowerLawStationary,
    PowerLawStationaryInSpace,
    power_law_stationary,
    power_law_stationary_d,
)
from langevin_sgd.theory.closed_forms.underdamped import melnikov_meshkov_time, underdamped_kramers_time
from langevin_sgd.theory.sgd.cramer import cramer_exponent
from langevin_sgd.theory.sgd.discrete_variance import IterateCovariance, reshuffled_variance, sgd_covariance, sgd_variance
from langevin_sgd.theory.sgd.epochs import reshuffled_covariance
from langevin_sgd.theory.sgd.flatness_indicators import basin_odds, excess_loss, pac_bayes_bound
from langevin_sgd.theory.sgd.kesten import LinearStability, kesten_tail_exponent, linear_stability
from langevin_sgd.theory.sgd.minibatch_moments import StationaryMoments, minibatch_moments
from langevin_sgd.theory.sgd.regression import RegressionNoise, regression_covariance, regression_noise
from langevin_sgd.theory.sgd.reshuffled_moments import reshuffled_moments
from langevin_sgd.theory.sgd.stability import MinibatchStability, MomentStability, minibatch_stability, no_metastable_state
from langevin_sgd.theory.sgd.stability_limits import StabilityLimits, stability_limits
from langevin_sgd.theory.sgd.threshold import BARRIER_SHIFT, siegmund_nu, threshold_ratio
from langevin_sgd.theory.sgd.variance_flatness import VarianceLine, variance_line

__all__ = [
    "BARRIER_SHIFT", "IterateCovariance", "LinearStability", "MinibatchStability", "MomentStability", "PowerLawStationary",
    "PowerLawStationaryInSpace", "RegressionNoise", "StabilityLimits", "StationaryMoments", "VarianceLine", "basin_odds",
    "bouchet_reygner_time", "cramer_exponent", "excess_loss", "eyring_kramers_time", "kesten_tail_exponent", "kramers_time",
    "kramers_time_next_order", "laplace_time", "levy_exit_time", "linear_stability", "log_loss_time", "maier_stein_time",
    "melnikov_meshkov_time", "minibatch_moments", "minibatch_stability", "mirrored_time", "no_metastable_state", "pac_bayes_bound",
    "power_law_stationary", "power_law_stationary_d", "power_law_time", "power_law_time_published", "power_law_time_published_d",
    "regression_covariance", "regression_noise", "reshuffled_covariance", "reshuffled_moments", "reshuffled_variance", "sgd_covariance",
    "sgd_variance", "siegmund_nu", "stability_limits", "threshold_ratio", "underdamped_kramers_time", "variance_line", "xie_time",
]
