"""Windows for tests: offscreen, a home of their own, and nothing left behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_LOGGING_RULES", "qt.multimedia.*=false")

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from verify_app.gui.session import Session
from verify_app.gui.window import MainWindow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gui)


class PatientQtBot(QtBot):
    """Waits longer than usual: tests also run on busy machines."""

    def waitUntil(self, callback: Callable[[], object], *, timeout: int = 60_000) -> None:  # noqa: N802 - Qt's name
        super().waitUntil(callback, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    return PatientQtBot(request)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a folder of their own, no keyring and, unless a test says otherwise, no models."""
    monkeypatch.setenv("VERIFY_APP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("VERIFY_APP_PASSPHRASE", raising=False)
    monkeypatch.setenv("VERIFY_APP_MODELS", str(tmp_path / "no-models"))
    return tmp_path / "home"


@pytest.fixture
def open_window(home: Path, qtbot: QtBot) -> Iterator[Callable[..., MainWindow]]:
    """Opens windows and closes them at the end; afterwards no widget and no worker may be left."""
    opened: list[MainWindow] = []
    threads_before = set(threading.enumerate())

    def make(page: str = "verify") -> MainWindow:
        window = MainWindow(Session(), page)
        opened.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield make
    for window in opened:
        window.close()
        window.deleteLater()
    opened.clear()
    settle()
    left = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow)]
    assert not left, f"windows are left: {left}"
    workers = [one.name for one in threading.enumerate() if one not in threads_before and one.name.startswith("job")]
    assert not workers, f"workers are left: {workers}"


@pytest.fixture
def window(open_window: Callable[..., MainWindow]) -> MainWindow:
    """The main window of a user who has nothing yet."""
    return open_window()


def settle() -> None:
    """Let everything that was to be deleted go."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        gc.collect()
