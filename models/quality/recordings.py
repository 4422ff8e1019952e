"""Recordings of the speech pack, and what can happen to them on the way to a microphone."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.quality.music import mix

RATE = 16_000
LONGEST = 7.0
"""Seconds kept of a long recording: what people say to a microphone."""
Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """One recording and who speaks."""

    speaker: str
    source: str
    sound: Wave


def read(
    pack: Path, split: str, each: int, chance: np.random.Generator, speakers: int | None = None
) -> list[Recording]:
    """``each`` recordings of every speaker of a split (or of some, drawn); long ones are cut into several."""
    with (pack / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    own: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        own.setdefault(row["speaker"], []).append(row)
    names = sorted(own)
    if speakers is not None and speakers < len(names):
        names = [names[n] for n in sorted(chance.choice(len(names), speakers, replace=False))]
    shards = {shard: zipfile.ZipFile(pack / f"speech-{int(shard):02d}.zip") for shard in {row["shard"] for row in rows}}
    found = []
    for name in names:
        drawn = (
            own[name]
            if len(own[name]) <= each
            else [own[name][n] for n in chance.choice(len(own[name]), each, replace=False)]
        )
        for row in drawn:
            sound = _decoded(shards[row["shard"]].read(row["file"]))
            parts = [sound] if len(sound) < 2 * LONGEST * RATE else _parts(sound, each, chance)
            found += [Recording(name, row["source"], part) for part in parts]
    return found


def noises(pack: Path, held_out: bool) -> list[Wave]:
    """Recorded sounds; every fifth is held out of training."""
    with (pack / "index.csv").open(encoding="utf-8", newline="") as stream:
        names = [row["file"] for row in csv.DictReader(stream)]
    chosen = [name for number, name in enumerate(names) if (number % 5 == 0) == held_out]
    with zipfile.ZipFile(next(pack.glob("noise-*.zip"))) as archive:
        return [_decoded(archive.read(name)) for name in chosen]


def harm(sound: Wave, surroundings: list[Wave], voices: list[Wave], chance: np.random.Generator) -> Wave:
    """One of: recorded noise, babble, white noise, shortness, a room, the telephone, an overdriven input."""
    kind = chance.integers(0, 7)
    ratio = chance.uniform(0, 25)
    if kind == 0:
        return mix(sound, np.roll(_any(surroundings, chance), int(chance.integers(RATE))), ratio)
    if kind == 1:
        return mix(
            sound, sum((np.resize(_any(voices, chance), len(sound)) for _ in range(3)), np.zeros_like(sound)), ratio
        )
    if kind == 2:
        return mix(sound, chance.normal(size=len(sound)).astype(np.float32), ratio)
    if kind == 3:
        return _loudest(sound, int(chance.uniform(0.8, 3.0) * RATE))
    if kind == 4:
        return _in_a_room(sound, chance)
    if kind == 5:
        return _telephone(sound)
    limit = float(np.abs(sound).max()) * chance.uniform(0.03, 0.6)
    return np.asarray(np.clip(sound, -limit, limit), np.float32)


def _any(sounds: list[Wave], chance: np.random.Generator) -> Wave:
    return sounds[int(chance.integers(len(sounds)))]


def _loudest(sound: Wave, samples: int) -> Wave:
    if len(sound) <= samples:
        return sound
    power = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    start = int(np.argmax(power[samples:] - power[:-samples]))
    return sound[start : start + samples]


def _in_a_room(sound: Wave, chance: np.random.Generator) -> Wave:
    """A decaying tail of .2 to 1 s (60 dB) behind the direct sound."""
    from scipy.signal import fftconvolve

    time = np.arange(int(0.6 * RATE)) / RATE
    tail = chance.normal(size=len(time)) * 10 ** (-3 * time / chance.uniform(0.2, 1.0))
    tail /= np.sqrt(np.square(tail).sum())
    tail[0] = 10 ** (chance.uniform(-3, 10) / 20)
    return _at_most_full(fftconvolve(sound, tail)[: len(sound)])


def _telephone(sound: Wave) -> Wave:
    from scipy.signal import butter, sosfiltfilt

    return _at_most_full(sosfiltfilt(butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), sound))


def _at_most_full(sound: NDArray[np.floating]) -> Wave:
    return np.asarray(sound / max(1.0, float(np.abs(sound).max())), np.float32)


def _parts(sound: Wave, count: int, chance: np.random.Generator) -> list[Wave]:
    parts = []
    for _ in range(count):
        samples = int(chance.uniform(2.5, LONGEST) * RATE)
        start = int(chance.integers(0, len(sound) - samples))
        parts.append(sound[start : start + samples])
    return parts


def _decoded(content: bytes) -> Wave:
    import soundfile

    sound, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    if rate != RATE:
        raise SystemExit(f"a recording of the pack has a sample rate of {rate} Hz")
    return np.ascontiguousarray(sound[:, 0])
