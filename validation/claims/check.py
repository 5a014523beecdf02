"""What a claim's script returns: checks, each with the number measured, the number it should be, and whether they agree."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).with_name("pictures")
sys.path.insert(0, str(Path(__file__).parents[2]))          # the reference numbers are those of the tests


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison.

    Attributes
    ----------
    name
        What is compared, in a few words.
    value, reference
        The number and what it should be.
    error
        A standard error for a measured number, a tolerance (one standard error's worth) for a computed one.
    bound
        How many of these the two may be apart.
    control
        A negative control: it must *not* agree.
    sign
        1 or -1: it must be so many errors above, or below, the reference, as a claim or a control with a direction is; 0: neither.
    """

    name: str
    value: float
    reference: float
    error: float
    bound: float = 4.0
    control: bool = False
    sign: int = 0

    @property
    def z(self) -> float:
        """The deviation, in errors."""
        return (self.value - self.reference) / self.error

    @property
    def ok(self) -> bool:
        """Whether the check passes: it agrees, it is on the side where it must be, or it is a control and does not agree."""
        if self.sign:
            return self.sign * self.z > self.bound
        return (abs(self.z) > self.bound) if self.control else abs(self.z) <= self.bound

    def __str__(self) -> str:
        verdict = ("ok: fails as it must" if self.control else "ok") if self.ok else "FAILS"
        kind = ", ".join([*(["control"] if self.control else []), *([("below", "above")[self.sign > 0]] if self.sign else [])])
        return f"  {self.name + (f' ({kind})' if kind else ''):72s}{self.value:14.6g} {self.reference:14.6g}  {self.z:+9.1f}  {verdict}"


def relative(name: str, value: float, reference: float, tolerance: float, **more: Any) -> Check:
    """Return the check that a computed number is within a relative tolerance of another."""
    return Check(name=name, value=value, reference=reference, error=tolerance * abs(reference), bound=1.0, **more)


def measured(name: str, estimate: Any, reference: float, **more: Any) -> Check:
    """Return the check of a measured `Estimate` (95 % interval) against a number, at four standard errors."""
    return Check(name=name, value=estimate.value, reference=reference, error=(estimate.high - estimate.low) / (2 * 1.96), **more)


def report(claim: str, checks: Callable[[], Sequence[Check]]) -> int:
    """Print a claim and its checks, and return 0 if all pass, else 1."""
    start = time.perf_counter()
    print(f"{claim}\n  {'':72s}{'value':>14s} {'reference':>14s}  {'z':>9s}", flush=True)
    found = []
    for check in checks():
        print(check, flush=True)
        found.append(check)
    failed = [c for c in found if not c.ok]
    print(f"  {len(found) - len(failed)} of {len(found)} checks pass, {time.perf_counter() - start:.0f} s\n", flush=True)
    return 1 if failed else 0


def save(figure: Any, name: str) -> None:
    """Write a picture of a claim beside the scripts."""
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / f"{name}.png", dpi=130)


def main(claim: str, checks: Callable[[], Sequence[Check]]) -> None:
    """Run a claim as a script."""
    sys.exit(report(claim, checks))
