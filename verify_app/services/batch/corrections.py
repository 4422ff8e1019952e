"""Groups put right by hand. What people say is kept beside what the machine found and never overwrites it.

Corrections are appended to ``corrections.jsonl`` in the job's folder. They name files and not group numbers, so
that they still hold when the job is scored again at another threshold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from verify_app.reasons import ReasonCode, UnusableInput, UsageError
from verify_app.services.batch.choices import Action
from verify_app.services.batch.results import append_line, read_results

CORRECTIONS_NAME = "corrections.jsonl"


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction.

    Attributes:
        action: MERGE joins the groups of all files named, SPLIT takes the files named out of their groups into
            one new group, UNDO takes back the last correction that still holds.
        files: names of rows.
        reviewer: who said so.
        at: when, ISO 8601, UTC.
    """

    action: Action
    files: tuple[str, ...]
    reviewer: str
    at: str


def correct(folder: Path, action: Action, files: Sequence[str], reviewer: str) -> Correction:
    """Append a correction to a finished grouping job.

    Raises:
        UsageError: no reviewer is named, a file is not in the results, or there is nothing to do.
        StateError: no finished job, or the folder cannot be written.
    """
    if not reviewer.strip():
        raise UsageError(ReasonCode.USAGE, "The reviewer has no name.", "Give one with --reviewer.")
    known = corrected_groups(folder)
    strange = [file for file in files if file not in known]
    if strange:
        raise UsageError(ReasonCode.USAGE, f"The results hold no group for {strange[0]}.", "Check the name.")
    _check_sense(action, files, known, folder)
    made = Correction(action, tuple(files), reviewer.strip(), datetime.now(UTC).isoformat(timespec="seconds"))
    append_line(folder / CORRECTIONS_NAME, json.dumps(asdict(made)))
    return made


def _check_sense(action: Action, files: Sequence[str], known: dict[str, int], folder: Path) -> None:
    if action is Action.UNDO:
        if not standing(folder):
            raise UsageError(ReasonCode.USAGE, "There is no correction to take back.")
        return
    groups = {known[file] for file in files}
    if action is Action.MERGE and len(groups) < 2:
        raise UsageError(ReasonCode.USAGE, "Merging needs files of at least two groups.", "Name one file of each.")
    if action is Action.SPLIT and (not files or _whole_group(files, known)):
        raise UsageError(
            ReasonCode.USAGE, "Splitting needs some files of a group, but not all of it.", "Name those that leave."
        )


def _whole_group(files: Sequence[str], known: dict[str, int]) -> bool:
    """The files named are one whole group: splitting them off would change nothing."""
    groups = {known[file] for file in files}
    return len(groups) == 1 and sum(group in groups for group in known.values()) == len(set(files))


def corrections(folder: Path) -> list[Correction]:
    """Every correction ever made, in order.

    Raises:
        UnusableInput: the file was damaged (the line is named).
    """
    path = folder / CORRECTIONS_NAME
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            values = json.loads(line)
            found.append(
                Correction(Action(values["action"]), tuple(values["files"]), str(values["reviewer"]), str(values["at"]))
            )
        except (ValueError, KeyError, TypeError):
            raise UnusableInput(
                ReasonCode.TABLE_INVALID, f"{path}, line {number}: not a correction.", "Mend or remove that line."
            ) from None
    return found


def standing(folder: Path) -> list[Correction]:
    """The corrections that hold: all that were not taken back."""
    held: list[Correction] = []
    for one in corrections(folder):
        if one.action is not Action.UNDO:
            held.append(one)
        elif held:
            held.pop()
    return held


def corrected_groups(folder: Path) -> dict[str, int]:
    """The group of every grouped file once the corrections are applied to what the machine found.

    Raises:
        StateError: the folder holds no results.
    """
    groups = {row["file"]: int(row["group"]) for row in read_results(folder) if row.get("group")}
    last = max(groups.values(), default=0)
    for one in standing(folder):
        files = [file for file in one.files if file in groups]
        if not files:
            continue
        if one.action is Action.MERGE:
            joined = {groups[file] for file in files}
            target = min(joined)
            groups = {file: target if group in joined else group for file, group in groups.items()}
        else:
            last += 1
            groups |= dict.fromkeys(files, last)
    return groups
