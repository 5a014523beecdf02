"""The functions of limit.c, compiled with the library's own polynomials; and the loop that a NumPy user would write."""
from __future__ import annotations

import ctypes
import math
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from langevin_sgd.core import elementary


def compiled_limit(paths: int, steps: int, dt: float, s: float) -> Callable[[], None] | None:
    """Return a call of the C function; None without a C compiler or AVX-512."""
    folder = Path(tempfile.mkdtemp())
    text = "".join(f"#define {name}(x) {_nested(getattr(elementary, name))}\n" for name in ("LOG", "SIN", "COS"))
    (folder / "polynomials.h").write_text(text)
    command = ["cc", "-O3", "-march=native", "-ffast-math", "-fPIC", "-shared", f"-I{folder}", str(Path(__file__).with_name("limit.c")),
               "-o", str(folder / "limit.so"), "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    euler = ctypes.CDLL(str(folder / "limit.so")).euler
    euler.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_double, ctypes.c_double, ctypes.c_uint64]
    buffer = np.zeros(paths + 8)
    x = buffer[(-buffer.ctypes.data) % 64 // 8:][:paths]

    def run() -> None:
        x[:] = 0.0
        euler(x.ctypes.data, paths, steps, dt, s, 5)
        assert abs(x.var() - 0.83) < 0.1, "limit.c computes something else"
    return run


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
