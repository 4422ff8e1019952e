"""Files of every bad kind: an exit code, a reason code, one sentence, advice, and never a traceback."""

from __future__ import annotations

import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Tool
from verify_app.services.demo.people import DemoPerson

RATE = 16000
Make = Callable[[Path, Path, Path], Path]


def _picture(folder: Path, image: np.ndarray, name: str = "x.png") -> Path:
    file = folder / name
    assert cv2.imwrite(str(file), image)
    return file


def _wave(folder: Path, samples: np.ndarray, name: str = "x.wav") -> Path:
    file = folder / name
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file


def _written(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def _huge_png(folder: Path) -> Path:
    """Only a header, which says 12 000 × 12 000 pixels."""
    head = struct.pack(">IIBBBBB", 12000, 12000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return _written(folder, "x.png", content + bytes(64))


def _three_hours(folder: Path) -> Path:
    """A sparse file: three hours of silence by its header."""
    file = folder / "x.wav"
    size = 3 * 3600 * RATE * 2
    with file.open("wb") as stream:
        stream.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE")
        stream.write(b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16))
        stream.write(b"data" + struct.pack("<I", size))
        stream.truncate(44 + size)
    return file


def _two_faces(folder: Path, face: Path) -> Path:
    one = cv2.resize(cv2.imread(str(face)), (400, 400))
    return _picture(folder, np.hstack([one, one[:, ::-1]]))


def _dark(folder: Path, face: Path) -> Path:
    return _picture(folder, (cv2.imread(str(face)) * 0.06).astype(np.uint8))


def _blurred(folder: Path, face: Path) -> Path:
    image = cv2.imread(str(face))
    return _picture(folder, cv2.GaussianBlur(image, (0, 0), image.shape[0] / 30))


def _short(folder: Path, voice: Path) -> Path:
    import soundfile

    samples, rate = soundfile.read(voice, dtype="float32")
    assert rate == RATE
    loudest = int(np.argmax(np.convolve(samples**2, np.ones(RATE // 2), "same")))
    start = max(0, loudest - RATE // 4)
    return _wave(folder, samples[start : start + RATE // 2])


def _clipped(folder: Path, voice: Path) -> Path:
    import soundfile

    samples, _ = soundfile.read(voice, dtype="float32")
    return _wave(folder, samples * 60)


def _hiss() -> np.ndarray:
    return np.random.default_rng(2).normal(0, 0.05, 3 * RATE)


def _random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


BAD: dict[str, tuple[str, Make]] = {
    "missing": ("file_not_found", lambda folder, face, voice: folder / "nowhere.jpg"),
    "folder": ("file_unreadable", lambda folder, face, voice: folder),
    "empty": ("file_empty", lambda folder, face, voice: _written(folder, "x.jpg", b"")),
    "text": ("format_unsupported", lambda folder, face, voice: _written(folder, "x.jpg", b"hello, I am text\n" * 9)),
    "cut picture": ("file_truncated", lambda folder, face, voice: _written(folder, "x.jpg", face.read_bytes()[:-900])),
    "huge picture": ("image_too_large", lambda folder, face, voice: _huge_png(folder)),
    "no face": ("no_face", lambda folder, face, voice: _picture(folder, _random(1, 300, 300, 3))),
    "two faces": ("several_faces", lambda folder, face, voice: _two_faces(folder, face)),
    "dark": ("face_too_dark no_face", lambda folder, face, voice: _dark(folder, face)),
    "blurred": ("face_blurred", lambda folder, face, voice: _blurred(folder, face)),
    "silence": ("audio_silent", lambda folder, face, voice: _wave(folder, np.zeros(3 * RATE))),
    "noise": ("no_speech", lambda folder, face, voice: _wave(folder, _hiss())),
    "short": ("speech_too_short", lambda folder, face, voice: _short(folder, voice)),
    "clipped": ("audio_clipped", lambda folder, face, voice: _clipped(folder, voice)),
    "three hours": ("audio_too_long", lambda folder, face, voice: _three_hours(folder)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_has_its_reason(tool: Tool, people: tuple[DemoPerson, ...], tmp_path: Path, name: str) -> None:
    codes, make = BAD[name]
    folder = tmp_path / "files"
    folder.mkdir()
    file = make(folder, people[0].probe_faces[0], people[0].probe_voices[0])

    answer = tool("compare", file, people[0].probe_faces[0], "--json")

    assert answer.code == 3
    assert answer.reason in codes.split(), "in the deepest dark there is no face to be found"
    reason = answer.json["reason"]
    assert str(file) in reason["message"]
    assert reason["message"].endswith(".")
    assert reason["advice"].endswith(".")


def test_a_wrong_extension_does_not_matter(tool: Tool, people: tuple[DemoPerson, ...], tmp_path: Path) -> None:
    image = cv2.imread(str(people[0].probe_faces[0]))
    file = _written(tmp_path, "face.wav", cv2.imencode(".png", image)[1].tobytes())

    assert tool("compare", people[0].enrol_faces[0], file).code == 0


def test_the_sentence_for_people_names_the_code(tool: Tool, people: tuple[DemoPerson, ...], tmp_path: Path) -> None:
    file = _written(tmp_path, "x.jpg", b"")

    answer = tool("compare", people[0].enrol_faces[0], file)

    assert answer.code == 3
    assert answer.out == ""
    assert "[file_empty]" in answer.err.splitlines()[0]
