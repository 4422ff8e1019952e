"""Whole jobs through the shell: every kind, killed and resumed, scored again without reading, bad files as rows."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Batch

KILLS = int(os.environ.get("VERIFY_APP_KILLS", "4"))
"""How often the job is killed; give 200 for the full exercise."""

OPTIONS = ("--aligned", "--no-quality-gates")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture(scope="module")
def whole(batch: Batch, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """Home and results of an uninterrupted job, and how long it took."""
    home, out = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("job") / "out"
    began = time.monotonic()
    assert batch(home, "duplicates", pictures, *OPTIONS, "--out", out).returncode == 3
    return home, out, time.monotonic() - began


def test_bad_files_are_rows_with_their_reason_and_the_job_goes_on(whole: tuple[Path, Path, float]) -> None:
    _, out, _ = whole
    unusable = {row["file"]: row["reason"] for row in rows(out) if row["decision"] == "unusable"}
    assert unusable == {
        "person-0/empty.png": "file_empty",
        "person-1/notes.jpg": "format_unsupported",
        "person-2/cut.png": "file_truncated",
    }
    assert (out / "report.html").stat().st_size > 1000
    summary = json.loads((out / "summary.json").read_text())
    assert summary["comparisons"] == 60 * 59 // 2
    assert summary["calibration"]["name"]
    assert summary["command"].startswith("verify-app batch duplicates")


def test_a_job_killed_again_and_again_ends_byte_identical(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    _, expected, seconds = whole
    home, out = tmp_path / "home", tmp_path / "out"
    chance = random.Random(11)
    for _ in range(KILLS):
        process = batch(home, "duplicates", pictures, *OPTIONS, "--out", out, wait=False)
        time.sleep(chance.uniform(0.2, 1.0) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert batch(home, "duplicates", pictures, *OPTIONS, "--out", out).returncode == 3
    assert (out / "results.csv").read_bytes() == (expected / "results.csv").read_bytes()
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (out, expected))
    assert {**ours, "command": ""} == {**theirs, "command": ""}


def test_interrupting_keeps_what_is_done(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    process = batch(home, "duplicates", pictures, *OPTIONS, "--workers", 1, "--out", out, wait=False)
    journal = out / "journal.sqlite"
    while not journal.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, 3), errors
    if process.returncode == 130:
        assert time.monotonic() - asked < 20  # start-up may still be running when the signal comes
        assert not (out / "results.csv").exists()
    assert batch(home, "duplicates", pictures, *OPTIONS, "--workers", 1, "--out", out).returncode == 3
    assert (out / "results.csv").read_bytes() == (whole[1] / "results.csv").read_bytes()


def test_another_threshold_reads_no_file(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    home, out, _ = whole
    moved = pictures.with_name("moved")
    pictures.rename(moved)  # whoever reads a file now, fails
    try:
        process = batch(home, "duplicates", pictures, *OPTIONS, "--out", out, "--target-fmr", "0.01")
        assert process.returncode == 3
        assert json.loads((out / "summary.json").read_text())["target_fmr"] == 0.01
        assert sum(row["decision"] == "unusable" for row in rows(out)) == 3
    finally:
        moved.rename(pictures)
        batch(home, "duplicates", pictures, *OPTIONS, "--out", out)


def test_what_was_forgotten_is_read_again(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    assert batch(home, "duplicates", pictures, *OPTIONS, "--out", out).returncode == 3
    assert batch(home, "forget").returncode == 0
    (out / "results.csv").unlink()
    assert batch(home, "duplicates", pictures, *OPTIONS, "--out", out).returncode == 3
    assert (out / "results.csv").read_bytes() == (whole[1] / "results.csv").read_bytes()


def test_the_folder_of_another_job_is_refused(batch: Batch, pictures: Path, whole: tuple[Path, Path, float]) -> None:
    home, out, _ = whole
    before = (out / "results.csv").read_bytes()
    assert batch(home, "group", pictures, *OPTIONS, "--out", out).returncode == 4
    assert (out / "results.csv").read_bytes() == before


def test_a_second_job_on_the_same_files_uses_the_cache(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    home, _, _ = whole
    assert batch(home, "group", pictures, *OPTIONS, "--out", tmp_path / "out").returncode == 3
    grouped = rows(tmp_path / "out")
    assert list(grouped[0])[:6] == ["file", "claim", "decision", "score", "predicted_fmr", "reason"]
    assert all(row["group"] for row in grouped if row["decision"] != "unusable")
    assert [row["file"] for row in grouped] == sorted(row["file"] for row in grouped)


def test_pairs_and_cross(batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path) -> None:
    home, _, _ = whole
    table = tmp_path / "pairs.csv"
    table.write_text(
        "reference,probe\nperson-0/000.png,person-0/000.png\nperson-0/000.png,person-3/031.png\n"
        "person-0/empty.png,person-0/001.png\nperson-0/000.png,nowhere.png\n"
    )
    assert batch(home, "pairs", table, "--root", pictures, *OPTIONS, "--out", tmp_path / "p").returncode == 3
    decided = rows(tmp_path / "p")
    assert [row["decision"] for row in decided[2:]] == ["unusable", "unusable"]
    for row in decided[:2]:
        assert (row["decision"] == "verified") is (float(row["score"]) >= float(row["threshold"]))
    assert [row["reason"] for row in decided[2:]] == ["file_empty", "file_not_found"]
    assert float(decided[0]["score"]) == pytest.approx(1.0, abs=1e-5)
    first, second = pictures / "person-4", pictures / "person-5"
    assert batch(home, "cross", first, second, *OPTIONS, "--out", tmp_path / "c").returncode in (0, 1)
    assert {row["file"] for row in rows(tmp_path / "c")} == {path.name for path in first.iterdir()}


def test_identifying_with_nobody_enrolled_and_claims_of_nobody(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    home, _, _ = whole
    assert batch(home, "identify", pictures, *OPTIONS, "--out", tmp_path / "i").returncode == 4
    assert batch(home, "verify", pictures / "person-4", *OPTIONS, "--out", tmp_path / "v").returncode == 1
    assert {row["reason"] for row in rows(tmp_path / "v")} == {"no_such_person"}


def test_a_look_before_the_run_writes_nothing(
    batch: Batch, pictures: Path, whole: tuple[Path, Path, float], tmp_path: Path
) -> None:
    home, _, _ = whole
    process = batch(home, "group", pictures, *OPTIONS, "--out", tmp_path / "o", "--dry-run", "--json", wait=False)
    output, _ = process.communicate(timeout=120)
    found = json.loads(output)
    assert found["files"] == 63
    assert found["kinds"] == {"file_empty": 1, "format_unsupported": 1, "image": 61}
    assert found["estimated_seconds"] > 0
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "nowhere"), 2),
        (("verify", ".", "--claim", "name:("), 2),
        (("group", ".", "--target-fmr", "7"), 2),
        (("group", ".", "--faces", "two"), 2),
        (("pairs", "nowhere.csv"), 3),
        (("duplicates", ".", "--pattern", "*.nothing"), 2),
    ],
)
def test_requests_that_make_no_sense(batch: Batch, tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    process = batch(tmp_path / "home", *arguments, "--out", tmp_path / "out", wait=False)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
