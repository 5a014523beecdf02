"""The exact methods against every one-dimensional reference number, in every convention, from τ = 0.1 to 1e22.

The references (tests/oracles.json) were each obtained by two or more methods that share no code with the library, and are trusted to the
digits given.  Controls: the same numbers with another convention, or with twice the noise.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from check import Check, main, relative

import langevin_sgd as ls
from tests.oracles import equation, interval, select, tolerance

TOLERANCE = 1e-9
CONVENTIONS = ("ito", "stratonovich", "klimontovich")


def _variance(*problem: Any) -> float:
    first, second = ls.exact.passage_time_moments(*problem)
    return second.value - first.value**2


PASSAGE: dict[str, Callable[..., float]] = {
    "mean_first_passage_time": lambda *problem: ls.exact.mean_passage_time(*problem).value,
    "variance_first_passage_time": _variance,
    "raw_moment_2_first_passage_time": lambda *problem: ls.exact.passage_time_moments(*problem, 2)[-1].value,
    "raw_moment_3_first_passage_time": lambda *problem: ls.exact.passage_time_moments(*problem, 3)[-1].value,
    "splitting_probability_upper": lambda *problem: ls.exact.splitting_probability(*problem).value,
    "qsd_exit_rate": lambda sde, _, domain: ls.exact.escape_rate(sde, domain).value,
    "mean_first_passage_time_conditional_upper": lambda *problem: ls.exact.mean_passage_time(*problem, exit="high").value,
}
STATIONARY: dict[str, Callable[[Any], float]] = {
    "normalisation": lambda p: p.normalisation, "stationary_variance": lambda p: p.variance, "stationary_mean": lambda p: p.mean,
    "stationary_second_moment": lambda p: p.moment(2)}


def checks() -> Iterator[Check]:
    """Passage problems, stationary laws, and the controls."""
    for quantity, method in PASSAGE.items():
        for entry in select(quantity):
            for convention in CONVENTIONS if entry["sde"]["interpretation"] == "any" else ("",):
                problem = equation(entry, convention), entry["parameters"]["x0"], interval(entry)
                yield _check(entry, convention, method(*problem))
    for quantity, of in STATIONARY.items():
        for entry in select(quantity):
            yield _check(entry, "", of(ls.exact.stationary_density(equation(entry))))
    entry = next(e for e in select("mean_first_passage_time") if e["sde"]["interpretation"] == "ito" and e["digits"] >= 10)
    sde, *rest = equation(entry), entry["parameters"]["x0"], interval(entry)
    for name, other in (("read as Klimontovich", sde.replace(interpretation="klimontovich")),
                        ("with twice the noise", sde.replace(strength=2 * sde.strength.value))):
        value = ls.exact.mean_passage_time(other, *rest).value
        yield relative(f"{entry['id']}, {name}", value, entry["value"], TOLERANCE, control=True)


def _check(entry: dict[str, Any], convention: str, value: float) -> Check:
    name = entry["id"] + (f", {convention}" if convention else "")
    if not entry["value"]:
        return Check(name=name, value=value, reference=0.0, error=1e-12, bound=1.0)
    return relative(name, value, entry["value"], tolerance(entry, TOLERANCE))


if __name__ == "__main__":
    main(Path(__file__).stem + ": the exact methods against every one-dimensional reference number", checks)
