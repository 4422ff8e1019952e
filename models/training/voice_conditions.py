"""What the voice encoders are measured on: the development clips, and what can happen to them.

Noise comes from the clips that training never saw.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.prepare_voices import RATE
from models.training.voices import HELD_OUT_CROP, NOISE_HELD_OUT_EVERY, Recordings, held_out_speakers

Wave = NDArray[np.float32]
Degradation = Callable[[int, Wave], Wave]

RATIOS = (20, 15, 10, 5, 0)
"""Signal-to-noise ratios in dB."""

SECONDS = (1, 2, 3, 5, 10)


def at_least(wave: Wave, samples: int) -> Wave:
    """The clip, repeated if it is shorter than ``samples``."""
    return wave if len(wave) >= samples else np.resize(wave, samples)


def mix(speech: Wave, noise: Wave, ratio: float) -> Wave:
    """Speech plus noise at a signal-to-noise ratio in dB over the whole clip."""
    noise = np.resize(noise, len(speech))
    power = float(np.mean(speech**2)) * 10 ** (-ratio / 10)
    return (speech + noise * np.sqrt(power / max(float(np.mean(noise**2)), 1e-12))).astype(np.float32)


def telephone(wave: Wave) -> Wave:
    """300 to 3 400 Hz, 8 kHz, 8-bit mu-law (G.711) and back to 16 kHz."""
    from scipy.signal import butter, resample_poly, sosfiltfilt

    narrow = sosfiltfilt(butter(4, (300, 3_400), "bandpass", fs=RATE, output="sos"), wave)
    low = resample_poly(narrow, 1, 2)
    peak = float(np.abs(low).max()) + 1e-9
    pressed = np.sign(low) * np.log1p(255 * np.abs(low) / peak) / np.log(256)
    steps = np.round(pressed * 127) / 127
    back = np.sign(steps) * np.expm1(np.log(256) * np.abs(steps)) / 255 * peak
    return np.asarray(resample_poly(back, 2, 1), dtype=np.float32)


def coded(wave: Wave, container: str, codec: str) -> Wave:
    """Through a lossy codec of libsndfile at its strongest compression, and back."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, wave, RATE, format=container, subtype=codec, compression_level=0.99)
    stream.seek(0)
    decoded, _ = soundfile.read(stream, dtype="float32")
    return np.asarray(decoded[: len(wave)], dtype=np.float32)


class Material:
    """Clips of the development speakers and what they are degraded with."""

    def __init__(self, cache: Path) -> None:
        pack = Recordings(cache, "voices", "resemblyzer")
        index = pack.index
        rows = np.flatnonzero(index["split"] == "dev")
        self.subjects = np.unique(index["speaker"][rows], return_inverse=True)[1].astype(np.int64)
        self.clips = [self._float(pack.clip(int(row))) for row in rows]
        self.rank = np.array([int(np.sum(self.subjects[:n] == s)) for n, s in enumerate(self.subjects)])
        self.recordings = [
            (number, self._float(pack.clip(int(row))))
            for number, speaker in enumerate(sorted(held_out_speakers(index)))
            for row in np.flatnonzero(index["speaker"] == speaker)
        ]
        self.read, self.readers = self.read_for(HELD_OUT_CROP)
        noises = np.load(cache / "noises.npy", mmap_mode="r")
        self.noises = [self._float(noises[row]) for row in range(0, len(noises), NOISE_HELD_OUT_EVERY)]

    @staticmethod
    def _float(samples: NDArray[np.int16]) -> Wave:
        return np.asarray(samples, dtype=np.float32) / np.float32(32768)

    def read_for(self, samples: int) -> tuple[list[Wave], NDArray[np.int64]]:
        """Up to five crops of every kept-out reader's one recording, and whose they are."""
        crops = [
            (reader, clip[part * samples : (part + 1) * samples])
            for reader, clip in self.recordings
            for part in range(min(5, len(clip) // samples))
        ]
        return [crop for _, crop in crops], np.array([reader for reader, _ in crops], dtype=np.int64)

    def recorded(self, ratio: float) -> Degradation:
        """Add a recorded sound at ``ratio`` dB."""

        def degrade(number: int, wave: Wave) -> Wave:
            chance = np.random.default_rng(number)
            noise = self.noises[int(chance.integers(len(self.noises)))]
            return mix(wave, np.roll(noise, int(chance.integers(len(noise)))), ratio)

        return degrade

    def talking(self, ratio: float) -> Degradation:
        """Add four held-out LibriSpeech readers at once at ``ratio`` dB."""

        def degrade(number: int, wave: Wave) -> Wave:
            chance = np.random.default_rng(number)
            voices = [self.read[int(at)] for at in chance.choice(len(self.read), 4, replace=False)]
            noise = sum(voice / (np.sqrt(np.mean(voice**2)) + 1e-6) for voice in voices)
            return mix(wave, np.asarray(noise, dtype=np.float32), ratio)

        return degrade

    def degradations(self) -> dict[str, Degradation]:
        """Everything a clip is put through, by name; a function of the clip's number and its samples."""
        found: dict[str, Degradation] = {
            "telephone": lambda _, wave: telephone(wave),
            "mp3": lambda _, wave: coded(wave, "MP3", "MPEG_LAYER_III"),
            "opus": lambda _, wave: coded(wave, "OGG", "OPUS"),
        }
        for ratio in RATIOS:
            found[f"recorded noise {ratio} dB"] = self.recorded(ratio)
            found[f"babble {ratio} dB"] = self.talking(ratio)
        return found

    def joined(self, seconds: float) -> tuple[list[Wave], NDArray[np.int64]]:
        """Two stretches of exactly ``seconds`` per speaker, cut from disjoint halves of the joined clips."""
        samples = int(seconds * RATE)
        waves, subjects = [], []
        for subject in range(int(self.subjects.max()) + 1):
            own = np.flatnonzero(self.subjects == subject)
            for half in np.array_split(own, 2):
                whole = np.concatenate([self.clips[n] for n in half])
                if len(whole) >= samples:
                    start = (len(whole) - samples) // 2
                    waves.append(whole[start : start + samples])
                    subjects.append(subject)
        return waves, np.array(subjects, dtype=np.int64)
