"""The study of variance and flatness on disk: pictures, a page, the text and the numbers."""
from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langevin_sgd.plots.flatness import draw_two_curvatures, draw_variance_flatness
from langevin_sgd.studies import inverse_flatness_text as text
from langevin_sgd.studies.inverse_flatness import InverseFlatness
from langevin_sgd.studies.page import page, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(study: InverseFlatness, folder: Path, seconds: float) -> list[Path]:
    """Write the report, and return the files: the page, the text, the numbers, and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {name: png(figure) for name, figure in figures(study).items()}
    files = {folder / "flatness.html": _page(study, pictures, seconds).encode(),
             folder / "flatness.txt": (text.study_text(study) + "\n").encode(),
             folder / "flatness.csv": text.csv_text(study).encode(),
             **{folder / f"{name}.png": data for name, data in pictures.items()}}
    for path, data in files.items():
        path.write_bytes(data)
    return list(files)


def figures(study: InverseFlatness) -> dict[str, Figure]:
    """Return the pictures by name."""
    found = {"two_curvatures": draw_two_curvatures({case.kind.name: case for case in study}, title="Variance against two curvatures")}
    parts = {"variance_flatness": {case.kind.name: case.compared for case in study},
             "sampling": {s.name: s.compared for s in study.samplings}}
    titles = {"variance_flatness": "Variance against flatness, by noise", "sampling": "C ∝ H, drawn and seen in three ways"}
    for name, compared in parts.items():
        if compared:
            axes = draw_variance_flatness({label: c.measured for label, c in compared.items()}, title=titles[name],
                                          exact={label: c.line.variance for label, c in compared.items()},
                                          limits={label: c.line.limit for label, c in compared.items()})
            found[name] = cast("Figure", axes.figure)
    return found


def _page(study: InverseFlatness, pictures: dict[str, bytes], seconds: float) -> str:
    verdict, _, rest = text.conclusion(study).partition("\n")
    sections = [("What is run", text.header(study), None), ("What follows", rest.strip("\n"), pictures["two_curvatures"]),
                ("Boltzmann's law in φ", text.potential_text(study), None),
                ("The exponent by kind of noise", text.exponents_text(study), pictures["variance_flatness"])]
    if study.samplings:
        sections.append(("What the sampling does", text.sampling_text(study), pictures["sampling"]))
    footer = (f"langevin_sgd {version('langevin_sgd')}, numba {version('numba')}, numpy {version('numpy')}, Python "
              f"{platform.python_version()} on {platform.machine()}; {study.key}; {seconds:.0f} s.  Points: Monte Carlo with 95 % "
              "intervals; dotted: fits; solid: exact; dashed: the exponents of the limits.")
    return page("Variance against flatness", verdict, sections, footer)
