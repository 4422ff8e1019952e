"""From the name a result gives back to the file it is about, and to the place in it."""

from __future__ import annotations

import re
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from verify_app.services.batch.inventory import MEMBER_SEPARATOR, Item
from verify_app.services.batch.journal import JOURNAL_NAME, stored_places
from verify_app.services.batch.place import PART_MARK, Place, named

PlaceFinder = Callable[[Item, str], Place | None]
"""Takes a file of a job and the suffix of one of its parts; gives where that is, if it is known."""

_SUFFIX = re.compile(r"\d+|rest@[\d:.]+|(track|speech)-\d+@[\d:.]+(-[\d:.]+)?")

_ESCAPED = re.compile(r"\\u(dc[89a-f][0-9a-f])")


def nowhere(_item: Item, _suffix: str) -> None:
    """No places are known."""


def locate(sources: Sequence[str], name: str) -> tuple[Item, str] | None:
    """The file that results call ``name``, and the suffix that names a place in it; None when it is gone.

    Args:
        sources: the job's sources, in the order to look in.
        name: the column ``file``, or ``claim`` where that names a file.
    """
    if name[:1] == "'" and name[1:2] in ("=", "@", "\t", "\r"):
        name = name[1:]  # results guard such names against spreadsheets
    return _located(sources, name) or _located(sources, _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name))


def _located(sources: Sequence[str], name: str) -> tuple[Item, str] | None:
    found = _item(sources, name)
    if found is not None:
        return found, ""
    file, mark, suffix = name.rpartition(PART_MARK)
    if mark and _SUFFIX.fullmatch(suffix) and (found := _item(sources, file)) is not None:
        return found, mark + suffix
    return None


def place_finder(folder: Path) -> PlaceFinder:
    """Looks places up in the journal of a finished job."""

    def find(item: Item, suffix: str) -> Place | None:
        try:
            address = f"{(folder / JOURNAL_NAME).resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(address, uri=True, timeout=0.5)
            try:
                return named(stored_places(connection, item), suffix)
            finally:
                connection.close()
        except sqlite3.Error:
            return None  # no journal, or one at work: a picture without its place is better than none

    return find


def _item(sources: Sequence[str], name: str) -> Item | None:
    for source in map(Path, sources):
        for folder in (source, source.parent) if source.is_file() else (source,):
            path = folder / name
            if path.is_file() and (folder == source or path == source):
                return Item(name, str(path))
            archive, separator, member = name.partition(MEMBER_SEPARATOR)
            if separator and _holds(folder / archive, member):
                return Item(name, str(folder / archive), member)
    return None


def _holds(archive: Path, member: str) -> bool:
    try:
        with zipfile.ZipFile(archive) as opened:
            return member in opened.NameToInfo
    except (OSError, zipfile.BadZipFile):
        return False


def sides(kind: str, sources: Sequence[str]) -> tuple[list[str], list[str]]:
    """Where to look for what the columns ``file`` and ``claim`` name; nowhere for a claim that is a person."""
    if kind == "pairs":
        return [sources[1]], [sources[1]]
    if kind == "cross":
        return list(sources), list(reversed(sources))
    return list(sources), list(sources) if kind == "duplicates" else []
