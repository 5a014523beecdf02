"""The report on escapes of SGD as text: its table, and what follows from it."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from langevin_sgd.studies.report_text import aligned, counted, number, with_interval
from langevin_sgd.theory.sgd.stability import no_metastable_state

if TYPE_CHECKING:
    from langevin_sgd.models.answers import Estimate
    from langevin_sgd.studies.sgd_escape import SGDEscape, SGDEscapeReport

ALIKE = 0.01            # relative difference of exponents that is none
SEEN = 0.01             # relative error of a time or a ratio that is said


def sgd_escape_table(report: SGDEscapeReport) -> str:
    """Return the report as text."""
    first = report.escapes[0]
    names = [*report.approximations, *report.formulas]
    head = [report.level_name, "η h_max", "SGD measured [95 %]", "chain of batches", "z", *names]
    rows = [[f"{e.level:.4g}", f"{e.learning_rate * e.largest_curvature:.3g}", with_interval(e.measured),
             _exact(e.exact), "" if math.isnan(e.z) else f"{e.z:+.1f}",
             *(_ratio(e, name) for name in names)] for e in report]
    clock = "full crossing, start to end; reaching the saddle takes half of it" if first.passage.counts == "crossing" else \
        "reaching the saddle; the full crossing takes twice as long"
    notes = [f"Time t = learning rate × iterations; {clock}; batches drawn with replacement; equations in Itô's convention.",
             "Behind z: ratios to the time of SGD (measured, or of the chain of real batches, as is known better).  Closed forms are",
             "for the equation with the covariance of the loss, in brackets where they do not apply to it."]
    if first.loss.dim > 1 and not any("equation" in e.approximations for e in report):
        notes.append("The equation itself is not solved: its covariance is a function of the weights, which a grid asks for too often.")
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
    off = max(e.exact.relative_error for e in both if e.exact is not None)
    beyond = f", beyond the error of the chain of up to {100 * off:.2g} %" if off > SEEN else ""
    return [f"SGD and the chain of its real batches {word} (largest deviation {worst.z:+.1f} standard errors over "
            f"{counted(len(both), 'level')}{beyond})"]


def _approximation(report: SGDEscapeReport, name: str) -> str:
    rows = [e for e in report if name in e.approximations and e.leaves]
    if not rows:
        return f"{name}: there is no time of SGD to hold it against"
    held = [e.holds(name) for e in rows]
    exits = [e.approximations[name].n_events for e in rows]
    counted = f" ({min(n for n in exits if n is not None)} exits)" if None not in exits else ""
    word = "does NOT describe SGD here" if False in held else "holds within a tenth" if all(held) else \
        f"is not known well enough{counted} to be held against SGD"
    return f"{name} {word}; ratio {_span([e.ratio(name) for e in rows])}"


def _exponents(report: SGDEscapeReport) -> list[str]:
    found = [e for e in report if e.exponents is not None]
    if not found:
        return []
    never = [e for e in found if e.exponents is not None and math.isinf(e.exponents.sgd)]
    if never:
        across, count = sum(e.leaves for e in never), f"{len(never)} of {len(found)} levels"
        return ["somewhere on the way no batch points ahead, " + (
            f"and SGD in steps shorter than that place never escapes ({count})" if not across else
            f"which stops small steps ({count}), but not steps of this size ({across})")]
    both = [e.exponents for e in found if e.exponents is not None]
    told = "; ".join(f"{b.sgd:.3g} and {'none' if math.isnan(b.equation) else f'{b.equation:.3g}'}" for b in both)
    alike = [abs(b.log_ratio) <= ALIKE * b.equation for b in both if not math.isnan(b.equation)]
    meaning = "they are alike, as where batches are large" if alike and all(alike) else \
        "no diffusion has the right one at a fixed batch size" if alike else "no path of the equation was found"
    far = sum(e.steps_are_long for e in found)
    limit = f"; they are those of small steps, which steps with η h_max ≥ 2 are not ({far} of {len(found)} levels)" if far else ""
    return [f"exponents of SGD (Cramér root) and of the equation: {told}: {meaning}{limit}"]


def _formula(report: SGDEscapeReport, name: str) -> str:
    rows = [e for e in report if name in e.predictions]
    claims = [e for e in rows if e.predictions[name].applies]
    ratios = [e.ratio(name) for e in claims or rows if not math.isnan(e.ratio(name))]
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
    if name in escape.approximations and not escape.approximations[name].is_exact and not math.isnan(ratio):
        low, high = escape.ratio_interval(name)
        text = f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
    return text if name in escape.approximations or escape.predictions[name].applies else f"({text})"


def _exact(estimate: Estimate | None) -> str:
    """An exact time, with its error where that is seen."""
    if estimate is None:
        return "–"
    off = f" ± {100 * estimate.relative_error:.2g} %" if estimate.relative_error > SEEN else ""
    return number(estimate.value, estimate.log_value) + off


def _span(ratios: list[float]) -> str:
    low, high = f"{min(ratios):.3g}", f"{max(ratios):.3g}"
    return low if low == high else f"{low} to {high}"
