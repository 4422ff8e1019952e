"""The cards beside the plots: what the threshold does now, and the false-match rate that is wanted."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox

from verify_app.evaluation.live import LiveRates, Reading, Support
from verify_app.gui import words
from verify_app.gui.calibration.plots import score_step
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, label, line, row
from verify_app.gui.widgets.notice import Notice

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


class ReadingCard(Card):
    """False matches and false non-matches at the threshold, with their intervals; follows the line.

    Signals:
        typed: a threshold was typed.
    """

    typed = Signal(float)

    def __init__(self) -> None:
        super().__init__(gap=6)
        self.threshold = QDoubleSpinBox()
        self.threshold.setAccessibleName(translate("ReadingCard", "Threshold"))
        self.threshold.setKeyboardTracking(False)
        self.threshold.lineEdit().setTextMargins(8, 0, 0, 0)
        self.threshold.valueChanged.connect(self.typed)
        self._fmr = label("", "figure")
        self._fmr_more = label("", "small", wrap=True)
        self._fnmr = label("", "figure")
        self._fnmr_more = label("", "small", wrap=True)
        self.body.addLayout(row(label(translate("ReadingCard", "Threshold"), "h3"), 1, self.threshold))
        self.body.addWidget(line())
        self.body.addWidget(label(translate("ReadingCard", "False matches"), "muted"))
        self.body.addWidget(self._fmr)
        self.body.addWidget(self._fmr_more)
        self.body.addWidget(line())
        self.body.addWidget(label(translate("ReadingCard", "False non-matches"), "muted"))
        self.body.addWidget(self._fnmr)
        self.body.addWidget(self._fnmr_more)

    def set_range(self, live: LiveRates) -> None:
        """The scores there are."""
        step = score_step(live.lowest, live.highest)
        self.threshold.blockSignals(True)
        self.threshold.setDecimals(max(1, min(8, len(f"{step:.8f}".rstrip("0").split(".")[1]))))
        self.threshold.setRange(live.lowest - 1, live.highest + 1)
        self.threshold.setSingleStep(step * 10)
        self.threshold.blockSignals(False)

    def show_reading(self, reading: Reading, live: LiveRates) -> None:
        """Show the rates."""
        self.threshold.blockSignals(True)
        self.threshold.setValue(reading.threshold)
        self.threshold.blockSignals(False)
        self._fmr.setText(words.one_in(reading.fmr.value))
        of = translate("ReadingCard", "{count} of {all} comparisons of different people")
        counted = of.format(count=words.number(reading.false_matches), all=words.number(live.rates.non_mated.size))
        self._fmr_more.setText(f"{words.interval_phrase(reading.fmr)}\n{counted}")
        self._fnmr.setText(words.percent(reading.fnmr.value))
        low, high = words.percent(reading.fnmr.low), words.percent(reading.fnmr.high)
        of = translate("ReadingCard", "{count} of {all} comparisons of the same person")
        counted = of.format(count=words.number(reading.false_non_matches), all=words.number(live.rates.mated.size))
        interval = translate("ReadingCard", "95 %: {low} to {high}").format(low=low, high=high)
        self._fnmr_more.setText(f"{interval}\n{counted}")

    @property
    def text(self) -> str:
        """Everything it says."""
        return "\n".join(one.text() for one in (self._fmr, self._fmr_more, self._fnmr, self._fnmr_more))


class TargetCard(Card):
    """The false-match rate that is wanted, and whether these data can show it.

    Signals:
        wanted: the rate.
    """

    wanted = Signal(float)

    def __init__(self) -> None:
        super().__init__(gap=8)
        self.target = QComboBox()
        self.target.setAccessibleName(translate("TargetCard", "False-match rate wanted"))
        for rate in TARGETS:
            self.target.addItem(words.one_in(rate), rate)
        self.target.setCurrentIndex(TARGETS.index(1e-3))
        self.target.activated.connect(lambda _index: self.wanted.emit(self.rate))
        self.answer = Notice()
        self.body.addLayout(row(label(translate("TargetCard", "Target"), "h3"), 1, self.target))
        self.body.addWidget(self.answer)

    @property
    def rate(self) -> float:
        """The rate wanted."""
        return float(self.target.currentData())

    def show_support(self, support: Support) -> None:
        """Say whether the data carry the claim."""
        odds = words.one_in(support.target_fmr)
        if support.supported:
            text = translate("TargetCard", "These comparisons can show {odds} at 95 %.").format(odds=odds)
            self.answer.say(text, tone="good")
            return
        text = translate("TargetCard", "These comparisons cannot show {odds}.").format(odds=odds)
        more = translate("TargetCard", "{count} more comparisons of different people are needed").format(
            count=words.number(support.comparisons)
        )
        if support.people:
            people = translate("TargetCard", "about {count} more people").format(count=words.number(support.people))
            more = f"{more}, {people}"
        self.answer.say(text, f"{more}.", "warn")
