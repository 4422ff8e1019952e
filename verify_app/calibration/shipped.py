"""The calibrations that come with a model, and the trials they were fitted to, in bins."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from verify_app.calibration.binned import BinnedTrials
from verify_app.calibration.model import Calibration
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, StateError

FILE_NAME = "calibration.json"
TRIALS_NAME = "trials.npz"


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


def write_trials(folder: Path, contract_id: str, trials: Mapping[int, TrialScores]) -> Path:
    """Write the trials behind the general calibrations, in bins, by number of references; returns the file."""
    arrays = {"contract": np.array(contract_id)}
    for references, scored in trials.items():
        arrays |= {f"{name}_{references}": column for name, column in BinnedTrials.of(scored).arrays().items()}
    path = folder / TRIALS_NAME
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def trials(folder: Path, contract_id: str, references: int) -> TrialScores:
    """The trials that the general calibration of the model in ``folder`` was fitted to, up to their bins.

    Raises:
        StateError: NO_CALIBRATION when none were shipped for so many references, CALIBRATION_INVALID when they
            cannot be read, or belong to another model than ``contract_id``.
    """
    path, advice = folder / TRIALS_NAME, "Install the application again."
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            made_for = str(stored["contract"])
            names = [name for name in stored.files if name.endswith(f"_{references}")]
            found = BinnedTrials.from_arrays({name.rpartition("_")[0]: stored[name] for name in names})
    except FileNotFoundError:
        raise StateError(
            ReasonCode.NO_CALIBRATION, "The encoder in use comes without its trials.", "Load samples of your own."
        ) from None
    except KeyError:
        raise StateError(
            ReasonCode.NO_CALIBRATION,
            f"The encoder in use comes without trials of {references} references.",
            "Ask for one reference, or for three.",
        ) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID, f"The shipped trials {path} cannot be read: {error}.", advice
        ) from None
    if made_for != contract_id:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The shipped trials {path} are of another model than the one in use.",
            advice,
        )
    return found.trials()
