"""Probes against one subject's references: the step every decision shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify_app.domain import Comparison, Decision, Embedding, FloatArray, Modality
from verify_app.reasons import ReasonCode, StateError
from verify_app.services import calibrations
from verify_app.services.application import Application

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration


def decide_for(
    app: Application,
    probes: Mapping[Modality, Sequence[Embedding]],
    references: Mapping[Modality, FloatArray],
    target_fmr: float | None,
    *,
    own_calibration: bool = True,
) -> Decision:
    """Compare probes with the references of one subject and decide.

    Args:
        app: the application.
        probes: what was presented, by modality, under the present contracts.
        references: float32 [n, d] per modality, the subject's templates under the same contracts.
        target_fmr: false-match rate of the operating point; None for the one in the settings.
        own_calibration: whether the user's own calibration may be looked up in the store.
    """
    from verify_app.matching.decision import decide

    target = app.settings.target_fmr if target_fmr is None else target_fmr
    comparisons: list[Comparison] = []
    used: dict[Modality, Calibration] = {}
    for modality, embeddings in probes.items():
        vectors = references[modality]
        calibration = calibrations.active(app, modality, len(vectors), own=own_calibration)
        used[modality] = calibration
        comparisons.append(compare_one(embeddings, vectors, calibration, target))
    return decide(comparisons, target, used)


def compare_one(
    probes: Sequence[Embedding], references: FloatArray, calibration: Calibration, target_fmr: float
) -> Comparison:
    """One comparison of one or more probes with the combined references, under a calibration.

    The score of several probes is the mean of their scores: for a non-mated subject the mean varies no more
    than one score does, so the predicted false-match rate stays on the safe side.
    """
    from verify_app.matching.references import combine
    from verify_app.matching.similarity import similarity

    contract = probes[0].contract
    if any(probe.contract.id != calibration.contract_id for probe in probes):
        raise StateError(
            ReasonCode.CONTRACT_MISMATCH,
            f"The calibration “{calibration.name}” was fitted for another {probes[0].modality} encoder.",
            "Fit it again with the present encoder.",
        )
    vectors = np.stack([probe.vector for probe in probes])
    scores = similarity(calibration.similarity).compare(vectors, combine(references)[None, :])
    score = float(np.mean(scores))
    return Comparison(
        modality=probes[0].modality,
        score=score,
        similarity=calibration.similarity,
        references=len(references),
        quality=float(np.mean([probe.quality.score for probe in probes])),
        contract_id=contract.id,
        llr=float(calibration.llr(score)),
        predicted_fmr=calibration.predicted_fmr(score),
        threshold=float(calibration.threshold_at(target_fmr)),
        calibration=calibration.name,
    )
