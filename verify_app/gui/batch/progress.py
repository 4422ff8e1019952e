"""How far a running job is, how fast it goes, and how long it will take."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QProgressBar

from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, label, row
from verify_app.services.batch.run import SCORING
from verify_app.services.jobs import Progress, ProgressCallback
from verify_app.services.pace import Pace, duration

STEP_SECONDS = 0.1


class ProgressCard(Card):
    """A bar with words and a button to stop.

    Signals:
        cancel: the user wants to stop.
    """

    cancel = Signal()

    def __init__(self) -> None:
        self.title = label("", "h3")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(translate("ProgressCard", "Progress"))
        self.figures = label("", "muted")
        self.file = label("", "small")
        self.cancel_button = button(translate("ProgressCard", "Stop"), self._stop, icon="stop")
        figures = row(self.figures, self.file)
        figures.setStretch(0, 1)
        super().__init__(row(self.title, 1, self.cancel_button), self.bar, figures, gap=8)
        self._pace = Pace()

    def begin(self, title: str) -> None:
        """A job starts."""
        self._pace = Pace()
        self.title.setText(title)
        self.bar.setRange(0, 0)
        self.figures.setText(translate("ProgressCard", "Listing the files…"))
        self.file.clear()
        self.cancel_button.setEnabled(True)

    def show_progress(self, progress: Progress) -> None:
        """The job reported."""
        scoring = progress.message == SCORING
        self._pace.update(progress.done, progress.total)
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        counted = {"done": words.number(progress.done), "total": words.number(progress.total)}
        if scoring:
            text = translate("ProgressCard", "Comparing: {done} of {total}").format(**counted)
        else:
            text = translate("ProgressCard", "{done} of {total} files").format(**counted)
        rate, left = self._pace.rate, self._pace.seconds_left
        if rate is not None and left is not None:
            speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
            text += translate("ProgressCard", " · {speed} a second · {left} left").format(
                speed=speed, left=duration(left)
            )
        self.figures.setText(text)
        name = "" if scoring else progress.message
        self.file.setText(self.file.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, 320))

    def _stop(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel.emit()


def seldom(report: ProgressCallback) -> ProgressCallback:
    """Pass reports on at most ten times a second, and always the last and the first of a stage."""
    last = 0.0
    stage = ""

    def passed(done: int, total: int, message: str = "") -> None:
        nonlocal last, stage
        now = time.monotonic()
        now_stage = SCORING if message == SCORING else ""
        if now - last >= STEP_SECONDS or done in (0, total) or now_stage != stage:
            last, stage = now, now_stage
            report(done, total, message)

    return passed
