"""One object for every long task: progress, cancel, result or error; one pool runs them.

Work is a function of two arguments, ``progress(done, total, message)`` and ``cancelled() -> bool``. It
calls the first as it goes and stops by raising :class:`~verify_app.reasons.Cancelled` when the second
is true. Callbacks run in the worker's thread; the window turns them into signals.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from verify_app.reasons import Cancelled, ReasonCode, VerifyAppError

log = logging.getLogger(__name__)
T = TypeVar("T")


class ProgressCallback(Protocol):
    """What work calls to say how far it is."""

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Report that ``done`` of ``total`` steps are finished."""


CancelledCheck = Callable[[], bool]


def no_progress(done: int, total: int, message: str = "") -> None:
    """Report to nobody."""


def never_cancelled() -> bool:
    """Go on to the end."""
    return False


def stop_if(cancelled: CancelledCheck) -> None:
    """Raise :class:`Cancelled` when the user asked to stop."""
    if cancelled():
        raise Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; ``total`` is 0 while unknown."""

    done: int = 0
    total: int = 0
    message: str = ""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Generic[T]):
    """One long task.

    Attributes:
        state: where it stands.
        progress: the last report.
        result: what the work returned, once DONE.
        error: why there is no result, once FAILED or CANCELLED.
    """

    def __init__(
        self,
        work: Callable[[ProgressCallback, CancelledCheck], T],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_finished: Callable[[Job[T]], None] | None = None,
    ) -> None:
        self.state = JobState.WAITING
        self.progress = Progress()
        self.result: T | None = None
        self.error: VerifyAppError | None = None
        self._work = work
        self._on_progress = on_progress
        self._on_finished = on_finished
        self._cancel = threading.Event()
        self._finished = threading.Event()

    @property
    def finished(self) -> bool:
        """Whether it has ended, one way or another."""
        return self._finished.is_set()

    def cancel(self) -> None:
        """Ask it to stop at the next step; a finished job stays as it is."""
        self._cancel.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False when ``timeout`` seconds passed first."""
        return self._finished.wait(timeout)

    def run(self) -> None:
        """Do the work here and now. Never raises: an unforeseen error becomes an INTERNAL one and is logged."""
        try:
            stop_if(self._cancel.is_set)
            self.state = JobState.RUNNING
            self.result = self._work(self._report, self._cancel.is_set)
            self.state = JobState.DONE
        except Cancelled as error:
            self.error, self.state = error, JobState.CANCELLED
        except VerifyAppError as error:
            self.error, self.state = error, JobState.FAILED
        except Exception as error:
            log.exception("A job failed unexpectedly")
            self.error = VerifyAppError(
                ReasonCode.INTERNAL,
                f"Something went wrong that should not ({type(error).__name__}).",
                "The log has the details.",
            )
            self.state = JobState.FAILED
        finally:
            self._finished.set()
            if self._on_finished is not None:
                self._on_finished(self)

    def _report(self, done: int, total: int, message: str = "") -> None:
        self.progress = Progress(done, total, message)
        if self._on_progress is not None:
            self._on_progress(self.progress)


class JobPool:
    """The threads that run jobs; closing cancels what is left and waits for it."""

    def __init__(self, workers: int = 2) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")
        self._jobs: list[Job[object]] = []

    def submit(
        self,
        work: Callable[[ProgressCallback, CancelledCheck], T],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_finished: Callable[[Job[T]], None] | None = None,
    ) -> Job[T]:
        """Start a job as soon as a thread is free."""
        job = Job(work, on_progress=on_progress, on_finished=on_finished)
        self._jobs = [other for other in self._jobs if not other.finished]
        self._jobs.append(job)  # type: ignore[arg-type]
        self._pool.submit(job.run)
        return job

    def close(self) -> None:
        """Cancel every job and wait until the threads are idle."""
        for job in self._jobs:
            job.cancel()
        self._pool.shutdown(wait=True)
