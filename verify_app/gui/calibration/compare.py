"""Two ways of comparing the same people: their error trade-offs over each other, and how sure the difference is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QWidget

from verify_app.evaluation.det import DetCurve, det
from verify_app.evaluation.paired import Difference, differences
from verify_app.evaluation.rates import ErrorRates
from verify_app.gui import words
from verify_app.gui.calibration.plots import DetPlot
from verify_app.gui.calibration.ways import fill_with_ways, way_name
from verify_app.gui.calibration.worksheet import Worksheet
from verify_app.gui.session import AppWork, Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services import rivals
from verify_app.services.trial_sets import TrialSet

SIMILARITY, ENCODER, FILE = "similarity", "encoder", "file"


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """Another way on the same trials.

    Attributes:
        name: what it is called.
        curve: its error trade-off.
        trials: number of trials that both ways could score.
        differences: how its figures differ from those of the first way.
    """

    name: str
    curve: DetCurve
    trials: int
    differences: tuple[Difference, ...]


def rival(pair: rivals.Pair, name: str) -> Rival:
    """Measure the second of two ways against the first."""
    first, second = (one.trials for one in pair)
    return Rival(name, det(ErrorRates.of(second)), len(second), differences(first, second))


class Compare(QWidget):
    """The choice of a second way and what it changes.

    Signals:
        found: a :class:`Rival` to lay over the curve, or None for none.
    """

    found = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._sheet: Worksheet | None = None
        self._chosen = 0
        self.similarity = QComboBox()
        self.similarity.setAccessibleName(translate("Compare", "Second way of comparing"))
        self.similarity.activated.connect(lambda _index: self.compare())
        self.notice = Notice()
        self.text = label("", wrap=True)
        self._hint = label("", "small", wrap=True)
        self.det = DetPlot()
        self.det.setMinimumSize(260, 200)
        side = column(label(translate("Compare", "Lay over the curve")), self.similarity, self.text, self._hint, gap=8)
        side.addWidget(self.notice)
        side.addStretch(1)
        layout = row(gap=14, margin=14)
        layout.addLayout(side, 2)
        layout.addWidget(self.det, 3)
        self.setLayout(layout)

    def show_sheet(self, sheet: Worksheet) -> None:
        """Other trials."""
        self._sheet = sheet
        self.similarity.clear()
        self.similarity.addItem(translate("Compare", "nothing"), None)
        fill_with_ways(self.similarity, sheet.trial_set.similarity)
        for place in range(1, self.similarity.count()):
            self.similarity.setItemData(place, (SIMILARITY, self.similarity.itemData(place)))
        self.text.clear()
        self._hint.clear()
        self.notice.hide()
        self.det.show_curves([(way_name(sheet.trial_set.similarity), sheet.curve)])
        self.similarity.setEnabled(sheet.trial_set.vectors is not None)
        if sheet.trial_set.vectors is None:
            self.notice.say(
                translate("Compare", "These are scores without embeddings."),
                translate("Compare", "Load enrolled people or a labelled folder to compare similarities."),
            )
            return
        modality = sheet.trial_set.modality
        self._session.run(self, lambda app, _p, _c: rivals.other_encoders(app, modality), self._offer, self._say)

    def _offer(self, encoders: list[str]) -> None:
        """Encoders beside the one in use, where there are any, and embeddings from a file."""
        for name in encoders:
            text = translate("Compare", "Encoder {name}").format(name=name)
            self.similarity.addItem(text, (ENCODER, name))
        self.similarity.addItem(translate("Compare", "Embeddings of the same samples…"), (FILE, ""))

    def compare(self) -> None:
        """Score the same people by the way chosen."""
        chosen, sheet = self.similarity.currentData(), self._sheet
        if not chosen or sheet is None:
            self.text.clear()
            self._hint.clear()
            self.found.emit(None)
            if sheet is not None:
                self.det.show_curves([(way_name(sheet.trial_set.similarity), sheet.curve)])
            return
        kind, name = chosen
        if kind == FILE:
            name, _ = QFileDialog.getOpenFileName(
                self, translate("Compare", "Embeddings of the same samples"), "", "NPZ, Parquet (*.npz *.parquet)"
            )
            if not name:
                return
        self.compare_with(kind, name)

    def compare_with(self, kind: str, name: str) -> None:
        """Score the same people by a similarity, an encoder or the embeddings in a file."""
        if self._sheet is None:
            return
        trial_set = self._sheet.trial_set
        self._chosen += 1
        chosen = self._chosen

        def show(other: Rival) -> None:
            if chosen == self._chosen:  # nothing else was chosen in the meantime
                self._show(other)

        self._hint.setText(translate("Compare", "Comparing…"))
        self._session.run(self, _measured(trial_set, kind, name), show, self._say)

    def _say(self, reason: Reason) -> None:
        self._hint.clear()
        self.notice.explain(reason)

    def _show(self, other: Rival) -> None:
        sheet = self._sheet
        if sheet is None:
            return
        self.notice.hide()
        self.text.setText("\n\n".join(_sentence(one) for one in other.differences))
        hint = translate("Compare", "Differences are those of {name}; both are measured on the same drawn people.")
        lines = [hint.format(name=other.name)]
        if other.trials < len(sheet.live.trials):
            left = words.number(len(sheet.live.trials) - other.trials)
            lines.append(translate("Compare", "{count} comparisons have no score in it.").format(count=left))
        self._hint.setText(" ".join(lines))
        self.det.show_curves([(way_name(sheet.trial_set.similarity), sheet.curve), (other.name, other.curve)])
        self.found.emit(other)


def _measured(trial_set: TrialSet, kind: str, name: str) -> AppWork[Rival]:
    """The work of comparing, for a background job."""
    works: dict[str, AppWork[Rival]] = {
        SIMILARITY: lambda _app, _p, _c: rival(rivals.by_similarity(trial_set, name), way_name(name)),
        ENCODER: lambda app, progress, cancelled: rival(
            rivals.by_encoder(app, trial_set, name, progress=progress, cancelled=cancelled), name
        ),
        FILE: lambda _app, _p, _c: rival(rivals.by_vectors(trial_set, name), Path(name).name),
    }
    return works[kind]


def _sentence(one: Difference) -> str:
    name = translate("Compare", "Equal errors")
    if one.target_fmr is not None:
        name = translate("Compare", "False non-matches at {odds}").format(odds=words.one_in(one.target_fmr))
    numbers = translate("Compare", "{first} here, {second} there").format(
        first=words.percent(one.first), second=words.percent(one.second)
    )
    points = [f"{100 * bound:+.2f}" for bound in (one.difference.value, one.difference.low, one.difference.high)]
    gap = translate("Compare", "{value} points (95 %: {low} to {high})").format(
        value=points[0], low=points[1], high=points[2]
    )
    if not one.told_apart:
        gap += translate("Compare", ", not told apart by these people")
    return f"{name}: {numbers}\n{gap}"
