"""The manifest is believed only as far as the files bear it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from verify_app.encoders.manifest import ROLES, Manifest, load_manifest
from verify_app.reasons import ReasonCode, StateError
from verify_app.resources import models_root


def test_entries_carry_the_contract(tiny_models: Path) -> None:
    manifest = load_manifest(tiny_models)
    entry = manifest.default("face-encoder")

    entry.verify()
    assert [model.name for model in manifest.models] == ["face-detector", "face-encoder", "voice-encoder"]
    assert entry.contract.id == f"face-encoder/{entry.sha256}/face-112-uint8-1/32/l2"
    assert manifest.named("face-encoder") == entry


def test_the_variable_names_the_models_folder(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_APP_MODELS", str(tiny_models))

    assert models_root() == tiny_models.resolve()
    assert load_manifest().root == models_root()


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content[:-1] + b"?", lambda _: b""])
def test_a_damaged_model_is_refused(
    write_models: Callable[[Path], Path], tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    entry = load_manifest(write_models(tmp_path / "models")).default("voice-encoder")
    entry.path.write_bytes(change(entry.path.read_bytes()))

    with pytest.raises(StateError) as refusal:
        entry.verify()

    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT
    assert str(entry.path) in refusal.value.reason.message
    assert refusal.value.reason.advice


def test_a_missing_model_is_named(write_models: Callable[[Path], Path], tmp_path: Path) -> None:
    manifest = load_manifest(write_models(tmp_path / "models"))
    manifest.default("voice-encoder").path.unlink()

    with pytest.raises(StateError) as refusal:
        manifest.default("voice-encoder").read()
    assert refusal.value.reason.code is ReasonCode.MODEL_MISSING

    with pytest.raises(StateError) as refusal:
        manifest.named("another")
    assert refusal.value.reason.code is ReasonCode.MODEL_MISSING
    assert "face-encoder" in refusal.value.reason.advice


def test_without_a_manifest_the_models_are_missing(tmp_path: Path) -> None:
    with pytest.raises(StateError) as refusal:
        load_manifest(tmp_path)
    assert refusal.value.reason.code is ReasonCode.MODEL_MISSING


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 1", "schema = 2"),
        ("schema = 1", "schema ="),
        ("bytes = ", "bytes = true # "),
        ('role = "voice-encoder"', 'role = "ear"'),
        ('file = "voice-encoder/', 'file = "../voice-encoder/'),
        ('file = "voice-encoder/', 'file = "/voice-encoder/'),
        ('name = "voice-encoder"', 'name = "face-encoder"'),
        ("dimension = 24", ""),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    write_models: Callable[[Path], Path], tmp_path: Path, old: str, new: str
) -> None:
    path = write_models(tmp_path / "models") / "manifest.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(StateError) as refusal:
        load_manifest(path.parent)

    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT
    assert str(path) in refusal.value.reason.message


def test_the_shipped_models_are_what_the_manifest_names(shipped_models: Path) -> None:
    manifest = load_manifest(shipped_models)

    for role in ROLES:
        manifest.default(role).verify()


def test_another_model_of_a_role_can_be_put_to_use(write_models: Callable[[Path], Path], tmp_path: Path) -> None:
    manifest = load_manifest(write_models(tmp_path / "models"))
    second = replace(manifest.default("face-encoder"), name="second", default=False)
    both = Manifest(manifest.root, (*manifest.models, second))

    assert both.default("face-encoder").name == "face-encoder"
    assert both.using("face-encoder", "second").default("face-encoder").name == "second"
    assert both.using("face-encoder", "second").default("voice-encoder").name == "voice-encoder"

    with pytest.raises(StateError) as refusal:
        both.using("face-encoder", "voice-encoder")
    assert refusal.value.reason.code is ReasonCode.SETTINGS_INVALID
    assert "face-encoder, second" in refusal.value.reason.advice
