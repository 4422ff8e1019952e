"""From the name a result gives back to the file it is about."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from verify_app.services.batch.inventory import MEMBER_SEPARATOR, Item
from verify_app.services.batch.score import PART_MARK


def locate(sources: Sequence[str], name: str) -> tuple[Item, int] | None:
    """The file that results call ``name``, and the number of the face in it; None when it is not there any more.

    Args:
        sources: the job's sources, in the order to look in.
        name: the column ``file``, or ``claim`` where that names a file.
    """
    if name[:1] == "'" and name[1:2] in ("=", "@", "\t", "\r"):
        name = name[1:]  # results guard such names against spreadsheets
    found = _item(sources, name)
    if found is not None:
        return found, 1
    image, mark, number = name.rpartition(PART_MARK)
    if mark and number.isdecimal() and (found := _item(sources, image)) is not None:
        return found, int(number)
    return None


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
