"""Two similarities on the same people: their error trade-offs over each other, and the figures that differ."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QWidget

from verify_app.evaluation.det import DetCurve, det
from verify_app.evaluation.rates import ErrorRates
from verify_app.gui import words
from verify_app.gui.calibration.worksheet import TARGETS, Worksheet
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services.trial_sets import TrialSet


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """Another similarity on the same trials."""

    name: str
    curve: DetCurve
    rates: ErrorRates


def rival(trial_set: TrialSet, similarity: str) -> Rival:
    """Score the trials by another similarity; raises as :meth:`TrialSet.compared_by` does."""
    rates = ErrorRates.of(trial_set.compared_by(similarity).trials)
    return Rival(similarity, det(rates), rates)


class Compare(QWidget):
    """The choice of a second similarity and what it changes.

    Signals:
        found: a :class:`Rival` to lay over the curve, or None for none.
    """

    found = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._sheet: Worksheet | None = None
        self.similarity = QComboBox()
        self.similarity.setAccessibleName(translate("Compare", "Second similarity"))
        self.similarity.activated.connect(lambda _index: self.compare())
        self.notice = Notice()
        self._text = label("", wrap=True)
        question = row(label(translate("Compare", "Lay over the curve")), self.similarity, 1)
        self.setLayout(column(question, self._text, self.notice, 1, margin=14))

    def show_sheet(self, sheet: Worksheet) -> None:
        """Other trials."""
        self._sheet = sheet
        self.similarity.clear()
        self.similarity.addItem(translate("Compare", "nothing"), "")
        for name in ready_similarities():
            if name != sheet.trial_set.similarity:
                self.similarity.addItem(name.capitalize(), name)
        self._text.clear()
        self.notice.hide()
        self.similarity.setEnabled(sheet.trial_set.vectors is not None)
        if sheet.trial_set.vectors is None:
            self.notice.say(
                translate("Compare", "These are scores without embeddings."),
                translate("Compare", "Load enrolled people or a labelled folder to compare similarities."),
            )

    def compare(self) -> None:
        """Score the same people by the similarity chosen."""
        name, sheet = str(self.similarity.currentData() or ""), self._sheet
        if not name or sheet is None:
            self._text.clear()
            self.found.emit(None)
            return
        trial_set = sheet.trial_set
        self._session.run(self, lambda _app, _p, _c: rival(trial_set, name), self._show, self._say)

    def _say(self, reason: Reason) -> None:
        self.notice.explain(reason)

    def _show(self, other: Rival) -> None:
        if self._sheet is None:
            return
        self.notice.hide()
        mine = self._sheet.live.rates
        lines = [
            _line(translate("Compare", "Equal error rate"), mine.eer(), other.rates.eer(), self._sheet, other),
        ]
        for target in TARGETS[:2]:
            name = translate("Compare", "False non-matches at {odds}").format(odds=words.one_in(target))
            lines.append(_line(name, mine.fnmr_at_fmr(target), other.rates.fnmr_at_fmr(target), self._sheet, other))
        self._text.setText("\n".join(lines))
        self.found.emit(other)


def ready_similarities() -> list[str]:
    """The similarities that need no fitting."""
    from verify_app.matching.similarity import names

    return list(names(fitted=False))


def _line(name: str, mine: float, other: float, sheet: Worksheet, rival: Rival) -> str:
    return f"{name}: {words.percent(mine)} ({sheet.trial_set.similarity}), {words.percent(other)} ({rival.name})"
