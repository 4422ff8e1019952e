"""Starting for real: after OpenCV was imported, under X11, without a display, without a library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from verify_app.gui.libraries import PACKAGES, missing_library

START = """
    import cv2, os
    from verify_app.gui import app
    application = app.make_application()
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication
    from verify_app.gui.session import Session
    from verify_app.gui.window import MainWindow
    window = MainWindow(Session())
    window.show()
    QTimer.singleShot(300, window.close)
    code = application.exec()
    print(application.platformName(), window.isVisible(), code)
"""


def start(
    home: Path, script: str, repository: Path, prefix: tuple[str, ...] = (), **variables: str | None
) -> tuple[int, str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["VERIFY_APP_HOME"] = str(home)
    for key, value in variables.items():
        environment.pop(key, None) if value is None else environment.__setitem__(key, value)
    done = subprocess.run(
        [*prefix, sys.executable, "-c", textwrap.dedent(script)],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_offscreen_after_importing_opencv(home: Path, repository: Path) -> None:
    code, output = start(home, START, repository, QT_QPA_PLATFORM="offscreen")
    assert code == 0, output
    assert "offscreen False 0" in output


def test_x11_after_importing_opencv(home: Path, repository: Path) -> None:
    if shutil.which("Xvfb") is None or shutil.which("xvfb-run") is None:
        complaint = "needs a virtual X server: apt-get install xvfb xauth"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    code, output = start(home, START, repository, ("xvfb-run", "-a"), QT_QPA_PLATFORM="xcb")
    assert code == 0, output
    assert "xcb False 0" in output


def test_without_a_display_the_reason_is_given(home: Path, repository: Path) -> None:
    script = """
        from verify_app.gui.app import make_application
        from verify_app.reasons import StateError
        try:
            make_application()
        except StateError as error:
            print(error.reason.message)
    """
    code, output = start(home, script, repository, QT_QPA_PLATFORM=None)
    if not sys.platform.startswith("linux"):
        pytest.skip("only X11 has to be told where to draw")
    assert code == 0, output
    assert "There is no display" in output


@pytest.mark.parametrize("library", ["libEGL.so.1", "libxcb-cursor.so.0", "libxkbcommon-x11.so.0"])
def test_a_missing_library_is_named_with_its_package(library: str) -> None:
    error = missing_library(f"{library}: cannot open shared object file: No such file or directory")
    assert error is not None
    assert library in error.reason.message
    assert PACKAGES[library] in error.reason.advice


def test_an_unknown_library_is_named_all_the_same() -> None:
    error = missing_library("libnew-1.so.9: cannot open shared object file: No such file or directory")
    assert error is not None
    assert "libnew-1.so.9" in error.reason.advice


def test_other_import_errors_are_left_alone() -> None:
    assert missing_library("No module named 'PySide6'") is None


def test_this_version_of_qt_survives_many_signals(home: Path, repository: Path) -> None:
    # PySide6 6.12.0 gives the True that `emit` returns away without owning it; Python 3.11 then aborts.
    script = """
        from PySide6.QtCore import QObject, Signal
        class Bell(QObject):
            rung = Signal(int)
        bell = Bell()
        for number in range(20_000):
            bell.rung.emit(number)
        print("alive")
    """
    code, output = start(home, script, repository)
    assert code == 0, output
    assert "alive" in output


def test_an_unknown_page_is_a_usage_error(home: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "verify_app", "gui", "--page", "garden"],
        cwd=repository,
        env={**os.environ, "VERIFY_APP_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert "garden" in done.stderr
    assert "calibrate" in done.stderr
