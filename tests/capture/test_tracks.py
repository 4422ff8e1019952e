"""Videos give spread, sharp frames for the face and their sound track for the voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from verify_app.capture.camera import Camera, list_cameras
from verify_app.capture.files import load_samples, sniff
from verify_app.capture.live import Live
from verify_app.domain import Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput

RATE = 10
SIDE = 64


def _frame(index: int, frames: int, blurred: bool = False) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Fine stripes on a ground whose brightness tells the time."""
    image = np.full((SIDE, SIDE + 32, 3), 40 + 160 * index // frames, np.uint8)
    image[:, ::8] = 0
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4) if blurred else image)


def _write(
    file: Path,
    *,
    container: str = "mp4",
    video: str | None = "libx264",
    audio: str | None = None,
    frames: int = 40,
    sharp: set[int] | None = None,
) -> Path:
    with av.open(str(file), "w", format=container) as output:
        pictures = output.add_stream(video, rate=RATE) if video else None
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = SIDE + 32, SIDE, "yuv420p"
        rate = 48_000 if audio == "libopus" else 16_000
        sound = output.add_stream(audio, rate=rate, layout="mono") if audio else None
        if pictures is not None:
            for index in range(frames):
                image = _frame(index, frames, sharp is not None and index not in sharp)
                output.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            output.mux(pictures.encode(None))
        if sound is not None:
            tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(frames * rate // RATE) / rate)
            block = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="flt", layout="mono")
            block.sample_rate = rate
            resampler = av.AudioResampler(format=sound.format, layout="mono", rate=rate, frame_size=sound.frame_size)
            for part in [*resampler.resample(block), *resampler.resample(None)]:
                output.mux(sound.encode(part))
            output.mux(sound.encode(None))
    return file


@pytest.mark.parametrize(
    ("container", "video", "audio"),
    [
        ("mp4", "libx264", "aac"),
        ("webm", "libvpx", "libopus"),
        ("avi", "mpeg4", "libmp3lame"),
        ("matroska", "libx264", "aac"),
    ],
)
def test_frames_and_sound_track(tmp_path: Path, container: str, video: str, audio: str) -> None:
    file = _write(tmp_path / "clip", container=container, video=video, audio=audio)

    frames, (track,) = load_samples(file), load_samples(file, Modality.VOICE)

    assert sniff(file) == "video"
    assert 7 <= len(frames) <= 8
    assert all(frame.modality is Modality.FACE and frame.data.shape == (SIDE, SIDE + 32, 3) for frame in frames)
    assert len({frame.sha256 for frame in frames}) == len(frames)
    times = sorted(frame.details["time"] for frame in frames)
    assert times[0] < 0.6
    assert times[-1] > 3.3
    assert track.modality is Modality.VOICE
    assert len(track.data) == pytest.approx(4 * 16_000, rel=0.05)


def test_the_sharpest_frame_of_each_part_is_taken(tmp_path: Path) -> None:
    sharp = {2, 7, 13, 18, 22, 28, 31, 38}
    frames = load_samples(_write(tmp_path / "clip.mp4", sharp=sharp))

    assert {round(frame.details["time"] * RATE) for frame in frames} == sharp
    sharpness = [frame.details["sharpness"] for frame in frames]
    assert sharpness == sorted(sharpness, reverse=True)


def test_a_long_video_is_sampled_over_its_whole_length(tmp_path: Path) -> None:
    frames = load_samples(_write(tmp_path / "clip.mp4", frames=300))

    times = sorted(frame.details["time"] for frame in frames)
    assert len(times) == 8
    assert max(np.diff(times)) < 8
    assert times[-1] > 20


def test_m4a_is_sound(tmp_path: Path) -> None:
    file = _write(tmp_path / "memo.m4a", container="ipod", video=None, audio="aac")

    (sample,) = load_samples(file)

    assert sniff(file) == "audio"
    assert sample.modality is Modality.VOICE
    assert np.abs(sample.data).max() == pytest.approx(0.3, abs=0.05)


def test_a_video_without_sound_holds_no_voice(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput) as refusal:
        load_samples(_write(tmp_path / "clip.mp4"), Modality.VOICE)
    assert refusal.value.reason.code is ReasonCode.MODALITY_MISMATCH


def test_a_video_cut_off_says_so(tmp_path: Path) -> None:
    content = _write(tmp_path / "whole.mp4").read_bytes()
    file = tmp_path / "cut.mp4"
    file.write_bytes(content[: len(content) // 2])

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.FILE_TRUNCATED


def test_an_address_is_a_name_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnusableInput) as refusal:
        load_samples("http://localhost:9/clip.mp4")
    assert refusal.value.reason.code is ReasonCode.FILE_NOT_FOUND


def test_a_video_file_plays_as_a_camera(tmp_path: Path) -> None:
    file = _write(tmp_path / "clip.mp4", frames=5)

    with Camera(str(file)) as camera:
        samples = [camera.read() for _ in range(5)]
        with pytest.raises(UnusableInput) as refusal:
            camera.read()

    assert [sample.data.shape for sample in samples] == [(SIDE, SIDE + 32, 3)] * 5
    assert all(sample.device_class == "camera" for sample in samples)
    assert samples[0].data.mean() < samples[-1].data.mean()
    assert refusal.value.reason.code is ReasonCode.CAMERA_UNAVAILABLE


def test_a_camera_that_is_not_there_is_told_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    numbers = {device.index for device in list_cameras()}
    absent = next(number for number in range(90, 200) if number not in numbers)

    with pytest.raises(UnusableInput) as refusal:
        Camera(absent).open()

    assert refusal.value.reason.code is ReasonCode.CAMERA_UNAVAILABLE
    assert capfd.readouterr() == ("", "")


def test_passwords_of_network_cameras_are_not_told() -> None:
    with pytest.raises(UnusableInput) as refusal:
        Camera("rtsp://guest:secret@127.0.0.1:9/live").open()

    assert "secret" not in refusal.value.reason.message
    assert "127.0.0.1" in refusal.value.reason.message


def test_the_worker_hands_out_the_newest_picture_once(tmp_path: Path) -> None:
    live = Live(Camera(str(_write(tmp_path / "clip.mp4", frames=20))))
    live.start()
    seen: list[Sample] = []

    def watch() -> None:
        while (sample := live.latest(timeout=5)) is not None:
            seen.append(sample)

    with pytest.raises(UnusableInput) as refusal:
        watch()
    live.stop()

    assert refusal.value.reason.code is ReasonCode.CAMERA_UNAVAILABLE
    assert 1 <= len(seen) <= 20
    assert len({sample.sha256 for sample in seen}) == len(seen)
    assert seen[-1].data.mean() > 150  # the last frame is never lost
