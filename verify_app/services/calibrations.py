"""Which calibration holds for a comparison: the user's own, else the general one shipped with the encoder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, StateError
from verify_app.services.application import Application
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration


def active(app: Application, modality: Modality, references: int = 1, *, own: bool = True) -> Calibration:
    """The calibration for a comparison with so many references of a subject.

    Args:
        app: the application.
        modality: face or voice.
        references: how many references of the subject were combined.
        own: look for the user's own calibration first; False where the store must not be opened.

    Raises:
        StateError: NO_CALIBRATION, CALIBRATION_INVALID, CALIBRATION_EXPIRED.
    """
    contract_id = app.contract(modality).id
    calibration = (_own(app, modality, contract_id, references) if own else None) or _general(app, modality, references)
    if calibration is None:
        raise StateError(
            ReasonCode.NO_CALIBRATION,
            f"There is no calibration for the {modality} encoder in use, so no score has a meaning.",
            "Reinstall the application, or fit one with “verify-app calibrate”.",
        )
    calibration.check_valid(contract_id, calibration.similarity, datetime.now(UTC).date())
    return calibration


def _own(app: Application, modality: Modality, contract_id: str, references: int) -> Calibration | None:
    from verify_app.calibration.model import Calibration

    with store_errors():
        stored = app.store.active_calibration(modality.value, contract_id, references)
    return Calibration.from_json(stored.json) if stored is not None else None


def _general(app: Application, modality: Modality, references: int) -> Calibration | None:
    """Of the shipped ones, the one fitted with most references, but no more than there are."""
    from verify_app.calibration.model import choose
    from verify_app.calibration.shipped import general

    return choose(general(app.manifest.default(f"{modality.value}-encoder").path.parent), references)
