"""The verdict: verified or not, told by colour, icon and words together."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QPushButton

from verify_app.domain import Decision
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import IconLabel, column, label, row, set_property
from verify_app.reasons import Reason


class VerdictPanel(QFrame):
    """The answer of a verification, with the reason and the advice."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "verdict")
        self._icon = IconLabel("info", 52, "muted")
        self._title = label("", wrap=True)
        self._title.setObjectName("verdict-title")
        self._reason = label("", wrap=True, selectable=True)
        self._advice = label("", "muted", wrap=True, selectable=True)
        self._actions = row(0, gap=8)
        layout = row(gap=18, margin=20)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(column(self._title, self._reason, self._advice, self._actions, gap=5), 1)
        self.setLayout(layout)

    @property
    def title(self) -> str:
        """The answer in words."""
        return self._title.text()

    def show_decision(self, decision: Decision, claim: str) -> None:
        """The decision about the claim to be ``claim``."""
        if decision.verified:
            title = translate("Verdict", "Verified")
            text = translate("Verdict", "This is accepted as {name}.").format(name=claim)
            self._say("good", "verified", title, f"{text} {decision.reason.message}", decision.reason.advice)
        else:
            self._say(
                "bad",
                "not-verified",
                translate("Verdict", "Not verified"),
                decision.reason.message,
                decision.reason.advice,
            )

    def show_refusal(self, reason: Reason) -> None:
        """No comparison could be made; that is a no as well."""
        self._say("warn", "alert", translate("Verdict", "Not verified"), reason.message, reason.advice)

    def offer(self, action: QPushButton) -> None:
        """Put a button under the text: the way out."""
        self._actions.insertWidget(0, action)

    def _say(self, tone: str, icon: str, title: str, text: str, advice: str) -> None:
        self._icon.show_icon(icon, tone)
        self._title.setText(title)
        self._reason.setText(text)
        self._advice.setText(advice)
        self._advice.setVisible(bool(advice))
        set_property(self, "tone", tone)
        self.setAccessibleName(f"{title}. {text} {advice}".strip())
