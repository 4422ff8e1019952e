"""What if the threshold decided over a gallery: false alarms at a door where nobody claims a name."""

from __future__ import annotations

from PySide6.QtWidgets import QSpinBox, QWidget

from verify_app.domain import Interval
from verify_app.evaluation.identification import fpir_of_gallery
from verify_app.evaluation.live import Reading
from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import column, label, row


class WhatIf(QWidget):
    """Gallery and visitors in, false alarms a day out."""

    def __init__(self) -> None:
        super().__init__()
        self._reading: Reading | None = None
        self.gallery = _spin(translate("WhatIf", "People in the gallery"), 100, 10_000_000)
        self.visits = _spin(translate("WhatIf", "Visits of strangers a day"), 50, 10_000_000)
        for spin in (self.gallery, self.visits):
            spin.valueChanged.connect(lambda _value: self._show())
        self.answer = label("", "figure", wrap=True)
        self.detail = label("", "muted", wrap=True)
        question = row(
            label(translate("WhatIf", "People in the gallery")),
            self.gallery,
            label(translate("WhatIf", "Visits of strangers a day")),
            self.visits,
            1,
        )
        hint = translate(
            "WhatIf",
            "Each visit is compared with everybody in the gallery, and each comparison may go wrong: "
            "1 - (1 - FMR)^N. Comparisons of one visit are taken as independent, which errs on the safe side.",
        )
        self.setLayout(column(question, self.answer, self.detail, label(hint, "small", wrap=True), 1, margin=14))

    def show_reading(self, reading: Reading) -> None:
        """The threshold moved."""
        self._reading = reading
        self._show()

    def _show(self) -> None:
        if self._reading is None:
            return
        rate = false_alarm_rate(self._reading.fmr, self.gallery.value())
        visits = self.visits.value()
        alarms = [visits * share for share in (rate.value, rate.low, rate.high)]
        self.answer.setText(
            translate("WhatIf", "{alarms} false alarms a day").format(alarms=_figure(alarms[0]))
            + "  "
            + translate("WhatIf", "(95 %: {low} to {high})").format(low=_figure(alarms[1]), high=_figure(alarms[2]))
        )
        self.detail.setText(
            translate("WhatIf", "{odds} visits of a stranger names somebody.").format(odds=words.one_in(rate.value))
        )


def false_alarm_rate(fmr: Interval, gallery: int) -> Interval:
    """The share of searches for a stranger that name somebody, in a gallery of so many people."""
    value, low, high = (fpir_of_gallery(rate, gallery) for rate in (fmr.value, fmr.low, fmr.high))
    return Interval(value, low, high, fmr.confidence)


def _figure(value: float) -> str:
    return words.number(round(value)) if value >= 10 else f"{value:.2g}"


def _spin(name: str, value: int, most: int) -> QSpinBox:
    made = QSpinBox()
    made.setAccessibleName(name)
    made.lineEdit().setTextMargins(8, 0, 0, 0)
    made.setRange(1, most)
    made.setValue(value)
    made.setGroupSeparatorShown(True)
    return made
