"""A worker that reads a device and keeps the newest sample: whoever looks never waits and never lags behind."""

from __future__ import annotations

import threading
from typing import Protocol

from verify_app.domain import Sample
from verify_app.reasons import VerifyAppError

_PATIENCE_SECONDS = 2.0


class Source(Protocol):
    """What a worker reads: a camera, or anything like one."""

    def read(self) -> Sample:
        """The next sample, waiting for it."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class Live:
    """Reads a source in a thread of its own until stopped; only the newest sample is kept."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._newest: Sample | None = None
        self._error: VerifyAppError | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
            self._thread.start()

    def latest(self, timeout: float = 0.0) -> Sample | None:
        """The newest sample that was not handed out yet, waiting up to ``timeout`` seconds for one.

        Raises:
            VerifyAppError: what stopped the source, once its last sample has been handed out.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._error is not None, timeout)
            sample, self._newest = self._newest, None
            if sample is None and self._error is not None:
                raise self._error
            return sample

    def stop(self) -> None:
        """Stop reading and let go of the device; a device that hangs is left to its own end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)
            self._thread = None

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                sample = self._source.read()
                with self._changed:
                    self._newest = sample
                    self._changed.notify_all()
        except VerifyAppError as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            self._source.close()
