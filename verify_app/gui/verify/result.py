"""The right side of the verify page: nothing yet, work under way, or the verdict with its evidence."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar, QStackedWidget, QVBoxLayout, QWidget

from verify_app.domain import Decision, Modality
from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.gui.verify.evidence import ModalityCard
from verify_app.gui.widgets.basic import Card, button, clear, column, label, row, scrolling
from verify_app.gui.widgets.notice import EmptyState, Notice
from verify_app.gui.widgets.scales import RarityScale
from verify_app.gui.widgets.verdict import VerdictPanel
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.jobs import Progress
from verify_app.services.verify import Verification

CALIBRATION_TROUBLE = {
    ReasonCode.NO_CALIBRATION,
    ReasonCode.CALIBRATION_INVALID,
    ReasonCode.CALIBRATION_EXPIRED,
    ReasonCode.TARGET_UNSUPPORTED,
}
ENROLMENT_TROUBLE = {ReasonCode.NOT_ENROLLED, ReasonCode.CONTRACT_MISMATCH, ReasonCode.NOBODY_ENROLLED}


class RarityCard(Card):
    """How rare such a score is among other people: the sentence, the scale, what was asked for."""

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        rate = decision.predicted_fmr
        if rate is None:
            return
        self.body.addWidget(label(words.rate_sentence(rate), "figure", wrap=True))
        self.body.addWidget(label(words.interval_phrase(rate), "muted"))
        scale = RarityScale()
        scale.show_rate(rate, decision.target_fmr)
        self.body.addWidget(scale)
        if len(decision.comparisons) > 1:
            text = translate("RarityCard", "Face and voice were weighed together, each by its quality.")
            self.body.addWidget(label(text, "small", wrap=True))


class ResultView(QStackedWidget):
    """Shows one of three states.

    Signals:
        cancelled: the user wants the work to stop.
        page_wanted: key of the page that offers the way out.
    """

    cancelled = Signal()
    page_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.empty = EmptyState(
            "verify",
            translate("ResultView", "No verification yet"),
            translate("ResultView", "Choose who is claimed, add a photo, a recording or both, then press Verify."),
        )
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._doing = label("", "muted")
        cancel = button(translate("ResultView", "Cancel"), self.cancelled.emit)
        waiting = Card(
            label(translate("ResultView", "Comparing"), "h2"), self._progress, self._doing, row(1, cancel), margin=20
        )
        working = QWidget()
        working.setLayout(column(waiting, 1))
        self._result = QWidget()
        layout = column(gap=16)
        layout.setContentsMargins(0, 0, 12, 0)
        self._body = layout
        self._result.setLayout(layout)
        self._result.setMinimumWidth(380)
        self._working, self._scroll = working, scrolling(self._result)
        self.verdict: VerdictPanel | None = None
        for page in (self.empty, self._working, self._scroll):
            self.addWidget(page)

    def show_empty(self) -> None:
        """Nothing was verified yet."""
        self.setCurrentWidget(self.empty)

    def show_working(self) -> None:
        """Work has begun."""
        self._progress.setRange(0, 0)
        self._doing.setText("")
        self.setCurrentWidget(self._working)

    def show_progress(self, progress: Progress) -> None:
        """How far it is."""
        self._progress.setRange(0, progress.total)
        self._progress.setValue(progress.done)
        self._doing.setText(progress.message.rsplit("/", 1)[-1])

    def show_verification(self, verification: Verification, claim: str) -> None:
        """The verdict and everything it rests on."""
        body = self._begin()
        self.verdict = VerdictPanel()
        self.verdict.show_decision(verification.decision, claim)
        self._offer_way_out(self.verdict, verification.decision.reason)
        body.addWidget(self.verdict)
        if verification.decision.predicted_fmr is not None:
            body.addWidget(RarityCard(verification.decision))
        compared = {one.modality: one for one in verification.decision.comparisons}
        for modality in Modality:
            outcomes = [one for one in verification.samples if one.modality is modality]
            if outcomes:
                body.addWidget(ModalityCard(modality, outcomes, compared.get(modality)))
        for outcome in verification.samples:
            if outcome.modality is None and outcome.reason is not None:
                notice = Notice()
                notice.explain(words.shorter(outcome.reason, outcome.source))
                body.addWidget(notice)
        body.addStretch(1)

    def show_refusal(self, reason: Reason) -> None:
        """No comparison could be made."""
        body = self._begin()
        self.verdict = VerdictPanel()
        self.verdict.show_refusal(reason)
        self._offer_way_out(self.verdict, reason)
        body.addWidget(self.verdict)
        body.addStretch(1)

    def _offer_way_out(self, verdict: VerdictPanel, reason: Reason) -> None:
        if reason.code in CALIBRATION_TROUBLE:
            text, page = translate("ResultView", "Calibrate again"), "calibrate"
        elif reason.code in ENROLMENT_TROUBLE:
            text, page = translate("ResultView", "Enrol samples"), "enrol"
        else:
            return
        verdict.offer(button(text, lambda: self.page_wanted.emit(page)))

    def _begin(self) -> QVBoxLayout:
        layout = self._body
        clear(layout)
        self._scroll.verticalScrollBar().setValue(0)
        self.setCurrentWidget(self._scroll)
        return layout
