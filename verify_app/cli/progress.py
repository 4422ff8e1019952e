"""Progress on standard error: what is done, how fast, and how long it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from verify_app.services.jobs import ProgressCallback
from verify_app.services.pace import Pace, duration

SMALLEST_STEP = 0.2
"""Seconds between two updates on a terminal."""
FIRST_LINE, NEXT_LINES = 2, 10
"""Elsewhere, seconds until the first line and between the next ones."""


@contextmanager
def shown_progress(label: str, unit: str = "files") -> Iterator[ProgressCallback]:
    """Show progress while the block runs; nothing when it is over in a blink."""
    line = _ProgressLine(label, unit)
    try:
        yield line
    finally:
        line.clear()


class _ProgressLine:
    def __init__(self, label: str, unit: str) -> None:
        self._label, self._unit = label, unit
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._pace = Pace()
        self._wait: float = SMALLEST_STEP if self._terminal else FIRST_LINE
        self._width = 0

    def __call__(self, done: int, total: int, message: str = "") -> None:
        now = time.monotonic()
        self._pace.update(done, total, now)
        if now - self._last < self._wait:
            return
        self._last = now
        self._wait = SMALLEST_STEP if self._terminal else NEXT_LINES
        text = f"{self._label}: {done} of {total} {self._unit}"
        rate, left = self._pace.rate, self._pace.seconds_left
        if rate is not None and left is not None:
            text += f", {rate:.1f} a second, {duration(left)} left"
        text += f", {message}" if message else ""
        if self._terminal:
            text = text[:78]
            print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
            self._width = len(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal and self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)
