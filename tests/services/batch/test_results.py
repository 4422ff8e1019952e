"""Results on disk: whole or not at all, harmless in a spreadsheet, exported without loss; answers of reviewers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verify_app.reasons import ReasonCode, StateError, UsageError
from verify_app.services.batch import adjudication, exports, results
from verify_app.services.batch.adjudication import Answer
from verify_app.services.batch.rows import BASE_COLUMNS, Row, RowDecision
from verify_app.services.batch.spec import JobKind
from verify_app.services.batch.summary import Tally, exit_code, multiplicity_warning

ROWS = [
    Row("a/1.jpg", "a", RowDecision.VERIFIED, 0.71, 2e-5, "verified", 1e-5, 4e-5, 8.1, 0.4, 0.9),
    Row("a/2.jpg", "a", RowDecision.NOT_VERIFIED, 0.38, 2e-3, "score_below_threshold", 1e-3, 3e-3, 1.2, 0.4, 0.6),
    Row("=cmd().jpg", "b", RowDecision.UNUSABLE, reason="no_face", message="No face was found."),
    Row("b/3.jpg", "b", RowDecision.VERIFIED, 0.44, 5e-4, "verified", 2e-4, 9e-4, 3.0, 0.4, 0.7),
]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    results.write_results(tmp_path, ROWS, grouped=False, seen=lambda row: None)
    return tmp_path


def test_the_first_columns_are_the_documented_ones(job: Path) -> None:
    first = (job / "results.csv").read_text().splitlines()[0]
    assert first.startswith("file,claim,decision,score,predicted_fmr,reason")
    assert tuple(first.split(",")) == BASE_COLUMNS


def test_names_that_look_like_formulas_are_made_harmless(job: Path) -> None:
    assert [row["file"] for row in results.read_results(job)][2] == "'=cmd().jpg"


def test_a_failed_write_leaves_the_former_results(job: Path) -> None:
    before = (job / "results.csv").read_bytes()

    def failing() -> object:
        yield ROWS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(StateError) as caught:
        results.write_results(job, failing(), grouped=False, seen=lambda row: None)  # type: ignore[arg-type]
    assert caught.value.reason.code is ReasonCode.STORAGE_FULL
    assert (job / "results.csv").read_bytes() == before
    assert [path.name for path in job.iterdir()] == ["results.csv"]


def test_every_export_holds_the_same_values(job: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    openpyxl = pytest.importorskip("openpyxl")
    expected = [results.typed(row) for row in results.read_results(job)]
    lines = exports.export(job, "jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert pyarrow.read_table(exports.export(job, "parquet")).to_pylist() == expected
    sheet = openpyxl.load_workbook(exports.export(job, "xlsx")).active
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[0] == BASE_COLUMNS
    assert [row[3] for row in cells[1:]] == [row["score"] for row in expected]


def test_an_unknown_export_and_a_folder_without_results(job: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        exports.export(job, "docx")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StateError):
        list(results.read_results(empty))


@pytest.mark.parametrize("link", [True, False])
def test_files_are_sorted_by_decision(job: Path, tmp_path: Path, link: bool) -> None:
    source = tmp_path / "source"
    for row in ROWS[:2]:
        (source / row.file).parent.mkdir(parents=True, exist_ok=True)
        (source / row.file).write_bytes(row.file.encode())
    target = tmp_path / "sorted"
    assert exports.sort_files(job, (str(source),), target, link=link) == 2
    assert (target / "verified" / "a/1.jpg").read_bytes() == b"a/1.jpg"
    assert (target / "not_verified" / "a/2.jpg").is_symlink() is link
    with pytest.raises(UsageError):
        exports.sort_files(job, (str(source),), target, link=link)


def test_exit_codes() -> None:
    def code(kind: JobKind, *decisions: RowDecision) -> int:
        tally = Tally()
        for decision in decisions:
            tally.add(Row("f", "", decision))
        return exit_code(kind, tally)

    assert code(JobKind.VERIFY, RowDecision.VERIFIED, RowDecision.VERIFIED) == 0
    assert code(JobKind.VERIFY, RowDecision.VERIFIED, RowDecision.NOT_VERIFIED) == 1
    assert code(JobKind.IDENTIFY, RowDecision.MATCHED, RowDecision.UNKNOWN) == 1
    assert code(JobKind.VERIFY, RowDecision.NOT_VERIFIED, RowDecision.UNUSABLE) == 3
    assert code(JobKind.GROUP, RowDecision.SINGLE, RowDecision.GROUPED) == 0


def test_the_warning_counts_expected_false_matches() -> None:
    assert multiplicity_warning(10, 1e-3) == ""
    assert "about 5 would" in multiplicity_warning(5000, 1e-3)


def test_two_reviewers_their_disagreement_and_the_rates_they_show(job: Path) -> None:
    machine = (job / "results.csv").read_bytes()
    assert [row["file"] for row in adjudication.queue(job, "Mia")] == ["a/2.jpg", "b/3.jpg", "a/1.jpg"]
    adjudication.record(job, ("b/3.jpg", "b"), "Mia", Answer.DIFFERENT)
    adjudication.record(job, ("a/1.jpg", "a"), "Mia", Answer.SAME)
    adjudication.record(job, ("a/2.jpg", "a"), "Mia", Answer.SAME)
    adjudication.record(job, ("a/2.jpg", "a"), "Noor", Answer.DIFFERENT)
    adjudication.record(job, ("a/1.jpg", "a"), "Noor", Answer.UNSURE)
    assert adjudication.queue(job, "Mia") == []
    assert [one.file for one in adjudication.disagreements(job)] == ["a/2.jpg"]
    estimate = adjudication.estimate(job)
    assert (estimate.accepted, estimate.wrong_accepts, estimate.refused) == (2, 1, 0)
    assert estimate.false_accept_share is not None
    assert estimate.false_accept_share.low == pytest.approx(0.0126, abs=1e-4)
    assert estimate.false_refusal_share is None
    adjudication.record(job, ("a/2.jpg", "a"), "Noor", Answer.SAME)
    assert adjudication.disagreements(job) == []
    assert (job / "results.csv").read_bytes() == machine


def test_answers_for_rows_that_do_not_exist_are_refused(job: Path) -> None:
    with pytest.raises(UsageError):
        adjudication.record(job, ("nowhere.jpg", "a"), "Mia", Answer.SAME)
    with pytest.raises(UsageError):
        adjudication.record(job, ("a/1.jpg", "a"), " ", Answer.SAME)
