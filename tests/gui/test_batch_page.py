"""The Batch page: describe, look, run, stop, go on, work with the results, and let people judge them."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QTableView, QWidget
from pytestqt.qtbot import QtBot

from tests.services.batch.conftest import patience, picture
from verify_app.domain import Modality
from verify_app.gui.batch.adjudication import AdjudicationWindow
from verify_app.gui.batch.page import BatchPage
from verify_app.gui.batch.sample_view import SampleView
from verify_app.gui.window import MainWindow
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.batch import results
from verify_app.services.batch.adjudication import Answer, answers
from verify_app.services.batch.choices import Action
from verify_app.services.batch.previews import Preview
from verify_app.services.batch.rows import Row, RowDecision
from verify_app.services.batch.spec import JobKind
from verify_app.services.batch.table import ResultTable

MODELS = os.environ.get("VERIFY_APP_MODELS", "")
PATIENCE = 120_000

OpenWindow = Callable[..., MainWindow]


@pytest.fixture
def page(home: Path, open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> BatchPage:
    """The page in a window that has models."""
    monkeypatch.setenv("VERIFY_APP_MODELS", MODELS)
    monkeypatch.setenv("VERIFY_APP_PASSPHRASE", "")
    found = open_window("batch").page
    assert isinstance(found, BatchPage)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight textures, two of them twice, and a file that is no picture."""
    for number in range(8):
        picture(tmp_path / "in" / f"p{number % 3}" / f"{number}.png", number % 6)
    (tmp_path / "in" / "notes.png").write_text("not a picture")
    return tmp_path / "in"


def describe(page: BatchPage, folder: Path, out: Path, kind: JobKind = JobKind.DUPLICATES) -> None:
    page.form.kind.setCurrentIndex(page.form.kind.findData(kind))
    page.form.first.set_path(folder)
    page.form.out.set_path(out)
    page.form.aligned.setChecked(True)
    page.form.gates.setChecked(False)


def finish(page: BatchPage, qtbot: QtBot, act: Callable[[], object]) -> ResultTable | Reason:
    with qtbot.waitSignal(page.finished, timeout=PATIENCE) as heard:
        act()
    return heard.args[0]  # type: ignore[no-any-return]


def run(page: BatchPage, qtbot: QtBot, folder: Path, out: Path, kind: JobKind = JobKind.DUPLICATES) -> ResultTable:
    describe(page, folder, out, kind)
    table = finish(page, qtbot, page.start)
    assert isinstance(table, ResultTable), table
    return table


def test_the_form_shows_what_the_question_needs(page: BatchPage) -> None:
    form = page.form
    fields = {"second": form.second, "claim": form.claim, "method": form.method, "patterns": form.patterns}
    shown = {}
    for kind in JobKind:
        form.kind.setCurrentIndex(form.kind.findData(kind))
        shown[kind] = {name for name, field in fields.items() if field.isVisibleTo(form)}
    assert shown == {
        JobKind.VERIFY: {"claim", "patterns"},
        JobKind.IDENTIFY: {"patterns"},
        JobKind.PAIRS: {"second"},
        JobKind.CROSS: {"second", "patterns"},
        JobKind.DUPLICATES: {"patterns"},
        JobKind.GROUP: {"claim", "method", "patterns"},
    }


def test_the_form_gives_back_the_job_it_was_filled_with(page: BatchPage, folder: Path, tmp_path: Path) -> None:
    describe(page, folder, tmp_path / "out", JobKind.VERIFY)
    page.form.claim.setCurrentIndex(page.form.claim.findData("name"))
    page.form.expression.setText(r"^(\d)")
    page.form.patterns.setText("*.png *.jpg")
    request = page.form.request()
    assert request.spec.claim == r"name:^(\d)"
    page.form.kind.setCurrentIndex(0)
    page.form.patterns.clear()
    page.form.show_request(request)
    assert page.form.request() == request
    assert page.command.edit.toPlainText() == request.command


def test_every_face_cannot_be_taken_where_a_pair_names_whole_files(page: BatchPage) -> None:
    form = page.form
    form.kind.setCurrentIndex(form.kind.findData(JobKind.GROUP))
    form.faces.setCurrentIndex(form.faces.findData("all"))
    form.kind.setCurrentIndex(form.kind.findData(JobKind.PAIRS))
    assert form.faces.currentData() == "one"


