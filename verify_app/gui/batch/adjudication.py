"""People look at doubtful rows, side by side: same, different or unsure, by one key each."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QDialog, QLineEdit, QListWidget, QListWidgetItem, QTabWidget, QWidget

from verify_app.gui import words
from verify_app.gui.batch.names import decision_name, tone
from verify_app.gui.batch.sample_view import SampleView
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, column, label, row, set_property
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services.application import Application
from verify_app.services.batch import adjudication
from verify_app.services.batch.adjudication import Answer, Disagreement, Estimate
from verify_app.services.batch.locate import place_finder
from verify_app.services.batch.pairs import PairPreview, pair_preview
from verify_app.services.batch.table import ResultTable
from verify_app.services.jobs import CancelledCheck, ProgressCallback

KEYS = {Answer.SAME: "S", Answer.DIFFERENT: "D", Answer.UNSURE: "U"}


@dataclass(frozen=True, slots=True)
class _State:
    """What the folder says now."""

    queue: list[dict[str, str]]
    disagreements: list[Disagreement]
    estimate: Estimate
    reviewers: list[str]


class AdjudicationWindow(QDialog):
    """One row at a time, nearest to the threshold first; answers are kept beside the machine's.

    Signals:
        loaded: the queue was read.
        shown: the pictures of the row in front are there.
        answered: an answer is on disk.
    """

    loaded = Signal()
    shown = Signal()
    answered = Signal()

    def __init__(self, session: Session, table: ResultTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.table = session, table
        self.queue: list[dict[str, str]] = []
        self._next: tuple[tuple[str, str], PairPreview] | None = None
        self.setWindowTitle(translate("Adjudication", "Look at doubtful rows"))
        self.setMinimumSize(820, 600)
        self.resize(980, 700)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.reviewer = QComboBox()
        self.reviewer.setEditable(True)
        edit = QLineEdit()
        self.reviewer.setLineEdit(edit)
        self.reviewer.setMinimumWidth(180)
        self.reviewer.setAccessibleName(translate("Adjudication", "Who looks"))
        edit.setPlaceholderText(translate("Adjudication", "Your name"))
        self.notice = Notice()
        self.left, self.right = SampleView(), SampleView()
        self.facts = label("", "muted", wrap=True)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.counter = label("", "small")
        self.buttons = {answer: self._answer_button(answer) for answer in Answer}
        self.differing = QListWidget()
        self.differing.setAccessibleName(translate("Adjudication", "Rows on which reviewers differ"))
        self.differing.itemActivated.connect(self._reopen)
        self.differing.itemClicked.connect(self._reopen)
        self.rates = label("", "muted", wrap=True, selectable=True)
        self._lay_out()
        self.reviewer.currentTextChanged.connect(lambda _text: self._named())
        edit.returnPressed.connect(self.load)
        self.load()

    def _answer_button(self, answer: Answer) -> QWidget:
        text, icon = {
            Answer.SAME: (translate("Adjudication", "Same person  (S)"), "check"),
            Answer.DIFFERENT: (translate("Adjudication", "Different people  (D)"), "cross"),
            Answer.UNSURE: (translate("Adjudication", "Unsure  (U)"), "info"),
        }[answer]
        made = button(text, lambda: self.answer(answer), icon=icon)
        made.setMinimumHeight(40)
        shortcut = QShortcut(QKeySequence(KEYS[answer]), self)
        shortcut.activated.connect(lambda: self.answer(answer))
        return made

    def _lay_out(self) -> None:
        begin = button(translate("Adjudication", "Begin"), self.load, role="primary")
        head = row(label(translate("Adjudication", "Reviewer"), "h3"), self.reviewer, begin, 1, self.counter, gap=10)
        samples = row(self.left, self.right, gap=12)
        samples.setStretch(0, 1)
        samples.setStretch(1, 1)
        look = QWidget()
        layout = column(gap=10)
        layout.setContentsMargins(0, 10, 0, 0)
        layout.addLayout(samples, 1)
        layout.addWidget(self.facts)
        layout.addLayout(row(1, *self.buttons.values(), 1, gap=10))
        look.setLayout(layout)
        differ = QWidget()
        hint = label(translate("Adjudication", "Choose a row to look at it again."), "small")
        differ_layout = column(hint, self.differing, gap=8)
        differ_layout.setContentsMargins(0, 10, 0, 0)
        differ.setLayout(differ_layout)
        self.tabs = QTabWidget()
        self.tabs.addTab(look, translate("Adjudication", "Rows"))
        self.tabs.addTab(differ, translate("Adjudication", "Disagreements"))
        outer = column(head, self.notice, gap=10, margin=20)
        outer.addWidget(self.tabs, 1)
        outer.addWidget(Card(label(translate("Adjudication", "What people found"), "h3"), self.rates, gap=4, margin=12))
        self.setLayout(outer)

    # -- the queue --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Who looks."""
        return self.reviewer.currentText().strip()

    def _named(self) -> None:
        self._enable()

    def load(self) -> None:
        """Read what is open for this reviewer, what others said, and the rates so far."""
        folder, name = self.table.folder, self.name

        def work(_app: Application, _p: ProgressCallback, _c: CancelledCheck) -> _State:
            given = adjudication.answers(folder)
            reviewers = sorted({who for by_reviewer in given.values() for who in by_reviewer})
            return _State(
                adjudication.queue(folder, name) if name else [],
                adjudication.disagreements(folder),
                adjudication.estimate(folder),
                reviewers,
            )

        self.session.run(self, work, self._show_state, self._refuse)

    def _show_state(self, state: _State) -> None:
        self.queue = state.queue
        typed = self.reviewer.currentText()
        self.reviewer.blockSignals(True)
        self.reviewer.clear()
        self.reviewer.addItems(state.reviewers)
        self.reviewer.setEditText(typed)
        self.reviewer.blockSignals(False)
        self._show_rates(state)
        if not self.name:
            self.notice.say(
                translate("Adjudication", "Who looks?"),
                translate("Adjudication", "Answers are kept by name, so that two people can look at the same rows."),
            )
            self.reviewer.setFocus()
        else:
            self.notice.hide()
            self.setFocus()
        self._show_row()
        self.loaded.emit()

    def _show_rates(self, state: _State) -> None:
        self.differing.clear()
        for one in state.disagreements:
            said = ", ".join(f"{who}: {_answer_name(what)}" for who, what in sorted(one.answers.items()))
            item = QListWidgetItem("  ·  ".join(filter(None, (one.file, one.claim))) + f"\n{said}")
            item.setData(Qt.ItemDataRole.UserRole, (one.file, one.claim))
            self.differing.addItem(item)
        name = translate("Adjudication", "Disagreements")
        self.tabs.setTabText(1, f"{name} ({len(state.disagreements)})" if state.disagreements else name)
        self.rates.setText("\n".join(_rate_lines(state.estimate)))

    # -- one row ----------------------------------------------------------------------------------

    def _show_row(self) -> None:
        self._enable()
        self.left.clear_sample()
        self.right.clear_sample()
        if not self.queue:
            done = translate("Adjudication", "Nothing is left to look at.") if self.name else ""
            self.facts.setText(done)
            self.counter.clear()
            return
        current = self.queue[0]
        self.counter.setText(translate("Adjudication", "%n row(s) to look at", n=len(self.queue)))
        score = translate("Adjudication", "{decision} · score {score}, accepted from {threshold}").format(
            decision=decision_name(current["decision"]),
            score=f"{float(current['score']):.3f}",
            threshold=f"{float(current['threshold']):.3f}",
        )
        self.facts.setText(score)
        set_property(self.facts, "role", tone(current["decision"]))
        key = (current["file"], current["claim"])
        if self._next is not None and self._next[0] == key:
            self._show_pair(key, self._next[1])
            return
        self._prepare(current, lambda pair: self._show_pair(key, pair))

    def _prepare(self, wanted: dict[str, str], then) -> None:  # type: ignore[no-untyped-def]
        summary = self.table.summary
        mates = self.table.mates(wanted["file"]) if self.table.grouping else []
        places = place_finder(self.table.folder)
        self.session.run(
            self, lambda app, _p, _c: pair_preview(app, summary, wanted, mates, places), then, self._refuse
        )

    def _show_pair(self, key: tuple[str, str], pair: PairPreview) -> None:
        if not self.queue or (self.queue[0]["file"], self.queue[0]["claim"]) != key:
            return  # answered meanwhile
        self.left.show_sample(pair.probe_name, pair.probe)
        self.right.show_sample(pair.reference_name, pair.reference, pair.thumbnails)
        self.shown.emit()
        if len(self.queue) > 1:
            following = self.queue[1]
            after = (following["file"], following["claim"])

            def keep(made: PairPreview) -> None:
                self._next = (after, made)

            self._prepare(following, keep)

    def _enable(self) -> None:
        for one in self.buttons.values():
            one.setEnabled(bool(self.name and self.queue))

    def answer(self, answer: Answer) -> None:
        """Record what the reviewer says of the row in front, and show the next."""
        if not self.queue or not self.name:
            return
        current = self.queue.pop(0)
        folder, key, name = self.table.folder, (current["file"], current["claim"]), self.name

        def work(_app: Application, _p: ProgressCallback, _c: CancelledCheck) -> _State:
            adjudication.record(folder, key, name, answer, known=True)
            return _State([], adjudication.disagreements(folder), adjudication.estimate(folder), [])

        def done(state: _State) -> None:
            self._show_rates(state)
            self.answered.emit()

        def failed(reason: Reason) -> None:
            self.queue.insert(0, current)  # nothing is lost: the row comes back
            self._refuse(reason)
            self._show_row()

        self.session.run(self, work, done, failed)
        self._show_row()

    def _reopen(self, item: QListWidgetItem) -> None:
        """Look again at a row on which reviewers differ."""
        file, claim = item.data(Qt.ItemDataRole.UserRole)
        found = self.table.row_dict(file, claim)
        if found is not None:
            self.queue.insert(0, found)
            self.tabs.setCurrentIndex(0)
            self._show_row()

    def _refuse(self, reason: Reason) -> None:
        self.notice.explain(reason, "bad")


def _answer_name(answer: Answer) -> str:
    return {
        Answer.SAME: translate("Adjudication", "same"),
        Answer.DIFFERENT: translate("Adjudication", "different"),
        Answer.UNSURE: translate("Adjudication", "unsure"),
    }[answer]


def _rate_lines(estimate: Estimate) -> list[str]:
    """The error rates among the rows that people looked at, with their intervals."""
    lines = []
    for wrong, of, share, text in (
        (
            estimate.wrong_accepts,
            estimate.accepted,
            estimate.false_accept_share,
            translate("Adjudication", "Accepted by the machine: {wrong} of {of} are different people"),
        ),
        (
            estimate.wrong_refusals,
            estimate.refused,
            estimate.false_refusal_share,
            translate("Adjudication", "Refused by the machine: {wrong} of {of} are the same person"),
        ),
    ):
        line = text.format(wrong=wrong, of=of)
        if share is not None:
            line += translate("Adjudication", " ({share}, 95 %: {low} to {high})").format(
                share=words.percent(share.value), low=words.percent(share.low), high=words.percent(share.high)
            )
        lines.append(line)
    lines.append(translate("Adjudication", "These rows are the doubtful ones: their shares are not those of all rows."))
    return lines
