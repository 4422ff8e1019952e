"""Results as a table of Qt: sorting and filtering move numbers, never rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from verify_app.gui import theme, words
from verify_app.gui.batch import names
from verify_app.gui.batch.thumbnails import Thumbnails
from verify_app.gui.text import translate
from verify_app.services.batch.place import clock
from verify_app.services.batch.table import ResultTable

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole


class ResultsModel(QAbstractTableModel):
    """Rows of a :class:`ResultTable` in the order and the choice of the user."""

    def __init__(self, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self.table: ResultTable | None = None
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._columns: list[str] = []
        self._sorted: tuple[str, bool] | None = None
        self._words = self._decision = ""
        self._thumbnails = thumbnails
        thumbnails.ready.connect(self._redraw)
        theme.on_change(self, lambda _theme: self._redraw())

    # -- what is shown ----------------------------------------------------------------------------

    def show_table(self, table: ResultTable | None) -> None:
        """Show other results, unsorted and whole."""
        self.beginResetModel()
        self.table, self._sorted, self._words, self._decision = table, None, "", ""
        self._columns = [] if table is None else _columns(table)
        self._rows = np.arange(0 if table is None else len(table))
        self.endResetModel()

    def choose(self, text: str, decision: str) -> None:
        """Show only rows that hold the text and came out so."""
        self._words, self._decision = text, decision
        self._arrange()

    def refresh(self) -> None:
        """Show what changed in the table."""
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by a column; -1 restores the job's order."""
        descending = order == Qt.SortOrder.DescendingOrder
        self._sorted = (self._columns[column], descending) if 0 <= column < len(self._columns) else None
        self._arrange()

    def _arrange(self) -> None:
        if self.table is None:
            return
        self.beginResetModel()
        rows = self.table.chosen(self._words, self._decision)
        if self._sorted is not None:
            rows = self.table.ordered(rows, self._sorted[0], descending=self._sorted[1])
        self._rows = rows
        self.endResetModel()

    def _redraw(self) -> None:
        if len(self._rows) and self._columns:
            corner = self.index(len(self._rows) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), corner, [Role.DecorationRole, Role.ForegroundRole])

    def row_of(self, index: Index) -> int:
        """Number of the row within the job's results."""
        return int(self._rows[index.row()])

    @property
    def columns(self) -> list[str]:
        """Names of the columns shown, from the left."""
        return self._columns

    # -- Qt's questions ---------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: N802 - Qt's name
        """Rows shown."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:  # noqa: N802 - Qt's name
        """Columns shown."""
        return 0 if parent is not None and parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:  # noqa: N802
        """Names of the columns."""
        if role == Role.TextAlignmentRole and self._columns and self._columns[section] in _RIGHT:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if orientation != Qt.Orientation.Horizontal or role != Role.DisplayRole or self.table is None:
            return None
        name = self._columns[section]
        return names.claim_heading(self.table.summary["kind"]) if name == "claim" else _HEADINGS[name]()

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """One cell."""
        table = self.table
        if table is None or not index.isValid():
            return None
        row, column = self.row_of(index), self._columns[index.column()]
        if role == Role.DisplayRole:
            return _TEXTS[column](table, row)
        if role == Role.DecorationRole and column == "file":
            return self._thumbnails.picture(table.text["file"][row])
        if role == Role.ForegroundRole and column in ("decision", "message"):
            shade = names.tone(table.text["decision"][row]) if column == "decision" else "muted"
            return theme.current().colour(shade)
        if role == Role.ToolTipRole:
            return _tip(table, row, column)
        if role == Role.TextAlignmentRole and column in _RIGHT:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


def _columns(table: ResultTable) -> list[str]:
    claimed = not table.grouping or any(table.text["claim"])
    columns = ["file", "start", "claim", "group", "decision", "score", "predicted_fmr", "message"]
    hidden = {"claim"} if not claimed else set()
    hidden |= set() if table.grouping else {"group"}
    hidden |= {"start"} if np.isnan(table.numbers["start"]).all() else set()
    return [name for name in columns if name not in hidden]


_RIGHT = ("score", "group")

_HEADINGS: dict[str, Callable[[], str]] = {
    "file": lambda: translate("Results", "File"),
    "start": lambda: translate("Results", "Time"),
    "group": lambda: translate("Results", "Group"),
    "decision": lambda: translate("Results", "Decision"),
    "score": lambda: translate("Results", "Score"),
    "predicted_fmr": lambda: translate("Results", "Chance match"),
    "message": lambda: translate("Results", "Reason"),
}


def _score(table: ResultTable, row: int) -> str:
    value = table.numbers["score"][row]
    return "" if np.isnan(value) else f"{value:.3f}"


def _rate(table: ResultTable, row: int) -> str:
    value = table.numbers["predicted_fmr"][row]
    return "" if np.isnan(value) else words.one_in(float(value))


def _group(table: ResultTable, row: int) -> str:
    machine, now = int(table.group[row]), int(table.corrected[row])
    if not machine:
        return ""
    return str(machine) if machine == now else f"{machine} → {now}"


def _file(table: ResultTable, row: int) -> str:
    """The name, without the time where that has a column of its own."""
    name = table.text["file"][row]
    return name if np.isnan(table.numbers["start"][row]) else name.rpartition("@")[0]


def _time(table: ResultTable, row: int) -> str:
    """From when to when in a video or recording the row is about."""
    start, end = (float(table.numbers[name][row]) for name in ("start", "end"))
    if np.isnan(start):
        return ""
    return clock(start) if start == end else f"{clock(start)} – {clock(end)}"


_TEXTS: dict[str, Callable[[ResultTable, int], str]] = {
    "file": _file,
    "start": _time,
    "claim": lambda table, row: table.text["claim"][row],
    "group": _group,
    "decision": lambda table, row: names.decision_name(table.text["decision"][row]),
    "score": _score,
    "predicted_fmr": _rate,
    "message": lambda table, row: table.text["message"][row],
}


def _tip(table: ResultTable, row: int, column: str) -> str:
    if column == "score" and _score(table, row):
        threshold = table.numbers["threshold"][row]
        return translate("Results", "Accepted from {threshold}").format(threshold=f"{threshold:.3f}")
    if column == "predicted_fmr" and _rate(table, row):
        low, high = (float(table.numbers[f"predicted_fmr_{end}"][row]) for end in ("low", "high"))
        often, rarely = words.one_in(high), words.one_in(low) if low > 0 else translate("Results", "rarer")
        return translate(
            "Results", "Share of other people who would score this high, predicted. 95 %: {often} to {rarely}"
        ).format(often=often, rarely=rarely)
    return table.text["file"][row] if column == "file" else _TEXTS[column](table, row)
