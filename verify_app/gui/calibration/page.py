"""Calibrate: from scores to a threshold that can be answered for."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QProgressBar, QStackedWidget, QWidget

from verify_app.evaluation.live import Reading
from verify_app.gui import words
from verify_app.gui.calibration import report
from verify_app.gui.calibration.cards import ReadingCard, TargetCard
from verify_app.gui.calibration.compare import Compare, Rival
from verify_app.gui.calibration.library_dialog import LibraryDialog
from verify_app.gui.calibration.plots import DetPlot, HistogramPlot, ReliabilityPlot
from verify_app.gui.calibration.points_table import PointsTable
from verify_app.gui.calibration.save_dialog import SaveDialog
from verify_app.gui.calibration.sources import SourceBar, summary
from verify_app.gui.calibration.ways import way_name
from verify_app.gui.calibration.what_if import WhatIf
from verify_app.gui.calibration.worksheet import Worksheet, prepare
from verify_app.gui.calibration.worst_pairs import WorstPairs
from verify_app.gui.pages import Page
from verify_app.gui.session import AppWork, Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, column, label, row, scrolling, tabs
from verify_app.gui.widgets.notice import EmptyState, Notice
from verify_app.gui.work import Task
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.application import Application
from verify_app.services.calibrate import Calibrated, CalibrateOptions, calibrate
from verify_app.services.jobs import CancelledCheck, Progress, ProgressCallback
from verify_app.services.operating_points import Point
from verify_app.services.trial_sets import ANY_CONTRACT, TrialSet


class CalibratePage(Page):
    """Sources above, plots on the left, figures on the right.

    Signals:
        page_wanted: key of the page to go to.
        loaded: trials were loaded, with the :class:`Worksheet`, or could not be, with the :class:`Reason`.
        saved: a calibration was saved.
    """

    page_wanted = Signal(str)
    loaded = Signal(object)
    saved = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            translate("CalibratePage", "Calibrate"),
            translate("CalibratePage", "Choose the threshold by what it does to people, with how sure that is."),
        )
        self.sheet: Worksheet | None = None
        self.reading: Reading | None = None
        self._task: Task | None = None
        self._target = session.settings.target_fmr if session.settings else 1e-3
        self.sources = SourceBar()
        self.notice = Notice(closable=True)
        self.about = label("", "muted", wrap=True)
        self.histogram, self.det, self.reliability = HistogramPlot(), DetPlot(), ReliabilityPlot()
        self.numbers, self.target = ReadingCard(), TargetCard()
        self.points, self.worst, self.what_if = PointsTable(), WorstPairs(session), WhatIf()
        self.compare = Compare(session)
        self.save_button = button(
            translate("CalibratePage", "Save calibration…"), self.save, role="primary", icon="save"
        )
        self.report_button = button(translate("CalibratePage", "Report…"), self.print_report, icon="print")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.tabs = tabs(
            (self.points, translate("CalibratePage", "Operating points")),
            (self.det, translate("CalibratePage", "Error trade-off")),
            (self.reliability, translate("CalibratePage", "Reliability")),
            (self.worst, translate("CalibratePage", "Worst pairs")),
            (self.compare, translate("CalibratePage", "Compare")),
            (self.what_if, translate("CalibratePage", "Search 1:N")),
        )
        key = row(
            label(translate("CalibratePage", "■ other people"), "bad"),
            label(translate("CalibratePage", "■ same person"), "good"),
            1,
            label(translate("CalibratePage", "Drag the line"), "small"),
            gap=16,
        )
        left = column(Card(key, self.histogram, margin=10, gap=2), Card(self.tabs, margin=8), gap=12)
        left.setStretch(0, 5)
        left.setStretch(1, 6)
        figures = QWidget()
        right = column(self.numbers, self.target, 1, gap=12)
        figures.setLayout(right)
        actions = row(self.report_button, 1, self.save_button)
        side = QWidget()
        side.setFixedWidth(312)
        side.setLayout(column(scrolling(figures), actions))
        work = row(gap=12)
        self.histogram.setMinimumHeight(130)
        work.addLayout(left, 1)
        work.addWidget(side)
        filled = QWidget()
        content = column(self.about, work, gap=10)
        content.setStretch(1, 1)
        filled.setLayout(content)
        self._empty = EmptyState(
            "calibrate",
            translate("CalibratePage", "Nothing to calibrate on yet"),
            translate(
                "CalibratePage",
                "Load the people who are enrolled, a folder with one folder per person, a table of trials, or "
                "finished scores. Until then decisions use the general calibration that came with the encoders.",
            ),
        )
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._doing = label("", "muted")
        cancel = button(translate("CalibratePage", "Cancel"), self._cancel)
        waiting = QWidget()
        waiting.setLayout(
            column(Card(self._progress, self._doing, row(1, cancel), margin=20), 1),
        )
        self._waiting, self._filled = waiting, filled
        self._stack = QStackedWidget()
        for page in (self._empty, waiting, filled):
            self._stack.addWidget(page)
        self.content.addLayout(column(self.sources, self.notice, gap=10))
        self.content.addWidget(self._stack, 1)

    def _connect(self) -> None:
        self.sources.wanted.connect(self.load)
        self.sources.library.connect(self.open_library)
        self.sources.way_changed.connect(self.compare_otherwise)
        self.histogram.previewed.connect(self.preview)
        self.histogram.committed.connect(self.commit)
        self.numbers.typed.connect(self.commit)
        self.target.wanted.connect(self.aim)
        self.points.chosen.connect(self._choose_point)
        self.worst.excluded.connect(self._exclude)
        self.compare.found.connect(self._lay_over)

    def entered(self) -> None:
        """Begin with the source."""
        self.sources.source.setFocus()

    def left(self) -> None:
        """Loading goes on; its end is seen when the page comes back."""

    def load(self, work: AppWork[TrialSet]) -> None:
        """Load trials and compute everything about them."""
        target, way = self._target, self.sources.chosen_way

        def job(app: Application, progress: ProgressCallback, cancelled: CancelledCheck) -> Worksheet:
            found = work(app, progress, cancelled)
            if found.vectors is not None:
                progress(0, 3, translate("CalibratePage", "comparing"))
                found = found.compared_by(way)
            return prepare(found, target, progress=progress, cancelled=cancelled)

        self._run(job)

    def compare_otherwise(self) -> None:
        """Compare what is loaded by the similarity chosen now."""
        if self.sheet is None:
            return
        trial_set, target, way = self.sheet.trial_set, self._target, self.sources.chosen_way
        self._run(
            lambda _app, progress, cancelled: prepare(
                trial_set.compared_by(way), target, progress=progress, cancelled=cancelled
            )
        )

    def _run(self, job: AppWork[Worksheet]) -> None:
        if self._task is not None:
            return
        self.notice.hide()
        self._progress.setRange(0, 0)
        self._stack.setCurrentWidget(self._waiting)
        self.sources.setEnabled(False)
        self._task = self.session.run(self, job, self._show, self._fail, self._report_progress)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _report_progress(self, progress: Progress) -> None:
        self._progress.setRange(0, progress.total)
        self._progress.setValue(progress.done)
        self._doing.setText(progress.message.replace("\\", "/").rsplit("/", 1)[-1])

    def _fail(self, reason: Reason) -> None:
        self._end()
        if self.sheet is not None:
            self.sources.show_way(self.sheet.trial_set.similarity)
        if reason.code is not ReasonCode.CANCELLED:
            self.notice.explain(reason)
        self.loaded.emit(reason)

    def _end(self) -> None:
        self._task = None
        self.sources.setEnabled(True)
        self._stack.setCurrentWidget(self._filled if self.sheet is not None else self._empty)

    def _show(self, sheet: Worksheet) -> None:
        self.sheet = sheet
        self._end()
        self.sources.show_way(sheet.trial_set.similarity)
        effective = sheet.live.effective_non_mated(self._target)
        self.about.setText(summary(sheet.trial_set, sheet.live.subjects, effective))
        self.histogram.show_histogram(sheet.histogram)
        self.det.show_curves([(way_name(sheet.trial_set.similarity), sheet.curve)])
        self.reliability.show_reliability(sheet.reliability)
        self.numbers.set_range(sheet.live)
        self.worst.show_sheet(sheet)
        self.compare.show_sheet(sheet)
        self.aim(self._target)
        self.loaded.emit(sheet)

    def aim(self, target_fmr: float) -> None:
        """Put the threshold where the calibration predicts this false-match rate."""
        if self.sheet is None:
            return
        self._target = target_fmr
        threshold = min(self.sheet.threshold_for(target_fmr), self.sheet.live.highest)
        self.preview(threshold)
        self._commit_reading()
        self.target.show_support(self.sheet.live.support(target_fmr))

    def preview(self, threshold: float) -> None:
        """The line moves: show what it would do. This is what runs while dragging."""
        if self.sheet is None:
            return
        self.reading = self.sheet.live.at(threshold)
        self.histogram.move_line(threshold)
        self.numbers.show_reading(self.reading, self.sheet.live)
        if self.tabs.currentWidget() is self.det:
            self.det.show_point(self.reading)
        elif self.tabs.currentWidget() is self.what_if:
            self.what_if.show_reading(self.reading)

    def commit(self, threshold: float) -> None:
        """The line was let go: this threshold is wanted, and with it the false-match rate that it predicts."""
        if self.sheet is None:
            return
        self.preview(threshold)
        self._target = self.sheet.calibration.predicted_fmr(threshold).value
        self._commit_reading()
        self.target.show_support(self.sheet.live.support(self._target))

    def _commit_reading(self) -> None:
        if self.sheet is None or self.reading is None:
            return
        own = Point("own", None, self.reading, self.sheet.live.support(self._target))
        self.points.show_points([*self.sheet.points, own])
        self.det.show_point(self.reading)
        self.what_if.show_reading(self.reading)

    def _choose_point(self, point: Point) -> None:
        if point.target_fmr is not None:
            self.aim(point.target_fmr)
        elif point.reading is not None:
            self.commit(point.reading.threshold)

    def _exclude(self, rows: object, reason: str) -> None:
        if self.sheet is None:
            return
        trial_set, target = self.sheet.trial_set, self._target
        self._run(
            lambda _app, progress, cancelled: prepare(
                trial_set.without(rows, reason),  # type: ignore[arg-type]
                target,
                progress=progress,
                cancelled=cancelled,
            )
        )

    def _lay_over(self, rival: Rival | None) -> None:
        if self.sheet is None:
            return
        curves = [(way_name(self.sheet.trial_set.similarity), self.sheet.curve)]
        if rival is not None:
            curves.append((rival.name, rival.curve))
        self.det.show_curves(curves)

    def save(self) -> None:
        """Ask for a name and a date, and keep the calibration."""
        if self.sheet is None:
            return
        suggestion = f"{self.sheet.trial_set.source}, {words.one_in(self._target)}"
        dialog = SaveDialog(self, suggestion, self._target, self.sheet.live.support(self._target))
        dialog.accepted.connect(lambda: self.keep(dialog))
        dialog.finished.connect(lambda _code: dialog.deleteLater())
        dialog.open()

    def keep(self, answers: SaveDialog) -> None:
        """Fit for the target chosen and save, as the dialog says."""
        if self.sheet is None:
            return
        trial_set = self.sheet.trial_set
        options = CalibrateOptions(
            target_fmr=self._target,
            name=" ".join(answers.name.text().split()),
            valid_days=answers.valid_days,
            anyway=answers.anyway.isChecked(),
            use=answers.activate.isChecked(),
        )
        self.session.run(self, lambda app, _p, _c: calibrate(app, trial_set, options), self._saved, self._explain)

    def _explain(self, reason: Reason) -> None:
        self.notice.explain(reason, "bad")

    def _saved(self, made: Calibrated) -> None:
        if made.refusal is not None:  # the dialog asked by the measured rate; the fit may be stricter at the edge
            self._explain(made.refusal)
            return
        text = translate("CalibratePage", "“{name}” is saved.").format(name=made.calibration.name)
        more = translate("CalibratePage", "Another one for three combined references is saved with it.")
        unused = translate("CalibratePage", "It decides nothing: these scores belong to no encoder in use.")
        notes = [more] if made.more else []
        notes += [unused] if made.calibration.contract_id == ANY_CONTRACT else []
        self.notice.say(text, " ".join(notes), "good")
        self.session.calibration_changed.emit()
        self.saved.emit()

    def open_library(self) -> None:
        """Show the saved calibrations."""
        dialog = LibraryDialog(self, self.session)
        dialog.finished.connect(lambda _code: dialog.deleteLater())
        dialog.open()

    def print_report(self) -> None:
        """Ask for a file and write the report there."""
        if self.sheet is None:
            return
        file, _ = QFileDialog.getSaveFileName(
            self,
            translate("CalibratePage", "Write report"),
            f"{report.suggested_name(self.sheet)}.pdf",
            "PDF (*.pdf);;HTML (*.html)",
        )
        if file:
            self.write_report(Path(file))

    def write_report(self, file: Path) -> None:
        """Write the report as PDF or, by its ending, as HTML."""
        sheet, reading = self.sheet, self.reading
        if sheet is None or reading is None:
            return

        def write(made: report.Report) -> None:
            try:
                kept = report.write_html(made, file) if file.suffix == ".html" else report.write_pdf(made, file)
            except OSError as error:
                self.notice.say(f"{file}: {error.strerror}.", tone="bad")
                return
            self.notice.say(translate("CalibratePage", "Written to {file}.").format(file=kept), tone="good")

        self.session.run(self, lambda _app, _p, _c: report.build(sheet, reading), write, self._explain)
