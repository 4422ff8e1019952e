"""Where in a file a row's face or speech is, and how the row's name says so.

A photograph of several people, a video and a long recording give several rows each. Their names are stable: the
same file read under the same options gives the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum

PART_MARK = "#"
"""Stands between the name of a file and what names a place in it."""

Box = tuple[float, float, float, float]


class PlaceKind(StrEnum):
    """What is at a place."""

    FACE = "face"
    TRACK = "track"
    SPEECH = "speech"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file.

    Attributes:
        kind: a FACE of a photograph, a TRACK of one face through a video, a stretch of SPEECH, or the REST of a
            file that cannot be decoded to its end.
        number: 1 for the largest face, the first track, the first stretch of speech.
        start: when it begins, in seconds; None in a photograph.
        end: when it ends, in seconds; None in a photograph.
        moment: when the face is seen best, in seconds; None unless it is a track.
        box: x, y, width, height of the face in pixels, at that moment; None where there is no face.
    """

    kind: PlaceKind
    number: int = 1
    start: float | None = None
    end: float | None = None
    moment: float | None = None
    box: Box | None = None

    @property
    def suffix(self) -> str:
        """What follows the name of the file: ``""`` or ``#2``, ``#track-1@00:03.2``, ``#speech-1@00:03.2-00:09.8``."""
        if self.kind is PlaceKind.FACE:
            return "" if self.number == 1 else f"{PART_MARK}{self.number}"
        begin, end = clock(self.start or 0.0), clock(self.end or 0.0)
        if self.kind is PlaceKind.REST:
            return f"{PART_MARK}rest@{begin}"
        return f"{PART_MARK}{self.kind}-{self.number}@{begin}" + (f"-{end}" if self.kind is PlaceKind.SPEECH else "")


def clock(seconds: float) -> str:
    """A time within a file to a tenth of a second: ``00:03.2``, from an hour on ``1:00:03.2``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02}:{rest // 10:02}.{rest % 10}"


def named(places: Sequence[Place | None], suffix: str) -> Place | None:
    """The place of this suffix."""
    return next((one for one in places if one is not None and one.suffix == suffix), None)


def to_json(places: Sequence[Place | None]) -> str | None:
    """Places as text; None when there are none."""
    if not any(places):
        return None
    return json.dumps([place and astuple(place) for place in places], separators=(",", ":"))


def from_json(text: str | None) -> tuple[Place | None, ...]:
    """The places that :func:`to_json` wrote."""
    return tuple(values and _place(*values) for values in json.loads(text)) if text else ()


def _place(
    kind: str, number: int, start: float | None, end: float | None, moment: float | None, box: list[float] | None
) -> Place:
    at = None if box is None else (box[0], box[1], box[2], box[3])
    return Place(PlaceKind(kind), number, start, end, moment, at)
