"""Verify: is this sample of the person who is claimed?"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QWidget

from verify_app.gui import words
from verify_app.gui.pages import Page
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.verify.result import ResultView
from verify_app.gui.widgets.basic import Card, button, column, label, row, scrolling
from verify_app.gui.widgets.drop_zone import DropZone
from verify_app.gui.widgets.notice import Notice
from verify_app.gui.widgets.person_combo import PersonCombo
from verify_app.gui.widgets.sample_tray import SampleTray
from verify_app.gui.work import Task
from verify_app.reasons import Reason, ReasonCode
from verify_app.services import people
from verify_app.services.people import PersonOverview
from verify_app.services.samples import SampleInput
from verify_app.services.verify import Verification, verify

TARGETS = (1e-2, 1e-3, 1e-4)


class VerifyPage(Page):
    """Claim on the left, answer on the right.

    Signals:
        page_wanted: key of the page to go to.
        decided: a verification ended, with its :class:`Verification` or with a :class:`Reason`.
    """

    page_wanted = Signal(str)
    decided = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            translate("VerifyPage", "Verify"),
            translate("VerifyPage", "Check that a photo or a recording is of the person who is claimed."),
        )
        self._task: Task | None = None
        self.person = PersonCombo()
        self.notice = Notice()
        self.drop = DropZone()
        self.tray = SampleTray()
        self.target = QComboBox()
        self.target.setAccessibleName(translate("VerifyPage", "Strictness"))
        self.verify_button = button(translate("VerifyPage", "Verify"), self.start, role="primary", icon="verify")
        self.result = ResultView()
        self._lay_out()
        self._fill_targets()
        self.drop.files.connect(lambda paths: self.tray.add(*paths))
        self.drop.camera.connect(self._use_camera)
        self.drop.microphone.connect(self._use_microphone)
        self.tray.changed.connect(self._update)
        self.person.chosen.connect(lambda _name: self._update())
        self.result.cancelled.connect(self._cancel)
        self.result.page_wanted.connect(self.page_wanted)
        session.people_changed.connect(self.refresh)
        session.opened.connect(self.refresh)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            QShortcut(QKeySequence(keys), self, self.start, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._update()
        self.refresh()

    def _lay_out(self) -> None:
        claim = Card(label(translate("VerifyPage", "Who is claimed"), "h3"), self.person, self.notice, gap=10)
        samples = Card(label(translate("VerifyPage", "Samples to check"), "h3"), self.drop, self.tray, gap=10)
        strictness = label(translate("VerifyPage", "Strictness"), "h3")
        hint = translate(
            "VerifyPage",
            "How many other people may be taken for the one who is claimed. "
            "Stricter also refuses the right person more often.",
        )
        strict = Card(row(strictness, self.target, gap=10), label(hint, "small", wrap=True), gap=6)
        left = QWidget()
        layout = column(claim, samples, strict, 1, gap=12)
        layout.setContentsMargins(0, 0, 12, 0)
        press = row(self.verify_button)
        press.setContentsMargins(0, 0, 12, 0)
        left.setLayout(layout)
        area = scrolling(left)
        side = QWidget()
        side.setLayout(column(area, press, gap=12))
        side.setFixedWidth(410)
        self.verify_button.setMinimumHeight(40)
        self.verify_button.setToolTip("Ctrl+Enter")
        body = row(side, gap=12)
        body.addWidget(self.result, 1)
        self.content.addLayout(body, 1)

    def _fill_targets(self) -> None:
        chosen = self.session.settings.target_fmr if self.session.settings else 1e-3
        for target in sorted({*TARGETS, chosen}, reverse=True):
            self.target.addItem(words.one_in(target), target)
        self.target.setCurrentIndex(self.target.findData(chosen))

    def entered(self) -> None:
        """Begin where the claim is made."""
        self.person.setFocus()

    def refresh(self) -> None:
        """Look who is enrolled."""
        self.session.run(self, lambda app, _p, _c: people.list_people(app), self._show_people, self._show_no_people)

    def _show_people(self, found: list[PersonOverview]) -> None:
        self.person.set_people([one.person.name for one in found])
        if found:
            self.notice.hide()
            return
        self.notice.say(
            translate("VerifyPage", "Nobody is enrolled yet."),
            translate("VerifyPage", "Enrol somebody first: a photo or a recording is enough to begin."),
        )
        self.notice.offer(
            button(translate("VerifyPage", "Enrol somebody"), lambda: self.page_wanted.emit("enrol"), role="plain")
        )

    def _show_no_people(self, reason: Reason) -> None:
        self.person.set_people([])
        self.notice.explain(reason, "bad")

    def add_samples(self, *items: SampleInput) -> None:
        """Add samples as if they had been dropped."""
        self.tray.add(*items)

    def _update(self) -> None:
        ready = bool(self.person.name) and bool(self.tray.items) and self._task is None
        self.verify_button.setEnabled(ready)

    def start(self) -> None:
        """Verify what was given."""
        claim, items = self.person.name, [item if not isinstance(item, str) else Path(item) for item in self.tray.items]
        if not claim or not items or self._task is not None:
            return
        target = float(self.target.currentData())
        self.result.show_working()
        self._task = self.session.run(
            self,
            lambda app, progress, cancelled: verify(
                app, claim, items, target_fmr=target, progress=progress, cancelled=cancelled
            ),
            lambda verification: self._show(verification, claim),
            self._refuse,
            self.result.show_progress,
        )
        self._update()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _show(self, verification: Verification, claim: str) -> None:
        self._task = None
        self.result.show_verification(verification, claim)
        self._update()
        self.decided.emit(verification)

    def _refuse(self, reason: Reason) -> None:
        self._task = None
        if reason.code is ReasonCode.CANCELLED:
            self.result.show_empty()
        else:
            self.result.show_refusal(reason)
        self._update()
        self.decided.emit(reason)

    def _use_camera(self) -> None:
        from verify_app.gui.devices.camera_dialog import take_picture

        take_picture(self, self.session, self.tray.add)

    def _use_microphone(self) -> None:
        from verify_app.gui.devices.microphone_dialog import record

        record(self, self.session, self.tray.add)
