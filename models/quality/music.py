"""Music made of numbers: what the check for music is measured on. The noise pack holds none.

python -m models.quality.music    # prints the limits for verify_app/voice/quality.py, and what is found
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verify_app.voice.music import beat, standing_tones
from verify_app.voice.quality import MAX_BEAT, MAX_STANDING_TONES
from verify_app.voice.speech import SpeechFinder

RATE = 16_000
Wave = NDArray[np.float32]


def chords(seconds: float, chance: np.random.Generator) -> Wave:
    """Three- and four-note chords, each note with its overtones, one chord every .6 to 2 seconds."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    start = 0.0
    while start < seconds:
        length = chance.uniform(0.6, 2.0)
        inside = (time >= start) & (time < start + length)
        root = 55 * 2 ** (chance.integers(12, 36) / 12)
        for step in chance.choice([[0, 4, 7], [0, 3, 7], [0, 4, 7, 10], [0, 3, 7, 10]][chance.integers(4)], 3):
            note = root * 2 ** (step / 12)
            for overtone in range(1, 6):
                strength = 0.6 ** (overtone - 1)
                sound[inside] += strength * np.sin(2 * np.pi * note * overtone * time[inside] + chance.uniform(0, 6))
        sound[inside] *= np.exp(-chance.uniform(0.2, 1.5) * (time[inside] - start))
        start += length
    return _level(sound)


def melody(seconds: float, chance: np.random.Generator) -> Wave:
    """One instrument, a note every .2 to .6 seconds, with a little vibrato."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    start = 0.0
    while start < seconds:
        length = chance.uniform(0.2, 0.6)
        inside = (time >= start) & (time < start + length)
        here = time[inside] - start
        note = 220 * 2 ** (chance.choice([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
        phase = 2 * np.pi * note * here + 0.3 * np.sin(2 * np.pi * 5.5 * here)
        for overtone in range(1, 7):
            sound[inside] += 0.7 ** (overtone - 1) * np.sin(overtone * phase)
        start += length
    return _level(sound)


def drums(seconds: float, chance: np.random.Generator) -> Wave:
    """A loop of bass drum, snare and hi-hat at 80 to 150 beats a minute."""
    samples = int(seconds * RATE)
    sound = np.zeros(samples + RATE)
    eighth = 30.0 / chance.uniform(80, 150)
    for number in range(int(seconds / eighth) + 1):
        at = int(number * eighth * RATE)
        short, long = np.arange(int(0.06 * RATE)) / RATE, np.arange(int(0.2 * RATE)) / RATE
        sound[at : at + len(short)] += 0.4 * chance.normal(size=len(short)) * np.exp(-60 * short)
        if number % 4 == 0:
            sound[at : at + len(long)] += (
                2 * np.sin(2 * np.pi * (50 * long + 4 * np.exp(-30 * long))) * np.exp(-15 * long)
            )
        if number % 4 == 2:
            sound[at : at + len(long)] += chance.normal(size=len(long)) * np.exp(-20 * long)
    return _level(sound[:samples])


KINDS = {"chords": chords, "melody": melody, "drums": drums}


def mix(speech: Wave, other: Wave, ratio: float) -> Wave:
    """Speech with another sound under it, ``ratio`` dB below over the whole clip; at most full scale."""
    other = np.resize(other, len(speech))
    wanted = float(np.mean(speech**2)) * 10 ** (-ratio / 10)
    both = speech + other * np.sqrt(wanted / max(float(np.mean(other**2)), 1e-12))
    return np.asarray(both / max(1.0, float(np.abs(both).max())), np.float32)


def _level(sound: NDArray[np.float64]) -> Wave:
    return np.asarray(0.3 * sound / max(float(np.abs(sound).max()), 1e-9), np.float32)


def main() -> None:
    """How common the signs are in training recordings without music, or how often the shipped limits are passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--limits", action="store_true", help="look at training recordings")
    parser.add_argument("--recordings", type=int, default=60, help="development recordings that are taken")
    arguments = parser.parse_args()
    chance = np.random.default_rng(9)
    (_limits if arguments.limits else _measure)(arguments.data, chance, arguments.recordings)


def _limits(data: Path, chance: np.random.Generator, _count: int) -> None:
    from models.quality.recordings import harm, noises, read

    finder = SpeechFinder()
    train = [one.sound for one in read(data / "speech", "train", 2, chance, 200)]
    sounds = noises(data / "noise", held_out=False)
    plain = [finder.find(sound).joined for sound in train[::2]]
    plain += [finder.find(harm(sound, sounds, train[:20], chance)).joined for sound in train[1::2]]
    for sign in (standing_tones, beat):
        values = [sign(speech) for speech in plain]
        rare = {share: round(float(np.quantile(values, share)), 3) for share in (0.5, 0.98, 0.995)}
        print(f"{sign.__name__} in {len(values)} recordings, quantiles: {rare}")


def _measure(data: Path, chance: np.random.Generator, count: int) -> None:
    from models.quality.recordings import read

    finder = SpeechFinder()
    dev = [one.sound for one in read(data / "speech", "dev", 1, chance)][:count]

    def told(sounds: list[Wave]) -> str:
        speech = [found.joined for found in map(finder.find, sounds) if len(found.joined) >= RATE]
        passed = [standing_tones(one) > MAX_STANDING_TONES or beat(one) > MAX_BEAT for one in speech]
        return f"{np.sum(passed)} of {len(passed)}"

    print(f"without music: {told(dev)} told to have some", flush=True)
    for name, music in KINDS.items():
        for ratio in (10, 0):
            mixed = [mix(sound, music(len(sound) / RATE, chance), ratio) for sound in dev[::3]]
            print(f"{name} {ratio} dB under the speech: {told(mixed)}", flush=True)


if __name__ == "__main__":
    main()
