"""With the policy ``all`` each face of an image has a row of its own; with ``skip`` such images are passed over."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from verify_app.domain import ImageArray, Modality
from verify_app.services.application import Application
from verify_app.services.batch.run import run_batch
from verify_app.services.batch.spec import JobKind, JobSpec


@pytest.fixture(scope="module")
def photographs(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of two demo people side by side, and one of a single person."""
    folder = tmp_path_factory.mktemp("photographs")

    def portrait(person: str) -> ImageArray:
        picture = cv2.imread(str(repository / "assets" / "demo" / person / "face-reference-1.jpg"))
        return np.asarray(cv2.resize(picture, (320, 320)), np.uint8)

    for number, pair in enumerate((("ada", "bruno"), ("emi", "chun"), ("dalia", "femi"))):
        cv2.imwrite(str(folder / f"2-{number}.png"), np.hstack([portrait(person) for person in pair]))
    cv2.imwrite(str(folder / "1-0.png"), portrait("ada"))
    return folder


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as opened:
        return list(csv.DictReader(opened))


def job(folder: Path, faces: str, *, gates: bool = False) -> JobSpec:
    return JobSpec.of(JobKind.GROUP, Modality.FACE, [folder], faces=faces, gates=gates)


def test_each_face_has_a_row_and_the_cache_serves_them_all(app: Application, photographs: Path, tmp_path: Path) -> None:
    result = run_batch(app, job(photographs, "all"), tmp_path / "out")
    names = [row["file"] for row in rows(tmp_path / "out")]
    for number in range(3):
        assert f"2-{number}.png" in names
        assert f"2-{number}.png#2" in names
    assert "1-0.png#2" not in names
    assert result.summary["comparisons"] == len(names) * (len(names) - 1) // 2
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / "other.png").write_bytes((photographs / "2-0.png").read_bytes())
    run_batch(app, job(copies, "all"), tmp_path / "again")
    assert [row["file"] for row in rows(tmp_path / "again")] == ["other.png", "other.png#2"]


def test_refused_faces_are_rows_with_their_reason(app: Application, photographs: Path, tmp_path: Path) -> None:
    run_batch(app, job(photographs, "all", gates=True), tmp_path / "gated")
    gated, free = rows(tmp_path / "gated"), tmp_path / "free"
    run_batch(app, job(photographs, "all"), free)
    refused = [row for row in gated if row["decision"] == "unusable"]
    assert all(row["reason"] for row in refused)
    assert {row["file"].split("#")[0] for row in gated} == {row["file"].split("#")[0] for row in rows(free)}


def test_skip_and_one(app: Application, photographs: Path, tmp_path: Path) -> None:
    skipping = run_batch(app, job(photographs, "skip"), tmp_path / "skip")
    assert skipping.summary["decisions"] == {"single": 1, "skipped": 3}
    assert skipping.summary["exit_code"] == 0
    refusing = run_batch(app, job(photographs, "one"), tmp_path / "one")
    assert refusing.summary["decisions"] == {"single": 1, "unusable": 3}
    assert refusing.summary["exit_code"] == 3
