"""Taking a picture: a mirrored live view with a guide, and a hint whether the face can be used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QTimer
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QComboBox, QDialog, QWidget

from verify_app.domain import ImageArray, Sample
from verify_app.gui import theme
from verify_app.gui.images import pixmap_from_array
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason, VerifyAppError

if TYPE_CHECKING:
    from verify_app.capture.camera import CameraDevice
    from verify_app.capture.live import Live

FRAME_MILLISECONDS = 33


class LiveView(QWidget):
    """The newest picture, mirrored, with an oval to put the face in."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(560, 420)
        self._pixmap = QPixmap()
        self.good = False
        self.setAccessibleName(translate("LiveView", "Live picture of the camera"))

    def show_picture(self, image: ImageArray) -> None:
        """Show this picture now."""
        self._pixmap = pixmap_from_array(image[:, ::-1])
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw picture and oval."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect())
        clip = QPainterPath()
        clip.addRoundedRect(frame, 10, 10)
        painter.setClipPath(clip)
        painter.fillRect(frame, theme.current().colour("sunken"))
        if not self._pixmap.isNull():
            scale = max(frame.width() / self._pixmap.width(), frame.height() / self._pixmap.height())
            target = QRectF(0, 0, self._pixmap.width() * scale, self._pixmap.height() * scale)
            target.moveCenter(frame.center())
            painter.drawPixmap(target, self._pixmap, QRectF(self._pixmap.rect()))
            height = frame.height() * 0.76
            colour = theme.current().colour("good") if self.good else QColor(255, 255, 255, 200)
            painter.setPen(QPen(colour, 3))
            painter.drawEllipse(QPointF(frame.center()), height * 0.38, height / 2)
        painter.end()


class CameraDialog(QDialog):
    """Shows a camera and takes one picture; :attr:`sample` holds it once accepted."""

    def __init__(self, parent: QWidget, session: Session) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("CameraDialog", "Take a picture"))
        self._session = session
        self._live: Live | None = None
        self._newest: Sample | None = None
        self._examining = False
        self.sample: Sample | None = None
        self.view = LiveView()
        self.hint = label(translate("CameraDialog", "Look straight into the camera."), "muted")
        self.notice = Notice()
        self._devices = QComboBox()
        self._devices.setAccessibleName(translate("CameraDialog", "Camera"))
        self._devices.currentIndexChanged.connect(lambda _index: self._start())
        self.take_button = button(translate("CameraDialog", "Take picture"), self.take, role="primary", icon="camera")
        self.take_button.setEnabled(False)
        self.take_button.setDefault(True)
        cancel = button(translate("CameraDialog", "Cancel"), self.reject)
        self.setLayout(
            column(
                self.view, self.notice, row(self.hint, 1), row(self._devices, 1, cancel, self.take_button), margin=16
            )
        )
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MILLISECONDS)
        self._timer.timeout.connect(self._look)
        self.finished.connect(lambda _code: self._stop())
        self._devices.blockSignals(True)
        session.workshop.start(self, lambda _p, _c: _cameras(), self._show_devices, self._say)

    def _show_devices(self, devices: list[CameraDevice]) -> None:
        for device in devices:
            self._devices.addItem(device.name, device.index)
        wanted = self._session.settings.camera if self._session.settings else 0
        self._devices.setCurrentIndex(max(0, self._devices.findData(wanted)))
        self._devices.setVisible(len(devices) > 1)
        self._devices.blockSignals(False)
        if devices:
            self._start()
        else:
            self.notice.say(
                translate("CameraDialog", "No camera was found."),
                translate("CameraDialog", "Connect one, or open a photo instead."),
                "warn",
            )

    def _start(self) -> None:
        from verify_app.capture.camera import Camera
        from verify_app.capture.live import Live

        self.watch(Live(Camera(int(self._devices.currentData() or 0))))

    def watch(self, live: Live) -> None:
        """Show this source in place of the one before."""
        self._stop()
        self._live = live
        live.start()
        self._timer.start()

    def _look(self) -> None:
        if self._live is None:
            return
        try:
            sample = self._live.latest()
        except VerifyAppError as error:
            self._stop()
            self._say(error.reason)
            return
        if sample is None:
            return
        self._newest = sample
        self.take_button.setEnabled(True)
        self.view.show_picture(sample.data)
        if not self._examining:
            self._examining = True
            self._session.run(self, lambda app, _p, _c: app.face.analyse(sample), self._found, self._not_found)

    def _found(self, _analysis: object) -> None:
        self._examining, self.view.good = False, True
        self.hint.setText(translate("CameraDialog", "Good. Take the picture."))

    def _not_found(self, reason: Reason) -> None:
        self._examining, self.view.good = False, False
        self.hint.setText(reason.advice or reason.message)

    def _say(self, reason: Reason) -> None:
        self.take_button.setEnabled(False)
        self.notice.explain(reason)

    def take(self) -> None:
        """Keep the picture that is shown now."""
        self.sample = self._newest
        self.accept()

    def _stop(self) -> None:
        self._timer.stop()
        live, self._live = self._live, None
        if live is not None:  # a camera that hangs must not hold up the window
            threading.Thread(target=live.stop, name="camera-stop", daemon=True).start()


def _cameras() -> list[CameraDevice]:
    from verify_app.capture.camera import list_cameras

    return list_cameras()


def take_picture(parent: QWidget, session: Session, use: Callable[[Sample], object]) -> None:
    """Open the dialog; ``use`` gets the picture when one is taken."""
    dialog = CameraDialog(parent, session)
    dialog.accepted.connect(lambda: use(dialog.sample) if dialog.sample is not None else None)
    dialog.finished.connect(lambda _code: dialog.deleteLater())
    dialog.open()
