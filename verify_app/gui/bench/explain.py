"""Two files in, a picture out: which parts speak for the match and which against it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QLabel, QSizePolicy, QWidget

from verify_app.gui.images import pixmap_from_bytes
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services.application import Application


class FittedPicture(QLabel):
    """A picture scaled down to the room there is."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = QPixmap()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def show_picture(self, picture: QPixmap) -> None:
        """Show another picture."""
        self._whole = picture
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Scale again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            return
        scaled = self._whole.scaled(
            self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        self.setPixmap(scaled)


class Explain(QWidget):
    """Chooses two files and shows what their comparison rests on.

    Signals:
        explained: a picture is shown, or the reason why there is none.
    """

    explained = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._files: list[Path | None] = [None, None]
        self._names = [label(translate("Explain", "no file"), "muted"), label(translate("Explain", "no file"), "muted")]
        choose = [
            button(translate("Explain", "Probe…"), lambda: self._choose(0), icon="file"),
            button(translate("Explain", "Reference…"), lambda: self._choose(1), icon="file"),
        ]
        self.button = button(translate("Explain", "Explain"), self.explain, role="primary")
        self.button.setEnabled(False)
        self.notice = Notice()
        self.picture = FittedPicture()
        head = row(choose[0], self._names[0], choose[1], self._names[1], 1, self.button, gap=10)
        hint = translate(
            "Explain", "Parts of the probe are covered one after the other; the score tells what they add."
        )
        layout = column(head, label(hint, "small"), self.notice, margin=12)
        layout.addWidget(self.picture, 1)
        self.setLayout(layout)

    def _choose(self, place: int) -> None:
        file, _ = QFileDialog.getOpenFileName(self, translate("Explain", "Photo or recording"))
        if file:
            self.set_file(place, Path(file))

    def set_file(self, place: int, file: Path) -> None:
        """Take a file as probe (0) or reference (1)."""
        self._files[place] = file
        self._names[place].setText(file.name)
        self._names[place].setToolTip(str(file))
        self.button.setEnabled(all(self._files))

    def explain(self) -> None:
        """Draw the picture off the window's thread."""
        probe, reference = self._files
        if probe is None or reference is None:
            return
        self.button.setEnabled(False)
        self.notice.hide()
        self._session.run(self, lambda app, _p, _c: _draw(app, probe, reference), self._show, self._fail)

    def _show(self, data: bytes) -> None:
        self.button.setEnabled(True)
        self.picture.show_picture(pixmap_from_bytes(data))
        self.explained.emit(data)

    def _fail(self, reason: Reason) -> None:
        self.button.setEnabled(True)
        self.notice.explain(reason)
        self.explained.emit(reason)


def _draw(app: Application, probe: Path, reference: Path) -> bytes:
    from verify_app.services.bench.explain import explain

    with tempfile.TemporaryDirectory() as folder:
        _, file = explain(app, probe, reference, Path(folder) / "explained.png")
        return file.read_bytes()
