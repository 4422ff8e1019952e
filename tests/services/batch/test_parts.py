"""Rows that are about a part of a file: people in a video, stretches of speech in a recording."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.films import film, scene
from verify_app.domain import FloatArray, Modality
from verify_app.reasons import Cancelled, ReasonCode, UnusableInput, UsageError
from verify_app.services.application import Application
from verify_app.services.batch import embed
from verify_app.services.batch.exports import export
from verify_app.services.batch.locate import place_finder
from verify_app.services.batch.place import Place, PlaceKind, clock, from_json, to_json
from verify_app.services.batch.previews import preview, thumbnail
from verify_app.services.batch.run import run_batch
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.batch.tracks import _choose
from verify_app.services.batch.validate import look
from verify_app.services.enrol import enrol

ADA, BRUNO = "ada/face-reference-1.jpg", "bruno/face-reference-1.jpg"


@pytest.fixture(scope="module")
def portraits(repository: Path) -> Path:
    return repository / "assets" / "demo"


@pytest.fixture(scope="module")
def videos(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada, then Bruno beside her; the same cut off; and one that shows nobody."""
    folder = tmp_path_factory.mktemp("videos")
    both = scene(portraits, 1, (ADA, 40, 60)), scene(portraits, 1, (ADA, 60, 80), (BRUNO, 560, 540))
    whole = film(folder / "both.mp4", *both).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 8 // 10])
    film(folder / "nobody.mp4", scene(portraits, 1))
    return folder


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as opened:
        return list(csv.DictReader(opened))


def job(kind: JobKind, folder: Path, faces: str = "all", **options: object) -> JobSpec:
    return JobSpec.of(kind, Modality.FACE, [folder], faces=faces, gates=False, **options)


