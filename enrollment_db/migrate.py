"""Bring a database file to the newest schema: numbered SQL files, each applied in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from enrollment_db.database import APPLICATION_ID, Database
from enrollment_db.errors import ErrorKind, StoreError

# Every table, index and trigger, and the columns of the tables.
SHAPE = (
    "SELECT thing.type, thing.name, piece.name, piece.type FROM sqlite_master AS thing "
    "LEFT JOIN pragma_table_info(thing.name) AS piece "
    "WHERE thing.name NOT LIKE 'sqlite_%' ORDER BY thing.name, piece.cid"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from schema ``number - 1`` to schema ``number``."""

    number: int
    name: str
    sql: str


def known_migrations() -> tuple[Migration, ...]:
    """The migrations that come with this version, in order."""
    folder = resources.files("enrollment_db.migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in files)


def migrate(database: Database, migrations: Sequence[Migration] | None = None) -> None:
    """Apply what is missing, after a copy of a database that already holds something.

    Raises:
        StoreError: ``too_new`` when the file was written by a later version; it is left untouched.
            ``corrupt`` when its tables are not those that the migrations make.
    """
    migrations = known_migrations() if migrations is None else migrations
    newest = migrations[-1].number
    version = _version(database)
    if version > newest:
        raise StoreError(
            ErrorKind.TOO_NEW,
            f"The enrolment database {database.path} was written by a newer version "
            f"(schema {version}; this version knows up to {newest}).",
            "Update the application, or choose another database.",
        )
    database.use_write_ahead_log()
    if version < newest:
        _upgrade(database, version, migrations)
    if _shape(database.rows(SHAPE)) != _expected_shape(tuple(migrations)):
        raise StoreError(
            ErrorKind.CORRUPT,
            f"The tables of the enrolment database {database.path} are not those of schema {newest}: it is damaged.",
            "Put a copy of the database back in its place.",
        )


def _upgrade(database: Database, version: int, migrations: Sequence[Migration]) -> None:
    if version > 0:
        database.backup(version)
    # Rebuilding a table must not cascade into others; every reference is checked before each commit.
    database.run("PRAGMA foreign_keys = OFF")
    try:
        for migration in migrations:
            _apply(database, migration)
    finally:
        database.run("PRAGMA foreign_keys = ON")


def _version(database: Database) -> int:
    return int(database.value("PRAGMA user_version"))


def _apply(database: Database, migration: Migration) -> None:
    with database.transaction():
        if _version(database) >= migration.number:  # another process may have been faster
            return
        for statement in _statements(migration.sql):
            database.run(statement)
        if database.rows("PRAGMA foreign_key_check"):
            raise _failed(database, migration)
        database.run(f"PRAGMA application_id = {APPLICATION_ID}")
        database.run(f"PRAGMA user_version = {migration.number}")


@cache
def _expected_shape(migrations: tuple[Migration, ...]) -> list[tuple[Any, ...]]:
    """The tables that the migrations make, tried out in memory."""
    database = sqlite3.connect(":memory:")
    try:
        for migration in migrations:
            database.executescript(migration.sql)
        return _shape(database.execute(SHAPE).fetchall())
    finally:
        database.close()


def _shape(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]


def _failed(database: Database, migration: Migration) -> StoreError:
    return StoreError(
        ErrorKind.CORRUPT,
        f"The contents of {database.path} contradict each other, so migration {migration.name} was not applied.",
        "Put an earlier copy of the database back in its place.",
    )


def _statements(sql: str) -> Iterator[str]:
    """The single statements of a script, each ended by a semicolon; triggers keep the semicolons inside them."""
    statement = ""
    for piece in sql.split(";")[:-1]:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
