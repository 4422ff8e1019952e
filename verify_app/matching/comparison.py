"""One probe against the references of one subject."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify_app.domain import Comparison, Embedding
from verify_app.matching.references import combine
from verify_app.matching.similarity import Cosine, Similarity
from verify_app.reasons import ReasonCode, StateError


def compare(
    probe: Embedding | Sequence[Embedding], references: Sequence[Embedding], similarity: Similarity | None = None
) -> Comparison:
    """Compare a probe with the combined references of one subject.

    Args:
        probe: one embedding, or several of one modality and occasion, which are combined in the same way;
            then the quality is that of the best.
        references: at least one embedding of the subject.
        similarity: cosine when None.

    Returns:
        A comparison that has a score but no calibrated meaning yet; a decision adds it.

    Raises:
        StateError: CONTRACT_MISMATCH when the embeddings come from different models, NOT_ENROLLED when
            there is no reference.
    """
    probes = [probe] if isinstance(probe, Embedding) else list(probe)
    if not references or not probes:
        raise StateError(
            ReasonCode.NOT_ENROLLED, "There is no reference to compare with.", "Enrol the person with a sample first."
        )
    contract = probes[0].contract
    if any(other.contract != contract for other in [*probes, *references]):
        raise StateError(
            ReasonCode.CONTRACT_MISMATCH,
            "The probe and the references were made by different models and cannot be compared.",
            "Enrol the person again with the present model.",
        )
    chosen = similarity or Cosine()
    combined = combine(np.stack([reference.vector for reference in references]))
    one = probes[0].vector if len(probes) == 1 else combine(np.stack([embedding.vector for embedding in probes]))
    score = float(chosen.compare(one[None, :], combined[None, :])[0, 0])
    return Comparison(
        modality=probes[0].modality,
        score=score,
        similarity=chosen.name,
        references=len(references),
        quality=max(embedding.quality.score for embedding in probes),
        contract_id=contract.id,
    )
