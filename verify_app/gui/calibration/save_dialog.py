"""Saving a calibration: name, expiry, and the honest question when the data cannot show its target."""

from __future__ import annotations

from PySide6.QtCore import QDate
from PySide6.QtWidgets import QCheckBox, QDateEdit, QDialog, QFormLayout, QLineEdit, QWidget

from verify_app.evaluation.live import Support
from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.notice import Notice


class SaveDialog(QDialog):
    """Asks for what a saved calibration needs."""

    def __init__(self, parent: QWidget, suggestion: str, target_fmr: float, support: Support) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("SaveDialog", "Save calibration"))
        self.setMinimumWidth(440)
        self.name = QLineEdit(suggestion)
        self.expires = QDateEdit(QDate.currentDate().addYears(1))
        self.expires.setCalendarPopup(True)
        self.expires.setMinimumDate(QDate.currentDate().addDays(1))
        self.activate = QCheckBox(translate("SaveDialog", "Decide with it from now on"))
        self.activate.setChecked(True)
        self.anyway = QCheckBox(translate("SaveDialog", "Save it all the same, marked as not shown by its data"))
        self.anyway.setVisible(not support.supported)
        notice = Notice()
        if not support.supported:
            notice.say(
                translate("SaveDialog", "These data cannot show a false-match rate of {odds}.").format(
                    odds=words.one_in(target_fmr)
                ),
                translate("SaveDialog", "{count} more comparisons of different people are needed.").format(
                    count=words.number(support.comparisons)
                ),
                "warn",
            )
        form = QFormLayout()
        form.setVerticalSpacing(10)
        form.addRow(translate("SaveDialog", "Name"), self.name)
        form.addRow(translate("SaveDialog", "Target"), label(words.one_in(target_fmr), "h3"))
        form.addRow(translate("SaveDialog", "Valid until"), self.expires)
        self.save_button = button(translate("SaveDialog", "Save"), self.accept, role="primary")
        buttons = row(1, button(translate("SaveDialog", "Cancel"), self.reject), self.save_button)
        self.setLayout(column(form, self.activate, notice, self.anyway, buttons, gap=14, margin=20))
        self.name.textChanged.connect(lambda _text: self._update())
        self.anyway.toggled.connect(lambda _on: self._update())
        self._supported = support.supported
        self._update()

    def _update(self) -> None:
        self.save_button.setEnabled(bool(self.name.text().strip()) and (self._supported or self.anyway.isChecked()))

    @property
    def valid_days(self) -> int:
        """Days from today to the first day on which it no longer holds."""
        return QDate.currentDate().daysTo(self.expires.date())
