"""Two scales: where a comparison score lies against its threshold, and how rare such a score is."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from verify_app.domain import Interval
from verify_app.gui import theme, words
from verify_app.gui.text import translate


class Scale(QWidget):
    """A horizontal bar with a refused and an accepted part, a threshold mark and a marker with an interval."""

    TRACK = 12
    SIDE = 14

    def __init__(self) -> None:
        super().__init__()
        self._position: float | None = None
        self._bounds: tuple[float, float] | None = None
        self._threshold: float | None = None
        self._marker_text = self._threshold_text = ""
        self._ticks: list[tuple[float, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.on_change(self, lambda _theme: self.update())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Room for the bar and a line of text above and below."""
        line = self.fontMetrics().height()
        return QSize(320, self.TRACK + 2 * line + 22)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """The height is fixed."""
        return QSize(160, self.sizeHint().height())

    def _set(
        self,
        position: float | None,
        threshold: float | None,
        bounds: tuple[float, float] | None,
        marker_text: str,
        threshold_text: str,
        ticks: list[tuple[float, str]],
    ) -> None:
        """Positions are 0 (left end) .. 1 (right end); the accepted part is right of the threshold."""
        self._position, self._threshold, self._bounds = position, threshold, bounds
        self._marker_text, self._threshold_text, self._ticks = marker_text, threshold_text, ticks
        self.setAccessibleName(". ".join(part for part in (marker_text, threshold_text) if part))
        self.update()

    def _x(self, position: float) -> float:
        return self.SIDE + min(1.0, max(0.0, position)) * (self.width() - 2 * self.SIDE)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the scale."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetricsF(self.font())
        top = metrics.height() + 10
        track = QRectF(self.SIDE, top, self.width() - 2 * self.SIDE, self.TRACK)
        self._paint_track(painter, track)
        bottom = track.bottom() + 4 + metrics.ascent()
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() * 0.9)
        painter.setFont(small)
        painter.setPen(colours.colour("muted"))
        taken: list[tuple[float, float]] = []
        for position, text in self._ticks:  # the first ones matter most; a later one yields where there is no room
            width = painter.fontMetrics().horizontalAdvance(text)
            left = min(max(0.0, self._x(position) - width / 2), self.width() - width)
            if all(left > end + 8 or left + width < start - 8 for start, end in taken):
                taken.append((left, left + width))
                painter.drawText(QPointF(left, bottom), text)
        if self._threshold is not None:
            x = self._x(self._threshold)
            painter.setPen(QPen(colours.colour("text"), 2))
            painter.drawLine(QPointF(x, track.top() - 5), QPointF(x, track.bottom() + 5))
        if self._position is not None:
            self._paint_marker(painter, track)
        painter.end()

    def _paint_track(self, painter: QPainter, track: QRectF) -> None:
        colours = theme.current()
        path = QPainterPath()
        path.addRoundedRect(track, self.TRACK / 2, self.TRACK / 2)
        painter.save()
        painter.setClipPath(path)
        painter.fillRect(track, colours.colour("sunken"))
        if self._threshold is not None:
            x = self._x(self._threshold)
            painter.fillRect(
                QRectF(track.left(), track.top(), x - track.left(), track.height()), colours.colour("bad_soft")
            )
            painter.fillRect(QRectF(x, track.top(), track.right() - x, track.height()), colours.colour("good_soft"))
        painter.restore()
        painter.setPen(QPen(colours.colour("border"), 1))
        painter.drawPath(path)

    def _paint_marker(self, painter: QPainter, track: QRectF) -> None:
        colours = theme.current()
        position = self._position or 0.0
        accepted = self._threshold is not None and position >= self._threshold
        tone = "accent" if self._threshold is None else ("good" if accepted else "bad")
        colour = colours.colour(tone)
        x = self._x(position)
        middle = track.center().y()
        if self._bounds is not None:
            left, right = (self._x(bound) for bound in self._bounds)
            painter.setPen(QPen(colour, 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))
        painter.setPen(QPen(colours.colour("surface"), 2))
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(x, middle), 8, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPolygon(
            QPolygonF([QPointF(x - 4, track.top() - 6), QPointF(x + 4, track.top() - 6), QPointF(x, track.top() - 1)])
        )
        bold = self.font()
        bold.setBold(True)
        painter.setFont(bold)
        painter.setPen(colour)
        self._centred(painter, x, track.top() - 9, self._marker_text)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _centred(self, painter: QPainter, x: float, baseline: float, text: str) -> None:
        width = painter.fontMetrics().horizontalAdvance(text)
        left = min(max(0.0, x - width / 2), self.width() - width)
        painter.drawText(QPointF(left, baseline), text)


class ScoreScale(Scale):
    """A comparison score against the threshold of its operating point."""

    def show_score(self, score: float, threshold: float | None, low: float = -0.2, high: float = 1.0) -> None:
        """``low`` and ``high`` are the ends of the scale; it widens when a value lies outside."""
        if threshold is not None and not math.isfinite(threshold):
            threshold = None  # at this operating point no score is enough; the verdict says so
        values = [score] if threshold is None else [score, threshold]
        low, high = min(low, *values), max(high, *values)
        span = (high - low) or 1.0

        def place(value: float) -> float:
            return (value - low) / span

        ticks = [(0.0, f"{low:.1f}"), (1.0, f"{high:.1f}")]
        threshold_text = ""
        if threshold is not None:
            threshold_text = translate("ScoreScale", "threshold {value}").format(value=f"{threshold:.2f}")
            ticks.insert(0, (place(threshold), threshold_text))
        marker = translate("ScoreScale", "score {value}").format(value=f"{score:.2f}")
        self._set(place(score), None if threshold is None else place(threshold), None, marker, threshold_text, ticks)


class RarityScale(Scale):
    """How rare a score as high as this one is among other people, in steps of ten, rarer to the right."""

    DECADES = 6

    def show_rate(self, rate: Interval, target: float) -> None:
        """``target`` is the false-match rate of the operating point that decides."""
        rarest = max(self.DECADES, math.ceil(-math.log10(max(target, 1e-12))) + 2)

        def place(value: float) -> float:
            return min(1.0, -math.log10(min(1.0, max(value, 10.0**-rarest))) / rarest)

        target_at = place(target)
        text = translate("RarityScale", "needed: {odds}").format(odds=words.one_in(target))
        ticks = [(target_at, text), (0.0, translate("RarityScale", "everybody"))]
        decades = sorted(range(1, rarest + 1), key=lambda decade: (decade != rarest, decade % 2, decade))
        ticks += [(decade / rarest, words.one_in(10.0**-decade)) for decade in decades]
        bounds = (place(rate.high), place(rate.low))
        self._set(place(rate.value), target_at, bounds, words.one_in(rate.value), text, ticks)
