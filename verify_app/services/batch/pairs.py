"""The two sides of a row, to be judged by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verify_app.domain import Modality
from verify_app.reasons import StateError
from verify_app.services import people
from verify_app.services.application import Application
from verify_app.services.batch.locate import PlaceFinder, nowhere, sides
from verify_app.services.batch.previews import Preview, preview


@dataclass(frozen=True, slots=True, eq=False)
class PairPreview:
    """What a row compares.

    Attributes:
        probe_name: name of the file.
        probe: what it shows, None when it cannot be read any more.
        reference_name: name of the other file, or of the person.
        reference: what the other file shows; None where the other side is a person.
        thumbnails: pictures stored of the person, PNG or JPEG.
    """

    probe_name: str
    probe: Preview | None
    reference_name: str
    reference: Preview | None = None
    thumbnails: tuple[bytes, ...] = ()


def pair_preview(
    app: Application,
    summary: Mapping[str, Any],
    row: Mapping[str, str],
    mates: Sequence[str] = (),
    places: PlaceFinder = nowhere,
) -> PairPreview:
    """Both sides of a row of a job's results.

    Args:
        app: the application.
        summary: the job's summary.
        row: the row, with ``file``, ``claim`` and ``message``.
        mates: in a grouping job, other files of the same group.
        places: where in files the parts are that have rows of their own.
    """
    modality = Modality(summary["modality"])
    files, claims = sides(summary["kind"], summary["sources"])
    probe = preview(app, modality, files, row["file"], places)
    other = row["claim"] or _nearest(row.get("message", ""))
    if mates:
        return PairPreview(row["file"], probe, mates[0], preview(app, modality, files, mates[0], places))
    if claims:
        return PairPreview(row["file"], probe, other, preview(app, modality, claims, other, places))
    return PairPreview(row["file"], probe, other, thumbnails=_stored(app, modality, other))


def _nearest(message: str) -> str:
    """Rows without a match name the nearest candidate at the end of their message."""
    _, found, name = message.partition("nearest is ")
    return name.rstrip(".") if found else ""


def _stored(app: Application, modality: Modality, name: str) -> tuple[bytes, ...]:
    if not name:
        return ()
    try:
        _, samples = people.show(app, name)
    except StateError:
        return ()
    return tuple(one.thumbnail for one in samples if one.modality == modality.value and one.thumbnail)
