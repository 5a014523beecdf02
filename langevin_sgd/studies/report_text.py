"""Reports as text: tables whose columns line up, on a terminal and in a file."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langevin_sgd.models.answers import Estimate
    from langevin_sgd.studies.escape import Escape, EscapeReport


def aligned(rows: Sequence[Sequence[str]], *, gap: str = "  ") -> list[str]:
    """Return rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [gap.join(cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in rows]


def number(value: float, log_value: float = math.nan) -> str:
    """Return a number in four digits, also where only its logarithm is finite."""
    if math.isinf(value) and math.isfinite(log_value):
        exponent = math.floor(log_value / math.log(10))
        return f"{math.exp(log_value - exponent * math.log(10)):.3f}e+{exponent}"
    return f"{value:.4g}"


def counted(count: int, what: str) -> str:
    """Return "1 level" or "2 levels"."""
    return f"{count} {what}{'s' * (count != 1)}"


def with_interval(estimate: Estimate | None) -> str:
    """Return a measured time and its interval, or a dash."""
    if estimate is None:
        return "–"
    if math.isinf(estimate.value):
        return f"> {number(estimate.low)}"
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def closed_form(escape: Escape, name: str) -> str:
    """Return a closed form's ratio to the exact time, in brackets where it does not apply, with an exclamation mark where it should hold
    and does not."""
    if name not in escape.predictions:
        return ""
    prediction, ratio = escape.predictions[name], escape.ratio(name)
    text = number(prediction.value, prediction.log_value) if math.isnan(ratio) else f"{ratio:.3f}" if 1e-2 < ratio < 1e3 else f"{ratio:.1e}"
    return (text if prediction.applies else f"({text})") + ("!" if escape.holds(name) is False else "")


def escape_table(report: EscapeReport) -> str:
    """Return an escape report as text."""
    first = report.escapes[0]
    names = report.applying
    head = [report.level_name, "measured [95 %]", "exact", "z", *names]
    rows = [[f"{e.level:.4g}", with_interval(e.measured), number(e.exact.value, e.exact.log_value) if e.exact else "–",
             "" if math.isnan(e.z) else f"{e.z:+.1f}", *(closed_form(e, name) for name in names)] for e in report]
    clock = "full crossing, start to end; reaching the saddle takes half of it" if first.passage.counts == "crossing" else \
        "reaching the saddle; the full crossing takes twice as long"
    notes = [f"Time t = learning rate × iterations; {clock}; {first.passage.sde.interpretation.label}.",
             "Closed forms: their ratio to the exact time (to the measured one without it); in brackets where they do not apply.  Those",
             "that apply nowhere are below the table only."]
    reasons = {e.not_exact for e in report if e.not_exact} | {e.not_measured for e in report if e.not_measured not in ("", "not asked for")}
    notes += [f"Not everywhere: {reason}." for reason in sorted(reasons)]
    stopped = [f"Stopped by {report.stopped}: the levels that are missing were not reached."] if report.stopped else []
    return "\n".join([report.title, *notes, "", *aligned([head, *rows]), "", *(f"- {line}" for line in report.verdicts()), *stopped])
