"""Files are judged by their content."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from verify_app.capture.files import sniff
from verify_app.reasons import ReasonCode, UnusableInput


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    picture = tmp_path / "recording.wav"
    picture.write_bytes(cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes())
    sound = tmp_path / "picture.jpg"
    soundfile.write(sound, np.zeros(16000, np.float32), 16000, format="WAV")

    assert sniff(picture) == "image"
    assert sniff(sound) == "audio"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ReasonCode.FILE_EMPTY),
        (b"\xff", ReasonCode.FORMAT_UNSUPPORTED),
        (b"These are words, not a picture.\n" * 40, ReasonCode.FORMAT_UNSUPPORTED),
    ],
)
def test_what_is_no_sample_is_refused(tmp_path: Path, content: bytes, code: ReasonCode) -> None:
    file = tmp_path / "picture.jpg"
    file.write_bytes(content)

    with pytest.raises(UnusableInput) as refusal:
        sniff(file)

    assert refusal.value.reason.code is code
    assert str(file) in refusal.value.reason.message
    assert refusal.value.reason.advice


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "nothing", ReasonCode.FILE_NOT_FOUND), (tmp_path, ReasonCode.FILE_UNREADABLE)):
        with pytest.raises(UnusableInput) as refusal:
            sniff(path)
        assert refusal.value.reason.code is code
