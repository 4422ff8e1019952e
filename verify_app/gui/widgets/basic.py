"""Labels, cards, buttons and lines in the window's style, each made by one call."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from verify_app.gui import icons, theme

GAP = 12
PAGE_MARGIN = 24


def label(text: str = "", role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label; roles are ``h1 h2 h3 figure muted small good bad warn``."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Change a property that the style sheet looks at, and restyle the widget and what it holds."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    for one in [widget, *widget.findChildren(QWidget)]:
        one.style().unpolish(one)
        one.style().polish(one)


def column(*items: QWidget | QLayout | int, gap: int = GAP, margin: int = 0) -> QVBoxLayout:
    """Widgets one below the other; a number is a stretch."""
    layout = QVBoxLayout()
    _fill(layout, items, gap, margin)
    return layout


def row(*items: QWidget | QLayout | int, gap: int = GAP, margin: int = 0) -> QHBoxLayout:
    """Widgets side by side; a number is a stretch."""
    layout = QHBoxLayout()
    _fill(layout, items, gap, margin)
    return layout


def _fill(layout: QVBoxLayout | QHBoxLayout, items: tuple[QWidget | QLayout | int, ...], gap: int, margin: int) -> None:
    layout.setSpacing(gap)
    layout.setContentsMargins(margin, margin, margin, margin)
    for item in items:
        if isinstance(item, int):
            layout.addStretch(item)
        elif isinstance(item, QWidget):
            layout.addWidget(item)
        else:
            layout.addLayout(item)


class Card(QFrame):
    """A surface with a border; ``body`` holds what is on it."""

    def __init__(self, *items: QWidget | QLayout | int, role: str = "card", gap: int = GAP, margin: int = 16) -> None:
        super().__init__()
        self.setProperty("role", role)
        self.body = column(*items, gap=gap, margin=margin)
        self.setLayout(self.body)


def line() -> QFrame:
    """A thin horizontal line."""
    made = QFrame()
    made.setProperty("role", "line")
    return made


def button(
    text: str, slot: Callable[[], object] | None = None, *, role: str = "", icon: str = "", tip: str = ""
) -> QPushButton:
    """A push button; roles are ``primary``, ``danger`` and ``plain``."""
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    if tip:
        made.setToolTip(tip)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setAutoDefault(False)
    if icon:
        made.setIconSize(QSize(18, 18))
        colour = {"primary": "on_accent", "danger": "bad", "plain": "accent"}.get(role, "text")
        theme.on_change(made, lambda t: made.setIcon(icons.icon(icon, getattr(t, colour), disabled=t.muted)))
    if slot is not None:
        made.clicked.connect(lambda: slot())
    return made


def icon_button(icon: str, name: str, slot: Callable[[], object]) -> QToolButton:
    """A button that is only an icon; ``name`` is its tool tip and its accessible name."""
    made = QToolButton()
    made.setProperty("role", "icon")
    made.setToolTip(name)
    made.setAccessibleName(name)
    made.setIconSize(QSize(18, 18))
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    theme.on_change(made, lambda t: made.setIcon(icons.icon(icon, t.muted)))
    made.clicked.connect(lambda: slot())
    return made


class IconLabel(QLabel):
    """A picture of an icon that keeps to the theme."""

    def __init__(self, icon: str, size: int = 20, colour: str = "muted") -> None:
        super().__init__()
        self._icon, self._size, self._colour = icon, size, colour
        self.setFixedSize(size, size)
        theme.on_change(self, lambda _theme: self._draw())

    def show_icon(self, icon: str, colour: str | None = None) -> None:
        """Show another icon, or the same in another colour."""
        self._icon, self._colour = icon, colour or self._colour
        self._draw()

    def _draw(self) -> None:
        colour = theme.current().colour(self._colour).name()
        self.setPixmap(icons.pixmap(self._icon, colour, self._size, max(2.0, self.devicePixelRatioF())))


def scrolling(content: QWidget) -> QScrollArea:
    """A frameless area that scrolls ``content`` vertically."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    content.setObjectName("scroll-body")
    area.setWidget(content)
    area.viewport().setAutoFillBackground(False)
    return area


def tabs(*pages: tuple[QWidget, str]) -> QTabWidget:
    """Pages behind named tabs."""
    made = QTabWidget()
    made.setDocumentMode(True)
    made.tabBar().setDrawBase(False)  # document mode switches it on
    made.tabBar().setExpanding(False)
    for page, name in pages:
        made.addTab(page, name)
    return made


def clear(layout: QLayout) -> None:
    """Take everything out of a layout and let it go."""
    while (item := layout.takeAt(0)) is not None:
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        elif inner is not None:
            clear(inner)
            inner.deleteLater()
