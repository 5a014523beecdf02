"""The study of sharp and flat minima on disk: pictures, a page, the text and the numbers."""
from __future__ import annotations

import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langevin_sgd.plots.escape import draw_comparison, draw_escapes, draw_occupancy
from langevin_sgd.studies import sharp_flat_text as text
from langevin_sgd.studies.page import page, png
from langevin_sgd.studies.sharp_flat import Case, SharpFlat

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(study: SharpFlat, folder: Path, seconds: float) -> list[Path]:
    """Write the report, and return the files: the page, the text, the numbers, and a picture for each kind of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {_file_name(case): png(_escape_figure(case)) for case in study}
    compared = {case.kind.name: case.comparison for case in study if case.pairs}
    if compared:
        axes = draw_comparison(compared, y="flat time over sharp time", title="How many times as long the flat minimum keeps")
        pictures["flat_over_sharp"] = png(cast("Figure", axes.figure))
    occupied = {case.kind.name: case.occupancy for case in study if case.occupancy is not None}
    if occupied:
        axes = draw_occupancy(occupied, title="How often SGD is in the flat minimum")
        pictures["occupancy"] = png(cast("Figure", axes.figure))
    files = {folder / "escape.html": _page(study, pictures, seconds).encode(),
             folder / "escape.txt": (text.study_text(study) + "\n").encode(),
             folder / "escape.csv": text.csv_text(study).encode(),
             **{folder / f"{name}.png": data for name, data in pictures.items()}}
    for path, data in files.items():
        path.write_bytes(data)
    return list(files)


def _escape_figure(case: Case) -> Figure:
    return draw_escapes(case.reports, title=f"{case.kind.name}: {case.kind.formula}")


def _page(study: SharpFlat, pictures: dict[str, bytes], seconds: float) -> str:
    sections: list[tuple[str, str, bytes | None]] = [("What is held equal", text.header(study), None)]
    sections += [(case.kind.name, text.case_text(case), pictures[_file_name(case)]) for case in study]
    if "occupancy" in pictures:
        sections.append(("How often SGD is in the flat minimum", text.occupancy_text(study), pictures["occupancy"]))
    verdict, _, rest = text.conclusion(study).partition("\n")
    sections.insert(1, ("What follows", rest.strip("\n"), pictures.get("flat_over_sharp")))
    footer = (f"langevin_sgd {version('langevin_sgd')}, numba {version('numba')}, numpy {version('numpy')}, Python "
              f"{platform.python_version()} on {platform.machine()}; {study.key}; {seconds:.0f} s.  Points: Monte Carlo with 95 % "
              "intervals; solid: exact; dashed: closed forms, faint where they do not apply.")
    return page("Escape from a sharp and from a flat minimum", verdict, sections, footer)


def _file_name(case: Case) -> str:
    plain = case.kind.name.replace("²", "2").replace("∝", "as").replace("σ_H", "sigma_H").replace("45°", "45")
    return "escape_" + re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
