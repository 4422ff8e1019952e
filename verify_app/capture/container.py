"""Containers of sound and video opened for reading, and what goes wrong there told as a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.capture.content import open_error
from verify_app.capture.images import MAX_PIXELS
from verify_app.capture.sound import truncated_error
from verify_app.capture.sound_header import is_truncated
from verify_app.domain import ImageArray
from verify_app.native import opencv
from verify_app.reasons import ReasonCode, UnusableInput

_LONG_SIDE = 1920
# Naming the demuxer keeps a file from choosing one itself: some of them follow links to other files.
_DEMUXERS = {
    "mp4": "mov", "mov": "mov", "matroska": "matroska", "avi": "avi", "ogg-video": "ogg", "flv": "flv", "asf": "asf",
    "amr": "amr", "mpeg-ts": "mpegts", "mpeg": "mpeg", "aac": "aac",
}  # fmt: skip


@contextmanager
def opened(path: str | Path, kind: str, *, whole: bool = True) -> Iterator[Any]:
    """The container; whatever goes wrong inside the block while it is read becomes a reason.

    Args:
        path: the file.
        kind: format name of :mod:`verify_app.capture.content`.
        whole: refuse a file that ends before its own structure says.

    Raises:
        UnusableInput: FILE_TRUNCATED, FILE_UNREADABLE, FORMAT_UNSUPPORTED.
    """
    try:
        import av
    except ImportError:
        raise UnusableInput(
            ReasonCode.FORMAT_UNSUPPORTED,
            f"{path} cannot be decoded on this computer: the package av is not installed.",
            "Install it with: pip install av. Or convert the file to WAV or JPEG.",
        ) from None
    cut_off = False
    try:
        # A file object, never the name: FFmpeg would take some names for network addresses.
        with Path(path).open("rb") as file:
            cut_off = is_truncated(file, kind)
            if cut_off and whole:
                raise truncated_error(path)
            file.seek(0)
            with av.open(file, format=_DEMUXERS[kind], metadata_errors="replace") as container:
                yield container
    except av.FFmpegError:
        raise (truncated_error(path) if cut_off else undecodable(path)) from None
    except OSError as error:
        raise open_error(path, error) from None


def undecodable(path: str | Path) -> UnusableInput:
    """The reason for a file that looks sound and cannot be decoded."""
    return UnusableInput(
        ReasonCode.FILE_UNREADABLE,
        f"{path} cannot be decoded: it is damaged or of an unusual kind.",
        "Play it in a media player and export it again, for example as MP4 or WAV.",
    )


def video_streams(container: Any) -> list[Any]:
    """The moving pictures in a container; a cover picture does not count."""
    import av

    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover and stream.width]


def video_stream(container: Any, path: str | Path) -> Any:
    """The first of them, ready to be decoded on several threads.

    Raises:
        UnusableInput: MODALITY_MISMATCH without video, IMAGE_TOO_LARGE.
    """
    streams = video_streams(container)
    if not streams:
        raise UnusableInput(
            ReasonCode.MODALITY_MISMATCH, f"{path} holds no video.", "Use a picture or a video for the face."
        )
    stream = streams[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise UnusableInput(
            ReasonCode.IMAGE_TOO_LARGE,
            f"{path} is too large: its frames have {stream.width} × {stream.height} pixels.",
            f"Use a video with frames of at most {MAX_PIXELS // 1_000_000} million pixels.",
        )
    stream.thread_type = "AUTO"
    return stream


def sound_stream(container: Any, path: str | Path) -> Any:
    """The first sound track.

    Raises:
        UnusableInput: MODALITY_MISMATCH without sound.
    """
    if not container.streams.audio:
        raise UnusableInput(ReasonCode.MODALITY_MISMATCH, f"{path} holds no sound.", "Use a recording of the voice.")
    return container.streams.audio[0]


def seconds_of(container: Any, stream: Any) -> float:
    """Length that the header names, 0 when it names none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return float(container.duration / 1_000_000) if container.duration else 0.0


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """The frames of a stream from where the container stands; None in place of what cannot be decoded."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            yield None
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            yield None


def picture_of(frame: Any) -> ImageArray:
    """A decoded frame as it is meant to be seen: uint8 (height, width, 3), RGB, at most 1920 pixels long, upright."""
    cv2 = opencv()
    image = frame.to_ndarray(format="rgb24")
    scale = _LONG_SIDE / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
