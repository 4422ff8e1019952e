"""The shipped voice encoder: its file, its contract, and what must not change an embedding."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
RATE = 16_000


@pytest.fixture(scope="module")
def entry() -> dict[str, Any]:
    tables = tomllib.loads((MODELS / "manifest.toml").read_text(encoding="utf-8"))["model"]
    return next(table for table in tables if table["role"] == "voice-encoder" and table["default"])


@pytest.fixture(scope="module")
def session(entry: dict[str, Any]) -> Any:
    return onnxruntime.InferenceSession(str(MODELS / entry["file"]), providers=["CPUExecutionProvider"])


def vowels(count: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Hummed vowels ``[count, T]``: pulses at a gliding pitch through two resonances, with breath."""
    chance = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    clips = []
    for _ in range(count):
        pitch = chance.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * chance.uniform(1, 4) * time))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        first, second = chance.uniform(300, 800), chance.uniform(900, 2500)
        wave = np.zeros_like(time)
        for harmonic in range(1, 25):
            height = harmonic * pitch
            gain = 1 / (1 + ((height - first) / 150) ** 2) + 0.5 / (1 + ((height - second) / 200) ** 2)
            wave += gain * np.sin(harmonic * phase)
        clips.append(0.1 * wave + 0.002 * chance.normal(size=len(time)))
    return np.asarray(clips, dtype=np.float32)


def embed(session: Any, waveforms: np.ndarray) -> np.ndarray:
    return session.run(["embedding"], {"waveform": np.ascontiguousarray(waveforms, dtype=np.float32)})[0]


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.sum(first * second, axis=1)


def test_the_manifest_states_the_digest_and_size_of_the_file(entry: dict[str, Any]) -> None:
    content = (MODELS / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) == entry["bytes"]
    assert len(content) <= 8_000_000


def test_the_graph_keeps_the_contract(session: Any, entry: dict[str, Any]) -> None:
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type) == ("waveform", "tensor(float)")
    assert [isinstance(axis, str) for axis in given.shape] == [True, True]
    assert (made.name, made.type) == ("embedding", "tensor(float)")
    vectors = embed(session, vowels(3, 2.0))
    assert vectors.shape == (3, entry["dimension"])
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("samples", [16_000, 16_001, 23_456, 80_000, 480_000])
def test_any_length_from_one_second_gives_unit_vectors(session: Any, samples: int) -> None:
    vectors = embed(session, vowels(1, samples / RATE + 0.001)[:, :samples])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("gain", [0.003, 0.1, 9.0])
def test_loudness_does_not_matter(session: Any, gain: float) -> None:
    clips = vowels(4, 2.5)
    assert cosine(embed(session, clips), embed(session, clips * np.float32(gain))).min() > 1 - 1e-4


def test_a_constant_offset_does_not_matter(session: Any) -> None:
    clips = vowels(4, 2.5)
    assert cosine(embed(session, clips), embed(session, clips + np.float32(0.05))).min() > 1 - 1e-4


def test_a_clip_embeds_the_same_alone_and_in_a_batch(session: Any) -> None:
    clips = vowels(5, 3.2)
    alone = np.concatenate([embed(session, clip[None]) for clip in clips])
    assert cosine(embed(session, clips), alone).min() > 1 - 1e-4


def test_digital_silence_gives_a_finite_vector(session: Any) -> None:
    vectors = embed(session, np.zeros((1, RATE), dtype=np.float32))
    assert np.isfinite(vectors).all()


def test_different_voices_are_told_apart_more_than_one_voice_from_itself(session: Any) -> None:
    clips = vowels(6, 6.0, seed=3)
    first, second = embed(session, clips[:, : 3 * RATE]), embed(session, clips[:, 3 * RATE :])
    scores = first @ second.T
    others = scores[~np.eye(len(scores), dtype=bool)]
    assert np.diag(scores).mean() > others.mean() + 0.2


@pytest.mark.shared_data
def test_speakers_it_never_heard_are_told_apart(session: Any, shared_data: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    pack = shared_data / "speech"
    with (pack / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev"]
    speakers = sorted({row["speaker"] for row in rows})[::8]
    vectors, subjects = [], []
    with contextlib.ExitStack() as stack:
        shards = {n: stack.enter_context(zipfile.ZipFile(pack / f"speech-{int(n):02d}.zip")) for n in "0123"}
        for row in (row for row in rows if row["speaker"] in speakers):
            wave, _ = soundfile.read(io.BytesIO(shards[row["shard"]].read(row["file"])), dtype="float32")
            vectors.append(embed(session, wave[None, : 3 * RATE])[0])
            subjects.append(row["speaker"])
    scores = np.stack(vectors) @ np.stack(vectors).T
    names = np.array(subjects)
    same = names[:, None] == names[None, :]
    upper = np.triu(np.ones_like(same), 1)
    mated, other = scores[same & upper], scores[~same & upper]
    thresholds = np.sort(mated)
    fnmr = np.arange(len(thresholds)) / len(thresholds)
    fmr = np.array([(other >= threshold).mean() for threshold in thresholds])
    eer = float(np.maximum(fnmr, fmr).min())
    assert eer <= 0.05
