"""Identify, one to many: who of the people enrolled is this, if anybody?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verify_app.domain import Decision, Embedding, FloatArray, Interval, Modality
from verify_app.reasons import Reason, ReasonCode, StateError
from verify_app.services import calibrations
from verify_app.services.application import Application
from verify_app.services.comparing import decide_for
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if
from verify_app.services.samples import SampleInput, SampleOutcome, accepted_by_modality, examine
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import Person

CANDIDATES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Somebody the samples may be of.

    Attributes:
        person: the stored person.
        decision: the comparison with this person alone.
        predicted_fpir: share of searches for people who are not enrolled that would name somebody with a score
            this high: 1 - (1 - FMR)^N for a gallery of N people. None where the calibration cannot tell.
    """

    person: Person
    decision: Decision
    predicted_fpir: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """The answer to a search.

    Attributes:
        reason: MATCHED or UNKNOWN_SUBJECT.
        candidates: the best candidates, best first; the first is the match when the reason is MATCHED.
        gallery: number of people searched.
        target_fpir: share of unknown people that may be named falsely at this operating point.
        samples: what became of each sample.
    """

    reason: Reason
    candidates: tuple[Candidate, ...]
    gallery: int
    target_fpir: float
    samples: tuple[SampleOutcome, ...]

    @property
    def match(self) -> Person | None:
        """Who it is, None for unknown."""
        return self.candidates[0].person if self.reason.code is ReasonCode.MATCHED else None


def identify(
    app: Application,
    items: Iterable[SampleInput],
    *,
    target_fpir: float | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Identification:
    """Search everybody enrolled, exactly; “unknown” is an answer.

    Somebody is named only when the best candidate would be verified at the target, and the rate at which a search
    of so many people names somebody falsely is within the target too.

    Raises:
        StateError: NOBODY_ENROLLED, CONTRACT_MISMATCH, NO_CALIBRATION.
        UnusableInput: the reason of the first sample, when none can be used.
    """
    target = app.settings.target_fmr if target_fpir is None else target_fpir
    outcomes = examine(app, items, progress=progress, cancelled=cancelled)
    probes = accepted_by_modality(outcomes)
    stop_if(cancelled)
    gallery = _gallery(app, probes)
    everybody = sorted({person_id for vectors in gallery.values() for person_id in vectors})
    with store_errors():
        names = {person.id: person for person in app.store.people()}
    # A person enrolled by one of two modalities given is compared by that one.
    candidates = []
    for person_id in _best(app, probes, gallery):
        references = {modality: vectors[person_id] for modality, vectors in gallery.items() if person_id in vectors}
        own_probes = {modality: probes[modality] for modality in references}
        decision = decide_for(app, own_probes, references, target)
        candidates.append(Candidate(names[person_id], decision, corrected(decision.predicted_fmr, len(everybody))))
    candidates.sort(key=_likelihood, reverse=True)
    reason = _reason(candidates[0], len(everybody), target)
    with store_errors():
        app.store.append_audit(
            "identify",
            candidates[0].person.id if reason.code is ReasonCode.MATCHED else None,
            {"reason": reason.code.value, "gallery": len(everybody), "target_fpir": target},
        )
    return Identification(reason, tuple(candidates), len(everybody), target, outcomes)


def corrected(fmr: Interval | None, gallery: int) -> Interval | None:
    """The chance that any of ``gallery`` non-mated comparisons reaches a score of this FMR: 1 - (1 - FMR)^N."""
    if fmr is None:
        return None
    rates = (fmr.value, fmr.low, fmr.high)
    value, low, high = (float(-np.expm1(gallery * np.log1p(-min(rate, 1 - 1e-15)))) for rate in rates)
    return Interval(value, low, high, fmr.confidence)


def _gallery(app: Application, probes: Mapping[Modality, Sequence[Embedding]]) -> dict[Modality, dict[str, FloatArray]]:
    """The references of everybody, by modality and person, under the present contracts."""
    gallery: dict[Modality, dict[str, FloatArray]] = {}
    with store_errors():
        for modality in probes:
            vectors: dict[str, list[FloatArray]] = {}
            for template in app.store.templates(app.contract(modality).id):
                vectors.setdefault(template.person_id, []).append(np.frombuffer(template.vector, "<f4"))
            if vectors:
                gallery[modality] = {person: np.stack(found) for person, found in vectors.items()}
        anybody = bool(app.store.people())
    if gallery:
        return gallery
    wanted = " or ".join(modality.value for modality in probes)
    if not anybody:
        advice = "Enrol somebody first: verify-app enroll NAME FILE…"
        raise StateError(ReasonCode.NOBODY_ENROLLED, "Nobody is enrolled.", advice)
    raise StateError(
        ReasonCode.NOBODY_ENROLLED,
        f"Nobody is enrolled by {wanted} with the encoder in use.",
        f"Enrol a {wanted} sample of each person.",
    )


def _best(
    app: Application,
    probes: Mapping[Modality, Sequence[Embedding]],
    gallery: Mapping[Modality, Mapping[str, FloatArray]],
) -> list[str]:
    """The best candidates of each modality, together; where several calibrations hold, the best of each."""
    from verify_app.calibration.model import UNFITTED
    from verify_app.matching.records import similarity_of
    from verify_app.matching.references import combine
    from verify_app.matching.search import search

    found: dict[str, None] = {}
    for modality, people in gallery.items():
        probe = np.stack([embedding.vector for embedding in probes[modality]])
        held = {count: calibrations.active(app, modality, count) for count in {len(one) for one in people.values()}}
        alike: dict[tuple[str, str], list[str]] = {}  # those whose scores are of one kind compete with each other
        for person_id, vectors in people.items():
            calibration = held[len(vectors)]
            kind = "" if calibration.similarity in UNFITTED else calibration.name
            alike.setdefault((calibration.similarity, kind), []).append(person_id)
        for ids in alike.values():
            similarity = similarity_of(held[len(people[ids[0]])], probe.shape[1])
            combined = np.stack([combine(people[person_id]) for person_id in ids])
            for candidate in search(probe, combined, CANDIDATES, similarity):
                found[ids[candidate.index]] = None
    return list(found)


def _likelihood(candidate: Candidate) -> float:
    return candidate.decision.llr if candidate.decision.llr is not None else -np.inf


def _reason(best: Candidate, gallery: int, target: float) -> Reason:
    people = "1 person" if gallery == 1 else f"{gallery} people"
    if best.decision.verified and best.predicted_fpir is not None and best.predicted_fpir.value <= target:
        return Reason(ReasonCode.MATCHED, f"This is {best.person.name}, of {people} searched.")
    return Reason(
        ReasonCode.UNKNOWN_SUBJECT,
        f"Nobody of the {people} enrolled is like enough.",
        "Try another sample, or enrol the person.",
    )
