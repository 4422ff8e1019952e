"""Containers of sound and video (MP4, WebM, AVI …): still frames for the face, the sound track for the voice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.capture.container import (
    opened,
    picture_of,
    seconds_of,
    sound_stream,
    undecodable,
    video_stream,
    video_streams,
)
from verify_app.capture.sound import MAX_SECONDS, Recording, too_long_error, voice_sample
from verify_app.domain import ImageArray, Modality, Sample
from verify_app.native import opencv

MAX_FRAMES = 8
_CANDIDATES = 3 * MAX_FRAMES
_SEEK_FROM_SECONDS = 20.0


def has_video(path: str | Path, kind: str) -> bool:
    """Whether a container holds moving pictures; a cover picture does not count."""
    with opened(path, kind, whole=False) as container:
        return bool(video_streams(container))


def load_frames(path: str | Path, kind: str) -> list[Sample]:
    """Up to eight face samples, spread over the video, the sharpest frame of each part, sharpest first.

    Frames that are equal to the last pixel are given once.

    Raises:
        UnusableInput: FILE_TRUNCATED, FILE_UNREADABLE, IMAGE_TOO_LARGE, MODALITY_MISMATCH without video.
    """
    with opened(path, kind) as container:
        stream = video_stream(container, path)
        seconds = seconds_of(container, stream)
        spread = _by_seeking(container, stream, seconds) if seconds > _SEEK_FROM_SECONDS else []
        candidates = spread or _by_reading(container, stream)
    if not candidates:
        raise undecodable(path)
    samples = [_frame_sample(path, *chosen) for chosen in _sharpest_of_each_part(candidates)]
    return list({sample.sha256: sample for sample in reversed(samples)}.values())[::-1]  # no frame twice


def load_track(path: str | Path, kind: str) -> Sample:
    """The sound track as one voice sample.

    Raises:
        UnusableInput: as :func:`verify_app.capture.sound.load_sound`; MODALITY_MISMATCH without sound.
    """
    with opened(path, kind) as container:
        stream = sound_stream(container, path)
        seconds = seconds_of(container, stream)
        if seconds > MAX_SECONDS:
            raise too_long_error(path, f"it lasts {seconds / 60:.0f} minutes")

        def blocks() -> Iterator[NDArray[np.float32]]:
            import av

            container.seek(0)
            to_float = av.AudioResampler(format="fltp")
            for frame in container.decode(stream):
                for part in to_float.resample(frame):
                    yield np.asarray(part.to_ndarray().T, np.float32)
            for part in to_float.resample(None):
                yield np.asarray(part.to_ndarray().T, np.float32)

        # Only the length of the track itself is a promise: the video beside it may well last longer.
        frames = int(seconds * stream.rate) if stream.duration else None
        recording = Recording(stream.rate or 0, stream.channels, frames, blocks)
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        details = {"format": kind, "subtype": stream.codec_context.codec.long_name}
        return voice_sample(path, recording, digest, details)


Candidate = tuple[ImageArray, float, float]  # picture, time in seconds, sharpness


def _by_seeking(container: Any, stream: Any, seconds: float) -> list[Candidate]:
    """Three consecutive frames at the middle of each part, for long videos."""
    found: list[Candidate] = []
    start = stream.start_time or 0
    for part in range(MAX_FRAMES):
        target = (part + 0.5) / MAX_FRAMES * seconds
        container.seek(start + int(target / stream.time_base), stream=stream)
        for _, frame in zip(range(3), container.decode(stream), strict=False):
            candidate = _candidate(frame)
            if all(candidate[1] != other[1] for other in found):
                found.append(candidate)
    return found


def _by_reading(container: Any, stream: Any) -> list[Candidate]:
    """Evenly spaced frames of a whole video whose length need not be known.

    When there are too many, every other one is dropped and the step doubled.
    """
    container.seek(0)
    found: list[Candidate] = []
    step = 1
    for index, frame in enumerate(container.decode(stream)):
        if index % step:
            continue
        found.append(_candidate(frame))
        if len(found) == 2 * _CANDIDATES:
            found, step = found[::2], 2 * step
    return found


def _candidate(frame: Any) -> Candidate:
    image = picture_of(frame)
    return image, float(frame.time or 0.0), sharpness(image)


def sharpness(image: ImageArray) -> float:
    """Variance of the Laplacian of the picture at a width of 320 pixels; larger is sharper."""
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    scale = 320 / max(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _sharpest_of_each_part(candidates: list[Candidate]) -> list[Candidate]:
    parts = np.array_split(np.arange(len(candidates)), min(MAX_FRAMES, len(candidates)))
    best = [max((candidates[index] for index in part), key=lambda candidate: candidate[2]) for part in parts]
    return sorted(best, key=lambda candidate: -candidate[2])


def _frame_sample(path: str | Path, image: ImageArray, seconds: float, sharp: float) -> Sample:
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    details = {"width": image.shape[1], "height": image.shape[0], "time": seconds, "sharpness": sharp}
    return Sample(Modality.FACE, image, str(path), digest, details=details)
