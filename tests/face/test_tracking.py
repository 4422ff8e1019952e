"""Faces followed through short films of the demo people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.films import film, scene
from verify_app.capture.video import read_frames
from verify_app.encoders.manifest import load_manifest
from verify_app.face.pipeline import FacePipeline
from verify_app.face.tracking import APART_SECONDS, BEST, FaceTracker, Track
from verify_app.matching.linking import Linking

ADA, ADA_LATER, BRUNO = "ada/face-reference-1.jpg", "ada/face-probe-1.jpg", "bruno/face-reference-1.jpg"
CHUN = "chun/face-reference-1.jpg"


@pytest.fixture(scope="module")
def pipeline(shipped_models: Path) -> FacePipeline:
    return FacePipeline(load_manifest(shipped_models), threads=1)


@pytest.fixture(scope="module")
def portraits(repository: Path) -> Path:
    return repository / "assets" / "demo"


def follow(pipeline: FacePipeline, path: Path) -> list[Track]:
    tracker = FaceTracker(pipeline, Linking(follow=0.31, same=0.5))
    for frame in read_frames(path, "mp4"):
        tracker.add(frame)
    return tracker.tracks()


def test_one_comes_as_another_leaves_then_nobody_then_a_cut(
    pipeline: FacePipeline, portraits: Path, tmp_path: Path
) -> None:
    path = film(
        tmp_path / "film.mp4",
        scene(portraits, 1.5, (ADA, 20, 260)),
        scene(portraits, 2, (ADA, 260, -330), (BRUNO, 600, 560)),
        scene(portraits, 2),
        scene(portraits, 1, (ADA_LATER, 40, 80), ground=220),
        scene(portraits, 1, (CHUN, 40, 60), ground=20),
    )

    ada, bruno, chun = follow(pipeline, path)

    assert [one.number for one in (ada, bruno, chun)] == [1, 2, 3]
    assert len(ada.spans) == 2  # she comes back after the empty stretch, seen from another side, and is known again
    assert (ada.start, ada.end) == (pytest.approx(0.0), pytest.approx(6.25, abs=0.3))
    assert (bruno.start, bruno.end) == (pytest.approx(1.5, abs=0.3), pytest.approx(3.25, abs=0.3))
    assert (chun.start, chun.end) == (pytest.approx(6.5, abs=0.3), pytest.approx(7.25, abs=0.3))
    for track in (ada, bruno, chun):
        times = sorted(one.time for one in track.best)
        assert 1 <= len(times) <= BEST
        assert np.diff(times).min(initial=1.0) >= APART_SECONDS
        qualities = [one.quality.score for one in track.best if not one.quality.reasons]
        assert qualities == sorted(qualities, reverse=True)


def test_another_person_in_the_same_place_is_another_track(
    pipeline: FacePipeline, portraits: Path, tmp_path: Path
) -> None:
    path = film(tmp_path / "film.mp4", scene(portraits, 1, (ADA, 100, 100)), scene(portraits, 1, (BRUNO, 100, 100)))

    first, second = follow(pipeline, path)

    assert first.end < 1.0 <= second.start


def test_two_who_are_seen_together_are_never_one(pipeline: FacePipeline, portraits: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", scene(portraits, 1, (ADA, 20, 20), (ADA, 520, 520)))

    assert len(follow(pipeline, path)) == 2


def test_nobody_gives_no_track(pipeline: FacePipeline, portraits: Path, tmp_path: Path) -> None:
    assert follow(pipeline, film(tmp_path / "film.mp4", scene(portraits, 1))) == []
