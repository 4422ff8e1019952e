"""The command line that does what the window does, ready to copy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, row


class CommandLine(QWidget):
    """A read-only text of so many lines and a button that copies it."""

    def __init__(self, lines: int = 1) -> None:
        super().__init__()
        self.edit = QPlainTextEdit()
        self.edit.setReadOnly(True)
        self.edit.setTabChangesFocus(True)
        self.edit.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.edit.setFixedHeight(self.edit.fontMetrics().lineSpacing() * lines + 24)
        if lines == 1:
            self.edit.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
            self.edit.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.edit.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.edit.setAccessibleName(translate("CommandLine", "The same in the shell"))
        self.edit.setToolTip(translate("CommandLine", "This command does the same in the shell."))
        self.copy_button = button(translate("CommandLine", "Copy"), self.copy)
        copy = row(1, self.copy_button) if lines > 1 else row(self.copy_button)
        self.setLayout(column(self.edit, copy, gap=8) if lines > 1 else row(self.edit, copy, gap=8))

    def show_command(self, command: str) -> None:
        """Show a command."""
        self.edit.setPlainText(command)
        self.copy_button.setEnabled(bool(command))

    def copy(self) -> None:
        """Put it on the clipboard."""
        QGuiApplication.clipboard().setText(self.edit.toPlainText())
