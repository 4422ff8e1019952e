"""Verify a claim: is this sample of the person who is claimed?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verify_app.domain import Decision, FloatArray, Modality
from verify_app.reasons import ReasonCode, StateError
from verify_app.services.application import Application
from verify_app.services.comparing import decide_for
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress
from verify_app.services.references import references_of
from verify_app.services.samples import SampleInput, SampleOutcome, accepted_by_modality, examine
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import Person
    from verify_app.face.pipeline import FaceAnalysis
    from verify_app.voice.pipeline import VoiceAnalysis


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """A decision and what it was made from.

    Attributes:
        decision: the answer and its reason.
        samples: what became of each sample.
        person: who was claimed; None for a comparison of two files.
    """

    decision: Decision
    samples: tuple[SampleOutcome, ...]
    person: Person | None = None

    @property
    def analyses(self) -> tuple[FaceAnalysis | VoiceAnalysis, ...]:
        """The faces and the speech that were found."""
        return tuple(outcome.analysis for outcome in self.samples if outcome.analysis is not None)


def verify(
    app: Application,
    name: str,
    items: Iterable[SampleInput],
    *,
    target_fmr: float | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Verification:
    """Verify that the samples are of the person claimed; face and voice together are fused.

    Samples that cannot be used are left out and reported; when none can, the first refusal is raised. Who is
    enrolled by one of two modalities given is compared by that one, and the reason says so.

    Raises:
        StateError: NO_SUCH_PERSON, NOT_ENROLLED (by none of the modalities given), CONTRACT_MISMATCH, NO_CALIBRATION …
        UnusableInput: the reason of the first sample, when none can be used.
    """
    with store_errors():
        person = app.store.person(name)
    outcomes = examine(app, items, progress=progress, cancelled=cancelled)
    probes = accepted_by_modality(outcomes)
    references, left_out = _references(app, person, probes)
    compared = {modality: probes[modality] for modality in references}
    decision = decide_for(app, compared, references, target_fmr)
    if left_out:
        reason = replace(decision.reason, message=" ".join([decision.reason.message, *left_out]))
        decision = replace(decision, reason=reason)
    _audit(app, person.id, decision)
    return Verification(decision, outcomes, person)


def _references(
    app: Application, person: Person, modalities: Iterable[Modality]
) -> tuple[dict[Modality, FloatArray], list[str]]:
    """References by modality, and a sentence for each modality that the person is not enrolled by."""
    found: dict[Modality, FloatArray] = {}
    missing: list[StateError] = []
    for modality in modalities:
        try:
            found[modality] = references_of(app, person, modality)
        except StateError as error:
            if error.reason.code is not ReasonCode.NOT_ENROLLED:
                raise
            missing.append(error)
    if missing and not found:
        raise missing[0]
    return found, [f"{error.reason.message[:-1]}, which was not compared." for error in missing]


def _audit(app: Application, person_id: str, decision: Decision) -> None:
    with store_errors():
        app.store.append_audit(
            "verify",
            person_id,
            {
                "verified": decision.verified,
                "reason": decision.reason.code.value,
                "target_fmr": decision.target_fmr,
                "modalities": sorted(comparison.modality.value for comparison in decision.comparisons),
            },
        )
