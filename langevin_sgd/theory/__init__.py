"""What mathematics says about an equation; here the closed forms, one function each, for plain numbers."""
from langevin_sgd.theory.chain_limits import BARRIER_SHIFT, siegmund_nu, threshold_ratio
from langevin_sgd.theory.kramers import kramers_time, laplace_time
from langevin_sgd.theory.power_law import power_law_time, power_law_time_published, power_law_time_published_d

__all__ = ["BARRIER_SHIFT", "kramers_time", "laplace_time", "power_law_time", "power_law_time_published", "power_law_time_published_d",
           "siegmund_nu", "threshold_ratio"]
