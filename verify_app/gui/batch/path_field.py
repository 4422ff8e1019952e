"""A path: typed, dropped or chosen in a dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit, QMenu, QWidget

from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, row


class PathField(QWidget):
    """A line for a path and a button that opens a dialog; takes what is dropped on it.

    Signals:
        changed: the path is another one.
    """

    changed = Signal()

    def __init__(self, name: str, *, folders: bool = True, files: str = "") -> None:
        """``folders``: folders can be chosen. ``files``: filter of a file dialog, empty where files cannot."""
        super().__init__()
        self._folders, self._files = folders, files
        self.edit = QLineEdit()
        self.edit.setClearButtonEnabled(True)
        self.edit.setAcceptDrops(False)
        self.edit.textChanged.connect(lambda _text: self.changed.emit())
        self.browse = button(translate("PathField", "Choose…"), self._choose, icon="folder" if folders else "file")
        self.setAcceptDrops(True)
        self.setLayout(row(self.edit, self.browse, gap=8))
        self.rename(name)

    def rename(self, name: str, *, folders: bool | None = None, files: str | None = None) -> None:
        """Say what is wanted; the placeholder and the accessible name follow."""
        self._folders = self._folders if folders is None else folders
        self._files = self._files if files is None else files
        self.edit.setPlaceholderText(name)
        self.edit.setAccessibleName(name)
        self.browse.setAccessibleName(translate("PathField", "Choose: {what}").format(what=name))

    @property
    def path(self) -> Path | None:
        """The path, None while the line is empty."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else None

    def set_path(self, path: Path | None) -> None:
        """Put a path into the line."""
        self.edit.setText("" if path is None else str(path))

    def _choose(self) -> None:
        if self._folders and self._files:
            menu = QMenu(self)
            menu.addAction(translate("PathField", "Folder…"), self._choose_folder)
            menu.addAction(translate("PathField", "File or zip archive…"), self._choose_file)
            menu.exec(self.browse.mapToGlobal(self.browse.rect().bottomLeft()))
        elif self._folders:
            self._choose_folder()
        else:
            self._choose_file()

    def _choose_folder(self) -> None:
        found = QFileDialog.getExistingDirectory(self, self.edit.placeholderText(), self.edit.text())
        if found:
            self.edit.setText(found)

    def _choose_file(self) -> None:
        found, _ = QFileDialog.getOpenFileName(self, self.edit.placeholderText(), self.edit.text(), self._files)
        if found:
            self.edit.setText(found)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take one file or folder."""
        if len(event.mimeData().urls()) == 1 and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Put it into the line."""
        event.acceptProposedAction()
        self.edit.setText(event.mimeData().urls()[0].toLocalFile())
