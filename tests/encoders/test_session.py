"""Encoders are real ONNX sessions: deterministic, and never trusted beyond their contract."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from verify_app.encoders.manifest import ModelEntry, load_manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.reasons import ReasonCode, StateError


@pytest.fixture
def face(tiny_models: Path) -> ModelEntry:
    return load_manifest(tiny_models).default("face-encoder")


def _crops(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(3).integers(0, 255, (number, 112, 112, 3), np.uint8)


def test_embeddings_have_the_promised_shape_and_norm(face: ModelEntry) -> None:
    encoder = OnnxEncoder(face)
    vectors = encoder.encode(_crops(5))

    assert vectors.shape == (5, face.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode(_crops(0)).shape == (0, face.dimension)
    assert encoder.active_provider == "CPUExecutionProvider"


def test_same_input_same_bits_and_batches_equal_singles(face: ModelEntry) -> None:
    crops = _crops(7)
    one, two = OnnxEncoder(face), OnnxEncoder(face, threads=1)

    assert np.array_equal(one.encode(crops), one.encode(crops))
    singles = np.concatenate([two.encode(crops[index : index + 1]) for index in range(7)])
    assert np.abs(one.encode(crops) - singles).max() < 1e-5


def test_a_provider_that_is_not_there_is_not_claimed(face: ModelEntry) -> None:
    assert OnnxEncoder(face, providers=["NoSuchExecutionProvider"]).active_provider == "CPUExecutionProvider"


def test_one_encoder_serves_several_threads(face: ModelEntry) -> None:
    encoder, crops = OnnxEncoder(face), _crops(2)
    results: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    threads = [threading.Thread(target=lambda: results.append(encoder.encode(crops))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 6
    assert all(np.array_equal(result, results[0]) for result in results)


def _with_content(entry: ModelEntry, content: bytes) -> ModelEntry:
    entry.path.write_bytes(content)
    return dataclasses.replace(entry, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def test_what_does_not_keep_the_contract_is_refused(
    write_models: Callable[[Path], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = load_manifest(write_models(tmp_path / "models"))
    face, voice = manifest.default("face-encoder"), manifest.default("voice-encoder")
    broken = [
        dataclasses.replace(face, dimension=33),
        _with_content(voice, face.path.read_bytes()),
        _with_content(face, b"no network"),
    ]
    for entry in broken:
        with pytest.raises(StateError) as refusal:
            OnnxEncoder(entry).encode(_crops(1))
        assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT
        assert entry.name in refusal.value.reason.message
    assert capfd.readouterr() == ("", "")


def test_a_changed_file_is_refused_at_load(write_models: Callable[[Path], Path], tmp_path: Path) -> None:
    face = load_manifest(write_models(tmp_path / "models")).default("face-encoder")
    face.path.write_bytes(face.path.read_bytes()[:-9])

    with pytest.raises(StateError) as refusal:
        OnnxEncoder(face).encode(_crops(1))

    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT
