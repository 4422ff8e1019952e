"""Bench: the same people under every similarity, normalisation and dimension; a map; what a decision rests on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QProgressBar,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from verify_app.domain import Interval
from verify_app.gui import words
from verify_app.gui.bench.explain import Explain
from verify_app.gui.bench.people_map import PeopleMap
from verify_app.gui.calibration.plots import DetPlot
from verify_app.gui.calibration.sources import FOLDER, PEOPLE, VECTORS, SourceBar
from verify_app.gui.pages import Page
from verify_app.gui.session import AppWork, Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, column, label, row, tabs
from verify_app.gui.widgets.notice import EmptyState, Notice
from verify_app.gui.work import Task
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.application import Application
from verify_app.services.bench.run import Bench, BenchRow, run_bench
from verify_app.services.jobs import CancelledCheck, Progress, ProgressCallback
from verify_app.services.trial_sets import TrialSet

FIRST_CURVES = 4


class BenchPage(Page):
    """Source above, figures on the left, curves and map on the right.

    Signals:
        measured: the :class:`Bench`, or the :class:`Reason` why there is none.
    """

    measured = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            translate("BenchPage", "Bench"),
            translate(
                "BenchPage", "See how ways of comparing differ on the same people, and what a decision rests on."
            ),
        )
        self.bench: Bench | None = None
        self._task: Task | None = None
        self.sources = SourceBar((PEOPLE, FOLDER, VECTORS))
        self.sources.library_button.hide()
        self.sources.way.hide()
        self.sources.wanted.connect(self.measure)
        self.notice = Notice(closable=True)
        self.about = label("", "muted", wrap=True)
        self.table = self._make_table()
        self.det, self.map, self.explain = DetPlot(), PeopleMap(session), Explain(session)
        self.report_button = button(translate("BenchPage", "Report…"), self._ask_report, icon="print")
        self.report_button.setEnabled(False)
        self._empty = EmptyState(
            "bench",
            translate("BenchPage", "Nothing measured yet"),
            translate(
                "BenchPage", "Load at least eight people with two samples each, or labelled vectors of any kind."
            ),
        )
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._doing = label("", "muted")
        waiting = QWidget()
        cancel = button(translate("BenchPage", "Cancel"), lambda: self._task.cancel() if self._task else None)
        waiting.setLayout(column(Card(self._progress, self._doing, row(1, cancel), margin=20), 1))
        filled = QWidget()
        left = Card(self.about, self.table, row(1, self.report_button), margin=12)
        curves = tabs(
            (self.det, translate("BenchPage", "Error trade-off")),
            (self.map, translate("BenchPage", "Map of the people")),
        )
        side = row(left, Card(curves, margin=8), gap=12)
        side.setStretch(0, 1)
        side.setStretch(1, 1)
        filled.setLayout(side)
        self._waiting, self._filled, self._stack = waiting, filled, QStackedWidget()
        for page in (self._empty, waiting, filled):
            self._stack.addWidget(page)
        measure = QWidget()
        content = column(self.sources, self.notice, gap=10)
        content.addWidget(self._stack, 1)
        measure.setLayout(content)
        self.tabs = tabs(
            (measure, translate("BenchPage", "Compare ways")),
            (self.explain, translate("BenchPage", "Explain a comparison")),
        )
        self.content.addWidget(self.tabs, 1)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 4)
        table.setProperty("role", "plain")
        table.setAccessibleName(translate("BenchPage", "Ways of comparing; the ticked ones are drawn"))
        table.setHorizontalHeaderLabels(
            [
                translate("BenchPage", "Way of comparing"),
                translate("BenchPage", "Equal errors"),
                translate("BenchPage", "Refused at 1 in 1 000"),
                translate("BenchPage", "min Cllr"),
            ]
        )
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.itemChanged.connect(lambda _item: self._draw())
        return table

    def entered(self) -> None:
        """Begin with the source."""
        self.sources.source.setFocus()

    def measure(self, work: AppWork[TrialSet]) -> None:
        """Load embeddings and measure every way of comparing them."""
        if self._task is not None:
            return

        def job(app: Application, progress: ProgressCallback, cancelled: CancelledCheck) -> Bench:
            found = work(app, progress, cancelled)
            subjects = np.array([sample.subject for sample in found.samples])
            return run_bench(np.asarray(found.vectors), subjects, found.source, progress=progress, cancelled=cancelled)

        self.notice.hide()
        self._progress.setRange(0, 0)
        self._stack.setCurrentWidget(self._waiting)
        self.sources.setEnabled(False)
        self._task = self.session.run(self, job, self._show, self._fail, self._report_progress)

    def _report_progress(self, progress: Progress) -> None:
        self._progress.setRange(0, progress.total)
        self._progress.setValue(progress.done)
        self._doing.setText(progress.message.replace("\\", "/").rsplit("/", 1)[-1])

    def _end(self) -> None:
        self._task = None
        self.sources.setEnabled(True)
        self._stack.setCurrentWidget(self._filled if self.bench is not None else self._empty)

    def _fail(self, reason: Reason) -> None:
        self._end()
        if reason.code is not ReasonCode.CANCELLED:
            self.notice.explain(reason)
        self.measured.emit(reason)

    def _show(self, bench: Bench) -> None:
        self.bench = bench
        self._end()
        text = translate(
            "BenchPage",
            "{vectors} samples, {source}. Fitted on {fitted} people, measured on {measured} others: "
            "{mated} comparisons of the same person, {others} of different people.",
        )
        self.about.setText(
            text.format(
                vectors=words.number(bench.vectors),
                source=bench.source,
                fitted=bench.fitted_subjects,
                measured=bench.measured_subjects,
                mated=words.number(bench.mated),
                others=words.number(bench.non_mated),
            )
        )
        self.table.blockSignals(True)
        self.table.setRowCount(len(bench.rows))
        for place, one in enumerate(bench.rows):
            for column_number, cell in enumerate(_cells(one)):
                item = QTableWidgetItem(cell)
                item.setTextAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
                if column_number == 0:
                    ticked = place < FIRST_CURVES
                    item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
                self.table.setItem(place, column_number, item)
        self.table.blockSignals(False)
        self.table.resizeRowsToContents()
        self.map.show_map(bench.map)
        self.report_button.setEnabled(True)
        self._draw()
        self.measured.emit(bench)

    def _draw(self) -> None:
        if self.bench is None:
            return
        items = [self.table.item(place, 0) for place in range(self.table.rowCount())]
        ticked = [
            (one.name, one.det)
            for one, item in zip(self.bench.rows, items, strict=False)
            if item is not None and item.checkState() is Qt.CheckState.Checked
        ]
        self.det.show_curves(ticked)

    def _ask_report(self) -> None:
        file, _ = QFileDialog.getSaveFileName(
            self, translate("BenchPage", "Write report"), "bench.html", "HTML (*.html)"
        )
        if file:
            self.write_report(Path(file))

    def write_report(self, file: Path) -> None:
        """Write everything measured to an HTML page."""
        if self.bench is None:
            return
        bench = replace(self.bench, map=self.map.shown or self.bench.map)
        from verify_app.services.bench.report import write_report

        self.session.run(self, lambda _app, _p, _c: write_report(bench, file), self._written, self.notice.explain)

    def _written(self, file: Path) -> None:
        self.notice.say(translate("BenchPage", "Written to {file}.").format(file=file), tone="good")


def _with_interval(rate: Interval) -> str:
    low, high = (words.percent(bound).removesuffix(" %") for bound in (rate.low, rate.high))
    return f"{words.percent(rate.value)}\n{low} – {high} %"


def _cells(one: BenchRow) -> list[str]:
    return [
        one.name,
        _with_interval(one.eer),
        _with_interval(one.fnmr),
        f"{one.min_cllr:.3f}",
    ]
