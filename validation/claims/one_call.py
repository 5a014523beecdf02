"""The mean passage time of the quartic double well by every method that can reach it, from τ = 2.5 to 6e11, in one table.

`ls.mean_passage_time` takes quadrature, the generator on a grid, direct simulation and adaptive multilevel splitting; the reference numbers
were obtained without the library (numerics, b).  Simulation is asked for where a path of it ends within a second.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from check import Check, main, relative, save

import langevin_sgd as ls
from langevin_sgd.models.answers import Estimate
from langevin_sgd.plots import draw_methods
from tests.oracles import BY_ID

TEMPERATURES = (0.5, 0.25, 0.1, 0.05, 0.025, 0.0125, 0.01, 0.0095)
BARRIER = 0.25
DOMAIN = ls.Interval(high=0.0)
STATISTICAL = {"simulation": 0.025, "splitting": 0.05}      # methods with the relative error that is asked for
SIMULATED = 0.04            # temperatures from which a path ends soon enough
DEEP = 0.2                  # temperatures below which an escape is an event that splitting serves


def checks() -> Iterator[Check]:
    """Ask each method at each temperature."""
    rows: dict[str, list[Estimate | None]] = {name: [] for name in ("generator", *STATISTICAL)}
    exact = []
    for k, temperature in enumerate(TEMPERATURES):
        sde = ls.langevin(ls.Landscape("x**4/4 - x**2/2"), temperature)
        tau = BY_ID[f"quartic-D{temperature:g}-to-0"]["value"]
        exact.append(ls.mean_passage_time(sde, -1.0, DOMAIN))
        yield relative(f"T = {temperature:g}, quadrature (chosen by itself)", exact[-1].value, tau, 1e-9)
        for name, found in rows.items():
            if (name == "simulation" and temperature < SIMULATED) or (name == "splitting" and temperature > DEEP):
                found.append(None)
                continue
            estimate = ls.mean_passage_time(sde, -1.0, DOMAIN, name, STATISTICAL.get(name, 1e-4), rng=10 * k + len(name))
            found.append(estimate)
            yield _check(f"T = {temperature:g}, {name}", estimate, tau)
    wrong = BY_ID["quartic-D0.05-to-1"]["value"]
    yield _check("T = 0.05, splitting, against the time to the other well", rows["splitting"][3], wrong, control=True)
    figure = draw_methods([BARRIER / t for t in TEMPERATURES], rows, exact, title="Quartic double well, from −1 to the saddle")
    save(figure, Path(__file__).stem)


def _check(name: str, found: Estimate | None, tau: float, *, control: bool = False) -> Check:
    """The estimate within its stated errors: its bound if it is deterministic, four standard errors and the error of the step if not."""
    assert found is not None
    half = (found.high - found.low) / 2
    if found.is_exact:
        return Check(name=name, value=found.value, reference=tau, error=half, bound=1.0, control=control)
    return Check(name=name, value=found.value, reference=tau, error=half / 1.96 + found.systematic_error / 4, control=control)


if __name__ == "__main__":
    main(Path(__file__).stem + ": one call for the mean passage time, by every method that can reach it", checks)
