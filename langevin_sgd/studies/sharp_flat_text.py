"""The study of sharp and flat minima as text: its table, and what follows from it."""
from __future__ import annotations

import csv
import io
import math

import numpy as np

from langevin_sgd.models.interpretation import interpretation
from langevin_sgd.studies.report_text import aligned, closed_form, number, with_interval
from langevin_sgd.studies.sharp_flat import Case, SharpFlat

BARRIERS_SHOWN = 4              # rows of the occupancy table
SAME_GROWTH = 0.05              # relative difference up to which two times grow alike with the barrier


def study_text(study: SharpFlat) -> str:
    """Return the whole study as text."""
    parts = [header(study), *(case_text(case) for case in study), occupancy_text(study), conclusion(study)]
    return "\n\n".join(part for part in parts if part)


def header(study: SharpFlat) -> str:
    """Return what was asked, and what is held equal."""
    width, label = max(map(len, study.held_equal)), interpretation(study.interpretation).label
    lines = ["Escape from a sharp and from a flat minimum", "",
             f"dw = −∇L dt + sqrt(ε C) dW, read as {label}; t = learning rate × iterations.  Full crossing: from",
             "the minimum over the saddle to where the loss is back at its height at the minimum; reaching the saddle takes half.", "",
             "Held equal:", *(f"  {name.ljust(width)}   {value}" for name, value in study.held_equal.items())]
    return "\n".join(lines)


def case_text(case: Case) -> str:
    """Return the table of one kind of noise: the barriers that were measured, and what the closed forms say."""
    reports = case.reports.values()
    names = [name for name in case.reports["sharp"].formulas if any(name in report.applying for report in reports)]
    head = ["barrier", "sharp: measured [95 %]", "exact", "z", "flat: measured [95 %]", "exact", "z", "flat/sharp", "exact",
            *(f"{name} s|f" for name in names)]
    rows = [head]
    for s, f in case.pairs:
        if s.measured is None and s.exact is not None and s.not_measured == "not asked for":
            continue
        measured, exact = case.ratio(s.level)
        cells = [f"{s.level:.3g}"]
        for e in (s, f):
            cells += [with_interval(e.measured), number(e.exact.value, e.exact.log_value) if e.exact else "–",
                      "" if math.isnan(e.z) else f"{e.z:+.1f}"]
        cells += ["–" if math.isnan(measured) else f"{measured:.3g}", "–" if math.isnan(exact) else f"{exact:.3g}"]
        rows.append(cells + [f"{closed_form(s, name)} | {closed_form(f, name)}" for name in names])
    return "\n".join([f"== {case.kind.name}:  {case.kind.formula}", *aligned(rows), *verdicts(case)])


def verdicts(case: Case) -> list[str]:
    """Return in sentences, for both wells together, what agrees and what does not."""
    lines = []
    reference = "exact" if any(e.exact for report in case.reports.values() for e in report) else "measured"
    deviations = [f"{well} {max((e.z for e in report.compared), key=abs):+.1f}" for well, report in case.reports.items() if report.compared]
    if deviations:
        agree = all(e.agrees for report in case.reports.values() for e in report.compared)
        lines.append(f"- measured and exact {'agree' if agree else 'DISAGREE'}: largest deviation {', '.join(deviations)} standard errors")
    for name in case.reports["sharp"].formulas:
        found = {well: report.verdict_on(name) for well, report in case.reports.items()}
        spans = ", ".join(f"{well} {v.span}" for well, v in found.items())
        applying = [f"{well} at {v.applies} of {v.levels} barriers" for well, v in found.items() if v.applies]
        if applying:
            worst = min((v for v in found.values() if v.applies), key=lambda v: {False: 0, None: 1, True: 2}[v.holds])
            lines.append(f"- {name} applies ({', '.join(applying)}){worst.held}; ratio to {reference}: {spans}")
        else:
            lines.append(f"- {name} does not apply: {found['sharp'].reason}; ratio to {reference}: {spans}")
    return lines


def occupancy_text(study: SharpFlat) -> str:
    """Return how often the flat minimum is occupied, by kind of noise."""
    head = ["noise", "barrier", "exact density", "ratio of exact escape times", "three-factor formula"]
    rows = [head]
    for case in study:
        if case.occupancy is None:
            continue
        o = case.occupancy
        every = max(1, len(o.levels) // BARRIERS_SHOWN)
        rows += [[case.kind.name, f"{o.levels[k]:.3g}", f"{o.exact[k]:.4f}", f"{o.from_times[k]:.4f}", f"{o.three_factor[k]:.4f}"]
                 for k in range(0, len(o.levels), every)]
    if len(rows) == 1:
        return ""
    return "\n".join(["== How often SGD is in the flat minimum, in a landscape with both wells", *aligned(rows)])


def conclusion(study: SharpFlat) -> str:
    """Return whether everything agrees that should, and what decides between sharp and flat."""
    lines = ["Measured, exact and predicted agree wherever they should." if study.holds else
             "NOT everything agrees that should: see the lines with '!', DISAGREE or NOT."]
    rows = [["noise", "flat/sharp, lowest", "highest barrier", "growth, sharp", "flat", "told apart by"]]
    for case in study:
        exact = case.comparison.exact
        if np.isnan(exact).all():
            continue
        sharp, flat = (case.growth(well) * study.temperature for well in ("sharp", "flat"))
        rows.append([case.kind.name, f"{exact[0]:.3g}", f"{exact[-1]:.3g}", f"{sharp:.3f}", f"{flat:.3f}",
                     "prefactor" if math.isclose(sharp, flat, rel_tol=SAME_GROWTH) else "exponent"])
    if len(rows) > 1:
        lines += ["", "How many times as long the flat minimum keeps (exact), and the growth d ln τ / d(barrier / T) of both times between",
                  "the highest barriers, T = ε σ_g / 2.  Equal growth: sharp and flat differ by a prefactor; else by the exponent.", "",
                  *aligned(rows)]
    if study.stopped:
        lines.append(f"Stopped by {study.stopped}: what is missing was not reached.")
    return "\n".join(lines)


def csv_text(study: SharpFlat) -> str:
    """Return every number of the study, a row for each noise, well and barrier."""
    names = list(dict.fromkeys(n for case in study for report in case.reports.values() for n in report.formulas))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["noise", "well", "barrier", "measured", "low", "high", "exits", "dt", "log_exact",
                     *(column for n in names for column in (f"log_{n}", f"{n}_applies"))])
    for case in study:
        for well, report in case.reports.items():
            for e in report:
                m = e.measured
                row = [case.kind.name, well, repr(e.level), *([m.value, m.low, m.high, m.n_events, m.dt] if m else [""] * 5),
                       e.exact.log_value if e.exact else ""]
                for n in names:
                    p = e.predictions.get(n)
                    row += [p.log_value, p.applies] if p else ["", ""]
                writer.writerow(row)
    return out.getvalue()
