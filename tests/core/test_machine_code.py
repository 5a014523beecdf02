"""Speed without a clock: a step that vectorises has packed arithmetic, hardly any scalar arithmetic, and calls no C library.

Models without parameters and without t: what depends on t alone is scalar, and rightly so.
"""
from __future__ import annotations

import math
import platform
import re

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from langevin_sgd.core.noise_text import NoiseForm
from langevin_sgd.core.steps import Wall, compile_step
from tests.core.kernel_runs import plain


def compiles_for(feature: str) -> bool:
    """Whether Numba compiles for a processor with this feature: the host's, unless its settings name another."""
    named = numba.config.CPU_FEATURES
    return bool(llvm.get_host_cpu_features().get(feature)) if named is None else f"+{feature}" in named.split(",")


pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64") or not compiles_for("avx"),
                                reason="reads the instructions of x86 with AVX")

HIGH = Wall((lambda x, t, p: 1.0 - x,), (lambda x, t, p: -1.0,))
LOW = Wall((lambda x, t, p: 1.0 + x,), (lambda x, t, p: 1.0,))
ARITHMETIC = r"\bv(?:fn?m(?:add|sub)\d+|mul|add|sub|div|sqrt)"


def assembly(**model) -> str:
    return next(iter(compile_step(plain(**model)).inspect_asm().values()))


def count(text: str) -> tuple[int, int]:
    """Packed and scalar arithmetic instructions."""
    return len(re.findall(ARITHMETIC + r"pd\b", text)), len(re.findall(ARITHMETIC + r"sd\b", text))


def libm(text: str) -> list[str]:
    return re.findall(r"\b(?:erf|exp|log|sin|cos|tan|sinh|cosh|tanh|pow|atan|asin|acos|lgamma|expm1)\b", text)


def quadratic(x, t, p):
    return 0.5 + 0.1 * x * x


def cubic(x, t, p):
    return x - x**3


def slope(x, t, p):
    return 0.2 * x


def decay(x, t, p):
    return -x[0], -x[1]


def elementary(name):
    function = getattr(math, name)
    return lambda x, t, p: function(0.3 * x)


STEPS = {
    "Euler": {"drift": cubic},
    "branch": {"drift": lambda x, t, p: -x if x > 0 else x * x},
    "Milstein": {"drift": cubic, "slope": slope},
    "bridge": {"drift": cubic, "walls": (HIGH,), "bridge": True},
    "Milstein, bridge, two walls": {"drift": cubic, "slope": slope, "walls": (HIGH, LOW), "bridge": True},
    "discrete monitoring": {"drift": cubic, "walls": (HIGH, LOW)},
    "power": {"drift": lambda x, t, p: math.pow(x, 1.7)},
    "numpy's names": {"drift": lambda x, t, p: np.tanh(x) + np.arctan(x)},
    **{name: {"drift": elementary(name)} for name in ("exp", "sin", "erf")},
    "dense noise in the plane": {"drift": decay, "noise": lambda x, t, p: 1.0 + x[0] * x[0], "dim": 2, "form": NoiseForm.MODULATED},
    "a matrix factored in the plane": {"drift": decay, "noise": lambda x, t, p: ((1.0 + x[0] * x[0], 0.1), (0.1, 1.0)), "dim": 2,
                                           "form": NoiseForm.FULL},
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_vector_code(name):
    text = assembly(**{"noise": quadratic, **STEPS[name]})
    packed, scalar = count(text)
    assert packed >= 15
    assert scalar <= 8
    assert libm(text) == []


def test_what_has_no_lane_version_is_seen():
    """The negative control: lgamma is the C library's, and takes the whole step with it."""
    text = assembly(drift=lambda x, t, p: math.lgamma(x), noise=quadratic)
    assert "lgamma" in libm(text)
    assert count(text)[0] == 0


def test_vectors_are_as_wide_as_the_machine_has_them():
    if not compiles_for("avx512f"):
        pytest.skip("needs AVX-512")
    assert "zmm" in assembly(drift=cubic, noise=quadratic)
