"""Choosing a person by typing any part of the name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit, QWidget

from verify_app.gui.text import translate


class PersonCombo(QComboBox):
    """A combo box of names that is searched by typing.

    Signals:
        chosen: the name in the box changed to one of the list, or to ``""`` for none of them.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditable(True)
        edit = QLineEdit()
        self.setLineEdit(edit)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setAccessibleName(translate("PersonCombo", "Person who is claimed"))
        completer = QCompleter(self.model(), self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(completer)
        edit.setPlaceholderText(translate("PersonCombo", "Choose or type a name"))
        edit.setClearButtonEnabled(True)
        edit.textChanged.connect(lambda _text: self.chosen.emit(self.name))

    @property
    def name(self) -> str:
        """The person chosen, ``""`` while the text is nobody's name."""
        text = " ".join(self.currentText().split()).casefold()
        for index in range(self.count()):
            if self.itemText(index).casefold() == text:
                return self.itemText(index)
        return ""

    def set_people(self, names: Sequence[str]) -> None:
        """Offer these names and keep what is typed."""
        typed = self.currentText()
        self.blockSignals(True)
        self.clear()
        self.addItems(list(names))
        self.setCurrentIndex(-1)
        self.setEditText(typed)
        self.blockSignals(False)
        self.chosen.emit(self.name)

    def choose(self, name: str) -> None:
        """Choose somebody."""
        self.setEditText(name)
