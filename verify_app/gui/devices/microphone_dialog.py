"""Recording a voice: a level meter, the seconds, and something to read aloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QDialog, QWidget

from verify_app.domain import Sample
from verify_app.gui import theme
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason, VerifyAppError

if TYPE_CHECKING:
    from verify_app.capture.microphone import Microphone

TICK_MILLISECONDS = 50
LONGEST_SECONDS = 60.0


class LevelView(QWidget):
    """The last seconds of the level as bars."""

    BAR = 4

    def __init__(self) -> None:
        super().__init__()
        self._levels: list[float] = []
        self.setAccessibleName(translate("LevelView", "Level of the microphone"))

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A wide, low format."""
        return QSize(460, 90)

    def add(self, level: float) -> None:
        """The level now, 0..1."""
        self._levels.append(level)
        del self._levels[: -max(1, self.width() // (self.BAR + 2))]
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the bars, the newest at the right."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        x = float(self.width() - self.BAR)
        for level in reversed(self._levels):
            height = max(3.0, min(1.0, level) ** 0.6 * self.height())
            colour = "bad" if level > 0.98 else "accent"
            painter.setPen(colours.colour(colour))
            painter.setBrush(colours.colour(colour))
            painter.drawRoundedRect(QRectF(x, middle - height / 2, self.BAR - 1, height), 2, 2)
            x -= self.BAR + 2
        painter.end()


class MicrophoneDialog(QDialog):
    """Records until stopped; :attr:`sample` holds the recording once accepted."""

    def __init__(self, parent: QWidget, session: Session, microphone: Microphone | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("MicrophoneDialog", "Record a voice"))
        self._session = session
        self._microphone = microphone
        self.sample: Sample | None = None
        self._recording = False
        passage = translate(
            "MicrophoneDialog",
            "“On quiet mornings the ferry leaves before sunrise. A handful of people stand at the rail, "
            "watch the lights of the harbour grow small, and talk about the weather.”",
        )
        text = Card(
            label(translate("MicrophoneDialog", "Read this aloud, or say anything you like"), "h3"),
            label(passage, wrap=True),
            role="sunken",
        )
        self.level = LevelView()
        self.seconds = label("0.0 s", "figure")
        self.notice = Notice()
        self.record_button = button(
            translate("MicrophoneDialog", "Record"), self.toggle, role="primary", icon="microphone"
        )
        cancel = button(translate("MicrophoneDialog", "Cancel"), self.reject)
        self.setLayout(
            column(text, self.level, self.notice, row(self.seconds, 1, cancel, self.record_button), gap=14, margin=16)
        )
        self.setMinimumWidth(520)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self._tick)
        self.finished.connect(lambda _code: self._release())

    def toggle(self) -> None:
        """Begin, or end and keep the recording."""
        if self._recording:
            self._keep()
            return
        self.notice.hide()
        self.record_button.setEnabled(False)
        self._session.workshop.start(self, lambda _p, _c: self._open(), self._begin, self._say)

    def _open(self) -> Microphone:
        from verify_app.capture.microphone import Microphone, list_microphones

        if self._microphone is None:
            wanted = self._session.settings.microphone if self._session.settings else ""
            device = next((one.index for one in list_microphones() if wanted and one.name == wanted), None)
            self._microphone = Microphone(device)
        self._microphone.start()
        return self._microphone

    def _begin(self, _microphone: Microphone) -> None:
        if not self.isVisible():  # closed while the microphone was opening
            self._release()
            return
        self._recording = True
        self.record_button.setEnabled(True)
        self.record_button.setText(translate("MicrophoneDialog", "Stop"))
        self._timer.start()

    def _tick(self) -> None:
        if self._microphone is None:
            return
        self.level.add(self._microphone.level())
        seconds = self._microphone.seconds()
        self.seconds.setText(f"{seconds:.1f} s")
        if seconds >= LONGEST_SECONDS:
            self._keep()

    def _keep(self) -> None:
        self._timer.stop()
        self._recording = False
        if self._microphone is None:
            return
        try:
            self.sample = self._microphone.stop()
        except VerifyAppError as error:
            self._say(error.reason)
            return
        self.accept()

    def _say(self, reason: Reason) -> None:
        self._recording = False
        self.record_button.setEnabled(True)
        self.record_button.setText(translate("MicrophoneDialog", "Record"))
        self.notice.explain(reason)

    def _release(self) -> None:
        self._timer.stop()
        if self._microphone is not None:
            self._microphone.close()


def record(parent: QWidget, session: Session, use: Callable[[Sample], object]) -> None:
    """Open the dialog; ``use`` gets the recording when one is made."""
    dialog = MicrophoneDialog(parent, session)
    dialog.accepted.connect(lambda: use(dialog.sample) if dialog.sample is not None else None)
    dialog.finished.connect(lambda _code: dialog.deleteLater())
    dialog.open()
