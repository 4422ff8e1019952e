"""The calibration page on real trials: loading, dragging, aiming, leaving out, saving, reporting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtPdf import QPdfDocument
from PySide6.QtWidgets import QInputDialog
from pytestqt.qtbot import QtBot

from verify_app.calibration.model import Calibration
from verify_app.domain import Modality
from verify_app.gui.calibration.library_dialog import LibraryDialog
from verify_app.gui.calibration.page import CalibratePage
from verify_app.gui.calibration.save_dialog import SaveDialog
from verify_app.gui.calibration.worksheet import Worksheet
from verify_app.gui.window import MainWindow
from verify_app.reasons import Reason, ReasonCode
from verify_app.services import calibration_library
from verify_app.services.application import Application
from verify_app.services.trial_sets import LabelledSample

OpenWindow = Callable[..., MainWindow]


def score_file(folder: Path, people: int = 12, each: int = 4) -> Path:
    rng = np.random.default_rng(7)
    subject = np.repeat(np.arange(people), each)
    vectors = rng.normal(size=(people, 16))[subject] + 0.6 * rng.normal(size=(people * each, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(subject.size, 1)
    file = folder / "scores.npz"
    np.savez(
        file,
        score=np.sum(vectors[first] * vectors[second], axis=1),
        mated=subject[first] == subject[second],
        reference_subject=subject[first],
        probe_subject=subject[second],
    )
    return file


@pytest.fixture
def page(open_window: OpenWindow) -> CalibratePage:
    found = open_window("calibrate").page
    assert isinstance(found, CalibratePage)
    return found


def load(page: CalibratePage, qtbot: QtBot, file: Path) -> Worksheet | Reason:
    with qtbot.waitSignal(page.loaded, timeout=60_000) as heard:
        page.sources.load_path("scores", file)
    return heard.args[0]  # type: ignore[no-any-return]


@pytest.fixture
def sheet(page: CalibratePage, qtbot: QtBot, tmp_path: Path) -> Worksheet:
    found = load(page, qtbot, score_file(tmp_path))
    assert isinstance(found, Worksheet), found
    return found


def test_dragging_previews_and_letting_go_commits(page: CalibratePage, sheet: Worksheet, qtbot: QtBot) -> None:
    plot, view = page.histogram, page.histogram.getViewBox()
    previews: list[float] = []
    commits: list[float] = []
    plot.previewed.connect(previews.append)
    plot.committed.connect(commits.append)

    def place(score: float) -> QPoint:
        scene = view.mapViewToScene(QPointF(score, view.viewRange()[1][1] / 2))
        return plot.mapFromScene(scene)

    start = float(plot.line.value())
    viewport = plot.viewport()
    qtbot.mouseMove(viewport, place(start))
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=place(start))
    for score in np.linspace(start, 0.2, 8):
        qtbot.mouseMove(viewport, place(float(score)))
        qtbot.wait(5)
    assert previews
    assert not commits
    assert str(page.reading.false_matches) in page.numbers.text  # it followed the line
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=place(0.2))
    qtbot.waitUntil(lambda: bool(commits))
    assert commits[-1] == pytest.approx(0.2, abs=0.02)
    assert page.reading is not None
    assert page.reading.threshold == commits[-1]
    own = page.points.item(page.points.rowCount() - 1, 1)
    assert own is not None
    assert float(own.text()) == pytest.approx(commits[-1], rel=1e-3)


def test_the_figures_are_those_of_the_trials(page: CalibratePage, sheet: Worksheet) -> None:
    page.commit(0.4)
    trials = sheet.live.trials
    assert page.reading is not None
    assert page.reading.fmr.value == np.mean(trials.scores[~trials.mated] >= 0.4)
    assert page.reading.fnmr.value == np.mean(trials.scores[trials.mated] < 0.4)
    assert str(page.reading.false_matches) in page.numbers.text


def test_a_target_that_the_data_cannot_show_says_what_is_missing(page: CalibratePage, sheet: Worksheet) -> None:
    page.aim(1e-4)
    support = sheet.live.support(1e-4)
    assert not support.supported
    assert "cannot show" in page.target.answer.text
    assert f"{support.comparisons:,}".replace(",", "\u202f") in page.target.answer.accessibleName()
    greyed = page.points.item(2, 0)
    assert greyed is not None
    assert "needs" in greyed.text()


def test_a_row_of_the_table_moves_the_line(page: CalibratePage, sheet: Worksheet) -> None:
    page.points.cellClicked.emit(0, 0)
    assert page.histogram.line.value() == pytest.approx(sheet.threshold_for(1e-2), abs=1e-6)


def test_a_pair_is_left_out_with_a_reason(
    page: CalibratePage, sheet: Worksheet, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_a, **_k: ("same person twice", True))
    worst = page.worst.current
    assert worst is not None
    others = ~sheet.live.trials.mated
    assert sheet.live.trials.scores[worst] == sheet.live.trials.scores[others].max()
    with qtbot.waitSignal(page.loaded, timeout=60_000) as heard:
        page.worst.exclude_button.click()
    less = heard.args[0]
    assert len(less.live.trials) == len(sheet.live.trials) - 1
    assert less.trial_set.history == ("Left out 1 comparison: same person twice",)


def test_bad_scores_change_nothing(page: CalibratePage, sheet: Worksheet, qtbot: QtBot, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("score,mated\n0.1,1\nnan,0\n")
    reason = load(page, qtbot, bad)
    assert isinstance(reason, Reason)
    assert reason.code is ReasonCode.TABLE_INVALID
    assert "line 3" in page.notice.text
    assert page.sheet is sheet


def test_two_people_with_two_samples_each(page: CalibratePage, qtbot: QtBot, tmp_path: Path) -> None:
    found = load(page, qtbot, score_file(tmp_path, people=2, each=2))
    assert isinstance(found, Worksheet)
    assert "cannot show" in page.target.answer.text
    assert "2 people" in page.about.text()


def test_saving_an_unsupported_target_needs_an_explicit_yes(
    page: CalibratePage, sheet: Worksheet, qtbot: QtBot, home: Path
) -> None:
    page.aim(1e-4)
    dialog = SaveDialog(page, "strict", page._target, sheet.live.support(page._target))
    qtbot.addWidget(dialog)
    assert not dialog.save_button.isEnabled()
    dialog.anyway.setChecked(True)
    assert dialog.save_button.isEnabled()
    with qtbot.waitSignal(page.saved, timeout=60_000):
        page.keep(dialog)
    with Application() as app:
        (kept,) = app.store.calibrations()
    assert '"saved_anyway": true' in kept.json
    assert kept.name == "strict"


def test_a_saved_calibration_is_listed_exported_and_imported(
    page: CalibratePage, sheet: Worksheet, qtbot: QtBot, tmp_path: Path
) -> None:
    page.aim(1e-1)
    dialog = SaveDialog(page, "  door   camera ", page._target, sheet.live.support(page._target))
    qtbot.addWidget(dialog)
    with qtbot.waitSignal(page.saved, timeout=60_000):
        page.keep(dialog)
    with Application() as app:
        stored = app.store.calibrations()
        assert [one.name for one in stored] == ["door camera"]
        calibration = Calibration.from_json(stored[0].json)
        assert calibration.expires == datetime.now(UTC).date() + timedelta(days=dialog.valid_days)
        assert calibration.history[0].startswith("Trials from scores")
        file = calibration_library.export(calibration, tmp_path / "out.json")
        again = calibration_library.import_file(app, file)
        assert again.to_json() == calibration.to_json()
        assert len(app.store.calibrations()) == 2


def test_the_report_as_pdf_and_html(page: CalibratePage, sheet: Worksheet, qtbot: QtBot, tmp_path: Path) -> None:
    for ending in ("pdf", "html"):
        page.notice.hide()
        page.write_report(tmp_path / f"report.{ending}")
        qtbot.waitUntil(lambda: not page.notice.isHidden(), timeout=60_000)
        assert "Written" in page.notice.text
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert sheet.calibration.data_digest in text
    assert text.count("data:image/png;base64,") == 3
    document = QPdfDocument()
    assert document.load(str(tmp_path / "report.pdf")) is QPdfDocument.Error.None_
    assert document.pageCount() >= 1
    assert sheet.calibration.data_digest[:20] in document.getAllText(0).text()
    document.close()


def test_a_report_that_cannot_be_written_is_told(
    page: CalibratePage, sheet: Worksheet, qtbot: QtBot, tmp_path: Path
) -> None:
    page.write_report(tmp_path / "no-such-folder" / "report.pdf")
    qtbot.waitUntil(lambda: not page.notice.isHidden(), timeout=60_000)
    assert "No such file" in page.notice.text


def test_what_if_follows_the_threshold(page: CalibratePage, sheet: Worksheet) -> None:
    page.tabs.setCurrentWidget(page.what_if)
    page.preview(sheet.live.lowest - 1)
    everybody = page.what_if.answer.text()
    page.preview(0.5)
    assert page.what_if.answer.text() != everybody
    assert everybody.startswith("50 false alarms a day")


def test_without_people_the_page_says_so(page: CalibratePage, qtbot: QtBot) -> None:
    page.sources.modality.setCurrentIndex(page.sources.modality.findData(Modality.VOICE))
    with qtbot.waitSignal(page.loaded, timeout=60_000) as heard:
        page.sources.load_people()
    assert isinstance(heard.args[0], Reason)
    assert not page.notice.isHidden()


def test_the_library_opens_with_nothing_saved(page: CalibratePage, qtbot: QtBot) -> None:
    dialog = LibraryDialog(page, page.session)
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.use_button.isEnabled()
    assert not dialog.remove_button.isEnabled()


def vector_file(folder: Path, people: int = 16, each: int = 3, seed: int = 3) -> Path:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(people), each)
    vectors = rng.normal(size=(people, 12))[subject] + 0.7 * rng.normal(size=(people * each, 12))
    file = folder / f"vectors{seed}.npz"
    np.savez(file, vectors=vectors.astype(np.float32), subjects=np.array([f"person {one}" for one in subject]))
    return file


def loaded(page: CalibratePage, qtbot: QtBot, work: Callable[[], object]) -> Worksheet:
    with qtbot.waitSignal(page.loaded, timeout=120_000) as heard:
        work()
    assert isinstance(heard.args[0], Worksheet), heard.args[0]
    return heard.args[0]


def test_a_fitted_similarity_is_chosen_and_kept(page: CalibratePage, qtbot: QtBot, tmp_path: Path, home: Path) -> None:
    plain = loaded(page, qtbot, lambda: page.sources.load_path("vectors", vector_file(tmp_path)))
    page.sources.way.setCurrentIndex(page.sources.way.findData("plda"))
    fitted = loaded(page, qtbot, page.compare_otherwise)
    assert fitted.trial_set.similarity == "plda"
    assert not np.allclose(fitted.live.trials.scores, plain.live.trials.scores)
    assert "other people" in page.about.text()
    scores = score_file(tmp_path)
    assert isinstance(load(page, qtbot, scores), Worksheet)
    loaded(page, qtbot, lambda: page.sources.load_path("vectors", vector_file(tmp_path)))
    assert page.sources.chosen_way == "plda"  # finished scores have no say in it
    fitted = page.sheet
    assert fitted is not None
    page.aim(1e-1)
    dialog = SaveDialog(page, "fitted", page._target, fitted.live.support(page._target))
    qtbot.addWidget(dialog)
    dialog.anyway.setChecked(True)
    with qtbot.waitSignal(page.saved, timeout=60_000):
        page.keep(dialog)
    with Application() as app:
        kept = [Calibration.from_json(one.json) for one in app.store.calibrations()]
    assert {one.similarity for one in kept} == {"plda"}
    assert all(one.parameters is not None and one.embeddings == 0 for one in kept)
    page.sources.way.setCurrentIndex(page.sources.way.findData("cosine"))
    back = loaded(page, qtbot, page.compare_otherwise)
    assert back.trial_set.parameters is None
    assert back.live.trials.scores == pytest.approx(plain.live.trials.scores)


def test_two_ways_on_the_same_people(page: CalibratePage, qtbot: QtBot, tmp_path: Path) -> None:
    loaded(page, qtbot, lambda: page.sources.load_path("vectors", vector_file(tmp_path)))
    compare = page.compare
    qtbot.waitUntil(lambda: compare.similarity.findText("Embeddings of the same samples…") >= 0)
    with qtbot.waitSignal(compare.found, timeout=60_000) as heard:
        compare.compare_with("similarity", "lda")
    assert len(heard.args[0].differences) == 3
    assert "95 %" in compare.text.text()
    assert len(compare.det._curves) == len(page.det._curves) == 2
    with qtbot.waitSignal(compare.found, timeout=60_000) as heard:
        compare.compare_with("file", str(vector_file(tmp_path, seed=9)))
    assert heard.args[0].name == "vectors9.npz"
    compare.compare_with("file", str(vector_file(tmp_path, people=5, seed=4)))
    qtbot.waitUntil(lambda: "other samples" in compare.notice.text)


def test_the_general_set_of_an_encoder(
    open_window: OpenWindow, qtbot: QtBot, shipped_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (shipped_models / "face-encoder" / "trials.npz").is_file():
        pytest.skip("the face encoder has no trials yet")
    monkeypatch.setenv("VERIFY_APP_MODELS", str(shipped_models))
    page = open_window("calibrate").page
    assert isinstance(page, CalibratePage)
    found = loaded(page, qtbot, lambda: page.sources.load_shipped(3))
    assert found.trial_set.references == 3
    assert "general set" in page.about.text()
    assert not page.compare.similarity.isEnabled()


def test_stored_voices_cannot_be_played_and_it_is_said(page: CalibratePage, qtbot: QtBot) -> None:
    side = page.worst.left
    side.show_sample(LabelledSample("an id", "Somebody", stored=True), "voice")
    assert "not kept" in side.text
    assert side.play_button.isHidden()
    assert side.recording.isHidden()
