"""The shell tool with the shipped models on the bundled demo people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import tool
from verify_app.reasons import StateError
from verify_app.services.demo.people import DemoPerson, demo_people

__all__ = ["tool"]


@pytest.fixture(scope="session")
def people(shipped_models: Path) -> tuple[DemoPerson, ...]:
    """The demo people, where the models can tell them apart."""
    for name in ("face-detector", "face-landmarks", "face-encoder", "voice-encoder"):
        if name.endswith("encoder") and not (shipped_models / name / "calibration.json").is_file():
            pytest.skip(f"{name} in {shipped_models} has no calibration yet")
        if not (shipped_models / name / "model.onnx").is_file():
            pytest.skip(f"there is no {name} in {shipped_models}")
    try:
        return demo_people()
    except StateError as error:
        pytest.skip(error.reason.message)
