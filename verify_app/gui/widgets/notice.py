"""Notices: one thing the user should know, why it is so, and what to do about it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, IconLabel, column, icon_button, label, row, set_property
from verify_app.reasons import Reason

_ICONS = {
    "info": ("info", "accent"),
    "good": ("verified", "good"),
    "bad": ("not-verified", "bad"),
    "warn": ("alert", "warn"),
}


class Notice(QFrame):
    """A tinted strip with an icon, a sentence and advice; hidden until it has something to say."""

    def __init__(self, tone: str = "info", text: str = "", advice: str = "", *, closable: bool = False) -> None:
        super().__init__()
        self.setProperty("role", "notice")
        self._icon = IconLabel("info", 20, "accent")
        self._text = label("", wrap=True, selectable=True)
        self._advice = label("", "muted", wrap=True, selectable=True)
        self._actions = row(0, gap=8)
        self._button: QPushButton | None = None
        texts = column(self._text, self._advice, self._actions, gap=3)
        layout = row(gap=10, margin=12)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(texts, 1)
        self._close = icon_button("cross", translate("Notice", "Close"), self.hide)
        self._close.setVisible(closable)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.setLayout(layout)
        self.hide()
        if text:
            self.say(text, advice, tone)

    def say(self, text: str, advice: str = "", tone: str = "info") -> None:
        """Show a sentence; tones are ``info good warn bad``."""
        icon, colour = _ICONS[tone]
        self._icon.show_icon(icon, colour)
        self._text.setText(text)
        self._advice.setText(advice)
        self._advice.setVisible(bool(advice))
        set_property(self, "tone", tone)
        self.setAccessibleName(f"{text} {advice}".strip())
        self.offer(None)
        self.show()

    def explain(self, reason: Reason, tone: str = "warn") -> None:
        """Show a reason."""
        self.say(reason.message, reason.advice, tone)

    def offer(self, action: QPushButton | None) -> None:
        """Put a button under the text, in place of the one before."""
        if self._button is not None:
            self._button.hide()
            self._button.deleteLater()
        self._button = action
        if action is not None:
            self._actions.insertWidget(0, action)

    @property
    def text(self) -> str:
        """What it says now."""
        return self._text.text()


class EmptyState(QWidget):
    """What an area shows while there is nothing in it: an icon, what this place is for, and the first step."""

    def __init__(self, icon: str, title: str, text: str, *actions: QPushButton) -> None:
        super().__init__()
        self.icon = IconLabel(icon, 48, "muted")
        self.title = label(title, "h2", wrap=True)
        self.text = label(text, "muted", wrap=True)
        for one in (self.title, self.text):
            one.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        buttons = row(1, *actions, 1, gap=8)
        inner = column(row(1, self.icon, 1), self.title, self.text, buttons, gap=10)
        holder = Card(role="plain", margin=24)
        holder.body.addLayout(inner)
        holder.setMaximumWidth(460)
        self.setLayout(column(1, row(1, holder, 1), 2))

    def say(self, icon: str, title: str, text: str) -> None:
        """Show another state."""
        self.icon.show_icon(icon)
        self.title.setText(title)
        self.text.setText(text)
