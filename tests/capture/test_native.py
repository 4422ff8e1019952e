"""Native libraries are silenced, and only while they are called."""

from __future__ import annotations

import os
import threading

import pytest

from verify_app.native import quiet_stderr


def test_the_error_stream_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with quiet_stderr():
        os.write(2, b"lost ")
        with quiet_stderr():
            os.write(2, b"lost too ")
        os.write(2, b"and this ")
    os.write(2, b"after")

    assert capfd.readouterr().err == "before after"


def test_an_error_inside_does_not_keep_it_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), quiet_stderr():
        raise KeyError
    os.write(2, b"heard")

    assert capfd.readouterr().err == "heard"


def test_threads_may_be_silent_at_the_same_time(capfd: pytest.CaptureFixture[str]) -> None:
    meeting = threading.Barrier(4, timeout=10)

    def silent() -> None:
        for _ in range(50):
            with quiet_stderr():
                meeting.wait()  # all four are inside at once
                os.write(2, b"lost")

    threads = [threading.Thread(target=silent) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"heard")

    assert capfd.readouterr().err == "heard"
