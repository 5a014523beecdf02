"""The functions of limit.c and limit_sgd.c, compiled, the first with the library's own polynomials; and the loop of a NumPy user."""
from __future__ import annotations

import ctypes
import math
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from langevin_sgd.core import elementary
from langevin_sgd.core.lanes import aligned_floats


def compiled_limit(paths: int, steps: int, dt: float, s: float) -> Callable[[], None] | None:
    """Return a call of the C function; None without a C compiler or AVX-512."""
    folder = Path(tempfile.mkdtemp())
    text = "".join(f"#define {name}(x) {_nested(getattr(elementary, name))}\n" for name in ("LOG", "SIN", "COS"))
    (folder / "polynomials.h").write_text(text)
    library = _compiled("limit.c", folder)
    if library is None:
        return None
    euler = library.euler
    euler.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_double, ctypes.c_double, ctypes.c_uint64]
    x = aligned_floats(paths)

    def run() -> None:
        x[:] = 0.0
        euler(x.ctypes.data, paths, steps, dt, s, 5)
        assert abs(x.var() - 0.83) < 0.1, "limit.c computes something else"
    return run


def compiled_sgd(rows: np.ndarray, batch_size: int, steps: int, rate: float) -> Callable[[], None] | None:
    """Return a call of the C function on samples (N, 104) in lines of the cache; None without a C compiler or AVX-512."""
    library = _compiled("limit_sgd.c", Path(tempfile.mkdtemp()))
    if library is None or rows.shape[1] != 104:
        return None
    sgd = library.sgd
    sgd.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_double, ctypes.c_uint64]
    w = aligned_floats(104)

    def run() -> None:
        sgd(w.ctypes.data, rows.ctypes.data, len(rows), batch_size, steps, rate, 5)
    return run


def _compiled(source: str, folder: Path) -> ctypes.CDLL | None:
    target = folder / "limit.so"
    command = ["cc", "-O3", "-march=native", "-ffast-math", "-fPIC", "-shared", f"-I{folder}", str(Path(__file__).with_name(source)),
               "-o", str(target), "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ctypes.CDLL(str(target))


def _nested(coefficients: tuple[float, ...]) -> str:
    inner = f"((doubles){{}} + {coefficients[-1]!r})"
    return "(" * (len(coefficients) - 1) + inner + "".join(f" * (x) + {c!r})" for c in coefficients[-2::-1])


def numpy_loop(paths: int, steps: int, dt: float, s: float) -> Callable[[], None]:
    """Return a vectorised loop over time, with NumPy's fastest generator."""
    def run() -> None:
        generator, x = np.random.Generator(np.random.SFC64(1)), np.zeros(paths)
        for _ in range(steps):
            x += (x - x * x * x) * dt + s * math.sqrt(dt) * generator.standard_normal(paths)
    return run
