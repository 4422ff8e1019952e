"""The shell tool, started as a user starts it: a process of its own with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What a run of the tool left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object it must be."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        assert found["exit_code"] == self.code
        return found

    @property
    def reason(self) -> str:
        """The reason code of a JSON answer."""
        reason = self.json["reason"]
        assert set(reason) == {"code", "message", "advice"}
        return str(reason["code"])


Tool = Callable[..., Answer]


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a user with an empty home, who has not configured anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VERIFY_APP_")}
    models = os.environ.get("VERIFY_APP_MODELS")
    if models:
        kept["VERIFY_APP_MODELS"] = models
    # XDG folders and the keyring of whoever runs the tests stay out of it.
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
        kept.pop(name, None)
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        **variables,
    }


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Runs ``verify-app`` with these arguments; every call of a test shares one home."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*arguments: str | Path, **variables: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "verify_app", *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=environment(home, **variables),
            timeout=600,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr or "--debug" in arguments
        return Answer(done.returncode, done.stdout, done.stderr)

    return run
