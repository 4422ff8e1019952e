"""The command line that does what the window does, ready to copy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QLineEdit, QWidget

from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, row


class CommandLine(QWidget):
    """A read-only line and a button that copies it."""

    def __init__(self) -> None:
        super().__init__()
        self.edit = QLineEdit()
        self.edit.setReadOnly(True)
        self.edit.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.edit.setAccessibleName(translate("CommandLine", "The same in the shell"))
        self.edit.setToolTip(translate("CommandLine", "This command does the same in the shell."))
        self.copy_button = button(translate("CommandLine", "Copy"), self.copy)
        self.setLayout(row(self.edit, self.copy_button, gap=8))

    def show_command(self, command: str) -> None:
        """Show a command, its beginning first."""
        self.edit.setText(command)
        self.edit.setCursorPosition(0)
        self.copy_button.setEnabled(bool(command))

    def copy(self) -> None:
        """Put it on the clipboard."""
        QGuiApplication.clipboard().setText(self.edit.text())
        self.edit.selectAll()
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)
