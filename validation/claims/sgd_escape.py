"""Escape of real SGD from the mirrored parabola of theory 4.6, next to all that stands in its place, over barriers and learning rates.

Simulation and the exact chain of real batches agree, and agree with the table. The equation with the true covariance, with its quadratic
about the minimum and with its value there, the closed forms (published, general, Laplace, mirrored) and the exponents are reported as they
come out, with local slopes of ln τ against ln ΔL, and with η h_max scanned through 2. As η falls, the slope of ln τ against 1/η tends to
W, the Cramér exponent, and not to that of the equation.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from check import PICTURES, Check, main, relative

import langevin_sgd as ls
from langevin_sgd.studies.sgd_escape import Case, sgd_escapes

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=500), RNG.normal(size=500)
# η, B, ΔL; τ in t of real SGD (± 5 %), of the Itô equation with the true, the centred and a constant C, and as published
TABLE = ((0.05, 1, 0.3, 135.0, 93.44, 61.78, 156.0, 59.17), (0.05, 1, 0.4, 437.0, 246.3, 131.6, 587.5, 115.7),
         (0.05, 1, 0.5, 1632.0, 600.5, 256.2, 2198.0, 209.9), (0.1, 2, 0.5, 1452.0, 600.5, 256.2, 2198.0, 209.9),
         (0.2, 4, 0.5, 949.0, 600.5, 256.2, 2198.0, 209.9), (0.1, 4, 0.25, 1548.0, 1043.0, 518.3, 2198.0, 518.7))
EXPONENTS = {0.3: (3.373, 3.896), 0.4: (4.313, 5.205), 0.5: (5.184, 6.524), 0.6: (5.995, 7.854)}     # of the equation, Cramér's
BARRIERS = (0.2, 0.3, 0.4, 0.5, 0.6)
RATES = (0.05, 0.08, 0.1, 0.15, 0.2, 0.4)


def checks() -> Iterator[Check]:
    """The table, barriers, learning rates, and small steps."""
    PICTURES.mkdir(exist_ok=True)
    yield from _table()
    yield from _barriers()
    yield from _learning_rates()
    yield from _small_steps()


def _case(eta: float, size: int, barrier: float) -> Case:
    loss = ls.losses.mirrored_parabola(X, Y, barrier)
    m = float(loss.p[1])
    return Case(loss, eta, size, 0.0, 2 * m, 2.6 * m)


def _table() -> Iterator[Check]:
    for eta, size, barrier, real, equation, quadratic, constant, published in TABLE:
        (row,) = sgd_escapes([_case(eta, size, barrier)], [barrier], "barrier", key=ls.Key(77), n_paths=40_000, max_gradients=4e10,
                             progress=False)
        assert row.measured is not None and row.exact is not None
        what = f"η = {eta}, B = {size}, ΔL = {barrier}"
        error = (row.measured.high - row.measured.low) / 3.92
        exact_error = (row.exact.high - row.exact.low) / 6
        yield Check(name=f"{what}: simulation against the chain of real batches", value=row.measured.value, reference=row.exact.value,
                    error=float(np.hypot(error, exact_error)))
        yield Check(name="the same against the table (± 5 %)", value=row.measured.value, reference=real,
                    error=float(np.hypot(error, 0.05 * real)))
        yield Check(name="the same against the Itô equation with the same covariance", value=row.measured.value,
                    reference=row.approximations["equation"].value, error=error, control=True)
        for name, value in (("equation", equation), ("quadratic C", quadratic), ("constant C", constant)):
            yield relative(f"{name}, against the table", row.approximations[name].value, value, 5e-4)
        yield relative("published form, against the table", row.predictions["power_law_published"].value, published, 5e-4)


def _barriers() -> Iterator[Check]:
    report = sgd_escapes([_case(0.05, 1, barrier) for barrier in BARRIERS], BARRIERS, "barrier", key=ls.Key(5), n_paths=4000,
                         progress=False)
    _show(report)
    report.plot().savefig(PICTURES / "sgd_escape_barriers.png", dpi=120)
    print(f"    local slopes of ln τ against ln ΔL: SGD {_numbers(report.slopes())}", flush=True)
    for name in (*report.approximations, *report.formulas):
        print(f"      {name:22s}{_numbers(report.slopes(name))}", flush=True)
    for row in report:
        if row.level in EXPONENTS and row.exponents is not None:
            for name, value, reference in zip(("of the equation", "Cramér root"), (row.exponents.equation, row.exponents.sgd),
                                              EXPONENTS[row.level], strict=True):
                yield Check(name=f"exponent, ΔL = {row.level}: {name}", value=value, reference=reference, error=5e-4, bound=1.2)
    rises = np.diff(report.slopes()).min()
    yield Check(name="slopes rise with the barrier (least rise over 0.1): no power of the barrier", value=float(rises > 0.1), reference=1.0,
                error=0.1)
    last = np.diff(np.log([row.exact.value for row in report if row.exact is not None]))[-1]
    cramer = np.diff([row.exponents.sgd for row in report if row.exponents is not None])[-1]
    equation = np.diff([row.exponents.equation for row in report if row.exponents is not None])[-1]
    yield Check(name="rise of ln τ from ΔL = 0.5 to 0.6, against that of the Cramér exponent", value=float(last), reference=float(cramer),
                error=0.02)
    yield Check(name="the same against that of the equation's", value=float(last), reference=float(equation), error=0.02, control=True)


def _learning_rates() -> Iterator[Check]:
    case = _case(0.05, 1, 0.5)
    report = ls.escape(case.loss, case.start, case.saddle, case.end, noise_levels=RATES, batch_size=1, n_paths=4000, rng=6, progress=False)
    _show(report)
    report.plot().savefig(PICTURES / "sgd_escape_learning_rates.png", dpi=120)
    for row in report:
        assert row.measured is not None and row.exact is not None
        yield Check(name=f"η h_max = {row.learning_rate * row.largest_curvature:.3g}: simulation against the chain", value=row.z,
                    reference=0.0, error=1.0)
    lost = [row for row in report if not row.stability.metastable]
    yield Check(name="closed forms that apply without a metastable state (η = 0.4)", value=float(
        sum(p.applies for row in lost for p in row.predictions.values()) + (len(lost) != 1)), reference=0.0, error=0.1)


def _small_steps() -> Iterator[Check]:
    case = _case(0.05, 1, 0.3)
    domain, rates = ls.Interval(high=case.end), (0.06, 0.05, 0.04, 0.033)
    logs = [np.log(ls.Chain(case.loss, eta, 1).mean_passage_time(0.0, domain).value) for eta in rates]
    slopes = np.diff(logs) / np.diff(1 / np.array(rates))
    w = ls.theory.cramer_exponent(minimum=0.0, saddle=case.saddle, gradients=case.loss).value
    equation = 0.05 * EXPONENTS[0.3][0]
    print(f"    slopes of ln τ against 1/η, from η = {rates[0]} to {rates[-1]}: {_numbers(slopes)}; W = {w:.4f}, of the equation "
          f"{equation:.4f}", flush=True)
    # τ in t has a prefactor that does not depend on η in the limit; 1.5 % are for what it still does here
    yield relative("the last of them, against W", float(slopes[-1]), w, 0.015)
    yield relative("the same against the equation's", float(slopes[-1]), equation, 0.015, control=True)


def _show(report: ls.SGDEscapeReport) -> None:
    print("\n".join(f"    {line}" for line in str(report).splitlines()), flush=True)


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{v:.3f}" for v in values)


if __name__ == "__main__":
    main(Path(__file__).stem + ": escape of SGD itself, and what stands in its place", checks)
