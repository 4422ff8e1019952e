"""Enrol a person: samples to templates under the present contracts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verify_app.domain import Contract, ImageArray, Modality
from verify_app.reasons import Reason, ReasonCode, UsageError
from verify_app.services.application import Application
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if
from verify_app.services.samples import SampleInput, SampleOutcome, accepted_by_modality, examine
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import Person

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """Who was enrolled with what.

    Attributes:
        person: the stored person.
        outcomes: what became of each sample; the accepted ones are kept.
        created: False when the samples were added to a person who was enrolled before.
    """

    person: Person
    outcomes: tuple[SampleOutcome, ...]
    created: bool

    @property
    def accepted(self) -> tuple[SampleOutcome, ...]:
        """The samples that were kept."""
        return tuple(outcome for outcome in self.outcomes if outcome.accepted)


def enrol(
    app: Application,
    name: str,
    items: Iterable[SampleInput],
    *,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Enrolment:
    """Enrol a person, or add samples to one who is enrolled already.

    Good samples are kept, the others reported in the outcomes. When none is good nobody is created.

    Raises:
        UsageError: the name is empty or longer than 200 characters.
        UnusableInput: the reason of the first sample, when none can be used.
        StateError: the store or a model cannot be used.
    """
    name = check_name(name)
    person = find_person(app, name)
    outcomes = _without_known(app, person, examine(app, items, progress=progress, cancelled=cancelled))
    accepted_by_modality(outcomes)
    stop_if(cancelled)
    created = person is None
    with store_errors(), app.store.transaction():
        person = person or app.store.add_person(name)
        for outcome in outcomes:
            if outcome.accepted:
                _keep(app, person.id, outcome)
    return Enrolment(person, outcomes, created)


def check_name(name: str) -> str:
    """The name without surrounding space.

    Raises:
        UsageError: it is empty, too long, or has unprintable characters.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(
            ReasonCode.USAGE,
            f"A person's name is 1 to {LONGEST_NAME} printable characters.",
            "Give another name.",
        )
    return name


def find_person(app: Application, name: str) -> Person | None:
    """The person of that name, None when nobody has it."""
    from enrollment_db import ErrorKind, StoreError

    with store_errors():
        try:
            return app.store.person(name)
        except StoreError as error:
            if error.kind is not ErrorKind.NO_SUCH_PERSON:
                raise
            return None


def _without_known(
    app: Application, person: Person | None, outcomes: tuple[SampleOutcome, ...]
) -> tuple[SampleOutcome, ...]:
    """The outcomes with every sample refused that is kept already: the same sample twice is no second reference."""
    known: set[tuple[str, str]] = set()
    if person is not None:
        with store_errors():
            contracts = {app.contract(modality).id for modality in Modality}
            present = {
                template.sample_id for contract in contracts for template in app.store.templates(contract, person.id)
            }
            known = {(one.modality, one.sha256) for one in app.store.samples(person.id) if one.id in present}
    checked = []
    for outcome in outcomes:
        if outcome.embedding is not None:
            key = (outcome.embedding.modality.value, outcome.embedding.sample_sha256)
            if key in known:
                reason = Reason(
                    ReasonCode.SAMPLE_KNOWN,
                    f"{outcome.source} is enrolled for this person already.",
                    "Use another sample: the same one again tells nothing new.",
                )
                outcome = replace(outcome, embedding=None, reason=reason)
            known.add(key)
        checked.append(outcome)
    return tuple(checked)


def contract_dict(contract: Contract) -> dict[str, str | int]:
    """The contract as the store keeps it."""
    return {
        "encoder": contract.encoder,
        "sha256": contract.sha256,
        "preprocessing": contract.preprocessing,
        "dimension": contract.dimension,
        "normalisation": contract.normalisation,
    }


def _keep(app: Application, person_id: str, outcome: SampleOutcome) -> None:
    """Store one accepted sample and its template."""
    embedding, sample = outcome.embedding, outcome.sample
    if embedding is None or sample is None:
        raise ValueError("only accepted samples are kept")
    stored = app.store.add_sample(
        person_id,
        embedding.modality.value,
        sample.sha256,
        sample.source,
        sample.device_class,
        {
            "score": float(embedding.quality.score),
            **{key: float(value) for key, value in embedding.quality.measures.items()},
        },
        _thumbnail(outcome.crop),
    )
    vector = embedding.vector.astype("<f4").tobytes()
    app.store.add_template(person_id, stored.id, embedding.modality.value, contract_dict(embedding.contract), vector)


def _thumbnail(crop: ImageArray | None) -> bytes | None:
    """The aligned face as a small JPEG, to recognise a sample in the list."""
    if crop is None:
        return None
    import cv2

    done, encoded = cv2.imencode(".jpg", crop[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return encoded.tobytes() if done else None
