"""Finished scores in a file: CSV with ``score,mated[,reference_subject,probe_subject][,group][,fold]``, or an NPZ of
those arrays. Every fault is named with its line and column.

The table that ``verify-app evaluate --scores`` writes can be read too: rows with a ``failure`` have no score and
are passed over.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.trial_table import TRUTH

REQUIRED = ("score", "mated")
OPTIONAL = ("reference_subject", "probe_subject", "group", "fold")
FILES = ("reference", "probe")
CHANCE = 0.7
"""Equal rows are two trials, not one given twice, when chance makes about this many equal scores."""


def read_scores(path: str | Path) -> TrialScores:
    """Read scored trials of both classes.

    Raises:
        UnusableInput: FILE_NOT_FOUND, FILE_EMPTY, FILE_UNREADABLE, TABLE_INVALID (a missing column, a wrong
            delimiter, a score or a label that cannot be read, a duplicated trial), TRIALS_ONE_CLASS, or
            TRIALS_TOO_FEW with fewer than two subjects.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except FileNotFoundError:
        raise UnusableInput(ReasonCode.FILE_NOT_FOUND, f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise UnusableInput(ReasonCode.FILE_UNREADABLE, f"{path} cannot be read: {error.strerror}.") from None
    if not start:
        raise UnusableInput(ReasonCode.FILE_EMPTY, f"{path} is empty.", f"Its header must be {','.join(REQUIRED)}.")
    trials = _from_npz(path) if start[:2] == b"PK" else _from_csv(path)
    _check(path, trials)
    return trials


def _from_npz(path: Path) -> TrialScores:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in (*REQUIRED, *OPTIONAL) if name in archive}
            if "score" not in arrays and "scores" in archive:
                arrays["score"] = archive["scores"]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _invalid(path, f"it is not an NPZ file of plain arrays ({error})") from None
    for name in REQUIRED:
        if name not in arrays:
            raise _invalid(path, f"it has no array “{name}”")
    extra = {name: arrays[name] for name in OPTIONAL if name in arrays}
    if arrays["mated"].dtype != np.bool_:
        wrong = np.flatnonzero(~np.isin(arrays["mated"], (0, 1)))
        if wrong.size:
            raise _invalid(path, f"row {wrong[0] + 1}: “mated” is neither 0 nor 1")
    try:
        return TrialScores(arrays["score"], arrays["mated"].astype(np.bool_), **extra)
    except (TypeError, ValueError):
        raise _invalid(path, "“score” is not an array of numbers") from None


def _from_csv(path: Path) -> TrialScores:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            head = [name.strip().lower() for name in next(rows, [])]
            columns = _columns(path, head)
            repeats = _Repeats(columns, head)
            table = list(_rows(path, rows, columns, repeats))
            repeats.refuse(path)
    except UnicodeDecodeError:
        raise _invalid(path, "it is not text in UTF-8", "Save the table as CSV in UTF-8.") from None
    except csv.Error as error:
        raise _invalid(path, f"line {rows.line_num}: {error}") from None
    if not table:
        raise _invalid(path, "it has a header but no trials")
    scores, mated, extra = zip(*table, strict=True)
    names = [name for name in OPTIONAL if name in columns]
    return TrialScores(
        np.array(scores),
        np.array(mated),
        **{name: np.array([row[place] for row in extra]) for place, name in enumerate(names)},
    )


def _columns(path: Path, head: list[str]) -> dict[str, int]:
    if len(head) == 1 and any(mark in head[0] for mark in ";\t|"):
        raise _invalid(path, "line 1: the columns are not separated by commas", "Save the table with commas.")
    for name in REQUIRED:
        if name not in head:
            raise _invalid(path, f"line 1 has no column “{name}” (it has {', '.join(head) or 'none'})")
    for name in head:
        if head.count(name) > 1:
            raise _invalid(path, f"line 1 names the column “{name}” twice")
    return {name: head.index(name) for name in (*REQUIRED, *OPTIONAL) if name in head}


