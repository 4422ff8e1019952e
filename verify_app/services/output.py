"""Files that results go to, checked before the work and not after it."""

from __future__ import annotations

import os
from pathlib import Path

from verify_app.reasons import ReasonCode, UsageError


def output_file(path: str | Path) -> Path:
    """The file, when it can be written.

    Raises:
        UsageError: its folder is missing or closed, or it is a folder itself.
    """
    file = Path(path).expanduser()
    folder = file.parent
    if not folder.is_dir():
        problem = f"there is no folder {folder}"
    elif file.is_dir():
        problem = "it is a folder"
    elif not os.access(file if file.exists() else folder, os.W_OK):
        problem = "it is not allowed"
    else:
        return file
    raise UsageError(ReasonCode.USAGE, f"{file} cannot be written: {problem}.", "Choose another file.")
