"""Whoever cancels is not made to wait, and keeps what was done."""

from __future__ import annotations

import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.services.batch.conftest import patience, picture
from verify_app.domain import Modality
from verify_app.reasons import Cancelled
from verify_app.services.application import Application
from verify_app.services.batch.journal import standing
from verify_app.services.batch.run import SCORING, run_batch
from verify_app.services.batch.spec import JobKind, JobSpec


def cancelled_after(app: Application, spec: JobSpec, out: Path, stop: threading.Event) -> float:
    """Runs the job and gives the seconds from the wish to stop until it stopped."""
    asked = [0.0]

    def cancelled() -> bool:
        if stop.is_set() and not asked[0]:
            asked[0] = time.monotonic()
        return stop.is_set()

    def progress(done: int, _total: int, message: str = "") -> None:
        if done >= 5 and message != SCORING:
            stop.set()
            asked[0] = asked[0] or time.monotonic()

    with pytest.raises(Cancelled):
        run_batch(app, spec, out, workers=2, progress=progress, cancelled=cancelled)
    return time.monotonic() - asked[0]


def test_pictures(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(200):
        picture(folder / f"{number:03}.png", number)
    spec = JobSpec.of(JobKind.GROUP, Modality.FACE, [folder], gates=False, aligned=True)
    seconds = [cancelled_after(app, spec, tmp_path / f"out-{time}", threading.Event()) for time in range(3)]
    assert min(seconds) < patience(0.5)
    assert cancelled_after(app, spec, tmp_path / "out", threading.Event()) < 5
    found = standing(tmp_path / "out")
    assert found is not None
    assert 5 <= found.done < found.total == 200
    assert found.spec == spec
    run_batch(app, spec, tmp_path / "out")
    assert (tmp_path / "out" / "results.csv").exists()


def test_a_long_recording_is_not_waited_for(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(-9000, 9000, 16_000 * 60 * 20, np.int16)
    for name in ("a.wav", "b.wav"):
        with wave.open(str(folder / name), "wb") as out:
            out.setparams((1, 2, 16_000, 0, "NONE", ""))
            out.writeframes(noise.tobytes())
    spec = JobSpec.of(JobKind.GROUP, Modality.VOICE, [folder])
    stop = threading.Event()
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.monotonic())
        stop.set()

    def progress(_done: int, _total: int, _message: str = "") -> None:
        threading.Timer(0.3, ask).start()  # by then both recordings are being read

    with pytest.raises(Cancelled):
        run_batch(app, spec, tmp_path / "out", workers=2, progress=progress, cancelled=stop.is_set)
    assert time.monotonic() - asked[0] < patience(0.5)


def test_comparing_can_be_cancelled_too(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(40):
        picture(folder / f"{number:03}.png", number % 4)
    spec = JobSpec.of(JobKind.DUPLICATES, Modality.FACE, [folder], gates=False, aligned=True)
    stop = threading.Event()

    def progress(done: int, _total: int, message: str = "") -> None:
        if message == SCORING and done >= 3:
            stop.set()

    with pytest.raises(Cancelled):
        run_batch(app, spec, tmp_path / "out", progress=progress, cancelled=stop.is_set)
    assert not (tmp_path / "out" / "results.csv").exists()
    assert not list((tmp_path / "out").glob(".*partial"))
