"""The report on escapes of SGD as text: its table, and what follows from it."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from langevin_sgd.studies.report_text import aligned, number, with_interval
from langevin_sgd.theory.sgd.stability import no_metastable_state

if TYPE_CHECKING:
    from langevin_sgd.studies.sgd_escape import SGDEscape, SGDEscapeReport

ALIKE = 0.01            # relative difference of exponents that is none
NEAR = 0.1              # an approximation is said to hold where it is this near to the time of SGD at every level


def sgd_escape_table(report: SGDEscapeReport) -> str:
    """Return the report as text."""
    first = report.escapes[0]
    names = [*report.approximations, *report.formulas]
    head = [report.level_name, "η h_max", "SGD measured [95 %]", "chain of batches", "z", *names]
    rows = [[f"{e.level:.4g}", f"{e.learning_rate * e.largest_curvature:.3g}", with_interval(e.measured),
             number(e.exact.value, e.exact.log_value) if e.exact else "–", "" if math.isnan(e.z) else f"{e.z:+.1f}",
             *(_ratio(e, name) for name in names)] for e in report]
    clock = "full crossing, start to end; reaching the saddle takes half of it" if first.passage.counts == "crossing" else \
        "reaching the saddle; the full crossing takes twice as long"
    notes = [f"Time t = learning rate × iterations; {clock}; batches drawn with replacement; equations in Itô's convention.",
             "Behind z: ratios to the time of SGD (of the chain of real batches, else measured).  Closed forms are for the equation with",
             "the covariance of the loss, in brackets where they do not apply to it."]
    reasons = {e.not_exact for e in report if e.not_exact} | {e.not_measured for e in report if e.not_measured}
    notes += [f"Not everywhere: {reason}." for reason in sorted(reasons)]
    stopped = [f"Stopped by {report.stopped}: the levels that are missing were not reached."] if report.stopped else []
    return "\n".join([report.title, *notes, "", *aligned([head, *rows]), "", *(f"- {line}" for line in report.verdicts()), *stopped])


def verdicts(report: SGDEscapeReport) -> list[str]:
    """Return in sentences what agrees and what does not."""
    return [*_stability(report), *_agreement(report), *(_approximation(report, name) for name in report.approximations),
            *_exponents(report), *(_formula(report, name) for name in report.formulas)]


def _stability(report: SGDEscapeReport) -> list[str]:
    lost = [e for e in report if not e.stability.metastable]
    return [f"at {report.level_name} {e.level:.4g} {no_metastable_state(e.stability)}" for e in lost]


def _agreement(report: SGDEscapeReport) -> list[str]:
    both = [e for e in report if e.agrees is not None]
    if not both:
        return []
    worst = max(both, key=lambda e: abs(e.z))
    word = "agree" if all(e.agrees for e in both) else "DISAGREE"
    return [f"SGD and the chain of its real batches {word} (largest deviation {worst.z:+.1f} standard errors of {len(both)})"]


def _approximation(report: SGDEscapeReport, name: str) -> str:
    ratios = [e.ratio(name) for e in report if name in e.approximations and not math.isnan(e.ratio(name))]
    if not ratios:
        return f"{name}: there is no time of SGD to hold it against"
    held = "holds within a tenth" if all(abs(r - 1) <= NEAR for r in ratios) else "does NOT describe SGD here"
    return f"{name} {held}; ratio {_span(ratios)}"


def _exponents(report: SGDEscapeReport) -> list[str]:
    found = [e for e in report if e.exponents is not None]
    if not found:
        return []
    never = [e for e in found if e.exponents is not None and math.isinf(e.exponents.sgd)]
    if never:
        return [f"somewhere on the way no batch points ahead, so that SGD never escapes ({len(never)} of {len(found)} levels)"]
    both = [e.exponents for e in found if e.exponents is not None]
    told = "; ".join(f"{b.sgd:.3g} and {'none' if math.isnan(b.equation) else f'{b.equation:.3g}'}" for b in both)
    alike = all(abs(b.log_ratio) <= ALIKE * b.equation for b in both)
    meaning = "they are alike, as where batches are large" if alike else "no diffusion has the right one at a fixed batch size"
    far = sum(e.steps_are_long for e in found)
    limit = f"; they are those of small steps, which steps with η h_max ≥ 2 are not ({far} of {len(found)} levels)" if far else ""
    return [f"exponents of SGD (Cramér root) and of the equation: {told}: {meaning}{limit}"]


def _formula(report: SGDEscapeReport, name: str) -> str:
    rows = [e for e in report if name in e.predictions]
    claims = [e for e in rows if e.predictions[name].applies]
    ratios = [e.ratio(name) for e in rows if not math.isnan(e.ratio(name))]
    span = _span(ratios) if ratios else "unknown"
    if not claims:
        return f"{name} does not apply to the equation ({rows[-1].predictions[name].because.split(';')[0]}); ratio to SGD {span}"
    where = "" if len(claims) == len(rows) else f" at {len(claims)} of {len(rows)} levels"
    return f"{name} applies to the equation{where}; ratio to SGD {span}"


def _ratio(escape: SGDEscape, name: str) -> str:
    """The ratio of an approximation or a closed form to the time of SGD, in brackets where the form does not apply."""
    if name not in escape.approximations and name not in escape.predictions:
        return ""
    ratio = escape.ratio(name)
    found = escape.approximations.get(name) or escape.predictions[name]
    text = number(found.value, found.log_value) if math.isnan(ratio) else f"{ratio:.3f}" if 1e-2 < ratio < 1e3 else f"{ratio:.1e}"
    return text if name in escape.approximations or escape.predictions[name].applies else f"({text})"


def _span(ratios: list[float]) -> str:
    low, high = f"{min(ratios):.3g}", f"{max(ratios):.3g}"
    return low if low == high else f"{low} to {high}"
