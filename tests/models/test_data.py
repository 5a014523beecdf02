"""Data from files, labelled datasets and generators."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray

import langevin_sgd as ls

X, Y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, -6.0]]), np.array([0.5, 1.5, -2.5])


def _files(folder: Path) -> list[tuple[Path, dict]]:
    csv, npz, npy = folder / "a.csv", folder / "a.npz", folder / "a.npy"
    csv.write_text("a, b, y\n1,2,0.5\n3,4,1.5\n5,-6,-2.5\n")
    np.savez(npz, inputs=X, labels=Y)
    np.save(npy, np.column_stack([X, Y]))
    return [(csv, {}), (csv, {"inputs": ["a", "b"], "target": "y"}), (npz, {"inputs": "inputs", "target": "labels"}), (npy, {})]


def test_every_source_gives_the_same_data(tmp_path: Path) -> None:
    table = xarray.Dataset({"a": ("sample", X[:, 0]), "b": ("sample", X[:, 1]), "y": ("sample", Y)})
    for source, names in [*_files(tmp_path), (table, {"target": "y"})]:
        x, y = ls.losses.load(source, **names)
        assert np.array_equal(x, X)
        assert np.array_equal(y, Y)


@pytest.mark.parametrize(("text", "says"), [
    ("a,y\n1,2\n3\n", "row 3 of bad.csv has 1 entries"), ("a,y\n1,two\n", "row 2 of bad.csv holds 'two'"),
    ("1,2.5\n2,4.5\n", "first row of bad.csv holds numbers, 1, 2.5, but must hold the names"), (",2.5\n2,4.5\n", "holds numbers"),
    ("a,y\n", "has 1 rows"), ("a,a\n1,2\n", "names a column twice"), ("a,y\n1,nan\n", "y of the source` holds nan"),
])
def test_a_bad_table_is_refused_by_row(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        ls.losses.load(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (path, _), *_ = _files(tmp_path)
    for call, says in [(lambda: ls.losses.load(path, target="z"), "`target` names 'z'"),
                       (lambda: ls.losses.load(path, inputs=["c"]), "`inputs` names 'c'"),
                       (lambda: ls.losses.load(path, inputs=3), "`inputs` is 3, but must be a name or a list of names out of a, b, y"),
                       (lambda: ls.losses.load(tmp_path / "none.csv"), "no such file"), (lambda: ls.losses.load(3), "`source` is 3"),
                       (lambda: ls.losses.load(__file__), "must end in")]:
        with pytest.raises(ValueError, match=says):
            call()


@pytest.mark.parametrize(("inputs", "target", "says"), [
    (["a", "b"], "b", "`inputs` names 'b', which is the target"), ("y", None, "`inputs` names 'y', which is the target: leave it out, or"),
    (["a", "b", "a"], "y", "`inputs` names 'a' twice, but must name every input once"), ([], "y", "no inputs beside the target 'y'"),
])
def test_an_input_is_named_once_and_is_not_the_target(tmp_path: Path, inputs: list[str], target: str | None, says: str) -> None:
    (path, _), *_ = _files(tmp_path)
    with pytest.raises(ValueError, match=says):
        ls.losses.load(path, inputs=inputs, target=target)


@pytest.mark.parametrize(("arrays", "says"), [
    ({"x": Y, "k": 1.0, "y": Y}, "holds 3 in x, a single number in k, 3 in y, but must hold one number or row for every sample: name arr"),
    ({"x": Y, "y": 1.0}, "holds 3 in x, a single number in y"), ({"x": Y, "z": [1.0, 2.0], "y": Y}, "holds 3 in x, 2 in z, 3 in y"),
    ({"x": [], "y": []}, "holds nothing in x, nothing in y"), ({}, "`source` holds nothing, but must have inputs and a target"),
    ({"x": Y, "y": np.array([None])}, "y in a.npz cannot be read as an array of numbers: .* holds Python objects; write it with"),
])
def test_arrays_that_are_no_samples_are_named(tmp_path: Path, arrays: dict, says: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=says):
        ls.losses.load(tmp_path / "a.npz")


def test_a_setting_beside_the_samples_does_no_harm_if_the_inputs_are_named() -> None:
    table = xarray.Dataset({"x": ("sample", Y), "step": 0.1, "y": ("sample", Y)})
    assert ls.losses.load(table, inputs="x")[0][:, 0].tolist() == Y.tolist()
    with pytest.raises(ValueError, match="a single number in step"):
        ls.losses.load(table)


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 garbage", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_named_without_a_word_of_pickles(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} cannot be read as an array of numbers: it is damaged"):
        ls.losses.load(tmp_path / name)


def test_a_table_of_a_spreadsheet_has_its_names(tmp_path: Path) -> None:
    """A byte-order mark is no part of the first name; what is not in UTF-8 is refused."""
    path = tmp_path / "a.csv"
    path.write_text("a,y\n1,2\n3,4\n", encoding="utf-8-sig")
    assert ls.losses.load(path, inputs="a")[0].tolist() == [[1.0], [3.0]]
    path.write_text("a,y\n1,2\n3,4\n", encoding="utf-16")
    with pytest.raises(ValueError, match=r"a.csv cannot be read as a table: .*; save it as text in UTF-8"):
        ls.losses.load(path)


def test_generated_data_have_the_law_that_is_asked_for() -> None:
    """100 000 samples, five standard errors: variances (relative error √(2/N)), label noise, and the least squares fit."""
    n, planted = 100_000, np.array([1.0, -2.0])
    x, y = ls.losses.generate(n, planted, spectrum=[1.0, 0.25], label_noise=0.5, rng=3)
    assert x.var(axis=0) == pytest.approx([1.0, 0.25], rel=5 * np.sqrt(2 / n))
    assert (y - x @ planted).var() == pytest.approx(0.5, rel=5 * np.sqrt(2 / n))
    assert np.all(np.abs((y - x @ planted) @ x / n) < 5 * np.sqrt(0.5 * x.var(axis=0) / n))
    signs = ls.losses.generate(100, planted, labels="sign", rng=1)[1]
    assert set(signs) == {-1.0, 1.0}
    inputs, squares = ls.losses.generate(100, planted, labels="square", rng=1)
    assert squares == pytest.approx((inputs @ planted)**2)


@pytest.mark.parametrize("draw", [lambda rng: ls.losses.generate(3, [1.0, 2.0], rng=rng)[0],
                                  lambda rng: ls.losses.smoothed_toy(3, spread=1.0, rng=rng).data], ids=["generate", "smoothed_toy"])
def test_data_are_drawn_from_any_rng_and_seeds_keep_their_numbers(draw) -> None:
    """An int and a Generator give the numbers that NumPy gives: reference figures depend on them."""
    expected = np.random.default_rng(3).normal(size=(3, 2))
    assert np.array_equal(draw(3), expected)
    assert np.array_equal(draw(np.random.default_rng(3)), expected)
    assert np.array_equal(draw(ls.Key(5)), draw(ls.Key(5)))
    assert not np.array_equal(draw(ls.Key(5)), draw(ls.Key(6)))
    for wrong in (-1, "seven", 0.5):
        with pytest.raises(ValueError, match=r"`rng` is .*, but must be None, an int, a SeedSequence, a Generator, or the `key` of an ear"):
            draw(wrong)
