"""A folder of pictures to work on. They show texture, not faces: taken as aligned crops, any picture is encoded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pytest

from verify_app.services.application import Application
from verify_app.services.settings import load_settings

PICTURES = 60


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``person-0`` … ``person-5`` of ten pictures each, and three files that cannot be used."""
    folder = tmp_path_factory.mktemp("batch") / "pictures"
    random = np.random.default_rng(7)
    for number in range(PICTURES):
        person = folder / f"person-{number // 10}"
        person.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 255, (8, 8, 3), np.uint8)
        cv2.imwrite(str(person / f"{number:03}.png"), cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC))
    (folder / "person-0" / "empty.png").write_bytes(b"")
    (folder / "person-1" / "notes.jpg").write_text("not a picture")
    (folder / "person-2" / "cut.png").write_bytes((folder / "person-2" / "020.png").read_bytes()[:300])
    return folder


class Batch(Protocol):
    """Starts ``verify-app batch`` with its own home, and waits for its end unless told not to."""

    def __call__(self, home: Path, *arguments: str | Path | int, wait: bool = True) -> subprocess.Popen[str]: ...


@pytest.fixture(scope="session")
def batch() -> Batch:
    """Starts ``verify-app batch``."""
    return _start


def _start(home: Path, *arguments: str | Path | int, wait: bool = True) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "verify_app", "batch", *map(str, arguments)],
        env={**os.environ, "VERIFY_APP_HOME": str(home), "VERIFY_APP_PASSPHRASE": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if wait:
        process.communicate(timeout=120)
    return process


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """An application with a home of its own."""
    monkeypatch.setenv("VERIFY_APP_PASSPHRASE", "")
    with Application(load_settings(tmp_path / "home"), warn=lambda text: None) as opened:
        yield opened


def picture(path: Path, seed: int) -> Path:
    """A texture of 112 × 112 pixels, a different one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    path.write_bytes(cv2.imencode(".png", cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC))[1].tobytes())
    return path


def patience(seconds: float) -> float:
    """So many seconds on an idle machine; longer where more processes want the cores than there are."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return seconds * max(1.0, load / (os.cpu_count() or 1))
