"""How fast work goes and how long it will take: the same figures in the shell and in the window."""

from __future__ import annotations

import time
from collections import deque

WINDOW_SECONDS = 30.0
"""The rate is that of this last stretch, so that it follows when files get larger or a cache helps."""


class Pace:
    """Measures steps per second as they are reported; begins anew whenever the count falls back."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self.done = 0
        self.total = 0

    def update(self, done: int, total: int, now: float | None = None) -> None:
        """Take note that ``done`` of ``total`` steps are finished at the time ``now`` (monotonic seconds)."""
        now = time.monotonic() if now is None else now
        if done < self.done or (done and not self.done):
            self._marks.clear()  # the first step took the loading of models with it and says nothing of the next
        self.done, self.total = done, total
        if not self._marks or now - self._marks[-1][0] >= 0.1:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_SECONDS:
            self._marks.popleft()

    @property
    def rate(self) -> float | None:
        """Steps per second; None until something was measured."""
        if len(self._marks) < 2:
            return None
        (began, first), (ended, last) = self._marks[0], self._marks[-1]
        return (last - first) / (ended - began) if last > first and ended > began else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at this rate; None until something was measured."""
        rate = self.rate
        return None if rate is None else max(0, self.total - self.done) / rate


def duration(seconds: float) -> str:
    """A time span for people: ``1 h 5 min``, ``3 min 20 s``, ``8 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
