"""The results on disk: ``results.csv``, written aside, then put in place in one step."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from verify_app.reasons import ReasonCode, StateError
from verify_app.services.batch.rows import BASE_COLUMNS, GROUP_COLUMNS, Row

RESULTS_NAME = "results.csv"
UNDECODABLE = "backslashreplace"
"""File names that are no text are written with escapes like ``\\udce9`` (JSON's own, too), so that none is lost."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place only when everything was written.

    Raises:
        StateError: STORAGE_FULL; the former file, if any, is untouched.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise StateError(
            ReasonCode.STORAGE_FULL,
            f"{path} cannot be written: {error.strerror or error}.",
            "Free some space, or give another folder with --out; nothing already computed is lost.",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def append_line(path: Path, line: str, heading: str = "") -> None:
    """Add a line to a file of what people said, and see it safely on the disk; nothing of it when there is no room.

    Args:
        path: the file, made when absent.
        line: without its end.
        heading: the first line of a file that is empty so far.

    Raises:
        StateError: STORAGE_FULL; the file is as it was.
    """
    try:
        with path.open("ab", buffering=0) as out:
            before = out.seek(0, os.SEEK_END)
            text = f"{heading}\n{line}\n" if heading and not before else f"{line}\n"
            data = text.encode("utf-8", UNDECODABLE)
            try:
                if out.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(out.fileno())
            except OSError:
                with suppress(OSError):
                    os.truncate(path, before)
                raise
    except OSError as error:
        raise StateError(
            ReasonCode.STORAGE_FULL,
            f"{path} cannot be written: {error.strerror}.",
            "Free some space, then say it again; what was said before is kept.",
        ) from None


def write_results(folder: Path, rows: Iterable[Row], *, grouped: bool, seen: Callable[[Row], None]) -> Path:
    """Stream rows into ``results.csv``, calling ``seen`` for each; gives its path."""
    path = folder / RESULTS_NAME
    columns = GROUP_COLUMNS if grouped else BASE_COLUMNS
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="", errors=UNDECODABLE) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(_harmless(row.cells(columns)))
            seen(row)
    return path


def _harmless(cells: list[str]) -> list[str]:
    """A file named ``=cmd()`` must not become a formula in a spreadsheet."""
    return [f"'{cell}" if cell[:1] in ("=", "@", "\t", "\r") else cell for cell in cells]


def read_results(folder: Path) -> Iterator[dict[str, str]]:
    """The rows of a finished job, as text.

    Raises:
        StateError: the folder holds no results.
    """
    rows = _lines(folder)
    columns = next(rows, [])
    return (dict(zip(columns, row, strict=False)) for row in rows)


def _lines(folder: Path) -> Iterator[list[str]]:
    path = folder / RESULTS_NAME
    if not path.is_file():
        raise StateError(
            ReasonCode.FILE_NOT_FOUND,
            f"{folder} holds no finished batch job.",
            "Run the job first; a job that was stopped goes on when its command is repeated.",
        )
    with path.open(encoding="utf-8", newline="") as opened:
        yield from csv.reader(opened)


def nearest_to_threshold(folder: Path, count: int) -> list[dict[str, str]]:
    """The rows of a finished job whose scores are nearest to the threshold, the nearest first.

    Raises:
        StateError: the folder holds no results.
    """
    import heapq

    rows = _lines(folder)
    columns = next(rows, [])
    file, score, threshold = (columns.index(name) for name in ("file", "score", "threshold"))
    scored = (
        (abs(float(row[score]) - float(row[threshold])), row[file], row)
        for row in rows
        if row[score] and row[threshold]
    )
    return [dict(zip(columns, row, strict=True)) for _, _, row in heapq.nsmallest(count, scored)]


NUMBERS = frozenset(
    {"score", "predicted_fmr", "predicted_fmr_low", "predicted_fmr_high", "llr", "threshold", "quality", "start", "end"}
)


def typed(row: dict[str, str]) -> dict[str, str | float | int | None]:
    """Numbers as numbers, empty ones as None."""
    values: dict[str, str | float | int | None] = {}
    for column, text in row.items():
        if column in NUMBERS:
            values[column] = float(text) if text else None
        elif column == "group":
            values[column] = int(text) if text else None
        else:
            values[column] = text
    return values
