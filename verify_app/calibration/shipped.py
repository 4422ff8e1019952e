"""The calibrations that come with a model."""

from __future__ import annotations

import json
from pathlib import Path

from verify_app.calibration.model import Calibration
from verify_app.reasons import ReasonCode, StateError

FILE_NAME = "calibration.json"


def general(folder: Path) -> list[Calibration]:
    """Read the general calibrations of the model in ``folder``; a model without the file has none.

    Raises:
        StateError: CALIBRATION_INVALID when the file cannot be read as a list of calibrations.
    """
    path = folder / FILE_NAME
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The shipped calibration {path} cannot be read: {error}.",
            "Install the application again.",
        ) from None
    if not isinstance(records, list):
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The shipped calibration {path} is not a list.",
            "Install the application again.",
        )
    return [Calibration.from_dict(record) for record in records]


def write(folder: Path, calibrations: list[Calibration]) -> Path:
    """Write ``calibrations`` as the general ones of the model in ``folder``; returns the file."""
    path = folder / FILE_NAME
    text = json.dumps([calibration.as_dict() for calibration in calibrations], allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path
