"""From a name in the results back to the file, wherever it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.services.batch.conftest import picture
from verify_app.domain import Modality
from verify_app.services.application import Application
from verify_app.services.batch.locate import locate, sides
from verify_app.services.batch.pairs import pair_preview
from verify_app.services.batch.previews import THUMBNAIL, preview, thumbnail


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    picture(made / "a" / "1.png", 1)
    picture(made / "=cmd().png", 2)
    picture(made / "odd#2", 3)
    with zipfile.ZipFile(made / "more.zip", "w") as archive:
        archive.write(picture(tmp_path / "z.png", 4), "b/z.png")
    return made


@pytest.mark.parametrize(
    ("name", "path", "member", "suffix"),
    [
        ("a/1.png", "a/1.png", "", ""),
        ("a/1.png#3", "a/1.png", "", "#3"),
        ("odd#2", "odd#2", "", ""),
        ("'=cmd().png", "=cmd().png", "", ""),
        ("more.zip!b/z.png", "more.zip", "b/z.png", ""),
        ("more.zip!b/z.png#2", "more.zip", "b/z.png", "#2"),
    ],
)
def test_found(folder: Path, name: str, path: str, member: str, suffix: str) -> None:
    found = locate([str(folder)], name)
    assert found is not None
    assert (found[0].path, found[0].member, found[1]) == (str(folder / path), member, suffix)


def test_a_source_that_is_a_file(folder: Path) -> None:
    assert locate([str(folder / "a" / "1.png")], "1.png") is not None
    assert locate([str(folder / "more.zip")], "more.zip!b/z.png") is not None
    assert locate([str(folder / "a" / "1.png")], "other.png") is None


def test_what_is_gone_is_not_found(folder: Path) -> None:
    assert locate([str(folder)], "nowhere.png") is None
    assert locate([str(folder)], "nowhere.png#2") is None


def test_sides() -> None:
    assert sides("verify", ["/a"]) == (["/a"], [])
    assert sides("pairs", ["/t.csv", "/root"]) == (["/root"], ["/root"])
    assert sides("cross", ["/a", "/b"])[1][0] == "/b"


def test_pictures_of_rows(app: Application, folder: Path) -> None:
    sources = [str(folder)]
    for name in ("a/1.png", "more.zip!b/z.png"):
        small = thumbnail(app, Modality.FACE, sources, name)
        assert small is not None
        assert small.shape == (THUMBNAIL, THUMBNAIL, 3)
        shown = preview(app, Modality.FACE, sources, name)
        assert shown is not None
        assert np.asarray(shown.picture).shape == (112, 112, 3)
    assert thumbnail(app, Modality.FACE, sources, "nowhere.png") is None
    assert thumbnail(app, Modality.VOICE, sources, "a/1.png") is None


def test_both_sides_of_a_row(app: Application, folder: Path) -> None:
    summary = {"kind": "duplicates", "modality": "face", "sources": [str(folder)]}
    pair = pair_preview(app, summary, {"file": "a/1.png", "claim": "more.zip!b/z.png"})
    assert pair.probe is not None
    assert pair.reference is not None
    grouped = pair_preview(app, summary, {"file": "a/1.png", "claim": ""}, ["odd#2"])
    assert grouped.reference_name == "odd#2"
    unknown = {"file": "a/1.png", "claim": "", "message": "Nobody of 3 people is like enough; nearest is Ada."}
    searched = pair_preview(app, {**summary, "kind": "identify"}, unknown)
    assert searched.reference_name == "Ada"
    assert searched.thumbnails == ()
