"""Videos read from end to end: even times, any container, and what is damaged told at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.films import RATE, film
from verify_app.capture.files import sniff
from verify_app.capture.video import load_frame, read_frames
from verify_app.domain import ImageArray, Sample
from verify_app.reasons import ReasonCode, UnusableInput


def grounds(seconds: float) -> list[ImageArray]:
    """Frames whose brightness tells the time; the noise keeps them from compressing to nothing."""
    frames = round(seconds * RATE)
    noise = np.random.default_rng(3).integers(0, 40, (frames, 54, 96, 3), np.uint8)
    return [
        np.asarray((noise[index] + 200 * index // frames).repeat(10, 0).repeat(10, 1), np.uint8)
        for index in range(frames)
    ]


@pytest.mark.parametrize(("name", "kind", "codec"), [("a.mp4", "mp4", "libx264"), ("a.avi", "avi", "mpeg4")])
def test_four_frames_a_second_each_found_again(tmp_path: Path, name: str, kind: str, codec: str) -> None:
    path = film(tmp_path / name, grounds(3), codec=codec)

    frames = list(read_frames(path, kind))

    times = [float(frame.details["time"]) for frame in frames]
    assert len(times) == 12
    assert np.diff(times) == pytest.approx(0.25, abs=0.01)
    for frame in frames[::4]:
        again = load_frame(path, kind, float(frame.details["time"]))
        assert np.array_equal(again.data, frame.data)


def test_what_can_be_decoded_of_a_video_cut_off_is_given_first(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", grounds(4))
    cut = tmp_path / "cut.mp4"
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])

    given: list[Sample] = []
    with pytest.raises(UnusableInput) as refusal:
        given.extend(read_frames(cut, "mp4"))  # extends as far as it comes
    assert refusal.value.reason.code is ReasonCode.FILE_TRUNCATED
    assert 4 <= len(given) <= 12
    assert sniff(cut) == "video"


def test_a_tail_of_noise_is_left_out_and_told(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", grounds(4), codec="mpeg4")
    content = bytearray(path.read_bytes())
    at = len(content) * 6 // 10
    content[at:] = np.random.default_rng(1).integers(0, 256, len(content) - at, np.uint8).tobytes()
    path.write_bytes(content)

    given: list[Sample] = []
    with pytest.raises(UnusableInput) as refusal:
        given.extend(read_frames(path, "avi"))
    assert refusal.value.reason.code is ReasonCode.FILE_TRUNCATED
    assert 4 <= len(given) <= 12


def test_a_video_without_its_index_says_it_is_cut_off(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", grounds(1))
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UnusableInput) as refusal:
        list(read_frames(path, "mp4"))
    assert refusal.value.reason.code is ReasonCode.FILE_TRUNCATED
