"""``verify-app calibrate`` from the shell: every source, every refusal, and the library of what is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.people import people, vectors
from verify_app.cli.main import run
from verify_app.domain import Embedding, Modality, Quality
from verify_app.services.application import Application
from verify_app.services.enrol import contract_dict
from verify_app.services.people import remove as remove_person
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


@pytest.mark.parametrize("name", ["plda", "as-norm"])
def test_a_fitted_similarity_decides_when_its_calibration_is_in_use(shell: Shell, tmp_path: Path, name: str) -> None:
    x, y = vectors(30, 5, dimension=32)
    with Application(load_settings()) as app:
        for person in range(30):
            store_person(app, f"person {person}", x[y == person][:4])
    code, found = shell("calibrate", "--people", "--similarity", name, "--target-fmr", "0.01", "--name", "mine")
    assert code == 0, found["reason"]
    assert found["similarity"].startswith(name)
    assert found["fitted"]["subjects"] == 20
    assert any("fitted to 20 people" in line for line in found["history"])
    assert [one["references"] for one in found["more"]] == [3]
    with Application(load_settings()) as app:
        from verify_app.services.comparing import decide_for

        references = {Modality.FACE: x[y == 3][:3]}
        own, other = (embedding(app, vector) for vector in (x[y == 3][4], x[y == 4][4]))
        mated = decide_for(app, {Modality.FACE: [own]}, references, 0.01)
        assert mated.comparisons[0].similarity == found["similarity"]
        assert (mated.verified, mated.comparisons[0].calibration) == (True, "mine, 3 references")
        assert not decide_for(app, {Modality.FACE: [other]}, references, 0.01).verified
    # What is exported has no embedding of anybody in it, unless it is asked for.
    out = tmp_path / "mine.json"
    code, refused = shell("calibrate", "export", "mine", "--out", str(out))
    if name == "as-norm":
        assert (code, out.exists()) == (2, False)
        assert "embeddings of people" in refused["reason"]["message"]
        assert shell("calibrate", "export", "mine", "--out", str(out), "--with-embeddings")[0] == 0
    else:
        assert code == 0
    assert out.stat().st_mode & 0o077 == 0
    assert "parameters" not in shell("calibrate", "show", "mine")[1]
    assert shell("calibrate", "import", str(out))[0] == 0
    # A record that was changed is not kept.
    text = json.loads(out.read_text())
    text["parameters"]["record"]["kind"] = "magic"
    out.write_text(json.dumps(text))
    assert shell("calibrate", "import", str(out))[0] == 4
    # Erasing a person erases their embeddings wherever they are.
    names = {one["name"] for one in shell("calibrate", "list")[1]["calibrations"]}
    assert names == {"mine", "mine, 3 references"}
    assert shell("people", "remove", "person 0", "--yes")[0] == 0
    with Application(load_settings()) as app:
        for person in range(1, 11):  # of thirty, twenty are in the cohort
            remove_person(app, f"person {person}")
    left = shell("calibrate", "list")[1]["calibrations"]
    assert bool(left) == (name == "plda")


def store_person(app: Application, name: str, rows: np.ndarray) -> None:
    """Enrol a person with embeddings that are there already."""
    person = app.store.add_person(name)
    for place, row in enumerate(rows):
        digest = hashlib.sha256(f"{name} {place}".encode()).hexdigest()
        sample = app.store.add_sample(person.id, "face", digest, "a test", "file", {"score": 0.9})
        vector = np.ascontiguousarray(row, "<f4").tobytes()
        app.store.add_template(person.id, sample.id, "face", contract_dict(app.contract(Modality.FACE)), vector)


def embedding(app: Application, vector: np.ndarray) -> Embedding:
    """An embedding under the present contract."""
    return Embedding(vector, app.contract(Modality.FACE), Modality.FACE, Quality(0.9), "0" * 64)


@pytest.mark.parametrize("bad", ["plda", "magic", "pca-99"])
def test_similarities_that_cannot_be_fitted(shell: Shell, tmp_path: Path, bad: str) -> None:
    file = str(write_scores(tmp_path / "s.csv", 12))
    code, found = shell("calibrate", "--scores", file, "--similarity", bad)
    assert code == 2
    why = "There is no similarity called 'magic'" if bad == "magic" else "Finished scores cannot be compared"
    assert why in found["reason"]["message"]
    x, y = vectors(8, 4)
    np.savez(tmp_path / "x.npz", vectors=x, subjects=y)
    code, found = shell("calibrate", "--embeddings", str(tmp_path / "x.npz"), "--similarity", bad)
    assert code == (3 if bad == "plda" else 2), found


def test_costs_put_the_threshold_where_errors_cost_least(shell: Shell, tmp_path: Path) -> None:
    file = str(write_scores(tmp_path / "s.csv", 40))
    arguments = ("calibrate", "--scores", file, "--cost-false-match", "10", "--prior", "0.5")
    code, found = shell(*arguments)
    assert code == 0
    cost = found["cost"]
    assert cost["llr_threshold"] == pytest.approx(np.log(10))
    assert found["threshold"] == pytest.approx(cost["threshold"], abs=2e-3)
    assert found["target_fmr"] == pytest.approx(cost["predicted_fmr"]["value"], rel=0.1)
    assert cost["min_dcf"] <= cost["dcf"] < 1.3 * cost["min_dcf"] + 0.02
    kinds = [one["kind"] for one in found["operating_points"]]
    assert kinds == ["target", "target", "target", "equal", "cost"]
    assert found["operating_points"][-1]["threshold"] == cost["threshold"]
    code, found = shell(*arguments, "--target-fmr", "0.01", "--cost-false-non-match", "2")
    assert (code, found["target_fmr"], found["cost"]["cost_false_non_match"]) == (0, 0.01, 2)
    assert shell("calibrate", "--scores", file)[1]["cost"] is None
    for bad in (("--prior", "1"), ("--cost-false-match", "0"), ("--cost-false-match", "1e30")):
        assert shell("calibrate", "--scores", file, *bad)[0] == 2
