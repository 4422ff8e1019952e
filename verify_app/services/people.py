"""The people enrolled: list, show, rename, remove, and export of everything stored about one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, StateError, UsageError
from verify_app.services.application import Application
from verify_app.services.calibration_library import forget_samples
from verify_app.services.enrol import check_name
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import Person
    from enrollment_db import StoredSample as StoredSample


@dataclass(frozen=True, slots=True)
class PersonOverview:
    """A person with how much is stored.

    Attributes:
        person: the stored person.
        faces: number of face samples.
        voices: number of voice samples.
        up_to_date: False when a modality has samples but no template of the encoder in use: enrol again.
        contracts: ids of the embedding contracts of the templates, in order.
    """

    person: Person
    faces: int
    voices: int
    up_to_date: bool
    contracts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovedPerson:
    """Somebody who was removed.

    Attributes:
        person: who it was.
        erased: True when the bytes are gone from the files too; False when another program was reading the
            database at that moment, in which case they go at the next opening.
        calibrations: names of calibrations that held embeddings of the person, and are removed with them.
    """

    person: Person
    erased: bool
    calibrations: tuple[str, ...] = ()


def list_people(app: Application) -> list[PersonOverview]:
    """Everybody enrolled, by name."""
    with store_errors():
        counts = app.store.sample_counts()
        people = sorted(app.store.people(), key=lambda person: person.name.casefold())
        return [_overview(app, person, counts.get(person.id, {})) for person in people]


def show(app: Application, name: str) -> tuple[PersonOverview, list[StoredSample]]:
    """One person, by name or id, and the stored samples.

    Raises:
        StateError: NO_SUCH_PERSON.
    """
    with store_errors():
        person = app.store.person(name)
        samples = list(app.store.samples(person.id))
        counts = {one.value: sum(sample.modality == one for sample in samples) for one in Modality}
        return _overview(app, person, counts), samples


def rename(app: Application, name: str, new_name: str) -> Person:
    """Give a person another name.

    Raises:
        StateError: NO_SUCH_PERSON, PERSON_EXISTS.
        UsageError: the new name is not allowed.
    """
    new_name = check_name(new_name)
    with store_errors():
        return app.store.rename_person(app.store.person(name).id, new_name)


def remove(app: Application, name: str) -> RemovedPerson:
    """Erase a person with every sample and template, and the calibrations that hold embeddings of theirs.

    Nothing can be restored.

    Raises:
        StateError: NO_SUCH_PERSON.
    """
    with store_errors():
        person = app.store.person(name)
        calibrations = forget_samples(app, [sample.id for sample in app.store.samples(person.id)])
        return RemovedPerson(person, app.store.remove_person(person.id).erased, calibrations)


def remove_sample(app: Application, sample_id: str) -> None:
    """Erase one sample and its templates, and the calibrations that hold its embedding."""
    with store_errors():
        forget_samples(app, [sample_id])
        app.store.remove_sample(sample_id)


def export(app: Application, name: str, file: str | Path) -> Path:
    """Write everything stored about a person to a JSON file, readable by this account alone.

    Templates and thumbnails are base64. The file is biometric data, as sensitive as the store, and not encrypted.

    Raises:
        StateError: NO_SUCH_PERSON.
        UsageError: the file exists already or cannot be written.
    """
    target = Path(file)
    with store_errors():
        content = app.store.export_person(app.store.person(name).id)
    text = json.dumps(content, indent=2, ensure_ascii=False)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file."
        ) from None
    return target


def _overview(app: Application, person: Person, counts: Mapping[str, int]) -> PersonOverview:
    contracts = app.store.template_contracts(person.id)
    try:
        present = [app.contract(Modality(modality)).id for modality, count in counts.items() if count]
    except StateError:
        present = []  # without models nothing speaks against the templates; people can still be removed
    return PersonOverview(
        person,
        counts.get("face", 0),
        counts.get("voice", 0),
        all(contract in contracts for contract in present),
        tuple(sorted(contracts)),
    )
