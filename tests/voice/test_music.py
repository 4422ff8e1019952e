"""Music under speech: tones that stand still, blows that come on the beat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from models.quality.music import KINDS, mix
from verify_app.domain import FloatArray
from verify_app.reasons import ReasonCode
from verify_app.services.demo.people import demo_people
from verify_app.voice.music import beat, standing_tones
from verify_app.voice.quality import MAX_BEAT, MAX_STANDING_TONES, assess, measure
from verify_app.voice.speech import RATE, SpeechFinder


@pytest.fixture(scope="module")
def talks() -> list[FloatArray]:
    """What each of the demo people says, one after the other."""
    return [
        np.concatenate([soundfile.read(file, dtype="float32")[0] for file in person.enrol_voices])
        for person in demo_people()
    ]


def test_a_held_chord_stands_and_a_siren_does_not() -> None:
    time = np.arange(3 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * note * time) for note in (220, 277, 330, 440, 554))
    siren = np.sin(2 * np.pi * (600 * time + 250 * np.sin(2 * np.pi * 2 * time) / (2 * np.pi * 2)))

    assert standing_tones(np.asarray(chord, np.float32)) > 0.95
    assert standing_tones(np.asarray(siren, np.float32)) < 0.5


def test_a_loop_has_a_beat_and_noise_has_none() -> None:
    rng = np.random.default_rng(0)
    loop = np.tile(rng.normal(size=int(0.05 * RATE)), 1)
    clicks = np.zeros(6 * RATE, np.float32)
    for start in range(0, len(clicks) - len(loop), int(0.4 * RATE)):
        clicks[start : start + len(loop)] = loop

    assert beat(clicks) > 0.9
    assert beat(rng.normal(size=6 * RATE).astype(np.float32)) < 0.4


@given(st.integers(0, 4 * RATE), st.integers(0, 2**32 - 1))
def test_signs_of_music_are_numbers_for_any_sound(samples: int, seed: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)

    assert 0 <= standing_tones(sound) <= 1
    assert -1 <= beat(sound) <= 1.5
    assert standing_tones(np.zeros(samples, np.float32)) == beat(np.zeros(samples, np.float32)) == 0


def test_speech_alone_is_no_music(talks: list[FloatArray]) -> None:
    for talk in talks:
        speech = SpeechFinder().find(talk)

        assert ReasonCode.AUDIO_MUSIC not in [reason.code for reason in assess(measure(speech, 0.0)).reasons]


def test_chords_under_speech_are_noticed(talks: list[FloatArray]) -> None:
    noticed = 0
    for number, talk in enumerate(talks):
        music = KINDS["chords"](len(talk) / RATE, np.random.default_rng(number))
        quality = assess(measure(SpeechFinder().find(mix(talk, music, 0)), 0.0))
        noticed += ReasonCode.AUDIO_MUSIC in [reason.code for reason in quality.reasons]
    assert noticed >= len(talks) / 2


def test_the_louder_the_music_the_clearer_its_signs(talks: list[FloatArray]) -> None:
    chance = np.random.default_rng(0)
    chords, drums = (KINDS[kind](len(talks[0]) / RATE, chance) for kind in ("chords", "drums"))
    for sign, music, limit in ((standing_tones, chords, MAX_STANDING_TONES), (beat, drums, MAX_BEAT)):
        signs = [sign(mix(talks[0], music, ratio)) for ratio in (30, 15, 5)]

        assert all(before < after for before, after in pairwise(signs))
        assert signs[-1] > limit
