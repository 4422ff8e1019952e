"""Groups put right by hand stand beside the machine's, survive another threshold, and can be taken back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from verify_app.reasons import UnusableInput, UsageError
from verify_app.services.batch import exports, results
from verify_app.services.batch.choices import Action
from verify_app.services.batch.corrections import CORRECTIONS_NAME, correct, corrected_groups, corrections
from verify_app.services.batch.rows import Row, RowDecision


def write(folder: Path, groups: dict[str, int]) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [Row(name, "", RowDecision.GROUPED, 0.5, group=group, threshold=0.4) for name, group in groups.items()]
    rows.append(Row("bad.jpg", "", RowDecision.UNUSABLE, reason="no_face"))
    results.write_results(folder, rows, grouped=True, seen=lambda row: None)
    return folder


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return write(tmp_path / "job", {"a1": 1, "a2": 1, "b1": 2, "b2": 2, "c1": 3})


def test_merge_split_and_undo(job: Path) -> None:
    machine = (job / "results.csv").read_bytes()
    correct(job, Action.MERGE, ["a1", "b2"], "Mia")
    assert corrected_groups(job) == {"a1": 1, "a2": 1, "b1": 1, "b2": 1, "c1": 3}
    correct(job, Action.SPLIT, ["a2"], "Noor")
    assert corrected_groups(job) == {"a1": 1, "a2": 4, "b1": 1, "b2": 1, "c1": 3}
    correct(job, Action.UNDO, [], "Mia")
    assert corrected_groups(job)["a2"] == 1
    correct(job, Action.UNDO, [], "Mia")
    assert corrected_groups(job) == {"a1": 1, "a2": 1, "b1": 2, "b2": 2, "c1": 3}
    assert (job / "results.csv").read_bytes() == machine
    assert [one.action for one in corrections(job)] == [Action.MERGE, Action.SPLIT, Action.UNDO, Action.UNDO]


def test_corrections_hold_when_the_machine_groups_otherwise(job: Path) -> None:
    correct(job, Action.MERGE, ["a1", "c1"], "Mia")
    write(job, {"a1": 1, "a2": 2, "b1": 3, "b2": 3, "c1": 4})
    assert corrected_groups(job) == {"a1": 1, "a2": 2, "b1": 3, "b2": 3, "c1": 1}


@pytest.mark.parametrize(
    ("action", "files", "reviewer"),
    [
        (Action.MERGE, ["a1", "b1"], " "),
        (Action.MERGE, ["a1", "a2"], "Mia"),
        (Action.MERGE, ["a1"], "Mia"),
        (Action.SPLIT, [], "Mia"),
        (Action.SPLIT, ["a1", "a2"], "Mia"),
        (Action.SPLIT, ["bad.jpg"], "Mia"),
        (Action.MERGE, ["a1", "nobody"], "Mia"),
        (Action.UNDO, [], "Mia"),
    ],
)
def test_corrections_that_make_no_sense(job: Path, action: Action, files: list[str], reviewer: str) -> None:
    with pytest.raises(UsageError):
        correct(job, action, files, reviewer)
    assert not (job / CORRECTIONS_NAME).exists()


def test_a_damaged_line_is_named(job: Path) -> None:
    correct(job, Action.MERGE, ["a1", "b1"], "Mia")
    with (job / CORRECTIONS_NAME).open("a") as out:
        out.write("{torn")
    with pytest.raises(UnusableInput, match="line 2"):
        corrected_groups(job)


def test_exports_have_the_corrected_group_in_a_column(job: Path) -> None:
    correct(job, Action.MERGE, ["a1", "b1"], "Mia")
    path = exports.export(job, "csv")
    with path.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [(row["file"], row["group"], row["corrected_group"]) for row in rows] == [
        ("a1", "1", "1"), ("a2", "1", "1"), ("b1", "2", "1"), ("b2", "2", "1"), ("c1", "3", "3"), ("bad.jpg", "", ""),
    ]  # fmt: skip


def test_files_are_sorted_by_corrected_group(job: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a1", "a2", "b1", "b2", "c1", "bad.jpg"):
        (source / name).write_text(name)
    correct(job, Action.SPLIT, ["a2"], "Mia")
    assert exports.sort_files(job, (str(source),), tmp_path / "sorted", link=False) == 6
    found = {path.relative_to(tmp_path / "sorted").as_posix() for path in (tmp_path / "sorted").rglob("*.*")}
    assert "unusable/bad.jpg" in found
    assert (tmp_path / "sorted" / "group-0004" / "a2").read_text() == "a2"
    assert (tmp_path / "sorted" / "group-0001" / "a1").exists()
