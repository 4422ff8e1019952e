"""The voice encoder's measurements: who is compared with whom, the pitch of a voice, the tables and the curves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training.evaluate import all_pairs, rates
from models.training.measure_voice import described, pairs_between
from models.training.voice_conditions import RATE, coded, mix, telephone
from models.training.voices_report import NAMES, PANELS, draw, pitch, read, table


def hum(hertz: float, seconds: float = 1.5) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * harmonic * time) / harmonic for harmonic in range(1, 12))
    return np.asarray(0.1 * wave, dtype=np.float32)


@pytest.mark.parametrize("hertz", [95.0, 140.0, 220.0, 330.0])
def test_the_pitch_of_a_hum_is_its_fundamental(hertz: float) -> None:
    assert pitch(hum(hertz)) == pytest.approx(hertz, rel=0.03)


def test_noise_has_no_pitch() -> None:
    assert np.isnan(pitch(np.random.default_rng(0).normal(size=24_000).astype(np.float32)))


def test_a_probe_is_not_compared_with_its_own_clean_clip() -> None:
    chance = np.random.default_rng(1)
    vectors = chance.normal(size=(12, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    subjects = np.repeat(np.arange(4), 3)
    crossed = pairs_between(vectors, subjects, vectors, subjects, itself=False)
    every = all_pairs(vectors, subjects)
    # The same vectors on both sides: every pair twice, in either order.
    assert np.allclose(crossed.scores[::2], every.scores, atol=1e-6)
    assert crossed.mated.sum() == 2 * every.mated.sum()
    assert set(described(crossed, 0)) == set(rates(every))


def test_the_line_and_the_codecs_keep_the_length_and_lose_something() -> None:
    wave = hum(180.0)
    for changed in (telephone(wave), coded(wave, "MP3", "MPEG_LAYER_III"), coded(wave, "OGG", "OPUS")):
        assert len(changed) == len(wave)
        assert 0.5 < np.corrcoef(changed, wave)[0, 1] < 0.99999


def test_noise_is_mixed_at_the_ratio_asked_for() -> None:
    wave = hum(150.0)
    noise = np.random.default_rng(2).normal(size=4_000).astype(np.float32)
    added = mix(wave, noise, 5.0) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(added**2)) == pytest.approx(5.0, abs=0.1)


def test_measured_lines_become_a_table_and_a_picture(tmp_path: Path) -> None:
    conditions = {key for panel in PANELS.values() for key, _ in panel}
    lines = []
    for number, name in enumerate(NAMES):
        for condition in sorted(conditions):
            eer = 0.05 + 0.01 * number
            figures = {"eer": eer, "intervals": {"eer": [eer - 0.01, eer + 0.01]}}
            lines.append(json.dumps({"encoder": name, "condition": condition, **figures, "probe_only": figures}))
    measured = tmp_path / "measured.jsonl"
    measured.write_text("\n".join(lines))
    found = read([measured])
    text = table(found)
    assert "| mp3 | 5.0 (4.0–6.0) | 6.0 (5.0–7.0) | 7.0 (6.0–8.0) |" in text
    assert "| telephone, the probe alone |" in text
    draw(found, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "curves.png").stat().st_size < 150_000
