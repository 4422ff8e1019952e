"""The window opens whatever is missing or broken, says so, can be used by keyboard, and closes cleanly."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLineEdit,
    QListWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from verify_app.gui import theme
from verify_app.gui.window import MainWindow
from verify_app.reasons import ReasonCode

OpenWindow = Callable[..., MainWindow]


def test_it_opens_with_nothing_and_says_what_to_do(window: MainWindow, qtbot: QtBot) -> None:
    page = window.page
    qtbot.waitUntil(lambda: not page.notice.isHidden())
    assert "Nobody is enrolled yet." in page.notice.text
    assert not page.verify_button.isEnabled()
    qtbot.waitUntil(lambda: "attention" in window.status_line.models.text)
    assert "manifest" in window.status_line.models.toolTip()


def test_every_page_opens_by_its_key(window: MainWindow, qtbot: QtBot) -> None:
    for number, key in enumerate(("verify", "enrol", "people"), start=1):
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        assert window.page is window.open_page(key)


def test_everything_that_can_be_used_has_a_name(window: MainWindow) -> None:
    for key in ("verify", "enrol", "people"):
        window.open_page(key)
    nameless = []
    for widget in window.findChildren(QWidget):
        if isinstance(widget, QAbstractButton | QLineEdit | QComboBox | QListWidget):
            inside = isinstance(widget.parent(), QComboBox | QLineEdit) or widget.objectName().startswith("qt_")
            texts = (widget.accessibleName(), getattr(widget, "text", lambda: "")(), widget.toolTip())
            if not inside and not any(texts):
                nameless.append(widget)
    assert not nameless


def test_the_tab_key_reaches_the_main_action(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    window.page.person.setFocus()
    reached = set()
    for _ in range(30):
        focus = QApplication.focusWidget()
        if focus is not None:
            reached.add(focus)
            qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert {window.page.drop.open_button, window.page.target} <= reached


def test_light_and_dark(window: MainWindow) -> None:
    seen = []
    themes = theme.manager()
    themes.changed.connect(seen.append)
    for scheme in (Qt.ColorScheme.Dark, Qt.ColorScheme.Light):
        themes.choose(scheme)
        corner = window.grab().toImage().pixelColor(window.width() - 5, 5)
        assert corner.name() == themes.theme.window
    assert [one.name for one in seen][-1] == "light"


def test_the_appearance_chosen_is_kept_and_nothing_else(
    home: Path, open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERIFY_APP_TARGET_FMR", "0.01")
    window = open_window()
    window._choose_appearance("dark", Qt.ColorScheme.Dark)
    assert (home / "config" / "settings.toml").read_text(encoding="utf-8").split() == ["theme", "=", '"dark"']
    again = open_window()
    assert again.session.settings is not None
    assert again.session.settings.theme == "dark"
    assert theme.current().name == "dark"
    theme.manager().choose(Qt.ColorScheme.Unknown)


def test_unreadable_settings(home: Path, open_window: OpenWindow, qtbot: QtBot) -> None:
    file = home / "config" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text("target_fmr = “high”", encoding="utf-8")
    window = open_window()
    assert window.session.problem is not None
    assert window.session.problem.code is ReasonCode.SETTINGS_INVALID
    assert str(file) in window.notice.text
    (aside,) = [one for one in window.notice.findChildren(QAbstractButton) if "aside" in one.text()]
    qtbot.mouseClick(aside, Qt.MouseButton.LeftButton)
    assert window.session.problem is None
    kept = list(file.parent.glob("settings-set-aside-*.toml"))
    assert [one.read_text(encoding="utf-8") for one in kept] == ["target_fmr = “high”"]
    page = window.page
    qtbot.waitUntil(lambda: "Nobody is enrolled" in page.notice.text)


def test_a_damaged_database(home: Path, open_window: OpenWindow, qtbot: QtBot) -> None:
    file = home / "data" / "enrolment.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"this is no database at all" * 100)
    window = open_window("people")
    page = window.page
    qtbot.waitUntil(lambda: not page.notice.isHidden())
    assert "enrolment.db" in page.notice.text
    qtbot.waitUntil(lambda: "closed" in window.status_line.key.text)
    assert file.read_bytes().startswith(b"this is no database")


def test_a_damaged_model(
    home: Path, open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    (folder / "face-encoder").mkdir(parents=True)
    (folder / "face-encoder" / "model.onnx").write_bytes(b"damaged")
    (folder / "manifest.toml").write_text(
        'schema = 1\n[[model]]\nname = "face-encoder"\nrole = "face-encoder"\nversion = "1"\n'
        f'file = "face-encoder/model.onnx"\nsha256 = "{"0" * 64}"\nbytes = 7\npreprocessing = "face-112-uint8-1"\n'
        'dimension = 128\nnormalisation = "l2"\nlicence = "Apache-2.0"\ndefault = true\n'
    )
    monkeypatch.setenv("VERIFY_APP_MODELS", str(folder))
    window = open_window()
    qtbot.waitUntil(lambda: "attention" in window.status_line.models.text)
    assert "damaged" in window.status_line.models.toolTip()


def test_closing_while_work_is_under_way(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    started = []

    def work(_app: object, _progress: object, cancelled: Callable[[], bool]) -> None:
        started.append(True)
        deadline = time.monotonic() + 30
        while not cancelled() and time.monotonic() < deadline:
            time.sleep(0.005)

    window.session.run(window, work, pytest.fail, pytest.fail)
    qtbot.waitUntil(lambda: bool(started))
    begin = time.monotonic()
    window.close()
    assert time.monotonic() - begin < 5
    assert not window.isVisible()


def test_a_passphrase_is_asked_for_and_cancelling_is_an_answer(
    home: Path, open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtWidgets import QInputDialog

    asked = []
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: asked.append(a) or ("", False))
    window = open_window()
    got = []
    window.session.workshop.start(window, lambda _p, _c: window.session._ask_passphrase(), pytest.fail, got.append)
    qtbot.waitUntil(lambda: bool(got))
    assert asked
    assert got[0].code is ReasonCode.CANCELLED
