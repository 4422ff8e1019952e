"""The wheel carries everything: unpacked away from the checkout it finds its models, its demo, its icons."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def unpacked(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel, unpacked as an installer does it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(repository)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(unpacked: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "VERIFY_APP_HOME": str(home)}
    environment.pop("VERIFY_APP_MODELS", None)
    command = [sys.executable, "-m", "verify_app", *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=120)


def test_models_and_demo_are_inside(unpacked: Path, tmp_path: Path) -> None:
    where = "import verify_app; print(verify_app.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(str(unpacked))
    checked = run(unpacked, tmp_path, "models", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    shown = run(unpacked, tmp_path, "demo", "--report", str(tmp_path / "demo.html"))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert (tmp_path / "demo.html").stat().st_size > 50_000


def test_nothing_of_the_development_is_inside(unpacked: Path) -> None:
    names = {path.name for path in unpacked.rglob("*")}
    assert {"0001_people.sql", "verify.svg", "people.toml", "calibration.json"} <= names
    assert not {"training", "make_demo", "tests"} & names
