"""Changed voices: copies of the training clips that count as other people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra (torch) is not installed")
pytest.importorskip("soxr")

from models.training.prepare_voices import RATE, change_speed, change_voice, move_formants
from models.training.voices_report import pitch


def vowel(hertz: float, formant: float, seconds: float = 1.5) -> np.ndarray:
    """A voice of one pitch with one resonance."""
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = hertz * np.arange(1, int(7_000 / hertz))
    gains = 1 / (1 + ((harmonics - formant) / 120) ** 2) + 0.01
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, len(harmonics))
    wave = np.sin(2 * np.pi * harmonics[:, None] * time + phases[:, None]) * gains[:, None]
    return np.asarray(0.05 * wave.sum(0), dtype=np.float32)


def resonance(wave: np.ndarray) -> float:
    """Mean frequency of the power between 600 and 2000 Hz."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    frequency = np.fft.rfftfreq(len(wave), 1 / RATE)
    band = (frequency > 600) & (frequency < 2_000)
    return float((frequency[band] * power[band]).sum() / power[band].sum())


@pytest.mark.parametrize("factor", [0.88, 1.14])
def test_formants_move_and_the_pitch_stays(factor: float) -> None:
    wave = vowel(125.0, 1_100.0)
    changed = move_formants(wave, factor)
    assert changed.shape == wave.shape
    assert pitch(changed) == pytest.approx(125.0, rel=0.02)
    # The envelope is a smooth one, and so is the measure: the mean moves most of the way.
    assert 0.4 < (resonance(changed) / resonance(wave) - 1) / (factor - 1) < 1.2


def test_a_factor_of_one_changes_nothing() -> None:
    wave = vowel(200.0, 900.0)
    assert np.abs(move_formants(wave, 1.0) - wave).max() < 1e-4


def test_copies_leave_out_development_clips_and_other_sources(tmp_path: Path) -> None:
    clip = np.asarray(20_000 * vowel(150.0, 1_000.0), np.int16)
    lengths = np.full(3, len(clip))
    np.save(tmp_path / "voices.npy", np.tile(clip, 3))
    np.savez(
        tmp_path / "voices-index.npz",
        start=np.arange(3) * len(clip),
        length=lengths,
        source=np.array(["libri", "libri", "ocean"]),
        split=np.array(["train", "dev", "train"]),
    )
    change_speed(tmp_path, 1.25, ["libri"])
    change_voice(tmp_path, 1)
    faster, changed = (dict(np.load(tmp_path / f"voices{stem}-index.npz")) for stem in ("@1.25", "~1"))
    assert faster["length"].tolist() == [round(len(clip) / 1.25), 0, 0]
    assert changed["length"][1] == 0
    assert (changed["length"][[0, 2]] > 0.8 * len(clip)).all()
    assert len(np.load(tmp_path / "voices~1.npy")) == changed["length"].sum()
