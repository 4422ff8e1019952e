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
_silence = threading.Lock()


@cache
def opencv() -> Any:
    """The ``cv2`` module, without its log lines and without its grip on Qt.

    Importing ``opencv-python`` on Linux points Qt at plugins of its own that no other Qt can load;
    the variables are put back as they were.
    """
    before = {name: os.environ.get(name) for name in _QT_VARIABLES}
    import cv2

    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    with suppress(AttributeError):  # where a build has no logging module there are no log lines either
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what C code writes to the error stream to nowhere, for as long as the block runs.

    libjpeg, libpng and PortAudio know no other way to be silent. One block at a time: the stream
    belongs to the whole process, so keep the block to the one native call.
    """
    with _silence:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError, ValueError):  # no error stream at all, as under pythonw
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
