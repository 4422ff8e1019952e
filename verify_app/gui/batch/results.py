"""The results of a job: counts to filter by, what decided, the table, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QItemSelection, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QTableView,
    QToolButton,
    QWidget,
)

from verify_app.gui import words
from verify_app.gui.batch.actions import ResultActions
from verify_app.gui.batch.command_line import CommandLine
from verify_app.gui.batch.form import fill_targets
from verify_app.gui.batch.group_bar import GroupBar
from verify_app.gui.batch.model import ResultsModel
from verify_app.gui.batch.names import decision_name
from verify_app.gui.batch.thumbnails import SIDE, Thumbnails
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import clear, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services.batch.table import ResultTable

TYPING_MILLISECONDS = 200
_WIDTHS = {
    "file": 240, "start": 130, "claim": 120, "group": 70, "decision": 105, "score": 65, "predicted_fmr": 150,
}  # fmt: skip


class ResultsView(QWidget):
    """A finished job.

    Signals:
        rescore: score again at this false-match rate.
    """

    rescore = Signal(float)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.warning = Notice()
        self.notice = Notice(closable=True)
        self.facts = label("", "small", wrap=True, selectable=True)
        self.search = QLineEdit()
        self.search.setPlaceholderText(translate("Results", "Find a file, a person or a reason"))
        self.search.setAccessibleName(self.search.placeholderText())
        self.search.setClearButtonEnabled(True)
        self.target = QComboBox()
        self.target.setAccessibleName(translate("Results", "False matches accepted"))
        self.target.setToolTip(translate("Results", "Score again with another strictness; no file is read again."))
        self.target.activated.connect(lambda _index: self.rescore.emit(float(self.target.currentData())))
        self._chips = row(gap=6)
        self._chip_group = QButtonGroup(self)
        self.thumbnails = Thumbnails(session, self)
        self.model = ResultsModel(self.thumbnails, self)
        self.table = self._make_table()
        self.groups = GroupBar(session)
        self.groups.corrected.connect(self._show_corrections)
        self.groups.failed.connect(self.explain)
        self.actions_bar = ResultActions(session)
        self.actions_bar.exported.connect(self._exported)
        self.actions_bar.failed.connect(self.explain)
        self.command = CommandLine()
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MILLISECONDS)
        self._typing.timeout.connect(self._filter)
        self.search.textChanged.connect(lambda _text: self._typing.start())
        self._lay_out()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setAccessibleName(translate("Results", "Results"))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setIconSize(QSize(SIDE, SIDE))
        # Rows of one height: asking a hundred thousand rows for theirs would take seconds.
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(SIDE + 10)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSortIndicatorClearable(True)
        table.setSortingEnabled(True)
        table.selectionModel().selectionChanged.connect(self._selected)
        return table

    def _lay_out(self) -> None:
        bar = row(self._chips, 1, self.search, label(translate("Results", "Accepting"), "muted"), self.target, gap=8)
        self.search.setMinimumWidth(230)
        layout = column(self.warning, self.notice, bar, gap=10)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.groups)
        layout.addWidget(self.facts)
        layout.addWidget(self.command)
        layout.addWidget(self.actions_bar)
        self.setLayout(layout)

    # -- showing ----------------------------------------------------------------------------------

    def show_table(self, table: ResultTable) -> None:
        """Show the results of a job."""
        summary = table.summary
        self.notice.hide()
        self.thumbnails.begin(table.folder, summary)
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self.table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.model.show_table(table)
        for name, width in _WIDTHS.items():
            if name in (shown := self.model.columns):
                self.table.setColumnWidth(shown.index(name), width)
        self._make_chips(table)
        fill_targets(self.target, summary["target_fmr"])
        self.groups.setVisible(table.grouping)
        self.groups.begin(table.folder)
        self.actions_bar.begin(table.folder, summary)
        self.actions_bar.adjudicate_button.setEnabled(bool(summary["comparisons"]))
        self.command.show_command(summary["command"])
        self._show_facts(table)

    def _show_facts(self, table: ResultTable) -> None:
        summary, calibration = table.summary, table.summary["calibration"]
        if summary["warning"]:
            expected = summary["comparisons"] * summary["target_fmr"]
            text = translate(
                "Results", "{n} comparisons: if all were of different people, about {expected} would match by chance."
            ).format(n=words.number(summary["comparisons"]), expected=f"{expected:.3g}")
            self.warning.say(text, translate("Results", "Look at the matches, or accept fewer false ones."), "warn")
        else:
            self.warning.hide()
        parts = [
            translate("Results", "Calibration “{name}” ({origin}) of {day}").format(
                name=calibration["name"], origin=calibration["origin"], day=calibration["created"][:10]
            ),
            translate("Results", "{n} comparisons").format(n=words.number(summary["comparisons"])),
        ]
        if table.grouping:
            groups = len(set(table.corrected.tolist()) - {0})
            parts.append(translate("Results", "%n group(s) by {method}", n=groups).format(method=summary["method"]))
        if summary["purity"] is not None:
            parts.append(translate("Results", "purity {purity}").format(purity=f"{summary['purity']:.3f}"))
        self.facts.setText(" · ".join(parts))

    def _make_chips(self, table: ResultTable) -> None:
        for old in self._chip_group.buttons():
            self._chip_group.removeButton(old)
        clear(self._chips)
        for decision, count in {"": len(table), **table.decisions()}.items():
            name = decision_name(decision) if decision else translate("Results", "All")
            chip = QToolButton()
            chip.setText(f"{name}  {words.number(count)}")
            chip.setProperty("role", "chip")
            chip.setProperty("decision", decision)
            chip.setCheckable(True)
            chip.setChecked(not decision)
            chip.setCursor(Qt.CursorShape.PointingHandCursor)
            chip.clicked.connect(self._filter)
            self._chip_group.addButton(chip)
            self._chips.addWidget(chip)

    def choose_decision(self, decision: str) -> None:
        """Show only the rows that came out so, empty for all."""
        for chip in self._chip_group.buttons():
            if chip.property("decision") == decision:
                chip.click()

    def _filter(self) -> None:
        chip = self._chip_group.checkedButton()
        self.model.choose(self.search.text(), chip.property("decision") if chip else "")

    def _selected(self, _on: QItemSelection, _off: QItemSelection) -> None:
        table = self.model.table
        if table is not None and table.grouping:
            chosen = [self.model.row_of(index) for index in self.table.selectionModel().selectedRows()]
            self.groups.choose([table.text["file"][row] for row in chosen if table.group[row]])

    def _show_corrections(self) -> None:
        table = self.model.table
        if table is not None:
            table.refresh_groups()
            self.model.refresh()
            self.groups.choose([])
            self._show_facts(table)

    def _exported(self, path: str, files: int) -> None:
        if files:
            text = translate("Results", "%n file(s) sorted into {path}.", n=files).format(path=path)
        else:
            text = translate("Results", "Written: {path}").format(path=path)
        self.notice.say(text, tone="good")

    def explain(self, reason: Reason) -> None:
        """Show why something could not be done."""
        self.notice.explain(reason, "bad")
