"""A recording as people can see it: its spectrogram, with the speech that was found marked below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from verify_app.domain import ImageArray
from verify_app.gui import theme
from verify_app.gui.images import image_from_array
from verify_app.gui.text import translate

RANGE_DB = 70.0


def spectrogram(audio: NDArray[Any], rate: int = 16_000, columns: int = 600) -> NDArray[np.float32]:
    """A log-power spectrogram for display: float32 (129, at most ``columns``), decibels under the peak.

    Args:
        audio: float array (samples,), mono.
        rate: samples a second; decides nothing but the hop's rounding.
        columns: how many time steps at most.
    """
    window = 256
    audio = np.asarray(audio, dtype=np.float32)
    if audio.size < window:
        audio = np.pad(audio, (0, window - audio.size))
    hop = max(window // 2, -(-(audio.size - window) // max(1, columns - 1)) or window // 2)
    starts = np.arange(0, audio.size - window + 1, hop)
    frames = np.lib.stride_tricks.sliding_window_view(audio, window)[starts] * np.hanning(window).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, axis=1)).T ** 2
    level = 10 * np.log10(power + 1e-10)
    return np.asarray(level - level.max(), dtype=np.float32)


class SpectrogramView(QWidget):
    """A spectrogram with speech segments."""

    def __init__(self, height: int = 150) -> None:
        super().__init__()
        self._level: NDArray[np.float32] | None = None
        self._segments: list[tuple[float, float]] = []
        self._seconds = 0.0
        self._image: QImage | None = None
        self._height = height
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.on_change(self, lambda _theme: self._colour())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A wide format."""
        return QSize(360, self._height)

    def show_recording(self, audio: NDArray[Any], segments: Sequence[tuple[float, float]], rate: int = 16_000) -> None:
        """Show a recording; segments are (start, end) in seconds."""
        self._seconds = audio.size / rate
        self._segments = [(float(start), float(end)) for start, end in segments]
        self._level = spectrogram(audio, rate)
        speech = sum(end - start for start, end in self._segments)
        self.setAccessibleName(
            translate("SpectrogramView", "Recording of {seconds} seconds, {speech} seconds of them speech").format(
                seconds=f"{self._seconds:.1f}", speech=f"{speech:.1f}"
            )
        )
        self._colour()

    def _colour(self) -> None:
        if self._level is not None:
            share = np.clip(1 + self._level[::-1] / RANGE_DB, 0, 1)[..., None] ** 1.3
            colours = theme.current()
            stops = [colours.colour(role) for role in ("sunken", "accent", "text")]
            low, middle, high = (np.array([c.red(), c.green(), c.blue()], dtype=np.float32) for c in stops)
            half = np.clip(share * 2, 0, 1)
            upper = np.clip(share * 2 - 1, 0, 1)
            pixels: ImageArray = np.uint8(low + (middle - low) * half + (high - middle) * upper)  # type: ignore[assignment]
            self._image = image_from_array(pixels)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the recording."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        line = painter.fontMetrics().height()
        picture = QRectF(0, 0, self.width(), self.height() - line - 12)
        clip = QPainterPath()
        clip.addRoundedRect(picture, 8, 8)
        painter.save()
        painter.setClipPath(clip)
        painter.fillRect(picture, colours.colour("sunken"))
        if self._image is not None:
            painter.drawImage(picture, self._image)
            self._dim_silence(painter, picture)
        painter.restore()
        if self._seconds > 0:
            self._paint_time(painter, picture)
        painter.end()

    def _dim_silence(self, painter: QPainter, picture: QRectF) -> None:
        veil = theme.current().colour("surface")
        veil.setAlpha(150)
        position = 0.0
        for start, end in [*self._segments, (self._seconds, self._seconds)]:
            if start > position:
                left, right = (picture.width() * t / self._seconds for t in (position, start))
                painter.fillRect(QRectF(left, 0, right - left, picture.height()), veil)
            position = max(position, end)

    def _paint_time(self, painter: QPainter, picture: QRectF) -> None:
        colours = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.good))
        for start, end in self._segments:
            left, right = (picture.width() * t / self._seconds for t in (start, end))
            painter.drawRoundedRect(QRectF(left, picture.bottom() + 4, max(2.0, right - left), 4), 2, 2)
        painter.setPen(colours.colour("muted"))
        baseline = self.height() - painter.fontMetrics().descent()
        painter.drawText(0, baseline, "0 s")
        speech = sum(end - start for start, end in self._segments)
        middle = translate("SpectrogramView", "{speech} s of speech").format(speech=f"{speech:.1f}")
        for text, share in ((middle, 0.5), (f"{self._seconds:.1f} s", 1.0)):
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(round((self.width() - width) * share), baseline, text)
