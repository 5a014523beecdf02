"""The reference numbers of oracles.json, as test cases.

Each was obtained by at least two methods that share no code with the library; `digits` says how many digits are trusted.  The
expressions in the file are NumPy's (np.where, np.sign): `texts` writes them in the library's language.
"""
from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import langevin_sgd as ls

ORACLES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("oracles.json").read_text())
BY_ID = {entry["id"]: entry for entry in ORACLES}


def select(quantity: str, *, dim: int = 1, prefix: str = "") -> list[dict[str, Any]]:
    """Return the entries for an SDE of this dimension (no discrete chains, no Levy noise) with this quantity."""
    return [e for e in ORACLES if e["quantity"] == quantity and e["id"].startswith(prefix) and e["sde"] is not None
            and e["sde"]["dim"] == dim and e["sde"]["interpretation"] in ("any", "ito", "stratonovich", "klimontovich")]


def texts(expression: str) -> str:
    """Return a NumPy expression in the library's language."""
    return expression.replace("np.", "")


def equation(entry: dict[str, Any], interpretation: str | None = None) -> ls.SDE:
    """Return the SDE of an entry; additive noise ("any") may be read in any interpretation."""
    sde = entry["sde"]
    said = sde["interpretation"] if sde["interpretation"] != "any" else interpretation or "ito"
    return ls.SDE(texts(sde["drift"]), ls.noise.Expression(texts(sde["C"])), sde["eps"], said)


def interval(entry: dict[str, Any]) -> ls.Interval:
    """Return the domain of a one-dimensional first-passage entry."""
    ends = {}
    for name, side in (("low", "lower"), ("high", "upper")):
        end = entry["parameters"][side]
        ends[name] = end["at"] if end["at"] is not None else (-math.inf if name == "low" else math.inf)
        if end["type"] == "natural":
            ends[name] = -math.inf if name == "low" else math.inf
        if end["type"] == "reflect":
            ends["reflect"] = name
    return ls.Interval(**ends)


def tolerance(entry: dict[str, Any], at_best: float) -> float:
    """Return the relative tolerance for an entry: `at_best`, or one unit of the last trusted digit."""
    value = abs(entry["value"])
    last = 10.0 ** (math.floor(math.log10(value)) + 1 - entry["digits"]) if value else 0.0
    return max(at_best, last / value) if value else at_best


def ids(entries: Iterable[dict[str, Any]]) -> list[str]:
    """Return the names of test cases."""
    return [e["id"] for e in entries]
