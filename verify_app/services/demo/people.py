"""The demo people: who they are and which files show them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify_app.reasons import ReasonCode, StateError

FILE_NAME = "people.toml"
COLUMNS = {
    "enrol_faces": "face_references",
    "probe_faces": "face_probes",
    "enrol_voices": "voice_references",
    "probe_voices": "voice_probes",
}
"""Attribute of a demo person -> name in the table."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody who does not exist.

    Attributes:
        name: an invented name.
        enrol_faces: images to enrol with.
        probe_faces: other images, to verify with.
        enrol_voices: recordings to enrol with.
        probe_voices: other recordings, to verify with.
    """

    name: str
    enrol_faces: tuple[Path, ...]
    probe_faces: tuple[Path, ...]
    enrol_voices: tuple[Path, ...]
    probe_voices: tuple[Path, ...]

    @property
    def enrolment(self) -> tuple[Path, ...]:
        """Everything to enrol with."""
        return (*self.enrol_faces, *self.enrol_voices)


def demo_people(folder: Path | None = None) -> tuple[DemoPerson, ...]:
    """Read the demo people.

    Args:
        folder: where ``people.toml`` and the files are; default the bundled ones.

    Raises:
        StateError: SETTINGS_INVALID when they are missing or damaged.
    """
    if folder is None:
        from verify_app.resources import assets_root

        folder = assets_root() / "demo"
    file = folder / FILE_NAME
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        people = tuple(_person(folder, row) for row in table["person"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StateError(
            ReasonCode.SETTINGS_INVALID,
            f"The demo people cannot be read from {file} ({type(error).__name__}: {error}).",
            "Install the application again.",
        ) from None
    return people


def _person(folder: Path, row: dict[str, Any]) -> DemoPerson:
    own = folder / row["folder"]
    files = {name: tuple(own / file for file in row[column]) for name, column in COLUMNS.items()}
    return DemoPerson(str(row["name"]), **files)
