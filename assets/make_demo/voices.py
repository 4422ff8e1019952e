"""Voices of the demo people: nobody's recording, but rule-based (formant) synthesis.

``espeak-ng`` speaks; playing its speech at another rate changes the length of the vocal
tract, and a fixed spectral colour is the person's own. Samples of one person differ in the
sentence, the pace, the loudness, the room and the background noise.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin2

Floats = NDArray[np.float32]
RATE = 16_000

SENTENCES = (
    "Good morning, I would like to come in, my name should be on the list for today.",
    "The river was quiet in the evening, and we walked home along the old stone wall.",
    "Please hold the door for a moment while I carry these two boxes up the stairs.",
    "She planted seven yellow roses beside the kitchen window before the spring rain.",
    "If the weather stays fine, we could take the early train and be there by noon.",
    "My voice is my own, and I am happy to lend a little of it to this machine.",
)


@dataclass(frozen=True)
class Voice:
    """``name``: espeak-ng voice and variant; ``pitch`` 0 to 99; ``tract``: length of the vocal
    tract against the synthesiser's (1.1 is a tenth longer, deeper); ``colour``: gains in dB at
    300, 1 000, 2 200, 4 000 and 7 000 Hz; ``pace``: words per minute."""

    name: str
    pitch: int
    tract: float
    colour: tuple[float, float, float, float, float]
    pace: int = 160


@dataclass(frozen=True)
class Take:
    """One recording: which sentence, how it is said, where."""

    sentence: int
    pace: float = 1.0
    pitch: int = 0
    level: float = 0.25  # peak
    room: float = 0.0  # seconds of reverberation
    noise: float = 45.0  # dB below the speech


def speak(voice: Voice, take: Take, rng: np.random.Generator) -> Floats:
    """A clip, float32 [T], 16 kHz mono, -1 to 1."""
    dry, rate = _synthesised(voice, take)
    clip = soxr.resample(dry, rate / voice.tract, RATE).astype(np.float32)
    loud = np.flatnonzero(np.abs(clip) > 0.01 * np.abs(clip).max())
    clip = np.pad(clip[loud[0] : loud[-1]], RATE // 5)
    clip = fftconvolve(clip, _colour(voice), mode="same")
    if take.room:
        clip = fftconvolve(clip, _room(take.room, rng))[: len(clip)]
    speech = np.sqrt(np.mean(clip**2))
    hiss = fftconvolve(rng.normal(0, 1, len(clip)), firwin2(65, [0, 0.05, 0.3, 1], [1, 1, 0.4, 0.15]), mode="same")
    clip = clip + hiss / hiss.std() * speech * 10 ** (-take.noise / 20)
    return (clip * take.level / np.abs(clip).max()).astype(np.float32)


def _synthesised(voice: Voice, take: Take) -> tuple[Floats, int]:
    # The change of rate also slows speech down: ask for it faster by as much.
    pace = round(voice.pace * take.pace * voice.tract)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice.name, "-p", str(voice.pitch + take.pitch), "-s", str(pace), "-w", str(path)]
        subprocess.run([*command, SENTENCES[take.sentence]], check=True)
        speech, rate = soundfile.read(path, dtype="float32")
    return speech, int(rate)


def _colour(voice: Voice) -> Floats:
    edges = np.array([0, 300, 1000, 2200, 4000, 7000, RATE / 2])
    gains = np.array([voice.colour[0], *voice.colour, voice.colour[-1]])
    return firwin2(129, edges / (RATE / 2), 10 ** (gains / 20)).astype(np.float32)


def _room(seconds: float, rng: np.random.Generator) -> Floats:
    """Direct sound and a decaying tail, 60 dB down after ``seconds``."""
    t = np.arange(round(seconds * RATE)) / RATE
    tail = rng.normal(0, 1, len(t)) * 10 ** (-3 * t / seconds)
    tail *= 0.35 / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def save(clip: Floats, path: Path) -> None:
    """Write Ogg Opus, mono, 16 kHz."""
    with soundfile.SoundFile(path, "w", RATE, 1, format="OGG", subtype="OPUS") as file:
        file.write(clip)
