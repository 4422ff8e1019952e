"""Jobs: progress, result, error and cancelling, from the threads that run them."""

from __future__ import annotations

import logging
import threading

import pytest

from verify_app.reasons import Cancelled, ReasonCode, UnusableInput
from verify_app.services.jobs import CancelledCheck, Job, JobPool, JobState, Progress, ProgressCallback, stop_if


def test_a_job_reports_and_returns() -> None:
    reports: list[Progress] = []

    def work(progress: ProgressCallback, cancelled: CancelledCheck) -> int:
        for step in range(3):
            progress(step + 1, 3, f"step {step + 1}")
        return 42

    job = Job(work, on_progress=reports.append)
    job.run()

    assert (job.state, job.result, job.error) == (JobState.DONE, 42, None)
    assert reports[-1] == job.progress == Progress(3, 3, "step 3")


def test_a_refusal_is_kept_with_its_reason() -> None:
    def work(progress: ProgressCallback, cancelled: CancelledCheck) -> None:
        raise UnusableInput(ReasonCode.NO_FACE, "There is no face.")

    job = Job(work)
    job.run()

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.reason.code is ReasonCode.NO_FACE


def test_an_unforeseen_error_is_logged_and_told_in_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    def work(progress: ProgressCallback, cancelled: CancelledCheck) -> None:
        raise ZeroDivisionError("details for the log")

    job = Job(work)
    with caplog.at_level(logging.ERROR):
        job.run()

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.reason.code is ReasonCode.INTERNAL
    assert "details for the log" in caplog.text
    assert "details for the log" not in job.error.reason.message


def test_cancelling_stops_the_work_at_its_next_step() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(progress: ProgressCallback, cancelled: CancelledCheck) -> None:
        begun.set()
        while True:
            stop_if(cancelled)

    pool = JobPool(1)
    job = pool.submit(work, on_finished=lambda _: ended.set())
    assert begun.wait(10)
    job.cancel()
    assert ended.wait(10)

    assert job.state is JobState.CANCELLED
    assert isinstance(job.error, Cancelled)
    pool.close()


def test_closing_the_pool_cancels_what_waits_and_what_runs() -> None:
    begun = threading.Event()

    def work(progress: ProgressCallback, cancelled: CancelledCheck) -> None:
        begun.set()
        while True:
            stop_if(cancelled)

    pool = JobPool(1)
    jobs = [pool.submit(work) for _ in range(3)]
    assert begun.wait(10)
    pool.close()

    assert [job.state for job in jobs] == [JobState.CANCELLED] * 3
    assert all(job.finished for job in jobs)
