"""The store as callers see it: opening, transactions, changing the key, checking, closing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from enrollment_db.calibrations import Calibrations
from enrollment_db.database import Database
from enrollment_db.errors import ErrorKind, StoreError
from enrollment_db.keys import KeyProvider
from enrollment_db.migrate import migrate
from enrollment_db.samples import Samples
from enrollment_db.vault import Vault, open_vault, read_parameters


class Store(Samples, Calibrations):
    """An open enrolment database. Threads may share it; processes open their own.

    Every method is atomic, and raises :class:`StoreError` alone. Get one from :func:`open_store`.
    """

    def __init__(self, database: Database, vault: Vault, provider: KeyProvider) -> None:
        super().__init__(database, vault)
        self._provider = provider

    @property
    def location(self) -> Path:
        """The database file."""
        return self._database.path

    @property
    def protection(self) -> str:
        """What holds the key: ``"keyring"``, ``"passphrase"`` or ``"file"``."""
        return self._provider.kind

    def derived_key(self, purpose: str) -> bytes:
        """A key of 32 bytes for a file kept beside the store, such as a cache of embeddings.

        The same store gives the same key for the same purpose (ASCII), whoever holds its own key.
        """
        return self._vault.derived_key(purpose)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several calls one: all of them are kept, or none when the block raises.

        An error caught inside the block undoes the call that raised it alone. Other threads and processes
        wait meanwhile, so keep it short.
        """
        with self._database.transaction():
            yield
        self._erase()

    def rekey(self, provider: KeyProvider) -> None:
        """Let another provider hold the key from now on, for example after a change of passphrase.

        The data key is wrapped anew; the old wrapping is erased from the files as removed people are.

        Raises:
            StoreError: ``key_unavailable``; the old provider then stays in charge.
        """
        wrapping_key, parameters = provider.create(self._vault.store_id)
        check, sealed = self._vault.wrap(wrapping_key)
        # When this fails the new key stays with its provider: one key too many does no harm, a lost one does.
        with self._database.transaction():
            before = self._database.value("SELECT parameters FROM vault")
            self._database.run(
                "UPDATE vault SET provider = ?, parameters = ?, check_value = ?, data_key = ?",
                provider.kind,
                json.dumps(parameters),
                check,
                sealed,
            )
            self.append_audit("key_changed", None, {"protection": provider.kind})
            self._erase_later()
        old, self._provider = self._provider, provider
        self._erase()
        old.discard(read_parameters(before))

    def erase_pending(self) -> bool:
        """Erase what an earlier removal had to leave in the files; True when nothing is left to erase."""
        return self._erase()

    def check(self) -> None:
        """Read and decrypt everything, and verify the log; takes a while on a large database.

        Raises:
            StoreError: ``corrupt``, naming the first record that is damaged.
        """
        with self._database.transaction(write=False):
            if self._database.value("PRAGMA integrity_check") != "ok" or self._database.rows(
                "PRAGMA foreign_key_check"
            ):
                raise StoreError(
                    ErrorKind.CORRUPT,
                    f"The enrolment database {self.location} is damaged.",
                    "Put a copy of the database back in its place.",
                )
            for person in self.people():
                self.samples(person.id)
            for contract in self.contracts():
                self.templates(contract.id)
            self.calibrations()
            self.verify_audit()

    def close(self) -> None:
        """Close the files; the store cannot be used afterwards. Closing twice does no harm."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_store(location: str | Path, key: KeyProvider, *, timeout: float = 5.0) -> Store:
    """Open the enrolment database in a file; a missing one is created, an older one is brought up to date.

    Args:
        location: the file; its folder is created when missing.
        key: who holds the key.
        timeout: seconds to wait for another process that is writing.

    Raises:
        StoreError: ``key_unavailable``, ``locked``, ``corrupt``, ``too_new``, ``full`` or ``unavailable``.
    """
    database = Database(Path(location), timeout)
    try:
        migrate(database)
        store = Store(database, open_vault(database, key), key)
        store.erase_pending()
    except BaseException:
        database.close()
        raise
    return store


def protection(location: str | Path) -> str | None:
    """What holds the key of a database: ``"keyring"``, ``"passphrase"``, ``"file"``; None before there is one.

    Raises:
        StoreError: as :func:`open_store`, but no key is needed.
    """
    path = Path(location)
    if not path.exists():
        return None
    database = Database(path, timeout=5.0)
    try:
        if not database.value("SELECT count(*) FROM sqlite_master WHERE name = 'vault'"):
            return None
        return database.value("SELECT provider FROM vault")  # type: ignore[no-any-return]
    finally:
        database.close()
