"""The journal of a batch job: what it was asked, which files it found, and how each one came out.

It lies in the job's output folder and holds no biometric data: file names, digests and reasons. A job
killed at any moment finds here what is already done.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from verify_app.reasons import Reason, ReasonCode, StateError
from verify_app.services.batch import place
from verify_app.services.batch.inventory import Item
from verify_app.services.batch.spec import JobSpec

JOURNAL_NAME = "journal.sqlite"

_SCHEMA = """
CREATE TABLE job (spec TEXT NOT NULL, digest TEXT NOT NULL, listed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE item (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, path TEXT NOT NULL, member TEXT NOT NULL,
    side INTEGER NOT NULL, claim TEXT NOT NULL, sha256 TEXT, reason TEXT,
    parts INTEGER NOT NULL DEFAULT 1, embedded INTEGER NOT NULL DEFAULT 1, places TEXT
);
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file came out.

    Attributes:
        number: its place in the job.
        item: the file.
        sha256: digest of its content when it was read, None when it was not read or cannot be used.
        reason: why it cannot be used, None when it can.
        parts: how many faces or stretches of speech were taken from it, each of which has a row.
        embedded: how many of these gave an embedding.
        places: where each of them is; empty when the one part is the whole file.
    """

    number: int
    item: Item
    sha256: str | None
    reason: Reason | None
    parts: int = 1
    embedded: int = 1
    places: tuple[place.Place | None, ...] = ()

    @property
    def usable(self) -> bool:
        """The file gave an embedding."""
        return self.sha256 is not None and self.reason is None

    @property
    def place(self) -> place.Place | None:
        """Where in the file the part is, once the parts are told apart; None when it is the whole file."""
        return self.places[0] if len(self.places) == 1 else None


class Journal:
    """The open journal of one job. Only one process at a time can hold it.

    Raises:
        StateError: the folder belongs to another job, another process works on it, or it cannot be written.
    """

    def __init__(self, folder: Path, spec: JobSpec) -> None:
        self._path = folder / JOURNAL_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=0.5, isolation_level=None)
            # An exclusive lock for as long as the job runs: two runs on one folder would mix their results.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # What is recorded is appended and need not wait for the disk; it survives a kill all the same.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("BEGIN EXCLUSIVE")
            self._open(spec, folder)
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise _journal_error(error, folder) from None
        except sqlite3.DatabaseError:
            raise StateError(
                ReasonCode.JOB_MISMATCH,
                f"{self._path} is not the journal of a batch job.",
                "Give another folder with --out, or remove that file to start over.",
            ) from None
        except OSError as error:
            raise StateError(
                ReasonCode.STORAGE_FULL,
                f"The folder {folder} cannot be written: {error.strerror}.",
                "Give another folder with --out.",
            ) from None

    def _open(self, spec: JobSpec, folder: Path) -> None:
        known = self._connection.execute("SELECT name FROM sqlite_master WHERE name = 'job'").fetchone()
        if known is None:
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute("INSERT INTO job (spec, digest) VALUES (?, ?)", (spec.to_json(), spec.digest))
            return
        if "places" not in {row[1] for row in self._connection.execute("PRAGMA table_info(item)")}:
            self._connection.execute("ALTER TABLE item ADD COLUMN places TEXT")
        text, digest = self._connection.execute("SELECT spec, digest FROM job").fetchone()
        if digest != spec.digest:
            self._connection.execute("ROLLBACK")
            self._connection.close()
            other = json.loads(text)
            raise StateError(
                ReasonCode.JOB_MISMATCH,
                f"The folder {folder} holds the results of another job ({other['kind']} {' '.join(other['sources'])}).",
                "Give another folder with --out, or repeat that job's own command to resume it.",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the journal; what was recorded stays."""
        self._connection.close()

    @property
    def listed(self) -> bool:
        """The list of files is complete; it never changes afterwards."""
        return bool(self._connection.execute("SELECT listed FROM job").fetchone()[0])

    def list_items(self, items: Iterable[Item]) -> int:
        """Write down the files of the job, in order, all or none; gives their number."""
        self._connection.execute("BEGIN")
        try:
            self._connection.execute("DELETE FROM item")
            self._connection.executemany(
                "INSERT INTO item (number, name, path, member, side, claim) VALUES (?, ?, ?, ?, ?, ?)",
                (_listed(number, item) for number, item in enumerate(items)),
            )
            self._connection.execute("UPDATE job SET listed = 1")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return self.count()

    def count(self) -> int:
        """Number of files of the job."""
        return int(self._connection.execute("SELECT count(*) FROM item").fetchone()[0])

    def done(self) -> int:
        """Number of files already read."""
        query = "SELECT count(*) FROM item WHERE sha256 IS NOT NULL OR reason IS NOT NULL"
        return int(self._connection.execute(query).fetchone()[0])

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Write down how files came out, in one transaction."""
        rows = [
            (
                outcome.sha256,
                None if outcome.reason is None else json.dumps(outcome.reason.as_dict()),
                outcome.parts,
                outcome.embedded,
                place.to_json(outcome.places),
                outcome.number,
            )
            for outcome in outcomes
        ]
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "UPDATE item SET sha256 = ?, reason = ?, parts = ?, embedded = ?, places = ? WHERE number = ?", rows
            )
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise _journal_error(error, self._path.parent) from None

    def reopen(self, numbers: Iterable[int]) -> None:
        """Forget how these files came out: they are read again."""
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "UPDATE item SET sha256 = NULL, reason = NULL WHERE number = ?", ((number,) for number in numbers)
            )
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise _journal_error(error, self._path.parent) from None

    def place_of(self, item: Item, suffix: str) -> place.Place | None:
        """Where in a file the part with this suffix is, as :data:`~verify_app.services.batch.locate.PlaceFinder`."""
        return place.named(stored_places(self._connection, item), suffix)

    def outcomes(self, *, open_only: bool = False, side: int | None = None) -> Iterator[Outcome]:
        """Every file in the job's order, in blocks, so that memory stays flat; or only those not read yet."""
        number = -1
        condition = " AND sha256 IS NULL AND reason IS NULL" if open_only else ""
        if side is not None:
            condition += f" AND side = {int(side)}"
        query = (
            "SELECT number, name, path, member, side, claim, sha256, reason, parts, embedded, places"  # noqa: S608 - constants
            " FROM item"
            f" WHERE number > ?{condition} ORDER BY number LIMIT 1000"
        )
        while rows := self._connection.execute(query, (number,)).fetchall():
            for row in rows:
                item = Item(_original(row[1]), _original(row[2]), _original(row[3]), row[4], _original(row[5]))
                reason = None if row[7] is None else _reason(row[7])
                yield Outcome(row[0], item, row[6], reason, row[8], row[9], place.from_json(row[10]))
            number = rows[-1][0]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a journal says of its job: what was asked, and how many of how many files are read."""

    spec: JobSpec
    done: int
    total: int


def stored_places(connection: sqlite3.Connection, item: Item) -> tuple[place.Place | None, ...]:
    """Where the parts of a file are, as a journal has them."""
    query = "SELECT places FROM item WHERE path = ? AND member = ? LIMIT 1"
    row = connection.execute(query, (_storable(item.path), _storable(item.member))).fetchone()
    return place.from_json(None if row is None else row[0])


def standing(folder: Path) -> Standing | None:
    """How far the job in a folder is; None when there is no journal.

    Raises:
        StateError: another run is working on it, or it is no journal.
    """
    path = folder / JOURNAL_NAME
    if not path.is_file():
        return None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=0.5)
        try:
            (text,) = connection.execute("SELECT spec FROM job").fetchone()
            query = "SELECT count(*) FILTER (WHERE sha256 IS NOT NULL OR reason IS NOT NULL), count(*) FROM item"
            return Standing(JobSpec.from_json(text), *connection.execute(query).fetchone())
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise _journal_error(error, folder) from None
    except (sqlite3.DatabaseError, TypeError, ValueError, KeyError):
        raise StateError(
            ReasonCode.JOB_MISMATCH, f"{path} is not the journal of a batch job.", "Choose another folder."
        ) from None


def _listed(number: int, item: Item) -> tuple[int, str, str, str, int, str]:
    name, path, member, claim = map(_storable, (item.name, item.path, item.member, item.claim))
    return number, name, path, member, item.side, claim


def _storable(name: str) -> str:
    """File names need not be valid Unicode; SQLite text must be."""
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def _original(stored: str) -> str:
    return stored.encode("latin-1").decode("utf-8", "surrogateescape")


def _reason(text: str) -> Reason:
    parsed = json.loads(text)
    return Reason(ReasonCode(parsed["code"]), parsed["message"], parsed["advice"])


def _journal_error(error: sqlite3.OperationalError, folder: Path) -> StateError:
    if "locked" in str(error) or "busy" in str(error):
        return StateError(
            ReasonCode.DATABASE_LOCKED,
            f"Another run is working on the folder {folder}.",
            "Wait until it has ended, or give another folder with --out.",
        )
    if "full" in str(error):
        return StateError(
            ReasonCode.STORAGE_FULL,
            f"The disk that holds {folder} is full.",
            "Free some space and repeat the command: it goes on where it stopped.",
        )
    return StateError(
        ReasonCode.STORAGE_FULL,
        f"The folder {folder} cannot be written ({error}).",
        "Give a folder you may write to with --out.",
    )
