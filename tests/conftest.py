"""How the suite runs: one thread of BLAS in each worker, and property tests that draw the same examples everywhere."""
import os

# Each worker has a core.  With as many BLAS threads as cores in every one of them, they wait for one another: twice as long in all.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # before NumPy is loaded

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)        # what passes here passes there
settings.load_profile("repeatable")
