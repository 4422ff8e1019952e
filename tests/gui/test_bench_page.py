"""The bench page on labelled vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from verify_app.gui.bench.page import BenchPage
from verify_app.gui.window import MainWindow
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.bench.run import Bench

OpenWindow = Callable[..., MainWindow]


def vector_file(folder: Path, people: int) -> Path:
    rng = np.random.default_rng(4)
    subject = np.repeat(np.arange(people), 3)
    vectors = rng.normal(size=(people, 12))[subject] + 0.5 * rng.normal(size=(people * 3, 12))
    file = folder / "vectors.npz"
    np.savez(
        file,
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        subjects=np.array([f"person {number}" for number in subject]),
    )
    return file


@pytest.fixture
def page(open_window: OpenWindow) -> BenchPage:
    found = open_window("bench").page
    assert isinstance(found, BenchPage)
    return found


def measure(page: BenchPage, qtbot: QtBot, file: Path) -> Bench | Reason:
    with qtbot.waitSignal(page.measured, timeout=180_000) as heard:
        page.sources.load_path("vectors", file)
    return heard.args[0]  # type: ignore[no-any-return]


@pytest.mark.slow
def test_every_way_is_listed_drawn_and_reported(page: BenchPage, qtbot: QtBot, tmp_path: Path) -> None:
    bench = measure(page, qtbot, vector_file(tmp_path, 16))
    assert isinstance(bench, Bench)
    assert page.table.rowCount() == len(bench.rows)
    assert len(page.det._curves) == 4
    last = page.table.item(len(bench.rows) - 1, 0)
    assert last is not None
    last.setCheckState(Qt.CheckState.Checked)
    assert len(page.det._curves) == 5
    page.map.method.setCurrentIndex(page.map.method.findData("t-sne"))
    with qtbot.waitSignal(page.map.drawn, timeout=120_000) as heard:
        page.map.draw()
    assert heard.args[0].method == "t-sne"
    assert len(page.map.plot._points.points()) == len(heard.args[0].subjects)
    page.map.method.setCurrentIndex(0)
    page.map.draw()
    assert page.map.shown is bench.map
    page.write_report(tmp_path / "bench.html")
    qtbot.waitUntil(lambda: not page.notice.isHidden())
    assert bench.rows[0].name in (tmp_path / "bench.html").read_text(encoding="utf-8")


def test_too_few_people_are_told(page: BenchPage, qtbot: QtBot, tmp_path: Path) -> None:
    reason = measure(page, qtbot, vector_file(tmp_path, 3))
    assert isinstance(reason, Reason)
    assert reason.code is ReasonCode.TRIALS_TOO_FEW
    assert page.notice.text == reason.message


def test_files_that_cannot_be_explained_are_told(page: BenchPage, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "empty.jpg"
    file.touch()
    page.explain.set_file(0, file)
    assert not page.explain.button.isEnabled()
    page.explain.set_file(1, file)
    with qtbot.waitSignal(page.explain.explained, timeout=60_000) as heard:
        page.explain.button.click()
    assert isinstance(heard.args[0], Reason)
    assert not page.explain.notice.isHidden()
