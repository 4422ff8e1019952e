"""Pictures of results: what a row is about, small for a table or large enough to judge by eye."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.domain import FloatArray, ImageArray, Modality, Sample
from verify_app.reasons import UnusableInput, VerifyAppError
from verify_app.services.application import Application
from verify_app.services.batch.locate import locate
from verify_app.services.batch.unpack import readable

THUMBNAIL = 96


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What can be shown of a file.

    Attributes:
        picture: the face, uint8 (height, width, 3), RGB; None for a recording.
        audio: the recording, float32 (samples,), mono, 16 kHz; None for a picture.
        segments: where speech was found in it, in seconds.
        path: the file, empty for a member of an archive.
    """

    picture: ImageArray | None = None
    audio: FloatArray | None = None
    segments: tuple[tuple[float, float], ...] = ()
    path: str = ""


def preview(app: Application, modality: Modality, sources: Sequence[str], name: str) -> Preview | None:
    """The face of an image (cut out where one is found) or the recording; None when there is nothing to show."""
    found = _sample(modality, sources, name)
    if found is None:
        return None
    sample, number, path = found
    if modality is Modality.VOICE:
        return Preview(audio=sample.data, segments=_segments(app, sample), path=path)
    return Preview(picture=_face(app, sample, number), path=path)


def thumbnail(app: Application, modality: Modality, sources: Sequence[str], name: str) -> ImageArray | None:
    """A small square picture, uint8 (96, 96, 3), RGB; None when there is nothing to show.

    Faces are looked for only where an image shows several: a table of thousands wants its pictures soon.
    """
    found = _sample(modality, sources, name)
    if found is None:
        return None
    sample, number, _ = found
    if modality is Modality.VOICE:
        return _waveform(sample.data)
    return _square(_face(app, sample, number) if number > 1 else sample.data, THUMBNAIL)


def _sample(modality: Modality, sources: Sequence[str], name: str) -> tuple[Sample, int, str] | None:
    from verify_app.capture.files import load_samples

    place = locate(sources, name)
    if place is None:
        return None
    item, number = place
    try:
        with readable(item, Path(tempfile.gettempdir())) as path:
            return load_samples(path, modality)[0], number, "" if item.member else item.path
    except (VerifyAppError, OSError, ValueError):
        return None


def _face(app: Application, sample: Sample, number: int) -> ImageArray:
    height, width = sample.data.shape[:2]
    if height == width <= 160 and number == 1:
        return np.asarray(sample.data, np.uint8)  # an aligned crop, or as good as one
    try:
        faces: list[Any] = app.face.analyse_all(sample, gates=False)
        return np.asarray(_around(sample.data, faces[number - 1].box), np.uint8)
    except (UnusableInput, IndexError):
        return np.asarray(sample.data, np.uint8)


def _around(image: ImageArray, box: tuple[float, float, float, float]) -> ImageArray:
    """A square around a face, with some of its surroundings."""
    x, y, width, height = box
    side = 1.6 * max(width, height)
    left, top = int(x + width / 2 - side / 2), int(y + height / 2 - side / 2)
    cut = image[max(0, top) : top + int(side), max(0, left) : left + int(side)]
    return np.ascontiguousarray(cut)


def _segments(app: Application, sample: Sample) -> tuple[tuple[float, float], ...]:
    try:
        return app.voice.analyse(sample, gates=False).segments
    except UnusableInput:
        return ()


def _square(image: ImageArray, side: int) -> ImageArray:
    from verify_app.native import opencv

    cv2 = opencv()
    height, width = image.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = np.ascontiguousarray(image[top : top + edge, left : left + edge])
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _waveform(audio: FloatArray) -> ImageArray:
    """The loudness over time, as bars."""
    side, bars = THUMBNAIL, 24
    peaks = np.array([np.abs(part).max(initial=0.0) for part in np.array_split(audio, bars)])
    heights = np.maximum(2, peaks / max(float(peaks.max(initial=0.0)), 1e-6) * side * 0.4).astype(int)
    picture = np.full((side, side, 3), 236, np.uint8)
    for bar, height in enumerate(heights):
        left = bar * side // bars
        picture[side // 2 - height : side // 2 + height, left : left + 2] = (70, 105, 170)
    return picture
