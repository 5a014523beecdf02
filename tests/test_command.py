"""The command line: what it prints, what it writes, and how it ends."""
from __future__ import annotations

import pytest

from langevin_sgd.__main__ import AGREES, DISAGREES, INTERRUPTED, WRONG_ARGUMENTS, main
from langevin_sgd.studies import inverse_flatness as flatness_module
from langevin_sgd.studies import sharp_flat as study_module
from langevin_sgd.studies import sharp_flat_report


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(study_module, "KINDS", study_module.KINDS[:1])
    monkeypatch.setattr(study_module, "MEASURED", (2.0,))
    monkeypatch.setattr(study_module, "COMPUTED", (2.0, 12.0))
    monkeypatch.setattr(flatness_module, "KINDS", flatness_module.KINDS[:2])
    monkeypatch.setattr(flatness_module, "REPLICAS", 30)


def test_it_prints_the_table_and_writes_a_page_the_text_the_numbers_and_pictures(tmp_path, capsys):
    assert main(["escape", "--paths", "300", "--seed", "3", "--out", str(tmp_path / "out")]) == AGREES
    printed = capsys.readouterr()
    assert "== constant:  C = σ_g" in printed.out and "Measured, exact and predicted agree" in printed.out
    assert "[1/1] constant" in printed.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"escape.html", "escape.txt", "escape.csv", "escape_constant.png", "flat_over_sharp.png", "occupancy.png"}


def test_the_second_command_does_the_same_for_variance_and_flatness(tmp_path, capsys):
    options = ["flatness", "--paths", "200", "--learning-rate", "0.1", "--batch-size", "2", "--out", str(tmp_path / "out")]
    assert main([*options, "--seed", "3"]) == AGREES
    printed = capsys.readouterr()
    assert "C ∝ H " in printed.out and "learning rate 0.1,\nbatch size 2, 200 runs" in printed.out and "[3/3] minibatches" in printed.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"flatness.html", "flatness.txt", "flatness.csv", "two_curvatures.png", "variance_flatness.png", "sampling.png"}
    assert main(["flatness", "--learning-rate", "0.5", "--out", str(tmp_path)]) == WRONG_ARGUMENTS
    assert "unstable" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(tmp_path, capsys):
    for folder, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        main(["escape", "--paths", "200", "--seed", seed, "--out", str(tmp_path / folder)])
    a, b, c = ((tmp_path / folder / "escape.csv").read_text() for folder in "abc")
    assert a == b != c


def test_options_reach_the_study(tmp_path, capsys):
    main(["escape", "--paths", "200", "--learning-rate", "0.2", "--batch-size", "4", "--interpretation", "klimontovich", "--out",
          str(tmp_path)])
    out = capsys.readouterr().out
    assert "read as Klimontovich" in out and "ε = learning rate / batch size   0.05" in out


@pytest.mark.parametrize(("option", "value", "named"), [("--paths", "0", "n_paths"), ("--batch-size", "-1", "batch_size"),
                                                        ("--learning-rate", "nan", "learning_rate"), ("--interpretation", "x", "ito")])
def test_wrong_options_get_one_sentence(option, value, named, tmp_path, capsys):
    assert main(["escape", option, value, "--out", str(tmp_path)]) == WRONG_ARGUMENTS
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("langevin-sgd:")]
    assert named in line


def test_a_folder_that_cannot_be_made_is_known_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["escape", "--out", str(tmp_path / "file")]) == WRONG_ARGUMENTS
    assert "--out" in capsys.readouterr().err


def test_a_full_disk_loses_no_result(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sharp_flat_report, "write_report", full)
    assert main(["escape", "--paths", "200", "--out", str(tmp_path)]) == DISAGREES
    printed = capsys.readouterr()
    assert "== constant" in printed.out and "No space left on device" in printed.err


def test_ctrl_c_before_anything_is_done_is_said(tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(study_module, "_scan", interrupted)
    assert main(["escape", "--out", str(tmp_path)]) == INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_without_a_command_help_is_offered(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "escape" in capsys.readouterr().err
