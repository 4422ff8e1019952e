"""The steps of the enrolment as a line of numbered circles."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from verify_app.gui import icons, theme
from verify_app.gui.text import translate


class Stepper(QWidget):
    """Shows which steps are done, which one is under way and which are to come."""

    CIRCLE = 26

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = list(names)
        self._step = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.on_change(self, lambda _theme: self.update())
        self.go_to(0)

    def go_to(self, step: int) -> None:
        """Mark a step as the one under way; the number of steps marks all as done."""
        self._step = step
        current = self._names[min(step, len(self._names) - 1)]
        self.setAccessibleName(
            translate("Stepper", "Step {number} of {count}: {name}").format(
                number=min(step + 1, len(self._names)), count=len(self._names), name=current
            )
        )
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """One line."""
        return QSize(420, self.CIRCLE + 4)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the steps."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = painter.fontMetrics()
        x, middle = 1.0, self.height() / 2
        for number, name in enumerate(self._names):
            done, now = number < self._step, number == self._step
            circle = QRectF(x, middle - self.CIRCLE / 2, self.CIRCLE, self.CIRCLE)
            painter.setPen(QPen(colours.colour("accent" if done or now else "border"), 1.5))
            painter.setBrush(colours.colour("accent" if now else "accent_soft" if done else "surface"))
            painter.drawEllipse(circle)
            if done:
                tick = icons.pixmap("check", colours.accent, 16)
                painter.drawPixmap(QPointF(circle.center().x() - 8, circle.center().y() - 8), tick)
            else:
                painter.setPen(colours.colour("on_accent" if now else "muted"))
                painter.drawText(circle, Qt.AlignmentFlag.AlignCenter, str(number + 1))
            font = painter.font()
            font.setBold(now)
            painter.setFont(font)
            painter.setPen(colours.colour("text" if now else "muted"))
            left = circle.right() + 8
            painter.drawText(QPointF(left, middle + metrics.ascent() / 2 - 1), name)
            left += painter.fontMetrics().horizontalAdvance(name) + 12
            font.setBold(False)
            painter.setFont(font)
            if number + 1 < len(self._names):
                painter.setPen(QPen(colours.colour("accent" if done else "border"), 1.5))
                painter.drawLine(QPointF(left, middle), QPointF(left + 28, middle))
            x = left + 40
        painter.end()
