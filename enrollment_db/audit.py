"""The audit log: it only grows, each entry holds the digest of the one before, and the newest is signed.

What is logged tells what was done to whom (by id) and what was decided; never a name, never biometric data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from enrollment_db.database import Database
from enrollment_db.errors import ErrorKind, StoreError, reading
from enrollment_db.records import AuditEntry
from enrollment_db.vault import FIRST_PREVIOUS, Vault

LONGEST_TEXT = 500
LONGEST_LIST = 16  # of figures: shorter than any embedding, so that none is logged by mistake
FORBIDDEN_KEYS = frozenset(
    {"name", "vector", "embedding", "template", "thumbnail", "image", "audio", "passphrase", "key"}
)


class AuditLog:
    """The part of a store that remembers what was done. Other parts build on it."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def append_audit(
        self, event: str, subject_id: str | None = None, details: Mapping[str, Any] | None = None
    ) -> AuditEntry:
        """Add an entry. The store itself logs every change it makes; callers add decisions and the like.

        Args:
            event: lower-case words joined by underscores, such as ``"verification"``.
            subject_id: whom it is about, an id and never a name.
            details: what JSON allows, with short texts and no long list of figures.

        Raises:
            StoreError: ``invalid`` for details that are not JSON, or that could hold biometric data or a name.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", event):
            raise StoreError(ErrorKind.INVALID, f"{event!r} is not the name of an audit event.")
        _check_details(details or {})
        text = json.dumps(details or {}, sort_keys=True, allow_nan=False)
        with self._database.transaction():
            last, previous = self._newest()
            number = last + 1
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            digest = _digest(number, at, event, subject_id, text, previous)
            self._database.run(
                "INSERT INTO audit (number, at, event, subject_id, details, previous, digest) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(number, at, event, subject_id, text, previous, digest),
            )
            self._database.run(
                "UPDATE audit_head SET number = ?, mac = ?", number, self._vault.audit_mac(number, digest)
            )
        return AuditEntry(number, datetime.fromisoformat(at), event, subject_id, json.loads(text), previous, digest)

    def audit(self, limit: int = 100, *, subject_id: str | None = None) -> list[AuditEntry]:
        """The newest entries, newest first, of everybody or of one subject."""
        where = "" if subject_id is None else "WHERE subject_id = ? "
        parameters = () if subject_id is None else (subject_id,)
        rows = self._database.rows(f"SELECT * FROM audit {where}ORDER BY number DESC LIMIT ?", *parameters, limit)  # noqa: S608
        return [_entry(row) for row in rows]

    def verify_audit(self) -> int:
        """Check the whole chain and the signature of its end.

        Returns:
            The number of entries.

        Raises:
            StoreError: ``corrupt``, naming the first entry that was changed, removed or added by hand.
        """
        with self._database.transaction(write=False):
            rows = self._database.rows("SELECT * FROM audit ORDER BY number")
            self._newest()
        previous = FIRST_PREVIOUS
        for number, row in enumerate(rows, start=1):
            found = _digest(row["number"], row["at"], row["event"], row["subject_id"], row["details"], previous)
            if row["number"] != number or row["previous"] != previous or row["digest"] != found:
                raise _broken(f"at entry {number}")
            previous = found
        return len(rows)

    def _newest(self) -> tuple[int, bytes]:
        """Number and digest of the newest entry, as signed; without this check, appending would cover up a cut."""
        last = self._database.row("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1")
        number, digest = (0, FIRST_PREVIOUS) if last is None else (int(last["number"]), bytes(last["digest"]))
        head = self._database.row("SELECT number, mac FROM audit_head")
        if head is None or not hmac.compare_digest(bytes(head["mac"]), self._vault.audit_mac(number, digest)):
            raise _broken("at its end")
        return number, digest


def _digest(number: int, at: str, event: str, subject_id: str | None, details: str, previous: bytes) -> bytes:
    whole = json.dumps([number, at, event, subject_id, details, previous.hex()])
    return hashlib.sha256(whole.encode("ascii")).digest()


def _entry(row: sqlite3.Row) -> AuditEntry:
    with reading("audit", row["number"]):
        at, details = datetime.fromisoformat(row["at"]), json.loads(row["details"])
        return AuditEntry(
            row["number"], at, row["event"], row["subject_id"], details, bytes(row["previous"]), bytes(row["digest"])
        )


def _broken(where: str) -> StoreError:
    return StoreError(
        ErrorKind.CORRUPT,
        f"The audit log of the enrolment database is broken {where}: it was changed outside the application.",
        "Compare it with a copy of the database.",
    )


def _check_details(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or key in FORBIDDEN_KEYS:
                raise StoreError(ErrorKind.INVALID, f"The audit log does not take {key!r}.")
            _check_details(inner)
    elif isinstance(value, list | tuple):
        if len(value) > LONGEST_LIST and any(isinstance(inner, float) for inner in value):
            raise StoreError(ErrorKind.INVALID, f"The audit log takes no list of more than {LONGEST_LIST} figures.")
        for inner in value:
            _check_details(inner)
    elif isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise StoreError(ErrorKind.INVALID, f"The audit log takes no text of more than {LONGEST_TEXT} characters.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise StoreError(ErrorKind.INVALID, "The audit log takes finite numbers only.")
    elif value is not None and not isinstance(value, bool | int):
        raise StoreError(ErrorKind.INVALID, f"The audit log takes no {type(value).__name__}.")