def test_each_person_in_a_video_has_a_row(
    app: Application, portraits: Path, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(app, "Ada", [portraits / ADA])
    out = tmp_path / "identify"
    run_batch(app, job(JobKind.IDENTIFY, videos), out)
    found = {row["file"]: row for row in rows(out)}
    assert list(found)[:2] == ["both.mp4#track-1@00:00.0", "both.mp4#track-2@00:01.0"]
    ada, bruno = list(found.values())[:2]
    assert (ada["claim"], ada["decision"], bruno["decision"]) == ("Ada", "matched", "unknown")
    assert (float(ada["start"]), float(ada["end"])) == (0.0, pytest.approx(1.75, abs=0.3))
    assert found["nobody.mp4"]["reason"] == "no_face"
    rest = next(row for name, row in found.items() if name.startswith("cut.mp4#rest@"))
    assert (rest["decision"], rest["reason"]) == ("unusable", "file_truncated")
    assert found["cut.mp4#track-1@00:00.0"]["claim"] == "Ada"

    # A claim is checked against every person; the same faces are known from the job before, and nothing is read.
    monkeypatch.setattr(embed, "steps_of_file", pytest.fail)
    only = videos.parent / "copy"
    only.mkdir()
    (only / "Ada.mp4").write_bytes((videos / "both.mp4").read_bytes())
    run_batch(app, job(JobKind.VERIFY, only, claim="name:^[^.]+"), tmp_path / "verify")
    assert [row["decision"] for row in rows(tmp_path / "verify")] == ["verified", "not_verified"]
    run_batch(app, job(JobKind.GROUP, only), tmp_path / "group")
    assert {row["decision"] for row in rows(tmp_path / "group")} == {"single"}
    crossed = JobSpec.of(JobKind.CROSS, Modality.FACE, [only, only], faces="all", gates=False)
    run_batch(app, crossed, tmp_path / "cross")
    assert [row["claim"] for row in rows(tmp_path / "cross")] == ["Ada.mp4#track-1@00:00.0", "Ada.mp4#track-2@00:01.0"]

    # Pictures of rows show the person that the row is about.
    places = place_finder(out)
    left = preview(app, Modality.FACE, [str(videos)], "both.mp4#track-1@00:00.0", places)
    right = preview(app, Modality.FACE, [str(videos)], "both.mp4#track-2@00:01.0", places)
    assert left is not None
    assert right is not None
    vectors = [_embedded(app, np.asarray(shown.picture)) for shown in (left, right)]
    assert float(vectors[0] @ vectors[1]) < 0.4
    small = thumbnail(app, Modality.FACE, [str(videos)], "both.mp4#track-2@00:01.0", places)
    assert small is not None
    assert small.std() > 20  # a face, not the plain ground


def _embedded(app: Application, picture: np.ndarray) -> FloatArray:
    from verify_app.domain import Sample
    from verify_app.face.pipeline import FacePolicy

    sample = Sample(Modality.FACE, picture, "preview", "")
    return app.face.encode(sample, faces=FacePolicy.LARGEST, gates=False)[1].vector


def test_the_policy_chooses_among_the_people_of_a_video(app: Application, videos: Path, tmp_path: Path) -> None:
    run_batch(app, job(JobKind.GROUP, videos, "one", patterns=("both.mp4",)), tmp_path / "one")
    (refused,) = rows(tmp_path / "one")
    assert (refused["file"], refused["reason"]) == ("both.mp4", "several_faces")
    run_batch(app, job(JobKind.GROUP, videos, "largest", patterns=("both.mp4",)), tmp_path / "largest")
    (chosen,) = rows(tmp_path / "largest")
    assert chosen["file"].startswith("both.mp4#track-")


def test_a_job_stopped_within_a_video_ends_like_one_that_was_not(
    app: Application, portraits: Path, tmp_path: Path
) -> None:
    film(tmp_path / "in" / "long.mp4", scene(portraits, 8, (ADA, 20, 500)))
    told: list[str] = []

    def hear(_done: int, _total: int, message: str = "") -> None:
        told.append(message)

    with pytest.raises(Cancelled):
        run_batch(app, job(JobKind.GROUP, tmp_path / "in"), tmp_path / "stopped", progress=hear,
                  cancelled=lambda: any("long.mp4 (" in one for one in told))  # fmt: skip
    assert not (tmp_path / "stopped" / "results.csv").exists()
    for out in ("stopped", "whole"):
        run_batch(app, job(JobKind.GROUP, tmp_path / "in"), tmp_path / out)
    results = [(tmp_path / out / "results.csv").read_bytes() for out in ("stopped", "whole")]
    assert results[0] == results[1]
    assert b"long.mp4#track-1@00:00.0" in results[0]


def test_a_pair_with_a_damaged_video_is_one_row(app: Application, videos: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("reference,probe\nboth.mp4,cut.mp4\ncut.mp4,both.mp4\n")
    spec = JobSpec.of(JobKind.PAIRS, Modality.FACE, [table, videos], faces="largest", gates=False)
    run_batch(app, spec, tmp_path / "out")
    assert [row["decision"] for row in rows(tmp_path / "out")] == ["verified", "verified"]
    assert look(app, spec).reasons == {}


def test_small_and_doubtful_tracks_are_bystanders() -> None:
    from verify_app.domain import Quality
    from verify_app.face.tracking import Sighting, Track

    def track(number: int, size: float, score: float = 0.9, off_centre: float = 0.1) -> Track:
        seen = Sighting(0.0, (0, 0, size, size), np.ones(2, np.float32), Quality(0.5), score, off_centre)
        return Track(number, [(0.0, 1.0)], 4, [seen], np.ones(2))

    path = Path("a.mp4")
    assert _choose([track(1, 20), track(2, 100)], "one", path).number == 2
    assert _choose([track(1, 90, score=0.6), track(2, 100)], "one", path).number == 2
    assert _choose([track(1, 90), track(2, 100)], "largest", path).number == 2
    assert _choose([track(1, 90, off_centre=0.0), track(2, 100, off_centre=0.9)], "largest-centred", path).number == 1
    with pytest.raises(UnusableInput) as refusal:
        _choose([track(1, 90), track(2, 100)], "skip", path)
    assert refusal.value.reason.code is ReasonCode.SEVERAL_FACES


@pytest.fixture(scope="module")
def meeting(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada, Dalia and Ada again, with short pauses, at 44 100 samples a second; a copy whose end is missing."""

    def voice(name: str) -> FloatArray:
        samples, rate = soundfile.read(portraits / name, dtype="float32")
        return np.asarray(soxr.resample(samples, rate, 44_100), np.float32)

    pause = np.random.default_rng(1).normal(0, 1e-3, 44_100 // 2).astype(np.float32)
    turns = [voice(f"{who}/voice-{which}.ogg") for who, which in
             (("ada", "reference-1"), ("dalia", "reference-1"), ("ada", "reference-2"))]  # fmt: skip
    folder = tmp_path_factory.mktemp("meeting")
    soundfile.write(folder / "talk.wav", np.concatenate([turns[0], pause, turns[1], pause, turns[2]]), 44_100)
    content = (folder / "talk.wav").read_bytes()
    (folder / "talk-cut.wav").write_bytes(content[: len(content) * 6 // 10])
    soundfile.write(folder / "hush.wav", pause, 44_100)
    return folder


def test_each_stretch_of_speech_has_a_row(app: Application, meeting: Path, tmp_path: Path) -> None:
    spec = JobSpec.of(JobKind.GROUP, Modality.VOICE, [meeting], segments=True)
    out = tmp_path / "out"
    run_batch(app, spec, out)
    found = [row for row in rows(out) if row["file"].startswith("talk.wav")]
    starts, ends = ([float(row[name]) for row in found] for name in ("start", "end"))
    lengths = [soundfile.info(meeting / "talk.wav").duration]
    assert len(found) == 3
    assert all(end - start <= 10.0 for start, end in zip(starts, ends, strict=True))
    assert all(end <= start + 0.5 for end, start in zip(ends, starts[1:], strict=False))
    assert ends[-1] <= lengths[0]
    assert found[0]["group"] == found[2]["group"] != found[1]["group"]
    cut = [row for row in rows(out) if row["file"].startswith("talk-cut.wav")]
    assert [row["reason"] for row in cut if row["decision"] == "unusable"] == ["file_truncated"]
    assert len(cut) >= 2
    assert [row["reason"] for row in rows(out) if row["file"] == "hush.wav"] == ["no_speech"]

    lines = export(out, "rttm").read_text().splitlines()
    assert [line.split()[:4] for line in lines[-3:]] == [
        ["SPEAKER", "talk.wav", "1", f"{start:.3f}"] for start in starts
    ]
    assert [int(line.split()[7].removeprefix("group-")) for line in lines[-3:]] == [int(row["group"]) for row in found]

    heard = preview(app, Modality.VOICE, [str(meeting)], found[1]["file"], place_finder(out))
    assert heard is not None
    assert heard.audio is not None
    assert len(heard.audio) / 16_000 == pytest.approx(ends[1] - starts[1], abs=0.05)


def test_pairs_are_of_whole_files(tmp_path: Path) -> None:
    for options in ({"faces": "all"}, {"segments": True}):
        modality = Modality.VOICE if "segments" in options else Modality.FACE
        with pytest.raises(UsageError):
            JobSpec.of(JobKind.PAIRS, modality, [tmp_path, tmp_path], **options)


def test_places_have_names_and_survive_storage() -> None:
    track = Place(PlaceKind.TRACK, 2, 3.24, 9.0, 4.5, (1.0, 2.0, 3.0, 4.0))
    speech = Place(PlaceKind.SPEECH, 7, 3599.97, 3605.0)
    assert track.suffix == "#track-2@00:03.2"
    assert speech.suffix == "#speech-7@1:00:00.0-1:00:05.0"
    assert [Place(PlaceKind.FACE, number).suffix for number in (1, 2)] == ["", "#2"]
    assert from_json(to_json([track, None, speech])) == (track, None, speech)
    assert to_json([None]) is None
    assert from_json(None) == ()
    assert clock(59.96) == "01:00.0"
