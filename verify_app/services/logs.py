"""The log: warnings and errors in one file of the data folder, never anything biometric."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from verify_app.services.settings import Settings

LARGEST = 1_000_000
"""A log longer than this, in bytes, is put aside (once) when the next run writes to it."""


class LogFile(logging.Handler):
    """Writes to a file that only this account can read, made when there is something to write.

    A log that cannot be written never stops the work.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(logging.WARNING)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size > LARGEST:
                self._file.replace(self._file.with_suffix(".old.log"))
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
                stream.write(self.format(record) + "\n")
        except OSError:
            return


def start_logging(settings: Settings, debug: bool = False) -> None:
    """Send warnings and errors to the log file, and with ``debug`` everything of ours to standard error."""
    handler = LogFile(settings.log_file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in [other for other in root.handlers if isinstance(other, LogFile)]:
        root.removeHandler(old)
    root.addHandler(handler)
    if debug:
        shown = logging.StreamHandler(sys.stderr)
        shown.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        ours = logging.getLogger("verify_app")
        ours.setLevel(logging.DEBUG)
        ours.addHandler(shown)
