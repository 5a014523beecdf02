"""What theory says of a passage: its exact time, or why there is none, and the closed forms, counted as the passage counts."""
from __future__ import annotations

import dataclasses
import math

from langevin_sgd.models.answers import Estimate, Prediction
from langevin_sgd.studies.passage import Passage
from langevin_sgd.theory.exact import QuadratureError, mean_passage_time
from langevin_sgd.theory.grids.automatic_grid import mean_passage_time_on_grid
from langevin_sgd.theory.predictions.predict import predict

ON_GRID = 5e-3                  # relative error of exact times in two and three dimensions: far below that of a measurement


def exact_time(passage: Passage) -> tuple[Estimate | None, str]:
    """Return the exact time, or why there is none."""
    line = passage.along_axis()
    try:
        if line is None:
            return mean_passage_time_on_grid(passage.sde, passage.start, passage.domain(), through=(passage.saddle, passage.end),
                                             relative_error=ON_GRID), ""
        return mean_passage_time(line.sde, float(line.start[0]), line.domain()), ""
    except QuadratureError as error:                # what it reached is worth more than nothing, and its interval says how much
        return error.estimate, str(error)
    except ValueError as error:
        return None, f"no exact value: {error}"


def closed_forms(passage: Passage) -> dict[str, Prediction]:
    """Return the closed forms, halved where the clock stops at the saddle; none where they are beyond all numbers."""
    points = [x if passage.sde.dim > 1 else float(x[0]) for x in (passage.start, passage.saddle)]
    try:
        found = predict(passage.sde, *points) if not passage.sde.depends_on_time else {}
    except ArithmeticError:
        return {}
    if passage.counts == "crossing":
        return found
    return {name: dataclasses.replace(p, log_value=p.log_value - math.log(2), because=p.because + "; halved, for reaching the saddle")
            for name, p in found.items()}
