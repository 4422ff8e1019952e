"""What can be done with the results of a finished job."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, row
from verify_app.reasons import Reason


class ResultActions(QWidget):
    """Buttons below the table.

    Signals:
        adjudicate: somebody wants to look at the doubtful rows.
        exported: something was written; its path and how many files (0 for a table).
        failed: a :class:`Reason`.
    """

    adjudicate = Signal()
    exported = Signal(str, int)
    failed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._folder = Path()
        self._sources: tuple[str, ...] = ()
        t = translate
        self.adjudicate_button = button(
            t("ResultActions", "Look at doubtful rows…"), self.adjudicate.emit, role="primary", icon="compare"
        )
        self.export_button = button(t("ResultActions", "Export"), icon="export")
        menu = QMenu(self.export_button)
        for text, form in (
            (t("ResultActions", "CSV with what people said"), "csv"),
            ("Excel (XLSX)", "xlsx"),
            ("Parquet", "parquet"),
            ("JSON lines", "jsonl"),
            (t("ResultActions", "Who spoke when (RTTM)"), "rttm"),
        ):
            menu.addAction(text, partial(self.export, form))
        menu.addSeparator()
        menu.addAction(t("ResultActions", "Copy the files into sorted folders…"), lambda: self._ask_sorted(link=False))
        menu.addAction(t("ResultActions", "Link the files from sorted folders…"), lambda: self._ask_sorted(link=True))
        self.export_button.setMenu(menu)
        self.report_button = button(t("ResultActions", "Open report"), self._open_report, icon="file")
        self.folder_button = button(t("ResultActions", "Open folder"), self._open_folder, icon="folder")
        self.setLayout(
            row(self.adjudicate_button, 1, self.export_button, self.report_button, self.folder_button, gap=8)
        )

    def begin(self, folder: Path, summary: dict[str, Any]) -> None:
        """Act on another job."""
        self._folder, self._sources = folder, tuple(summary["sources"])

    def export(self, form: str) -> None:
        """Write a table beside the results."""
        folder = self._folder

        def write() -> tuple[Path, int]:
            from verify_app.services.batch.exports import export

            return export(folder, form), 0

        self._run(write)

    def sort_into(self, target: Path, *, link: bool) -> None:
        """Copy or link the files into folders by decision or group."""
        folder, sources = self._folder, self._sources

        def write() -> tuple[Path, int]:
            from verify_app.services.batch.exports import sort_files

            return target, sort_files(folder, sources, target, link=link)

        self._run(write)

    def _run(self, write: Callable[[], tuple[Path, int]]) -> None:
        self._session.run(
            self,
            lambda _app, _p, _c: write(),
            lambda done: self.exported.emit(str(done[0]), done[1]),
            lambda reason: self._fail(reason),
        )

    def _fail(self, reason: Reason) -> None:
        self.failed.emit(reason)

    def _ask_sorted(self, *, link: bool) -> None:
        target = QFileDialog.getExistingDirectory(
            self, translate("ResultActions", "An empty folder for the sorted files"), str(self._folder.parent)
        )
        if target:
            self.sort_into(Path(target), link=link)

    def _open_report(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder / "report.html")))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))
