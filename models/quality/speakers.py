"""From which likeness on one speaker is believed: measured on training speakers, checked on development speakers.

    python -m models.quality.speakers    # writes speakers.json beside the voice encoder

Single-speaker speech of 4 to 16 s (a long recording, or recordings of one speaker one after the other, as they are
and harmed) gives the limit for each number of pieces; at most one in a hundred of them may fall below. Two voices,
one after the other, tell how many changes are found. A minute of one core; run it again when the encoder changes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.quality.recordings import RATE, Recording, Wave, harm, noises, read
from verify_app.encoders.manifest import load_manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.voice.speakers import FILE_NAME, MOST_PIECES, PIECE, likeness, pieces

FALSE_ALARMS = 0.01
COUNTS = tuple(range(2, MOST_PIECES + 1))
SPEAKERS = 150
DRAWS = 60
"""Development recordings of each kind and length."""


class Voices:
    """Speech of the speakers of a split, pauses included: the finder bridges most of them anyway."""

    def __init__(self, data: Path, split: str, chance: np.random.Generator) -> None:
        self.chance = chance
        self.own: dict[str, list[Wave]] = {}
        recordings: Sequence[Recording] = read(data / "speech", split, 4, chance)
        for recording in recordings:
            self.own.setdefault(recording.speaker, []).append(_trimmed(recording.sound))
        self.source = {recording.speaker: recording.source for recording in recordings}
        self.names = [name for name, sounds in self.own.items() if sum(map(len, sounds)) >= 2 * PIECE]
        self.noises = noises(data / "noise", held_out=split == "dev")

    def speech(self, name: str, samples: int) -> Wave | None:
        """Recordings of one speaker, one after the other, at one level; None when there is too little."""
        sounds = [self.own[name][n] for n in self.chance.permutation(len(self.own[name]))]
        joined = np.concatenate([sound / max(float(np.sqrt(np.mean(sound**2))), 1e-6) * 0.05 for sound in sounds])
        return np.asarray(joined[:samples], np.float32) if len(joined) >= samples else None

    def one(self, count: int, harmed: bool) -> Wave:
        """Speech of one speaker in so many pieces."""
        found = None
        while found is None:
            found = self.speech(self.names[self.chance.integers(len(self.names))], count * PIECE)
        return self.noisy(found) if harmed else found

    def noisy(self, sound: Wave) -> Wave:
        """A harm that leaves the length as it is."""
        while True:
            noisy = harm(sound, self.noises, [self.own[self.names[0]][0]], self.chance)
            if len(noisy) == len(sound):
                return noisy

    def two(self, count: int) -> Wave:
        """The same of two speakers of one source, one after the other; the second has 30 to 50 % of it."""
        while True:
            first = self.names[self.chance.integers(len(self.names))]
            others = [name for name in self.names if self.source[name] == self.source[first] and name != first]
            share = self.chance.uniform(0.3, 0.5)
            begin, end = int((1 - share) * count * PIECE), int(share * count * PIECE) + 1
            if others:
                one, other = self.speech(first, begin), self.speech(others[self.chance.integers(len(others))], end)
                if one is not None and other is not None:
                    return np.concatenate([one, other])


def lowest(encoder: OnnxEncoder, voices: Voices) -> dict[int, float]:
    """The limit for each number of pieces: all runs of so many of one speaker's, as they are and harmed."""
    found: dict[int, list[float]] = {count: [] for count in COUNTS}
    for name in voices.chance.permutation(voices.names)[:SPEAKERS]:
        samples = min(sum(map(len, voices.own[name])) // PIECE, MOST_PIECES) * PIECE
        speech = voices.speech(name, samples)
        for sound in () if speech is None else (speech, voices.noisy(speech)):
            vectors = encoder.encode(pieces(sound))
            for count in COUNTS:
                starts = range(0, len(vectors) - count + 1, count)
                found[count] += [likeness(vectors[start : start + count]) for start in starts]
    return {count: round(float(np.quantile(values, FALSE_ALARMS)), 3) for count, values in found.items()}


def likenesses(encoder: OnnxEncoder, sounds: Sequence[Wave]) -> Any:
    """The likeness within each recording."""
    return np.array([likeness(encoder.encode(pieces(sound))) for sound in sounds])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    entry = load_manifest().default("voice-encoder")
    encoder = OnnxEncoder(entry, threads=1)
    chance = np.random.default_rng(3)
    limits = lowest(encoder, Voices(arguments.data, "train", chance))
    dev, number, measured = Voices(arguments.data, "dev", chance), DRAWS, {}
    for count in COUNTS[:3] + COUNTS[-1:]:
        alone = likenesses(encoder, [dev.one(count, harmed=False) for _ in range(number)])
        noisy = likenesses(encoder, [dev.one(count, harmed=True) for _ in range(number)])
        joined = likenesses(encoder, [dev.two(count) for _ in range(number)])
        measured[count] = {
            "seconds": count * PIECE / RATE,
            "recordings of each kind": number,
            "false alarms": float((alone < limits[count]).mean()),
            "false alarms, harmed": float((noisy < limits[count]).mean()),
            "found": float((joined < limits[count]).mean()),
        }
        print(limits[count], measured[count], flush=True)
    record = {"contract": entry.contract.id, "lowest": limits, "development speakers": measured}
    file = entry.path.parent / FILE_NAME
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print("wrote", file)


def _trimmed(sound: Wave) -> Wave:
    """Without the silence at either end."""
    loud = np.flatnonzero(np.abs(sound) > 0.05 * float(np.abs(sound).max(initial=0.0)))
    return sound[loud[0] : loud[-1] + 1] if loud.size else sound


if __name__ == "__main__":
    main()
