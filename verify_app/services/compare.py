"""Compare two files, one to one, with nobody enrolled and no store opened."""

from __future__ import annotations

import numpy as np

from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.application import Application
from verify_app.services.comparing import decide_for
from verify_app.services.samples import SampleInput, SampleOutcome, examine, raise_first
from verify_app.services.verify import Verification


def compare(app: Application, a: SampleInput, b: SampleInput, *, target_fmr: float | None = None) -> Verification:
    """Decide whether two samples of one modality are of the same person; ``a`` is the reference.

    The general calibration is used: the user's own belongs to the enrolled people.

    Raises:
        UnusableInput: the reason of a sample that cannot be used, or MODALITY_MISMATCH.
        StateError: NO_CALIBRATION, MODEL_MISSING, MODEL_CORRUPT.
    """
    first, second = examine(app, [a]), examine(app, [b])
    for outcomes in (first, second):
        if not any(outcome.accepted for outcome in outcomes):
            raise_first(outcomes)
    references = [outcome.embedding for outcome in first if outcome.embedding is not None]
    probes = [outcome.embedding for outcome in second if outcome.embedding is not None]
    modality = references[0].modality
    if any(embedding.modality is not modality for embedding in (*references, *probes)):
        raise UnusableInput(
            ReasonCode.MODALITY_MISMATCH,
            f"{_name(first)} shows a {modality} and {_name(second)} a {probes[0].modality}: they cannot be compared.",
            "Give two images or two recordings.",
        )
    vectors = np.stack([embedding.vector for embedding in references])
    decision = decide_for(app, {modality: probes}, {modality: vectors}, target_fmr, own_calibration=False)
    return Verification(decision, (*first, *second))


def _name(outcomes: tuple[SampleOutcome, ...]) -> str:
    return outcomes[0].source
