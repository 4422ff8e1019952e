"""The scores that hold together what one person shows in one file, from the calibration in force."""

from __future__ import annotations

from verify_app.domain import Modality
from verify_app.matching.linking import Linking
from verify_app.services import calibrations
from verify_app.services.application import Application
from verify_app.services.batch.spec import JobSpec

_FOLLOW_FMR = 1e-2
_SAME_FMR = (1e-5, 1e-4, 1e-3, 1e-2)


def linking(app: Application, spec: JobSpec) -> Linking | None:
    """The scores that hold parts together: lenient for neighbours, strict across gaps; None for jobs of whole files.

    Raises:
        StateError: NO_CALIBRATION and the like.
    """
    if spec.aligned or (spec.modality is Modality.VOICE and not spec.segments):
        return None
    calibration = calibrations.active(app, spec.modality)
    if calibration.similarity != "cosine":
        calibration = calibrations.active(app, spec.modality, own=False)
    strictest = next((rate for rate in _SAME_FMR if calibration.supports(rate)), _FOLLOW_FMR)
    return Linking(float(calibration.threshold_at(_FOLLOW_FMR)), float(calibration.threshold_at(strictest)))
