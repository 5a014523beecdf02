"""The generator on 60 × 60 × 60 cells: answers that hold their interval, and say how many digits of them are certain.

Two wells along x with a parabola along each of the other axes; then noise that is a full matrix of all components, which nothing
separates but x, an equation by itself with an exact time.  A half-minute and 2.7 GB each.  Controls: 1 per cent more noise, digits of a
time with a millionth of noise in it.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import Check, main

import langevin_sgd as ls
from langevin_sgd.theory.grids.certificate import certain_digits
from langevin_sgd.theory.grids.eliminated import planned

CELLS = 60
AT_ZERO = ls.HalfSpace([1.0, 0.0, 0.0], 0.0)
START = [-1.0, 0.0, 0.0]
MIXED = [["1 + x**2", "0.3*(1 + y)", "0"], ["0.3*(1 + y)", "1 + y**2/2", "0.2*x"], ["0", "0.2*x", "1"]]
WELLS = ls.Landscape("(x**2 - 1)**2/4 + y**2/2 + z**2")
PROBLEMS = {
    "separable": (ls.langevin(WELLS, 0.02), [(-1.8, 0), (-0.95, 0.95), (-0.7, 0.7)],
                  lambda louder: ls.langevin(ls.landscapes.double_well(), 0.02 * louder)),
    "mixed noise": (ls.SDE(["x - x**3", "-y + z/2", "-2*z - y/2"], ls.noise.Expression(MIXED), 0.25),
                    [(-2.6, 0), (-1.9, 1.9), (-1.4, 1.4)],
                    lambda louder: ls.SDE("x - x**3", ls.noise.Expression("1 + x**2"), 0.25 * louder)),
}


def checks() -> Iterator[Check]:
    """Both problems on the whole grid; then what certainty is worth, on a smaller one."""
    for name, (sde, box, alone) in PROBLEMS.items():
        mean = ls.FokkerPlanck(sde, ls.Grid(box, CELLS)).mean_passage_time(AT_ZERO)
        tau = mean.at(START)
        for louder in (1.0, 1.01):
            exact = ls.exact.mean_passage_time(alone(louder), -1.0, ls.Interval(high=0.0)).value
            yield Check(name=f"{name}: mean time against quadrature, in its own error" + (", 1 per cent louder" if louder > 1 else ""),
                        value=tau.value, reference=exact, error=tau.high - tau.value, bound=1.0, control=louder > 1)
        yield Check(name=f"{name}: relative error it promises", value=tau.high / tau.value - 1, reference=0.0, error=5e-3, bound=1.0)
        yield Check(name=f"{name}: digits that are certain", value=mean.digits, reference=15.0, error=1.5, bound=1.0)
    yield from _certainty()


def _certainty() -> Iterator[Check]:
    """A time with a millionth of noise in it has six digits, and is told so."""
    sde, box, _ = PROBLEMS["separable"]
    jumps = ls.FokkerPlanck(sde, ls.Grid(box, 32)).generator.jumps([lambda x: -x[..., 0]])
    run = planned(jumps, 6e9).eliminate(jumps.kill.sum(axis=0))
    one = np.ones(len(jumps.cells))
    spoilt = run.solve(one) * (1 + 1e-6 * np.random.default_rng(1).uniform(-1, 1, len(one)))
    digits = certain_digits(run, spoilt, one)
    yield Check(name="32 × 32 × 32: digits with a millionth of noise", value=digits, reference=6.0, error=0.2, bound=1.0)
    yield Check(name="    against what there was without", value=digits, reference=15.0, error=1.5, bound=1.0, control=True)


if __name__ == "__main__":
    main(Path(__file__).stem + ": 60 × 60 × 60 cells, with digits that are certain", checks)