def test_stretches_of_speech_are_offered_for_voices(page: BatchPage, folder: Path, tmp_path: Path) -> None:
    describe(page, folder, tmp_path / "out", JobKind.GROUP)
    assert not page.form.segments.isVisibleTo(page.form)
    page.form.modality.setCurrentIndex(page.form.modality.findData(Modality.VOICE))
    assert page.form.segments.isVisibleTo(page.form)
    page.form.segments.setChecked(True)
    assert page.form.request().spec.segments
    assert "--segments" in page.form.request().command


def test_a_form_that_makes_no_sense_is_explained(page: BatchPage, folder: Path, tmp_path: Path) -> None:
    page.start()
    assert not page.problem.isHidden()
    describe(page, folder, tmp_path / "out", JobKind.VERIFY)
    page.form.claim.setCurrentIndex(page.form.claim.findData("name"))
    page.form.expression.setText("(")
    page.start()
    assert "regular expression" in page.problem.text


def test_looking_before_the_run(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    describe(page, folder, tmp_path / "out")
    with qtbot.waitSignal(page.looked, timeout=PATIENCE) as heard:
        page.look()
    found = heard.args[0]
    assert found.files == 9
    assert found.reasons == {"format_unsupported": 1}
    assert not (tmp_path / "out").exists()
    page.form.first.set_path(tmp_path / "nowhere")
    with qtbot.waitSignal(page.looked, timeout=PATIENCE) as heard:
        page.look()
    assert heard.args[0].code is ReasonCode.FILE_NOT_FOUND


def test_a_job_from_start_to_export(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table = run(page, qtbot, folder, out)
    model, view = page.results.model, page.results
    assert table.decisions()["unusable"] == 1
    assert model.rowCount() == len(table)
    view.choose_decision("unusable")
    assert model.rowCount() == 1
    assert model.data(model.index(0, 0)) == "notes.png"
    view.choose_decision("")
    view.search.setText("p1/1.png")
    qtbot.waitUntil(lambda: 0 < model.rowCount() < len(table))
    view.search.clear()
    qtbot.waitUntil(lambda: model.rowCount() == len(table))
    view.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    names = [model.data(model.index(row, 0)) for row in range(model.rowCount())]
    assert names == sorted(names, key=str.casefold, reverse=True)
    assert view.command.edit.toPlainText() == json.loads((out / "summary.json").read_text())["command"]
    view.command.copy()
    assert QGuiApplication.clipboard().text().startswith("verify-app batch duplicates")
    with qtbot.waitSignal(view.actions_bar.exported, timeout=PATIENCE):
        view.actions_bar.export("jsonl")
    assert len((out / "results.jsonl").read_text().splitlines()) == len(table)
    with qtbot.waitSignal(view.actions_bar.exported, timeout=PATIENCE):
        view.actions_bar.sort_into(tmp_path / "sorted", link=False)
    assert (tmp_path / "sorted" / "unusable" / "notes.png").exists()
    with qtbot.waitSignal(view.actions_bar.failed, timeout=PATIENCE):
        view.actions_bar.sort_into(tmp_path / "sorted", link=False)
    qtbot.waitUntil(lambda: model.data(model.index(0, 0), Qt.ItemDataRole.DecorationRole) is not None, timeout=PATIENCE)


def test_scoring_again_reads_no_file(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    run(page, qtbot, folder, tmp_path / "out")
    folder.rename(tmp_path / "moved")
    again = finish(page, qtbot, lambda: page.results.rescore.emit(0.01))
    assert isinstance(again, ResultTable)
    assert again.summary["target_fmr"] == 0.01
    assert again.decisions()["unusable"] == 1


def test_stopping_keeps_what_is_done_and_going_on_ends_the_job(page: BatchPage, qtbot: QtBot, tmp_path: Path) -> None:
    for number in range(400):
        picture(tmp_path / "many" / f"{number:03}.png", number)
    describe(page, tmp_path / "many", tmp_path / "out", JobKind.GROUP)
    waits = []
    for attempt in range(3):
        page.start()
        qtbot.waitUntil(lambda: page._progress is not None and page._progress.done > 10 * attempt, timeout=PATIENCE)  # noqa: B023
        began = time.monotonic()
        reason = finish(page, qtbot, lambda: qtbot.mouseClick(page.progress.cancel_button, Qt.MouseButton.LeftButton))
        waits.append(time.monotonic() - began)
        assert isinstance(reason, Reason)
        assert reason.code is ReasonCode.CANCELLED
    assert min(waits) < patience(0.5), waits
    assert "Stopped" in page.stopped.text

    def go_on() -> list[QAbstractButton]:
        return [one for one in page.stopped.findChildren(QAbstractButton) if one.text() and one.isVisible()]

    qtbot.waitUntil(lambda: len(go_on()) == 1)
    table = finish(page, qtbot, go_on()[0].click)
    assert isinstance(table, ResultTable)
    assert len(table) == 400


def test_opening_earlier_jobs(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    table = run(page, qtbot, folder, tmp_path / "out")
    page.back()
    again = finish(page, qtbot, lambda: page.open_job(tmp_path / "out"))
    assert isinstance(again, ResultTable)
    assert again.text == table.text
    (tmp_path / "out" / "results.csv").unlink()
    describe(page, tmp_path, tmp_path / "elsewhere", JobKind.GROUP)
    finish(page, qtbot, lambda: page.open_job(tmp_path / "out"))
    assert "9 of 9" in page.problem.text
    assert page.form.request().spec.kind is JobKind.DUPLICATES
    reason = finish(page, qtbot, lambda: page.open_job(tmp_path / "nothing"))
    assert isinstance(reason, Reason)


def test_groups_are_put_right_by_hand(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table = run(page, qtbot, folder, out, JobKind.GROUP)
    machine = (out / "results.csv").read_bytes()
    bar = page.results.groups
    grouped = [row for row, decision in enumerate(table.text["decision"]) if decision == "grouped"]
    first, second = grouped[0], next(row for row in grouped[1:] if table.group[row] == table.group[grouped[0]])
    names = [table.text["file"][row] for row in (first, second)]
    assert not bar.split_button.isEnabled()
    bar.reviewer.setText("Mia")
    page.results.table.selectRow(first)
    assert bar.split_button.isEnabled()
    with qtbot.waitSignal(bar.corrected, timeout=PATIENCE):
        qtbot.mouseClick(bar.split_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: table.corrected[first] != table.corrected[second])
    column = page.results.model.columns.index("group")
    assert "→" in page.results.model.data(page.results.model.index(first, column))
    for outcome in (bar.corrected, bar.failed):  # merging what is one group already makes no sense
        bar.choose(names)
        with qtbot.waitSignal(outcome, timeout=PATIENCE):
            bar.act(Action.MERGE)
    qtbot.waitUntil(lambda: table.corrected[first] == table.corrected[second])
    with qtbot.waitSignal(bar.corrected, timeout=PATIENCE):
        bar.act(Action.UNDO)
    qtbot.waitUntil(lambda: table.corrected[first] != table.corrected[second])
    assert (out / "results.csv").read_bytes() == machine


def open_adjudication(page: BatchPage, qtbot: QtBot, reviewer: str) -> AdjudicationWindow:
    table = page.results.model.table
    assert table is not None
    window = AdjudicationWindow(page.session, table, page)
    with qtbot.waitSignal(window.loaded, timeout=PATIENCE):
        window.show()
    window.reviewer.setEditText(reviewer)
    with qtbot.waitSignal(window.loaded, timeout=PATIENCE):
        window.load()
    return window


def test_two_reviewers(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(page, qtbot, folder, out)
    machine = (out / "results.csv").read_bytes()
    first = open_adjudication(page, qtbot, "Mia")
    rows = [(row["file"], row["claim"]) for row in first.queue]
    assert len(rows) >= 2
    for key in (Qt.Key.Key_S, Qt.Key.Key_D):
        with qtbot.waitSignal(first.answered, timeout=PATIENCE):
            qtbot.keyClick(first, key)
    first.close()
    second = open_adjudication(page, qtbot, "Noor")
    assert [(row["file"], row["claim"]) for row in second.queue] == rows
    for key in (Qt.Key.Key_D, Qt.Key.Key_U):
        with qtbot.waitSignal(second.answered, timeout=PATIENCE):
            qtbot.keyClick(second, key)
    assert answers(out) == {
        rows[0]: {"Mia": Answer.SAME, "Noor": Answer.DIFFERENT},
        rows[1]: {"Mia": Answer.DIFFERENT, "Noor": Answer.UNSURE},
    }
    assert second.differing.count() == 1
    assert "(1)" in second.tabs.tabText(1)
    assert "1 of 1" in second.rates.text()
    second.differing.itemClicked.emit(second.differing.item(0))
    with qtbot.waitSignal(second.answered, timeout=PATIENCE):
        second.answer(Answer.SAME)
    qtbot.waitUntil(lambda: second.differing.count() == 0)
    second.close()
    assert (out / "results.csv").read_bytes() == machine


def test_nobody_answers_without_a_name(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    run(page, qtbot, folder, tmp_path / "out")
    window = open_adjudication(page, qtbot, "")
    qtbot.keyClick(window, Qt.Key.Key_S)
    assert answers(tmp_path / "out") == {}
    assert "Who looks" in window.notice.text
    window.close()


def test_a_recording_is_shown_with_a_player(qtbot: QtBot) -> None:
    view = SampleView()
    qtbot.addWidget(view)
    view.show_sample("a.wav", Preview(audio=np.zeros(16_000, np.float32), segments=((0.2, 0.8),)))
    assert view.play_button.isVisibleTo(view)
    assert view.sound.isVisibleTo(view)
    view.show_sample("a.png", Preview(picture=np.zeros((20, 30, 3), np.uint8)))
    assert not view.play_button.isVisibleTo(view)
    view.show_sample("Ada", None)
    assert view.note.text()


def test_a_hundred_thousand_rows_stay_fluid(page: BatchPage, qtbot: QtBot, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    chance = np.random.default_rng(2)
    rows = (
        Row(f"f/{number:06}.jpg", f"p{number % 97}", RowDecision.VERIFIED, float(chance.random()), threshold=0.4)
        for number in range(100_000)
    )
    results.write_results(out, rows, grouped=False, seen=lambda row: None)
    summary = {
        "kind": "verify", "modality": "face", "sources": [str(tmp_path)], "groups": None, "purity": None,
        "target_fmr": 1e-3, "comparisons": 100_000, "warning": "", "command": "", "method": None,
        "calibration": {"name": "c", "origin": "general", "created": "2026-01-01"},
    }  # fmt: skip
    (out / "summary.json").write_text(json.dumps(summary))
    table = finish(page, qtbot, lambda: page.open_job(out))
    assert isinstance(table, ResultTable)
    view = page.results.table
    spent = {}
    for name, act in {
        "sort": lambda: view.sortByColumn(3, Qt.SortOrder.DescendingOrder),
        "filter": lambda: page.results.model.choose("p42", ""),
        "all": lambda: page.results.model.choose("", ""),
        "scroll": lambda: [view.scrollTo(page.results.model.index(row, 0)) for row in range(0, 100_000, 2_000)],
        "draw": lambda: [view.viewport().grab() for _ in range(10)],
    }.items():
        began = time.process_time()
        act()
        spent[name] = time.process_time() - began
    print({name: round(seconds, 3) for name, seconds in spent.items()})
    assert max(spent.values()) < 3, spent
    shown = [float(page.results.model.data(page.results.model.index(row, 3))) for row in range(100)]
    assert shown == sorted(shown, reverse=True)


def test_everything_that_can_be_used_has_a_name(page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path) -> None:
    run(page, qtbot, folder, tmp_path / "out", JobKind.GROUP)
    nameless = []
    for widget in page.findChildren(QWidget):
        if isinstance(widget, QAbstractButton | QLineEdit | QComboBox):
            inside = isinstance(widget.parent(), QComboBox | QLineEdit) or widget.objectName().startswith("qt_")
            corner = isinstance(widget.parent(), QTableView)
            texts = (widget.accessibleName(), getattr(widget, "text", lambda: "")(), widget.toolTip())
            if not inside and not corner and not any(texts):
                nameless.append(widget)
    assert not nameless


def test_results_of_the_window_are_those_of_the_shell(
    page: BatchPage, qtbot: QtBot, folder: Path, tmp_path: Path, home: Path
) -> None:
    run(page, qtbot, folder, tmp_path / "out")
    command = shlex.split(page.results.command.edit.toPlainText().replace(str(tmp_path / "out"), str(tmp_path / "b")))
    words = [sys.executable, "-m", "verify_app", *command[1:]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 3, done.stderr
    with (tmp_path / "out" / "results.csv").open() as ours, (tmp_path / "b" / "results.csv").open() as theirs:
        assert list(csv.reader(ours)) == list(csv.reader(theirs))
