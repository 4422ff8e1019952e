"""From recordings to embeddings: speech is found, measured and encoded."""

from __future__ import annotations

import csv
import io
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from verify_app.capture.sound import clipped_share
from verify_app.domain import FloatArray, Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.voice.pipeline import VoicePipeline
from verify_app.voice.quality import assess, measure
from verify_app.voice.spectrogram import spectrogram
from verify_app.voice.speech import MAX_SPEECH_SECONDS, RATE, Speech, SpeechFinder


def _sample(waveform: FloatArray, **details: float) -> Sample:
    return Sample(Modality.VOICE, np.asarray(waveform, np.float32), "clip.wav", "00", details=details)


def _code(pipeline: VoicePipeline, sample: Sample) -> ReasonCode:
    with pytest.raises(UnusableInput) as refusal:
        pipeline.analyse(sample)
    assert refusal.value.reason.message.startswith("clip.wav")
    assert refusal.value.reason.advice
    return refusal.value.reason.code


@pytest.fixture(scope="session")
def tiny(tiny_models: Path) -> VoicePipeline:
    return VoicePipeline(load_manifest(tiny_models))


@pytest.fixture(scope="session")
def talk(shared_data: Path) -> FloatArray:
    """Some ten seconds of one person speaking, with pauses."""
    with (shared_data / "speech" / "index.csv").open(encoding="utf-8") as table:
        row = next(row for row in csv.DictReader(table) if row["source"] == "libri" and float(row["seconds"]) > 9)
    with zipfile.ZipFile(shared_data / "speech" / f"speech-{int(row['shard']):02d}.zip") as archive:
        waveform, rate = soundfile.read(io.BytesIO(archive.read(row["file"])), dtype="float32")
    assert rate == RATE
    return np.asarray(waveform, np.float32)


def test_silence_and_noise_are_no_speech(tiny: VoicePipeline) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(4 * RATE) / RATE

    assert _code(tiny, _sample(np.zeros(4 * RATE))) is ReasonCode.AUDIO_SILENT
    assert _code(tiny, _sample(rng.normal(0, 1e-4, 4 * RATE))) is ReasonCode.AUDIO_SILENT
    assert _code(tiny, _sample(rng.normal(0, 0.1, 4 * RATE))) is ReasonCode.NO_SPEECH
    assert _code(tiny, _sample(0.3 * np.sin(2 * np.pi * 1000 * time))) is ReasonCode.NO_SPEECH
    assert _code(tiny, _sample(np.full(3, 0.5))) is ReasonCode.NO_SPEECH


def test_pictures_are_no_recordings(tiny: VoicePipeline) -> None:
    picture = Sample(Modality.FACE, np.zeros((64, 64, 3), np.uint8), "clip.wav", "00")
    with pytest.raises(UnusableInput) as refusal:
        tiny.analyse(picture)
    assert refusal.value.reason.code is ReasonCode.MODALITY_MISMATCH


@pytest.mark.shared_data
def test_speech_is_found_where_it_is(tiny: VoicePipeline, talk: FloatArray) -> None:
    pause = np.random.default_rng(0).normal(0, 0.001, 3 * RATE).astype(np.float32)
    first, second = talk[: 3 * RATE], talk[3 * RATE : 6 * RATE]
    analysis = tiny.analyse(_sample(np.concatenate([pause, first, pause, second])))

    spoken = np.zeros(12 * RATE, bool)
    for begin, end in analysis.segments:
        spoken[int(begin * RATE) : int(end * RATE)] = True
    assert spoken[: 3 * RATE].mean() < 0.1
    assert spoken[6 * RATE : 9 * RATE].mean() < 0.1
    assert spoken[3 * RATE : 6 * RATE].mean() > 0.6
    assert spoken[9 * RATE :].mean() > 0.6
    assert analysis.speech_seconds == pytest.approx(spoken.sum() / RATE, abs=0.05)
    assert all(before[1] < after[0] for before, after in pairwise(analysis.segments))


