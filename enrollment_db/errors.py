"""What can go wrong with the store, as one exception with a kind, a sentence and advice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class ErrorKind(StrEnum):
    """Every kind of failure a caller may want to tell apart."""

    LOCKED = "locked"
    CORRUPT = "corrupt"
    TOO_NEW = "too_new"
    FULL = "full"
    UNAVAILABLE = "unavailable"
    KEY_UNAVAILABLE = "key_unavailable"
    NO_SUCH_PERSON = "no_such_person"
    NO_SUCH_RECORD = "no_such_record"
    PERSON_EXISTS = "person_exists"
    CONTRACT_MISMATCH = "contract_mismatch"
    INVALID = "invalid"


class StoreError(Exception):
    """The store could not do what was asked; nothing was changed.

    Attributes:
        kind: what went wrong, for programs.
        message: what went wrong and where, one sentence for people; free of biometric data and keys.
        advice: what to do about it, one sentence; empty when there is nothing to do.
    """

    def __init__(self, kind: ErrorKind, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = advice


def damaged(kind: str, record_id: object) -> StoreError:
    """The error for a record that is not what it claims to be."""
    return StoreError(
        ErrorKind.CORRUPT,
        f"The {kind} record {record_id} of the enrolment database is damaged or belongs to something else.",
        "Put a copy of the database back in its place, or remove and enrol that person again.",
    )


@contextmanager
def reading(kind: str, record_id: object) -> Iterator[None]:
    """While a record is read: a value that makes no sense means that the record is damaged."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError):
        raise damaged(kind, record_id) from None
