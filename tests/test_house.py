"""The rules of the house: floors, public names, docstrings, start-up."""
from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import langevin_sgd as ls

PACKAGE = Path(ls.__file__).parent
FLOORS = {"core": 0, "models": 1, "simulation": 2, "theory": 2, "plots": 3, "studies": 4}
RESULTS = {"Status", "CriticalPoint", "Region", "FirstPassage", "Trajectories", "Escape", "EscapeReport", "SGDEscape", "SGDEscapeReport",
           "Splitting", "WeightedEnsemble"}                     # made by others
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE)


def imported(path: Path) -> set[str]:
    """The rooms of the library that a file imports from, anywhere in it but under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    skipped = {id(n) for block in ast.walk(tree) if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
               for n in ast.walk(block)}
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("langevin_sgd."):
            names.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("langevin_sgd.")}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    above = {name for name in imported(path) - {room} if FLOORS[name] >= FLOORS[room]}
    assert not above, f"{path.name} in {room} imports from {above}"


def test_theory_and_simulation_never_import_one_another() -> None:
    for path in FILES:
        room = path.relative_to(PACKAGE).parts[0]
        assert not (room == "theory" and "simulation" in imported(path))
        assert not (room == "simulation" and "theory" in imported(path))


def test_every_public_name_has_a_docstring_with_an_example() -> None:
    for name in ls.__all__:
        thing = getattr(ls, name)
        assert inspect.getdoc(thing), name
        if (inspect.isfunction(thing) or inspect.isclass(thing)) and name not in RESULTS:
            assert ">>>" in inspect.getdoc(thing), f"{name} has no example"


def test_the_public_names_are_those_that_are_listed() -> None:
    assert sorted(ls.__all__) == sorted(set(ls.__all__))
    missing = [name for name in ls.__all__ if not hasattr(ls, name)]
    assert not missing


def test_import_is_light() -> None:
    """Heavy packages are imported where they are used; this is what keeps the import under a second."""
    code = "import sys, langevin_sgd; print([m for m in ('sympy', 'xarray', 'matplotlib', 'tqdm', 'scipy.stats') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_names_the_two_commands() -> None:
    readme = (PACKAGE.parent / "README.md")
    if not readme.exists():
        pytest.skip("the package is installed without its README")
    blocks = readme.read_text().split("```shell\n")[1:]
    commands = [line for block in blocks for line in block.split("```")[0].splitlines() if line.startswith("pip install")]
    assert commands == ["pip install . && langevin-sgd escape", 'pip install ".[test]" && pytest']
