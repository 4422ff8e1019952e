"""Getting the window going again when a file of the user's cannot be used; nothing is deleted."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import PlatformDirs

from verify_app.services.settings import FILE_NAME


def set_settings_aside(home: str | None = None) -> Path:
    """Rename the settings file so that the defaults hold; returns where the old one is kept.

    Args:
        home: the one folder for data and configuration, as for ``load_settings``.

    Raises:
        OSError: it cannot be renamed.
    """
    home = home or os.environ.get("VERIFY_APP_HOME")
    folder = Path(home) / "config" if home else Path(PlatformDirs("verify-app", appauthor=False).user_config_dir)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return (folder / FILE_NAME).rename(folder / f"settings-set-aside-{stamp}.toml")
