"""Enrol: four steps from a name to a stored person."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QStackedWidget, QWidget

from verify_app.domain import Modality
from verify_app.gui.enrol.draft import Draft
from verify_app.gui.enrol.stepper import Stepper
from verify_app.gui.enrol.steps import FinishStep, NameStep, SampleStep
from verify_app.gui.pages import Page
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, row
from verify_app.gui.widgets.notice import EmptyState, Notice
from verify_app.reasons import Reason, ReasonCode
from verify_app.services import people
from verify_app.services.enrol import Enrolment, enrol
from verify_app.services.identify import Identification, identify
from verify_app.services.samples import SampleInput, SampleOutcome, examine

NAME, FACE, VOICE, FINISH, DONE = range(5)


class EnrolPage(Page):
    """Guides through an enrolment.

    Signals:
        page_wanted: key of the page to go to.
        examined: samples were examined.
        enrolled: an enrolment ended well, with its :class:`Enrolment`.
    """

    page_wanted = Signal(str)
    examined = Signal()
    enrolled = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            translate("EnrolPage", "Enrol"),
            translate("EnrolPage", "Store references of a person, to verify against later."),
        )
        self.draft = Draft()
        self._working = 0
        self.stepper = Stepper(
            [
                translate("EnrolPage", "Name"),
                translate("EnrolPage", "Face"),
                translate("EnrolPage", "Voice"),
                translate("EnrolPage", "Finish"),
            ]
        )
        self.name_step = NameStep()
        self.face_step = SampleStep(Modality.FACE, self.draft)
        self.voice_step = SampleStep(Modality.VOICE, self.draft)
        self.finish_step = FinishStep(self.draft)
        self.notice = Notice()
        self._done = EmptyState("verified", "", "", *self._closing_buttons())
        self._steps = QStackedWidget()
        for step in (self.name_step, self.face_step, self.voice_step, self.finish_step, self._done):
            self._steps.addWidget(step)
        self.back_button = button(translate("EnrolPage", "Back"), self.back, icon="chevron-left")
        self.next_button = button(translate("EnrolPage", "Next"), self.next, role="primary")
        self._buttons = QWidget()
        self._buttons.setLayout(row(self.back_button, 1, self.next_button))
        self.content.addLayout(column(self.stepper, self.notice, self._steps, self._buttons, gap=16), 1)
        self._connect()
        self._go_to(NAME)
        self.refresh()

    def _connect(self) -> None:
        self.name_step.named.connect(self._name)
        self.name_step.entered.connect(self.next)
        for step in (self.face_step, self.voice_step):
            step.offered.connect(self.examine)
            step.removed.connect(self._remove)
            step.camera.connect(self._use_camera)
            step.microphone.connect(self._use_microphone)
        self.session.people_changed.connect(self.refresh)
        self.session.opened.connect(self.refresh)

    def _closing_buttons(self) -> list[QPushButton]:
        return [
            button(translate("EnrolPage", "Verify now"), lambda: self.page_wanted.emit("verify"), role="primary"),
            button(translate("EnrolPage", "Enrol another person"), self.restart),
        ]

    @property
    def step(self) -> int:
        """Which step is in front."""
        return self._steps.currentIndex()

    def entered(self) -> None:
        """Begin with the name."""
        if self.step == DONE:
            self.restart()
        if self.step == NAME:
            self.name_step.name.setFocus()

    def refresh(self) -> None:
        """Look who is enrolled."""
        self.session.run(
            self,
            lambda app, _p, _c: [one.person.name for one in people.list_people(app)],
            self._know,
            lambda reason: self.notice.explain(reason, "bad"),
        )

    def _know(self, names: list[str]) -> None:
        self.notice.hide()
        self.name_step.set_known(names)

    def _name(self, name: str) -> None:
        self.draft.name = name
        self._update()

    def restart(self) -> None:
        """Begin anew with nobody."""
        self.draft.outcomes.clear()
        self.name_step.name.clear()
        self._refresh_samples()
        self._go_to(NAME)
        self.name_step.name.setFocus()

    def back(self) -> None:
        """One step back."""
        self._go_to(max(NAME, self.step - 1))

    def next(self) -> None:
        """One step on; from the last one, enrol."""
        if not self.next_button.isEnabled():
            return
        if self.step == FINISH:
            self._enrol()
        else:
            self._go_to(self.step + 1)

    def _go_to(self, step: int) -> None:
        self._steps.setCurrentIndex(step)
        self.stepper.go_to(step)
        self._buttons.setVisible(step != DONE)
        if step == FINISH:
            self.finish_step.refresh()
            self._look_for_duplicate()
        self._update()

    def _update(self) -> None:
        step = self.step
        self.back_button.setVisible(step > NAME)
        modality = {FACE: Modality.FACE, VOICE: Modality.VOICE}.get(step)
        text = translate("EnrolPage", "Next")
        if modality is not None and not self.draft.accepted(modality):
            text = translate("EnrolPage", "Skip")
        if step == FINISH:
            text = translate("EnrolPage", "Enrol {name}").format(name=self.draft.name)
        self.next_button.setText(text)
        ready = bool(self.draft.name) and self._working == 0
        self.next_button.setEnabled(ready and (step != FINISH or bool(self.draft.accepted())))

    def examine(self, items: list[SampleInput]) -> None:
        """Look at samples for the step in front."""
        modality = Modality.VOICE if self.step == VOICE else Modality.FACE
        self._work(+1)
        self.session.run(
            self,
            lambda app, progress, cancelled: examine(
                app, items, modality=modality, progress=progress, cancelled=cancelled
            ),
            self._take,
            self._failed,
        )

    def _work(self, change: int) -> None:
        self._working += change
        for step in (self.face_step, self.voice_step):
            step.set_busy(self._working > 0)
        self._update()

    def _take(self, outcomes: tuple[SampleOutcome, ...]) -> None:
        self._work(-1)
        new = self.draft.add(outcomes)
        self._refresh_samples()
        if new < len(outcomes):
            self.notice.say(translate("EnrolPage", "A sample that is there already was not added again."))
        else:
            self.notice.hide()
        self._update()
        self.examined.emit()

    def _failed(self, reason: Reason) -> None:
        self._work(-1)
        if reason.code is not ReasonCode.CANCELLED:
            self.notice.explain(reason, "bad")
        self.examined.emit()

    def _remove(self, outcome: SampleOutcome) -> None:
        self.draft.remove(outcome)
        self._refresh_samples()
        self._update()

    def _refresh_samples(self) -> None:
        self.face_step.refresh()
        self.voice_step.refresh()

    def _look_for_duplicate(self) -> None:
        samples = self.draft.samples()
        if not samples:
            return
        self.session.run(
            self,
            lambda app, progress, cancelled: identify(app, samples, progress=progress, cancelled=cancelled),
            self._show_duplicate,
            lambda _reason: None,  # nobody enrolled, or no calibration: there is nothing to compare with
        )

    def _show_duplicate(self, found: Identification) -> None:
        if found.match is not None and found.match.name.casefold() != self.draft.name.casefold():
            self.finish_step.warn_duplicate(found.match.name)

    def _enrol(self) -> None:
        name, samples = self.draft.name, self.draft.samples()
        self._work(+1)
        self.session.run(
            self,
            lambda app, progress, cancelled: enrol(app, name, samples, progress=progress, cancelled=cancelled),
            self._finish,
            self._not_enrolled,
        )

    def _finish(self, enrolment: Enrolment) -> None:
        self._work(-1)
        name = enrolment.person.name
        title = (
            translate("EnrolPage", "{name} is enrolled")
            if enrolment.created
            else translate("EnrolPage", "The samples were added to {name}")
        )
        text = translate("EnrolPage", "%n sample(s) stored, encrypted.", n=len(enrolment.accepted))
        self._done.say("verified", title.format(name=name), text)
        self._go_to(DONE)
        self.session.people_changed.emit()
        self.enrolled.emit(enrolment)

    def _not_enrolled(self, reason: Reason) -> None:
        self._work(-1)
        self.finish_step.explain(reason)

    def _use_camera(self) -> None:
        from verify_app.gui.devices.camera_dialog import take_picture

        take_picture(self, self.session, lambda sample: self.examine([sample]))

    def _use_microphone(self) -> None:
        from verify_app.gui.devices.microphone_dialog import record

        record(self, self.session, lambda sample: self.examine([sample]))
