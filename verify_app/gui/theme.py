"""Colours and type of the window, light and dark, following the system unless the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from verify_app.gui.stylesheet import stylesheet


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours; every text colour reaches a contrast of 4.5 : 1 on the surfaces it is used on."""

    name: str
    window: str
    surface: str
    sunken: str
    border: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    accent_soft: str
    on_accent: str
    good: str
    good_soft: str
    bad: str
    bad_soft: str
    warn: str
    warn_soft: str

    def colour(self, role: str) -> QColor:
        """The colour of a role, for widgets that paint themselves."""
        return QColor(cast(str, getattr(self, role)))


LIGHT = Theme(
    name="light",
    window="#f4f6f9",
    surface="#ffffff",
    sunken="#eef1f5",
    border="#dde3ea",
    text="#15202c",
    muted="#566473",
    accent="#2557c7",
    accent_hover="#1d48a8",
    accent_soft="#e6eefc",
    on_accent="#ffffff",
    good="#14733f",
    good_soft="#e4f4ea",
    bad="#b3261e",
    bad_soft="#fcebe9",
    warn="#8a5a00",
    warn_soft="#fdf2d8",
)

DARK = Theme(
    name="dark",
    window="#11161c",
    surface="#1a2129",
    sunken="#232c36",
    border="#303b47",
    text="#e9eef4",
    muted="#9dabba",
    accent="#8ab1ff",
    accent_hover="#a8c5ff",
    accent_soft="#21324f",
    on_accent="#0c1730",
    good="#63d297",
    good_soft="#17301f",
    bad="#ff9087",
    bad_soft="#3b1f1d",
    warn="#f0c25c",
    warn_soft="#352b14",
)


class ThemeManager(QObject):
    """Applies the theme to the application and says when it changes."""

    changed = Signal(object)

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self.setObjectName("theme-manager")
        self._application = application
        self._chosen = Qt.ColorScheme.Unknown
        self.theme = LIGHT
        application.setStyle("Fusion")
        application.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    def choose(self, scheme: Qt.ColorScheme) -> None:
        """Light, dark, or ``Unknown`` to follow the system."""
        self._chosen = scheme
        self._application.styleHints().setColorScheme(scheme)
        self._apply()

    def _apply(self, _scheme: Qt.ColorScheme | None = None) -> None:
        scheme = self._chosen  # not every platform takes over a choice, so it is kept here as well
        if scheme == Qt.ColorScheme.Unknown:
            scheme = self._application.styleHints().colorScheme()
        self.theme = DARK if scheme == Qt.ColorScheme.Dark else LIGHT
        self._application.setPalette(_palette(self.theme))
        points = self._application.font().pointSizeF()
        self._application.setStyleSheet(stylesheet(self.theme, points if points > 0 else 10.0))
        self.changed.emit(self.theme)


def manager() -> ThemeManager:
    """The theme manager of the running application, made at the first call."""
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        raise RuntimeError("the theme needs a QApplication")
    found = application.findChild(ThemeManager, "theme-manager")
    return found if found is not None else ThemeManager(application)


def current() -> Theme:
    """The theme in use."""
    return manager().theme


def on_change(owner: QObject, slot: Callable[[Theme], None]) -> None:
    """Call ``slot`` now and whenever the theme changes, as long as ``owner`` lives."""
    themes = manager()
    connection = themes.changed.connect(slot)
    owner.destroyed.connect(lambda: QObject.disconnect(connection))
    slot(themes.theme)


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.surface,
        QPalette.ColorRole.AlternateBase: theme.sunken,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.muted,
        QPalette.ColorRole.Button: theme.surface,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.ToolTipBase: theme.text,
        QPalette.ColorRole.ToolTipText: theme.surface,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.on_accent,
        QPalette.ColorRole.Link: theme.accent,
        QPalette.ColorRole.Mid: theme.border,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.muted))
    return palette
