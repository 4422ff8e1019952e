"""Whatever bytes a file holds, the answer is samples or one reason: never another error, never noise."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from verify_app.capture.files import load_samples
from verify_app.reasons import UnusableInput

HEADS = [
    b"",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x10\x10\x00\x00WEBPVP8 ",
    b"RIFF\x10\x10\x00\x00WEBPVP8X",
    b"GIF89a",
    b"II*\x00\x08\x00\x00\x00",
    b"MM\x00*\x00\x00\x00\x08",
    b"BM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00(\x00\x00\x00",
    b"RIFF\x10\x10\x00\x00WAVEfmt ",
    b"fLaC\x00\x00\x00\x22",
    b"OggS\x00\x02",
    b"ID3\x04\x00\x00\x00\x00\x00\x00",
    b"\xff\xfb\x90d",
    b"FORM\x00\x00\x01\x00AIFF",
    b".snd\x00\x00\x00\x18",
    b"caff\x00\x01\x00\x00",
    b"\x00\x00\x00\x18ftypM4A ",
    b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f",
    b"RIFF\x10\x10\x00\x00AVI LIST",
    b"#!AMR\n",
    b"\xff\xf1P\x80",
    b"FLV\x01\x05\x00\x00\x00\x09",
    b"0&\xb2u\x8ef\xcf\x11",
    b"riff.\x91\xcf\x11",
]


def _attempt(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with suppress(UnusableInput):
        assert load_samples(file)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=600))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_are_refused_or_read(
    file: Path, capfd: pytest.CaptureFixture[str], head: bytes, tail: bytes
) -> None:
    _attempt(file, head + tail)
    assert capfd.readouterr() == ("", "")


@cache
def _whole() -> list[bytes]:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8))
    sound = rng.normal(0, 0.1, 4000).astype(np.float32)
    files = []
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        stream: Any = io.BytesIO()
        picture.save(stream, kind)
        files.append(stream.getvalue())
    for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF"):
        stream = io.BytesIO()
        soundfile.write(stream, sound, 16_000, format=kind)
        files.append(stream.getvalue())
    return files


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_refused_or_read(file: Path, capfd: pytest.CaptureFixture[str], data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(_whole())))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(1, len(content)))

    _attempt(file, bytes(content[:end]))
    assert capfd.readouterr() == ("", "")
