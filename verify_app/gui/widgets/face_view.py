"""A photograph with the face that was found: its box, its five landmarks, and the aligned crop beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from verify_app.domain import ImageArray
from verify_app.gui import theme
from verify_app.gui.images import pixmap_from_array
from verify_app.gui.text import translate

RADIUS = 8


class Picture(QWidget):
    """A picture in a rounded frame, scaled to fill it; an empty frame without one."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self.setFixedSize(width, height)

    def show_pixmap(self, pixmap: QPixmap) -> None:
        """Show this picture."""
        self._pixmap = pixmap
        self.update()

    def show_array(self, array: ImageArray | None) -> None:
        """Show a uint8 array (height, width, 3), RGB."""
        self.show_pixmap(QPixmap() if array is None else pixmap_from_array(array))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the picture."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(frame, RADIUS, RADIUS)
        painter.setClipPath(path)
        painter.fillRect(self.rect(), theme.current().colour("sunken"))
        if not self._pixmap.isNull():
            painter.drawPixmap(frame, self._pixmap, _filling(self._pixmap, frame.width() / frame.height()))
        painter.end()


class FaceView(QWidget):
    """A photograph drawn around its face, with box and landmarks."""

    def __init__(self, height: int = 200) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self._box: QRectF | None = None
        self._landmarks: list[QPointF] = []
        self._height = height
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("FaceView", "Photograph"))

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A landscape format."""
        return QSize(round(self._height * 1.25), self._height)

    def show_face(
        self, image: ImageArray, box: NDArray[Any] | tuple[float, ...] | None, landmarks: NDArray[Any] | None
    ) -> None:
        """Show the image; ``box`` is x, y, width, height and ``landmarks`` (5, 2), both in its pixels."""
        self._pixmap = pixmap_from_array(image)
        self._box = QRectF(*(float(value) for value in box)) if box is not None else None
        points = [] if landmarks is None else np.asarray(landmarks, dtype=float).tolist()
        self._landmarks = [QPointF(x, y) for x, y in points]
        found = translate("FaceView", "Photograph with the face found in it")
        self.setAccessibleName(found if self._box else translate("FaceView", "Photograph without a face"))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the part of the photograph around the face."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect())
        clip = QPainterPath()
        clip.addRoundedRect(frame, RADIUS, RADIUS)
        painter.setClipPath(clip)
        painter.fillRect(frame, theme.current().colour("sunken"))
        if not self._pixmap.isNull():
            region = self._region()
            scale = min(frame.width() / region.width(), frame.height() / region.height())
            target = QRectF(0, 0, region.width() * scale, region.height() * scale)
            target.moveCenter(frame.center())
            painter.drawPixmap(target, self._pixmap, region)
            self._paint_findings(painter, region, target, scale)
        painter.end()

    def _region(self) -> QRectF:
        """The part of the photograph to show: the whole, or what surrounds a small face, in the widget's format."""
        whole = QRectF(self._pixmap.rect())
        if self._box is None:
            return whole
        ratio = self.width() / max(1, self.height())
        height = min(whole.height(), max(self._box.height() * 1.7, whole.height() * 0.25))
        width = height * ratio
        region = QRectF(0, 0, width, height)
        region.moveCenter(self._box.center())
        if region.right() > whole.right():
            region.moveRight(whole.right())
        if region.bottom() > whole.bottom():
            region.moveBottom(whole.bottom())
        region.moveLeft(max(region.left(), whole.left()))
        region.moveTop(max(region.top(), whole.top()))
        return region.intersected(whole)

    def _paint_findings(self, painter: QPainter, region: QRectF, target: QRectF, scale: float) -> None:
        if self._box is None:
            return
        origin = target.topLeft() - region.topLeft() * scale
        box = QRectF(self._box.topLeft() * scale + origin, self._box.size() * scale)
        painter.setPen(QPen(QColor(0, 0, 0, 110), 4))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(QPen(QColor("#ffffff"), 2))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.setBrush(QColor("#6ee7b7"))
        for point in self._landmarks:
            painter.drawEllipse(point * scale + origin, 3.2, 3.2)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _filling(pixmap: QPixmap, ratio: float) -> QRectF:
    """The largest centred part of the picture that has the format ``ratio`` (width : height)."""
    width, height = pixmap.width(), pixmap.height()
    if width / height > ratio:
        part = height * ratio
        return QRectF((width - part) / 2, 0, part, height)
    part = width / ratio
    return QRectF(0, (height - part) / 2, width, part)
