"""The results on disk: ``results.csv`` and its exports. Written aside, then put in place in one step."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from verify_app.reasons import ReasonCode, StateError, UsageError
from verify_app.services.batch.rows import BASE_COLUMNS, GROUP_COLUMNS, Row

RESULTS_NAME = "results.csv"


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
        temporary.unlink(missing_ok=True)
        raise StateError(
            ReasonCode.STORAGE_FULL,
            f"{path} cannot be written: {error.strerror or error}.",
            "Free some space, or give another folder with --out; nothing already computed is lost.",
        ) from None


def write_results(folder: Path, rows: Iterable[Row], *, grouped: bool, seen: Callable[[Row], None]) -> Path:
    """Stream rows into ``results.csv``, calling ``seen`` for each; gives its path."""
    path = folder / RESULTS_NAME
    columns = GROUP_COLUMNS if grouped else BASE_COLUMNS
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="", errors="replace") as out:
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
    path = folder / RESULTS_NAME
    if not path.is_file():
        raise StateError(
            ReasonCode.FILE_NOT_FOUND,
            f"{folder} holds no finished batch job.",
            "Run the job first; a job that was stopped goes on when its command is repeated.",
        )
    with path.open(encoding="utf-8", newline="") as opened:
        yield from csv.DictReader(opened)


NUMBERS = frozenset(
    {"score", "predicted_fmr", "predicted_fmr_low", "predicted_fmr_high", "llr", "threshold", "quality"}
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


def export(folder: Path, kind: str) -> Path:
    """Write the results in another form beside ``results.csv``: ``jsonl``, ``parquet`` or ``xlsx``.

    Raises:
        UsageError: an unknown form, or the library for it is not installed.
    """
    writers = {"jsonl": _write_jsonl, "parquet": _write_parquet, "xlsx": _write_xlsx}
    if kind not in writers:
        raise UsageError(ReasonCode.USAGE, f"{kind!r} is no form of results.", f"Use one of {', '.join(writers)}.")
    path = folder / f"results.{kind}"
    rows = (typed(row) for row in read_results(folder))
    try:
        with written_whole(path) as temporary:
            writers[kind](temporary, rows)
    except ImportError as error:
        raise UsageError(
            ReasonCode.USAGE,
            f"Writing {kind} needs the package {error.name}, which is not installed.",
            "Install it with: pip install 'verify-app[tables]'",
        ) from None
    return path


Rows = Iterator[dict[str, str | float | int | None]]


def _write_jsonl(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, rows: Rows) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = arrow.Table.from_pylist(list(rows))
    parquet.write_table(table, path)


def _write_xlsx(path: Path, rows: Rows) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("results")
    for number, row in enumerate(rows):
        if number == 0:
            sheet.append(list(row))
        sheet.append(list(row.values()))
    book.save(path)


def sort_files(folder: Path, sources: tuple[str, ...], target: Path, *, link: bool) -> int:
    """Copy (or link) the files of a finished job into one folder per decision or group; gives their number.

    Raises:
        UsageError: ``target`` exists and is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError(ReasonCode.USAGE, f"The folder {target} is not empty.", "Give a new folder.")
    count = 0
    for row in read_results(folder):
        origin = next((path for source in sources if (path := Path(source) / row["file"]).is_file()), None)
        if origin is None:
            continue  # members of archives stay where they are
        place = row["decision"] if not row.get("group") else f"group-{int(row['group']):04d}"
        destination = target / place / row["file"]
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.exists():
            continue
        if link:
            destination.symlink_to(origin)
        else:
            shutil.copy2(origin, destination)
        count += 1
    return count
