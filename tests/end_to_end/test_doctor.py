"""The doctor: every part has a finding, what is broken is named, and nothing is made by looking."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.conftest import Tool
from verify_app.services.demo.people import DemoPerson

PARTS = {
    "Python", "packages", "settings", "data folder", "key", "enrolment database", "model face-detector",
    "model face-landmarks", "model face-encoder", "model voice-encoder", "calibration of the face",
    "calibration of the voice", "recordings",
    "window", "camera", "microphone",
}  # fmt: skip


def test_a_fresh_machine_is_healthy_and_stays_untouched(
    tool: Tool, people: tuple[DemoPerson, ...], tmp_path: Path
) -> None:
    answer = tool("doctor", "--json")

    found = {one["part"]: one for one in answer.json["findings"]}
    assert answer.code == 0, [one for one in found.values() if one["health"] == "fails"]
    assert answer.json["healthy"] is True
    assert set(found) >= PARTS
    assert found["key"]["health"] == "limited", "there is no keyring in this test"
    assert "VERIFY_APP_PASSPHRASE" in found["key"]["remedy"]
    assert all(one["remedy"] for one in found.values() if one["health"] != "works")
    assert "MP3" in found["recordings"]["detail"]
    assert not list((tmp_path / "home").rglob("enrolment.*"))


def test_what_is_broken_is_named_with_its_remedy(
    tool: Tool, people: tuple[DemoPerson, ...], shipped_models: Path, tmp_path: Path
) -> None:
    models = shutil.copytree(shipped_models, tmp_path / "models", ignore=shutil.ignore_patterns("training", "*.py"))
    network = models / "voice-encoder" / "model.onnx"
    network.write_bytes(network.read_bytes()[: network.stat().st_size // 2])
    home = tmp_path / "mine"
    (home / "config").mkdir(parents=True)
    (home / "config" / "settings.toml").write_text("theme = 'pink'\n", encoding="utf-8")
    (home / "data").mkdir()
    (home / "data" / "enrolment.db").write_bytes(b"no database" * 99)

    answer = tool("doctor", "--home", home, "--json", VERIFY_APP_MODELS=str(models))
    told = tool("doctor", "--home", home, VERIFY_APP_MODELS=str(models))

    failed = {one["part"]: one for one in answer.json["findings"] if one["health"] == "fails"}
    assert answer.code == 4
    assert {"settings", "enrolment database", "model voice-encoder"} <= set(failed)
    assert "theme" in failed["settings"]["detail"]
    assert all(one["remedy"] for one in failed.values())
    assert told.code == 4
    assert "must be mended" in told.out
