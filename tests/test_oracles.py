"""Every reference number of oracles.json is compared with something: a test, or a claim in validation/claims, names it."""
from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.oracles import BY_ID

TESTS = Path(__file__).parent


def cases(value: Any) -> Iterator[str]:
    """The reference numbers among the values that a test is run for: entries of the file, or their names."""
    if isinstance(value, str):
        yield from [value] if value in BY_ID else []
    elif isinstance(value, dict):
        yield from [value["id"]] if value.get("id") in BY_ID else []
    elif isinstance(value, tuple) or (isinstance(value, Iterable) and type(value).__module__ == "builtins"):
        for part in value:
            yield from cases(part)


def named(source: str) -> Iterator[str]:
    """The reference numbers that a source names: as a text, or as a family of texts with something left open but not their beginning."""
    tree = ast.parse(source)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield from cases(node.value)
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant) and len(node.values[0].value) > 2:
            family = "".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in node.values)
            yield from filter(re.compile(family).fullmatch, BY_ID)


def claimed(path: Path) -> set[str]:
    """The reference numbers that the tests of a file are about."""
    module = importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))
    marks = [mark for _, function in inspect.getmembers(module, inspect.isfunction) for mark in getattr(function, "pytestmark", [])]
    runs = {name for mark in marks if mark.name == "parametrize" for name in cases(mark.args[1])}
    return runs | set(named(path.read_text()))


def test_every_reference_number_is_compared_with_something() -> None:
    files = [path for path in sorted(TESTS.rglob("test_*.py")) if path != Path(__file__)]
    found = set().union(*map(claimed, files))
    assert sorted(set(BY_ID) - found) == []
