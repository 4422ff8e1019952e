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
from verify_app.services.batch.locate import PlaceFinder, locate, nowhere
from verify_app.services.batch.place import Place, PlaceKind
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


def preview(
    app: Application, modality: Modality, sources: Sequence[str], name: str, places: PlaceFinder = nowhere
) -> Preview | None:
    """The face of an image or video (cut out where one is found) or the recording; None when nothing can be shown."""
    found = _found(modality, sources, name, places)
    if found is None:
        return None
    if modality is Modality.VOICE:
        return Preview(audio=found.sample.data, segments=_segments(app, found.sample), path=found.path)
    return Preview(picture=_face(app, found), path=found.path)


def thumbnail(
    app: Application, modality: Modality, sources: Sequence[str], name: str, places: PlaceFinder = nowhere
) -> ImageArray | None:
    """A small square picture, uint8 (96, 96, 3), RGB; None when there is nothing to show.

    Faces are looked for only where it is not known which one is meant: a table of thousands wants its pictures soon.
    """
    found = _found(modality, sources, name, places)
    if found is None:
        return None
    if modality is Modality.VOICE:
        return _waveform(found.sample.data)
    face = found.place is not None or found.suffix
    return _square(_face(app, found) if face else found.sample.data, THUMBNAIL)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A sample to show, the suffix of the part that is meant, and where that is."""

    sample: Sample
    suffix: str
    place: Place | None
    path: str


def _found(modality: Modality, sources: Sequence[str], name: str, places: PlaceFinder) -> _Found | None:
    located = locate(sources, name)
    if located is None:
        return None
    item, suffix = located
    place = places(item, suffix)
    try:
        with readable(item, Path(tempfile.gettempdir())) as path:
            sample = load_part(path, modality, place)
    except (VerifyAppError, OSError, ValueError):
        return None
    return _Found(sample, suffix, place, "" if item.member else item.path)


def load_part(path: Path, modality: Modality, place: Place | None) -> Sample:
    """The picture or the sound at a place in a file; without a place the first sample of the file.

    Raises:
        UnusableInput: it cannot be read.
    """
    from verify_app.capture.content import identify
    from verify_app.capture.files import load_samples

    if place is not None and place.kind is PlaceKind.SPEECH and place.start is not None and place.end is not None:
        from verify_app.capture.sound_stream import load_stretch

        return load_stretch(path, identify(path), place.start, place.end)
    if place is not None and place.moment is not None:
        from verify_app.capture.video import load_frame

        return load_frame(path, identify(path).format, place.moment)
    return load_samples(path, modality)[0]


def _face(app: Application, found: _Found) -> ImageArray:
    image = np.asarray(found.sample.data, np.uint8)
    if found.place is not None and found.place.box is not None:
        return np.asarray(_around(image, found.place.box), np.uint8)
    height, width = image.shape[:2]
    number = int(found.suffix[1:]) if found.suffix[1:].isdecimal() else 1
    if height == width <= 160 and number == 1:
        return image  # an aligned crop, or as good as one
    try:
        faces: list[Any] = app.face.analyse_all(found.sample, gates=False)
        return np.asarray(_around(image, faces[number - 1].box), np.uint8)
    except (UnusableInput, IndexError):
        return image


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
