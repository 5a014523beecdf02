"""How the suite runs: one thread of BLAS in each worker, kernels compiled once, property tests that draw the same examples everywhere."""
import os
from typing import Any

# Each worker has a core.  With as many BLAS threads as cores in every one of them, they wait for one another: twice as long in all.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # before NumPy is loaded

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)        # what passes here passes there
settings.load_profile("repeatable")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker whether the whole suite is asked for."""
    node.workerinput["whole_suite"] = node.config.args_source is pytest.Config.ArgsSource.TESTPATHS


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before the whole suite, each worker puts its share of the kernels into Numba's cache; else all compile all of them, at one time."""
    said = getattr(session.config, "workerinput", {})
    if not said.get("whole_suite"):
        return
    import langevin_sgd as ls
    from langevin_sgd.core.kernels import horizon_kernel, passage_kernel
    from langevin_sgd.core.linear_kernel import linear_kernel
    from langevin_sgd.core.minibatch import lane_kernel, path_kernel
    from langevin_sgd.core.splitting_kernel import splitting_kernel
    plane = ls.SDE(["-x", "-y"], ls.noise.Constant(1.0))
    compiled_in_seconds = {
        lambda: ls.quasipotential_field(plane, [0.0, 0.0], ls.Grid([(-1, 1), (-1, 1)], 16)): 12,
        lambda: splitting_kernel(1): 5, lambda: horizon_kernel(3): 5, lambda: horizon_kernel(1): 4, lambda: horizon_kernel(2): 4,
        lane_kernel: 4, lambda: splitting_kernel(2): 3, path_kernel: 3, lambda: passage_kernel(3): 2, linear_kernel: 1,
        lambda: passage_kernel(1): 1, lambda: passage_kernel(2): 1,
    }
    busy = [0] * said["workercount"]
    for compile_it, seconds in compiled_in_seconds.items():
        worker = busy.index(min(busy))
        busy[worker] += seconds
        if said["workerid"] == f"gw{worker}":
            compile_it()
