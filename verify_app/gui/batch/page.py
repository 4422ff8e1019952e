"""Batch: describe a job, look before the run, run it, and work with its results."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from verify_app.gui import words
from verify_app.gui.batch.command_line import CommandLine
from verify_app.gui.batch.form import JobForm
from verify_app.gui.batch.look import LookCard
from verify_app.gui.batch.names import question
from verify_app.gui.batch.progress import ProgressCard, seldom
from verify_app.gui.batch.request import JobRequest
from verify_app.gui.batch.results import ResultsView
from verify_app.gui.pages import Page
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, column, label, row, scrolling
from verify_app.gui.widgets.notice import Notice
from verify_app.gui.work import Task
from verify_app.reasons import Reason, ReasonCode, UsageError, VerifyAppError
from verify_app.services.application import Application
from verify_app.services.batch.choices import Method
from verify_app.services.batch.journal import Standing, standing
from verify_app.services.batch.run import run_batch
from verify_app.services.batch.table import ResultTable, load_table
from verify_app.services.batch.validate import Look, look
from verify_app.services.jobs import CancelledCheck, Progress, ProgressCallback


class BatchPage(Page):
    """The form on one side of a stack, the run and its results on the other.

    Signals:
        finished: a run ended, with its :class:`ResultTable` or the :class:`Reason` why there is none.
        looked: a look ended, with its :class:`Look` or a :class:`Reason`.
    """

    finished = Signal(object)
    looked = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            translate("BatchPage", "Batch"),
            translate("BatchPage", "Ask one question of whole folders. A job that is stopped goes on where it was."),
        )
        self._task: Task | None = None
        self._request: JobRequest | None = None
        self._progress: Progress | None = None
        self.form = JobForm(session.settings.target_fmr if session.settings else 1e-3)
        self.look_card = LookCard()
        self.command = CommandLine(lines=5)
        self.problem = Notice()
        self.look_button = button(translate("BatchPage", "Look first"), self.look, icon="search")
        self.start_button = button(translate("BatchPage", "Start"), self.start, role="primary", icon="play")
        self.open_button = button(translate("BatchPage", "Open earlier results…"), self._ask_folder, role="plain")
        self.progress = ProgressCard()
        self.progress.cancel.connect(self.cancel)
        self.stopped = Notice()
        self.results = ResultsView(session)
        self.results.rescore.connect(self._rescore)
        self.results.actions_bar.adjudicate.connect(self.adjudicate)
        self.stack = QStackedWidget()
        self._setup, self._work = self._setup_view(), self._work_view()
        self.stack.addWidget(self._setup)
        self.stack.addWidget(self._work)
        self.content.addWidget(self.stack, 1)
        self.form.changed.connect(self._described)
        self._described()

    # -- laying out -------------------------------------------------------------------------------

    def _setup_view(self) -> QWidget:
        self.start_button.setMinimumHeight(40)
        self.look_button.setMinimumHeight(40)
        shell = Card(label(translate("BatchPage", "The same in the shell"), "h3"), self.command, gap=8)
        right = QWidget()
        right.setFixedWidth(304)
        buttons = row(self.look_button, self.start_button, gap=8)
        buttons.setStretch(1, 1)
        right.setLayout(column(self.look_card, shell, self.problem, 1, self.open_button, buttons, gap=12))
        inner = QWidget()
        holder = row(self.form)
        holder.setContentsMargins(0, 0, 12, 0)
        inner.setLayout(holder)
        made = QWidget()
        layout = row(gap=12)
        layout.addWidget(scrolling(inner), 1)
        layout.addWidget(right)
        made.setLayout(layout)
        return made

    def _work_view(self) -> QWidget:
        self.back_button = button(translate("BatchPage", "New job"), self.back, role="plain", icon="chevron-left")
        self._heading = label("", "h2")
        self._place = label("", "small")
        head = row(self.back_button, self._heading, self._place, 1, gap=10)
        made = QWidget()
        layout = column(head, self.progress, self.stopped, gap=10)
        layout.addWidget(self.results, 1)
        self._rest = QWidget()
        layout.addWidget(self._rest, 1)
        made.setLayout(layout)
        return made

    # -- describing -------------------------------------------------------------------------------

    def _described(self) -> None:
        self.look_card.clear_look()
        self.problem.hide()
        try:
            self.command.show_command(self.form.request().command)
        except UsageError:
            self.command.show_command("")

    def _asked(self) -> JobRequest | None:
        """The job of the form; None when it makes no sense yet, which is then explained."""
        try:
            request = self.form.request()
        except UsageError as error:
            self.problem.explain(error.reason, "warn")
            return None
        self.problem.hide()
        return request

    def look(self) -> None:
        """Look before the run."""
        request = self._asked()
        if request is None or self._task is not None:
            return
        self.look_card.begin()

        def work(app: Application, progress: ProgressCallback, cancelled: CancelledCheck) -> Look:
            return look(app, request.spec, progress=seldom(progress), cancelled=cancelled)

        self._task = self.session.run(self, work, self._show_look, self._refuse_look, self.look_card.show_progress)
        self._update()

    def _show_look(self, found: Look) -> None:
        self._task = None
        self.look_card.show_look(found)
        self._update()
        self.looked.emit(found)

    def _refuse_look(self, reason: Reason) -> None:
        self._task = None
        self.look_card.refuse(reason)
        self._update()
        self.looked.emit(reason)

    # -- running ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the job of the form, or go on with it."""
        request = self._asked()
        if request is not None:
            self.run(request)

    def run(self, request: JobRequest) -> None:
        """Run a job."""
        if self._task is not None:
            return
        self._request, self._progress = request, None
        self._show_head(question(request.spec.kind), request.out)
        self.stopped.hide()
        self.results.hide()
        self._rest.show()
        self.progress.begin(question(request.spec.kind))
        self.progress.show()
        self.stack.setCurrentWidget(self._work)

        def work(app: Application, progress: ProgressCallback, cancelled: CancelledCheck) -> ResultTable:
            run_batch(
                app,
                request.spec,
                request.out,
                target_fmr=request.target_fmr,
                method=request.method,
                command=request.command,
                progress=seldom(progress),
                cancelled=cancelled,
            )
            return load_table(request.out)

        self._task = self.session.run(self, work, self._show, self._stop_with, self._show_progress)
        self._update()

    def _show_progress(self, progress: Progress) -> None:
        self._progress = progress
        self.progress.show_progress(progress)

    def cancel(self) -> None:
        """Stop the run; what is done is kept."""
        if self._task is not None:
            self._task.cancel()

    def resume(self) -> None:
        """Go on with the job that was stopped."""
        if self._request is not None:
            self.run(self._request)

    def _rescore(self, target_fmr: float) -> None:
        if self._request is not None:
            self.run(self._request.at(target_fmr))

    def _show(self, table: ResultTable) -> None:
        self._task = None
        self.progress.hide()
        self._rest.hide()
        self.results.show_table(table)
        self.results.show()
        self._update()
        self.finished.emit(table)

    def _stop_with(self, reason: Reason) -> None:
        self._task = None
        self.progress.hide()
        if reason.code is ReasonCode.CANCELLED:
            done = self._progress
            kept = translate("BatchPage", "What was done so far is kept.")
            if done is not None and done.total:
                kept = translate("BatchPage", "{done} of {total} files are done and kept.").format(
                    done=words.number(done.done), total=words.number(done.total)
                )
            self.stopped.say(translate("BatchPage", "Stopped."), kept, "info")
        else:
            self.stopped.explain(reason, "bad")
        self.stopped.offer(button(translate("BatchPage", "Go on"), self.resume, icon="play"))
        self._update()
        self.finished.emit(reason)

    # -- going about ------------------------------------------------------------------------------

    def back(self) -> None:
        """To the form, for another job or to change this one."""
        self.stack.setCurrentWidget(self._setup)

    def _show_head(self, heading: str, folder: Path) -> None:
        self._heading.setText(heading)
        self._place.setText(str(folder))

    def _update(self) -> None:
        idle = self._task is None
        for one in (self.look_button, self.start_button, self.open_button, self.back_button):
            one.setEnabled(idle)

    def _ask_folder(self) -> None:
        found = QFileDialog.getExistingDirectory(self, translate("BatchPage", "The folder of an earlier job"))
        if found:
            self.open_job(Path(found))

    def open_job(self, folder: Path) -> None:
        """Show the results of an earlier job; one that never ended is offered to go on."""
        if self._task is not None:
            return

        def work(_app: Application, _p: ProgressCallback, _c: CancelledCheck) -> tuple[Standing | None, object]:
            found = standing(folder)
            try:
                return found, load_table(folder)
            except VerifyAppError as error:
                return found, error.reason

        self._task = self.session.run(self, work, lambda both: self._show_job(folder, *both), self._refuse_job)
        self._update()

    def _show_job(self, folder: Path, found: Standing | None, results: object) -> None:
        self._task = None
        self._update()
        if isinstance(results, ResultTable):
            summary = results.summary
            if found is not None:
                method = Method(summary["method"] or Method.AGGLOMERATIVE)
                self._request = JobRequest(found.spec, folder, summary["target_fmr"], method)
                self._show_head(question(found.spec.kind), folder)
            self.stopped.hide()
            self.stack.setCurrentWidget(self._work)
            self._show(results)
        elif found is not None:
            target = float(self.form.target.currentData())
            request = JobRequest(found.spec, folder, target, self.form.chosen_method)
            self.form.show_request(request)
            self.problem.say(
                translate("BatchPage", "This job was stopped: {done} of {total} files are done.").format(
                    done=words.number(found.done), total=words.number(found.total)
                ),
                translate("BatchPage", "Start goes on with it."),
            )
            self.finished.emit(results)
        else:
            self._refuse_job(results)  # type: ignore[arg-type]

    def _refuse_job(self, reason: Reason) -> None:
        self._task = None
        self._update()
        self.problem.explain(reason, "bad")
        self.finished.emit(reason)

    def adjudicate(self) -> None:
        """Open the window in which people look at doubtful rows."""
        from verify_app.gui.batch.adjudication import AdjudicationWindow

        table = self.results.model.table
        if table is not None:
            window = AdjudicationWindow(self.session, table, self)
            window.open()
