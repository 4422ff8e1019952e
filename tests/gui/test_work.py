"""Work in the pool reaches the window as calls in its own thread, and never after its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from tests.gui.conftest import settle
from verify_app.gui.work import Workshop
from verify_app.reasons import Cancelled, Reason, ReasonCode, UnusableInput
from verify_app.services.jobs import CancelledCheck, Progress, ProgressCallback, stop_if


@pytest.fixture
def workshop(qtbot: QtBot) -> Iterator[Workshop]:
    made = Workshop()
    yield made
    made.close()
    settle()


def test_the_result_arrives_in_the_windows_thread(workshop: Workshop, qtbot: QtBot) -> None:
    got: list[tuple[int, bool]] = []
    owner = QObject()

    def work(_progress: ProgressCallback, _cancelled: CancelledCheck) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return 42

    workshop.start(
        owner, work, lambda n: got.append((n, threading.current_thread() is threading.main_thread())), pytest.fail
    )
    qtbot.waitUntil(lambda: bool(got))
    assert got == [(42, True)]
    assert workshop.running == 0


def test_progress_arrives_before_the_end(workshop: Workshop, qtbot: QtBot) -> None:
    events: list[object] = []
    owner = QObject()

    def work(progress: ProgressCallback, _cancelled: CancelledCheck) -> str:
        progress(1, 2, "half")
        progress(2, 2)
        return "end"

    workshop.start(owner, work, events.append, pytest.fail, events.append)
    qtbot.waitUntil(lambda: "end" in events)
    assert events == [Progress(1, 2, "half"), Progress(2, 2, ""), "end"]


def test_a_refusal_arrives_as_its_reason(workshop: Workshop, qtbot: QtBot) -> None:
    got: list[Reason] = []
    owner = QObject()

    def work(_progress: ProgressCallback, _cancelled: CancelledCheck) -> None:
        raise UnusableInput(ReasonCode.NO_FACE, "No face.", "Use another picture.")

    workshop.start(owner, work, lambda _n: pytest.fail("there is no result"), got.append)
    qtbot.waitUntil(lambda: bool(got))
    assert got == [Reason(ReasonCode.NO_FACE, "No face.", "Use another picture.")]


def test_an_unforeseen_error_arrives_as_a_reason_too(workshop: Workshop, qtbot: QtBot) -> None:
    got: list[Reason] = []
    owner = QObject()
    workshop.start(owner, lambda _p, _c: 1 // 0, lambda _n: pytest.fail("there is no result"), got.append)
    qtbot.waitUntil(lambda: bool(got))
    assert got[0].code is ReasonCode.INTERNAL


def until_cancelled(_progress: ProgressCallback, cancelled: CancelledCheck) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stop_if(cancelled)
        time.sleep(0.005)


def test_cancelling(workshop: Workshop, qtbot: QtBot) -> None:
    got: list[Reason] = []
    owner = QObject()
    task = workshop.start(owner, until_cancelled, lambda _n: pytest.fail("it was cancelled"), got.append)
    task.cancel()
    qtbot.waitUntil(lambda: bool(got))
    assert got[0].code is Cancelled().reason.code


def test_nothing_is_delivered_to_an_owner_that_is_gone(workshop: Workshop, qtbot: QtBot) -> None:
    owner = QObject()
    workshop.start(owner, until_cancelled, pytest.fail, pytest.fail)
    owner.deleteLater()
    del owner
    settle()
    qtbot.waitUntil(lambda: workshop.running == 0)  # its work was cancelled, and nobody was told


def test_closing_ends_the_work_soon(workshop: Workshop) -> None:
    owner = QObject()
    workshop.start(owner, until_cancelled, pytest.fail, pytest.fail)
    begin = time.monotonic()
    workshop.close()
    assert time.monotonic() - begin < 5
    settle()
