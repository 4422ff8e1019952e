"""The camera dialog on a real video, and both dialogs on machines that lack the device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from verify_app.capture.camera import Camera
from verify_app.capture.live import Live
from verify_app.domain import Modality
from verify_app.gui.devices import camera_dialog
from verify_app.gui.devices.camera_dialog import CameraDialog
from verify_app.gui.devices.microphone_dialog import LevelView, MicrophoneDialog
from verify_app.gui.window import MainWindow
from verify_app.reasons import ReasonCode, UnusableInput


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "camera.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    assert writer.isOpened()
    for number in range(200):
        frame = np.full((240, 320, 3), number, np.uint8)
        writer.write(frame)
    writer.release()
    return file


@pytest.fixture(autouse=True)
def no_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, the dialog is told of no camera."""
    monkeypatch.setattr(camera_dialog, "_cameras", list)


def test_a_picture_is_taken_from_what_is_shown(window: MainWindow, qtbot: QtBot, video: Path) -> None:
    dialog = CameraDialog(window, window.session)
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.take_button.isEnabled()
    dialog.watch(Live(Camera(str(video))))
    qtbot.waitUntil(dialog.take_button.isEnabled)
    dialog.take()
    assert dialog.sample is not None
    assert dialog.sample.modality is Modality.FACE
    assert dialog.sample.data.shape == (240, 320, 3)
    assert dialog._live is None


def test_a_camera_that_stops_is_told(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    dialog = CameraDialog(window, window.session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.watch(Live(Camera(str(tmp_path / "unplugged.avi"))))
    qtbot.waitUntil(lambda: "cannot be opened" in dialog.notice.text)
    assert not dialog.take_button.isEnabled()


def test_without_a_camera_the_dialog_says_so(window: MainWindow, qtbot: QtBot) -> None:
    dialog = CameraDialog(window, window.session)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: "No camera" in dialog.notice.text)
    dialog.reject()


class Absent:
    """A microphone that is not there."""

    def start(self) -> None:
        raise UnusableInput(ReasonCode.MICROPHONE_UNAVAILABLE, "No microphone can be opened.", "Connect one.")

    def close(self) -> None:
        """Nothing is open."""


def test_without_a_microphone_the_dialog_says_so(window: MainWindow, qtbot: QtBot) -> None:
    dialog = MicrophoneDialog(window, window.session, Absent())  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.toggle()
    qtbot.waitUntil(lambda: not dialog.notice.isHidden())
    assert "No microphone" in dialog.notice.text
    assert dialog.record_button.isEnabled()
    dialog.reject()


def test_the_level_keeps_as_much_as_it_can_show(qtbot: QtBot) -> None:
    view: LevelView = LevelView()
    qtbot.addWidget(view)
    view.resize(120, 60)
    add: Callable[[float], None] = view.add
    for number in range(500):
        add(number / 500)
    assert len(view._levels) == 120 // (LevelView.BAR + 2)
    assert not view.grab().isNull()
