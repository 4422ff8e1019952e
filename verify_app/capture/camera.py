"""Cameras, network cameras and video files as a stream of pictures."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from verify_app.domain import Modality, Sample
from verify_app.native import opencv, quiet_stderr
from verify_app.reasons import ReasonCode, UnusableInput

_TIMEOUT_MILLISECONDS = 5000
_PROBED = 3  # device numbers tried where the system offers no list


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """A camera of this computer: the number to open it by, and its name."""

    index: int
    name: str


def list_cameras() -> list[CameraDevice]:
    """The cameras of this computer; empty when there is none."""
    if sys.platform.startswith("linux"):
        return _video4linux(Path("/sys/class/video4linux"))
    cv2 = opencv()
    found = []
    for index in range(_PROBED):
        with quiet_stderr():
            capture = cv2.VideoCapture(index)
            if capture.isOpened():
                found.append(CameraDevice(index, f"Camera {index + 1}"))
            capture.release()
    return found


def _video4linux(folder: Path) -> list[CameraDevice]:
    """What the kernel lists. A camera has several nodes; the pictures come from the one with index 0."""
    found = []
    for node in folder.glob("video*"):
        try:
            if (node / "index").read_text().strip() == "0":
                found.append(CameraDevice(int(node.name.removeprefix("video")), (node / "name").read_text().strip()))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda device: device.index)


class Camera:
    """A source of face samples.

    Args:
        source: number of a camera, the address of a network camera (``rtsp://…``), or a video file.
    """

    def __init__(self, source: int | str = 0) -> None:
        self._source = source
        self._capture: Any = None

    def open(self) -> None:
        """Start the camera; UnusableInput CAMERA_UNAVAILABLE when it does not start."""
        if self._capture is not None:
            return
        cv2 = opencv()
        with quiet_stderr():
            if isinstance(self._source, int):
                capture = cv2.VideoCapture(self._source)
            else:
                limits = [
                    cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MILLISECONDS,
                    cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MILLISECONDS,
                ]  # fmt: skip
                capture = cv2.VideoCapture(self._source, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            raise UnusableInput(
                ReasonCode.CAMERA_UNAVAILABLE,
                f"{self._name()} cannot be opened.",
                "Check that it is connected, switched on, not used by another program, and that you may use it.",
            )
        self._capture = capture

    def read(self) -> Sample:
        """The next picture; opens the camera if need be.

        Raises:
            UnusableInput: CAMERA_UNAVAILABLE when the camera does not start, was unplugged, or the file
                has ended.
        """
        self.open()
        cv2 = opencv()
        good, frame = self._capture.read()
        if not good or frame is None:
            self.close()
            raise UnusableInput(
                ReasonCode.CAMERA_UNAVAILABLE,
                f"{self._name()} gives no more pictures.",
                "Check the cable or the connection, then start it again.",
            )
        image = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        return Sample(
            Modality.FACE,
            image,
            "camera",
            hashlib.sha256(image.tobytes()).hexdigest(),
            device_class="camera",
            details={"width": image.shape[1], "height": image.shape[0], "camera": self._name()},
        )

    def close(self) -> None:
        """Stop the camera; harmless when it is not running."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _name(self) -> str:
        if isinstance(self._source, int):
            return f"Camera {self._source + 1}"
        # An address may carry a user name and a password.
        scheme, mark, rest = self._source.partition("://")
        return f"Camera {scheme}{mark}{rest.rpartition('@')[2]}"
