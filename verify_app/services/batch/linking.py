"""The scores that hold together what one person shows in one file, from the calibration in force."""

from __future__ import annotations

from verify_app.domain import Modality
from verify_app.matching.linking import Linking
from verify_app.services import calibrations
from verify_app.services.application import Application

_FOLLOW_FMR = 1e-2
_SAME_FMR = (1e-5, 1e-4, 1e-3, 1e-2)


def linking(app: Application, modality: Modality) -> Linking:
    """The scores that hold parts together: lenient for neighbours, strict across gaps.

    Raises:
        StateError: NO_CALIBRATION and the like.
    """
    calibration = calibrations.active(app, modality)
    if calibration.similarity != "cosine":
        calibration = calibrations.active(app, modality, own=False)
    strictest = next((rate for rate in _SAME_FMR if calibration.supports(rate)), _FOLLOW_FMR)
    return Linking(float(calibration.threshold_at(_FOLLOW_FMR)), float(calibration.threshold_at(strictest)))
