"""People: adding, finding, renaming, exporting, and removing for real."""

from __future__ import annotations

import sqlite3
import unicodedata
import uuid
from contextlib import suppress
from datetime import UTC, datetime

from enrollment_db.audit import AuditLog
from enrollment_db.errors import ErrorKind, StoreError, damaged, reading
from enrollment_db.records import Person, Removal
from enrollment_db.vault import Cipher

LONGEST_NAME = 200


class People(AuditLog):
    """The part of a store that knows people."""

    def add_person(self, name: str) -> Person:
        """Add a person.

        Raises:
            StoreError: ``person_exists`` when somebody has that name (case, accents' composition and
                spacing do not make a difference), ``invalid`` for an unusable name.
        """
        name = clean_name(name)
        person = Person(str(uuid.uuid4()), name, datetime.now(UTC))
        cipher, sealed_key = self._vault.new_person_key(person.id)
        with self._database.transaction():
            self._refuse_taken(name, person.id)
            self._database.run(
                "INSERT INTO person (id, name_index, name, key, created) VALUES (?, ?, ?, ?, ?)",
                person.id,
                self._vault.name_index(name),
                cipher.seal(name.encode("utf-8"), "name", person.id),
                sealed_key,
                person.created.isoformat(timespec="microseconds"),
            )
            self.append_audit("person_added", person.id)
        return person

    def people(self) -> list[Person]:
        """Everybody, ordered by name."""
        people = [self._read_person(row) for row in self._database.rows("SELECT * FROM person")]
        return sorted(people, key=lambda person: (person.name.casefold(), person.id))

    def person(self, name_or_id: str) -> Person:
        """One person, by id or by name.

        Raises:
            StoreError: ``no_such_person``.
        """
        if not _encodable(name_or_id):
            raise no_such_person(name_or_id)
        row = self._database.row("SELECT * FROM person WHERE id = ?", name_or_id)
        if row is None:
            row = self._database.row("SELECT * FROM person WHERE name_index = ?", self._vault.name_index(name_or_id))
        if row is None:
            raise no_such_person(name_or_id)
        return self._read_person(row)

    def rename_person(self, person_id: str, name: str) -> Person:
        """Give a person another name.

        Raises:
            StoreError: ``no_such_person``, ``person_exists`` or ``invalid``.
        """
        name = clean_name(name)
        with self._database.transaction():
            cipher = self._person_cipher(person_id)
            self._refuse_taken(name, person_id)
            self._database.run(
                "UPDATE person SET name = ?, name_index = ? WHERE id = ?",
                cipher.seal(name.encode("utf-8"), "name", person_id),
                self._vault.name_index(name),
                person_id,
            )
            self.append_audit("person_renamed", person_id)
            return self.person(person_id)

    def remove_person(self, person_id: str) -> Removal:
        """Remove a person with all samples, templates and the key that sealed them, and erase the bytes.

        The log keeps the id and the fact. Backup copies that migrations made are deleted too, because they
        hold the person as well. Inside :meth:`Store.transaction` the bytes are erased when it ends.

        Raises:
            StoreError: ``no_such_person``.
        """
        with self._database.transaction():
            if self._database.row("SELECT id FROM person WHERE id = ?", person_id) is None:
                raise no_such_person(person_id)
            self._database.run("DELETE FROM person WHERE id = ?", person_id)
            self.append_audit("person_removed", person_id)
            self._erase_later()
        return Removal(person_id, self._erase())

    def _erase_later(self) -> None:
        """Note, in the transaction that removes, that the files still hold removed bytes."""
        self._database.run("UPDATE erasure SET pending = 1")

    def _erase(self) -> bool:
        """Erase removed bytes from the files if any are pending; False when that is still to be done."""
        with self._database.outside_transaction() as outside:
            if not outside:
                return False
            if not self._database.value("SELECT pending FROM erasure"):
                return True
            if not self._database.erase_removed():
                return False
            with suppress(StoreError):  # the bytes are gone; at worst the next opening looks once more
                self._database.run("UPDATE erasure SET pending = 0")
            return True

    def _refuse_taken(self, name: str, person_id: str) -> None:
        sql = "SELECT id FROM person WHERE name_index = ? AND id <> ?"
        if self._database.row(sql, self._vault.name_index(name), person_id) is not None:
            raise StoreError(
                ErrorKind.PERSON_EXISTS,
                f"Somebody called {name!r} is enrolled already.",
                "Choose another name, or add to that person.",
            )

    def _person_cipher(self, person_id: str) -> Cipher:
        row = self._database.row("SELECT key FROM person WHERE id = ?", person_id)
        if row is None:
            raise no_such_person(person_id)
        return self._vault.person_cipher(person_id, row["key"])

    def _read_person(self, row: sqlite3.Row) -> Person:
        cipher = self._vault.person_cipher(row["id"], row["key"])
        name = cipher.open(row["name"], "name", row["id"]).decode("utf-8")
        if row["name_index"] != self._vault.name_index(name):  # else looking up one name could find another
            raise damaged("name", row["id"])
        with reading("person", row["id"]):
            return Person(row["id"], name, datetime.fromisoformat(row["created"]))


def clean_name(name: str) -> str:
    """The name as it is kept: Unicode NFC, single spaces.

    Raises:
        StoreError: ``invalid`` for a name that is empty, too long, looks like an id, or cannot be shown.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise StoreError(ErrorKind.INVALID, "The name is empty.", "Give the person a name.")
    if len(cleaned) > LONGEST_NAME:
        raise StoreError(ErrorKind.INVALID, f"The name is longer than {LONGEST_NAME} characters.", "Shorten it.")
    if not _encodable(cleaned) or any(unicodedata.category(letter) == "Cc" for letter in cleaned):
        raise StoreError(ErrorKind.INVALID, "The name holds characters that cannot be shown.", "Type the name anew.")
    try:
        uuid.UUID(cleaned)
    except ValueError:
        return cleaned
    raise StoreError(ErrorKind.INVALID, "The name looks like an id of this application.", "Choose another name.")


def _encodable(text: str) -> bool:
    """Whether the text is whole Unicode; arguments from a shell may hold stray surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def no_such_person(name_or_id: str) -> StoreError:
    """The error for somebody unknown."""
    shown = name_or_id.encode("utf-8", "replace").decode("utf-8")
    return StoreError(ErrorKind.NO_SUCH_PERSON, f"Nobody called {shown!r} is enrolled.", "See who is: list the people.")
