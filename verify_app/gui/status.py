"""The status line: models, calibration and the protection of the key, and whether work is under way."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from verify_app.domain import Modality
from verify_app.gui import words
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import IconLabel, label, row
from verify_app.reasons import Reason, VerifyAppError
from verify_app.services.application import Application
from verify_app.services.jobs import CancelledCheck, ProgressCallback


@dataclass(frozen=True, slots=True)
class Health:
    """What the status line says; a part that failed is a reason."""

    models: int | Reason
    calibration: str | Reason
    own: bool
    target_fmr: float
    key: str | Reason


def examine_health(app: Application, _progress: ProgressCallback, _cancelled: CancelledCheck) -> Health:
    """Look at models, calibration and key; nothing here loads an encoder."""
    models: int | Reason
    calibration: str | Reason = ""
    key: str | Reason
    own = False
    try:
        entries = app.manifest.models
        for entry in entries:
            entry.verify()
        models = len(entries)
    except VerifyAppError as error:
        models = error.reason
    try:
        from verify_app.services.calibrations import active

        names = []
        for modality in Modality:
            found = active(app, modality, 1)
            names.append(found.name)
            own = own or found.origin == "own"
        calibration = ", ".join(names)
    except VerifyAppError as error:
        calibration = error.reason
    try:
        key = app.store.protection
    except VerifyAppError as error:
        key = error.reason
    return Health(models, calibration, own, app.settings.target_fmr, key)


class Part(QWidget):
    """One item of the status line: an icon and a few words; the tool tip says more."""

    def __init__(self, icon: str) -> None:
        super().__init__()
        self._icon = IconLabel(icon, 16)
        self._name = icon
        self._text = label("", "small")
        self.setLayout(row(self._icon, self._text, gap=6, margin=4))

    def say(self, text: str, tip: str, tone: str = "muted", icon: str | None = None) -> None:
        """Show words with a tone."""
        self._text.setText(text)
        self._icon.show_icon(icon or self._name, tone)
        self.setToolTip(tip)
        self.setAccessibleName(f"{text}. {tip}")

    @property
    def text(self) -> str:
        """The words."""
        return self._text.text()


class StatusLine(QStatusBar):
    """Keeps itself up to date."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setSizeGripEnabled(False)
        self.models, self.calibration, self.key = Part("model"), Part("calibrate"), Part("lock")
        for part in (self.models, self.calibration, self.key):
            self.addWidget(part)
        self._busy_text = QLabel()
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setFixedWidth(110)
        self._busy.setTextVisible(False)
        self._busy.setAccessibleName(translate("StatusLine", "Work is under way"))
        self.addPermanentWidget(self._busy)
        self._busy.hide()
        session.workshop.busy.connect(lambda running: self._busy.setVisible(running > 0))
        session.calibration_changed.connect(self.refresh)
        session.opened.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Look again."""
        for part in (self.models, self.calibration, self.key):
            part.say("…", translate("StatusLine", "Looking"))
        self._session.run(self, examine_health, self._show, self._failed)

    def _failed(self, reason: Reason) -> None:
        for part in (self.models, self.calibration, self.key):
            part.say(translate("StatusLine", "unknown"), f"{reason.message} {reason.advice}", "warn", "alert")

    def _show(self, health: Health) -> None:
        if isinstance(health.models, Reason):
            self._problem(self.models, translate("StatusLine", "Models need attention"), health.models)
        else:
            text = translate("StatusLine", "%n model(s) ready", n=health.models)
            self.models.say(text, translate("StatusLine", "Size and digest of each model were checked"))
        if isinstance(health.calibration, Reason):
            self._problem(self.calibration, translate("StatusLine", "No valid calibration"), health.calibration)
        else:
            kind = (
                translate("StatusLine", "Own calibration")
                if health.own
                else translate("StatusLine", "General calibration")
            )
            target = words.one_in(health.target_fmr)
            self.calibration.say(f"{kind}, {target}", health.calibration)
        self._show_key(health.key)

    def _show_key(self, key: str | Reason) -> None:
        if isinstance(key, Reason):
            self._problem(self.key, translate("StatusLine", "Database closed"), key)
            return
        text, tone = {
            "keyring": (translate("StatusLine", "Encrypted, key in the keyring"), "muted"),
            "passphrase": (translate("StatusLine", "Encrypted with a passphrase"), "muted"),
        }.get(key, (translate("StatusLine", "Encrypted, key in a file"), "warn"))
        advice = (
            translate("StatusLine", "A keyring or a passphrase (VERIFY_APP_PASSPHRASE) protects better.")
            if tone == "warn"
            else translate("StatusLine", "Templates are encrypted at rest.")
        )
        self.key.say(text, advice, tone)

    def _problem(self, part: Part, text: str, reason: Reason) -> None:
        part.say(text, f"{reason.message} {reason.advice}".strip(), "bad", "alert")
