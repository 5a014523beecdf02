"""The study of variance and flatness as text: its tables, and what follows from them."""
from __future__ import annotations

import csv
import io

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.studies.inverse_flatness import BATCH, BATCHES, CURVATURES, FLOOR, Compared, InverseFlatness
from langevin_sgd.studies.report_text import aligned


def study_text(study: InverseFlatness) -> str:
    """Return the whole study as text."""
    return "\n\n".join(part for part in (header(study), exponents_text(study), potential_text(study), sampling_text(study),
                                         conclusion(study)) if part)


def header(study: InverseFlatness) -> str:
    """Return what was run."""
    return "\n".join([
        "Variance against flatness, and the potential under which Boltzmann's law holds", "",
        f"L = {FLOOR:g} + Σ h w² / 2 in {len(CURVATURES)} dimensions, h from {CURVATURES.min():.2g} to {CURVATURES.max():.2g}; SGD with "
        f"Gaussian noise of the covariance C / B, learning rate {study.learning_rate:g},",
        f"batch size {study.batch_size}, {study.n_paths} runs.  Flatness F: the width of the loss at e times its minimum along an axis of "
        "the Hessian.  σ² ∝ F^−ψ.",
        "Boltzmann's law in the loss would be ψ = −2: more variance where it is flatter.  ψ > 0 is the inverse relation."])


def exponents_text(study: InverseFlatness) -> str:
    """Return the table of exponents by kind of noise."""
    rows = [["noise", "ψ measured [95 %]", "exact", "z", "limit 2(m − 1)", "variance against L″"]]
    rows += [[case.kind.name, *_exponent(case.compared), _limit(case.compared), _relation(case.compared)] for case in study]
    heading = "== ψ by kind of noise, C ∝ H^m at the minimum; exact: at this learning rate; limits in brackets where they do not apply"
    return "\n".join([heading, *aligned(rows)])


def potential_text(study: InverseFlatness) -> str:
    """Return the table of Boltzmann's law in φ."""
    rows = [["noise", "mean of σ² φ″", "largest deviation", "control: with the D of", "largest deviation"]]
    names = [case.kind.name for case in study]
    for case, other in zip(study, [*names[1:], names[0]], strict=True):
        control = ["–", "–"] if case.control is None else [other, f"{case.boltzmann_of_control:.0f} s.e."]
        rows.append([case.kind.name, f"{case.product:.4f}", f"{np.abs(case.boltzmann).max():.1f} s.e.", *control])
    return "\n".join(["== Boltzmann's law in φ: σ² φ″ = 1 along every axis.  φ from F, minus the Hessian, and D, the covariance of the",
                      "   gradients of single samples, one at each iterate, times ε / 2, by ls.decompose; not from the variances",
                      *aligned(rows)])


def sampling_text(study: InverseFlatness) -> str:
    """Return the table of samplings."""
    if not study.samplings:
        return ""
    rows = [["C ∝ H, minibatches", "ψ measured [95 %]", "exact", "z", "limit, short epochs"]]
    rows += [[s.name, *_exponent(s.compared), _limit(s.compared)] for s in study.samplings]
    return "\n".join([f"== The same noise, drawn and seen in other ways: {BATCH * BATCHES} samples, batches of {BATCH}", *aligned(rows)])


def conclusion(study: InverseFlatness) -> str:
    """Return whether everything agrees that should, and what follows."""
    lines = ["Measured and exact agree, Boltzmann's law holds in φ, and the controls fail, as they should." if study.holds else
             "NOT everything agrees that should: see the rows with large z or deviations, and controls that do not fail."]
    if study.holds:
        lines += ["", "How the noise grows with the curvature decides.  Where it grows faster than H, iterates spread more where the loss",
                  "is sharper; they spread more where φ is flatter always: φ is not the loss, and can be flat where the loss is sharp."]
    if study.holds and study.samplings:
        lines += ["Reshuffling alone turns C ∝ H towards ψ = 2, and so does a window as short as an epoch, by the same factor along",
                  "each axis: an exponent says something about the noise only together with the sampling and the window."]
    if study.stopped:
        lines.append(f"Stopped by {study.stopped}: what is missing was not reached.")
    return "\n".join(lines)


def csv_text(study: InverseFlatness) -> str:
    """Return every number of the study, a row for each noise or sampling, and axis."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["noise", "axis", "loss_curvature", "flatness", "variance", "standard_error", "exact_variance", "potential_curvature",
                     "control"])
    rows: list[tuple[str, Compared, Array | None, Array | None]]
    rows = [(case.kind.name, case.compared, case.potential_curvature, case.control) for case in study]
    rows += [(f"C ∝ H, {s.name}", s.compared, None, None) for s in study.samplings]
    for name, compared, potential, control in rows:
        m = compared.measured
        for k in range(len(m.variance)):
            writer.writerow([name, k + 1, m.curvature[k], m.flatness[k], m.variance[k], m.variance_error[k], compared.line.variance[k],
                             *("" if c is None else c[k] for c in (potential, control))])
    return out.getvalue()


def _exponent(compared: Compared) -> list[str]:
    psi = compared.measured.exponent
    return [f"{psi.value:.3f} [{psi.low:.3f}, {psi.high:.3f}]", f"{compared.exact_exponent:.3f}", f"{compared.z:+.1f}"]


def _limit(compared: Compared) -> str:
    limit = f"{compared.line.limit:g}"
    return limit if compared.line.applies else f"({limit})"


def _relation(compared: Compared) -> str:
    slope = compared.measured.exponent.value / 2
    return f"σ² ∝ L″^{slope:.2f}"
