"""Does injected noise generalise as small batches do?  Excess risk over 40 data sets, as it comes out, on three problems.

Diagonal linear networks on sparse regression (more weights than samples), matrix sensing, and phase retrieval from few samples: small
batches, large ones, and large ones with noise that is the same in every direction, that has the covariance of the batch, or a quadratic
one about a moving average. What is checked is only what theory says: normal noise with the covariance of the batch has the second moments
of small batches, so that it should do what they do where these decide. Controls, on the side where they were found: isotropic noise of the
same variance, averaged over components and time, does not do it, nor does a quadratic one in regression, nor none at all in sensing.
Everything else is reported, isotropic noise against none too: in regression and sensing its excess risk comes out larger, but with other
data sets so little that no check is made of it, and in regression it still grows when training ends.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import PICTURES, Check, main
from scipy import stats

import langevin_sgd as ls

SEEDS = 40
LIMIT = 4.0                     # standard errors
PROBLEMS = {
    "sparse regression": (ls.generalisation.sparse_regression, {"learning_rate": 0.03, "large_batch": 15, "n_steps": 20_000}),
    "matrix sensing": (ls.generalisation.matrix_sensing, {"learning_rate": 0.01, "large_batch": 12, "n_steps": 10_000}),
    "phase retrieval": (ls.generalisation.phase_retrieval, {"learning_rate": 0.001, "large_batch": 15, "n_steps": 60_000}),
}


def checks() -> Iterator[Check]:
    """All three problems."""
    PICTURES.mkdir(exist_ok=True)
    for name, (make, settings) in PROBLEMS.items():
        found = ls.generalisation.compare(make, n_seeds=SEEDS, rng=2026, progress=False, **settings)
        print("\n".join(f"    {line}" for line in str(found).splitlines()), flush=True)
        found.plot().savefig(PICTURES / f"excess_risk_{name.replace(' ', '_')}.png", dpi=120)
        if name == "sparse regression":
            yield _against(found, "small batch", "large batch", name, sign=-1)
            yield _against(found, "large, noise of the batch", "large batch", name, sign=-1)
            yield _against(found, "large, quadratic noise", "large batch", name, sign=1, control=True)
            yield _against(found, "large, isotropic noise", "small batch", name, sign=1, control=True)
            share = np.log(found.ratio("large, noise of the batch").value) / np.log(found.ratio("small batch").value)
            print(f"    share of the gain of small batches that the noise of the batch recovers: {share:.2f}", flush=True)
        if name == "matrix sensing":
            yield _against(found, "large, noise of the batch", "small batch", name)
            yield _against(found, "large batch", "small batch", name, sign=1, control=True)
            yield _against(found, "large, isotropic noise", "small batch", name, sign=1, control=True)


def _against(found: ls.generalisation.BatchComparison, name: str, to: str, problem: str, *, sign: int = 0, control: bool = False) -> Check:
    """The mean log ratio of excess risks over data sets, against none."""
    ways = [found.excess[found.names.index(way), :, -1] for way in (name, to)]
    logs = np.log(ways[0] / ways[1])
    logs = logs[np.isfinite(logs)]
    return Check(name=f"{problem}: ln of excess risk, {name} over {to}", value=float(logs.mean()), reference=0.0,
                 error=float(stats.sem(logs)) + 1e-3 * math.isclose(float(logs.std()), 0), control=control, sign=sign,
                 bound=LIMIT)


if __name__ == "__main__":
    main(Path(__file__).stem + ": excess risk of small batches, large ones, and large ones with noise", checks)