def _rows(
    path: Path, rows: Iterator[list[str]], columns: dict[str, int], repeats: _Repeats
) -> Iterator[tuple[float, bool, tuple[str, ...]]]:
    for cells in rows:
        line = getattr(rows, "line_num", 0)
        if not any(cell.strip() for cell in cells) or repeats.failed(cells):
            continue
        for name, place in columns.items():
            if place >= len(cells) or not cells[place].strip():
                raise _invalid(path, f"line {line}: column “{name}” is empty")
        text = cells[columns["score"]].strip()
        try:
            score = float(text)
        except ValueError:
            raise _invalid(path, f"line {line}: column “score” is “{text}”, not a number") from None
        if not math.isfinite(score):
            raise _invalid(path, f"line {line}: column “score” is {text}, not a finite number")
        mated = TRUTH.get(cells[columns["mated"]].strip().lower())
        if mated is None:
            raise _invalid(path, f"line {line}: column “mated” is “{cells[columns['mated']].strip()}”", "Write 1 or 0.")
        _check_subjects(path, line, cells, columns, mated)
        repeats.add(line, cells)
        yield score, mated, tuple(cells[columns[name]].strip() for name in OPTIONAL if name in columns)


def _check_subjects(path: Path, line: int, cells: list[str], columns: dict[str, int], mated: bool) -> None:
    if "reference_subject" not in columns or "probe_subject" not in columns:
        return
    first, second = (cells[columns[name]].strip() for name in ("reference_subject", "probe_subject"))
    if (first == second) != mated:
        truth = "mated" if mated else "non-mated"
        raise _invalid(
            path,
            f"line {line}: column “mated” calls the trial {truth}, but its subjects are “{first}” and “{second}”",
            "Correct the label or the subjects.",
        )


class _Repeats:
    """Trials that are there twice: the same two files, or equal rows where chance does not explain them."""

    def __init__(self, columns: dict[str, int], head: list[str]) -> None:
        self._score = columns["score"]
        self._failure = head.index("failure") if "failure" in head else None
        self._files = [head.index(name) for name in FILES] if all(name in head for name in FILES) else []
        self._first: dict[tuple[str, ...], int] = {}
        self._repeat: tuple[int, int] | None = None
        self._alike: Counter[tuple[str, ...]] = Counter()
        self._decimals = 0

    def failed(self, cells: list[str]) -> bool:
        """Whether a row says that its trial could not be scored."""
        return self._failure is not None and len(cells) > self._failure and bool(cells[self._failure].strip())

    def add(self, line: int, cells: list[str]) -> None:
        """Remember a row."""
        stripped = tuple(cell.strip() for cell in cells)
        key = tuple(stripped[place] for place in self._files) if self._files else stripped
        if key in self._first and self._repeat is None:
            self._repeat = (line, self._first[key])
        self._first.setdefault(key, line)
        if not self._files:
            score = stripped[self._score]
            self._decimals = max(self._decimals, len(score.partition(".")[2].partition("e")[0]))
            self._alike[stripped[: self._score] + stripped[self._score + 1 :]] += 1

    def refuse(self, path: Path) -> None:
        """Refuse the first repeated trial, if there is one."""
        if self._repeat is None:
            return
        together = sum(count * (count - 1) / 2 for count in self._alike.values())
        if not self._files and together / 10.0**self._decimals > CHANCE:
            return
        column = "columns “reference” and “probe”" if self._files else "column “score” and the rest"
        raise _invalid(
            path, f"line {self._repeat[0]} repeats line {self._repeat[1]} ({column})", "Give each trial once."
        )


def _check(path: Path, trials: TrialScores) -> None:
    trials.require_both_classes()
    if trials.scores.min() == trials.scores.max():
        raise _invalid(path, f"every score is {trials.scores[0]:g}, which tells nobody apart")
    if trials.reference_subject is None or trials.probe_subject is None:
        return
    same = trials.reference_subject == trials.probe_subject
    wrong = np.flatnonzero(same != trials.mated)
    if wrong.size:
        truth = "mated" if trials.mated[wrong[0]] else "non-mated"
        names = f"“{trials.reference_subject[wrong[0]]}” and “{trials.probe_subject[wrong[0]]}”"
        raise _invalid(path, f"trial {wrong[0] + 1} of “mated” is called {truth}, but its subjects are {names}")
    if np.unique(np.concatenate([trials.reference_subject, trials.probe_subject])).size < 2:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW, f"{path} holds trials of one subject.", "Add trials of other people."
        )


def _invalid(path: Path, what: str, advice: str = "Correct the table.") -> UnusableInput:
    return UnusableInput(ReasonCode.TABLE_INVALID, f"{path}: {what}.", advice)
