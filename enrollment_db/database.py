"""The SQLite file: one connection, its settings, transactions, erasure, and errors in plain words."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from enrollment_db.errors import ErrorKind, StoreError

APPLICATION_ID = 0x456E726F  # "Enro", kept in the file header


class Database:
    """One connection to an SQLite file, safe to share between threads.

    Opening creates a missing file (readable by its owner alone) and never touches a file that is not
    an SQLite database.

    Raises:
        StoreError: ``corrupt``, ``locked``, ``full`` or ``unavailable``.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self._timeout = timeout
        self._depth = 0
        self._lock = threading.RLock()
        self._prepare_file()
        with self._plain_errors():
            self._connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            self.run("PRAGMA foreign_keys = ON")
            self.run("PRAGMA secure_delete = ON")
            self.run("PRAGMA temp_store = MEMORY")
            self._check_application()
        except BaseException:
            self.close()
            raise

    def _prepare_file(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                ErrorKind.UNAVAILABLE,
                f"The enrolment database {self.path} cannot be opened: {error.strerror or error}.",
                "Choose a file in a folder that you may write to.",
            ) from error

    def _check_application(self) -> None:
        """Refuse an SQLite file of another program; an empty one is as good as new."""
        found = self.value("PRAGMA application_id")
        if found != APPLICATION_ID and (found != 0 or self.value("SELECT count(*) FROM sqlite_master")):
            raise self._not_ours()

    def use_write_ahead_log(self) -> None:
        """Switch to WAL, so that readers and a writer do not wait for each other."""
        # SQLite does not wait for others here as it does elsewhere, so wait ourselves.
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                if self.value("PRAGMA journal_mode = WAL") != "wal":
                    raise StoreError(
                        ErrorKind.UNAVAILABLE,
                        f"The folder of the enrolment database {self.path} does not allow a write-ahead log.",
                        "Keep the database on a local disk.",
                    )
            except StoreError as error:
                if error.kind is not ErrorKind.LOCKED or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _not_ours(self) -> StoreError:
        return StoreError(
            ErrorKind.CORRUPT,
            f"{self.path} is not an enrolment database, or it is damaged.",
            "It was left as it is: choose another file, or put a copy of the database back in its place.",
        )

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translate(error) from error
        except UnicodeDecodeError as error:  # a text in the file, or SQLite quoting one
            raise self._not_ours() from error
        except (UnicodeEncodeError, OverflowError) as error:
            raise StoreError(ErrorKind.INVALID, "A text or number cannot be stored.") from error

    def _translate(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
        where = f"The enrolment database {self.path}"
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                ErrorKind.LOCKED,
                f"{where} is in use by another program and was not released within {self._timeout:g} s.",
                "Wait for the other program or close it, then try again.",
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self._not_ours()
        # Our statements fit the schema, so a plain error means that the schema, or a text in the file, is damaged.
        if isinstance(error, sqlite3.OperationalError) and code in (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT):
            return self._not_ours()
        if code == sqlite3.SQLITE_CONSTRAINT:
            return StoreError(
                ErrorKind.CORRUPT,
                f"{where} contradicts itself: {error}.",
                "Put a copy of the database back in its place.",
            )
        if code == sqlite3.SQLITE_FULL:
            return StoreError(
                ErrorKind.FULL, f"{where} cannot grow: the disk is full.", "Free some space, then try again."
            )
        return StoreError(
            ErrorKind.UNAVAILABLE,
            f"{where} cannot be read or written: {error}.",
            "Check that the file and its folder exist and that you may write to them.",
        )

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, self._plain_errors():
            if self._depth and not self._connection.in_transaction:
                raise StoreError(ErrorKind.UNAVAILABLE, "The transaction had to be given up; nothing of it was kept.")
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        """The first row of a query, None when there is none."""
        return next(iter(self.rows(sql, *parameters)), None)

    def value(self, sql: str, *parameters: Any) -> Any:
        """The first column of the first row of a query, None when there is none."""
        row = self.row(sql, *parameters)
        return None if row is None else row[0]

    def run(self, sql: str, *parameters: Any) -> None:
        """Execute one statement."""
        self.rows(sql, *parameters)

    @contextmanager
    def outside_transaction(self) -> Iterator[bool]:
        """Keep other threads out; gives False when the caller itself is inside :meth:`transaction`."""
        with self._lock:
            yield self._depth == 0

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """All or nothing. Nested blocks become savepoints, so an inner failure undoes the inner block alone.

        Other threads wait until the outermost block ends.
        """
        with self._lock:
            savepoint = f"level_{self._depth}"
            if self._depth:
                self.run(f"SAVEPOINT {savepoint}")
            else:
                self.run("BEGIN IMMEDIATE" if write else "BEGIN")
            self._depth += 1
            try:
                yield
                self.run(f"RELEASE {savepoint}" if self._depth > 1 else "COMMIT")
            except BaseException:
                self._undo(savepoint)
                raise
            finally:
                self._depth -= 1

    def _undo(self, savepoint: str) -> None:
        if not self._connection.in_transaction:
            return  # SQLite has already rolled back everything, as it does when the disk is full
        if self._depth > 1:
            self.run(f"ROLLBACK TO {savepoint}")
            self.run(f"RELEASE {savepoint}")
        else:
            self.run("ROLLBACK")

    def erase_removed(self) -> bool:
        """Rewrite the file without what was deleted, empty the write-ahead log, and drop backup copies.

        Returns:
            False when another connection or a full disk prevented it.
        """
        try:
            self.run("VACUUM")
            busy = self.value("PRAGMA wal_checkpoint(TRUNCATE)")
        except StoreError as error:
            if error.kind in (ErrorKind.LOCKED, ErrorKind.FULL):
                return False
            raise
        return not busy and self._drop_backups()

    def backup_path(self, version: int) -> Path:
        """Where the copy made before leaving schema ``version`` is kept."""
        return self.path.with_name(f"{self.path.name}.v{version}.backup")

    def backup(self, version: int) -> Path:
        """Copy the database beside itself; the copy appears whole or not at all."""
        target = self.backup_path(version)
        partial = target.with_name(f"{target.name}.partial")
        try:
            partial.unlink(missing_ok=True)
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with self._lock, self._plain_errors():
                copy = sqlite3.connect(partial)
                try:
                    self._connection.backup(copy)
                    copy.execute("PRAGMA journal_mode = DELETE")  # one file, complete in itself
                finally:
                    copy.close()
            partial.replace(target)
        except OSError as error:
            raise StoreError(
                ErrorKind.UNAVAILABLE,
                f"The enrolment database {self.path} cannot be copied before its migration: {error.strerror}.",
                "Make room and allow writing in its folder, then try again.",
            ) from error
        return target

    def _drop_backups(self) -> bool:
        """Overwrite and delete the copies that migrations made: they still hold what was removed."""
        prefix = f"{self.path.name}.v"
        try:
            for copy in self.path.parent.iterdir():
                if copy.name.startswith(prefix) and ".backup" in copy.name:
                    size = copy.stat().st_size
                    with copy.open("r+b") as file:
                        for _ in range(0, size, 1 << 20):
                            file.write(bytes(min(1 << 20, size - file.tell())))
                        file.flush()
                        os.fsync(file.fileno())
                    copy.unlink()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the connection; the last one to close also folds the write-ahead log into the file."""
        with self._lock, self._plain_errors():
            self._connection.close()
