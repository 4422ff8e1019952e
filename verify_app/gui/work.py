"""Work off the window's thread: jobs of the services, their callbacks turned into signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from verify_app.reasons import Reason, ReasonCode
from verify_app.services.jobs import CancelledCheck, Job, JobPool, JobState, Progress, ProgressCallback

T = TypeVar("T")
Work = Callable[[ProgressCallback, CancelledCheck], T]


class Task(QObject):
    """One job as the window sees it; its signals arrive in the window's thread."""

    progressed = Signal(object)
    finished = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._job: Job[Any] | None = None

    def start(self, pool: JobPool, work: Work[T]) -> None:
        """Hand the work to the pool."""
        self._job = pool.submit(work, on_progress=self._report, on_finished=self._end)

    def cancel(self) -> None:
        """Ask the work to stop."""
        if self._job is not None:
            self._job.cancel()

    def _report(self, progress: Progress) -> None:
        self.progressed.emit(progress)

    def _end(self, job: Job[Any]) -> None:
        self.finished.emit(job)


class Workshop(QObject):
    """The window's one job pool.

    ``busy`` is emitted with the number of jobs under way whenever it changes.
    """

    busy = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = JobPool(workers=2)
        self._tasks: list[Task] = []
        self._closed = False

    @property
    def running(self) -> int:
        """How many jobs have not ended yet."""
        return len(self._tasks)

    def start(
        self,
        owner: QObject,
        work: Work[T],
        done: Callable[[T], None],
        failed: Callable[[Reason], None],
        progressed: Callable[[Progress], None] | None = None,
    ) -> Task:
        """Run ``work`` in the pool, then call ``done`` or ``failed`` in the window's thread.

        Nothing is called once ``owner`` is gone or the workshop closed. A cancelled job calls ``failed``
        with the reason ``CANCELLED``.
        """
        task = Task(self)
        alive = True

        def gone() -> None:
            nonlocal alive
            alive = False
            task.cancel()

        def end(job: Job[T]) -> None:
            self._tasks.remove(task)
            task.deleteLater()
            if self._closed:
                return
            self.busy.emit(len(self._tasks))
            if not alive:
                return
            owner.destroyed.disconnect(gone_connection)
            if job.state is JobState.DONE:
                done(job.result)  # type: ignore[arg-type]
            elif job.error is not None:
                failed(job.error.reason)
            else:
                failed(Reason(ReasonCode.INTERNAL, "The work ended without a result."))

        def report(progress: Progress) -> None:
            if alive and not self._closed and progressed is not None:
                progressed(progress)

        gone_connection = owner.destroyed.connect(gone)
        task.finished.connect(end, Qt.ConnectionType.QueuedConnection)
        task.progressed.connect(report, Qt.ConnectionType.QueuedConnection)
        self._tasks.append(task)
        self.busy.emit(len(self._tasks))
        task.start(self._pool, work)
        return task

    def close(self) -> None:
        """Cancel everything and wait for the threads; nothing is delivered afterwards."""
        self._closed = True
        self._pool.close()
