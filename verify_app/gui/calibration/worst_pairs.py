"""The most surprising pairs, side by side: label errors are found here and left out with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QInputDialog, QListWidget, QPushButton, QWidget

from verify_app.gui.calibration.sample_side import SampleSide
from verify_app.gui.calibration.worksheet import Worksheet
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row

if TYPE_CHECKING:
    from verify_app.gui.session import Session


class WorstPairs(QWidget):
    """A list of pairs on the left, the pair chosen on the right.

    Signals:
        excluded: rows of the trials (an int64 array) and the reason.
    """

    excluded = Signal(object, str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._sheet: Worksheet | None = None
        self._rows = np.zeros(0, dtype=np.int64)
        self._others = _choice(translate("WorstPairs", "Different people, most alike"))
        self._mated = _choice(translate("WorstPairs", "Same person, least alike"))
        group = QButtonGroup(self)
        for one in (self._others, self._mated):
            group.addButton(one)
            one.toggled.connect(lambda checked: self._fill() if checked else None)
        self._others.setChecked(True)
        self.list = QListWidget()
        self.list.setAccessibleName(translate("WorstPairs", "Pairs, the most surprising first"))
        self.list.currentRowChanged.connect(lambda _row: self._show())
        self.left, self.right = SampleSide(session), SampleSide(session)
        self.left.played.connect(self.right.stop)  # one at a time
        self.right.played.connect(self.left.stop)
        self._about = label("", "muted", wrap=True)
        self.exclude_button = button(translate("WorstPairs", "Leave out the pair…"), self._exclude_pair)
        self.exclude_left = button(translate("WorstPairs", "Leave out…"), lambda: self._exclude(0))
        self.exclude_right = button(translate("WorstPairs", "Leave out…"), lambda: self._exclude(1))
        side = QWidget()
        side.setFixedWidth(232)
        side.setLayout(column(self._others, self._mated, self.list, gap=6))
        pair = row(
            column(self.left, row(self.exclude_left, 1), gap=6), column(self.right, row(self.exclude_right, 1), gap=6)
        )
        layout = row(gap=14, margin=12)
        layout.addWidget(side)
        layout.addLayout(column(pair, self._about, row(self.exclude_button, 1), 1, gap=8), 1)
        self.setLayout(layout)

    def show_sheet(self, sheet: Worksheet) -> None:
        """Other trials."""
        self._sheet = sheet
        known = bool(sheet.trial_set.samples)
        for one in (self.exclude_left, self.exclude_right, self.left, self.right):
            one.setVisible(known)
        self._fill()

    def _fill(self) -> None:
        if self._sheet is None:
            return
        self._rows = self._sheet.worst(mated=self._mated.isChecked())
        trials = self._sheet.live.trials
        self.list.clear()
        for row_number in self._rows:
            self.list.addItem(f"{trials.scores[row_number]:.3f}   {self._names(int(row_number))}")
        self.list.setCurrentRow(0 if self._rows.size else -1)
        self._show()

    def _names(self, row_number: int) -> str:
        sheet = self._sheet
        if sheet is None:
            return ""
        trials = sheet.live.trials
        if trials.reference_subject is None or trials.probe_subject is None:
            return translate("WorstPairs", "trial {number}").format(number=row_number + 1)
        first, second = str(trials.reference_subject[row_number]), str(trials.probe_subject[row_number])
        return first if first == second else f"{first} / {second}"

    @property
    def current(self) -> int | None:
        """The row of the trial chosen."""
        place = self.list.currentRow()
        return int(self._rows[place]) if 0 <= place < self._rows.size else None

    def _show(self) -> None:
        chosen, sheet = self.current, self._sheet
        for one in (self.exclude_button, self.exclude_left, self.exclude_right):
            one.setEnabled(chosen is not None)
        if chosen is None or sheet is None:
            self._about.clear()
            return
        trial_set = sheet.trial_set
        if trial_set.reference is not None and trial_set.probe is not None and trial_set.samples:
            self.left.show_sample(trial_set.samples[trial_set.reference[chosen]], trial_set.modality)
            self.right.show_sample(trial_set.samples[trial_set.probe[chosen]], trial_set.modality)
        score = float(sheet.live.trials.scores[chosen])
        self._about.setText(
            translate(
                "WorstPairs", "Score {score}. If the label is wrong, leave it out; the reason is recorded."
            ).format(score=f"{score:.3f}")
        )

    def _exclude_pair(self) -> None:
        if self.current is not None:
            self._ask(np.array([self.current]))

    def _exclude(self, side: int) -> None:
        chosen, sheet = self.current, self._sheet
        if chosen is None or sheet is None:
            return
        rows = sheet.trial_set.reference if side == 0 else sheet.trial_set.probe
        if rows is not None:
            self._ask(sheet.trial_set.rows_of(int(rows[chosen])))

    def _ask(self, rows: np.ndarray) -> None:
        reason, agreed = QInputDialog.getText(
            self,
            translate("WorstPairs", "Leave out"),
            translate("WorstPairs", "This leaves out %n comparison(s). Why?", n=int(rows.size)),
        )
        if agreed and reason.strip():
            self.excluded.emit(rows, reason)


def _choice(text: str) -> QPushButton:
    made = button(text)
    made.setCheckable(True)
    made.setProperty("role", "choice")
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return made