@pytest.mark.shared_data
def test_same_recording_same_embedding_at_any_level(tiny: VoicePipeline, talk: FloatArray) -> None:
    one, again, quiet = (tiny.encode(_sample(talk * gain), gates=False)[1].vector for gain in (1, 1, 0.01))

    assert np.array_equal(one, again)
    assert float(one @ quiet) > 0.98
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    batch = tiny.embed([tiny.analyse(_sample(talk[: 5 * RATE])), tiny.analyse(_sample(talk))])
    assert np.abs(batch[1].vector - one).max() < 1e-5


@pytest.mark.shared_data
def test_short_noisy_and_overdriven_speech_is_refused(tiny: VoicePipeline, talk: FloatArray) -> None:
    analysis = tiny.analyse(_sample(talk))
    speech, begin = analysis.speech, int(analysis.segments[0][0] * RATE)
    short = np.concatenate([np.zeros(RATE), talk[begin : begin + int(0.6 * RATE)], np.zeros(RATE)])
    overdriven = np.clip(talk / np.abs(talk).max() * 30, -1, 1)
    noise = np.random.default_rng(0).normal(0, 1, len(talk)).astype(np.float32)
    buried = talk + noise * float(np.sqrt(np.mean(speech**2)) * 1.5)

    assert _code(tiny, _sample(short)) is ReasonCode.SPEECH_TOO_SHORT
    assert _code(tiny, _sample(overdriven, clipped_share=clipped_share(overdriven))) is ReasonCode.AUDIO_CLIPPED
    assert _code(tiny, _sample(buried)) in (ReasonCode.AUDIO_NOISY, ReasonCode.NO_SPEECH)
    assert tiny.analyse(_sample(short), gates=False).quality.reasons


@pytest.mark.shared_data
def test_quality_falls_with_noise_and_with_less_speech(tiny: VoicePipeline, talk: FloatArray) -> None:
    noise = np.random.default_rng(0).normal(0, 1, len(talk)).astype(np.float32)
    louder = [tiny.analyse(_sample(talk + level * noise), gates=False).quality for level in (0, 0.005, 0.01, 0.02)]
    shorter = [tiny.analyse(_sample(talk[: int(seconds * RATE)]), gates=False).quality for seconds in (8, 4, 2)]

    for series in (louder, shorter):
        assert all(before.score > after.score for before, after in pairwise(series))
    ratios = [quality.measures["snr"] for quality in louder]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.shared_data
def test_long_recordings_give_twenty_seconds(tiny: VoicePipeline, talk: FloatArray) -> None:
    analysis = tiny.analyse(_sample(np.tile(talk, 6)))

    assert len(analysis.speech) == MAX_SPEECH_SECONDS * RATE
    assert MAX_SPEECH_SECONDS <= analysis.speech_seconds < MAX_SPEECH_SECONDS + 2
    assert analysis.spectrogram().shape == (257, len(analysis.speech) // 160 + 1)


@given(st.integers(0, 2000), st.integers(0, 2**32 - 1))
def test_the_finder_takes_any_waveform(samples: int, seed: int) -> None:
    waveform = np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)
    speech = SpeechFinder().find(waveform)

    assert len(speech.spoken) + len(speech.rest) == samples
    assert len(speech.spoken) <= len(speech.joined) <= samples
    assert 0 <= assess(measure(speech, 0.0)).score <= 1


def test_signal_to_noise_ratio_is_in_decibels() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 2 * RATE).astype(np.float32)
    for decibels in (5, 10, 20, 30):
        loud = rng.normal(0, 0.01 * np.sqrt(1 + 10 ** (decibels / 10)), 3 * RATE).astype(np.float32)
        measures = measure(Speech(((0.0, 3.0),), loud, noise, loud), 0.0)

        assert measures["snr"] == pytest.approx(decibels, abs=0.5)
        assert measures["level"] == pytest.approx(10 * np.log10(np.mean(loud**2)), abs=0.1)


def test_a_tone_is_a_line_in_the_spectrogram() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    picture = spectrogram(tone)

    assert picture.shape == (257, 101)
    assert (picture[:, 5:-5].argmax(axis=0) == 32).all()
    assert picture.max() == 0
    assert picture.min() == -80
    assert spectrogram(np.zeros(0, np.float32)).shape == (257, 4)
