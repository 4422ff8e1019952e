"""The files of a batch job, in one fixed order: folders (recursively), zip archives, single files, tables of pairs."""

from __future__ import annotations

import csv
import fnmatch
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verify_app.reasons import ReasonCode, UnusableInput, UsageError

MEMBER_SEPARATOR = "!"
"""Stands between the path of a zip archive and the name of a file inside it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the job.

    Attributes:
        name: how results name it: path relative to its source, ``archive.zip!member`` inside archives.
        path: where it is read from (the archive itself for a member).
        member: name inside the archive, empty for plain files.
        side: which source it belongs to: 0, or 1 for the second folder of a cross comparison.
        claim: the subject it is claimed to show, empty when nothing is claimed.
    """

    name: str
    path: str
    member: str = ""
    side: int = 0
    claim: str = ""


def list_items(source: Path, patterns: tuple[str, ...] = (), side: int = 0) -> Iterator[Item]:
    """Every file below ``source``, sorted by path, so that the order never depends on the file system.

    Symbolic links to folders are followed once per real folder, so loops end. Hidden files are left out.

    Raises:
        UsageError: ``source`` does not exist or cannot be read.
    """
    if not source.exists():
        raise UsageError(ReasonCode.FILE_NOT_FOUND, f"{source} does not exist.", "Check the path.")
    if source.is_file():
        yield from _file_items(source, source.name, patterns, side)
        return
    if not os.access(source, os.R_OK | os.X_OK):
        raise UsageError(ReasonCode.FILE_UNREADABLE, f"The folder {source} may not be read.", "Check its permissions.")
    for path in _walk(source, set()):
        yield from _file_items(path, path.relative_to(source).as_posix(), patterns, side)


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if _is_folder(entry):
            yield from _walk(path, seen)
        else:
            yield path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it gives the row its reason
        return False


def _file_items(path: Path, name: str, patterns: tuple[str, ...], side: int) -> Iterator[Item]:
    if path.suffix.lower() == ".zip":
        yield from _zip_items(path, name, patterns, side)
    elif _wanted(name, patterns):
        yield Item(name, str(path), side=side)


def _zip_items(archive: Path, name: str, patterns: tuple[str, ...], side: int) -> Iterator[Item]:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = sorted(info.filename for info in opened.infolist() if not info.is_dir() and _seen(info.filename))
    except (OSError, zipfile.BadZipFile):
        # The archive stays in the list: reading it gives the row its reason.
        yield Item(name, str(archive), side=side)
        return
    for member in members:
        if _wanted(member, patterns):
            yield Item(f"{name}{MEMBER_SEPARATOR}{member}", str(archive), member, side)


def _seen(member: str) -> bool:
    """Hidden members are left out as hidden files are, and so is what macOS packs beside every picture."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in member.split("/"))


def _wanted(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch.fnmatch(name.rsplit("/", 1)[-1], pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of a table of pairs: two file names, relative to the root."""

    reference: str
    probe: str
    line: int


def read_pairs(table: Path) -> list[Pair]:
    """The rows of a CSV with the columns ``reference`` and ``probe``.

    Raises:
        UnusableInput: unreadable table, missing column, or an empty cell (the line is named).
    """
    rows = _read_table(table, ("reference", "probe"))
    return [Pair(row["reference"], row["probe"], line) for line, row in rows]


def read_claims(table: Path) -> dict[str, str]:
    """The claimed subject of each file, from a CSV with the columns ``file`` and ``claim``.

    Raises:
        UnusableInput: unreadable table, missing column, or an empty cell (the line is named).
    """
    return {row["file"]: row["claim"] for _, row in _read_table(table, ("file", "claim"))}


def _read_table(table: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    advice = f"Give a comma-separated table whose first line names the columns {', '.join(columns)}."
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise UnusableInput(
                    ReasonCode.TABLE_INVALID, f"{table}, line 1: the column {missing[0]!r} is missing.", advice
                )
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise UnusableInput(ReasonCode.FILE_NOT_FOUND, f"{table} does not exist.", "Check the path.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnusableInput(ReasonCode.TABLE_INVALID, f"{table} cannot be read as a table: {error}.", advice) from None
    for line, row in rows:
        for column in columns:
            if not (row[column] or "").strip():
                raise UnusableInput(
                    ReasonCode.TABLE_INVALID, f"{table}, line {line}: the column {column!r} is empty.", advice
                )
    if not rows:
        raise UnusableInput(ReasonCode.TABLE_INVALID, f"{table} holds no rows.", advice)
    return rows
