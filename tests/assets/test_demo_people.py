"""The demo people: complete, readable, consistent, and nobody's likeness."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile

DEMO = Path(__file__).parents[2] / "assets" / "demo"
TEACHER = "teachers/mobilefacenet.onnx"
TEACHER_THRESHOLD = 0.341  # cosine at a false-match rate of 1e-3 on the development split


@pytest.fixture(scope="module")
def listing() -> dict[str, Any]:
    return tomllib.loads((DEMO / "people.toml").read_text(encoding="utf-8"))


def files(listing: dict[str, Any], kind: str) -> list[Path]:
    return [
        DEMO / person["folder"] / name
        for person in listing["person"]
        for role in ("references", "probes")
        for name in person[f"{kind}_{role}"]
    ]


def test_each_person_has_references_and_other_probes(listing: dict[str, Any]) -> None:
    assert len(listing["person"]) == 6
    for person in listing["person"]:
        for kind in ("face", "voice"):
            references, probes = person[f"{kind}_references"], person[f"{kind}_probes"]
            assert len(references) == len(probes) == 2
            assert not set(references) & set(probes)


def test_every_file_is_listed_and_every_listed_file_is_there(listing: dict[str, Any]) -> None:
    present = {p for p in DEMO.rglob("*") if p.suffix in {".jpg", ".ogg"}}
    assert present == set(files(listing, "face")) | set(files(listing, "voice"))
    assert sum(p.stat().st_size for p in present) < 2.5e6


def test_portraits_decode(listing: dict[str, Any]) -> None:
    for path in files(listing, "face"):
        image = cv2.imread(str(path))
        assert image is not None, path
        assert image.shape == (320, 320, 3)
        assert image.std() > 20, f"{path} is nearly uniform"


def test_clips_are_speech_of_a_few_seconds(listing: dict[str, Any]) -> None:
    for path in files(listing, "voice"):
        clip, rate = soundfile.read(path, dtype="float32")
        assert rate == 16_000
        assert clip.ndim == 1
        assert 3.0 < len(clip) / rate < 8.0, path
        assert 0.05 < np.abs(clip).max() <= 1.0, path


def test_trials_name_listed_files_and_are_labelled_rightly(listing: dict[str, Any]) -> None:
    known = {p.relative_to(DEMO).as_posix() for kind in ("face", "voice") for p in files(listing, kind)}
    folder = {person["name"]: person["folder"] for person in listing["person"]}
    for trial in listing["trial"]:
        assert trial["probe"] in known
        assert trial["mated"] == (trial["probe"].split("/")[0] == folder[trial["claimed"]])
        assert trial["probe"].split("/")[1].startswith(trial["modality"])
    assert {t["mated"] for t in listing["trial"]} == {True, False}


@pytest.mark.shared_data
@pytest.mark.slow
def test_no_portrait_is_taken_for_a_source(listing: dict[str, Any], shared_data: Path) -> None:
    pytest.importorskip("scipy")
    from assets.make_demo import sources
    from assets.make_demo.__main__ import SEED
    from assets.make_demo.identity import Watch
    from assets.make_demo.people import PEOPLE

    shared = shared_data if (shared_data / "teachers").is_dir() else shared_data.parent
    encoder = sources.Encoder(shared / TEACHER)
    watch = Watch(str(shared / "teachers/yunet_n_dynamic.onnx"), [encoder], [TEACHER_THRESHOLD])
    rows = sources.selection(shared / "data/faces", SEED)
    nearest = {}
    for person in PEOPLE:
        members = encoder(sources.load(shared / "data/faces", rows, person.members).inner)
        for path in sorted((DEMO / person.name).glob("face-*.jpg")):
            picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(np.uint8)
            nearest[f"{person.name}/{path.name}"] = float((members @ watch.embed(picture)[0]).max())
    assert {name: value for name, value in nearest.items() if value >= TEACHER_THRESHOLD} == {}
