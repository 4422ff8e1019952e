"""Long recordings cut into stretches in which one person speaks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from verify_app.domain import FloatArray
from verify_app.voice.speech import RATE
from verify_app.voice.stretches import LONGEST_SECONDS, Stretch, StretchFinder


def never(_left: FloatArray, _right: FloatArray) -> bool:
    return False


def quiet(seconds: float) -> FloatArray:
    return np.random.default_rng(2).normal(0, 1e-3, round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def voice(repository: Path) -> FloatArray:
    samples, rate = soundfile.read(repository / "assets" / "demo" / "ada" / "voice-reference-1.ogg", dtype="float32")
    return np.asarray(soxr.resample(samples, rate, RATE), np.float32)


def stretches(finder: StretchFinder, waveform: FloatArray) -> list[Stretch]:
    found = [one for start in range(0, len(waveform), RATE) for one in finder.feed(waveform[start : start + RATE])]
    return [*found, *finder.finish()]


@pytest.mark.parametrize(("pause", "joined"), [(0.3, True), (0.65, False)])
def test_a_word_after_a_longer_pause_is_not_joined_unheard(voice: FloatArray, pause: float, joined: bool) -> None:
    """Less than a second of speech cannot be told apart by voice, only by the pause before it."""
    spoken = voice[: 3 * RATE]
    word = voice[RATE : RATE + RATE * 7 // 10]
    waveform = np.concatenate([spoken, quiet(pause), word, quiet(2)])
    (found,) = stretches(StretchFinder(never), waveform)
    assert (found.end > 3 + pause) is joined


def test_speech_without_a_pause_is_cut_after_ten_seconds_and_silence_is_forgotten(voice: FloatArray) -> None:
    finder = StretchFinder(lambda _left, _right: True)
    found = stretches(finder, np.concatenate([quiet(20), *[voice[RATE // 2 : -RATE // 2]] * 4]))
    assert len(found) >= 2
    assert found[0].start > 19.5
    for one in found:
        assert 1.0 <= one.end - one.start <= LONGEST_SECONDS
        assert len(one.waveform) >= round((one.end - one.start) * RATE)
    assert all(before.end <= after.start for before, after in pairwise(found))

    list(finder.feed(quiet(30)))
    assert len(finder._heard) < 3 * RATE
