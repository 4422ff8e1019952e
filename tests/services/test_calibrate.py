"""``verify-app calibrate`` from the shell: every source, every refusal, and the library of what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.people import people, vectors
from verify_app.cli.main import run
from verify_app.domain import Modality
from verify_app.services.application import Application
from verify_app.services.settings import load_settings

Shell = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def shell(
    tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Runs a command with ``--json``; gives the exit code and the object printed."""
    monkeypatch.setenv("VERIFY_APP_MODELS", str(tiny_models))
    monkeypatch.setenv("VERIFY_APP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VERIFY_APP_PASSPHRASE", "a passphrase for tests")

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def write_scores(file: Path, subjects: int, samples: int = 5) -> Path:
    trials = people(subjects, samples)
    assert trials.reference_subject is not None
    assert trials.probe_subject is not None
    rows = zip(trials.scores, trials.mated, trials.reference_subject, trials.probe_subject, strict=True)
    lines = [f"{score:.9f},{int(mated)},p{one},p{two}" for score, mated, one, two in rows]
    file.write_text("\n".join(["score,mated,reference_subject,probe_subject", *lines]) + "\n", encoding="utf-8")
    return file


def test_scores_are_fitted_saved_and_used(shell: Shell, tmp_path: Path) -> None:
    file = write_scores(tmp_path / "s.csv", 40)
    code, found = shell("calibrate", "--scores", str(file), "--modality", "face", "--name", "mine")
    assert code == found["exit_code"] == 0
    assert found["trials"] == {"mated": 400, "non_mated": 19500}
    assert found["supported"] is True
    assert "needed_non_mated" not in found
    for figure in ("eer", "fmr", "fnmr", "auc"):
        assert found[figure]["low"] <= found[figure]["value"] <= found[figure]["high"]
    assert found["min_cllr"] <= found["cllr"] < 1
    assert found["method"] in ("logistic", "isotonic", "tail")
    assert found["active"] is True
    code, shown = shell("calibrate", "show", "mine")
    assert (code, shown["threshold"], shown["active"]) == (0, found["threshold"], True)
    with Application(load_settings()) as app:
        from verify_app.services.calibrations import active

        assert active(app, Modality.FACE, 1).threshold == found["threshold"]


def test_a_target_beyond_the_data_saves_nothing_unless_wanted_anyway(shell: Shell, tmp_path: Path) -> None:
    file = write_scores(tmp_path / "s.csv", 12)
    code, found = shell("calibrate", "--scores", str(file))
    assert code == found["exit_code"] == 4
    assert (found["supported"], found["saved"]) == (False, [])
    assert found["reason"]["code"] == "target_unsupported"
    assert found["needed_non_mated"] > 1000
    assert shell("calibrate", "list")[1]["calibrations"] == []
    code, found = shell("calibrate", "--scores", str(file), "--save-anyway")
    assert (code, found["saved_anyway"], len(found["saved"])) == (0, True, 1)
    assert shell("calibrate", "list")[1]["calibrations"][0]["saved_anyway"] is True


def test_two_people_with_two_samples(shell: Shell, tmp_path: Path) -> None:
    code, found = shell("calibrate", "--scores", str(write_scores(tmp_path / "s.csv", 2, 2)), "--save-anyway")
    assert code == 0
    assert found["threshold"] is None
    assert found["effective_non_mated"] == 1


@pytest.mark.parametrize("method", ["logistic", "isotonic", "tail"])
def test_the_method_can_be_chosen(shell: Shell, tmp_path: Path, method: str) -> None:
    file = write_scores(tmp_path / "s.csv", 30)
    code, found = shell("calibrate", "--scores", str(file), "--method", method, "--target-fmr", "0.01")
    assert (code, found["method"], found["target_fmr"]) == (0, method, 0.01)


def test_bad_scores_exit_3_and_change_nothing(shell: Shell, tmp_path: Path) -> None:
    lines = write_scores(tmp_path / "good.csv", 12).read_text().splitlines()
    bad = {
        "nan": [*lines[:4], "nan,0,p1,p2", *lines[4:]],
        "repeat": [*lines, lines[7]],
        "one class": [lines[0], *(line for line in lines[1:] if ",1,p" in line)],
        "column": ["mated,reference_subject,probe_subject", *(line.partition(",")[2] for line in lines[1:])],
        "delimiter": [line.replace(",", ";") for line in lines],
        "empty": [],
    }
    for name, rows in bad.items():
        file = tmp_path / "bad.csv"
        file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        code, found = shell("calibrate", "--scores", str(file), "--modality", "face", "--save-anyway")
        assert code == 3, name
        assert found["reason"]["message"], name
    assert shell("calibrate", "list")[1]["calibrations"] == []


def test_usage_errors(shell: Shell, tmp_path: Path) -> None:
    file = str(write_scores(tmp_path / "s.csv", 12))
    for arguments in (
        (),
        ("--scores", file, "--people"),
        ("--scores", file, "--target-fmr", "0"),
        ("--scores", file, "--method", "magic"),
        ("show", "nothing"),
        ("use", "nothing"),
    ):
        assert shell("calibrate", *arguments)[0] == 2, arguments


