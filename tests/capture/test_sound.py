"""Recordings of every kind become one channel of 16 000 samples a second."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from verify_app.capture.files import load_samples
from verify_app.capture.sound import clipped_share
from verify_app.domain import Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput

RATE = 16_000


def _tone(rate: int = RATE, seconds: float = 1.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    time = np.arange(int(rate * seconds)) / rate
    swell = 0.6 + 0.3 * np.sin(2 * np.pi * 3 * time)
    return (0.5 * swell * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def _load(file: Path) -> Sample:
    (sample,) = load_samples(file)
    assert sample.modality is Modality.VOICE
    assert sample.data.dtype == np.float32
    assert sample.data.ndim == 1
    assert np.abs(sample.data).max() <= 1
    return sample


def _likeness(sample: Sample, wanted: np.ndarray[Any, Any]) -> float:
    """Largest normalised correlation over delays of up to 100 ms (codecs have them)."""
    length = min(len(sample.data), len(wanted))
    a, b = sample.data[:length].astype(float), wanted[:length].astype(float)
    spectrum = np.fft.rfft(a, 2 * length) * np.conj(np.fft.rfft(b, 2 * length))
    correlation = np.fft.irfft(spectrum)
    near = np.concatenate([correlation[:1600], correlation[-1600:]])
    return float(near.max() / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "IMA_ADPCM"), ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"), ("W64", "PCM_16"),
        ("RF64", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"),
    ],
)  # fmt: skip
def test_every_encoding_gives_the_same_sound(tmp_path: Path, kind: str, subtype: str) -> None:
    file = tmp_path / "recording"
    soundfile.write(file, _tone(), RATE, format=kind, subtype=subtype)

    assert _likeness(_load(file), _tone()) > 0.98


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_every_sample_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    file = tmp_path / "recording.wav"
    soundfile.write(file, _tone(rate), rate)

    sample = _load(file)

    assert len(sample.data) == RATE
    assert _likeness(sample, _tone()) > 0.999
    assert sample.details["sample_rate"] == rate


def test_channels_are_mixed(tmp_path: Path) -> None:
    left, silent = _tone(), np.zeros(RATE, np.float32)
    file = tmp_path / "recording.wav"
    soundfile.write(file, np.stack([left, silent, left, silent, silent, silent], axis=1), RATE, subtype="FLOAT")

    assert np.allclose(_load(file).data, left / 3, atol=1e-6)


def test_channels_that_cancel_each_other_are_not_mixed(tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    soundfile.write(file, np.stack([_tone(), -_tone()], axis=1), RATE, subtype="FLOAT")

    assert np.allclose(_load(file).data, _tone(), atol=1e-6)


def test_loud_floating_point_files_are_scaled_not_cut(tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    soundfile.write(file, _tone() * 20_000, RATE, subtype="FLOAT")

    assert _likeness(_load(file), _tone()) > 0.999999


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "OGG", "W64", "FLAC", "MP3"])
def test_a_recording_cut_off_says_so(tmp_path: Path, kind: str) -> None:
    whole, file = tmp_path / "whole", tmp_path / "cut"
    soundfile.write(whole, _tone(seconds=8), RATE, format=kind)
    content = whole.read_bytes()
    file.write_bytes(content[: len(content) // 2])

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.FILE_TRUNCATED


def test_streamed_wav_with_unknown_length_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "piped.wav"
    soundfile.write(file, _tone(), RATE, format="WAV")
    content = bytearray(file.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    file.write_bytes(content)

    assert len(_load(file).data) == RATE


def test_three_hours_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    size = 3 * 3600 * 8000
    header = b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    with file.open("wb") as stream:
        stream.write(header + b"data" + struct.pack("<I", size))
        stream.truncate(size + 44)

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.AUDIO_TOO_LONG
    assert "180 minutes" in refusal.value.reason.message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    file = tmp_path / "recording.wav"
    samples = _tone()
    samples[5000] = bad
    soundfile.write(file, samples, RATE, subtype="FLOAT")

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.FILE_UNREADABLE


def test_no_samples_and_too_low_a_rate_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    soundfile.write(file, np.empty(0, np.float32), RATE)
    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)
    assert refusal.value.reason.code is ReasonCode.FILE_EMPTY

    soundfile.write(file, _tone(2000), 2000)
    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)
    assert refusal.value.reason.code is ReasonCode.FORMAT_UNSUPPORTED


def test_a_recording_shows_no_face(tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    soundfile.write(file, _tone(), RATE)

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file, Modality.FACE)

    assert refusal.value.reason.code is ReasonCode.MODALITY_MISMATCH


def test_clipping_is_seen_at_any_level_and_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    speech = rng.laplace(0, 0.1, 44_100).astype(np.float32)
    speech = np.convolve(speech, np.hanning(20) / 10, "same").astype(np.float32)
    speech /= np.abs(speech).max()
    overdriven = np.clip(speech * 5, -1, 1)
    file = tmp_path / "recording.wav"
    soundfile.write(file, overdriven * 0.3, 44_100)

    assert clipped_share(speech) < 0.001
    assert _load(file).details["clipped_share"] > 0.01
