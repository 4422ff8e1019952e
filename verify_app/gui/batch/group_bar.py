"""Groups put right by hand: merge the groups of the chosen rows, split the chosen rows off, undo."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, label, row
from verify_app.services.batch.choices import Action


class GroupBar(QWidget):
    """Buttons for the rows chosen in the table; what people say is kept beside the machine's groups.

    Signals:
        corrected: a correction was written.
        failed: a :class:`Reason`.
    """

    corrected = Signal()
    failed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._folder = Path()
        self._files: list[str] = []
        self.reviewer = QLineEdit()
        self.reviewer.setPlaceholderText(translate("GroupBar", "Your name"))
        self.reviewer.setAccessibleName(translate("GroupBar", "Your name"))
        self.reviewer.setMaximumWidth(180)
        self.reviewer.textChanged.connect(lambda _text: self._update())
        self.merge_button = button(translate("GroupBar", "Merge groups"), lambda: self.act(Action.MERGE), icon="plus")
        self.split_button = button(translate("GroupBar", "Split off"), lambda: self.act(Action.SPLIT), icon="cross")
        self.undo_button = button(translate("GroupBar", "Undo"), lambda: self.act(Action.UNDO), role="plain")
        self._hint = label("", "small")
        self.setLayout(row(self.reviewer, self.merge_button, self.split_button, self.undo_button, self._hint, 1, gap=8))
        self._update()

    def begin(self, folder: Path) -> None:
        """Act on another job."""
        self._folder = folder
        self.choose([])

    def choose(self, files: list[str]) -> None:
        """These rows are chosen in the table."""
        self._files = files
        self._update()

    def _update(self) -> None:
        named = bool(self.reviewer.text().strip())
        self.merge_button.setEnabled(named and len(self._files) > 1)
        self.split_button.setEnabled(named and bool(self._files))
        self.undo_button.setEnabled(named)
        hint = translate("GroupBar", "Choose rows to merge their groups or to split them off.")
        chosen = translate("GroupBar", "%n row(s) chosen", n=len(self._files))
        self._hint.setText(chosen if self._files else hint)

    def act(self, action: Action) -> None:
        """Write a correction."""
        folder, reviewer = self._folder, self.reviewer.text()
        files = [] if action is Action.UNDO else list(self._files)

        def write() -> None:
            from verify_app.services.batch.corrections import correct

            correct(folder, action, files, reviewer)

        self._session.run(self, lambda _app, _p, _c: write(), lambda _done: self.corrected.emit(), self.failed.emit)
