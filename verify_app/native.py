"""Native libraries, loaded late and kept quiet: what goes wrong is told once, by a reason, not by their log lines."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

_QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


@cache
def opencv() -> Any:
    """The ``cv2`` module, without its log lines and without its grip on Qt.

    Importing ``opencv-python`` on Linux points Qt at plugins of its own that no other Qt can load;
    the variables are put back as they were.
    """
    before = {name: os.environ.get(name) for name in _QT_VARIABLES}
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # of the FFmpeg inside OpenCV; -8 is quiet
    import cv2

    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    with suppress(AttributeError):  # where a build has no logging module there are no log lines either
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


class _OneThread:
    """Keeps OpenCV to one thread while anybody wants that; several threads may at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._before = 0

    def enter(self) -> None:
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._before = opencv().getNumThreads()
                opencv().setNumThreads(1)

    def leave(self) -> None:
        with self._lock:
            self._wanted -= 1
            if self._wanted == 0:
                opencv().setNumThreads(self._before)


_one_thread = _OneThread()


@contextmanager
def one_thread_opencv() -> Iterator[None]:
    """Let OpenCV start no threads of its own for as long as the block runs: others keep the cores busy already."""
    _one_thread.enter()
    try:
        yield
    finally:
        _one_thread.leave()


class _Silencer:
    """Points the error stream at nowhere while anybody wants silence; several threads may at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._kept: int | None = None

    def enter(self) -> None:
        with self._lock:
            self._wanted += 1
            if self._wanted > 1:
                return
            try:
                sys.stderr.flush()
                self._kept = os.dup(2)
            except (OSError, AttributeError, ValueError):  # no error stream at all, as under pythonw
                self._kept = None
                return
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)

    def leave(self) -> None:
        with self._lock:
            self._wanted -= 1
            if self._wanted == 0 and self._kept is not None:
                os.dup2(self._kept, 2)
                os.close(self._kept)
                self._kept = None


_silencer = _Silencer()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what C code writes to the error stream to nowhere, for as long as the block runs.

    libjpeg, libpng and PortAudio know no other way to be silent. The stream belongs to the whole
    process, so keep the block to the one native call.
    """
    _silencer.enter()
    try:
        yield
    finally:
        _silencer.leave()
