"""The quality scores foretell errors: fewer false non-matches when the poorest comparisons are set aside."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.quality import faces, voices
from models.quality.curves import Mated, Samples, figures, mated, threshold_at
from models.quality.recordings import harm, noises, read
from verify_app.domain import ImageArray, Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.face.pipeline import FacePipeline
from verify_app.face.quality import assess as assess_face
from verify_app.reasons import UnusableInput
from verify_app.services.demo.people import demo_people
from verify_app.voice.pipeline import VoicePipeline


def _falls(comparisons: Mated, to: float) -> None:
    """FNMR falls at least to ``to`` of what it was when a fifth is set aside, and never rises above chance before."""
    curve = comparisons.curve()
    start = float(curve.fnmr(0.0))
    assert 0.02 < start < 0.98, "without errors and without matches there is nothing to foretell"
    assert curve.fnmr(0.2) <= to * start
    assert (curve.fnmr([0.05, 0.1, 0.15]) < start).all()
    assert curve.efficacy() > 0.1


def test_the_figures_of_a_card_by_hand() -> None:
    """Poor samples are far from their person, good ones near."""
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(30), 4)
    quality = rng.uniform(0, 1, subjects.size)
    centres = rng.normal(size=(30, 16))
    vectors = centres[subjects] + rng.normal(size=(subjects.size, 16)) * 2 * (1 - quality)[:, None]
    samples = Samples((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), subjects, quality)

    comparisons = mated(samples, samples)
    found = figures(comparisons)

    assert found["comparisons"] == 30 * 6
    assert found["threshold"] == threshold_at(samples)
    assert found["fnmr"]["0.2"] < found["fnmr"]["0"]
    low, high = found["efficacy"]["interval"]
    assert low < found["efficacy"]["value"] < high
    _falls(comparisons, 0.9)


def _harmed_portraits(portraits: list[ImageArray]) -> tuple[list[ImageArray], list[ImageArray]]:
    """Each portrait as it is, and with harms that grow from nothing to hopeless."""
    harmed = []
    for number, portrait in enumerate(portraits):
        level = number % 4
        if number % 2:
            harmed.append(np.asarray(cv2.GaussianBlur(portrait, (0, 0), 0.5 + 5 * level)))
        else:
            side = (320, 90, 40, 26)[level]
            harmed.append(np.asarray(cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)))
    return portraits, harmed


def test_demo_faces_that_are_harmed_fail_where_quality_is_low(shipped_models: Path) -> None:
    """No development data: the demo people's portraits, blurred or made small."""
    pipeline = FacePipeline(load_manifest(shipped_models), threads=1)
    portraits, subjects = [], []
    for number, person in enumerate(demo_people()):
        for file in (*person.enrol_faces, *person.probe_faces):
            portraits.append(np.ascontiguousarray(cv2.imread(str(file))[..., ::-1]))
            subjects.append(number)
    sets = []
    for pictures in _harmed_portraits(portraits):
        vectors, quality = [], []
        for picture in pictures:
            try:
                _, embedding = pipeline.encode(Sample(Modality.FACE, picture, "portrait", "0"), gates=False)
            except UnusableInput:  # too far gone to be found: as poor as can be, and like nobody
                vectors.append(np.zeros(pipeline.contract.dimension, np.float32))
                quality.append(0.0)
            else:
                vectors.append(embedding.vector)
                quality.append(embedding.quality.score)
        sets.append(Samples(np.stack(vectors), np.array(subjects), np.array(quality)))

    _falls(mated(sets[1], sets[0]), 0.9)


@pytest.mark.shared_data
def test_face_quality_foretells_errors_of_development_people(shared_data: Path, shipped_models: Path) -> None:
    chance = np.random.default_rng(7)
    everything = faces.read(shared_data / "faces", "dev", chance)
    some = slice(0, None, 3)
    crops = faces.Crops(everything.images[some], everything.subjects[some], everything.landmarks[some])
    pipeline = FacePipeline(load_manifest(shipped_models), threads=1)
    clean = faces.embed(pipeline, faces.inner(crops.images), crops.landmarks)
    harmed = faces.embed(pipeline, *faces.degraded(crops, chance))
    sets = [
        Samples(vectors, crops.subjects, np.array([assess_face(one).score for one in measures]))
        for vectors, measures in (clean, harmed)
    ]

    _falls(mated(sets[0], sets[0]), 0.88)
    _falls(mated(sets[1], sets[0]), 0.93)


@pytest.mark.shared_data
def test_voice_quality_foretells_errors_of_development_speakers(shared_data: Path, shipped_models: Path) -> None:
    chance = np.random.default_rng(5)
    recordings = read(shared_data / "speech", "dev", 3, chance, speakers=40)
    surroundings = noises(shared_data / "noise", held_out=True)
    pipeline = VoicePipeline(load_manifest(shipped_models), threads=1)
    subjects, analyses = [], ([], [])
    for recording in recordings:
        harmed = harm(recording.sound, surroundings, [one.sound for one in recordings[::9]], chance)
        try:
            both = [voices.speech(pipeline, sound) for sound in (recording.sound, harmed)]
        except UnusableInput:
            continue
        subjects.append(recording.speaker)
        for kept, one in zip(analyses, both, strict=True):
            kept.append(one)
    sets = [
        Samples(
            np.stack([one.vector for one in pipeline.embed(kept)]),
            np.array(subjects),
            np.array([one.quality.score for one in kept]),
        )
        for kept in analyses
    ]

    _falls(mated(sets[1], sets[0]), 0.96)