def test_the_library(shell: Shell, tmp_path: Path) -> None:
    file = str(write_scores(tmp_path / "s.csv", 40))
    for name in ("first", "second"):
        assert shell("calibrate", "--scores", file, "--modality", "face", "--name", name)[0] == 0
    listed = {one["name"]: one for one in shell("calibrate", "list")[1]["calibrations"]}
    assert (listed["first"]["active"], listed["second"]["active"]) == (False, True)
    assert shell("calibrate", "use", "first")[0] == 0
    listed = {one["name"]: one for one in shell("calibrate", "list")[1]["calibrations"]}
    assert (listed["first"]["active"], listed["second"]["active"]) == (True, False)
    out = tmp_path / "first.json"
    assert shell("calibrate", "export", "first", "--out", str(out))[0] == 0
    assert shell("calibrate", "remove", listed["first"]["id"][:8])[0] == 0
    code, again = shell("calibrate", "import", str(out), "--use")
    assert (code, again["name"], again["active"]) == (0, "first", True)
    out.write_text("{}", encoding="utf-8")
    assert shell("calibrate", "import", str(out))[0] == 4
    assert shell("calibrate", "import", str(tmp_path / "none.json"))[0] == 3


def test_vectors_from_elsewhere(shell: Shell, tmp_path: Path) -> None:
    x, y = vectors(30, 6)
    np.savez(tmp_path / "x.npz", vectors=x, subjects=np.array([f"gene {one}" for one in y]))
    code, found = shell("calibrate", "--embeddings", str(tmp_path / "x.npz"), "--target-fmr", "0.01")
    assert (code, found["subjects"], found["modality"], found["active"]) == (0, 30, "vectors", False)
    assert [one["references"] for one in found["more"]] == [3]
    assert {one["mated"] for one in found["worst"]} == {True, False}
    np.savez(tmp_path / "bad.npz", vectors=x, subjects=y[:-1])
    assert shell("calibrate", "--embeddings", str(tmp_path / "bad.npz"))[0] == 3


def test_vectors_are_evaluated(shell: Shell, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    x, y = vectors(12, 4)
    np.savez(tmp_path / "x.npz", embeddings=x, labels=y)
    code, found = shell("evaluate", "--embeddings", str(tmp_path / "x.npz"))
    assert (code, found["trials"]) == (0, {"mated": 72, "non_mated": 1056})
    columns = {"label": [f"s{one}" for one in y], "vector": x.tolist()}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    code, again = shell("evaluate", "--embeddings", str(tmp_path / "x.parquet"))
    assert (code, again["eer"]["value"]) == (0, found["eer"]["value"])
    wide = {"subject": columns["label"], **{f"d{place}": x[:, place] for place in range(x.shape[1])}}
    parquet.write_table(pa.table(wide), tmp_path / "wide.parquet")
    assert shell("evaluate", "--embeddings", str(tmp_path / "wide.parquet"))[1]["eer"]["value"] == found["eer"]["value"]
    assert shell("evaluate", "--embeddings", str(tmp_path / "x.npz"), "--similarity", "magic")[0] == 2
    assert shell("evaluate")[0] == 2
    x[3, 2] = np.nan
    np.savez(tmp_path / "x.npz", embeddings=x, labels=y)
    code, found = shell("evaluate", "--embeddings", str(tmp_path / "x.npz"))
    assert code == 3
    assert "row 4" in found["reason"]["message"]


def test_a_folder_of_people(shell: Shell, tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    for person in range(4):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        base = rng.integers(0, 255, size=(7, 7, 3)).astype(np.uint8)
        for sample in range(3):
            crop = cv2.resize(base, (112, 112), interpolation=cv2.INTER_CUBIC)
            noisy = np.clip(crop + rng.normal(0, 8, crop.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "people" / f"p{person}" / f"{sample}.png"), noisy)
    (tmp_path / "people" / "p0" / "broken.png").write_bytes(b"not a picture")
    folder = str(tmp_path / "people")
    arguments = ("calibrate", "--folder", folder, "--modality", "face", "--aligned", "--save-anyway")
    code, found = shell(*arguments, "--exclude", "p1/2.png=blurred", "--target-fmr", "0.1")
    assert code == 0
    assert found["trials"] == {"mated": 3 * 3 + 1, "non_mated": 11 * 10 // 2 - 10}
    assert list(found["refused"]) == ["p0/broken.png"]
    assert any("p1/2.png: blurred" in line for line in found["history"])
    assert shell(*arguments, "--exclude", "p1/9.png=why")[0] == 2
    assert shell("calibrate", "--folder", str(tmp_path / "people" / "p0"), "--modality", "face")[0] == 3
    code, found = shell("calibrate", "--folder", str(tmp_path / "none"))
    assert (code, found["reason"]["message"]) == (3, f"There is no folder {tmp_path / 'none'}.")


def test_nobody_enrolled(shell: Shell) -> None:
    code, found = shell("calibrate", "--people")
    assert (code, found["reason"]["code"]) == (4, "nobody_enrolled")
