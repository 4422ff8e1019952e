"""The main job through the shell: enrol, verify, compare, identify, and the people kept."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Tool
from verify_app.services.demo.people import DemoPerson

People = tuple[DemoPerson, ...]
DECISION = {"decision", "reason", "target_fmr", "llr", "predicted_fmr", "comparisons", "samples", "exit_code"}
COMPARISON = {
    "modality", "score", "threshold", "llr", "predicted_fmr", "extrapolated", "references", "similarity", "calibration",
    "quality", "contract",
}  # fmt: skip


def _enrol(tool: Tool, person: DemoPerson) -> None:
    assert tool("enroll", person.name, *person.enrolment).code == 0


def test_a_true_claim_is_verified_and_a_false_one_is_not(tool: Tool, people: People) -> None:
    first, second = people[:2]
    _enrol(tool, first)

    true = tool("verify", "--as", first.name, first.probe_faces[0], "--json")
    false = tool("verify", "--as", first.name, second.probe_faces[0], "--json")
    both = tool("verify", "--as", first.name.upper(), first.probe_faces[0], first.probe_voices[0], "--json")

    assert (true.code, true.json["decision"], true.reason) == (0, "verified", "verified")
    assert set(true.json) == DECISION | {"person"}
    assert all(set(comparison) == COMPARISON for comparison in true.json["comparisons"])
    rate = true.json["predicted_fmr"]
    assert 0 < rate["low"] <= rate["value"] <= rate["high"] < 1
    assert rate["value"] <= true.json["target_fmr"] == 1e-3
    assert (false.code, false.json["decision"], false.reason) == (1, "not_verified", "score_below_threshold")
    assert both.code == 0
    assert [comparison["modality"] for comparison in both.json["comparisons"]] == ["face", "voice"]


def test_the_answer_for_people_says_what_the_rate_is(tool: Tool, people: People) -> None:
    _enrol(tool, people[0])

    told = tool("verify", "--as", people[0].name, people[0].probe_faces[0])

    assert told.out.startswith("VERIFIED  ")
    assert "1 in " in told.out
    assert "operating point: false-match rate 1 in 1 000" in told.out


def test_claims_that_cannot_be_judged_are_state(tool: Tool, people: People) -> None:
    first = people[0]
    assert tool("enroll", first.name, *first.enrol_faces).code == 0

    unknown = tool("verify", "--as", "Nobody", first.probe_faces[0], "--json")
    by_voice = tool("verify", "--as", first.name, first.probe_voices[0], "--json")

    assert (unknown.code, unknown.reason) == (4, "no_such_person")
    assert (by_voice.code, by_voice.reason) == (4, "not_enrolled")
    assert "enroll" in by_voice.json["reason"]["advice"]


def test_a_person_is_compared_by_what_there_is(tool: Tool, people: People) -> None:
    first, second = people[0], people[1]
    assert tool("enroll", first.name, *first.enrol_faces).code == 0
    assert tool("enroll", second.name, *second.enrol_faces, *second.enrol_voices).code == 0

    alone = tool("verify", "--as", first.name, first.probe_faces[0], "--json")
    both = tool("verify", "--as", first.name, first.probe_faces[0], first.probe_voices[0], "--json")
    one_of_two = [
        tool("verify", "--as", second.name, file, "--json") for file in (second.probe_faces[0], second.probe_voices[0])
    ]

    assert [comparison["modality"] for comparison in both.json["comparisons"]] == ["face"]
    assert "not enrolled by voice, which was not compared" in both.json["reason"]["message"]
    assert [both.json[key] for key in ("decision", "predicted_fmr")] == [
        alone.json[key] for key in ("decision", "predicted_fmr")
    ]
    compared = [[comparison["modality"] for comparison in answer.json["comparisons"]] for answer in one_of_two]
    assert compared == [["face"], ["voice"]]


def test_good_samples_are_kept_and_bad_ones_reported(tool: Tool, people: People, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")

    first = tool("enroll", people[0].name, people[0].enrol_faces[0], bad, "--json")
    again = tool("enroll", people[0].name, people[0].enrol_faces[1], people[0].enrol_faces[0], "--json")
    none = tool("enroll", "Somebody", bad, "--json")
    kept = tool("people", "list", "--json")

    assert (first.code, first.json["created"], first.json["kept"]) == (0, True, 1)
    assert [sample["accepted"] for sample in first.json["samples"]] == [True, False]
    assert first.json["samples"][1]["reason"]["code"] == "file_empty"
    assert (again.code, again.json["created"], again.json["kept"]) == (0, False, 1)
    assert again.json["samples"][1]["reason"]["code"] == "sample_known"
    assert (none.code, none.reason) == (3, "file_empty")
    assert [(one["name"], one["faces"]) for one in kept.json["people"]] == [(people[0].name, 2)]


def test_identify_finds_the_person_or_says_unknown(tool: Tool, people: People) -> None:
    first, second, other = people[0], people[1], people[4]
    nobody = tool("identify", first.probe_faces[0], "--json")
    _enrol(tool, first)
    _enrol(tool, second)

    found = tool("identify", first.probe_faces[0], first.probe_voices[0], "--json")
    stranger = tool("identify", other.probe_faces[0], other.probe_voices[0], "--json")

    assert (nobody.code, nobody.reason) == (4, "nobody_enrolled")
    assert (found.code, found.json["match"]["name"], found.reason) == (0, first.name, "matched")
    best = found.json["candidates"][0]
    assert best["predicted_fpir"]["value"] == pytest.approx(1 - (1 - best["predicted_fmr"]["value"]) ** 2, rel=1e-6)
    assert (stranger.code, stranger.json["match"], stranger.reason) == (1, None, "unknown_subject")
    assert stranger.json["gallery"] == 2


def test_compare_needs_nobody_enrolled_and_stores_nothing(tool: Tool, people: People, tmp_path: Path) -> None:
    first, second = people[:2]

    same = tool("compare", first.enrol_faces[0], first.probe_faces[0], "--json")
    other = tool("compare", first.enrol_faces[0], second.probe_faces[0], "--json")
    mixed = tool("compare", first.enrol_faces[0], first.probe_voices[0], "--json")

    assert (same.code, same.json["decision"]) == (0, "verified")
    assert set(same.json) == DECISION
    assert (other.code, other.json["decision"]) == (1, "not_verified")
    assert (mixed.code, mixed.reason) == (3, "modality_mismatch")
    assert not list((tmp_path / "home").rglob("*.db"))


def test_an_operating_point_that_the_data_cannot_show_is_refused(tool: Tool, people: People) -> None:
    answer = tool("compare", *people[0].enrol_faces[:2], "--target-fmr", "1e-12", "--json")

    assert answer.code == 1
    assert answer.reason == "target_unsupported"


def test_people_are_shown_renamed_exported_and_erased(tool: Tool, people: People, tmp_path: Path) -> None:
    person = people[0]
    _enrol(tool, person)
    file = tmp_path / "all.json"

    shown = tool("people", "show", person.name, "--json")
    renamed = tool("people", "rename", person.name, "Somebody Else", "--json")
    exported = tool("people", "export", "Somebody Else", "--out", file)
    again = tool("people", "export", "Somebody Else", "--out", file)
    asked = tool("people", "remove", "Somebody Else")
    removed = tool("people", "remove", "Somebody Else", "--yes", "--json")
    after = tool("people", "list", "--json")

    assert len(shown.json["samples"]) == len(person.enrolment)
    assert renamed.json["person"]["name"] == "Somebody Else"
    assert exported.code == 0
    assert again.code == 2, "a file that is there is not overwritten"
    content = json.loads(file.read_text(encoding="utf-8"))
    vectors = [np.frombuffer(base64.b64decode(one["vector"]), "<f4") for one in content["templates"]]
    assert len(vectors) == len(person.enrolment)
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-3) for vector in vectors)
    assert file.stat().st_mode & 0o077 == 0
    assert asked.code == 2
    assert "--yes" in asked.err
    assert removed.code == 0
    assert removed.json["erased"] is True
    assert after.json["people"] == []
    assert (tool("people", "show", person.name, "--json").reason) == "no_such_person"


def test_templates_of_another_encoder_are_refused_with_advice(
    tool: Tool, people: People, tmp_path: Path, shipped_models: Path
) -> None:
    import hashlib
    import shutil

    import onnx

    _enrol(tool, people[0])
    models = shutil.copytree(shipped_models, tmp_path / "models", ignore=shutil.ignore_patterns("training", "*.py"))
    file = models / "face-encoder" / "model.onnx"
    before = file.read_bytes()
    network = onnx.load(file)
    network.doc_string = "the same network in another file"
    onnx.save(network, file)
    manifest = models / "manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    for old, new in (
        (hashlib.sha256(before).hexdigest(), hashlib.sha256(file.read_bytes()).hexdigest()),
        (f"bytes = {len(before)}", f"bytes = {file.stat().st_size}"),
    ):
        assert old in text
        text = text.replace(old, new)
    manifest.write_text(text, encoding="utf-8")

    other = {"VERIFY_APP_MODELS": str(models)}
    claim = tool("verify", "--as", people[0].name, people[0].probe_faces[0], "--json", **other)
    listed = tool("people", "list", "--json", **other)

    assert (claim.code, claim.reason) == (4, "contract_mismatch")
    assert "enroll" in claim.json["reason"]["advice"]
    assert listed.json["people"][0]["up_to_date"] is False


def test_embeddings_of_files(tool: Tool, people: People, tmp_path: Path) -> None:
    answer = tool("embed", *people[0].enrol_voices, tmp_path / "none.wav", "--out", tmp_path / "v.npz", "--json")

    assert answer.code == 0
    assert answer.json["modality"] == "voice"
    assert answer.json["embedded"] == len(people[0].enrol_voices)
    assert [one["reason"]["code"] for one in answer.json["failures"]] == ["file_not_found"]
    with np.load(tmp_path / "v.npz") as content:
        assert len(content["vectors"]) == len(people[0].enrol_voices)


def test_evaluation_of_the_demo_people(tool: Tool, people: People, tmp_path: Path) -> None:
    lines = ["reference,probe,mated,group"]
    for a in people:
        for b in people:
            references = ";".join(str(file) for file in a.enrol_faces)
            lines += [f"{references},{file},{int(a is b)},all" for file in b.probe_faces]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(lines), encoding="utf-8")

    answer = tool("evaluate", table, "--scores", tmp_path / "s.csv", "--json")
    told = tool("evaluate", table)

    assert answer.code == 0
    assert answer.json["eer"]["value"] < 0.2
    assert answer.json["trials"]["scored"] == len(lines) - 1
    assert set(answer.json["fnmr_at_fmr"]) == {"1e-02", "1e-03", "1e-04"}
    assert answer.json["failures_to_acquire"]["failed_files"] == 0
    assert len((tmp_path / "s.csv").read_text(encoding="utf-8").splitlines()) == len(lines)
    discard = answer.json["error_versus_discard"]
    assert discard["discarded"] == [0, 0.05, 0.1, 0.2]
    assert all(0 <= fnmr <= 1 for fnmr in discard["fnmr"])
    assert "EER" in told.out
    assert "lowest quality are set aside" in told.out
