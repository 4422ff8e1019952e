"""Videos read from one end to the other, a few frames a second, whatever their length; memory holds one frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verify_app.capture.container import decoded, opened, picture_of, seconds_of, undecodable, video_stream
from verify_app.domain import ImageArray, Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput

FRAMES_PER_SECOND = 4.0
FEWEST_PER_SECOND = 1.0
_FRAMES_WANTED = 1200
"""From five minutes on fewer frames a second are looked at, from twenty minutes on one."""
_SHORT_OF_END = 1.0  # seconds that may be missing from what the header promises
_SHORT_SHARE = 0.03


def read_frames(path: str | Path, kind: str) -> Iterator[Sample]:
    """Face samples, one every quarter of a second or, from long videos, every second at the least.

    ``details`` holds ``time``, in seconds from the first frame. What cannot be decoded is left out, and told at the
    end: what was given until then is sound.

    Raises:
        UnusableInput: FILE_TRUNCATED once the frames are given, when some could not be decoded; before the first
            frame FILE_UNREADABLE, FILE_TRUNCATED, IMAGE_TOO_LARGE, or MODALITY_MISMATCH without video.
    """
    with opened(path, kind, whole=False) as container:
        stream = video_stream(container, path)
        promised = seconds_of(container, stream)
        step = 1.0 / min(FRAMES_PER_SECOND, max(FEWEST_PER_SECOND, _FRAMES_WANTED / max(promised, 1.0)))
        wanted, seen, damaged = 0.0, None, None
        for time, frame in _decoded(container, stream):
            if frame is None:
                damaged = (seen or 0.0) if damaged is None else damaged
                continue
            seen = time
            if time >= wanted - 1e-3:
                wanted = max(wanted + step, time + step / 2)
                yield _sample(path, picture_of(frame), time)
        if seen is None:
            raise undecodable(path)
        if damaged is None and seen < promised * (1 - _SHORT_SHARE) - _SHORT_OF_END:
            damaged = seen
        if damaged is not None:
            raise damage(path, damaged)


def load_frame(path: str | Path, kind: str, moment: float) -> Sample:
    """The frame that :func:`read_frames` gave with this ``time``.

    Raises:
        UnusableInput: as :func:`read_frames`; FILE_UNREADABLE also when there is no such frame.
    """
    with opened(path, kind, whole=False) as container:
        stream = video_stream(container, path)
        if stream.time_base and moment > 1.0:
            start = stream.start_time or 0
            container.seek(start + int((moment - 1.0) / stream.time_base), stream=stream)
        for time, frame in _decoded(container, stream):
            if frame is not None and time >= moment - 1e-3:
                return _sample(path, picture_of(frame), time)
    raise undecodable(path)


def damage(path: str | Path, seconds: float) -> UnusableInput:
    """The reason for a video that cannot be decoded from some point on."""
    return UnusableInput(
        ReasonCode.FILE_TRUNCATED,
        f"{path} is damaged or cut off: not all of it can be decoded after {seconds:.1f} seconds.",
        "Copy or download the file again; what could be decoded was used.",
    )


def _decoded(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Frames with their times from the beginning of the stream; None in place of one that cannot be decoded."""
    offset = float((stream.start_time or 0) * (stream.time_base or 0))
    time = 0.0
    for frame in decoded(container, stream):
        if frame is not None:
            time = float(frame.time) - offset if frame.time is not None else time + 1 / 25
        yield time, None if frame is None or frame.is_corrupt else frame


def _sample(path: str | Path, image: ImageArray, seconds: float) -> Sample:
    details = {"width": image.shape[1], "height": image.shape[0], "time": seconds}
    return Sample(Modality.FACE, image, str(path), "", details=details)
