"""The results of a finished job in memory, by column, so that a hundred thousand rows sort and filter at once."""

from __future__ import annotations

import json
import sys
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.reasons import ReasonCode, StateError
from verify_app.services.batch.corrections import corrected_groups
from verify_app.services.batch.results import read_results
from verify_app.services.batch.summary import SUMMARY_NAME

NUMERIC = ("score", "predicted_fmr", "predicted_fmr_low", "predicted_fmr_high", "threshold", "quality", "start", "end")
TEXTUAL = ("file", "claim", "decision", "reason", "message")


@dataclass(slots=True, eq=False)
class ResultTable:
    """Columns of equal length.

    Attributes:
        folder: the job's folder.
        summary: its ``summary.json``.
        text: the columns of text, by name.
        numbers: the columns of numbers, by name, float64; NaN where a cell is empty.
        group: group of each row, int64; 0 where there is none.
        corrected: group of each row once corrections by hand are applied.
    """

    folder: Path
    summary: dict[str, Any]
    text: dict[str, list[str]]
    numbers: dict[str, NDArray[np.float64]]
    group: NDArray[np.int64]
    corrected: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.text["file"])

    @property
    def grouping(self) -> bool:
        """Whether this is a grouping job."""
        return self.summary["groups"] is not None

    def decisions(self) -> dict[str, int]:
        """How many rows came out how, in a fixed order."""
        return dict(sorted(Counter(self.text["decision"]).items()))

    def chosen(self, words: str = "", decision: str = "") -> NDArray[np.int64]:
        """Rows whose file, claim, reason or message holds the words, and that came out so; empty means any."""
        kept = np.arange(len(self))
        if decision:
            texts = self.text["decision"]
            kept = np.array([row for row in kept if texts[row] == decision], np.int64)
        wanted = words.casefold().strip()
        if wanted:
            columns = [self.text[name] for name in ("file", "claim", "reason", "message")]
            kept = np.array([row for row in kept if any(wanted in c[row].casefold() for c in columns)], np.int64)
        return kept

    def ordered(self, rows: NDArray[np.int64], column: str, *, descending: bool = False) -> NDArray[np.int64]:
        """The rows in the order of a column; empty cells come last, equal ones keep the job's order."""
        if column in self.text:
            texts = self.text[column]
            return np.array(sorted(rows, key=lambda row: texts[row].casefold(), reverse=descending), np.int64)
        values = self.corrected.astype(float) if column == "group" else self.numbers[column]
        keys = values[rows]
        missing = np.isnan(keys)
        return rows[np.lexsort((rows, np.where(missing, 0.0, -keys if descending else keys), missing))]

    def mates(self, file: str) -> list[str]:
        """Other files of the same group as the machine found it, in the job's order."""
        row = self.text["file"].index(file)
        if not self.group[row]:
            return []
        others = np.flatnonzero(self.group == self.group[row])
        return [self.text["file"][other] for other in others if other != row]

    def row_dict(self, file: str, claim: str) -> dict[str, str] | None:
        """A row as text; None when there is no such row."""
        for row, name in enumerate(self.text["file"]):
            if name == file and self.text["claim"][row] == claim:
                numbers = {name: str(values[row]) for name, values in self.numbers.items()}
                return {name: column[row] for name, column in self.text.items()} | numbers
        return None

    def refresh_groups(self) -> None:
        """Apply the corrections made since."""
        if self.grouping:
            groups = corrected_groups(self.folder)
            self.corrected = np.array([groups.get(name, 0) for name in self.text["file"]], np.int64)
        else:
            self.corrected = self.group


def load_table(folder: Path) -> ResultTable:
    """Read a finished job.

    Raises:
        StateError: the folder holds no finished job, or its summary was damaged.
    """
    text: dict[str, list[str]] = {name: [] for name in TEXTUAL}
    numbers = {name: array("d") for name in NUMERIC}
    groups = array("q")
    for row in read_results(folder):
        for name, column in text.items():
            value = row[name]
            column.append(sys.intern(value) if name in ("decision", "reason") else value)
        for name, values in numbers.items():
            values.append(float(row.get(name) or "nan"))
        groups.append(int(row.get("group") or 0))
    group = np.array(groups, np.int64)
    table = ResultTable(
        folder, read_summary(folder), text, {name: np.array(values) for name, values in numbers.items()}, group
    )
    table.refresh_groups()
    return table


def read_summary(folder: Path) -> dict[str, Any]:
    """The ``summary.json`` of a finished job.

    Raises:
        StateError: it is missing or damaged.
    """
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
        return summary
    except (OSError, ValueError):
        raise StateError(
            ReasonCode.FILE_NOT_FOUND,
            f"{folder} holds no readable {SUMMARY_NAME}.",
            "Repeat the job's command: a finished job writes its results again without reading a file.",
        ) from None
