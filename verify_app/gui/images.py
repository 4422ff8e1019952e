"""Arrays to pictures."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QPixmap

from verify_app.domain import ImageArray


def image_from_array(array: ImageArray) -> QImage:
    """A picture of a uint8 array (height, width, 3), RGB; the picture owns its pixels."""
    array = np.ascontiguousarray(array)
    height, width = array.shape[:2]
    return QImage(array.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def pixmap_from_array(array: ImageArray) -> QPixmap:
    """Like :func:`image_from_array`, ready to draw."""
    return QPixmap.fromImage(image_from_array(array))


def pixmap_from_bytes(data: bytes | None) -> QPixmap:
    """A stored thumbnail (PNG or JPEG); a null pixmap when there is none or it cannot be read."""
    made = QPixmap()
    if data:
        made.loadFromData(QByteArray(data))
    return made


def png_from_array(array: ImageArray) -> bytes:
    """The array as PNG bytes."""
    store = QBuffer()
    store.open(QIODevice.OpenModeFlag.WriteOnly)
    image_from_array(array).save(store, "PNG")  # type: ignore[call-overload]
    return bytes(store.data().data())
