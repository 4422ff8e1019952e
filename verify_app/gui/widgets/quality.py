"""Quality of a sample: one bar for the whole, the measured parts below, and what is wrong with it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from verify_app.domain import Quality
from verify_app.gui import theme, words
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import clear, column, label, row


class Bar(QWidget):
    """A thin bar filled to a share of 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self._share = 0.0
        self.setFixedHeight(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Room enough to compare two of them."""
        return QSize(120, 8)

    def set_share(self, share: float) -> None:
        """Fill it."""
        self._share = min(1.0, max(0.0, share))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the bar."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.colour("sunken"))
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setBrush(colours.colour("accent"))
        painter.drawRoundedRect(QRectF(0, 0, max(8.0, self.width() * self._share), 8), 4, 4)
        painter.end()


class QualityView(QWidget):
    """A quality with its parts."""

    COLUMNS = 2

    def __init__(self) -> None:
        super().__init__()
        self._value = label("", "h3")
        self._bar = Bar()
        self._reasons = label("", "warn", wrap=True)
        self._parts = QGridLayout()
        self._parts.setHorizontalSpacing(18)
        self._parts.setVerticalSpacing(3)
        name = label(translate("QualityView", "Quality"), "h3")
        head = row(name, self._bar, self._value, gap=10)
        head.setStretch(1, 1)
        self.setLayout(column(head, self._parts, self._reasons, gap=8))

    def show_quality(self, quality: Quality) -> None:
        """Show the score (0..1), the measures in their units and the reasons."""
        self._value.setText(translate("QualityView", "{score} of 1").format(score=f"{quality.score:.2f}"))
        self._bar.set_share(quality.score)
        self._bar.setAccessibleName(
            translate("QualityView", "Quality {score} of 1").format(score=f"{quality.score:.2f}")
        )
        clear(self._parts)
        for number, (name, value) in enumerate(quality.measures.items()):
            line, place = divmod(number, self.COLUMNS)
            self._parts.addWidget(label(words.measure_name(name), "muted"), line, place * 2)
            self._parts.addWidget(label(words.measure_value(name, value)), line, place * 2 + 1)
        for place in range(self.COLUMNS):
            self._parts.setColumnStretch(place * 2 + 1, 1)
        self._reasons.setText("\n".join(reason.message for reason in quality.reasons))
        self._reasons.setVisible(bool(quality.reasons))
