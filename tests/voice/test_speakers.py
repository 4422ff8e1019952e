"""Several people in one recording: how pieces are compared, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from verify_app.domain import Contract, FloatArray, Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.reasons import ReasonCode, StateError, UnusableInput
from verify_app.services.demo.people import demo_people
from verify_app.voice.pipeline import VoicePipeline
from verify_app.voice.speakers import FILE_NAME, MOST_PIECES, PIECE, SpeakerLimits, likeness, pieces

CONTRACT = Contract("voice-encoder", "0" * 64, "speech-16k-1", 256, "l2")


def _unit(vectors: np.ndarray) -> FloatArray:  # type: ignore[type-arg]
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@given(st.integers(0, 30 * PIECE))
def test_pieces_lie_evenly_inside_the_speech(samples: int) -> None:
    speech = np.arange(samples, dtype=np.float32)
    found = pieces(speech)

    assert len(found) == (min(samples // PIECE, MOST_PIECES) if samples >= 2 * PIECE else 0)
    assert found.shape[1] == PIECE
    if len(found):
        assert found[0, 0] == 0
        assert found[-1, -1] == samples - 1
        assert (np.diff(found[:, 0]) >= PIECE - 1).all()


def test_two_voices_are_less_alike_than_one() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 64))
    alone = _unit(one + rng.normal(size=(6, 64)) * 0.4)
    joined = _unit(np.concatenate([np.tile(one, (4, 1)), np.tile(other, (2, 1))]) + rng.normal(size=(6, 64)) * 0.4)

    assert likeness(alone) > 0.8
    assert likeness(joined) < 0.5
    # Whoever speaks when: only the groups count.
    assert likeness(joined[[4, 0, 1, 5, 2, 3]]) == pytest.approx(likeness(joined), abs=1e-5)


def test_the_same_stretch_twice_is_one_voice() -> None:
    assert likeness(np.tile(_unit(np.ones((1, 8))), (3, 1))) == pytest.approx(1)


def test_limits_hold_for_one_encoder_file(tmp_path: Path) -> None:
    assert SpeakerLimits.read(tmp_path, CONTRACT) is None

    record = {"contract": CONTRACT.id, "lowest": {"2": 0.1, "3": 0.2}}
    (tmp_path / FILE_NAME).write_text(json.dumps(record), encoding="utf-8")
    found = SpeakerLimits.read(tmp_path, CONTRACT)
    assert found is not None
    assert found.lowest == {2: 0.1, 3: 0.2}
    assert SpeakerLimits.read(tmp_path, Contract("voice-encoder", "1" * 64, "speech-16k-1", 256, "l2")) is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"contract": "x"', f'{{"contract": "{CONTRACT.id}", "lowest": 3}}']
)
def test_limits_that_cannot_be_read_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(StateError) as refusal:
        SpeakerLimits.read(tmp_path, CONTRACT)
    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT


def _sample(sound: FloatArray) -> Sample:
    return Sample(Modality.VOICE, np.asarray(sound, np.float32), "talk.wav", "00")


def _talk(person: int) -> FloatArray:
    files = demo_people()[person]
    clips = [soundfile.read(file, dtype="float32")[0] for file in (*files.enrol_voices, *files.probe_voices)]
    return np.concatenate(clips)[: 12 * 16_000]


@pytest.fixture(scope="module")
def shipped(shipped_models: Path) -> VoicePipeline:
    return VoicePipeline(load_manifest(shipped_models))


def test_the_shipped_encoder_has_limits_of_its_own(shipped: VoicePipeline, shipped_models: Path) -> None:
    folder = load_manifest(shipped_models).default("voice-encoder").path.parent
    limits = SpeakerLimits.read(folder, shipped.contract)

    assert limits is not None, "run python -m models.quality.speakers"
    assert set(limits.lowest) == set(range(2, MOST_PIECES + 1))


def test_a_second_speaker_is_noticed_and_refused(shipped: VoicePipeline) -> None:
    people = [_talk(person) for person in range(len(demo_people()))]
    half = 6 * 16_000
    noticed = 0
    pairs = [(a, b) for a in range(len(people)) for b in range(a)]
    for a, b in pairs:
        joined = _sample(np.concatenate([people[a][:half], people[b][:half]]))
        analysis = shipped.analyse(joined, gates=False)
        if ReasonCode.SEVERAL_SPEAKERS in [reason.code for reason in analysis.quality.reasons]:
            noticed += 1
            with pytest.raises(UnusableInput) as refusal:
                shipped.analyse(joined)
            assert refusal.value.reason.code is ReasonCode.SEVERAL_SPEAKERS
            assert refusal.value.reason.advice
    assert noticed >= 0.5 * len(pairs)


def test_one_speaker_alone_is_let_through(shipped: VoicePipeline) -> None:
    for person in range(len(demo_people())):
        quality = shipped.analyse(_sample(_talk(person)), gates=False).quality

        assert ReasonCode.SEVERAL_SPEAKERS not in [reason.code for reason in quality.reasons]
        assert quality.measures["one_voice"] > 0.3
