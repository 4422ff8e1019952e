"""The stored nouns, as frozen values. Ids are UUIDs in their usual text form; times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    """A subject of the gallery."""

    id: str
    name: str
    created: datetime


@dataclass(frozen=True, slots=True)
class StoredSample:
    """What is kept of one captured image or recording; the original itself is not kept.

    Attributes:
        modality: ``"face"`` or ``"voice"``.
        sha256: hexadecimal digest of the original.
        source: file path, ``"camera"`` or ``"microphone"``.
        device_class: kind of capture device.
        quality: named quality figures, as JSON allows.
        thumbnail: small encoded picture to show people, or None.
    """

    id: str
    person_id: str
    modality: str
    sha256: str
    source: str
    device_class: str
    quality: Mapping[str, Any]
    thumbnail: bytes | None = field(repr=False)
    created: datetime


@dataclass(frozen=True, slots=True)
class StoredContract:
    """What the vectors of a template depend on; only templates of one contract can be compared."""

    id: str
    encoder: str
    sha256: str
    preprocessing: str
    dimension: int
    normalisation: str


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One reference embedding: ``vector`` holds ``dimension`` little-endian float32 values."""

    id: str
    person_id: str
    sample_id: str
    modality: str
    contract_id: str
    vector: bytes = field(repr=False)
    created: datetime


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A calibration as its ``json`` text, for one modality, contract and number of references."""

    id: str
    name: str
    modality: str
    contract_id: str
    references: int
    active: bool
    json: str = field(repr=False)
    created: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log: ``digest`` is the SHA-256 of the rest of it, ``previous`` that of the line before."""

    number: int
    at: datetime
    event: str
    subject_id: str | None
    details: Mapping[str, Any]
    previous: bytes = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome of a removal. What was removed can no longer be read through the store.

    Attributes:
        id: what was removed.
        erased: True when its bytes are gone from the files as well. False when another program that was
            reading at the same moment, or a full disk, kept the store from it; the store tries again
            after the next removal and at the next opening.
    """

    id: str
    erased: bool
