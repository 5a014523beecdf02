"""Long lists of cases: the default run takes each n-th of them, the slow one the others."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def each(n: int, cases: Iterable[Any]) -> list[Any]:
    """Return the cases for ``pytest.mark.parametrize``, all but the first and each n-th from there on marked slow."""
    split = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*case, marks=[pytest.mark.slow] if k % n else []) for k, case in enumerate(split)]
