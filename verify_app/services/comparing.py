"""Probes against one subject's references: the step every decision shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify_app.domain import Comparison, Decision, Embedding, FloatArray, Modality
from verify_app.services import calibrations
from verify_app.services.application import Application

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.matching.similarity import Similarity


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
    from verify_app.matching.records import similarity_of

    target = app.settings.target_fmr if target_fmr is None else target_fmr
    comparisons: list[Comparison] = []
    used: dict[Modality, Calibration] = {}
    for modality, embeddings in probes.items():
        vectors = references[modality]
        calibration = calibrations.active(app, modality, len(vectors), own=own_calibration)
        used[modality] = calibration
        comparisons.append(compare_one(embeddings, vectors, similarity_of(calibration, vectors.shape[1])))
    return decide(comparisons, used, target)


def compare_one(probes: Sequence[Embedding], references: FloatArray, similarity: Similarity) -> Comparison:
    """One or more probes against the combined references: a score, which the decision gives its meaning.

    The score of several probes is the mean of their scores. For a non-mated subject a mean varies no more than
    one score does, so the false-match rate predicted for one probe stays on the safe side.
    """
    from verify_app.matching.references import combine

    vectors = np.stack([probe.vector for probe in probes])
    scores = similarity.compare(vectors, combine(references)[None, :])
    return Comparison(
        modality=probes[0].modality,
        score=float(np.mean(scores)),
        similarity=similarity.name,
        references=len(references),
        quality=float(np.mean([probe.quality.score for probe in probes])),
        contract_id=probes[0].contract.id,
    )
