"""The people enrolled: list, show, rename, remove, and export of everything stored about one."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.application import Application
from verify_app.services.enrol import check_name
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import Person, StoredSample


@dataclass(frozen=True, slots=True)
class PersonOverview:
    """A person with how much is stored.

    Attributes:
        person: the stored person.
        faces: number of face samples.
        voices: number of voice samples.
        up_to_date: False when some modality has samples but no template of the encoder in use.
    """

    person: Person
    faces: int
    voices: int
    up_to_date: bool


def list_people(app: Application) -> list[PersonOverview]:
    """Everybody enrolled, by name."""
    with store_errors():
        people = sorted(app.store.people(), key=lambda person: person.name.casefold())
        return [_overview(app, person) for person in people]


def show(app: Application, name: str) -> tuple[PersonOverview, list[StoredSample]]:
    """One person and the stored samples.

    Raises:
        StateError: NO_SUCH_PERSON.
    """
    with store_errors():
        person = app.store.person(name)
        return _overview(app, person), list(app.store.samples(person.id))


def rename(app: Application, name: str, new_name: str) -> Person:
    """Give a person another name.

    Raises:
        StateError: NO_SUCH_PERSON, PERSON_EXISTS.
        UsageError: the new name is not allowed.
    """
    new_name = check_name(new_name)
    with store_errors():
        person = app.store.person(name)
        app.store.rename_person(person.id, new_name)
        app.store.append_audit("rename", person.id, {})
        return app.store.person(person.id)


def remove(app: Application, name: str) -> Person:
    """Erase a person with every sample and template; nothing can be restored.

    Raises:
        StateError: NO_SUCH_PERSON.
    """
    with store_errors():
        person = app.store.person(name)
        app.store.remove_person(person.id)
        app.store.append_audit("remove", person.id, {})
        return person


def remove_sample(app: Application, sample_id: str) -> None:
    """Erase one sample and its templates."""
    with store_errors():
        app.store.remove_sample(sample_id)
        app.store.append_audit("remove_sample", None, {})


def export(app: Application, name: str, file: str | Path) -> Path:
    """Write everything stored about a person to a JSON file, readable by this account alone.

    Templates and thumbnails are base64. The file is biometric data: it is as sensitive as the store, and not encrypted.

    Raises:
        StateError: NO_SUCH_PERSON.
        UsageError: the file cannot be written.
    """
    target = Path(file)
    with store_errors():
        person = app.store.person(name)
        content = app.store.export_person(person.id)
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False)
    try:
        target.touch(mode=0o600)
        target.chmod(0o600)
        target.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file."
        ) from None
    with store_errors():
        app.store.append_audit("export", person.id, {})
    return target


def _overview(app: Application, person: Person) -> PersonOverview:
    samples = app.store.samples(person.id)
    kept = {modality: sum(sample.modality == modality for sample in samples) for modality in ("face", "voice")}
    contracts = app.store.template_contracts(person.id)
    present = {
        modality: app.manifest.default(f"{modality}-encoder").contract.id for modality, count in kept.items() if count
    }
    return PersonOverview(
        person, kept["face"], kept["voice"], all(contract in contracts for contract in present.values())
    )


def _plain(value: Any) -> Any:
    """The value with bytes as base64 and everything else as JSON knows it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
