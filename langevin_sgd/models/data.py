"""Data for sampled losses: checked arrays, tables from files, and generated samples."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.arguments import Array, in_short, not_negative, numbers, one_of, whole
from langevin_sgd.models.key import generator

LABELS = ("linear", "sign", "square")


def inputs_and_targets(inputs: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    """Return inputs (N, d) and targets (N,), checked against one another; inputs (N,) are one number each."""
    x, y = numbers("inputs", inputs), numbers("targets", targets)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or not x.size:
        raise ValueError(f"`inputs` has shape {x.shape}, but must be (N, d), a sample in each row, or (N,).")
    if y.shape != (len(x),):
        raise ValueError(f"`targets` has shape {y.shape}, but `inputs` has {len(x)} samples, so that ({len(x)},) is expected.")
    if not x.any():
        raise ValueError("`inputs` are all zero, so that the weights have no effect.")
    return x, y


def load(source: Any, inputs: Sequence[str] | str | None = None, target: str | None = None) -> tuple[Array, Array]:
    """Return inputs (N, d) and targets (N,) from a file or a labelled dataset.

    Parameters
    ----------
    source
        The path of a .csv file with names in its first row, of an .npz file with arrays, or of an .npy file with a table; or an xarray
        Dataset.
    inputs
        Names of the columns, arrays or variables that are inputs, one number each, or of one that holds all (N, d).  None: all but the
        target.  An .npy table has no names: all columns but the last.
    target
        The name of the targets; the last column or array if None.

    Raises
    ------
    ValueError
        If the file does not hold what is asked for, or holds something that is not a finite number; the message says where.

    Examples
    --------
    >>> import langevin_sgd as ls, xarray
    >>> table = xarray.Dataset({"x": ("sample", [1.0, 2.0, 0.5]), "y": ("sample", [0.7, 1.0, 1.2])})
    >>> ls.losses.linear_regression(*ls.losses.load(table, target="y")).hessian(0.0)
    1.75
    """
    columns = _columns(source)
    names = list(columns)
    if not names:
        raise ValueError("`source` holds nothing, but must have inputs and a target.")
    goal = names[-1] if target is None else _known("target", target, names)
    chosen = _chosen(inputs, goal, names)
    *parts, y = _samples([*chosen, goal], columns)
    return inputs_and_targets(np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1), y)


def generate(n_samples: int, weights: ArrayLike, spectrum: ArrayLike = 1.0, label_noise: float = 0.0, labels: str = "linear",
             rng: Any = None) -> tuple[Array, Array]:
    """Return normal inputs (N, d) and the targets (N,) that known weights give them.

    Parameters
    ----------
    n_samples
        N.
    weights
        The planted weights (d,).
    spectrum
        Variances of the components of the inputs: a number or (d,).
    label_noise
        The variance of normal noise that is added to x·w.
    labels
        "linear": x·w + noise; "sign": the sign of that; "square": (x·w)² + noise.
    rng
        None, an int, a `numpy.random.Generator`, or the `key` of an earlier result: the same one, the same data.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> x, y = ls.losses.generate(1000, weights=[1.0, -0.5], spectrum=[1.0, 0.1], label_noise=0.2, rng=1)
    >>> x.shape, y.shape
    ((1000, 2), (1000,))
    """
    planted, variances = np.atleast_1d(numbers("weights", weights)), numbers("spectrum", spectrum)
    n, noise = whole("n_samples", n_samples), np.sqrt(not_negative("label_noise", label_noise))
    one_of("labels", labels, LABELS)
    if planted.ndim != 1 or not planted.size or variances.shape not in ((), planted.shape) or (variances < 0).any():
        raise ValueError(f"`weights` has shape {planted.shape} and `spectrum` {variances.shape}, but they must be (d,) with d ≥ 1, and "
                         "the variances one number or (d,), not negative.")
    rng = generator(rng)
    x = rng.normal(size=(n, len(planted))) * np.sqrt(variances)
    response = x @ planted if labels != "square" else (x @ planted)**2
    y = response + noise * rng.normal(size=n)
    return x, np.where(y >= 0, 1.0, -1.0) if labels == "sign" else y


def _chosen(inputs: Sequence[str] | str | None, goal: str, names: list[str]) -> list[str]:
    """The names of the inputs, each once, and the target not among them."""
    if not isinstance(inputs, (Iterable, type(None))):
        raise ValueError(f"`inputs` is {inputs!r}, but must be a name or a list of names out of {', '.join(names)}.")
    chosen = [n for n in names if n != goal] if inputs is None else [inputs] if isinstance(inputs, str) else list(inputs)
    for k, name in enumerate(chosen):
        if _known("inputs", name, names) == goal:
            raise ValueError(f"`inputs` names {name!r}, which is the target: leave it out, or name another `target`.")
        if name in chosen[:k]:
            raise ValueError(f"`inputs` names {name!r} twice, but must name every input once: leave one out.")
    if not chosen:
        raise ValueError(f"there are no inputs beside the target {goal!r}: the source has {', '.join(names)}.")
    return chosen


def _samples(chosen: list[str], columns: dict[str, Any]) -> list[Array]:
    """The chosen arrays as numbers, one entry or row for every sample."""
    arrays = [numbers(f"{name} of the source", columns[name]) for name in chosen]
    held = [len(a) if a.ndim and a.size else "nothing" if a.ndim else "a single number" for a in arrays]
    if not isinstance(held[0], int) or len(set(held)) > 1:
        raise ValueError(f"the source holds {', '.join(f'{n} in {name}' for name, n in zip(chosen, held, strict=True))}, but must hold one "
                         "number or row for every sample: name arrays that belong together with `inputs` and `target`.")
    return arrays


def _columns(source: Any) -> dict[str, Any]:
    """The named columns of a source."""
    if hasattr(source, "data_vars"):
        return {str(name): np.asarray(variable.values) for name, variable in source.data_vars.items()}
    if not isinstance(source, (str, Path)):
        raise ValueError(f"`source` is {in_short(source)}, but must be the path of a .csv, .npz or .npy file, or an xarray Dataset.")
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"`source` is {str(path)!r}, but there is no such file.")
    match path.suffix:
        case ".csv":
            return _csv(path)
        case ".npz" | ".npy":
            return _numpy(path)
    raise ValueError(f"`source` is {path.name!r}, but must end in .csv, .npz or .npy.")


def _numpy(path: Path) -> dict[str, Any]:
    content = _read(path)
    if isinstance(content, dict):
        return content
    table = numbers("source", content)
    if table.ndim != 2:
        raise ValueError(f"`source` {path.name} holds an array of shape {table.shape}, but a table (N, columns) is expected.")
    return {f"column {k}": table[:, k] for k in range(table.shape[1])}


def _read(path: Path) -> Any:
    """The one array of a .npy file, or the arrays of an .npz file by name."""
    place = path.name
    try:
        with path.open("rb") as file:                               # NumPy leaves a damaged one open
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            arrays = {}
            for name in content.files:
                place = f"{name} in {path.name}"
                arrays[name] = content[name]
            return arrays
    except (MemoryError, PermissionError):
        raise
    except Exception:           # a damaged file fails in many ways, and NumPy speaks of pickles
        raise ValueError(f"{place} cannot be read as an array of numbers: it is damaged, of another kind, or holds Python objects; write "
                         "it with numpy.savez or numpy.save, from arrays of floats.") from None


def _csv(path: Path) -> dict[str, Any]:
    rows = _rows(path)
    if len(rows) < 2:
        raise ValueError(f"{path.name} has {len(rows)} rows, but must have names in the first and a sample in each of the others.")
    names = [name.strip() for name in rows[0]]
    if all(_is_number(name) for name in names if name):         # a gap is no name either
        raise ValueError(f"the first row of {path.name} holds numbers, {', '.join(names[:4])}, but must hold the names of the columns, or "
                         "the first sample would be lost: put a row of names above it.")
    if len(set(names)) < len(names):
        raise ValueError(f"the first row of {path.name} names a column twice: {', '.join(names)}.")
    columns: list[list[float]] = [[] for _ in names]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise ValueError(f"row {number} of {path.name} has {len(row)} entries, but the first row has {len(names)} names.")
        for column, entry, name in zip(columns, row, names, strict=True):
            try:
                column.append(float(entry))
            except ValueError:
                raise ValueError(f"row {number} of {path.name} holds {entry!r} in the column {name!r}, but a number is expected; the first "
                                 "row must hold the names.") from None
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _rows(path: Path) -> list[list[str]]:
    import csv
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:           # spreadsheets put a byte-order mark before the first name
            return [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} cannot be read as a table: {error}; save it as text in UTF-8, with commas.") from None


def _is_number(entry: str) -> bool:
    try:
        float(entry)
    except ValueError:
        return False
    return True


def _known(argument: str, name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise ValueError(f"`{argument}` names {name!r}, but the source has {', '.join(names)}.")
    return name
