"""What the pages share: the application behind the window, its jobs, and news of what changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QThread, Signal

from verify_app.gui.work import Task, Workshop
from verify_app.reasons import Cancelled, Reason, ReasonCode, StateError, VerifyAppError
from verify_app.services.application import Application
from verify_app.services.jobs import CancelledCheck, Progress, ProgressCallback
from verify_app.services.settings import Settings, load_settings

T = TypeVar("T")
AppWork = Callable[[Application, ProgressCallback, CancelledCheck], T]


class Session(QObject):
    """The application behind the window.

    Signals:
        people_changed: somebody was enrolled, renamed or removed.
        calibration_changed: another calibration holds.
        warned: one sentence for the user that stops nothing.
        passphrase_wanted: a :class:`concurrent.futures.Future` to fill with the passphrase.
        opened: the application was opened (again), or could not be.

    Attributes:
        problem: why there is no application, None when there is one.
        home: the one folder for data and configuration, None for the usual ones.
    """

    people_changed = Signal()
    calibration_changed = Signal()
    warned = Signal(str)
    passphrase_wanted = Signal(object)
    opened = Signal()

    def __init__(
        self, settings: Settings | None = None, home: str | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.home = home
        self.workshop = Workshop(self)
        self.problem: Reason | None = None
        self._application: Application | None = None
        self._waiting: list[Future[str]] = []
        self.open(settings)

    def open(self, settings: Settings | None = None) -> None:
        """Open the application, with the settings given or those of this user; see :attr:`problem`."""
        try:
            settings = settings if settings is not None else load_settings(self.home)
            self._application = Application(
                settings, ask_passphrase=self._ask_passphrase, warn=lambda text: self.warned.emit(text)
            )
            self.problem = None
        except VerifyAppError as error:
            self._application, self.problem = None, error.reason
        self.opened.emit()

    @property
    def settings(self) -> Settings | None:
        """The settings in use; None while they cannot be read."""
        return self._application.settings if self._application is not None else None

    def keep_setting(self, **changes: Any) -> None:
        """Write a changed setting to the settings file; what variables of the environment say is not written.

        Raises:
            OSError: the file cannot be written.
        """
        if self._application is not None:
            home = self.home or os.environ.get("VERIFY_APP_HOME")
            load_settings(home, environment={}).with_changes(**changes).save()

    def run(
        self,
        owner: QObject,
        work: AppWork[T],
        done: Callable[[T], None],
        failed: Callable[[Reason], None],
        progressed: Callable[[Progress], None] | None = None,
    ) -> Task:
        """Run work with the application in the job pool; see :meth:`Workshop.start`."""
        application, problem = self._application, self.problem

        def job(progress: ProgressCallback, cancelled: CancelledCheck) -> T:
            if application is None:
                reason = problem or Reason(ReasonCode.INTERNAL, "The application is not open.")
                raise StateError(reason.code, reason.message, reason.advice)
            return work(application, progress, cancelled)

        return self.workshop.start(owner, job, done, failed, progressed)

    def close(self) -> None:
        """Stop all work and close the application."""
        for future in self._waiting:
            future.cancel()
        self.workshop.close()
        if self._application is not None:
            self._application.close()
            self._application = None

    def _ask_passphrase(self) -> str:
        """Called by the services in a worker's thread; the window answers."""
        if QThread.currentThread() is self.thread():
            raise StateError(ReasonCode.KEY_UNAVAILABLE, "The database is protected by a passphrase.")
        future: Future[str] = Future()
        self._waiting.append(future)
        self.passphrase_wanted.emit(future)
        try:
            return future.result()
        except BaseException as error:  # cancelled by the user, or the window is closing
            raise Cancelled("The passphrase was not entered.") from error
        finally:
            self._waiting.remove(future)
