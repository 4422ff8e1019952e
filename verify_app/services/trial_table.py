"""A table of trials: CSV with ``reference,probe,mated[,fold][,group]``, checked to the line and the column."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verify_app.reasons import ReasonCode, UnusableInput

REQUIRED = ("reference", "probe", "mated")
OPTIONAL = ("fold", "group", "reference_subject", "probe_subject")
TRUTH = {
    "1": True,
    "true": True,
    "yes": True,
    "mated": True,
    "0": False,
    "false": False,
    "no": False,
    "non-mated": False,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of the table.

    Attributes:
        references: the reference files, combined into one reference.
        probe: the probe file.
        mated: whether both are of one subject.
        extra: the optional columns that the table has.
    """

    references: tuple[str, ...]
    probe: str
    mated: bool
    extra: dict[str, str]


@dataclass(frozen=True, slots=True)
class TrialTable:
    """All trials of a table.

    Attributes:
        trials: the rows, in order.
        columns: the optional columns present.
    """

    trials: tuple[Trial, ...]
    columns: tuple[str, ...]

    def files(self) -> list[str]:
        """Every file named, once each, in order of first mention."""
        named = (file for trial in self.trials for file in (*trial.references, trial.probe))
        return list(dict.fromkeys(named))


def read_trials(path: str | Path) -> TrialTable:
    """Read a table of trials.

    Raises:
        UnusableInput: FILE_NOT_FOUND, FILE_EMPTY, FILE_UNREADABLE, or TABLE_INVALID naming line and column.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            head = [name.strip().lower() for name in next(rows, [])]
            columns = _columns(path, head)
            trials = tuple(_trials(path, rows, columns))
    except FileNotFoundError:
        raise UnusableInput(
            ReasonCode.FILE_NOT_FOUND, f"There is no file {path}.", "Check the path of the table."
        ) from None
    except OSError as error:
        raise UnusableInput(ReasonCode.FILE_UNREADABLE, f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UnusableInput(
            ReasonCode.TABLE_INVALID, f"{path} is not text in UTF-8.", "Save the table as CSV in UTF-8."
        ) from None
    except csv.Error as error:
        raise _invalid(path, f"line {rows.line_num}: {error}") from None
    if not trials:
        raise _invalid(path, "it has a header but no trials")
    return TrialTable(trials, tuple(name for name in OPTIONAL if name in columns))


def _columns(path: Path, head: list[str]) -> dict[str, int]:
    if not head:
        raise UnusableInput(ReasonCode.FILE_EMPTY, f"{path} is empty.", f"Its header must be {','.join(REQUIRED)}.")
    missing = [name for name in REQUIRED if name not in head]
    if missing:
        raise _invalid(
            path,
            f"line 1 has no column “{missing[0]}” (it has {', '.join(head)})",
            f"The header must be {','.join(REQUIRED)}, and may add {', '.join(OPTIONAL)}, separated by commas.",
        )
    repeated = {name for name in head if head.count(name) > 1}
    if repeated:
        raise _invalid(path, f"line 1 names the column “{min(repeated)}” twice")
    return {name: head.index(name) for name in (*REQUIRED, *OPTIONAL) if name in head}


def _trials(path: Path, rows: Iterator[list[str]], columns: dict[str, int]) -> Iterator[Trial]:
    for row in rows:
        line = getattr(rows, "line_num", 0)
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(columns.values()):
            short = next(name for name, index in columns.items() if index >= len(row))
            raise _invalid(path, f"line {line}: column “{short}” is missing")
        cells = {name: row[index].strip() for name, index in columns.items()}
        references = tuple(part.strip() for part in cells["reference"].split(";") if part.strip())
        for name, value in (("reference", references), ("probe", cells["probe"])):
            if not value:
                raise _invalid(path, f"line {line}: column “{name}” is empty")
        mated = TRUTH.get(cells["mated"].lower())
        if mated is None:
            raise _invalid(
                path,
                f"line {line}: column “mated” is “{cells['mated']}”",
                "Write 1 for mated and 0 for non-mated trials.",
            )
        yield Trial(references, cells["probe"], mated, {name: cells[name] for name in OPTIONAL if name in cells})


def _invalid(path: Path, what: str, advice: str = "Correct the table.") -> UnusableInput:
    return UnusableInput(ReasonCode.TABLE_INVALID, f"{path}: {what}.", advice)
