"""The results of a finished job in other forms, with what people said of them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from verify_app.reasons import ReasonCode, StateError, UsageError
from verify_app.services.batch import adjudication
from verify_app.services.batch.corrections import corrected_groups
from verify_app.services.batch.locate import locate
from verify_app.services.batch.place import PART_MARK, PlaceKind
from verify_app.services.batch.results import read_results, typed, written_whole

FORMS = ("csv", "jsonl", "parquet", "xlsx", "rttm")


def export(folder: Path, kind: str) -> Path:
    """Write the results in another form beside ``results.csv``: ``csv``, ``jsonl``, ``parquet``, ``xlsx`` or ``rttm``.

    What people said is added in columns of its own: ``corrected_group`` in grouping jobs, and ``adjudication``
    (same, different, unsure or disagreement) once somebody adjudicated.

    Raises:
        UsageError: an unknown form, the library for it is not installed, or RTTM of rows that are not of stretches.
    """
    writers = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet, "xlsx": _write_xlsx}
    writers["rttm"] = _write_rttm
    if kind not in writers:
        raise UsageError(ReasonCode.USAGE, f"{kind!r} is no form of results.", f"Use one of {', '.join(writers)}.")
    path = folder / ("results-reviewed.csv" if kind == "csv" else f"results.{kind}")
    rows = reviewed_rows(folder)
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


def reviewed_rows(folder: Path) -> Rows:
    """The rows of a finished job with what people said beside what the machine found."""
    groups = corrected_groups(folder)
    answers = adjudication.answers(folder)
    for row in read_results(folder):
        values = typed(row)
        if "group" in row:
            values["corrected_group"] = groups.get(row["file"])
        if answers:
            given = {answer.value for answer in answers.get((row["file"], row["claim"]), {}).values()}
            definite = given - {adjudication.Answer.UNSURE.value}
            values["adjudication"] = "disagreement" if len(definite) > 1 else next(iter(definite or given), None)
        yield values


def _write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        for number, row in enumerate(rows):
            if number == 0:
                writer.writerow(row)
            writer.writerow(["" if value is None else value for value in row.values()])


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
    # In memory first: a full disk found while it is zipped would leave the library no way to end quietly.
    packed = io.BytesIO()
    book.save(packed)
    path.write_bytes(packed.getvalue())


def _write_rttm(path: Path, rows: Rows) -> None:
    """Who spoke when, as the Rich Transcription evaluations of NIST write it (RTTM, 2009): one line per stretch."""
    mark, count = f"{PART_MARK}{PlaceKind.SPEECH}-", 0
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            file, found, _ = str(row["file"]).rpartition(mark)
            start, end = row.get("start"), row.get("end")
            if not found or not isinstance(start, float) or not isinstance(end, float):
                continue
            group = row.get("corrected_group")
            speaker = str(row["claim"] or "unknown") if group is None else f"group-{group:04}"
            name, speaker = ("_".join(word.split()) for word in (file, speaker))
            out.write(f"SPEAKER {name} 1 {start:.3f} {end - start:.3f} <NA> <NA> {speaker} <NA> <NA>\n")
            count += 1
    if not count:
        raise UsageError(
            ReasonCode.USAGE, "The results have no rows of stretches of speech.", "Run the job with --segments."
        )


def sort_files(folder: Path, sources: tuple[str, ...], target: Path, *, link: bool) -> int:
    """Copy (or link) the files of a finished job into one folder per decision, or per group as corrected by hand.

    Members of archives stay where they are. Gives the number of files.

    Raises:
        UsageError: ``target`` exists and is not empty.
        StateError: the disk is full, or links are not allowed there.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError(ReasonCode.USAGE, f"The folder {target} is not empty.", "Give a new folder.")
    groups = corrected_groups(folder)
    count = 0
    for row in read_results(folder):
        place = locate(sources, row["file"])
        if place is None or place[0].member:
            continue
        group = groups.get(row["file"])
        destination = target / (row["decision"] if group is None else f"group-{group:04d}") / place[0].name
        if destination.exists():
            continue
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            if link:
                destination.symlink_to(place[0].path)
            else:
                shutil.copy2(place[0].path, destination)
        except OSError as error:
            with suppress(OSError):
                destination.unlink(missing_ok=True)  # half a picture is none
            raise StateError(
                ReasonCode.STORAGE_FULL,
                f"{destination} cannot be written: {error.strerror or error}.",
                "Free some space, or give a folder you may write to.",
            ) from None
        count += 1
    return count
