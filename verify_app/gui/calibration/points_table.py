"""The table of operating points; a click moves the line there."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QBrush
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from verify_app.gui import theme, words
from verify_app.gui.text import translate
from verify_app.services.operating_points import Point


class PointsTable(QTableWidget):
    """Operating points with their rates; those that the data cannot show are greyed and say what is missing.

    Signals:
        chosen: the :class:`Point` that was clicked or chosen by key.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, 4)
        self._points: list[Point] = []
        self.setAccessibleName(translate("PointsTable", "Operating points"))
        self.setHorizontalHeaderLabels(
            [
                translate("PointsTable", "Operating point"),
                translate("PointsTable", "Threshold"),
                translate("PointsTable", "False matches"),
                translate("PointsTable", "False non-matches"),
            ]
        )
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setProperty("role", "plain")
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for narrow in (0, 1, 2):
            self.horizontalHeader().setSectionResizeMode(narrow, QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setHighlightSections(False)
        self.cellActivated.connect(self._choose)
        self.cellClicked.connect(self._choose)
        theme.on_change(self, lambda _theme: self.show_points(self._points))

    def _choose(self, row: int, _column: int) -> None:
        if self._points[row].reading is not None:
            self.chosen.emit(self._points[row])

    def show_points(self, points: Sequence[Point]) -> None:
        """Show the rows."""
        self._points = list(points)
        self.setRowCount(len(points))
        for row, point in enumerate(points):
            self._fill(row, point)

    def _fill(self, row: int, point: Point) -> None:
        colours = theme.current()
        unsupported = point.support is not None and not point.support.supported
        for column, text in enumerate(point_cells(point)):
            item = QTableWidgetItem(text)
            item.setTextAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
            item.setForeground(QBrush(colours.colour("muted" if unsupported else "text")))
            self.setItem(row, column, item)
        self.resizeRowToContents(row)


def point_cells(point: Point) -> list[str]:
    """The texts of a row; a second line in a cell holds the interval or what is missing."""
    cells = [_name(point), "–", "–", "–"]
    reading = point.reading
    if reading is not None:
        cells[1:] = [
            f"{reading.threshold:.4g}",
            f"{words.one_in(reading.fmr.value)}\n{words.interval_phrase(reading.fmr)}",
            f"{words.percent(reading.fnmr.value)}\n{_range(reading.fnmr.low, reading.fnmr.high)}",
        ]
    if point.support is not None and not point.support.supported:
        missing = translate("PointsTable", "needs {count} more comparisons")
        cells[0] += "\n" + missing.format(count=words.number(point.support.comparisons))
    return cells


def _range(low: float, high: float) -> str:
    return translate("PointsTable", "95 %: {low} to {high}").format(low=words.percent(low), high=words.percent(high))


def _name(point: Point) -> str:
    if point.kind == "target" and point.target_fmr is not None:
        return words.one_in(point.target_fmr)
    return {
        "equal": translate("PointsTable", "Equal errors"),
        "cost": translate("PointsTable", "Lowest cost"),
        "own": translate("PointsTable", "Your threshold"),
    }[point.kind]
