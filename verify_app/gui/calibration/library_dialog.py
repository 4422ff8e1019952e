"""The saved calibrations: which one decides, until when it holds; use, export, import, remove."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHeaderView,
    QMessageBox,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from verify_app.gui import words
from verify_app.gui.session import AppWork, Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services import calibration_library
from verify_app.services.calibrate import public_id, use
from verify_app.services.calibration_library import Listed


class LibraryDialog(QDialog):
    """A table of calibrations with what can be done with the one chosen."""

    def __init__(self, parent: QWidget, session: Session) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("LibraryDialog", "Saved calibrations"))
        self.resize(860, 460)
        self._session = session
        self._listed: list[Listed] = []
        self.table = QTableWidget(0, 6)
        self.table.setAccessibleName(translate("LibraryDialog", "Calibrations"))
        self.table.setHorizontalHeaderLabels(
            [
                translate("LibraryDialog", "Name"),
                translate("LibraryDialog", "Modality"),
                translate("LibraryDialog", "Target"),
                translate("LibraryDialog", "Comparisons"),
                translate("LibraryDialog", "Valid until"),
                translate("LibraryDialog", "State"),
            ]
        )
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.itemSelectionChanged.connect(self._update)
        self.notice = Notice()
        self.detail = label("", "small", wrap=True)
        self.use_button = button(translate("LibraryDialog", "Decide with it"), self._use, role="primary")
        self.export_button = button(translate("LibraryDialog", "Export…"), self._export, icon="export")
        self.remove_button = button(translate("LibraryDialog", "Remove"), self._remove, role="danger", icon="trash")
        import_button = button(translate("LibraryDialog", "Import…"), self._import, icon="import")
        close = button(translate("LibraryDialog", "Close"), self.accept)
        buttons = row(self.use_button, self.export_button, self.remove_button, 1, import_button, close, gap=8)
        self.setLayout(column(self.table, self.detail, self.notice, buttons, margin=16))
        self._update()
        self.refresh()

    @property
    def chosen(self) -> Listed | None:
        """The calibration chosen."""
        place = self.table.currentRow()
        return self._listed[place] if 0 <= place < len(self._listed) else None

    def refresh(self) -> None:
        """Read the list again."""
        self._session.run(self, lambda app, _p, _c: calibration_library.listed(app), self._show, self._say)

    def _show(self, found: list[Listed]) -> None:
        self._listed = found
        self.table.setRowCount(len(found))
        for place, one in enumerate(found):
            for column_number, text in enumerate(_cells(one)):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
                item.setToolTip(one.problem)
                self.table.setItem(place, column_number, item)
        if found and self.table.currentRow() < 0:
            self.table.selectRow(0)
        self._update()

    def _update(self) -> None:
        one = self.chosen
        own = one is not None and bool(one.id)
        self.use_button.setEnabled(one is not None and not one.active and not one.problem)
        self.remove_button.setEnabled(own)
        self.export_button.setEnabled(one is not None)
        self.detail.setText(_detail(one) if one is not None else "")

    def _say(self, reason: Reason) -> None:
        self.notice.explain(reason, "bad")

    def _change(self, work: AppWork[object]) -> None:
        def done(_result: object) -> None:
            self.notice.hide()
            self._session.calibration_changed.emit()
            self.refresh()

        self._session.run(self, work, done, self._say)

    def _use(self) -> None:
        one = self.chosen
        if one is not None:
            chosen = public_id(one)
            self._change(lambda app, _p, _c: use(app, chosen))

    def _remove(self) -> None:
        one = self.chosen
        if one is not None and one.id:
            chosen = one.id
            self._change(lambda app, _p, _c: calibration_library.remove(app, chosen))

    def _export(self) -> None:
        one = self.chosen
        if one is None:
            return
        file, _ = QFileDialog.getSaveFileName(
            self, translate("LibraryDialog", "Export calibration"), f"{one.calibration.name}.json", "JSON (*.json)"
        )
        if file and self._agreed(one):
            calibration = one.calibration
            self._session.run(
                self,
                lambda _app, _p, _c: calibration_library.export(calibration, Path(file), with_embeddings=True),
                lambda path: self.notice.say(translate("LibraryDialog", "Written to {file}.").format(file=path)),
                self._say,
            )

    def _agreed(self, one: Listed) -> bool:
        """Whether embeddings of people may be written, where the similarity holds some."""
        if not one.calibration.embeddings:
            return True
        question = translate(
            "LibraryDialog",
            "The similarity of this calibration holds %n embedding(s) of people, which are biometric data. "
            "The file is not encrypted. Write them all the same?",
            n=one.calibration.embeddings,
        )
        title = translate("LibraryDialog", "Export calibration")
        return QMessageBox.question(self, title, question) is QMessageBox.StandardButton.Yes

    def _import(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, translate("LibraryDialog", "Import calibration"), "", "JSON (*.json)"
        )
        if file:
            self.import_file(Path(file))

    def import_file(self, file: Path) -> None:
        """Take a calibration in from a file."""
        self._change(lambda app, _p, _c: calibration_library.import_file(app, file))


def _cells(one: Listed) -> list[str]:
    calibration = one.calibration
    if one.problem:
        state = translate("LibraryDialog", "not valid")
    elif one.active:
        state = translate("LibraryDialog", "in use")
    else:
        state = translate("LibraryDialog", "kept")
    if calibration.saved_anyway:
        state = translate("LibraryDialog", "{state}, not shown by its data").format(state=state)
    return [
        calibration.name,
        words.modality_name(calibration.modality),
        words.one_in(calibration.target_fmr),
        words.number(calibration.mated + calibration.non_mated),
        calibration.expires.isoformat() if calibration.expires else translate("LibraryDialog", "no end"),
        state,
    ]


def _detail(one: Listed) -> str:
    calibration = one.calibration
    origin = (
        translate("LibraryDialog", "Shipped with the encoder")
        if calibration.origin == "general"
        else translate("LibraryDialog", "Your own")
    )
    parts = [
        origin,
        translate("LibraryDialog", "made {day}").format(day=calibration.created.isoformat()),
        translate("LibraryDialog", "method {name}").format(name=calibration.method),
        translate("LibraryDialog", "devices: {name}").format(name=calibration.device_class),
        translate("LibraryDialog", "data {digest}").format(digest=calibration.data_digest[:12]),
    ]
    lines = ["  ·  ".join(parts), *calibration.history]
    if one.problem:
        lines.append(one.problem)
    return "\n".join(lines)
