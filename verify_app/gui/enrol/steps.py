"""The steps of the enrolment: name, face samples, voice samples, finish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QProgressBar, QWidget

from verify_app.domain import Modality
from verify_app.gui import words
from verify_app.gui.enrol.draft import Draft, advice
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, IconLabel, clear, column, icon_button, label, row, scrolling
from verify_app.gui.widgets.drop_zone import DropZone
from verify_app.gui.widgets.face_view import Picture
from verify_app.gui.widgets.flow import FlowLayout
from verify_app.gui.widgets.notice import Notice
from verify_app.gui.widgets.quality import Bar
from verify_app.gui.widgets.sample_tray import describe
from verify_app.gui.widgets.spectrogram import SpectrogramView
from verify_app.reasons import Reason
from verify_app.services.samples import SampleOutcome


class NameStep(QWidget):
    """Who is enrolled.

    Signals:
        named: the name changed.
        entered: Return was pressed in the name.
    """

    named = Signal(str)
    entered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._known: set[str] = set()
        self.name = QLineEdit()
        self.name.setPlaceholderText(translate("NameStep", "Name of the person"))
        self.name.setAccessibleName(translate("NameStep", "Name of the person"))
        self.name.setMaxLength(200)
        self.name.textChanged.connect(self._changed)
        self.name.returnPressed.connect(self.entered)
        self.notice = Notice()
        promise = Notice()
        promise.say(
            translate("NameStep", "Ask for consent before you capture anybody."),
            translate(
                "NameStep",
                "Only templates, quality figures and small thumbnails are kept, encrypted on this computer. "
                "Removing a person erases all of it.",
            ),
        )
        card = Card(
            label(translate("NameStep", "Who is to be enrolled?"), "h2"), self.name, self.notice, promise, margin=20
        )
        card.setFixedWidth(620)
        self.setLayout(column(row(card, 1), 1))

    def set_known(self, names: Sequence[str]) -> None:
        """The people who are enrolled already."""
        self._known = {name.casefold() for name in names}
        self._changed(self.name.text())

    def _changed(self, text: str) -> None:
        name = " ".join(text.split())
        if name.casefold() in self._known:
            self.notice.say(
                translate("NameStep", "{name} is enrolled already.").format(name=name),
                translate("NameStep", "The new samples will be added to the ones there are."),
            )
        else:
            self.notice.hide()
        self.named.emit(name)


class SampleRow(Card):
    """One examined sample: picture, accepted or refused with the reason, and a button to take it out."""

    def __init__(self, outcome: SampleOutcome, remove: object) -> None:
        super().__init__(margin=10)
        tone, icon = ("good", "verified") if outcome.accepted else ("warn", "alert")
        said = translate("SampleRow", "Accepted") if outcome.accepted else translate("SampleRow", "Not used")
        state = row(IconLabel(icon, 18, tone), label(said, tone), 1, gap=6)
        if outcome.quality is not None:
            bar = Bar()
            bar.setFixedWidth(70)
            bar.set_share(outcome.quality.score)
            state.addWidget(
                label(translate("SampleRow", "quality {score}").format(score=f"{outcome.quality.score:.2f}"), "small")
            )
            state.addWidget(bar)
        name, _icon = describe(outcome.sample if outcome.sample is not None else Path(outcome.source))
        texts = column(state, label(name, "small"), gap=3)
        if outcome.reason is not None:
            texts.addWidget(label(words.shorter(outcome.reason, outcome.source).message, wrap=True))
            if outcome.reason.advice:
                texts.addWidget(label(outcome.reason.advice, "muted", wrap=True))
        texts.addStretch(1)
        layout = row(gap=12)
        layout.addWidget(_picture(outcome), 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(texts, 1)
        out = icon_button("cross", translate("SampleRow", "Take out {name}").format(name=name), remove)  # type: ignore[arg-type]
        layout.addWidget(out, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(layout)


def _picture(outcome: SampleOutcome) -> QWidget:
    if outcome.modality is Modality.VOICE and outcome.sample is not None:
        view = SpectrogramView(80)
        view.show_recording(outcome.sample.data, getattr(outcome.analysis, "segments", ()))
        view.setFixedWidth(170)
        return view
    picture = Picture(80, 80)
    if outcome.crop is not None:
        picture.show_array(outcome.crop)
    elif outcome.sample is not None and outcome.modality is Modality.FACE:
        picture.show_array(outcome.sample.data)
    return picture


class SampleStep(QWidget):
    """Gathers samples of one modality.

    Signals:
        offered: list of samples or files to examine.
        removed: an outcome to take out.
        camera, microphone: the user wants to capture live.
    """

    offered = Signal(list)
    removed = Signal(object)
    camera = Signal()
    microphone = Signal()

    def __init__(self, modality: Modality, draft: Draft) -> None:
        super().__init__()
        self.modality, self._draft = modality, draft
        self.drop = DropZone(modality)
        self.drop.files.connect(self.offered)
        self.drop.camera.connect(self.camera)
        self.drop.microphone.connect(self.microphone)
        self.advice = Notice()
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.hide()
        optional = translate("SampleStep", "Either may be left out; face and voice together decide best.")
        left = QWidget()
        left.setFixedWidth(392)
        left.setLayout(column(self.advice, self.drop, self._busy, label(optional, "small", wrap=True), 1))
        self._list = column(gap=10)
        body = QWidget()
        body.setLayout(column(self._list, 1))
        layout = row(left, gap=16)
        layout.addWidget(scrolling(body), 1)
        self.setLayout(layout)
        self.refresh()

    def set_busy(self, busy: bool) -> None:
        """Samples are being examined."""
        self._busy.setVisible(busy)

    def refresh(self) -> None:
        """Show the samples there are and say what to add next."""
        clear(self._list)
        offered = [one for one in self._draft.outcomes if one.modality is self.modality or one.modality is None]
        for outcome in reversed(offered):
            self._list.addWidget(SampleRow(outcome, lambda o=outcome: self.removed.emit(o)))
        if not offered:
            self._list.addWidget(label(translate("SampleStep", "The samples you add appear here."), "muted"))
        count = len(self._draft.accepted(self.modality))
        tone = "good" if count and not (offered and offered[-1].reason) else "info"
        heading = (
            translate("SampleStep", "%n sample(s) accepted.", n=count) if count else words.modality_name(self.modality)
        )
        self.advice.say(heading, advice(self._draft, self.modality), tone)


class FinishStep(QWidget):
    """What will be stored, and whether the person seems to be enrolled under another name."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._name = label("", "h2", wrap=True)
        self._count = label("", "muted", wrap=True)
        self._pictures = FlowLayout(gap=8)
        pictures = QWidget()
        pictures.setLayout(self._pictures)
        self.duplicate = Notice()
        self.problem = Notice()
        card = Card(self._name, self._count, pictures, self.duplicate, self.problem, margin=20)
        card.setFixedWidth(720)
        self.setLayout(column(row(card, 1), 1))

    def refresh(self) -> None:
        """Show the draft."""
        faces, voices = (len(self._draft.accepted(modality)) for modality in (Modality.FACE, Modality.VOICE))
        self._name.setText(self._draft.name)
        parts = [
            translate("FinishStep", "%n face sample(s)", n=faces),
            translate("FinishStep", "%n voice sample(s)", n=voices),
        ]
        self._count.setText(", ".join(parts))
        clear(self._pictures)
        for outcome in self._draft.accepted():
            self._pictures.addWidget(_picture(outcome))
        self.duplicate.hide()
        self.problem.hide()
        if not self._draft.accepted():
            self.problem.say(
                translate("FinishStep", "There is no usable sample yet."),
                translate("FinishStep", "Go back and add at least one picture or recording."),
                "warn",
            )

    def warn_duplicate(self, name: str) -> None:
        """Somebody enrolled looks or sounds the same."""
        self.duplicate.say(
            translate("FinishStep", "These samples match {name}, who is enrolled already.").format(name=name),
            translate("FinishStep", "Go back and use that name to add samples, unless these are two people."),
            "warn",
        )

    def explain(self, reason: Reason) -> None:
        """The enrolment failed."""
        self.problem.explain(reason, "bad")
