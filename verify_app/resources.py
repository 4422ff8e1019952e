"""Where the models and the demonstration assets lie, in a checkout as in an installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    packed = _PACKAGE / "_resources" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def models_root() -> Path:
    """Folder with ``manifest.toml`` and one folder per model; the variable ``VERIFY_APP_MODELS`` overrides it."""
    chosen = os.environ.get("VERIFY_APP_MODELS")
    return Path(chosen).expanduser().resolve() if chosen else _folder("models")


def assets_root() -> Path:
    """Folder with the demonstration people, icons and templates."""
    return _folder("assets")
