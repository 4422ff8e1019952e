"""People look at doubtful rows: same, different or unsure. Their answers stand beside the machine's, never over them.

Answers are appended to ``adjudication.csv`` in the job's folder, one line each, so that nothing is ever
overwritten; a reviewer who changes an answer adds a line, and the last one counts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from verify_app.domain import Interval
from verify_app.reasons import ReasonCode, UnusableInput, UsageError
from verify_app.services.batch.results import append_line, read_results
from verify_app.services.batch.rows import RowDecision

ADJUDICATION_NAME = "adjudication.csv"
_COLUMNS = ("file", "claim", "reviewer", "answer", "at")
_ACCEPTED = frozenset({RowDecision.VERIFIED.value, RowDecision.MATCHED.value, RowDecision.GROUPED.value})
_REFUSED = frozenset({RowDecision.NOT_VERIFIED.value, RowDecision.UNKNOWN.value})

Key = tuple[str, str]
"""File and claim: what names a row."""


class Answer(StrEnum):
    """What a reviewer says of two samples."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row on which two reviewers said different things."""

    file: str
    claim: str
    answers: dict[str, Answer]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Error rates of the machine, as the adjudicated rows show them.

    Attributes:
        accepted: adjudicated rows that the machine accepted.
        wrong_accepts: those of them that reviewers call different.
        false_accept_share: their share, with the Clopper–Pearson interval; None when none was adjudicated.
        refused: adjudicated rows that the machine refused.
        wrong_refusals: those of them that reviewers call the same.
        false_refusal_share: their share, with its interval; None when none was adjudicated.
    """

    accepted: int
    wrong_accepts: int
    false_accept_share: Interval | None
    refused: int
    wrong_refusals: int
    false_refusal_share: Interval | None


def record(folder: Path, key: Key, reviewer: str, answer: Answer, *, known: bool = False) -> None:
    """Append one answer; ``known`` says that the key was just read from the results and need not be looked up.

    Raises:
        UsageError: no reviewer is named, or no row of the results has this file and claim.
        StateError: the folder holds no finished job, or cannot be written.
    """
    if not reviewer.strip():
        raise UsageError(ReasonCode.USAGE, "The reviewer has no name.", "Give one with --reviewer.")
    if not known and key not in {(row["file"], row["claim"]) for row in read_results(folder)}:
        raise UsageError(
            ReasonCode.USAGE, f"The results hold no row for {key[0]} and {key[1] or 'no claim'}.", "Check both names."
        )
    line = io.StringIO()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    csv.writer(line, lineterminator="").writerow([*key, reviewer.strip(), answer.value, now])
    append_line(folder / ADJUDICATION_NAME, line.getvalue(), heading=",".join(_COLUMNS))


def answers(folder: Path) -> dict[Key, dict[str, Answer]]:
    """The last answer of each reviewer for each row.

    Raises:
        UnusableInput: the file of answers was damaged (the line is named).
    """
    path = folder / ADJUDICATION_NAME
    found: dict[Key, dict[str, Answer]] = {}
    if not path.exists():
        return found
    with path.open(encoding="utf-8", newline="") as opened:
        for number, row in enumerate(csv.DictReader(opened), start=2):
            try:
                found.setdefault((row["file"], row["claim"]), {})[row["reviewer"]] = Answer(row["answer"])
            except (KeyError, ValueError):
                raise UnusableInput(
                    ReasonCode.TABLE_INVALID, f"{path}, line {number}: not an answer.", "Mend or remove that line."
                ) from None
    return found


def queue(folder: Path, reviewer: str, limit: int = 100) -> list[dict[str, str]]:
    """The rows this reviewer has not answered yet, nearest to the threshold first."""
    answered = {key for key, by_reviewer in answers(folder).items() if reviewer in by_reviewer}

    def open_rows() -> Iterator[dict[str, str]]:
        for row in read_results(folder):
            if row["score"] and row["threshold"] and (row["file"], row["claim"]) not in answered:
                yield row

    ordered = sorted(open_rows(), key=lambda row: (abs(float(row["score"]) - float(row["threshold"])), row["file"]))
    return ordered[:limit]


def disagreements(folder: Path) -> list[Disagreement]:
    """Rows on which reviewers differ; "unsure" differs from nothing."""
    found = []
    for (file, claim), by_reviewer in sorted(answers(folder).items()):
        if len({answer for answer in by_reviewer.values() if answer is not Answer.UNSURE}) > 1:
            found.append(Disagreement(file, claim, by_reviewer))
    return found


def estimate(folder: Path) -> Estimate:
    """How often the machine was wrong among the rows that reviewers agree on."""
    agreed = _agreed(folder)
    counts = {"accepted": 0, "wrong_accepts": 0, "refused": 0, "wrong_refusals": 0}
    for row in read_results(folder):
        answer = agreed.get((row["file"], row["claim"]))
        if answer is None:
            continue
        if row["decision"] in _ACCEPTED:
            counts["accepted"] += 1
            counts["wrong_accepts"] += answer is Answer.DIFFERENT
        elif row["decision"] in _REFUSED:
            counts["refused"] += 1
            counts["wrong_refusals"] += answer is Answer.SAME
    return Estimate(
        counts["accepted"],
        counts["wrong_accepts"],
        _share(counts["wrong_accepts"], counts["accepted"]),
        counts["refused"],
        counts["wrong_refusals"],
        _share(counts["wrong_refusals"], counts["refused"]),
    )


def _agreed(folder: Path) -> dict[Key, Answer]:
    agreed: dict[Key, Answer] = {}
    for key, by_reviewer in answers(folder).items():
        given = {answer for answer in by_reviewer.values() if answer is not Answer.UNSURE}
        if len(given) == 1:
            agreed[key] = given.pop()
    return agreed


def _share(errors: int, trials: int) -> Interval | None:
    if trials == 0:
        return None
    from verify_app.evaluation.intervals import clopper_pearson

    return clopper_pearson(errors, trials)
